//! From the region that was searched to what was looked at and what was not.

use hilum_clinical::Message;
use hilum_clinical::urinary_stone::{LandmarkHeights, MidlinePoint, Side, TractBox, TractPart, TractReference};
use hilum_infer::Region;
use hilum_infer::region::{self, PartCoverage, RegionFinding};

/// A part counts as covered from this share of its height on, and as absent up to the rest.
const WHOLE: f64 = 0.98;

/// What the region says for the report.
pub(super) struct Coverage {
    pub(super) reference: TractReference,
    pub(super) looked_at: Vec<Message>,
    pub(super) not_looked_at: Vec<Message>,
    pub(super) refusal: Option<Message>,
}

pub(super) fn of(region: &Region) -> Coverage {
    let mut looked_at = Vec::new();
    let mut not_looked_at = Vec::new();
    let searched: Vec<u32> = (1..).zip(&region.slices).filter(|(_, slice)| slice.is_some()).map(|(n, _)| n).collect();
    if let (Some(first), Some(last)) = (searched.first(), searched.last()) {
        looked_at.push(Message::SearchedSlices { first: *first, last: *last });
    }
    for (part, side) in PARTS {
        let shares: Vec<f64> = region.parts.iter().filter(|p| is(p, part, side)).filter_map(|p| p.covered).collect();
        match shares.as_slice() {
            [] => {}
            shares if shares.iter().all(|share| *share >= WHOLE) => looked_at.push(Message::Covered(part, side)),
            shares if shares.iter().all(|share| *share <= 1.0 - WHOLE) => {
                not_looked_at.push(Message::NotInScan(part, side));
            }
            _ => not_looked_at.push(Message::PartlyInScan(part, side)),
        }
    }
    if region.finding == RegionFinding::LevelUnknown {
        not_looked_at.push(Message::RegionUncertain);
    }
    let absent = matches!(region.finding, RegionFinding::TractNotInScan | RegionFinding::NoTrunk);
    Coverage {
        reference: reference(region),
        looked_at,
        not_looked_at,
        refusal: absent.then_some(Message::RefusedNoUrinaryRegion),
    }
}

const PARTS: [(TractPart, Side); 5] = [
    (TractPart::Kidney, Side::Right),
    (TractPart::Kidney, Side::Left),
    (TractPart::Ureter, Side::Right),
    (TractPart::Ureter, Side::Left),
    (TractPart::Bladder, Side::Midline),
];

fn is(coverage: &PartCoverage, part: TractPart, side: Side) -> bool {
    clinical_part(coverage.part) == part && clinical_side(coverage.side) == side
}

fn clinical_part(part: region::TractPart) -> TractPart {
    match part {
        region::TractPart::Kidney => TractPart::Kidney,
        region::TractPart::ProximalUreter | region::TractPart::MidUreter | region::TractPart::DistalUreter => {
            TractPart::Ureter
        }
        region::TractPart::Bladder => TractPart::Bladder,
    }
}

fn clinical_side(side: Option<region::Side>) -> Side {
    match side {
        Some(region::Side::Right) => Side::Right,
        Some(region::Side::Left) => Side::Left,
        None => Side::Midline,
    }
}

fn reference(region: &Region) -> TractReference {
    TractReference {
        midline: region.midline.iter().map(midline_point).collect(),
        boxes: region
            .parts
            .iter()
            .map(|p| TractBox { part: clinical_part(p.part), min_mm: p.min_mm, max_mm: p.max_mm })
            .collect(),
        heights: LandmarkHeights {
            iliac_crest_z_mm: region.landmarks.iliac_crest_z_mm,
            hip_z_mm: region.landmarks.hip_z_mm,
            lung_base_z_mm: region.landmarks.lung_base_z_mm,
        },
    }
}

fn midline_point(point: &region::MidlinePoint) -> MidlinePoint {
    MidlinePoint { z_mm: point.z_mm, x_mm: point.x_mm, y_mm: Some(point.y_mm) }
}
