//! `hilum.toml` and what the command line says over it.

mod audit;
mod catalogue;
mod emr;
mod https;
mod noted;
mod openid;
mod peers;
mod results;
mod routing;
mod storage;
mod tls;
mod ups;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, bail};
use hilum_dicom::{AeTitle, SopClassUid};
use hilum_dimse::ScuConfig;
use hilum_engine::{
    CataloguePlace, EngineConfig, ResultRules, StoragePlace,
    accounts::{AccountRules, SecondFactorRule},
    audit::{SettingName, syslog::SyslogSettings},
    keys::KeyPlace,
    routing::Rules,
    ups::UpsRules,
};
use hilum_web::{OpenIdProvider, PublicName};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::{certificate::Place, cli::Common, commands::DATA, failure::WrongCall};
use audit::AuditTable;
use catalogue::CatalogueTable;
use emr::EmrTable;
pub use emr::{By, Destination, EmrSettings, Fhir, Mllp, Sender};
use https::HttpsTable;
use openid::OpenIdEntry;
use peers::PeerEntry;
pub use peers::{CallersMode, KnownPeer, Peers, RetrieveBy};
use results::ResultsTable;
pub use routing::{Patients, Pull};
use routing::{PullEntry, RuleEntry};
use storage::StorageTable;
use tls::TlsTable;
pub use tls::{Tls, TlsFiles, TlsSource};
use ups::UpsTable;

const MIB: u64 = 1024 * 1024;

/// The keys of `hilum.toml`; every one may be absent. `hilum serve --help` documents them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    http: Option<SocketAddr>,
    dimse: Option<SocketAddr>,
    ae_title: Option<AeTitle>,
    check_called_ae: Option<bool>,
    max_associations: Option<usize>,
    max_instance_mib: Option<u64>,
    private_storage: Option<Vec<SopClassUid>>,
    model: Option<PathBuf>,
    guidelines: Option<PathBuf>,
    quiet_after_seconds: Option<u64>,
    jobs_per_institution: Option<u32>,
    log: Option<String>,
    catalogue: Option<CatalogueTable>,
    storage: Option<StorageTable>,
    audit: Option<AuditTable>,
    callers: Option<CallersMode>,
    check_host: Option<bool>,
    #[serde(default)]
    peers: Vec<PeerEntry>,
    tls: Option<TlsTable>,
    https: Option<HttpsTable>,
    #[serde(default)]
    openid: Vec<OpenIdEntry>,
    #[serde(default)]
    public_names: Vec<String>,
    #[serde(default)]
    trusted_proxies: Vec<String>,
    max_connections: Option<usize>,
    requests_per_second: Option<u32>,
    key_file: Option<PathBuf>,
    second_factor: Option<SecondFactorRule>,
    #[serde(default)]
    rules: Vec<RuleEntry>,
    #[serde(default)]
    pull: Vec<PullEntry>,
    results: Option<ResultsTable>,
    emr: Option<EmrTable>,
    ups: Option<UpsTable>,
}

/// Everything that can be configured, with its defaults.
#[derive(Debug)]
pub struct Settings {
    /// None: the command's own default.
    pub data: Option<PathBuf>,
    pub http: SocketAddr,
    pub dimse: SocketAddr,
    pub ae_title: AeTitle,
    pub check_called_ae: bool,
    pub max_associations: usize,
    pub max_instance_bytes: u64,
    pub private_storage: Vec<SopClassUid>,
    catalogue: CataloguePlace,
    storage: StoragePlace,
    syslog: Option<SyslogSettings>,
    model: Option<PathBuf>,
    /// A folder of rule files that are weighed instead of those of the program.
    pub guidelines: Option<PathBuf>,
    quiet_after: Duration,
    jobs_per_institution: Option<u32>,
    log: Option<String>,
    callers: Option<CallersMode>,
    /// Whom the network node knows.
    pub peers: Peers,
    /// Whose data instances are, and where they go on to.
    pub rules: Rules,
    /// Which objects reports are made into, and where those go.
    results: ResultRules,
    /// Medical records.
    pub emr: EmrSettings,
    /// How work items are kept and performed.
    ups: UpsRules,
    /// What is fetched by itself.
    pub pulls: Vec<Pull>,
    tls: Option<TlsTable>,
    loaded_tls: OnceLock<Tls>,
    https: Option<https::Source>,
    /// Names that the web server is reached by, besides those of this machine.
    pub public_names: Vec<PublicName>,
    /// Providers that people sign in by, besides by password.
    pub openid: Vec<OpenIdProvider>,
    /// Whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<IpAddr>,
    pub max_connections: usize,
    pub requests_per_second: u32,
    key_file: Option<PathBuf>,
    /// Keys of the environment.
    given_keys: Option<KeyPlace>,
    second_factor: SecondFactorRule,
    secret_files: Vec<PathBuf>,
    /// The file, by its keys.
    by_key: BTreeMap<String, String>,
    from_a_file: bool,
}

