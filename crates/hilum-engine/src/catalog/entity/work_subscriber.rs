//! An application entity that wants to be told of work items of an institution.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "work_subscriber")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    #[sea_orm(column_type = "Text")]
    pub ae_title: String,
    /// Its Global Subscription State: `none`, `locked` or `unlocked`.
    #[sea_orm(column_type = "Text")]
    pub worklist: String,
    /// Keys that a work item matches; none: every work item.
    #[sea_orm(column_type = "Text", nullable)]
    pub filter: Option<String>,
    /// The last event that it was sent.
    pub told_up_to: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
