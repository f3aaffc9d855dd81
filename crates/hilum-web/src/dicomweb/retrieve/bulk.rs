//! Bulk values: what a `BulkDataURI` of the metadata names.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use dicom_core::Tag;
use dicom_dictionary_std::tags;
use hilum_dicom::outline::PixelSpans;
use hilum_dicom::{Instance, Outline, ReadAt};
use hilum_engine::InstanceBytes;

use super::accept::{Accept, Form};
use super::body::{PIECE, Parts, Stopped, channel};
use super::frames::{Frames, location};
use super::{Resource, aside, not_acceptable};
use crate::{
    doors::App,
    error::ApiError,
    openapi::{Said, bytes},
};

const OCTETS: &str = "application/octet-stream";

/// `GET .../bulkdata/{path}`: the value in little endian. Compressed pixel data come decoded, or as they are kept in a part a frame.
pub(super) async fn bulk_data(app: App, accept: Accept, resource: Resource) -> Result<Response, ApiError> {
    let path = resource.bulk.clone().unwrap_or_default();
    let steps = steps(&path)?;
    let instance = resource.instance(&app).await?;
    let location = format!("{}/bulkdata/{path}", location(&instance));
    let bytes = app.engine.open_instance(&instance).await?;
    let (bulk, form) = aside(move || Bulk::find(bytes, &steps, &accept)).await?;
    let (sender, body) = channel();
    let parts = Parts::new();
    let content_type = bulk.content_type();
    let response = if form == Form::Single {
        ([(header::CONTENT_TYPE, content_type.clone())], body).into_response()
    } else {
        parts.response(bulk.essence(), body)
    };
    tokio::spawn(async move {
        let writing = sender.clone();
        let sent = tokio::task::spawn_blocking(move || {
            for piece in 0..bulk.count() {
                if form != Form::Single {
                    writing.send(parts.start(&content_type, &location))?;
                }
                bulk.each(piece, |bytes| writing.send(bytes))?;
            }
            if form == Form::Single { Ok(()) } else { writing.send(parts.end()) }
        });
        if let Ok(Err(Stopped::Failed(error))) = sent.await {
            sender.cut(&error).await;
        }
    });
    Ok(response)
}

/// What no type says of bulk values.
pub(super) fn said() -> Said {
    Said::from("A bulk value, as a BulkDataURI of the metadata names it (PS3.18 10.4.1.1.5)")
        .gives(200, "multipart/related; type=\"application/octet-stream\"", bytes())
        .gives(200, OCTETS, bytes())
        .gives(200, "application/pdf", bytes())
}

/// Tags, with the item of each sequence between them.
fn steps(path: &str) -> Result<(Vec<(Tag, usize)>, Tag), ApiError> {
    let expected = || {
        ApiError::bad_request(
            "the address names no bulk value; expected a path as the metadata give it, such as bulkdata/7FE00010",
        )
    };
    let tag = |text: &str| {
        let number = (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok()).flatten().ok_or_else(expected)?;
        Ok::<_, ApiError>(Tag((number >> 16) as u16, number as u16))
    };
    let parts: Vec<&str> = path.split('/').collect();
    let (last, sequences) = parts.split_last().ok_or_else(expected)?;
    let pairs = sequences.chunks(2).map(|pair| match pair {
        [sequence, item] => Ok((tag(sequence)?, item.parse().map_err(|_| expected())?)),
        _ => Err(expected()),
    });
    Ok((pairs.collect::<Result<_, ApiError>>()?, tag(last)?))
}

/// A value on its way out.
enum Bulk {
    Value { value: Vec<u8>, essence: String },
    Native { outline: Box<Outline>, bytes: InstanceBytes },
    Compressed(Box<Frames>),
}

impl Bulk {
    fn find(
        bytes: InstanceBytes,
        (sequences, tag): &(Vec<(Tag, usize)>, Tag),
        accept: &Accept,
    ) -> Result<(Self, Form), ApiError> {
        let outline = Outline::read(&bytes)?;
        let pixels = outline.pixel_data.as_ref().filter(|pixels| pixels.tag == *tag && sequences.is_empty());
        if pixels.is_some_and(|pixels| matches!(pixels.spans, PixelSpans::Encapsulated { .. })) {
            let frames = Frames::of(bytes, outline, accept, None)?;
            let form = frames.form;
            return Ok((Self::Compressed(Box::new(frames)), form));
        }
        let instance = outline.instance()?;
        let document = (*tag == tags::ENCAPSULATED_DOCUMENT).then(|| media_type_of_document(&instance)).flatten();
        let offers = [OCTETS].into_iter().chain(document.as_deref());
        let agreed = accept.0.iter().find_map(|range| {
            let essence = offers.clone().find(|essence| range.takes(essence))?;
            Some((essence.to_owned(), range.form))
        });
        let (essence, form) = agreed.ok_or_else(|| {
            let offered: Vec<&str> = offers.clone().collect();
            not_acceptable(&format!("{}, alone or within multipart/related", offered.join(" and ")))
        })?;
        if pixels.is_some() {
            return Ok((Self::Native { outline: Box::new(outline), bytes }, form));
        }
        let value = value(&instance, sequences, *tag)?;
        let value = value.ok_or(hilum_engine::EngineError::NotFound { what: "bulk value" })?;
        Ok((Self::Value { value, essence }, form))
    }

