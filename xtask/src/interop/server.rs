//! A `hilum serve` of our own: ports that nobody else has, its own data folder, gone when dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::Bench;
use crate::run;

/// How long one may take until it listens, and again until it is ready.
const START: Duration = Duration::from_secs(30);

/// A running server.
pub struct Server {
    child: Child,
    /// Where it answers HTTP.
    pub http: SocketAddr,
    /// Where it answers DICOM.
    pub dimse: SocketAddr,
    /// Of an account that may look, send, delete and read.
    pub token: String,
}

impl Server {
    /// Starts the checked binary on a data folder and waits until it is ready.
    pub fn start(bench: &Bench, data: &Path) -> anyhow::Result<Self> {
        Self::start_with(&bench.hilum, data)
    }

    /// Starts a binary on a data folder and waits until it is ready.
    pub fn start_with(hilum: &Path, data: &Path) -> anyhow::Result<Self> {
        Self::spawn(hilum, "serve", data, None)
    }

    /// Starts `hilum demo`, whose synthetic patients arrive meanwhile.
    pub fn start_demo(hilum: &Path, data: &Path) -> anyhow::Result<Self> {
        Self::spawn(hilum, "demo", data, None)
    }

    /// Starts the checked binary on a data folder with the text of a configuration file, which lies beside the folder.
    pub fn start_configured(bench: &Bench, data: &Path, configuration: &str) -> anyhow::Result<Self> {
        let file = data.with_extension("toml");
        std::fs::write(&file, configuration)?;
        Self::spawn(&bench.hilum, "serve", data, Some(&file))
    }

    /// The same, and nothing is read or reported before an hour is over.
    pub fn start_without_reports(hilum: &Path, data: &Path) -> anyhow::Result<Self> {
        let file = data.with_extension("toml");
        std::fs::write(&file, "quiet_after_seconds = 3600\n")?;
        Self::spawn(hilum, "serve", data, Some(&file))
    }

