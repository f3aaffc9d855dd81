//! What an event says. Nothing in it can hold a patient's identity: it names by number, code and UID, and takes no text from outside but
//! AE titles.

use crate::access::{AccountId, Actor, InstitutionCode, Permission, Role, Scope, Whence};
use crate::deliveries::DestinationName;
use crate::engine::Source;
use crate::keys::KeyId;
use dicom_core::Tag;
use hilum_dicom::{AeTitle, SeriesUid, StudyUid};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

/// What was done. The words are those of the catalogue, of JSON and of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditAction)]
pub enum Action {
    /// A process began to write into the trail.
    ProcessStart,
    /// It ended in order, with nothing left to write.
    ProcessEnd,
    /// The audit trail was read.
    AuditRead,
    /// Somebody signed in, or tried to.
    SignIn,
    /// Somebody signed out.
    SignOut,
    /// An account was made.
    AddAccount,
    /// An account was enabled, disabled or renamed, or its means of signing in were changed.
    ChangeAccount,
    /// An account got or lost a role.
    ChangeRoles,
    /// A token of the API was made.
    AddToken,
    /// A token of the API was withdrawn.
    RevokeToken,
    /// A one-time link was made.
    AddLink,
    /// An institution was added or named.
    AddInstitution,
    /// Patients, studies, series or orders were searched or listed.
    Query,
    /// Studies were asked for from a peer.
    Retrieve,
    /// A study, its images, its metadata or its report were read.
    View,
    /// Instances came in over a network.
    Receive,
    /// Files were taken in.
    Import,
    /// Orders were taken in.
    ImportWorklist,
    /// Studies were written into files for others.
    Export,
    /// Everything was copied into a backup.
    Backup,
    /// A backup became this archive.
    Restore,
    /// Instances went to a peer.
    Send,
    /// Instances were deleted.
    Delete,
    /// A model read a study.
    Predict,
    /// Objects were made of a report, and kept.
    MakeResults,
    /// A reading was cancelled.
    CancelReading,
    /// A reading was made due again.
    ResumeReading,
    /// Somebody said how urgent a study is.
    ChangePriority,
    /// A finding of a report was judged, or the conclusion written.
    Review,
    /// A report was signed.
    SignReport,
    /// Somebody said whether a signed review may become labels.
    ChangeLabelUse,
    /// A work item was created, changed, claimed or ended, or somebody subscribed to work items.
    ChangeWorkItem,
    /// Forwards were made due again.
    RetryForwards,
    /// A report was handed to a medical record.
    Deliver,
    /// Deliveries were made due again.
    RetryDeliveries,
    /// A medical record told something of a patient.
    ReceivePatientData,
    /// A key was made, forgotten, or took the place of others.
    ChangeKeys,
    /// A server started with another configuration than the last time.
    ChangeConfiguration,
    /// A patient got a pseudonym.
    Pseudonymise,
    /// Whom a pseudonym stands for was told.
    Reidentify,
    /// A caller was not let in: unknown, without a token, or not allowed.
    Admit,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 41] = [
        Self::ProcessStart,
        Self::ProcessEnd,
        Self::AuditRead,
        Self::SignIn,
        Self::SignOut,
        Self::AddAccount,
        Self::ChangeAccount,
        Self::ChangeRoles,
        Self::AddToken,
        Self::RevokeToken,
        Self::AddLink,
        Self::AddInstitution,
        Self::Query,
        Self::Retrieve,
        Self::View,
        Self::Receive,
        Self::Import,
        Self::ImportWorklist,
        Self::Export,
        Self::Backup,
        Self::Restore,
        Self::Send,
        Self::Delete,
        Self::Predict,
        Self::MakeResults,
        Self::CancelReading,
        Self::ResumeReading,
        Self::ChangePriority,
        Self::Review,
        Self::SignReport,
        Self::ChangeLabelUse,
        Self::ChangeWorkItem,
        Self::RetryForwards,
        Self::Deliver,
        Self::RetryDeliveries,
        Self::ReceivePatientData,
        Self::ChangeKeys,
        Self::ChangeConfiguration,
        Self::Pseudonymise,
        Self::Reidentify,
        Self::Admit,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessStart => "process_start",
            Self::ProcessEnd => "process_end",
            Self::AuditRead => "audit_read",
            Self::SignIn => "sign_in",
            Self::SignOut => "sign_out",
            Self::AddAccount => "add_account",
            Self::ChangeAccount => "change_account",
            Self::ChangeRoles => "change_roles",
            Self::AddToken => "add_token",
            Self::RevokeToken => "revoke_token",
            Self::AddLink => "add_link",
            Self::AddInstitution => "add_institution",
            Self::Query => "query",
            Self::Retrieve => "retrieve",
            Self::View => "view",
            Self::Receive => "receive",
            Self::Import => "import",
            Self::ImportWorklist => "import_worklist",
            Self::Export => "export",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Send => "send",
            Self::Delete => "delete",
            Self::Predict => "predict",
            Self::MakeResults => "make_results",
            Self::CancelReading => "cancel_reading",
            Self::ResumeReading => "resume_reading",
            Self::ChangePriority => "change_priority",
            Self::Review => "review",
            Self::SignReport => "sign_report",
            Self::ChangeLabelUse => "change_label_use",
            Self::ChangeWorkItem => "change_work_item",
            Self::RetryForwards => "retry_forwards",
            Self::Deliver => "deliver",
            Self::RetryDeliveries => "retry_deliveries",
            Self::ReceivePatientData => "receive_patient_data",
            Self::ChangeKeys => "change_keys",
            Self::ChangeConfiguration => "change_configuration",
            Self::Pseudonymise => "pseudonymise",
            Self::Reidentify => "reidentify",
            Self::Admit => "admit",
        }
    }
}

