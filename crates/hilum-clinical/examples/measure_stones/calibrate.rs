//! The tables of the intervals: quantiles of the logarithm of truth over measure, by the uncertainty that the fit states.

use std::fmt::Write as _;

use crate::trial::{Mark, Random, drawn, measured_all};

/// Knots of a table.
const BINS: usize = 8;
/// Of 97.5 %: what is left makes up for stones of one uncertainty being unlike.
const TAIL: f64 = 0.0125;

/// First seed; tests and tables of the page use others.
const SEED: u64 = 50_000_000;

/// The tables as Rust, from `stones` simulated stones for slices up to 2 mm and as many for thicker ones.
pub fn tables(stones: u64) -> String {
    let mut text = String::new();
    for (name, thickness) in [("THIN", [0.7, 2.0]), ("THICK", [2.0, 6.0])] {
        // Uncertainty and log of truth over measure, of diameter and volume.
        let mut rows: Vec<([f64; 2], [f64; 2])> = Vec::new();
        for (k, mark) in (0..).zip([Mark::Truth, Mark::Dilated, Mark::Eroded]) {
            let scan = |i: u64| {
                let seed = SEED + 10_000_000 * k + i;
                let mut random = Random(seed.wrapping_mul(77_777_777));
                random.unit();
                drawn(seed, [1.5, 18.0], random.between(thickness[0], thickness[1]))
            };
            let scans: Vec<_> = (0..stones / 3).map(scan).collect();
            for outcome in measured_all(&scans, mark) {
                let truth = &outcome.truth.stone;
                if let Some(m) = &outcome.measure {
                    rows.push((
                        [m.log_diameter_sd, m.log_volume_sd],
                        [
                            (truth.largest_diameter_mm / m.largest_diameter_mm).ln(),
                            (truth.volume_mm3 / m.volume_mm3).ln(),
                        ],
                    ));
                }
            }
        }
        for (k, what) in ["DIAMETER", "VOLUME"].into_iter().enumerate() {
            let pairs = rows.iter().map(|(uncertainty, error)| (uncertainty[k], error[k])).collect();
            let knots = table(pairs);
            writeln!(text, "/// n = {}.\nconst {what}_{name}: [Knot; {}] = [", rows.len(), knots.len())
                .expect("a string");
            for [at, low, high] in knots {
                writeln!(text, "    [{at:.4}, {low:.3}, {high:.3}],").expect("a string");
            }
            text.push_str("];\n");
        }
    }
    text
}

/// Knots (uncertainty, lower and upper quantile), the quantiles moving apart only.
fn table(mut pairs: Vec<(f64, f64)>) -> Vec<[f64; 3]> {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    (0..BINS)
        .map(|bin| {
            let part = &pairs[bin * pairs.len() / BINS..(bin + 1) * pairs.len() / BINS];
            let mut errors: Vec<f64> = part.iter().map(|p| p.1).collect();
            errors.sort_by(f64::total_cmp);
            high = high.max(quantile(&errors, 1.0 - TAIL));
            // Stones of even density are not measured too small as the simulated ones are.
            low = low.min(quantile(&errors, TAIL)).min(-0.5 * high);
            [part[part.len() / 2].0, low, high]
        })
        .collect()
}

pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}