    fn essence(&self) -> &str {
        match self {
            Self::Value { essence, .. } => essence,
            Self::Native { .. } => OCTETS,
            Self::Compressed(frames) => frames.essence,
        }
    }

    fn content_type(&self) -> String {
        match self {
            Self::Compressed(frames) => frames.content_type(),
            Self::Value { .. } | Self::Native { .. } => self.essence().to_owned(),
        }
    }

    /// Parts: what is coded is a part a frame.
    fn count(&self) -> u32 {
        match self {
            Self::Compressed(frames) if !frames.are_samples() => frames.count(),
            Self::Value { .. } | Self::Native { .. } | Self::Compressed(_) => 1,
        }
    }

    fn each(&self, piece: u32, send: impl Fn(Vec<u8>) -> Result<(), Stopped>) -> Result<(), Stopped> {
        let (outline, bytes) = match self {
            Self::Value { value, .. } => return send(value.clone()),
            Self::Compressed(frames) => {
                let these = if frames.are_samples() { 0..frames.count() } else { piece..piece + 1 };
                for frame in these {
                    send(frames.read(frame)?)?;
                }
                return Ok(());
            }
            Self::Native { outline, bytes } => (outline, bytes),
        };
        let inflated = outline.inflated.as_deref();
        let source: &dyn ReadAt = inflated.as_ref().map_or(bytes, |inflated| inflated);
        let Some(PixelSpans::Native(span)) = outline.pixel_data.as_ref().map(|pixels| &pixels.spans) else {
            return Ok(());
        };
        let instance = outline.instance()?;
        let vr = outline.pixel_data.as_ref().map_or(dicom_core::VR::OB, |pixels| pixels.vr);
        let big_endian = instance.header().encoding.big_endian;
        let mut at = span.start;
        while at < span.end {
            let end = (at + PIECE).min(span.end);
            let piece = source.read_at(at..end).map_err(hilum_dicom::OutlineError::from)?;
            send(hilum_dicom::recode::little_endian(&piece, vr, big_endian).into_owned())?;
            at = end;
        }
        Ok(())
    }
}

/// What an encapsulated document says that it is (PS3.3 C.24.2), where that is a media type: a header of the answer repeats it.
fn media_type_of_document(instance: &Instance<'_>) -> Option<String> {
    let element = instance.header().element(tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT)?;
    let text = str::from_utf8(element.value.of(instance.bytes())).ok()?.trim_matches([' ', '\0']).to_ascii_lowercase();
    let token = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.' | '_'))
    };
    let (family, kind) = text.split_once('/')?;
    (token(family) && token(kind)).then_some(text)
}

fn value(instance: &Instance<'_>, sequences: &[(Tag, usize)], tag: Tag) -> Result<Option<Vec<u8>>, ApiError> {
    let (header, bytes) = (instance.header(), instance.bytes());
    let mut item = None;
    for (sequence, index) in sequences {
        let items = match &item {
            None => header.element(*sequence).map(|element| header.items(bytes, element)),
            Some(item) => {
                let item: &hilum_dicom::header::Item = item;
                item.element(*sequence).map(|element| item.items(bytes, element))
            }
        };
        let Some(items) = items.transpose()? else { return Ok(None) };
        let Some(found) = items.into_iter().nth(*index) else { return Ok(None) };
        item = Some(found);
    }
    let (element, encoding) = match &item {
        None => (header.element(tag), header.encoding),
        Some(item) => (item.element(tag), item.encoding),
    };
    Ok(element.map(|element| {
        let value = element.value.of(bytes);
        hilum_dicom::recode::little_endian(value, element.vr, encoding.big_endian).into_owned()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_items_to_a_tag() {
        assert_eq!(steps("7FE00010").unwrap(), (vec![], Tag(0x7FE0, 0x0010)));
        assert_eq!(steps("54000100/0/54001010").unwrap(), (vec![(Tag(0x5400, 0x0100), 0)], Tag(0x5400, 0x1010)));
        for bad in ["", "7FE0", "54000100/54001010", "54000100/x/54001010", "54000100/0/", "../../etc/passwd"] {
            assert!(steps(bad).is_err(), "{bad}");
        }
    }
}
