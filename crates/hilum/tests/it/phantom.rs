//! `hilum phantom`

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::program::{assert_code, hilum, oracle_python, out, small_study};

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let (first, again) = (small_study(&folder.path().join("a"), 5), small_study(&folder.path().join("b"), 5));
    let other = small_study(folder.path(), 6);
    let read = |folder: &Path| files_below(folder).iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>();
    let (first, again, other) = (read(&first), read(&again), read(&other));
    assert!(first.len() > 10, "{} instances", first.len());
    assert!(first == again, "equal bits");
    assert!(first[0] != other[0]);
}

#[test]
fn the_truth_beside_a_study_is_its_stones() {
    let folder = tempfile::tempdir().unwrap();
    let dicom = small_study(folder.path(), 7);
    let study = dicom.parent().unwrap();
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(study.join("truth.json")).unwrap()).unwrap();
    assert_eq!(truth["stones"].as_array().unwrap().len(), 1);
    let Some(python) = oracle_python("pydicom and nibabel") else { return };
    // pydicom finds the stone's place and density in the DICOM files, nibabel its voxels in the mask, both in one space.
    let script = "import sys, json, glob, numpy as np, pydicom, nibabel\n\
        study = sys.argv[1]; stone = json.load(open(study + '/truth.json'))['stones'][0]\n\
        mask = nibabel.load(study + '/truth.nii.gz'); voxels = np.argwhere(np.asarray(mask.dataobj) > 0)\n\
        ras = nibabel.affines.apply_affine(mask.affine, voxels.mean(0)); lps = ras * [-1, -1, 1]\n\
        assert len(voxels) == stone['voxels'], (len(voxels), stone)\n\
        off = np.abs(lps - stone['centre_patient_mm']); assert off.max() < 8, (lps, stone)\n\
        files = [pydicom.dcmread(f) for f in glob.glob(study + '/dicom/*/*.dcm')]\n\
        ds = min(files, key=lambda d: abs(d.ImagePositionPatient[2] - lps[2]))\n\
        column = round((lps[0] - ds.ImagePositionPatient[0]) / ds.PixelSpacing[1])\n\
        row = round((lps[1] - ds.ImagePositionPatient[1]) / ds.PixelSpacing[0])\n\
        hu = ds.pixel_array * ds.RescaleSlope + ds.RescaleIntercept\n\
        print(hu[row-3:row+4, column-3:column+4].max() > 100)\n";
    let output = Command::new(python).args(["-c", script]).arg(study).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(out(&output), "True\n");
}

#[test]
fn what_was_made_is_listed_as_json_and_reformats_come_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let arguments = ["--studies", "2", "--seed", "3", "--matrix", "256", "--thickness", "10", "--region", "abdomen"];
    let output = hilum(["phantom", &path, "--all-series", "--json"].into_iter().chain(arguments));
    assert_code(&output, 0);
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&listed[0]["seed"], &listed[1]["seed"]), (&3.into(), &4.into()));
    for study in listed.as_array().unwrap() {
        let folder = PathBuf::from(study["folder"].as_str().unwrap());
        assert_eq!(files_below(&folder.join("dicom")).len() as u64, study["instances"].as_u64().unwrap());
        for series in ["series-1", "series-2", "series-3"] {
            assert!(folder.join("dicom").join(series).is_dir(), "{series}");
        }
    }
    assert_ne!(listed[0]["study_uid"], listed[1]["study_uid"]);
}
