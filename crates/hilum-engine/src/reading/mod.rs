//! Reading the chosen series of a study: geometry guard, network, measures, and the report about it.

mod coverage;
pub(crate) mod files;
mod geometry;
mod inputs;
mod planes;
mod run;
mod stones;

pub(crate) use inputs::{files_of_report, report_of};
pub(crate) use run::{SliceError as StackError, Stack, read_best, report_failed};
pub use stones::{measured_stones, point_spread};

use crate::access::Scope;
use crate::catalog::{Claim, ReadingEnd, StudyRow};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::report::{KeyImage, UrinaryStoneReport};
use crate::views::{Note, ReadingStatus};
use hilum_clinical::Message;
use hilum_clinical::guideline::RecordedFact;
use hilum_clinical::report::SliceInput;
use hilum_clinical::urinary_stone::{RejectedCandidate, StoneReading};
use std::sync::Arc;

/// What a reading came to.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Why nothing was assessed, with the state that follows from it.
    pub(crate) refusal: Option<(ReadingStatus, Message)>,
    /// A person or the end of the program stopped it: no report.
    pub(crate) stopped: Option<Stop>,
    /// The slices of the chosen series in stack order.
    pub(crate) slices: Vec<SliceInput>,
    /// SHA-256 over the digests of the slices' objects, in stack order.
    pub(crate) input_hash: Option<String>,
    /// The stones.
    pub(crate) stones: Vec<StoneReading>,
    /// Candidates that are no urinary stones.
    pub(crate) rejected: Vec<RejectedCandidate>,
    /// Up to three pictures a stone.
    pub(crate) key_images: Vec<KeyImage>,
    /// What was looked at.
    pub(crate) looked_at: Vec<Message>,
    /// What was not.
    pub(crate) not_looked_at: Vec<Message>,
    /// The report of the patient's last study before this one.
    pub(crate) earlier: Option<UrinaryStoneReport>,
    /// What medical records tell of the patient.
    pub(crate) recorded: Vec<RecordedFact>,
    /// Engine of the inference, when it ran.
    pub(crate) engine: Option<String>,
}

/// Why a reading stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A person cancelled it.
    Cancelled,
    /// The program ends: the reading is due again.
    Interrupted,
}

/// The claimed study.
pub(crate) async fn study_of(engine: &Engine, scope: &Scope, claim: &Claim) -> Result<StudyRow, EngineError> {
    let row = engine.catalog().study_by_row(scope, claim.study_row).await?;
    row.ok_or(EngineError::NotFound { what: "study" })
}

/// The report of the patient's last study before this one. One that cannot be read is left out: it speaks against no new report.
pub(crate) async fn earlier_report(
    engine: &Engine,
    scope: &Scope,
    claim: &Claim,
) -> Result<Option<UrinaryStoneReport>, EngineError> {
    let Some(folder) = engine.catalog().earlier_report(scope, claim.study_row).await? else { return Ok(None) };
    let storage = Arc::clone(engine.storage());
    let document = tokio::task::spawn_blocking(move || storage.read_file_of(&folder, files::JSON_FILE))
        .await
        .map_err(|error| EngineError::Internal(format!("reading an earlier report ended early: {error}")))??;
    let report = document.map(|document| serde_json::from_slice(&document));
    // What the parser says would quote the document.
    Ok(report.transpose().unwrap_or_else(|_| {
        tracing::warn!(study = claim.study_row, "the report of the patient's earlier study cannot be read");
        None
    }))
}

/// Ends a reading that failed; it stays failed until somebody resumes it or a further instance arrives.
pub(crate) async fn give_up(
    engine: &Engine,
    scope: &Scope,
    claim: &Claim,
    error: &EngineError,
) -> Result<(), EngineError> {
    tracing::warn!(code = error.code(), study = claim.study_row, "a reading failed");
    let reason = Note { code: error.code().to_owned(), text: error.to_string() };
    let end = ReadingEnd { status: ReadingStatus::Failed, reason: Some(reason), told: None };
    engine.catalog().end_reading(scope, claim, &end, None, engine.storage()).await
}
