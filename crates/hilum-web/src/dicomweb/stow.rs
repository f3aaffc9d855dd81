//! STOW-RS: the Store transaction (PS3.18 10.5).

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use hilum_dicom::{InstanceFacts, ObjectBytes, SopUid, StudyUid, TransferSyntaxUid};
use hilum_engine::{Accepted, Received, Zone};
use memchr::memmem;
use std::collections::VecDeque;
use tokio::task::JoinHandle;

use super::{
    media_type::{MediaType, accepts},
    multipart::{Multipart, Part, PartBody},
    retrieve::base,
    store_response::{Reference, StoreResponse},
};
use crate::{
    api::StudyPath,
    doors::App,
    error::{ApiError, outside},
    openapi::{Gives, Said, Sketch, bytes, schemas},
};

const DICOM: &str = "application/dicom";
const DICOM_JSON: &str = "application/dicom+json";
const ACCEPTED_REQUEST: &str = "multipart/related; type=\"application/dicom\"; boundary=...";

/// What no type says of storing.
pub(super) fn said(summary: &'static str) -> Said {
    Said::from(summary)
        .takes("multipart/related; type=\"application/dicom\"", bytes())
        .refuses(&[406, 408, 409, 413, 415, 422])
}

impl Gives for StoreResponse {
    fn told(sketch: &mut Sketch) {
        for status in [200, 202, 409] {
            sketch.answer(status, DICOM_JSON, schemas::one_data_set());
        }
    }
}

/// `POST /dicom-web/studies`
pub(super) async fn store(app: App, request: Request) -> Result<StoreResponse, ApiError> {
    receive(&app, None, request).await
}

/// `POST /dicom-web/studies/{study_uid}`: instances of other studies fail.
pub(super) async fn store_in_study(
    app: App,
    StudyPath(study): StudyPath,
    request: Request,
) -> Result<StoreResponse, ApiError> {
    receive(&app, Some(study), request).await
}

async fn receive(app: &App, study: Option<StudyUid>, request: Request) -> Result<StoreResponse, ApiError> {
    let boundary = boundary_of(request.headers())?;
    let base = base(request.headers(), app.port);
    let stream = request.into_body().into_data_stream();
    let broken = |error: super::multipart::MultipartError| {
        ApiError::new(StatusCode::BAD_REQUEST, "multipart_broken", format!("the request body cannot be read: {error}"))
    };
    let mut multipart =
        Multipart::new(stream, &boundary, app.max_instance_bytes, app.read_timeout, app.engine.spool_folder())
            .map_err(broken)?;
    let mut response = StoreResponse::new(base);
    let mut storing = Storing::default();
    loop {
        match multipart.next().await {
            Ok(Some(part)) => {
                let part = instance_of(study.as_ref(), part).await;
                storing.make_room(&part, &mut response).await;
                storing.add(app, part);
            }
            Ok(None) => {
                storing.finish(app, &mut response).await;
                if response.is_empty() {
                    return Err(ApiError::bad_request("the request has no part; send one instance a part"));
                }
                return Ok(response);
            }
            Err(error) => {
                storing.finish(app, &mut response).await;
                // What was answered for the parts before stays true, so it is told.
                if response.is_empty() {
                    return Err(broken(error));
                }
                tracing::info!(%error, "STOW-RS body broke off");
                response.failed(None, 0xC000);
                return Ok(response);
            }
        }
    }
}

/// Parts are stored beside each other, so that they share synchronisations and transactions: so many at most,
const PARTS_AT_ONCE: usize = 16;
/// and no more bytes than these beside the first.
const BYTES_AT_ONCE: usize = 64 << 20;

/// Parts that are being stored, in the order in which they came. Should the request end, what has begun is still brought to its end.
#[derive(Default)]
struct Storing {
    parts: VecDeque<Begun>,
    bytes: usize,
}

struct Begun {
    length: usize,
    sop: Option<SopUid>,
    stored: JoinHandle<Stored>,
}

impl Storing {
    fn add(&mut self, app: &App, part: Result<Incoming, Stored>) {
        let (length, sop) = told(&part);
        let stored = match part {
            Ok(incoming) => tokio::spawn(store_instance(app.clone(), incoming)),
            Err(failed) => tokio::spawn(async { failed }),
        };
        self.bytes += length;
        self.parts.push_back(Begun { length, sop, stored });
    }

    /// Waits until there is room for a part, and until those before it with the same SOP Instance UID are stored: the first one counts.
    async fn make_room(&mut self, part: &Result<Incoming, Stored>, response: &mut StoreResponse) {
        let (length, sop) = told(part);
        while self.parts.len() >= PARTS_AT_ONCE
            || (!self.parts.is_empty() && self.bytes.saturating_add(length) > BYTES_AT_ONCE)
            || (sop.is_some() && self.parts.iter().any(|begun| begun.sop == sop))
        {
            self.take_first(response).await;
        }
    }

    /// Waits for all of them, and for their rows.
    async fn finish(&mut self, app: &App, response: &mut StoreResponse) {
        while !self.parts.is_empty() {
            self.take_first(response).await;
        }
        app.engine.caught_up().await;
    }

