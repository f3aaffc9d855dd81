//! Person names (PS3.5 6.2.1): up to three component groups.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A person name in up to three component groups, each `family^given^middle^prefix^suffix` in UTF-8.
///
/// `Debug` hides the name, so that it cannot reach a log by accident; `Display` gives the DICOM form `A=I=P`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PersonName {
    /// First group: single-byte characters (alphabetic). Many senders put the native script here.
    pub alphabetic: String,
    /// Second group: ideographic (Hanja, Kanji, Hanzi; also Hangul in practice).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ideographic: Option<String>,
    /// Third group: phonetic (Hangul, Hiragana, Katakana).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phonetic: Option<String>,
}

impl PersonName {
    /// From one decoded value `A=I=P`. What follows a third `=` stays with the phonetic group: nothing is lost.
    pub fn from_groups(text: &str) -> Self {
        let [alphabetic, ideographic, phonetic] = Self::groups(text);
        let group = |group: &str| Some(group.to_owned()).filter(|group| !group.is_empty());
        Self { alphabetic: alphabetic.to_owned(), ideographic: group(ideographic), phonetic: group(phonetic) }
    }

    /// The groups of such a value as they stand in it, without the padding at their ends; empty where there is none.
    pub(crate) fn groups(text: &str) -> [&str; 3] {
        let mut groups = text.splitn(3, '=').map(|group| group.trim_end_matches([' ', '\0']));
        std::array::from_fn(|_| groups.next().unwrap_or_default())
    }

    /// Whether no group says anything.
    pub fn is_empty(&self) -> bool {
        self.alphabetic.is_empty() && self.ideographic.is_none() && self.phonetic.is_none()
    }

    /// For reading by people: `family^given` as `family given`, empty components left out; the alphabetic group, or the
    /// first group that says something.
    pub fn readable(&self) -> String {
        let group = if self.alphabetic.is_empty() {
            self.ideographic.as_deref().or(self.phonetic.as_deref()).unwrap_or_default()
        } else {
            &self.alphabetic
        };
        group.split('^').map(str::trim).filter(|c| !c.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.alphabetic)?;
        match (&self.ideographic, &self.phonetic) {
            (None, None) => Ok(()),
            (Some(ideographic), None) => write!(f, "={ideographic}"),
            (ideographic, Some(phonetic)) => write!(f, "={}={phonetic}", ideographic.as_deref().unwrap_or_default()),
        }
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_apart_and_go_back() {
        for text in ["Hong^Gildong", "Hong^Gildong=洪^吉洞=홍^길동", "=山田^太郎", "Yamada==やまだ", ""] {
            assert_eq!(PersonName::from_groups(text).to_string(), text);
        }
        assert_eq!(PersonName::from_groups("A==").to_string(), "A");
        assert_eq!(PersonName::from_groups("A=B=C=D").phonetic.as_deref(), Some("C=D"));
    }

    #[test]
    fn a_name_never_shows_in_debug_output() {
        assert_eq!(format!("{:?}", PersonName::from_groups("Hong^Gildong")), "PersonName(hidden)");
    }

    #[test]
    fn a_readable_name_leaves_out_empty_components() {
        assert_eq!(PersonName::from_groups("Hong^Gildong^^Dr=洪").readable(), "Hong Gildong Dr");
        assert_eq!(PersonName::from_groups("=洪^吉洞").readable(), "洪 吉洞");
    }
}
