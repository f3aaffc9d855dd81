//! What the fuzz targets do, and the property test on stable as well (`crates/hilum-dicom/tests/it/fuzz.rs`).
#![allow(dead_code, reason = "each target uses its own act")]

use dicom_core::{Tag, VR};
use hilum_dicom::charset::{SpecificCharacterSet, decode, decode_person_names, decode_values, encode};
use hilum_dicom::data_set::Stated;
use hilum_dicom::digest::digest_of;
use hilum_dicom::header::{Header, Instance, Item, PixelDataValue, Span};
use hilum_dicom::matching::{Query, QueryOptions};
use hilum_dicom::part10::{NewPixelData, rewrite};
use hilum_dicom::pixels::ImageDescription;
use hilum_dicom::recode::recode;
use hilum_dicom::render::render;
use hilum_dicom::uid::PixelCoding;
use hilum_dicom::{DataSet, InstanceFacts, Outline, TransferSyntaxUid, json};

/// Walks the bytes; whatever is found lies inside them, all sequences can be looked into, and facts and digest come out or a
/// typed error does. Nothing panics.
pub fn header(bytes: &[u8]) {
    for syntax in
        [None, Some(TransferSyntaxUid::implicit_little_endian()), Some(TransferSyntaxUid::explicit_big_endian())]
    {
        let instance = match &syntax {
            None => Instance::parse(bytes),
            Some(syntax) => Instance::parse_data_set(bytes, syntax),
        };
        match instance {
            Ok(instance) => found(&instance),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// What DICOMweb does with an object: its outline, its metadata, its frames as they are kept, decoded and as pictures, and the object in
/// another transfer syntax. A typed error may come of it, and nothing panics.
pub fn handed_out(bytes: &[u8]) {
    let Ok(outline) = Outline::read(&bytes) else { return };
    let Ok(instance) = outline.instance() else { return };
    let mut text = String::new();
    json::write(&instance, "bulk/", &mut text);
    assert!(text.starts_with('{') && text.ends_with('}'));
    assert!(text.bytes().all(|byte| byte >= b' '), "control characters are escaped");
    let (class, sop) = ("1.2.840.10008.5.1.4.1.1.2".parse().unwrap(), "1.2.3".parse().unwrap());
    let explicit = TransferSyntaxUid::explicit_little_endian();
    for pixel_data in [None, Some(NewPixelData::Encapsulated), Some(NewPixelData::Native(VR::OW, 7))] {
        if let Ok(rewritten) = rewrite(&outline, &class, &sop, &explicit, pixel_data, &[]) {
            assert_eq!(&rewritten.head[128..132], b"DICM");
        }
    }
    let Ok(description) = ImageDescription::of(&instance) else { return };
    // Damage makes frames of up to 128 MiB out of nothing; small ones show the same.
    if description.pixels() > 1 << 16 {
        return;
    }
    for frame in [0, description.frames - 1, description.frames] {
        let Ok(coded) = description.read(&outline, frame, &bytes) else { continue };
        let samples = match outline.transfer_syntax().pixel_coding() {
            PixelCoding::Native => description.from_native(coded),
            _ => description.decode(outline.transfer_syntax(), &coded),
        };
        let Ok(samples) = samples else { continue };
        if let Ok(picture) = render(&instance, &description, &samples, frame, None) {
            assert_eq!(picture.bytes.len(), description.pixels() * picture.samples);
            assert!(picture.fitted(7, 5).bytes.len() <= 7 * 5 * picture.samples);
        }
        if let Ok(coded) = description.encode_jpeg_ls(&samples) {
            let decoded = description.decode(&TransferSyntaxUid::jpeg_ls_lossless(), &coded);
            assert_eq!(decoded.map(|decoded| decoded.bytes).ok(), Some(samples.bytes));
        }
    }
}

fn found(instance: &Instance<'_>) {
    let (header, bytes) = (instance.header(), instance.bytes());
    let lies_inside = |span: Span| assert!(span.offset <= bytes.len() && span.len <= bytes.len() - span.offset);
    for element in header.meta.iter().chain(&header.elements) {
        lies_inside(element.value);
        assert!(element.offset < element.value.offset);
    }
    assert!(header.elements.windows(2).all(|pair| pair[0].value.offset + pair[0].value.len <= pair[1].offset));
    match header.pixel_data.as_ref().map(|p| &p.value) {
        Some(PixelDataValue::Native { present, .. }) => lies_inside(*present),
        Some(PixelDataValue::Encapsulated { offset_table, fragments }) => {
            lies_inside(*offset_table);
            for fragment in fragments {
                lies_inside(*fragment);
            }
        }
        None => {}
    }
    look_into_sequences(header, bytes);
    if let Ok(facts) = InstanceFacts::of(instance) {
        assert!(facts.sop.as_str().bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    }
    let first = digest_of(instance);
    assert_eq!(first, digest_of(instance));
    as_texts(instance);
    in_the_other_encoding(&bytes[header.data_set_offset..]);
}

/// What is read as texts can be asked for and is read again once written.
fn as_texts(instance: &Instance<'_>) {
    let Ok(texts) = DataSet::from_instance(instance) else { return };
    for options in [
        QueryOptions::default(),
        QueryOptions { fuzzy_names: true, combined_date_times: true, empty_values: true, ..QueryOptions::default() },
    ] {
        if let Ok(query) = Query::read(&texts, options) {
            query.matches(&texts);
        }
    }
    if let Ok(written) = texts.write(true, &SpecificCharacterSet::utf8(), Stated::Always) {
        let read = DataSet::read(&written, &TransferSyntaxUid::explicit_little_endian());
        let tags = |texts: &DataSet| texts.iter().map(|(tag, ..)| tag).collect::<Vec<_>>();
        assert_eq!(read.map(|read| tags(&read)), Ok(tags(&texts)));
    }
}

/// Either way and back; what a damaged object says of its values may be false in the other encoding, and is then refused.
fn in_the_other_encoding(data_set: &[u8]) {
    let implicit = TransferSyntaxUid::implicit_little_endian();
    let explicit = TransferSyntaxUid::explicit_little_endian();
    for (from, to) in [(&explicit, &implicit), (&implicit, &explicit)] {
        if let Ok(recoded) = recode(data_set, from, to)
            && let Err(error) = recode(&recoded, to, from)
        {
            assert!(!error.to_string().is_empty());
        }
    }
}

fn look_into_sequences(header: &Header, bytes: &[u8]) {
    fn look_into(items: Vec<Item>, bytes: &[u8]) {
        for item in items {
            for element in &item.elements {
                if let Ok(inner) = item.items(bytes, element) {
                    look_into(inner, bytes);
                }
            }
        }
    }
    for element in header.elements.iter().filter(|e| e.vr == VR::SQ || e.undefined_length) {
        if let Ok(found) = header.items(bytes, element) {
            look_into(found, bytes);
        }
    }
}

/// The bytes up to the first NUL are Specific Character Set, the rest is text. Nothing panics, text without a finding of loss
/// holds no U+FFFD that the bytes did not hold, and what can be written again reads the same.
pub fn character_sets(bytes: &[u8]) {
    let (term, text) = bytes.split_at(bytes.iter().position(|&b| b == 0).unwrap_or(0));
    let (set, _) = SpecificCharacterSet::parse(term);
    for vr in [VR::PN, VR::LO, VR::LT, VR::UC, VR::CS] {
        let decoded = decode(text, &set, vr);
        let (values, _) = decode_values(text, &set, vr);
        assert!(values.is_empty() || !decoded.text.is_empty());
        if let Ok(written) = encode(&decoded.text, &set, vr, Tag(0x0010, 0x4000)) {
            let again = decode(&written, &set, vr);
            if again.findings.is_empty() {
                assert_eq!(again.text, decoded.text.trim_end_matches([' ', '\0']));
            }
        }
    }
    let (names, _) = decode_person_names(text, &set);
    assert!(names.iter().all(|name| format!("{name:?}") == "PersonName(hidden)"));
}
