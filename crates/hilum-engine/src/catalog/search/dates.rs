//! Marks of dates and times of day, and the conditions that a range of them is.

use super::text::Condition;

/// The dates of one attribute: each is marked by its year, its month and its day.
#[derive(Clone, Copy, Debug)]
pub(in crate::catalog) struct Calendar {
    /// What its marks begin with.
    of: &'static str,
    /// Decades whose years are asked for one by one, the last excluded; others hold next to nothing and are asked for as a whole.
    decades: [&'static str; 2],
}

impl Calendar {
    /// Study Date: nobody took an image before.
    pub(in crate::catalog) const STUDY: Self = Self { of: "", decades: ["197", "205"] };
    /// Patient's Birth Date.
    pub(super) const BIRTH: Self = Self { of: "e", decades: ["190", "205"] };
    /// Performed Procedure Step Start Date.
    pub(super) const PERFORMED: Self = Self { of: "u", decades: ["197", "205"] };

    /// The marks of `YYYY-MM-DD`; none of what is no date.
    pub(super) fn push(self, marks: &mut Vec<String>, date: Option<&str>) {
        let digits: String = date.iter().flat_map(|date| date.chars()).filter(char::is_ascii_digit).collect();
        if digits.len() == 8 {
            marks.extend(
                [('y', 4), ('q', 6), ('t', 8)].map(|(kind, end)| format!("{}{kind}{}", self.of, &digits[..end])),
            );
        }
    }

    /// Studies of a date between two, both included, each `YYYYMMDD` (digits only, as they may be open: `00000000`, `99999999`).
    pub(in crate::catalog) fn between(self, first: &str, last: &str) -> Condition {
        // Ends of months and years are made whole ones.
        let whole = |text: &str, ends: [(&str, &str); 2]| {
            ends.iter().fold(text.to_owned(), |text, (end, whole)| match text.strip_suffix(end) {
                Some(start) => format!("{start}{whole}"),
                None => text,
            })
        };
        let first = whole(first, [("01", "00"), ("0100", "0000")]);
        let last = whole(last, [("31", "99"), ("1299", "9999")]);
        let mut marks = Vec::new();
        self.cover(&mut marks, &mut String::new(), first.as_bytes(), last.as_bytes());
        Condition::Any(marks.into_iter().map(Condition::Mark).collect())
    }

    /// The marks of years, months and days that together are the range.
    fn cover(self, marks: &mut Vec<String>, prefix: &mut String, first: &[u8], last: &[u8]) {
        let depth = prefix.len();
        let lowest = [prefix.as_bytes(), &b"00000000"[depth..]].concat();
        let highest = [prefix.as_bytes(), &b"99999999"[depth..]].concat();
        let number = |from: usize| prefix.get(from..).and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
        let no_date = match depth {
            5 | 6 => number(4) > if depth == 5 { 1 } else { 12 },
            7 | 8 => number(6) > if depth == 7 { 3 } else { 31 },
            _ => false,
        };
        if no_date || highest.as_slice() < first || lowest.as_slice() > last {
            return;
        }
        if lowest.as_slice() >= first && highest.as_slice() <= last {
            let by_year = ["", "1", "19", "2", "20"].contains(&prefix.as_str())
                || (self.decades[0]..self.decades[1]).contains(&prefix.as_str());
            let of = self.of;
            match depth {
                0..4 if !by_year => return marks.push(format!("{of}y{prefix}*")),
                4 => return marks.push(format!("{of}y{prefix}")),
                6 => return marks.push(format!("{of}q{prefix}")),
                8 => return marks.push(format!("{of}t{prefix}")),
                _ => {}
            }
        }
        for digit in '0'..='9' {
            prefix.push(digit);
            self.cover(marks, prefix, first, last);
            prefix.pop();
        }
    }
}

/// Study Time: marked by its hour and its minute.
pub(super) mod clock {
    use super::Condition;

    const MINUTE: i64 = 60_000_000;
    const MINUTES: i64 = 24 * 60;

    /// The marks of `HH:MM:SS`; none of what is no time.
    pub(in super::super) fn push(marks: &mut Vec<String>, time: Option<&str>) {
        let digits: String = time.iter().flat_map(|time| time.chars()).filter(char::is_ascii_digit).collect();
        if digits.len() >= 4 {
            marks.extend([format!("gh{}", &digits[..2]), format!("gm{}", &digits[..4])]);
        }
    }

