//! Detection figures by patient: sensitivity by size with Wilson intervals, wrong candidates per patient with exact Poisson
//! intervals, Dice; and the threshold-plus-components baseline beside them, in the same region.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::ops::ControlFlow;

use hilum_imaging::phantom::baseline::{BaselineSettings, threshold_components};
use hilum_imaging::phantom::{PhantomError, PhantomRecipe, PhantomStudy, StoneTruth, generate};
use hilum_infer::card::{DetectionMetrics, FalsePositives, MeanDice, Metrics, Sensitivity};
use hilum_infer::read::{ReadError, Rejection};
use hilum_infer::{Model, Reading, Region, SliceStack, read_stack};
use ndarray::Axis;
use serde::{Deserialize, Serialize};

use crate::interval::{Z95, poisson95, wilson95};

/// The rule by which a candidate hits a stone.
pub const MATCHING_RULE: &str = "a candidate hits a stone when one of its voxels lies within one voxel (26-neighbourhood) of the stone's truth mask, \
or its centre within max(radius, 3 mm) of the stone's centre; a stone is found when any candidate hits it, and a candidate that hits no stone is a false positive";

/// Sizes (largest diameter, mm) that are told apart.
const SIZES_MM: [[f64; 2]; 5] = [[1.0, 3.0], [3.0, 4.0], [4.0, 6.0], [6.0, 26.0], [4.0, 26.0]];
/// The size from which the gate counts.
pub const GATE_MM: [f64; 2] = [4.0, 26.0];

/// One candidate against the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Highest voxel score.
    pub score: f32,
    /// Centre, patient `[x, y, z]` mm.
    pub centre_patient_mm: [f64; 3],
    /// Number of voxels.
    pub voxels: usize,
    /// Highest HU.
    pub max_hu: i16,
    /// Stones (positions in the patient's list) that it hits.
    pub hits: Vec<usize>,
    /// Voxels that it shares with the truth.
    pub overlap: usize,
    /// Why a filter rejected it; absent for a kept candidate.
    pub rejection: Option<Rejection>,
}

/// One patient against the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatientResult {
    /// The patient.
    pub seed: u64,
    /// The stones.
    pub stones: Vec<StoneTruth>,
    /// Voxels of the truth mask.
    pub truth_voxels: usize,
    /// Candidates of the model, rejected ones included.
    pub candidates: Vec<Scored>,
    /// Candidates of the baseline.
    pub baseline: Vec<Scored>,
    /// Seconds of the reading.
    pub seconds: f64,
    /// Slices that went through the network.
    pub slices_read: usize,
}

/// Why a patient has no figures.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The patient cannot be made.
    #[error("patient {seed}: {source}")]
    Phantom {
        /// The patient.
        seed: u64,
        /// Why.
        source: PhantomError,
    },
    /// The patient cannot be read.
    #[error("patient {seed}: {source}")]
    Read {
        /// The patient.
        seed: u64,
        /// Why.
        source: ReadError<Infallible>,
    },
}

/// Makes a patient, reads it, and compares with the truth.
pub fn evaluate_patient(model: &Model, recipe: &PhantomRecipe) -> Result<PatientResult, EvaluateError> {
    let seed = recipe.seed;
    let study = generate(recipe).map_err(|source| EvaluateError::Phantom { seed, source })?;
    compare(model, &study).map_err(|source| EvaluateError::Read { seed, source })
}

/// Reads a synthetic study and compares with its truth.
pub fn compare(model: &Model, study: &PhantomStudy) -> Result<PatientResult, ReadError<Infallible>> {
    let (slices, rows, columns) = study.volume.hu.dim();
    let stack = SliceStack { slices, rows, columns, geometry: study.volume.geometry };
    let started = std::time::Instant::now();
    let reading = read_stack(
        model,
        &stack,
        |z| Ok::<_, Infallible>(study.volume.hu.index_axis(Axis(0), z).to_owned()),
        &mut |_| ControlFlow::Continue(()),
    )?;
    let seconds = started.elapsed().as_secs_f64();
    let truth = Truth::of(study);
    Ok(PatientResult {
        seed: study.recipe.seed,
        stones: study.stones.clone(),
        truth_voxels: truth.voxels.len(),
        candidates: score_all(&reading, study, &truth),
        baseline: scored_baseline(&reading.region, study, &truth),
        seconds,
        slices_read: reading.engine.slices_read,
    })
}

