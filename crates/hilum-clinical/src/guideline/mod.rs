//! What guidelines offer for a stone: rules as data, evaluated by pure code.
//!
//! A rule names what it needs to know. It applies, or does not, or it cannot be decided, and then says which inputs are missing: what
//! nobody told is never taken for "no". What comes out are options that a physician weighs, with source and edition; never an order.

mod condition;
mod file;
mod passage;
mod recorded;
mod rules;
mod score;

pub use condition::{Input, Inputs, Place, Range, Site, When};
pub use file::{FileError, Guideline, Rule, Topic, Treatment};
pub use passage::{Chance, Passage, Row, Source};
pub use recorded::RecordedFact;
pub use rules::{Rules, RulesError};
pub use score::{Item, Outcome, PointsRow, Score, Scored, ScoredItem, Scores};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Weighed {
    /// The guideline in which the rule stands, by its id.
    pub guideline: String,
    /// The rule.
    pub rule: Rule,
    /// What became of it.
    pub verdict: Verdict,
    /// What was known of what it asks for.
    pub used: Vec<Input>,
    /// What was not.
    pub missing: Vec<Input>,
}

impl Guideline {
    /// Weighs every rule, in the order of the file.
    pub fn weigh(&self, inputs: &Inputs) -> Vec<Weighed> {
        self.rules.iter().map(|rule| self.weighed(rule, inputs)).collect()
    }

    fn weighed(&self, rule: &Rule, inputs: &Inputs) -> Weighed {
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
        Weighed { guideline: self.id.clone(), rule: rule.clone(), verdict, used, missing }
    }
}
