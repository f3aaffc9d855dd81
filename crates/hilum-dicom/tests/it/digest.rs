//! Identity of a data set, transfer syntax aside.

use std::process::Command;

use dicom_core::{Tag, VR};
use hilum_dicom::data_set_digest;
use hilum_dicom::digest::{PixelIdentity, digest_of};
use hilum_dicom::header::{Encoding, Instance};

use crate::objects::{BIG_ENDIAN, Bytes, EXPLICIT, IMPLICIT, ct, ct_with_pixels};
use crate::oracle;

#[test]
fn one_object_has_one_digest_in_every_encoding() {
    let digest =
        |encoding, defined, syntax| data_set_digest(&ct_with_pixels(encoding, 3, defined).part_10(syntax)).unwrap();
    let expected = digest(Encoding::EXPLICIT_LE, true, EXPLICIT);
    for defined in [true, false] {
        assert_eq!(digest(Encoding::EXPLICIT_LE, defined, EXPLICIT), expected);
        assert_eq!(digest(Encoding::IMPLICIT_LE, defined, IMPLICIT), expected);
        assert_eq!(digest(Encoding::EXPLICIT_BE, defined, BIG_ENDIAN), expected);
    }
    assert_eq!(data_set_digest(&ct_with_pixels(Encoding::IMPLICIT_LE, 3, true).out).unwrap(), expected);
}

#[test]
fn padding_group_lengths_and_the_character_set_do_not_change_it() {
    let object = |set: &str, name: &[u8], group_length: bool, trailing: bool| {
        let mut object = Bytes::new(Encoding::EXPLICIT_LE);
        if group_length {
            object.put(Tag(0x0008, 0x0000), VR::UL, [9, 0, 0, 0]);
        }
        object.put(Tag(0x0008, 0x0005), VR::CS, set).put(Tag(0x0008, 0x0060), VR::CS, "CT");
        object.put(Tag(0x0010, 0x0010), VR::PN, name);
        if trailing {
            object.put(Tag(0xFFFC, 0xFFFC), VR::OB, [0; 10]);
        }
        data_set_digest(&object.out).unwrap()
    };
    let expected = object("\\ISO 2022 IR 149", b"\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6", false, false);
    assert_eq!(object("\\ISO 2022 IR 149", b"\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6   ", true, true), expected);
    assert_eq!(object("ISO_IR 192", "홍^길".as_bytes(), true, false), expected);
    assert_ne!(object("ISO_IR 192", "홍^김".as_bytes(), true, false), expected);
    // What does not decode counts byte by byte.
    assert_ne!(object("ISO_IR 192", b"A\xff", false, false), object("ISO_IR 192", b"A\xfe", false, false));
}

#[test]
fn every_single_change_of_a_value_changes_it() {
    let object = ct_with_pixels(Encoding::EXPLICIT_LE, 3, true);
    let expected = data_set_digest(&object.out).unwrap();
    let header = hilum_dicom::header::walk(&object.out).unwrap();
    for element in header.elements.iter().filter(|e| e.tag != Tag(0x0008, 0x0005)) {
        let mut changed = object.out.clone();
        changed[element.value.offset + if element.vr == VR::SQ { 16 } else { 0 }] ^= 1;
        match data_set_digest(&changed) {
            Ok(digest) => assert_ne!(digest, expected, "{}", element.tag),
            Err(error) => panic!("{}: {error}", element.tag),
        }
    }
    // The order in which elements lie does not count.
    let [first, second] = [&header.elements[5], &header.elements[6]];
    let (a, b, c) = (first.offset, second.offset, second.value.offset + second.value.len);
    let turned = [&object.out[..a], &object.out[b..c], &object.out[a..b], &object.out[c..]].concat();
    assert_eq!(data_set_digest(&turned).unwrap(), expected);
}

#[test]
fn unused_high_bits_count_only_where_they_are_more_than_the_sign() {
    let digest = |words: &[u16]| {
        let mut object = ct(Encoding::EXPLICIT_LE, 1, true);
        data_set_digest(&object.words(Tag(0x7FE0, 0x0010), words).out).unwrap()
    };
    // -1 in 12 bits, with the sign repeated and without.
    assert_eq!(digest(&[0xFFFF, 1, 2, 3]), digest(&[0x0FFF, 1, 2, 3]));
    assert_ne!(digest(&[0x1001, 1, 2, 3]), digest(&[0x0001, 1, 2, 3]));
    assert_ne!(digest(&[0x7FFF, 1, 2, 3]), digest(&[0x0FFF, 1, 2, 3]));
}

