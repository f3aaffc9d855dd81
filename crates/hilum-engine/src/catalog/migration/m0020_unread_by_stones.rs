//! The list of what is not read yet, by stones: without an index of both, its fewest stones lie behind all that is read.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct UnreadByStones;

#[async_trait::async_trait]
impl MigrationTrait for UnreadByStones {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = "CREATE INDEX ix_study_unread_by_stones ON study (workflow, stones, id)";
        manager.get_connection().execute_unprepared(index).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX ix_study_unread_by_stones").await.map(drop)
    }
}
