//! The command line.

mod accounts;
mod audit;
mod keys;
mod node;
mod quality;
mod rules;
mod upkeep;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use hilum_engine::{InstitutionCode, Zone};

pub use accounts::{InstitutionCommand, TokenCommand, UserCommand};
pub use audit::{AuditCommand, AuditListArguments, AuditVerifyArguments};
pub use keys::KeyCommand;
pub use node::{
    DeliveriesArguments, DeliveryStateArgument, EchoArguments, ForwardStateArgument, ForwardsArguments, KeyArguments,
    QueryArguments, QueryLevel, RetrieveArguments, SendArguments, WorklistArguments, WorklistImportArguments,
};
pub use quality::QualityArguments;
pub use rules::{RulesCommand, RulesOptionsArguments};
pub use upkeep::{BackupArguments, CheckArguments, DoctorArguments, ExportArguments, RestoreArguments};

/// Radiology AI platform: receives CT, keeps it, reads it, reports.
#[derive(Debug, Parser)]
#[command(name = "hilum", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 the work failed, 2 the call is wrong.")]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Common {
    /// Configuration file (its keys: `hilum serve --help`)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder that everything is kept in [default: ./hilum-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server: web page, DICOMweb, DICOM network node and readings in one process
    Serve(ServeArguments),
    /// Run the server and show it synthetic patients
    Demo(ServeArguments),
    /// Take in files, folders, zips and DICOMDIRs; works beside a running server
    Import(ImportArguments),
    /// Ask a configured DICOM peer whether it is there (C-ECHO)
    Echo(EchoArguments),
    /// List what a configured DICOM peer has (C-FIND)
    Query(QueryArguments),
    /// Fetch studies from a configured DICOM peer (C-GET or C-MOVE); works beside a running server
    Retrieve(RetrieveArguments),
    /// Send kept studies to a configured DICOM peer (C-STORE), as they are kept
    Send(SendArguments),
    /// List what the rules send on to peers, and how far that is
    Forwards(ForwardsArguments),
    /// List the reports that go to medical records, and how far that is
    Deliveries(DeliveriesArguments),
    /// Take in orders, which modalities then find on our worklist; the same order twice is one
    WorklistImport(WorklistImportArguments),
    /// List the modality worklist of a configured DICOM peer
    Worklist(WorklistArguments),
    /// Write kept studies as files with a DICOMDIR into a folder; works beside a running server, and again adds what is new
    Export(ExportArguments),
    /// Write the report of a study; reads the study first where that is due
    Report(ReportArguments),
    /// Read files with a model, without keeping them: one line a slice
    Predict(PredictArguments),
    /// Train the model of a plan file
    Train(TrainArguments),
    /// Measure a model on freshly made synthetic patients, beside a baseline
    Evaluate(EvaluateArguments),
    /// Make synthetic CT: DICOM files with the truth as NIfTI mask and JSON
    Phantom(PhantomArguments),
    /// Read every object again and compare it with its digest and its row; name what is damaged
    Check(CheckArguments),
    /// Copy catalogue, objects and reports into a folder; works beside a running server, and again copies what is new
    Backup(BackupArguments),
    /// Make a data folder out of a backup
    Restore(RestoreArguments),
    /// Name what is weak in the settings and on this machine, and what to do about it
    Doctor(DoctorArguments),
    /// Look after accounts: who may sign in, and with which roles
    #[command(subcommand)]
    User(UserCommand),
    /// Look after tokens, with which programs ask in the name of an account
    #[command(subcommand)]
    Token(TokenCommand),
    /// Look after institutions: whose studies there are
    #[command(subcommand)]
    Institution(InstitutionCommand),
    /// Look after the keys that secrets in the catalogue are encrypted with
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look at the audit trail, and prove it
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Look at the rules of guidelines, and at what they offer for a stone
    #[command(subcommand)]
    Rules(RulesCommand),
    /// List how often physicians agreed with each model, by month: signed reports
    Quality(QualityArguments),
    /// Look at models
    #[command(subcommand)]
    Model(ModelCommand),
}

