//! The header walk: all encodings, offsets, and every kind of bad input.

use dicom_core::{Tag, VR};
use hilum_dicom::header::{
    Completeness, Encoding, HeaderError, Instance, MAX_DEPTH, PixelDataValue, Span, walk, walk_as,
};
use hilum_dicom::{TransferSyntaxUid, read_facts};

use crate::objects::{BIG_ENDIAN, Bytes, DEFLATED, EXPLICIT, IMPLICIT, ct, ct_with_pixels};

const ENCODINGS: [(&str, Encoding); 3] =
    [(IMPLICIT, Encoding::IMPLICIT_LE), (EXPLICIT, Encoding::EXPLICIT_LE), (BIG_ENDIAN, Encoding::EXPLICIT_BE)];
const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);

#[test]
fn the_same_tags_and_values_are_found_in_every_encoding_and_without_preamble_or_meta() {
    let tags = |bytes: &[u8]| walk(bytes).unwrap().elements.iter().map(|e| e.tag).collect::<Vec<_>>();
    let expected = tags(&ct_with_pixels(Encoding::EXPLICIT_LE, 3, true).part_10(EXPLICIT));
    assert_eq!(expected.len(), 35);
    for (syntax, encoding) in ENCODINGS {
        for defined in [true, false] {
            let object = ct_with_pixels(encoding, 3, defined);
            let file = object.part_10(syntax);
            let bare = &object.out;
            for bytes in [&file[..], &file[128..], &file[132..], bare] {
                assert_eq!(tags(bytes), expected, "{syntax} {defined} {}", bytes.len());
                let header = walk(bytes).unwrap();
                assert_eq!(header.encoding, encoding);
                assert_eq!(header.transfer_syntax.as_str(), syntax);
                let pixel_data = header.pixel_data.as_ref().unwrap();
                let present = Span { offset: bytes.len() - 24, len: 24 };
                assert_eq!(pixel_data.value, PixelDataValue::Native { present, stated_len: 24 });
                assert_eq!(header.element(Tag(0x0010, 0x0020)).unwrap().value.of(bytes), b"KR0001");
            }
            assert_eq!(walk_as(bare, &syntax.parse().unwrap()).unwrap().elements.len(), expected.len());
        }
    }
}

#[test]
fn a_deflated_data_set_is_inflated_and_its_offsets_count_there() {
    use std::io::Write;
    let object = ct_with_pixels(Encoding::EXPLICIT_LE, 3, false);
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&object.out).unwrap();
    let deflated = Bytes { encoding: Encoding::EXPLICIT_LE, out: encoder.finish().unwrap() }.part_10(DEFLATED);
    assert_eq!(walk(&deflated), Err(HeaderError::Deflated));
    let instance = Instance::parse(&deflated).unwrap();
    assert_eq!(instance.value(Tag(0x0010, 0x0020)), Some(b"KR0001".as_slice()));
    assert_eq!(&instance.bytes()[instance.header().data_set_offset..], &object.out);
    // Cut off inside, it gives what there is and says so.
    let cut = &deflated[..deflated.len() - 20];
    match Instance::parse(cut) {
        Ok(instance) => assert_ne!(instance.header().completeness, Completeness::Complete),
        Err(error) => assert!(matches!(error, HeaderError::Truncated { .. } | HeaderError::CutOff { .. }), "{error}"),
    }
    let noise = Bytes { encoding: Encoding::EXPLICIT_LE, out: vec![0xFF; 64] }.part_10(DEFLATED);
    assert!(matches!(Instance::parse(&noise), Err(HeaderError::NotInflatable { .. })));
}

#[test]
fn items_are_looked_into_one_level_at_a_time() {
    for (_, encoding) in ENCODINGS {
        for defined in [true, false] {
            let bytes = ct(encoding, 3, defined).out;
            let header = walk(&bytes).unwrap();
            let items = header.items(&bytes, header.element(Tag(0x0008, 0x1140)).unwrap()).unwrap();
            assert_eq!(items.len(), 1);
            assert_eq!(items[0].element(Tag(0x0008, 0x1155)).unwrap().value.of(&bytes), b"1.2.3.5\0");
            let codes = items[0].items(&bytes, items[0].element(Tag(0x0040, 0xA170)).unwrap()).unwrap();
            assert_eq!(codes[0].element(Tag(0x0008, 0x0100)).unwrap().value.of(&bytes), b"121311");
            assert_eq!(codes[0].depth, 2);
        }
    }
}

