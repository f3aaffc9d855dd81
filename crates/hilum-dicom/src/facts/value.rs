//! Values from bytes: text in UTF-8, numbers, dates. Absent, empty and unreadable are `None`; unreadable is noted besides.

use std::cell::RefCell;
use std::str::FromStr;

use dicom_core::{Tag, VR};
use time::{Date, Month, Time};

use super::types::{Attribute, FactFinding, FactProblem};
use crate::charset::{PersonName, SpecificCharacterSet, TextFinding, decode, decode_person_names, decode_values};
use crate::header::{Element, Encoding, HeaderError, Instance, Item, dictionary_vr};
use crate::uid::UidError;

/// NUL pads UIDs and stands in no other text (PS3.5 6.1.3); not every database can keep one.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

/// What is noted while values are read.
pub(super) type Findings = RefCell<Vec<FactFinding>>;

const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);

enum Level<'a> {
    Top(&'a Instance<'a>),
    Item(Item),
}

/// One data set (the instance's or an item's) with the character set that governs it (PS3.5 7.5.3: an item inherits it).
pub(super) struct DataSet<'a> {
    bytes: &'a [u8],
    level: Level<'a>,
    character_set: SpecificCharacterSet,
    findings: &'a Findings,
}

impl<'a> DataSet<'a> {
    pub(super) fn of(instance: &'a Instance<'a>, findings: &'a Findings) -> Self {
        let character_set = SpecificCharacterSet::default();
        let mut data_set = Self { bytes: instance.bytes(), level: Level::Top(instance), character_set, findings };
        data_set.read_character_set();
        data_set
    }

    fn read_character_set(&mut self) {
        if let Some((value, _)) = self.value(SPECIFIC_CHARACTER_SET) {
            let (character_set, findings) = SpecificCharacterSet::parse(value);
            self.note_text(SPECIFIC_CHARACTER_SET, &findings);
            self.character_set = character_set;
        }
    }

    fn element(&self, tag: Tag) -> Option<&Element> {
        match &self.level {
            Level::Top(instance) => instance.header().element(tag),
            Level::Item(item) => item.element(tag),
        }
    }

    fn encoding(&self) -> Encoding {
        match &self.level {
            Level::Top(instance) => instance.header().encoding,
            Level::Item(item) => item.encoding,
        }
    }

    fn note(&self, tag: Tag, problem: FactProblem) {
        let finding = FactFinding { attribute: Attribute::from(tag), problem };
        let mut findings = self.findings.borrow_mut();
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }

    fn note_text(&self, tag: Tag, findings: &[TextFinding]) {
        for finding in findings {
            self.note(tag, FactProblem::Text(*finding));
        }
    }

    /// `None`, noted as unreadable.
    pub(super) fn unreadable<T>(&self, tag: Tag) -> Option<T> {
        self.note(tag, FactProblem::Unreadable);
        None
    }

    /// Whether the attribute was noted as unreadable.
    pub(super) fn is_noted(&self, tag: Tag) -> bool {
        let finding = FactFinding { attribute: Attribute::from(tag), problem: FactProblem::Unreadable };
        self.findings.borrow().contains(&finding)
    }

    /// The raw value and its VR: the dictionary's where the data say UN.
    fn value(&self, tag: Tag) -> Option<(&'a [u8], VR)> {
        let element = self.element(tag)?;
        let vr = if element.vr == VR::UN { dictionary_vr(tag) } else { element.vr };
        let value = element.value.of(self.bytes);
        (!value.is_empty()).then_some((value, vr))
    }