/// Where to listen.
#[derive(Debug, Args)]
#[command(after_long_help = SETTINGS_HELP)]
pub struct ServeArguments {
    /// Address of web page, API and DICOMweb [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    pub http: Option<SocketAddr>,
    /// Address of the DICOM network node [default: 127.0.0.1:11112]
    #[arg(long, value_name = "ADDR:PORT")]
    pub dimse: Option<SocketAddr>,
}

const SETTINGS_HELP: &str = "\
Keys of the configuration file (TOML); what the command line says goes first, and relative paths start at the file's folder:
  data = \"hilum-data\"            folder that everything is kept in
  http = \"127.0.0.1:8080\"        web page, API and DICOMweb; beyond loopback only with [https] or trusted_proxies
  dimse = \"127.0.0.1:11112\"      DICOM network node; beyond loopback only with [[peers]]
  public_names = []              names (or IP addresses) that browsers reach the server by, like \"hilum.hospital.example\"; requests by
                                 other names than these and localhost are refused, and a self-signed certificate is made for them
  trusted_proxies = []           IP addresses of proxies whose X-Forwarded-For, -Proto and -Host are believed; without [https]
                                 nobody else is answered from other machines
  max_connections = 512          web connections at the same time; one address has at most a quarter of them
  requests_per_second = 200      of one address in the long run, ten seconds' worth at once; this machine has no limit
  ae_title = \"HILUM\"             our AE title
  check_called_ae = false        refuse associations that call another AE title
  max_associations = 64          DICOM associations at the same time; of several known peers one has at most three quarters of them
  max_instance_mib = 8192        longest instance taken, over DIMSE and STOW-RS
  private_storage = []           private storage SOP class UIDs to accept besides those in wide use
  model = \"models/my-model\"      model folder instead of the built-in model
  guidelines = \"rules\"           folder of rule files (passage.toml and one .toml a guideline) instead of the built-in ones;
                                 `hilum rules show` prints those in force
  second_factor = \"optional\"     \"required\": nobody signs in with a password alone
  key_file = \"/etc/hilum/hilum.keys\"   keys of what is encrypted in the catalogue, made when they are first needed; keys/hilum.keys in the
                                 data folder where not given. The environment variable HILUM_KEY goes first: one or more keys in base64,
                                 the current one first
  quiet_after_seconds = 5        a series is settled after this long without a new instance
  jobs_per_institution = 2       studies of one institution that are read at once, by all processes together; without it there is no limit
  log = \"warn,hilum=info\"        what is logged; the environment variable HILUM_LOG goes first
  callers = \"known\"              who may call: the known peers, or \"anybody\"; as long as no peer is configured, anybody on
                                 this machine, so that a first try works
  check_host = true              a known AE title must also call from an address of its peer's host

[catalogue] puts the catalogue on a PostgreSQL server (15 or later), in a database of its own, instead of a file of the data folder:
  url = \"postgres://USER@HOST:5432/hilum?sslmode=verify-full\"   the password in it (USER:PASSWORD@), in the file ~/.pgpass, or in
                                 the environment variable PGPASSWORD; objects stay in the data folder

[storage] keeps objects in a bucket of an S3 service (AWS, MinIO, Ceph); the data folder still holds locks, the catalogue and scratch:
  url = \"s3://BUCKET/PREFIX\"    the bucket, which is there already, and what every key in it begins with; it belongs to one archive
  endpoint = \"https://minio.example.org:9000\"   the service; AWS where not given
  region = \"us-east-1\"         region that requests are signed for
  allow_http = false             an endpoint may be http://; patients' data are readable on the way
  ca = \"ca.pem\"                who signs the service's certificate; those that everybody knows where not given
  credentials = \"s3.toml\"      file with access_key_id, secret_access_key and, where there is one, session_token; where not given,
                                 AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN have them

[audit] sends the audit trail to a syslog server besides, as DICOM audit messages (PS3.15 A.5):
  syslog = \"tls://HOST:6514\"    or tcp://HOST:PORT, udp://HOST:PORT
  authorities = \"ca.pem\"         who signs the server's certificate; those that everybody knows where not given
  certificate = \"hilum.pem\"      our certificate, where the server asks for one, and
  key = \"hilum.key\"              its private key, PEM, without a passphrase
  source = \"HILUM\"              name of this installation in the messages; our AE title where not given

