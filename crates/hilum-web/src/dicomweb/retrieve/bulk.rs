//! Bulk values: what a `BulkDataURI` of the metadata names.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use dicom_core::Tag;
use hilum_dicom::outline::PixelSpans;
use hilum_dicom::{Instance, Outline, ReadAt};
use hilum_engine::InstanceBytes;

use super::accept::{Accept, Form};
use super::body::{PIECE, Parts, Stopped, channel};
use super::frames::location;
use super::{Resource, aside, not_acceptable};
use crate::{
    doors::App,
    error::ApiError,
    openapi::{Said, bytes},
};

const OCTETS: &str = "application/octet-stream";

/// `GET .../bulkdata/{path}`: the value in little endian. Compressed pixel data come as a part a fragment.
pub(super) async fn bulk_data(app: App, accept: Accept, resource: Resource) -> Result<Response, ApiError> {
    let path = resource.bulk.clone().unwrap_or_default();
    let steps = steps(&path)?;
    let instance = resource.instance(&app).await?;
    let location = format!("{}/bulkdata/{path}", location(&instance));
    let bytes = app.engine.open_instance(&instance).await?;
    let form = accept.0.iter().find(|range| range.takes(OCTETS)).map(|range| range.form);
    let form = form.ok_or_else(|| not_acceptable("application/octet-stream, alone or within multipart/related"))?;
    let bulk = aside(move || Bulk::find(bytes, &steps)).await?;
    let (sender, body) = channel();
    let parts = Parts::new();
    let response = if form == Form::Single {
        ([(header::CONTENT_TYPE, OCTETS)], body).into_response()
    } else {
        parts.response(OCTETS, body)
    };
    tokio::spawn(async move {
        let writing = sender.clone();
        let sent = tokio::task::spawn_blocking(move || {
            for piece in 0..bulk.count() {
                if form != Form::Single {
                    writing.send(parts.start(OCTETS, &location))?;
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
    Value(Vec<u8>),
    Pixels { outline: Box<Outline>, bytes: InstanceBytes },
}

impl Bulk {
    fn find(bytes: InstanceBytes, (sequences, tag): &(Vec<(Tag, usize)>, Tag)) -> Result<Self, ApiError> {
        let outline = Outline::read(&bytes)?;
        let pixels = outline.pixel_data.as_ref().is_some_and(|pixels| pixels.tag == *tag && sequences.is_empty());
        if pixels {
            return Ok(Self::Pixels { outline: Box::new(outline), bytes });
        }
        let instance = outline.instance()?;
        let value = value(&instance, sequences, *tag)?;
        let value = value.ok_or(hilum_engine::EngineError::NotFound { what: "bulk value" })?;
        Ok(Self::Value(value))
    }

    fn count(&self) -> usize {
        match self {
            Self::Pixels { outline, .. } => match outline.pixel_data.as_ref().map(|pixels| &pixels.spans) {
                Some(PixelSpans::Encapsulated { fragments, .. }) => fragments.len(),
                _ => 1,
            },
            Self::Value(_) => 1,
        }
    }

    fn each(&self, piece: usize, send: impl Fn(Vec<u8>) -> Result<(), Stopped>) -> Result<(), Stopped> {
        let (outline, bytes) = match self {
            Self::Value(value) => return send(value.clone()),
            Self::Pixels { outline, bytes } => (outline, bytes),
        };
        let inflated = outline.inflated.as_deref();
        let source: &dyn ReadAt = inflated.as_ref().map_or(bytes, |inflated| inflated);
        let span = match outline.pixel_data.as_ref().map(|pixels| &pixels.spans) {
            Some(PixelSpans::Native(span)) => span.clone(),
            Some(PixelSpans::Encapsulated { fragments, .. }) => fragments[piece].clone(),
            None => return Ok(()),
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
