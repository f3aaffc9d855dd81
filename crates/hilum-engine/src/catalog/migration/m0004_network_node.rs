//! What the network node must not forget: forwards, the worklist, storage commitment on either side, studies to pull.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct NetworkNode;

#[async_trait::async_trait]
impl MigrationTrait for NetworkNode {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = || ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned();
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().to_owned();
        let text = |name: &'static str| ColumnDef::new(name).text().not_null().to_owned();
        manager
            .create_table(
                Table::create()
                    .table("forward")
                    .col(id())
                    .col(number("institution_id"))
                    .col(number("instance_row"))
                    .col(text("peer"))
                    .col(text("state"))
                    .col(number("tries"))
                    .col(number("next_at"))
                    .col(ColumnDef::new("reason").text().null())
                    .col(number("created_at"))
                    .col(number("updated_at"))
                    .foreign_key(ForeignKey::create().from("forward", "institution_id").to("institution", "id"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("forward", "instance_row")
                            .to("instance", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("worklist_item")
                    .col(id())
                    .col(number("institution_id"))
                    .col(text("order_key"))
                    .col(text("data_set"))
                    .col(number("updated_at"))
                    .foreign_key(ForeignKey::create().from("worklist_item", "institution_id").to("institution", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("commitment")
                    .col(id())
                    .col(number("institution_id"))
                    .col(text("transaction_uid"))
                    .col(text("peer"))
                    .col(text("role"))
                    .col(text("state"))
                    .col(ColumnDef::new("result").text().null())
                    .col(number("tries"))
                    .col(number("next_at"))
                    .col(number("created_at"))
                    .foreign_key(ForeignKey::create().from("commitment", "institution_id").to("institution", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("pulled_study")
                    .col(id())
                    .col(number("institution_id"))
                    .col(text("peer"))
                    .col(text("study_uid"))
                    .col(number("announced"))
                    .col(number("tries"))
                    .col(number("next_at"))
                    .foreign_key(ForeignKey::create().from("pulled_study", "institution_id").to("institution", "id"))
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
        for table in ["pulled_study", "commitment", "worklist_item", "forward"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// Name, table, columns, unique.
const INDEXES: &[(&str, &str, &[&str], bool)] = &[
    ("uq_forward_instance_row_peer", "forward", &["instance_row", "peer"], true),
    ("ix_forward_state_peer_next_at", "forward", &["state", "peer", "next_at"], false),
    ("uq_worklist_item_institution_id_order_key", "worklist_item", &["institution_id", "order_key"], true),
    ("uq_commitment_role_peer_transaction_uid", "commitment", &["role", "peer", "transaction_uid"], true),
    ("ix_commitment_role_state_next_at", "commitment", &["role", "state", "next_at"], false),
    ("uq_pulled_study_institution_id_peer_study_uid", "pulled_study", &["institution_id", "peer", "study_uid"], true),
];
