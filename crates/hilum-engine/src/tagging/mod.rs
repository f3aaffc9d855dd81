//! What a series is: plane, original or derived, contrast, kernel, each with the evidence it rests on.
//!
//! Words count as whole words only: "pre" in "prep" or "art" in "cartilage" say nothing.

mod contrast;
mod kernel;
mod kind;
pub mod rank;
mod words;

pub use kernel::KernelKind;
pub use kind::ImageKind;

use hilum_dicom::InstanceFacts;
use hilum_dicom::geometry::{AnatomicalPlane, StackCheck};
use serde::{Deserialize, Serialize};

/// Soft or sharp, by what one instance says.
pub(crate) fn kernel_of(facts: &InstanceFacts) -> KernelKind {
    kernel::tag(facts).value
}

/// A value, how sure it is (0 to 1) and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tag<T> {
    /// What it is.
    pub value: T,
    /// 0 (nothing says so) to 1 (the geometry or a coded attribute says so).
    pub score: f32,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
}

impl<T> Tag<T> {
    fn new(value: T, score: f32, evidence: Vec<Evidence>) -> Self {
        Self { value, score, evidence }
    }
}

/// One piece of evidence: which attribute met which rule. Values are left out, for they can hold names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Keyword of the attribute, e.g. `ConvolutionKernel`.
    pub attribute: String,
    /// The rule it met.
    pub rule: String,
}

impl Evidence {
    fn new(attribute: &str, rule: impl Into<String>) -> Self {
        Self { attribute: attribute.to_owned(), rule: rule.into() }
    }
}

/// What a series is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesTags {
    /// Modality is CT.
    pub ct: bool,
    /// Slices (frames) in it.
    pub slices: usize,
    /// Plane of its slices, from ImageOrientationPatient.
    pub plane: Tag<Option<AnatomicalPlane>>,
    /// Original, derived, projection or localizer.
    pub kind: Tag<ImageKind>,
    /// Contrast medium given; `None` when nothing says.
    pub contrast: Tag<Option<bool>>,
    /// Soft or sharp reconstruction kernel.
    pub kernel: Tag<KernelKind>,
}

/// Tags of a series from its instances and the geometry of their stack.
pub fn tag_series(instances: &[InstanceFacts], stack: &StackCheck) -> SeriesTags {
    let plane_evidence = stack.plane.map(|plane| {
        Evidence::new("ImageOrientationPatient", format!("slices lie in the {} plane", plane_word(plane)))
    });
    SeriesTags {
        ct: !instances.is_empty() && instances.iter().all(|facts| facts.series.modality.as_deref() == Some("CT")),
        slices: stack.order.len(),
        plane: Tag::new(stack.plane, stack.plane.map_or(0.0, |_| 1.0), plane_evidence.into_iter().collect()),
        kind: kind::tag(instances),
        contrast: instances.first().map_or(Tag::new(None, 0.0, Vec::new()), contrast::tag),
        kernel: instances.first().map_or(Tag::new(KernelKind::Unknown, 0.0, Vec::new()), kernel::tag),
    }
}

/// The word for a plane in catalogue and API.
pub fn plane_word(plane: AnatomicalPlane) -> &'static str {
    match plane {
        AnatomicalPlane::Axial => "axial",
        AnatomicalPlane::Coronal => "coronal",
        AnatomicalPlane::Sagittal => "sagittal",
        AnatomicalPlane::Oblique => "oblique",
    }
}

/// Made by our own phantom, or a result of such a study: the writer states it. Results of patients are made by the same manufacturer.
pub fn is_synthetic(facts: &InstanceFacts) -> bool {
    let says = |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains("synthetic"));
    facts.equipment.manufacturer.as_deref().is_some_and(|name| name.starts_with("Hilum"))
        && (says(&facts.equipment.model) || says(&facts.series.description))
}
