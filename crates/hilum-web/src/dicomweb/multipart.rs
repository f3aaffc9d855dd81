//! A multipart body (RFC 2046 5.1) read part by part: no more than one part and one network read are in memory, a long part in a file.

use std::{collections::VecDeque, io, mem, path::PathBuf, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use hilum_dicom::{ObjectBytes, Spool};
use memchr::memmem;
use thiserror::Error;
use tokio::time::timeout;

/// Longest text before the first part, and longest headers of a part.
const MAX_OVERHEAD: usize = 16 * 1024;
/// A boundary has at most 70 characters (RFC 2046 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// Most headers end within so much.
const FIRST_BYTES: usize = 64 * 1024;
/// Looked at at a time: a sender's chunk can be as long as it likes.
const PIECE: usize = 256 * 1024;
/// Taken at a time where headers and boundaries stand.
const FEW: usize = 512;

/// Why a body cannot be read further. The parts before are not affected.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum MultipartError {
    #[error("the boundary has {0} characters; RFC 2046 allows 1 to {MAX_BOUNDARY}")]
    Boundary(usize),
    #[error("no line with the boundary stands at the start of the body")]
    NoFirstBoundary,
    #[error("the headers of a part have no end")]
    EndlessHeaders,
    #[error("the headers of a part cannot be read; each is a line `Name: value`")]
    Headers,
    #[error("the body ends in the middle of a part, without a closing boundary")]
    Truncated,
    #[error("the connection broke in the middle of the body")]
    Broken,
    #[error("nothing came for {0:?} in the middle of the body")]
    TimedOut(Duration),
}

/// One part.
#[derive(Debug)]
pub(super) struct Part {
    /// Content-Type, as sent.
    pub(super) content_type: Option<String>,
    pub(super) body: PartBody,
}

/// What a part holds.
#[derive(Debug)]
pub(super) enum PartBody {
    Whole(ObjectBytes),
    /// Longer than the limit, or too long for memory without room on the disk. It was read past; these are its first bytes.
    TooLong(Bytes),
}

/// Reads the parts of a body, one after the other.
pub(super) struct Multipart<S> {
    stream: S,
    buffer: BytesMut,
    /// What came and has not been looked at.
    waiting: VecDeque<Bytes>,
    delimiter: memmem::Finder<'static>,
    read_timeout: Duration,
    max_part: u64,
    body: Spool,
    /// The first bytes of what has been moved to the disk.
    first: Bytes,
    /// The text before the first boundary has been read.
    begun: bool,
    ended: bool,
}

