//! How far the review of a report's version is; the revision rises with each change.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "review")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    pub report_row: i64,
    pub revision: i64,
    #[sea_orm(column_type = "Text")]
    pub conclusion_en: String,
    #[sea_orm(column_type = "Text")]
    pub conclusion_ko: String,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
