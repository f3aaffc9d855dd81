//! Pixel data against pydicom with GDCM and NumPy, and against damaged files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use hilum_dicom::header::{Instance, PixelDataValue};
use hilum_dicom::pixels::{LARGEST_FRAME_BYTES, PixelError, read_frame, read_hu};
use ndarray::Array2;
use sha2::{Digest, Sha256};

use crate::oracle::{files, python, shared};
use crate::write;

/// As pixels_oracle.py writes it.
fn told(hu: &Array2<i16>) -> String {
    let bytes: Vec<u8> = hu.iter().flat_map(|v| v.to_le_bytes()).collect();
    let hash = hex(&Sha256::digest(&bytes));
    let sum: i64 = hu.iter().map(|v| i64::from(*v)).sum();
    format!("{hash} {sum} {} {}", hu.iter().min().unwrap(), hu.iter().max().unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|b| [b >> 4, b & 15])
        .flat_map(|pair| pair.map(|n| char::from(b"0123456789abcdef"[usize::from(n)])))
        .collect()
}

/// Sum, minimum and maximum of a told frame.
fn numbers(told: &str) -> Vec<i64> {
    told.split(' ').skip(1).map(|v| v.parse().unwrap()).collect()
}

/// Lossy by a discrete cosine transform, whose inverse may round either way.
const DCT: [&str; 2] = [uids::JPEG_BASELINE8_BIT, uids::JPEG_EXTENDED12_BIT];

/// Compares every frame that the oracle decodes; returns equal frames (DCT: nearly so) by transfer syntax.
fn compare(folder: &Path) -> Option<BTreeMap<String, usize>> {
    // Retired DCT processes have no decoder here, and say so.
    let without_decoder = [
        "1.2.840.10008.1.2.4.53", // Spectral Selection, Process 6 and 8, retired
        "1.2.840.10008.1.2.4.55", // Full Progression, Process 10 and 12, retired
    ];
    let mut equal = BTreeMap::new();
    for line in python(include_str!("pixels_oracle.py"), &[folder])?.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [path, frame, syntax, rows, columns, expected] = fields[..] else { panic!("{line}") };
        let ours = read_frame(&std::fs::read(path).unwrap(), frame.parse().unwrap());
        match ours {
            Ok(read) if DCT.contains(&syntax) && !expected.starts_with("error") => {
                // The same to half a value in the mean, and nearly so at the ends.
                let (ours, theirs) = (numbers(&told(&read.hu)), numbers(expected));
                assert!((ours[0] - theirs[0]).abs() * 2 <= read.hu.len() as i64, "{line}");
                assert!(ours[1..].iter().zip(&theirs[1..]).all(|(a, b)| (a - b).abs() <= 2), "{line}");
                *equal.entry(syntax.to_owned()).or_insert(0) += 1;
            }
            Ok(read) if !expected.starts_with("error") => {
                assert_eq!(told(&read.hu), expected, "{path} frame {frame}");
                assert_eq!(format!("{:?}", read.hu.dim()), format!("({rows}, {columns})"));
                *equal.entry(syntax.to_owned()).or_insert(0) += 1;
            }
            Ok(_) => println!("decoded here, not by the oracle: {path}"),
            Err(PixelError::ModalityLut) => {}
            Err(PixelError::UnsupportedTransferSyntax(_) | PixelError::Codec { .. })
                if without_decoder.contains(&syntax) => {}
            Err(error) => assert!(expected.starts_with("error"), "{path} frame {frame}: {error}"),
        }
    }
    Some(equal)
}

