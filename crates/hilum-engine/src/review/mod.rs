//! A physician's half of a report: verdicts on findings, stones that were missed, words, a signature.
//!
//! The review of a version is a draft that several may work on; its revision rises with each change, and who changes or signs says which
//! one they have seen. A signature makes a further version of the report, which nobody changes any more: what is said of it afterwards is
//! the draft of an amendment. What was signed and what was said stays.

mod correct;
mod sign;
mod views;

pub use correct::NewMask;
pub use views::{
    Agreement, Judgement, LabelUse, NewConclusion, NewQuickText, NewStone, QuickText, ReportState, ReportVersion,
    ReviewVerdict, ReviewView, ReviewedFinding, Share, SignatureView, Signing, UnknownVerdict, VerdictView,
};

pub(crate) use sign::{Draft, drafted, signed_document};

use crate::access::{Permission, Scope};
use crate::accounts::Caller;
use crate::audit::{Action, AuditEvent, Subject};
use crate::catalog::NewVerdict;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::journey;
use crate::report::ReportPart;
use bytes::Bytes;
use hilum_clinical::report::{Conclusion, StoneEdits};
use hilum_dicom::StudyUid;

/// Characters of a comment, and of a reason.
const LONGEST_COMMENT: usize = 1000;
/// Characters of a conclusion in one language.
const LONGEST_CONCLUSION: usize = 4000;
/// No stone is longer (mm).
const LONGEST_STONE: f64 = 300.0;
const NO_REPORT: EngineError = EngineError::NotFound { what: "report" };

impl Engine {
    /// Every version of a study's report, the last one first.
    pub async fn report_versions(&self, scope: &Scope, study: &StudyUid) -> Result<Vec<ReportVersion>, EngineError> {
        let versions = self.catalog().report_versions(scope, study).await?;
        if versions.is_empty() {
            return Err(NO_REPORT);
        }
        self.note_view(scope, Subject::Report, study, None).await?;
        Ok(versions)
    }

    /// One file of a version of the study's report.
    pub async fn report_of_version(
        &self,
        scope: &Scope,
        study: &StudyUid,
        version: u32,
        part: ReportPart,
    ) -> Result<Bytes, EngineError> {
        let found = self.catalog().version_folder(scope, study, version).await?.ok_or(NO_REPORT)?;
        self.report_file(scope, study, found.folder, part).await
    }

    /// The review of a version.
    pub async fn review(&self, scope: &Scope, study: &StudyUid, version: u32) -> Result<ReviewView, EngineError> {
        let review = self.catalog().review(scope, study, version).await?.ok_or(NO_REPORT)?;
        self.note_view(scope, Subject::Report, study, None).await?;
        Ok(review)
    }

    /// Says something of a finding of a version that is open for review.
    pub async fn judge(
        &self,
        scope: &Scope,
        study: &StudyUid,
        version: u32,
        number: u32,
        judgement: &Judgement,
    ) -> Result<ReviewView, EngineError> {
        let Judgement { revision, verdict, edits, comment } = judgement;
        let states = matches!(verdict, ReviewVerdict::Edited | ReviewVerdict::Added);
        if !states && !edits.is_empty() {
            return Err(EngineError::BadRequest { field: "edits", expected: "nothing, where nothing is edited" });
        }
        if *verdict == ReviewVerdict::Edited && edits.is_empty() {
            return Err(EngineError::BadRequest {
                field: "edits",
                expected: "side, site or largest_diameter_mm, where something is edited",
            });
        }
        let new = NewVerdict {
            number: Some(number),
            verdict: *verdict,
            stated: checked(*edits)?,
            comment: text("comment", comment, LONGEST_COMMENT)?,
        };
        self.say(scope, study, version, *revision, &new).await
    }

    /// Adds a stone that the model did not find.
    pub async fn add_stone(
        &self,
        scope: &Scope,
        study: &StudyUid,
        version: u32,
        stone: &NewStone,
    ) -> Result<ReviewView, EngineError> {
        let NewStone { revision, edits, comment } = stone;
        let new = NewVerdict {
            number: None,
            verdict: ReviewVerdict::Added,
            stated: checked(*edits)?,
            comment: text("comment", comment, LONGEST_COMMENT)?,
        };
        self.say(scope, study, version, *revision, &new).await
    }

    async fn say(
        &self,
        scope: &Scope,
        study: &StudyUid,
        version: u32,
        revision: u32,
        new: &NewVerdict,
    ) -> Result<ReviewView, EngineError> {
        let judged = self.catalog().judge(scope, study, version, revision, new).await;
        self.judged(reviewing(scope, study), Permission::Review, judged).await?;
        self.catalog().review(scope, study, version).await?.ok_or(NO_REPORT)
    }

