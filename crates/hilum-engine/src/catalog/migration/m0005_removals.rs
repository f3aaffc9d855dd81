//! Objects whose rows were deleted and whose bytes are to go.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Removals;

#[async_trait::async_trait]
impl MigrationTrait for Removals {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE TABLE removal (\
            id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, object_key TEXT NOT NULL, created_at BIGINT NOT NULL)";
        manager.get_connection().execute_unprepared(sql).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("removal").to_owned()).await
    }
}
