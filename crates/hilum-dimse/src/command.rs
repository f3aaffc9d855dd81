//! DIMSE command sets (PS3.7 6.3.1 and 9.3, 10.3): group 0000 in implicit VR little endian.

use bytes::{BufMut, BytesMut};
use hilum_dicom::AeTitle;
use thiserror::Error;

use crate::status::Status;

/// Longest command set that we read; the longest legal one is under 1 KiB.
pub(crate) const MAX_COMMAND: usize = 16 * 1024;

/// Set in the command field of every response.
const RESPONSE: u16 = 0x8000;
/// Command Data Set Type (0000,0800): no data set follows.
const NO_DATA_SET: u16 = 0x0101;
/// Any other value says that one follows.
const DATA_SET: u16 = 0x0001;
/// Priority (0000,0700): medium.
const MEDIUM: u16 = 0x0000;

/// Command Field (0000,0100), without the bit of a response (PS3.7 E.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Store,
    Get,
    Find,
    Move,
    Echo,
    EventReport,
    Action,
    Cancel,
    Other(u16),
}

impl Operation {
    fn of(field: u16) -> Self {
        match field {
            0x0001 => Self::Store,
            0x0010 => Self::Get,
            0x0020 => Self::Find,
            0x0021 => Self::Move,
            0x0030 => Self::Echo,
            0x0100 => Self::EventReport,
            0x0130 => Self::Action,
            0x0FFF => Self::Cancel,
            other => Self::Other(other),
        }
    }

    fn field(self) -> u16 {
        match self {
            Self::Store => 0x0001,
            Self::Get => 0x0010,
            Self::Find => 0x0020,
            Self::Move => 0x0021,
            Self::Echo => 0x0030,
            Self::EventReport => 0x0100,
            Self::Action => 0x0130,
            Self::Cancel => 0x0FFF,
            Self::Other(field) => field,
        }
    }
}

/// How far the sub-operations of a retrieval are (PS3.7 9.1.3, 9.1.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Not begun yet.
    pub remaining: u16,
    /// Stored without reserve.
    pub completed: u16,
    /// Not stored.
    pub failed: u16,
    /// Stored with a warning.
    pub warning: u16,
}

/// A command set as it came or goes out; which fields an operation requires is checked by whoever serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandSet {
    pub(crate) operation: Operation,
    pub(crate) is_response: bool,
    /// Message ID (0000,0110); of a response, or of a C-CANCEL, Message ID Being Responded To (0000,0120).
    pub(crate) message_id: u16,
    pub(crate) has_data_set: bool,
    /// Affected (0000,0002) or Requested (0000,0003) SOP Class UID, padding trimmed; empty when absent.
    pub(crate) sop_class: String,
    /// Affected (0000,1000) or Requested (0000,1001) SOP Instance UID, padding trimmed; empty when absent.
    pub(crate) sop: String,
    /// Move Destination (0000,0600), padding trimmed; empty when absent.
    pub(crate) move_destination: String,
    /// Action Type ID (0000,1008) or Event Type ID (0000,1002).
    pub(crate) kind: Option<u16>,
    /// Status (0000,0900).
    pub(crate) status: Option<u16>,
    /// Error Comment (0000,0902) as far as it is of the default repertoire.
    pub(crate) comment: String,
    /// Numbers of sub-operations (0000,1020 to 1023); 0 where absent.
    pub(crate) progress: Option<Progress>,
    /// Move Originator AE Title (0000,1030) and Message ID (0000,1031).
    pub(crate) originator: Option<(AeTitle, u16)>,
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
}

impl CommandSet {
    /// A request with nothing but its id and SOP class.
    pub(crate) fn request(operation: Operation, message_id: u16, sop_class: &str) -> Self {
        Self {
            operation,
            is_response: false,
            message_id,
            has_data_set: false,
            sop_class: sop_class.to_owned(),
            sop: String::new(),
            move_destination: String::new(),
            kind: None,
            status: None,
            comment: String::new(),
            progress: None,
            originator: None,
        }
    }

    /// C-CANCEL of a request (PS3.7 9.3.2.3).
    pub(crate) fn cancel(message_id: u16) -> Self {
        Self::request(Operation::Cancel, message_id, "")
    }

    /// The response to this request (PS3.7 9.3.1.2 and the like).
    pub(crate) fn response(&self, status: Status) -> Self {
        Self {
            is_response: true,
            has_data_set: false,
            status: Some(status.code),
            comment: status.comment.to_owned(),
            move_destination: String::new(),
            progress: None,
            originator: None,
            ..self.clone()
        }
    }

