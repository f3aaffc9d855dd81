//! The blurred ellipsoid that explains the voxels best: size and density apart, where either alone would be ambiguous.
//!
//! The scanner's blur mixes a small stone with its surroundings: a larger, paler stone looks much like a smaller, denser one. Edges and extents tell them
//! apart as far as the noise allows; how far, the curvature of the fit says. Where the scan says little (one slice, few voxels), weak prior knowledge
//! stands in: stones are compact, and their density is that of stones.

use super::ellipsoid::{Ellipsoid, PointSpread};
use super::lattice::Lattice;
use super::linear::{System, dot, solve, times};

/// Unknowns: centre (3), log axes (6: 00, 11, 22, 01, 02, 12), log contrast, offset of the background.
const N: usize = 11;
const LOG_CONTRAST: usize = 9;
const OFFSET: usize = 10;

/// Prior standard deviation of the logarithms of the half axes about their mean.
const SHAPE_SD: f64 = 0.22;
/// Prior of the logarithm of the contrast (HU).
const CONTRAST: (f64, f64) = (6.6, 0.7);
/// Prior of the mean logarithm of the half axes (mm).
const SIZE: (f64, f64) = (0.8, 0.9);
/// Prior standard deviation of the background's offset (HU).
const OFFSET_SD: f64 = 8.0;
/// Noise of neighbouring pixels goes together; a standard deviation counts for that many.
const CORRELATED: f64 = 1.8;
/// A real stone is no ellipsoid: that share of its contrast is never explained.
const MISFIT: f64 = 0.05;
/// Residuals away from the stone count linearly beyond this many standard deviations (Huber): other tissue reaches in there.
const HUBER: f64 = 3.0;

/// What the fit came to.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    pub ellipsoid: Ellipsoid,
    /// HU of the stone over its background.
    pub contrast: f64,
    pub offset: f64,
    /// Share of each voxel that the scanner would show as filled.
    pub shown: Vec<f64>,
    /// Standard deviation of the logarithm of the volume.
    pub log_volume_sd: f64,
    /// Standard deviation of the logarithm of the longest axis.
    pub log_diameter_sd: f64,
}

struct Problem<'a> {
    lattice: &'a Lattice,
    spread: &'a PointSpread,
    /// HU over the background.
    over: &'a [f64],
    used: &'a [usize],
    /// Of the used voxels: at the stone itself.
    close: Vec<bool>,
    sd: f64,
    /// What the background may be off by in each slice.
    drifts: Vec<Drift>,
}

/// An offset or a slope of the background over one slice: the fit must not explain it by stone.
struct Drift {
    /// Positions among the used voxels.
    positions: Vec<usize>,
    /// Its course over them, of length one.
    course: Vec<f64>,
    /// What is left of it in the residuals, by its prior: 0..1.
    left: f64,
}

/// For each slice of the used voxels an offset and two slopes, each of standard deviation `amplitude` in units of a residual's.
fn drifts(lattice: &Lattice, used: &[usize], amplitude: f64) -> Vec<Drift> {
    let mut drifts = Vec::new();
    let slice = |position: &usize| lattice.index(used[*position])[0];
    let mut order: Vec<usize> = (0..used.len()).collect();
    order.sort_by_key(|position| (slice(position), *position));
    for positions in order.chunk_by(|a, b| slice(a) == slice(b)) {
        let mut courses: Vec<Vec<f64>> = Vec::with_capacity(3);
        for axis in 0..3 {
            let value = |p: &usize| if axis == 0 { 1.0 } else { lattice.index(used[*p])[axis] as f64 };
            let mut course: Vec<f64> = positions.iter().map(value).collect();
            for other in &courses {
                let along: f64 = course.iter().zip(other).map(|(a, b)| a * b).sum();
                for (c, o) in course.iter_mut().zip(other) {
                    *c -= along * o;
                }
            }
            let length = course.iter().map(|c| c * c).sum::<f64>().sqrt();
            // A single voxel, or a single row of them, has no slope.
            if length > 1e-6 {
                for c in &mut course {
                    *c /= length;
                }
                courses.push(course);
            }
        }
        let left = 1.0 / (1.0 + positions.len() as f64 * amplitude * amplitude).sqrt();
        drifts.extend(courses.into_iter().map(|course| Drift { positions: positions.to_vec(), course, left }));
    }
    drifts
}

