//! Lung bases, iliac crests and hips on the coarse volume, and the midline through the spine.

use serde::{Deserialize, Serialize};

use super::body::Section;
use super::coarse::Coarse;
use super::tract::LUNG_BASE_ABOVE_CREST;

/// A point of the midline: where the spine (or, beyond it, the middle of the body) runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MidlinePoint {
    /// Patient z (mm).
    pub z_mm: f64,
    /// Patient x (mm) of the midline.
    pub x_mm: f64,
    /// Patient y (mm) of the middle of the vertebra's bone.
    pub y_mm: f64,
}

/// Heights (patient z, mm) at which the scan shows a landmark; absent where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Landmarks {
    /// Lowest slice with lung beside the spine.
    pub lung_base_z_mm: Option<f64>,
    /// Height below which the lungs narrow towards their bases, where the scan shows lung but not its lower end.
    pub lung_taper_z_mm: Option<f64>,
    /// Upper edge of the iliac wings.
    pub iliac_crest_z_mm: Option<f64>,
    /// Middle of the hip joints.
    pub hip_z_mm: Option<f64>,
    /// True where lung reaches the lower end of the scan without narrowing: the abdomen lies below the scan.
    pub lung_at_lower_end: bool,
    /// Lowest and highest slice whose cross-section is large enough for a trunk.
    pub trunk_z_mm: Option<[f64; 2]>,
}

/// Smallest cross-section (cm²) and width (mm) of a trunk; a head has up to 280 cm² and 195 mm.
const TRUNK_CM2: f64 = 190.0;
const TRUNK_WIDTH_MM: f64 = 215.0;
/// Lung beside the spine (cm²) that makes a slice thoracic.
const LUNG_CM2: f64 = 8.0;
/// Height (mm) over which lung goes on where the scan goes on; gas in the colon, which rises to the back of a prone patient, does not.
const LUNG_RUN_MM: f64 = 120.0;
/// Lung (cm²) on each side of the midline somewhere in that run.
const LUNG_SIDE_CM2: f64 = 4.0;
/// Bone on each side (cm²) of a slice through the iliac wings; ribs in the gap above them show less.
const ILIAC_CM2: f64 = 2.5;
/// Bone on each side (cm²) that the pelvis reaches further down.
const PELVIS_CM2: f64 = 6.0;
/// Bone on each side (cm²) of a slice through the hip joints.
const HIP_CM2: f64 = 10.0;
/// Lateral bone on each side (cm²) that still counts as the gap between ribs and iliac crests.
const GAP_CM2: f64 = 1.3;

/// No adult's iliac crests lie farther (mm) below the lung bases.
const FARTHEST_CREST_MM: f64 = 190.0;

/// What one coarse slice contributes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Profile {
    pub z_mm: f64,
    pub area_cm2: f64,
    /// Smallest and largest patient `[x, y]` of the body.
    pub body_mm: Option<[[f64; 2]; 2]>,
    pub middle_mm: [f64; 2],
    /// Gas beside and behind the vertebral body, right and left of the midline (cm²): lung, or now and then colon.
    pub lung_side_cm2: [f64; 2],
    /// Bone farther than 45 mm to the right and left of the midline (cm²).
    pub lateral_bone_cm2: [f64; 2],
}

impl Profile {
    /// Both sides.
    fn lung_cm2(&self) -> f64 {
        self.lung_side_cm2[0] + self.lung_side_cm2[1]
    }
}

/// Half width (mm) of the strip in which the spine is looked for.
const SPINE_STRIP_MM: f64 = 45.0;

