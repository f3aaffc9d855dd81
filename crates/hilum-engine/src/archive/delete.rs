//! Deleting what was kept.

use super::{Selection, aside};
use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent};
use crate::catalog::Deleted;
use crate::engine::{Engine, Zone};
use crate::error::EngineError;

impl Engine {
    /// Deletes a selection: instances, and the series, studies and reports of which nothing is left. When this returns, nothing of it
    /// is found any more, and that is durable; its bytes are gone too, or go at the next start.
    ///
    /// A study that is being read is refused ([`EngineError::Conflict`]). A study that keeps other instances is read again.
    pub async fn delete(&self, scope: &Scope, zone: Zone, selection: &Selection) -> Result<Deleted, EngineError> {
        self.caught_up().await;
        let asked = selection.study.clone().unwrap_or_default();
        let event = AuditEvent::by(scope, Action::Delete).of(scope.home().clone()).about(asked);
        let deleted = self.catalog().delete(scope, zone, selection).await;
        let deleted = self.judged(event, Permission::Delete, deleted).await?;
        if let Err(error) = self.remove_objects().await {
            tracing::warn!(code = error.code(), "bytes of what was deleted stay until the next start");
        }
        Ok(deleted)
    }

    /// Removes what is left of objects that were missing or damaged, once their instances came again and took their places.
    pub(crate) async fn remove_what_was_lost(&self) {
        tracing::warn!("a kept object was missing or damaged; its instance came again and took its place");
        if let Err(error) = self.remove_objects().await {
            tracing::warn!(code = error.code(), "bytes of a damaged object stay until the next start");
        }
    }

    /// Removes the bytes of what was deleted before.
    pub(crate) async fn remove_objects(&self) -> Result<(), EngineError> {
        let removals = self.catalog().removals().await?;
        if removals.is_empty() {
            return Ok(());
        }
        let (rows, keys): (Vec<i64>, Vec<_>) = removals.into_iter().unzip();
        let storage = self.storage().clone();
        let gone = aside("removing objects", move || Ok(storage.remove(&keys)));
        let gone: Vec<i64> = rows.into_iter().zip(gone.await?).filter_map(|(row, gone)| gone.then_some(row)).collect();
        Ok(self.catalog().removed(&gone).await?)
    }
}
