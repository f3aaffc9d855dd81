//! Synthetic patients, each known by its seed, and the patient-level split.

use std::collections::BTreeMap;

use hilum_imaging::phantom::{PhantomRecipe, StonePlan};
use hilum_infer::model::sha256_hex;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, Protocol};

/// Consecutive seeds, one a patient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cohort {
    /// Name in messages.
    pub name: String,
    /// Seed of the first patient.
    pub first_seed: u64,
    /// Number of patients.
    pub patients: usize,
    /// Their stones.
    pub stones: StonePlan,
}

impl Cohort {
    /// The patients' seeds.
    pub fn seeds(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.first_seed;
        (0..self.patients as u64).map(move |i| first + i)
    }

    /// The patients' recipes, in order: the protocol, and now and then mirrored or shifted anatomy, are drawn by each patient's seed.
    pub fn recipes(&self, protocols: &[Protocol]) -> Vec<PhantomRecipe> {
        self.seeds().map(|seed| recipe(seed, protocols, &self.stones)).collect()
    }
}

fn recipe(seed: u64, protocols: &[Protocol], stones: &StonePlan) -> PhantomRecipe {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0005_ca11_ed0f_5eed);
    let total: f64 = protocols.iter().map(|p| p.weight).sum();
    let mut at = rng.random_range(0.0..total);
    let chosen = protocols
        .iter()
        .find(|p| {
            at -= p.weight;
            at < 0.0
        })
        .unwrap_or(&protocols[protocols.len() - 1]);
    let mirrored = rng.random_range(0.0..1.0) < 0.05;
    let shift_mm = [0, 1].map(|_| rng.random_range(-15.0_f64..15.0).round());
    PhantomRecipe {
        seed,
        slice_thickness_mm: chosen.slice_mm,
        heights_mm: chosen.heights_mm,
        kernel: chosen.kernel,
        contrast: chosen.contrast,
        position: chosen.position,
        mirrored,
        shift_mm: [shift_mm[0], shift_mm[1], 0.0],
        stones: stones.clone(),
        ..PhantomRecipe::default()
    }
}

/// One patient would be in two cohorts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "patient {patient} is in the {first} and in the {second} cohort: split by patient, so that nothing is tested on what was learnt"
)]
pub struct LeakError {
    /// The patient's key.
    pub patient: String,
    /// One cohort.
    pub first: String,
    /// The other.
    pub second: String,
}

/// Refuses cohorts that share a patient.
pub fn refuse_leaks<'a>(cohorts: impl IntoIterator<Item = &'a Cohort>) -> Result<(), LeakError> {
    let mut owner: BTreeMap<u64, &str> = BTreeMap::new();
    for cohort in cohorts {
        for seed in cohort.seeds() {
            if let Some(first) = owner.insert(seed, &cohort.name) {
                return Err(LeakError {
                    patient: format!("seed {seed}"),
                    first: first.to_owned(),
                    second: cohort.name.clone(),
                });
            }
        }
    }
    Ok(())
}

/// SHA-256 of the recipes of all patients that the training saw: the identity of the data.
pub fn data_hash(plan: &Plan) -> String {
    let recipes: Vec<PhantomRecipe> =
        [&plan.training, &plan.validation].into_iter().flat_map(|c| c.recipes(&plan.protocol)).collect();
    sha256_hex(&serde_json::to_vec(&recipes).expect("a recipe is plain data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cohort(name: &str, first_seed: u64, patients: usize) -> Cohort {
        Cohort { name: name.to_owned(), first_seed, patients, stones: StonePlan::Random }
    }

    #[test]
    fn a_patient_in_two_cohorts_is_refused_by_name() {
        let error =
            refuse_leaks([&cohort("training", 1000, 60), &cohort("validation", 5000, 9), &cohort("test", 1059, 2)])
                .expect_err("seed 1059 is in two");
        assert_eq!(
            error,
            LeakError { patient: "seed 1059".to_owned(), first: "training".to_owned(), second: "test".to_owned() }
        );
        assert_eq!(refuse_leaks([&cohort("training", 1000, 60), &cohort("test", 1060, 2)]), Ok(()));
    }
}
