//! One instance as a Part 10 file: as it is kept, or in another transfer syntax, frame by frame.

use axum::http::StatusCode;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use hilum_dicom::outline::PixelSpans;
use hilum_dicom::part10::{NewPixelData, Rewritten, missing_prefix, padded, rewrite};
use hilum_dicom::pixels::{FrameSamples, ImageDescription, PixelError};
use hilum_dicom::uid::PixelCoding;
use hilum_dicom::{Outline, ReadAt, TransferSyntaxUid};
use hilum_engine::{Engine, InstanceBytes, StoredInstance};

use super::body::{PIECE, Sender, Stopped};
use super::encoder::Encoder;
use crate::error::ApiError;

/// Whether instances kept in one transfer syntax can be given in the other.
pub(super) fn can_become(kept: &TransferSyntaxUid, wanted: &TransferSyntaxUid) -> bool {
    kept == wanted
        || kept.is_decodable()
            && (*wanted == TransferSyntaxUid::explicit_little_endian() || Encoder::of(wanted).is_some())
}

/// An instance of which it is certain that it can be given, and in which transfer syntax.
pub(super) struct Prepared {
    instance: StoredInstance,
    bytes: InstanceBytes,
    syntax: TransferSyntaxUid,
    way: Way,
}

enum Way {
    AsKept,
    Rewritten { outline: Box<Outline>, rewritten: Rewritten, pixels: Pixels },
}

enum Pixels {
    /// Without pixels nothing is compressed: the header is all there is.
    None,
    Native,
    /// With the first frame.
    Decoded(ImageDescription, FrameSamples),
    Encoded(Encoder, ImageDescription, Vec<u8>),
}

/// Opens an instance and does what may fail, header and first frame, in the first of the transfer syntaxes that it can be brought into.
/// `None` where that is none of them: the pixels do not fit it, or cannot be decoded here. Waits for the disk.
pub(super) fn prepare(
    engine: &Engine,
    instance: StoredInstance,
    wanted: &[TransferSyntaxUid],
) -> Result<Option<Prepared>, ApiError> {
    let bytes = engine.open_instance_blocking(&instance)?;
    let mut damaged = None;
    for syntax in wanted {
        if *syntax == instance.transfer_syntax {
            return Ok(Some(Prepared { instance, bytes, syntax: syntax.clone(), way: Way::AsKept }));
        }
        match rewritten(&instance, &bytes, syntax) {
            Ok(way) => return Ok(Some(Prepared { instance, bytes, syntax: syntax.clone(), way })),
            Err(error) => {
                tracing::info!(
                    code = error.code,
                    "an instance cannot be brought into a transfer syntax that was asked for"
                );
                damaged = damaged.or((error.status != StatusCode::NOT_ACCEPTABLE).then_some(error));
            }
        }
    }
    damaged.map_or(Ok(None), Err)
}

impl Prepared {
    /// The transfer syntax that it is given in.
    pub(super) fn syntax(&self) -> &TransferSyntaxUid {
        &self.syntax
    }

    /// Sends it as a Part 10 file behind `start`, from a thread that may wait.
    pub(super) fn send(self, start: &str, sender: &Sender) -> Result<(), Stopped> {
        match self.way {
            Way::AsKept => as_kept(start, &self.instance, &self.bytes, sender),
            Way::Rewritten { outline, rewritten, pixels } => {
                sender.send(start.to_owned())?;
                Image { outline: &outline, bytes: &self.bytes, sender }.send(rewritten, pixels)
            }
        }
    }
}

/// What is looked at to see whether a file begins as a Part 10 file does.
const HEAD: u64 = 132;

/// Few and large pieces: each one wakes the network's thread.
fn as_kept(start: &str, instance: &StoredInstance, bytes: &InstanceBytes, sender: &Sender) -> Result<(), Stopped> {
    let StoredInstance { sop_class, sop, transfer_syntax, .. } = instance;
    let head = bytes.read_blocking(0..HEAD.min(bytes.len()))?;
    let prefix = missing_prefix(&head, sop_class, sop, transfer_syntax);
    let mut at = 0;
    let mut before = [start.as_bytes(), &prefix].concat();
    loop {
        let end = (at + PIECE).min(bytes.len());
        let mut piece = std::mem::take(&mut before);
        bytes.append_blocking(at..end, &mut piece)?;
        sender.send(piece)?;
        at = end;
        if at == bytes.len() {
            return Ok(());
        }
    }
}

