//! What C-FIND and QIDO-RS answer with: attributes, and the columns that they come from.
//!
//! The database hands over a page of rows as ONE text, its rows and columns divided by control characters: a page of a hundred studies
//! has two thousand values, and passing each of them on its own cost three times what the search did. Values are told apart and told in
//! DICOM only where somebody asks for them.

use super::Cursor;
use crate::catalog::CatalogError;
use crate::error::EngineError;
use dicom_core::{Tag, VR};
use hilum_dicom::facts::RequestFacts;
use hilum_dicom::header::dictionary_vr;
use hilum_dicom::matching::Level;
use hilum_dicom::{DataSet, InstanceFacts, PersonName};
use memchr::memchr_iter;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// Divide rows, and the columns of a row. Neither stands in a text that a value representation allows (PS3.5 6.1.3).
pub(super) const ROW_END: char = '\x1e';
pub(super) const COLUMN_END: char = '\x1f';

/// A column of a page of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    PatientRow,
    NameAlphabetic,
    NameIdeographic,
    NamePhonetic,
    PatientId,
    Issuer,
    BirthDate,
    Sex,
    PatientStudies,
    PatientSeries,
    PatientInstances,
    StudyRow,
    StudyUid,
    StudyDate,
    StudyTime,
    StudyDescription,
    Accession,
    StudyId,
    ReferringPhysician,
    Modalities,
    SeriesCount,
    StudyInstances,
    SeriesRow,
    SeriesUid,
    SeriesNumber,
    SeriesDescription,
    Modality,
    SeriesInstances,
    SeriesFacts,
    InstanceRow,
    SopUid,
    SopClass,
    TransferSyntax,
    Frames,
    InstanceFacts,
}

use Column as C;

const COLUMNS: usize = C::InstanceFacts as usize + 1;

const OF_PATIENT: [C; 11] = [
    C::PatientRow,
    C::NameAlphabetic,
    C::NameIdeographic,
    C::NamePhonetic,
    C::PatientId,
    C::Issuer,
    C::BirthDate,
    C::Sex,
    C::PatientStudies,
    C::PatientSeries,
    C::PatientInstances,
];
const OF_STUDY: [C; 11] = [
    C::StudyRow,
    C::StudyUid,
    C::StudyDate,
    C::StudyTime,
    C::StudyDescription,
    C::Accession,
    C::StudyId,
    C::ReferringPhysician,
    C::Modalities,
    C::SeriesCount,
    C::StudyInstances,
];
const OF_SERIES: [C; 6] =
    [C::SeriesRow, C::SeriesUid, C::SeriesNumber, C::SeriesDescription, C::Modality, C::SeriesInstances];
const OF_INSTANCE: [C; 6] = [C::InstanceRow, C::SopUid, C::SopClass, C::TransferSyntax, C::Frames, C::InstanceFacts];

/// The columns of a page of a level.
pub(super) fn columns(level: Level) -> &'static [Column] {
    static OF: LazyLock<[Vec<Column>; 4]> = LazyLock::new(|| {
        let study = [&OF_PATIENT[..8], &OF_STUDY].concat();
        [
            OF_PATIENT.to_vec(),
            study.clone(),
            [&study[..], &OF_SERIES, &[C::SeriesFacts]].concat(),
            [&study[..], &OF_SERIES, &OF_INSTANCE].concat(),
        ]
    });
    &OF[rank(level)]
}

