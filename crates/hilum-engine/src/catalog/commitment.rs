//! Storage commitment: transactions that we asked peers for, and results that peers are still to hear.

use super::entity::commitment::{ActiveModel, Column, Entity};
use super::{Catalog, CatalogError, now};
use crate::access::Scope;
use crate::commitment::{CommitmentOutcome, Untold, UntoldCommitment};
use hilum_dicom::AeTitle;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set};
use serde::{Serialize, de::DeserializeOwned};

const ASKED: &str = "asked";
const TOLD: &str = "told";
const OPEN: &str = "open";
const DONE: &str = "done";
const ACT: &str = "keep a storage commitment";
const LOOK: &str = "look for results of storage commitment";

/// A result is told so many times; then the requestor has to ask anew, as PS3.4 J.3 leaves to it.
const TRIES: i64 = 50;
const PAUSE_MS: i64 = 60_000;
/// Whoever looks after a transaction has told the result by then.
const ANSWER_MS: i64 = 120_000;

impl Catalog {
    /// A peer was asked to commit.
    pub(crate) async fn commitment_asked(
        &self,
        scope: &Scope,
        transaction: &str,
        peer: &AeTitle,
    ) -> Result<(), CatalogError> {
        let row = self.row(scope, ASKED, transaction, peer, None).await?;
        Entity::insert(row).exec_without_returning(&self.write).await.map_err(CatalogError::during(ACT))?;
        Ok(())
    }

    /// Takes the result of a transaction that we asked this peer for; false when we did not. The first result stands.
    pub(crate) async fn take_commitment(
        &self,
        scope: &Scope,
        transaction: &str,
        peer: &AeTitle,
        outcome: &CommitmentOutcome,
    ) -> Result<bool, CatalogError> {
        let known = self.asked(scope, transaction, Some(peer)).await?;
        let Some(known) = known else { return Ok(false) };
        if known.state == OPEN {
            Entity::update_many()
                .col_expr(Column::State, Expr::value(DONE))
                .col_expr(Column::Result, Expr::value(json(outcome)?))
                .filter(Column::Id.eq(known.id))
                .filter(Column::State.eq(OPEN))
                .exec(&self.write)
                .await
                .map_err(CatalogError::during(ACT))?;
        }
        Ok(true)
    }

    /// The result of a transaction that we asked for, once it is there.
    pub(crate) async fn commitment_outcome(
        &self,
        scope: &Scope,
        transaction: &str,
    ) -> Result<Option<CommitmentOutcome>, CatalogError> {
        let known = self.asked(scope, transaction, None).await?;
        known.and_then(|row| row.result).map(|result| read(&result)).transpose()
    }

    async fn asked(
        &self,
        scope: &Scope,
        transaction: &str,
        peer: Option<&AeTitle>,
    ) -> Result<Option<super::entity::commitment::Model>, CatalogError> {
        let mut find = Entity::find()
            .filter(Column::Role.eq(ASKED))
            .filter(Column::TransactionUid.eq(transaction))
            .filter(Column::InstitutionId.is_in(self.visible(scope).await?));
        if let Some(peer) = peer {
            find = find.filter(Column::Peer.eq(peer.as_str()));
        }
        find.one(&self.read).await.map_err(CatalogError::during(ACT))
    }

    /// Keeps what a requestor is still to hear. What is not known yet is looked at when the process that looks after it must be gone.
    pub(crate) async fn keep_untold(
        &self,
        scope: &Scope,
        transaction: &str,
        peer: &AeTitle,
        what: &Untold,
    ) -> Result<(), CatalogError> {
        let mut row = self.row(scope, TOLD, transaction, peer, Some(json(what)?)).await?;
        if matches!(what, Untold::Asked { .. }) {
            row.next_at = Set(now() + ANSWER_MS);
        }
        Entity::insert(row)
            .on_conflict(
                OnConflict::columns([Column::Role, Column::Peer, Column::TransactionUid])
                    .update_columns([Column::State, Column::Result, Column::NextAt])
                    .to_owned(),
            )
            .exec_without_returning(&self.write)
            .await
            .map_err(CatalogError::during(ACT))?;
        Ok(())
    }