[https] makes the web server speak HTTPS alone (TLS 1.2 and 1.3); changed files are shown within 30 seconds, or on SIGHUP at once:
  certificate = \"hilum.pem\"      our certificate in PEM form, then those that lead to its authority
  key = \"hilum.key\"              its private key, PEM, without a passphrase
  self_signed = false            make certificate and key in the data folder instead, and renew them; callers compare the fingerprint
                                 that is printed at the start and by `hilum doctor`

[[openid]], one table for each OpenID provider (OpenID Connect) that people may sign in by, besides by password. The provider is told to send
browsers back to https://OUR-NAME/api/v1/openid/ID/callback and, after signing out, to https://OUR-NAME/sign-in:
  id = \"hospital\"                stands in that address: lower-case letters, digits and -
  name = \"Hospital account\"      stands on the button
  issuer = \"https://login.hospital.example/realms/main\"   as the provider calls itself
  client_id = \"hilum\"            what it calls us
  client_secret_file = \"openid.secret\"   file that holds our secret; or client_secret_env, the name of an environment variable; neither,
                                 where it knows us as a public client
  scopes = [\"openid\", \"profile\"]   what is asked for
  login_claim = \"preferred_username\"   claim of the ID token that names the login of an account that is made
  new_accounts = true            make an account at the first sign-in of somebody to whom [[openid.roles]] give a role; else only who is linked
                                 to an account signs in
  end_session = true             who signs out here signs out there too, where the provider offers it
  authorities = \"ca.pem\"         who signs its certificate; those that everybody knows where not given
[[openid.roles]], below its [[openid]], a claim that gives a role; renewed at each sign-in, and over 30 days after the last one:
  claim = \"groups\"               claim of the ID token; \"a.b\" also is b in a
  value = \"radiology-ksh\"        what it is, or holds among others
  role = \"radiologist\"           what it gives
  institution = \"LOCAL\"          where

[tls] makes the DICOM node speak TLS alone; changed files are shown as those of [https]:
  certificate = \"hilum.pem\"      our certificate in PEM form, then those that lead to its authority
  key = \"hilum.key\"              its private key, PEM, without a passphrase
  same_as_https = false          show the certificate of [https], in place of certificate and key
  authorities = \"ca.pem\"         who signs the certificates of peers
  client_certificates = \"none\"   whether callers must show one: \"none\", \"optional\" or \"required\"

[[peers]], one table for each DICOM application entity that may call or be called:
  ae_title = \"PACS\"              its AE title: a name, not a proof
  host = \"pacs.example.org\"      name or IP address of its machine
  port = 104                     its DICOM port
  tls = false                    it speaks TLS when we call it
  certificate = \"sha256:...\"     it must show this certificate: a fingerprint, or a host name in it
  allowed = [\"store\", \"find\", \"retrieve\", \"commitment\"]   what it may ask of us; all of it where not given
  institution = \"LOCAL\"          whose data it sends and sees
  retrieve_by = \"get\"            how studies are fetched from it: \"get\" or \"move\"

[[rules]], looked at for every instance that arrives; what is not given holds for all:
  source = \"CT*\"                 calling AE title, with wild cards; only what comes over DIMSE has one
  modality = [\"CT\"]              any of these
  description = \"*kub*\"          study or series description, with wild cards, whatever the case
  zone = \"clinical\"              research is refused until de-identification exists
  institution = \"SITE_A\"         whose data it is; for what comes over DIMSE, and the first rule that says so counts
  forward = [\"PACS\"]             peers that it is sent on to, until they have it

[results], what becomes of reports; everything at once and nowhere else where it is not given:
  objects = [\"seg\", \"sr\", \"pdf\", \"sc\"]   segmentation, structured report, PDF, key images: kept in the report's study
  to = [\"PACS\"]                 peers that they are sent to, until they have them
  when = \"at_once\"             or \"signed\": once somebody has signed the report

[emr], medical records that reports go to:
  sending_application = \"HILUM\"  MSH-3 of our messages
  sending_facility = \"KSH\"       MSH-4
  listen = \"127.0.0.1:2575\"      where HL7 v2 messages of [[emr.senders]] are taken over MLLP (ADT, ORU^R01, ORM^O01)
  listen_tls = false             true: encrypted, with the certificate of [tls]

[[emr.senders]], whose messages are taken; everybody else's are refused:
  name = \"his\"                   what it is called in reports, listings and the audit trail
  application = \"HIS\"            its MSH-3
  facility = \"KSH\"               its MSH-4; without it any
  address = \"10.0.0.5\"           where it calls from; needed where listen is not on loopback
  institution = \"LOCAL\"          whose patients it tells of
  character_set = \"cp949\"        of messages whose MSH-18 is empty; \"utf-8\" where not given
  codes = { L3011 = \"5802-4\" }   its own codes of laboratory results, with their LOINC codes (docs/emr.md lists those that are read)

[[emr.sources]], FHIR R4 servers that are asked what they know of a patient once a report of theirs is recorded:
  name = \"record\"                what it is called in reports, listings and the audit trail; it has a row in `hilum deliveries`
  fhir = \"https://emr.example/fhir\"   its base; token_file, authorities, patient_system, institution and answer_seconds as below

[[emr.destinations]], where reports go, each version once:
  name = \"ocs\"                   what it is called in listings and in the audit trail
  mllp = \"ocs.example:2575\"      host and port of its HL7 v2 receiver (ORU^R01 of version 2.5.1)
  tls = false                    true: encrypted, with the authorities of [tls]
  fhir = \"https://emr.example/fhir\"   or the base of its FHIR R4 server, which takes a transaction; http:// on this machine alone
  token_file = \"/etc/hilum/emr.token\"   a bearer token for it, read for every request
  authorities = \"ca.pem\"         whose certificates are good for it, instead of those that browsers believe
  patient_system = \"urn:oid:1.2.410.1\"   system of Patient ID there
  patient = \"identifier\"         how resources refer to the patient; \"search\": the server looks for its Patient
  when = \"at_once\"               as preliminary as soon as it is recorded, as final when it is signed; \"signed\": signed ones alone
  institution = \"LOCAL\"          whose reports
  receiving_application = \"OCS\"  MSH-5; receiving_facility MSH-6
  character_set = \"utf-8\"        or \"cp949\", \"ks-x-1001\", \"ascii\" (English alone)
  character_set_name = \"KS X 1001\"   MSH-18, where the receiver knows the set by another name
  language = \"ko\"                of texts and of the page; or \"en\"
  pdf = true                     the page goes along
  answer_seconds = 30            how long an answer may take before the message is sent again

[ups], work items (docs/ups.md):
  perform = true                 those that ask for a service of ours are performed here; otherwise they are kept only
  deadline_hours = 24            a work item whose study has not come by then is cancelled
  keep_days = 30                 what has ended is deleted after so long, unless a subscriber has locked it

[[pull]], studies that are fetched by themselves:
  peer = \"PACS\"                  from whom
  every_minutes = 15             how long after one turn the next begins
  modality = \"CT\"                that the study has
  description = \"*KUB*\"          study description, with wild cards
  patients = \"all\"               whose: \"all\", or \"worklist\": of those on our worklist
  days_back = 1                  how old studies may be; of the patients on the worklist any age where not given
  most_studies = 50              that one turn fetches at most";

#[derive(Debug, Args)]
pub struct ImportArguments {
    /// Files, folders, zips or DICOMDIRs
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Zone that keeps them: clinical (research needs de-identification, which this version does not have)
    #[arg(long, default_value = "clinical")]
    pub zone: Zone,
    /// Institution that they belong to
    #[arg(long, value_name = "CODE", default_value = InstitutionCode::LOCAL)]
    pub institution: InstitutionCode,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Pdf,
    Json,
    Xlsx,
    Csv,
    /// DICOM structured report of the measurements (TID 1500)
    Sr,
    /// DICOM segmentation of the stones
    Seg,
}

impl ReportFormat {
    pub fn extension(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Json => "json",
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
            Self::Sr => "sr.dcm",
            Self::Seg => "seg.dcm",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportLanguage {
    Ko,
    En,
}

#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Study Instance UID, as `hilum import` prints it
    pub study: String,
    /// Format of the file
    #[arg(long, value_enum)]
    pub format: ReportFormat,
    /// Language of a PDF
    #[arg(long, value_enum, default_value = "en")]
    pub lang: ReportLanguage,
    /// File to write; `-` is standard output [default: report-<hash>.<format>]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Institution that the study belongs to
    #[arg(long, value_name = "CODE", default_value = InstitutionCode::LOCAL)]
    pub institution: InstitutionCode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PredictMode {
    /// Every slice
    All,
    /// Of each series the slices up to the first abnormal one, where the reading of the series ends
    First,
}

#[derive(Debug, Args)]
pub struct PredictArguments {
    /// Model folder
    pub model: PathBuf,
    /// DICOM files, folders of them, or NIfTI files (.nii, .nii.gz)
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Which slices to read
    #[arg(long, value_enum, default_value = "all")]
    pub mode: PredictMode,
    /// Excel file to write
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TrainArguments {
    /// Plan file (TOML), as those in plans/
    pub plan: PathBuf,
    /// Model folder to write; patches and checkpoints are kept in OUT.run, from which a stopped training goes on
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// Model folder
    pub model: PathBuf,
    /// Seed of the first patient; training and its tests use seeds below 20000
    #[arg(long, default_value_t = 40_000)]
    pub seed: u64,
    /// Number of patients
    #[arg(long, default_value_t = 20)]
    pub patients: usize,
    /// Plan file whose mix of scan protocols the patients get, instead of 3 mm, supine, without contrast
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// JSON file to write with every patient's stones and candidates, rejected ones with their reason
    #[arg(long, value_name = "FILE")]
    pub details: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PhantomRegion {
    AbdomenPelvis,
    Abdomen,
    Pelvis,
    Chest,
    Neck,
    Head,
    Torso,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PhantomContrast {
    None,
    Arterial,
    Portal,
    Excretory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PhantomPosition {
    Hfs,
    Hfp,
    Ffs,
    Ffp,
}

#[derive(Debug, Args)]
pub struct PhantomArguments {
    /// Folder to write; one folder a study is made in it
    pub out: PathBuf,
    /// Seed of the first study; the next ones count on
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of studies
    #[arg(long, default_value_t = 1)]
    pub studies: u64,
    /// Stones a study; drawn as patients have them when not given
    #[arg(long)]
    pub stones: Option<u32>,
    /// Slice thickness in mm
    #[arg(long, value_name = "MM", default_value_t = 3.0)]
    pub thickness: f64,
    /// Distance of slice centres in mm; the thickness when not given
    #[arg(long, value_name = "MM")]
    pub spacing: Option<f64>,
    /// Intravenous contrast; without a value: portal
    #[arg(long, value_enum, num_args = 0..=1, default_value = "none", default_missing_value = "portal")]
    pub contrast: PhantomContrast,
    /// Scanned part of the body
    #[arg(long, value_enum, default_value = "abdomen-pelvis")]
    pub region: PhantomRegion,
    /// How the patient lies
    #[arg(long, value_enum, default_value = "hfs")]
    pub position: PhantomPosition,
    /// Rows and columns: 512 or 256
    #[arg(long, default_value_t = 512)]
    pub matrix: u32,
    /// Also a localizer and coronal reformats, as scanners send them
    #[arg(long)]
    pub all_series: bool,
    /// Print what was made as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// The models that are installed
    List(ModelListArguments),
    /// Check that the files of model folders are those that their cards name
    Verify(ModelVerifyArguments),
}

#[derive(Debug, Args)]
pub struct ModelListArguments {
    /// Folder of model folders
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ModelVerifyArguments {
    /// Model folders
    #[arg(required = true, value_name = "MODEL")]
    pub models: Vec<PathBuf>,
}
