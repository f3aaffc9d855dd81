//! A record that a process left without a row gets one at the next start, whichever catalogue is there: none has to know processes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct NoProcesses;

#[async_trait::async_trait]
impl MigrationTrait for NoProcesses {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("process").to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE TABLE process (id TEXT PRIMARY KEY NOT NULL, started_at BIGINT NOT NULL)";
        manager.get_connection().execute_unprepared(sql).await.map(drop)
    }
}
