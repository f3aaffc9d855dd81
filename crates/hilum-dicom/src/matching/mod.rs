//! The matching rules of queries (PS3.4 C.2.2.2), as pure functions: the DIMSE node, the catalogue and QIDO-RS follow the same
//! ones.
//!
//! A [`Key`] is read once from what is asked and then laid against values; its variants are public, so that a catalogue can turn
//! them into conditions of its own. A [`Query`] is a whole identifier, sequences included.

mod level;
mod pattern;
mod person_name;
mod query;
mod temporal;

use dicom_core::VR;

pub use level::Level;
pub use pattern::Pattern;
pub use person_name::{NameKey, fuzzy_words, name_matches_fuzzily, unified};
pub use query::{Query, QueryError, QueryOptions};
pub use temporal::{Range, TemporalError};

/// How one attribute is to match.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// Everything matches, absent and empty values too (C.2.2.2.3).
    Universal,
    /// The attribute is absent or has no value (C.2.2.2.8, two quotation marks; only where agreed).
    Empty,
    /// The value, exactly and case-sensitively (C.2.2.2.1). Several are alternatives: a list of UIDs (C.2.2.2.2) or
    /// multiple values (C.2.2.2.7).
    AnyOf(Vec<String>),
    /// A number, by its value: `1` is `01`. Several are alternatives.
    Number(Vec<f64>),
    /// `*` and `?` (C.2.2.2.4). Several are alternatives.
    Wildcard(Vec<Pattern>),
    /// A date, time or date and time, or a range of them (C.2.2.2.1, C.2.2.2.5).
    Range(Range),
    /// A person name (C.2.2.2.1.1). Several are alternatives.
    Name(Vec<NameKey>),
}

/// The value representations that may hold wild cards (C.2.2.2.4).
fn allows_wildcards(vr: VR) -> bool {
    matches!(vr, VR::AE | VR::CS | VR::LO | VR::LT | VR::SH | VR::ST | VR::UC | VR::UR | VR::UT)
}

impl Key {
    /// From the values of a key attribute. `local_offset` is in minutes east of UTC and stands for DT values without one.
    pub fn read(vr: VR, values: &[String], local_offset: i32) -> Result<Self, TemporalError> {
        let values: Vec<&str> = values.iter().map(|value| value.trim_matches([' ', '\0'])).collect();
        let said: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).collect();
        let Some(first) = said.first() else { return Ok(Self::Universal) };
        Ok(match vr {
            // Neither is a key of C.2.2.2.5; requestors mean any date by the one and by a range without ends.
            VR::DA | VR::TM | VR::DT if only_stars(first) || *first == "-" => Self::Universal,
            VR::DA | VR::TM | VR::DT => Self::Range(Range::read(vr, first, local_offset)?),
            VR::PN if said.iter().any(|value| only_stars(value)) => Self::Universal,
            VR::PN => Self::Name(said.iter().map(|value| NameKey::read(value)).collect()),
            vr if allows_wildcards(vr) && said.iter().any(|value| only_stars(value)) => Self::Universal,
            vr if allows_wildcards(vr) && said.iter().any(|value| value.contains(['*', '?'])) => {
                Self::Wildcard(said.iter().map(|value| Pattern::new(value)).collect())
            }
            VR::IS | VR::DS | VR::US | VR::SS | VR::UL | VR::SL | VR::UV | VR::SV | VR::FL | VR::FD => {
                match said.iter().map(|value| value.parse().ok()).collect::<Option<Vec<f64>>>() {
                    Some(numbers) => Self::Number(numbers),
                    None => Self::AnyOf(said.into_iter().map(str::to_owned).collect()),
                }
            }
            _ => Self::AnyOf(said.into_iter().map(str::to_owned).collect()),
        })
    }

    /// Whether the values of an entity's attribute match: one of several is enough (C.2.2.2). An absent attribute has no
    /// values.
    pub fn matches(&self, values: &[String]) -> bool {
        let mut values = values.iter().map(|value| value.trim_matches([' ', '\0'])).filter(|value| !value.is_empty());
        match self {
            Self::Universal => true,
            Self::Empty => values.next().is_none(),
            Self::AnyOf(wanted) => values.any(|value| wanted.iter().any(|wanted| wanted == value)),
            Self::Number(wanted) => values.any(|value| value.parse::<f64>().is_ok_and(|value| wanted.contains(&value))),
            Self::Wildcard(patterns) => values.any(|value| patterns.iter().any(|pattern| pattern.matches(value))),
            Self::Range(range) => values.any(|value| range.contains(value)),
            Self::Name(names) => values.any(|value| names.iter().any(|name| name.matches(value))),
        }
    }
}