    /// Reads one command set.
    pub(crate) fn read(mut bytes: &[u8]) -> Result<Self, CommandError> {
        let (mut field, mut message_id, mut responded_to, mut data_set_type) = (None, None, None, NO_DATA_SET);
        let mut set = Self::request(Operation::Other(0), 0, "");
        let (mut originator, mut originator_message) = (None, None);
        while let Some((header, rest)) = bytes.split_first_chunk::<8>() {
            let group = u16::from_le_bytes([header[0], header[1]]);
            let element = u16::from_le_bytes([header[2], header[3]]);
            let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
            if group != 0 {
                return Err(CommandError::ForeignGroup);
            }
            let (value, rest) = rest.split_at_checked(length).ok_or(CommandError::Truncated)?;
            match element {
                0x0002 | 0x0003 => set.sop_class = text(value),
                0x0100 => field = Some(us(value)?),
                0x0110 => message_id = Some(us(value)?),
                0x0120 => responded_to = Some(us(value)?),
                0x0600 => set.move_destination = text(value),
                0x0800 => data_set_type = us(value)?,
                0x0900 => set.status = Some(us(value)?),
                0x0902 => set.comment = text(value).chars().filter(char::is_ascii).collect(),
                0x1000 | 0x1001 => set.sop = text(value),
                0x1002 | 0x1008 if !value.is_empty() => set.kind = Some(us(value)?),
                0x1020 if !value.is_empty() => set.progress.get_or_insert_default().remaining = us(value)?,
                0x1021 if !value.is_empty() => set.progress.get_or_insert_default().completed = us(value)?,
                0x1022 if !value.is_empty() => set.progress.get_or_insert_default().failed = us(value)?,
                0x1023 if !value.is_empty() => set.progress.get_or_insert_default().warning = us(value)?,
                0x1030 => originator = AeTitle::from_padded(value).ok(),
                0x1031 if !value.is_empty() => originator_message = Some(us(value)?),
                _ => {}
            }
            bytes = rest;
        }
        if !bytes.is_empty() {
            return Err(CommandError::Truncated);
        }
        let field = field.ok_or(CommandError::Missing)?;
        // C-CANCEL-RQ has the bit pattern of no response, though it names a request (PS3.7 9.3.2.3).
        set.operation = Operation::of(field & !RESPONSE);
        set.is_response = field & RESPONSE != 0;
        set.message_id = if set.is_response || set.operation == Operation::Cancel {
            // Some peers leave (0000,0120) of a cancellation out or write (0000,0110) instead.
            responded_to.or(message_id.filter(|_| set.operation == Operation::Cancel)).ok_or(CommandError::Missing)?
        } else {
            message_id.ok_or(CommandError::Missing)?
        };
        set.has_data_set = data_set_type != NO_DATA_SET;
        set.originator = originator.zip(originator_message);
        Ok(set)
    }

    /// The bytes, fields in tag order as PS3.7 6.3.1 wants them.
    pub(crate) fn write(&self) -> BytesMut {
        let mut out = BytesMut::with_capacity(256);
        put_us_header(&mut out, 0x0000, 4);
        out.put_u32_le(0);
        let start = out.len();

        // An N-ACTION-RQ names what it is requested of; all others what is affected (PS3.7 10.3.4.1).
        let requested = self.operation == Operation::Action && !self.is_response;
        put_text(&mut out, if requested { 0x0003 } else { 0x0002 }, &self.sop_class, 0);
        put_us(&mut out, 0x0100, self.operation.field() | if self.is_response { RESPONSE } else { 0 });
        let names_another = self.is_response || self.operation == Operation::Cancel;
        put_us(&mut out, if names_another { 0x0120 } else { 0x0110 }, self.message_id);
        put_text(&mut out, 0x0600, &self.move_destination, b' ');
        let has_priority =
            matches!(self.operation, Operation::Store | Operation::Find | Operation::Get | Operation::Move);
        if has_priority && !self.is_response {
            put_us(&mut out, 0x0700, MEDIUM);
        }
        put_us(&mut out, 0x0800, if self.has_data_set { DATA_SET } else { NO_DATA_SET });
        if let Some(status) = self.status {
            put_us(&mut out, 0x0900, status);
        }
        put_text(&mut out, 0x0902, &self.comment, b' ');
        put_text(&mut out, if requested { 0x1001 } else { 0x1000 }, &self.sop, 0);
        match (self.operation, self.kind) {
            (Operation::EventReport, Some(kind)) => put_us(&mut out, 0x1002, kind),
            (Operation::Action, Some(kind)) => put_us(&mut out, 0x1008, kind),
            _ => {}
        }
        if let Some(progress) = self.progress {
            // Remaining is of pending and cancelled responses only (PS3.7 9.3.3.2, 9.3.4.2).
            if matches!(self.status, Some(0xFF00 | 0xFE00)) {
                put_us(&mut out, 0x1020, progress.remaining);
            }
            put_us(&mut out, 0x1021, progress.completed);
            put_us(&mut out, 0x1022, progress.failed);
            put_us(&mut out, 0x1023, progress.warning);
        }
        if let Some((title, message_id)) = &self.originator {
            put_text(&mut out, 0x1030, title.as_ref(), b' ');
            put_us(&mut out, 0x1031, *message_id);
        }
        let length = (out.len() - start) as u32;
        out[start - 4..start].copy_from_slice(&length.to_le_bytes());
        out
    }
}

