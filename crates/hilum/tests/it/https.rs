//! `[https]`, `[tls] same_as_https`, and what a server says and logs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use crate::program::{Server, command, small_study};

/// None where the program is not installed, which is a failure where it is required.
fn program(name: &str, arguments: &[&str]) -> Option<Output> {
    match Command::new(name).args(arguments).stdin(std::process::Stdio::null()).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "{name} is not installed: {error}");
            println!("SKIPPED: {name} is not installed");
            None
        }
    }
}

/// A self-signed certificate for this machine, by openssl; none where that is not installed.
pub fn certificate(key: &Path, pem: &Path, subject: &str, days: &str) -> Option<Output> {
    let (key, pem) = (key.display().to_string(), pem.display().to_string());
    let kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let own =
        ["-days", days, "-subj", subject, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", &key, "-out", &pem];
    program("openssl", &[&kind[..], &own].concat())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// `hilum serve` by a shell that keeps what it logs in a file.
fn start(folder: &Path, configuration: &str) -> (Server, PathBuf) {
    let (file, log) = (folder.join("hilum.toml"), folder.join("log.txt"));
    std::fs::write(&file, configuration).unwrap();
    let mut shell = Command::new("sh");
    let script =
        "log=$1 config=$2; shift 2; exec \"$0\" serve --dimse 127.0.0.1:0 --config \"$config\" \"$@\" 2> \"$log\"";
    shell.args(["-c", script, env!("CARGO_BIN_EXE_hilum")]).args([&log, &file]).env_remove("HILUM_LOG");
    (Server::run(shell, &folder.join("data")), log)
}

/// The fingerprint of the certificate that a server shows, as openssl sees it.
fn shown(server: &Server, folder: &Path) -> Option<String> {
    let output = program("openssl", &["s_client", "-connect", &server.http])?;
    let pem = folder.join("shown.pem");
    std::fs::write(&pem, &output.stdout).unwrap();
    let output = program("openssl", &["x509", "-noout", "-fingerprint", "-sha256", "-in", &pem.display().to_string()])?;
    let text = text(&output);
    Some(text.trim().split_once('=').unwrap_or_else(|| panic!("{text}")).1.to_owned())
}

#[test]
fn a_self_signed_certificate_is_made_once_and_its_fingerprint_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = "public_names = [\"hilum.hospital.example\", \"10.20.30.40\"]\n[https]\nself_signed = true\n";
    let (server, _) = start(folder.path(), configuration);
    let Some(fingerprint) = shown(&server, folder.path()) else { return };
    assert_eq!(server.said("certificate").rsplit(' ').next(), Some(fingerprint.as_str()));
    assert!(server.said("certificate").contains("self-signed"));
    assert!(server.said("web page").contains("https://127.0.0.1:"));
    let certificate = folder.path().join("data/https/certificate.pem").display().to_string();
    let named = text(&program("openssl", &["x509", "-noout", "-ext", "subjectAltName", "-in", &certificate]).unwrap());
    for name in ["DNS:hilum.hospital.example", "IP Address:10.20.30.40", "DNS:localhost", "IP Address:127.0.0.1"] {
        assert!(named.contains(name), "{named}");
    }
    let port = server.http.rsplit(':').next().unwrap();
    let url = format!("https://hilum.hospital.example:{port}/healthz");
    let resolve = format!("hilum.hospital.example:{port}:127.0.0.1");
    let Some(output) = program("curl", &["-sS", "-i", "--cacert", &certificate, "--resolve", &resolve, &url]) else {
        return;
    };
    let answer = text(&output).to_lowercase();
    assert!(answer.starts_with("http/1.1 200") && answer.contains("strict-transport-security: max-age="), "{answer}");
    assert_eq!(server.signal("TERM"), Some(0));
    let (again, _) = start(folder.path(), configuration);
    assert_eq!(shown(&again, folder.path()), Some(fingerprint));
}

#[test]
fn certificate_files_are_read_again_on_sighup_by_web_server_and_dicom_node() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let made = |name: &str| {
        let (key, pem) = (path(&format!("{name}.key")), path(&format!("{name}.pem")));
        let subject = format!("/CN={name}");
        certificate(Path::new(&key), Path::new(&pem), &subject, "2")
    };
    let (Some(_), Some(_)) = (made("old"), made("new")) else { return };
    let install = |name: &str| {
        std::fs::copy(path(&format!("{name}.key")), path("hilum.key")).unwrap();
        std::fs::copy(path(&format!("{name}.pem")), path("hilum.pem")).unwrap();
    };
    install("old");
    let configuration = "[https]\ncertificate = \"hilum.pem\"\nkey = \"hilum.key\"\n[tls]\nsame_as_https = true\n";
    let (server, log) = start(folder.path(), configuration);
    let subjects = || {
        [&server.http, &server.dimse].map(|address| {
            let told = text(&program("openssl", &["s_client", "-connect", address]).unwrap());
            told.lines().find_map(|line| line.strip_prefix("subject=")).unwrap_or_default().replace(' ', "")
        })
    };
    assert_eq!(subjects(), ["CN=old", "CN=old"]);
    // Half of an update changes nothing.
    std::fs::copy(path("new.pem"), path("hilum.pem")).unwrap();
    server.hang_up();
    wait_until(|| std::fs::read_to_string(&log).unwrap().contains("the one before stays"));
    assert_eq!(subjects(), ["CN=old", "CN=old"]);
    install("new");
    server.hang_up();
    wait_until(|| subjects() == ["CN=new", "CN=new"]);
    let (host, port) = server.dimse.split_once(':').unwrap();
    let ca = path("new.pem");
    if let Some(output) = program("echoscu", &["-v", "+tla", "+cf", &ca, host, port]) {
        assert!(output.status.success(), "{}", text(&output));
    }
    assert_eq!(server.signal("TERM"), Some(0));
}

fn wait_until(done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(15));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_log_numbers_requests_and_names_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let study = small_study(folder.path(), 31);
    let (server, log) = start(folder.path(), "log = \"trace,h2=off\"\n");
    let output = command().args(["import", "--data"]).arg(folder.path().join("data")).arg(&study).output().unwrap();
    assert!(output.status.success());
    let secrets = ["KimSecret", "%EA%B9%80", "4711-77", "1.2.99.31"];
    server.get("/dicom-web/studies?PatientName=KimSecret*&PatientID=4711-77&includefield=all");
    server.get("/dicom-web/studies?00100010=%EA%B9%80");
    server.get("/dicom-web/studies?PatientBirthDate=KimSecret");
    server.get("/api/v1/studies/1.2.99.31");
    server.get("/KimSecret/4711-77?KimSecret");
    server.get("/wado?requestType=WADO&studyUID=1.2.99.31&seriesUID=1.2.99.31&objectUID=1.2.99.31");
    assert_eq!(server.signal("TERM"), Some(0));
    let log = std::fs::read_to_string(log).unwrap();
    let ours: Vec<&str> = log.lines().filter(|line| line.contains(" hilum")).collect();
    for line in &ours {
        assert!(!secrets.iter().any(|secret| line.contains(secret)), "{line}");
    }
    let answered: Vec<_> = ours.iter().filter(|line| line.contains("http method=GET")).collect();
    assert!(answered.len() >= 6, "{log}");
    for line in answered {
        let number =
            line.split_once("request{id=").and_then(|(_, rest)| rest.split_once('}')).map(|(number, _)| number);
        assert!(number.is_some_and(|number| number.parse::<uuid::Uuid>().is_ok()), "{line}");
    }
}
