//! A study drawn by hand: an oval body with spine, two kidneys and stones of known place.

use hilum_clinical::guideline::{Inputs, Rules};
use hilum_clinical::message::Message;
use hilum_clinical::report::{
    Date, ModelProvenance, Name, Patient, ReportInputs, SeriesNotChosen, SeriesRead, Sex, SliceInput, Study,
};
use hilum_clinical::urinary_stone::{
    Candidate, CandidateVoxel, MidlinePoint, Side, StoneReading, TractBox, TractPart, TractReference, measure,
};
use hilum_engine::report::{KeyImage, KeySlice, Plane, UrinaryStoneReport, build, key_image};
use hilum_imaging::Affine;
use ndarray::{Array2, ArrayView1};
use std::sync::Arc;

pub const SLICES: u32 = 60;
const SIDE: usize = 256;
const PIXEL_MM: f64 = 1.4;

/// Supine, head first: columns grow to the patient's left, rows to the back.
pub fn supine() -> Affine {
    let half = SIDE as f64 * PIXEL_MM / 2.0;
    Affine::axial([-half, -half, -900.0], [2.5, PIXEL_MM, PIXEL_MM]).expect("three directions")
}

pub fn slice() -> Array2<i16> {
    let c = SIDE as f64 / 2.0;
    Array2::from_shape_fn((SIDE, SIDE), |(y, x)| {
        let (dy, dx) = ((y as f64 - c) * PIXEL_MM, (x as f64 - c) * PIXEL_MM);
        let oval = |cy: f64, cx: f64, ry: f64, rx: f64| ((dy - cy) / ry).powi(2) + ((dx - cx) / rx).powi(2);
        let texture = ((x * 7919 + y * 104_729) % 23) as i16 - 11;
        if oval(0.0, 0.0, 108.0, 155.0) > 1.0 {
            -1000
        } else if oval(62.0, 0.0, 20.0, 24.0) < 1.0 {
            260 + texture
        } else if oval(38.0, 66.0, 30.0, 24.0) < 1.0 || oval(38.0, -66.0, 30.0, 24.0) < 1.0 {
            34 + texture
        } else if oval(0.0, 0.0, 90.0, 136.0) > 1.0 {
            -100 + texture
        } else {
            48 + texture
        }
    })
}

/// A ball-shaped candidate around an index `[z, y, x]`.
pub fn ball(centre: [u32; 3], radius: i64, score: f32) -> Candidate {
    let mut voxels = Vec::new();
    for dz in -radius..=radius {
        for dy in -radius..=radius {
            for dx in -radius..=radius {
                if dz * dz + dy * dy + dx * dx <= radius * radius {
                    let offset = [dz, dy, dx];
                    voxels.push(CandidateVoxel {
                        index: [0, 1, 2].map(|axis| (i64::from(centre[axis]) + offset[axis]) as u32),
                        score: score - 0.01 * (dz.abs() + dy.abs() + dx.abs()) as f32,
                        hu: 900 - 60 * (dz * dz + dy * dy + dx * dx) as i16,
                    });
                }
            }
        }
    }
    Candidate { voxels }
}

pub fn reference() -> TractReference {
    TractReference {
        midline: vec![MidlinePoint { z_mm: -850.0, x_mm: 0.0, y_mm: None }],
        boxes: vec![
            TractBox { part: TractPart::Kidney, min_mm: [-110.0, 0.0, -900.0], max_mm: [-40.0, 80.0, -700.0] },
            TractBox { part: TractPart::Kidney, min_mm: [40.0, 0.0, -900.0], max_mm: [110.0, 80.0, -700.0] },
            TractBox { part: TractPart::Ureter, min_mm: [-45.0, -20.0, -900.0], max_mm: [-20.0, 50.0, -700.0] },
        ],
        ..TractReference::default()
    }
}

/// `count` stones on both sides, measured.
pub fn stones(count: u32) -> Vec<StoneReading> {
    let candidates = (0..count).map(|n| {
        let column = if n % 2 == 0 { 82 + n } else { 170 + n };
        ball([10 + 2 * n, 150 + n, column], i64::from(1 + n % 3), 0.98 - 0.02 * n as f32)
    });
    measure(candidates.collect(), Some(&supine()), &reference())
}

pub fn key_images(stones: &[StoneReading]) -> Vec<KeyImage> {
    (0..stones.len()).flat_map(|focus| Plane::ALL.map(|plane| drawn(&supine(), stones, focus, plane))).collect()
}

