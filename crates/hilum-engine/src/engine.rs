//! The engine's door: everything that a command, the web server or the network node may ask.

use crate::access::{InstitutionCode, Permission, Scope};
use crate::accounts::{AccountRules, Known};
use crate::audit::syslog::{Syslog, SyslogSettings};
use crate::audit::{Action, AuditEvent, Detail, Gatherer, Subject, Witness};
use crate::catalog::{AuditWriter, Catalog, CataloguePlace, summary};
use crate::control::WorkControl;
use crate::deliveries::DeliveryRule;
use crate::error::EngineError;
use crate::find::Pages;
use crate::import::{self, ImportSummary};
use crate::keys::KeyPlace;
use crate::live::Live;
use crate::promise::Promises;
use crate::recorder::Recorder;
use crate::results::ResultRules;
use crate::routing::{Route, Rules};
use crate::storage::{Storage, StoragePlace};
use crate::ups::UpsRules;
use crate::views::{
    Activity, ImportState, ImportView, Page, QuarantineEntry, ReadingState, ReadingStatus, StudyDetail, StudySearch,
    StudySummary, SystemView,
};
use crate::{guidelines, jobs, models};
use hilum_clinical::guideline::Rules as GuidelineRules;
use hilum_dicom::{AeTitle, InstanceFacts, StudyUid};
use hilum_infer::Model;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use utoipa::ToSchema;

/// How an engine is opened.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where everything is kept; created when absent.
    pub data_dir: PathBuf,
    /// Where the catalogue is kept.
    pub catalogue: CataloguePlace,
    /// Where objects are kept.
    pub storage: StoragePlace,
    /// A model folder that overrides the shipped model.
    pub model_dir: Option<PathBuf>,
    /// Read with the shipped model where no folder is given; without it nothing is read.
    pub shipped_model: bool,
    /// A folder of rule files that are weighed instead of those of the program.
    pub guidelines: Option<PathBuf>,
    /// A series that came over the network is settled after this long without a new instance.
    pub quiet_after: Duration,
    /// Started by `hilum demo`.
    pub demo: bool,
    /// Whose data instances are, and where they go on to.
    pub rules: Rules,
    /// Which objects reports are made into, when, and where those go.
    pub results: ResultRules,
    /// Medical records that reports go to.
    pub deliveries: Vec<DeliveryRule>,
    /// How work items are kept and performed.
    pub ups: UpsRules,
    /// How accounts sign in, and how long sessions and links are valid.
    pub accounts: AccountRules,
    /// Where the keys of what is encrypted come from.
    pub keys: KeyPlace,
    /// Where the audit trail goes besides.
    pub syslog: Option<SyslogSettings>,
    /// Studies of one institution that are read at once, by all processes together; none: as many as there are processes.
    pub jobs_per_institution: Option<u32>,
}

impl EngineConfig {
    /// The defaults, for a data folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            keys: KeyPlace::in_folder(&data_dir),
            data_dir,
            catalogue: CataloguePlace::default(),
            storage: StoragePlace::default(),
            model_dir: None,
            shipped_model: true,
            guidelines: None,
            quiet_after: Duration::from_secs(5),
            demo: false,
            rules: Rules::default(),
            results: ResultRules::default(),
            deliveries: Vec::new(),
            ups: UpsRules::default(),
            accounts: AccountRules::default(),
            syslog: None,
            jobs_per_institution: None,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `hilum import`: its series are quiet as soon as the import ends.
    Import,
    /// C-STORE.
    Dimse,
    /// STOW-RS.
    Stow,
    /// Made here of a report.
    Result,
}

impl Source {
    /// The word used in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Dimse => "dimse",
            Self::Stow => "stow",
            Self::Result => "result",
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

/// The application. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: EngineConfig,
    storage: Arc<Storage>,
    catalog: Catalog,
    recorder: Recorder,
    model: Option<Arc<Model>>,
    guidelines: Arc<GuidelineRules>,
    reading_turn: Semaphore,
    turns: jobs::Turns,
    stopping: AtomicBool,
    imports: Mutex<Vec<RunningImport>>,
    pages: Pages,
    promises: Promises,
    known: Known,
    gatherer: Arc<Gatherer>,
    witness: Witness,
    live: Live,
    work_told: watch::Sender<u64>,
}

