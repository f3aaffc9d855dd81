//! Running the program.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The Python of the oracles, which has `packages`; without one the test is skipped, or fails where oracles are required.
pub fn oracle_python(packages: &str) -> Option<String> {
    let python = std::env::var("HILUM_ORACLE_PYTHON").ok();
    if python.is_none() {
        assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "HILUM_ORACLE_PYTHON names no Python");
        println!("SKIPPED: HILUM_ORACLE_PYTHON names no Python with {packages}");
    }
    python
}

pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hilum"));
    command.env_remove("HILUM_LOG").env_remove("HILUM_KEY");
    command
}

/// Runs to the end.
pub fn hilum<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    command().args(arguments).output().expect("the program starts")
}

/// The exit code, with what was said in the message when it is another.
#[track_caller]
pub fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", out(output), err(output));
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `hilum check` finds no fault; the number of rows that it looked at.
#[track_caller]
pub fn assert_sound(data: &Path) -> u64 {
    let output = command().args(["check", "--json", "--data"]).arg(data).output().unwrap();
    assert_code(&output, 0);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["faults"], serde_json::json!([]));
    report["rows"].as_u64().unwrap()
}

/// A small synthetic study below `folder`; the folder of its DICOM files.
pub fn small_study(folder: &Path, seed: u64) -> PathBuf {
    let seed_text = seed.to_string();
    let arguments =
        ["--seed", &seed_text, "--matrix", "256", "--thickness", "8", "--region", "abdomen", "--stones", "1"];
    let output = command().arg("phantom").arg(folder).args(arguments).output().unwrap();
    assert_code(&output, 0);
    folder.join(format!("study-{seed:06}")).join("dicom")
}

/// Configuration: no series settles while a test runs, so that what the catalogue holds are instances alone.
pub const NO_REPORTS: &str = "quiet_after_seconds = 600\n";

/// What opens the servers that run, by their addresses.
static KEYS: LazyLock<Mutex<HashMap<String, Key>>> = LazyLock::new(Mutex::default);

enum Key {
    /// For this data folder and configuration.
    NotMade(PathBuf, Option<PathBuf>),
    Token(String),
}

/// From now on requests to a server come in with this token: its data folder is out of this program's sight.
pub fn let_in(http: &str, token: &str) {
    KEYS.lock().unwrap_or_else(PoisonError::into_inner).insert(http.to_owned(), Key::Token(token.to_owned()));
}

/// The header line with which a request to a server comes in; its token is made, as people make one, when the first asks.
pub fn authorization(http: &str) -> String {
    let keys = &mut *KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = keys.get_mut(http).expect("a server that was started here");
    if let Key::NotMade(data, configuration) = key {
        let run = |arguments: &[&str]| {
            let mut command = command();
            command.args(arguments).arg("--data").arg(&*data);
            command.args(configuration.iter().flat_map(|file| [OsStr::new("--config"), file.as_os_str()]));
            command.output().unwrap()
        };
        let steward = "--role=data_steward";
        let added = run(&["user", "add", "tests", steward, "--role=radiologist", "--role=administrator"]);
        assert!(
            added.status.success() || err(&added).contains("there is an account with this login"),
            "{}",
            err(&added)
        );
        let token = run(&["token", "add", "tests", "--name", "tests"]);
        assert_code(&token, 0);
        *key = Key::Token(out(&token).trim().to_owned());
    }
    let Key::Token(token) = key else { unreachable!() };
    format!("Authorization: Bearer {token}\r\n")
}

/// A server that has said where it listens; killed when dropped.
pub struct Server {
    child: Child,
    pub http: String,
    pub dimse: String,
    /// Of the address where the first account is made, where one was said.
    link: String,
    said: Vec<String>,
}

impl Server {
    pub fn start(data: &Path) -> Self {
        Self::start_as("serve", data)
    }

    /// With the secret of the first account's address, which is empty where somebody manages accounts.
    pub fn start_with_link(data: &Path) -> (Self, String) {
        let server = Self::start(data);
        let link = server.link.clone();
        (server, link)
    }

