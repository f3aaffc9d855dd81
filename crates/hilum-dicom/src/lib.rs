//! DICOM words: UIDs, character sets, header walk, geometry of a slice stack, pixel data in HU, writing CT.
//!
//! An object is valid or does not exist: strict when writing, tolerant when reading. Whatever a tolerant reader had to guess
//! or leave out comes back as a typed finding, never silently. Errors and findings name attributes, never their values.

pub mod ae_title;
pub mod charset;
pub mod data_set;
pub mod dicomdir;
pub mod digest;
pub mod facts;
pub mod geometry;
pub mod header;
pub mod json;
pub mod matching;
pub mod native_model;
pub mod object_bytes;
mod object_digest;
pub mod outline;
pub mod part10;
pub mod pixels;
pub mod recode;
pub mod render;
pub mod uid;
pub mod ups;
pub mod write;

pub use ae_title::{AeTitle, AeTitleError};
pub use charset::PersonName;
pub use data_set::DataSet;
pub use digest::data_set_digest;
pub use facts::{DicomError, InstanceFacts, read_facts, read_sop_uid};
pub use header::{Header, HeaderError, Instance};
pub use object_bytes::{FactsError, LARGEST_IN_MEMORY, ObjectBytes, Spool};
pub use object_digest::{BadObjectDigest, ObjectDigest, ObjectHasher};
pub use outline::{Outline, OutlineError, ReadAt};
pub use uid::{FrameOfReferenceUid, SeriesUid, SopClassUid, SopUid, StudyUid, TransferSyntaxUid, UidError};
