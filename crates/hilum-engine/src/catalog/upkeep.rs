//! Looking after the catalogue itself: who has which object, whether the database is sound, and a copy of it. This is about the machine,
//! not about anybody's data, so nothing here takes a scope; what is told names UIDs and no patient.

use super::dialect::Dialect;
use super::{Catalog, CatalogError, connect, copy};
use crate::storage::ObjectKey;
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use std::path::Path;

/// A row that says where an object lies.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Holder {
    id: i64,
    /// `instance`, `quarantine` or `report`.
    pub(crate) kind: String,
    object_key: String,
    /// SOP Instance UID; of the study for a report.
    pub(crate) uid: String,
}

impl Holder {
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey::from_catalogue(self.object_key.clone())
    }
}

const INSTANCES: &str = "SELECT id, 'instance' AS kind, object_key, sop_uid AS uid FROM instance";
const ASIDE: &str = "SELECT id, 'quarantine' AS kind, object_key, sop_uid AS uid FROM quarantine";
const REPORTS: &str = "SELECT report.id AS id, 'report' AS kind, object_key, study_uid AS uid FROM report JOIN study ON study.id = study_row";

const PACKS: &str = "SELECT id, 'metadata' AS kind, metadata_key AS object_key, series_uid AS uid FROM series";

/// What the counts on studies and series should be.
const RECOUNT: [&str; 2] = [
    "UPDATE series SET instance_count = (SELECT count(*) FROM instance WHERE series_row = series.id), \
     frame_count = (SELECT COALESCE(sum(frames), 0) FROM instance WHERE series_row = series.id) \
     WHERE instance_count <> (SELECT count(*) FROM instance WHERE series_row = series.id) \
     OR frame_count <> (SELECT COALESCE(sum(frames), 0) FROM instance WHERE series_row = series.id)",
    "UPDATE study SET series_count = (SELECT count(*) FROM series WHERE study_row = study.id), \
     instance_count = (SELECT COALESCE(sum(instance_count), 0) FROM series WHERE study_row = study.id) \
     WHERE series_count <> (SELECT count(*) FROM series WHERE study_row = study.id) \
     OR instance_count <> (SELECT COALESCE(sum(instance_count), 0) FROM series WHERE study_row = study.id)",
];

const ACT: &str = "look after the catalogue";