/// The candidates of a reading against the truth: those that were kept first, in their order, then the rejected ones.
pub fn scored_candidates(reading: &Reading, study: &PhantomStudy) -> Vec<Scored> {
    score_all(reading, study, &Truth::of(study))
}

fn score_all(reading: &Reading, study: &PhantomStudy, truth: &Truth) -> Vec<Scored> {
    let kept = reading.candidates.iter().map(|c| (c, None));
    let rejected = reading.rejected.iter().map(|(c, r)| (c, Some(*r)));
    kept.chain(rejected)
        .map(|(candidate, rejection)| {
            let voxels: Vec<[u32; 3]> = candidate.voxels.iter().map(|v| v.index).collect();
            let max_hu = candidate.voxels.iter().map(|v| v.hu).max().unwrap_or(i16::MIN);
            Scored { score: candidate.score(), rejection, ..truth.score(&voxels, max_hu, study) }
        })
        .collect()
}

fn scored_baseline(region: &Region, study: &PhantomStudy, truth: &Truth) -> Vec<Scored> {
    threshold_components(&study.volume, BaselineSettings::default())
        .into_iter()
        .filter(|c| {
            let z = study.volume.geometry.index_from_patient(c.centre_patient_mm)[0].round().max(0.0) as usize;
            let searched = region.slices.get(z).and_then(|b| *b);
            searched.is_some_and(|b| (0..2).all(|k| (b.min_mm[k]..=b.max_mm[k]).contains(&c.centre_patient_mm[k])))
        })
        .map(|c| {
            let voxels: Vec<[u32; 3]> = c.voxels.iter().map(|v| v.map(|i| i as u32)).collect();
            truth.score(&voxels, c.max_hu, study)
        })
        .collect()
}

/// The truth as sets of voxels.
struct Truth {
    voxels: HashSet<[u32; 3]>,
    /// The stone at each voxel of the masks grown by one voxel.
    near: HashMap<[u32; 3], usize>,
}

impl Truth {
    fn of(study: &PhantomStudy) -> Self {
        let geometry = &study.volume.geometry;
        let mut truth = Self { voxels: HashSet::new(), near: HashMap::new() };
        for ((z, y, x), label) in study.truth.labels.indexed_iter() {
            if *label == 0 {
                continue;
            }
            let index = [z, y, x].map(|i| i as u32);
            truth.voxels.insert(index);
            let p = geometry.patient_from_index([z, y, x].map(|i| i as f64));
            let beyond = |s: &StoneTruth| distance(p, s.centre_patient_mm) - s.largest_diameter_mm / 2.0;
            let owner =
                (0..study.stones.len()).min_by(|a, b| beyond(&study.stones[*a]).total_cmp(&beyond(&study.stones[*b])));
            let Some(owner) = owner else { continue };
            for dz in -1..=1 {
                for dy in -1..=1 {
                    for dx in -1..=1 {
                        let [a, b, c] = index;
                        let near = (a.checked_add_signed(dz), b.checked_add_signed(dy), c.checked_add_signed(dx));
                        if let (Some(a), Some(b), Some(c)) = near {
                            truth.near.entry([a, b, c]).or_insert(owner);
                        }
                    }
                }
            }
        }
        truth
    }

