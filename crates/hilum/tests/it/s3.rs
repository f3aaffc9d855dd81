//! An archive in a bucket, from the configuration file on. The service is moto, which nobody here wrote.

use std::path::Path;

use crate::program::{assert_code, command, err, out, small_study};
use crate::s3_server as s3;

const SECRET: &str = "unlooked-for-secret";

/// A configuration file that puts objects into the data folder's own bucket.
fn configuration(data: &Path) -> Option<std::path::PathBuf> {
    let (address, bucket) = s3::bucket_of(data)?;
    let (file, credentials) = (data.with_extension("toml"), data.with_extension("s3.toml"));
    std::fs::write(&credentials, format!("access_key_id = \"{SECRET}-id\"\nsecret_access_key = \"{SECRET}\"\n"))
        .unwrap();
    let (data, credentials) = (data.display(), credentials.display());
    let text = format!(
        "data = \"{data}\"\n[storage]\nurl = \"s3://{bucket}/archive\"\nendpoint = \"http://{address}\"\nallow_http = true\n\
         credentials = \"{credentials}\"\n"
    );
    std::fs::write(&file, text).unwrap();
    Some(file)
}

/// Runs a command with all that it can log, and none of it a secret.
fn run(configuration: &Path, arguments: &[&str]) -> String {
    let mut command = command();
    command.args(arguments).arg("--config").arg(configuration).env("HILUM_LOG", "trace");
    let output = command.output().unwrap();
    assert_code(&output, 0);
    assert!(!err(&output).contains(SECRET) && !out(&output).contains(SECRET), "{arguments:?} shows credentials");
    out(&output)
}

#[test]
fn an_archive_in_a_bucket_is_filled_checked_backed_up_restored_and_exported_and_no_log_shows_its_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let (data, restored) = (folder.path().join("data"), folder.path().join("restored"));
    let (Some(first), Some(second)) = (configuration(&data), configuration(&restored)) else { return };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let dicom = small_study(folder.path(), 31);
    run(&first, &["import", &text(&dicom)]);
    let json = |told: String| serde_json::from_str::<serde_json::Value>(&told).unwrap();
    let checked = json(run(&first, &["check", "--json"]));
    let slices = checked["objects"].clone();
    assert!(slices.as_u64().unwrap() > 20 && checked["faults"] == serde_json::json!([]), "{checked}");
    assert!(!data.join("objects").exists());

    let backup = text(&folder.path().join("backup"));
    run(&first, &["backup", &backup]);
    run(&second, &["restore", &backup]);
    let again = json(run(&second, &["check", "--json"]));
    assert_eq!(
        (&again["objects"], &again["rows"], &again["faults"]),
        (&checked["objects"], &checked["rows"], &checked["faults"])
    );
    let exported = folder.path().join("exported");
    let told = json(run(&second, &["export", &text(&exported), "--json", "--modality", "CT"]));
    assert_eq!((&told["instances"], &told["written"]), (&slices, &slices));
    assert!(exported.join("DICOMDIR").is_file());
}

#[test]
fn what_is_wrong_with_the_bucket_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let Some(file) = configuration(&data) else { return };
    let dicom = small_study(folder.path(), 32);
    let text = std::fs::read_to_string(&file).unwrap();
    let import = || command().arg("import").arg(&dicom).arg("--config").arg(&file).output().unwrap();

    std::fs::write(&file, text.replace("/archive", "x/archive")).unwrap();
    let output = import();
    assert_code(&output, 1);
    assert!(err(&output).contains("no such bucket"), "{}", err(&output));

    std::fs::write(&file, text.replace("allow_http = true", "")).unwrap();
    let output = import();
    assert_code(&output, 2);
    assert!(err(&output).contains("storage: endpoint: ") && err(&output).contains("allow_http"), "{}", err(&output));
}