impl Catalog {
    /// Rows with an object, `limit` at a time: first instances, then what was put aside, then reports.
    pub(crate) async fn holders(&self, after: Option<&Holder>, limit: u64) -> Result<Vec<Holder>, CatalogError> {
        let lists = [
            ("instance", INSTANCES, "id"),
            ("quarantine", ASIDE, "id"),
            ("report", REPORTS, "report.id"),
            ("metadata", PACKS, "metadata_key IS NOT NULL AND id"),
        ];
        let start = lists.iter().position(|(kind, ..)| after.is_some_and(|after| after.kind == *kind)).unwrap_or(0);
        for (index, (_, select, id)) in lists.iter().enumerate().skip(start) {
            let from = after.filter(|_| index == start).map_or(0, |after| after.id);
            let sql = format!("{select} WHERE {id} > ? ORDER BY 1 LIMIT ?");
            let statement = self.statement(&sql, [Value::from(from), limit.into()]);
            let rows = Holder::find_by_statement(statement).all(&self.read).await.map_err(CatalogError::during(ACT))?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }

    /// Who has the object.
    pub(crate) async fn holder_of(&self, key: &ObjectKey) -> Result<Option<Holder>, CatalogError> {
        holder(&self.read, key).await
    }

    /// The packed metadata of a series are gone; they are computed again when they are asked for.
    pub(crate) async fn forget_metadata(&self, row: &Holder) -> Result<(), CatalogError> {
        let sql = "UPDATE series SET metadata_key = NULL, metadata_revision = 0 WHERE id = ? AND metadata_key = ?";
        let values = [Value::from(row.id), row.object_key.clone().into()];
        self.write.execute_raw(self.statement(sql, values)).await.map_err(CatalogError::during(ACT))?;
        Ok(())
    }

    /// Rows with an object in all.
    pub(crate) async fn count_holders(&self) -> Result<u64, CatalogError> {
        count(&self.read).await
    }

    /// What the database finds wrong with itself, and whether the index of words can be read; empty when it is sound.
    pub(crate) async fn faults(&self) -> Result<Vec<String>, CatalogError> {
        match self.dialect() {
            Dialect::Sqlite => self.faults_of_file().await,
            Dialect::Postgres => self.faults_of_server().await,
        }
    }

    async fn faults_of_file(&self) -> Result<Vec<String>, CatalogError> {
        let mut faults = Vec::new();
        let integrity = self.statement("PRAGMA integrity_check(20)", []);
        for row in self.read.query_all_raw(integrity).await.map_err(CatalogError::during(ACT))? {
            let said: String = row.try_get_by_index(0).map_err(CatalogError::during(ACT))?;
            faults.extend(Some(said).filter(|said| said != "ok"));
        }
        let keys = self.statement("PRAGMA foreign_key_check", []);
        let rows = self.read.query_all_raw(keys).await.map_err(CatalogError::during(ACT))?;
        if !rows.is_empty() {
            faults.push(format!("{} rows point to rows that are not there", rows.len()));
        }
        let words = "INSERT INTO study_text (study_text) VALUES ('integrity-check')";
        if self.write.execute_unprepared(words).await.is_err() {
            faults.push("the index of words is damaged".to_owned());
        }
        Ok(faults)
    }

    /// PostgreSQL looks after its own files (data_checksums, pg_amcheck); here is what concerns the catalogue alone.
    async fn faults_of_server(&self) -> Result<Vec<String>, CatalogError> {
        let questions = [
            (
                "studies are not in the index of words",
                "study WHERE NOT EXISTS (SELECT 1 FROM study_text WHERE study_row = study.id)",
            ),
            (
                "studies in the index of words are not there",
                "study_text WHERE NOT EXISTS (SELECT 1 FROM study WHERE id = study_row)",
            ),
            (
                "indexes are invalid (REINDEX DATABASE makes them again)",
                "pg_index JOIN pg_class ON pg_class.oid = indrelid \
                 WHERE relnamespace = current_schema()::regnamespace AND NOT indisvalid",
            ),
        ];
        let mut faults = Vec::new();
        for (what, rows) in questions {
            let statement = self.statement(&format!("SELECT count(*) AS n FROM {rows}"), []);
            let row = Count::find_by_statement(statement).one(&self.read).await.map_err(CatalogError::during(ACT))?;
            faults.extend(row.filter(|row| row.n > 0).map(|row| format!("{} {what}", row.n)));
        }
        Ok(faults)
    }

    /// Sets counts on studies and series right; says how many were wrong.
    pub(crate) async fn recount(&self) -> Result<u64, CatalogError> {
        let txn = self.begin(ACT).await?;
        let mut wrong = 0;
        for sql in RECOUNT {
            wrong += txn.execute_unprepared(sql).await.map_err(CatalogError::during(ACT))?.rows_affected();
        }
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(wrong)
    }

    /// A consistent copy of the catalogue as a file of SQLite, made while others read and write; returns the rows with an object that it
    /// has. A server's rows are written into a new file, so that a backup is one format, whatever it was made of.
    pub(crate) async fn copy_to(&self, file: &Path) -> Result<u64, CatalogError> {
        let act = "copy the catalogue";
        if self.dialect() == Dialect::Postgres {
            return Box::pin(copy::server_to_file(&self.read, file)).await;
        }
        let statement = self.statement("VACUUM INTO ?", [Value::from(file.display().to_string())]);
        self.read.execute_raw(statement).await.map_err(CatalogError::during(act))?;
        let copy = connect::file_alone(file).await.map_err(CatalogError::during(act))?;
        let rows = count(&copy).await;
        copy.close().await.map_err(CatalogError::during(act))?;
        rows
    }

    /// Fails where this catalogue was used before.
    pub(crate) async fn expect_empty(&self) -> Result<(), CatalogError> {
        copy::expect_empty(&self.read).await
    }

    /// Fills this catalogue, which is new and on a server, with the copy in a file.
    pub(crate) async fn fill_from(&self, file: &Path) -> Result<(), CatalogError> {
        let txn = self.begin("restore the catalogue").await?;
        Box::pin(copy::file_to_server(file, txn)).await
    }
}

/// Who has the object.
pub(super) async fn holder(connection: &impl ConnectionTrait, key: &ObjectKey) -> Result<Option<Holder>, CatalogError> {
    for (select, column) in
        [(INSTANCES, "object_key"), (ASIDE, "object_key"), (REPORTS, "object_key"), (PACKS, "metadata_key")]
    {
        let sql = format!("{select} WHERE {column} = ? LIMIT 1");
        let statement = Dialect::of(connection).statement(&sql, [Value::from(key.as_str())]);
        let row = Holder::find_by_statement(statement).one(connection).await.map_err(CatalogError::during(ACT))?;
        if row.is_some() {
            return Ok(row);
        }
    }
    Ok(None)
}

/// Rows with an object.
pub(super) async fn count(connection: &impl ConnectionTrait) -> Result<u64, CatalogError> {
    let sql = "SELECT (SELECT count(*) FROM instance) + (SELECT count(*) FROM quarantine) + (SELECT count(*) FROM report) \
               + (SELECT count(*) FROM series WHERE metadata_key IS NOT NULL) AS n";
    let statement = Dialect::of(connection).statement(sql, []);
    let row = Count::find_by_statement(statement).one(connection).await.map_err(CatalogError::during(ACT))?;
    Ok(row.map_or(0, |row| row.n as u64))
}

#[derive(FromQueryResult)]
struct Count {
    n: i64,
}