    fn score(&self, voxels: &[[u32; 3]], max_hu: i16, study: &PhantomStudy) -> Scored {
        let mut mean = [0.0; 3];
        for v in voxels {
            for k in 0..3 {
                mean[k] += f64::from(v[k]) / voxels.len() as f64;
            }
        }
        let centre = study.volume.geometry.patient_from_index(mean);
        let mut hits: Vec<usize> = voxels.iter().filter_map(|v| self.near.get(v).copied()).collect();
        hits.extend(study.stones.iter().enumerate().filter_map(|(i, s)| {
            (distance(centre, s.centre_patient_mm) <= (s.largest_diameter_mm / 2.0).max(3.0)).then_some(i)
        }));
        hits.sort_unstable();
        hits.dedup();
        let overlap = voxels.iter().filter(|v| self.voxels.contains(*v)).count();
        Scored { score: 1.0, centre_patient_mm: centre, voxels: voxels.len(), max_hu, hits, overlap, rejection: None }
    }
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt()
}

/// Figures at a threshold: candidates below it, and those rejected for another reason than their score, do not count.
pub fn figures(patients: &[PatientResult], threshold: f32) -> DetectionMetrics {
    let kept = |c: &&Scored| c.score >= threshold && matches!(c.rejection, None | Some(Rejection::LowScore { .. }));
    detection(patients, |p| p.candidates.iter().filter(kept).collect())
}

/// Figures of the baseline.
pub fn baseline_figures(patients: &[PatientResult]) -> DetectionMetrics {
    detection(patients, |p| p.baseline.iter().collect())
}

fn detection<'a>(
    patients: &'a [PatientResult],
    candidates: impl Fn(&'a PatientResult) -> Vec<&'a Scored>,
) -> DetectionMetrics {
    let (mut wrong, mut dices) = (0, Vec::new());
    let mut stones: Vec<(f64, bool)> = Vec::new();
    for patient in patients {
        let candidates = candidates(patient);
        wrong += candidates.iter().filter(|c| c.hits.is_empty()).count();
        for (i, stone) in patient.stones.iter().enumerate() {
            stones.push((stone.largest_diameter_mm, candidates.iter().any(|c| c.hits.contains(&i))));
        }
        if patient.truth_voxels > 0 {
            let marked: usize = candidates.iter().map(|c| c.voxels).sum();
            let shared: usize = candidates.iter().map(|c| c.overlap).sum();
            dices.push(2.0 * shared as f64 / (marked + patient.truth_voxels) as f64);
        }
    }
    let sensitivity = SIZES_MM
        .iter()
        .map(|&diameter_mm| {
            let of_size: Vec<&(f64, bool)> =
                stones.iter().filter(|(d, _)| *d >= diameter_mm[0] && *d < diameter_mm[1]).collect();
            let (n, found) = (of_size.len(), of_size.iter().filter(|(_, f)| *f).count());
            let value = (n > 0).then(|| found as f64 / n as f64);
            Sensitivity { diameter_mm, found, n, value, ci95: wilson95(found, n) }
        })
        .collect();
    let n = patients.len().max(1) as f64;
    let false_positives = FalsePositives {
        count: wrong,
        patients: patients.len(),
        per_patient: wrong as f64 / n,
        ci95: poisson95(wrong).map(|c| c / n),
    };
    DetectionMetrics { sensitivity, false_positives, dice: mean_dice(&dices) }
}

fn mean_dice(dices: &[f64]) -> Option<MeanDice> {
    let n = dices.len();
    if n == 0 {
        return None;
    }
    let mean = dices.iter().sum::<f64>() / n as f64;
    let variance = dices.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n.max(2) - 1) as f64;
    let half = Z95 * (variance / n as f64).sqrt();
    Some(MeanDice { n, mean, ci95: [(mean - half).max(0.0), (mean + half).min(1.0)] })
}

/// The lowest threshold, from `lowest` on, at which the patients have at most this rate of wrong candidates.
pub fn choose_threshold(patients: &[PatientResult], lowest: f32, most_per_patient: f64) -> f32 {
    let mut thresholds: Vec<f32> =
        patients.iter().flat_map(|p| &p.candidates).map(|c| c.score).filter(|s| *s > lowest).collect();
    thresholds.push(lowest);
    thresholds.sort_by(f32::total_cmp);
    thresholds.dedup();
    let rate = |t: f32| figures(patients, t).false_positives.per_patient;
    let position = thresholds.partition_point(|t| rate(*t) > most_per_patient);
    thresholds.get(position).copied().unwrap_or(1.0)
}