    /// Writes the conclusion of a version that is open for review.
    pub async fn conclude(
        &self,
        scope: &Scope,
        study: &StudyUid,
        version: u32,
        new: &NewConclusion,
    ) -> Result<ReviewView, EngineError> {
        let conclusion = Conclusion {
            en: text("conclusion.en", &new.conclusion.en, LONGEST_CONCLUSION)?,
            ko: text("conclusion.ko", &new.conclusion.ko, LONGEST_CONCLUSION)?,
        };
        let concluded = self.catalog().conclude(scope, study, version, new.revision, &conclusion).await;
        self.judged(reviewing(scope, study), Permission::Review, concluded).await?;
        self.catalog().review(scope, study, version).await?.ok_or(NO_REPORT)
    }

    /// Signs the review of a version, by somebody who has just shown again who they are ([`Engine::show_again`]); returns the signed version.
    pub async fn sign_report(
        &self,
        scope: &Scope,
        caller: &Caller,
        study: &StudyUid,
        version: u32,
        signing: &Signing,
    ) -> Result<ReportVersion, EngineError> {
        let signing = Signing { reason: text("reason", &signing.reason, LONGEST_COMMENT)?, ..signing.clone() };
        let event = AuditEvent::by(scope, Action::SignReport).of(scope.home().clone()).about([study.clone()]);
        let name = if caller.name.is_empty() { &caller.login } else { &caller.name };
        let signed = journey::sign_report(self, scope, study, Draft { version, signing: &signing, name }).await;
        let signed = self.judged(event, Permission::Review, signed).await?;
        let versions = self.catalog().report_versions(scope, study).await?;
        versions.into_iter().find(|one| one.version == signed).ok_or(NO_REPORT)
    }

    /// A data steward says whether a signed review may become labels of a data set.
    pub async fn set_label_use(
        &self,
        scope: &Scope,
        study: &StudyUid,
        version: u32,
        label_use: LabelUse,
    ) -> Result<ReportVersion, EngineError> {
        let event = AuditEvent::by(scope, Action::ChangeLabelUse).of(scope.home().clone()).about([study.clone()]);
        let set = self.catalog().set_label_use(scope, study, version, label_use).await;
        self.judged(event, Permission::Curate, set).await?;
        let versions = self.catalog().report_versions(scope, study).await?;
        versions.into_iter().find(|one| one.version == version).ok_or(NO_REPORT)
    }

    /// How far physicians agreed with each model in each month, in the caller's institutions.
    pub async fn agreement(&self, scope: &Scope) -> Result<Vec<Agreement>, EngineError> {
        self.catalog().agreement(scope).await
    }

    /// The caller's own texts for conclusions.
    pub async fn quick_texts(&self, scope: &Scope, caller: &Caller) -> Result<Vec<QuickText>, EngineError> {
        Ok(self.catalog().quick_texts(scope, caller.id).await?)
    }

    /// One more of them.
    pub async fn add_quick_text(
        &self,
        scope: &Scope,
        caller: &Caller,
        new: &NewQuickText,
    ) -> Result<QuickText, EngineError> {
        let (title, words) = (text("title", &new.title, 80)?, text("text", &new.text, 2000)?);
        if title.is_empty() || words.is_empty() {
            return Err(EngineError::BadRequest { field: "title and text", expected: "at least a character each" });
        }
        let new = NewQuickText { language: new.language, title, text: words };
        self.catalog().add_quick_text(scope, caller.id, &new).await
    }

    /// One less.
    pub async fn remove_quick_text(&self, scope: &Scope, caller: &Caller, id: i64) -> Result<(), EngineError> {
        self.catalog().remove_quick_text(scope, caller.id, id).await
    }
}

fn reviewing(scope: &Scope, study: &StudyUid) -> AuditEvent {
    AuditEvent::by(scope, Action::Review).of(scope.home().clone()).about([study.clone()])
}

/// Without spaces around it; refused where it is too long or holds control characters other than line breaks and tabs.
fn text(field: &'static str, text: &str, longest: usize) -> Result<String, EngineError> {
    let text = text.replace("\r\n", "\n").trim().to_owned();
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(EngineError::BadRequest { field, expected: "text without control characters" });
    }
    if text.chars().count() > longest {
        let expected = match longest {
            80 => "80 characters at most",
            1000 => "1,000 characters at most",
            2000 => "2,000 characters at most",
            _ => "4,000 characters at most",
        };
        return Err(EngineError::BadRequest { field, expected });
    }
    Ok(text)
}

fn checked(edits: StoneEdits) -> Result<StoneEdits, EngineError> {
    let possible = |mm: f64| mm > 0.0 && mm <= LONGEST_STONE;
    if edits.largest_diameter_mm.is_some_and(|mm| !possible(mm)) {
        let expected = "millimetres, more than 0 and at most 300";
        return Err(EngineError::BadRequest { field: "largest_diameter_mm", expected });
    }
    Ok(edits)
}
