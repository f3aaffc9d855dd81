//! Levels of the query/retrieve information models, the same in C-FIND, C-MOVE, C-GET and QIDO-RS.

use dicom_core::Tag;

/// Query/Retrieve Level (0008,0052) (PS3.4 C.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// PATIENT
    Patient,
    /// STUDY
    Study,
    /// SERIES
    Series,
    /// IMAGE
    Image,
}

impl Level {
    /// From the highest to the lowest.
    pub const ALL: [Self; 4] = [Self::Patient, Self::Study, Self::Series, Self::Image];

    /// The defined term.
    pub fn term(self) -> &'static str {
        match self {
            Self::Patient => "PATIENT",
            Self::Study => "STUDY",
            Self::Series => "SERIES",
            Self::Image => "IMAGE",
        }
    }

    /// From the defined term.
    pub fn read(term: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.term() == term)
    }

    /// The attribute that tells one entity of the level from another (PS3.4 C.6.1.1).
    pub fn unique_key(self) -> Tag {
        match self {
            Self::Patient => Tag(0x0010, 0x0020),
            Self::Study => Tag(0x0020, 0x000D),
            Self::Series => Tag(0x0020, 0x000E),
            Self::Image => Tag(0x0008, 0x0018),
        }
    }
}