impl Settings {
    /// Reads the configuration file, where one is named. Anything wrong in it is a wrong call.
    pub fn load(common: &Common) -> anyhow::Result<Self> {
        let Some(path) = &common.config else { return Self::of(common, File::default(), BTreeMap::new()) };
        read(path)
            .and_then(|(file, by_key)| Self::of(common, file, by_key))
            .map_err(|error| WrongCall(format!("configuration {}: {error:#}", path.display())).into())
    }

    fn of(common: &Common, file: File, by_key: BTreeMap<String, String>) -> anyhow::Result<Self> {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let max_associations = file.max_associations.unwrap_or(64);
        let max_instance_mib = file.max_instance_mib.unwrap_or(8192);
        if max_associations == 0 || !(1..=1024 * 1024).contains(&max_instance_mib) {
            bail!("max_associations is at least 1, max_instance_mib 1 to 1048576");
        }
        let peers = Peers::read(file.peers, file.check_host.unwrap_or(true)).map_err(anyhow::Error::msg)?;
        TlsTable::check(file.tls.as_ref(), &peers, file.https.is_some()).map_err(anyhow::Error::msg)?;
        let max_connections = file.max_connections.unwrap_or(512);
        let requests_per_second = file.requests_per_second.unwrap_or(200);
        if !(1..=65_536).contains(&max_connections) || requests_per_second == 0 {
            bail!("max_connections is 1 to 65536, requests_per_second at least 1");
        }
        if file.jobs_per_institution == Some(0) {
            bail!("jobs_per_institution is at least 1; leave it out for no limit");
        }
        if file.callers == Some(CallersMode::Known) && peers.is_empty() {
            bail!("callers = \"known\" needs [[peers]]: without one nobody could call");
        }
        let holds_password = file.catalogue.as_ref().is_some_and(CatalogueTable::has_password);
        let own = common.config.iter().filter(|_| holds_password);
        let client_secrets = file.openid.iter().filter_map(OpenIdEntry::secret_file);
        let credentials = file.storage.as_ref().and_then(StorageTable::credentials);
        let tokens = file.emr.iter().flat_map(EmrTable::secret_files);
        let secret_files = own.chain(credentials).chain(client_secrets).chain(tokens).cloned().collect();
        let ae_title = match file.ae_title {
            Some(title) => title,
            None => "HILUM".parse()?,
        };
        Ok(Self {
            data: common.data.clone().or(file.data),
            http: file.http.unwrap_or(loopback(8080)),
            dimse: file.dimse.unwrap_or(loopback(11112)),
            check_called_ae: file.check_called_ae.unwrap_or(false),
            max_associations,
            max_instance_bytes: max_instance_mib * MIB,
            private_storage: file.private_storage.unwrap_or_default(),
            catalogue: catalogue::place(file.catalogue).map_err(anyhow::Error::msg)?,
            storage: storage::place(file.storage).map_err(anyhow::Error::msg)?,
            syslog: audit::syslog(file.audit, &ae_title).map_err(anyhow::Error::msg)?,
            ups: ups::rules(file.ups, &ae_title).map_err(anyhow::Error::msg)?,
            ae_title,
            model: file.model,
            guidelines: file.guidelines,
            jobs_per_institution: file.jobs_per_institution,
            quiet_after: Duration::from_secs(file.quiet_after_seconds.unwrap_or(5)),
            log: file.log,
            callers: file.callers,
            rules: routing::rules(file.rules, &peers).map_err(anyhow::Error::msg)?,
            results: results::rules(file.results, &peers).map_err(anyhow::Error::msg)?,
            emr: EmrSettings::read(
                file.emr,
                file.tls.is_some(),
                file.tls.as_ref().is_some_and(TlsTable::has_authorities),
            )
            .map_err(anyhow::Error::msg)?,
            pulls: routing::pulls(file.pull, &peers).map_err(anyhow::Error::msg)?,
            peers,
            tls: file.tls,
            loaded_tls: OnceLock::new(),
            https: file.https.map(HttpsTable::source).transpose().map_err(anyhow::Error::msg)?,
            public_names: https::public_names(file.public_names).map_err(anyhow::Error::msg)?,
            openid: openid::providers(file.openid).map_err(anyhow::Error::msg)?,
            trusted_proxies: https::trusted_proxies(file.trusted_proxies).map_err(anyhow::Error::msg)?,
            max_connections,
            requests_per_second,
            key_file: file.key_file,
            given_keys: given_keys()?,
            second_factor: file.second_factor.unwrap_or_default(),
            secret_files,
            by_key,
            from_a_file: common.config.is_some(),
        })
    }

