//! Which candidates are no urinary stones by their place, and why: kept with the numbers that decided.
//!
//! A missed stone is worse than a false one: only what lies clearly outside the tract, or within bone, is rejected, and nothing where the frame of that
//! part of the body was not found.

use hilum_imaging::frame::{self, AnatomicalFrame};
use hilum_imaging::vector::{Point, distance};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::locate::JOINT;
use super::{Side, Stone, TractPart, skin};

/// Why a candidate is no urinary stone, with what decided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum RejectionReason {
    /// It is part of a dense structure larger than any stone: bone, contrast medium, metal or a long plaque.
    InDenseStructure {
        /// Share of its voxels that are, 0..=1.
        share: f64,
        /// Extent (mm) of the structure.
        extent_mm: f64,
    },
    /// It lies in or behind the spine.
    InSpine {
        /// Distance (mm) from the midline.
        from_midline_mm: f64,
        /// Distance (mm) behind the middle of the vertebral bone; negative before it.
        behind_mm: f64,
    },
    /// Bone surrounds it.
    InBone {
        /// Share of the tissue around it that is as dense as bone, 0..=1.
        bone_share: f64,
    },
    /// It lies below the bladder: prostate, urethra, veins of the pelvic floor.
    BelowBladder {
        /// Distance (mm) below the bladder's lowest point.
        below_mm: f64,
    },
    /// It lies before the spine, where the great vessels run: a calcified vessel wall.
    BeforeSpine {
        /// Distance (mm) from the midline.
        from_midline_mm: f64,
        /// Distance (mm) from the nearest part of the tract.
        outside_mm: f64,
    },
    /// Gas lies beside it: content of the bowel.
    InBowel {
        /// Share of the tissue around it that is gas, 0..=1.
        gas_share: f64,
        /// Distance (mm) from the nearest part of the tract.
        outside_mm: f64,
    },
    /// It lies in the wall of the trunk: costal cartilage, rib, scar.
    InBodyWall {
        /// Distance (mm) from the skin.
        skin_mm: f64,
        /// Distance (mm) from the nearest part of the tract.
        outside_mm: f64,
    },
    /// It lies outside kidneys, ureters and bladder.
    OutsideTract {
        /// Distance (mm) from the nearest part of the tract.
        outside_mm: f64,
        /// That part.
        nearest: TractPart,
        /// Its side.
        side: Side,
    },
}

/// The tract's nearest part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nearest {
    part: TractPart,
    side: Side,
    outside_mm: f64,
    /// How far beyond what uncertainty explains, mm.
    beyond_mm: f64,
}

/// Distance (mm) from a kidney's and the bladder's surface that uncertainty explains.
const KIDNEY_MARGIN_MM: f64 = 10.0;
/// The margin grows by so much (mm) where a kidney's contour is less clear than this.
const CLEAR_CONTOUR: f64 = 0.75;
const UNCLEAR_MM: f64 = 40.0;
const BLADDER_MARGIN_MM: f64 = 8.0;
/// Standard deviations of a ureter's course that uncertainty explains.
const COURSE_SIGMAS: f64 = 2.5;
/// Distance (mm) over which the tract score falls.
const SOFT_MM: f64 = 4.0;
/// Share of dense tissue around a candidate that makes it part of a bone, and its density.
const BONE_SHARE: f64 = 0.6;
const SURE_BONE_SHARE: f64 = 0.85;
const OFF_COURSE_MM: f64 = 8.0;
const BONE_HU: i16 = 160;
/// Share of gas around a candidate that shows bowel, and its density.
const GAS_SHARE: f64 = 0.08;
const GAS_HU: i16 = -300;
/// The shell (mm beyond the candidate's own radius) that is looked at around it.
const SHELL_MM: [f64; 2] = [2.0, 7.0];
/// Half width (mm) of the strip before the spine, and how far it reaches to the front (in half widths of the pelvis).
const SPINE_STRIP_MM: f64 = 24.0;
const BEFORE_SPINE: f64 = -1.0;
/// Depth (mm) under the skin of the trunk's wall.
const WALL_MM: f64 = 32.0;
/// Below the bladder's lowest point (mm), and how far from the midline (in half widths of the pelvis).
const BELOW_MM: f64 = 6.0;
const FLOOR: f64 = 0.4;