    /// The items of a sequence; an unreadable sequence is noted and has none.
    pub(super) fn items(&self, tag: Tag) -> Vec<DataSet<'a>> {
        let Some(sequence) = self.element(tag) else { return Vec::new() };
        let items: Result<Vec<Item>, HeaderError> = match &self.level {
            Level::Top(instance) => instance.header().items(self.bytes, sequence),
            Level::Item(item) => item.items(self.bytes, sequence),
        };
        match items {
            Ok(items) => items.into_iter().map(|item| self.item(item)).collect(),
            Err(_) => self.unreadable(tag).unwrap_or_default(),
        }
    }

    fn item(&self, item: Item) -> DataSet<'a> {
        let character_set = self.character_set.clone();
        let mut data_set =
            DataSet { bytes: self.bytes, level: Level::Item(item), character_set, findings: self.findings };
        data_set.read_character_set();
        data_set
    }

    /// All values of a text, joined by backslashes as they came.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        let (value, vr) = self.value(tag)?;
        let decoded = decode(value, &self.character_set, vr);
        self.note_text(tag, &decoded.findings);
        let text = without_nul(decoded.text);
        let text = text.trim_start_matches(' ');
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A text that identifies. The standard allows 64 characters (PS3.5 table 6.2-1); one that is so long that no index takes it is
    /// unreadable.
    pub(super) fn key(&self, tag: Tag) -> Option<String> {
        const LONGEST: usize = 512;
        let text = self.text(tag)?;
        if text.len() <= LONGEST { Some(text) } else { self.unreadable(tag) }
    }

    pub(super) fn texts(&self, tag: Tag) -> Vec<String> {
        let Some((value, vr)) = self.value(tag) else { return Vec::new() };
        let (values, findings) = decode_values(value, &self.character_set, vr);
        self.note_text(tag, &findings);
        values.into_iter().map(without_nul).collect()
    }

    /// The first name of the attribute; an empty one where it says nothing.
    pub(super) fn name(&self, tag: Tag) -> PersonName {
        let Some((value, _)) = self.value(tag) else { return PersonName::default() };
        let (names, findings) = decode_person_names(value, &self.character_set);
        self.note_text(tag, &findings);
        let name = names.into_iter().next().unwrap_or_default();
        PersonName {
            alphabetic: without_nul(name.alphabetic),
            ideographic: name.ideographic.map(without_nul),
            phonetic: name.phonetic.map(without_nul),
        }
    }

    pub(super) fn uid<T: FromStr<Err = UidError>>(&self, tag: Tag) -> Option<Result<T, UidError>> {
        let (value, _) = self.value(tag)?;
        match String::from_utf8_lossy(value).parse() {
            Err(UidError::Empty) => None,
            read => Some(read),
        }
    }

    /// The numbers of an attribute, whether text (DS, IS) or binary; `None` where absent, empty or unreadable.
    pub(super) fn numbers(&self, tag: Tag) -> Option<Vec<f64>> {
        let (value, vr) = self.value(tag)?;
        match numbers(value, vr, self.encoding().big_endian) {
            Some(numbers) if numbers.is_empty() => None,
            Some(numbers) => Some(numbers),
            None => self.unreadable(tag),
        }
    }

    /// The first number of an attribute.
    pub(super) fn number(&self, tag: Tag) -> Option<f64> {
        self.numbers(tag)?.first().copied()
    }

    /// Exactly `N` numbers.
    pub(super) fn vector<const N: usize>(&self, tag: Tag) -> Option<[f64; N]> {
        match self.numbers(tag)?.try_into() {
            Ok(vector) => Some(vector),
            Err(_) => self.unreadable(tag),
        }
    }

    /// The first number, which must be whole and fit.
    pub(super) fn whole<T: TryFrom<i64>>(&self, tag: Tag) -> Option<T> {
        let number = self.number(tag)?;
        let whole = (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
        match whole.and_then(|n| T::try_from(n).ok()) {
            Some(whole) => Some(whole),
            None => self.unreadable(tag),
        }
    }

    /// "US or SS" of the sign that Pixel Representation gives.
    pub(super) fn sample(&self, tag: Tag, signed: bool) -> Option<i32> {
        let (value, vr) = self.value(tag)?;
        let vr = match vr {
            VR::US | VR::SS if signed => VR::SS,
            VR::US | VR::SS => VR::US,
            other => other,
        };
        match numbers(value, vr, self.encoding().big_endian)?.first() {
            Some(&number) => Some(number as i32),
            None => self.unreadable(tag),
        }
    }

    pub(super) fn date(&self, tag: Tag) -> Option<Date> {
        let text = self.first_ascii(tag)?;
        date(&text).or_else(|| self.unreadable(tag))
    }

    pub(super) fn time(&self, tag: Tag) -> Option<Time> {
        let text = self.first_ascii(tag)?;
        time(&text).or_else(|| self.unreadable(tag))
    }

    fn first_ascii(&self, tag: Tag) -> Option<String> {
        let (value, _) = self.value(tag)?;
        let text = String::from_utf8_lossy(value);
        let first = text.split('\\').next().unwrap_or_default().trim_matches([' ', '\0']);
        (!first.is_empty()).then(|| first.to_owned())
    }
}

