//! What a header walk finds.

use dicom_core::{Tag, VR};

use crate::uid::TransferSyntaxUid;

/// Bytes `offset .. offset + len` of the walked bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub offset: usize,
    /// Number of bytes.
    pub len: usize,
}

impl Span {
    /// The span's bytes; empty when `bytes` is shorter than the walked bytes were.
    pub fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        self.offset.checked_add(self.len).and_then(|end| bytes.get(self.offset..end)).unwrap_or_default()
    }
}

/// One data element: its tag, value representation and where its value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Data Element Tag.
    pub tag: Tag,
    /// Value representation as stated; by the dictionary in implicit VR (UN where it knows none).
    pub vr: VR,
    /// The stated length was 0xFFFFFFFF: the value is items up to a delimiter, which is not part of `value`.
    pub undefined_length: bool,
    /// Where the tag begins.
    pub offset: usize,
    /// Where the value lies.
    pub value: Span,
}

/// How data elements are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// Value representations are stated in the data.
    pub explicit_vr: bool,
    /// Numbers are big endian.
    pub big_endian: bool,
}

impl Encoding {
    /// Implicit VR Little Endian.
    pub const IMPLICIT_LE: Self = Self { explicit_vr: false, big_endian: false };
    /// Explicit VR Little Endian.
    pub const EXPLICIT_LE: Self = Self { explicit_vr: true, big_endian: false };
    /// Explicit VR Big Endian.
    pub const EXPLICIT_BE: Self = Self { explicit_vr: true, big_endian: true };
}

/// Where the pixel data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelDataLocation {
    /// Pixel Data (7FE0,0010), Float Pixel Data (7FE0,0008) or Double Float Pixel Data (7FE0,0009).
    pub tag: Tag,
    /// OB, OW, OF or OD.
    pub vr: VR,
    /// Where the element's tag begins: the header ends here.
    pub element_offset: usize,
    /// Where the samples or fragments lie.
    pub value: PixelDataValue,
}

/// Native samples, or encapsulated fragments (PS3.5 A.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PixelDataValue {
    /// Uncompressed samples in one run.
    Native {
        /// Where they lie, as far as they are there.
        present: Span,
        /// The length that the element states.
        stated_len: usize,
    },
    /// Items of an encapsulated value.
    Encapsulated {
        /// The Basic Offset Table's value, often empty.
        offset_table: Span,
        /// The fragments' values in order, as far as they are there.
        fragments: Vec<Span>,
    },
}

/// Whether the bytes reach to the end of the pixel data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// Nothing is missing.
    Complete,
    /// The bytes end inside the pixel data: the header is whole, the image is not.
    TruncatedInPixelData {
        /// Where the part that is cut off begins (a value or a fragment).
        offset: usize,
        /// How many bytes that part states, if it states a length.
        stated: Option<usize>,
        /// How many of them are there.
        present: usize,
    },
}

/// The walked header. Elements of sequences stay where they are until [`Header::items`](crate::header::Header::items).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// As stated in the file meta information, or as recognised from the data where it states none.
    pub transfer_syntax: TransferSyntaxUid,
    /// The transfer syntax was stated in the file meta information or by the caller, not recognised.
    pub transfer_syntax_stated: bool,
    /// How the data set is encoded.
    pub encoding: Encoding,
    /// File meta information (group 0002), always Explicit VR Little Endian.
    pub meta: Vec<Element>,
    /// Where the data set begins.
    pub data_set_offset: usize,
    /// The top-level data elements in file order, pixel data among them.
    pub elements: Vec<Element>,
    /// Where the pixel data lies, if there is any.
    pub pixel_data: Option<PixelDataLocation>,
    /// Whether the pixel data is all there.
    pub completeness: Completeness,
}
