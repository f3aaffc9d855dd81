//! What people measure in images, and masks that physicians correct.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Viewer;

#[async_trait::async_trait]
impl MigrationTrait for Viewer {
    /// All of it or nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().to_owned();
        let text = |name: &'static str| ColumnDef::new(name).text().not_null().to_owned();
        let some_text = |name: &'static str| ColumnDef::new(name).text().null().to_owned();
        let to = |column: &'static str, other: &'static str| {
            ForeignKey::create().from("measurement", column).to(other, "id").to_owned()
        };
        let of_mask = |column: &'static str, other: &'static str| {
            ForeignKey::create().from("corrected_mask", column).to(other, "id").to_owned()
        };
        let measurement = Table::create()
            .table("measurement")
            .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
            .col(number("institution_id"))
            .col(number("study_row"))
            .col(number("series_row"))
            .col(some_text("sop_uid"))
            .col(some_text("frame_of_reference_uid"))
            .col(text("kind"))
            .col(text("points"))
            .col(ColumnDef::new("account_id").big_integer().null())
            .col(number("at"))
            .foreign_key(&mut to("institution_id", "institution"))
            // What was measured in images goes with them.
            .foreign_key(to("series_row", "series").on_delete(ForeignKeyAction::Cascade))
            .to_owned();
        manager.create_table(measurement).await?;
        let mask = Table::create()
            .table("corrected_mask")
            .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
            .col(number("institution_id"))
            .col(number("report_row"))
            .col(number("number"))
            .col(text("runs"))
            .col(text("stone"))
            .col(ColumnDef::new("account_id").big_integer().null())
            .col(number("at"))
            .foreign_key(&mut of_mask("institution_id", "institution"))
            .foreign_key(of_mask("report_row", "report").on_delete(ForeignKeyAction::Cascade))
            .to_owned();
        manager.create_table(mask).await?;
        let index = "CREATE INDEX ix_corrected_mask_report_row ON corrected_mask (report_row, number)";
        manager.get_connection().execute_unprepared(index).await?;
        let index = "CREATE INDEX ix_measurement_study_row ON measurement (study_row, id)";
        manager.get_connection().execute_unprepared(index).await?;
        let index = "CREATE INDEX ix_measurement_series_row ON measurement (series_row)";
        manager.get_connection().execute_unprepared(index).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("corrected_mask").to_owned()).await?;
        manager.drop_table(Table::drop().table("measurement").to_owned()).await
    }
}
