//! 95 % intervals: how far truth lay from measure on simulated stones of a like uncertainty.
//!
//! The tables are printed by `measure_stones calibrate` (hilum-clinical's example) from seeds that neither the tests nor docs/urinary-stone/measurement.md
//! use: quantiles 1.25 and 98.75 % of the logarithm of truth over measure, in eight groups of the uncertainty that the fit states. They hold what the
//! fit cannot know, too: that stones are no ellipsoids and are less dense at the rim. Below the measure an interval reaches at least half as far as above:
//! stones of even density are not measured too small as the simulated ones are. Synthetic: on patients they are not calibrated.

use crate::urinary_stone::Interval;

/// Uncertainty (standard deviation of a logarithm), lower and upper quantile of the logarithm of truth over measure.
type Knot = [f64; 3];

/// Slices up to this thickness (mm) are thin.
const THIN_MM: f64 = 2.0;

/// n = 1745.
const DIAMETER_THIN: [Knot; 8] = [
    [0.0022, -0.025, 0.049],
    [0.0038, -0.026, 0.051],
    [0.0065, -0.026, 0.051],
    [0.0113, -0.036, 0.051],
    [0.0208, -0.052, 0.066],
    [0.0467, -0.153, 0.123],
    [0.1080, -0.795, 0.198],
    [0.1988, -0.795, 0.495],
];

/// n = 1745.
const VOLUME_THIN: [Knot; 8] = [
    [0.0034, -0.075, 0.149],
    [0.0059, -0.075, 0.149],
    [0.0105, -0.077, 0.153],
    [0.0183, -0.077, 0.153],
    [0.0360, -0.077, 0.153],
    [0.0891, -0.290, 0.205],
    [0.2376, -1.695, 0.333],
    [0.4478, -1.695, 0.806],
];

/// n = 1669.
const DIAMETER_THICK: [Knot; 8] = [
    [0.0038, -0.065, 0.129],
    [0.0064, -0.065, 0.129],
    [0.0107, -0.069, 0.137],
    [0.0232, -0.131, 0.137],
    [0.0532, -0.538, 0.243],
    [0.1002, -0.538, 0.324],
    [0.1571, -1.010, 0.413],
    [0.2471, -1.010, 0.568],
];

/// n = 1669.
const VOLUME_THICK: [Knot; 8] = [
    [0.0062, -0.088, 0.175],
    [0.0109, -0.088, 0.175],
    [0.0202, -0.206, 0.175],
    [0.0623, -0.527, 0.247],
    [0.2089, -0.707, 0.449],
    [0.2574, -0.707, 0.449],
    [0.3435, -1.331, 0.505],
    [0.5500, -2.068, 1.023],
];

/// Interval of a largest diameter (mm) whose logarithm is uncertain by `log_sd`.
pub(super) fn diameter(value: f64, log_sd: f64, slice_thickness_mm: f64) -> Interval {
    around(value, log_sd, if slice_thickness_mm <= THIN_MM { &DIAMETER_THIN } else { &DIAMETER_THICK })
}

/// Interval of a volume (mm³) whose logarithm is uncertain by `log_sd`.
pub(super) fn volume(value: f64, log_sd: f64, slice_thickness_mm: f64) -> Interval {
    around(value, log_sd, if slice_thickness_mm <= THIN_MM { &VOLUME_THIN } else { &VOLUME_THICK })
}

/// Linear between knots, the outermost beyond them, wider in proportion above the last.
fn around(value: f64, log_sd: f64, knots: &[Knot]) -> Interval {
    let after = knots.partition_point(|knot| knot[0] <= log_sd);
    let [low, high] = match (after.checked_sub(1).map(|before| knots[before]), knots.get(after)) {
        (Some([a, low, high]), Some([b, next_low, next_high])) => {
            let t = (log_sd - a) / (b - a);
            [low + t * (next_low - low), high + t * (next_high - high)]
        }
        (None, Some([_, low, high])) => [*low, *high],
        (Some([last, low, high]), None) => [low, high].map(|quantile| quantile * log_sd / last),
        (None, None) => [0.0, 0.0],
    };
    Interval { low: value * low.exp(), high: value * high.exp() }
}