    /// The requestor has heard it.
    pub(crate) async fn commitment_told(
        &self,
        scope: &Scope,
        transaction: &str,
        peer: &AeTitle,
    ) -> Result<(), CatalogError> {
        Entity::delete_many()
            .filter(Column::Role.eq(TOLD))
            .filter(Column::Peer.eq(peer.as_str()))
            .filter(Column::TransactionUid.eq(transaction))
            .filter(Column::InstitutionId.is_in(self.visible(scope).await?))
            .exec(&self.write)
            .await
            .map_err(CatalogError::during(ACT))?;
        Ok(())
    }

    /// What is to be told now.
    async fn due(&self, scope: &Scope) -> Result<Select<Entity>, CatalogError> {
        let due = Entity::find().filter(Column::Role.eq(TOLD)).filter(Column::State.eq(OPEN));
        Ok(due.filter(Column::NextAt.lte(now())).filter(Column::InstitutionId.is_in(self.visible(scope).await?)))
    }

    /// Who is to be told something now.
    pub(crate) async fn peers_with_untold(&self, scope: &Scope) -> Result<Vec<AeTitle>, CatalogError> {
        let peers = self.due(scope).await?.select_only().column(Column::Peer).distinct();
        let peers: Vec<String> = peers.into_tuple().all(&self.read).await.map_err(CatalogError::during(LOOK))?;
        peers.into_iter().map(|peer| peer.parse().map_err(|_| CatalogError::Corrupt { what: "AE title" })).collect()
    }

    /// What a peer is to be told now.
    pub(crate) async fn untold(&self, scope: &Scope, peer: &AeTitle) -> Result<Vec<UntoldCommitment>, CatalogError> {
        let due = self.due(scope).await?.filter(Column::Peer.eq(peer.as_str())).order_by_asc(Column::NextAt);
        let rows = due.limit(100).all(&self.read).await.map_err(CatalogError::during(LOOK))?;
        rows.into_iter()
            .map(|row| {
                let corrupt = || CatalogError::Corrupt { what: "storage commitment" };
                Ok(UntoldCommitment {
                    row: row.id,
                    transaction: row.transaction_uid,
                    peer: row.peer.parse().map_err(|_| corrupt())?,
                    what: read(row.result.as_deref().ok_or_else(corrupt)?)?,
                })
            })
            .collect()
    }

    /// Whether a result was told this time.
    pub(crate) async fn end_untold(&self, scope: &Scope, row: i64, told: bool) -> Result<(), CatalogError> {
        let visible = self.visible(scope).await?;
        let end = Expr::case(Expr::value(told).or(Expr::col(Column::Tries).gte(TRIES)), DONE).finally(OPEN);
        Entity::update_many()
            .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
            .col_expr(Column::NextAt, Expr::value(now() + PAUSE_MS))
            .col_expr(Column::State, end.into())
            .filter(Column::Id.eq(row))
            .filter(Column::InstitutionId.is_in(visible))
            .exec(&self.write)
            .await
            .map_err(CatalogError::during(ACT))?;
        Ok(())
    }

    async fn row(
        &self,
        scope: &Scope,
        role: &str,
        transaction: &str,
        peer: &AeTitle,
        result: Option<String>,
    ) -> Result<ActiveModel, CatalogError> {
        Ok(ActiveModel {
            institution_id: Set(self.home(scope).await?),
            transaction_uid: Set(transaction.to_owned()),
            peer: Set(peer.to_string()),
            role: Set(role.to_owned()),
            state: Set(OPEN.to_owned()),
            result: Set(result),
            tries: Set(0),
            next_at: Set(now()),
            created_at: Set(now()),
            ..Default::default()
        })
    }
}

fn json(what: &impl Serialize) -> Result<String, CatalogError> {
    serde_json::to_string(what).map_err(|_| CatalogError::Corrupt { what: "storage commitment" })
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, CatalogError> {
    serde_json::from_str(text).map_err(|_| CatalogError::Corrupt { what: "storage commitment" })
}
