//! Frames of every image of the conformance set against pydicom's, colour included.

use std::path::PathBuf;

use hilum_dicom::pixels::{FrameSamples, ImageDescription, PixelError};
use hilum_dicom::uid::PixelCoding;
use hilum_dicom::{Outline, TransferSyntaxUid};

use crate::oracle;

/// Writes the samples of some frames of each file that pydicom decodes, raw and in RGB; one line of JSON a frame.
const PYDICOM: &str = r#"
import sys, json, warnings, logging, pathlib
import numpy as np, pydicom
from pydicom.pixels import pixel_array
warnings.simplefilter("ignore"); logging.disable(logging.CRITICAL)
out = pathlib.Path(sys.argv[2]); count = 0
def little(a):
    return np.ascontiguousarray(a.astype(a.dtype.newbyteorder("<")))
for path in sorted(p for p in pathlib.Path(sys.argv[1]).rglob("*") if p.is_file()):
    try:
        ds = pydicom.dcmread(path, force=True)
        frames = int(ds.get("NumberOfFrames") or 1)
        ds["PixelData"]
    except Exception:
        continue
    for frame in sorted({0, frames // 2, frames - 1}):
        for raw in (True, False):
            try:
                a = little(pixel_array(ds, index=frame, raw=raw))
            except Exception:
                continue
            count += 1
            (out / f"{count}").write_bytes(a.tobytes())
            print(json.dumps([str(path), frame, raw, f"{count}", a.dtype.itemsize]))
"#;

fn ours(bytes: &[u8], frame: u32) -> Result<(ImageDescription, Vec<u8>, String), PixelError> {
    let outline = Outline::read(&bytes).map_err(|_| PixelError::NoPixelData)?;
    let instance = outline.instance()?;
    let description = ImageDescription::of(&instance)?;
    let coded = description.read(&outline, frame, &bytes).map_err(|_| PixelError::NoPixelData)?;
    let samples = if outline.transfer_syntax().pixel_coding() == PixelCoding::Native {
        description.from_native(coded)?
    } else {
        description.decode(outline.transfer_syntax(), &coded)?
    };
    Ok((description, samples.bytes, samples.photometric))
}

/// Largest difference of two samples; the bits above High Bit do not count.
fn difference(description: &ImageDescription, ours: &[u8], theirs: &[u8]) -> Option<u64> {
    if description.allocated == 1 {
        // pydicom gives a byte a bit.
        let bit = |at: usize| u64::from(ours[at / 8] >> (at % 8) & 1);
        return (ours.len() == theirs.len().div_ceil(8))
            .then(|| theirs.iter().enumerate().map(|(at, &value)| bit(at).abs_diff(value.into())).max().unwrap());
    }
    if ours.len() != theirs.len() {
        return None;
    }
    let width = usize::from(description.allocated / 8);
    let mask = if description.high_bit >= 63 { u64::MAX } else { (1 << (description.high_bit + 1)) - 1 };
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte)) & mask;
    ours.chunks(width).zip(theirs.chunks(width)).map(|(a, b)| number(a).abs_diff(number(b))).max()
}

#[test]
fn frames_of_every_coding_and_colour_are_those_that_pydicom_decodes() {
    let Some(folder) = oracle::shared("dicom-conformance") else { return };
    let out = tempfile::tempdir().unwrap();
    let Some(lines) = oracle::python(PYDICOM, &[&folder, out.path()]) else { return };
    let (mut exact, mut close) = (0, 0);
    let mut failures = Vec::new();
    for line in lines.lines() {
        let (path, frame, raw, name, size): (PathBuf, u32, bool, String, u16) = serde_json::from_str(line).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let shown = path.strip_prefix(&folder).unwrap().display().to_string();
        let (description, samples, photometric) = match ours(&bytes, frame) {
            Ok(frame) => frame,
            Err(error) => {
                failures.push(format!("{shown} frame {frame}: {error}"));
                continue;
            }
        };
        // What decoding turned into RGB is compared with RGB, everything else with the samples as they are stored.
        if (photometric != description.photometric) == raw {
            continue;
        }
        if description.allocated != 1 && size * 8 != description.allocated {
            continue;
        }
        let theirs = std::fs::read(out.path().join(name)).unwrap();
        let lossy = bytes.windows(24).take(2000).any(|w| w.starts_with(b"1.2.840.10008.1.2.4.5") && w[21] != b'7')
            || bytes.windows(24).take(2000).any(|w| w.starts_with(b"1.2.840.10008.1.2.4.91"));
        match difference(&description, &samples, &theirs) {
            Some(0) => exact += 1,
            // Two decoders of the DCT round differently, and so do two turns from YBR to RGB.
            Some(off) if lossy && off <= 4 => close += 1,
            off => failures.push(format!("{shown} frame {frame}: differs by {off:?}, {description:?}")),
        }
    }
    println!("{exact} frames equal, {close} lossy ones within rounding");
    assert!(failures.is_empty(), "{} frames:\n{}", failures.len(), failures.join("\n"));
    assert!(exact > 300, "only {exact} frames compared");
}

#[test]
fn every_grey_frame_of_the_conformance_set_comes_back_from_jpeg_ls_bit_for_bit() {
    let Some(folder) = oracle::shared("dicom-conformance") else { return };
    let mut compared = 0;
    for path in oracle::files(&folder) {
        let bytes = std::fs::read(&path).unwrap();
        let Ok((description, samples, photometric)) = ours(&bytes, 0) else { continue };
        if !description.fits_jpeg_ls() {
            continue;
        }
        let samples = FrameSamples { bytes: samples, photometric };
        let coded = description.encode_jpeg_ls(&samples).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let decoded = description.decode(&TransferSyntaxUid::jpeg_ls_lossless(), &coded).unwrap();
        assert!(decoded.bytes == samples.bytes, "{}", path.display());
        compared += 1;
    }
    assert!(compared > 200, "only {compared} frames");
}