type Unknowns = [f64; N];

fn ellipsoid(p: &Unknowns) -> Ellipsoid {
    Ellipsoid { centre: [p[0], p[1], p[2]], log_axes: [[p[3], p[6], p[7]], [p[6], p[4], p[8]], [p[7], p[8], p[5]]] }
}

/// Residuals of the prior, each with its derivatives.
fn prior(p: &Unknowns) -> Vec<(f64, Unknowns)> {
    let mut rows = Vec::with_capacity(9);
    let mean = (p[3] + p[4] + p[5]) / 3.0;
    for k in 3..6 {
        let mut d = [0.0; N];
        for (j, slot) in d.iter_mut().enumerate().take(6).skip(3) {
            *slot = (f64::from(u8::from(j == k)) - 1.0 / 3.0) / SHAPE_SD;
        }
        rows.push(((p[k] - mean) / SHAPE_SD, d));
    }
    for k in 6..9 {
        let mut d = [0.0; N];
        d[k] = std::f64::consts::SQRT_2 / SHAPE_SD;
        rows.push((p[k] * d[k], d));
    }
    let mut d = [0.0; N];
    d[3..6].fill(1.0 / 3.0 / SIZE.1);
    rows.push(((mean - SIZE.0) / SIZE.1, d));
    let mut d = [0.0; N];
    d[LOG_CONTRAST] = 1.0 / CONTRAST.1;
    rows.push(((p[LOG_CONTRAST] - CONTRAST.0) / CONTRAST.1, d));
    let mut d = [0.0; N];
    d[OFFSET] = 1.0 / OFFSET_SD;
    rows.push((p[OFFSET] / OFFSET_SD, d));
    rows
}

fn huber(r: f64) -> f64 {
    if r.abs() <= HUBER { r * r } else { HUBER * (2.0 * r.abs() - HUBER) }
}

fn huber_weight(r: f64) -> f64 {
    if r.abs() <= HUBER { 1.0 } else { HUBER / r.abs() }
}

impl Problem<'_> {
    fn residuals(&self, p: &Unknowns, shown: &[f64]) -> Vec<f64> {
        let contrast = p[LOG_CONTRAST].exp();
        let off = |v: &usize| (self.over[*v] - contrast * shown[*v] - p[OFFSET]) / self.sd;
        self.without_drifts(self.used.iter().map(off).collect())
    }

    fn without_drifts(&self, mut values: Vec<f64>) -> Vec<f64> {
        for Drift { positions, course, left } in &self.drifts {
            let along: f64 = positions.iter().zip(course).map(|(p, c)| values[*p] * c).sum();
            for (p, c) in positions.iter().zip(course) {
                values[*p] -= (1.0 - left) * along * c;
            }
        }
        values
    }

    fn cost(&self, p: &Unknowns, residuals: &[f64]) -> f64 {
        let data = residuals.iter().zip(&self.close).map(|(r, close)| if *close { r * r } else { huber(*r) });
        data.sum::<f64>() + prior(p).iter().map(|(r, _)| r * r).sum::<f64>()
    }

    /// Normal equations at `p`: curvature, and the gradient downhill.
    fn equations(&self, p: &Unknowns, shown: &[f64], residuals: &[f64]) -> (System<N>, Unknowns) {
        let contrast = p[LOG_CONTRAST].exp();
        let mut slopes: Vec<Vec<f64>> = Vec::with_capacity(N);
        for k in 0..LOG_CONTRAST {
            let step = if k < 3 { 0.03 } else { 0.03 / (1.0 + f64::from(u8::from(k >= 6))) };
            let mut moved = *p;
            moved[k] += step;
            let other = ellipsoid(&moved).shown(self.lattice, self.spread);
            slopes.push(self.used.iter().map(|v| contrast * (other[*v] - shown[*v]) / step / self.sd).collect());
        }
        slopes.push(self.used.iter().map(|v| contrast * shown[*v] / self.sd).collect());
        slopes.push(vec![1.0 / self.sd; self.used.len()]);
        let slopes: Vec<Vec<f64>> = slopes.into_iter().map(|slope| self.without_drifts(slope)).collect();
        let weights: Vec<f64> =
            residuals.iter().zip(&self.close).map(|(r, close)| if *close { 1.0 } else { huber_weight(*r) }).collect();
        let mut curvature = [[0.0; N]; N];
        let mut downhill = [0.0; N];
        for i in 0..N {
            for j in 0..=i {
                let sum: f64 = slopes[i].iter().zip(&slopes[j]).zip(&weights).map(|((a, b), w)| a * b * w).sum();
                curvature[i][j] = sum;
                curvature[j][i] = sum;
            }
            downhill[i] = slopes[i].iter().zip(residuals).zip(&weights).map(|((a, r), w)| a * r * w).sum();
        }
        for (r, d) in prior(p) {
            for i in 0..N {
                for j in 0..N {
                    curvature[i][j] += d[i] * d[j];
                }
                downhill[i] -= d[i] * r;
            }
        }
        (curvature, downhill)
    }
}

