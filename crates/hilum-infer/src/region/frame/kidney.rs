//! A kidney: the ellipsoid beside the spine at whose surface soft tissue borders on fat.
//!
//! Only the contour counts, so that contrast medium, stones and dilatation make no difference, and a kidney that liver or spleen touch keeps most of it.

use hilum_imaging::frame::{Cells, Ellipsoid, Kidney, Side};
use hilum_imaging::vector::{Point, cross, dot, minus, normalised, times};

use crate::region::{Region, midline_at};

/// HU at and below which tissue counts as fat (or gas), and from which as soft (or denser); between them as a mixture.
const FAT_HU: f64 = -55.0;
const SOFT_HU: f64 = -5.0;
/// Radii (mm) of an average adult kidney: lateral, to the front, along.
const RADII_MM: Point = [26.5, 24.0, 54.0];
/// Smallest and largest kidney, relative to that.
const SIZES: [f64; 2] = [0.6, 1.35];
/// Directions of the surface that are looked at.
const DIRECTIONS: usize = 96;
/// A kidney is taken for found from this share of its contour on.
const LEAST_CONTOUR: f64 = 0.45;
/// A kidney that the scan cuts must be clearer; wholly shown is one from this share of its surface on.
const LEAST_CUT_CONTOUR: f64 = 0.62;
const WHOLLY_SHOWN: f64 = 0.97;
/// Guesses that are refined.
const SEEDS: usize = 8;
/// Directions with at least this share along the long axis belong to an end.
const END: f64 = 0.7;
/// Share of the surface that must lie within what was read.
const LEAST_SHOWN: f64 = 0.6;

/// What is searched: centre, relative radii, and the tilt of the long axis (radians) inwards and backwards.
#[derive(Clone, Copy, Debug)]
struct Guess {
    centre: Point,
    sizes: Point,
    inwards: f64,
    backwards: f64,
}

impl Guess {
    /// Axes: laterally, to the front, to the upper pole. The hilum looks inwards and to the front.
    fn ellipsoid(&self, side: Side) -> Ellipsoid {
        let s = side.sign();
        let long = normalised([-s * self.inwards.tan(), self.backwards.tan(), 1.0]);
        let rough = [s * 0.82, 0.57, 0.0];
        let lateral = normalised(minus(rough, times(long, dot(rough, long))));
        let front = cross(long, lateral);
        let front = if front[1] > 0.0 { times(front, -1.0) } else { front };
        let radii = std::array::from_fn(|k| RADII_MM[k] * self.sizes[k]);
        Ellipsoid { centre: self.centre, axes: [lateral, front, long], radii }
    }
}

/// Unit directions spread evenly (Fibonacci lattice), without those towards the hilum.
fn directions(n: usize) -> Vec<Point> {
    let golden = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
    (0..n)
        .map(|i| {
            let z = 1.0 - 2.0 * (i as f64 + 0.5) / n as f64;
            let r = (1.0 - z * z).sqrt();
            let angle = golden * i as f64;
            [r * angle.cos(), r * angle.sin(), z]
        })
        .filter(|d| d[0] > -0.6)
        .collect()
}

/// Shares of the radius at which tissue inside and fat outside are looked for.
#[derive(Clone, Copy)]
struct Shells {
    inner: [f64; 2],
    outer: f64,
}

const COARSE: Shells = Shells { inner: [0.6, 0.82], outer: 1.26 };
const FINE: Shells = Shells { inner: [0.7, 0.9], outer: 1.13 };

/// How much of soft tissue a density is, 0..=1.
fn softness(hu: f64) -> f64 {
    ((hu - FAT_HU) / (SOFT_HU - FAT_HU)).clamp(0.0, 1.0)
}

/// How far an ellipsoid's surface is a kidney's contour.
struct Contour {
    /// Share at which soft tissue borders on fat, 0..=1.
    share: f64,
    /// Share of the surface within what was read.
    shown: f64,
}

/// Share of the contour at which soft tissue borders on fat, its lower end (or the upper one, where the lower was not read) counted twice: muscles beside
/// the spine go on there. `None` where too much of it was not read.
fn contour(cells: &Cells, body: &Ellipsoid, directions: &[Point], shells: Shells) -> Option<Contour> {
    // All of it, the lower and the upper end: sum and number.
    let mut parts = [[0.0; 2]; 3];
    for d in directions {
        let at = |k: f64| {
            let local = std::array::from_fn(|a| d[a] * body.radii[a] * k);
            cells.hu_at(body.place(local)).filter(|hu| *hu > -1000.0).map(softness)
        };
        let (Some(a), Some(b), Some(outside)) = (at(shells.inner[0]), at(shells.inner[1]), at(shells.outer)) else {
            continue;
        };
        let edge = a.min(b) * (1.0 - outside);
        for (part, counts) in parts.iter_mut().zip([true, d[2] < -END, d[2] > END]) {
            if counts {
                *part = [part[0] + edge, part[1] + 1.0];
            }
        }
    }
    let [all, lower, upper] = parts;
    let shown = all[1] / directions.len() as f64;
    if shown < LEAST_SHOWN {
        return None;
    }
    let end = if lower[1] > 0.0 { lower } else { upper };
    let share = |[sum, n]: [f64; 2]| sum / n.max(1.0);
    Some(Contour { share: (2.0 * share(all) + share(end)) / 3.0, shown })
}

