//! The channel on which a subscriber is told (PS3.18 8.10.4, 8.10.5): a WebSocket (RFC 6455) with one event a text message.
//!
//! Events are rows: whoever comes back after a break gets what it missed, for a day. What a peer has got is known by its pongs, which every client
//! of WebSockets answers pings with: behind each batch goes a ping with the number of its last event. A channel is a caller's own: it hears of the
//! institutions that the caller may see, as long as the caller may.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use hilum_dicom::AeTitle;
use hilum_engine::{Engine, Scope, Whence};
use serde_json::Value as Json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{interval, timeout},
};

use super::title::Titled;
use crate::{
    doors::{self, App},
    error::ApiError,
    guard::Arrival,
    openapi::{Said, Sketch, Takes},
    server::Server,
};

/// Channels at the same time.
const MOST: usize = 64;
/// How often it is looked for what other processes tell.
const LOOK: Duration = Duration::from_secs(1);
/// How often the peer is asked whether it is there, and the caller's rights are looked at again.
const PING: Duration = Duration::from_secs(30);
/// A peer that says nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(90);
/// How long a peer may take for one message.
const SEND: Duration = Duration::from_secs(30);

/// Open channels, and that they are to end.
#[derive(Clone)]
pub(crate) struct Channels {
    places: Arc<Semaphore>,
    ending: Arc<watch::Sender<bool>>,
}

impl Default for Channels {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MOST)), ending: Arc::new(watch::Sender::new(false)) }
    }
}

impl Channels {
    /// Tells every channel to end, and waits until all have, or until `grace` is over.
    pub(crate) async fn end(&self, grace: Duration) {
        self.ending.send_replace(true);
        if timeout(grace, self.places.acquire_many(MOST as u32)).await.is_err() {
            tracing::warn!("event channels cut at shutdown");
        }
    }
}

pub(super) fn said() -> Said {
    Said::from("The event channel of a subscriber: a WebSocket (PS3.18 8.10.4)").gives(101, "", Json::Null)
}

impl Takes for Result<WebSocketUpgrade, WebSocketUpgradeRejection> {
    fn told(sketch: &mut Sketch) {
        sketch.refuses(&[426]);
    }
}

/// `GET /dicom-web/subscribers/{ae_title}` with `Upgrade: websocket`
pub(super) async fn open(
    app: App,
    headers: HeaderMap,
    arrival: Arrival,
    titled: Titled,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| {
        let message = "this address is a WebSocket (RFC 6455); open it with Upgrade: websocket";
        ApiError::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message)
    })?;
    let Ok(place) = Arc::clone(&app.channels.places).try_acquire_owned() else {
        let message = format!("all {MOST} event channels are in use; come again later");
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(10));
    };
    let channel = Channel {
        engine: app.engine.clone(),
        scope: app.scope.clone(),
        title: titled.title,
        server: app.server.clone(),
        headers,
        whence: arrival.whence,
        _place: place,
    };
    Ok(upgrade.max_message_size(4096).max_frame_size(4096).on_upgrade(move |socket| channel.serve(socket)))
}

struct Channel {
    engine: Engine,
    scope: Scope,
    title: AeTitle,
    server: Server,
    headers: HeaderMap,
    whence: Whence,
    _place: OwnedSemaphorePermit,
}

impl Channel {
    /// Until either side ends it.
    async fn serve(self, mut socket: WebSocket) {
        let mut told = self.engine.work_told();
        let mut ending = self.server.channels.ending.subscribe();
        let (mut look, mut ping) = (interval(LOOK), interval(PING));
        ping.tick().await;
        let (mut after, mut heard) = (None, Instant::now());
        loop {
            match self.tell(&mut socket, &mut after).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(code = error.code(), "the events of a channel could not be looked for");
                    return close(&mut socket, close_code::ERROR, "try again later").await;
                }
            }
            tokio::select! {
                changed = told.changed() => if changed.is_err() { return },
                _ = look.tick() => {}
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE {
                        return close(&mut socket, close_code::AWAY, "nothing was heard").await;
                    }
                    if !doors::may_still(&self.server, super::VIEW, self.whence, &self.headers).await {
                        return close(&mut socket, close_code::POLICY, "not allowed any more").await;
                    }
                    if !sent(&mut socket, Message::Ping(bytes::Bytes::new())).await {
                        return;
                    }
                }
                () = asked_to_end(&mut ending) => {
                    if sent(&mut socket, Message::Text(self.engine.going_down().into())).await {
                        close(&mut socket, close_code::AWAY, "the server goes down").await;
                    }
                    return;
                }
                received = socket.recv() => match received {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(message)) => {
                        heard = Instant::now();
                        if let Err(error) = self.got(&message, after).await {
                            tracing::warn!(code = error.code(), "what a channel was told could not be noted");
                        }
                    }
                },
            }
        }
    }

    /// The peer has got everything up to the event that a pong names; nothing else that it may say matters.
    async fn got(&self, message: &Message, sent: Option<i64>) -> Result<(), hilum_engine::EngineError> {
        let Message::Pong(payload) = message else { return Ok(()) };
        let number = <[u8; 8]>::try_from(&payload[..]).map(i64::from_be_bytes);
        match number {
            Ok(number) if Some(number) <= sent => self.engine.work_events_told(&self.scope, &self.title, number).await,
            _ => Ok(()),
        }
    }

    /// Sends what there is; `false` where the peer has gone.
    async fn tell(&self, socket: &mut WebSocket, after: &mut Option<i64>) -> Result<bool, hilum_engine::EngineError> {
        loop {
            let events = self.engine.work_events(&self.scope, &self.title, *after).await?;
            let Some(last) = events.last().map(|event| event.number) else { return Ok(true) };
            for event in events {
                if !sent(socket, Message::Text(event.message.into())).await {
                    return Ok(false);
                }
            }
            *after = Some(last);
            if !sent(socket, Message::Ping(last.to_be_bytes().to_vec().into())).await {
                return Ok(false);
            }
        }
    }
}

/// Done when the channel is to end, or nobody is left who could say so.
async fn asked_to_end(ending: &mut watch::Receiver<bool>) {
    if ending.wait_for(|ending| *ending).await.is_err() {
        tracing::debug!("the server is gone before its channels");
    }
}

async fn sent(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(SEND, socket.send(message)).await, Ok(Ok(())))
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    if !sent(socket, Message::Close(Some(frame))).await {
        tracing::debug!("the peer of an event channel had left before");
    }
}
