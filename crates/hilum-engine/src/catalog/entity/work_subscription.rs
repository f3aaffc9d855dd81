//! A subscriber is told of a work item, which is not deleted while it is locked.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "work_subscription")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub work_item_row: i64,
    pub subscriber_row: i64,
    pub locked: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
