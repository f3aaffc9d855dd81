//! Deliveries of reports to medical records, as a worker that sends and a person who looks see them. The engine keeps what is due; in which
//! language it is told and who sends it is the caller's.

use crate::access::{InstitutionCode, Permission, Scope};
use crate::archive::aside;
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reading::files::{JSON_FILE, PDF_EN_FILE, PDF_KO_FILE};
use crate::report::{Language, UrinaryStoneReport};
use crate::results::ResultsWhen;
use crate::storage::ObjectKey;
use crate::views::Page;
use bytes::Bytes;
use hilum_dicom::StudyUid;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::ToSchema;

/// What a destination is called by in the configuration: 1 to 32 of `a-z`, `0-9`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, pattern = "^[a-z0-9_-]{1,32}$")]
#[serde(try_from = "String", into = "String")]
pub struct DestinationName(String);

/// A text that names no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a destination or a sender is 1 to 32 of a-z, 0-9, '-' and '_'")]
pub struct InvalidDestinationName;

impl DestinationName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DestinationName {
    type Err = InvalidDestinationName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let named = (1..=32).contains(&text.len()) && text.bytes().all(plain);
        if named { Ok(Self(text.to_owned())) } else { Err(InvalidDestinationName) }
    }
}

impl TryFrom<String> for DestinationName {
    type Error = InvalidDestinationName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DestinationName> for String {
    fn from(name: DestinationName) -> Self {
        name.0
    }
}

impl std::fmt::Display for DestinationName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose reports go to a destination, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRule {
    /// The destination.
    pub name: DestinationName,
    /// Whose reports.
    pub institution: InstitutionCode,
    /// As soon as they are recorded, and again when they are signed; or signed ones alone.
    pub when: ResultsWhen,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Due, or due again at its next try.
    Waiting,
    /// The receiver has taken it.
    Delivered,
    /// A later version of the report took its place before it went.
    Superseded,
}

impl DeliveryState {
    /// The word used in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Superseded => "superseded",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::Superseded].into_iter().find(|state| state.as_str() == word)
    }
}

/// Whom a report is about, as its study says it. It has no `Debug`: identity is not logged.
#[derive(Clone)]
pub struct DeliveredPatient {
    /// Issuer of Patient ID; empty where the study names none.
    pub issuer: String,
    /// Alphabetic group of the name, with `^` between its components.
    pub alphabetic: String,
    /// Ideographic group.
    pub ideographic: Option<String>,
    /// Phonetic group.
    pub phonetic: Option<String>,
}

/// A version of a report that is to go out now.
#[derive(Clone)]
pub struct DueDelivery {
    /// Row id.
    pub row: i64,
    /// Where to.
    pub destination: DestinationName,
    /// What the receiver knows a repetition by: 20 characters, the same at every try.
    pub control_id: String,
    /// Whose report.
    pub institution: InstitutionCode,
    /// Its study.
    pub study: StudyUid,
    /// Its version.
    pub version: u32,
    /// Tries that ended.
    pub tries: u32,
    /// Whom it is about.
    pub patient: DeliveredPatient,
    pub(crate) folder: ObjectKey,
}

/// What goes out.
pub struct DeliveryContent {
    /// The report.
    pub report: UrinaryStoneReport,
    /// Its page.
    pub pdf: Option<Bytes>,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver has taken it.
    Delivered,
    /// The receiver does not take it; without identity. Tried again, later and later.
    Refused {
        /// Why.
        reason: String,
    },
    /// The receiver was not reached, or did not answer; without identity.
    NotReached {
        /// Why.
        reason: String,
    },
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliverySearch {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// To this destination.
    pub destination: Option<DestinationName>,
    /// [`Page::next`] of the page before.
    pub after: Option<String>,
    /// Rows a page.
    pub limit: Option<u32>,
}

/// A delivery as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// Row id.
    pub id: i64,
    /// Study Instance UID.
    pub study_uid: String,
    /// Version of the report.
    pub version: u32,
    /// Where to.
    pub destination: String,
    /// What the receiver knows the message by (MSH-10).
    pub control_id: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries so far.
    pub tries: u32,
    /// RFC 3339; of no meaning once it does not wait.
    pub next_try_at: String,
    /// Why the last try failed.
    pub reason: Option<String>,
    /// RFC 3339.
    pub updated_at: String,
}