/// No action or outcome has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {0} has this name")]
pub struct UnknownWord(&'static str);

impl UnknownWord {
    pub(super) const ACTOR: Self = Self("kind of actor");
}

impl FromStr for Action {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or(UnknownWord("action of the audit trail"))
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
pub enum Outcome {
    /// As asked.
    Done,
    /// Not allowed.
    Refused,
    /// Allowed, and it went wrong.
    Failed,
}

impl Outcome {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for Outcome {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Done, Self::Refused, Self::Failed]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or(UnknownWord("outcome"))
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditSubject)]
pub enum Subject {
    /// The study list, or a search of the archive.
    Studies,
    /// One study with its series.
    Study,
    /// Instances: images, metadata or both.
    Instances,
    /// The report of a study.
    Report,
    /// The modality worklist.
    Worklist,
}

/// A stable code that stands in our own source: `forbidden`, `unknown_peer`. It never comes from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, pattern = "^[a-z0-9_]*$")]
#[serde(try_from = "String", into = "String")]
pub struct Code(std::borrow::Cow<'static, str>);

impl From<&'static str> for Code {
    fn from(code: &'static str) -> Self {
        Self(code.into())
    }
}

impl TryFrom<String> for Code {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if text.bytes().all(plain) { Ok(Self(text.into())) } else { Err(UnknownWord("code")) }
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0.into_owned()
    }
}

/// The name of a key of the configuration: `http`, `https.certificate`. It never holds what is configured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct SettingName(String);

impl TryFrom<String> for SettingName {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'.';
        if text.bytes().all(plain) && (1..=64).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err(UnknownWord("key of the configuration"))
        }
    }
}

impl From<SettingName> for String {
    fn from(name: SettingName) -> Self {
        name.0
    }
}

/// An attribute that was used as a key, `GGGGEEEE`; never what it was to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyTag(u16, u16);

impl From<Tag> for KeyTag {
    fn from(Tag(group, element): Tag) -> Self {
        Self(group, element)
    }
}