/// The profile of every coarse slice, feet first, and the midline beside it.
pub(super) fn profiles(coarse: &Coarse) -> (Vec<Profile>, Vec<MidlinePoint>) {
    let [_, dy, dx] = coarse.geometry.spacing_mm();
    let cell_cm2 = dy * dx / 100.0;
    let sections: Vec<Section> = coarse.hu.outer_iter().map(Section::of).collect();
    let at = |z: usize, y: f64, x: f64| coarse.geometry.patient_from_index([z as f64, y, x]);

    let mut profiles = Vec::with_capacity(sections.len());
    let mut spine: Vec<Option<[f64; 2]>> = Vec::with_capacity(sections.len());
    for (z, section) in sections.iter().enumerate() {
        let middle = section.body_box().map(|[low, high]| [0, 1].map(|k| (low[k] + high[k]) as f64 / 2.0));
        let Some([my, mx]) = middle else {
            profiles.push(Profile { z_mm: at(z, 0.0, 0.0)[2], ..Profile::default() });
            spine.push(None);
            continue;
        };
        let p = at(z, my, mx);
        let area = section.body.iter().filter(|b| **b).count() as f64 * cell_cm2;
        let body_mm = section.body_box().map(|[low, high]| {
            let (a, b) = (at(z, low[0] as f64, low[1] as f64), at(z, high[0] as f64, high[1] as f64));
            [[a[0], a[1]], [b[0], b[1]]]
        });
        profiles.push(Profile { z_mm: p[2], area_cm2: area, body_mm, middle_mm: [p[0], p[1]], ..Profile::default() });
        // Bone in the back half of the body near its middle: the vertebra.
        let (mut sum, mut n) = ([0.0; 2], 0.0);
        for (y, x) in section.cells(&section.bone) {
            if (x as f64 - mx).abs() * dx < SPINE_STRIP_MM && y as f64 > my - 10.0 / dy {
                sum = [sum[0] + y as f64, sum[1] + x as f64];
                n += 1.0;
            }
        }
        spine.push((n * cell_cm2 >= 3.0).then(|| {
            let q = at(z, sum[0] / n, sum[1] / n);
            [q[0], q[1]]
        }));
    }

    let midline = smooth_midline(&profiles, &spine);
    for ((profile, section), (z, middle)) in profiles.iter_mut().zip(&sections).zip(midline.iter().enumerate()) {
        let side = |y: usize, x: usize| {
            let p = at(z, y as f64, x as f64);
            (p[0] - middle.x_mm, p[1] - middle.y_mm)
        };
        for (y, x) in section.cells(&section.gas) {
            let (dx, dy) = side(y, x);
            if dx.abs() > 15.0 && dy > -25.0 {
                profile.lung_side_cm2[usize::from(dx > 0.0)] += cell_cm2;
            }
        }
        for (y, x) in section.cells(&section.bone) {
            let (dx, _) = side(y, x);
            if dx.abs() > 45.0 {
                profile.lateral_bone_cm2[usize::from(dx > 0.0)] += cell_cm2;
            }
        }
    }
    (profiles, midline)
}

/// The median of the spine over 25 mm up and down; where no spine is near, the nearest one's x and y, or the body's middle.
fn smooth_midline(profiles: &[Profile], spine: &[Option<[f64; 2]>]) -> Vec<MidlinePoint> {
    let median = |mut v: Vec<f64>| {
        v.sort_by(f64::total_cmp);
        v[v.len() / 2]
    };
    let smoothed: Vec<Option<[f64; 2]>> = profiles
        .iter()
        .map(|p| {
            let near: Vec<[f64; 2]> = profiles
                .iter()
                .zip(spine)
                .filter(|(q, _)| (q.z_mm - p.z_mm).abs() <= 25.0)
                .filter_map(|(_, s)| *s)
                .collect();
            (!near.is_empty()).then(|| [0, 1].map(|k| median(near.iter().map(|s| s[k]).collect())))
        })
        .collect();
    let nearest =
        |i: usize| (0..profiles.len()).filter_map(|j| smoothed[j].map(|s| (i.abs_diff(j), s))).min_by_key(|(d, _)| *d);
    profiles
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let [x_mm, y_mm] = nearest(i).map_or(p.middle_mm, |(_, s)| s);
            MidlinePoint { z_mm: p.z_mm, x_mm, y_mm }
        })
        .collect()
}

