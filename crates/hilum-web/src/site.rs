//! What the program around the server knows and can do: its DICOM node with the peers, the machine it runs on, sample patients. The web
//! server asks it by this trait, for it knows neither DIMSE nor the configuration.

use std::fmt::Debug;

use futures::future::BoxFuture;
use hilum_engine::Scope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The program around the server.
pub trait Site: Debug + Send + Sync + 'static {
    /// Where the node listens, whom it knows, and what its rules are. Peers of the caller's institutions alone.
    fn node(&self, scope: &Scope) -> NodeView;

    /// What is weak in settings and surroundings.
    fn examine(&self) -> BoxFuture<'_, Vec<HealthFinding>>;

    /// Asks a peer whether it is there (C-ECHO).
    fn echo<'a>(&'a self, scope: &'a Scope, peer: &'a str) -> BoxFuture<'a, Result<EchoView, SiteFault>>;

    /// Asks a peer for studies (C-FIND).
    fn search<'a>(
        &'a self,
        scope: &'a Scope,
        peer: &'a str,
        search: &'a PeerSearch,
    ) -> BoxFuture<'a, Result<PeerMatches, SiteFault>>;

    /// Begins to fetch studies from a peer (C-GET or C-MOVE).
    fn retrieve<'a>(&'a self, scope: &'a Scope, new: &'a NewRetrieval) -> BoxFuture<'a, Result<Retrieval, SiteFault>>;

    /// The caller's institutions' retrievals of this process, the last first.
    fn retrievals(&self, scope: &Scope) -> Vec<Retrieval>;

    /// Stops one after the instance in hand; what came stays.
    fn cancel_retrieval(&self, scope: &Scope, id: u64) -> Result<Retrieval, SiteFault>;

    /// Where the making of sample patients for the caller's institution stands.
    fn samples(&self, scope: &Scope) -> SamplesView;

    /// Makes sample patients, and takes them in for the caller's institution.
    fn make_samples(&self, scope: &Scope) -> SamplesView;

    /// Stops that after the patient in hand.
    fn cancel_samples(&self, scope: &Scope) -> SamplesView;
}

/// Why the program could not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteFault {
    /// There is no such peer or retrieval that the caller may know of.
    Unknown(&'static str),
    /// Known, and not allowed.
    Forbidden,
    /// The peer cannot be asked, or said no: what to do about it, without anything of a patient.
    Peer(String),
    /// So many are under way that no more are begun.
    Busy(&'static str),
    /// What was asked cannot be a question.
    Question(String),
}

/// `GET /api/v1/node`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// Our AE title.
    pub ae_title: String,
    /// Where the DICOM node listens.
    pub dimse: String,
    /// Where the web server listens.
    pub http: String,
    /// The web server speaks HTTPS.
    pub https: bool,
    /// The DICOM node speaks TLS, too.
    pub tls: bool,
    /// Anybody on this machine may call, as no peer is configured or the configuration says so.
    pub anybody_may_call: bool,
    /// A configuration file was named at the start.
    pub configured: bool,
    /// Peers of the caller's institutions.
    pub peers: Vec<PeerView>,
    /// Where instances go, in their order.
    pub rules: Vec<RuleView>,
    /// What is fetched by itself.
    pub pulls: Vec<PullView>,
    /// What reports are made into, and where that goes.
    pub results: ResultsView,
}

/// A configured DICOM application entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerView {
    /// Its AE title.
    pub ae_title: String,
    /// Its machine.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Called and calling by TLS.
    pub tls: bool,
    /// Whose data it sends and sees.
    pub institution: String,
    /// `get` or `move`.
    pub retrieve_by: String,
    /// What it may ask of us: `store`, `find`, `retrieve`, `commitment`.
    pub allowed: Vec<String>,
}

/// A rule of what comes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleView {
    /// Calling AE titles, with wild cards.
    pub source: Option<String>,
    /// Of these modalities.
    pub modality: Vec<String>,
    /// With this in the Study Description, with wild cards.
    pub description: Option<String>,
    /// Whose data it becomes.
    pub institution: Option<String>,
    /// Peers that it goes on to.
    pub forward: Vec<String>,
}

/// A schedule by which studies are fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PullView {
    /// From whom.
    pub peer: String,
    /// Minutes between two turns.
    pub every_minutes: u64,
    /// Modalities in Study.
    pub modality: Option<String>,
    /// Study Description, with wild cards.
    pub description: Option<String>,
    /// Those of the patients on our worklist, and nobody else's.
    pub worklist_only: bool,
    /// How old studies may be, days.
    pub days_back: Option<u16>,
    /// Studies of one turn.
    pub most_studies: u64,
}

