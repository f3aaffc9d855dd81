//! Who may sign in, what they are to which institution, and how they prove it. Secrets are kept as digests.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Accounts;

#[async_trait::async_trait]
impl MigrationTrait for Accounts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = || ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned();
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().to_owned();
        let perhaps = |name: &'static str| ColumnDef::new(name).big_integer().null().to_owned();
        let text = |name: &'static str| ColumnDef::new(name).text().not_null().to_owned();
        let digest = || ColumnDef::new("digest").text().not_null().unique_key().to_owned();
        let of_account = |table: &'static str| {
            ForeignKey::create()
                .from(table, "account_id")
                .to("account", "id")
                .on_delete(ForeignKeyAction::Cascade)
                .to_owned()
        };
        let name = ColumnDef::new("name").text().not_null().default("").to_owned();
        manager.alter_table(Table::alter().table("institution").add_column(name).to_owned()).await?;
        let account = Table::create()
            .table("account")
            .col(id())
            .col(ColumnDef::new("login").text().not_null().unique_key())
            .col(text("name"))
            .col(ColumnDef::new("password").text().null())
            .col(number("created_at"))
            .col(perhaps("disabled_at"))
            .col(perhaps("signed_in_at"))
            .to_owned();
        manager.create_table(account).await?;
        let membership = Table::create()
            .table("membership")
            .col(id())
            .col(number("account_id"))
            .col(number("institution_id"))
            .col(text("role"))
            .foreign_key(&mut of_account("membership"))
            .foreign_key(ForeignKey::create().from("membership", "institution_id").to("institution", "id"))
            .to_owned();
        manager.create_table(membership).await?;
        let once = Index::create()
            .name("membership_once")
            .table("membership")
            .col("account_id")
            .col("institution_id")
            .col("role")
            .unique()
            .to_owned();
        manager.create_index(once).await?;
        let session = Table::create()
            .table("session")
            .col(id())
            .col(number("account_id"))
            .col(digest())
            .col(number("created_at"))
            .col(number("seen_at"))
            .foreign_key(&mut of_account("session"))
            .to_owned();
        manager.create_table(session).await?;
        let token = Table::create()
            .table("api_token")
            .col(id())
            .col(number("account_id"))
            .col(text("name"))
            .col(digest())
            .col(text("roles"))
            .col(number("created_at"))
            .col(number("expires_at"))
            .col(perhaps("used_at"))
            .foreign_key(&mut of_account("api_token"))
            .to_owned();
        manager.create_table(token).await?;
        let link = Table::create()
            .table("account_link")
            .col(id())
            .col(perhaps("account_id"))
            .col(text("purpose"))
            .col(digest())
            .col(number("created_at"))
            .col(number("expires_at"))
            .foreign_key(&mut of_account("account_link"))
            .to_owned();
        manager.create_table(link).await?;
        let failure = Table::create()
            .table("sign_in_failure")
            .col(id())
            .col(digest())
            .col(number("failures"))
            .col(number("failed_at"))
            .col(number("locked_until"))
            .to_owned();
        manager.create_table(failure).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["sign_in_failure", "account_link", "api_token", "session", "membership", "account"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        manager.alter_table(Table::alter().table("institution").drop_column("name").to_owned()).await
    }
}
