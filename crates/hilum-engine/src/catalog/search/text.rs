//! The index of words: which studies hold a piece of text in a name, ID, description or accession number.
//!
//! Every text is folded and cut into overlapping pieces of one, two and three characters (identifiers, whose digits repeat, into five
//! besides) with padding at both ends, each marked by the attribute it comes from; modalities, sex and parts of dates and times are
//! marks of their own. What its series say is marked at the study ([`super::series_marks`]). [`super::index`] keeps them and hands studies out; marks are asked for whole, for a beginning of marks would be
//! merged first. Pieces prove nothing: what the index finds is checked against the rows by [`hilum_dicom::matching`].

use super::dates::{Calendar, clock};
use super::{index, series_marks};
use crate::catalog::dialect::Dialect;
use crate::storage::hex;
use hilum_dicom::matching::{fuzzy_words, unified};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value};

/// What the index holds of a study; to be followed by a condition on `s`.
pub(in crate::catalog) const SELECT: &str = "SELECT s.id, s.institution_id, p.name_alphabetic, p.name_ideographic, \
    p.name_phonetic, p.patient_id, p.birth_date, p.sex, s.accession, s.description, s.study_date, s.study_time, s.study_id, \
    s.referring_physician, s.modalities, s.body_parts, s.contrast, s.priority, s.workflow, s.stones, \
    COALESCE((SELECT string_agg(concat_ws('\x1f', COALESCE(CAST(number AS TEXT), ''), COALESCE(performed_date, ''), \
    replace(replace(COALESCE(step_ids, ''), '\x1e', ' '), '\x1f', ' '), \
    replace(replace(COALESCE(procedure_ids, ''), '\x1e', ' '), '\x1f', ' '), \
    replace(replace(COALESCE(body_part, ''), '\x1e', ' '), '\x1f', ' '), \
    replace(replace(COALESCE(description, ''), '\x1e', ' '), '\x1f', ' ')), '\x1e') \
    FROM series WHERE study_row = s.id), '') AS series \
    FROM study s JOIN patient p ON p.id = s.patient_row";

/// Which attribute a piece of text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::catalog) enum Field {
    Name,
    PatientId,
    Accession,
    Description,
    StudyId,
    Referrer,
    /// A modality of the study; the whole one has a mark besides.
    Modality,
    SeriesDescription,
    /// Of a series, in capitals.
    BodyPart,
    /// Scheduled Procedure Step IDs of a series.
    Step,
    /// Requested Procedure IDs of a series.
    Procedure,
}

impl Field {
    fn mark(self) -> &'static str {
        match self {
            Self::Name => "n",
            Self::PatientId => "p",
            Self::Accession => "a",
            Self::Description => "d",
            Self::StudyId => "k",
            Self::Referrer => "o",
            Self::Modality => "v",
            Self::SeriesDescription => "l",
            Self::BodyPart => "j",
            Self::Step => "gs",
            Self::Procedure => "gp",
        }
    }

    /// Digits of identifiers repeat: three in a row say little.
    fn has_long_pieces(self) -> bool {
        matches!(self, Self::PatientId | Self::Accession | Self::StudyId | Self::Step | Self::Procedure)
    }
}

/// A text is in the index up to here: the standard allows 64 characters, and what PostgreSQL indexes of a study has to stay below 1 MB.
pub(super) const MOST_UNITS: usize = 2048;
/// Length of the long pieces.
const LONG: usize = 5;
const START: u16 = 2;
const END: u16 = 3;

/// The texts of a study, from its row and its patient's.
#[derive(Debug, FromQueryResult)]
pub(in crate::catalog) struct StudyText {
    pub(in crate::catalog) id: i64,
    institution_id: i64,
    name_alphabetic: String,
    name_ideographic: Option<String>,
    name_phonetic: Option<String>,
    patient_id: String,
    birth_date: Option<String>,
    sex: Option<String>,
    accession: Option<String>,
    description: Option<String>,
    study_date: Option<String>,
    study_time: Option<String>,
    study_id: Option<String>,
    referring_physician: Option<String>,
    modalities: String,
    body_parts: String,
    contrast: i64,
    priority: i64,
    workflow: i64,
    stones: i64,
    /// What [`series_marks`] marks of each series, divided by control characters.
    series: String,
}

