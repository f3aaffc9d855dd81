//! From measured candidates to placed stones and rejected candidates.

use hilum_imaging::frame::{self, AnatomicalFrame};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RejectionReason, Side, Stone, StoneReading, TractPart, locate, mimic, reject, skin};
use crate::guideline::Site;
use crate::message::Statement;

/// A candidate that is no urinary stone by its place: measured like one, not numbered among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RejectedCandidate {
    /// What was measured; its number counts the rejected ones.
    pub finding: Stone,
    /// Why, with what decided.
    pub reason: RejectionReason,
    /// Why, in words.
    pub statement: Statement,
    /// How well it fits the tract by its place, 0..=1: a score, no probability; absent where the place was not judged.
    pub tract_score: Option<f64>,
}

/// A rejected candidate with its voxels.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectedReading {
    /// What the report lists.
    pub candidate: RejectedCandidate,
    /// Its voxels, as of a stone.
    pub voxels: Vec<super::CandidateVoxel>,
}

/// Stones with site and skin distance, and the candidates that are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placed {
    /// Numbered from 1, in their order.
    pub stones: Vec<StoneReading>,
    /// Numbered from 1, in their order.
    pub rejected: Vec<RejectedReading>,
}

/// Names the site of every measured candidate and rejects what lies outside the urinary tract; without a frame nothing is. What a filter rejected
/// before (`filtered`) is told beside it. Readings keep their order.
pub fn place(
    readings: Vec<StoneReading>,
    filtered: Vec<(StoneReading, RejectionReason)>,
    frame: Option<&AnatomicalFrame>,
) -> Placed {
    let mut placed = Placed::default();
    for mut reading in readings {
        let (tract_score, reason) = frame.map_or((None, None), |frame| {
            name(&mut reading.stone, frame);
            reject::judge(frame, &reading.stone)
        });
        if let Some(reason) = reason {
            placed.reject(reading, reason, tract_score);
        } else {
            reading.stone.number = placed.stones.len() as u32 + 1;
            placed.stones.push(reading);
        }
    }
    for (reading, reason) in filtered {
        placed.reject(reading, reason, None);
    }
    placed
}

impl Placed {
    fn reject(&mut self, reading: StoneReading, reason: RejectionReason, tract_score: Option<f64>) {
        let StoneReading { stone: mut finding, voxels } = reading;
        finding.number = self.rejected.len() as u32 + 1;
        // A site of the tract is not stated for what lies outside it.
        (finding.site, finding.part, finding.mimic) = (None, TractPart::Unknown, None);
        let candidate = RejectedCandidate { finding, reason, statement: reason.statement(), tract_score };
        self.rejected.push(RejectedReading { candidate, voxels });
    }
}

/// A stone of the bladder within this distance (mm) of its middle belongs to neither side.
const BLADDER_MIDDLE_MM: f64 = 10.0;

fn name(stone: &mut Stone, frame: &AnatomicalFrame) {
    let Some(centre) = stone.centre_mm else { return };
    if frame.pelvis.is_none() && frame.kidneys.iter().all(Option::is_none) {
        return;
    }
    stone.site = None;
    stone.part = TractPart::Unknown;
    if let Some((finding, side)) = locate::stated(&locate::shares(frame, centre)) {
        (stone.part, stone.side) = match (finding.site, &frame.bladder) {
            (Site::Bladder, Some(bladder)) => {
                let off = centre[0] - bladder.centre[0];
                let side = if off.abs() <= BLADDER_MIDDLE_MM { Side::Midline } else { side_of(off) };
                (TractPart::Bladder, side)
            }
            (site, _) => (site.part(), side),
        };
        stone.site = Some(finding);
    }
    stone.mimic = mimic::of(frame, centre);
    let side = match stone.side {
        Side::Right => Some(frame::Side::Right),
        Side::Left => Some(frame::Side::Left),
        Side::Midline | Side::Unknown => None,
    };
    stone.skin_to_stone_mm = side.and_then(|side| skin::skin_to_stone_mm(&frame.cells, centre, side));
}

fn side_of(off: f64) -> Side {
    if off < 0.0 { Side::Right } else { Side::Left }
}
