//! Everything in one process: web, DICOM network node, jobs.

use std::{io::Write, path::Path, sync::Arc};

use anyhow::{Context, bail};
use hilum_dimse::Scp;
use hilum_engine::{Engine, EngineConfig};
use hilum_web::{BindError, WebConfig, WebServer};

use crate::{
    certificates::Certificates,
    commands::demo,
    emr::{self, Emr},
    failure::WrongCall,
    job_lock::JobLock,
    node::{self, Node, worker},
    outbox,
    settings::{CallersMode, Pull, Settings},
    shutdown::Shutdown,
    site::Desk,
};

/// A server that listens, with nothing answered yet.
pub struct Server {
    pub engine: Engine,
    web: WebServer,
    scp: Scp,
    node: Arc<Node>,
    emr: Arc<Emr>,
    hl7: Option<emr::Listener>,
    certificates: Certificates,
    pulls: Vec<Pull>,
    _lock: JobLock,
}

impl Server {
    /// Locks the data folder, opens the engine and listens.
    pub async fn open(settings: Arc<Settings>, data_dir: &Path, engine: EngineConfig) -> anyhow::Result<Self> {
        refuse_open_addresses(&settings)?;
        let certificates = Certificates::open(&settings)?;
        let mut scp = node::scp_config(&settings)?;
        let Some(lock) = JobLock::acquire(data_dir)? else {
            bail!(
                "another Hilum process works on the data folder {}. Stop it first, or give this one its own with --data.",
                data_dir.display()
            );
        };
        let engine = Engine::open(engine).await.with_context(|| format!("data folder {}", data_dir.display()))?;
        engine.note_configuration(&settings.noted()).await?;
        let node = Node::new(engine.clone(), &settings)?;
        let desk = Desk::new(Arc::clone(&node), Arc::clone(&settings), data_dir.to_owned());
        let web = WebConfig {
            site: Some(Arc::new(desk)),
            https: certificates.https(),
            public_names: settings.answered_names(),
            trusted_proxies: settings.trusted_proxies.clone(),
            openid: settings.openid.clone(),
            max_connections: settings.max_connections,
            requests_per_second: settings.requests_per_second,
            max_instance_bytes: settings.max_instance_bytes,
            ..WebConfig::new(settings.http)
        };
        let web = WebServer::bind(web, engine.clone()).await?;
        let emr = Arc::new(Emr::new(engine.clone(), &settings)?);
        let hl7 = emr::Listener::bind(&emr).await?;
        scp.calling.spool_folder = engine.spool_folder();
        scp.refused = Some(node::refusals(engine.clone()));
        let scp = Scp::bind(scp, node.services()).await?;
        let first = if engine.system().demo {
            let (login, password) = demo::account(&engine).await?;
            Some(format!("sign in as        {login} with the password {password}"))
        } else {
            // Whoever starts the server is its first administrator. The secret is a fragment, which browsers send to nobody.
            let (link, address) = (engine.first_administrator_link().await?, web.local_addr()?);
            link.map(|link| format!("first account     {}://{address}/welcome#{link}", settings.scheme()))
        };
        let server =
            Self { engine, web, scp, node, emr, hl7, certificates, pulls: settings.pulls.clone(), _lock: lock };
        server.announce(&settings, data_dir, first.as_deref())?;
        Ok(server)
    }

    /// Standard output, one fact a line: scripts read it.
    fn announce(&self, settings: &Settings, data_dir: &Path, first: Option<&str>) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "Hilum {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(out, "web page and API  {}://{}", settings.scheme(), self.web.local_addr()?)?;
        if let Some(facts) = self.certificates.facts()? {
            let own = if facts.self_signed { ", self-signed" } else { "" };
            writeln!(out, "certificate       until {}{own}, SHA-256 {}", facts.last_day(), facts.fingerprint)?;
        }
        if let Some(first) = first {
            writeln!(out, "{first}")?;
        }
        writeln!(out, "DICOM node        {} at {}", settings.ae_title, self.scp.local_addr()?)?;
        match settings.callers() {
            CallersMode::Anybody if settings.peers.is_empty() => {
                writeln!(out, "DICOM callers     anybody on this machine, until [[peers]] are configured")?;
            }
            CallersMode::Anybody => writeln!(out, "DICOM callers     anybody: callers = \"anybody\"")?,
            CallersMode::Known => {
                let known: Vec<&str> = settings.peers.iter().map(|known| known.peer.ae_title.as_str()).collect();
                writeln!(out, "DICOM callers     {}", known.join(", "))?;
            }
        }
        if let Some(listener) = &self.hl7 {
            let known: Vec<&str> = settings.emr.senders.iter().map(|sender| sender.name.as_str()).collect();
            writeln!(out, "HL7 listener      {}, from {}", listener.local_addr()?, known.join(", "))?;
        }
        writeln!(out, "data folder       {}", data_dir.display())?;
        writeln!(out, "Ctrl-C stops it.")?;
        Ok(out.flush()?)
    }

    /// Serves and reads until the shutdown is asked for, or until one part cannot go on.
    pub async fn run(self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let Self { engine, web, scp, node, emr, hl7, certificates, pulls, _lock } = self;
        let web = async {
            let ended = web.serve(shutdown.asked()).await.context("web server");
            shutdown.ask();
            ended
        };
        let jobs = async {
            let ended = engine.run_jobs(shutdown.asked()).await.context("readings");
            shutdown.ask();
            ended
        };
        let worker = worker::run(node, pulls, shutdown.asked());
        let certificates = certificates.keep_fresh(shutdown);
        let emr = outbox::run(emr, shutdown.asked());
        let hl7 = async {
            if let Some(listener) = hl7 {
                listener.serve(shutdown.asked()).await;
            }
        };
        let (web, jobs, (), (), (), (), ()) =
            tokio::join!(web, jobs, scp.serve(shutdown.asked()), worker, emr, hl7, certificates);
        engine.close().await;
        web.and(jobs)
    }
}

/// What others could overhear, or use without being known, is a wrong call.
fn refuse_open_addresses(settings: &Settings) -> anyhow::Result<()> {
    let Settings { http, dimse, .. } = settings;
    if !http.ip().is_loopback() && settings.https().is_none() && settings.trusted_proxies.is_empty() {
        let message = BindError::InTheClear(*http);
        return Err(WrongCall(message.to_string()).into());
    }
    if !dimse.ip().is_loopback() && (settings.callers() == CallersMode::Anybody || settings.peers.is_empty()) {
        let message = hilum_dimse::BindError::OpenToAnybody(*dimse);
        return Err(WrongCall(message.to_string()).into());
    }
    Ok(())
}
