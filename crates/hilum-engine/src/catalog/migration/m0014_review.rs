//! What physicians make of reports: verdicts, their words, signatures, and texts that they use again.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Review;

#[async_trait::async_trait]
impl MigrationTrait for Review {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = || ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned();
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().to_owned();
        let perhaps = |name: &'static str| ColumnDef::new(name).big_integer().null().to_owned();
        let text = |name: &'static str| ColumnDef::new(name).text().not_null().to_owned();
        let some_text = |name: &'static str| ColumnDef::new(name).text().null().to_owned();
        let to = |table: &'static str, column: &'static str, other: &'static str| {
            ForeignKey::create().from(table, column).to(other, "id").to_owned()
        };
        // The signed version that stays shown until this later reading is signed.
        manager.alter_table(Table::alter().table("report").add_column(perhaps("after_row")).to_owned()).await?;
        let review = Table::create()
            .table("review")
            .col(id())
            .col(number("institution_id"))
            .col(number("report_row"))
            .col(number("revision"))
            .col(text("conclusion_en"))
            .col(text("conclusion_ko"))
            .col(number("updated_at"))
            .foreign_key(&mut to("review", "institution_id", "institution"))
            .foreign_key(&mut to("review", "report_row", "report"))
            .to_owned();
        manager.create_table(review).await?;
        let verdict = Table::create()
            .table("verdict")
            .col(id())
            .col(number("institution_id"))
            .col(number("report_row"))
            .col(number("number"))
            .col(text("verdict"))
            .col(text("stated"))
            .col(text("comment"))
            .col(perhaps("account_id"))
            .col(number("at"))
            .foreign_key(&mut to("verdict", "institution_id", "institution"))
            .foreign_key(&mut to("verdict", "report_row", "report"))
            .to_owned();
        manager.create_table(verdict).await?;
        let signature = Table::create()
            .table("signature")
            .col(id())
            .col(number("institution_id"))
            .col(number("report_row"))
            .col(number("signs_row"))
            .col(number("reading_row"))
            .col(perhaps("amends_row"))
            .col(perhaps("amended_row"))
            .col(text("reason"))
            .col(perhaps("account_id"))
            .col(text("name"))
            .col(number("at"))
            .col(text("month"))
            .col(text("sha256"))
            .col(some_text("model_hash"))
            .col(number("findings"))
            .col(number("accepted"))
            .col(number("edited"))
            .col(number("rejected"))
            .col(number("added"))
            .col(text("label_use"))
            .col(perhaps("label_by"))
            .col(perhaps("label_at"))
            .foreign_key(&mut to("signature", "institution_id", "institution"))
            .foreign_key(&mut to("signature", "report_row", "report"))
            .to_owned();
        manager.create_table(signature).await?;
        let quick_text = Table::create()
            .table("quick_text")
            .col(id())
            .col(number("account_id"))
            .col(text("language"))
            .col(text("title"))
            .col(text("text"))
            .foreign_key(to("quick_text", "account_id", "account").on_delete(ForeignKeyAction::Cascade))
            .to_owned();
        manager.create_table(quick_text).await?;
        for (name, columns) in INDEXES {
            manager.get_connection().execute_unprepared(&format!("CREATE {name} ON {columns}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["quick_text", "signature", "verdict", "review"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        manager.alter_table(Table::alter().table("report").drop_column("after_row").to_owned()).await
    }
}

const INDEXES: [(&str, &str); 6] = [
    ("UNIQUE INDEX uq_review_report_row", "review (report_row)"),
    ("INDEX ix_verdict_report_row", "verdict (report_row, number)"),
    ("UNIQUE INDEX uq_signature_report_row", "signature (report_row)"),
    ("INDEX ix_signature_reading_row", "signature (reading_row)"),
    ("INDEX ix_signature_month", "signature (institution_id, month)"),
    ("INDEX ix_quick_text_account", "quick_text (account_id)"),
];
