//! Which processes recorded into this catalogue: a catalogue that does not know one cannot say what that one had acknowledged.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Processes;

#[async_trait::async_trait]
impl MigrationTrait for Processes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE TABLE process (id TEXT PRIMARY KEY NOT NULL, started_at BIGINT NOT NULL)";
        manager.get_connection().execute_unprepared(sql).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("process").to_owned()).await
    }
}
