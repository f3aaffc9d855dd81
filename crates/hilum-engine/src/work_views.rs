//! What the worklist shows and asks, in the standard's words.

use crate::error::EngineError;
use crate::views::ReadingState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which studies the list shows, by what names no patient. What is left out shows all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkFilter {
    /// Study Date from this day on, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
    pub from: Option<String>,
    /// Study Date up to this day, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
    pub to: Option<String>,
    /// With a series of one of these modalities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub modality: Vec<String>,
    /// Part of the Study Description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub description: Option<String>,
    /// With a series of one of these body parts, as they were sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub body_part: Vec<String>,
    /// Contrast given in one of the series, or in none of those that say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<bool>,
    /// How far a physician is with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub workflow: Vec<Workflow>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub priority: Vec<Priority>,
    /// What the report says of stones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub stones: Vec<StonesFound>,
}

/// How urgent a study is (Requested Procedure Priority (0040,1003), of which LOW and MEDIUM count as routine).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// As they come.
    #[default]
    Routine,
    /// Before the others.
    High,
    /// At once.
    Stat,
}

impl Priority {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::High => "high",
            Self::Stat => "stat",
        }
    }

    /// Of the word in an order.
    pub(crate) fn of_order(word: &str) -> Self {
        match word.trim() {
            "STAT" => Self::Stat,
            "HIGH" => Self::High,
            _ => Self::Routine,
        }
    }

    pub(crate) fn of_number(number: i64) -> Option<Self> {
        [Self::Routine, Self::High, Self::Stat].into_iter().find(|one| *one as i64 == number)
    }
}

/// How far a physician is with a study.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Workflow {
    /// Nobody has said anything of its report, or there is none.
    #[default]
    Unread,
    /// Something was said of its report.
    InReview,
    /// A physician signed the report that is shown.
    Signed,
}

impl Workflow {
    pub(crate) fn of_number(number: i64) -> Option<Self> {
        [Self::Unread, Self::InReview, Self::Signed].into_iter().find(|one| *one as i64 == number)
    }
}

/// What the report of a study says of stones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StonesFound {
    /// At least one.
    Present,
    /// None.
    Absent,
    /// There is no report, or it says nothing of them.
    Unknown,
}

/// The order of the list. Among equals the one received last comes first where it is descending, else the one received first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkSort {
    /// By what.
    pub by: WorkOrder,
    /// The largest first.
    pub descending: bool,
}

impl Default for WorkSort {
    fn default() -> Self {
        Self { by: WorkOrder::Received, descending: true }
    }
}

/// What the list may be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkOrder {
    /// When its first image came.
    Received,
    /// How urgent it is.
    Priority,
    /// Study Date and Study Time.
    Date,
    /// The patient's name: in Hangul where it was sent so.
    Name,
    /// Patient ID.
    PatientId,
    /// Study Description.
    Description,
    /// Modalities in Study.
    Modality,
    /// How far a physician is with it.
    Workflow,
    /// How many stones the report counts.
    Stones,
}

/// A filter that an account keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SavedFilter {
    /// Row id.
    pub id: i64,
    /// What the account calls it.
    pub name: String,
    /// What it shows.
    pub filter: WorkFilter,
}

/// `POST /api/v1/worklist/filters`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSavedFilter {
    /// What the account calls it; one of that name gives way.
    #[schema(
        min_length = 1,
        max_length = 60,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x20\x7F-\xA0][^\x00-\x1F\x7F-\x9F]*$"
    )]
    pub name: String,
    /// What it shows.
    pub filter: WorkFilter,
}

/// What changed in a study, for those who look at a list of them: no name, no number of a patient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StudyChange {
    /// Study Instance UID.
    pub study_uid: String,
    /// ms since 1970 UTC.
    pub at: i64,
    /// It came within the last seconds.
    pub arrived: bool,
    /// The modalities of its series.
    pub modalities: Vec<String>,
    /// Series received.
    pub series_count: u64,
    /// Instances received.
    pub instance_count: u64,
    /// As the list shows it.
    pub body_parts: Vec<String>,
    /// As the list shows it.
    pub contrast: Option<bool>,
    /// How urgent it is.
    pub priority: Priority,
    /// How far a physician is with it.
    pub workflow: Workflow,
    /// Where its reading stands.
    pub reading: ReadingState,
}

/// Longest text of a filter, and most values of one, as the schema says.
const LONGEST_TEXT: usize = 200;
const MOST_VALUES: usize = 20;

/// A text to look for is no longer than the schema says.
pub(crate) fn check_text(field: &'static str, text: Option<&str>) -> Result<(), EngineError> {
    if text.is_some_and(|text| text.chars().count() > LONGEST_TEXT) {
        return Err(EngineError::BadRequest { field, expected: "at most 200 characters" });
    }
    Ok(())
}

/// What the schema says of a filter holds.
pub(crate) fn check(filter: &WorkFilter) -> Result<(), EngineError> {
    check_text("description", filter.description.as_deref())?;
    for (field, date) in [("from", &filter.from), ("to", &filter.to)] {
        if date.as_deref().is_some_and(|date| !is_day(date)) {
            return Err(EngineError::BadRequest { field, expected: "a day as YYYY-MM-DD" });
        }
    }
    let counts = [
        filter.modality.len(),
        filter.body_part.len(),
        filter.workflow.len(),
        filter.priority.len(),
        filter.stones.len(),
    ];
    if counts.into_iter().any(|count| count > MOST_VALUES) {
        return Err(EngineError::BadRequest { field: "filter", expected: "at most 20 values of each" });
    }
    Ok(())
}

/// A day as `YYYY-MM-DD`, of 1900 to 2099; which months have how many days is not looked at.
pub fn is_day(text: &str) -> bool {
    let [a, b, c, d, h1, m1, m2, h2, d1, d2] = text.as_bytes() else { return false };
    let digits = [a, b, c, d, m1, m2, d1, d2].iter().all(|byte| byte.is_ascii_digit());
    let number = |tens: &u8, ones: &u8| 10 * i32::from(tens - b'0') + i32::from(ones - b'0');
    digits
        && (*h1, *h2) == (b'-', b'-')
        && matches!((a, b), (b'1', b'9') | (b'2', b'0'))
        && (1..=12).contains(&number(m1, m2))
        && (1..=31).contains(&number(d1, d2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_what_the_schema_calls_one() {
        for (text, expected) in [
            ("2026-01-31", true),
            ("2026-02-31", true),
            ("1999-12-01", true),
            ("2026-13-01", false),
            ("2026-00-10", false),
            ("2026-1-01", false),
            ("2126-01-01", false),
            ("2026-01-32", false),
            ("20260101", false),
            ("2026-01-0a", false),
        ] {
            assert_eq!(is_day(text), expected, "{text}");
        }
    }
}