/// The card's figures.
pub fn metrics(patients_from: String, patients: &[PatientResult], threshold: f32) -> Metrics {
    Metrics {
        patients_from,
        matching_rule: MATCHING_RULE.to_owned(),
        patients: patients.len(),
        stones: patients.iter().map(|p| p.stones.len()).sum(),
        model: figures(patients, threshold),
        baseline: baseline_figures(patients),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stone(diameter: f64) -> StoneTruth {
        StoneTruth {
            id: 1,
            site: None,
            side: None,
            centre_patient_mm: [0.0; 3],
            largest_diameter_mm: diameter,
            volume_mm3: 1.0,
            mean_hu: 500.0,
            max_hu: 600.0,
            voxels: 4,
        }
    }

    fn candidate(score: f32, hits: &[usize]) -> Scored {
        Scored {
            score,
            centre_patient_mm: [0.0; 3],
            voxels: 5,
            max_hu: 500,
            hits: hits.to_vec(),
            overlap: if hits.is_empty() { 0 } else { 3 },
            rejection: None,
        }
    }

    fn patient(stones: &[f64], candidates: Vec<Scored>) -> PatientResult {
        PatientResult {
            seed: 1,
            stones: stones.iter().map(|d| stone(*d)).collect(),
            truth_voxels: 4 * stones.len(),
            candidates,
            baseline: Vec::new(),
            seconds: 0.0,
            slices_read: 1,
        }
    }

    #[test]
    fn stones_found_and_false_positives_are_counted_by_patient() {
        let patients = [
            patient(&[2.0, 5.0], vec![candidate(0.9, &[1]), candidate(0.8, &[1]), candidate(0.95, &[])]),
            patient(&[7.0], vec![candidate(0.6, &[0])]),
            patient(&[], vec![]),
        ];
        let at = |t: f32| figures(&patients, t);
        let gate =
            |m: &DetectionMetrics| m.sensitivity.iter().find(|s| s.diameter_mm == GATE_MM).cloned().expect("gate");
        assert_eq!((gate(&at(0.5)).found, gate(&at(0.5)).n), (2, 2));
        assert_eq!((gate(&at(0.7)).found, gate(&at(0.7)).n), (1, 2));
        assert_eq!(at(0.5).false_positives.count, 1);
        assert!((at(0.5).false_positives.per_patient - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(at(0.96).false_positives.count, 0);
        assert_eq!(at(0.5).dice.map(|d| d.n), Some(2));
    }

    #[test]
    fn a_candidate_that_a_filter_rejected_is_neither_a_find_nor_a_false_positive() {
        let within = Scored {
            rejection: Some(Rejection::WithinLargeDenseStructure { share: 1.0, extent_mm: 60.0 }),
            ..candidate(0.99, &[])
        };
        let low = Scored { rejection: Some(Rejection::LowScore { score: 0.6 }), ..candidate(0.6, &[0]) };
        let patients = [patient(&[5.0], vec![within, low])];
        let figures = figures(&patients, 0.5);
        assert_eq!(figures.false_positives.count, 0);
        assert_eq!(figures.sensitivity[4].found, 1);
    }

    #[test]
    fn the_threshold_is_the_lowest_that_keeps_the_rate() {
        let patients = [
            patient(&[5.0], vec![candidate(0.9, &[0]), candidate(0.55, &[]), candidate(0.7, &[])]),
            patient(&[], vec![candidate(0.8, &[])]),
        ];
        assert_eq!(choose_threshold(&patients, 0.5, 2.0), 0.5);
        assert_eq!(choose_threshold(&patients, 0.5, 0.5), 0.8);
        assert_eq!(choose_threshold(&patients, 0.5, 0.0), 0.9);
    }
}
