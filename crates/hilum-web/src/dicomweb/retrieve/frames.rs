//! Frames: `.../frames/1,2` (PS3.18 10.4.1.1.6), as they are kept, decoded, or encoded without loss.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use hilum_dicom::pixels::ImageDescription;
use hilum_dicom::uid::PixelCoding;
use hilum_dicom::{Outline, TransferSyntaxUid};
use hilum_engine::InstanceBytes;

use super::accept::{Accept, Form, Range, Syntax};
use super::body::{Parts, Stopped, channel, pieces};
use super::encoder::Encoder;
use super::{Resource, aside, not_acceptable};
use crate::{
    doors::App,
    error::ApiError,
    openapi::{Said, bytes},
};

const OCTETS: &str = "application/octet-stream";

/// Frames that one request may name.
const MOST_FRAMES: usize = 10_000;

/// `GET .../frames/{list}`
pub(super) async fn frames(app: App, accept: Accept, resource: Resource) -> Result<Response, ApiError> {
    let list = list(resource.frames.as_deref().unwrap_or_default())?;
    let instance = resource.instance(&app).await?;
    let location = location(&instance);
    let engine = app.engine.clone();
    let (frames, first) = aside(move || {
        let bytes = engine.open_instance_blocking(&instance)?;
        let frames = Frames::open(bytes, &accept, list.len())?;
        let numbers = frames.checked(&list)?;
        let first = frames.read(numbers[0])?;
        Ok(((frames, numbers), first))
    })
    .await?;
    let (frames, numbers) = frames;
    if frames.form == Form::Single {
        return Ok(([(header::CONTENT_TYPE, frames.content_type())], Body::from(first)).into_response());
    }
    let parts = Parts::new();
    let essence = frames.essence;
    let place = |number: u32| format!("{location}/frames/{}", number + 1);
    if let [only] = numbers[..] {
        let start = parts.start(&frames.content_type(), &place(only));
        return Ok(parts.response(essence, pieces([start.into(), first.into(), parts.end().into()])));
    }
    let (sender, body) = channel();
    let response = parts.response(essence, body);
    let places: Vec<String> = numbers.iter().map(|number| place(*number)).collect();
    tokio::spawn(async move {
        let writing = sender.clone();
        let sent = tokio::task::spawn_blocking(move || {
            let mut first = Some(first);
            for (number, place) in numbers.into_iter().zip(places) {
                let frame = first.take().map_or_else(|| frames.read(number), Ok)?;
                writing.send(parts.start(&frames.content_type(), &place))?;
                writing.send(frame)?;
            }
            writing.send(parts.end())
        });
        if let Ok(Err(Stopped::Failed(error))) = sent.await {
            sender.cut(&error).await;
        }
    });
    Ok(response)
}

/// What no type says of frames.
pub(super) fn said() -> Said {
    Said::from("Frames of an instance (PS3.18 10.4.1.1.6)")
        .gives(200, "multipart/related; type=\"application/octet-stream\"", bytes())
        .gives(200, OCTETS, bytes())
        .gives(200, "image/jls", bytes())
        .gives(200, "image/jpeg", bytes())
}

/// The path of an instance below the service's address: what Content-Location says.
pub(super) fn location(instance: &hilum_engine::StoredInstance) -> String {
    format!("/dicom-web/studies/{}/series/{}/instances/{}", instance.study, instance.series, instance.sop)
}

/// Frame numbers from 1, as numbers from 0.
fn list(text: &str) -> Result<Vec<u32>, ApiError> {
    let expected = "the address names no frames; expected numbers from 1, separated by commas";
    let number = |part: &str| part.trim().parse::<u32>().ok().and_then(|number| number.checked_sub(1));
    let numbers: Option<Vec<u32>> = text.split(',').map(number).collect();
    match numbers {
        Some(numbers) if numbers.len() <= MOST_FRAMES => Ok(numbers),
        Some(_) => Err(ApiError::bad_request(format!("more than {MOST_FRAMES} frames in one request"))),
        None => Err(ApiError::bad_request(expected)),
    }
}

/// How a frame leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// Its bytes as they are kept; native ones in little endian.
    Kept,
    Decoded,
    Encoded(Encoder),
}

/// The frames of one instance, in the representation that was agreed on.
pub(super) struct Frames {
    bytes: InstanceBytes,
    outline: Outline,
    description: ImageDescription,
    coding: Coding,
    pub(super) form: Form,
    pub(super) essence: &'static str,
    syntax: TransferSyntaxUid,
}

impl Frames {
    fn open(bytes: InstanceBytes, accept: &Accept, count: usize) -> Result<Self, ApiError> {
        let outline = Outline::read(&bytes)?;
        Self::of(bytes, outline, accept, Some(count))
    }

    /// So many of the frames; all of them where no count is given.
    pub(super) fn of(
        bytes: InstanceBytes,
        outline: Outline,
        accept: &Accept,
        count: Option<usize>,
    ) -> Result<Self, ApiError> {
        let description = ImageDescription::of(&outline.instance()?)?;
        let count = count.unwrap_or(description.frames as usize);
        let kept = outline.transfer_syntax();
        let native = kept.pixel_coding() == PixelCoding::Native;
        let agreed = accept
            .0
            .iter()
            .filter(|range| range.form != Form::Single || count == 1)
            .find_map(|range| offers(range, kept, native, &description).map(|offer| (range.form, offer)));
        let (form, (coding, essence)) = agreed.ok_or_else(|| not_acceptable(&offered(kept, native, &description)))?;
        let syntax = match coding {
            Coding::Kept if !native => kept.clone(),
            Coding::Kept | Coding::Decoded => TransferSyntaxUid::explicit_little_endian(),
            Coding::Encoded(encoder) => encoder.syntax(),
        };
        // Whoever takes both gets parts, which say their transfer syntax.
        let form = if form == Form::Single { form } else { Form::Multipart };
        Ok(Self { bytes, outline, description, coding, form, essence, syntax })
    }

