//! The search field of the study list: words, each somewhere in a name, ID, description, accession number, date or modality.

use super::dates::Calendar;
use super::text::{self, Condition, Field, Fragment, fold};
use hilum_dicom::matching::fuzzy_words;

/// What a person typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::catalog) struct Words(Vec<String>);

/// The texts of a study, as they are shown.
pub(in crate::catalog) struct Shown<'a> {
    pub(in crate::catalog) names: [Option<&'a str>; 3],
    pub(in crate::catalog) texts: [Option<&'a str>; 3],
    pub(in crate::catalog) study_date: Option<&'a str>,
    /// Joined by backslashes.
    pub(in crate::catalog) modalities: &'a str,
}

impl Words {
    pub(in crate::catalog) fn read(typed: &str) -> Self {
        Self(typed.split_whitespace().map(str::to_owned).collect())
    }

    /// `None` when nothing was typed.
    pub(in crate::catalog) fn condition(&self) -> Option<Condition> {
        let words: Vec<Condition> = self.0.iter().map(|word| anywhere(word)).collect();
        (!words.is_empty()).then_some(Condition::All(words))
    }

    /// The whole text, when it is nothing but a UID.
    pub(in crate::catalog) fn uid(&self) -> Option<&str> {
        let [word] = self.0.as_slice() else { return None };
        let uid = word.len() >= 8 && word.contains('.') && word.bytes().all(|b| b == b'.' || b.is_ascii_digit());
        uid.then_some(word.as_str())
    }

    /// Whether every word stands somewhere: the index knows pieces, this knows the text.
    pub(in crate::catalog) fn are_in(&self, shown: &Shown<'_>) -> bool {
        let names: Vec<String> = shown.names.iter().flatten().map(|name| fuzzy_words(name).concat()).collect();
        let texts: Vec<String> = shown.texts.iter().flatten().map(|text| fold(text)).collect();
        let date: String = shown.study_date.unwrap_or_default().replace('-', "");
        self.0.iter().all(|word| {
            let folded = fold(word);
            let parts = fuzzy_words(word);
            let named = !parts.is_empty() && names.iter().any(|name| parts.iter().all(|part| name.contains(part)));
            let taken = shown.modalities.split('\\').any(|modality| !modality.is_empty() && fold(modality) == folded);
            named
                || taken
                || texts.iter().any(|text| text.contains(&folded))
                || date_digits(word).is_some_and(|d| date.starts_with(&d))
        })
    }
}

/// Whether the words of a name all stand in one group of a study's names.
pub(in crate::catalog) fn is_named(shown: &Shown<'_>, name: &str) -> bool {
    let parts = fuzzy_words(name);
    let mut groups = shown.names.iter().flatten().map(|group| fuzzy_words(group).concat());
    groups.any(|group| parts.iter().all(|part| group.contains(part)))
}

fn anywhere(word: &str) -> Condition {
    let fields = [Field::PatientId, Field::Accession, Field::Description];
    let fragment = Fragment { text: word, at_start: false, at_end: false };
    let mut places: Vec<Condition> = fields.into_iter().filter_map(|field| text::holding(field, fragment)).collect();
    places.extend(text::named_fuzzily(Field::Name, word));
    places.push(text::of_modality(word));
    places.extend(
        date_digits(word).map(|digits| Calendar::STUDY.between(&format!("{digits:0<8}"), &format!("{digits:9<8}"))),
    );
    Condition::Any(places)
}

/// `2026`, `2026-01` and `2026-01-05`, with or without hyphens, as digits.
fn date_digits(word: &str) -> Option<String> {
    let digits: String = word.chars().filter(|c| *c != '-').collect();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    (plain && matches!(digits.len(), 4 | 6 | 8) && matches!(digits.get(..2), Some("19" | "20"))).then_some(digits)
}
