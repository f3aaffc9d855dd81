//! What the report says as coded concepts and measurements.

use hilum_clinical::urinary_stone::{Side, Stone, TractPart};
use hilum_dicom::write::result::{Code, Measurement, code};

/// Where a stone lies, with its side; nothing where the part of the tract is not known.
pub(super) fn site(stone: &Stone) -> Option<(Code, Option<Code>)> {
    let part = match stone.part {
        TractPart::Kidney => code::KIDNEY,
        TractPart::Ureter => code::URETER,
        TractPart::Bladder => code::BLADDER,
        TractPart::Unknown => return None,
    };
    let side = match stone.side {
        Side::Right => Some(code::RIGHT),
        Side::Left => Some(code::LEFT),
        Side::Midline | Side::Unknown => None,
    };
    // The bladder has no sides of its own.
    Some((part, side.filter(|_| part != code::BLADDER)))
}

/// PS3.16 has no concept for the score of a detection that is no probability.
const SCORE: Code = Code::own("score", "Detection score, not calibrated");

/// The number that the report's JSON has, not the digits that a wider float adds to it.
fn as_written(score: f32) -> f64 {
    score.to_string().parse().unwrap_or(f64::from(score))
}

/// The numbers of a stone. What was not measured is left out.
pub(super) fn measurements(stone: &Stone) -> Vec<Measurement> {
    let millimetres = |concept, value: Option<f64>| value.map(|mm| Measurement::new(concept, mm, code::MILLIMETRE));
    let volume = stone.volume_mm3.map(|mm3| Measurement::new(code::VOLUME, mm3, code::CUBIC_MILLIMETRE));
    let mut all: Vec<Measurement> =
        millimetres(code::LARGEST_DIAMETER, stone.largest_diameter_mm).into_iter().chain(volume).collect();
    all.extend([
        Measurement::attenuation(code::MEAN, stone.hu.mean),
        Measurement::attenuation(code::MAXIMUM, f64::from(stone.hu.max)),
        Measurement::attenuation(code::STANDARD_DEVIATION, stone.hu.sd),
        Measurement::new(SCORE, as_written(stone.score), code::NO_UNITS),
    ]);
    all
}
