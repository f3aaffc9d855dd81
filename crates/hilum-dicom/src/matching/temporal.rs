//! Dates, times, and both together (PS3.4 C.2.2.2.1, C.2.2.2.5), matched by what they mean and not by how they are written.

use dicom_core::VR;
use time::{Date, Month};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

/// A key that is no date, time or range of them. Says what was due, never what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is no {vr} value and no range of them (PS3.4 C.2.2.2.5)")]
pub struct TemporalError {
    /// DA, TM or DT.
    pub vr: VR,
}

/// A range of dates (DA), times of day (TM), or both (DT), ends included; a single value is a range as wide as its precision.
///
/// Ends are microseconds: of the day for TM, since 1970 for DA and DT, and in UTC for DT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    vr: VR,
    local_offset: i32,
    /// First microsecond that matches; open when `None`.
    pub first: Option<i64>,
    /// Last microsecond that matches; open when `None`.
    pub last: Option<i64>,
}

impl Range {
    /// From a key: `v`, `v-`, `-v` or `v-w`.
    pub fn read(vr: VR, text: &str, local_offset: i32) -> Result<Self, TemporalError> {
        let error = TemporalError { vr };
        let text = text.trim_matches([' ', '\0']);
        let ends = |first: Option<i64>, last: Option<i64>| Self { vr, local_offset, first, last };
        let read = |text: &str| interval(vr, text.trim_matches(' '), local_offset);
        let hyphen = text.match_indices('-').map(|(at, _)| at).find(|at| vr != VR::DT || !is_offset(text, *at));
        let Some(at) = hyphen else {
            let (first, last) = read(text).ok_or(error)?;
            return Ok(ends(Some(first), Some(last)));
        };
        match (text[..at].trim(), text[at + 1..].trim()) {
            ("", "") => Err(error),
            ("", after) => Ok(ends(None, Some(read(after).ok_or(error)?.1))),
            (before, "") => Ok(ends(Some(read(before).ok_or(error)?.0), None)),
            (before, after) => Ok(ends(Some(read(before).ok_or(error)?.0), Some(read(after).ok_or(error)?.1))),
        }
    }

    /// One range from a range of dates and one of times: from the first time of the first day to the last time of the last
    /// day (combined date-time matching, PS3.4 C.2.2.2.5.4). An open side of either stays open on the whole day.
    pub fn combined(dates: &Self, times: &Self) -> Self {
        Self {
            vr: VR::DT,
            local_offset: 0,
            first: dates.first.map(|day| day + times.first.unwrap_or(0)),
            last: dates.last.map(|day| day - (DAY - 1) + times.last.unwrap_or(DAY - 1)),
        }
    }

    /// Whether a value of the same value representation lies within; text that is none does not.
    pub fn contains(&self, value: &str) -> bool {
        interval(self.vr, value.trim_matches([' ', '\0']), self.local_offset)
            .is_some_and(|(at, _)| self.contains_instant(at))
    }

    /// Whether a date and a time together lie within, for a range made by [`Range::combined`]. Without a time, the day begins.
    pub fn contains_date_time(&self, date: &str, time: &str) -> bool {
        let day = interval(VR::DA, date.trim_matches([' ', '\0']), 0);
        let clock = interval(VR::TM, time.trim_matches([' ', '\0']), 0).map_or(0, |(at, _)| at);
        day.is_some_and(|(day, _)| self.contains_instant(day + clock))
    }

    fn contains_instant(&self, at: i64) -> bool {
        let after = self.first.is_none_or(|first| first <= at);
        let before = self.last.is_none_or(|last| at <= last);
        match (self.vr, self.first, self.last) {
            // A range of times that begins later than it ends goes over midnight.
            (VR::TM, Some(first), Some(last)) if first > last => after || before,
            _ => after && before,
        }
    }
}

