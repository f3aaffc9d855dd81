//! Signing in by an OpenID provider that nobody here wrote: npm's oidc-provider, started on loopback.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::checks::Check;
use super::{Bench, Server};
use crate::ports::free_address;
use crate::{e2e::Scene, openid_peer, run};

/// Every check.
pub const ALL: &[(&str, Check)] =
    &[("oidc-provider signs somebody in to Chromium and out again, and turns others away", signs_in)];

const SECRET: &str = "only for providers that are gone soon";

/// The provider's process, gone when dropped.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn signs_in(bench: &Bench) -> anyhow::Result<String> {
    let Some(folder) = openid_peer::folder(false)? else {
        ensure!(
            std::env::var_os("HILUM_REQUIRE_ORACLES").is_none_or(|value| value != "1"),
            "oidc-provider is required and not installed: cargo xtask interop --install"
        );
        return Ok("SKIPPED: oidc-provider is not installed (cargo xtask interop --install brings it)".into());
    };
    let port = free_address().port();
    let configuration = format!(
        "[[openid]]\nid = \"peer\"\nname = \"Peer\"\nissuer = \"http://127.0.0.1:{port}\"\nclient_id = \"hilum\"\n\
         client_secret_file = \"openid.secret\"\n[[openid.roles]]\nclaim = \"groups\"\nvalue = \"readers\"\nrole = \"viewer\"\n"
    );
    std::fs::write(bench.scratch.join("openid.secret"), SECRET)?;
    let server = Server::start_configured(bench, &bench.scratch.join("openid"), &configuration)?;
    let address = format!("http://{}", server.http);
    let log = std::fs::File::create(bench.scratch.join("openid-peer.log"))?;
    let mut peer = Command::new("node");
    peer.arg(folder.join("provider.mjs")).args([&port.to_string(), &address]).env("HILUM_OPENID_SECRET", SECRET);
    let _peer = Peer(peer.stdout(log).stderr(Stdio::null()).spawn().context("could not start node")?);
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(started.elapsed() < Duration::from_secs(20), "oidc-provider did not start within 20 s");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (data, pictures) = (bench.scratch.join("openid"), Some(bench.keep.as_path()));
    Scene { name: "openid", hilum: &bench.hilum, data: &data, server: server.http, only: None, pictures }.play()?;
    let (_, trail) = server.get("/api/v1/audit?action=sign_in&limit=50")?;
    let trail = String::from_utf8_lossy(&trail).into_owned();
    for code in ["openid_denied", "openid_no_role", "\"openid\""] {
        ensure!(trail.contains(code), "the trail does not say {code}");
    }
    ensure!(!trail.contains("subject of") && !trail.contains("Name of"), "the trail names somebody");
    let node = run::output(Command::new("node").arg("--version"))?;
    Ok(format!("oidc-provider {} on Node {}", openid_peer::version()?, node.trim()))
}