fn rank(level: Level) -> usize {
    match level {
        Level::Patient => 0,
        Level::Study => 1,
        Level::Series => 2,
        Level::Image => 3,
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Number,
    Text,
    /// A number, or a text, or NULL.
    NumberOrNull,
    TextOrNull,
}

impl Column {
    /// The expression in SQL, and what it gives.
    pub(super) fn sql(self) -> (&'static str, Holds) {
        use Holds::{Number, NumberOrNull, Text, TextOrNull};
        match self {
            C::PatientRow => ("p.id", Number),
            C::NameAlphabetic => ("p.name_alphabetic", Text),
            C::NameIdeographic => ("p.name_ideographic", TextOrNull),
            C::NamePhonetic => ("p.name_phonetic", TextOrNull),
            C::PatientId => ("p.patient_id", Text),
            C::Issuer => ("p.issuer", Text),
            C::BirthDate => ("p.birth_date", TextOrNull),
            C::Sex => ("p.sex", TextOrNull),
            C::PatientStudies => ("(SELECT count(*) FROM study WHERE patient_row = p.id)", Number),
            C::PatientSeries => {
                ("(SELECT CAST(COALESCE(sum(series_count), 0) AS BIGINT) FROM study WHERE patient_row = p.id)", Number)
            }
            C::PatientInstances => (
                "(SELECT CAST(COALESCE(sum(instance_count), 0) AS BIGINT) FROM study WHERE patient_row = p.id)",
                Number,
            ),
            C::StudyRow => ("s.id", Number),
            C::StudyUid => ("s.study_uid", Text),
            C::StudyDate => ("s.study_date", TextOrNull),
            C::StudyTime => ("s.study_time", TextOrNull),
            C::StudyDescription => ("s.description", TextOrNull),
            C::Accession => ("s.accession", TextOrNull),
            C::StudyId => ("s.study_id", TextOrNull),
            C::ReferringPhysician => ("s.referring_physician", TextOrNull),
            C::Modalities => ("s.modalities", Text),
            C::SeriesCount => ("s.series_count", Number),
            C::StudyInstances => ("s.instance_count", Number),
            C::SeriesRow => ("se.id", Number),
            C::SeriesUid => ("se.series_uid", Text),
            C::SeriesNumber => ("se.number", NumberOrNull),
            C::SeriesDescription => ("se.description", TextOrNull),
            C::Modality => ("se.modality", TextOrNull),
            C::SeriesInstances => ("se.instance_count", Number),
            C::SeriesFacts => ("(SELECT facts FROM instance WHERE series_row = se.id ORDER BY id LIMIT 1)", TextOrNull),
            C::InstanceRow => ("i.id", Number),
            C::SopUid => ("i.sop_uid", Text),
            C::SopClass => ("i.sop_class_uid", Text),
            C::TransferSyntax => ("i.transfer_syntax_uid", Text),
            C::Frames => ("i.frames", Number),
            C::InstanceFacts => ("i.facts", Text),
        }
    }
}

/// An attribute that can be asked for and is answered with.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Which.
    pub tag: Tag,
    /// Its value representation.
    pub vr: VR,
    source: Source,
}

impl Attribute {
    /// The values in what [`Values::of`] tells.
    pub fn split<'t>(&self, text: &'t str) -> impl Iterator<Item = &'t str> + Clone {
        let several = matches!(self.source, Source::Several(_) | Source::ImageType);
        text.splitn(if several { usize::MAX } else { 1 }, '\\')
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Everything that is catalogued is there: no other archive needs to be asked first.
    Online,
    Column(Column),
    /// Values joined by backslashes.
    Several(Column),
    /// A date or time with dividers.
    Digits(Column),
    Name,
    /// An attribute of multi-frame objects only; one frame is no news.
    Frames,
    ImageType,
    /// Request Attributes Sequence.
    Requests,
    Facts(fn(&InstanceFacts) -> Option<String>),
}

use Source as S;

const PATIENT: [(Tag, Source); 9] = [
    (Tag(0x0008, 0x0056), S::Online),                      // Instance Availability
    (Tag(0x0010, 0x0010), S::Name),                        // Patient's Name
    (Tag(0x0010, 0x0020), S::Column(C::PatientId)),        // Patient ID
    (Tag(0x0010, 0x0021), S::Column(C::Issuer)),           // Issuer of Patient ID
    (Tag(0x0010, 0x0030), S::Digits(C::BirthDate)),        // Patient's Birth Date
    (Tag(0x0010, 0x0040), S::Column(C::Sex)),              // Patient's Sex
    (Tag(0x0020, 0x1200), S::Column(C::PatientStudies)),   // Number of Patient Related Studies
    (Tag(0x0020, 0x1202), S::Column(C::PatientSeries)),    // Number of Patient Related Series
    (Tag(0x0020, 0x1204), S::Column(C::PatientInstances)), // Number of Patient Related Instances
];
/// Counts of a patient are answered where patients are asked for.
const OF_EVERY_PATIENT: usize = 6;

const STUDY: [(Tag, Source); 10] = [
    (Tag(0x0008, 0x0020), S::Digits(C::StudyDate)),          // Study Date
    (Tag(0x0008, 0x0030), S::Digits(C::StudyTime)),          // Study Time
    (Tag(0x0008, 0x0050), S::Column(C::Accession)),          // Accession Number
    (Tag(0x0008, 0x0061), S::Several(C::Modalities)),        // Modalities in Study
    (Tag(0x0008, 0x0090), S::Column(C::ReferringPhysician)), // Referring Physician's Name
    (Tag(0x0008, 0x1030), S::Column(C::StudyDescription)),   // Study Description
    (Tag(0x0020, 0x000D), S::Column(C::StudyUid)),           // Study Instance UID
    (Tag(0x0020, 0x0010), S::Column(C::StudyId)),            // Study ID
    (Tag(0x0020, 0x1206), S::Column(C::SeriesCount)),        // Number of Study Related Series
    (Tag(0x0020, 0x1208), S::Column(C::StudyInstances)),     // Number of Study Related Instances
];

