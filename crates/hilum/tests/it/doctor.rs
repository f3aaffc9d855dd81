//! `hilum doctor`

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::https::certificate;
use crate::program::{Server, assert_code, command, out, small_study};

/// Codes of what was found, with their severity, and the exit code.
struct Diagnosis {
    found: BTreeMap<String, String>,
    text: String,
    exit: Option<i32>,
}

fn diagnose(folder: &Path, configuration: &str) -> Diagnosis {
    diagnose_with(folder, configuration, &[])
}

fn diagnose_with(folder: &Path, configuration: &str, arguments: &[&str]) -> Diagnosis {
    let file = folder.join("hilum.toml");
    fs::write(&file, configuration).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let output = command()
        .args(["doctor", "--json", "--config"])
        .arg(&file)
        .arg("--data")
        .arg(folder.join("data"))
        .args(arguments)
        .output()
        .unwrap();
    let text = out(&output);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let findings = report["findings"].as_array().unwrap();
    let word = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
    assert!(findings.iter().all(|finding| !word(finding, "text").is_empty() && !word(finding, "advice").is_empty()));
    let found = findings.iter().map(|finding| (word(finding, "code"), word(finding, "severity"))).collect();
    Diagnosis { found, text, exit: output.status.code() }
}

impl Diagnosis {
    #[track_caller]
    fn says(&self, code: &str, severity: &str) {
        assert_eq!(self.found.get(code).map(String::as_str), Some(severity), "{code}: {}", self.text);
        let serious = self.found.values().any(|severity| severity == "serious");
        assert_eq!(self.exit, Some(i32::from(serious)), "{}", self.text);
    }

    #[track_caller]
    fn is_silent_about(&self, codes: &[&str]) {
        for code in codes {
            assert!(!self.found.contains_key(*code), "{code}: {}", self.text);
        }
    }
}

/// A folder with data in it that this server's own start made.
fn installation() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(Server::start(&data).signal("TERM"), Some(0));
    (folder, data)
}

#[test]
fn settings_that_let_others_in_or_listen_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let diagnose = |text: &str| diagnose(folder.path(), text);
    let peer = "[[peers]]\nae_title = \"PACS\"\nhost = \"10.1.2.3\"\nport = 104\n";
    for (text, code, severity) in [
        ("http = \"0.0.0.0:8080\"", "http_in_the_clear", "serious"),
        ("http = \"0.0.0.0:8080\"\ntrusted_proxies = [\"10.0.0.5\"]", "http_behind_proxy", "warning"),
        ("http = \"0.0.0.0:8443\"\n[https]\nself_signed = true", "no_public_names", "warning"),
        ("[https]\nself_signed = true", "certificate_not_made", "note"),
        ("[https]\ncertificate = \"no.pem\"\nkey = \"no.key\"", "certificate_unreadable", "serious"),
        ("", "dimse_open_to_this_machine", "warning"),
        ("dimse = \"0.0.0.0:11112\"\ncallers = \"anybody\"", "dimse_open_to_anybody", "serious"),
        (&format!("dimse = \"0.0.0.0:11112\"\n{peer}"), "dimse_in_the_clear", "warning"),
        (&format!("dimse = \"0.0.0.0:11112\"\ncheck_host = false\n{peer}"), "dimse_hosts_unchecked", "warning"),
        (&format!("dimse = \"0.0.0.0:11112\"\n{peer}"), "peers_in_the_clear", "warning"),
        (
            &format!("dimse = \"0.0.0.0:11112\"\n{peer}[https]\nself_signed = true\n[tls]\nsame_as_https = true"),
            "dimse_callers_unproven",
            "warning",
        ),
        ("[catalogue]\nurl = \"postgres://hilum:secret@db.example/hilum\"", "catalogue_in_the_clear", "serious"),
        ("[[emr.destinations]]\nname = \"ocs\"\nmllp = \"ocs.example:2575\"", "emr_in_the_clear", "warning"),
        (
            "[catalogue]\nurl = \"postgres://hilum@db.example/hilum?sslmode=require\"",
            "catalogue_server_unproven",
            "warning",
        ),
        (
            "[catalogue]\nurl = \"postgres://hilum:secret@db.example/hilum\"",
            "credentials_readable_by_others",
            "serious",
        ),
        ("log = \"hilum=trace\"", "log_says_too_much", "warning"),
        ("", "no_data_folder", "note"),
    ] {
        let diagnosis = diagnose(text);
        diagnosis.says(code, severity);
        assert!(!diagnosis.text.contains("secret@"), "{}", diagnosis.text);
    }
    let careful = diagnose(&format!(
        "http = \"127.0.0.1:8080\"\n{peer}tls = false\n[catalogue]\nurl = \"postgres://hilum@db.example/hilum?sslmode=verify-full\""
    ));
    careful.is_silent_about(&[
        "http_in_the_clear",
        "dimse_open_to_this_machine",
        "dimse_in_the_clear",
        "catalogue_in_the_clear",
        "catalogue_server_unproven",
        "credentials_readable_by_others",
        "log_says_too_much",
    ]);
}

