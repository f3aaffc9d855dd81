//! One instance as a Part 10 file: as it is kept, or in another transfer syntax, frame by frame.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use hilum_dicom::outline::PixelSpans;
use hilum_dicom::part10::{NewPixelData, missing_prefix, padded, rewrite};
use hilum_dicom::pixels::{FrameSamples, ImageDescription, PixelError};
use hilum_dicom::uid::PixelCoding;
use hilum_dicom::{Outline, ReadAt, TransferSyntaxUid};
use hilum_engine::{Engine, InstanceBytes, StoredInstance};

use super::body::{PIECE, Sender, Stopped};

/// Whether instances kept in one transfer syntax can be given in the other.
pub(super) fn can_become(kept: &TransferSyntaxUid, wanted: &TransferSyntaxUid) -> bool {
    kept == wanted
        || kept.is_decodable()
            && (*wanted == TransferSyntaxUid::explicit_little_endian()
                || *wanted == TransferSyntaxUid::jpeg_ls_lossless())
}

/// Sends the instance in `wanted`; that it is kept in it means that its bytes go out as they are.
pub(super) async fn part10(
    engine: &Engine,
    instance: &StoredInstance,
    wanted: &TransferSyntaxUid,
    sender: &Sender,
) -> Result<(), Stopped> {
    let bytes = engine.open_instance(instance).await?;
    let (instance, wanted, sender) = (instance.clone(), wanted.clone(), sender.clone());
    let sent = tokio::task::spawn_blocking(move || {
        if wanted == instance.transfer_syntax {
            as_kept(&instance, &bytes, &sender)
        } else {
            transcoded(&instance, &bytes, &wanted, &sender)
        }
    });
    sent.await
        .map_err(|error| hilum_engine::EngineError::Internal(format!("sending an instance ended early: {error}")))?
}

fn as_kept(instance: &StoredInstance, bytes: &InstanceBytes, sender: &Sender) -> Result<(), Stopped> {
    let mut at = 0;
    while at < bytes.len() {
        let end = (at + PIECE).min(bytes.len());
        let piece = bytes.read_blocking(at..end)?;
        if at == 0 {
            let StoredInstance { sop_class, sop, transfer_syntax, .. } = instance;
            let prefix = missing_prefix(&piece, sop_class, sop, transfer_syntax);
            if !prefix.is_empty() {
                sender.send(prefix)?;
            }
        }
        sender.send(piece)?;
        at = end;
    }
    Ok(())
}

fn transcoded(
    instance: &StoredInstance,
    bytes: &InstanceBytes,
    wanted: &TransferSyntaxUid,
    sender: &Sender,
) -> Result<(), Stopped> {
    let outline = Outline::read(bytes)?;
    let image = Image { outline: &outline, bytes, sender };
    let write = |pixel_data, changes: &[(Tag, VR, Vec<u8>)]| {
        rewrite(&outline, &instance.sop_class, &instance.sop, wanted, pixel_data, changes)
    };
    let Some(pixel_data) = &outline.pixel_data else {
        // Without pixels nothing is compressed: the header is all there is.
        return sender.send(write(None, &[])?.head);
    };
    if *wanted == TransferSyntaxUid::jpeg_ls_lossless() {
        let description = ImageDescription::of(&outline.instance()?)?;
        if !description.fits_jpeg_ls() {
            return Err(PixelError::UnsupportedTransferSyntax(wanted.clone()).into());
        }
        let rewritten = write(Some(NewPixelData::Encapsulated), &[])?;
        sender.send(rewritten.head)?;
        return image.jpeg_ls(&description, rewritten.tail);
    }
    match &pixel_data.spans {
        PixelSpans::Native(span) => {
            let length = span.end - span.start;
            let rewritten = write(Some(NewPixelData::Native(pixel_data.vr, length)), &[])?;
            sender.send(rewritten.head)?;
            image.native(span.start, span.end, pixel_data.vr)?;
            image.close(length, rewritten.tail)
        }
        PixelSpans::Encapsulated { .. } => {
            let description = ImageDescription::of(&outline.instance()?)?;
            let frame_bits = u64::try_from(description.pixels()).unwrap_or(u64::MAX)
                * u64::from(description.samples)
                * u64::from(description.allocated);
            if !frame_bits.is_multiple_of(8) && description.frames > 1 {
                // Frames of single bits would have to be joined within a byte.
                return Err(PixelError::UnsupportedTransferSyntax(outline.transfer_syntax().clone()).into());
            }
            let length = frame_bits.div_ceil(8) * u64::from(description.frames);
            let first = image.samples(&description, 0)?;
            let mut changes = Vec::new();
            if first.photometric != description.photometric {
                changes.push((tags::PHOTOMETRIC_INTERPRETATION, VR::CS, padded(&first.photometric, b' ')));
            }
            if description.samples > 1 {
                changes.push((tags::PLANAR_CONFIGURATION, VR::US, vec![0, 0]));
            }
            let vr = if description.allocated > 8 { VR::OW } else { VR::OB };
            let rewritten = write(Some(NewPixelData::Native(vr, length)), &changes)?;
            sender.send(rewritten.head)?;
            sender.send(first.bytes)?;
            for frame in 1..description.frames {
                sender.send(image.samples(&description, frame)?.bytes)?;
            }
            image.close(length, rewritten.tail)
        }
    }
}

/// An image on its way out.
struct Image<'a> {
    outline: &'a Outline,
    bytes: &'a InstanceBytes,
    sender: &'a Sender,
}

impl Image<'_> {
    fn samples(&self, description: &ImageDescription, frame: u32) -> Result<FrameSamples, Stopped> {
        let coded = description.read(self.outline, frame, self.bytes)?;
        let syntax = self.outline.transfer_syntax();
        Ok(if syntax.pixel_coding() == PixelCoding::Native {
            description.from_native(coded)?
        } else {
            description.decode(syntax, &coded)?
        })
    }

    /// Native values in little endian.
    fn native(&self, start: u64, end: u64, vr: VR) -> Result<(), Stopped> {
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
        let mut at = start;
        while at < end {
            let next = (at + PIECE).min(end);
            let mut piece = source.read_at(at..next).map_err(hilum_dicom::OutlineError::from)?;
            if width > 1 {
                piece.chunks_exact_mut(width).for_each(<[u8]>::reverse);
            }
            self.sender.send(piece)?;
            at = next;
        }
        Ok(())
    }

    /// Items of one fragment a frame behind an empty offset table (PS3.5 A.4).
    fn jpeg_ls(&self, description: &ImageDescription, tail: Vec<u8>) -> Result<(), Stopped> {
        self.sender.send(&[0xFE_u8, 0xFF, 0x00, 0xE0, 0, 0, 0, 0][..])?;
        for frame in 0..description.frames {
            let mut coded = description.encode_jpeg_ls(&self.samples(description, frame)?)?;
            if coded.len() % 2 == 1 {
                coded.push(0);
            }
            // A frame has at most 128 MiB, so its codestream has a length of 32 bits.
            let length = coded.len() as u32;
            self.sender.send([&[0xFE, 0xFF, 0x00, 0xE0][..], &length.to_le_bytes()].concat())?;
            self.sender.send(coded)?;
        }
        self.sender.send(&[0xFE_u8, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0][..])?;
        self.sender.send(tail)
    }

    /// The padding of an odd value, and what follows pixel data.
    fn close(&self, length: u64, tail: Vec<u8>) -> Result<(), Stopped> {
        if length % 2 == 1 {
            self.sender.send(&[0_u8][..])?;
        }
        self.sender.send(tail)
    }
}