/// The numbers of a value; `None` where they are not of the VR's form. Empty values among several are left out.
fn numbers(value: &[u8], vr: VR, big_endian: bool) -> Option<Vec<f64>> {
    fn all<const N: usize>(value: &[u8], big_endian: bool, number: fn([u8; N]) -> f64) -> Option<Vec<f64>> {
        let (chunks, rest) = value.as_chunks::<N>();
        let numbers = chunks.iter().map(|chunk| {
            let mut chunk = *chunk;
            if big_endian {
                chunk.reverse();
            }
            number(chunk)
        });
        rest.is_empty().then(|| numbers.collect())
    }
    match vr {
        VR::US | VR::OW => all(value, big_endian, |b| u16::from_le_bytes(b).into()),
        VR::SS => all(value, big_endian, |b| i16::from_le_bytes(b).into()),
        VR::UL => all(value, big_endian, |b| u32::from_le_bytes(b).into()),
        VR::SL => all(value, big_endian, |b| i32::from_le_bytes(b).into()),
        VR::FL => all(value, big_endian, |b| f32::from_le_bytes(b).into()).filter(|n| n.iter().all(|v| v.is_finite())),
        VR::FD => all(value, big_endian, f64::from_le_bytes).filter(|n| n.iter().all(|v| v.is_finite())),
        _ => {
            let text = std::str::from_utf8(value).ok()?;
            text.split('\\').map(|v| v.trim_matches([' ', '\0'])).filter(|v| !v.is_empty()).map(decimal).collect()
        }
    }
}

/// A Decimal or Integer String (PS3.5 6.2), of any length.
fn decimal(text: &str) -> Option<f64> {
    // Rust also reads "inf" and "NaN", which are no Decimal Strings.
    let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse::<f64>().ok().filter(|v| digits && v.is_finite())
}

/// `YYYYMMDD`, and with the dots or hyphens of older writers.
fn date(text: &str) -> Option<Date> {
    let digits: Vec<u8> = text.bytes().filter(|b| !matches!(b, b'.' | b'-')).collect();
    let number = |range: std::ops::Range<usize>| std::str::from_utf8(digits.get(range)?).ok()?.parse::<u16>().ok();
    if digits.len() != 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let month = Month::try_from(number(4..6)? as u8).ok()?;
    Date::from_calendar_date(i32::from(number(0..4)?), month, number(6..8)? as u8).ok()
}

/// `HH`, `HHMM`, `HHMMSS`, `HHMMSS.F` to `.FFFFFF`, and with the colons of older writers. A leap second counts as second 59.
fn time(text: &str) -> Option<Time> {
    let text: String = text.chars().filter(|&c| c != ':').collect();
    let (clock, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(clock) || !all_digits(fraction) || !matches!(clock.len(), 2 | 4 | 6) || fraction.len() > 9 {
        return None;
    }
    let number = |range| clock.get(range).map_or(Some(0), |t: &str| t.parse::<u8>().ok());
    let nanoseconds = format!("{fraction:0<9}").parse::<u32>().ok()?;
    Time::from_hms_nano(number(0..2)?, number(2..4)?, number(4..6)?.min(59), nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::{date as d, time as t};

    use super::*;

    #[test]
    fn numbers_in_text_are_read_with_their_padding_and_nothing_else_is() {
        assert_eq!(numbers(b" 0.78125\\+1e-1 ", VR::DS, false), Some(vec![0.78125, 0.1]));
        assert_eq!(numbers(b"-1024\0", VR::IS, false), Some(vec![-1024.0]));
        for text in ["1,5", "inf", "NaN", "0x10", "12mm"] {
            assert_eq!(numbers(text.as_bytes(), VR::DS, false), None, "{text}");
        }
        assert_eq!(numbers(&[0x30, 0xF8], VR::SS, false), Some(vec![-2000.0]));
        assert_eq!(numbers(&[0xF8, 0x30], VR::SS, true), Some(vec![-2000.0]));
        assert_eq!(numbers(&[1, 2, 3], VR::US, false), None);
    }

    #[test]
    fn dates_and_times_of_all_editions_are_read() {
        assert_eq!(date("20260228"), Some(d!(2026 - 02 - 28)));
        assert_eq!(date("1993.08.22"), Some(d!(1993 - 08 - 22)));
        assert_eq!(time("10"), Some(t!(10:00)));
        assert_eq!(time("070907.0705"), Some(t!(7:09:07.070500)));
        assert_eq!(time("23:59:60"), Some(t!(23:59:59)));
        for (text, is_date) in [("20260230", true), ("2026", true), ("0000000a", true), ("2400", false), ("1", false)] {
            assert!(if is_date { date(text).is_none() } else { time(text).is_none() }, "{text}");
        }
    }
}
