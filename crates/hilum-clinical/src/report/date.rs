//! A calendar date, and ages.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A calendar date of the Gregorian calendar, written `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A text that is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date; expected YYYY-MM-DD")]
pub struct NotADate;

impl Date {
    /// A date that exists.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return None,
        };
        (1..=days).contains(&day).then_some(Self { year, month, day })
    }

    /// From a DICOM DA value, `YYYYMMDD`, or `YYYY.MM.DD` of old (PS3.5 6.2); `None` when it is no date.
    pub fn from_dicom(value: &str) -> Option<Self> {
        let digits: String = value.trim_matches([' ', '\0']).chars().filter(|c| *c != '.').collect();
        if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Self::new(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?)
    }

    /// Full years from this date to `later`; `None` when it lies before.
    pub fn full_years_until(self, later: Self) -> Option<u32> {
        let before_birthday = (later.month, later.day) < (self.month, self.day);
        u32::from(later.year).checked_sub(u32::from(self.year))?.checked_sub(u32::from(before_birthday))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let mut parts = text.split('-');
        let (Some(y), Some(m), Some(d), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(NotADate);
        };
        if (y.len(), m.len(), d.len()) != (4, 2, 2) {
            return Err(NotADate);
        }
        let number = |s: &str| s.parse::<u16>().map_err(|_| NotADate);
        let small = |s: &str| s.parse::<u8>().map_err(|_| NotADate);
        Self::new(number(y)?, small(m)?, small(d)?).ok_or(NotADate)
    }
}

impl TryFrom<String> for Date {
    type Error = NotADate;

    fn try_from(text: String) -> Result<Self, NotADate> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dicom_date_is_read_and_an_impossible_one_is_not() {
        assert_eq!(Date::from_dicom("19570131").map(|d| d.to_string()).as_deref(), Some("1957-01-31"));
        assert_eq!(Date::from_dicom("1957.01.31 "), Date::new(1957, 1, 31));
        for bad in ["", "1957", "19570231", "19571301", "2023-01-01", "1957013一"] {
            assert_eq!(Date::from_dicom(bad), None, "{bad}");
        }
        assert!(Date::new(2000, 2, 29).is_some() && Date::new(1900, 2, 29).is_none());
    }

    #[test]
    fn an_age_is_counted_in_full_years_up_to_the_birthday() {
        let birth = Date::from_dicom("19800229").expect("a leap day");
        let years = |text| Date::from_dicom(text).and_then(|later| birth.full_years_until(later));
        assert_eq!(years("20230228"), Some(42));
        assert_eq!(years("20230301"), Some(43));
        assert_eq!(years("19800229"), Some(0));
        assert_eq!(years("19800228"), None);
    }
}