impl StudyText {
    fn marks(&self) -> Vec<String> {
        let mut marks = vec![institution_mark(self.institution_id)];
        let names = [Some(&self.name_alphabetic), self.name_ideographic.as_ref(), self.name_phonetic.as_ref()];
        for group in names.into_iter().flatten() {
            push_pieces(&mut marks, Field::Name, &joined_name(group));
        }
        push_pieces(&mut marks, Field::PatientId, &fold(&self.patient_id));
        push_pieces(&mut marks, Field::Accession, &fold(self.accession.as_deref().unwrap_or_default()));
        push_pieces(&mut marks, Field::Description, &fold(self.description.as_deref().unwrap_or_default()));
        push_pieces(&mut marks, Field::StudyId, &fold(self.study_id.as_deref().unwrap_or_default()));
        for group in self.referring_physician.iter().flat_map(|name| name.split('=')) {
            push_pieces(&mut marks, Field::Referrer, &joined_name(group));
        }
        for modality in self.modalities.split('\\').filter(|modality| !modality.is_empty()) {
            marks.push(modality_mark(modality));
            push_pieces(&mut marks, Field::Modality, &fold(modality));
        }
        marks.extend(self.sex.as_deref().filter(|sex| !sex.is_empty()).map(sex_mark));
        marks.extend(self.body_parts.split('\\').filter(|part| !part.is_empty()).map(body_part_mark));
        marks.extend((self.contrast >= 0).then(|| contrast_mark(self.contrast)));
        marks.extend([priority_mark(self.priority), workflow_mark(self.workflow), stones_mark(self.stones)]);
        Calendar::STUDY.push(&mut marks, self.study_date.as_deref());
        Calendar::BIRTH.push(&mut marks, self.birth_date.as_deref());
        clock::push(&mut marks, self.study_time.as_deref());
        series_marks::push(&mut marks, &self.series);
        marks.sort_unstable();
        marks.dedup();
        marks
    }
}

/// The statement that indexes studies; what was indexed of them before is replaced.
pub(in crate::catalog) fn insert(dialect: Dialect, studies: &[StudyText]) -> Statement {
    index::insert(dialect, studies.iter().map(|study| (study.id, study.marks())))
}

/// Puts a study's words into the index, in place of those before. The study is there.
pub(in crate::catalog) async fn index(connection: &impl ConnectionTrait, study_row: i64) -> Result<(), DbErr> {
    let dialect = Dialect::of(connection);
    let statement = dialect.statement(&format!("{SELECT} WHERE s.id = ?"), [Value::from(study_row)]);
    let found = StudyText::find_by_statement(statement).one(connection).await?;
    let study = found.ok_or_else(|| DbErr::RecordNotFound("study".to_owned()))?;
    connection.execute_raw(insert(dialect, &[study])).await?;
    Ok(())
}

/// A condition on the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::catalog) enum Condition {
    /// A mark; with `*` at its end, every mark that begins so.
    Mark(String),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

/// Studies of one of these institutions.
pub(in crate::catalog) fn of_institutions(rows: &[i64]) -> Condition {
    Condition::Any(rows.iter().map(|row| Condition::Mark(institution_mark(*row))).collect())
}

/// Studies that hold a series of this modality.
pub(in crate::catalog) fn of_modality(modality: &str) -> Condition {
    Condition::Mark(modality_mark(modality))
}

/// Studies of patients of this sex.
pub(in crate::catalog) fn of_sex(sex: &str) -> Condition {
    Condition::Mark(sex_mark(sex))
}

