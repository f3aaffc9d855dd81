//! What a subscriber is to be told, as it is sent.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "work_event")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub subscriber_row: i64,
    #[sea_orm(column_type = "Text")]
    pub message: String,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
