//! What a stone within the ureter's corridor may be instead: told beside it, never a reason to drop it.

use hilum_imaging::frame::AnatomicalFrame;
use hilum_imaging::vector::Point;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::locate::JOINT;
use crate::message::Statement;

/// What looks like a stone of the ureter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MimicKind {
    /// A calcified thrombus of a pelvic vein.
    Phlebolith,
    /// A calcified wall of an iliac artery.
    VesselCalcification,
}

/// What a stone may be instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Mimic {
    /// What.
    pub kind: MimicKind,
    /// How far its place speaks for that, 0..=1: a score, no probability.
    pub score: f64,
    /// Distance (mm) from the expected course of the ureter.
    pub from_course_mm: f64,
    /// That it cannot be excluded, in words.
    pub statement: Statement,
}

/// Distance (mm) from the course at which place speaks for neither, and over which that changes: chosen on synthetic patients.
const EVEN_MM: f64 = 9.5;
const SOFT_MM: f64 = 3.0;
/// Nearer to the course (mm) nothing is said.
const LEAST_MM: f64 = 6.0;

/// What a candidate of the lower ureter may be; nothing for one on the course, above the iliac vessels or in an organ.
pub(super) fn of(frame: &AnatomicalFrame, point: Point) -> Option<Mimic> {
    let height = frame.pelvis.as_ref()?.local(point)[2];
    let beside = frame.ureters.iter().flatten().filter_map(|course| course.beside(point));
    let nearest = beside.min_by(|a, b| a.distance_mm.total_cmp(&b.distance_mm))?;
    let from_course_mm = nearest.distance_mm;
    let in_bladder = frame.bladder.is_some_and(|b| b.outside_mm(point) < 0.0);
    if height > JOINT[0] || from_course_mm < LEAST_MM || in_bladder {
        return None;
    }
    let kind = if height > JOINT[1] { MimicKind::VesselCalcification } else { MimicKind::Phlebolith };
    let score = 1.0 / (1.0 + ((EVEN_MM - from_course_mm) / SOFT_MM).exp());
    Some(Mimic { kind, score, from_course_mm, statement: kind.statement(from_course_mm) })
}