/// Studies that hold a series of this body part.
pub(in crate::catalog) fn of_body_part(part: &str) -> Condition {
    Condition::Mark(body_part_mark(part))
}

/// Studies with contrast given in a series (1), or in none of those that say (0).
pub(in crate::catalog) fn of_contrast(given: i64) -> Condition {
    Condition::Mark(contrast_mark(given))
}

/// Studies that are as urgent as this.
pub(in crate::catalog) fn of_priority(priority: i64) -> Condition {
    Condition::Mark(priority_mark(priority))
}

/// Studies with which a physician is as far as this.
pub(in crate::catalog) fn of_workflow(workflow: i64) -> Condition {
    Condition::Mark(workflow_mark(workflow))
}

/// Studies whose report counts stones (1), none (0), or says nothing of them (-1).
pub(in crate::catalog) fn of_stones(stones: i64) -> Condition {
    Condition::Mark(stones_mark(stones))
}

/// A piece of a text, asked for somewhere, at its start, or at its end.
#[derive(Clone, Copy, Debug)]
pub(in crate::catalog) struct Fragment<'a> {
    pub(in crate::catalog) text: &'a str,
    pub(in crate::catalog) at_start: bool,
    pub(in crate::catalog) at_end: bool,
}

/// Studies whose field may hold the fragment; `None` when it is empty and says nothing.
pub(in crate::catalog) fn holding(field: Field, fragment: Fragment<'_>) -> Option<Condition> {
    let mut units: Vec<u16> = Vec::new();
    units.extend(fragment.at_start.then_some(START));
    units.extend(fold(fragment.text).encode_utf16());
    units.extend(fragment.at_end.then_some([END, END]).into_iter().flatten());
    let size = match units.len() {
        0 => return None,
        5.. if field.has_long_pieces() => LONG,
        length => length.min(3),
    };
    let mut marks: Vec<String> = units.windows(size).map(|units| piece(field, units)).collect();
    marks.sort_unstable();
    marks.dedup();
    Some(Condition::All(marks.into_iter().map(Condition::Mark).collect()))
}

/// Studies with a name in this field that holds this piece of one, in any spelling of its delimiters.
pub(in crate::catalog) fn named(field: Field, fragment: Fragment<'_>) -> Option<Condition> {
    let text = joined_name(fragment.text);
    if text.is_empty() { None } else { holding(field, Fragment { text: &text, ..fragment }) }
}

/// Studies with names that hold every word of a text, in any order.
pub(in crate::catalog) fn named_fuzzily(field: Field, text: &str) -> Option<Condition> {
    let words = fuzzy_words(text);
    let of = |word: &String| holding(field, Fragment { text: word, at_start: false, at_end: false });
    let parts: Vec<Condition> = words.iter().filter_map(of).collect();
    (!parts.is_empty()).then_some(Condition::All(parts))
}

/// The words of one component group as one, so that 홍길동 and 홍^길동 are alike.
fn joined_name(group: &str) -> String {
    fuzzy_words(group).concat()
}

/// Lower case, [`unified`]; without blanks at either end.
pub(in crate::catalog) fn fold(text: &str) -> String {
    unified(text).trim_matches([' ', '\0']).to_lowercase()
}

pub(super) fn push_pieces(marks: &mut Vec<String>, field: Field, folded: &str) {
    if folded.is_empty() {
        return;
    }
    let units: Vec<u16> =
        std::iter::once(START).chain(folded.encode_utf16().take(MOST_UNITS)).chain([END, END]).collect();
    marks.extend(units[1..units.len() - 2].iter().map(|unit| piece(field, &[*unit])));
    marks.extend(units[..units.len() - 1].windows(2).map(|two| piece(field, two)));
    marks.extend(units.windows(3).map(|three| piece(field, three)));
    if field.has_long_pieces() {
        marks.extend(units.windows(LONG).map(|five| piece(field, five)));
    }
}

