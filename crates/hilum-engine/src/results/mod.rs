//! Results out: the objects that a report is made into, kept as instances of its study and sent on (SEG, SR, PDF, SC).
//!
//! A report's row says whether its objects are due; they follow from the report's folder and the series that was read, and their UIDs from
//! institution, study, version and kind. So they may be made again at any time and are the same.

mod codes;
mod identity;
mod label_map;
mod make;
pub(crate) mod mask;
pub(crate) mod source;

use crate::access::{Permission, Scope};
use crate::catalog::DueResults;
use crate::engine::{Engine, Source, Zone};
use crate::error::{AcceptError, EngineError};
use crate::intake::Incoming;
use crate::journey;
use bytes::Bytes;
use hilum_dicom::{AeTitle, ObjectBytes, SopUid, StudyUid};
use serde::{Deserialize, Serialize};

pub(crate) use identity::series as series_of;
pub(crate) use label_map::grid_of;
pub use label_map::{LabelMap, LabelledStone};
pub(crate) use make::Objects;

/// A kind of object that a report is made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultKind {
    /// Segmentation: the stones' voxels. Only of a report with stones.
    Seg,
    /// Structured report: the measurements (PS3.16 TID 1500).
    Sr,
    /// The page in Korean and in English, as encapsulated PDF.
    Pdf,
    /// The key images, as secondary captures. Only of a report with stones.
    Sc,
}

impl ResultKind {
    /// Every kind, in the order in which they are kept.
    pub const ALL: [Self; 4] = [Self::Seg, Self::Sr, Self::Pdf, Self::Sc];

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seg => "seg",
            Self::Sr => "sr",
            Self::Pdf => "pdf",
            Self::Sc => "sc",
        }
    }
}

/// When a report's objects are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultsWhen {
    /// As soon as the report is recorded.
    #[default]
    AtOnce,
    /// Once somebody has signed it.
    Signed,
}

/// Which objects reports are made into, when, and where those go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRules {
    /// None: reports stay what they are.
    pub objects: Vec<ResultKind>,
    /// AE titles of the peers that the objects are sent to.
    pub to: Vec<AeTitle>,
    /// When.
    pub when: ResultsWhen,
}

impl Default for ResultRules {
    fn default() -> Self {
        Self { objects: ResultKind::ALL.to_vec(), to: Vec::new(), when: ResultsWhen::AtOnce }
    }
}

impl ResultRules {
    /// Whether a report is made into objects as soon as it is recorded.
    pub(crate) fn are_due_at_once(&self) -> bool {
        self.when == ResultsWhen::AtOnce && !self.objects.is_empty()
    }

    /// Reports are made into nothing.
    pub fn none() -> Self {
        Self { objects: Vec::new(), ..Self::default() }
    }
}

impl Engine {
    /// The study's current report is to go out now, because it was signed or somebody asked for it; `false` where its objects are made
    /// already, or the configuration makes none. Making and sending follow as a job; whose act this was is the caller's to audit.
    pub async fn results_due(&self, scope: &Scope, study: &StudyUid) -> Result<bool, EngineError> {
        scope.require(Permission::Predict)?;
        if self.results().objects.is_empty() {
            return Ok(false);
        }
        self.catalog().make_results_due(scope, study).await
    }

    /// A report's object as it is kept; made of the report where it is not.
    pub(crate) async fn result_object(
        &self,
        scope: &Scope,
        study: &StudyUid,
        kind: ResultKind,
    ) -> Result<Bytes, EngineError> {
        let none = EngineError::NotFound { what: "result object" };
        let Some(due) = self.catalog().current_results(scope, study).await? else { return Err(none) };
        let scope = Scope::system(due.institution.clone());
        let Some(objects) = Objects::of(self, &scope, &due).await? else { return Err(none) };
        let Some(sop) = objects.first_of(kind) else { return Err(none) };
        if let Some(known) = self.catalog().known_instance(&scope, Zone::Clinical, &sop).await? {
            let storage = self.storage().clone();
            return crate::archive::aside("reading a result", move || Ok(storage.read(&known.object)?)).await;
        }
        objects.make(kind).await?.into_iter().next().map(|(_, bytes)| bytes).ok_or(none)
    }
}

/// Makes the objects that are not kept yet, and keeps them by the way that instances come in; how many that were. `None` where the series
/// has changed since it was read: another report follows.
pub(crate) async fn keep(engine: &Engine, due: &DueResults) -> Result<Option<u64>, EngineError> {
    let scope = Scope::system(due.institution.clone());
    let Some(objects) = Objects::of(engine, &scope, due).await? else { return Ok(None) };
    let mut kept = 0;
    for kind in ResultKind::ALL.into_iter().filter(|kind| engine.results().objects.contains(kind)) {
        let mut missing = false;
        for sop in objects.uids_of(kind) {
            missing |= !is_kept(engine, &scope, &sop).await?;
        }
        if !missing {
            continue;
        }
        for (sop, bytes) in objects.make(kind).await? {
            if is_kept(engine, &scope, &sop).await? {
                continue;
            }
            let received = ObjectBytes::from(bytes).into();
            let incoming =
                Incoming { received, source: Source::Result, file_name: None, sender: None, row_follows: false };
            let accepted = journey::accept_instance(engine, &scope, Zone::Clinical, incoming).await;
            accepted.map_err(|error| match error {
                AcceptError::Storage(error) => EngineError::Storage(error),
                error => EngineError::Internal(format!("a result was not kept: {error}")),
            })?;
            kept += 1;
        }
    }
    Ok(Some(kept))
}

async fn is_kept(engine: &Engine, scope: &Scope, sop: &SopUid) -> Result<bool, EngineError> {
    Ok(engine.catalog().known_instance(scope, Zone::Clinical, sop).await?.is_some())
}