    /// `serve` or `demo`.
    pub fn start_as(name: &str, data: &Path) -> Self {
        let mut command = command();
        command.args([name, "--dimse", "127.0.0.1:0"]);
        Self::run(command, data)
    }

    /// `serve` with the text of a configuration file.
    pub fn start_with(data: &Path, configuration: &str) -> Self {
        let file = data.with_extension("toml");
        std::fs::write(&file, configuration).unwrap();
        let mut command = command();
        command.args(["serve", "--dimse", "127.0.0.1:0", "--config"]).arg(file);
        Self::run(command, data)
    }

    /// `serve` with a configuration file that says where the DICOM node listens.
    pub fn start_at(data: &Path, configuration: &Path) -> Self {
        let mut command = command();
        command.args(["serve", "--config"]).arg(configuration);
        Self::run(command, data)
    }

    /// By a command that becomes, or runs, `serve`.
    pub fn run(mut command: Command, data: &Path) -> Self {
        let configuration = command.get_args().skip_while(|argument| *argument != "--config").nth(1).map(PathBuf::from);
        let mut child = command
            .args(["--http", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (mut http, mut dimse, mut link, mut said) = (String::new(), String::new(), String::new(), Vec::new());
        for line in stdout.lines() {
            let line = line.expect("text");
            if let Some((_, address)) = line.strip_prefix("web page and API  ").and_then(|line| line.split_once("://"))
            {
                address.clone_into(&mut http);
            }
            if let Some((_, secret)) = line.split_once("/welcome#") {
                secret.clone_into(&mut link);
            }
            if let Some((_, address)) = line.split_once(" at ") {
                address.clone_into(&mut dimse);
            }
            if line.starts_with("Ctrl-C") {
                let keys = &mut *KEYS.lock().unwrap_or_else(PoisonError::into_inner);
                keys.insert(http.clone(), Key::NotMade(data.to_owned(), configuration));
                return Self { child, http, dimse, link, said };
            }
            said.push(line);
        }
        panic!("the server ended: {:?}", child.wait());
    }

    /// The line of its announcement that begins like this.
    pub fn said(&self, beginning: &str) -> &str {
        self.said.iter().find(|line| line.starts_with(beginning)).map_or("", String::as_str)
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        let kill = Command::new("kill").arg("-HUP").arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill runs").success());
    }

    /// The most memory that it has had in use, MiB (VmHWM of proc(5)).
    pub fn peak_memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// The body of a GET.
    pub fn get(&self, path: &str) -> String {
        let (host, key) = (&self.http, authorization(&self.http));
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{key}Connection: close\r\n\r\n"))
    }

    /// The study list, as JSON.
    pub fn studies(&self) -> String {
        self.request(&format!(
            "POST /api/v1/studies/search HTTP/1.1\r\nHost: {}\r\n{}Content-Type: application/json\r\n\
             Content-Length: 2\r\nConnection: close\r\n\r\n{{}}",
            self.http,
            authorization(&self.http)
        ))
    }

    /// A POST of JSON by nobody; the whole answer.
    pub fn post(&self, path: &str, body: &str) -> String {
        let (host, length) = (&self.http, body.len());
        self.answer(&format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        ))
    }

    /// A POST of JSON with the key of an account; the whole answer.
    pub fn post_as_somebody(&self, path: &str, body: &str) -> String {
        let (host, key, length) = (&self.http, authorization(&self.http), body.len());
        self.answer(&format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{key}Content-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        ))
    }

    /// A GET with these header lines alone; the whole answer.
    pub fn get_with(&self, path: &str, headers: &str) -> String {
        let host = &self.http;
        self.answer(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n"))
    }

    fn request(&self, request: &str) -> String {
        self.answer(request).split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("an answer")
    }

    fn answer(&self, request: &str) -> String {
        let mut socket = TcpStream::connect(&self.http).expect("the server listens");
        socket.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    }

    /// Sends a signal by its name and waits for the exit code.
    pub fn signal(mut self, name: &str) -> Option<i32> {
        let kill = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(kill.expect("kill runs").success());
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            self.child.wait().expect("a killed child ends");
        }
    }
}