#[derive(Debug)]
struct RunningImport {
    id: u64,
    institution: InstitutionCode,
    kind: &'static str,
    control: WorkControl,
    state: ImportState,
}

/// Imports that ended and are still shown.
const SHOWN_IMPORTS: usize = 20;

impl Engine {
    /// Opens (or creates) the data folder, brings the catalogue up to date and clears what a crash left behind.
    pub async fn open(config: EngineConfig) -> Result<Self, EngineError> {
        let guidelines = Arc::new(guidelines::open(config.guidelines.as_deref())?);
        let (folder, place) = (config.data_dir.clone(), config.storage.clone());
        let opened = tokio::task::spawn_blocking(move || Storage::open(&folder, &place)).await;
        let opened =
            opened.map_err(|error| EngineError::Internal(format!("opening the store ended early: {error}")))?;
        let storage = Arc::new(opened?);
        let syslog = config.syslog.clone().map(Syslog::start).transpose()?;
        let witness = Witness::start(&config.data_dir, syslog);
        let writer = AuditWriter::new(storage.process(), Some(witness.told()));
        let catalog = Catalog::open(&config.catalogue, &config.data_dir, writer).await?;
        let scope = catalog.system_scope().await?;
        catalog.home(&scope).await?;
        let model = models::find(&config)?.map(Arc::new);
        if model.is_some() {
            catalog.requeue_without_model(&scope).await?;
        }
        let recorder = Recorder::start(catalog.clone());
        let gatherer = Gatherer::start(catalog.clone());
        let engine = Self {
            inner: Arc::new(Inner {
                config,
                storage,
                catalog,
                recorder,
                model,
                guidelines,
                reading_turn: Semaphore::new(1),
                turns: jobs::Turns::default(),
                stopping: AtomicBool::new(false),
                imports: Mutex::default(),
                pages: Pages::default(),
                promises: Promises::default(),
                known: Known::default(),
                gatherer,
                witness,
                live: Live::default(),
                work_told: watch::Sender::new(0),
            }),
        };
        engine.expect_noted_event().await?;
        engine.recover().await?;
        engine.remove_objects().await?;
        engine.name_missing_keys().await;
        Ok(engine)
    }

    /// Imports files, folders (recursively), zips and DICOMDIR. When it returns, its series are due to be settled at once.
    pub async fn import(
        &self,
        scope: &Scope,
        paths: &[PathBuf],
        zone: Zone,
        control: &WorkControl,
    ) -> Result<ImportSummary, EngineError> {
        let id = self.note_import(scope, paths, control);
        let outcome = import::run(self, scope, paths, zone, control).await;
        self.end_import(id, &outcome);
        outcome
    }

    /// Settles and reads what is due, again and again, until `shutdown` resolves.
    pub async fn run_jobs(&self, shutdown: impl Future<Output = ()> + Send) -> Result<(), EngineError> {
        jobs::run(self, shutdown).await
    }

    /// Settles and reads everything that is due now (a series still within its quiet time counts as due), then returns.
    pub async fn run_until_idle(&self) -> Result<(), EngineError> {
        jobs::run_until_idle(self).await
    }

    /// The catalogue answers.
    pub async fn answers(&self) -> Result<(), EngineError> {
        self.catalog().system_scope().await?;
        Ok(())
    }

    /// A page of studies, the last received first.
    pub async fn studies(&self, scope: &Scope, search: &StudySearch) -> Result<Page<StudySummary>, EngineError> {
        self.caught_up().await;
        if search.after.is_none() {
            let text = search.text.as_deref().is_some_and(|text| !text.trim().is_empty());
            self.note_query(scope, Detail { subject: Some(Subject::Studies), text, ..Detail::default() }).await?;
        }
        self.catalog().studies(scope, search).await
    }

