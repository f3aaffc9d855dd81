//! Full-width letters, half-width kana and compatibility ideographs are sorted as their usual forms: studies whose texts have any get their
//! keys anew. They are found by them too; the index of words is made by the migration that last changed what it holds.

use crate::catalog::dialect::Dialect;
use crate::catalog::work::{folded, name_key};
use hilum_dicom::matching::unified;
use sea_orm::{FromQueryResult, Value};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct UnifiedTexts;

/// Studies that are looked at in one go.
const CHUNK: i64 = 500;

#[derive(FromQueryResult)]
struct Known {
    id: i64,
    name_alphabetic: String,
    name_ideographic: Option<String>,
    name_phonetic: Option<String>,
    patient_id: String,
    description: Option<String>,
}

impl Known {
    fn names(&self) -> [Option<&str>; 3] {
        [Some(&self.name_alphabetic), self.name_ideographic.as_deref(), self.name_phonetic.as_deref()]
    }

    fn is_unified(&self) -> bool {
        let others = [Some(self.patient_id.as_str()), self.description.as_deref()];
        self.names().into_iter().chain(others).flatten().all(|text| unified(text) == text)
    }
}

#[async_trait::async_trait]
impl MigrationTrait for UnifiedTexts {
    /// All of it or nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let dialect = Dialect::of(connection);
        let sql = "SELECT s.id, p.name_alphabetic, p.name_ideographic, p.name_phonetic, p.patient_id, s.description \
                   FROM study s JOIN patient p ON p.id = s.patient_row WHERE s.id > ? ORDER BY s.id LIMIT ?";
        let mut after = 0;
        loop {
            let statement = dialect.statement(sql, [Value::from(after), Value::from(CHUNK)]);
            let studies = Known::find_by_statement(statement).all(connection).await?;
            let Some(last) = studies.last().map(|study| study.id) else { return Ok(()) };
            for study in studies.iter().filter(|study| !study.is_unified()) {
                let keys = [
                    name_key(study.names()),
                    folded(&study.patient_id),
                    folded(study.description.as_deref().unwrap_or_default()),
                ];
                let values = keys.map(Value::from).into_iter().chain([study.id.into()]);
                let sql = "UPDATE study SET name_key = ?, patient_key = ?, described = ? WHERE id = ?";
                connection.execute_raw(dialect.statement(sql, values)).await?;
            }
            after = last;
        }
    }

    /// Keys of either kind are of use to either version.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
