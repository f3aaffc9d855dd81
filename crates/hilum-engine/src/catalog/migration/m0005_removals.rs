//! Objects whose rows were deleted and whose bytes are to go.

use crate::catalog::dialect::Dialect;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Removals;

#[async_trait::async_trait]
impl MigrationTrait for Removals {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let id = Dialect::of(connection).either("INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL", "BIGSERIAL PRIMARY KEY");
        let sql = format!("CREATE TABLE removal (id {id}, object_key TEXT NOT NULL, created_at BIGINT NOT NULL)");
        connection.execute_unprepared(&sql).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("removal").to_owned()).await
    }
}
