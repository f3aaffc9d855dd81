//! The engine's door: everything that a command, the web server or the network node may ask.

use crate::access::Scope;
use crate::error::{AcceptError, EngineError};
use crate::import::{ImportControl, ImportSummary};
use crate::views::{Activity, Page, QuarantineEntry, ReadingState, StudyDetail, StudySearch, StudySummary, SystemView};
use bytes::Bytes;
use hilum_dicom::StudyUid;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How an engine is opened.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where everything is kept; created when absent.
    pub data_dir: PathBuf,
    /// A model folder that overrides the embedded model.
    pub model_dir: Option<PathBuf>,
    /// A series that came over the network is settled after this long without a new instance.
    pub quiet_after: Duration,
    /// Threads of a reading; 0 means every core.
    pub threads: usize,
    /// Started by `hilum demo`.
    pub demo: bool,
}

impl EngineConfig {
    /// The defaults, for a data folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            model_dir: None,
            quiet_after: Duration::from_secs(5),
            threads: 0,
            demo: false,
        }
    }
}

/// Where data live. Clinical studies keep their identity; research studies are de-identified before they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// Studies as they are, seen only by their institution.
    Clinical,
    /// De-identified studies: refused until de-identification exists.
    Research,
}

impl Zone {
    /// The word used in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clinical => "clinical",
            Self::Research => "research",
        }
    }
}

impl FromStr for Zone {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "clinical" => Ok(Self::Clinical),
            "research" => Ok(Self::Research),
            _ => Err(EngineError::BadRequest { field: "zone", expected: "clinical or research" }),
        }
    }
}

/// How an instance came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `hilum import`: its series are quiet as soon as the import ends.
    Import,
    /// C-STORE.
    Dimse,
    /// STOW-RS.
    Stow,
}

impl Source {
    /// The word used in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Dimse => "dimse",
            Self::Stow => "stow",
        }
    }
}

/// What became of an instance. Each of these is durable when it is returned, and each is a success for the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// New, kept as received.
    Kept,
    /// The same data set (transfer syntax aside) was there before: one copy stays.
    AlreadyThere,
    /// Another object has this SOP Instance UID: kept aside and shown, nothing overwritten.
    Quarantined {
        /// What differs, without patient identity.
        reason: String,
    },
}

/// The language of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
}

/// One file of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportPart {
    /// The report as data: `hilum_clinical`'s `UrinaryStoneReport`.
    Json,
    /// One page.
    Pdf(Language),
    /// Per slice: file name, score, Normal/Abnormal.
    Xlsx,
    /// Key image `n` as PNG, 0 is the first.
    KeyImage(usize),
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Opens (or creates) the data folder, brings the catalogue up to date and clears what a crash left behind.
    pub async fn open(config: EngineConfig) -> Result<Self, EngineError> {
        todo!()
    }

    /// Takes one instance: a whole Part 10 file, or file meta and data set without preamble. Success means durable.
    pub async fn accept_instance(
        &self,
        scope: &Scope,
        zone: Zone,
        bytes: Bytes,
        source: Source,
    ) -> Result<Accepted, AcceptError> {
        todo!()
    }

    /// Imports files, folders (recursively), zips and DICOMDIR.
    pub async fn import(
        &self,
        scope: &Scope,
        paths: &[PathBuf],
        zone: Zone,
        control: &ImportControl,
    ) -> Result<ImportSummary, EngineError> {
        todo!()
    }

    /// Settles and reads what is due, again and again, until `shutdown` resolves.
    pub async fn run_jobs(&self, shutdown: impl Future<Output = ()> + Send) -> Result<(), EngineError> {
        todo!()
    }

    /// Settles and reads everything that is due now (a series still within its quiet time counts as due), then returns.
    pub async fn run_until_idle(&self) -> Result<(), EngineError> {
        todo!()
    }

    /// A page of studies, newest first.
    pub async fn studies(&self, scope: &Scope, search: &StudySearch) -> Result<Page<StudySummary>, EngineError> {
        todo!()
    }

    /// One study with its series.
    pub async fn study(&self, scope: &Scope, study: &StudyUid) -> Result<StudyDetail, EngineError> {
        todo!()
    }

    /// One file of the study's current report.
    pub async fn report(&self, scope: &Scope, study: &StudyUid, part: ReportPart) -> Result<Bytes, EngineError> {
        todo!()
    }

    /// Stops a reading that waits or runs.
    pub async fn cancel_reading(&self, scope: &Scope, study: &StudyUid) -> Result<ReadingState, EngineError> {
        todo!()
    }

    /// Lets a cancelled or failed reading start again.
    pub async fn resume_reading(&self, scope: &Scope, study: &StudyUid) -> Result<ReadingState, EngineError> {
        todo!()
    }

    /// Imports and readings under way.
    pub async fn activity(&self, scope: &Scope) -> Result<Activity, EngineError> {
        todo!()
    }

    /// What was kept aside, newest first.
    pub async fn quarantine(&self, scope: &Scope) -> Result<Vec<QuarantineEntry>, EngineError> {
        todo!()
    }

    /// Version, model and zone.
    pub fn system(&self) -> SystemView {
        todo!()
    }
}
