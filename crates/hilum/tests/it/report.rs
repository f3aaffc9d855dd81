//! `hilum report` without a server.

use std::process::Command;

use crate::program::{assert_code, command, err, out, small_study};

#[test]
fn a_report_after_an_import_is_made_on_the_spot_and_its_name_tells_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (dicom, data) = (small_study(folder.path(), 31), folder.path().join("data"));
    let imported = command().args(["import", "--data"]).arg(&data).arg(&dicom).output().unwrap();
    assert_code(&imported, 0);
    let text = out(&imported);
    let study = text.lines().find_map(|line| line.strip_prefix("study ")).expect("import names the study");

    let report = |format: &str, more: &[&str]| {
        let mut command = command();
        command.current_dir(folder.path()).args(["report", study, "--format", format, "--data"]).arg(&data).args(more);
        command.output().unwrap()
    };
    let json = report("json", &["--out", "-"]);
    assert_code(&json, 0);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["study"]["study_uid"], study);

    for (format, magic) in [("pdf", &b"%PDF"[..]), ("xlsx", b"PK")] {
        let written = report(format, &["--lang", "ko"]);
        assert_code(&written, 0);
        let name = out(&written).trim().to_owned();
        assert_eq!(name.len(), "report-01234567.".len() + format.len(), "{name}");
        assert!(std::fs::read(folder.path().join(&name)).unwrap().starts_with(magic), "{name}");
        assert_eq!(out(&report(format, &[])).trim(), name, "the same study, the same name");
    }

    // Of DICOM objects one can only have what the report says.
    let structured = report("sr", &[]);
    assert_code(&structured, 0);
    let name = out(&structured).trim().to_owned();
    assert!(name.ends_with(".sr.dcm"), "{name}");
    assert_eq!(&std::fs::read(folder.path().join(&name)).unwrap()[128..132], b"DICM");
    let segmentation = report("seg", &["--out", "-"]);
    if json["stones"].as_array().unwrap().is_empty() {
        assert_code(&segmentation, 1);
        assert!(err(&segmentation).contains("this report has no such object"), "{}", err(&segmentation));
    } else {
        assert_code(&segmentation, 0);
        assert_eq!(&segmentation.stdout[128..132], b"DICM");
    }

    let unknown = Command::new(env!("CARGO_BIN_EXE_hilum"))
        .args(["report", "1.2.3", "--format", "pdf", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert_code(&unknown, 1);
    assert!(err(&unknown).contains("no such study"), "{}", err(&unknown));
}
