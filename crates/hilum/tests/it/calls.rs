//! Wrong calls exit with 2 and a sentence that says what to do.

use crate::program::{assert_code, command, err, hilum, out};

#[test]
fn a_wrong_call_is_told_apart_from_work_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    for (arguments, said) in [
        (vec![], "Usage"),
        (vec!["fly"], "fly"),
        (vec!["import"], "PATH"),
        (vec!["import", "/no/such/file", "--data", &data], "does not exist"),
        (vec!["import", ".", "--zone", "research", "--data", &data], "de-identification"),
        (vec!["import", ".", "--zone", "mars", "--data", &data], "clinical"),
        (vec!["import", ".", "--institution", "a b", "--data", &data], "institution code"),
        (vec!["serve", "--http", "0.0.0.0:8080", "--data", &data], "Configure [https]"),
        (vec!["serve", "--dimse", "192.168.1.2:104", "--data", &data], "Configure [[peers]]"),
        (vec!["serve", "--http", "nowhere"], "nowhere"),
        (vec!["serve", "--config", "/no/such/hilum.toml"], "hilum.toml"),
        (vec!["report", "not-a-uid", "--format", "pdf", "--data", &data], "Study Instance UID"),
        (vec!["report", "1.2.3", "--format", "doc"], "doc"),
        (vec!["report", "1.2.3", "--format", "pdf", "--data", &data], "does not exist"),
        (vec!["phantom", &data, "--thickness", "99"], "slice_thickness_mm"),
        (vec!["phantom", &data, "--studies", "0"], "--studies"),
        (vec!["predict", "model", "/no/such/input"], "does not exist"),
    ] {
        let output = hilum(&arguments);
        assert_code(&output, 2);
        assert!(err(&output).contains(said), "{arguments:?}: {}", err(&output));
    }
    assert!(!folder.path().join("data").exists(), "a wrong call leaves nothing behind");
}

#[test]
fn a_key_that_does_not_exist_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hilum.toml");
    for (text, said) in [
        ("htpp = \"127.0.0.1:1\"", "htpp"),
        ("http = \"localhost\"", "http"),
        ("ae_title = \"A TITLE THAT IS TOO LONG\"", "16"),
        ("max_associations = 0", "max_associations"),
        ("log = \"hilum=loud\"", "log"),
        ("public_names = [\"https://hilum.example\"]", "public_names: \"https://hilum.example\""),
        ("trusted_proxies = [\"proxy\"]", "trusted_proxies: \"proxy\""),
        ("trusted_proxies = [\"0.0.0.0\"]", "every address"),
        ("max_connections = 0", "max_connections"),
        ("[https]\ncertificate = \"hilum.pem\"", "https: key is missing"),
        ("[https]\nself_signed = true\nkey = \"hilum.key\"", "https: self_signed"),
        ("[https]\ncertificate = \"no.pem\"\nkey = \"no.key\"", "https: certificate"),
        ("[tls]\nsame_as_https = true", "tls: same_as_https"),
        ("[tls]\nauthorities = \"ca.pem\"", "tls: expected certificate and key"),
    ] {
        std::fs::write(&config, text).unwrap();
        let output = hilum(["serve", "--config", &config.display().to_string()]);
        assert_code(&output, 2);
        assert!(err(&output).contains(said), "{text}: {}", err(&output));
    }
}

#[test]
fn a_password_in_the_configuration_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let config = folder.path().join("hilum.toml").display().to_string();
    for (text, code, said) in [
        ("url = \"postgres://keeper:s3cret@127.0.0.1:1/hilum\"", 1, "postgres://127.0.0.1:1/hilum was not reached"),
        ("url = \"postgres://keeper:s3cret@127.0.0.1:1/hilum?oops=1\"", 2, "catalogue: url"),
        ("url = \"mysql://keeper:s3cret@127.0.0.1:1/hilum\"", 2, "postgres://user:password@host:port/database"),
        ("url = postgres://keeper:s3cret@127.0.0.1:1/hilum", 2, "line 2"),
        ("url = \"postgres://keeper:s3cret@127.0.0.1:1/hilum", 2, "line 2"),
        ("address = \"postgres://keeper:s3cret@127.0.0.1:1/hilum\"", 2, "line 2"),
    ] {
        std::fs::write(&config, format!("[catalogue]\n{text}\n")).unwrap();
        let arguments = ["import", &config, "--data", &data, "--config", &config];
        let output = command().args(arguments).env("HILUM_LOG", "trace").output().unwrap();
        assert_code(&output, code);
        let shown = format!("{}{}", out(&output), err(&output));
        assert!(shown.contains(said), "{text}: {shown}");
        assert!(!shown.contains("s3cret") && !shown.contains("keeper"), "{text}: {shown}");
    }
}

#[test]
fn help_documents_every_command_and_every_key() {
    let help = out(&hilum(["--help"]));
    for command in [
        "serve",
        "demo",
        "import",
        "report",
        "predict",
        "train",
        "evaluate",
        "phantom",
        "model",
        "echo",
        "query",
        "retrieve",
        "worklist",
        "send",
        "forwards",
        "worklist-import",
        "check",
        "backup",
        "restore",
        "export",
        "doctor",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} in {help}");
    }
    let serve = out(&hilum(["serve", "--help"]));
    for key in [
        "data",
        "http",
        "dimse",
        "ae_title",
        "check_called_ae",
        "max_associations",
        "max_instance_mib",
        "private_storage",
        "model",
        "quiet_after_seconds",
        "jobs_per_institution",
        "log",
        "callers",
        "check_host",
        "certificate",
        "key",
        "self_signed",
        "same_as_https",
        "public_names",
        "trusted_proxies",
        "max_connections",
        "requests_per_second",
        "authorities",
        "client_certificates",
        "url",
        "host",
        "port",
        "tls",
        "allowed",
        "institution",
        "retrieve_by",
        "source",
        "modality",
        "description",
        "zone",
        "forward",
        "peer",
        "every_minutes",
        "patients",
        "days_back",
        "most_studies",
    ] {
        assert!(serve.contains(&format!("\n  {key} = ")), "{key} in {serve}");
    }
}

#[test]
fn a_model_folder_that_is_not_whole_fails() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.toml"), "name = \"x\"").unwrap();
    let output = hilum(["model".as_ref(), "verify".as_ref(), folder.path().as_os_str()]);
    assert_code(&output, 1);
    assert!(out(&output).contains("model.toml"), "{}", out(&output));
}
