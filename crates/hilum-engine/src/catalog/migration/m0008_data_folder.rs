//! Which data folder holds the objects of a catalogue on a server.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct DataFolder;

#[async_trait::async_trait]
impl MigrationTrait for DataFolder {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE TABLE data_folder (id TEXT PRIMARY KEY NOT NULL, named_at BIGINT NOT NULL)";
        manager.get_connection().execute_unprepared(sql).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("data_folder").to_owned()).await
    }
}
