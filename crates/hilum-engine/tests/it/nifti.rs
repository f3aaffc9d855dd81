//! NIfTI against nibabel: left stays left.

use crate::fixture::{python, shared};
use hilum_engine::nifti::{read_mask, read_volume, write_mask, write_volume};
use hilum_imaging::{Affine, Mask, Volume};
use ndarray::Array3;
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

fn oblique() -> Affine {
    Affine::new([-10.0, 20.5, -300.25], [[0.0, 0.5, 2.0], [0.0, 0.75, -0.2], [0.8, 0.1, 0.0]]).unwrap()
}

fn close(a: [f64; 3], b: [f64; 3]) -> bool {
    (0..3).all(|axis| (a[axis] - b[axis]).abs() < 1e-3)
}

#[test]
fn a_volume_and_a_mask_come_back_as_they_were_written() {
    let folder = tempdir().unwrap();
    let hu = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| (z * 100 + y * 10 + x) as i16 - 50);
    for name in ["v.nii", "v.nii.gz"] {
        let path = folder.path().join(name);
        write_volume(&path, &Volume { hu: hu.clone(), geometry: oblique() }).unwrap();
        let back = read_volume(&path).unwrap();
        assert_eq!(back.hu, hu, "{name}");
        assert!(close(
            back.geometry.patient_from_index([2.0, 3.0, 4.0]),
            oblique().patient_from_index([2.0, 3.0, 4.0])
        ));
    }
    let labels = hu.mapv(|value| (value > 100) as u8);
    let path = folder.path().join("m.nii.gz");
    write_mask(&path, &Mask { labels: labels.clone(), geometry: oblique() }).unwrap();
    assert_eq!(read_mask(&path).unwrap().labels, labels);
    std::fs::write(folder.path().join("no.nii"), b"no NIfTI").unwrap();
    assert!(read_volume(&folder.path().join("no.nii")).is_err());
}

/// nibabel's value and RAS millimetres of a voxel `[x, y, z]`.
fn nibabel(python: &Path, file: &Path, voxel: [usize; 3]) -> Vec<f64> {
    let code = "import sys, nibabel, numpy\n\
        image = nibabel.load(sys.argv[1])\n\
        voxel = [int(v) for v in sys.argv[2:5]]\n\
        ras = nibabel.affines.apply_affine(image.affine, voxel)\n\
        print(*image.shape[:3], float(image.get_fdata()[tuple(voxel)]), *ras)";
    let voxel = voxel.map(|index| index.to_string());
    let output = Command::new(python).arg("-c").arg(code).arg(file).args(voxel).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(|n| n.parse().unwrap()).collect()
}

#[test]
fn nibabel_reads_the_same_voxel_at_the_same_place() {
    let Some(python) = python() else { return };
    let folder = tempdir().unwrap();
    let path = folder.path().join("v.nii.gz");
    let hu = Array3::from_shape_fn((3, 4, 5), |(z, y, x)| (z * 100 + y * 10 + x) as i16);
    write_volume(&path, &Volume { hu: hu.clone(), geometry: oblique() }).unwrap();
    let seen = nibabel(&python, &path, [4, 3, 2]);
    let [x, y, z] = oblique().patient_from_index([2.0, 3.0, 4.0]);
    assert_eq!(seen[..4], [5.0, 4.0, 3.0, 234.0]);
    assert!(close([seen[4], seen[5], seen[6]], [-x, -y, z]), "{seen:?}");
}

#[test]
fn the_labelled_torso_is_read_as_nibabel_reads_it() {
    let (Some(folder), Some(python)) = (shared("ct-torso-labelled"), python()) else { return };
    let file = walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .find(|path| path.to_string_lossy().ends_with(".nii.gz") && path.to_string_lossy().contains("ct"));
    let file = file.expect("ct-torso-labelled holds a CT in NIfTI");
    let volume = read_volume(&file).unwrap();
    let seen = nibabel(&python, &file, [69, 51, 62]);
    assert_eq!(
        [seen[2], seen[1], seen[0]],
        [volume.hu.dim().0, volume.hu.dim().1, volume.hu.dim().2].map(|n| n as f64)
    );
    assert!((f64::from(volume.hu[[62, 51, 69]]) - seen[3]).abs() <= 0.5);
    let [x, y, z] = volume.geometry.patient_from_index([62.0, 51.0, 69.0]);
    assert!(close([seen[4], seen[5], seen[6]], [-x, -y, z]), "{seen:?}");
}