impl Engine {
    /// The destinations that a report goes to as soon as it is recorded, or when it is signed.
    pub(crate) fn deliveries_of(&self, signed: bool) -> Vec<DeliveryRule> {
        let rules = self.delivery_rules().iter();
        rules.filter(|rule| signed || rule.when == ResultsWhen::AtOnce).cloned().collect()
    }

    /// The destinations for which something is due, in every institution: for this machine's own worker.
    pub async fn destinations_with_due_deliveries(&self) -> Result<Vec<DestinationName>, EngineError> {
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().destinations_with_due_deliveries(&scope).await?)
    }

    /// What is due for a destination, the oldest first: for this machine's own worker. A worker that dies before
    /// [`Engine::end_delivery`] sends the same again, under the same control ID.
    pub async fn due_deliveries(
        &self,
        destination: &DestinationName,
        limit: u32,
    ) -> Result<Vec<DueDelivery>, EngineError> {
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().due_deliveries(&scope, destination, limit).await?)
    }

    /// What goes out, with the page in a language where it goes along; `None` where nothing goes any more: a later version took its place,
    /// or it was deleted. Files that are kept no more, or cannot be read, are an error other than [`EngineError::Catalog`].
    pub async fn delivery_content(
        &self,
        due: &DueDelivery,
        page: Option<Language>,
    ) -> Result<Option<DeliveryContent>, EngineError> {
        let (storage, folder) = (self.storage().clone(), due.folder.clone());
        let name = page.map(|language| match language {
            Language::Ko => PDF_KO_FILE,
            Language::En => PDF_EN_FILE,
        });
        let read = aside("reading a report", move || {
            let pdf = name.map(|name| storage.read_file_of(&folder, name)).transpose()?.flatten();
            Ok((storage.read_file_of(&folder, JSON_FILE)?, pdf))
        });
        let read = read.await;
        // After the files were read: what is deleted meanwhile takes them along.
        let scope = self.catalog().system_scope().await?;
        if !self.catalog().delivery_waits(&scope, due.row).await? {
            return Ok(None);
        }
        let (json, pdf) = read?;
        let json = json.ok_or(EngineError::NotFound { what: "file of a report" })?;
        if page.is_some() && pdf.is_none() {
            return Err(EngineError::NotFound { what: "page of a report" });
        }
        let report = serde_json::from_slice(&json)
            // What the parser says would quote the document.
            .map_err(|_| EngineError::Internal("a report that is kept cannot be read".to_owned()))?;
        Ok(Some(DeliveryContent { report, pdf }))
    }

    /// Notes in the audit trail that a report is about to be handed to a destination.
    pub async fn audit_delivery(&self, due: &DueDelivery) -> Result<(), EngineError> {
        let scope = self.catalog().system_scope().await?;
        let detail = Detail {
            subject: Some(Subject::Report),
            destination: Some(due.destination.clone()),
            report: Some(due.version),
            ..Detail::default()
        };
        let event = AuditEvent::by(&scope, Action::Deliver).of(due.institution.clone()).about([due.study.clone()]);
        self.audit(event.with(detail)).await
    }

    /// Writes how a try ended.
    pub async fn end_delivery(&self, row: i64, outcome: &DeliveryOutcome) -> Result<(), EngineError> {
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().end_delivery(&scope, row, outcome).await?)
    }

    /// A page of deliveries, the latest first.
    pub async fn deliveries(&self, scope: &Scope, search: &DeliverySearch) -> Result<Page<DeliveryView>, EngineError> {
        self.catalog().deliveries(scope, search).await
    }

    /// Makes everything that waits due now; how many that were.
    pub async fn retry_deliveries(
        &self,
        scope: &Scope,
        destination: Option<&DestinationName>,
    ) -> Result<u64, EngineError> {
        let detail = Detail { destination: destination.cloned(), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::RetryDeliveries).of(scope.home().clone()).with(detail);
        self.judged(event.clone(), Permission::Operate, scope.require(Permission::Operate)).await?;
        let retried = self.catalog().retry_deliveries(scope, destination).await?;
        self.audit(event).await?;
        Ok(retried)
    }
}
