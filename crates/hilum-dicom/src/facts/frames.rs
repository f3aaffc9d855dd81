//! Functional groups of enhanced multi-frame objects (PS3.3 C.7.6.16): what holds for all frames, and for each.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::types::{FrameFacts, Rescale};
use super::value::DataSet;

/// What the functional groups say that an ordinary image says at its top level.
pub(super) struct FunctionalGroups {
    /// One entry a frame; empty where there are no per-frame groups.
    pub(super) frames: Vec<FrameFacts>,
    /// What holds for all frames, else for the first.
    pub(super) first: FrameFacts,
    /// Spacing Between Slices (0018,0088), mm.
    pub(super) spacing_between_slices: Option<f64>,
    /// Convolution Kernel (0018,1210).
    pub(super) kernel: Option<String>,
    /// Gantry/Detector Tilt (0018,1120), degrees.
    pub(super) gantry_tilt: Option<f64>,
}

pub(super) fn functional_groups(data_set: &DataSet<'_>) -> FunctionalGroups {
    let shared = data_set.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let shared_facts = shared.first().map(frame_facts).unwrap_or_default();
    let per_frame = data_set.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let frames: Vec<FrameFacts> = per_frame.iter().map(|group| frame_facts(group).or(&shared_facts)).collect();
    let groups = || shared.iter().chain(per_frame.first());
    let first_of = |sequence: Tag| groups().find_map(move |g| g.items(sequence).into_iter().next());
    let measures = first_of(tags::PIXEL_MEASURES_SEQUENCE);
    let reconstruction = first_of(tags::CT_RECONSTRUCTION_SEQUENCE);
    let acquisition = first_of(tags::CT_ACQUISITION_DETAILS_SEQUENCE);
    FunctionalGroups {
        first: frames.first().cloned().unwrap_or(shared_facts),
        frames,
        spacing_between_slices: measures.and_then(|m| m.number(tags::SPACING_BETWEEN_SLICES)),
        kernel: reconstruction.and_then(|r| r.text(tags::CONVOLUTION_KERNEL)),
        gantry_tilt: acquisition.and_then(|a| a.number(tags::GANTRY_DETECTOR_TILT)),
    }
}

impl FrameFacts {
    /// What `self` leaves open is taken from `other`.
    fn or(self, other: &Self) -> Self {
        Self {
            orientation: self.orientation.or(other.orientation),
            position: self.position.or(other.position),
            pixel_spacing: self.pixel_spacing.or(other.pixel_spacing),
            slice_thickness: self.slice_thickness.or(other.slice_thickness),
            rescale: self.rescale.or_else(|| other.rescale.clone()),
        }
    }
}

fn frame_facts(group: &DataSet<'_>) -> FrameFacts {
    let first = |sequence| group.items(sequence).into_iter().next();
    let measures = first(tags::PIXEL_MEASURES_SEQUENCE);
    FrameFacts {
        orientation: first(tags::PLANE_ORIENTATION_SEQUENCE).and_then(|o| o.vector(tags::IMAGE_ORIENTATION_PATIENT)),
        position: first(tags::PLANE_POSITION_SEQUENCE).and_then(|p| p.vector(tags::IMAGE_POSITION_PATIENT)),
        pixel_spacing: measures.as_ref().and_then(|m| m.vector(tags::PIXEL_SPACING)),
        slice_thickness: measures.and_then(|m| m.number(tags::SLICE_THICKNESS)),
        rescale: first(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE).and_then(|t| rescale(&t)),
    }
}

/// The linear Modality LUT, where slope or intercept is stated (PS3.3 C.11.1). An unreadable part leaves none.
pub(super) fn rescale(data_set: &DataSet<'_>) -> Option<Rescale> {
    let slope = data_set.numbers(tags::RESCALE_SLOPE);
    let intercept = data_set.numbers(tags::RESCALE_INTERCEPT);
    let part = |stated: Option<Vec<f64>>, tag: Tag, default: f64| match stated {
        Some(values) => values.first().copied(),
        None => (!data_set.is_noted(tag)).then_some(default),
    };
    if slope.is_none() && intercept.is_none() {
        return None;
    }
    Some(Rescale {
        slope: part(slope, tags::RESCALE_SLOPE, 1.0)?,
        intercept: part(intercept, tags::RESCALE_INTERCEPT, 0.0)?,
        kind: data_set.text(tags::RESCALE_TYPE),
    })
}
