use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use hilum_imaging::Volume;
use hilum_infer::read::{ReadError, Reading, Rejection};
use hilum_infer::region::RegionFinding;
use hilum_infer::{Model, SliceStack, read_stack, read_stack_until};
use ndarray::{Array2, Axis};

use crate::body::{Ball, bright, stack_of, stored, trunk};

const BALLS: [Ball; 3] =
    [([-60.0, 20.0, 70.0], 6.0, 900), ([70.0, 30.0, 76.0], 4.0, 700), ([30.0, -10.0, 82.0], 9.0, 1200)];

fn read(model: &Model, volume: &Volume) -> Reading {
    let slice = |z: usize| Ok::<_, Infallible>(volume.hu.index_axis(Axis(0), z).to_owned());
    read_stack(model, &stack_of(volume), slice, &mut |_| ControlFlow::Continue(())).expect("a reading")
}

/// The voxels of a candidate as patient coordinates in tenths of mm.
fn places(volume: &Volume, reading: &Reading) -> Vec<BTreeSet<[i64; 3]>> {
    let mut all: Vec<BTreeSet<[i64; 3]>> = reading
        .candidates
        .iter()
        .map(|c| {
            let place =
                |i: [u32; 3]| volume.geometry.patient_from_index(i.map(f64::from)).map(|v| (v * 10.0).round() as i64);
            c.voxels.iter().map(|v| place(v.index)).collect()
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_ball_is_a_candidate_made_of_exactly_its_voxels() {
    let volume = trunk(&BALLS);
    let reading = read(&bright(1), &volume);
    assert_eq!(reading.region.finding, RegionFinding::LevelUnknown);
    assert_eq!(reading.candidates.len(), 3, "{:?}", reading.rejected);
    let expected: Vec<usize> = BALLS
        .iter()
        .map(|(c, r, _)| {
            let inside = |p: [f64; 3]| (0..3).map(|k| (p[k] - c[k]).powi(2)).sum::<f64>() <= r * r;
            volume
                .hu
                .indexed_iter()
                .filter(|((z, y, x), _)| inside(volume.geometry.patient_from_index([*z, *y, *x].map(|i| i as f64))))
                .count()
        })
        .collect();
    let mut found: Vec<usize> = reading.candidates.iter().map(|c| c.voxels.len()).collect();
    found.sort_unstable();
    let mut expected = expected;
    expected.sort_unstable();
    // The grid lies between the pixels: the rim of a ball may gain or lose voxels by interpolation.
    for (f, e) in found.iter().zip(&expected) {
        assert!(f.abs_diff(*e) * 2 <= *e, "{found:?} voxels, {expected:?} in the balls");
    }
    for candidate in &reading.candidates {
        assert!(candidate.voxels.iter().all(|v| v.score >= 0.5 && v.hu == volume.hu[v.index.map(|i| i as usize)]));
    }
}

#[test]
fn the_reading_does_not_depend_on_how_the_slices_are_stored() {
    let volume = trunk(&BALLS);
    let model = bright(1);
    let reference = read(&model, &volume);
    for flips in [[true, false, false], [false, true, false], [false, false, true], [true, true, true]] {
        for transposed in [false, true] {
            let other = stored(&volume, flips, transposed);
            let reading = read(&model, &other);
            assert_eq!(places(&other, &reading), places(&volume, &reference), "{flips:?} {transposed}");
            let mut scores = reading.slice_scores.clone();
            if flips[0] {
                scores.reverse();
            }
            for (a, b) in scores.iter().zip(&reference.slice_scores) {
                let (a, b) = (a.expect("searched"), b.expect("searched"));
                assert!((a - b).abs() < 1e-4, "{a} is not {b}");
            }
        }
    }
}

#[test]
fn the_context_channels_are_the_slices_to_the_feet_and_to_the_head() {
    for headward in [true, false] {
        let volume = stored(&trunk(&BALLS), [!headward, false, false], false);
        let middle = read(&bright(1), &volume).slice_scores;
        let (below, above) = (read(&bright(0), &volume).slice_scores, read(&bright(2), &volume).slice_scores);
        let n = middle.len();
        for z in 1..n - 1 {
            let (foot, head) = if headward { (z - 1, z + 1) } else { (z + 1, z - 1) };
            let near = |a: Option<f32>, b: Option<f32>| (a.expect("searched") - b.expect("searched")).abs() < 1e-4;
            assert!(near(below[z], middle[foot]) && near(above[z], middle[head]), "slice {z}");
        }
    }
}

#[test]
fn a_dense_plate_and_a_speck_are_rejected_with_their_reasons() {
    let mut volume = trunk(&[]);
    volume.hu.slice_mut(ndarray::s![10..14, 60..64, 30..60]).fill(600);
    volume.hu[[5, 70, 60]] = 3000;
    let reading = read(&bright(1), &volume);
    assert!(reading.candidates.is_empty(), "{:?}", reading.candidates);
    let reasons: Vec<Rejection> = reading.rejected.iter().map(|(_, r)| *r).collect();
    assert!(reasons.iter().any(
        |r| matches!(r, Rejection::WithinLargeDenseStructure { share, extent_mm } if *share > 0.9 && *extent_mm > 70.0)
    ));
    assert!(
        reasons.iter().any(|r| matches!(r, Rejection::TooSmall { .. } | Rejection::LowScore { .. })),
        "{reasons:?}"
    );
}

#[test]
fn what_lies_behind_the_spine_is_rejected_and_what_lies_beside_it_is_not() {
    let volume = trunk(&[([9.0, 92.0, 70.0], 5.0, 900), ([50.0, 70.0, 70.0], 5.0, 900)]);
    let reading = read(&bright(1), &volume);
    assert_eq!(reading.candidates.len(), 1);
    assert!(
        reading.candidates[0]
            .voxels
            .iter()
            .all(|v| volume.geometry.patient_from_index(v.index.map(f64::from))[0] > 40.0)
    );
    assert!(reading.rejected.iter().any(
        |(_, r)| matches!(r, Rejection::WithinSpine { from_midline_mm, behind_mm } if *from_midline_mm < 6.0 && *behind_mm > 25.0)
    ));
}

#[test]
fn at_most_the_context_is_held_and_no_slice_is_had_three_times() {
    let volume = trunk(&BALLS);
    let mut had = vec![0; volume.hu.dim().0];
    let mut last = None;
    let mut descents = 0;
    read_stack(
        &bright(1),
        &stack_of(&volume),
        |z| {
            had[z] += 1;
            descents += usize::from(last.is_some_and(|l| z <= l));
            last = Some(z);
            Ok::<_, Infallible>(volume.hu.index_axis(Axis(0), z).to_owned())
        },
        &mut |_| ControlFlow::Continue(()),
    )
    .expect("a reading");
    assert!(had.iter().all(|n| (1..=2).contains(n)), "{had:?}");
    assert_eq!(descents, 1, "the coarse pass, then the reading, each in order");
}

#[test]
fn progress_rises_to_one_and_can_stop_the_reading() {
    let volume = trunk(&BALLS);
    let slice = |z: usize| Ok::<_, Infallible>(volume.hu.index_axis(Axis(0), z).to_owned());
    let mut told = Vec::new();
    read_stack(&bright(1), &stack_of(&volume), slice, &mut |p| {
        told.push(p);
        ControlFlow::Continue(())
    })
    .expect("a reading");
    assert!(told.windows(2).all(|w| w[0] <= w[1]) && told.last() == Some(&1.0), "{told:?}");
    let mut calls = 0;
    let stopped = read_stack(&bright(1), &stack_of(&volume), slice, &mut |p| {
        calls += 1;
        if p > 0.5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(ReadError::Cancelled)));
    assert!(calls < told.len());
}

#[test]
fn a_reading_that_looks_for_the_first_positive_slice_ends_there() {
    let volume = trunk(&BALLS);
    let whole = read(&bright(1), &volume).slice_scores;
    let first = whole.iter().position(|s| s.is_some_and(|s| s >= 0.9)).expect("a positive slice");
    let slice = |z: usize| Ok::<_, Infallible>(volume.hu.index_axis(Axis(0), z).to_owned());
    let mut told = 0.0;
    let reading = read_stack_until(&bright(1), &stack_of(&volume), Some(0.9), slice, &mut |p| {
        told = p;
        ControlFlow::Continue(())
    })
    .expect("a reading");
    let last = reading.slice_scores.iter().rposition(Option::is_some).expect("slices were read");
    // A candidate of one voxel is still too small; the next slice shows more of it.
    assert!(last == first || last == first + 1, "{first} {last}");
    assert!(reading.slice_scores[last].is_some_and(|s| s >= 0.9));
    assert!(reading.slice_scores[..last].iter().all(|s| s.is_none_or(|s| s < 0.9)));
    assert!(reading.engine.slices_read < read(&bright(1), &volume).engine.slices_read);
    assert_eq!(told, 1.0);
}

#[test]
fn a_slice_that_came_alone_is_read_over_the_whole_trunk() {
    let volume = trunk(&BALLS);
    let whole = read(&bright(1), &volume).slice_scores;
    let at = whole.iter().position(|s| s.is_some_and(|s| s >= 0.9)).expect("a positive slice");
    let stack = SliceStack { slices: 1, ..stack_of(&volume) };
    let slice = |_| Ok::<_, Infallible>(volume.hu.index_axis(Axis(0), at).to_owned());
    let reading = read_stack(&bright(1), &stack, slice, &mut |_| ControlFlow::Continue(())).expect("a reading");
    assert_eq!(reading.region.finding, RegionFinding::LevelUnknown);
    assert!(reading.slice_scores[0].is_some_and(|s| s >= 0.9), "{:?}", reading.slice_scores);
}

#[test]
fn a_slice_of_another_shape_or_that_cannot_be_had_stops_the_reading_by_name() {
    let volume = trunk(&[]);
    let other = read_stack(
        &bright(1),
        &stack_of(&volume),
        |z| {
            Ok::<_, Infallible>(if z == 8 {
                Array2::zeros((2, 2))
            } else {
                volume.hu.index_axis(Axis(0), z).to_owned()
            })
        },
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(matches!(other, Err(ReadError::Shape { index: 8, found: [2, 2], .. })));
    let broken = read_stack(&bright(1), &stack_of(&volume), |_| Err(std::io::Error::other("disk")), &mut |_| {
        ControlFlow::Continue(())
    });
    assert_eq!(broken.expect_err("no slice").to_string(), "slice 0: disk");
}