/// What a fit goes by.
pub(super) struct Seen<'a> {
    /// HU over the background.
    pub over: &'a [f64],
    /// The voxels that count.
    pub used: &'a [usize],
    /// Those above half height.
    pub core: &'a [usize],
    /// Noise (HU).
    pub noise: f64,
    /// How far the background may be off (HU).
    pub unevenness: f64,
}

/// The best fit of those that begin with the moments of the visible `share` of each voxel, and, where slices are thick beside the stone, with a stone as
/// long as it is wide: two slices alone do not tell a long pale stone from a short dense one between them.
pub(super) fn fit(lattice: &Lattice, spread: &PointSpread, seen: &Seen, share: &[f64], contrast: f64) -> Option<Fit> {
    let first = guess(lattice, spread, share, seen.used)?;
    let sd = (CORRELATED * seen.noise).hypot(MISFIT * contrast).hypot(0.5 * seen.unevenness).max(1.0);
    let mut close = vec![false; lattice.len()];
    for v in seen.core {
        close[*v] = true;
        let slice = lattice.index(*v)[0];
        lattice.neighbours(*v, |other| close[other] |= lattice.index(other)[0] == slice);
    }
    let drifts = drifts(lattice, seen.used, seen.unevenness / sd);
    let close = seen.used.iter().map(|v| close[*v]).collect();
    let problem = Problem { lattice, spread, over: seen.over, used: seen.used, close, sd, drifts };
    let fits = [Some(first), rounded(lattice, spread, &first)].into_iter().flatten();
    let best = fits.filter_map(|guess| descend(&problem, guess, contrast)).min_by(|a, b| a.0.total_cmp(&b.0))?;
    stated(best.1)
}

/// The same ellipsoid as wide along the stack as across; `None` where the slices are thin beside it.
fn rounded(lattice: &Lattice, spread: &PointSpread, guess: &Ellipsoid) -> Option<Ellipsoid> {
    let direction = lattice.geometry.steps()[0].map(|s| s / lattice.spacing[0]);
    let along = dot(direction, times(&guess.log_axes, direction));
    if spread.slice_thickness_mm < 0.6 * along.exp() {
        return None;
    }
    let trace = guess.log_axes[0][0] + guess.log_axes[1][1] + guess.log_axes[2][2];
    let across = 0.5 * (trace - along);
    let mut log_axes = guess.log_axes;
    for i in 0..3 {
        for j in 0..3 {
            log_axes[i][j] += (across - along) * direction[i] * direction[j];
        }
    }
    Some(Ellipsoid { centre: guess.centre, log_axes })
}

/// Where a descent ended.
struct End {
    p: Unknowns,
    shown: Vec<f64>,
    curvature: System<N>,
}

