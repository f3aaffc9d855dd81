//! The rows of one database into another: a server's into a backup, and a backup's into a server.

use super::dialect::Dialect;
use super::entity::{
    account, account_notice, api_token, audit_event, audit_study, commitment, corrected_mask, delivery, finding,
    forward, instance, institution, linked_identity, measurement, membership, patient, patient_fact, pseudonym,
    pulled_study, quarantine, quick_text, reading, recovery_code, removal, report, review, second_factor, series,
    signature, study, study_conflict, verdict, work_event, work_item, work_subscriber, work_subscription,
    worklist_filter, worklist_item,
};
use super::migration::Migrator;
use super::search::text::{self, StudyText};
use super::upkeep::count;
use super::{CatalogError, audit, connect};
use sea_orm::{
    AccessMode, ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr,
    EntityTrait, FromQueryResult, IntoActiveModel, IsolationLevel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, TransactionTrait, Value,
};
use sea_orm_migration::MigratorTrait;
use std::path::Path;

/// Rows of one statement: SQLite takes 32,766 values, PostgreSQL 65,535, and the widest table has 30 columns.
const CHUNK: u64 = 1000;

/// Writes everything into a new file. Readers see one moment, writers are not held up.
pub(super) async fn server_to_file(server: &DatabaseConnection, file: &Path) -> Result<u64, CatalogError> {
    let during = || CatalogError::during("copy the catalogue");
    let moment = server
        .begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly))
        .await
        .map_err(during())?;
    let copy = connect::file_alone(file).await.map_err(during())?;
    Migrator::up(&copy, None).await.map_err(during())?;
    let txn = copy.begin().await.map_err(during())?;
    copy_all(&moment, &txn).await.map_err(during())?;
    let rows = count(&txn).await?;
    txn.commit().await.map_err(during())?;
    copy.close().await.map_err(during())?;
    moment.rollback().await.map_err(during())?;
    Ok(rows)
}

/// Reads everything from a file, in one transaction: an unfinished restore leaves the server as it was.
pub(super) async fn file_to_server(file: &Path, txn: DatabaseTransaction) -> Result<(), CatalogError> {
    let during = || CatalogError::during("restore the catalogue");
    expect_empty(&txn).await?;
    let copy = connect::file_alone(file).await.map_err(during())?;
    // A backup of an earlier version has fewer columns.
    Migrator::up(&copy, None).await.map_err(during())?;
    copy_all(&copy, &txn).await.map_err(during())?;
    copy.close().await.map_err(during())?;
    txn.commit().await.map_err(during())
}

/// The home institution is there as soon as a catalogue was used; rows of another one would get its number.
pub(super) async fn expect_empty(connection: &impl ConnectionTrait) -> Result<(), CatalogError> {
    let institutions = institution::Entity::find().count(connection).await;
    match institutions.map_err(CatalogError::during("restore the catalogue"))? {
        0 => Ok(()),
        _ => Err(CatalogError::NotEmpty),
    }
}

/// In the order of the foreign keys. Which processes recorded is not copied: a copy beside newer objects must not pass judgement on
/// them. Nor is the data folder: the copy goes into another one. Who was signed in is not copied, nor links that worked once and sign-ins that were under way.
async fn copy_all(from: &impl ConnectionTrait, to: &impl ConnectionTrait) -> Result<(), DbErr> {
    table::<institution::Entity>(from, to, institution::Column::Id).await?;
    table::<account::Entity>(from, to, account::Column::Id).await?;
    table::<linked_identity::Entity>(from, to, linked_identity::Column::Id).await?;
    table::<membership::Entity>(from, to, membership::Column::Id).await?;
    table::<api_token::Entity>(from, to, api_token::Column::Id).await?;
    table::<second_factor::Entity>(from, to, second_factor::Column::Id).await?;
    table::<recovery_code::Entity>(from, to, recovery_code::Column::Id).await?;
    table::<account_notice::Entity>(from, to, account_notice::Column::Id).await?;
    table::<quick_text::Entity>(from, to, quick_text::Column::Id).await?;
    table::<worklist_filter::Entity>(from, to, worklist_filter::Column::Id).await?;
    table::<pseudonym::Entity>(from, to, pseudonym::Column::Id).await?;
    table::<patient::Entity>(from, to, patient::Column::Id).await?;
    table::<study::Entity>(from, to, study::Column::Id).await?;
    table::<study_conflict::Entity>(from, to, study_conflict::Column::Id).await?;
    table::<series::Entity>(from, to, series::Column::Id).await?;
    table::<measurement::Entity>(from, to, measurement::Column::Id).await?;
    table::<instance::Entity>(from, to, instance::Column::Id).await?;
    table::<quarantine::Entity>(from, to, quarantine::Column::Id).await?;
    table::<reading::Entity>(from, to, reading::Column::Id).await?;
    table::<report::Entity>(from, to, report::Column::Id).await?;
    table::<finding::Entity>(from, to, finding::Column::Id).await?;
    table::<review::Entity>(from, to, review::Column::Id).await?;
    table::<verdict::Entity>(from, to, verdict::Column::Id).await?;
    table::<corrected_mask::Entity>(from, to, corrected_mask::Column::Id).await?;
    table::<signature::Entity>(from, to, signature::Column::Id).await?;
    table::<forward::Entity>(from, to, forward::Column::Id).await?;
    table::<delivery::Entity>(from, to, delivery::Column::Id).await?;
    table::<patient_fact::Entity>(from, to, patient_fact::Column::Id).await?;
    table::<worklist_item::Entity>(from, to, worklist_item::Column::Id).await?;
    table::<work_item::Entity>(from, to, work_item::Column::Id).await?;
    table::<work_subscriber::Entity>(from, to, work_subscriber::Column::Id).await?;
    table::<work_subscription::Entity>(from, to, work_subscription::Column::Id).await?;
    table::<work_event::Entity>(from, to, work_event::Column::Id).await?;
    told_of_these(to).await?;
    table::<commitment::Entity>(from, to, commitment::Column::Id).await?;
    table::<pulled_study::Entity>(from, to, pulled_study::Column::Id).await?;
    table::<removal::Entity>(from, to, removal::Column::Id).await?;
    audit_trail(from, to).await?;
    words(to).await
}

