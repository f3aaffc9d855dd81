//! Real data and independent programs to compare with; what is absent is said, and is a failure where it is required.

use std::path::{Path, PathBuf};
use std::process::Command;

pub fn skip(reason: &str, required_by: &str) {
    assert!(std::env::var(required_by).as_deref() != Ok("1"), "{required_by}=1, but {reason}");
    println!("SKIPPED: {reason}");
}

/// A folder of real data.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HILUM_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join("data").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    skip(&format!("no real data in {folder} (HILUM_SHARED names their folder)"), "HILUM_REQUIRE_SHARED");
    None
}

/// Every file below a folder, in order of path.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// What a Python script prints, given arguments; `None` where there is no Python with pydicom.
pub fn python(script: &str, arguments: &[&Path]) -> Option<String> {
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else {
        skip("HILUM_ORACLE_PYTHON names no Python with pydicom and numpy", "HILUM_REQUIRE_ORACLES");
        return None;
    };
    let output = Command::new(python).args(["-W", "ignore", "-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What dciodvfy (dicom3tools) says about a file; `None` where it is not installed.
pub fn dciodvfy(file: &Path) -> Option<String> {
    let Ok(output) = Command::new("dciodvfy").arg(file).output() else {
        skip("dciodvfy is not installed (Debian: dicom3tools)", "HILUM_REQUIRE_ORACLES");
        return None;
    };
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// A program that the oracles' Python environment brings (dcmqi); `None` where there is none.
fn beside_python(program: &str) -> Option<Command> {
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else {
        skip(&format!("HILUM_ORACLE_PYTHON names no environment with {program}"), "HILUM_REQUIRE_ORACLES");
        return None;
    };
    Some(Command::new(Path::new(&python).with_file_name(program)))
}

/// Has dcmqi make a label map (`1.nii.gz`, `2.nii.gz` ...) of each segment of a segmentation; `false` where there is no dcmqi.
pub fn segimage2itkimage(segmentation: &Path, into: &Path) -> bool {
    let Some(mut command) = beside_python("segimage2itkimage") else { return false };
    command.arg("--inputDICOM").arg(segmentation).arg("--outputDirectory").arg(into).args(["-t", "nii"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    true
}

/// What dcmqi reads out of a measurement report, as JSON; `None` where there is no dcmqi.
pub fn tid1500reader(report: &Path) -> Option<serde_json::Value> {
    let out = report.with_extension("json");
    let mut command = beside_python("tid1500reader")?;
    let output = command.arg("--inputDICOM").arg(report).arg("--outputMetadata").arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    Some(serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap())
}

/// What PixelMed's DicomSRValidator says of a report; `None` where it is not installed.
pub fn sr_validator(report: &Path) -> Option<String> {
    // Its style sheets have more operators than Java allows by itself.
    let limits = ["jdk.xml.xpathTotalOpLimit", "jdk.xml.xpathExprOpLimit", "jdk.xml.xpathExprGrpLimit"];
    let options = limits.map(|limit| format!("-D{limit}=0")).join(" ");
    let Ok(output) = Command::new("DicomSRValidator").arg(report).env("JDK_JAVA_OPTIONS", options).output() else {
        skip("DicomSRValidator is not installed (Debian: pixelmed-apps)", "HILUM_REQUIRE_ORACLES");
        return None;
    };
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
