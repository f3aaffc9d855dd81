//! HL7 v2 (2.5.1): messages as data, their text (Chapter 2), character sets, framing (MLLP), ORU^R01 and acknowledgments.

mod ack;
mod charset;
mod mllp;
mod order;
mod oru;
mod text;
mod told;

pub use ack::{Ack, AckCode, Refused, acknowledgment};
pub use charset::{CharacterSet, Encoded, Undecodable};
pub use mllp::{Framer, FramingError, framed};
pub use order::{ImagingOrder, orders};
pub use oru::{Envelope, oru_r01, time as time_text};
pub use told::{Sender, told};

use thiserror::Error;

/// A message with more segments than this is refused: the longest results have some hundreds.
const MOST_SEGMENTS: usize = 20_000;
/// So is one with more fields, repetitions, components and subcomponents than this: each of them takes memory, also where it is empty.
const MOST_PARTS: usize = 500_000;
/// Longest header, bytes: its fields have some hundreds.
const LONGEST_HEADER: usize = 8 * 1024;

/// Why a text is no HL7 v2 message. It names places, never what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Hl7Error {
    /// It does not begin with a message header.
    #[error("a message begins with the segment MSH")]
    NoHeader,
    /// MSH-1 and MSH-2 do not name delimiters.
    #[error("MSH-1 and MSH-2 name the delimiters: expected five different characters like |^~\\&")]
    Delimiters,
    /// A segment has no name.
    #[error("segment {number} has no name of three letters and digits")]
    SegmentName {
        /// From 1.
        number: usize,
    },
    /// There are too many.
    #[error("the message has more than {MOST_SEGMENTS} segments")]
    TooManySegments,
    /// There are too many parts of segments.
    #[error("the message has more than {MOST_PARTS} fields, repetitions, components and subcomponents")]
    TooManyParts,
    /// The header has no end.
    #[error("the header is longer than {LONGEST_HEADER} bytes")]
    LongHeader,
    /// What it needs is not there.
    #[error("{segment}-{field} is missing")]
    Missing {
        /// Name of the segment.
        segment: &'static str,
        /// Number of the field.
        field: usize,
    },
}

/// The characters that separate; what is written here has the recommended ones (2.5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delimiters {
    field: char,
    component: char,
    repetition: char,
    escape: char,
    subcomponent: char,
}

impl Delimiters {
    const RECOMMENDED: Self = Self { field: '|', component: '^', repetition: '~', escape: '\\', subcomponent: '&' };

    fn of(header: &str) -> Result<Self, Hl7Error> {
        let mut rest = header.strip_prefix("MSH").ok_or(Hl7Error::NoHeader)?.chars();
        let field = rest.next().ok_or(Hl7Error::Delimiters)?;
        let named: Vec<char> = rest.take_while(|c| *c != field).collect();
        // 2.7 adds a fifth one, for texts that were cut.
        let ([component, repetition, escape, subcomponent] | [component, repetition, escape, subcomponent, _]) =
            named[..]
        else {
            return Err(Hl7Error::Delimiters);
        };
        let all = [field, component, repetition, escape, subcomponent];
        let plain = |c: &char| !c.is_alphanumeric() && !c.is_control() && *c != '"';
        let distinct = (1..all.len()).all(|index| !all[..index].contains(&all[index]));
        if !distinct || !all.iter().all(plain) {
            return Err(Hl7Error::Delimiters);
        }
        Ok(Self { field, component, repetition, escape, subcomponent })
    }

    fn separate(&self, c: char) -> bool {
        [self.field, self.component, self.repetition, self.subcomponent].contains(&c)
    }
}

/// A component: its subcomponents, without escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Component(pub Vec<String>);

/// One repetition of a field: its components.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repetition(pub Vec<Component>);

/// A field: its repetitions; none where nothing stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field(pub Vec<Repetition>);

impl Repetition {
    /// Of components without subcomponents.
    pub fn of<T: Into<String>>(components: impl IntoIterator<Item = T>) -> Self {
        Self(components.into_iter().map(|text| Component(vec![text.into()])).collect())
    }

    /// First subcomponent of a component, from 1; empty where there is none.
    pub fn component(&self, number: usize) -> &str {
        self.subcomponent(number, 1)
    }

