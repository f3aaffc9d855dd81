//! A finding's mask as a physician corrected it; the last row of a number counts, as long as its verdict is an edit. `runs` and `stone` are JSON.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "corrected_mask")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    pub report_row: i64,
    pub number: i64,
    #[sea_orm(column_type = "Text")]
    pub runs: String,
    #[sea_orm(column_type = "Text")]
    pub stone: String,
    pub account_id: Option<i64>,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