    /// Which objects reports are made into, when, and where those go.
    pub fn results(&self) -> &ResultRules {
        &self.results
    }

    /// Whether a configuration file was named.
    pub fn is_from_a_file(&self) -> bool {
        self.from_a_file
    }

    /// The data folder, or the default of a command.
    pub fn data_dir(&self, default: &str) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from(default))
    }

    /// How to open the engine on a data folder.
    pub fn engine(&self, data_dir: &Path) -> EngineConfig {
        EngineConfig {
            catalogue: self.catalogue.clone(),
            storage: self.storage.clone(),
            model_dir: self.model.clone(),
            guidelines: self.guidelines.clone(),
            quiet_after: self.quiet_after,
            jobs_per_institution: self.jobs_per_institution,
            rules: self.rules.clone(),
            results: self.results.clone(),
            deliveries: self.emr.rules(),
            ups: self.ups.clone(),
            syslog: self.syslog.clone(),
            keys: self.keys_of(data_dir),
            accounts: AccountRules { second_factor: self.second_factor, ..AccountRules::default() },
            ..EngineConfig::new(data_dir)
        }
    }

    /// What is configured, by its keys, for the audit trail: the file with what the command line says over it. Of an address of a
    /// server only where it is, and neither user nor password.
    pub fn noted(&self) -> BTreeMap<SettingName, String> {
        let mut values = self.by_key.clone();
        values.extend([("http".to_owned(), self.http.to_string()), ("dimse".to_owned(), self.dimse.to_string())]);
        if let CataloguePlace::Server(url) = &self.catalogue {
            values.insert("catalogue.url".to_owned(), url.to_string());
        }
        noted::named(values)
    }

    /// Where the keys of a data folder come from: the environment, the file that is named, or one in the data folder.
    fn keys_of(&self, data_dir: &Path) -> KeyPlace {
        let named = self.key_file.clone().map_or_else(|| KeyPlace::in_folder(data_dir), KeyPlace::File);
        self.given_keys.clone().unwrap_or(named)
    }

    /// Where keys come from.
    pub fn key_place(&self) -> KeyPlace {
        self.keys_of(&self.data_dir(DATA))
    }

    /// Who may call the network node: the known peers; as long as none is known, anybody on this machine.
    pub fn callers(&self) -> CallersMode {
        let nobody_else_can = self.dimse.ip().is_loopback() && self.peers.is_empty();
        self.callers.unwrap_or(if nobody_else_can { CallersMode::Anybody } else { CallersMode::Known })
    }

    /// The peer that a command names.
    pub fn peer(&self, title: &AeTitle) -> anyhow::Result<&KnownPeer> {
        let known = || match self.peers.iter().map(|known| known.peer.ae_title.as_str()).collect::<Vec<_>>() {
            titles if titles.is_empty() => "none is configured".to_owned(),
            titles => format!("known are {}", titles.join(", ")),
        };
        self.peers.find(title).ok_or_else(|| {
            let message = format!(
                "no peer has the AE title {title} ({}). Add it as [[peers]] to the configuration file, and name the file \
                 with --config.",
                known()
            );
            WrongCall(message).into()
        })
    }

    /// Where the certificate of `[https]` is, where that is configured.
    pub fn https(&self) -> Option<Place> {
        let source = self.https.as_ref()?;
        Some(source.place(&self.data_dir(DATA), &self.public_names))
    }

    /// What the addresses of the web server begin with.
    pub fn scheme(&self) -> &'static str {
        if self.https.is_some() { "https" } else { "http" }
    }

    /// Names in Host headers that are answered: the configured ones, and over HTTPS what this machine calls itself.
    pub fn answered_names(&self) -> Vec<PublicName> {
        let own = self.https.as_ref().and_then(|_| https::host_name());
        self.public_names.iter().cloned().chain(own).collect()
    }

    /// The files of `[tls]`, where that is configured.
    pub fn tls_source(&self) -> Option<TlsSource> {
        self.tls.as_ref()?.source(self.https())
    }

    /// TLS of the network node, where `[tls]` is configured; every caller gets a share in the same. What is wrong with the files is a wrong
    /// call.
    pub fn tls(&self) -> anyhow::Result<Option<Tls>> {
        let Some(source) = self.tls_source() else { return Ok(None) };
        if let Some(loaded) = self.loaded_tls.get() {
            return Ok(Some(loaded.clone()));
        }
        let loaded = source.read().and_then(|files| source.load(&files));
        let loaded = loaded.map_err(|error| WrongCall(format!("configuration: {error:#}")))?;
        Ok(Some(self.loaded_tls.get_or_init(|| loaded).clone()))
    }

    /// How we call peers.
    pub fn calling(&self) -> anyhow::Result<ScuConfig> {
        let tls = self.tls()?.and_then(|tls| tls.client);
        Ok(ScuConfig { tls, ..ScuConfig::new(self.ae_title.clone()) })
    }

    /// Files that hold passwords or access keys.
    pub fn secret_files(&self) -> &[PathBuf] {
        &self.secret_files
    }

    /// What is logged: by the environment, the file, or `default`.
    pub fn log_directives(&self, default: &str) -> String {
        std::env::var("HILUM_LOG").unwrap_or_else(|_| self.log.clone().unwrap_or_else(|| default.to_owned()))
    }

    /// Logs to standard error from now on. `default` is what a command logs when nobody says otherwise.
    pub fn start_log(&self, default: &str) -> anyhow::Result<()> {
        let directives = self.log_directives(default);
        let filter = EnvFilter::try_new(&directives)
            .map_err(|error| WrongCall(format!("HILUM_LOG or log = {directives:?} cannot be read: {error}")))?;
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
        Ok(())
    }
}

