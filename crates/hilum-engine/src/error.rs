//! The engine's errors. Outside text names what was expected; nothing in it identifies a patient.

use crate::catalog::CatalogError;
use crate::import::ImportError;
use crate::storage::StorageError;

/// The kind of a failure: the ONE thing that the HTTP and DIMSE status tables look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The object is not DICOM, or lacks what identifies it.
    NotDicom,
    /// The object is DICOM, but damaged (e.g. pixel data end too early).
    Damaged,
    /// A value of the call cannot be read.
    BadRequest,
    /// Asked for something this build refuses, e.g. the research zone.
    Refused,
    /// The caller's role does not allow it.
    Forbidden,
    /// No such study, report or image in the caller's scope.
    NotFound,
    /// It exists, but not in a state that allows this.
    Conflict,
    /// The disk is full or a quota is reached.
    OutOfSpace,
    /// Busy; the same call may work later.
    Busy,
    /// A fault of the machine or of this software.
    Internal,
}

/// Why an instance was not accepted. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The bytes are no DICOM object.
    #[error("not a DICOM object: {0}")]
    NotDicom(String),
    /// The bytes are a DICOM object that is cut short or contradicts itself.
    #[error("damaged DICOM object ({code}): {text}")]
    Damaged {
        /// Stable, `snake_case`, e.g. `pixel_data_truncated`.
        code: &'static str,
        /// What was expected and what is there.
        text: String,
    },
    /// The research zone takes de-identified objects only.
    #[error(
        "the research zone needs de-identification, which this version does not have yet; \
         keep the data in the clinical zone (--zone clinical)"
    )]
    ResearchZoneNeedsDeidentification,
    /// The sender announced another SOP class or instance than the data set is.
    #[error("the data set is of another SOP class or instance than its sender said")]
    NotAsAnnounced,
    /// The caller may not send data.
    #[error("this role may look, but not send data")]
    Forbidden,
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// So many instances wait for their rows that no more are taken.
    #[error("the catalogue does not keep up with what is received; send again later")]
    CatalogueBehind,
    /// The engine is shutting down.
    #[error("the engine is shutting down; send again later")]
    ShuttingDown,
    /// Work inside the engine ended in a panic.
    #[error("work inside the engine was aborted; send again, and report it if it happens again")]
    Aborted,
}

impl AcceptError {
    #[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
    pub(crate) fn aborted(error: tokio::task::JoinError) -> Self {
        tracing::error!(panic = error.is_panic(), "a blocking task ended early");
        Self::Aborted
    }

    /// For the status tables.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotDicom(_) => ErrorKind::NotDicom,
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::ResearchZoneNeedsDeidentification => ErrorKind::Refused,
            Self::NotAsAnnounced => ErrorKind::BadRequest,
            Self::Forbidden => ErrorKind::Forbidden,
            Self::Storage(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::CatalogueBehind | Self::ShuttingDown => ErrorKind::Busy,
            Self::Aborted => ErrorKind::Internal,
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotDicom(_) => "not_dicom",
            Self::Damaged { code, .. } => code,
            Self::ResearchZoneNeedsDeidentification => "research_zone_needs_deidentification",
            Self::NotAsAnnounced => "not_as_announced",
            Self::Forbidden => "forbidden",
            Self::Storage(error) => error.code(),
            Self::Catalog(error) => error.code(),
            Self::CatalogueBehind => "catalogue_behind",
            Self::ShuttingDown => "shutting_down",
            Self::Aborted => "aborted",
        }
    }
}

/// Why the engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing of that name in the caller's scope.
    #[error("no such {what}")]
    NotFound {
        /// `study`, `report`, `key image` ...
        what: &'static str,
    },
    /// The state does not allow it.
    #[error("{0}")]
    Conflict(&'static str),
    /// Somebody else changed a review since it was looked at.
    #[error(
        "the review was changed meanwhile, and nothing of this was kept: load it again, look, and then judge or sign"
    )]
    ReviewChanged,
    /// The caller's role does not allow it.
    #[error("this role may look, but not change anything")]
    Forbidden,
    /// A cursor, a UID or another value that cannot be read.
    #[error("{field} cannot be read: {expected}")]
    BadRequest {
        /// Which value.
        field: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A query key that cannot be matched; names the attribute, never its value.
    #[error("{0}")]
    BadQuery(String),
    /// A work item cannot be created or changed so; names the attribute, never its value.
    #[error(transparent)]
    Step(#[from] hilum_dicom::ups::StepError),
    /// A kept object cannot be walked.
    #[error(transparent)]
    Outline(hilum_dicom::OutlineError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A key is missing, or something encrypted cannot be read.
    #[error(transparent)]
    Key(#[from] crate::keys::KeyError),
    /// An import failed as a whole.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The model folder cannot be used.
    #[error(transparent)]
    Model(#[from] crate::models::InstallError),
    /// The rules of the site cannot be used.
    #[error(transparent)]
    Guidelines(#[from] crate::guidelines::GuidelinesError),
    /// So many events of the audit trail wait to be written that nothing more is done.
    #[error("the audit trail cannot be written fast enough; try again later")]
    AuditBehind,
    /// The syslog server of the audit trail cannot be called.
    #[error(transparent)]
    Syslog(#[from] crate::audit::syslog::BadSyslogFile),
    /// The job queue failed.
    #[error("job queue: {0}")]
    Queue(String),
    /// A job ended in a panic or was aborted.
    #[error("{0}")]
    Internal(String),
}

impl From<hilum_dicom::OutlineError> for EngineError {
    fn from(error: hilum_dicom::OutlineError) -> Self {
        match error {
            // That its store failed says nothing of the object.
            hilum_dicom::OutlineError::Read(error) => match error.downcast() {
                Ok(error) => Self::Storage(error),
                Err(error) => Self::Outline(hilum_dicom::OutlineError::Read(error)),
            },
            error => Self::Outline(error),
        }
    }
}

impl EngineError {
    /// For the status tables.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Step(error) if error.is_of_the_request() => ErrorKind::BadRequest,
            Self::Conflict(_) | Self::ReviewChanged | Self::Step(_) => ErrorKind::Conflict,
            Self::Forbidden => ErrorKind::Forbidden,
            Self::BadRequest { .. } | Self::BadQuery(_) => ErrorKind::BadRequest,
            Self::Outline(_) => ErrorKind::Damaged,
            Self::Storage(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::Import(error) => error.kind(),
            Self::Key(error) if error.is_conflict() => ErrorKind::Conflict,
            Self::AuditBehind => ErrorKind::Busy,
            Self::Key(_)
            | Self::Model(_)
            | Self::Guidelines(_)
            | Self::Syslog(_)
            | Self::Queue(_)
            | Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::BadQuery(_) => "bad_query",
            Self::Conflict(_) => "conflict",
            Self::ReviewChanged => "review_changed",
            Self::Forbidden => "forbidden",
            Self::BadRequest { .. } => "bad_request",
            Self::Step(error) => error.code(),
            Self::Outline(_) => "object_unreadable",
            Self::Storage(error) => error.code(),
            Self::Catalog(error) => error.code(),
            Self::Import(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Model(_) => "model_unusable",
            Self::Guidelines(_) => "guidelines_unusable",
            Self::AuditBehind => "audit_behind",
            Self::Syslog(_) => "syslog_unusable",
            Self::Queue(_) => "queue_failed",
            Self::Internal(_) => "internal",
        }
    }
}
