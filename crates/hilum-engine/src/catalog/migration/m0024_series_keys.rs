//! The index of words has the remaining keys of studies, and those of their series: by it they are found without a walk through the archive.

use crate::catalog::dialect::Dialect;
use crate::catalog::search::index;
use crate::catalog::search::text::{self, StudyText};
use crate::catalog::work::body_part;
use hilum_dicom::InstanceFacts;
use sea_orm::{FromQueryResult, Value};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct SeriesKeys;

/// Studies that get their marks in one go.
const CHUNK: i64 = 500;

/// What was kept before these were read says nothing of them.
const COLUMNS: [&str; 3] = ["performed_date", "step_ids", "procedure_ids"];

#[async_trait::async_trait]
impl MigrationTrait for SeriesKeys {
    /// All of it or nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for column in COLUMNS {
            connection.execute_unprepared(&format!("ALTER TABLE series ADD COLUMN {column} TEXT")).await?;
        }
        let dialect = Dialect::of(connection);
        body_parts(connection, dialect).await?;
        // Made anew, and its index on PostgreSQL at the end: faster than row by row.
        connection.execute_unprepared("DROP TABLE study_text").await?;
        let (table, indexes) = index::create(dialect).split_at(1);
        connection.execute_unprepared(table[0]).await?;
        marks(connection, dialect).await?;
        for sql in indexes {
            connection.execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            let sql = format!("ALTER TABLE series DROP COLUMN {column}");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}

#[derive(FromQueryResult)]
struct Unsettled {
    id: i64,
    facts: Option<String>,
}

/// Body Part Examined was noted when a series settled; now it is as soon as there is a series.
async fn body_parts(connection: &SchemaManagerConnection<'_>, dialect: Dialect) -> Result<(), DbErr> {
    let sql = "SELECT series.id, (SELECT facts FROM instance WHERE series_row = series.id ORDER BY id LIMIT 1) AS facts \
               FROM series WHERE settled_revision < revision AND body_part IS NULL";
    let unsettled = Unsettled::find_by_statement(dialect.statement(sql, [])).all(connection).await?;
    for series in unsettled {
        // What cannot be read says nothing here; it does not keep the archive from opening.
        let facts = series.facts.as_deref().and_then(|json| serde_json::from_str::<InstanceFacts>(json).ok());
        let part = facts.and_then(|facts| facts.series.body_part).map(|part| body_part(&part));
        if let Some(part) = part.filter(|part| !part.is_empty()) {
            let values = [Value::from(part), Value::from(series.id)];
            connection.execute_raw(dialect.statement("UPDATE series SET body_part = ? WHERE id = ?", values)).await?;
        }
    }
    Ok(())
}

async fn marks(connection: &SchemaManagerConnection<'_>, dialect: Dialect) -> Result<(), DbErr> {
    let mut after = 0;
    loop {
        let sql = format!("{} WHERE s.id > ? ORDER BY s.id LIMIT ?", text::SELECT);
        let statement = dialect.statement(&sql, [Value::from(after), Value::from(CHUNK)]);
        let studies = StudyText::find_by_statement(statement).all(connection).await?;
        let Some(last) = studies.last() else { return Ok(()) };
        connection.execute_raw(text::insert(dialect, &studies)).await?;
        after = last.id;
    }
}
