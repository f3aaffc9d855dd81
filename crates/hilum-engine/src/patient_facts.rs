//! What medical records tell of patients: inputs of guideline rules, by the code that they were told by. Nothing else is kept of it, and stored
//! images are never changed for it.

use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail};
use crate::deliveries::DestinationName;
use crate::engine::Engine;
use crate::error::EngineError;
use hilum_clinical::guideline::Input;

/// A patient's number. It has no `Debug`: identity is not logged.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientNumber {
    /// Who gave it; empty where nobody is named.
    pub issuer: String,
    /// The number.
    pub id: String,
}

/// Something that is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFact {
    /// What it says something about.
    pub input: Input,
    /// Whether it is so.
    pub holds: bool,
    /// Coding system.
    pub system: String,
    /// Code.
    pub code: String,
    /// When that was so, ms since 1970 UTC.
    pub observed_at: i64,
    /// Whether the record says when; else that is when it told so. Told without a date again and again, it is of the first time.
    pub dated: bool,
}

/// Something that was told before and is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawnFact {
    /// Coding system.
    pub system: String,
    /// Code.
    pub code: String,
    /// Of when, ms since 1970 UTC; none: whenever it was so.
    pub observed_at: Option<i64>,
}

/// What a record told of one patient.
#[derive(Clone)]
pub struct PatientFacts {
    /// Every number that the patient is known by.
    pub patient: Vec<PatientNumber>,
    /// Numbers that stood for the same patient before.
    pub merged: Vec<PatientNumber>,
    /// What is so.
    pub facts: Vec<NewFact>,
    /// What is taken back.
    pub withdrawn: Vec<WithdrawnFact>,
    /// Who told it.
    pub source: DestinationName,
}

impl Engine {
    /// Keeps what a record told of a patient of the caller's institution. Success means durable, and the same again changes nothing.
    pub async fn keep_patient_facts(&self, scope: &Scope, told: &PatientFacts) -> Result<(), EngineError> {
        let detail = Detail { destination: Some(told.source.clone()), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::ReceivePatientData).of(scope.home().clone()).with(detail);
        let may = scope.may(Permission::Store, scope.home());
        self.judged(event, Permission::Store, if may { Ok(()) } else { Err(EngineError::Forbidden) }).await?;
        self.catalog().put_patient_facts(scope, told).await
    }
}
