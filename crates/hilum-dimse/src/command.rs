//! DIMSE command sets (PS3.7 6.3.1 and 9.3): group 0000 in implicit VR little endian.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::status::Status;

/// Longest command set that we read; the longest legal C-STORE-RQ is under 400 bytes.
pub(crate) const MAX_COMMAND: usize = 16 * 1024;

/// Command Field (0000,0100) values that are served (PS3.7 Annex E.1).
const C_STORE_RQ: u16 = 0x0001;
const C_ECHO_RQ: u16 = 0x0030;
/// Set in the command field of every response.
const RESPONSE: u16 = 0x8000;
/// C-CANCEL-RQ; has no response.
const C_CANCEL_RQ: u16 = 0x0FFF;
/// Command Data Set Type (0000,0800): no data set follows.
const NO_DATA_SET: u16 = 0x0101;

/// What a peer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Echo,
    Store,
    Cancel,
    Other,
}

/// A request as it came; which fields an operation requires is checked by whoever serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) operation: Operation,
    command_field: u16,
    message_id: u16,
    pub(crate) has_data_set: bool,
    /// Affected SOP Class UID, padding trimmed; empty when absent.
    pub(crate) sop_class: String,
    /// Affected SOP Instance UID, padding trimmed; empty when absent.
    pub(crate) sop: String,
}

/// Why a command set is not one. The association ends with it, as the peer and we no longer agree on where messages start.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum CommandError {
    #[error("an element of the command set runs past its end")]
    Truncated,
    #[error("the command set has an element outside group 0000")]
    ForeignGroup,
    #[error("the command set has no command field or message id")]
    Missing,
    #[error("a response came where only requests can come")]
    Response,
}

impl Request {
    /// Reads one command set.
    pub(crate) fn read(mut bytes: &[u8]) -> Result<Self, CommandError> {
        let (mut command_field, mut message_id, mut data_set_type) = (None, None, NO_DATA_SET);
        let (mut sop_class, mut sop) = (String::new(), String::new());
        while let Some((header, rest)) = bytes.split_first_chunk::<8>() {
            let group = u16::from_le_bytes([header[0], header[1]]);
            let element = u16::from_le_bytes([header[2], header[3]]);
            let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
            if group != 0 {
                return Err(CommandError::ForeignGroup);
            }
            let (value, rest) = rest.split_at_checked(length).ok_or(CommandError::Truncated)?;
            match element {
                0x0002 => sop_class = uid(value),
                0x0100 => command_field = Some(us(value)?),
                0x0110 => message_id = Some(us(value)?),
                0x0800 => data_set_type = us(value)?,
                0x1000 => sop = uid(value),
                _ => {}
            }
            bytes = rest;
        }
        if !bytes.is_empty() {
            return Err(CommandError::Truncated);
        }
        let command_field = command_field.ok_or(CommandError::Missing)?;
        let operation = match command_field {
            C_ECHO_RQ => Operation::Echo,
            C_STORE_RQ => Operation::Store,
            C_CANCEL_RQ => Operation::Cancel,
            field if field & RESPONSE != 0 => return Err(CommandError::Response),
            _ => Operation::Other,
        };
        // C-CANCEL-RQ names the request it cancels in (0000,0120) and has no message id of its own (PS3.7 9.3.2.3).
        let message_id = match operation {
            Operation::Cancel => message_id.unwrap_or(0),
            _ => message_id.ok_or(CommandError::Missing)?,
        };
        let has_data_set = data_set_type != NO_DATA_SET;
        Ok(Self { operation, command_field, message_id, has_data_set, sop_class, sop })
    }

    /// The command set of the response (PS3.7 9.3.1.2, 9.3.5.2).
    pub(crate) fn response(&self, status: Status) -> BytesMut {
        let mut out = BytesMut::with_capacity(256);
        put_us_header(&mut out, 0x0000, 4);
        out.put_u32_le(0);
        let start = out.len();
        put_uid(&mut out, 0x0002, &self.sop_class);
        put_us(&mut out, 0x0100, self.command_field | RESPONSE);
        put_us(&mut out, 0x0120, self.message_id);
        put_us(&mut out, 0x0800, NO_DATA_SET);
        put_us(&mut out, 0x0900, status.code);
        if !status.comment.is_empty() {
            put_padded(&mut out, 0x0902, status.comment, b' ');
        }
        put_uid(&mut out, 0x1000, &self.sop);
        let length = (out.len() - start) as u32;
        out[start - 4..start].copy_from_slice(&length.to_le_bytes());
        out
    }
}

fn us(value: &[u8]) -> Result<u16, CommandError> {
    let value: [u8; 2] = value.try_into().map_err(|_| CommandError::Missing)?;
    Ok(u16::from_le_bytes(value))
}

/// A UID as text, padding trimmed. Bytes that no UID has stay visible as such and fail the UID's own check later.
fn uid(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_matches(['\0', ' ']).to_owned()
}

fn put_us_header(out: &mut BytesMut, element: u16, length: usize) {
    out.put_u16_le(0x0000);
    out.put_u16_le(element);
    out.put_u32_le(length as u32);
}

fn put_us(out: &mut BytesMut, element: u16, value: u16) {
    put_us_header(out, element, 2);
    out.put_u16_le(value);
}

fn put_uid(out: &mut BytesMut, element: u16, value: &str) {
    if !value.is_empty() {
        put_padded(out, element, value, 0);
    }
}

fn put_padded(out: &mut BytesMut, element: u16, value: &str, padding: u8) {
    let padded = value.len().next_multiple_of(2);
    put_us_header(out, element, padded);
    out.put_slice(value.as_bytes());
    out.put_bytes(padding, padded - value.len());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn element(number: u16, value: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        put_us_header(&mut out, number, value.len());
        out.put_slice(value);
        out.to_vec()
    }

    #[test]
    fn a_store_request_is_read_with_its_padding_trimmed() {
        let bytes = [
            element(0x0002, b"1.2.840.10008.5.1.4.1.1.2\0"),
            element(0x0100, &C_STORE_RQ.to_le_bytes()),
            element(0x0110, &7u16.to_le_bytes()),
            element(0x0700, &0u16.to_le_bytes()),
            element(0x0800, &1u16.to_le_bytes()),
            element(0x1000, b"1.2.3\0"),
        ]
        .concat();
        let request = Request::read(&bytes).expect("a legal command set");
        assert_eq!(request.operation, Operation::Store);
        assert!(request.has_data_set);
        assert_eq!((request.sop_class.as_str(), request.sop.as_str()), ("1.2.840.10008.5.1.4.1.1.2", "1.2.3"));
        let response = request.response(Status::SUCCESS);
        // Group length counts what follows it (PS3.7 9.3).
        assert_eq!(u32::from_le_bytes(response[8..12].try_into().expect("four bytes")) as usize, response.len() - 12);
    }

    #[test]
    fn what_is_not_a_request_is_refused_by_name() {
        assert_eq!(Request::read(&[]), Err(CommandError::Missing));
        assert_eq!(Request::read(&[0, 0, 0, 1, 255, 255, 255, 255, 1]), Err(CommandError::Truncated));
        assert_eq!(Request::read(&[8, 0, 0, 0, 0, 0, 0, 0]), Err(CommandError::ForeignGroup));
        let response = [element(0x0100, &0x8001u16.to_le_bytes()), element(0x0110, &[1, 0])].concat();
        assert_eq!(Request::read(&response), Err(CommandError::Response));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(request) = Request::read(&bytes) {
                prop_assert!(request.response(Status::SUCCESS).len() < 4096);
            }
        }
    }
}
