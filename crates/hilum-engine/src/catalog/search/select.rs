//! From keys to SQL: what narrows the candidates, and from which table the walk begins.

use super::Cursor;
use super::answer::{self, COLUMN_END, Column, Holds, ROW_END};
use super::dates::{Calendar, clock};
use super::series_marks;
use super::text::{self, Condition, Field, Fragment};
use crate::catalog::dialect::Dialect;
use crate::catalog::id_list;
use crate::engine::Zone;
use dicom_core::{Tag, VR};
use hilum_dicom::DataSet;
use hilum_dicom::matching::{Level, QueryOptions, Range};
use sea_orm::Value;
use time::{Date, Duration};

/// Words that this many studies hold are rare enough to list the patients of all of them.
pub(super) const RARE: usize = 2000;

/// Which table the walk begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    /// Every study, from the newest.
    Newest,
    /// Studies that hold the words, from the newest.
    Words,
    Study,
    Patient,
    Series,
    Instance,
}

/// A question narrowed down.
#[derive(Clone, Debug)]
pub(super) struct Select {
    dialect: Dialect,
    level: Level,
    zone: &'static str,
    /// The caller's institutions, as the inside of an SQL list.
    institutions: String,
    start: Start,
    /// The table of patients, where patients are looked for.
    patients: String,
    words: Vec<Condition>,
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Select {
    pub(super) fn new(dialect: Dialect, level: Level, zone: Zone, institutions: &[i64], all: bool) -> Self {
        let of = if level == Level::Patient { "p" } else { "s" };
        let list = id_list(institutions);
        let mut select = Self {
            dialect,
            level,
            zone: zone.as_str(),
            start: Start::Newest,
            patients: "patient".to_owned(),
            words: Vec::new(),
            conditions: vec![
                format!("{} IN ({list})", dialect.not_selective(&format!("{of}.institution_id"))),
                format!("{} = ?", dialect.not_selective(&format!("{of}.zone"))),
            ],
            values: vec![zone.as_str().into()],
            institutions: list,
        };
        if !all && !institutions.is_empty() && level != Level::Patient {
            select.add_words(text::of_institutions(institutions));
        }
        select
    }

    /// Adds what the keys ask for, as far as an index can tell; everything is matched again afterwards.
    pub(super) fn narrow(&mut self, keys: &DataSet, options: QueryOptions) {
        for (tag, vr, _) in keys.iter() {
            let values = said(keys, tag);
            let wild = vr != VR::UI && values.iter().any(|value| value.contains(['*', '?']));
            if values.is_empty() || options.empty_values && values.contains(&"\"\"") {
                continue;
            }
            match tag {
                PATIENT_NAME => self.narrow_names(Field::Name, &values, options.fuzzy_names),
                REFERRER => self.narrow_names(Field::Referrer, &values, options.fuzzy_names),
                PATIENT_ID if !wild => self.one_of("p.patient_id", &values, Start::Patient),
                PATIENT_ID => self.narrow_text(Field::PatientId, &values),
                ACCESSION if !wild && self.level != Level::Patient => self.one_of("s.accession", &values, Start::Study),
                ACCESSION => self.narrow_text(Field::Accession, &values),
                STUDY_DESCRIPTION => self.narrow_text(Field::Description, &values),
                STUDY_UID => self.one_of("s.study_uid", &values, Start::Study),
                SERIES_UID => self.one_of("se.series_uid", &values, Start::Series),
                SOP_UID => self.one_of("i.sop_uid", &values, Start::Instance),
                SOP_CLASS => self.one_of("i.sop_class_uid", &values, Start::Newest),
                STUDY_ID => self.narrow_text(Field::StudyId, &values),
                STUDY_DATE => self.narrow_date(values[0], |first, last| Calendar::STUDY.between(first, last)),
                BIRTH_DATE => self.narrow_date(values[0], |first, last| Calendar::BIRTH.between(first, last)),
                // Together with a date, a time is the end of a range of days.
                STUDY_TIME if !(options.combined_date_times && keys.text(STUDY_DATE).is_some()) => {
                    self.narrow_time(values[0]);
                }
                MODALITIES if !wild => self.any_word(values.iter().map(|value| text::of_modality(value)).collect()),
                MODALITIES | MODALITY if wild => self.narrow_text(Field::Modality, &values),
                MODALITY => {
                    self.any_word(values.iter().map(|value| text::of_modality(value)).collect());
                    self.one_of("se.modality", &values, Start::Newest);
                }
                SEX if !wild && self.level != Level::Patient => {
                    self.any_word(values.iter().map(|value| text::of_sex(value)).collect());
                }
                SERIES_NUMBER => {
                    let number = |value: &&str| series_marks::numbered(value.parse().unwrap_or(f64::NAN));
                    self.any_word(values.iter().map(number).collect());
                }
                SERIES_DESCRIPTION => self.narrow_series(Field::SeriesDescription, &values),
                _ => {}
            }
        }
        if self.level == Level::Series {
            self.narrow_by_first_instance(keys, options);
        }
    }

    /// Of a series these are what its first instance says; an instance is asked for by what it says itself.
    fn narrow_by_first_instance(&mut self, keys: &DataSet, options: QueryOptions) {
        let of_request = keys.items(REQUESTS).first();
        let asked = [
            (of_request, STEP, Some(Field::Step)),
            (of_request, PROCEDURE, Some(Field::Procedure)),
            (Some(keys), BODY_PART, Some(Field::BodyPart)),
            (Some(keys), PERFORMED_DATE, None),
        ];
        for (keys, tag, field) in asked {
            let values = keys.map(|keys| said(keys, tag)).unwrap_or_default();
            if values.is_empty() || options.empty_values && values.contains(&"\"\"") {
                continue;
            }
            match field {
                Some(field) => self.narrow_series(field, &values),
                None => self.narrow_date(values[0], series_marks::performed),
            }
        }
    }

    /// Which studies the index of words is asked for, where the walk begins with it.
    pub(super) fn words(&self) -> Option<Condition> {
        (self.start == Start::Words).then(|| Condition::All(self.words.clone()))
    }

    /// The same question of these patients only; of all, from the newest on, where too many studies hold the words.
    pub(super) fn of_patients(&mut self, patients: Option<&[i64]>) {
        self.start = Start::Newest;
        if let Some(patients) = patients {
            let (table, rows) = self.dialect.only_rows("patient", patients);
            self.patients = table;
            self.values.insert(0, rows);
        }
    }

    /// The same question of these studies only.
    pub(super) fn of_studies(&self, studies: &[i64]) -> Self {
        let mut select = Self { start: Start::Study, words: Vec::new(), ..self.clone() };
        let (condition, rows) = self.dialect.is_one_of("s.id", studies);
        select.conditions.push(condition);
        select.values.push(rows);
        select
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// A page as one text. `cleaned` puts spaces in place of dividers that stand in a text.
    pub(super) fn statement(&self, after: Option<Cursor>, limit: usize, cleaned: bool) -> (String, Vec<Value>) {
        let mut conditions = self.conditions.clone();
        let mut values = self.values.clone();
        if let Some(after) = after {
            let (condition, keys) = self.behind(after);
            conditions.push(condition);
            values.extend(keys.into_iter().map(Value::from));
        }
        values.push((limit as i64).into());
        let sql = format!(
            "SELECT count(*), string_agg(columns, '{ROW_END}') FROM \
             (SELECT {} AS columns FROM {} WHERE {} ORDER BY {} LIMIT ?) AS page",
            columns(self.level, cleaned),
            self.tables(),
            conditions.join(" AND "),
            self.order()
        );
        (sql, values)
    }

    fn tables(&self) -> String {
        let join = self.dialect.joined();
        let study = format!("study s {join} patient p ON p.id = s.patient_row");
        let series = format!(" {join} series se ON se.study_row = s.id");
        let instance = format!(" {join} instance i ON i.series_row = se.id");
        let below = match self.level {
            Level::Patient => return format!("{} p", self.patients),
            Level::Study => String::new(),
            Level::Series => series,
            Level::Image => format!("{series}{instance}"),
        };
        match self.start {
            Start::Newest | Start::Words | Start::Study => format!("{study}{below}"),
            Start::Patient => format!("patient p {join} study s ON s.patient_row = p.id{below}"),
            Start::Series => {
                let instance = if self.level == Level::Image { instance } else { String::new() };
                format!(
                    "series se {join} study s ON s.id = se.study_row {join} patient p ON p.id = s.patient_row{instance}"
                )
            }
            Start::Instance => format!(
                "instance i {join} series se ON se.id = i.series_row {join} study s ON s.id = se.study_row \
                 {join} patient p ON p.id = s.patient_row"
            ),
        }
    }

    /// The row that comes first in the order: the patient's, or the study's.
    fn top(&self) -> &'static str {
        if self.level == Level::Patient { "p.id" } else { "s.id" }
    }

    fn order(&self) -> String {
        let top = self.top();
        match self.level {
            Level::Patient | Level::Study => format!("{top} DESC"),
            Level::Series => format!("{top} DESC, se.id"),
            Level::Image => format!("{top} DESC, se.id, i.id"),
        }
    }

    fn behind(&self, after: Cursor) -> (String, Vec<i64>) {
        let top = self.top();
        match self.level {
            Level::Patient | Level::Study => (format!("{top} < ?"), vec![after.top]),
            Level::Series => {
                (format!("{top} <= ? AND ({top} < ? OR se.id > ?)"), vec![after.top, after.top, after.series])
            }
            Level::Image => (
                format!("{top} <= ? AND ({top} < ? OR se.id > ? OR (se.id = ? AND i.id > ?))"),
                vec![after.top, after.top, after.series, after.series, after.instance],
            ),
        }
    }

    fn add_words(&mut self, condition: Condition) {
        self.words.push(condition);
        self.start = self.start.max(Start::Words);
    }

    /// Alternatives of which one says nothing say nothing together.
    fn any_of(&mut self, alternatives: Vec<Option<Condition>>) {
        if let Some(known) = alternatives.into_iter().collect::<Option<Vec<_>>>() {
            self.any_word(known);
        }
    }

    fn any_word(&mut self, alternatives: Vec<Condition>) {
        self.add_words(Condition::Any(alternatives));
    }

    /// `index` is where the walk begins when the column has an index; [`Start::Newest`] when it has none.
    fn one_of(&mut self, column: &str, values: &[&str], index: Start) {
        self.conditions.push(format!("{column} IN ({})", vec!["?"; values.len()].join(",")));
        self.values.extend(values.iter().map(|value| Value::from(*value)));
        if index > Start::Words {
            // The index begins with the institution, and where the table has one with the zone.
            let table = column.split('.').next().unwrap_or(column);
            self.conditions.push(format!("{table}.institution_id IN ({})", self.institutions));
            if index == Start::Instance {
                self.conditions.push("i.zone = ?".to_owned());
                self.values.push(self.zone.into());
            }
        }
        self.start = self.start.max(index);
    }

    fn narrow_names(&mut self, field: Field, values: &[&str], fuzzy: bool) {
        let alternatives = values.iter().map(|value| -> Option<Condition> {
            if fuzzy {
                return text::named_fuzzily(field, value);
            }
            let parts: Vec<Condition> = value
                .split('=')
                .flat_map(|group| {
                    let pieces: Vec<&str> = group.split(['*', '?']).collect();
                    let last = pieces.len() - 1;
                    let of = |(index, piece): (usize, &str)| {
                        text::named(field, Fragment { text: piece, at_start: index == 0, at_end: index == last })
                    };
                    pieces.into_iter().enumerate().filter_map(of).collect::<Vec<_>>()
                })
                .collect();
            (!parts.is_empty()).then_some(Condition::All(parts))
        });
        self.any_of(alternatives.collect());
    }

    fn narrow_text(&mut self, field: Field, values: &[&str]) {
        self.any_of(values.iter().map(|value| pieces(value, |fragment| text::holding(field, fragment))).collect());
    }

    fn narrow_series(&mut self, field: Field, values: &[&str]) {
        let asked = values.iter().map(|value| series_marks::asked(field, value));
        let of = |value: String| pieces(&value, |fragment| series_marks::of_series(field, fragment));
        self.any_of(asked.map(of).collect());
    }

    /// A date has no offset from UTC.
    fn narrow_date(&mut self, value: &str, between: impl Fn(&str, &str) -> Condition) {
        let Ok(range) = Range::read(VR::DA, value, 0) else { return };
        let digits =
            |microseconds: Option<i64>, open: &str| microseconds.and_then(day).unwrap_or_else(|| open.to_owned());
        self.add_words(between(&digits(range.first, "00000000"), &digits(range.last, "99999999")));
    }

    fn narrow_time(&mut self, value: &str) {
        let Ok(range) = Range::read(VR::TM, value, 0) else { return };
        self.add_words(clock::between(range.first, range.last));
    }
}

/// What a key asks for, without padding.
fn said(keys: &DataSet, tag: Tag) -> Vec<&str> {
    let values = keys.texts(tag).iter().map(|value| value.trim_matches([' ', '\0']));
    values.filter(|value| !value.is_empty()).collect()
}

/// The pieces of a value between its wildcards, all of them; `None` where they say nothing.
fn pieces(value: &str, holding: impl Fn(Fragment<'_>) -> Option<Condition>) -> Option<Condition> {
    let pieces: Vec<&str> = value.split(['*', '?']).collect();
    let of = |(index, piece): (usize, &&str)| {
        holding(Fragment { text: piece, at_start: index == 0, at_end: index + 1 == pieces.len() })
    };
    let parts: Vec<Condition> =
        pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()).filter_map(of).collect();
    (!parts.is_empty()).then_some(Condition::All(parts))
}

/// `YYYYMMDD` of microseconds since 1970; `None` beyond the years that four digits can say.
fn day(microseconds: i64) -> Option<String> {
    let days = microseconds.div_euclid(86_400_000_000);
    let date = Date::from_calendar_date(1970, time::Month::January, 1).ok()?.checked_add(Duration::days(days))?;
    Some(format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day()))
}

