use std::path::Path;

use hilum_imaging::{
    Affine, Extent, Interpolation, Plane, Projection, SlicePlane, Volume, Window, label_26, project, resample,
    resample_slice_f32, reslice,
};
use ndarray::{Array3, ArrayView3};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::oracle::{ask, python};

fn noise(seed: u64, shape: [usize; 3]) -> Volume {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let hu = Array3::from_shape_simple_fn(shape, || rng.random_range(-1024_i16..1700));
    Volume { hu, geometry: Affine::axial([-31.0, 12.5, 400.0], [2.5, 0.7, 0.9]).expect("spans") }
}

fn keep(folder: &Path, name: &str, array: ArrayView3<i16>) {
    let bytes: Vec<u8> = array.iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(folder.join(name), bytes).expect("a temporary file");
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn assert_close(ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= tolerance, "value {i}: ours {a}, the oracle's {b}");
    }
}

const LOAD: &str = "
import json, numpy as np
from scipy import ndimage
v = np.fromfile('v', '<i2').reshape(SHAPE)
";

fn script(shape: [usize; 3], body: &str) -> String {
    format!("{}{body}", LOAD.replace("SHAPE", &format!("{shape:?}")))
}

#[test]
fn labels_are_those_of_scipy_with_a_full_structure() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let shape = [9, 23, 31];
    for (seed, threshold) in [(1, 1400), (2, 1500), (3, 1150)] {
        let volume = noise(seed, shape);
        keep(folder.path(), "v", volume.hu.view());
        let answer = ask(
            &python,
            folder.path(),
            &script(
                shape,
                &format!(
                    "l, n = ndimage.label(v > {threshold}, np.ones((3, 3, 3)))\nprint(json.dumps([n, l.ravel().tolist()]))"
                ),
            ),
        );
        let (labels, count) = label_26(volume.hu.mapv(|v| v > threshold).view());
        assert_eq!(count as u64, answer[0].as_u64().expect("a count"));
        assert_close(&labels.iter().map(|&l| f64::from(l)).collect::<Vec<_>>(), &numbers(&answer[1]), 0.0);
    }
}

#[test]
fn sizes_are_those_of_scikit_image() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let shape = [12, 30, 30];
    let mut volume = noise(7, shape);
    let ball =
        |z: f64, y: f64, x: f64| (2.5 * (z - 5.0)).powi(2) + (0.7 * (y - 14.0)).powi(2) + (0.9 * (x - 15.0)).powi(2);
    volume.hu = Array3::from_shape_fn(shape, |(z, y, x)| {
        let wobble = f64::from(volume.hu[[z, y, x]]) / 170.0;
        i16::from(ball(z as f64, y as f64, x as f64) < 60.0 + wobble)
    });
    keep(folder.path(), "v", volume.hu.view());
    let answer = ask(
        &python,
        folder.path(),
        &script(
            shape,
            "from skimage.measure import label, marching_cubes, regionprops
from scipy.spatial.distance import pdist
out = []
for r in regionprops(label(v, connectivity=3), spacing=(2.5, 0.7, 0.9)):
    surface = marching_cubes(np.pad(r.image, 1), .5, spacing=(2.5, .7, .9))[0]
    out.append([float(r.area), float(pdist(surface).max()), *map(float, r.centroid), *map(float, r.bbox)])
print(json.dumps(out))",
        ),
    );
    let (labels, count) = label_26(volume.hu.mapv(|v| v == 1).view());
    let theirs = answer.as_array().expect("a list");
    assert_eq!(count, theirs.len());
    for (label, theirs) in (1..).zip(theirs) {
        let voxels: Vec<[u32; 3]> = labels
            .indexed_iter()
            .filter(|(_, l)| **l == label)
            .map(|((z, y, x), _)| [z, y, x].map(|v| v as u32))
            .collect();
        let extent = Extent::measure(&voxels, &volume.geometry).expect("voxels");
        let theirs = numbers(theirs);
        let [x, y, z] = extent.centroid;
        assert_close(
            &[extent.volume_mm3, extent.largest_diameter_mm, z - 400.0, y - 12.5, x + 31.0],
            &theirs[..5],
            1e-4,
        );
        assert_close(&extent.first.map(f64::from), &theirs[5..8], 0.0);
        assert_close(&extent.last.map(|v| f64::from(v + 1)), &theirs[8..], 0.0);
    }
}

