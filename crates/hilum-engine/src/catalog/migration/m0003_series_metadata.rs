//! Where a series' packed metadata lie, and the revision that they are of.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct SeriesMetadata;

const UP: &[&str] = &[
    "ALTER TABLE series ADD COLUMN metadata_key TEXT",
    "ALTER TABLE series ADD COLUMN metadata_revision BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX ix_series_metadata_key ON series (metadata_key) WHERE metadata_key IS NOT NULL",
];

const DOWN: &[&str] = &[
    "DROP INDEX ix_series_metadata_key",
    "ALTER TABLE series DROP COLUMN metadata_revision",
    "ALTER TABLE series DROP COLUMN metadata_key",
];

#[async_trait::async_trait]
impl MigrationTrait for SeriesMetadata {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, DOWN).await
    }
}

async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for sql in statements {
        manager.get_connection().execute_unprepared(sql).await?;
    }
    Ok(())
}