async fn table<E>(from: &impl ConnectionTrait, to: &impl ConnectionTrait, id: E::Column) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Sync,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    rows::<E>(from, to, id).await?;
    go_on_counting::<E>(to).await
}

async fn rows<E>(from: &impl ConnectionTrait, to: &impl ConnectionTrait, id: E::Column) -> Result<(), DbErr>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel> + Sync,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let mut after = 0_i64;
    loop {
        let rows = E::find().filter(id.gt(after)).order_by_asc(id).limit(CHUNK).all(from).await?;
        let mut models: Vec<E::ActiveModel> = rows.into_iter().map(IntoActiveModel::into_active_model).collect();
        let Some(last) = models.last() else { return Ok(()) };
        let value = last.get(id).into_value();
        after = value.and_then(Value::unwrap::<Option<i64>>).ok_or_else(|| DbErr::Custom("row id".into()))?;
        models = models.into_iter().map(ActiveModelTrait::reset_all).collect();
        E::insert_many(models).exec_without_returning(to).await?;
    }
}

/// The chain as it is; its index of studies is made again.
async fn audit_trail(from: &impl ConnectionTrait, to: &impl ConnectionTrait) -> Result<(), DbErr> {
    rows::<audit_event::Entity>(from, to, audit_event::Column::Number).await?;
    let mut after = 0_i64;
    loop {
        let events = audit_event::Entity::find()
            .filter(audit_event::Column::Number.gt(after))
            .order_by_asc(audit_event::Column::Number)
            .limit(CHUNK)
            .all(to)
            .await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.number;
        let entries: Vec<_> = events.iter().flat_map(audit::entries).collect();
        for chunk in entries.chunks(CHUNK as usize) {
            audit_study::Entity::insert_many(chunk.iter().cloned()).exec_without_returning(to).await?;
        }
    }
}

/// Rows came with their numbers: the next one gets a higher one.
async fn go_on_counting<E: EntityTrait>(to: &impl ConnectionTrait) -> Result<(), DbErr> {
    if Dialect::of(to) == Dialect::Postgres {
        let table = E::default().table_name().to_owned();
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', 'id'), GREATEST((SELECT max(id) FROM {table}), 1), \
             EXISTS (SELECT 1 FROM {table}))"
        );
        to.execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Events that were forgotten are not copied, and their numbers come again: whoever was told of them has not been told of what will have them.
async fn told_of_these(to: &impl ConnectionTrait) -> Result<(), DbErr> {
    let last = "(SELECT COALESCE(max(id), 0) FROM work_event)";
    let sql = format!("UPDATE work_subscriber SET told_up_to = {last} WHERE told_up_to > {last}");
    to.execute_unprepared(&sql).await?;
    Ok(())
}

/// The index of words is made again.
async fn words(to: &impl ConnectionTrait) -> Result<(), DbErr> {
    let dialect = Dialect::of(to);
    let mut after = 0_i64;
    loop {
        let sql = format!("{} WHERE s.id > ? ORDER BY s.id LIMIT ?", text::SELECT);
        let studies =
            StudyText::find_by_statement(dialect.statement(&sql, [after.into(), CHUNK.into()])).all(to).await?;
        let Some(last) = studies.last() else { return Ok(()) };
        to.execute_raw(text::insert(dialect, &studies)).await?;
        after = last.id;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_was_told_of_events_that_are_not_copied_is_told_of_those_that_get_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let from = connect::file_alone(&folder.path().join("from.sqlite")).await.unwrap();
        let to = connect::file_alone(&folder.path().join("to.sqlite")).await.unwrap();
        for file in [&from, &to] {
            Migrator::up(file, None).await.unwrap();
        }
        for row in [
            "institution (id, code, created_at, name) VALUES (1, 'LOCAL', 0, '')",
            "work_subscriber (id, institution_id, ae_title, worklist, told_up_to) VALUES (1, 1, 'A', 'none', 50)",
            "work_subscriber (id, institution_id, ae_title, worklist, told_up_to) VALUES (2, 1, 'B', 'none', 5)",
            "work_event (id, subscriber_row, message, at) VALUES (7, 2, '{}', 0)",
        ] {
            from.execute_unprepared(&format!("INSERT INTO {row}")).await.unwrap();
        }
        copy_all(&from, &to).await.unwrap();
        let told: Vec<i64> = work_subscriber::Entity::find()
            .select_only()
            .column(work_subscriber::Column::ToldUpTo)
            .order_by_asc(work_subscriber::Column::Id)
            .into_tuple()
            .all(&to)
            .await
            .unwrap();
        assert_eq!(told, [7, 5]);
    }
}
