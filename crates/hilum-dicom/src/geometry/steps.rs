//! The steps from slice to slice: even, or what is wrong with them.

use super::finding::GeometryFinding;
use super::stack::{TOLERATED_JITTER_MM, TOLERATED_JITTER_SPACINGS};

/// A lone step this much larger than the regular one is a gap; a smaller excess is unevenness.
const GAP_STEPS: f64 = 1.5;
/// Runs of steps that differ by this factor were planned so; less is a drift.
const DISTINCT_SPACINGS: f64 = 1.1;

/// How far (mm) a slice may lie from its even place.
pub(super) fn tolerance(spacing_mm: f64) -> f64 {
    (spacing_mm * TOLERATED_JITTER_SPACINGS).max(TOLERATED_JITTER_MM)
}

/// Positions that hold several slices; `positions` ascend.
pub(super) fn duplicates(positions: &[f64]) -> Vec<f64> {
    let mut repeated: Vec<f64> = Vec::new();
    for pair in positions.windows(2) {
        let known = repeated.last().is_some_and(|last| pair[1] - last <= TOLERATED_JITTER_MM);
        if pair[1] - pair[0] <= TOLERATED_JITTER_MM && !known {
            repeated.push(pair[0]);
        }
    }
    repeated
}

/// The even spacing of ascending, distinct positions, where every one of them lies on an even line within the tolerance.
pub(super) fn even_spacing(positions: &[f64]) -> Option<f64> {
    let (first, last) = (*positions.first()?, *positions.last()?);
    if positions.len() < 2 {
        return None;
    }
    let spacing = (last - first) / (positions.len() - 1) as f64;
    let allowed = tolerance(spacing);
    let on_line = |(i, p): (usize, &f64)| (p - (first + spacing * i as f64)).abs() <= allowed;
    positions.iter().enumerate().all(on_line).then_some(spacing)
}

/// Equal neighbouring steps.
struct Run {
    first: usize,
    count: usize,
    step: f64,
}

/// Names what is wrong with steps that are not even. `place[i]` is the stack index of the slice before step `i`.
pub(super) fn explain(positions: &[f64], place: &[usize], findings: &mut Vec<GeometryFinding>) {
    let steps: Vec<f64> = positions.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let runs = runs_of(&steps);
    let mut regular: Vec<f64> = Vec::new();
    for run in runs.iter().filter(|run| run.count >= 2) {
        if !regular.iter().any(|known| same(*known, run.step)) {
            regular.push(run.step);
        }
    }
    let smallest_mm = steps.iter().copied().fold(f64::INFINITY, f64::min);
    let largest_mm = steps.iter().copied().fold(0.0, f64::max);
    let uneven = GeometryFinding::UnevenSpacing { smallest_mm, largest_mm };
    if regular.is_empty() {
        findings.push(uneven);
        return;
    }
    let mut explained = true;
    for run in runs.iter().filter(|run| !regular.iter().any(|step| same(*step, run.step))) {
        let expected = nearest_regular(&runs, run.first).unwrap_or(regular[0]);
        if run.step > expected * GAP_STEPS {
            findings.push(GeometryFinding::Gap { after: place[run.first], missing_mm: run.step - expected });
        } else {
            explained = false;
        }
    }
    let span = |pick: fn(f64, f64) -> f64| regular.iter().copied().reduce(pick).unwrap_or(0.0);
    if span(f64::max) > span(f64::min) * DISTINCT_SPACINGS {
        findings.push(GeometryFinding::MixedSliceSpacing { spacings_mm: regular });
    } else if !explained || runs.len() == 1 || regular.len() > 1 {
        // Also one run that is not even: the steps drift, each within the tolerance of the one before.
        findings.push(uneven);
    }
}

fn same(a: f64, b: f64) -> bool {
    // Two steps share two jittering ends each.
    (a - b).abs() <= 2.0 * tolerance(a.min(b))
}

fn runs_of(steps: &[f64]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (i, &step) in steps.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if same(run.step, step) => run.count += 1,
            _ => runs.push(Run { first: i, count: 1, step }),
        }
    }
    runs
}

/// The regular step nearest to step `at`, the one before it on a tie.
fn nearest_regular(runs: &[Run], at: usize) -> Option<f64> {
    let distance = |run: &Run| if run.first <= at { at - (run.first + run.count - 1) } else { run.first - at };
    runs.iter().filter(|run| run.count >= 2).min_by_key(|run| distance(run)).map(|run| run.step)
}