/// How plausible a guess is beside an average kidney; subtracted from its contour.
fn unlikely(guess: &Guess, reference: Point) -> f64 {
    // Kidneys that lie low are common, so that height counts little.
    let d = minus(guess.centre, reference);
    let mean = guess.sizes.iter().sum::<f64>() / 3.0;
    let shape = guess.sizes.iter().map(|s| ((s / mean - 1.0) / 0.12).powi(2)).sum::<f64>();
    0.02 * ((d[0] / 12.0).powi(2) + (d[1] / 16.0).powi(2) + (d[2] / 28.0).powi(2))
        + 0.02 * ((mean - 1.0) / 0.18).powi(2)
        + 0.01 * shape
        + 0.02 * (((guess.inwards - 0.21) / 0.1).powi(2) + ((guess.backwards - 0.18) / 0.12).powi(2))
}

/// The kidney of one side.
pub(super) fn find(cells: &Cells, region: &Region, side: Side) -> Option<Kidney> {
    let [low, high] = centre_heights(region)?;
    let coarse = directions(48);
    let usual = usual_height(region);
    let reference = |z: f64| {
        let [x, y] = midline_at(&region.midline, z)?;
        Some([x + side.sign() * 66.0, y, usual.unwrap_or(z)])
    };
    let mut guesses: Vec<(f64, Guess)> = Vec::new();
    let mut z = low;
    while z <= high {
        let Some(middle) = reference(z) else { break };
        for ix in -5..=5 {
            for iy in -9..=7 {
                for size in [0.72, 0.88, 1.04, 1.2] {
                    let centre = [middle[0] + 5.0 * f64::from(ix), middle[1] + 4.0 * f64::from(iy), z];
                    let guess = Guess { centre, sizes: [size; 3], inwards: 0.21, backwards: 0.18 };
                    if let Some(found) = contour(cells, &guess.ellipsoid(side), &coarse, COARSE) {
                        guesses.push((found.share - unlikely(&guess, middle), guess));
                    }
                }
            }
        }
        z += 5.0;
    }
    guesses.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut seeds: Vec<Guess> = Vec::new();
    for (_, guess) in guesses {
        let apart = |s: &Guess| hilum_imaging::vector::distance(s.centre, guess.centre) > 20.0;
        if seeds.iter().all(apart) {
            seeds.push(guess);
        }
        if seeds.len() == SEEDS {
            break;
        }
    }
    let fine = directions(DIRECTIONS);
    let worth = |guess: &Guess, shells: Shells| {
        let middle = reference(guess.centre[2])?;
        let found = contour(cells, &guess.ellipsoid(side), &fine, shells)?;
        Some(found.share - unlikely(guess, middle))
    };
    let refined = seeds.into_iter().map(|seed| refine(seed, &|g| worth(g, COARSE), 1.0));
    let best = refined.filter_map(|g| worth(&g, COARSE).map(|w| (w, g))).max_by(|a, b| a.0.total_cmp(&b.0))?.1;
    let best = refine(best, &|g| worth(g, FINE), 0.5);
    let body = best.ellipsoid(side);
    let found = contour(cells, &body, &fine, FINE)?;
    let least = if found.shown < WHOLLY_SHOWN { LEAST_CUT_CONTOUR } else { LEAST_CONTOUR };
    (found.share >= least).then_some(Kidney { body, contour: found.share })
}

/// Coordinate ascent with shrinking steps.
fn refine(mut guess: Guess, worth: &dyn Fn(&Guess) -> Option<f64>, scale: f64) -> Guess {
    let Some(mut best) = worth(&guess) else { return guess };
    let moves: [fn(&mut Guess, f64); 8] = [
        |g, k| g.centre[0] += 4.0 * k,
        |g, k| g.centre[1] += 4.0 * k,
        |g, k| g.centre[2] += 6.0 * k,
        |g, k| g.sizes[0] = (g.sizes[0] + 0.08 * k).clamp(SIZES[0], SIZES[1]),
        |g, k| g.sizes[1] = (g.sizes[1] + 0.08 * k).clamp(SIZES[0], SIZES[1]),
        |g, k| g.sizes[2] = (g.sizes[2] + 0.08 * k).clamp(SIZES[0], SIZES[1]),
        |g, k| g.inwards += 0.06 * k,
        |g, k| g.backwards += 0.06 * k,
    ];
    let mut step = scale;
    for _ in 0..14 {
        let mut moved = false;
        for change in moves {
            for sign in [1.0, -1.0] {
                let mut other = guess;
                change(&mut other, sign * step);
                if let Some(w) = worth(&other).filter(|w| *w > best + 1e-6) {
                    (guess, best, moved) = (other, w, true);
                }
            }
        }
        if !moved {
            step /= 2.0;
            if step < 0.1 {
                break;
            }
        }
    }
    guess
}

/// Height (patient z, mm) of a kidney's centre in most patients.
fn usual_height(region: &Region) -> Option<f64> {
    let marks = &region.landmarks;
    marks.iliac_crest_z_mm.map(|crest| crest + 78.0).or(marks.lung_base_z_mm.map(|base| base - 60.0))
}

/// Heights (patient z, mm) between which a kidney's centre is looked for, low-lying kidneys included.
fn centre_heights(region: &Region) -> Option<[f64; 2]> {
    let marks = &region.landmarks;
    let [trunk_low, trunk_high] = marks.trunk_z_mm?;
    let base = marks.lung_base_z_mm;
    let (low, high) = match (marks.iliac_crest_z_mm, base) {
        (Some(crest), Some(base)) => (crest + 12.0, (base + 25.0).max(crest + 60.0)),
        (Some(crest), None) => (crest + 12.0, crest + 130.0),
        (None, Some(base)) => (base - 125.0, base + 25.0),
        (None, None) => (trunk_low, trunk_high),
    };
    Some([low.max(trunk_low), high.min(trunk_high)])
}