/// What reports are made into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResultsView {
    /// `sr`, `seg`, `pdf`, `sc`; none where nothing is made.
    pub objects: Vec<String>,
    /// `at_once` or `signed`.
    pub when: String,
    /// Peers that they go to.
    pub to: Vec<String>,
}

/// One thing that is weak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthFinding {
    /// Stable, for programs.
    pub code: String,
    /// `serious`, `warning` or `note`.
    pub severity: String,
    /// What is so.
    pub text: String,
    /// What to do.
    pub advice: String,
}

/// A peer answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EchoView {
    /// From the call to the answer.
    pub milliseconds: f64,
}

/// `POST /api/v1/peers/{ae_title}/search`: names never stand in an address. Wild cards are `*` and `?`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PeerSearch {
    /// Patient ID.
    #[serde(default)]
    #[schema(max_length = 64, pattern = r"^[^\x00-\x1F\\\x7F-\x9F]*$")]
    pub patient_id: Option<String>,
    /// Patient's Name.
    #[serde(default)]
    #[schema(max_length = 64, pattern = r"^[^\x00-\x1F\\\x7F-\x9F]*$")]
    pub name: Option<String>,
    /// Study Date from this day on, `YYYY-MM-DD`.
    #[serde(default)]
    #[schema(pattern = "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
    pub from: Option<String>,
    /// Study Date up to this day, `YYYY-MM-DD`.
    #[serde(default)]
    #[schema(pattern = "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
    pub to: Option<String>,
    /// Modalities in Study.
    #[serde(default)]
    #[schema(max_length = 16, pattern = r"^[^\x00-\x1F\\\x7F-\x9F]*$")]
    pub modality: Option<String>,
    /// Study Description.
    #[serde(default)]
    #[schema(max_length = 64, pattern = r"^[^\x00-\x1F\\\x7F-\x9F]*$")]
    pub description: Option<String>,
    /// Accession Number.
    #[serde(default)]
    #[schema(max_length = 16, pattern = r"^[^\x00-\x1F\\\x7F-\x9F]*$")]
    pub accession: Option<String>,
}

/// What a peer has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerMatches {
    /// Studies.
    pub studies: Vec<PeerStudy>,
    /// There are more: narrow the question.
    pub more: bool,
}

/// A study that a peer has, as it says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerStudy {
    /// Study Instance UID.
    pub study_uid: String,
    /// Patient's Name, its groups separated by `=`.
    pub name: String,
    /// Patient ID.
    pub patient_id: String,
    /// Birth date, `YYYYMMDD`.
    pub birth_date: String,
    /// Sex.
    pub sex: String,
    /// Study Date, `YYYYMMDD`.
    pub study_date: String,
    /// Study Description.
    pub description: String,
    /// Modalities in Study.
    pub modalities: Vec<String>,
    /// Accession Number.
    pub accession: String,
    /// Instances that the peer says the study has.
    pub instances: Option<u64>,
    /// The study is in this archive, too.
    pub here: bool,
}

/// `POST /api/v1/retrievals`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRetrieval {
    /// AE title of the peer.
    #[schema(min_length = 1, max_length = 16)]
    pub peer: String,
    /// Study Instance UIDs.
    #[schema(min_items = 1, max_items = 100)]
    pub studies: Vec<StudyName>,
}

/// A Study Instance UID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, pattern = r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*$", max_length = 64, min_length = 1)]
#[serde(transparent)]
pub struct StudyName(pub String);

/// Where fetching stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Retrieval {
    /// Unique in this process.
    pub id: u64,
    /// AE title of the peer.
    pub peer: String,
    /// Where it stands.
    pub state: RetrievalState,
    /// Studies asked for.
    pub studies: u64,
    /// Studies that are done.
    pub studies_done: u64,
    /// Instances that came, and are kept.
    pub completed: u64,
    /// Instances that the peer could not send, or that could not be kept.
    pub failed: u64,
    /// Instances of the study in hand that are still to come, where the peer says so.
    pub remaining: Option<u64>,
    /// Why it failed, or what is to be known.
    pub message: Option<String>,
}

/// Where a retrieval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetrievalState {
    /// Under way.
    Running,
    /// Everything came.
    Done,
    /// Stopped by a person; what came is kept.
    Cancelled,
    /// Something did not come; what came is kept, and the same again goes on.
    Failed,
}

/// `GET /api/v1/samples`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SamplesView {
    /// They are being made.
    pub running: bool,
    /// Patients that are there.
    pub done: u64,
    /// Patients in all.
    pub total: u64,
    /// Stopped by a person.
    pub cancelled: bool,
    /// Why the making ended early.
    pub message: Option<String>,
}
