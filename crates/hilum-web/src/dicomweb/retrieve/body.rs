//! Bodies that are written while they are sent: bounded memory, whatever their length.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use http_body::{Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use uuid::Uuid;

use hilum_dicom::pixels::PixelError;
use hilum_dicom::{HeaderError, OutlineError};
use hilum_engine::EngineError;

use crate::error::ApiError;

/// Pieces that wait for the network, and how long one is at most.
const WAITING: usize = 4;
pub(super) const PIECE: u64 = 1024 * 1024;

type Piece = Result<Bytes, CutOff>;

/// The body cannot be finished. The connection is cut, so that no peer takes what it got for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the answer cannot be read")]
pub(super) struct CutOff;

/// The writing end of a body.
#[derive(Clone, Debug)]
pub(super) struct Sender(mpsc::Sender<Piece>);

impl Sender {
    /// Sends a piece from a thread that may wait; `Err` when the peer has gone.
    pub(super) fn send(&self, bytes: impl Into<Bytes>) -> Result<(), Stopped> {
        self.0.blocking_send(Ok(bytes.into())).map_err(|_| Stopped::PeerLeft)
    }

    /// The same from a task.
    pub(super) async fn push(&self, bytes: impl Into<Bytes>) -> Result<(), Stopped> {
        self.0.send(Ok(bytes.into())).await.map_err(|_| Stopped::PeerLeft)
    }

    /// Cuts the answer off.
    pub(super) async fn cut(&self, error: &ApiError) {
        tracing::error!(code = error.code, message = error.message, "an answer was cut off");
        if self.0.send(Err(CutOff)).await.is_err() {
            tracing::debug!("the peer had left before");
        }
    }
}

/// Why a body ends early.
#[derive(Debug)]
pub(super) enum Stopped {
    PeerLeft,
    Failed(ApiError),
}

macro_rules! failed {
    ($($error:ty),*) => {$(
        impl From<$error> for Stopped {
            fn from(error: $error) -> Self {
                Self::Failed(error.into())
            }
        }
    )*};
}

failed!(ApiError, EngineError, HeaderError, OutlineError, PixelError);

/// A body and its writing end.
pub(super) fn channel() -> (Sender, Body) {
    let (sender, receiver) = mpsc::channel::<Piece>(WAITING);
    let pieces =
        stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) });
    (Sender(sender), Body::from_stream(pieces))
}

/// A body of pieces that are all there, without making one of them.
pub(super) fn pieces<const N: usize>(pieces: [Bytes; N]) -> Body {
    Body::new(Pieces { left: pieces.iter().map(|piece| piece.len() as u64).sum(), pieces: pieces.into() })
}

struct Pieces {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    /// Known beforehand, so that the answer states its length.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// `multipart/related` (RFC 2387), part by part.
#[derive(Clone, Debug)]
pub(in super::super) struct Parts {
    boundary: String,
}

impl Parts {
    pub(in super::super) fn new() -> Self {
        Self { boundary: Uuid::new_v4().simple().to_string() }
    }

    /// What stands before a part's body.
    pub(in super::super) fn start(&self, content_type: &str, location: &str) -> String {
        let location = if location.is_empty() { String::new() } else { format!("Content-Location: {location}\r\n") };
        format!("\r\n--{}\r\nContent-Type: {content_type}\r\n{location}\r\n", self.boundary)
    }

    /// What stands after the last part.
    pub(in super::super) fn end(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary)
    }

    /// The answer whose body is made of parts of one media type.
    pub(in super::super) fn response(&self, essence: &str, body: Body) -> Response {
        let content_type = format!("multipart/related; type=\"{essence}\"; boundary={}", self.boundary);
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    }
}
