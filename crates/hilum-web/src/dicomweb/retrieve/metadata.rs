//! Metadata in the DICOM JSON model or the Native DICOM Model (PS3.18 10.4.1.1.2, Annex F; PS3.19 A.1).

use axum::{
    body::Body,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hilum_dicom::native_model;
use hilum_engine::{BULK_BASE, EngineError, SelectedInstances, Zone};
use memchr::memchr_iter;

use super::accept::{Accept, Form, Range};
use super::body::{Parts, Stopped, channel};
use super::{Resource, not_acceptable};
use crate::{connection::FORWARDED_PROTO, doors::App, error::ApiError};

pub(in super::super) const DICOM_JSON: &str = "application/dicom+json";
pub(in super::super) const MULTIPART_XML: &str = "multipart/related; type=\"application/dicom+xml\"";
const OFFERED: &str = "application/dicom+json, or multipart/related; type=\"application/dicom+xml\"";

/// How data sets are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Model {
    /// DICOM JSON, all of them in one list, under this media type.
    Json(&'static str),
    /// Native DICOM Model, each a part of its own.
    Xml,
}

impl Model {
    /// The one that the peer wants most.
    pub(in super::super) fn wanted(accept: &Accept) -> Result<Self, ApiError> {
        let offer = |range: &Range| {
            let json = [DICOM_JSON, "application/json"].into_iter().find(|essence| range.takes(essence));
            match (range.form, json) {
                (Form::Single | Form::Any, Some(essence)) => Some(Self::Json(essence)),
                (Form::Multipart | Form::Any, _) if range.takes(native_model::MEDIA_TYPE) => Some(Self::Xml),
                _ => None,
            }
        };
        accept.0.iter().find_map(offer).ok_or_else(|| not_acceptable(OFFERED))
    }
}

/// `GET .../metadata`
pub(super) async fn metadata(
    app: App,
    headers: HeaderMap,
    accept: Accept,
    resource: Resource,
) -> Result<Response, ApiError> {
    let model = Model::wanted(&accept)?;
    let base = base(&headers, app.port);
    let mut selected = app.engine.select(&app.scope, Zone::Clinical, &resource.selection).await?;
    let Some(first) = selected.next_metadata().await? else { return Err(resource.not_found()) };
    let essence = match model {
        Model::Json(essence) => essence,
        Model::Xml => return Ok(as_xml(first, selected, base)),
    };
    let first = with_base(&first, &base);
    let Some(second) = selected.next_metadata().await? else {
        return Ok(([(header::CONTENT_TYPE, essence)], Body::from([&b"["[..], &first, b"]"].concat())).into_response());
    };
    let (sender, body) = channel();
    tokio::spawn(async move {
        let sending = async {
            sender.push([&b"["[..], &first].concat()).await?;
            let mut series = Some(second);
            while let Some(text) = series {
                sender.push([&b","[..], &with_base(&text, &base)].concat()).await?;
                series = selected.next_metadata().await?;
            }
            sender.push(b"]".to_vec()).await
        };
        if let Err(Stopped::Failed(error)) = sending.await {
            sender.cut(&error).await;
        }
    });
    Ok(([(header::CONTENT_TYPE, essence)], body).into_response())
}

/// A part for each instance, made while the answer is sent.
fn as_xml(first: Bytes, mut selected: SelectedInstances, base: String) -> Response {
    let (sender, body) = channel();
    let parts = Parts::new();
    let response = parts.response(native_model::MEDIA_TYPE, body);
    tokio::spawn(async move {
        let sending = async {
            let mut series = Some(first);
            while let Some(text) = series {
                let (sender, start) = (sender.clone(), parts.start(native_model::MEDIA_TYPE, ""));
                let text = with_base(&text, &base);
                let writing = tokio::task::spawn_blocking(move || {
                    for document in native_model::documents(&text) {
                        let document = document.map_err(|_| failed("metadata cannot be read again"))?;
                        sender.send([&start[..], &document].concat())?;
                    }
                    Ok::<_, Stopped>(())
                });
                writing.await.map_err(|_| failed("writing metadata ended early"))??;
                series = selected.next_metadata().await?;
            }
            sender.push(parts.end()).await
        };
        if let Err(Stopped::Failed(error)) = sending.await {
            sender.cut(&error).await;
        }
    });
    response
}

fn failed(what: &str) -> Stopped {
    EngineError::Internal(what.to_owned()).into()
}

/// Where this service is, as the peer names it. Some clients leave the port out of Host.
pub(in super::super) fn base(headers: &HeaderMap, port: u16) -> String {
    let plain = |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:[]-".contains(&byte));
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(plain) else {
        return "/dicom-web/".to_owned();
    };
    // The guard has left there what may be believed.
    if headers.get(FORWARDED_PROTO).is_some_and(|proto| proto == "https") {
        return format!("https://{host}/dicom-web/");
    }
    let name_end = host.rfind(']').unwrap_or(0);
    if host[name_end..].contains(':') {
        format!("http://{host}/dicom-web/")
    } else {
        format!("http://{host}:{port}/dicom-web/")
    }
}

/// Puts the service's address where the engine left room for it.
fn with_base(text: &Bytes, base: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    let mut from = 0;
    for at in memchr_iter(BULK_BASE, text) {
        out.extend(&text[from..at]);
        out.extend(base.as_bytes());
        from = at + 1;
    }
    out.extend(&text[from..]);
    out
}