/// The columns of a level as one text. Both databases leave NULL out of `concat_ws` and make an empty text of it in `concat`; `COALESCE` does so
/// without a call of a function, but needs a text.
fn columns(level: Level, cleaned: bool) -> String {
    let of = |column: &Column| match column.sql() {
        (sql, Holds::Text | Holds::TextOrNull) if cleaned => {
            format!("COALESCE(replace(replace({sql}, '{ROW_END}', ' '), '{COLUMN_END}', ' '), '')")
        }
        (sql, Holds::Number | Holds::Text) => sql.to_owned(),
        (sql, Holds::TextOrNull) => format!("COALESCE({sql}, '')"),
        (sql, Holds::NumberOrNull) => format!("concat({sql})"),
    };
    let columns: Vec<String> = answer::columns(level).iter().map(of).collect();
    format!("concat_ws('{COLUMN_END}', {})", columns.join(", "))
}

const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const BIRTH_DATE: Tag = Tag(0x0010, 0x0030);
const SEX: Tag = Tag(0x0010, 0x0040);
const ACCESSION: Tag = Tag(0x0008, 0x0050);
const STUDY_DATE: Tag = Tag(0x0008, 0x0020);
const STUDY_TIME: Tag = Tag(0x0008, 0x0030);
const STUDY_ID: Tag = Tag(0x0020, 0x0010);
const REFERRER: Tag = Tag(0x0008, 0x0090);
const STUDY_DESCRIPTION: Tag = Tag(0x0008, 0x1030);
const MODALITIES: Tag = Tag(0x0008, 0x0061);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const STUDY_UID: Tag = Tag(0x0020, 0x000D);
const SERIES_NUMBER: Tag = Tag(0x0020, 0x0011);
const SERIES_DESCRIPTION: Tag = Tag(0x0008, 0x103E);
const BODY_PART: Tag = Tag(0x0018, 0x0015);
const PERFORMED_DATE: Tag = Tag(0x0040, 0x0244);
const REQUESTS: Tag = Tag(0x0040, 0x0275);
const STEP: Tag = Tag(0x0040, 0x0009);
const PROCEDURE: Tag = Tag(0x0040, 0x1001);
const SERIES_UID: Tag = Tag(0x0020, 0x000E);
const SOP_UID: Tag = Tag(0x0008, 0x0018);
const SOP_CLASS: Tag = Tag(0x0008, 0x0016);