#[test]
fn un_of_undefined_length_is_implicit_inside_an_explicit_data_set() {
    let mut object = Bytes::new(Encoding::EXPLICIT_LE);
    object.put(Tag(0x0008, 0x0060), VR::CS, "CT").start(Tag(0x0009, 0x1002), VR::UN, u32::MAX);
    let mut inside = Bytes::new(Encoding::IMPLICIT_LE);
    inside
        .start(Tag(0xFFFE, 0xE000), VR::UN, u32::MAX)
        .put(Tag(0x0008, 0x0100), VR::SH, "A1")
        .start(Tag(0xFFFE, 0xE00D), VR::UN, 0)
        .start(Tag(0xFFFE, 0xE0DD), VR::UN, 0);
    object.out.extend(inside.out);
    object.put(Tag(0x0010, 0x0020), VR::LO, "ID");
    let header = walk(&object.out).unwrap();
    assert_eq!(header.elements.len(), 3);
    let items = header.items(&object.out, &header.elements[1]).unwrap();
    assert_eq!(items[0].elements[0].value.of(&object.out), b"A1");
}

#[test]
fn fragments_of_encapsulated_pixel_data_are_found_and_a_cut_is_said() {
    let mut object = ct(Encoding::EXPLICIT_LE, 3, true);
    object.start(PIXEL_DATA, VR::OB, u32::MAX).start(Tag(0xFFFE, 0xE000), VR::UN, 4);
    object.out.extend([0; 4]);
    object.start(Tag(0xFFFE, 0xE000), VR::UN, 6);
    let first = object.out.len();
    object.out.extend(*b"abcdef");
    object.start(Tag(0xFFFE, 0xE000), VR::UN, 2);
    object.out.extend(*b"gh");
    object.start(Tag(0xFFFE, 0xE0DD), VR::UN, 0).put(Tag(0xFFFC, 0xFFFC), VR::OB, [0; 4]);
    let header = walk(&object.out).unwrap();
    let spans = [Span { offset: first, len: 6 }, Span { offset: first + 14, len: 2 }];
    let PixelDataValue::Encapsulated { offset_table, fragments } = &header.pixel_data.as_ref().unwrap().value else {
        panic!("not encapsulated")
    };
    assert_eq!((offset_table.len, fragments.as_slice()), (4, spans.as_slice()));
    assert_eq!(header.completeness, Completeness::Complete);
    assert_eq!(header.elements.last().unwrap().tag, Tag(0xFFFC, 0xFFFC));
    let cut = walk(&object.out[..first + 4]).unwrap();
    let expected = Completeness::TruncatedInPixelData { offset: first - 8, stated: Some(6), present: 4 };
    assert_eq!(cut.completeness, expected);
    // Without a closing delimiter it is not complete either.
    let open = walk(&object.out[..first + 16]).unwrap();
    let expected = Completeness::TruncatedInPixelData { offset: first + 16, stated: None, present: 0 };
    assert_eq!(open.completeness, expected);
}

#[test]
fn pixel_data_that_is_cut_off_leaves_the_header_whole() {
    let file = ct_with_pixels(Encoding::EXPLICIT_LE, 3, true).part_10(EXPLICIT);
    let cut = &file[..file.len() - 10];
    let header = walk(cut).unwrap();
    let expected = Completeness::TruncatedInPixelData { offset: file.len() - 24, stated: Some(24), present: 14 };
    assert_eq!(header.completeness, expected);
    let facts = read_facts(cut).unwrap();
    assert!(facts.image.truncated && facts.image.has_pixel_data);
    assert_eq!(facts.image.rows, Some(3));
}

#[test]
fn a_header_of_65535_by_65535_is_reported_as_it_stands() {
    let mut object = ct(Encoding::EXPLICIT_LE, 0xFFFF, true);
    object.words(PIXEL_DATA, &[0; 8]);
    let facts = read_facts(&object.out).unwrap();
    assert_eq!((facts.image.rows, facts.image.columns), (Some(65535), Some(4)));
}

#[test]
fn a_length_of_two_gigabytes_is_refused_by_tag_and_offset_without_being_allocated() {
    for (syntax, encoding) in ENCODINGS {
        let mut object = Bytes::new(encoding);
        object.put(Tag(0x0008, 0x0016), VR::UI, "1.2").put(Tag(0x0008, 0x0060), VR::CS, "CT").put(
            Tag(0x0010, 0x0020),
            VR::LO,
            "ID",
        );
        let offset = object.out.len();
        object.start(Tag(0x0042, 0x0011), VR::OB, 0x7FFF_FFFE);
        object.out.extend([1, 2, 3, 4]);
        let file = object.part_10(syntax);
        let tag = Tag(0x0042, 0x0011);
        let at = file.len() - object.out.len() + offset;
        let error = HeaderError::Truncated { tag, offset: at, stated: 0x7FFF_FFFE, present: 4 };
        assert_eq!(walk(&file), Err(error.clone()), "{syntax}");
        let text = error.to_string();
        assert!(text.contains("(0042,0011)") && text.contains("2147483646") && text.contains("again"), "{text}");
        // The same lie in pixel data is an image that is cut off.
        let mut image = ct(encoding, 3, true);
        image.start(PIXEL_DATA, VR::OW, 0x7FFF_FFFE);
        let cut = Completeness::TruncatedInPixelData { offset: image.out.len(), stated: Some(0x7FFF_FFFE), present: 0 };
        assert_eq!(walk(&image.out).unwrap().completeness, cut);
    }
}

