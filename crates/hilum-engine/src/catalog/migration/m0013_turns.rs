//! What is due, by institution: whose turn it is looks at the first rows of each, however many wait behind them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Turns;

const INDEXES: [(&str, &str); 3] = [
    ("ix_series_due", "series (institution_id, quiet_at, id) WHERE settled_revision < revision"),
    ("ix_study_due", "study (institution_id, id) WHERE read_revision < revision"),
    ("ix_reading_running", "reading (institution_id) WHERE state = 'reading'"),
];

#[async_trait::async_trait]
impl MigrationTrait for Turns {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in INDEXES {
            manager.get_connection().execute_unprepared(&format!("CREATE INDEX {name} ON {columns}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        Ok(())
    }
}
