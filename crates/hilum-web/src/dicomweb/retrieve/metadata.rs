//! Metadata in the DICOM JSON model (PS3.18 10.4.1.1.2, Annex F).

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hilum_engine::{BULK_BASE, Zone};
use memchr::memchr_iter;

use super::accept::{Accept, Form};
use super::body::{Stopped, channel};
use super::{Resource, not_acceptable};
use crate::{error::ApiError, server::App};

const DICOM_JSON: &str = "application/dicom+json";

/// `GET .../metadata`
pub(super) async fn metadata(
    State(app): State<App>,
    headers: HeaderMap,
    accept: Accept,
    resource: Resource,
) -> Result<Response, ApiError> {
    let essence = [DICOM_JSON, "application/json"]
        .into_iter()
        .find(|essence| accept.0.iter().any(|range| range.form != Form::Multipart && range.takes(essence)))
        .ok_or_else(|| not_acceptable("application/dicom+json"))?;
    let base = base(&headers, app.port);
    let mut selected = app.engine.select(&app.scope, Zone::Clinical, &resource.selection).await?;
    let Some(first) = selected.next_metadata().await? else { return Err(resource.not_found()) };
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

/// Where this service is, as the peer names it. Some clients leave the port out of Host.
pub(in super::super) fn base(headers: &HeaderMap, port: u16) -> String {
    let plain = |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:[]-".contains(&byte));
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(plain) else {
        return "/dicom-web/".to_owned();
    };
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
