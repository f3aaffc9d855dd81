//! `hilum doctor`: what is weak in the settings and the surroundings of an installation, and what to do about it. Nothing here names a patient.

mod catalogue;
mod device;
mod files;
mod machine;
mod network;
mod openid;

use std::path::Path;

use serde::Serialize;

pub use catalogue::{accounts as examine_accounts, examine as examine_catalogue};
pub use device::Surroundings;
pub use openid::ask as ask_providers;

use crate::settings::Settings;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Patients' data, or the service, are in danger.
    Serious,
    /// Weaker than it could be.
    Warning,
    /// Good to know.
    Note,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable, for scripts.
    pub code: &'static str,
    pub severity: Severity,
    /// What is so.
    pub text: String,
    /// What to do.
    pub advice: String,
}

impl Finding {
    fn new(severity: Severity, code: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { code, severity, text: text.into(), advice: advice.into() }
    }

    fn serious(code: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Serious, code, text, advice)
    }

    fn warning(code: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, text, advice)
    }

    fn note(code: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, text, advice)
    }
}

/// Everything that is seen without opening the catalogue.
pub fn examine(settings: &Settings, data_dir: &Path, surroundings: &Surroundings) -> Vec<Finding> {
    let mut findings = network::examine(settings);
    findings.extend(openid::examine(settings));
    findings.extend(files::examine(settings, data_dir));
    findings.extend(device::examine(data_dir, surroundings));
    findings.extend(machine::examine(settings, data_dir, surroundings));
    findings
}
