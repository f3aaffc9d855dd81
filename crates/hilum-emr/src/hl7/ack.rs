//! Acknowledgments (2.5.1, 2.9.2, 2.15.8).

use super::{Field, Hl7Error, Message, Segment};

/// Acknowledgment code (HL7 table 0008).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckCode {
    /// Application accept: the message was taken.
    ApplicationAccept,
    /// Application error: what the message says cannot be taken.
    ApplicationError,
    /// Application reject: messages like this are not taken, or not now.
    ApplicationReject,
    /// Commit accept: the message is kept safely and will be looked at.
    CommitAccept,
    /// Commit error: it could not be kept.
    CommitError,
    /// Commit reject: it is not taken.
    CommitReject,
}

impl AckCode {
    /// The code of MSA-1.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApplicationAccept => "AA",
            Self::ApplicationError => "AE",
            Self::ApplicationReject => "AR",
            Self::CommitAccept => "CA",
            Self::CommitError => "CE",
            Self::CommitReject => "CR",
        }
    }

    fn of(code: &str) -> Option<Self> {
        let all = [
            Self::ApplicationAccept,
            Self::ApplicationError,
            Self::ApplicationReject,
            Self::CommitAccept,
            Self::CommitError,
            Self::CommitReject,
        ];
        all.into_iter().find(|known| known.as_str() == code)
    }

    /// Whether the receiver has the message and answers for it.
    pub fn is_accept(self) -> bool {
        matches!(self, Self::ApplicationAccept | Self::CommitAccept)
    }
}

/// Why a message is not taken (HL7 table 0357).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A segment or field that is needed is missing.
    RequiredFieldMissing,
    /// A value cannot be read.
    DataType,
    /// Messages of this code are not taken.
    UnsupportedMessage,
    /// Messages of this event are not taken.
    UnsupportedEvent,
    /// Nobody of this name is known.
    UnknownSender,
    /// Training and debugging data are not taken for a patient's.
    UnsupportedProcessingId,
    /// Whatever went wrong here.
    Internal,
}

impl Refused {
    fn code(self) -> [&'static str; 3] {
        let (code, text) = match self {
            Self::RequiredFieldMissing => ("101", "Required field missing"),
            Self::DataType => ("102", "Data type error"),
            Self::UnsupportedMessage => ("200", "Unsupported message type"),
            Self::UnsupportedEvent => ("201", "Unsupported event code"),
            Self::UnsupportedProcessingId => ("202", "Unsupported processing id"),
            Self::UnknownSender => ("204", "Unknown key identifier"),
            Self::Internal => ("207", "Application internal error"),
        };
        [code, text, "HL70357"]
    }

    /// Whether the same message may be taken later.
    fn answer(self) -> AckCode {
        match self {
            Self::RequiredFieldMissing | Self::DataType | Self::Internal => AckCode::ApplicationError,
            Self::UnsupportedMessage | Self::UnsupportedEvent | Self::UnknownSender | Self::UnsupportedProcessingId => {
                AckCode::ApplicationReject
            }
        }
    }
}

/// What a receiver says of a message. Its texts are not kept: they may quote the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// MSA-1.
    pub code: AckCode,
    /// MSA-2: of the message that it answers.
    pub control_id: String,
    /// ERR-3, or ERR-1 of messages before 2.5, where it is a plain code.
    pub error: Option<String>,
}

impl Ack {
    /// Reads an acknowledgment.
    pub fn read(message: &Message) -> Result<Self, Hl7Error> {
        let missing = |field| Hl7Error::Missing { segment: "MSA", field };
        let msa = message.segment("MSA").ok_or(missing(1))?;
        let code = AckCode::of(msa.text(1).trim()).ok_or(missing(1))?;
        let err = message.segment("ERR");
        let codes = err.iter().flat_map(|err| [err.text(3), err.field(1).subcomponent(4, 1)]);
        let plain = |code: &&str| {
            (1..=6).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        };
        Ok(Self {
            code,
            control_id: msa.text(2).trim().to_owned(),
            error: codes.into_iter().find(plain).map(str::to_owned),
        })
    }
}

/// The answer to a message, by its own header with sender and receiver exchanged. `at` is the time of the answer, as HL7 writes it.
pub fn acknowledgment(of: &Message, refused: Option<Refused>, control_id: &str, at: &str) -> Message {
    let header = of.header();
    let place = |number: usize| Field(header.repetitions(number).to_vec());
    let (_, event) = of.kind();
    let code = refused.map_or(AckCode::ApplicationAccept, Refused::answer);
    let kind: Field = if event.is_empty() { "ACK".into() } else { ["ACK", event, "ACK"].into() };
    let version = if header.text(12).is_empty() { "2.5.1".into() } else { place(12) };
    let mut segments = vec![
        Segment::new(
            "MSH",
            vec![
                "|".into(),
                "^~\\&".into(),
                place(5),
                place(6),
                place(3),
                place(4),
                at.into(),
                Field::default(),
                kind,
                control_id.into(),
                place(11),
                version,
            ],
        ),
        Segment::new("MSA", vec![code.as_str().into(), of.control_id().into()]),
    ];
    if let Some(refused) = refused {
        segments.push(Segment::new("ERR", vec![Field::default(), Field::default(), refused.code().into(), "E".into()]));
    }
    Message { segments }
}
