//! Work items (Unified Procedure Steps), who wants to be told of them, and what is to be told.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Ups;

#[async_trait::async_trait]
impl MigrationTrait for Ups {
    /// All of it or nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let id = || ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned();
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().to_owned();
        let perhaps = |name: &'static str| ColumnDef::new(name).big_integer().null().to_owned();
        let flag = |name: &'static str| ColumnDef::new(name).boolean().not_null().to_owned();
        let text = |name: &'static str| ColumnDef::new(name).text().not_null().to_owned();
        let some_text = |name: &'static str| ColumnDef::new(name).text().null().to_owned();
        let to = |table: &'static str, column: &'static str, other: &'static str| {
            ForeignKey::create().from(table, column).to(other, "id").to_owned()
        };
        let work_item = Table::create()
            .table("work_item")
            .col(id())
            .col(number("institution_id"))
            .col(text("sop_uid"))
            .col(text("state"))
            .col(some_text("transaction_uid"))
            .col(text("data_set"))
            .col(number("priority"))
            .col(text("scheduled_at"))
            .col(some_text("patient_id"))
            .col(some_text("study_uid"))
            .col(flag("own"))
            .col(some_text("cancel_request"))
            .col(perhaps("resume_attempt"))
            .col(perhaps("next_at"))
            .col(number("looks"))
            .col(number("created_at"))
            .col(number("updated_at"))
            .col(perhaps("ended_at"))
            .foreign_key(&mut to("work_item", "institution_id", "institution"))
            .to_owned();
        manager.create_table(work_item).await?;
        let subscriber = Table::create()
            .table("work_subscriber")
            .col(id())
            .col(number("institution_id"))
            .col(text("ae_title"))
            .col(text("worklist"))
            .col(some_text("filter"))
            .col(number("told_up_to"))
            .foreign_key(&mut to("work_subscriber", "institution_id", "institution"))
            .to_owned();
        manager.create_table(subscriber).await?;
        let subscription = Table::create()
            .table("work_subscription")
            .col(id())
            .col(number("work_item_row"))
            .col(number("subscriber_row"))
            .col(flag("locked"))
            .foreign_key(to("work_subscription", "work_item_row", "work_item").on_delete(ForeignKeyAction::Cascade))
            .foreign_key(
                to("work_subscription", "subscriber_row", "work_subscriber").on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(subscription).await?;
        let event = Table::create()
            .table("work_event")
            .col(id())
            .col(number("subscriber_row"))
            .col(text("message"))
            .col(number("at"))
            .foreign_key(to("work_event", "subscriber_row", "work_subscriber").on_delete(ForeignKeyAction::Cascade))
            .to_owned();
        manager.create_table(event).await?;
        for (name, columns) in INDEXES {
            manager.get_connection().execute_unprepared(&format!("CREATE {name} ON {columns}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["work_event", "work_subscription", "work_subscriber", "work_item"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

const INDEXES: [(&str, &str); 9] = [
    ("UNIQUE INDEX uq_work_item_sop_uid", "work_item (institution_id, sop_uid)"),
    ("INDEX ix_work_item_order", "work_item (institution_id, state, priority, scheduled_at, id)"),
    ("INDEX ix_work_item_study", "work_item (institution_id, study_uid)"),
    ("INDEX ix_work_item_due", "work_item (next_at, id) WHERE next_at IS NOT NULL"),
    ("INDEX ix_work_item_ended", "work_item (ended_at) WHERE ended_at IS NOT NULL"),
    ("UNIQUE INDEX uq_work_subscriber", "work_subscriber (institution_id, ae_title)"),
    ("UNIQUE INDEX uq_work_subscription", "work_subscription (work_item_row, subscriber_row)"),
    ("INDEX ix_work_subscription_subscriber", "work_subscription (subscriber_row, work_item_row)"),
    ("INDEX ix_work_event", "work_event (subscriber_row, id)"),
];
