//! Reports that go to medical records, and what those told of a patient.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Emr;

#[async_trait::async_trait]
impl MigrationTrait for Emr {
    /// All of it or nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = || ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned();
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().to_owned();
        let text = |name: &'static str| ColumnDef::new(name).text().not_null().to_owned();
        manager
            .create_table(
                Table::create()
                    .table("delivery")
                    .col(id())
                    .col(number("institution_id"))
                    .col(number("report_row"))
                    .col(text("destination"))
                    .col(text("control_id"))
                    .col(text("state"))
                    .col(number("tries"))
                    .col(number("next_at"))
                    .col(ColumnDef::new("reason").text().null())
                    .col(number("created_at"))
                    .col(number("updated_at"))
                    .foreign_key(ForeignKey::create().from("delivery", "institution_id").to("institution", "id"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("delivery", "report_row")
                            .to("report", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("patient_fact")
                    .col(id())
                    .col(number("institution_id"))
                    .col(text("issuer"))
                    .col(text("patient_id"))
                    .col(text("input"))
                    .col(ColumnDef::new("holds").boolean().not_null())
                    .col(text("system"))
                    .col(text("code"))
                    .col(text("source"))
                    .col(number("observed_at"))
                    .col(number("received_at"))
                    .foreign_key(ForeignKey::create().from("patient_fact", "institution_id").to("institution", "id"))
                    .to_owned(),
            )
            .await?;
        for (name, table, columns, unique) in INDEXES {
            let mut index = Index::create();
            index.name(*name).table(*table);
            for column in *columns {
                index.col(*column);
            }
            if *unique {
                index.unique();
            }
            manager.create_index(index.clone()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["patient_fact", "delivery"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// Name, table, columns, unique.
const INDEXES: &[(&str, &str, &[&str], bool)] = &[
    ("uq_delivery_report_row_destination", "delivery", &["report_row", "destination"], true),
    ("ix_delivery_state_destination_next_at", "delivery", &["state", "destination", "next_at"], false),
    (
        "uq_patient_fact_patient_input_code_observed_at",
        "patient_fact",
        &["institution_id", "patient_id", "issuer", "input", "system", "code", "observed_at"],
        true,
    ),
];
