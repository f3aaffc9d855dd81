//! The site of a stone, with a probability, from the anatomical frame.
//!
//! Every place of the tract gets a share by how well the stone's centre fits there; the finest site that is safe is stated. The widths of the model were
//! chosen on synthetic patients, and its probabilities were checked on others (docs/urinary-stone/anatomy.md): on real patients they are not calibrated.

use hilum_imaging::frame::{self, AnatomicalFrame, Ellipsoid, Kidney, UreterCourse};
use hilum_imaging::vector::Point;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Side;
use crate::guideline::Site;

/// Where a stone lies, as finely as it is safe to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SiteFinding {
    /// The site.
    pub site: Site,
    /// Probability of the site, 0..=1: calibrated on synthetic patients only.
    pub probability: f64,
    /// The finest sites that come into question with their shares, most likely first.
    pub shares: Vec<SiteShare>,
}

/// The share of one site.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SiteShare {
    /// The site.
    pub site: Site,
    /// Its side.
    pub side: Side,
    /// Its probability, 0..=1.
    pub probability: f64,
}

/// A fine site is stated from this probability on, a coarse one (kidney, ureter) from that sum.
const SAFE: f64 = 0.7;
/// Shares below this are left out.
const LEAST_SHARE: f64 = 0.02;
/// Weight of "none of these" against a place that fits perfectly.
const ELSEWHERE: f64 = 0.015;

// Uncertainty of the kidney: its surface (mm), the thirds of its long axis and the border of the renal pelvis (in radii).
const SURFACE_SIGMA_MM: f64 = 4.0;
const THIRD: f64 = 1.0 / 3.0;
const THIRD_SIGMA: f64 = 0.08;
const PELVIS_BORDER: f64 = -0.22;
const PELVIS_SIGMA: f64 = 0.14;
/// Length (mm) of the ureteropelvic junction below the course's upper end, and of the ureterovesical one above its lower end.
const UPJ_MM: f64 = 16.0;
const UVJ_MM: f64 = 8.0;
const JUNCTION_SIGMA_MM: f64 = 4.0;
/// Above its upper end a course fits with this uncertainty (mm).
const END_SIGMA_MM: f64 = 4.0;
/// Upper and lower end of the sacroiliac joint, in pelvic heights, and their uncertainty.
pub(super) const JOINT: [f64; 2] = [0.825, 0.53];
const JOINT_SIGMA: f64 = 0.05;
/// Depth (mm) below the bladder's surface at which as many stones lie in it as in its wall, and the uncertainty of that.
const WALL_MM: f64 = 2.0;
const WALL_SIGMA_MM: f64 = 2.0;

/// The sites that a point may lie at, most likely first; their sum and "none of these" make 1.
pub(super) fn shares(frame: &AnatomicalFrame, point: Point) -> Vec<SiteShare> {
    let mut weighted: Vec<SiteShare> = Vec::new();
    let mut add = |side: Side, weight: f64, parts: &[(Site, f64)]| {
        weighted.extend(parts.iter().map(|(site, part)| SiteShare { site: *site, side, probability: weight * part }));
    };
    for side in frame::Side::BOTH {
        let patient_side = Side::from(side);
        if let Some(kidney) = &frame.kidneys[side.index()] {
            let inside = below(kidney.body.outside_mm(point), SURFACE_SIGMA_MM);
            add(patient_side, inside, &in_kidney(kidney, point));
        }
        if let Some(course) = &frame.ureters[side.index()] {
            let (along, parts) = in_ureter(frame, course, point);
            add(patient_side, along, &parts);
        }
    }
    if let Some(bladder) = &frame.bladder {
        add(Side::Midline, in_bladder(bladder, point), &[(Site::Bladder, 1.0)]);
    }
    let total = ELSEWHERE + weighted.iter().map(|s| s.probability).sum::<f64>();
    for share in &mut weighted {
        share.probability /= total;
    }
    weighted.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    weighted
}

fn in_bladder(bladder: &Ellipsoid, point: Point) -> f64 {
    below(bladder.outside_mm(point) + WALL_MM, WALL_SIGMA_MM)
}

