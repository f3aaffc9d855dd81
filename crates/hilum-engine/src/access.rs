//! Who asks: every function of the catalogue takes the caller's [`Scope`].

use crate::error::EngineError;
use hilum_dicom::AeTitle;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

/// The short code an institution is known by in this installation, e.g. `LOCAL`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,32}$", example = "LOCAL")]
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

/// What an account is to an institution; it may be several things to one, and others to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at studies and reports.
    Viewer,
    /// Also starts, cancels and resumes readings, judges findings and signs reports.
    Radiologist,
    /// Works with de-identified data. There are none yet, so it sees nothing but how often physicians agreed with models.
    Researcher,
    /// Takes data in, hands them out, deletes them, and reads the audit trail.
    DataSteward,
    /// Manages accounts and their roles, and sees no patient for it.
    Administrator,
}

/// One thing that may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See studies, images and reports, with the patients' identity.
    View,
    /// Start, cancel and resume readings.
    Predict,
    /// Send data: STOW-RS, imports, orders of the worklist.
    Store,
    /// Write whole studies into files.
    Export,
    /// Delete data.
    Delete,
    /// Send again what waits to be sent to peers.
    Operate,
    /// Manage accounts and roles.
    Manage,
    /// Read the audit trail.
    Audit,
    /// Find out whom a pseudonym stands for.
    Reidentify,
    /// Judge the findings of reports, and sign reports.
    Review,
    /// Say whether signed reviews may become labels of data sets.
    Curate,
    /// See how often physicians agreed with models: counts, and no patient.
    Quality,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 12] = [
        Self::View,
        Self::Predict,
        Self::Store,
        Self::Export,
        Self::Delete,
        Self::Operate,
        Self::Manage,
        Self::Audit,
        Self::Reidentify,
        Self::Review,
        Self::Curate,
        Self::Quality,
    ];
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Viewer, Self::Radiologist, Self::Researcher, Self::DataSteward, Self::Administrator];

    /// The word in the catalogue, in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Radiologist => "radiologist",
            Self::Researcher => "researcher",
            Self::DataSteward => "data_steward",
            Self::Administrator => "administrator",
        }
    }

    /// What it allows.
    pub fn permissions(self) -> Permissions {
        use Permission::{
            Audit, Curate, Delete, Export, Manage, Operate, Predict, Quality, Reidentify, Review, Store, View,
        };
        match self {
            Self::Viewer => [View].into_iter().collect(),
            Self::Radiologist => [View, Predict, Review, Quality].into_iter().collect(),
            Self::Researcher => [Quality].into_iter().collect(),
            Self::DataSteward => {
                [View, Store, Export, Delete, Operate, Audit, Reidentify, Curate, Quality].into_iter().collect()
            }
            Self::Administrator => [Operate, Manage, Quality].into_iter().collect(),
        }
    }
}

/// No role has this name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a role is viewer, radiologist, researcher, data_steward or administrator")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// What is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u16);

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self(u16::MAX);

    /// Whether it is among them.
    pub fn contain(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u16) != 0
    }

    /// These and those.
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | 1 << permission as u16))
    }
}

/// Who acts, as the audit trail names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Somebody who signed in, or a program with one of their tokens.
    Account(AccountId),
    /// An application entity.
    Peer(AeTitle),
    /// A command on this machine: whoever may read the data folder.
    Console,
    /// The engine itself.
    System,
    /// Nobody that is known.
    Stranger,
}

/// From where somebody asks, and in which request, where that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whence {
    /// IP address.
    pub address: Option<IpAddr>,
    /// The number that log lines of the request carry.
    pub request: Option<Uuid>,
}

impl Actor {
    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Peer(_) => "peer",
            Self::Console => "console",
            Self::System => "system",
            Self::Stranger => "stranger",
        }
    }
}

/// A role in an institution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Where.
    pub institution: InstitutionCode,
    /// What.
    pub role: Role,
}

/// Number of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct AccountId(pub i64);

/// Who asks, from where, and what it may do in which institutions. New data belong to the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    actor: Actor,
    address: Option<IpAddr>,
    request: Option<Uuid>,
    home: InstitutionCode,
    rights: Vec<(InstitutionCode, Permissions)>,
}