#[test]
fn an_item_that_reaches_beyond_its_sequence_is_refused() {
    let mut object = Bytes::new(Encoding::EXPLICIT_LE);
    object.put(Tag(0x0008, 0x0060), VR::CS, "CT").start(Tag(0x0008, 0x1140), VR::SQ, 16);
    object.start(Tag(0xFFFE, 0xE000), VR::UN, 100);
    object.out.extend([0; 8]);
    object.put(Tag(0x0010, 0x0020), VR::LO, "x".repeat(200));
    let header = walk(&object.out).unwrap();
    let refused = header.items(&object.out, &header.elements[1]).unwrap_err();
    assert_eq!(refused, HeaderError::Truncated { tag: Tag(0xFFFE, 0xE000), offset: 22, stated: 100, present: 8 });
}

#[test]
fn sequences_nested_without_end_are_refused_and_do_not_exhaust_the_stack() {
    for levels in [MAX_DEPTH - 1, MAX_DEPTH + 1, 100_000] {
        let mut object = Bytes::new(Encoding::EXPLICIT_LE);
        object.put(Tag(0x0008, 0x0016), VR::UI, "1.2").put(Tag(0x0008, 0x0060), VR::CS, "CT");
        object.put(Tag(0x0008, 0x0070), VR::LO, "M");
        for _ in 0..levels {
            object.start(Tag(0x0040, 0xA730), VR::SQ, u32::MAX).start(Tag(0xFFFE, 0xE000), VR::UN, u32::MAX);
        }
        for _ in 0..levels {
            object.start(Tag(0xFFFE, 0xE00D), VR::UN, 0).start(Tag(0xFFFE, 0xE0DD), VR::UN, 0);
        }
        let walked = walk(&object.out);
        if levels < MAX_DEPTH {
            assert_eq!(walked.unwrap().elements.len(), 4);
        } else {
            assert!(matches!(walked, Err(HeaderError::TooDeep { limit: MAX_DEPTH, .. })), "{levels}");
        }
    }
}

#[test]
fn what_is_no_dicom_is_told_from_what_is_damaged() {
    assert_eq!(walk(b""), Err(HeaderError::Empty));
    for junk in [
        b"hello".to_vec(),
        b"\x89PNG\r\n\x1a\n".to_vec(),
        b"<html><body>login</body></html>".repeat(20),
        vec![0; 4096],
        vec![0xFF; 4096],
        b"PK\x03\x04".repeat(100),
        (0..=255).collect(),
    ] {
        assert_eq!(walk(&junk), Err(HeaderError::NotDicom), "{:?}", &junk[..5]);
    }
    for (error, words) in [
        (HeaderError::Empty, ["0 bytes", "expected a DICOM file"]),
        (HeaderError::NotDicom, ["expected the letters DICM", "export it as DICOM"]),
        (HeaderError::CutOff { offset: 7 }, ["byte 7", "again"]),
    ] {
        let text = error.to_string();
        assert!(words.iter().all(|w| text.contains(w)), "{text}");
    }
    let file = ct(Encoding::EXPLICIT_LE, 3, true).part_10(EXPLICIT);
    let error = HeaderError::Truncated { tag: Tag(0x0028, 0x1053), offset: file.len() - 10, stated: 2, present: 1 };
    assert_eq!(walk(&file[..file.len() - 1]), Err(error));
}

#[test]
fn every_prefix_of_an_object_is_whole_or_a_typed_error() {
    for (syntax, encoding) in ENCODINGS {
        let file = ct_with_pixels(encoding, 3, false).part_10(syntax);
        let pixel_value = file.len() - 24;
        for end in 0..file.len() {
            match walk(&file[..end]) {
                Ok(header) if end >= pixel_value => assert_ne!(header.completeness, Completeness::Complete, "{end}"),
                // Cut between two elements, which nothing in DICOM shows.
                Ok(header) => assert!(header.pixel_data.is_none() && header.completeness == Completeness::Complete),
                Err(error) => assert!(!error.to_string().is_empty() && end < pixel_value, "{end}: {error}"),
            }
        }
    }
}

#[test]
fn a_false_transfer_syntax_does_not_mislead_the_walk() {
    for (stated, real) in
        [(EXPLICIT, Encoding::IMPLICIT_LE), (IMPLICIT, Encoding::EXPLICIT_LE), (BIG_ENDIAN, Encoding::EXPLICIT_LE)]
    {
        let header = walk(&ct(real, 3, true).part_10(stated)).unwrap();
        assert_eq!((header.encoding, header.elements.len()), (real, 34), "{stated}");
        assert_eq!(header.transfer_syntax, stated.parse::<TransferSyntaxUid>().unwrap());
    }
}

#[test]
fn zeros_behind_pixel_data_are_padding() {
    let mut file = ct_with_pixels(Encoding::EXPLICIT_LE, 3, true).part_10(EXPLICIT);
    file.extend([0; 511]);
    assert_eq!(walk(&file).unwrap().elements.len(), 35);
}