/// The thirds of the long axis, and the renal pelvis towards the hilum of the middle one.
fn in_kidney(kidney: &Kidney, point: Point) -> [(Site, f64); 4] {
    let local = kidney.body.local(point);
    let [lateral, _, along] = [0, 1, 2].map(|k| local[k] / kidney.body.radii[k]);
    let upper = below(THIRD - along, THIRD_SIGMA);
    let lower = below(along + THIRD, THIRD_SIGMA) * (1.0 - upper);
    let middle = 1.0 - upper - lower;
    let pelvis = middle * below(lateral - PELVIS_BORDER, PELVIS_SIGMA);
    [
        (Site::UpperPole, upper),
        (Site::LowerPole, lower),
        (Site::RenalPelvis, pelvis),
        (Site::MidKidney, middle - pelvis),
    ]
}

/// How well a point fits the course, and the parts of the ureter there.
fn in_ureter(frame: &AnatomicalFrame, course: &UreterCourse, point: Point) -> (f64, [(Site, f64); 5]) {
    let (Some(beside), Some(pelvis)) = (course.beside(point), &frame.pelvis) else {
        return (0.0, [(Site::Ureter, 0.0); 5]);
    };
    let sigma_mm = if beside.from_upper_end_mm > 0.0 { beside.sigma_mm } else { END_SIGMA_MM };
    let fits = (-0.5 * (beside.distance_mm / sigma_mm).powi(2)).exp();
    let height = pelvis.local(point)[2];
    let upj = if course.from_kidney { below(beside.from_upper_end_mm - UPJ_MM, JUNCTION_SIGMA_MM) } else { 0.0 };
    let uvj = if course.to_bladder { below(beside.to_lower_end_mm - UVJ_MM, JUNCTION_SIGMA_MM) } else { 0.0 };
    let proximal = below(JOINT[0] - height, JOINT_SIGMA) * (1.0 - upj);
    let distal = below(height - JOINT[1], JOINT_SIGMA) * (1.0 - uvj);
    let middle = (1.0 - upj - uvj - proximal - distal).max(0.0);
    let parts = [
        (Site::Upj, upj),
        (Site::ProximalUreter, proximal),
        (Site::MidUreter, middle),
        (Site::DistalUreter, distal),
        (Site::Uvj, uvj),
    ];
    let sum: f64 = parts.iter().map(|p| p.1).sum();
    (fits, parts.map(|(site, part)| (site, part / sum)))
}

/// Probability that a quantity with this uncertainty lies below zero.
fn below(value: f64, sigma: f64) -> f64 {
    0.5 * erfc(value / sigma / std::f64::consts::SQRT_2)
}

/// Complementary error function (Abramowitz and Stegun 7.1.26; absolute error below 2e-7).
fn erfc(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let poly =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let tail = poly * (-x * x).exp();
    if x >= 0.0 { tail } else { 2.0 - tail }
}

/// The finest safe statement; absent where even kidney, ureter or bladder is not safe.
pub(super) fn stated(shares: &[SiteShare]) -> Option<(SiteFinding, Side)> {
    let listed: Vec<SiteShare> = shares.iter().copied().filter(|s| s.probability >= LEAST_SHARE).collect();
    let finding = |site, probability| SiteFinding { site, probability, shares: listed.clone() };
    let best = shares.first()?;
    if best.probability >= SAFE {
        return Some((finding(best.site, best.probability), best.side));
    }
    let sum = |of: fn(Site) -> bool| {
        let sides = [Side::Right, Side::Left].map(|side| {
            (shares.iter().filter(|s| s.side == side && of(s.site)).map(|s| s.probability).sum::<f64>(), side)
        });
        sides.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, Side::Unknown))
    };
    [(Site::Kidney, sum(Site::is_kidney)), (Site::Ureter, sum(Site::is_ureter))]
        .into_iter()
        .find(|(_, (probability, _))| *probability >= SAFE)
        .map(|(site, (probability, side))| (finding(site, probability), side))
}

impl From<frame::Side> for Side {
    fn from(side: frame::Side) -> Self {
        match side {
            frame::Side::Right => Self::Right,
            frame::Side::Left => Self::Left,
        }
    }
}