#[test]
fn a_lossless_codestream_of_another_maker_has_the_digest_of_the_samples() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.dcm");
    let mut object = ct(Encoding::EXPLICIT_LE, 64, true);
    let words: Vec<u16> = (0..64 * 4_i32).map(|i| ((i * 37) % 3000 - 1000) as i16 as u16).collect();
    object.words(Tag(0x7FE0, 0x0010), &words);
    std::fs::write(&plain, object.part_10(EXPLICIT)).unwrap();
    let expected = data_set_digest(&std::fs::read(&plain).unwrap()).unwrap();
    for (program, arguments) in
        [("dcmcjpls", vec!["+un"]), ("dcmcrle", vec!["+un"]), ("dcmconv", vec!["+ti"]), ("dcmconv", vec!["+tb"])]
    {
        let out = folder.path().join(format!("{program}{}.dcm", arguments[0]));
        let arguments: Vec<&str> = arguments.into_iter().filter(|a| *a != "+un").collect();
        let ran = Command::new(program).args(&arguments).arg(&plain).arg(&out).output();
        let Ok(ran) = ran else {
            oracle::skip(&format!("{program} is not installed (Debian: dcmtk)"), "HILUM_REQUIRE_ORACLES");
            continue;
        };
        assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
        let bytes = std::fs::read(&out).unwrap();
        let digest = digest_of(&Instance::parse(&bytes).unwrap());
        assert_eq!(digest.pixels, PixelIdentity::Samples, "{program}");
        assert_eq!(digest.sha256, expected, "{program} {arguments:?}");
    }
}

/// Figures for docs/benchmarks.md; run with `--run-ignored only --no-capture`.
#[test]
#[ignore = "a measurement"]
fn headers_facts_and_digests_a_second() {
    for (syntax, encoding) in [(EXPLICIT, Encoding::EXPLICIT_LE), (IMPLICIT, Encoding::IMPLICIT_LE)] {
        let mut object = ct(encoding, 512, false);
        let columns: &[u8] = &[0x28, 0, 0x11, 0];
        let at = object.out.windows(4).position(|w| w == columns).unwrap() + 8;
        object.out[at..at + 2].copy_from_slice(&512_u16.to_le_bytes());
        object.words(Tag(0x7FE0, 0x0010), &vec![100; 512 * 512]);
        let file = object.part_10(syntax);
        assert_eq!(digest_of(&Instance::parse(&file).unwrap()).pixels, PixelIdentity::Samples);
        let a_second = |rounds: u32, act: &dyn Fn(&[u8])| {
            let start = std::time::Instant::now();
            for _ in 0..rounds {
                act(std::hint::black_box(&file));
            }
            f64::from(rounds) / start.elapsed().as_secs_f64()
        };
        let headers = a_second(100_000, &|f| drop(std::hint::black_box(hilum_dicom::header::walk(f))));
        let facts = a_second(20_000, &|f| drop(std::hint::black_box(hilum_dicom::read_facts(f))));
        let digests = a_second(300, &|f| drop(std::hint::black_box(data_set_digest(f))));
        let megabytes = digests * file.len() as f64 / 1e6;
        println!("{syntax}: {headers:.0} headers/s, {facts:.0} facts/s, digest {megabytes:.0} MB/s");
    }
}

#[test]
fn a_high_bit_beyond_every_word_is_no_overflow() {
    let mut file = ct_with_pixels(Encoding::EXPLICIT_LE, 3, true).part_10(EXPLICIT);
    let high_bit = [0x28, 0, 0x02, 0x01, b'U', b'S', 2, 0];
    let at = file.windows(high_bit.len()).position(|window| window == high_bit).unwrap() + high_bit.len();
    file[at..at + 2].copy_from_slice(&[0xFF, 0xFF]);
    assert!(data_set_digest(&file).is_ok());
}
