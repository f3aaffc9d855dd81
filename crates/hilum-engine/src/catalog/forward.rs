//! Forwards: which instances are to go on to which peers, and how far that is.
//!
//! A forward is recorded in the transaction of its instance, so that there is never one without the other. What is due is a condition on
//! its row; nothing else remembers it.

use super::entity::forward;
use super::instances::{InstanceRow, instance_columns, stored};
use super::paging::{behind, page, pause_ms};
use super::{Catalog, CatalogError, id_list, now, rfc3339};
use crate::access::{Permission, Scope};
use crate::archive::StoredInstance;
use crate::error::EngineError;
use crate::forwarding::{DueForward, ForwardEnd, ForwardOutcome, ForwardSearch, ForwardState, ForwardView};
use crate::views::Page;
use hilum_dicom::AeTitle;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QuerySelect, Set, Value,
};

/// A peer that refuses an object so many times is not asked again by itself.
const TRIES: i64 = 20;
/// The first pause after a failure, doubled by each further one up to the longest.
const FIRST_PAUSE_MS: i64 = 30_000;
const LONGEST_PAUSE_MS: i64 = 3_600_000;

const DEFAULT_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 10_000;

const LIST: &str = "list forwards";

/// The instance is to go on to these peers; due at once.
pub(super) async fn record_forwards(
    txn: &DatabaseTransaction,
    institution: i64,
    instance_row: i64,
    peers: &[AeTitle],
) -> Result<(), CatalogError> {
    let at = now();
    let rows = peers.iter().map(|peer| forward::ActiveModel {
        institution_id: Set(institution),
        instance_row: Set(instance_row),
        peer: Set(peer.to_string()),
        state: Set(ForwardState::Waiting.as_str().to_owned()),
        tries: Set(0),
        next_at: Set(at),
        created_at: Set(at),
        updated_at: Set(at),
        ..Default::default()
    });
    if peers.is_empty() {
        return Ok(());
    }
    forward::Entity::insert_many(rows)
        .on_conflict(OnConflict::columns([forward::Column::InstanceRow, forward::Column::Peer]).do_nothing().to_owned())
        .exec_without_returning(txn)
        .await
        .map_err(CatalogError::during("record a forward"))?;
    Ok(())
}

#[derive(FromQueryResult)]
struct DueRow {
    forward_row: i64,
    #[sea_orm(nested)]
    instance: InstanceRow,
}

#[derive(FromQueryResult)]
struct ViewRow {
    id: i64,
    study_uid: String,
    sop_uid: String,
    peer: String,
    state: String,
    tries: i64,
    next_at: i64,
    reason: Option<String>,
    updated_at: i64,
}

impl Catalog {
    /// The peers for which something is due.
    pub(crate) async fn peers_with_due_forwards(&self, scope: &Scope) -> Result<Vec<AeTitle>, CatalogError> {
        let peers: Vec<String> = forward::Entity::find()
            .select_only()
            .column(forward::Column::Peer)
            .distinct()
            .filter(forward::Column::State.eq(ForwardState::Waiting.as_str()))
            .filter(forward::Column::NextAt.lte(now()))
            .filter(forward::Column::InstitutionId.is_in(self.visible(scope).await?))
            .into_tuple()
            .all(&self.read)
            .await
            .map_err(CatalogError::during(LIST))?;
        peers.into_iter().map(|peer| peer.parse().map_err(|_| CatalogError::Corrupt { what: "AE title" })).collect()
    }

    /// What is due for a peer, the oldest first.
    pub(crate) async fn due_forwards(
        &self,
        scope: &Scope,
        peer: &AeTitle,
        limit: u32,
    ) -> Result<Vec<DueForward>, CatalogError> {
        let sql = format!(
            "SELECT forward.id AS forward_row, {} JOIN forward ON forward.instance_row = instance.id \
             WHERE forward.state = 'waiting' AND forward.peer = ? AND forward.next_at <= ? \
             AND forward.institution_id IN ({}) ORDER BY forward.next_at, forward.id LIMIT {limit}",
            instance_columns(self.dialect()),
            self.visible_list(scope).await?
        );
        let values: Vec<Value> = vec![peer.as_str().into(), now().into()];
        let rows = DueRow::find_by_statement(self.statement(&sql, values))
            .all(&self.read)
            .await
            .map_err(CatalogError::during(LIST))?;
        rows.into_iter()
            .map(|row| {
                let instance: StoredInstance = stored(row.instance)?;
                Ok(DueForward { row: row.forward_row, instance })
            })
            .collect()
    }