    fn spawn(hilum: &Path, verb: &str, data: &Path, configuration: Option<&Path>) -> anyhow::Result<Self> {
        let token = token(hilum, data, configuration)?;
        let path = data.with_extension("log");
        let log = std::fs::File::options().create(true).append(true).open(&path)?;
        let mut child = Command::new(hilum)
            .args([verb, "--http", "127.0.0.1:0", "--dimse", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(configuration.into_iter().flat_map(|file| [Path::new("--config"), file]))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("could not start hilum serve")?;
        let stdout = child.stdout.take().context("standard output")?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        // From here on it ends with what holds it.
        let mut server = Self { child, http: nowhere, dimse: nowhere, token };
        let Ok((http, dimse)) = announced(stdout).recv_timeout(START) else {
            let _already_gone = server.child.kill();
            let status = server.child.wait()?;
            let said = std::fs::read_to_string(path)?;
            let last: Vec<_> = said.lines().rev().take(5).collect();
            bail!("the server did not listen within {} s ({status}): {}", START.as_secs(), last.join(" | "));
        };
        (server.http, server.dimse) = (http, dimse);
        server.wait(START, "be ready", |server| Ok(server.get("/readyz").is_ok_and(|(status, _)| status == 200)))?;
        Ok(server)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until something is true, or fails with what was expected.
    pub fn wait(
        &mut self,
        limit: Duration,
        what: &str,
        mut check: impl FnMut(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let start = Instant::now();
        while !check(self)? {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status} before it could {what}");
            }
            if start.elapsed() > limit {
                bail!("the server did not {what} within {} s", limit.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Pulls the plug, as a power cut would.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// `GET`, with status and body.
    pub fn get(&self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let (host, token) = (self.http, &self.token);
        self.request(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        ))
    }

    /// Studies of the list.
    pub fn studies(&self) -> anyhow::Result<Vec<Value>> {
        let body = "{}";
        let (status, answer) = self.request(&format!(
            "POST /api/v1/studies/search HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.http,
            self.token,
            body.len()
        ))?;
        if status != 200 {
            bail!("the study list answered {status}: {}", String::from_utf8_lossy(&answer));
        }
        let page: Value = serde_json::from_slice(&answer)?;
        Ok(page["items"].as_array().cloned().unwrap_or_default())
    }

    /// The one study of the list.
    pub fn only_study(&self) -> anyhow::Result<Value> {
        match self.studies()?.as_slice() {
            [study] => Ok(study.clone()),
            studies => bail!("expected one study, found {}", studies.len()),
        }
    }

    /// Waits until no study waits for its reading.
    pub fn settled(&mut self, limit: Duration) -> anyhow::Result<()> {
        self.wait(limit, "finish the readings", |server| {
            let studies = server.studies()?;
            let pending = |study: &Value| {
                matches!(study["reading"]["state"].as_str(), Some("receiving" | "queued" | "reading") | None)
            };
            Ok(!studies.is_empty() && !studies.iter().any(pending))
        })
    }

    fn request(&self, request: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect_timeout(&self.http, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no HTTP answer")?;
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP status")?;
        let body = &answer[end + 4..];
        let body = if head.contains("transfer-encoding: chunked") { unchunk(body)? } else { body.to_vec() };
        Ok((status, body))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn unchunk(mut body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = body.windows(2).position(|two| two == b"\r\n").context("chunk without a size")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line])?.trim(), 16)?;
        if size == 0 {
            return Ok(whole);
        }
        whole.extend_from_slice(body.get(line + 2..line + 2 + size).context("chunk cut short")?);
        body = &body[line + size + 4..];
    }
}

/// The account of the checks. Its password opens nothing but data folders that are gone a moment later.
pub const LOGIN: &str = "checks";
pub const PASSWORD: &str = "only for folders that are gone soon";

/// Adds an account, whose password is [`PASSWORD`], as people do it; beside a running server, or before one starts.
pub fn add_account(hilum: &Path, data: &Path, login: &str, roles: &[&str]) -> anyhow::Result<()> {
    let mut add = Command::new(hilum);
    add.args(["user", "add", login, "--password-stdin", "--data"]).arg(data);
    add.args(roles.iter().flat_map(|role| ["--role", role])).stdout(Stdio::null());
    let mut adding = add.stdin(Stdio::piped()).spawn()?;
    adding.stdin.take().context("standard input")?.write_all(PASSWORD.as_bytes())?;
    ensure!(adding.wait()?.success(), "hilum user add failed");
    Ok(())
}

/// A token of an account, in all of its roles.
pub fn token_of(hilum: &Path, data: &Path, login: &str) -> anyhow::Result<String> {
    let mut command = Command::new(hilum);
    command.args(["token", "add", login, "--name", "checks", "--data"]).arg(data);
    Ok(run::output(&mut command)?.trim().to_owned())
}

/// A token of an account on a data folder, made as people make one; beside a running server, or before one starts.
fn token(hilum: &Path, data: &Path, configuration: Option<&Path>) -> anyhow::Result<String> {
    let command = |arguments: &[&str]| {
        let mut command = Command::new(hilum);
        command.args(arguments).arg("--data").arg(data);
        command.args(configuration.into_iter().flat_map(|file| [Path::new("--config"), file]));
        command
    };
    let users = run::output(&mut command(&["user", "list", "--json"]))?;
    let users: Value = serde_json::from_str(&users)?;
    if users.as_array().is_none_or(Vec::is_empty) {
        let roles = ["--role", "data_steward", "--role", "radiologist", "--role", "administrator"];
        let mut add = command(&[&["user", "add", LOGIN, "--password-stdin"], &roles[..]].concat());
        let mut adding = add.stdin(Stdio::piped()).spawn()?;
        adding.stdin.take().context("standard input")?.write_all(PASSWORD.as_bytes())?;
        ensure!(adding.wait()?.success(), "hilum user add failed");
    }
    Ok(run::output(&mut command(&["token", "add", LOGIN, "--name", "checks"]))?.trim().to_owned())
}

/// Where a server says that it listens: HTTP, DICOM. What it prints is read to its end, so that no full pipe stops it.
fn announced(stdout: ChildStdout) -> mpsc::Receiver<(SocketAddr, SocketAddr)> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut http, mut dimse) = (None, None);
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some((_, address)) = line.strip_prefix("web page and API  ").and_then(|line| line.split_once("://"))
            {
                http = address.parse().ok();
            }
            if let Some((_, address)) = line.strip_prefix("DICOM node").and_then(|line| line.split_once(" at ")) {
                dimse = address.parse().ok();
            }
            if let (Some(http), Some(dimse)) = (http, dimse) {
                let _nobody_waits_any_more = tell.send((http, dimse));
            }
        }
    });
    told
}