const SERIES: [(Tag, Source); 18] = [
    (Tag(0x0008, 0x0021), S::Facts(|facts| facts.series.date.map(|date| digits(&date.to_string()).into_owned()))), // Series Date
    (Tag(0x0008, 0x0031), S::Facts(|facts| facts.series.time.map(clock))), // Series Time
    (Tag(0x0008, 0x0060), S::Column(C::Modality)),                         // Modality
    (Tag(0x0008, 0x0070), S::Facts(|facts| facts.equipment.manufacturer.clone())), // Manufacturer
    (Tag(0x0008, 0x0080), S::Facts(|facts| facts.equipment.institution.clone())), // Institution Name
    (Tag(0x0008, 0x1010), S::Facts(|facts| facts.equipment.station.clone())), // Station Name
    (Tag(0x0008, 0x103E), S::Column(C::SeriesDescription)),                // Series Description
    (Tag(0x0008, 0x1090), S::Facts(|facts| facts.equipment.model.clone())), // Manufacturer's Model Name
    (Tag(0x0018, 0x0015), S::Facts(|facts| facts.series.body_part.clone())), // Body Part Examined
    (Tag(0x0018, 0x1030), S::Facts(|facts| facts.series.protocol.clone())), // Protocol Name
    (Tag(0x0018, 0x5100), S::Facts(|facts| facts.series.patient_position.clone())), // Patient Position
    (Tag(0x0020, 0x000E), S::Column(C::SeriesUid)),                        // Series Instance UID
    (Tag(0x0020, 0x0011), S::Column(C::SeriesNumber)),                     // Series Number
    (Tag(0x0020, 0x0060), S::Facts(|facts| facts.series.laterality.clone())), // Laterality
    (Tag(0x0020, 0x1209), S::Column(C::SeriesInstances)),                  // Number of Series Related Instances
    (
        Tag(0x0040, 0x0244),
        S::Facts(|facts| facts.series.performed_date.map(|date| digits(&date.to_string()).into_owned())),
    ), // Performed Procedure Step Start Date
    (Tag(0x0040, 0x0245), S::Facts(|facts| facts.series.performed_time.map(clock))), // Performed Procedure Step Start Time
    (Tag(0x0040, 0x0275), S::Requests),                                              // Request Attributes Sequence
];

/// Scheduled Procedure Step ID and Requested Procedure ID: what is known of an item of Request Attributes Sequence.
pub(super) const OF_REQUEST: [Tag; 2] = [Tag(0x0040, 0x0009), Tag(0x0040, 0x1001)];

const IMAGE: [(Tag, Source); 11] = [
    (Tag(0x0008, 0x0008), S::ImageType),                 // Image Type
    (Tag(0x0008, 0x0016), S::Column(C::SopClass)),       // SOP Class UID
    (Tag(0x0008, 0x0018), S::Column(C::SopUid)),         // SOP Instance UID
    (Tag(0x0008, 0x3002), S::Column(C::TransferSyntax)), // Available Transfer Syntax UID
    (Tag(0x0020, 0x0012), S::Facts(|facts| facts.image.acquisition_number.map(text))), // Acquisition Number
    (Tag(0x0020, 0x0013), S::Facts(|facts| facts.image.instance_number.map(text))), // Instance Number
    (Tag(0x0028, 0x0004), S::Facts(|facts| facts.image.photometric_interpretation.clone())), // Photometric Interpretation
    (Tag(0x0028, 0x0008), S::Frames),                                                        // Number of Frames
    (Tag(0x0028, 0x0010), S::Facts(|facts| facts.image.rows.map(text))),                     // Rows
    (Tag(0x0028, 0x0011), S::Facts(|facts| facts.image.columns.map(text))),                  // Columns
    (Tag(0x0028, 0x0100), S::Facts(|facts| facts.image.bits_allocated.map(text))),           // Bits Allocated
];

