//! Original, derived, projection or localizer, from Image Type (0008,0008), PS3.3 C.8.2.1.1.1 and C.7.6.1.1.2.

use super::{Evidence, Tag};
use hilum_dicom::InstanceFacts;
use serde::{Deserialize, Serialize};

/// How the pixels of a series came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageKind {
    /// Reconstructed from the measurement.
    Original,
    /// Nothing says.
    Unknown,
    /// Derived from other images, e.g. reformatted.
    Derived,
    /// A projection (MIP, MinIP, average) or another picture without Hounsfield units of its own.
    Projection,
    /// A scout.
    Localizer,
}

const PROJECTIONS: &[&str] =
    &["MIP", "MINIP", "MPR_MIP", "PROJECTION IMAGE", "VRT", "SSD", "SCREEN SAVE", "SCREENSAVE"];

pub(super) fn tag(instances: &[InstanceFacts]) -> Tag<ImageKind> {
    let kinds: Vec<ImageKind> = instances.iter().map(|facts| of_image_type(&facts.image.image_type)).collect();
    // The most careful answer that any instance gives holds for the series.
    let kind = kinds.iter().copied().max().unwrap_or(ImageKind::Unknown);
    let rule = match kind {
        ImageKind::Unknown => return Tag::new(kind, 0.0, Vec::new()),
        ImageKind::Original => "ORIGINAL, no word of derivation",
        ImageKind::Derived => "DERIVED, or a word for a reformatted image",
        ImageKind::Projection => "a word for a projection or a screen",
        ImageKind::Localizer => "LOCALIZER",
    };
    let agree = kinds.iter().filter(|other| **other == kind).count();
    Tag::new(kind, agree as f32 / kinds.len() as f32, vec![Evidence::new("ImageType", rule)])
}

fn of_image_type(values: &[String]) -> ImageKind {
    let upper: Vec<String> = values.iter().map(|value| value.trim().to_uppercase()).collect();
    let has = |word: &str| upper.iter().any(|value| value == word);
    if has("LOCALIZER") || has("SCOUT") {
        ImageKind::Localizer
    } else if PROJECTIONS.iter().any(|word| has(word)) {
        ImageKind::Projection
    } else if has("DERIVED") || has("REFORMATTED") || has("MPR") || has("CSA MPR") {
        ImageKind::Derived
    } else if has("ORIGINAL") {
        ImageKind::Original
    } else {
        ImageKind::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_type_tells_originals_from_derivations_and_scouts() {
        for (values, expected) in [
            ("ORIGINAL\\PRIMARY\\AXIAL", ImageKind::Original),
            ("ORIGINAL\\PRIMARY\\AXIAL\\CT_SOM5 SPI", ImageKind::Original),
            ("ORIGINAL\\PRIMARY\\LOCALIZER", ImageKind::Localizer),
            ("DERIVED\\SECONDARY\\REFORMATTED", ImageKind::Derived),
            ("DERIVED\\PRIMARY\\AXIAL\\MIP", ImageKind::Projection),
            ("DERIVED\\SECONDARY\\PROJECTION IMAGE", ImageKind::Projection),
            ("", ImageKind::Unknown),
        ] {
            let values: Vec<String> = values.split('\\').map(str::to_owned).collect();
            assert_eq!(of_image_type(&values), expected, "{values:?}");
        }
    }
}