/// A provider that says this of itself, to whoever asks.
fn provider(document: fn(&str) -> String) -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (own, counted) = (issuer.clone(), std::sync::Arc::clone(&asked));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut head = [0; 2048];
            let read = std::io::Read::read(&mut stream, &mut head).unwrap();
            let keys = String::from_utf8_lossy(&head[..read]).contains("/jwks ");
            let body = if keys { "{\"keys\": []}".to_owned() } else { document(&own) };
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        }
    });
    (issuer, asked)
}

fn document(issuer: &str, more: &str) -> String {
    format!(
        "{{\"issuer\": \"{issuer}\", \"authorization_endpoint\": \"{issuer}/a\", \"token_endpoint\": \"{issuer}/t\", \
         \"jwks_uri\": \"{issuer}/jwks\"{more}}}"
    )
}

#[test]
fn providers_are_asked_when_that_is_asked_for_and_what_is_weak_about_them_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("openid.secret");
    fs::write(&secret, "unlooked-for\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let table = |issuer: &str, more: &str| {
        format!(
            "[[openid]]\nid = \"hospital\"\nname = \"Hospital\"\nclient_id = \"hilum\"\nissuer = \"{issuer}\"\n{more}\n"
        )
    };
    let with_secret = "client_secret_file = \"openid.secret\"";
    let ask = ["--ask-providers"];
    let (weak, asked) = provider(|issuer| document(issuer, ""));
    let quiet = diagnose(folder.path(), &table(&weak, with_secret));
    quiet.says("openid_in_the_clear", "warning");
    quiet.says("credentials_readable_by_others", "serious");
    quiet.is_silent_about(&["openid_without_pkce", "openid_unusable"]);
    assert!(!quiet.text.contains("unlooked-for"), "{}", quiet.text);
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 0, "nothing goes out unless that is asked for");
    diagnose_with(folder.path(), &table(&weak, with_secret), &ask).says("openid_without_pkce", "warning");
    diagnose_with(folder.path(), &table(&weak, ""), &ask).says("openid_without_pkce", "serious");
    let (good, _) =
        provider(|issuer| document(issuer, ", \"code_challenge_methods_supported\": [\"plain\", \"S256\"]"));
    diagnose_with(folder.path(), &table(&good, ""), &ask).is_silent_about(&["openid_without_pkce", "openid_unusable"]);
    let (other, _) = provider(|_| document("https://other.example", ""));
    let unusable = diagnose_with(folder.path(), &table(&other, ""), &ask);
    unusable.says("openid_unusable", "serious");
    assert!(unusable.text.contains("openid_other_issuer"), "{}", unusable.text);
    let nobody = crate::ports::free_address();
    let gone = diagnose_with(folder.path(), &table(&format!("http://{nobody}"), ""), &ask);
    gone.says("openid_unusable", "serious");
    assert!(gone.text.contains("openid_unreachable"), "{}", gone.text);
}

#[test]
fn what_others_may_read_is_named_and_a_fresh_installation_is_closed() {
    let (folder, data) = installation();
    let configuration = "[https]\nself_signed = true\n";
    assert_eq!(Server::start_with(&data, configuration).signal("TERM"), Some(0));
    let fresh = diagnose(folder.path(), configuration);
    fresh.says("certificate", "note");
    fresh.says("certificate_self_signed", "warning");
    fresh.is_silent_about(&[
        "key_readable_by_others",
        "data_folder_readable_by_others",
        "catalogue_damaged",
        "clock_wrong",
    ]);
    let pem = data.join("https/certificate.pem");
    if let Ok(output) = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(pem)
        .output()
    {
        let fingerprint = String::from_utf8(output.stdout).unwrap();
        assert!(fresh.text.contains(fingerprint.trim().split_once('=').unwrap().1), "{}", fresh.text);
    }
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(&data.join("https/key.pem"), 0o640);
    diagnose(folder.path(), configuration).says("key_readable_by_others", "warning");
    open(&data.join("https/key.pem"), 0o644);
    diagnose(folder.path(), configuration).says("key_readable_by_others", "serious");
    open(&data, 0o755);
    diagnose(folder.path(), configuration).says("data_folder_readable_by_others", "serious");
}

