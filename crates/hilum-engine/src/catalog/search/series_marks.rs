//! What the index of words holds of a study's series: marks at the study, so that one index answers keys of either level together.
//!
//! A study of very many series would have more marks than PostgreSQL takes; beyond a length it has one mark in place of the rest,
//! which every question for a series meets.

use super::answer::{COLUMN_END, ROW_END};
use super::dates::Calendar;
use super::text::{Condition, Field, Fragment, MOST_UNITS, fold, holding, push_pieces};
use std::collections::HashSet;

/// Characters of all series of a study that are marked.
const MOST_OF_STUDY: usize = 8192;
/// The rest of a study's series may say anything.
const BEYOND: &str = "ux";

/// The marks of the series that [`super::text::SELECT`] told.
pub(super) fn push(marks: &mut Vec<String>, series: &str) {
    let mut left = MOST_OF_STUDY;
    let mut seen = HashSet::new();
    for series in series.split(ROW_END).filter(|series| !series.is_empty()) {
        let columns: Vec<&str> = series.split(COLUMN_END).collect();
        let &[number, performed, steps, procedures, body_part, description] = columns.as_slice() else {
            // Never: dividers are taken out of texts.
            marks.push(BEYOND.to_owned());
            continue;
        };
        if !number.is_empty() && left > 0 {
            left -= 1;
            marks.push(number_mark(number));
        } else if !number.is_empty() {
            marks.push(BEYOND.to_owned());
        }
        // Dates are few: those of a study differ by a day or two.
        Calendar::PERFORMED.push(marks, Some(performed));
        let several = |field, texts: &'_ str| texts.split('\\').map(|text| (field, fold(text))).collect::<Vec<_>>();
        let mut texts = several(Field::Step, steps);
        texts.extend(several(Field::Procedure, procedures));
        texts.extend([(Field::BodyPart, fold(body_part)), (Field::SeriesDescription, fold(description))]);
        for (field, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            if seen.contains(&(field, text.clone())) {
                continue;
            }
            let units = text.encode_utf16().count();
            match left.checked_sub(units).filter(|_| units <= MOST_UNITS) {
                Some(rest) => {
                    left = rest;
                    push_pieces(marks, field, &text);
                    seen.insert((field, text));
                }
                None => marks.push(BEYOND.to_owned()),
            }
        }
    }
}

/// Studies with a series of this number. A number that is no whole one no series has.
pub(super) fn numbered(number: f64) -> Condition {
    let whole = number.fract() == 0.0 && number.abs() < 9e15;
    let text = if whole { (number as i64).to_string() } else { String::new() };
    or_beyond(Condition::Mark(number_mark(&text)))
}

/// Studies with a series that was performed on such a date.
pub(super) fn performed(first: &str, last: &str) -> Condition {
    Calendar::PERFORMED.between(first, last)
}

/// Studies with a series whose field may hold the fragment.
pub(super) fn of_series(field: Field, fragment: Fragment<'_>) -> Option<Condition> {
    holding(field, fragment).map(or_beyond)
}

/// A text that is asked for, as [`push`] has it.
pub(super) fn asked(field: Field, value: &str) -> String {
    let value = value.replace([ROW_END, COLUMN_END], " ");
    if field == Field::BodyPart { crate::catalog::work::body_part(&value) } else { value }
}

fn or_beyond(condition: Condition) -> Condition {
    match condition {
        // Each part by itself: GIN goes on by the parts of a conjunction.
        Condition::All(parts) => Condition::All(parts.into_iter().map(or_beyond).collect()),
        other => Condition::Any(vec![other, Condition::Mark(BEYOND.to_owned())]),
    }
}

fn number_mark(number: &str) -> String {
    match number.strip_prefix('-') {
        Some(number) => format!("un{number}"),
        None => format!("us{number}"),
    }
}
