//! After a crash: objects without a row go, leases of processes that are gone end.

use super::entity::reading;
use super::upkeep::holder;
use super::{Catalog, CatalogError, now};
use crate::EngineError;
use crate::storage::{Leftover, ObjectKey, Storage};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter, Statement, Value,
};
use uuid::Uuid;

const ACT: &str = "clear what a crash left behind";

impl Catalog {
    /// From now on this process records here, and what it leaves without a row was never acknowledged. Of the others, those
    /// that had something under way stay known, and those that came after `at` (ms since 1970), when they were looked for.
    pub(crate) async fn register_process(
        &self,
        process: Uuid,
        (at, under_way): &(i64, Vec<Uuid>),
    ) -> Result<(), CatalogError> {
        let act = "note that a process records here";
        let txn = self.begin(act).await?;
        let mut values: Vec<Value> = vec![(*at).into()];
        values.extend(under_way.iter().map(|other| Value::from(other.to_string())));
        let sql = format!(
            "DELETE FROM process WHERE started_at < ? AND id NOT IN ({})",
            vec!["?"; under_way.len()].join(",")
        );
        let forget = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
        txn.execute_raw(forget).await.map_err(CatalogError::during(act))?;
        let values = [Value::from(process.to_string()), now().into()];
        let sql = "INSERT INTO process (id, started_at) VALUES (?, ?)";
        let insert = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
        txn.execute_raw(insert).await.map_err(CatalogError::during(act))?;
        txn.commit().await.map_err(CatalogError::during(act))
    }

    /// Compares the leftovers of a process that is gone with the catalogue: a place with a row keeps its object, a place without one was
    /// never acknowledged and is cleared. A catalogue that does not know the process was made or put here after it: then its
    /// objects may have been acknowledged, and those without a row stay for `hilum check --repair`. Returns how many were cleared.
    /// This looks after the machine, not after anybody's data, so it takes no scope.
    pub(crate) async fn clear_leftover(&self, storage: &Storage, leftover: &Leftover) -> Result<usize, EngineError> {
        // The write lock keeps every other process from placing the same object meanwhile.
        let txn = self.begin(ACT).await?;
        let process = leftover.process.to_string();
        let known = Statement::from_sql_and_values(
            DbBackend::Sqlite,
            "DELETE FROM process WHERE id = ?",
            [Value::from(process.as_str())],
        );
        let known = txn.execute_raw(known).await.map_err(CatalogError::during(ACT))?.rows_affected() > 0;
        let cleared = if known {
            displace_without_row(&txn, storage, &leftover.targets).await?
        } else {
            tracing::warn!(
                "the catalogue does not know a process that is gone; objects without a row stay: hilum check --repair"
            );
            0
        };
        reading::Entity::update_many()
            .col_expr(reading::Column::LeaseUntil, Expr::value(0))
            .filter(reading::Column::LeaseProcess.eq(process))
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
        if holder(txn, key).await?.is_none() {
            without_row.push(key.clone());
        }
    }
    storage.displace(&without_row);
    Ok(without_row.len())
}