    /// One study with its series.
    pub async fn study(&self, scope: &Scope, study: &StudyUid) -> Result<StudyDetail, EngineError> {
        self.caught_up().await;
        let catalog = self.catalog();
        let row = catalog.study_row(scope, study).await?.ok_or(EngineError::NotFound { what: "study" })?;
        let report = catalog.current_report(scope, study).await?;
        let chosen = report.as_ref().and_then(|report| report.series_row);
        let why = report.map(|report| report.series_why).unwrap_or_default();
        let series = catalog.series_of(scope, row.id, chosen, &why).await?;
        let conflicts = catalog.conflicts(scope, row.id).await?;
        self.note_view(scope, Subject::Study, study, None).await?;
        Ok(StudyDetail { summary: summary(row)?, series, conflicts })
    }

    /// Stops a reading that waits or runs.
    pub async fn cancel_reading(&self, scope: &Scope, study: &StudyUid) -> Result<ReadingState, EngineError> {
        let event = AuditEvent::by(scope, Action::CancelReading).of(scope.home().clone()).about([study.clone()]);
        let cancelled = self.catalog().cancel_reading(scope, study).await;
        self.judged(event, Permission::Predict, cancelled).await?;
        self.reading_state(scope, study).await
    }

    /// Lets a cancelled or failed reading start again.
    pub async fn resume_reading(&self, scope: &Scope, study: &StudyUid) -> Result<ReadingState, EngineError> {
        let event = AuditEvent::by(scope, Action::ResumeReading).of(scope.home().clone()).about([study.clone()]);
        let resumed = self.catalog().resume_reading(scope, study).await;
        self.judged(event, Permission::Predict, resumed).await?;
        self.reading_state(scope, study).await
    }

    /// Lets a study be read, also where it was read before: a reading that says the same makes no further version of the report.
    pub async fn ask_for_reading(&self, scope: &Scope, study: &StudyUid) -> Result<ReadingState, EngineError> {
        let event = AuditEvent::by(scope, Action::ResumeReading).of(scope.home().clone()).about([study.clone()]);
        let asked = self.catalog().ask_for_reading(scope, study).await;
        self.judged(event, Permission::Predict, asked).await?;
        self.reading_state(scope, study).await
    }

    /// Imports and readings under way.
    pub async fn activity(&self, scope: &Scope) -> Result<Activity, EngineError> {
        self.caught_up().await;
        let readings = self.catalog().open_readings(scope).await?;
        let waiting = readings.iter().filter(|reading| reading.state != ReadingStatus::Reading).count();
        Ok(Activity { imports: self.imports(scope), readings, queue_depth: waiting as u64 })
    }

    /// What was kept aside, newest first.
    pub async fn quarantine(&self, scope: &Scope) -> Result<Vec<QuarantineEntry>, EngineError> {
        self.caught_up().await;
        Ok(self.catalog().quarantined(scope).await?)
    }