#[test]
fn hu_of_every_monochrome_conformance_file_is_pydicoms_in_every_transfer_syntax_of_ct() {
    let Some(folder) = shared("dicom-conformance") else { return };
    let Some(equal) = compare(&folder) else { return };
    println!("equal frames by transfer syntax: {equal:#?}");
    let expected: BTreeSet<&str> = BTreeSet::from([
        uids::IMPLICIT_VR_LITTLE_ENDIAN,
        uids::EXPLICIT_VR_LITTLE_ENDIAN,
        "1.2.840.10008.1.2.2", // Explicit VR Big Endian, retired
        uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        uids::RLE_LOSSLESS,
        uids::JPEG_LOSSLESS,
        uids::JPEG_LOSSLESS_SV1,
        uids::JPEGLS_LOSSLESS,
        uids::JPEGLS_NEAR_LOSSLESS,
        uids::JPEG2000_LOSSLESS,
        uids::JPEG2000,
    ])
    .union(&DCT.into())
    .copied()
    .collect();
    let found: BTreeSet<&str> = equal.keys().map(String::as_str).collect();
    assert_eq!(found, expected);
}

#[test]
fn hu_of_the_real_chest_in_jpeg_ls_and_of_the_real_head_are_pydicoms() {
    for (name, frames) in [("ct-head-ge", 28), ("ct-chest-lidc0314", 275)] {
        let Some(folder) = shared(name) else { return };
        let Some(equal) = compare(&folder) else { return };
        assert_eq!(equal.values().sum::<usize>(), frames, "{name}");
    }
}

/// One slice of 7 x 6 of the writer's, explicit little endian.
fn slice() -> Vec<u8> {
    let identity = write::identity(hilum_dicom::charset::SpecificCharacterSet::utf8(), "A^B");
    write::files(&write::volume(), &identity).swap_remove(0)
}

/// The file with an element's value replaced, padded with spaces to its old length.
fn with(file: &[u8], tag: Tag, value: &[u8]) -> Vec<u8> {
    let span = Instance::parse(file).unwrap().header().element(tag).unwrap().value;
    let mut file = file.to_vec();
    file[span.offset..span.offset + span.len].fill(b' ');
    file[span.offset..span.offset + value.len()].copy_from_slice(value);
    file
}

#[test]
fn a_header_that_states_65535_by_65535_pixels_is_refused_before_memory_is_asked_for() {
    let file = with(&with(&slice(), tags::ROWS, &[0xFF; 2]), tags::COLUMNS, &[0xFF; 2]);
    let error = read_frame(&file, 0).unwrap_err();
    let PixelError::TooLarge { rows: 65535, columns: 65535, bytes, limit } = error else { panic!("{error}") };
    assert_eq!((bytes, limit), (8_589_672_450, LARGEST_FRAME_BYTES));
    // Below the limit the bytes at hand decide.
    let file = with(&with(&slice(), tags::ROWS, &4096_u16.to_le_bytes()), tags::COLUMNS, &4096_u16.to_le_bytes());
    assert!(matches!(read_frame(&file, 0), Err(PixelError::Truncated { expected: 33_554_432, found: 84 })));
}

#[test]
fn pixel_data_that_is_cut_off_says_how_much_is_there() {
    let file = slice();
    let error = read_frame(&file[..file.len() - 10], 0).unwrap_err();
    assert!(matches!(error, PixelError::Truncated { expected: 84, found: 74 }), "{error}");
    assert!(matches!(read_frame(&[], 0), Err(PixelError::Header(_))));
    assert!(matches!(read_frame(b"not DICOM at all", 0), Err(PixelError::Header(_))));
    assert!(matches!(read_frame(&file, 1), Err(PixelError::NoSuchFrame { asked: 1, frames: 1 })));
}