/// Cost and end of a descent by Levenberg and Marquardt.
fn descend(problem: &Problem, guess: Ellipsoid, contrast: f64) -> Option<(f64, End)> {
    let Problem { lattice, spread, .. } = *problem;
    let [a, b, c] = guess.log_axes;
    let mut p = [0.0; N];
    p[..3].copy_from_slice(&guess.centre);
    p[3..9].copy_from_slice(&[a[0], b[1], c[2], a[1], a[2], b[2]]);
    p[LOG_CONTRAST] = contrast.max(1.0).ln();
    let mut shown = ellipsoid(&p).shown(lattice, spread);
    let mut residuals = problem.residuals(&p, &shown);
    let mut cost = problem.cost(&p, &residuals);
    let mut damping = 1e-3;
    let mut equations = problem.equations(&p, &shown, &residuals);
    let turns = if lattice.len() > 25_000 { 8 } else { 30 };
    for _ in 0..turns {
        let (curvature, downhill) = &equations;
        let mut damped = *curvature;
        for (k, row) in damped.iter_mut().enumerate() {
            row[k] *= 1.0 + damping;
        }
        let step = solve(&damped, downhill)?;
        let mut next = p;
        for k in 0..N {
            let most = if k < 3 {
                1.0
            } else if k < LOG_CONTRAST {
                0.3
            } else if k == LOG_CONTRAST {
                0.5
            } else {
                20.0
            };
            next[k] += step[k].clamp(-most, most);
        }
        let trial = ellipsoid(&next).shown(lattice, spread);
        let trial_residuals = problem.residuals(&next, &trial);
        let trial_cost = problem.cost(&next, &trial_residuals);
        if trial_cost < cost {
            let gain = cost - trial_cost;
            (p, shown, residuals, cost) = (next, trial, trial_residuals, trial_cost);
            damping = (damping * 0.3).max(1e-6);
            equations = problem.equations(&p, &shown, &residuals);
            // A hundredth is a tenth of a standard deviation.
            if gain < 1e-2 {
                break;
            }
        } else {
            damping *= 5.0;
            if damping > 1e4 {
                break;
            }
        }
    }
    Some((cost, End { p, shown, curvature: equations.0 }))
}

/// The fit and how certain it is, by the curvature of the cost.
fn stated(End { p, shown, curvature }: End) -> Option<Fit> {
    let fitted = ellipsoid(&p);
    let along = |gradient: Unknowns| {
        let solved = solve(&curvature, &gradient)?;
        Some((0..N).map(|k| gradient[k] * solved[k]).sum::<f64>().max(0.0).sqrt())
    };
    let mut volume = [0.0; N];
    volume[3..6].fill(1.0);
    let [x, y, z] = fitted.longest().1;
    let mut diameter = [0.0; N];
    diameter[3..9].copy_from_slice(&[x * x, y * y, z * z, 2.0 * x * y, 2.0 * x * z, 2.0 * y * z]);
    Some(Fit {
        log_volume_sd: along(volume)?,
        log_diameter_sd: along(diameter)?,
        ellipsoid: fitted,
        contrast: p[LOG_CONTRAST].exp(),
        offset: p[OFFSET],
        shown,
    })
}

/// A first guess from the moments of the visible shares, less the moments of the scanner's blur.
fn guess(lattice: &Lattice, spread: &PointSpread, share: &[f64], used: &[usize]) -> Option<Ellipsoid> {
    let total: f64 = used.iter().map(|v| share[*v]).sum();
    if total <= 0.0 {
        return None;
    }
    let place = |v: usize| lattice.geometry.patient_from_index(lattice.index(v).map(|i| i as f64));
    let mut centre = [0.0; 3];
    for v in used {
        let p = place(*v);
        for k in 0..3 {
            centre[k] += share[*v] * p[k] / total;
        }
    }
    let mut moments = [[0.0; 3]; 3];
    for v in used {
        let p = place(*v);
        for i in 0..3 {
            for j in 0..3 {
                moments[i][j] += share[*v] * (p[i] - centre[i]) * (p[j] - centre[j]) / total;
            }
        }
    }
    let sigma = spread.in_plane_fwhm_mm * super::ellipsoid::SIGMA_PER_FWHM;
    let steps = lattice.geometry.steps();
    let blur = [
        spread.slice_thickness_mm.powi(2) / 12.0,
        sigma * sigma + lattice.spacing[1].powi(2) / 12.0,
        sigma * sigma + lattice.spacing[2].powi(2) / 12.0,
    ];
    for k in 0..3 {
        let e = steps[k].map(|s| s / lattice.spacing[k]);
        for i in 0..3 {
            for j in 0..3 {
                moments[i][j] -= blur[k] * e[i] * e[j];
            }
        }
    }
    // Along the stack a single slice says nothing: there the stone is as long as it is wide.
    let in_plane: f64 = (1..3)
        .map(|k| {
            let e = steps[k].map(|s| s / lattice.spacing[k]);
            dot(e, times(&moments, e)).max(0.05)
        })
        .sum::<f64>()
        / 2.0;
    let floor = 0.25 * in_plane;
    let log_axes = super::linear::function_of(&moments, |m| 0.5 * (5.0 * m.max(floor).max(0.04)).ln());
    Some(Ellipsoid { centre, log_axes })
}