    /// Studies of a time of day in one of the minutes between two microseconds of the day, both included; over midnight where the first is
    /// the later one.
    pub(in super::super) fn between(first: Option<i64>, last: Option<i64>) -> Condition {
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(MINUTES * MINUTE - 1));
        let over_midnight = first > last;
        let (first, last) = (first / MINUTE, last / MINUTE);
        let within = |minute: i64| {
            let (after, before) = (minute >= first, minute <= last);
            if over_midnight { after || before } else { after && before }
        };
        let mut marks = Vec::new();
        for hour in 0..24 {
            let minutes = || (hour * 60..(hour + 1) * 60).filter(|minute| within(*minute));
            if minutes().count() == 60 {
                marks.push(format!("gh{hour:02}"));
            } else {
                marks.extend(minutes().map(|minute| format!("gm{hour:02}{:02}", minute % 60)));
            }
        }
        Condition::Any(marks.into_iter().map(Condition::Mark).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::index;
    use super::*;

    /// Whether one of the marks is asked for.
    fn holds(condition: &Condition, marks: &[String]) -> bool {
        let Condition::Any(parts) = condition else { panic!("alternatives") };
        parts.iter().any(|part| match part {
            Condition::Mark(asked) => match asked.strip_suffix('*') {
                Some(start) => marks.iter().any(|mark| mark.starts_with(start)),
                None => marks.contains(asked),
            },
            _ => panic!("a mark"),
        })
    }

    #[test]
    fn a_range_of_dates_is_covered_exactly() {
        for (first, last, expected) in [
            ("20260105", "20260105", true),
            ("20260106", "20260131", false),
            ("20251231", "20260105", true),
            ("20250101", "20260104", false),
            ("00000000", "20260105", true),
            ("00000000", "20260104", false),
            ("20260105", "99999999", true),
            ("20260106", "99999999", false),
            ("20200101", "20291231", true),
            ("20251202", "20260131", true),
            ("20251202", "20251231", false),
            ("20260201", "20260228", false),
            ("20260101", "20260105", true),
        ] {
            for calendar in [Calendar::STUDY, Calendar::BIRTH, Calendar::PERFORMED] {
                let mut marks = Vec::new();
                calendar.push(&mut marks, Some("2026-01-05"));
                let condition = calendar.between(first, last);
                assert_eq!(holds(&condition, &marks), expected, "{first}-{last}");
                assert!(index::fts5(&condition).len() < 2500, "{first}-{last}");
                let mut others = Vec::new();
                for other in [Calendar::STUDY, Calendar::BIRTH, Calendar::PERFORMED] {
                    if other.of != calendar.of {
                        other.push(&mut others, Some("2026-01-05"));
                    }
                }
                assert!(!holds(&condition, &others), "dates of another attribute");
            }
        }
    }

    #[test]
    fn a_range_of_times_is_covered_by_hours_and_minutes() {
        let at = |hour: i64, minute: i64, second: i64| ((hour * 60 + minute) * 60 + second) * 1_000_000;
        for (first, last, expected) in [
            (Some(at(7, 30, 0)), Some(at(7, 30, 0)), true),
            (Some(at(7, 31, 0)), Some(at(23, 0, 0)), false),
            (Some(at(7, 0, 0)), Some(at(8, 0, 0) - 1), true),
            (Some(at(0, 0, 0)), Some(at(7, 30, 0) - 1), false),
            (None, Some(at(7, 30, 5)), true),
            (Some(at(8, 0, 0)), None, false),
            (Some(at(22, 0, 0)), Some(at(7, 45, 0)), true),
            (Some(at(22, 0, 0)), Some(at(7, 29, 0)), false),
            // Nearly round the clock.
            (Some(at(7, 30, 40)), Some(at(7, 30, 10)), true),
        ] {
            let mut marks = Vec::new();
            clock::push(&mut marks, Some("07:30:20"));
            assert_eq!(holds(&clock::between(first, last), &marks), expected, "{first:?}-{last:?}");
        }
    }
}
