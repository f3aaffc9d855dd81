//! The facts themselves. Absent, empty and unreadable values are `None`; unreadable ones are named in
//! [`InstanceFacts::findings`] besides. In JSON, a row of the catalogue for each instance, what is not stated is left out.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Date, Time};

use crate::charset::{PersonName, TextFinding};
use crate::uid::{FrameOfReferenceUid, SeriesUid, SopClassUid, SopUid, StudyUid, TransferSyntaxUid};

/// What the platform needs to know of one instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceFacts {
    /// SOP Instance UID (0008,0018).
    pub sop: SopUid,
    /// SOP Class UID (0008,0016).
    pub sop_class: SopClassUid,
    /// As stated in the file meta information, or recognised.
    pub transfer_syntax: TransferSyntaxUid,
    /// The patient.
    pub patient: PatientFacts,
    /// The study.
    pub study: StudyFacts,
    /// The series.
    pub series: SeriesFacts,
    /// The device.
    pub equipment: EquipmentFacts,
    /// The image, as far as it is one.
    pub image: ImageFacts,
    /// One entry a frame for enhanced multi-frame objects (PS3.3 C.7.6.16), empty for all others. Use
    /// [`InstanceFacts::frame`], which serves both. What the functional groups state stands in `image` too, as it holds for
    /// the first frame.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<FrameFacts>,
    /// What could not be read, or only by guessing. Attributes are named, values are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FactFinding>,
}

impl InstanceFacts {
    /// The placement of frame `index` (0-based): its functional groups, or the image's own attributes.
    pub fn frame(&self, index: usize) -> FrameFacts {
        self.frames.get(index).cloned().unwrap_or_else(|| FrameFacts {
            orientation: self.image.orientation,
            position: self.image.position,
            pixel_spacing: self.image.pixel_spacing,
            slice_thickness: self.image.slice_thickness,
            rescale: self.image.rescale.clone(),
        })
    }

    /// Whether the attribute is there but unreadable (against absent or empty).
    pub fn is_invalid(&self, tag: dicom_core::Tag) -> bool {
        self.findings.iter().any(|f| f.attribute == Attribute::from(tag) && f.problem == FactProblem::Unreadable)
    }
}

/// The patient. `Debug` hides everything but whether something is stated.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PatientFacts {
    /// Patient ID (0010,0020).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Issuer of Patient ID (0010,0021).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Patient's Name (0010,0010), empty when not stated.
    #[serde(default, skip_serializing_if = "PersonName::is_empty")]
    pub name: PersonName,
    /// Patient's Birth Date (0010,0030).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<Date>,
    /// Patient's Sex (0010,0040): `M`, `F`, `O`, or what the sender wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    /// Patient's Age (0010,1010) as written, for instance `063Y`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<String>,
}

impl fmt::Debug for PatientFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PatientFacts(hidden)")
    }
}

/// The study. `Debug` shows its UID only.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyFacts {
    /// Study Instance UID (0020,000D).
    pub uid: StudyUid,
    /// Study Date (0008,0020).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
    /// Study Time (0008,0030).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// Study Description (0008,1030).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Accession Number (0008,0050).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accession: Option<String>,
    /// Study ID (0020,0010).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Referring Physician's Name (0008,0090).
    #[serde(default, skip_serializing_if = "PersonName::is_empty")]
    pub referring_physician: PersonName,
}

impl fmt::Debug for StudyFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StudyFacts").field("uid", &self.uid).finish_non_exhaustive()
    }
}

/// The series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesFacts {
    /// Series Instance UID (0020,000E).
    pub uid: SeriesUid,
    /// Modality (0008,0060).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    /// Series Number (0020,0011).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// Series Description (0008,103E).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Series Date (0008,0021).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
    /// Series Time (0008,0031).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// Body Part Examined (0018,0015).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_part: Option<String>,
    /// Laterality (0020,0060).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub laterality: Option<String>,
    /// Protocol Name (0018,1030).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Convolution Kernel (0018,1210), values joined by backslashes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Contrast/Bolus Agent (0018,0010).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contrast_agent: Option<String>,
    /// Patient Position (0018,5100), for instance `HFS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient_position: Option<String>,
    /// Performed Procedure Step Start Date (0040,0244).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performed_date: Option<Date>,
    /// Performed Procedure Step Start Time (0040,0245).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performed_time: Option<Time>,
    /// Request Attributes Sequence (0040,0275): the items that name a step or a procedure, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestFacts>,
}

