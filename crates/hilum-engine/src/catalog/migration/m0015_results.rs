//! When the objects of a report are due, and when they were made. Reports from before are not made into objects by themselves.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Results;

const UP: [&str; 4] = [
    "ALTER TABLE report ADD COLUMN results_due_at BIGINT",
    "ALTER TABLE report ADD COLUMN results_tries BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE report ADD COLUMN results_made_at BIGINT",
    "CREATE INDEX ix_report_results ON report (results_due_at, id) WHERE results_due_at IS NOT NULL",
];

const DOWN: [&str; 4] = [
    "DROP INDEX ix_report_results",
    "ALTER TABLE report DROP COLUMN results_made_at",
    "ALTER TABLE report DROP COLUMN results_tries",
    "ALTER TABLE report DROP COLUMN results_due_at",
];

#[async_trait::async_trait]
impl MigrationTrait for Results {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in UP {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in DOWN {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