/// The attributes that can be asked for and are answered with at a level, its own and those of the levels above, by tag.
pub fn attributes(level: Level) -> &'static [Attribute] {
    static OF: LazyLock<[Vec<Attribute>; 4]> = LazyLock::new(|| {
        let listed = |parts: &[&[(Tag, Source)]]| {
            let of = |&(tag, source): &(Tag, Source)| Attribute { tag, vr: dictionary_vr(tag), source };
            let mut attributes: Vec<Attribute> = parts.iter().copied().flatten().map(of).collect();
            attributes.sort_by_key(|attribute| attribute.tag);
            attributes
        };
        let patient = &PATIENT[..OF_EVERY_PATIENT];
        [
            listed(&[&PATIENT]),
            listed(&[patient, &STUDY]),
            listed(&[patient, &STUDY, &SERIES]),
            listed(&[patient, &STUDY, &SERIES, &IMAGE]),
        ]
    });
    &OF[rank(level)]
}

/// A page of rows as the database handed it over.
#[derive(Debug)]
pub(super) struct Page {
    level: Level,
    text: Arc<str>,
    rows: Vec<Range<usize>>,
}

impl Page {
    pub(super) fn empty(level: Level) -> Self {
        Self { level, text: Arc::from(""), rows: Vec::new() }
    }

    /// `None` when a text of the page holds a divider, so that rows or columns cannot be told apart.
    pub(super) fn read(level: Level, rows: u64, text: String) -> Option<Self> {
        if rows == 0 {
            return Some(Self::empty(level));
        }
        let mut places = Vec::with_capacity(rows as usize);
        let mut start = 0;
        for end in memchr_iter(ROW_END as u8, text.as_bytes()).chain([text.len()]) {
            places.push(start..end);
            start = end + 1;
        }
        // No row has fewer dividers than it should: where there are as many as there should be in all, none stands in a text.
        let dividers = memchr_iter(COLUMN_END as u8, text.as_bytes()).count();
        let told_apart = places.len() as u64 == rows && dividers == places.len() * (columns(level).len() - 1);
        told_apart.then(|| Self { level, text: text.into(), rows: places })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn answers(&self) -> impl Iterator<Item = Answer> {
        self.rows.iter().map(|row| Answer { level: self.level, page: self.text.clone(), row: row.clone() })
    }
}

/// One entity that was found: what the catalogue knows of it.
///
/// `Debug` hides it.
#[derive(Clone)]
pub struct Answer {
    level: Level,
    page: Arc<str>,
    row: Range<usize>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({:?}, hidden)", self.level)
    }
}

impl Answer {
    /// The values, told apart.
    pub fn values(&self) -> Values<'_> {
        let mut columns = [""; COLUMNS];
        let row = &self.page[self.row.clone()];
        let (mut start, mut ends) = (0, memchr_iter(COLUMN_END as u8, row.as_bytes()));
        for column in self::columns(self.level) {
            let end = ends.next().unwrap_or(row.len());
            columns[*column as usize] = &row[start.min(end)..end];
            start = end + 1;
        }
        Values { columns, facts: OnceCell::new() }
    }

    /// Everything known as a data set; an attribute without a value is there and empty.
    pub fn data_set(&self) -> Result<DataSet, EngineError> {
        Ok(self.data_set_of(|_| true)?)
    }

    pub(super) fn data_set_of(&self, wanted: impl Fn(Tag) -> bool) -> Result<DataSet, CatalogError> {
        let values = self.values();
        let mut data_set = DataSet::new();
        for attribute in attributes(self.level).iter().filter(|attribute| wanted(attribute.tag)) {
            if attribute.vr == VR::SQ {
                data_set.set_items(attribute.tag, values.known_items(attribute)?);
                continue;
            }
            let text = values.known(attribute)?;
            let texts = if text.is_empty() { Vec::new() } else { attribute.split(&text).map(str::to_owned).collect() };
            data_set.insert(attribute.tag, attribute.vr, hilum_dicom::data_set::Value::Text(texts));
        }
        Ok(data_set)
    }

    pub(super) fn cursor(&self) -> Result<Cursor, CatalogError> {
        let columns = self.values().columns;
        let row = |column: Column| match columns[column as usize] {
            "" => Ok(0),
            number => number.parse::<i64>().map_err(|_| CatalogError::Corrupt { what: "row" }),
        };
        let top = if self.level == Level::Patient { C::PatientRow } else { C::StudyRow };
        Ok(Cursor { top: row(top)?, series: row(C::SeriesRow)?, instance: row(C::InstanceRow)? })
    }
}

/// The values of one [`Answer`].
pub struct Values<'a> {
    columns: [&'a str; COLUMNS],
    facts: OnceCell<Option<InstanceFacts>>,
}

impl std::fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values(hidden)")
    }
}

