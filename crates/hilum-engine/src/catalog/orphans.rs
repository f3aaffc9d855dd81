//! After a crash: objects without a row go, leases of processes that are gone end.

use super::entity::{instance, quarantine, reading, report, series};
use super::{Catalog, CatalogError};
use crate::EngineError;
use crate::storage::{Leftover, ObjectKey, Storage};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter};

const ACT: &str = "clear what a crash left behind";

impl Catalog {
    /// Compares the leftovers of a process that is gone with the catalogue: a place with a row keeps its object, a place without one was
    /// never acknowledged and is cleared. Returns how many were cleared. This looks after the machine, not after anybody's data, so it
    /// takes no scope.
    pub(crate) async fn clear_leftover(&self, storage: &Storage, leftover: &Leftover) -> Result<usize, EngineError> {
        // The write lock keeps every other process from placing the same object meanwhile.
        let txn = self.begin(ACT).await?;
        let cleared = displace_without_row(&txn, storage, &leftover.targets).await?;
        reading::Entity::update_many()
            .col_expr(reading::Column::LeaseUntil, Expr::value(0))
            .filter(reading::Column::LeaseProcess.eq(leftover.process.to_string()))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        storage.clear(leftover)?;
        Ok(cleared)
    }

    /// Takes back objects whose transaction failed at its commit; one that another sender recorded meanwhile stays.
    pub(super) async fn take_back(&self, storage: &Storage, placed: &[ObjectKey]) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        displace_without_row(&txn, storage, placed).await?;
        txn.rollback().await.map_err(CatalogError::during(ACT))
    }
}

async fn displace_without_row(
    txn: &DatabaseTransaction,
    storage: &Storage,
    keys: &[ObjectKey],
) -> Result<usize, CatalogError> {
    let mut without_row = Vec::new();
    for key in keys {
        if !has_row(txn, key).await? {
            without_row.push(key.clone());
        }
    }
    storage.displace(&without_row);
    Ok(without_row.len())
}

async fn has_row(txn: &DatabaseTransaction, key: &ObjectKey) -> Result<bool, CatalogError> {
    let key = key.as_str();
    let instances = instance::Entity::find().filter(instance::Column::ObjectKey.eq(key)).count(txn).await;
    let aside = quarantine::Entity::find().filter(quarantine::Column::ObjectKey.eq(key)).count(txn).await;
    let reports = report::Entity::find().filter(report::Column::ObjectKey.eq(key)).count(txn).await;
    let packs = series::Entity::find().filter(series::Column::MetadataKey.eq(key)).count(txn).await;
    let rows = [instances, aside, reports, packs].into_iter().sum::<Result<u64, _>>();
    Ok(rows.map_err(CatalogError::during(ACT))? > 0)
}