    async fn take_first(&mut self, response: &mut StoreResponse) {
        let Some(Begun { length, stored, .. }) = self.parts.pop_front() else { return };
        self.bytes -= length;
        match stored.await {
            Ok(Stored::Kept(reference)) => response.stored(&reference),
            Ok(Stored::Quarantined(reference)) => response.quarantined(&reference),
            Ok(Stored::Failed(reference, reason)) => response.failed(reference.as_ref(), reason),
            Err(error) => {
                tracing::error!(panic = error.is_panic(), "storing a part ended early");
                response.failed(None, 0x0110);
            }
        }
    }
}

/// What became of a part; of one that failed, the failure reason (0008,1197).
enum Stored {
    Kept(Reference),
    Quarantined(Reference),
    Failed(Option<Reference>, u16),
}

/// A compressed body would have to be inflated before it can be bounded, and its parts told apart.
pub(super) fn uncompressed(headers: &HeaderMap) -> Result<(), ApiError> {
    let coding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default());
    if coding.is_none_or(|coding| coding.trim().eq_ignore_ascii_case("identity")) {
        return Ok(());
    }
    let message = "a compressed request body is not taken; send it without Content-Encoding";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message))
}

/// The boundary, when request and wanted response are of the types that are spoken here.
fn boundary_of(headers: &HeaderMap) -> Result<String, ApiError> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if text(header::ACCEPT).is_some_and(|accept| !accepts(accept, DICOM_JSON)) {
        let message = format!("the response to a store request comes as {DICOM_JSON} only");
        return Err(ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message));
    }
    uncompressed(headers)?;
    let unsupported = || {
        let message = format!("expected Content-Type: {ACCEPTED_REQUEST}");
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    };
    let media_type = text(header::CONTENT_TYPE).and_then(MediaType::read).ok_or_else(unsupported)?;
    let dicom = media_type.parameter("type").is_none_or(|inner| inner.eq_ignore_ascii_case(DICOM));
    if media_type.essence != "multipart/related" || !dicom {
        return Err(unsupported());
    }
    let boundary = media_type.parameter("boundary").ok_or_else(|| {
        ApiError::bad_request(format!("the Content-Type has no boundary; expected {ACCEPTED_REQUEST}"))
    })?;
    Ok(boundary.to_owned())
}

/// An instance that a part holds.
struct Incoming {
    reference: Reference,
    facts: Box<InstanceFacts>,
    object: ObjectBytes,
}

/// How many bytes of a part are held, and which instance it is.
fn told(part: &Result<Incoming, Stored>) -> (usize, Option<SopUid>) {
    part.as_ref().map_or((0, None), |incoming| {
        let held = match &incoming.object {
            ObjectBytes::Held(bytes) => bytes.len(),
            ObjectBytes::ByRange(_) => 0,
        };
        (held, Some(incoming.reference.sop.clone()))
    })
}

/// The instance of a part, or why it holds none that can be stored.
async fn instance_of(study: Option<&StudyUid>, part: Part) -> Result<Incoming, Stored> {
    let dicom = match &part.content_type {
        // multipart/related says the type for all parts; a part need not repeat it.
        None => true,
        Some(text) => MediaType::read(text).is_some_and(|media_type| media_type.essence == DICOM),
    };
    let object = match part.body {
        PartBody::Whole(object) => object,
        PartBody::TooLong(first) => {
            let facts = facts_of(&first.into()).await;
            return Err(Stored::Failed(facts.as_ref().map(Reference::of), 0xA700));
        }
    };
    if !dicom {
        return Err(Stored::Failed(None, 0xC000));
    }
    let Some(facts) = facts_of(&object).await else {
        return Err(Stored::Failed(None, 0xC000));
    };
    let elsewhere = study.is_some_and(|study| *study != facts.study.uid);
    let reference = Reference::of(&facts);
    if elsewhere {
        // A9xx: the data set does not match what the request says.
        return Err(Stored::Failed(Some(reference), 0xA900));
    }
    Ok(Incoming { reference, facts: Box::new(facts), object })
}

async fn store_instance(app: App, incoming: Incoming) -> Stored {
    let Incoming { reference, facts, object } = incoming;
    let received = Received { facts: Some(facts), ..object.into() };
    match app.engine.accept_part(&app.scope, Zone::Clinical, received).await {
        Ok(Accepted::Kept | Accepted::AlreadyThere) => Stored::Kept(reference),
        Ok(Accepted::Quarantined { .. }) => Stored::Quarantined(reference),
        Err(error) => {
            let (_, reason) = outside(error.kind());
            tracing::warn!(code = error.code(), reason, "instance of a STOW-RS request not kept");
            Stored::Failed(Some(reference), reason)
        }
    }
}

/// A header of this much is read in passing: to change threads would take longer.
const SMALL: u64 = 4 << 20;
/// Where the transfer syntax stands, if it stands anywhere.
const META: usize = 2048;

/// What the object says about itself. A long one, or one that has to be inflated first, is read beside the network's thread.
async fn facts_of(object: &ObjectBytes) -> Option<InstanceFacts> {
    let deflated = TransferSyntaxUid::deflated_explicit_little_endian();
    let inflates = |bytes: &[u8]| memmem::find(&bytes[..bytes.len().min(META)], deflated.as_str().as_bytes()).is_some();
    if let ObjectBytes::Held(bytes) = object
        && object.len() <= SMALL
        && !inflates(bytes)
    {
        return object.facts().ok();
    }
    let object = object.clone();
    tokio::task::spawn_blocking(move || object.facts()).await.ok()?.ok()
}
