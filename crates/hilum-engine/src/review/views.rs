//! What is shown of reviews, and what is sent to change them.

use hilum_clinical::report::{Conclusion, FindingVerdict, StoneEdits};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::ToSchema;

use crate::access::InstitutionCode;

/// What is said of a finding in a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewVerdict {
    /// Of a finding of the report: a stone, as it is stated.
    Accepted,
    /// Of a finding of the report: a stone; something of it is otherwise.
    Edited,
    /// Of a finding of the report: no stone.
    Rejected,
    /// A stone that the model did not find.
    Added,
    /// Of a stone that was added: it is taken back.
    Withdrawn,
}

impl ReviewVerdict {
    /// Every verdict.
    pub const ALL: [Self; 5] = [Self::Accepted, Self::Edited, Self::Rejected, Self::Added, Self::Withdrawn];

    /// The word in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Edited => "edited",
            Self::Rejected => "rejected",
            Self::Added => "added",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The verdict on a finding of the report; none of stones that were added.
    pub fn on_finding(self) -> Option<FindingVerdict> {
        match self {
            Self::Accepted => Some(FindingVerdict::Accepted),
            Self::Edited => Some(FindingVerdict::Edited),
            Self::Rejected => Some(FindingVerdict::Rejected),
            Self::Added | Self::Withdrawn => None,
        }
    }
}

/// No verdict has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no verdict has this name")]
pub struct UnknownVerdict;

impl FromStr for ReviewVerdict {
    type Err = UnknownVerdict;

    fn from_str(text: &str) -> Result<Self, UnknownVerdict> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text).ok_or(UnknownVerdict)
    }
}

/// What somebody said of a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerdictView {
    /// The verdict.
    pub verdict: ReviewVerdict,
    /// What is stated instead, or of a stone that was added.
    pub edits: StoneEdits,
    /// In words.
    pub comment: String,
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
}

/// A finding of the report, or a stone that was added, as the review has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReviewedFinding {
    /// Number of the stone in the report; stones that were added go on behind them.
    pub number: u32,
    /// The model did not find it.
    pub added: bool,
    /// What counts; nothing as long as nobody has judged it.
    pub verdict: Option<VerdictView>,
    /// What was said before, oldest first.
    pub history: Vec<VerdictView>,
}

/// `GET /api/v1/studies/{study_uid}/report/versions/{version}/review`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    /// The version of the report.
    pub version: u32,
    /// What it is.
    pub state: ReportState,
    /// It may be judged and signed; of a signed version, for an amendment.
    pub open: bool,
    /// Rises with each change; who changes says which one was seen.
    pub revision: u32,
    /// The findings of the report, then stones that were added.
    pub findings: Vec<ReviewedFinding>,
    /// The physician's words.
    pub conclusion: Conclusion,
}

/// What a version of a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportState {
    /// Shown, and not signed.
    Unsigned,
    /// A new reading after a signature: the signed version is shown until this one is signed, too.
    AfterSignature,
    /// Shown, and signed.
    Signed,
    /// Was signed; an amendment took its place.
    Amended,
    /// Another version took its place.
    Superseded,
}

/// A version of a study's report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportVersion {
    /// 1, 2, 3 ...
    pub version: u32,
    /// What it is.
    pub state: ReportState,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Stones: those of the model, of a signed version those of the review.
    pub stone_count: Option<u32>,
    /// Of a signed version.
    pub signature: Option<SignatureView>,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignatureView {
    /// Who signed.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// SHA-256 of what was signed, hexadecimal.
    pub sha256: String,
    /// The version whose findings were judged.
    pub reviewed_version: u32,
    /// The signed version that it amends.
    pub amends: Option<u32>,
    /// Why it amends.
    pub reason: String,
    /// Whether the review may become labels of a data set.
    pub label_use: LabelUse,
}

/// Whether a signed review may become labels of a data set; a data steward says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelUse {
    /// Nobody has said.
    Pending,
    /// It may.
    Approved,
    /// It may not.
    Refused,
}

impl LabelUse {
    /// The word in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Refused => "refused",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Approved, Self::Refused].into_iter().find(|one| one.as_str() == word)
    }
}

/// `PUT .../review/findings/{number}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// The revision of the review that was seen.
    #[serde(deserialize_with = "crate::views::whole")]
    pub revision: u32,
    /// The verdict.
    pub verdict: ReviewVerdict,
    /// With `edited` and `added`: what is stated.
    #[serde(default)]
    pub edits: StoneEdits,
    /// In words.
    #[serde(default)]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x08\x0B-\x1F\x7F-\x9F]*$")]
    pub comment: String,
}

/// `POST .../review/findings`: a stone that the model did not find.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStone {
    /// The revision of the review that was seen.
    #[serde(deserialize_with = "crate::views::whole")]
    pub revision: u32,
    /// What is stated of it.
    #[serde(default)]
    pub edits: StoneEdits,
    /// In words.
    #[serde(default)]
    #[schema(max_length = 1000, pattern = r"^[^\x00-\x08\x0B-\x1F\x7F-\x9F]*$")]
    pub comment: String,
}

/// `PUT .../review/conclusion`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConclusion {
    /// The revision of the review that was seen.
    #[serde(deserialize_with = "crate::views::whole")]
    pub revision: u32,
    /// The physician's words, in place of those before.
    pub conclusion: Conclusion,
}

/// How a report is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signing {
    /// The revision of the review that was seen.
    pub revision: u32,
    /// Findings that nobody has judged are accepted as they are.
    pub accept_rest: bool,
    /// Why, where the version is a signed one already.
    pub reason: String,
}

/// How far physicians agreed with a model in a month: signed reviews of one institution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Agreement {
    /// Whose reports.
    pub institution: InstitutionCode,
    /// SHA-256 of the model; none where reports were signed that no model had a part in.
    pub model_hash: Option<String>,
    /// The month of the signatures, `YYYY-MM`, UTC.
    pub month: String,
    /// Signed reports.
    pub reports: u64,
    /// Findings of the model.
    pub findings: u64,
    /// Accepted as they were.
    pub accepted: u64,
    /// A stone, something of which was otherwise.
    pub edited: u64,
    /// No stone.
    pub rejected: u64,
    /// Stones that physicians added.
    pub added: u64,
    /// Accepted of all findings.
    pub unchanged: Share,
    /// Accepted or edited of all findings.
    pub confirmed: Share,
    /// Accepted or edited of all stones that the review left.
    pub found: Share,
}

/// A share with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// So many.
    pub of: u64,
    /// Between 0 and 1; nothing where there were none.
    pub share: Option<f64>,
    /// Wilson's score interval, 95 %.
    pub ci95: Option<[f64; 2]>,
}

/// A text that an account uses again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuickText {
    /// Number.
    pub id: i64,
    /// Its language.
    pub language: crate::report::Language,
    /// What it is called.
    pub title: String,
    /// The text.
    pub text: String,
}

/// `POST /api/v1/quick-texts`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewQuickText {
    /// Its language.
    pub language: crate::report::Language,
    /// What it is called: 1 to 80 characters.
    #[schema(
        min_length = 1,
        max_length = 80,
        pattern = r"^[^\x00-\x08\x0B-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x08\x0B-\x1F\x7F-\x9F]*$"
    )]
    pub title: String,
    /// The text: 1 to 2,000 characters.
    #[schema(
        min_length = 1,
        max_length = 2000,
        pattern = r"^[^\x00-\x08\x0B-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x08\x0B-\x1F\x7F-\x9F]*$"
    )]
    pub text: String,
}