fn rewritten(instance: &StoredInstance, bytes: &InstanceBytes, wanted: &TransferSyntaxUid) -> Result<Way, ApiError> {
    let outline = Box::new(Outline::read(bytes)?);
    let write = |pixel_data, changes: &[(Tag, VR, Vec<u8>)]| {
        rewrite(&outline, &instance.sop_class, &instance.sop, wanted, pixel_data, changes)
    };
    let Some(pixel_data) = &outline.pixel_data else {
        let rewritten = write(None, &[])?;
        return Ok(Way::Rewritten { outline, rewritten, pixels: Pixels::None });
    };
    if let Some(encoder) = Encoder::of(wanted) {
        let description = ImageDescription::of(&outline.instance()?)?;
        let first = samples(&description, &outline, bytes, 0)?;
        let changes = encoder.changes(&description, &first);
        let first = encoder.encode(&description, &first)?;
        let rewritten = write(Some(NewPixelData::Encapsulated), &changes)?;
        return Ok(Way::Rewritten { outline, rewritten, pixels: Pixels::Encoded(encoder, description, first) });
    }
    if let PixelSpans::Native(span) = &pixel_data.spans {
        let rewritten = write(Some(NewPixelData::Native(pixel_data.vr, span.end - span.start)), &[])?;
        return Ok(Way::Rewritten { outline, rewritten, pixels: Pixels::Native });
    }
    let description = ImageDescription::of(&outline.instance()?)?;
    let length = decoded_length(&description).ok_or_else(|| {
        // Frames of single bits would have to be joined within a byte.
        PixelError::UnsupportedTransferSyntax(outline.transfer_syntax().clone())
    })?;
    let first = samples(&description, &outline, bytes, 0)?;
    let mut changes = Vec::new();
    if first.photometric != description.photometric {
        changes.push((tags::PHOTOMETRIC_INTERPRETATION, VR::CS, padded(&first.photometric, b' ')));
    }
    if description.samples > 1 {
        changes.push((tags::PLANAR_CONFIGURATION, VR::US, vec![0, 0]));
    }
    let vr = if description.allocated > 8 { VR::OW } else { VR::OB };
    let rewritten = write(Some(NewPixelData::Native(vr, length)), &changes)?;
    Ok(Way::Rewritten { outline, rewritten, pixels: Pixels::Decoded(description, first) })
}

/// Bytes of all frames decoded; `None` where a frame ends within a byte and another one follows.
fn decoded_length(description: &ImageDescription) -> Option<u64> {
    let pixels = u64::from(description.rows) * u64::from(description.columns);
    let bits = pixels * u64::from(description.samples) * u64::from(description.allocated);
    (bits.is_multiple_of(8) || description.frames == 1).then_some(bits.div_ceil(8) * u64::from(description.frames))
}

fn samples(
    description: &ImageDescription,
    outline: &Outline,
    bytes: &InstanceBytes,
    frame: u32,
) -> Result<FrameSamples, ApiError> {
    let coded = description.read(outline, frame, bytes)?;
    let syntax = outline.transfer_syntax();
    Ok(if syntax.pixel_coding() == PixelCoding::Native {
        description.from_native(coded)?
    } else {
        description.decode(syntax, &coded)?
    })
}

/// An image on its way out.
struct Image<'a> {
    outline: &'a Outline,
    bytes: &'a InstanceBytes,
    sender: &'a Sender,
}

impl Image<'_> {
    fn send(&self, rewritten: Rewritten, pixels: Pixels) -> Result<(), Stopped> {
        self.sender.send(rewritten.head)?;
        let length = match pixels {
            Pixels::None => 0,
            Pixels::Native => self.native()?,
            Pixels::Encoded(encoder, description, first) => self.encoded(encoder, &description, first)?,
            Pixels::Decoded(description, first) => {
                self.sender.send(first.bytes)?;
                for frame in 1..description.frames {
                    self.sender.send(samples(&description, self.outline, self.bytes, frame)?.bytes)?;
                }
                decoded_length(&description).unwrap_or(0)
            }
        };
        if length % 2 == 1 {
            self.sender.send(&[0_u8][..])?;
        }
        self.sender.send(rewritten.tail)
    }

    /// Native values in little endian; how many bytes they are.
    fn native(&self) -> Result<u64, Stopped> {
        let Some((vr, PixelSpans::Native(span))) =
            self.outline.pixel_data.as_ref().map(|pixels| (pixels.vr, &pixels.spans))
        else {
            return Ok(0);
        };
        let inflated = self.outline.inflated.as_deref();
        let source: &dyn ReadAt = inflated.as_ref().map_or(self.bytes, |inflated| inflated);
        let instance = self.outline.instance()?;
        let big_endian = instance.header().encoding.big_endian;
        let allocated = ImageDescription::of(&instance).map_or(8, |description| description.allocated);
        // 8-bit samples in 16-bit words come swapped in big endian (PS3.5 8.1.1).
        let width = match allocated {
            _ if !big_endian => 1,
            1 | 8 if vr == VR::OW => 2,
            allocated => usize::from(allocated / 8).max(1),
        };
        let mut at = span.start;
        while at < span.end {
            let next = (at + PIECE).min(span.end);
            let mut piece = source.read_at(at..next).map_err(hilum_dicom::OutlineError::from)?;
            if width > 1 {
                piece.chunks_exact_mut(width).for_each(<[u8]>::reverse);
            }
            self.sender.send(piece)?;
            at = next;
        }
        Ok(span.end - span.start)
    }

    /// Items of one fragment a frame behind an empty offset table, and their delimiter (PS3.5 A.4).
    fn encoded(&self, encoder: Encoder, description: &ImageDescription, first: Vec<u8>) -> Result<u64, Stopped> {
        self.sender.send(&[0xFE_u8, 0xFF, 0x00, 0xE0, 0, 0, 0, 0][..])?;
        let mut first = Some(first);
        for frame in 0..description.frames {
            let mut coded = match first.take() {
                Some(coded) => coded,
                None => encoder.encode(description, &samples(description, self.outline, self.bytes, frame)?)?,
            };
            if coded.len() % 2 == 1 {
                coded.push(0);
            }
            // A frame has at most 128 MiB, so its codestream has a length of 32 bits.
            let length = coded.len() as u32;
            self.sender.send([&[0xFE, 0xFF, 0x00, 0xE0][..], &length.to_le_bytes()].concat())?;
            self.sender.send(coded)?;
        }
        self.sender.send(&[0xFE_u8, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0][..])?;
        Ok(0)
    }
}