fn piece(field: Field, units: &[u16]) -> String {
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    format!("{}{}", field.mark(), hex(&bytes))
}

fn institution_mark(row: i64) -> String {
    format!("i{row}")
}

fn modality_mark(modality: &str) -> String {
    format!("m{}", whole(modality))
}

fn body_part_mark(part: &str) -> String {
    format!("b{}", whole(part))
}

fn contrast_mark(given: i64) -> String {
    format!("c{}", given.clamp(0, 1))
}

fn priority_mark(priority: i64) -> String {
    format!("h{priority}")
}

fn workflow_mark(workflow: i64) -> String {
    format!("f{workflow}")
}

fn stones_mark(stones: i64) -> String {
    // A sign, and no count.
    ["su", "s0", "s1"][(stones.clamp(-1, 1) + 1) as usize].to_owned()
}

fn sex_mark(sex: &str) -> String {
    format!("x{}", whole(sex))
}

/// A mark of a whole value; of one that no standard allows, its beginning.
fn whole(value: &str) -> String {
    let folded = fold(value);
    hex(&folded.as_bytes()[..folded.len().min(256)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study() -> StudyText {
        StudyText {
            id: 7,
            institution_id: 1,
            name_alphabetic: "Hong^Gildong".into(),
            name_ideographic: Some("洪^吉洞".into()),
            name_phonetic: Some("홍^길동".into()),
            patient_id: "KR0001".into(),
            birth_date: Some("1961-07-09".into()),
            sex: Some("M".into()),
            accession: Some("A-17".into()),
            description: Some("조영 복부 CT".into()),
            study_date: Some("2026-01-05".into()),
            study_time: Some("07:30:00".into()),
            study_id: Some("S-77".into()),
            referring_physician: Some("Park^Dr=朴^醫師".into()),
            modalities: "CT\\SR".into(),
            body_parts: "ABDOMEN\\복부".into(),
            contrast: 1,
            priority: 2,
            workflow: 0,
            stones: 3,
            series: "3\x1f2026-01-06\x1fST1\\ST2\x1fR9\x1fABDOMEN\x1f동맥기 1.0\x1e-4\x1f\x1f\x1f\x1f\x1fDose".into(),
        }
    }

    /// What the index answers for one study.
    fn holds(condition: &Condition) -> bool {
        holds_of(&study(), condition)
    }

    fn holds_of(study: &StudyText, condition: &Condition) -> bool {
        let marks = study.marks();
        let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
        fn met(condition: &Condition, marks: &[&str]) -> bool {
            match condition {
                Condition::Mark(mark) => match mark.strip_suffix('*') {
                    Some(prefix) => marks.iter().any(|known| known.starts_with(prefix)),
                    None => marks.contains(&mark.as_str()),
                },
                Condition::All(parts) => parts.iter().all(|part| met(part, marks)),
                Condition::Any(parts) => parts.iter().any(|part| met(part, marks)),
            }
        }
        met(condition, &marks)
    }

    #[test]
    fn a_piece_of_any_length_is_found_and_another_is_not() {
        for (text, expected) in
            [("홍", true), ("길동", true), ("홍길동", true), ("hong gil", true), ("김", false), ("동길", false)]
        {
            assert_eq!(holds(&named_fuzzily(Field::Name, text).unwrap()), expected, "{text}");
        }
        let whole = |text, at_start, at_end| holds(&named(Field::Name, Fragment { text, at_start, at_end }).unwrap());
        assert!(whole("홍^길동", true, true) && whole("hong^gil", true, false) && whole("^길동", false, true));
        assert!(!whole("홍^길", true, true) && !whole("길동", true, true));
        let piece =
            |text, at_start, at_end| holds(&holding(Field::PatientId, Fragment { text, at_start, at_end }).unwrap());
        assert!(
            piece("kr", true, false)
                && piece("01", false, true)
                && piece("KR0001", true, true)
                && piece("1", false, true)
        );
        assert!(!piece("R0", true, false) && !piece("KR000", true, true) && !piece("0", false, true));
        assert!(holding(Field::Name, Fragment { text: " ", at_start: false, at_end: false }).is_none());
    }

    #[test]
    fn a_study_has_the_marks_of_its_referrer_its_id_and_its_times() {
        let piece =
            |field, text, at_start, at_end| holds(&holding(field, Fragment { text, at_start, at_end }).unwrap());
        assert!(piece(Field::StudyId, "s-77", true, true) && !piece(Field::StudyId, "77", true, true));
        let of = |text, at_end| holds(&named(Field::Referrer, Fragment { text, at_start: true, at_end }).unwrap());
        assert!(of("park^", false) && of("朴^醫師", true) && !of("hong", false));
        assert!(piece(Field::Modality, "c", true, false) && piece(Field::Modality, "r", false, true));
        assert!(!piece(Field::Modality, "t", true, false));
        assert!(holds(&Calendar::BIRTH.between("19610101", "19611231")));
        assert!(!holds(&Calendar::STUDY.between("19610101", "19611231")));
        let minute = |minute: i64| holds(&clock::between(Some(minute * 60_000_000), Some(minute * 60_000_000)));
        assert!(minute(450) && !minute(449));
    }

    #[test]
    fn a_study_has_the_marks_of_its_series_and_one_for_those_beyond() {
        let piece = |study: &StudyText, field, text| {
            let fragment = Fragment { text, at_start: true, at_end: true };
            holds_of(study, &series_marks::of_series(field, fragment).unwrap())
        };
        let mut study = study();
        for (field, text, expected) in [
            (Field::SeriesDescription, "동맥기 1.0", true),
            (Field::SeriesDescription, "dose", true),
            (Field::SeriesDescription, "동맥기", false),
            (Field::BodyPart, "abdomen", true),
            (Field::Step, "st2", true),
            (Field::Step, "R9", false),
            (Field::Procedure, "R9", true),
        ] {
            assert_eq!(piece(&study, field, text), expected, "{field:?} {text}");
        }
        let number = |study: &StudyText, number| holds_of(study, &series_marks::numbered(number));
        assert!(number(&study, 3.0) && number(&study, -4.0) && !number(&study, 4.0) && !number(&study, 3.5));
        assert!(holds(&series_marks::performed("20260106", "20260106")));
        assert!(!holds(&series_marks::performed("20260105", "20260105")));
        // More series than PostgreSQL takes the marks of: any may be among them.
        study.series = (0..2000)
            .map(|number| format!("{number}\x1f\x1f\x1f\x1f\x1fdescription {number:07}"))
            .collect::<Vec<_>>()
            .join("\x1e");
        assert!(piece(&study, Field::SeriesDescription, "nobody") && number(&study, 5000.0));
        assert!(study.marks().join(" ").len() < 1_000_000);
        study.series = format!("1\x1f\x1f\x1f\x1f\x1f{}", "x".repeat(3000));
        assert!(piece(&study, Field::SeriesDescription, "nobody"));
    }

    #[test]
    fn modalities_sex_and_institution_are_marks() {
        assert!(holds(&of_modality("CT")) && holds(&of_modality("SR")) && !holds(&of_modality("C")));
        assert!(holds(&of_sex("M")) && !holds(&of_sex("F")));
        assert!(holds(&of_institutions(&[2, 1])) && !holds(&of_institutions(&[2])));
        assert!(holds(&of_body_part("abdomen")) && holds(&of_body_part("복부")) && !holds(&of_body_part("ABD")));
        assert!(holds(&of_contrast(1)) && !holds(&of_contrast(0)) && holds(&of_priority(2)) && !holds(&of_priority(0)));
        assert!(holds(&of_workflow(0)) && !holds(&of_workflow(2)) && holds(&of_stones(1)) && !holds(&of_stones(-1)));
    }
}
