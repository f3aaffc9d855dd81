//! What an object's bytes are known by is a digest that says of which kind it is: SHA-256 of what was kept before, BLAKE3 since.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Digests;

#[async_trait::async_trait]
impl MigrationTrait for Digests {
    /// All of it or nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        renamed(manager, "sha256", "digest").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        renamed(manager, "digest", "sha256").await
    }
}

async fn renamed(manager: &SchemaManager<'_>, from: &str, to: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let index = |digest| format!("uq_quarantine_institution_id_zone_sop_uid_{digest}");
    connection.execute_unprepared(&format!("DROP INDEX {}", index(from))).await?;
    for table in ["instance", "quarantine"] {
        connection.execute_unprepared(&format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}")).await?;
    }
    let unique = format!("CREATE UNIQUE INDEX {} ON quarantine (institution_id, zone, sop_uid, {to})", index(to));
    connection.execute_unprepared(&unique).await.map(drop)
}