impl<'a> Values<'a> {
    /// The value of an attribute in DICOM's form, several joined by backslashes; empty where nothing is known.
    pub fn of(&self, attribute: &Attribute) -> Result<Cow<'a, str>, EngineError> {
        Ok(self.known(attribute)?)
    }

    /// The items of a sequence; none where nothing is known, and of an attribute that is none.
    pub fn items(&self, attribute: &Attribute) -> Result<Vec<DataSet>, EngineError> {
        Ok(self.known_items(attribute)?)
    }

    fn known_items(&self, attribute: &Attribute) -> Result<Vec<DataSet>, CatalogError> {
        if !matches!(attribute.source, S::Requests) {
            return Ok(Vec::new());
        }
        let requests = self.facts()?.map(|facts| facts.series.requests.as_slice()).unwrap_or_default();
        let item = |request: &RequestFacts| {
            let mut item = DataSet::new();
            for (tag, text) in OF_REQUEST.into_iter().zip([&request.step, &request.procedure]) {
                item.set(tag, text.as_deref().unwrap_or_default());
            }
            item
        };
        Ok(requests.iter().map(item).collect())
    }

    fn known(&self, attribute: &Attribute) -> Result<Cow<'a, str>, CatalogError> {
        Ok(match attribute.source {
            S::Online => "ONLINE".into(),
            S::Column(column) | S::Several(column) => self.column(column).into(),
            S::Digits(column) => digits(self.column(column)),
            S::Name => self.name(),
            S::Frames => Some(self.column(C::Frames)).filter(|frames| *frames != "1").unwrap_or_default().into(),
            S::ImageType => self.facts()?.map(|facts| facts.image.image_type.join("\\")).unwrap_or_default().into(),
            S::Requests => Cow::default(),
            S::Facts(read) => self.facts()?.and_then(read).unwrap_or_default().into(),
        })
    }

    /// Study, Series and SOP Instance UID, empty below the level.
    pub fn uids(&self) -> [&'a str; 3] {
        [C::StudyUid, C::SeriesUid, C::SopUid].map(|column| self.column(column))
    }

    fn column(&self, column: Column) -> &'a str {
        self.columns[column as usize]
    }

    fn name(&self) -> Cow<'a, str> {
        let [alphabetic, ideographic, phonetic] =
            [C::NameAlphabetic, C::NameIdeographic, C::NamePhonetic].map(|column| self.column(column));
        if ideographic.is_empty() && phonetic.is_empty() {
            return alphabetic.into();
        }
        let group = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let name = PersonName {
            alphabetic: alphabetic.to_owned(),
            ideographic: group(ideographic),
            phonetic: group(phonetic),
        };
        name.to_string().into()
    }

    fn facts(&self) -> Result<Option<&InstanceFacts>, CatalogError> {
        if self.facts.get().is_none() {
            let of_instance = self.column(C::InstanceFacts);
            let text = if of_instance.is_empty() { self.column(C::SeriesFacts) } else { of_instance };
            let read = (!text.is_empty()).then(|| serde_json::from_str(text)).transpose();
            let read = read.map_err(|_| CatalogError::Corrupt { what: "header" })?;
            return Ok(self.facts.get_or_init(|| read).as_ref());
        }
        Ok(self.facts.get().and_then(Option::as_ref))
    }
}

fn text(number: impl ToString) -> String {
    number.to_string()
}

fn clock(time: time::Time) -> String {
    format!("{:02}{:02}{:02}", time.hour(), time.minute(), time.second())
}

/// `2026-01-05` as `20260105`, `07:30:00` as `073000`.
fn digits(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.into();
    }
    text.chars().filter(char::is_ascii_digit).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_whose_rows_or_columns_cannot_be_told_apart_is_not_read() {
        let row = |name: &str| {
            let mut columns = vec!["1"; columns(Level::Study).len()];
            columns[1] = name;
            columns.join("\x1f")
        };
        let read = |rows: u64, text: String| Page::read(Level::Study, rows, text);
        assert_eq!(read(2, [row("A"), row("B")].join("\x1e")).unwrap().len(), 2);
        assert_eq!(read(0, String::new()).unwrap().len(), 0);
        assert!(read(1, row("A\x1fB")).is_none());
        assert!(read(1, row("A\x1eB")).is_none());
        // A name that looks like the end of one row and the beginning of another.
        let forged = format!("A{}\x1e1\x1fB", "\x1f1".repeat(columns(Level::Study).len() - 2));
        assert!(read(1, row(&forged)).is_none());
    }
}
