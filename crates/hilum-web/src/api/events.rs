//! What changes in the study list, as server-sent events (WHATWG HTML 9.2). An event names a study by its UID and says states, and nothing
//! of a patient. Who has no session any more is told nothing more, and listening does not keep a session alive.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use hilum_engine::AccountId;
use hilum_engine::live::News;
use tokio::{sync::mpsc, time::interval};

use crate::{doors::App, error::ApiError, openapi::Said};

/// Listeners at a time, of one account and of all together.
const OF_ONE: usize = 12;
const OF_ALL: usize = 256;
/// After a cut a browser comes again so soon, ms.
const AGAIN: u32 = 3_000;

/// Who listens now.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Arc<Mutex<HashMap<AccountId, usize>>>);

/// One place among them.
pub(crate) struct Place {
    listeners: Listeners,
    account: AccountId,
}

impl Listeners {
    /// A place for an account; none where it has all that it may have, or all are taken.
    pub(crate) fn place(&self, account: AccountId) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&account).copied().unwrap_or(0);
        if own >= OF_ONE || taken.values().sum::<usize>() >= OF_ALL {
            return None;
        }
        taken.insert(account, own + 1);
        Some(Place { listeners: self.clone(), account })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.account) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.account)),
        }
    }
}

pub(super) fn said() -> Said {
    let summary = "What changes in the studies that the caller may see, as server-sent events: `study` with a StudyChange, and `missed` \
                   where the list is to be looked at again; with Last-Event-ID from there on";
    Said::from(summary)
        .of::<hilum_engine::views::StudyChange>()
        .gives(200, "text/event-stream", serde_json::json!({"type": "string"}))
        .refuses(&[429])
}

pub(super) async fn events(app: App, headers: HeaderMap) -> Result<Response, ApiError> {
    let Some(place) = app.listeners.place(app.caller.id) else {
        let message = "too many pages listen at once; close some of them";
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_listeners", message).retry_after(30));
    };
    let heard = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<i64>().ok());
    let (told, mut taken) = mpsc::channel::<Bytes>(16);
    tokio::spawn(async move {
        tell(app, &headers, heard, &told).await;
        drop(place);
    });
    let body = stream::poll_fn(move |cx| taken.poll_recv(cx).map(|bytes| bytes.map(Ok::<_, Infallible>)));
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that gathers answers would keep them.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((head, Body::from_stream(body)).into_response())
}

/// Tells until nobody takes it, the session is over, or the server stops.
async fn tell(app: App, headers: &HeaderMap, heard: Option<i64>, told: &mpsc::Sender<Bytes>) {
    let (mut caller, mut scope) = (Arc::clone(&app.caller), app.scope.clone());
    let mut listening = app.engine.listen(&scope);
    let mut beat = interval(app.heartbeat);
    if told.send(Bytes::from(format!("retry: {AGAIN}\n\n"))).await.is_err() {
        return;
    }
    if let Some(since) = heard {
        let news = app.engine.changes_since(&scope, since).await.unwrap_or(News::Missed);
        if told.send(written(&news)).await.is_err() {
            return;
        }
    }
    loop {
        let line = tokio::select! {
            news = listening.next() => match news {
                Some(news) => written(&news),
                None => return,
            },
            _ = beat.tick() => {
                match app.still(headers).await {
                    Some(now) if now.grants == caller.grants => {}
                    // Other roles: other studies.
                    Some(now) => {
                        scope = now.scope();
                        listening = app.engine.listen(&scope);
                        caller = now;
                    }
                    None => return,
                }
                Bytes::from_static(b":\n\n")
            }
            () = app.stopped() => return,
            () = told.closed() => return,
        };
        if told.send(line).await.is_err() {
            return;
        }
    }
}

fn written(news: &News) -> Bytes {
    match news {
        News::Missed => Bytes::from_static(b"event: missed\ndata: {}\n\n"),
        News::Changed(changes) => {
            let mut text = String::new();
            for change in changes {
                // JSON has no line breaks of its own.
                let Ok(data) = serde_json::to_string(change) else { continue };
                text.push_str("id: ");
                text.push_str(&change.at.to_string());
                text.push_str("\nevent: study\ndata: ");
                text.push_str(&data);
                text.push_str("\n\n");
            }
            Bytes::from(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let listeners = Listeners::default();
        let mut places: Vec<Place> = (0..OF_ONE).filter_map(|_| listeners.place(AccountId(1))).collect();
        assert_eq!((places.len(), listeners.place(AccountId(1)).is_none()), (OF_ONE, true));
        assert!(listeners.place(AccountId(2)).is_some());
        places.pop();
        assert!(listeners.place(AccountId(1)).is_some());
        drop(places);
        assert!(listeners.0.lock().unwrap().is_empty());
    }
}
