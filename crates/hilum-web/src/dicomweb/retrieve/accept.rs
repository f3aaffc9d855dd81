//! What the peer accepts (RFC 9110 12.5.1, PS3.18 8.3.3): media ranges with weights, multipart or not, with transfer syntaxes.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::super::{media_type::MediaType, query::Parameters};
use crate::{
    error::ApiError,
    openapi::{Sketch, Takes},
};
use serde_json::json;

/// How a representation is put into the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As the whole body.
    Single,
    /// As parts of `multipart/related`.
    Multipart,
    /// The peer does not mind.
    Any,
}

/// A transfer syntax that the peer takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// None was named: the default of the media type (PS3.18 8.7.3.5).
    Default,
    /// `*`: the one that the object is kept in.
    Kept,
    /// This one.
    Uid(String),
}

/// One range of an Accept header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) form: Form,
    /// Media type of what is wanted, of the parts where they are several: lower case, with its wildcards.
    pub(super) essence: String,
    pub(super) syntax: Syntax,
    /// What the header refuses by a weight of 0, where the range has wildcards.
    refused: Vec<String>,
}

impl Range {
    /// Whether a media type is within the range.
    pub(super) fn takes(&self, essence: &str) -> bool {
        let family = essence.split('/').next().unwrap_or_default();
        if self.refused.iter().any(|refused| refused == essence) {
            return false;
        }
        self.essence == "*/*" || self.essence == essence || self.essence == format!("{family}/*")
    }
}

/// The ranges, the most wanted first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Accept(pub(super) Vec<Range>);

impl Accept {
    /// From an Accept header; none and an empty one take everything.
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        let (mut weighted, mut refused) = (Vec::new(), Vec::new());
        for part in split(text) {
            let media_type = MediaType::read(part).ok_or_else(|| {
                ApiError::bad_request(
                    "Accept cannot be read; expected media types separated by commas, such as multipart/related; type=\"application/dicom\"",
                )
            })?;
            let weight = match media_type.parameter("q") {
                None => 1.0,
                Some(text) => text
                    .parse::<f32>()
                    .ok()
                    .filter(|weight| (0.0..=1.0).contains(weight))
                    .ok_or_else(|| ApiError::bad_request("Accept has a weight q that is no number from 0 to 1"))?,
            };
            let (form, essence) = match media_type.essence.as_str() {
                "multipart/related" | "multipart/*" => {
                    (Form::Multipart, media_type.parameter("type").unwrap_or("*/*").trim().to_ascii_lowercase())
                }
                "*/*" => (Form::Any, "*/*".to_owned()),
                essence => (Form::Single, essence.to_owned()),
            };
            let syntax = match media_type.parameter("transfer-syntax") {
                None | Some("") => Syntax::Default,
                Some("*") => Syntax::Kept,
                Some(uid) => Syntax::Uid(uid.to_owned()),
            };
            if weight > 0.0 {
                weighted.push((weight, Range { form, essence, syntax, refused: Vec::new() }));
            } else if syntax == Syntax::Default {
                refused.push(essence);
            }
        }
        if weighted.is_empty() && text.trim().is_empty() {
            let (form, essence, syntax) = (Form::Any, "*/*".to_owned(), Syntax::Default);
            weighted.push((1.0, Range { form, essence, syntax, refused: Vec::new() }));
        }
        for (_, range) in weighted.iter_mut().filter(|(_, range)| wildcards(range) > 0) {
            range.refused.clone_from(&refused);
        }
        // Of equal weight, the one named first; a range without wildcards before one with (RFC 9110 12.5.1).
        weighted.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(wildcards(x).cmp(&wildcards(y))));
        Ok(Self(weighted.into_iter().map(|(_, range)| range).collect()))
    }
}

fn wildcards(range: &Range) -> usize {
    range.essence.matches('*').count()
}

/// At commas outside of quotation marks.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

impl Takes for Accept {
    fn told(sketch: &mut Sketch) {
        sketch.refuses(&[406]);
        let schema = json!({"type": "string", "pattern": r"^(\*/\*(;q=(1|0\.[1-9]))?)?$"});
        sketch.takes_query("accept", "Instead of the header Accept (PS3.18 8.3.3.1)", &schema);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Accept {
    type Rejection = ApiError;

    /// The query parameter `accept` goes before the header (PS3.18 8.3.3.1).
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let parameters = Parameters::of(parts.uri.query())?;
        if let Some(text) = parameters.first("accept") {
            return Self::read(text);
        }
        let values: Vec<&str> =
            parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        Self::read(&values.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(Form, String, Syntax)> {
        Accept::read(text).unwrap().0.into_iter().map(|range| (range.form, range.essence, range.syntax)).collect()
    }

    #[test]
    fn the_requests_of_known_clients_are_understood() {
        let uid = |uid: &str| Syntax::Uid(uid.to_owned());
        // OHIF: frames, unquoted.
        assert_eq!(
            read("multipart/related; type=application/octet-stream; transfer-syntax=*"),
            [(Form::Multipart, "application/octet-stream".into(), Syntax::Kept)]
        );
        assert_eq!(
            read(r#"multipart/related; type="application/dicom"; transfer-syntax="1.2.840.10008.1.2.4.80""#),
            [(Form::Multipart, "application/dicom".into(), uid("1.2.840.10008.1.2.4.80"))]
        );
        assert_eq!(
            read("image/jpeg;q=0.5, image/png, */*;q=0.1"),
            [
                (Form::Single, "image/png".into(), Syntax::Default),
                (Form::Single, "image/jpeg".into(), Syntax::Default),
                (Form::Any, "*/*".into(), Syntax::Default),
            ]
        );
        assert_eq!(read(""), [(Form::Any, "*/*".into(), Syntax::Default)]);
        assert_eq!(read("image/*, image/png")[0].1, "image/png", "a type before its family");
        assert_eq!(read("image/png;q=0"), [], "weight 0 is a refusal");
        let all_but_one = &Accept::read("image/jpeg;q=0, image/*;q=0.5, */*;q=0.1").unwrap().0;
        assert!(all_but_one.iter().all(|range| range.takes("image/png") && !range.takes("image/jpeg")));
        assert!(Accept::read("image/png;q=2").is_err());
        assert!(Accept::read("dicom").is_err());
    }
}