    /// A subcomponent of a component, both from 1; empty where there is none.
    pub fn subcomponent(&self, component: usize, subcomponent: usize) -> &str {
        let found = component.checked_sub(1).and_then(|index| self.0.get(index));
        let found = found.zip(subcomponent.checked_sub(1)).and_then(|(component, index)| component.0.get(index));
        found.map_or("", String::as_str)
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        if text.is_empty() { Self::default() } else { Self(vec![Repetition::of([text])]) }
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl<const N: usize> From<[&str; N]> for Field {
    fn from(components: [&str; N]) -> Self {
        Self(vec![Repetition::of(components)])
    }
}

impl From<Vec<Repetition>> for Field {
    fn from(repetitions: Vec<Repetition>) -> Self {
        Self(repetitions)
    }
}

const NOTHING: &Repetition = &Repetition(Vec::new());

/// A segment: a name, and fields that are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    name: String,
    /// Of MSH the first one is the field separator, the second the other delimiters.
    fields: Vec<Field>,
}

impl Segment {
    /// A segment of fields, the first one first.
    pub fn new(name: &str, fields: Vec<Field>) -> Self {
        Self { name: name.to_owned(), fields }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first repetition of a field.
    pub fn field(&self, number: usize) -> &Repetition {
        self.repetitions(number).first().unwrap_or(NOTHING)
    }

    /// Every repetition of a field.
    pub fn repetitions(&self, number: usize) -> &[Repetition] {
        let found = number.checked_sub(1).and_then(|index| self.fields.get(index));
        found.map_or(&[], |field| &field.0)
    }

    /// The first component of a field; empty where there is none.
    pub fn text(&self, number: usize) -> &str {
        self.field(number).component(1)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether it is a name alone.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

/// A message: a header and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    segments: Vec<Segment>,
}

impl Message {
    /// A message whose first segment is a header.
    pub fn new(segments: Vec<Segment>) -> Result<Self, Hl7Error> {
        match segments.first() {
            Some(first) if first.name == "MSH" => Ok(Self { segments }),
            _ => Err(Hl7Error::NoHeader),
        }
    }

    /// Reads a text. Segments end with CR; LF and empty lines are taken, too, because many send them.
    pub fn parse(text: &str) -> Result<Self, Hl7Error> {
        let text = text.trim_start_matches(['\r', '\n', '\u{FEFF}']);
        let delimiters = Delimiters::of(text)?;
        if text.chars().filter(|c| delimiters.separate(*c)).nth(MOST_PARTS).is_some() {
            return Err(Hl7Error::TooManyParts);
        }
        let mut segments = Vec::new();
        for line in text.split(['\r', '\n']).filter(|line| !line.trim().is_empty()) {
            if segments.len() == MOST_SEGMENTS {
                return Err(Hl7Error::TooManySegments);
            }
            segments.push(delimiters.segment(line, segments.len() + 1)?);
        }
        Self::new(segments)
    }

    /// Reads the header of a message alone, in whatever character set that is: the header is ASCII in all of them. Says who sends it before
    /// anything is made of the rest.
    pub fn header_of(bytes: &[u8]) -> Result<Self, Hl7Error> {
        let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty());
        let line = line.ok_or(Hl7Error::NoHeader)?;
        if line.len() > LONGEST_HEADER {
            return Err(Hl7Error::LongHeader);
        }
        Self::parse(&String::from_utf8_lossy(line))
    }

    /// All segments in their order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The first segment of a name.
    pub fn segment(&self, name: &str) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.name == name)
    }

    /// MSH.
    pub fn header(&self) -> &Segment {
        &self.segments[0]
    }

    /// MSH-10.
    pub fn control_id(&self) -> &str {
        self.header().text(10)
    }

    /// MSH-9: message code and trigger event.
    pub fn kind(&self) -> (&str, &str) {
        let kind = self.header().field(9);
        (kind.component(1), kind.component(2))
    }

    /// The message as text, every segment ended by CR.
    pub fn text(&self) -> String {
        self.segments.iter().map(|segment| Delimiters::RECOMMENDED.write(segment) + "\r").collect()
    }
}
