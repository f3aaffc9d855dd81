//! Patients under other names. The map is what the research zone will need; it holds nobody's identity but encrypted.
//!
//! A pseudonym is random: nothing of it follows from the patient, and who has the pseudonyms alone has nothing.

use crate::access::{Permission, Scope};
use crate::accounts::{base32, random};
use crate::audit::{Action, AuditEvent, Detail};
use crate::engine::Engine;
use crate::error::EngineError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a patient is called instead: `P-` and 16 characters of RFC 4648's base32, 80 random bits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pseudonym(String);

/// A text that is no pseudonym.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pseudonym is P- and 16 of the letters A to Z and digits 2 to 7")]
pub struct BadPseudonym;

impl Pseudonym {
    fn random() -> Result<Self, EngineError> {
        Ok(Self(format!("P-{}", base32(&random::<10>()?))))
    }

    /// The pseudonym as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Pseudonym {
    type Err = BadPseudonym;

    fn from_str(text: &str) -> Result<Self, BadPseudonym> {
        let letters = text.strip_prefix("P-").ok_or(BadPseudonym)?;
        let fits = letters.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte));
        if fits && letters.len() == 16 { Ok(Self(text.to_owned())) } else { Err(BadPseudonym) }
    }
}

impl TryFrom<String> for Pseudonym {
    type Error = BadPseudonym;

    fn try_from(text: String) -> Result<Self, BadPseudonym> {
        text.parse()
    }
}

impl From<Pseudonym> for String {
    fn from(pseudonym: Pseudonym) -> Self {
        pseudonym.0
    }
}

/// Who a patient is to an institution. It is never shown by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Issuer of Patient ID (0010,0021); empty where there is none.
    pub issuer: String,
    /// Patient ID (0010,0020).
    pub patient_id: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(hidden)")
    }
}

impl Engine {
    /// The pseudonym of a patient of the caller's institution: the same one each time, another in every other institution.
    /// For who may send data there.
    pub async fn pseudonym(&self, scope: &Scope, patient: &Identity) -> Result<Pseudonym, EngineError> {
        if patient.patient_id.is_empty() {
            return Err(EngineError::BadRequest { field: "patient_id", expected: "the Patient ID of one patient" });
        }
        let told = |row| {
            let detail = Detail { pseudonym: Some(row), ..Detail::default() };
            AuditEvent::by(scope, Action::Pseudonymise).of(scope.home().clone()).with(detail)
        };
        self.catalog().pseudonym(scope, self.keys(), patient, Pseudonym::random()?, told).await
    }

    /// Who a pseudonym stands for; for who may re-identify in its institution. It is in the audit trail before this returns.
    pub async fn reidentify(&self, scope: &Scope, pseudonym: &Pseudonym) -> Result<Identity, EngineError> {
        let event = AuditEvent::by(scope, Action::Reidentify);
        let told =
            |row, institution| event.clone().of(institution).with(Detail { pseudonym: Some(row), ..Detail::default() });
        let found = self.catalog().identity_of(scope, self.keys(), pseudonym, told).await;
        self.judged(event.of(scope.home().clone()), Permission::Reidentify, found).await
    }
}
