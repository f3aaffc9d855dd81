//! What the report says as coded concepts and measurements.

use hilum_clinical::urinary_stone::{Side, Stone, TractPart};
use hilum_dicom::write::result::{Code, Measurement, Site, code};

/// The middle of an organ: PS3.16 CID 2 has no word for it.
const MIDDLE: Code = Code::own("middle", "Middle third");
/// Where kidney and ureter meet.
const UPJ: Code = Code::own("upj", "Ureteropelvic junction");
/// Where ureter and bladder meet.
const UVJ: Code = Code::own("uvj", "Ureterovesical junction");

/// Where a stone lies; nothing where not even the part of the tract is known.
pub(super) fn site(stone: &Stone) -> Option<Site> {
    use hilum_clinical::guideline::Site as Stated;
    let (region, part) = match (stone.site.as_ref().map(|found| found.site), stone.part) {
        (Some(Stated::UpperPole), _) => (code::KIDNEY, Some(code::SUPERIOR)),
        (Some(Stated::MidKidney), _) => (code::KIDNEY, Some(MIDDLE)),
        (Some(Stated::LowerPole), _) => (code::KIDNEY, Some(code::INFERIOR)),
        (Some(Stated::RenalPelvis), _) => (code::RENAL_PELVIS, None),
        (Some(Stated::Upj), _) => (code::URETER, Some(UPJ)),
        (Some(Stated::ProximalUreter), _) => (code::URETER, Some(code::PROXIMAL)),
        (Some(Stated::MidUreter), _) => (code::URETER, Some(MIDDLE)),
        (Some(Stated::DistalUreter), _) => (code::URETER, Some(code::DISTAL)),
        (Some(Stated::Uvj), _) => (code::URETER, Some(UVJ)),
        (Some(Stated::Kidney), _) | (None, TractPart::Kidney) => (code::KIDNEY, None),
        (Some(Stated::Ureter), _) | (None, TractPart::Ureter) => (code::URETER, None),
        (Some(Stated::Bladder), _) | (None, TractPart::Bladder) => (code::BLADDER, None),
        (None, TractPart::Unknown) => return None,
    };
    let side = match stone.side {
        Side::Right => Some(code::RIGHT),
        Side::Left => Some(code::LEFT),
        Side::Midline | Side::Unknown => None,
    };
    // The bladder has no sides of its own.
    Some(Site { region, side: side.filter(|_| region != code::BLADDER), part })
}

/// The density of a stone without what partial volume takes from it.
const CORE: Code = Code::own("core", "Of the stone itself, without partial volume");
/// PS3.16 has a long axis, of whatever plane; this one is of a plane of its own.
const CORONAL_DIAMETER: Code = Code::own("coronal-diameter", "Largest diameter in a coronal plane");

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
    let lengths = [
        (code::LARGEST_DIAMETER, stone.largest_diameter_mm),
        // Of the axial planes, in which the images lie.
        (code::LONG_AXIS, stone.axial_diameter_mm),
        (code::SHORT_AXIS, stone.width_mm),
        (CORONAL_DIAMETER, stone.coronal_diameter_mm),
    ];
    let lengths = lengths.into_iter().filter_map(|(concept, value)| millimetres(concept, value));
    let mut all: Vec<Measurement> = lengths.chain(volume).collect();
    all.extend(stone.core_hu.map(|core| Measurement::attenuation(CORE, core.value)));
    all.extend([
        Measurement::attenuation(code::MEAN, stone.hu.mean),
        Measurement::attenuation(code::MAXIMUM, f64::from(stone.hu.max)),
        Measurement::attenuation(code::STANDARD_DEVIATION, stone.hu.sd),
        Measurement::new(SCORE, as_written(stone.score), code::NO_UNITS),
    ]);
    all
}
