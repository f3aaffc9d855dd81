//! Work items (Unified Procedure Steps, PS3.4 Annex CC): Hilum keeps a worklist for whoever asks, and performs what its own services are asked for
//! (IHE AI Workflow for Imaging: Task Manager and Task Performer in one).
//!
//! A work item's row says all there is to know, so that a performance goes on after a crash and ends once: what is due is a column, what was
//! claimed is a state, and what came of it is derived from the study's reading and report.

mod events;
mod input;
mod performed;
mod performer;
mod requester;
mod service;

pub use events::WorkTold;
pub(crate) use input::{is_ready, retrieve_from, study_of};
pub(crate) use performer::perform;
pub use requester::{CreatedWorkItem, FoundWorkItems, Subscription};
pub use service::{SERVICE_CODE, SERVICE_SCHEME};

use crate::catalog::{CatalogError, now};
use crate::engine::Engine;
use crate::error::EngineError;
use hilum_dicom::AeTitle;
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::format_description;

/// How work items are kept and performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpsRules {
    /// What the station is called that performs them.
    pub ae_title: AeTitle,
    /// Work items for services of ours are performed here; otherwise they are kept only.
    pub perform: bool,
    /// A work item whose study has not come so long after it was created, was to begin, and was changed last is cancelled.
    pub deadline: Duration,
    /// What has ended is kept this long.
    pub keep: Duration,
}

impl Default for UpsRules {
    fn default() -> Self {
        Self {
            ae_title: AeTitle::hilum(),
            perform: true,
            deadline: Duration::from_hours(24),
            keep: Duration::from_hours(30 * 24),
        }
    }
}

/// Events are kept this long for who has not fetched them.
const EVENTS: Duration = Duration::from_hours(24);

/// A date and time of the catalogue as DICOM writes it, in UTC (PS3.5 6.2, DT).
pub(crate) fn date_time(milliseconds: i64) -> Result<String, CatalogError> {
    let corrupt = CatalogError::Corrupt { what: "time" };
    let format = format_description!("[year][month][day][hour][minute][second]+0000");
    let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000) else {
        return Err(corrupt);
    };
    at.format(&format).map_err(|_| corrupt)
}

impl Engine {
    /// Studies that work items wait for, with who has them by what the work items say; none where nothing is performed here.
    pub async fn work_to_fetch(&self) -> Result<Vec<crate::WorkToFetch>, EngineError> {
        if !self.ups().perform {
            return Ok(Vec::new());
        }
        let scope = self.catalog().system_scope().await?;
        Ok(self.catalog().work_to_fetch(&scope).await?)
    }

    /// Deletes work items that ended long ago and that nobody has locked, and events that nobody has fetched.
    pub(crate) async fn forget_work(&self) -> Result<u64, EngineError> {
        let scope = self.catalog().system_scope().await?;
        let before = |age: Duration| now() - i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Ok(self.catalog().forget_work(&scope, before(self.ups().keep), before(EVENTS)).await?)
    }
}