fn us(value: &[u8]) -> Result<u16, CommandError> {
    let value: [u8; 2] = value.try_into().map_err(|_| CommandError::Missing)?;
    Ok(u16::from_le_bytes(value))
}

/// A value as text, padding trimmed. Bytes that no UID or title has stay visible as such and fail its own check later.
fn text(value: &[u8]) -> String {
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

/// Nothing for an empty value.
fn put_text(out: &mut BytesMut, element: u16, value: &str, padding: u8) {
    if !value.is_empty() {
        let padded = value.len().next_multiple_of(2);
        put_us_header(out, element, padded);
        out.put_slice(value.as_bytes());
        out.put_bytes(padding, padded - value.len());
    }
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
            element(0x0100, &1u16.to_le_bytes()),
            element(0x0110, &7u16.to_le_bytes()),
            element(0x0700, &0u16.to_le_bytes()),
            element(0x0800, &1u16.to_le_bytes()),
            element(0x1000, b"1.2.3\0"),
        ]
        .concat();
        let request = CommandSet::read(&bytes).expect("a legal command set");
        assert_eq!(request.operation, Operation::Store);
        assert!(request.has_data_set && !request.is_response);
        assert_eq!((request.sop_class.as_str(), request.sop.as_str()), ("1.2.840.10008.5.1.4.1.1.2", "1.2.3"));
        let response = request.response(Status::SUCCESS).write();
        // Group length counts what follows it (PS3.7 9.3).
        assert_eq!(u32::from_le_bytes(response[8..12].try_into().expect("four bytes")) as usize, response.len() - 12);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut moved = CommandSet::request(Operation::Move, 9, "1.2.840.10008.5.1.4.1.2.2.2");
        moved.move_destination = "ARCHIVE".to_owned();
        moved.has_data_set = true;
        let mut pending =
            CommandSet::request(Operation::Move, 9, "1.2.840.10008.5.1.4.1.2.2.2").response(Status::PENDING);
        pending.progress = Some(Progress { remaining: 3, completed: 2, failed: 1, warning: 0 });
        let mut sub_operation = CommandSet::request(Operation::Store, 4, "1.2.840.10008.5.1.4.1.1.2");
        sub_operation.sop = "1.2.3".to_owned();
        sub_operation.originator = Some(("WORKSTATION".parse().expect("a title"), 9));
        let mut action = CommandSet::request(Operation::Action, 1, "1.2.840.10008.1.20.1");
        action.kind = Some(1);
        for set in [moved, pending, sub_operation, action, CommandSet::cancel(9)] {
            assert_eq!(CommandSet::read(&set.write()), Ok(set));
        }
    }

    #[test]
    fn what_is_not_a_command_set_is_refused_by_name() {
        assert_eq!(CommandSet::read(&[]), Err(CommandError::Missing));
        assert_eq!(CommandSet::read(&[0, 0, 0, 1, 255, 255, 255, 255, 1]), Err(CommandError::Truncated));
        assert_eq!(CommandSet::read(&[8, 0, 0, 0, 0, 0, 0, 0]), Err(CommandError::ForeignGroup));
        let nameless = [element(0x0100, &0x8001u16.to_le_bytes()), element(0x0110, &[1, 0])].concat();
        assert_eq!(CommandSet::read(&nameless), Err(CommandError::Missing), "a response to nothing");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(set) = CommandSet::read(&bytes) {
                prop_assert!(set.response(Status::SUCCESS).write().len() < 4096);
            }
        }
    }
}
