//! The channel on which a subscriber is told (PS3.18 8.10.4, 8.10.5): a WebSocket (RFC 6455) with one event a text message.
//!
//! Events are rows: whoever comes back after a break gets what it missed, for a day. What a peer has got is known by its pongs, which every client
//! of WebSockets answers pings with: behind each batch goes a ping with the number of its last event. A channel is a caller's own: it hears of the
//! institutions that the caller may see, as long as the caller may see just these.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use hilum_dicom::AeTitle;
use hilum_engine::{EngineError, ups::WorkTold};
use serde_json::Value as Json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Interval, MissedTickBehavior, interval, timeout},
};

use super::title::Titled;
use crate::{
    doors::App,
    error::ApiError,
    openapi::{Said, Sketch, Takes},
};

/// Channels at the same time.
const MOST: usize = 64;
/// How often it is looked for what other processes tell, and noted what the peer has got.
const LOOK: Duration = Duration::from_secs(1);
/// A peer that says nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(90);
/// How long a peer may take for what is sent at once,
const SEND: Duration = Duration::from_secs(30);
/// which goes no further than the event that reaches this many bytes.
const AT_ONCE: usize = 1 << 20;

/// Open channels.
#[derive(Clone)]
pub(crate) struct Channels(Arc<Semaphore>);

impl Default for Channels {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Channels {
    /// Done when none is open any more; they end once the server stops.
    pub(crate) async fn ended(&self) {
        drop(self.0.acquire_many(MOST as u32).await);
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
    titled: Titled,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| {
        let message = "this address is a WebSocket (RFC 6455); open it with Upgrade: websocket";
        ApiError::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message)
    })?;
    let Some(listener) = app.listeners.place(app.caller.id) else {
        let message = "this account listens too often at once; close some of its channels or pages";
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_listeners", message).retry_after(30));
    };
    let Ok(place) = Arc::clone(&app.channels.0).try_acquire_owned() else {
        let message = format!("all {MOST} event channels are in use; come again later");
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(10));
    };
    let channel = Channel { app, title: titled.title, headers, _place: place };
    Ok(upgrade.max_message_size(4096).max_frame_size(4096).on_upgrade(move |socket| async move {
        channel.serve(socket).await;
        drop(listener);
    }))
}

struct Channel {
    /// The caller as it was at the opening, with what it might see then.
    app: App,
    title: AeTitle,
    headers: HeaderMap,
    _place: OwnedSemaphorePermit,
}

/// How far a peer is, by the numbers of events.
#[derive(Default)]
struct Reached {
    sent: Option<i64>,
    /// It has answered for everything up to here.
    got: Option<i64>,
    /// That is in the catalogue.
    noted: Option<i64>,
}

impl Channel {
    async fn serve(self, mut socket: WebSocket) {
        let mut reached = Reached::default();
        self.talk(&mut socket, &mut reached).await;
        self.note(&mut reached).await;
    }

    /// Until either side ends it.
    async fn talk(&self, socket: &mut WebSocket, reached: &mut Reached) {
        let mut told = self.app.engine.work_told();
        let (mut look, mut beat) = (every(LOOK), every(self.app.heartbeat));
        beat.tick().await;
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                changed = told.changed() => if changed.is_err() { return },
                _ = look.tick() => self.note(reached).await,
                _ = beat.tick() => {
                    if heard.elapsed() > SILENCE {
                        return close(socket, close_code::AWAY, "nothing was heard").await;
                    }
                    if !self.may_still().await {
                        return close(socket, close_code::POLICY, "not allowed any more").await;
                    }
                    if !sent(socket, Message::Ping(bytes::Bytes::new())).await {
                        return;
                    }
                    continue;
                }
                () = self.app.stopped() => {
                    if sent(socket, Message::Text(self.app.engine.going_down().into())).await {
                        close(socket, close_code::AWAY, "the server goes down").await;
                    }
                    return;
                }
                received = socket.recv() => {
                    let Some(Ok(message)) = received else { return };
                    if matches!(message, Message::Close(_)) {
                        return;
                    }
                    heard = Instant::now();
                    reached.hear(&message);
                    continue;
                }
            }
            match self.tell(socket, reached, &mut told).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(code = error.code(), "the events of a channel could not be looked for");
                    return close(socket, close_code::ERROR, "try again later").await;
                }
            }
        }
    }

    /// Whether the caller may see now what it might see at the opening: with other rights, other events, it is to come again.
    async fn may_still(&self) -> bool {
        self.app.still(&self.headers).await.is_some_and(|now| now.grants == self.app.caller.grants)
    }

    /// Notes what the peer has got, where that is news. What was not noted is sent again after a break.
    async fn note(&self, reached: &mut Reached) {
        let Some(number) = reached.got.filter(|number| Some(*number) > reached.noted) else { return };
        match self.app.engine.work_events_told(&self.app.scope, &self.title, number).await {
            Ok(()) => reached.noted = Some(number),
            Err(error) => tracing::warn!(code = error.code(), "what a channel was told could not be noted"),
        }
    }

    /// Sends a page of what there is, and has it looked at once whether there is more; `false` where the peer has gone.
    async fn tell(
        &self,
        socket: &mut WebSocket,
        reached: &mut Reached,
        told: &mut watch::Receiver<u64>,
    ) -> Result<bool, EngineError> {
        let mut events = self.app.engine.work_events(&self.app.scope, &self.title, reached.sent).await?;
        let mut bytes = 0;
        let fits = |event: &&WorkTold| {
            let more = bytes < AT_ONCE;
            bytes += event.message.len();
            more
        };
        let most = events.iter().take_while(fits).count();
        events.truncate(most);
        let Some(last) = events.last().map(|event| event.number) else { return Ok(true) };
        let page = async {
            for event in events {
                socket.send(Message::Text(event.message.into())).await?;
            }
            socket.send(Message::Ping(last.to_be_bytes().to_vec().into())).await
        };
        if !matches!(timeout(SEND, page).await, Ok(Ok(()))) {
            return Ok(false);
        }
        reached.sent = Some(last);
        told.mark_changed();
        Ok(true)
    }
}

impl Reached {
    /// The peer has got everything up to the event that a pong names; nothing else that it may say matters.
    fn hear(&mut self, message: &Message) {
        let Message::Pong(payload) = message else { return };
        let number = <[u8; 8]>::try_from(&payload[..]).ok().map(i64::from_be_bytes);
        if number <= self.sent {
            self.got = self.got.max(number);
        }
    }
}

/// What was missed while something else took long is not made up for.
fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_counts_for_what_was_sent_and_never_goes_back() {
        let mut reached = Reached { sent: Some(7), ..Reached::default() };
        for (payload, expected) in [
            (vec![], None),
            (5_i64.to_be_bytes().to_vec(), Some(5)),
            (8_i64.to_be_bytes().to_vec(), Some(5)),
            (3_i64.to_be_bytes().to_vec(), Some(5)),
            (7_i64.to_be_bytes().to_vec(), Some(7)),
        ] {
            reached.hear(&Message::Pong(payload.into()));
            assert_eq!(reached.got, expected);
        }
        reached = Reached::default();
        reached.hear(&Message::Pong(1_i64.to_be_bytes().to_vec().into()));
        assert_eq!(reached.got, None, "nothing was sent");
    }
}
