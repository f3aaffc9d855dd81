//! What guidelines offer for a stone: rules as data, evaluated by pure code.
//!
//! A rule names what it needs to know. It applies, or does not, or it cannot be decided, and then says which inputs are missing: what
//! nobody told is never taken for "no". What comes out are options that a physician weighs, with source and edition; never an order.

mod condition;
mod file;
mod passage;

pub use condition::{Input, Inputs, Place, Range, Site, When};
pub use file::{FileError, Guideline, Rule, Topic, Treatment, shipped};
pub use passage::{Chance, Passage, Row, Source};

use serde::Serialize;

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that it asks for is known, and so.
    Applies,
    /// Something that it asks for is otherwise.
    DoesNotApply,
    /// Nothing speaks against it, and something is not known.
    NotDetermined,
}

/// One rule, weighed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Weighed<'g> {
    /// Where the rule stands.
    pub guideline: &'g str,
    /// The rule.
    pub rule: &'g Rule,
    /// What became of it.
    pub verdict: Verdict,
    /// What was known of what it asks for.
    pub used: Vec<Input>,
    /// What was not.
    pub missing: Vec<Input>,
}

impl Guideline {
    /// Weighs every rule, in the order of the file.
    pub fn weigh(&self, inputs: &Inputs) -> Vec<Weighed<'_>> {
        self.rules.iter().map(|rule| self.weighed(rule, inputs)).collect()
    }

    fn weighed<'g>(&'g self, rule: &'g Rule, inputs: &Inputs) -> Weighed<'g> {
        let (mut used, mut missing, mut against) = (Vec::new(), Vec::new(), false);
        for (input, holds) in rule.when.asked(inputs) {
            match holds {
                Some(holds) => {
                    used.push(input);
                    against |= !holds;
                }
                None => missing.push(input),
            }
        }
        let verdict = match (against, missing.is_empty()) {
            (true, _) => Verdict::DoesNotApply,
            (false, true) => Verdict::Applies,
            (false, false) => Verdict::NotDetermined,
        };
        Weighed { guideline: &self.id, rule, verdict, used, missing }
    }
}