#[test]
fn colour_images_and_impossible_bits_are_refused_by_name() {
    let file = slice();
    let colour = |term: &[u8]| read_frame(&with(&file, tags::PHOTOMETRIC_INTERPRETATION, term), 0).unwrap_err();
    assert!(matches!(colour(b"RGB"), PixelError::Photometric { found: "RGB" }));
    assert!(matches!(colour(b"PALETTE"), PixelError::Photometric { found: "another term" }));
    let bits = read_frame(&with(&file, tags::BITS_STORED, &[17, 0]), 0).unwrap_err();
    assert!(matches!(bits, PixelError::Bits { allocated: 16, stored: 17, .. }));
    let sign = read_frame(&with(&file, tags::PIXEL_REPRESENTATION, &[7, 0]), 0).unwrap_err();
    assert!(matches!(sign, PixelError::Attribute { name: "PixelRepresentation", .. }));
    assert!(matches!(read_frame(&with(&file, tags::RESCALE_SLOPE, b"0"), 0), Err(PixelError::Rescale)));
    assert!(matches!(read_frame(&with(&file, tags::RESCALE_SLOPE, b"x"), 0), Err(PixelError::Rescale)));
}

#[test]
fn a_damaged_codestream_is_an_error_and_never_a_panic_or_a_wrong_size() {
    let Some(folder) = shared("dicom-conformance") else { return };
    let coded = [uids::RLE_LOSSLESS, uids::JPEG_LOSSLESS_SV1, uids::JPEGLS_LOSSLESS, uids::JPEG2000_LOSSLESS];
    let mut seen = BTreeSet::new();
    for path in files(&folder) {
        let bytes = std::fs::read(&path).unwrap();
        let Ok(instance) = Instance::parse(&bytes) else { continue };
        let syntax = instance.header().transfer_syntax.to_string();
        let Some(location) = &instance.header().pixel_data else { continue };
        let PixelDataValue::Encapsulated { fragments, .. } = &location.value else { continue };
        let Ok(whole) = read_hu(&bytes, 0) else { continue };
        if !coded.contains(&syntax.as_str()) || bytes.len() > 300_000 || !seen.insert(syntax) {
            continue;
        }
        let first = fragments[0];
        for cut in [1, 3, 10, 100, first.len / 2, first.len - 3] {
            let result = read_hu(&bytes[..first.offset + cut.min(first.len - 1)], 0);
            assert!(matches!(result, Err(PixelError::Truncated { .. } | PixelError::Header(_))), "{path:?} {cut}");
        }
        for at in (0..first.len).step_by(first.len / 60 + 1) {
            let mut damaged = bytes.clone();
            damaged[first.offset + at] ^= 0xA5;
            if let Ok(hu) = read_hu(&damaged, 0) {
                assert_eq!(hu.dim(), whole.dim());
            }
        }
    }
    assert_eq!(seen.len(), coded.len(), "{seen:?}");
}

/// User and system time of this thread (proc_pid_stat(5)), so that other work on the machine does not count.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let ticks = stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2);
    ticks.map(|v| v.parse::<f64>().unwrap() / 100.0).sum()
}

/// `cargo test -p hilum-dicom --test it -- --ignored --nocapture decode_rate`
#[test]
#[ignore = "a measurement, for a quiet machine"]
fn decode_rate() {
    let identity = write::identity(hilum_dicom::charset::SpecificCharacterSet::utf8(), "A^B");
    let volume = hilum_imaging::Volume {
        hu: ndarray::Array3::from_shape_fn((4, 512, 512), |(z, y, x)| ((z * 7 + y * 3 + x) % 4000) as i16 - 1000),
        ..write::volume()
    };
    let native = write::files(&volume, &identity);
    let mut sets = vec![("native little endian 16-bit", native)];
    if let Some(folder) = shared("ct-chest-lidc0314") {
        sets.push(("JPEG-LS, real chest", files(&folder).iter().take(40).map(|p| std::fs::read(p).unwrap()).collect()));
    }
    for (name, set) in sets {
        let started = cpu_seconds();
        let mut read = 0;
        while cpu_seconds() - started < 2.0 {
            for bytes in &set {
                read_hu(bytes, 0).unwrap();
                read += 1;
            }
        }
        println!("{name}: {:.0} slices of 512 x 512 per CPU second", f64::from(read) / (cpu_seconds() - started));
    }
}
