//! `hilum export`

use std::path::Path;

use crate::program::{assert_code, command, err, hilum, out, small_study};

fn export(data: &Path, folder: &Path, keys: &[&str]) -> std::process::Output {
    command().arg("export").arg(folder).args(["--json", "--data"]).arg(data).args(keys).output().unwrap()
}

#[test]
fn studies_are_exported_by_their_keys_and_again_without_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for seed in [21, 22] {
        let dicom = small_study(folder.path(), seed);
        assert_code(&command().args(["import", "--data"]).arg(&data).arg(dicom).output().unwrap(), 0);
    }
    let summary = |output: &std::process::Output| -> serde_json::Value {
        assert_code(output, 0);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let all = summary(&export(&data, &folder.path().join("all"), &["--modality", "CT", "--name", "*"]));
    let study = std::fs::read_dir(folder.path().join("all/DICOM")).unwrap().count();
    assert_eq!(study, 2);
    assert!(folder.path().join("all/DICOMDIR").is_file());
    let again = summary(&export(&data, &folder.path().join("all"), &["--modality", "CT"]));
    assert_eq!((&again["written"], &again["there_before"]), (&0.into(), &all["instances"]));

    let listed = export(&data, &folder.path().join("none"), &["--modality", "MR"]);
    assert_code(&listed, 1);
    assert!(err(&listed).contains("no study") && !folder.path().join("none").exists(), "{}", err(&listed));
    // One of the two is less than the folder holds.
    let dicom = folder.path().join("study-000021");
    let imported = command().args(["import", "--json", "--data"]).arg(&data).arg(dicom).output().unwrap();
    let imported: serde_json::Value = serde_json::from_slice(&imported.stdout).unwrap();
    let one = imported["studies"][0].as_str().unwrap();
    let foreign = export(&data, &folder.path().join("all"), &["--study", one]);
    assert_code(&foreign, 1);
    assert!(err(&foreign).contains("no part of this export"), "{}", err(&foreign));
    let one = summary(&export(&data, &folder.path().join("one"), &["--study", one, "--file-set-id", "DISC_1"]));
    assert!(one["instances"].as_u64().unwrap() < all["instances"].as_u64().unwrap());
}

#[test]
fn a_wrong_call_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (data, target) = (folder.path().join("data"), folder.path().join("out"));
    for (keys, said) in [
        (&[][..], "name what to export"),
        (&["--study", "1.2.3", "--file-set-id", "lower"], "file-set ID"),
        (&["--date", "yesterday"], "--date"),
        (&["--study", "1.2.3"], "is no data folder"),
    ] {
        let output = export(&data, &target, keys);
        assert_code(&output, 2);
        assert!(err(&output).contains(said), "{keys:?}: {}", err(&output));
    }
    assert!(!target.exists() && !data.exists());
    let help = out(&hilum(["export", "--help"]));
    assert!(help.contains("DICOMDIR") && help.contains("--file-set-id"), "{help}");
}