#[test]
fn a_certificate_that_ends_is_named_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[https]\ncertificate = \"hilum.pem\"\nkey = \"hilum.key\"\n";
    for (days, code, severity) in
        [("3", "certificate_ends", "serious"), ("20", "certificate_ends", "warning"), ("90", "certificate", "note")]
    {
        let (key, pem) = (folder.path().join("hilum.key"), folder.path().join("hilum.pem"));
        if certificate(&key, &pem, "/CN=x", days).is_none() {
            return;
        }
        let diagnosis = diagnose(folder.path(), configuration);
        diagnosis.says(code, severity);
        assert_eq!(diagnosis.found.contains_key("certificate_ends"), days != "90");
        assert!(!diagnosis.text.contains("PRIVATE"));
    }
}

#[test]
fn a_damaged_catalogue_is_named_and_nobody_in_it() {
    let (folder, data) = installation();
    let study = small_study(folder.path(), 41);
    assert_code(&command().args(["import", "--data"]).arg(&data).arg(&study).output().unwrap(), 0);
    let healthy = diagnose(folder.path(), "");
    healthy.is_silent_about(&["catalogue_damaged", "catalogue_unreadable"]);
    healthy.says("no_administrator", "warning");
    let added = command().args(["user", "add", "chief", "--role=administrator", "--data"]).arg(&data).output().unwrap();
    assert_code(&added, 0);
    diagnose(folder.path(), "").is_silent_about(&["no_administrator"]);
    let catalogue = data.join("catalog.sqlite");
    // A WAL would be read instead of what is damaged.
    assert!(!data.join("catalog.sqlite-wal").exists(), "a command leaves the catalogue in one file");
    let mut bytes = fs::read(&catalogue).unwrap();
    // The pages behind the schema: SQLite opens the file, and finds them only when it looks.
    let half = bytes.len() / 2;
    bytes[half..].fill(0xFF);
    fs::write(&catalogue, bytes).unwrap();
    let damaged = diagnose(folder.path(), "");
    damaged.says("catalogue_unreadable", "serious");
    assert!(!damaged.text.contains("SYN-"), "{}", damaged.text);
}

#[test]
fn keys_beside_the_data_missing_backups_and_administrators_with_a_password_alone_are_named() {
    let (folder, data) = installation();
    let on = |arguments: &[&str]| {
        assert_code(&command().args(arguments).arg("--data").arg(&data).output().unwrap(), 0);
    };
    let fresh = diagnose(folder.path(), "");
    fresh.is_silent_about(&["no_backup", "keys_beside_data", "key_missing", "administrators_without_second_factor"]);
    let study = small_study(folder.path(), 42);
    on(&["import", study.to_str().unwrap()]);
    on(&["user", "add", "chief", "--role=administrator"]);
    on(&["key", "new"]);
    let used = diagnose(folder.path(), "");
    used.says("no_backup", "warning");
    used.says("administrators_without_second_factor", "warning");
    used.says("keys_beside_data", "warning");
    used.is_silent_about(&["key_file_readable_by_others", "key_missing"]);
    on(&["backup", folder.path().join("backup").to_str().unwrap()]);
    let kept = diagnose(folder.path(), "");
    kept.says("backup_age", "note");
    kept.is_silent_about(&["no_backup", "backup_old"]);
    let keys = data.join("keys/hilum.keys");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).unwrap();
    diagnose(folder.path(), "").says("key_file_readable_by_others", "serious");
    // Elsewhere, and named.
    let safe = folder.path().join("safe.keys");
    fs::rename(&keys, &safe).unwrap();
    fs::set_permissions(&safe, fs::Permissions::from_mode(0o600)).unwrap();
    let wrong = folder.path().join("wrong.keys");
    fs::write(&wrong, "0123456789abcdef AAAA\n").unwrap();
    let broken = diagnose(folder.path(), "key_file = \"wrong.keys\"\n");
    broken.says("keys_unreadable", "serious");
    broken.is_silent_about(&["catalogue_unreadable"]);
    let apart = diagnose(folder.path(), "key_file = \"safe.keys\"\n");
    apart.is_silent_about(&["keys_beside_data", "key_file_readable_by_others", "key_missing"]);
}