/// The nearest part of the tract; `None` where the frame does not know the tract around there.
fn nearest(frame: &AnatomicalFrame, point: Point) -> Option<Nearest> {
    let pelvis = frame.pelvis.as_ref()?;
    let [to_left, _, height] = pelvis.local(point);
    let side = if to_left < 0.0 { frame::Side::Right } else { frame::Side::Left };
    let course = frame.ureters[side.index()].as_ref()?;
    // Above the sacroiliac joints the kidney must be known, below them the hips.
    let known = if height > JOINT[0] { course.from_kidney } else { pelvis.hips_seen && course.to_bladder };
    if !known {
        return None;
    }
    let mut parts = Vec::new();
    for other in frame::Side::BOTH {
        let named = Side::from(other);
        if let Some(kidney) = &frame.kidneys[other.index()] {
            let margin = KIDNEY_MARGIN_MM + UNCLEAR_MM * (CLEAR_CONTOUR - kidney.contour).max(0.0);
            parts.push((TractPart::Kidney, named, kidney.body.outside_mm(point), margin));
        }
        if let Some(beside) = frame.ureters[other.index()].as_ref().and_then(|c| c.beside(point)) {
            parts.push((TractPart::Ureter, named, beside.distance_mm, COURSE_SIGMAS * beside.sigma_mm));
        }
    }
    if let Some(bladder) = &frame.bladder {
        parts.push((TractPart::Bladder, Side::Midline, bladder.outside_mm(point), BLADDER_MARGIN_MM));
    }
    let found = parts.into_iter().map(|(part, side, outside, margin)| Nearest {
        part,
        side,
        outside_mm: outside.max(0.0),
        beyond_mm: outside - margin,
    });
    found.min_by(|a, b| a.beyond_mm.total_cmp(&b.beyond_mm))
}

/// Shares of bone and gas among the cells around a candidate.
fn around(frame: &AnatomicalFrame, centre: Point, radius_mm: f64) -> Option<[f64; 2]> {
    let cells = &frame.cells;
    let [z, y, x] = cells.at(centre)?;
    let (nz, ny, nx) = cells.hu.dim();
    let reach = radius_mm + SHELL_MM[1];
    let [rz, ry, rx] = cells.geometry.spacing_mm().map(|mm| (reach / mm).ceil() as usize);
    let (mut all, mut bone, mut gas) = (0.0, 0.0, 0.0);
    for k in z.saturating_sub(rz)..(z + rz + 1).min(nz) {
        for j in y.saturating_sub(ry)..(y + ry + 1).min(ny) {
            for i in x.saturating_sub(rx)..(x + rx + 1).min(nx) {
                let d = distance(centre, cells.geometry.patient_from_index([k, j, i].map(|v| v as f64)));
                let hu = cells.hu[[k, j, i]];
                if d >= radius_mm + SHELL_MM[0] && d <= reach && hu > -1024 && cells.body[[k, j, i]] {
                    all += 1.0;
                    bone += f64::from(u8::from(hu >= BONE_HU));
                    gas += f64::from(u8::from(hu <= GAS_HU));
                }
            }
        }
    }
    (all > 0.0).then(|| [bone / all, gas / all])
}

/// How well a candidate fits the tract by its place, 0..=1 (a score, no probability), and why it is rejected where it is. The score is absent where the
/// frame does not know the tract around there.
pub(super) fn judge(frame: &AnatomicalFrame, stone: &Stone) -> (Option<f64>, Option<RejectionReason>) {
    let Some(centre) = stone.centre_mm else { return (None, None) };
    let (Some(found), Some(pelvis)) = (nearest(frame, centre), &frame.pelvis) else { return (None, None) };
    let score = Some(1.0 / (1.0 + (found.beyond_mm / SOFT_MM).exp()));
    let in_organ = frame.kidneys.iter().flatten().any(|k| k.body.outside_mm(centre) <= 0.0)
        || frame.bladder.is_some_and(|b| b.outside_mm(centre) <= 0.0);
    if in_organ {
        return (score, None);
    }
    let radius = stone.largest_diameter_mm.unwrap_or(0.0) / 2.0;
    let [bone_share, gas_share] = around(frame, centre, radius).unwrap_or([0.0; 2]);
    // Contrast medium is as dense as bone: within the corridor only what bone surrounds on all sides is part of it.
    let within = bone_share >= SURE_BONE_SHARE && found.outside_mm >= OFF_COURSE_MM;
    if within || (bone_share >= BONE_SHARE && found.beyond_mm > 0.0) {
        return (score, Some(RejectionReason::InBone { bone_share }));
    }
    if let Some(bladder) = &frame.bladder {
        let below_mm = bladder.centre[2] - bladder.radii[2] - centre[2];
        if below_mm >= BELOW_MM && pelvis.local(centre)[0].abs() < FLOOR {
            return (score, Some(RejectionReason::BelowBladder { below_mm }));
        }
    }
    if found.beyond_mm <= 0.0 {
        return (score, None);
    }
    let outside_mm = found.outside_mm;
    let from_midline_mm = pelvis.local(centre)[0].abs() * pelvis.half_width_mm;
    let skin_mm = skin::nearest_mm(&frame.cells, centre);
    let reason = if gas_share >= GAS_SHARE {
        RejectionReason::InBowel { gas_share, outside_mm }
    } else if let Some(skin_mm) = skin_mm.filter(|mm| *mm <= WALL_MM) {
        RejectionReason::InBodyWall { skin_mm, outside_mm }
    } else if from_midline_mm <= SPINE_STRIP_MM && pelvis.local(centre)[1] > BEFORE_SPINE {
        RejectionReason::BeforeSpine { from_midline_mm, outside_mm }
    } else {
        RejectionReason::OutsideTract { outside_mm, nearest: found.part, side: found.side }
    };
    (score, Some(reason))
}
