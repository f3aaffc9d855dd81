//! Findings of the geometry check as messages of the report.

use hilum_clinical::Message;
use hilum_dicom::geometry::{GeometryFinding, StackCheck};

/// What the check of a stack found, as the report says it.
pub(super) fn messages(stack: &StackCheck) -> Vec<Message> {
    stack.findings.iter().map(|finding| message(finding, stack)).collect()
}

fn message(finding: &GeometryFinding, stack: &StackCheck) -> Message {
    match finding {
        GeometryFinding::GantryTilt { degrees } => Message::GeometryGantryTilt { degrees: *degrees },
        GeometryFinding::GantryTiltContradicted { stated_degrees, .. } => {
            Message::GeometryGantryTilt { degrees: *stated_degrees }
        }
        GeometryFinding::Gap { missing_mm, .. } => {
            let slices =
                stack.slice_spacing_mm.filter(|spacing| *spacing > 0.0).map_or(1.0, |spacing| missing_mm / spacing);
            Message::GeometryGap { missing: slices.round().max(1.0) as u32 }
        }
        GeometryFinding::Duplicate { positions } => Message::GeometryDuplicates { count: positions.len() as u32 },
        GeometryFinding::MixedSliceSpacing { .. }
        | GeometryFinding::MixedPixelSpacing { .. }
        | GeometryFinding::MissingPixelSpacing { .. } => Message::GeometryMixedSpacing,
        GeometryFinding::MixedOrientation { .. }
        | GeometryFinding::NonOrthogonalOrientation { .. }
        | GeometryFinding::MixedSeries { .. } => Message::GeometryMixedOrientation,
        GeometryFinding::UnevenSpacing { .. } | GeometryFinding::LateralShift { .. } => Message::GeometryUnevenSpacing,
        GeometryFinding::MissingPosition { .. } | GeometryFinding::MissingOrientation { .. } => {
            Message::GeometryMissingPosition
        }
        GeometryFinding::SingleSlice => Message::GeometrySingleSlice,
        GeometryFinding::DifferentSizes { .. } => Message::GeometryMixedSize,
    }
}
