//! The truth of stones and of what mimics stones as candidates.

use std::ops::RangeInclusive;
use std::time::Instant;

use hilum_clinical::guideline::Site;
use hilum_clinical::urinary_stone::{Candidate, CandidateVoxel, Placed, Side, Stone, TractReference, measure, place};
use hilum_imaging::frame::{self, AnatomicalFrame, Ellipsoid};
use hilum_imaging::phantom::{DecoyKind, OrganExtent, PhantomRecipe, PhantomStudy, StoneSite, StoneTruth, generate};
use hilum_imaging::vector::{Point, distance};
use hilum_infer::region::{Coarse, find_frame, find_urinary_region};

/// An organ was found where its centre is within so many millimetres of the true one.
pub const KIDNEY_MM: f64 = 15.0;
pub const BLADDER_MM: f64 = 10.0;

/// What became of looking for an organ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// How much of it the scan holds.
    pub shown: Shown,
    /// What was taken for it.
    pub found: Found,
}

/// How much of an organ lies in the scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Whole,
    Part,
    /// None of it; or the patient has none.
    Nothing,
}

/// What was taken for an organ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Itself,
    SomethingElse,
    Nothing,
}

impl Looked {
    fn at(scan: &RangeInclusive<f64>, truth: Option<&OrganExtent>, found: Option<&Ellipsoid>, within_mm: f64) -> Self {
        let shown = truth.map_or(Shown::Nothing, |organ| match organ.z_patient_mm.map(|z| scan.contains(&z)) {
            [true, true] => Shown::Whole,
            [false, false] if !scan.contains(&organ.centre_patient_mm[2]) => Shown::Nothing,
            _ => Shown::Part,
        });
        let near = |body: &Ellipsoid| truth.is_some_and(|o| distance(body.centre, o.centre_patient_mm) <= within_mm);
        let found = match found {
            Some(body) if near(body) => Found::Itself,
            Some(_) => Found::SomethingElse,
            None => Found::Nothing,
        };
        Self { shown, found }
    }
}

/// One patient, every candidate judged.
pub struct Judged {
    /// Each stone: the truth, and what became of it; `None` where it was rejected.
    pub stones: Vec<(StoneTruth, Option<Stone>)>,
    /// Each mimic: its kind, and whether it was rejected.
    pub mimics: Vec<(DecoyKind, bool)>,
    /// Kidneys, right and left.
    pub kidneys: [Looked; 2],
    /// Bladder.
    pub bladder: Looked,
    /// The scan holds all of the kidneys that are there, and of the bladder.
    pub whole: bool,
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
    let slices = [0.0, study.volume.hu.dim().0 as f64 - 1.0];
    let [first, last] = slices.map(|z| study.volume.geometry.patient_from_index([z, 0.0, 0.0])[2]);
    let scan = first.min(last)..=first.max(last);
    let kidneys = frame::Side::BOTH.map(|side| {
        let found = frame.kidneys[side.index()].as_ref().map(|kidney| &kidney.body);
        Looked::at(&scan, study.structures.kidneys.get(&side), found, KIDNEY_MM)
    });
    let bladder = Looked::at(&scan, study.structures.bladder.as_ref(), frame.bladder.as_ref(), BLADDER_MM);
    eprintln!("truth: seed {}: kidneys {kidneys:?}, bladder {bladder:?}", study.recipe.seed);
    let mimics = study.decoys.iter().map(|decoy| {
        let placed = placed(study, &frame, decoy.centre_patient_mm, decoy.diameter_mm / 2.0 + 1.0);
        (decoy.kind, placed.stones.is_empty())
    });
    let mut organs = study.structures.kidneys.values().chain(&study.structures.bladder);
    let whole = organs.all(|organ| organ.z_patient_mm.iter().all(|z| scan.contains(z)));
    Judged { stones: stones.collect(), mimics: mimics.collect(), kidneys, bladder, whole, frame_ms }
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