impl KeyTag {
    /// Its element in Implicit VR Little Endian, without a value (PS3.5 7.1.3).
    pub(super) fn empty_element(self) -> [u8; 8] {
        let ([a, b], [c, d]) = (self.0.to_le_bytes(), self.1.to_le_bytes());
        [a, b, c, d, 0, 0, 0, 0]
    }
}

impl From<KeyTag> for String {
    fn from(KeyTag(group, element): KeyTag) -> Self {
        format!("{group:04X}{element:04X}")
    }
}

impl TryFrom<String> for KeyTag {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match u32::from_str_radix(&text, 16) {
            Ok(tag) if text.len() == 8 => Ok(Self((tag >> 16) as u16, tag as u16)),
            _ => Err(UnknownWord("attribute")),
        }
    }
}

/// What else there is to say, each where it applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AuditDetail)]
pub struct Detail {
    /// What was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// How instances came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The one series that it was about, of the one study.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub series: Option<SeriesUid>,
    /// Attributes that were searched by, in their order, without what they were to match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub keys: Vec<KeyTag>,
    /// A text was searched for in names, IDs, descriptions and UIDs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub text: bool,
    /// The application entity that it went to, or that tried to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub peer: Option<AeTitle>,
    /// The medical record that it went to or came from, by its name in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<DestinationName>,
    /// The account that was changed or signed in to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The token that was made, used or withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<i64>,
    /// The identity at an OpenID provider that was linked, used or unlinked, by its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<i64>,
    /// The role that was given or taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What was not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// Why, or what exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Instances, or orders of the worklist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
    /// Version of the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<u32>,
    /// Number of the finding in the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<u32>,
    /// The event stands for so many of its kind, all within a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Keys of the configuration that were changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<SettingName>,
    /// The key of the installation, by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// The pseudonym, by the number of its row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pseudonym: Option<i64>,
    /// Version of the software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software: Option<Version>,
}

/// A version of this software.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Version(String);

impl Version {
    /// The one that runs.
    pub fn running() -> Self {
        Self(env!("CARGO_PKG_VERSION").to_owned())
    }
}

/// An event of the audit trail: who did what, when, from where, to which studies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuditEvent {
    /// Milliseconds since 1970 UTC.
    pub(crate) at: i64,
    pub(crate) actor: Actor,
    pub(crate) address: Option<IpAddr>,
    pub(crate) request: Option<Uuid>,
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    pub(crate) institution: Option<InstitutionCode>,
    pub(crate) studies: Vec<StudyUid>,
    pub(crate) detail: Detail,
}

impl AuditEvent {
    /// Something that an actor did, now.
    pub fn new(actor: Actor, action: Action) -> Self {
        Self {
            at: crate::catalog::now(),
            actor,
            address: None,
            request: None,
            action,
            outcome: Outcome::Done,
            institution: None,
            studies: Vec::new(),
            detail: Detail::default(),
        }
    }

    /// Something that a caller did: its actor, address and request.
    pub fn by(scope: &Scope, action: Action) -> Self {
        let event = Self::new(scope.actor().clone(), action);
        Self { address: scope.address(), request: scope.request(), ..event }
    }

    /// From there, in that request.
    pub fn whence(mut self, whence: Whence) -> Self {
        self.address = whence.address;
        self.request = whence.request;
        self
    }

    /// From there.
    pub fn from_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// In this request.
    pub fn in_request(mut self, request: Uuid) -> Self {
        self.request = Some(request);
        self
    }

    /// It ended so.
    pub fn ended(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// With data of this institution.
    pub fn of(mut self, institution: InstitutionCode) -> Self {
        self.institution = Some(institution);
        self
    }

    /// With these studies.
    pub fn about(mut self, studies: impl IntoIterator<Item = StudyUid>) -> Self {
        self.studies = studies.into_iter().collect();
        self
    }

    /// With what else there is to say.
    pub fn with(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }
}
