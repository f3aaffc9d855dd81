//! Identities of OpenID providers that belong to accounts, roles that their claims give, and sign-ins that are under way.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct OpenId;

const ROLE_ONCE: [&str; 3] = ["account_id", "institution_id", "role"];

fn once(columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name("membership_once").table("membership").unique().to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}

#[async_trait::async_trait]
impl MigrationTrait for OpenId {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = || ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned();
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().to_owned();
        let perhaps = |name: &'static str| ColumnDef::new(name).big_integer().null().to_owned();
        let text = |name: &'static str| ColumnDef::new(name).text().not_null().to_owned();
        let of_account = |table: &'static str| {
            ForeignKey::create()
                .from(table, "account_id")
                .to("account", "id")
                .on_delete(ForeignKeyAction::Cascade)
                .to_owned()
        };
        let identity = Table::create()
            .table("linked_identity")
            .col(id())
            .col(number("account_id"))
            .col(text("issuer"))
            .col(text("subject"))
            .col(number("created_at"))
            .col(perhaps("used_at"))
            .foreign_key(&mut of_account("linked_identity"))
            .to_owned();
        manager.create_table(identity).await?;
        let one_account = Index::create()
            .name("identity_once")
            .table("linked_identity")
            .col("issuer")
            .col("subject")
            .unique()
            .to_owned();
        manager.create_index(one_account).await?;
        let attempt = Table::create()
            .table("openid_attempt")
            .col(id())
            .col(ColumnDef::new("state").text().not_null().unique_key())
            .col(text("browser"))
            .col(text("provider"))
            .col(text("returns"))
            .col(perhaps("account_id"))
            .col(ColumnDef::new("session").text().null())
            .col(number("expires_at"))
            .foreign_key(&mut of_account("openid_attempt"))
            .to_owned();
        manager.create_table(attempt).await?;
        let session = Table::alter().table("session").add_column(perhaps("identity_id")).to_owned();
        manager.alter_table(session).await?;
        // 0: given by hand, and told apart from the same role by claims.
        let giver = number("identity_id").default(0).to_owned();
        manager.alter_table(Table::alter().table("membership").add_column(giver).to_owned()).await?;
        manager.drop_index(Index::drop().name("membership_once").table("membership").to_owned()).await?;
        manager.create_index(once(&[&ROLE_ONCE[..], &["identity_id"]].concat())).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DELETE FROM membership WHERE identity_id <> 0").await?;
        manager.drop_index(Index::drop().name("membership_once").table("membership").to_owned()).await?;
        manager.alter_table(Table::alter().table("membership").drop_column("identity_id").to_owned()).await?;
        manager.create_index(once(&ROLE_ONCE)).await?;
        manager.alter_table(Table::alter().table("session").drop_column("identity_id").to_owned()).await?;
        manager.drop_table(Table::drop().table("openid_attempt").to_owned()).await?;
        manager.drop_table(Table::drop().table("linked_identity").to_owned()).await
    }
}
