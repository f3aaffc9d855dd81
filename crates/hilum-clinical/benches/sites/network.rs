//! The shipped network's candidates, with and without the stage.

use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::Path;

use hilum_clinical::urinary_stone::{Candidate, CandidateVoxel, TractReference, measure, place};
use hilum_imaging::phantom::{PhantomRecipe, StoneTruth, generate};
use hilum_infer::{Model, SliceStack, read_stack};
use hilum_learn::evaluate::{Scored, scored_candidates};
use ndarray::Axis;

/// One patient as the network and the stage read it.
pub struct Read {
    /// The stones.
    pub stones: Vec<StoneTruth>,
    /// The network's candidates, and whether the stage rejected them.
    pub candidates: Vec<(Scored, bool)>,
    /// Candidates that the network's own filter for bone and plaque rejected.
    pub filtered: usize,
}

/// Reads every patient.
pub fn read(recipes: &[PhantomRecipe]) -> Vec<Read> {
    if recipes.is_empty() {
        return Vec::new();
    }
    let model =
        Model::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/urinary-stone")).expect("the model");
    recipes.iter().map(|recipe| one(&model, recipe)).collect()
}

fn one(model: &Model, recipe: &PhantomRecipe) -> Read {
    let study = generate(recipe).expect("a patient");
    eprintln!("network: seed {}", recipe.seed);
    let slice = |z: usize| Ok::<_, Infallible>(study.volume.hu.index_axis(Axis(0), z).to_owned());
    let reading = read_stack(model, &SliceStack::of(&study.volume), slice, &mut |_| ControlFlow::Continue(()))
        .expect("a reading");
    let candidates = reading.candidates.iter().map(|candidate| Candidate {
        voxels: candidate.voxels.iter().map(|v| CandidateVoxel { index: v.index, score: v.score, hu: v.hu }).collect(),
    });
    let measured = measure(candidates.collect(), Some(&study.volume.geometry), &TractReference::default());
    let placed = place(measured, Vec::new(), reading.frame.as_ref());
    let rejected: HashSet<[u32; 3]> =
        placed.rejected.iter().flat_map(|reading| &reading.voxels).map(|voxel| voxel.index).collect();
    let scored = scored_candidates(&reading, &study);
    let stage = reading.candidates.iter().map(|c| c.voxels.iter().any(|v| rejected.contains(&v.index)));
    let filtered = scored.iter().filter(|s| s.rejection.is_some() && s.score >= model.card.threshold).count();
    Read { stones: study.stones.clone(), candidates: scored.into_iter().zip(stage).collect(), filtered }
}