fn only_stars(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(vr: VR, key: &str, value: &str) -> bool {
        let split = |text: &str| text.split('\\').map(str::to_owned).collect::<Vec<_>>();
        Key::read(vr, &split(key), 0).expect("a legal key").matches(&split(value))
    }

    #[test]
    fn an_empty_key_and_a_star_match_even_what_is_absent() {
        for key in ["", "*", "**"] {
            let key = Key::read(VR::LO, &[key.to_owned()], 0).unwrap();
            assert_eq!(key, Key::Universal);
            assert!(key.matches(&[]));
        }
        assert!(!Key::read(VR::LO, &["?*".to_owned()], 0).unwrap().matches(&[]));
    }

    #[test]
    fn a_date_or_time_of_a_star_or_a_hyphen_alone_is_any_and_of_none() {
        for vr in [VR::DA, VR::TM, VR::DT] {
            for key in ["*", "**", "-", " - ", "* "] {
                assert_eq!(Key::read(vr, &[key.to_owned()], 0), Ok(Key::Universal), "{vr} {key}");
            }
            for key in ["--", "2026*", "*-", "?"] {
                assert_eq!(Key::read(vr, &[key.to_owned()], 0), Err(TemporalError { vr }), "{vr} {key}");
            }
        }
    }

    #[test]
    fn a_single_value_is_exact_and_case_sensitive() {
        assert!(matches(VR::LO, "KR0001", "KR0001 "));
        assert!(!matches(VR::LO, "KR0001", "kr0001"));
        assert!(!matches(VR::LO, "KR0001", "KR00010"));
        assert!(matches(VR::CS, "CT", "MR\\CT"));
        assert!(matches(VR::CS, "CT\\MR", "MR"));
        assert!(!matches(VR::CS, "CT\\MR", "US"));
    }

    #[test]
    fn a_list_of_uids_is_a_list_of_alternatives_and_has_no_wildcards() {
        assert!(matches(VR::UI, "1.2.3\\1.2.4", "1.2.4"));
        assert!(!matches(VR::UI, "1.2.3\\1.2.4", "1.2.5"));
        assert!(!matches(VR::UI, "1.2.*", "1.2.3"));
    }

    #[test]
    fn wildcards_count_characters_and_not_bytes() {
        for (key, value, expected) in [
            ("ABDOMEN*", "ABDOMEN CT", true),
            ("*CT", "ABDOMEN CT", true),
            ("A?C", "ABC", true),
            ("A?C", "AC", false),
            ("A*C", "AC", true),
            ("*복부*", "조영 복부 CT", true),
            ("복?", "복부", true),
            ("복?", "복부골반", false),
            ("abdomen*", "ABDOMEN", false),
            ("*a*b*c*", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxxcx", false),
        ] {
            assert_eq!(matches(VR::LO, key, value), expected, "{key} on {value}");
        }
        // Dates and numbers have no wildcards (C.2.2.2.4).
        assert!(!matches(VR::IS, "1*", "10"));
    }

    #[test]
    fn numbers_match_by_value() {
        assert!(matches(VR::IS, "1", "01"));
        assert!(matches(VR::DS, "1.50", "1.5"));
        assert!(!matches(VR::IS, "1", "10"));
        assert!(matches(VR::US, "512", "512"));
    }
}
