//! From what a network marked to measured stones.

use std::convert::Infallible;

use hilum_clinical::urinary_stone::MeasuredBy;
use hilum_engine::{measured_stones, point_spread};
use hilum_imaging::{Affine, Volume};
use hilum_infer::read::EngineFacts;
use hilum_infer::region::{Landmarks, RegionFinding};
use hilum_infer::{Candidate, Reading, Region, SliceStack, VoxelScore};
use ndarray::{Array3, Axis};

use crate::fixture::Ct;

const BALLS: [[f64; 3]; 2] = [[20.0, 22.0, 15.0], [30.0, 18.0, 70.0]];
const RADIUS_MM: f64 = 3.0;

/// Two stones of 6 mm in water, far apart along the stack.
fn volume() -> Volume {
    let geometry = Affine::axial([0.0; 3], [1.5, 0.8, 0.8]).expect("three directions");
    let hu = Array3::from_shape_fn((60, 60, 60), |(z, y, x)| {
        let p = geometry.patient_from_index([z as f64, y as f64, x as f64]);
        let gap = |c: &[f64; 3]| (0..3).map(|k| (p[k] - c[k]).powi(2)).sum::<f64>().sqrt();
        let nearest = BALLS.iter().map(gap).fold(f64::INFINITY, f64::min);
        (900.0 * (0.5 - (nearest - RADIUS_MM) / 1.2).clamp(0.0, 1.0)) as i16
    });
    Volume { hu, geometry }
}

/// The voxels above 300 HU for which `kept` holds, by patient `[x, y, z]`.
fn mark(volume: &Volume, kept: impl Fn([f64; 3]) -> bool) -> Candidate {
    let voxels = volume.hu.indexed_iter().filter(|(_, hu)| **hu > 300).filter_map(|((z, y, x), hu)| {
        let index = [z, y, x].map(|i| i as u32);
        kept(volume.geometry.patient_from_index(index.map(f64::from))).then_some(VoxelScore {
            index,
            score: 0.9,
            hu: *hu,
        })
    });
    Candidate { voxels: voxels.collect() }
}

fn reading(candidates: Vec<Candidate>, slices: usize) -> Reading {
    Reading {
        slice_scores: vec![None; slices],
        candidates,
        rejected: Vec::new(),
        region: Region {
            finding: RegionFinding::LevelUnknown,
            landmarks: Landmarks::default(),
            midline: Vec::new(),
            parts: Vec::new(),
            slices: vec![None; slices],
        },
        frame: None,
        engine: EngineFacts {
            engine: String::new(),
            model_hash: String::new(),
            crop: None,
            slices_read: 0,
            threads: 1,
        },
    }
}

#[test]
fn slices_around_marks_are_read_once_and_in_order_and_a_stone_in_two_marks_is_one() {
    let volume = volume();
    let (slices, rows, columns) = volume.hu.dim();
    let stack = SliceStack { slices, rows, columns, geometry: volume.geometry };
    let lower = |p: [f64; 3]| p[2] < 40.0;
    let candidates = vec![
        mark(&volume, |p| lower(p) && p[0] < 20.0),
        mark(&volume, |p| lower(p) && p[0] >= 20.0),
        mark(&volume, |p| !lower(p)),
    ];
    let marked: usize = candidates.iter().map(|c| c.voxels.len()).sum();
    let mut asked = Vec::new();
    let slice = |z: usize| {
        asked.push(z);
        Ok::<_, Infallible>(volume.hu.index_axis(Axis(0), z).to_owned())
    };
    let spread = point_spread(None, &volume.geometry);
    let stones = measured_stones(reading(candidates, slices), &stack, spread, slice).expect("slices").stones;
    assert!(asked.is_sorted_by(|a, b| a < b), "{asked:?}");
    // 8 mm above and below the marks, and nothing between the stones.
    assert!(asked.contains(&4) && !asked.contains(&30), "{asked:?}");
    assert_eq!(stones.len(), 2);
    assert_eq!(stones.iter().map(|s| s.voxels.len()).sum::<usize>(), marked);
    for read in &stones {
        assert_eq!(read.stone.measured_by, MeasuredBy::Density);
        let diameter = read.stone.largest_diameter_mm.expect("millimetres");
        assert!((diameter - 2.0 * RADIUS_MM).abs() < 0.8, "{diameter}");
        let centre = read.stone.centre_mm.expect("millimetres");
        assert!(BALLS.iter().any(|b| (0..3).all(|k| (b[k] - centre[k]).abs() < 0.2)), "{centre:?}");
    }
}

#[test]
fn a_slice_that_cannot_be_read_again_fails_the_measurement() {
    let volume = volume();
    let (slices, rows, columns) = volume.hu.dim();
    let stack = SliceStack { slices, rows, columns, geometry: volume.geometry };
    let spread = point_spread(None, &volume.geometry);
    let lost = measured_stones(reading(vec![mark(&volume, |_| true)], slices), &stack, spread, Err);
    assert!(lost.unwrap_err() < 8, "the first slice of the patch");
    let nothing = measured_stones(reading(Vec::new(), slices), &stack, spread, Err::<_, usize>);
    assert!(nothing.expect("no slice is asked for").stones.is_empty());
}

#[test]
fn the_blur_goes_by_slice_thickness_and_kernel_where_they_make_sense() {
    let geometry = Affine::axial([0.0; 3], [2.0, 0.8, 0.8]).expect("three directions");
    let mut facts = hilum_dicom::read_facts(&Ct::default().files()[0]).expect("facts");
    let mut of = |thickness: Option<f64>, kernel: &str| {
        facts.image.slice_thickness = thickness;
        facts.series.kernel = Some(kernel.to_owned());
        let spread = point_spread(Some(&facts), &geometry);
        (spread.slice_thickness_mm, spread.in_plane_fwhm_mm)
    };
    let soft = of(Some(5.0), "B30f");
    assert_eq!((soft.0, of(None, "B30f").0, of(Some(0.0), "B30f").0, of(Some(60.0), "B30f").0), (5.0, 2.0, 2.0, 2.0));
    assert!(of(Some(2.0), "BONE").1 < soft.1);
    assert_eq!(point_spread(None, &geometry).slice_thickness_mm, 2.0);
}
