//! The list of what is not read yet, in an order by text: the index of each order says what state a study is in, so that walking past
//! what is read costs entries of the index and no rows.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct StateInOrders;

const ORDERS: [(&str, &str); 4] = [
    ("ix_study_by_name", "name_key"),
    ("ix_study_by_patient", "patient_key"),
    ("ix_study_by_description", "described"),
    ("ix_study_by_modality", "modalities"),
];

#[async_trait::async_trait]
impl MigrationTrait for StateInOrders {
    /// All of it or nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        made_anew(manager, ", workflow").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        made_anew(manager, "").await
    }
}

async fn made_anew(manager: &SchemaManager<'_>, state: &str) -> Result<(), DbErr> {
    for (index, order) in ORDERS {
        let connection = manager.get_connection();
        connection.execute_unprepared(&format!("DROP INDEX {index}")).await?;
        connection.execute_unprepared(&format!("CREATE INDEX {index} ON study ({order}, id{state})")).await?;
    }
    Ok(())
}
