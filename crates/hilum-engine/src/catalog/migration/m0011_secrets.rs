//! What is kept encrypted, with the id of its key: secrets of second factors, and who a pseudonym stands for.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Secrets;

#[async_trait::async_trait]
impl MigrationTrait for Secrets {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = || ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned();
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().to_owned();
        let text = |name: &'static str| ColumnDef::new(name).text().not_null().to_owned();
        let unique = |name: &'static str| ColumnDef::new(name).text().not_null().unique_key().to_owned();
        let of_account = |table: &'static str| {
            ForeignKey::create()
                .from(table, "account_id")
                .to("account", "id")
                .on_delete(ForeignKeyAction::Cascade)
                .to_owned()
        };
        let factor = Table::create()
            .table("second_factor")
            .col(id())
            .col(ColumnDef::new("account_id").big_integer().not_null().unique_key())
            .col(text("key_id"))
            .col(text("secret"))
            .col(number("created_at"))
            .col(ColumnDef::new("confirmed_at").big_integer().null())
            .col(number("last_step"))
            .foreign_key(&mut of_account("second_factor"))
            .to_owned();
        manager.create_table(factor).await?;
        let code = Table::create()
            .table("recovery_code")
            .col(id())
            .col(number("account_id"))
            .col(unique("digest"))
            .foreign_key(&mut of_account("recovery_code"))
            .to_owned();
        manager.create_table(code).await?;
        let notice = Table::create()
            .table("account_notice")
            .col(id())
            .col(number("account_id"))
            .col(text("code"))
            .col(number("noted_at"))
            .foreign_key(&mut of_account("account_notice"))
            .to_owned();
        manager.create_table(notice).await?;
        let pseudonym = Table::create()
            .table("pseudonym")
            .col(id())
            .col(number("institution_id"))
            .col(unique("pseudonym"))
            .col(text("key_id"))
            .col(text("lookup"))
            .col(text("identity"))
            .col(number("created_at"))
            .foreign_key(ForeignKey::create().from("pseudonym", "institution_id").to("institution", "id"))
            .to_owned();
        manager.create_table(pseudonym).await?;
        let index = |name: &'static str, table: &'static str, columns: &[&'static str]| {
            let mut index = Index::create().name(name).table(table).to_owned();
            for column in columns {
                index.col(*column);
            }
            index
        };
        let mut once = index("pseudonym_once", "pseudonym", &["institution_id", "lookup"]);
        manager.create_index(once.unique().to_owned()).await?;
        manager.create_index(index("ix_pseudonym_key", "pseudonym", &["key_id", "id"])).await?;
        manager.create_index(index("ix_second_factor_key", "second_factor", &["key_id", "id"])).await?;
        manager.create_index(index("ix_recovery_code_account", "recovery_code", &["account_id"])).await?;
        manager.create_index(index("ix_account_notice_account", "account_notice", &["account_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["pseudonym", "account_notice", "recovery_code", "second_factor"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