impl Scope {
    /// An actor that may do this in one institution.
    pub fn new(actor: Actor, institution: InstitutionCode, permissions: Permissions) -> Self {
        Self {
            actor,
            address: None,
            request: None,
            home: institution.clone(),
            rights: vec![(institution, permissions)],
        }
    }

    /// The engine's own jobs.
    pub(crate) fn system(institution: InstitutionCode) -> Self {
        Self::new(Actor::System, institution, Permissions::ALL)
    }

    /// A command on this machine, for an institution.
    pub fn console(institution: InstitutionCode) -> Self {
        Self::new(Actor::Console, institution, Permissions::ALL)
    }

    /// A command on this machine, for the institution that stands for it.
    pub fn local() -> Self {
        Self::console(InstitutionCode::local())
    }

    /// What an application entity may do for an institution: see, and send.
    pub fn peer(title: AeTitle, institution: InstitutionCode) -> Self {
        Self::new(Actor::Peer(title), institution, [Permission::View, Permission::Store].into_iter().collect())
    }

    /// An account with its rights in each institution, none of them twice. Its data belong to the first where it may send.
    pub fn account(id: AccountId, rights: Vec<(InstitutionCode, Permissions)>) -> Self {
        let stores = rights.iter().find(|(_, permissions)| permissions.contain(Permission::Store));
        let home = stores.or(rights.first()).map_or_else(InstitutionCode::local, |(code, _)| code.clone());
        Self { actor: Actor::Account(id), address: None, request: None, home, rights }
    }

    /// The same caller, at this address.
    pub fn from_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// The same caller, from there.
    pub fn whence(mut self, whence: Whence) -> Self {
        self.address = whence.address;
        self.request = whence.request;
        self
    }

    /// The same caller, in this request: the id that its log lines carry.
    pub fn in_request(mut self, request: Uuid) -> Self {
        self.request = Some(request);
        self
    }

    /// The same caller with the same rights, for `institution` alone.
    pub(crate) fn given_to(&self, institution: InstitutionCode) -> Self {
        let permissions = self.at(&self.home);
        Self { home: institution.clone(), rights: vec![(institution, permissions)], ..self.clone() }
    }

    /// The same caller, who has the rights that it has at home in `institution` too.
    pub fn and(mut self, institution: InstitutionCode) -> Self {
        if self.rights.iter().all(|(known, _)| *known != institution) {
            self.rights.push((institution, self.at(&self.home)));
        }
        self
    }

    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// From where, if over a network.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// In which request, if over HTTP.
    pub fn request(&self) -> Option<Uuid> {
        self.request
    }

    /// The institution that new data belong to.
    pub fn home(&self) -> &InstitutionCode {
        &self.home
    }

    /// Every institution whose studies the caller may see.
    pub fn institutions(&self) -> impl Iterator<Item = &InstitutionCode> {
        self.where_may(Permission::View)
    }

    /// Every institution that the caller has to do with, whatever it may do there.
    pub fn everywhere(&self) -> impl Iterator<Item = &InstitutionCode> {
        self.rights.iter().map(|(code, _)| code)
    }

    /// Every institution where the caller may do this.
    pub fn where_may(&self, permission: Permission) -> impl Iterator<Item = &InstitutionCode> {
        self.rights.iter().filter(move |(_, permissions)| permissions.contain(permission)).map(|(code, _)| code)
    }

    /// What the caller may do in an institution.
    pub fn at(&self, institution: &InstitutionCode) -> Permissions {
        self.rights
            .iter()
            .find(|(code, _)| code == institution)
            .map(|(_, permissions)| *permissions)
            .unwrap_or_default()
    }

    /// Whether the caller may do this in an institution.
    pub fn may(&self, permission: Permission, institution: &InstitutionCode) -> bool {
        self.at(institution).contain(permission)
    }

    /// Whether the caller may do this anywhere.
    pub fn may_somewhere(&self, permission: Permission) -> bool {
        self.where_may(permission).next().is_some()
    }

    /// The same caller, only in the institutions where it may do this.
    pub(crate) fn where_it_may(&self, permission: Permission) -> Self {
        let allowed = self.rights.iter().filter(|(_, permissions)| permissions.contain(permission));
        Self { rights: allowed.cloned().collect(), ..self.clone() }
    }

    /// Refused unless the caller may do this anywhere.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), EngineError> {
        if self.may_somewhere(permission) { Ok(()) } else { Err(EngineError::Forbidden) }
    }
}
