//! Coded concepts (PS3.3 8.8): those of the standard's context groups first, our own only where it has none.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use crate::DataSet;

/// Our coding scheme, for what no context group of PS3.16 names. Private designators begin with `99` (PS3.16 8.2).
pub const OWN_SCHEME: &str = "99HILUM";

/// A coded concept: value, scheme and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// Code Value (0008,0100).
    pub value: &'static str,
    /// Coding Scheme Designator (0008,0102).
    pub scheme: &'static str,
    /// Code Meaning (0008,0104).
    pub meaning: &'static str,
}

impl Code {
    /// A concept of DICOM's own (PS3.16 Annex D).
    pub const fn dcm(value: &'static str, meaning: &'static str) -> Self {
        Self { value, scheme: "DCM", meaning }
    }

    /// A concept of SNOMED CT.
    pub const fn sct(value: &'static str, meaning: &'static str) -> Self {
        Self { value, scheme: "SCT", meaning }
    }

    /// A unit (PS3.16 CID 82).
    pub const fn unit(value: &'static str, meaning: &'static str) -> Self {
        Self { value, scheme: "UCUM", meaning }
    }

    /// A concept of [`OWN_SCHEME`].
    pub const fn own(value: &'static str, meaning: &'static str) -> Self {
        Self { value, scheme: OWN_SCHEME, meaning }
    }

    /// The concept as an item of a code sequence.
    pub(super) fn item(self) -> DataSet {
        let mut item = DataSet::new();
        item.set(tags::CODE_VALUE, self.value)
            .set(tags::CODING_SCHEME_DESIGNATOR, self.scheme)
            .set(tags::CODE_MEANING, self.meaning);
        item
    }

    /// A sequence of this one concept.
    pub(super) fn set_in(self, data_set: &mut DataSet, tag: Tag) {
        data_set.set_items(tag, vec![self.item()]);
    }
}

/// Where a finding lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// The organ.
    pub region: Code,
    /// Its side, where it has one that is known.
    pub side: Option<Code>,
    /// Which part of it, where that is known.
    pub part: Option<Code>,
}

/// Calculus, as a morphologic abnormality.
pub const CALCULUS: Code = Code::sct("56381008", "Calculus");
/// Segmented Property Category (PS3.16 CID 7150).
pub const MORPHOLOGICALLY_ABNORMAL: Code = Code::sct("49755003", "Morphologically Abnormal Structure");
/// Laterality (PS3.16 CID 244).
pub const RIGHT: Code = Code::sct("24028007", "Right");
/// Laterality (PS3.16 CID 244).
pub const LEFT: Code = Code::sct("7771000", "Left");
/// PS3.16 CID 7192.
pub const KIDNEY: Code = Code::sct("64033007", "Kidney");
/// PS3.16 CID 7192.
pub const RENAL_PELVIS: Code = Code::sct("25990002", "Renal pelvis");
/// PS3.16 CID 7192.
pub const URETER: Code = Code::sct("87953007", "Ureter");
/// Topographical modifier (PS3.16 CID 2): towards the head.
pub const SUPERIOR: Code = Code::sct("264217000", "Superior");
/// Topographical modifier (PS3.16 CID 2): towards the feet.
pub const INFERIOR: Code = Code::sct("261089000", "Inferior");
/// Topographical modifier (PS3.16 CID 2): near the kidney, of a ureter.
pub const PROXIMAL: Code = Code::sct("40415009", "Proximal");
/// Topographical modifier (PS3.16 CID 2): near the bladder, of a ureter.
pub const DISTAL: Code = Code::sct("46053002", "Distal");
/// PS3.16 CID 4.
pub const BLADDER: Code = Code::sct("89837001", "Bladder");

/// The longest distance between two points of a surface (PS3.16 CID 7470).
pub const LARGEST_DIAMETER: Code = Code { value: "L0JK", scheme: "IBSI", meaning: "Maximum 3D Diameter of a Mesh" };
/// PS3.16 CID 7470: the longest distance between two points of an outline within its plane.
pub const LONG_AXIS: Code = Code::sct("103339001", "Long Axis");
/// PS3.16 CID 7470: the largest extent perpendicular to that.
pub const SHORT_AXIS: Code = Code::sct("103340004", "Short Axis");
/// PS3.16 CID 7472.
pub const VOLUME: Code = Code::sct("118565006", "Volume");
/// PS3.16 CID 7180: what CT measures.
pub const ATTENUATION: Code = Code::dcm("112031", "Attenuation Coefficient");
/// PS3.16 CID 7464.
pub const MEAN: Code = Code::sct("373098007", "Mean");
/// PS3.16 CID 7464.
pub const MAXIMUM: Code = Code::sct("56851009", "Maximum");
/// PS3.16 CID 7464.
pub const STANDARD_DEVIATION: Code = Code::sct("386136009", "Standard Deviation");

/// Unit of lengths.
pub const MILLIMETRE: Code = Code::unit("mm", "millimeter");
/// Unit of volumes.
pub const CUBIC_MILLIMETRE: Code = Code::unit("mm3", "cubic millimeter");
/// Unit of densities.
pub const HOUNSFIELD: Code = Code::unit("[hnsf'U]", "Hounsfield unit");
/// Unit of scores.
pub const NO_UNITS: Code = Code::unit("1", "no units");

/// PS3.16 CID 240.
pub const PRESENT: Code = Code::sct("52101004", "Present");
/// PS3.16 CID 240.
pub const ABSENT: Code = Code::sct("272519000", "Absent");