impl<S, E> Multipart<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    pub(super) fn new(
        stream: S,
        boundary: &str,
        max_part: u64,
        read_timeout: Duration,
        spool_folder: PathBuf,
    ) -> Result<Self, MultipartError> {
        if boundary.is_empty() || boundary.len() > MAX_BOUNDARY {
            return Err(MultipartError::Boundary(boundary.len()));
        }
        // The CRLF before a boundary belongs to it; the first boundary may stand at the very start, so one is put there.
        let delimiter = memmem::Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned();
        let (waiting, body) = (VecDeque::new(), Spool::new(spool_folder));
        let buffer = BytesMut::from(&b"\r\n"[..]);
        Ok(Self {
            stream,
            buffer,
            waiting,
            delimiter,
            read_timeout,
            max_part,
            body,
            first: Bytes::new(),
            begun: false,
            ended: false,
        })
    }

    /// The next part, or None after the closing boundary.
    pub(super) async fn next(&mut self) -> Result<Option<Part>, MultipartError> {
        if !self.begun {
            self.skip_preamble().await?;
            self.begun = true;
        }
        if self.ended {
            return Ok(None);
        }
        let content_type = self.read_headers().await?;
        let body = self.read_body().await?;
        Ok(Some(Part { content_type, body }))
    }

    async fn skip_preamble(&mut self) -> Result<(), MultipartError> {
        loop {
            if let Some(at) = self.delimiter.find(&self.buffer) {
                self.buffer.advance(at + self.delimiter.needle().len());
                if self.end_delimiter().await? {
                    return Ok(());
                }
            } else if self.buffer.len() > MAX_OVERHEAD || !self.fill().await? {
                return Err(MultipartError::NoFirstBoundary);
            }
        }
    }

    /// What follows the boundary's characters: `--` closes the body, white space and a line end start a part. Anything else
    /// means that it was no boundary but one that begins like it; then nothing is consumed and the answer is false.
    async fn end_delimiter(&mut self) -> Result<bool, MultipartError> {
        loop {
            if self.buffer.starts_with(b"--") {
                self.ended = true;
                return Ok(true);
            }
            let padding = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            match &self.buffer[padding..] {
                [b'\r', b'\n', ..] => {
                    self.buffer.advance(padding + 2);
                    return Ok(true);
                }
                [] | [b'\r'] if padding < MAX_OVERHEAD => {}
                [b'-'] if padding == 0 => {}
                _ => return Ok(false),
            }
            if !self.fill().await? {
                return Err(MultipartError::Truncated);
            }
        }
    }

    /// The Content-Type among a part's headers.
    async fn read_headers(&mut self) -> Result<Option<String>, MultipartError> {
        let mut content_type = None;
        let mut left = MAX_OVERHEAD;
        loop {
            let Some(end) = memmem::find(&self.buffer, b"\r\n") else {
                if self.buffer.len() > left {
                    return Err(MultipartError::EndlessHeaders);
                }
                if !self.fill().await? {
                    return Err(MultipartError::Truncated);
                }
                continue;
            };
            left = left.checked_sub(end + 2).ok_or(MultipartError::EndlessHeaders)?;
            let line = self.buffer.split_to(end);
            if line.is_empty() {
                // The CRLF of the empty line stays: it may be the one before the next boundary, when the part is empty.
                return self.after_empty_line(content_type).await;
            }
            self.buffer.advance(2);
            let line = std::str::from_utf8(&line).map_err(|_| MultipartError::Headers)?;
            let (name, value) = line.split_once(':').ok_or(MultipartError::Headers)?;
            if name.trim().eq_ignore_ascii_case("content-type") {
                content_type = Some(value.trim().to_owned());
            }
        }
    }

    /// Steps over the empty line that ends the headers, unless the boundary follows at once.
    async fn after_empty_line(&mut self, content_type: Option<String>) -> Result<Option<String>, MultipartError> {
        while self.buffer.len() < self.delimiter.needle().len() {
            if !self.fill().await? {
                return Err(MultipartError::Truncated);
            }
        }
        if !self.buffer.starts_with(self.delimiter.needle()) {
            self.buffer.advance(2);
        }
        Ok(content_type)
    }

    async fn read_body(&mut self) -> Result<PartBody, MultipartError> {
        let mut lost = None;
        self.body.clear();
        self.first = Bytes::new();
        loop {
            if let Some(at) = self.delimiter.find(&self.buffer) {
                let head = self.buffer.split_to(at);
                self.take(&head, &mut lost).await;
                let delimiter = self.buffer.split_to(self.delimiter.needle().len());
                if self.end_delimiter().await? {
                    break;
                }
                self.take(&delimiter, &mut lost).await;
                continue;
            }
            // The last bytes may be the start of a delimiter.
            let sure = (self.buffer.len() + 1).saturating_sub(self.delimiter.needle().len());
            let head = self.buffer.split_to(sure);
            self.take(&head, &mut lost).await;
            let Some(piece) = self.piece().await? else { return Err(MultipartError::Truncated) };
            self.go_through(piece, &mut lost).await;
        }
        if self.body.has_spilled() && lost.is_none() {
            lost = self.spill().await;
        }
        if let Some(lost) = lost {
            return Ok(lost);
        }
        let Ok(whole) = self.body.take() else { return Ok(PartBody::TooLong(self.first.clone())) };
        if let ObjectBytes::Held(bytes) = &whole {
            self.body.memory().reserve(bytes.len());
        }
        Ok(PartBody::Whole(whole))
    }

    /// Takes what a piece holds of the body, straight from where it was received. What may be a delimiter is left in `buffer`, which holds less
    /// than one before.
    async fn go_through(&mut self, mut piece: Bytes, lost: &mut Option<PartBody>) {
        let (before, most) = (self.buffer.len(), self.delimiter.needle().len() - 1);
        self.buffer.extend_from_slice(&piece[..piece.len().min(most)]);
        if piece.len() <= most || self.delimiter.find(&self.buffer).is_some() {
            piece.advance(piece.len().min(most));
            self.give_back(piece);
            return;
        }
        self.buffer.truncate(before);
        let head = self.buffer.split();
        self.take(&head, lost).await;
        let at = self.delimiter.find(&piece).unwrap_or(piece.len() - most);
        let head = piece.split_to(at);
        self.take(&head, lost).await;
        self.buffer.extend_from_slice(&piece.split_to(piece.len().min(most + 1)));
        self.give_back(piece);
    }

    async fn take(&mut self, bytes: &[u8], lost: &mut Option<PartBody>) {
        if lost.is_some() {
            return;
        }
        if self.body.len() + bytes.len() as u64 > self.max_part {
            *lost = Some(PartBody::TooLong(self.first_bytes()));
            self.body.clear();
            return;
        }
        self.body.memory().extend_from_slice(bytes);
        if self.body.is_full() {
            *lost = self.spill().await;
        }
    }

    /// Where the header is, of a part that is lost.
    fn first_bytes(&mut self) -> Bytes {
        if !self.first.is_empty() {
            return self.first.clone();
        }
        let memory = self.body.memory();
        Bytes::copy_from_slice(&memory[..memory.len().min(FIRST_BYTES)])
    }

    /// Moves what is in memory to the disk, beside the network's threads; what is lost when there is no room.
    async fn spill(&mut self) -> Option<PartBody> {
        self.first = self.first_bytes();
        let body = mem::replace(&mut self.body, Spool::new(PathBuf::new()));
        let folder = body.folder().to_owned();
        match tokio::task::spawn_blocking(move || body.spill()).await {
            Ok(Ok(spilled)) => {
                self.body = spilled;
                None
            }
            failed => {
                let kind = failed.map_or(io::ErrorKind::Other, |spilled| {
                    spilled.map_or_else(|e| e.kind(), |_| io::ErrorKind::Other)
                });
                tracing::warn!(?kind, "a long part finds no room on disk while it is received");
                self.body = Spool::new(folder);
                Some(PartBody::TooLong(self.first_bytes()))
            }
        }
    }

    /// Appends a few of the next bytes; false at the end of the body.
    async fn fill(&mut self) -> Result<bool, MultipartError> {
        let Some(mut piece) = self.piece().await? else { return Ok(false) };
        let few = piece.split_to(piece.len().min(FEW));
        self.buffer.extend_from_slice(&few);
        self.give_back(piece);
        Ok(true)
    }

    /// What comes next, in pieces however much one network read brought; None at the end of the body.
    async fn piece(&mut self) -> Result<Option<Bytes>, MultipartError> {
        let next = match self.waiting.pop_front() {
            Some(bytes) => Some(bytes),
            None => match timeout(self.read_timeout, self.stream.next()).await {
                Err(_) => return Err(MultipartError::TimedOut(self.read_timeout)),
                Ok(Some(Err(_))) => return Err(MultipartError::Broken),
                Ok(Some(Ok(bytes))) => Some(bytes),
                Ok(None) => None,
            },
        };
        let Some(mut bytes) = next else { return Ok(None) };
        let piece = bytes.split_to(bytes.len().min(PIECE));
        self.give_back(bytes);
        Ok(Some(piece))
    }

    /// What has not been looked at comes again before what is waiting.
    fn give_back(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.waiting.push_front(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// Every part's type and body (None: too long), or the error after them.
    type Read = (Vec<(Option<String>, Option<Vec<u8>>)>, Option<MultipartError>);

    fn read_in_chunks(body: &[u8], boundary: &str, chunk: usize, max_part: u64) -> Read {
        let chunks: Vec<Result<Bytes, Infallible>> =
            body.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let mut parts = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let stream = futures::stream::iter(chunks);
            let mut multipart =
                Multipart::new(stream, boundary, max_part, Duration::from_secs(5), std::env::temp_dir()).unwrap();
            loop {
                match multipart.next().await {
                    Ok(None) => return (parts, None),
                    Err(error) => return (parts, Some(error)),
                    Ok(Some(Part { content_type, body: PartBody::Whole(bytes) })) => {
                        parts.push((content_type, Some(bytes.to_memory().unwrap().to_vec())));
                    }
                    Ok(Some(Part { content_type, body: PartBody::TooLong(_) })) => {
                        parts.push((content_type, None));
                    }
                }
            }
        })
    }

    #[test]
    fn parts_are_read_whatever_the_chunks() {
        let body = b"preamble\r\n--bb\r\nContent-Type: application/dicom\r\nX: y\r\n\r\none\r\n--b not yet\r\n--bbb\r\n\
                     --bb \t\r\n\r\n\r\n--bb\r\nCONTENT-TYPE:text/plain\r\n\r\n\r\n\r\n--bb\r\n\r\nthree\r\n--bb--\r\nepilogue";
        for chunk in 1..body.len() {
            let (parts, error) = read_in_chunks(body, "bb", chunk, 1000);
            assert_eq!(error, None, "chunks of {chunk}");
            assert_eq!(
                parts,
                [
                    (Some("application/dicom".into()), Some(b"one\r\n--b not yet\r\n--bbb".to_vec())),
                    (None, Some(Vec::new())),
                    (Some("text/plain".into()), Some(b"\r\n".to_vec())),
                    (None, Some(b"three".to_vec())),
                ],
                "chunks of {chunk}"
            );
        }
    }

    #[test]
    fn a_body_that_breaks_says_where() {
        for (body, expected) in [
            (&b""[..], MultipartError::NoFirstBoundary),
            (b"no boundary at all", MultipartError::NoFirstBoundary),
            (b"--b", MultipartError::Truncated),
            (b"--b\r\nContent-Type: a/b", MultipartError::Truncated),
            (b"--b\r\nno colon\r\n\r\n", MultipartError::Headers),
            (b"--b\r\n\r\nhalf a par", MultipartError::Truncated),
            (b"--b\r\n\r\nhalf a par\r\n--b", MultipartError::Truncated),
        ] {
            for chunk in [1, 3, 1000] {
                let (_, error) = read_in_chunks(body, "b", chunk, 1000);
                assert_eq!(error.as_ref(), Some(&expected), "{body:?}");
            }
        }
        let endless = [b"--b\r\n".to_vec(), b"X: y\r\n".repeat(10_000)].concat();
        assert_eq!(read_in_chunks(&endless, "b", 4096, 1000).1, Some(MultipartError::EndlessHeaders));
        let preamble = vec![b'x'; 100_000];
        assert_eq!(read_in_chunks(&preamble, "b", 4096, 1000).1, Some(MultipartError::NoFirstBoundary));
    }

    #[test]
    fn a_part_above_the_limit_is_read_past_and_the_next_one_is_whole() {
        let body = [b"--b\r\n\r\n".to_vec(), vec![7; 5_000], b"\r\n--b\r\n\r\nshort\r\n--b--".to_vec()].concat();
        let (parts, error) = read_in_chunks(&body, "b", 700, 1_000);
        assert_eq!(error, None);
        assert_eq!(parts, [(None, None), (None, Some(b"short".to_vec()))]);
    }

    #[test]
    fn a_delimiter_is_found_wherever_the_pieces_of_a_long_chunk_end() {
        for length in PIECE - 80..PIECE + 80 {
            let long: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let body = [b"--b\r\n\r\n", &long[..], b"\r\n--b\r\nX: y\r\n\r\n", &long, b"\r\n--b--"].concat();
            let (parts, error) = read_in_chunks(&body, "b", body.len(), 1 << 20);
            assert_eq!(error, None, "{length}");
            assert!(parts.into_iter().map(|(_, body)| body.unwrap()).eq([long.clone(), long]), "{length}");
        }
    }

    /// Bytes among which nearly a delimiter stands now and then.
    fn like_delimiters() -> impl Strategy<Value = Vec<u8>> {
        let delimiter = b"\r\n--boundary-of-this-test";
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            (0..delimiter.len()).prop_map(move |end| delimiter[..end].to_vec()),
            (1..delimiter.len()).prop_map(move |start| delimiter[start..].to_vec()),
            Just([&delimiter[..], b"-"].concat()),
        ];
        // A letter between them, so that two halves are no delimiter, and before them, where the end of a line stands.
        proptest::collection::vec(piece, 0..6)
            .prop_map(|pieces| pieces.iter().flat_map(|piece| [b"x", &piece[..]].concat()).collect())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            bodies in proptest::collection::vec(like_delimiters(), 1..4),
            chunk in 1usize..400,
        ) {
            let mut written = Vec::new();
            for body in &bodies {
                written.extend(b"\r\n--boundary-of-this-test\r\nContent-Type: application/dicom\r\n\r\n");
                written.extend(body);
            }
            written.extend(b"\r\n--boundary-of-this-test--");
            let (parts, error) = read_in_chunks(&written, "boundary-of-this-test", chunk, 1000);
            prop_assert_eq!(error, None);
            let read: Vec<_> = parts.into_iter().filter_map(|(_, body)| body).collect();
            prop_assert_eq!(read, bodies);
        }
    }
}