/// What a series was asked for by: an item of Request Attributes Sequence (0040,0275).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// Scheduled Procedure Step ID (0040,0009).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Requested Procedure ID (0040,1001).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub procedure: Option<String>,
}

/// The device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EquipmentFacts {
    /// Manufacturer (0008,0070).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Manufacturer's Model Name (0008,1090).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Institution Name (0008,0080).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub institution: Option<String>,
    /// Station Name (0008,1010).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub station: Option<String>,
}

/// The image, as far as the instance is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Instance Number (0020,0013).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_number: Option<i64>,
    /// Acquisition Number (0020,0012).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acquisition_number: Option<i64>,
    /// Image Type (0008,0008), one entry a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_type: Vec<String>,
    /// Image Comments (0020,4000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
    /// Rows (0028,0010): as stated, however large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// Columns (0028,0011): as stated, however large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<u16>,
    /// Number of Frames (0028,0008), 1 when not stated.
    pub frames: u32,
    /// Samples per Pixel (0028,0002).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_per_pixel: Option<u16>,
    /// Photometric Interpretation (0028,0004).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photometric_interpretation: Option<String>,
    /// Bits Allocated (0028,0100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_allocated: Option<u16>,
    /// Bits Stored (0028,0101).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_stored: Option<u16>,
    /// High Bit (0028,0102).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_bit: Option<u16>,
    /// Pixel Representation (0028,0103) is 1: samples are two's complement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<bool>,
    /// Pixel Padding Value (0028,0120), by the sign of the samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_padding_value: Option<i32>,
    /// Pixel Padding Range Limit (0028,0121), by the sign of the samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_padding_range_limit: Option<i32>,
    /// Frame of Reference UID (0020,0052).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_of_reference: Option<FrameOfReferenceUid>,
    /// Image Orientation (Patient) (0020,0037): direction of a row's x, y, z, then of a column's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<[f64; 6]>,
    /// Image Position (Patient) (0020,0032): x, y, z of the first voxel's centre, mm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<[f64; 3]>,
    /// Pixel Spacing (0028,0030): between rows (y), between columns (x), mm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_spacing: Option<[f64; 2]>,
    /// Slice Thickness (0018,0050), mm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice_thickness: Option<f64>,
    /// Spacing Between Slices (0018,0088), mm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spacing_between_slices: Option<f64>,
    /// Gantry/Detector Tilt (0018,1120), degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gantry_tilt: Option<f64>,
    /// Rescale Slope, Intercept and Type (0028,1053), (0028,1052), (0028,1054).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescale: Option<Rescale>,
    /// Lossy Image Compression (0028,2110) is `01`.
    pub lossy: bool,
    /// The pixel data is not all there.
    pub truncated: bool,
    /// There is pixel data.
    pub has_pixel_data: bool,
}

/// Modality LUT in its linear form (PS3.3 C.11.1): output = slope x stored + intercept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rescale {
    /// Rescale Slope (0028,1053).
    pub slope: f64,
    /// Rescale Intercept (0028,1052).
    pub intercept: f64,
    /// Rescale Type (0028,1054): `HU` when not stated for CT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// Where one frame lies and how it is rescaled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameFacts {
    /// Image Orientation (Patient) (0020,0037).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<[f64; 6]>,
    /// Image Position (Patient) (0020,0032), mm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<[f64; 3]>,
    /// Pixel Spacing (0028,0030): between rows (y), between columns (x), mm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_spacing: Option<[f64; 2]>,
    /// Slice Thickness (0018,0050), mm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice_thickness: Option<f64>,
    /// Modality LUT of this frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescale: Option<Rescale>,
}

/// An attribute by its tag, as `ggggeeee` in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Attribute(pub u16, pub u16);

impl From<dicom_core::Tag> for Attribute {
    fn from(tag: dicom_core::Tag) -> Self {
        Self(tag.0, tag.1)
    }
}

impl From<Attribute> for String {
    fn from(attribute: Attribute) -> Self {
        format!("{:04X}{:04X}", attribute.0, attribute.1)
    }
}

impl TryFrom<String> for Attribute {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u32::from_str_radix(&text, 16).map(|tag| Self((tag >> 16) as u16, tag as u16))
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:04X},{:04X})", self.0, self.1)
    }
}

/// Something about one attribute that a tolerant reader had to guess or leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FactFinding {
    /// Which attribute.
    pub attribute: Attribute,
    /// What about it.
    pub problem: FactProblem,
}

/// What is wrong with an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactProblem {
    /// The value is there but is no number, date, time or UID as its value representation demands.
    Unreadable,
    /// Its text was decoded with a finding.
    Text(TextFinding),
}
