//! Data sets turned from one little-endian encoding into the other, against the same data set written by hand in both.

use dicom_core::{Tag, VR};
use hilum_dicom::header::Encoding;
use hilum_dicom::recode::{can_recode, recode};
use hilum_dicom::{HeaderError, TransferSyntaxUid};

use crate::objects::{Bytes, ct_with_pixels};

fn implicit() -> TransferSyntaxUid {
    TransferSyntaxUid::implicit_little_endian()
}

fn explicit() -> TransferSyntaxUid {
    TransferSyntaxUid::explicit_little_endian()
}

#[test]
fn either_encoding_becomes_the_other_byte_for_byte() {
    let written = |encoding, defined| ct_with_pixels(encoding, 50, defined).out;
    for defined in [true, false] {
        // Pixel Padding Value is "US or SS" in the dictionary, and SS by the object's Pixel Representation.
        let into_explicit = recode(&written(Encoding::IMPLICIT_LE, defined), &implicit(), &explicit()).unwrap();
        assert!(into_explicit == written(Encoding::EXPLICIT_LE, true), "defined lengths: {defined}");
        let into_implicit = recode(&written(Encoding::EXPLICIT_LE, defined), &explicit(), &implicit()).unwrap();
        assert!(into_implicit == written(Encoding::IMPLICIT_LE, true), "defined lengths: {defined}");
    }
}

#[test]
fn a_value_too_long_for_a_short_length_goes_as_un_and_group_lengths_go() {
    let long = "1".repeat(70_000);
    let mut object = Bytes::new(Encoding::IMPLICIT_LE);
    object.put(Tag(0x0008, 0x0000), VR::UL, [4, 0, 0, 0]).put(Tag(0x0008, 0x0018), VR::UI, "1.2");
    object.put(Tag(0x0028, 0x3006), VR::US, &long).put(Tag(0x3006, 0x0050), VR::DS, &long);
    let recoded = recode(&object.out, &implicit(), &explicit()).unwrap();
    let mut expected = Bytes::new(Encoding::EXPLICIT_LE);
    expected.put(Tag(0x0008, 0x0018), VR::UI, "1.2");
    // LUT Data is "US or OW" in the dictionary, and OW has a long length.
    expected.put(Tag(0x0028, 0x3006), VR::OW, &long).put(Tag(0x3006, 0x0050), VR::UN, &long);
    assert!(recoded[..80] == expected.out[..80] && recoded.len() == expected.out.len());
    assert!(recode(&recoded, &explicit(), &implicit()).unwrap().ends_with(long.as_bytes()));
}

#[test]
fn only_the_two_plain_encodings_turn_into_each_other_and_a_cut_object_into_neither() {
    let big_endian = TransferSyntaxUid::explicit_big_endian();
    let deflated = TransferSyntaxUid::deflated_explicit_little_endian();
    assert!(can_recode(&implicit(), &explicit()) && can_recode(&explicit(), &implicit()));
    assert!(!can_recode(&big_endian, &explicit()) && !can_recode(&explicit(), &deflated));
    let whole = ct_with_pixels(Encoding::EXPLICIT_LE, 50, true).out;
    let cut = recode(&whole[..whole.len() - 10], &explicit(), &implicit());
    assert!(matches!(cut, Err(HeaderError::CutOff { .. })), "{cut:?}");
}