    /// Version, model and zone.
    pub fn system(&self) -> SystemView {
        SystemView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            loopback_only: true,
            model: self.inner.model.as_deref().map(models::summary),
            zone: Zone::Clinical.as_str().to_owned(),
            demo: self.inner.config.demo,
        }
    }

    async fn reading_state(&self, scope: &Scope, study: &StudyUid) -> Result<ReadingState, EngineError> {
        let row = self.catalog().study_row(scope, study).await?.ok_or(EngineError::NotFound { what: "study" })?;
        Ok(summary(row)?.reading)
    }

    fn note_import(&self, scope: &Scope, paths: &[PathBuf], control: &WorkControl) -> u64 {
        let kind = match paths {
            [path] if path.is_dir() => "folder",
            [path] if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) => "zip",
            [path] if import::is_dicomdir(path) => "dicomdir",
            [_] => "file",
            _ => "mixed",
        };
        let mut imports = self.inner.imports.lock().unwrap_or_else(PoisonError::into_inner);
        let id = imports.last().map_or(1, |last| last.id + 1);
        let institution = scope.home().clone();
        imports.push(RunningImport { id, institution, kind, control: control.clone(), state: ImportState::Running });
        if imports.len() > SHOWN_IMPORTS
            && let Some(ended) = imports.iter().position(|import| import.state != ImportState::Running)
        {
            imports.remove(ended);
        }
        id
    }

    fn end_import(&self, id: u64, outcome: &Result<ImportSummary, EngineError>) {
        let state = match outcome {
            Ok(summary) if summary.cancelled => ImportState::Cancelled,
            Ok(_) => ImportState::Done,
            Err(_) => ImportState::Failed,
        };
        let mut imports = self.inner.imports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(import) = imports.iter_mut().find(|import| import.id == id) {
            import.state = state;
        }
    }

    fn imports(&self, scope: &Scope) -> Vec<ImportView> {
        let imports = self.inner.imports.lock().unwrap_or_else(PoisonError::into_inner);
        let view = |import: &RunningImport| ImportView {
            id: import.id,
            kind: import.kind.to_owned(),
            done: import.control.done(),
            total: import.control.total(),
            state: import.state,
        };
        let seen = |import: &&RunningImport| scope.may(Permission::View, &import.institution);
        imports.iter().filter(seen).map(view).collect()
    }
}

/// What the journey and the jobs need.
impl Engine {
    pub(crate) fn storage(&self) -> &Arc<Storage> {
        &self.inner.storage
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.inner.pages
    }

    pub(crate) fn known(&self) -> &Known {
        &self.inner.known
    }

    pub(crate) fn account_rules(&self) -> &AccountRules {
        &self.inner.config.accounts
    }

    pub(crate) fn keys(&self) -> &KeyPlace {
        &self.inner.config.keys
    }

    pub(crate) fn promises(&self) -> &Promises {
        &self.inner.promises
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.inner.recorder
    }

    pub(crate) fn gatherer(&self) -> &Gatherer {
        &self.inner.gatherer
    }

    pub(crate) fn witness(&self) -> &Witness {
        &self.inner.witness
    }

    pub(crate) fn live(&self) -> &Live {
        &self.inner.live
    }

    pub(crate) fn storage_place(&self) -> &StoragePlace {
        &self.inner.config.storage
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.inner.config.data_dir
    }

    /// The rules that are weighed for stones.
    pub fn guidelines(&self) -> &Arc<GuidelineRules> {
        &self.inner.guidelines
    }

    pub(crate) fn model(&self) -> Option<Arc<Model>> {
        self.inner.model.clone()
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.inner.config.rules
    }

    pub(crate) fn results(&self) -> &ResultRules {
        &self.inner.config.results
    }

    pub(crate) fn delivery_rules(&self) -> &[DeliveryRule] {
        &self.inner.config.deliveries
    }

    pub(crate) fn ups(&self) -> &UpsRules {
        &self.inner.config.ups
    }

    pub(crate) fn work_told_sender(&self) -> &watch::Sender<u64> {
        &self.inner.work_told
    }

    /// Whose data an instance is, and where it goes on to. What was made here goes where results go, whatever the rules say of what
    /// comes in.
    pub(crate) fn route(&self, source: Source, sender: Option<&AeTitle>, facts: &InstanceFacts) -> Route {
        if source == Source::Result {
            return Route { institution: None, forward: self.results().to.clone() };
        }
        self.rules().route(sender, facts)
    }

    pub(crate) fn quiet_after(&self) -> Duration {
        self.inner.config.quiet_after
    }

    pub(crate) fn turns(&self) -> &jobs::Turns {
        &self.inner.turns
    }

    pub(crate) fn readings_at_once(&self) -> Option<u32> {
        self.inner.config.jobs_per_institution
    }

    pub(crate) async fn reading_turn(&self) -> Result<SemaphorePermit<'_>, EngineError> {
        let turn = self.inner.reading_turn.acquire().await;
        turn.map_err(|_| EngineError::Internal("the engine is closed".to_owned()))
    }

    pub(crate) fn stop_readings(&self) {
        self.inner.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Acquire)
    }
}
