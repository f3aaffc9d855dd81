//! Who asks: every function of the catalogue takes the caller's [`Scope`].

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The short code an institution is known by in this installation, e.g. `LOCAL`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstitutionCode(String);

/// A code that cannot name an institution.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an institution code is 1 to 32 letters, digits, '-' or '_'")]
pub struct InvalidInstitutionCode;

impl InstitutionCode {
    /// The institution that stands for "this machine" until others are added.
    pub const LOCAL: &'static str = "LOCAL";

    /// The default institution.
    pub fn local() -> Self {
        Self(Self::LOCAL.to_owned())
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstitutionCode {
    type Err = InvalidInstitutionCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if letters && (1..=32).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(InvalidInstitutionCode) }
    }
}

impl TryFrom<String> for InstitutionCode {
    type Error = InvalidInstitutionCode;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<InstitutionCode> for String {
    fn from(code: InstitutionCode) -> Self {
        code.0
    }
}

/// What the caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at studies and reports.
    Reader,
    /// Also sends data, cancels and resumes readings.
    Operator,
    /// The engine's own jobs.
    System,
}

/// The institutions a caller acts for, and the role. New data belong to the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    home: InstitutionCode,
    others: Vec<InstitutionCode>,
    role: Role,
}

impl Scope {
    /// A caller of one institution.
    pub fn new(institution: InstitutionCode, role: Role) -> Self {
        Self { home: institution, others: Vec::new(), role }
    }

    /// The local operator: the only caller while the server answers on loopback only.
    pub fn local() -> Self {
        Self::new(InstitutionCode::local(), Role::Operator)
    }

    /// The same caller, who may also see `institution`.
    pub fn and(mut self, institution: InstitutionCode) -> Self {
        if institution != self.home && !self.others.contains(&institution) {
            self.others.push(institution);
        }
        self
    }

    /// The institution that new data belong to.
    pub fn home(&self) -> &InstitutionCode {
        &self.home
    }

    /// Every institution the caller may see.
    pub fn institutions(&self) -> impl Iterator<Item = &InstitutionCode> {
        std::iter::once(&self.home).chain(&self.others)
    }

    /// The caller's role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether the caller may change anything.
    pub fn may_change(&self) -> bool {
        self.role != Role::Reader
    }
}