/// In a DT, a hyphen with four digits behind it that are a legal offset west of UTC and end the component (PS3.5 6.2). What could
/// be a year (1300 and later) is the end of a range.
fn is_offset(text: &str, at: usize) -> bool {
    let after = &text[at + 1..];
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let ends = matches!(after.as_bytes().get(digits), None | Some(b'-' | b' '));
    let legal = after.get(..4).and_then(|zone| zone.parse::<u16>().ok()).is_some_and(|z| z <= 1200 && z % 100 < 60);
    at > 0 && digits == 4 && ends && legal && text[..at].bytes().any(|byte| byte.is_ascii_digit())
}

/// First and last microsecond that a value means.
fn interval(vr: VR, text: &str, local_offset: i32) -> Option<(i64, i64)> {
    match vr {
        VR::DA => {
            let digits: String = text.chars().filter(|c| *c != '.').collect();
            date(&digits)
        }
        VR::TM => time_of_day(&text.chars().filter(|c| *c != ':').collect::<String>()),
        VR::DT => date_time(text, local_offset),
        _ => None,
    }
}

/// `YYYY`, `YYYYMM` or `YYYYMMDD`.
fn date(digits: &str) -> Option<(i64, i64)> {
    if !matches!(digits.len(), 4 | 6 | 8) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year: i32 = digits[..4].parse().ok()?;
    let part = |range: std::ops::Range<usize>| digits.get(range).map(str::parse::<u8>);
    let month = part(4..6).transpose().ok()?;
    let day = part(6..8).transpose().ok()?;
    let at = |year, month: u8, day| {
        let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
        Some(i64::from(date.to_julian_day() - UNIX_EPOCH_JULIAN) * DAY)
    };
    let first = at(year, month.unwrap_or(1), day.unwrap_or(1))?;
    let after = match (month, day) {
        (Some(_), Some(_)) => first + DAY,
        (Some(month), None) if month < 12 => at(year, month + 1, 1)?,
        _ => at(year.checked_add(1).filter(|year| *year <= 9999)?, 1, 1)?,
    };
    Some((first, after - 1))
}

/// Julian day of 1970-01-01.
const UNIX_EPOCH_JULIAN: i32 = 2_440_588;

/// `HH`, `HHMM`, `HHMMSS` or `HHMMSS.F` to six places; a leap second counts as second 59.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(clock, fraction)| (clock, Some(fraction)));
    if !matches!(clock.len(), 2 | 4 | 6) || !clock.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| clock.get(range).map(str::parse::<i64>).transpose().ok();
    let (hour, minute, second) = (part(0..2)??, part(2..4)?, part(4..6)?);
    if hour > 23 || minute.is_some_and(|m| m > 59) || second.is_some_and(|s| s > 60) {
        return None;
    }
    let start = hour * 60 * MINUTE + minute.unwrap_or(0) * MINUTE + second.unwrap_or(0).min(59) * SECOND;
    let (start, width) = match (fraction, minute, second) {
        (Some(fraction), _, Some(_)) => {
            if !(1..=6).contains(&fraction.len()) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let unit = 10i64.pow(6 - fraction.len() as u32);
            (start + fraction.parse::<i64>().ok()? * unit, unit)
        }
        (Some(_), ..) => return None,
        (None, _, Some(_)) => (start, SECOND),
        (None, Some(_), None) => (start, MINUTE),
        (None, None, None) => (start, 60 * MINUTE),
    };
    Some((start, start + width - 1))
}