    fn checked(&self, list: &[u32]) -> Result<Vec<u32>, ApiError> {
        let frames = self.description.frames;
        match list.iter().find(|frame| **frame >= frames) {
            Some(frame) => {
                let asked = u64::from(*frame) + 1;
                Err(hilum_dicom::OutlineError::NoSuchFrame { asked, frames: frames.into() }.into())
            }
            None => Ok(list.to_vec()),
        }
    }

    pub(super) fn content_type(&self) -> String {
        format!("{}; transfer-syntax={}", self.essence, self.syntax)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.description.frames
    }

    /// Whether they leave as the bytes of their samples, and so as one value.
    pub(super) fn are_samples(&self) -> bool {
        self.coding == Coding::Decoded
    }

    pub(super) fn read(&self, frame: u32) -> Result<Vec<u8>, ApiError> {
        let coded = self.description.read(&self.outline, frame, &self.bytes)?;
        let kept = self.outline.transfer_syntax();
        if self.coding == Coding::Kept {
            return Ok(coded);
        }
        let samples = if kept.pixel_coding() == PixelCoding::Native {
            self.description.from_native(coded)?
        } else {
            self.description.decode(kept, &coded)?
        };
        Ok(match self.coding {
            Coding::Encoded(encoder) => encoder.encode(&self.description, &samples)?,
            Coding::Kept | Coding::Decoded => samples.bytes,
        })
    }
}

/// What can be given within a range: how, and under which media type.
fn offers(
    range: &Range,
    kept: &TransferSyntaxUid,
    native: bool,
    description: &ImageDescription,
) -> Option<(Coding, &'static str)> {
    let explicit = TransferSyntaxUid::explicit_little_endian();
    let names = |uid: &TransferSyntaxUid| matches!(&range.syntax, Syntax::Uid(own) if own == uid.as_str());
    let own_type = media_type(kept);
    let kept_is_wanted = range.syntax == Syntax::Kept || names(kept);
    if range.takes(OCTETS) {
        if native && (kept_is_wanted || names(&explicit) || range.syntax == Syntax::Default) {
            return Some((Coding::Kept, OCTETS));
        }
        if kept_is_wanted {
            return Some((Coding::Kept, OCTETS));
        }
        if kept.is_decodable() && (names(&explicit) || range.syntax == Syntax::Default) {
            return Some((Coding::Decoded, OCTETS));
        }
    }
    if let Some(own) = own_type
        && takes_image(range, own)
        && (kept_is_wanted || range.syntax == Syntax::Default)
    {
        return Some((Coding::Kept, own));
    }
    let encoder = Encoder::ALL.into_iter().find(|encoder| {
        let is_wanted = range.syntax == Syntax::Default || names(&encoder.syntax());
        takes_image(range, encoder.media_type()) && is_wanted && encoder.fits(description)
    });
    let encoder = encoder.filter(|_| kept.is_decodable())?;
    Some((Coding::Encoded(encoder), encoder.media_type()))
}

/// The media type of a compressed frame (PS3.18 Table 8.7.3-2).
fn media_type(syntax: &TransferSyntaxUid) -> Option<&'static str> {
    Some(match syntax.as_str() {
        "1.2.840.10008.1.2.5" => "image/dicom-rle",
        "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" | "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => {
            "image/jpeg"
        }
        "1.2.840.10008.1.2.4.80" | "1.2.840.10008.1.2.4.81" => "image/jls",
        "1.2.840.10008.1.2.4.90" | "1.2.840.10008.1.2.4.91" => "image/jp2",
        "1.2.840.10008.1.2.4.92" | "1.2.840.10008.1.2.4.93" => "image/jpx",
        "1.2.840.10008.1.2.4.110" | "1.2.840.10008.1.2.4.111" | "1.2.840.10008.1.2.4.112" => "image/jxl",
        "1.2.840.10008.1.2.4.201" | "1.2.840.10008.1.2.4.202" | "1.2.840.10008.1.2.4.203" => "image/jphc",
        _ => return None,
    })
}

/// A range with the name of today, or one of those that some clients still write.
fn takes_image(range: &Range, essence: &str) -> bool {
    let older = match essence {
        "image/dicom-rle" => "image/x-dicom-rle",
        "image/jls" => "image/x-jls",
        other => other,
    };
    range.takes(essence) || range.essence == older
}

fn offered(kept: &TransferSyntaxUid, native: bool, description: &ImageDescription) -> String {
    let mut offers = Vec::new();
    if kept.is_decodable() {
        offers.push(format!("{OCTETS}; transfer-syntax=1.2.840.10008.1.2.1"));
        for encoder in Encoder::ALL.into_iter().filter(|encoder| encoder.fits(description)) {
            offers.push(format!("{}; transfer-syntax={}", encoder.media_type(), encoder.syntax()));
        }
    }
    if let Some(own) = media_type(kept) {
        offers.push(format!("{own}; transfer-syntax={kept}"));
    }
    if !native {
        offers.push(format!("{OCTETS}; transfer-syntax=*"));
    }
    offers.push("each within multipart/related, or alone for one frame".to_owned());
    offers.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_numbers_count_from_one() {
        assert_eq!(list("1,2, 7").unwrap(), [0, 1, 6]);
        for bad in ["", "0", "1,,2", "a", "-1", "4294967296"] {
            assert!(list(bad).is_err(), "{bad}");
        }
    }
}
