//! After a crash: folders without a row go, objects without one are found, leases of processes that are gone end.

use super::delete::is_noted_for_removal;
use super::entity::reading;
use super::upkeep::holder;
use super::{Catalog, CatalogError};
use crate::EngineError;
use crate::storage::{Leftover, ObjectKey, Storage};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};

const ACT: &str = "clear what a crash left behind";

/// What a process that is gone left.
pub(crate) struct Left {
    /// Durable objects that have no row: each is to get one.
    pub(crate) without_row: Vec<ObjectKey>,
    /// Folders and deleted objects that went.
    pub(crate) cleared: usize,
}

impl Catalog {
    /// Compares the leftovers of a process that is gone with the catalogue: a folder without a row goes, and so does an object that was
    /// deleted; an object without a row is handed back. The leases of that process end. This looks after the machine, not after
    /// anybody's data, so it takes no scope.
    pub(crate) async fn clear_leftover(&self, storage: &Storage, leftover: &Leftover) -> Result<Left, EngineError> {
        // The write lock keeps every other process from placing the same object meanwhile.
        let txn = self.begin(ACT).await?;
        let mut cleared = displace_without_row(&txn, storage, &leftover.folders).await?;
        let mut without_row = Vec::new();
        for object in &leftover.objects {
            if holder(&txn, object).await?.is_some() {
                continue;
            }
            if is_noted_for_removal(&txn, object).await? {
                storage.displace(std::slice::from_ref(object));
                cleared += 1;
            } else {
                without_row.push(object.clone());
            }
        }
        reading::Entity::update_many()
            .col_expr(reading::Column::LeaseUntil, Expr::value(0))
            .filter(reading::Column::LeaseProcess.eq(leftover.process.to_string()))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(Left { without_row, cleared })
    }

    /// Takes back folders whose transaction failed at its commit; one that has its row all the same stays.
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
        if holder(txn, key).await?.is_none() {
            without_row.push(key.clone());
        }
    }
    storage.displace(&without_row);
    Ok(without_row.len())
}
