//! `hilum import`

use std::path::Path;

use crate::program::{assert_code, command, err, out, small_study};

fn import(data: &Path, path: &Path) -> (i32, serde_json::Value) {
    let output = command().args(["import", "--json", "--data"]).arg(data).arg(path).output().unwrap();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", err(&output)));
    (output.status.code().unwrap(), summary)
}

#[test]
fn a_study_imported_twice_is_one_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (dicom, data) = (small_study(folder.path(), 11), folder.path().join("data"));
    let (code, first) = import(&data, &dicom);
    assert_eq!(code, 0, "{first}");
    assert!(first["kept"].as_u64().unwrap() > 10, "{first}");
    let (code, second) = import(&data, &dicom);
    assert_eq!(code, 0, "{second}");
    assert_eq!((&second["kept"], &second["already_there"]), (&0.into(), &first["kept"]));
    assert_eq!(first["studies"], second["studies"]);
}

#[test]
fn a_folder_without_dicom_and_a_damaged_file_fail_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("notes.txt"), "nothing").unwrap();
    std::fs::write(other.join("empty"), "").unwrap();
    let (code, summary) = import(&data, &other);
    assert_eq!((code, &summary["kept"]), (1, &0.into()), "{summary}");

    let dicom = small_study(folder.path(), 12).join("series-1");
    let whole = dicom.join("000001.dcm");
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&whole, &bytes[..bytes.len() / 2]).unwrap();
    let (code, summary) = import(&data, &dicom);
    assert_eq!(code, 1);
    assert_eq!(summary["refused"].as_array().unwrap().len(), 1, "{summary}");
    assert!(summary["kept"].as_u64().unwrap() > 10, "the others are kept: {summary}");
}

#[test]
fn what_a_person_reads_names_the_study() {
    let folder = tempfile::tempdir().unwrap();
    let (dicom, data) = (small_study(folder.path(), 13), folder.path().join("data"));
    let output = command().args(["import", "--data"]).arg(&data).arg(&dicom).output().unwrap();
    assert_code(&output, 0);
    assert!(out(&output).contains("\nstudy 2.25."), "{}", out(&output));
}