    /// Writes how tries ended; one that failed is due again after a pause, or given up.
    pub(crate) async fn end_forwards(&self, scope: &Scope, ends: &[ForwardEnd]) -> Result<(), CatalogError> {
        const ACT: &str = "write how a forward ended";
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let at = now();
        for ForwardEnd { row, outcome } in ends {
            let found = forward::Entity::find_by_id(*row)
                .filter(forward::Column::InstitutionId.is_in(visible.clone()))
                .one(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
            // The instance was deleted meanwhile.
            let Some(found) = found else { continue };
            let tried = found.tries + 1;
            let pause = pause_ms(tried, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
            let (state, tries, pause, reason) = match outcome {
                ForwardOutcome::Sent => (ForwardState::Sent, tried, pause, None),
                ForwardOutcome::Refused { reason } => {
                    let state = if tried >= TRIES { ForwardState::Failed } else { ForwardState::Waiting };
                    (state, tried, pause, Some(reason.clone()))
                }
                // Twice the pause before.
                ForwardOutcome::NotReached { reason } => {
                    let pause = (found.next_at - found.updated_at).saturating_mul(2);
                    let pause = pause.clamp(FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
                    (ForwardState::Waiting, found.tries, pause, Some(reason.clone()))
                }
            };
            forward::Entity::update_many()
                .col_expr(forward::Column::State, Expr::value(state.as_str()))
                .col_expr(forward::Column::Tries, Expr::value(tries))
                .col_expr(forward::Column::NextAt, Expr::value(at + pause))
                .col_expr(forward::Column::Reason, Expr::value(reason))
                .col_expr(forward::Column::UpdatedAt, Expr::value(at))
                .filter(forward::Column::Id.eq(*row))
                .exec(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
        }
        txn.commit().await.map_err(CatalogError::during(ACT))
    }

    /// A page of forwards, the latest first.
    pub(crate) async fn forwards(
        &self,
        scope: &Scope,
        search: &ForwardSearch,
    ) -> Result<Page<ForwardView>, EngineError> {
        let limit = search.limit.unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
        let mut sql = format!(
            "SELECT forward.id, study.study_uid, instance.sop_uid, forward.peer, forward.state, forward.tries, \
             forward.next_at, forward.reason, forward.updated_at \
             FROM forward JOIN instance ON instance.id = forward.instance_row \
             JOIN series ON series.id = instance.series_row JOIN study ON study.id = series.study_row \
             WHERE forward.institution_id IN ({})",
            id_list(&self.where_may(scope, Permission::Operate).await?)
        );
        let mut values: Vec<Value> = Vec::new();
        if let Some(state) = search.state {
            sql.push_str(" AND forward.state = ?");
            values.push(state.as_str().into());
        }
        if let Some(peer) = &search.peer {
            sql.push_str(" AND forward.peer = ?");
            values.push(peer.as_str().into());
        }
        if let Some(after) = &search.after {
            sql.push_str(" AND forward.id < ?");
            values.push(behind(after)?.into());
        }
        sql = format!("{sql} ORDER BY forward.id DESC LIMIT {}", limit + 1);
        let rows = ViewRow::find_by_statement(self.statement(&sql, values))
            .all(&self.read)
            .await
            .map_err(CatalogError::during(LIST))?;
        Ok(page(rows, limit, |row| row.id, view)?)
    }

    /// Makes what was given up, and what waits for its next try, due now; how many that were.
    pub(crate) async fn retry_forwards(&self, scope: &Scope, peer: Option<&AeTitle>) -> Result<u64, CatalogError> {
        let at = now();
        let mut update = forward::Entity::update_many()
            .col_expr(forward::Column::State, Expr::value(ForwardState::Waiting.as_str()))
            .col_expr(
                forward::Column::Tries,
                Expr::case(Expr::col(forward::Column::State).eq(ForwardState::Failed.as_str()), 0)
                    .finally(Expr::col(forward::Column::Tries))
                    .into(),
            )
            .col_expr(forward::Column::NextAt, Expr::value(at))
            .col_expr(forward::Column::UpdatedAt, Expr::value(at))
            .filter(forward::Column::State.ne(ForwardState::Sent.as_str()))
            .filter(forward::Column::InstitutionId.is_in(self.where_may(scope, Permission::Operate).await?));
        if let Some(peer) = peer {
            update = update.filter(forward::Column::Peer.eq(peer.as_str()));
        }
        let act = "make forwards due";
        let txn = self.begin(act).await?;
        let done = update.exec(&txn).await.map_err(CatalogError::during(act))?;
        txn.commit().await.map_err(CatalogError::during(act))?;
        Ok(done.rows_affected)
    }
}

fn view(row: ViewRow) -> Result<ForwardView, CatalogError> {
    Ok(ForwardView {
        id: row.id,
        study_uid: row.study_uid,
        sop_uid: row.sop_uid,
        peer: row.peer,
        state: ForwardState::of(&row.state).ok_or(CatalogError::Corrupt { what: "state of a forward" })?,
        tries: row.tries as u32,
        next_try_at: rfc3339(row.next_at)?,
        reason: row.reason,
        updated_at: rfc3339(row.updated_at)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{FIRST_PAUSE_MS, LONGEST_PAUSE_MS, pause_ms};

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses = [1, 2, 3, 7, 8, 100].map(|tries| pause_ms(tries, FIRST_PAUSE_MS, LONGEST_PAUSE_MS) / 1000);
        assert_eq!(pauses, [30, 60, 120, 1920, 3600, 3600]);
    }
}
