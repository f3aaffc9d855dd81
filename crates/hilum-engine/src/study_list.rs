//! What people say of studies in the list, and the filters that they keep.

use crate::access::{Permission, Scope};
use crate::accounts::Caller;
use crate::audit::{Action, AuditEvent};
use crate::catalog::summary;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::views::{NewSavedFilter, Priority, SavedFilter, StudySummary};
use hilum_dicom::StudyUid;

impl Engine {
    /// Says how urgent a study is. From then on no order changes it.
    pub async fn set_priority(
        &self,
        scope: &Scope,
        study: &StudyUid,
        priority: Priority,
    ) -> Result<StudySummary, EngineError> {
        self.caught_up().await;
        let event = AuditEvent::by(scope, Action::ChangePriority).of(scope.home().clone()).about([study.clone()]);
        let said = self.catalog().set_priority(scope, study, priority).await;
        self.judged(event, Permission::Predict, said).await?;
        let row = self.catalog().study_row(scope, study).await?.ok_or(EngineError::NotFound { what: "study" })?;
        Ok(summary(row)?)
    }

    /// Whether a study is here that the caller may see.
    pub async fn has_study(&self, scope: &Scope, study: &StudyUid) -> Result<bool, EngineError> {
        Ok(self.catalog().study_row(scope, study).await?.is_some())
    }

    /// The caller's own filters.
    pub async fn saved_filters(&self, scope: &Scope, caller: &Caller) -> Result<Vec<SavedFilter>, EngineError> {
        Ok(self.catalog().saved_filters(scope, caller.id).await?)
    }

    /// Keeps a filter under its name, in place of the one that had it.
    pub async fn save_filter(
        &self,
        scope: &Scope,
        caller: &Caller,
        new: &NewSavedFilter,
    ) -> Result<SavedFilter, EngineError> {
        let NewSavedFilter { name, filter } = new;
        let blank = name.trim_matches([' ', '\u{A0}']).is_empty();
        if blank || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(EngineError::BadRequest {
                field: "name",
                expected: "1 to 60 characters, none of them a control character",
            });
        }
        crate::work_views::check(filter)?;
        self.catalog().save_filter(scope, caller.id, new).await
    }

    /// Forgets one of the caller's own filters.
    pub async fn remove_filter(&self, scope: &Scope, caller: &Caller, id: i64) -> Result<(), EngineError> {
        self.catalog().remove_filter(scope, caller.id, id).await
    }
}

const LONGEST_NAME: usize = 60;