/// `YYYY[MM[DD[HH[MM[SS[.F]]]]]][&ZZXX]` as UTC.
fn date_time(text: &str, local_offset: i32) -> Option<(i64, i64)> {
    let (text, offset) = match text.rfind(['+', '-']) {
        Some(at) => {
            let zone = &text[at + 1..];
            if zone.len() != 4 || !zone.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let minutes = zone[..2].parse::<i32>().ok()? * 60 + zone[2..].parse::<i32>().ok()?;
            (&text[..at], if text.as_bytes()[at] == b'-' { -minutes } else { minutes })
        }
        None => (text, local_offset),
    };
    let text = text.trim_end();
    let (first, last) = if text.len() <= 8 {
        date(text)?
    } else {
        let (day, _) = date(text.get(..8)?)?;
        let (from, to) = time_of_day(text.get(8..)?)?;
        (day + from, day + to)
    };
    let shift = i64::from(offset) * MINUTE;
    Some((first - shift, last - shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(vr: VR, key: &str, value: &str) -> bool {
        Range::read(vr, key, 0).expect("a legal key").contains(value)
    }

    #[test]
    fn dates_match_alone_and_in_ranges_open_on_either_side() {
        for (key, value, expected) in [
            ("20260228", "20260228", true),
            ("20260228", "2026.02.28", true),
            ("20260228", "20260227", false),
            ("20260101-20261231", "20260101", true),
            ("20260101-20261231", "20261231", true),
            ("20260101 - 20261231", "20270101", false),
            ("-20260228", "19000101", true),
            ("-20260228", "20260301", false),
            ("20260228-", "20260228", true),
            ("20260228-", "20260227", false),
            ("20260228-", "", false),
            ("202602", "20260228", true),
        ] {
            assert_eq!(contains(VR::DA, key, value), expected, "{key} on {value}");
        }
        for key in ["-", "20260230", "2026-02-30", "yesterday", "20260101-x"] {
            assert_eq!(Range::read(VR::DA, key, 0), Err(TemporalError { vr: VR::DA }), "{key}");
        }
    }

    #[test]
    fn times_match_by_what_they_mean() {
        for (key, value, expected) in [
            ("10", "105959.999999", true),
            ("1015", "10:15:30", true),
            ("101530", "101530.5", true),
            ("101530", "1015", false),
            ("101530.25", "101530.251", true),
            ("0800-1200", "120059", true),
            ("0800-1200", "120100", false),
            ("2200-0200", "2330", true),
            ("2200-0200", "0130", true),
            ("2200-0200", "1200", false),
            ("-0900", "085959", true),
        ] {
            assert_eq!(contains(VR::TM, key, value), expected, "{key} on {value}");
        }
        for key in ["2400", "1", "10.5", "101530.", "101530.1234567"] {
            assert!(Range::read(VR::TM, key, 0).is_err(), "{key}");
        }
    }

    #[test]
    fn a_hyphen_in_a_date_time_is_a_range_or_an_offset() {
        for (key, value, expected) in [
            ("20260101-20261231", "20260615120000", true),
            ("20260101120000+0900", "20260101030000+0000", true),
            ("20260101120000-0500", "20260101170000+0000", true),
            ("20260101120000-0500-20260101130000-0500", "20260101173000+0000", true),
            ("20260101120000-0500-20260101130000-0500", "20260101190000+0000", false),
            ("-20260101120000-0500", "20260101165959+0000", true),
            ("20260101120000-0500-", "20260101170000+0000", true),
            ("2025-2026", "20260615", true),
        ] {
            assert_eq!(contains(VR::DT, key, value), expected, "{key} on {value}");
        }
        let seoul = Range::read(VR::DT, "20260101090000", 540).unwrap();
        assert!(seoul.contains("20260101000000+0000"));
    }

    #[test]
    fn combined_ranges_run_from_the_first_time_to_the_last() {
        let dates = Range::read(VR::DA, "20260101-20260103", 0).unwrap();
        let times = Range::read(VR::TM, "1200-0900", 0).unwrap();
        let both = Range::combined(&dates, &times);
        for (date, time, expected) in [
            ("20260101", "115959", false),
            ("20260101", "120000", true),
            ("20260102", "030000", true),
            ("20260103", "090059", true),
            ("20260103", "090100", false),
            ("20260102", "", true),
        ] {
            assert_eq!(both.contains_date_time(date, time), expected, "{date} {time}");
        }
    }
}