#[test]
fn linear_resampling_is_map_coordinates_of_order_one() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let shape = [7, 19, 23];
    let volume = noise(11, shape);
    keep(folder.path(), "v", volume.hu.view());
    for spacing in [[1.0, 0.8, 0.8], [5.0, 0.5, 1.7], [2.5, 0.7, 0.9]] {
        for (how, order) in [(Interpolation::Linear, 1), (Interpolation::Nearest, 0)] {
            let ours = resample(&volume, spacing, how).expect("a grid");
            let (nz, ny, nx) = ours.hu.dim();
            let answer = ask(
                &python,
                folder.path(),
                &script(
                    shape,
                    &format!(
                        "k = np.array({spacing:?}) / [2.5, .7, .9]
g = np.meshgrid(*[(np.arange(n) + .5) * s - .5 for n, s in zip({:?}, k)], indexing='ij')
print(json.dumps(ndimage.map_coordinates(v.astype(float), g, order={order}, mode='nearest').ravel().tolist()))",
                        [nz, ny, nx]
                    ),
                ),
            );
            let ours: Vec<f64> = ours.hu.iter().map(|&v| f64::from(v)).collect();
            assert_close(&ours, &numbers(&answer), if order == 1 { 0.51 } else { 0.0 });
        }
    }
}

#[test]
fn a_slice_on_a_turned_lattice_is_map_coordinates_of_order_one() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let shape = [1, 40, 50];
    let volume = noise(19, shape);
    keep(folder.path(), "v", volume.hu.view());
    let slice = volume.hu.index_axis(ndarray::Axis(0), 0);
    let ours = resample_slice_f32(slice, [8.3, 6.1], [0.71, -0.13], [0.2, 0.83], [25, 40]);
    let answer = ask(
        &python,
        folder.path(),
        &script(
            shape,
            "r, c = np.mgrid[:25, :40].reshape(2, -1)
i = np.array([[8.3], [6.1]]) + np.outer([.71, -.13], r) + np.outer([.2, .83], c)
assert (i > 0).all() and (i < np.array([[39], [49]])).all()
print(json.dumps(ndimage.map_coordinates(v[0].astype(float), i, order=1).tolist()))",
        ),
    );
    let ours: Vec<f64> = ours.iter().map(|&v| f64::from(v)).collect();
    assert_close(&ours, &numbers(&answer), 2e-2);
}

#[test]
fn an_oblique_plane_is_map_coordinates_on_the_inverted_affine() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let shape = [15, 40, 40];
    let volume = noise(13, shape);
    keep(folder.path(), "v", volume.hu.view());
    let plane = SlicePlane {
        origin: [-25.0, 16.0, 402.0],
        row_step: [0.1, 0.4, 0.6],
        column_step: [0.5, 0.1, -0.02],
        shape: [30, 30],
    };
    let answer = ask(
        &python,
        folder.path(),
        &script(
            shape,
            "a = np.eye(4); a[:3, 0] = [0, 0, 2.5]; a[:3, 1] = [0, .7, 0]; a[:3, 2] = [.9, 0, 0]; a[:3, 3] = [-31, 12.5, 400]
r, c = np.mgrid[:30, :30].reshape(2, -1)
p = np.array([[-25.], [16.], [402.]]) + np.outer([.1, .4, .6], r) + np.outer([.5, .1, -.02], c)
i = np.linalg.solve(a, np.vstack([p, np.ones(p.shape[1])]))[:3]
assert (i > 0).all() and (i < np.array(v.shape)[:, None] - 1).all()
print(json.dumps(ndimage.map_coordinates(v.astype(float), i, order=1).tolist()))",
        ),
    );
    let ours: Vec<f64> = reslice(&volume, &plane).iter().map(|&v| f64::from(v)).collect();
    assert_close(&ours, &numbers(&answer), 2e-2);
}

#[test]
fn projections_and_the_window_are_numpys() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let shape = [8, 11, 13];
    let volume = noise(17, shape);
    keep(folder.path(), "v", volume.hu.view());
    let answer = ask(
        &python,
        folder.path(),
        &script(
            shape,
            "v = v.astype(float)
views = [v, v[::-1].transpose(2, 0, 1), v[::-1].transpose(1, 0, 2)]
window = np.interp(v.ravel(), [60 - .5 - 399 / 2, 60 - .5 + 399 / 2], [0, 1])
print(json.dumps([[[f(x).ravel().tolist() for f in (lambda x: x.mean(0), lambda x: x.max(0), lambda x: x[len(x) // 2])] for x in views], window.tolist()]))",
        ),
    );
    for (p, plane) in [Plane::Axial, Plane::Sagittal, Plane::Coronal].into_iter().enumerate() {
        for (h, how) in [Projection::Average, Projection::Maximum, Projection::MidPlane].into_iter().enumerate() {
            let ours: Vec<f64> = project(&volume, plane, how).pixels.iter().map(|&v| f64::from(v)).collect();
            assert_close(&ours, &numbers(&answer[0][p][h]), 1e-4);
        }
    }
    let ours: Vec<f64> = volume.hu.iter().map(|&v| f64::from(Window::URINARY_STONE.apply_unit(f32::from(v)))).collect();
    assert_close(&ours, &numbers(&answer[1]), 1e-6);
}
