//! Minimal Lower Layer Protocol (HL7 Transport Specification: MLLP, Release 1): a message between VT and FS CR.

use thiserror::Error;

const START: u8 = 0x0B;
const END: u8 = 0x1C;

/// Why a stream cannot go on: where the next message begins is not known any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FramingError {
    /// A message is longer than is taken.
    #[error("a message is longer than the {limit} bytes that are taken")]
    TooLong {
        /// In bytes.
        limit: usize,
    },
    /// Something else than a message came.
    #[error("bytes came outside of a message: expected VT (0BH) before it")]
    OutsideOfMessage,
}

/// A message as it goes over the wire.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(message.len() + 3);
    frame.push(START);
    frame.extend_from_slice(message);
    frame.extend_from_slice(&[END, b'\r']);
    frame
}

/// Takes bytes as they come and gives messages when they are whole. Nothing longer than the limit is held.
#[derive(Debug)]
pub struct Framer {
    limit: usize,
    /// None outside of a message.
    message: Option<Vec<u8>>,
}

impl Framer {
    /// Takes messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, message: None }
    }

    /// Whether a message has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.message.is_some()
    }

    /// The messages that are whole with these bytes, in their order. CR after FS is not waited for: some leave it out.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, FramingError> {
        let mut whole = Vec::new();
        let mut rest = bytes;
        while let Some((&first, after)) = rest.split_first() {
            match &mut self.message {
                None => {
                    match first {
                        START => self.message = Some(Vec::new()),
                        b'\r' | b'\n' => {}
                        _ => return Err(FramingError::OutsideOfMessage),
                    }
                    rest = after;
                }
                Some(message) => {
                    let end = rest.iter().position(|byte| *byte == END);
                    let part = &rest[..end.unwrap_or(rest.len())];
                    if message.len() + part.len() > self.limit {
                        return Err(FramingError::TooLong { limit: self.limit });
                    }
                    message.extend_from_slice(part);
                    rest = match end {
                        Some(end) => {
                            whole.extend(self.message.take());
                            &rest[end + 1..]
                        }
                        None => &[],
                    };
                }
            }
        }
        Ok(whole)
    }
}
