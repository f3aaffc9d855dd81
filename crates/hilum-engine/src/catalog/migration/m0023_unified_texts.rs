//! Full-width letters, half-width kana and compatibility ideographs are found by their usual forms: studies whose texts have any get their
//! keys and their marks in the index of words anew.

use crate::catalog::dialect::Dialect;
use crate::catalog::search::text::{self, StudyText};
use crate::catalog::work::{folded, name_key};
use sea_orm::{FromQueryResult, Value};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct UnifiedTexts;

/// Studies that are looked at in one go.
const CHUNK: i64 = 500;

#[async_trait::async_trait]
impl MigrationTrait for UnifiedTexts {
    /// All of it or nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let dialect = Dialect::of(connection);
        let sql = format!("{} WHERE s.id > ? ORDER BY s.id LIMIT ?", text::SELECT);
        let mut after = 0;
        loop {
            let statement = dialect.statement(&sql, [Value::from(after), Value::from(CHUNK)]);
            let mut studies = StudyText::find_by_statement(statement).all(connection).await?;
            let Some(last) = studies.last().map(|study| study.id) else { return Ok(()) };
            studies.retain(|study| !study.is_unified());
            for study in &studies {
                let keys = [
                    name_key(study.names()),
                    folded(&study.patient_id),
                    folded(study.description.as_deref().unwrap_or_default()),
                ];
                let values = keys.map(Value::from).into_iter().chain([study.id.into()]);
                let sql = "UPDATE study SET name_key = ?, patient_key = ?, described = ? WHERE id = ?";
                connection.execute_raw(dialect.statement(sql, values)).await?;
            }
            if !studies.is_empty() {
                connection.execute_raw(text::insert(dialect, &studies)).await?;
            }
            after = last;
        }
    }

    /// Keys and marks of either kind are of use to either version.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