/// The environment variable that keys may stand in.
const KEY_VARIABLE: &str = "HILUM_KEY";

fn given_keys() -> anyhow::Result<Option<KeyPlace>> {
    let Some(text) = std::env::var_os(KEY_VARIABLE) else { return Ok(None) };
    let text = zeroize::Zeroizing::new(text.into_string().unwrap_or_default());
    let given = KeyPlace::given(KEY_VARIABLE, &text);
    given.map(Some).map_err(|error| WrongCall(format!("{KEY_VARIABLE}: {error}")).into())
}

/// The parser shows the line that it could not read, which may be that of an address with a password.
fn without_secrets(error: &toml::de::Error, text: &str) -> anyhow::Error {
    let shown = error.to_string();
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    if shown.contains("client_secret") {
        return anyhow::Error::msg(format!(
            "line {line} cannot be read; a client's secret stands in a file (client_secret_file = \"...\") or in an environment \
             variable (client_secret_env = \"...\"), and never here"
        ));
    }
    if !shown.contains("://") {
        return anyhow::Error::msg(shown);
    }
    anyhow::Error::msg(format!(
        "line {line} is not TOML; an address stands in quotation marks: url = \"postgres://...\""
    ))
}

/// Relative paths start at the file's folder.
fn read(path: &Path) -> anyhow::Result<(File, BTreeMap<String, String>)> {
    let text = std::fs::read_to_string(path).context("cannot be read")?;
    let mut file: File = toml::from_str(&text).map_err(|error| without_secrets(&error, &text))?;
    let by_key = noted::by_key(toml::from_str(&text).map_err(|error| without_secrets(&error, &text))?);
    let folder = path.parent().unwrap_or(Path::new(""));
    let tls = file.tls.as_mut().into_iter().flat_map(TlsTable::paths);
    let https = file.https.as_mut().into_iter().flat_map(HttpsTable::paths);
    let storage = file.storage.as_mut().into_iter().flat_map(StorageTable::paths);
    let audit = file.audit.as_mut().into_iter().flat_map(AuditTable::paths);
    let openid = file.openid.iter_mut().flat_map(OpenIdEntry::paths);
    let emr = file.emr.as_mut().into_iter().flat_map(EmrTable::paths);
    let paths = [file.data.as_mut(), file.model.as_mut(), file.key_file.as_mut()].into_iter().flatten();
    for path in paths.chain(tls).chain(https).chain(storage).chain(audit).chain(openid).chain(emr) {
        *path = folder.join(&*path);
    }
    Ok((file, by_key))
}
