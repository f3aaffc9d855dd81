//! Everything in one process: web, DICOM network node, jobs.

use std::{io::Write, net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, bail};
use hilum_dimse::{Scp, ScpConfig, Services};
use hilum_engine::{Engine, EngineConfig, Scope};
use hilum_web::{WebConfig, WebServer};

use crate::{failure::WrongCall, job_lock::JobLock, settings::Settings, shutdown::Shutdown, store::EngineStore};

/// A server that listens, with nothing answered yet.
pub struct Server {
    pub engine: Engine,
    web: WebServer,
    scp: Scp,
    _lock: JobLock,
}

impl Server {
    /// Locks the data folder, opens the engine and listens.
    pub async fn open(settings: &Settings, data_dir: &Path, engine: EngineConfig) -> anyhow::Result<Self> {
        for (address, what) in [(settings.http, "http"), (settings.dimse, "dimse")] {
            refuse_open_address(address, what)?;
        }
        let Some(lock) = JobLock::acquire(data_dir)? else {
            bail!(
                "another Hilum process works on the data folder {}. Stop it first, or give this one its own with --data.",
                data_dir.display()
            );
        };
        let engine = Engine::open(engine).await.with_context(|| format!("data folder {}", data_dir.display()))?;
        let web = WebConfig { max_instance_bytes: settings.max_instance_bytes, ..WebConfig::new(settings.http) };
        let web = WebServer::bind(web, engine.clone()).await?;
        let store = EngineStore { engine: engine.clone(), scope: Scope::local() };
        let scp = ScpConfig {
            check_called_ae: settings.check_called_ae,
            max_associations: settings.max_associations,
            max_instance_bytes: settings.max_instance_bytes,
            max_bytes_in_flight: settings.max_instance_bytes.saturating_mul(2),
            private_storage: settings.private_storage.clone(),
            ..ScpConfig::new(settings.dimse, settings.ae_title.clone())
        };
        let scp = Scp::bind(scp, Services::storing(Arc::new(store))).await?;
        let server = Self { engine, web, scp, _lock: lock };
        server.announce(settings, data_dir)?;
        Ok(server)
    }

    /// Standard output, one fact a line: scripts read it.
    fn announce(&self, settings: &Settings, data_dir: &Path) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "Hilum {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(out, "web page and API  http://{}", self.web.local_addr()?)?;
        writeln!(out, "DICOM node        {} at {}", settings.ae_title, self.scp.local_addr()?)?;
        writeln!(out, "data folder       {}", data_dir.display())?;
        writeln!(out, "Ctrl-C stops it.")?;
        out.flush()
    }

    /// Serves and reads until the shutdown is asked for, or until one part cannot go on.
    pub async fn run(self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let Self { engine, web, scp, _lock } = self;
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
        let (web, jobs, ()) = tokio::join!(web, jobs, scp.serve(shutdown.asked()));
        web.and(jobs)
    }
}

fn refuse_open_address(address: SocketAddr, what: &str) -> anyhow::Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let message = format!(
        "--{what} {address} can be reached from other machines. Until access control exists, Hilum answers on loopback only: \
         use 127.0.0.1 or [::1]."
    );
    Err(WrongCall(message).into())
}