/// Reads the landmarks off the profiles (feet first).
pub(super) fn landmarks(profiles: &[Profile]) -> Landmarks {
    let trunk: Vec<&Profile> = longest_trunk(profiles);
    let (Some(lowest), Some(highest)) = (trunk.first(), trunk.last()) else { return Landmarks::default() };
    let step = if trunk.len() > 1 { (highest.z_mm - lowest.z_mm) / (trunk.len() - 1) as f64 } else { 1.0 };

    // Lung goes on headwards from its base, to the upper end of the scan or far enough, on both sides.
    let lung = |p: &Profile| p.lung_cm2() >= LUNG_CM2;
    let base = (0..trunk.len()).find(|&i| {
        let run: Vec<&Profile> = trunk[i..].iter().copied().take_while(|p| lung(p)).collect();
        let to_the_end = i + run.len() == trunk.len();
        let long = run.len() as f64 * step >= LUNG_RUN_MM;
        let smaller_side = run.iter().map(|p| p.lung_side_cm2[0].min(p.lung_side_cm2[1])).fold(0.0, f64::max);
        (to_the_end || long) && smaller_side >= LUNG_SIDE_CM2
    });
    let widest = trunk.iter().map(|p| p.lung_cm2()).fold(0.0, f64::max);
    let (mut lung_base, mut lung_taper) = (None, None);
    match base {
        Some(0) => {
            // Already lung at the lower end: does it narrow towards it?
            let end = trunk[0].lung_cm2();
            let wide = trunk.iter().position(|p| p.lung_cm2() >= 0.6 * widest);
            lung_taper = wide.filter(|w| *w > 0 && end < 0.5 * widest).map(|w| trunk[w].z_mm);
            lung_taper = lung_taper.or(Some(lowest.z_mm).filter(|_| end < 0.15 * widest));
        }
        Some(i) => lung_base = Some(trunk[i].z_mm),
        None => {}
    }

    // The pelvis is looked for below the lungs only: shoulders lie above them.
    let below: Vec<&Profile> = trunk[..base.unwrap_or(trunk.len())].iter().rev().copied().collect();
    let both = |p: &Profile| p.lateral_bone_cm2[0].min(p.lateral_bone_cm2[1]);
    let gap = below.iter().position(|p| both(p) <= GAP_CM2);
    let rise = |from: usize| {
        (from..below.len()).find(|&i| {
            both(below[i]) >= ILIAC_CM2 && {
                let further = &below[i..];
                let reach = further.iter().take_while(|p| below[i].z_mm - p.z_mm <= 40.0);
                let cut_short = below[i].z_mm - below[below.len() - 1].z_mm < 40.0;
                let highest = reach.map(|p| both(p)).fold(0.0, f64::max);
                highest >= if cut_short { ILIAC_CM2 } else { PELVIS_CM2 }
            }
        })
    };
    // A trunk that narrows to a neck without any lung between is a pair of shoulders, not a pelvis.
    let narrows = profiles.iter().filter(|p| p.z_mm > highest.z_mm && p.area_cm2 > 20.0).count() > 3;
    let shoulders = base.is_none() && narrows;
    // Ribs that reach the crests leave no gap above them: what is found below the pelvis instead is too far from the lungs.
    let near = |crest: f64| match lung_base {
        Some(base) if base - crest > FARTHEST_CREST_MM => base - LUNG_BASE_ABOVE_CREST,
        _ => crest,
    };
    let iliac_crest = gap.and_then(rise).filter(|_| !shoulders).map(|i| near(below[i].z_mm));
    let hip_z_mm = if shoulders { None } else { hips(&below, iliac_crest) };
    Landmarks {
        lung_base_z_mm: lung_base,
        lung_taper_z_mm: lung_taper,
        lung_at_lower_end: base == Some(0) && lung_taper.is_none(),
        iliac_crest_z_mm: iliac_crest,
        hip_z_mm,
        trunk_z_mm: Some([lowest.z_mm, highest.z_mm]),
    }
}

/// The longest run of slices with a trunk's cross-section, feet first; a single thin slice does not end it.
fn longest_trunk(profiles: &[Profile]) -> Vec<&Profile> {
    let mut best: Vec<&Profile> = Vec::new();
    let mut current: Vec<&Profile> = Vec::new();
    for (i, profile) in profiles.iter().enumerate() {
        let wide = |p: &Profile| p.body_mm.is_some_and(|[low, high]| high[0] - low[0] >= TRUNK_WIDTH_MM);
        let large = |p: &Profile| p.area_cm2 >= TRUNK_CM2 && wide(p);
        let held =
            large(profile) || (i > 0 && i + 1 < profiles.len() && large(&profiles[i - 1]) && large(&profiles[i + 1]));
        if held {
            current.push(profile);
        }
        if !held || i + 1 == profiles.len() {
            if current.len() > best.len() {
                best = std::mem::take(&mut current);
            }
            current.clear();
        }
    }
    best
}

/// The middle of the stretch with hip-like bone on both sides: of all slices from 60 to 190 mm below the crest where one is known.
fn hips(below: &[&Profile], crest: Option<f64>) -> Option<f64> {
    let both = |p: &Profile| p.lateral_bone_cm2[0].min(p.lateral_bone_cm2[1]);
    let allowed = |p: &&&Profile| crest.is_none_or(|c| (60.0..=190.0).contains(&(c - p.z_mm)));
    let hip: Vec<f64> = below.iter().filter(allowed).filter(|p| both(p) >= HIP_CM2).map(|p| p.z_mm).collect();
    (hip.len() >= 3).then(|| hip[hip.len() / 2])
}
