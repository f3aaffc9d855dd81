//! STOW-RS: the Store transaction (PS3.18 10.5).

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use hilum_dicom::{InstanceFacts, ObjectBytes, SopUid, StudyUid, TransferSyntaxUid};
use hilum_engine::{Accepted, Received, Zone};
use memchr::memmem;
use std::{collections::VecDeque, mem};
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
    for number in 0.. {
        match multipart.next().await {
            Ok(Some(_)) if number == MOST_PARTS => {
                tracing::warn!("a STOW-RS request has more than {MOST_PARTS} parts; those behind them are not taken");
                storing.finish(app, &mut response).await;
                response.failed(None, 0xA700);
                break;
            }
            Ok(Some(part)) => {
                let part = instance_of(study.as_ref(), part).await;
                storing.make_room(app, &part, &mut response).await;
                storing.add(app, part);
            }
            Ok(None) => {
                storing.finish(app, &mut response).await;
                if response.is_empty() {
                    return Err(ApiError::bad_request("the request has no part; send one instance a part"));
                }
                break;
            }
            Err(error) => {
                storing.finish(app, &mut response).await;
                // What was answered for the parts before stays true, so it is told.
                if response.is_empty() {
                    return Err(broken(error));
                }
                tracing::info!(%error, "STOW-RS body broke off");
                response.failed(None, 0xC000);
                break;
            }
        }
    }
    Ok(response)
}

/// A request may have so many parts: what became of each is held until the last one came.
const MOST_PARTS: usize = 20_000;

/// So many parts at most are on their way,
const PARTS_AT_ONCE: usize = 32;
/// and no more bytes than these beside the first.
const BYTES_AT_ONCE: usize = 64 << 20;
/// Parts are stored by groups, which share a synchronisation and a transaction; one of so many bytes waits for no more.
const BYTES_OF_A_GROUP: usize = 8 << 20;

/// Parts that are being stored, in the order in which they came. Should the request end, what has begun is still brought to its end.
#[derive(Default)]
struct Storing {
    begun: VecDeque<Begun>,
    gathered: Vec<Result<Incoming, Stored>>,
    /// What is known of those.
    group: Group,
}

/// A group that is being stored.
struct Begun {
    group: Group,
    stored: JoinHandle<Vec<Stored>>,
}

/// What is known of some parts without looking at them again.
#[derive(Default)]
struct Group {
    parts: usize,
    bytes: usize,
    sops: Vec<SopUid>,
}

impl Storing {
    fn add(&mut self, app: &App, part: Result<Incoming, Stored>) {
        let (length, sop) = length_and_sop(&part);
        self.group.parts += 1;
        self.group.bytes += length;
        self.group.sops.extend(sop);
        self.gathered.push(part);
        if self.group.parts >= app.engine.parts_together() || self.group.bytes >= BYTES_OF_A_GROUP {
            self.begin(app);
        }
    }

    /// Stores what was gathered.
    fn begin(&mut self, app: &App) {
        if self.gathered.is_empty() {
            return;
        }
        let stored = tokio::spawn(store_group(app.clone(), mem::take(&mut self.gathered)));
        self.begun.push_back(Begun { group: mem::take(&mut self.group), stored });
    }

    /// Waits until there is room for a part, and until those before it with the same SOP Instance UID are stored: the first one counts.
    async fn make_room(&mut self, app: &App, part: &Result<Incoming, Stored>, response: &mut StoreResponse) {
        let (length, sop) = length_and_sop(part);
        loop {
            let on_their_way = || self.begun.iter().map(|begun| &begun.group).chain([&self.group]);
            let parts: usize = on_their_way().map(|group| group.parts).sum();
            let bytes: usize = on_their_way().map(|group| group.bytes).sum();
            let comes_again = sop.as_ref().is_some_and(|sop| on_their_way().any(|group| group.sops.contains(sop)));
            let crowded = parts >= PARTS_AT_ONCE || (parts > 0 && bytes.saturating_add(length) > BYTES_AT_ONCE);
            if !crowded && !comes_again {
                return;
            }
            if self.begun.is_empty() || comes_again {
                self.begin(app);
            }
            self.take_first(response).await;
        }
    }

    /// Waits for all of them, and for their rows.
    async fn finish(&mut self, app: &App, response: &mut StoreResponse) {
        self.begin(app);
        while !self.begun.is_empty() {
            self.take_first(response).await;
        }
        app.engine.caught_up().await;
    }

    async fn take_first(&mut self, response: &mut StoreResponse) {
        let Some(Begun { group, stored }) = self.begun.pop_front() else { return };
        let stored = stored.await.unwrap_or_else(|error| {
            tracing::error!(panic = error.is_panic(), "storing parts ended early");
            (0..group.parts).map(|_| Stored::Failed(None, 0x0110)).collect()
        });
        for stored in stored {
            match stored {
                Stored::Kept(reference) => response.stored(&reference),
                Stored::Quarantined(reference) => response.quarantined(&reference),
                Stored::Failed(reference, reason) => response.failed(reference.as_ref(), reason),
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
    let taken = |accept| [DICOM_JSON, "application/json"].into_iter().any(|essence| accepts(accept, essence));
    if text(header::ACCEPT).is_some_and(|accept| !taken(accept)) {
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
fn length_and_sop(part: &Result<Incoming, Stored>) -> (usize, Option<SopUid>) {
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

/// Stores parts none of which has the SOP Instance UID of another; what became of each, in their order.
async fn store_group(app: App, parts: Vec<Result<Incoming, Stored>>) -> Vec<Stored> {
    let (mut outcomes, mut received) = (Vec::with_capacity(parts.len()), Vec::with_capacity(parts.len()));
    for part in parts {
        outcomes.push(part.map(|Incoming { reference, facts, object }| {
            received.push(Received { facts: Some(facts), ..object.into() });
            reference
        }));
    }
    let mut accepted = app.engine.accept_parts(&app.scope, Zone::Clinical, received).await.into_iter();
    let mut outcome = |reference| match accepted.next() {
        Some(Ok(Accepted::Kept | Accepted::AlreadyThere)) => Stored::Kept(reference),
        Some(Ok(Accepted::Quarantined { .. })) => Stored::Quarantined(reference),
        Some(Err(error)) => {
            let (_, reason) = outside(error.kind());
            tracing::warn!(code = error.code(), reason, "instance of a STOW-RS request not kept");
            Stored::Failed(Some(reference), reason)
        }
        None => Stored::Failed(Some(reference), 0x0110),
    };
    outcomes.into_iter().map(|part| part.map_or_else(|failed| failed, &mut outcome)).collect()
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
