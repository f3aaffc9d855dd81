//! What a medical record told of a patient, as inputs of the rules.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Input, Inputs};

/// One of the inputs, as a medical record told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordedFact {
    /// What it says something about.
    pub input: Input,
    /// Whether it is so.
    pub holds: bool,
    /// The coding system of what was told: `LN` (LOINC), `I10` (ICD-10).
    pub system: String,
    /// What was told, by its code.
    pub code: String,
    /// Who told it, by its name in the configuration.
    pub source: String,
    /// When that was so, RFC 3339.
    pub observed_at: String,
}

impl Input {
    /// How many days what a record tells of it counts; none: for good. What is older is not known any more.
    pub fn counts_for_days(self) -> Option<u32> {
        match self {
            // A course of antibiotics.
            Self::Infection | Self::UncontrolledPain | Self::Symptoms => Some(7),
            Self::Obstruction => Some(30),
            // The length of a pregnancy.
            Self::Pregnancy => Some(280),
            // KDIGO 2012: chronic is what lasts for three months.
            Self::ReducedRenalFunction => Some(90),
            Self::Anticoagulation => Some(180),
            Self::SolitaryKidney | Self::AorticAneurysm | Self::UnfavourableAnatomy => None,
            // Records are not asked for anything else.
            _ => Some(0),
        }
    }
}

impl Inputs {
    /// These, and beside them what records tell of what is not known; with the facts that this came from, the newest of each input. What a
    /// physician tells goes first.
    pub fn with_recorded(&self, facts: &[RecordedFact]) -> (Self, Vec<RecordedFact>) {
        let mut known = self.clone();
        let mut newest: Vec<&RecordedFact> = facts.iter().collect();
        // RFC 3339 in one zone sorts as text; of two at the same time the one that holds, which is the more careful.
        newest.sort_by(|a, b| (&b.observed_at, b.holds).cmp(&(&a.observed_at, a.holds)));
        let mut used = Vec::new();
        for fact in newest {
            if !known.knows(fact.input) && known.tell(fact.input, fact.holds) {
                used.push(fact.clone());
            }
        }
        used.sort_by_key(|fact| fact.input);
        (known, used)
    }

    /// Whether an input is one of yes or no, and is told now.
    fn tell(&mut self, input: Input, holds: bool) -> bool {
        let told = match input {
            Input::Obstruction => &mut self.obstruction,
            Input::Infection => &mut self.infection,
            Input::UncontrolledPain => &mut self.uncontrolled_pain,
            Input::Symptoms => &mut self.symptoms,
            Input::ReducedRenalFunction => &mut self.reduced_renal_function,
            Input::Pregnancy => &mut self.pregnancy,
            Input::Anticoagulation => &mut self.anticoagulation,
            Input::SolitaryKidney => &mut self.solitary_kidney,
            Input::AorticAneurysm => &mut self.aortic_aneurysm,
            Input::UnfavourableAnatomy => &mut self.unfavourable_anatomy,
            _ => return false,
        };
        *told = Some(holds);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(input: Input, holds: bool, observed_at: &str) -> RecordedFact {
        RecordedFact {
            input,
            holds,
            system: "LN".into(),
            code: "5802-4".into(),
            source: "his".into(),
            observed_at: observed_at.into(),
        }
    }

    #[test]
    fn the_physicians_word_goes_before_the_record_and_the_newer_record_before_the_older() {
        let facts = [
            fact(Input::Infection, true, "2026-11-24T08:00:00Z"),
            fact(Input::Pregnancy, true, "2026-11-01T08:00:00Z"),
            fact(Input::Pregnancy, false, "2026-11-20T08:00:00Z"),
            fact(Input::SolitaryKidney, false, "2026-11-20T08:00:00Z"),
            fact(Input::SolitaryKidney, true, "2026-11-20T08:00:00Z"),
            fact(Input::HuMean, true, "2026-11-20T08:00:00Z"),
        ];
        let told = Inputs { infection: Some(false), ..Inputs::default() };
        let (known, used) = told.with_recorded(&facts);
        assert_eq!(
            known,
            Inputs { infection: Some(false), pregnancy: Some(false), solitary_kidney: Some(true), ..Inputs::default() }
        );
        let inputs: Vec<(Input, bool)> = used.iter().map(|fact| (fact.input, fact.holds)).collect();
        assert_eq!(inputs, [(Input::Pregnancy, false), (Input::SolitaryKidney, true)]);
    }
}
