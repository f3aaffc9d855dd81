//! The truth of stones and of what mimics stones as candidates.

use std::time::Instant;

use hilum_clinical::guideline::Site;
use hilum_clinical::urinary_stone::{Candidate, CandidateVoxel, Placed, Side, Stone, TractReference, measure, place};
use hilum_imaging::frame::AnatomicalFrame;
use hilum_imaging::phantom::{DecoyKind, PhantomRecipe, PhantomStudy, StoneSite, StoneTruth, generate};
use hilum_imaging::vector::{Point, distance};
use hilum_infer::region::{Coarse, find_frame, find_urinary_region};

/// One patient, every candidate judged.
pub struct Judged {
    /// Each stone: the truth, and what became of it; `None` where it was rejected.
    pub stones: Vec<(StoneTruth, Option<Stone>)>,
    /// Each mimic: its kind, and whether it was rejected.
    pub mimics: Vec<(DecoyKind, bool)>,
    /// Kidneys there and found.
    pub kidneys: [usize; 2],
    /// The bladder was found.
    pub bladder: bool,
    /// Milliseconds that the frame took.
    pub frame_ms: f64,
}

/// The guideline's site of a phantom's.
pub fn site_of(site: StoneSite) -> Site {
    match site {
        StoneSite::KidneyUpperPole => Site::UpperPole,
        StoneSite::KidneyMid => Site::MidKidney,
        StoneSite::KidneyLowerPole => Site::LowerPole,
        StoneSite::RenalPelvis => Site::RenalPelvis,
        StoneSite::UreteropelvicJunction => Site::Upj,
        StoneSite::ProximalUreter => Site::ProximalUreter,
        StoneSite::MidUreter => Site::MidUreter,
        StoneSite::DistalUreter => Site::DistalUreter,
        StoneSite::UreterovesicalJunction => Site::Uvj,
        StoneSite::Bladder => Site::Bladder,
    }
}

/// Whether the patient's side was named rightly; a bladder stone has none.
pub fn side_holds(truth: &StoneTruth, stone: &Stone) -> bool {
    stone.side == Side::Midline || truth.side.is_some_and(|side| stone.side == Side::from(side))
}

/// Judges every patient.
pub fn judge(recipes: &[PhantomRecipe]) -> Vec<Judged> {
    let of = |recipe: &PhantomRecipe| {
        let study = generate(recipe).expect("a patient");
        eprintln!("truth: seed {}", recipe.seed);
        judged(&study)
    };
    recipes.iter().map(of).collect()
}

fn judged(study: &PhantomStudy) -> Judged {
    let region = find_urinary_region(&Coarse::of_volume(&study.volume).expect("axial"));
    let started = Instant::now();
    let cells = Coarse::searched(&study.volume, &region).expect("axial");
    let frame = find_frame(cells, &region);
    let frame_ms = started.elapsed().as_secs_f64() * 1000.0;
    let stones = study.stones.iter().map(|stone| {
        let reach = stone.largest_diameter_mm / 2.0 + 1.0;
        let placed = placed(study, &frame, stone.centre_patient_mm, reach);
        (stone.clone(), placed.stones.into_iter().next().map(|reading| reading.stone))
    });
    let mimics = study.decoys.iter().map(|decoy| {
        let placed = placed(study, &frame, decoy.centre_patient_mm, decoy.diameter_mm / 2.0 + 1.0);
        (decoy.kind, placed.stones.is_empty())
    });
    let found = frame.kidneys.iter().flatten().count();
    Judged {
        stones: stones.collect(),
        mimics: mimics.collect(),
        kidneys: [study.structures.kidneys.len(), found.min(study.structures.kidneys.len())],
        bladder: frame.bladder.is_some(),
        frame_ms,
    }
}

/// What becomes of the dense voxels around a point, and of its own voxel.
fn placed(study: &PhantomStudy, frame: &AnatomicalFrame, centre: Point, reach_mm: f64) -> Placed {
    const DENSE_HU: i16 = 150;
    let geometry = &study.volume.geometry;
    let own = geometry.index_from_patient(centre).map(|i| i.round().max(0.0) as usize);
    let spacing = geometry.spacing_mm();
    let (nz, ny, nx) = study.volume.hu.dim();
    let range = |k: usize, n: usize| {
        let reach = (reach_mm / spacing[k]).ceil() as usize;
        own[k].saturating_sub(reach)..(own[k] + reach + 1).min(n)
    };
    let mut voxels = Vec::new();
    for z in range(0, nz) {
        for y in range(1, ny) {
            for x in range(2, nx) {
                let hu = study.volume.hu[[z, y, x]];
                let near = distance(geometry.patient_from_index([z, y, x].map(|i| i as f64)), centre) <= reach_mm;
                if (near && hu >= DENSE_HU) || [z, y, x] == own {
                    voxels.push(CandidateVoxel { index: [z, y, x].map(|i| i as u32), score: 1.0, hu });
                }
            }
        }
    }
    place(measure(vec![Candidate { voxels }], Some(geometry), &TractReference::default()), Vec::new(), Some(frame))
}