/// A key image of a body that is the same in every slice.
pub fn drawn(affine: &Affine, stones: &[StoneReading], focus: usize, plane: Plane) -> KeyImage {
    let slice = slice();
    let at = plane.through(&stones[focus]) as usize;
    let line =
        |line: ArrayView1<'_, i16>| line.broadcast((SLICES as usize, SIDE)).expect("a row for each slice").to_owned();
    let hu = match plane {
        Plane::Axial => slice,
        Plane::Coronal => line(slice.row(at)),
        Plane::Sagittal => line(slice.column(at)),
    };
    let slice = KeySlice { plane, hu: hu.view(), first_slice: 0, geometry: Some(affine) };
    key_image(slice, stones, focus).expect("the stone lies in the plane")
}

pub fn inputs(stones: &[StoneReading]) -> ReportInputs {
    ReportInputs {
        version: 2,
        created_at: "2024-03-05T14:07:09+09:00".to_owned(),
        patient: Patient {
            name: Name {
                alphabetic: "Hong Gildong".to_owned(),
                ideographic: Some("洪 吉洞".to_owned()),
                phonetic: Some("홍 길동".to_owned()),
            },
            id: "SYN-0001".to_owned(),
            birth_date: Date::from_dicom("19691224"),
            sex: Some(Sex::M),
            age_at_study: None,
        },
        study: Study {
            study_uid: "1.2.826.0.1.3680043.8.498.1234567890123456789012345678901234567".to_owned(),
            date: Date::from_dicom("20240305"),
            time: Some("13:58".to_owned()),
            description: "복부 골반 CT 비조영 (요로결석 의심)".to_owned(),
            accession: "A2024030501".to_owned(),
            institution: "힐룸 시연 병원".to_owned(),
            series: Some(SeriesRead {
                series_uid: "1.2.826.0.1.3680043.8.498.77".to_owned(),
                number: Some(3),
                description: "Abdomen 2.5 soft".to_owned(),
                why: Message::SeriesChosen.statement(),
            }),
            synthetic: true,
        },
        refusal: None,
        rejected: Vec::new(),
        stones: stones.iter().map(|s| s.stone.clone()).collect(),
        rules: Arc::new(Rules::shipped().expect("the rules of this program")),
        told: Inputs::default(),
        recorded: Vec::new(),
        earlier: None,
        slices: (0..SLICES)
            .map(|n| SliceInput {
                instance_number: Some(n as i32 + 1),
                file_name: format!("IM{:04}.dcm", n + 1),
                score: (8..56).contains(&n).then(|| if (8..14).contains(&n) { 0.97 } else { 0.02 }),
            })
            .collect(),
        score_threshold: Some(0.5),
        looked_at: vec![
            Message::SearchedSlices { first: 9, last: 56 },
            Message::Covered(TractPart::Kidney, Side::Right),
            Message::Covered(TractPart::Kidney, Side::Left),
            Message::PartlyInScan(TractPart::Ureter, Side::Right),
        ],
        not_looked_at: vec![
            Message::NotInScan(TractPart::Ureter, Side::Left),
            Message::NotInScan(TractPart::Bladder, Side::Unknown),
        ],
        series_not_chosen: vec![
            SeriesNotChosen {
                series_uid: "1.2.3.1".to_owned(),
                number: Some(1),
                description: "Scout".to_owned(),
                reason: Message::SeriesIsLocalizer.statement(),
            },
            SeriesNotChosen {
                series_uid: "1.2.3.4".to_owned(),
                number: Some(4),
                description: "Abdomen 5.0 bone".to_owned(),
                reason: Message::SeriesHasSharpKernel.statement(),
            },
        ],
        geometry_findings: vec![],
        model: Some(ModelProvenance {
            name: "urinary-stone".to_owned(),
            hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            plan_hash: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".to_owned(),
            first_line: "synthetic-trained demonstration model".to_owned(),
            synthetic_trained: true,
        }),
        engine: "hilum-nn AVX2".to_owned(),
        precision: "f32".to_owned(),
        input_hash: Some("fd61a03af4f77d870fc21e05e7e80678095c92d808cfb3b5c279ee04c74aca13".to_owned()),
        software_version: "0.1.0".to_owned(),
    }
}

pub fn report(stones: &[StoneReading]) -> UrinaryStoneReport {
    build(inputs(stones))
}
