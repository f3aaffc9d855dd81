//! A signature. `report_row` is the signed version, `signs_row` the one whose review was signed, `reading_row` the one that the reading
//! made; `amended_row` is the version that took its place by an amendment, after which it counts no longer.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "signature")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    pub report_row: i64,
    pub signs_row: i64,
    pub reading_row: i64,
    pub amends_row: Option<i64>,
    pub amended_row: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub account_id: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    pub at: i64,
    #[sea_orm(column_type = "Text")]
    pub month: String,
    #[sea_orm(column_type = "Text")]
    pub sha256: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub model_hash: Option<String>,
    pub findings: i64,
    pub accepted: i64,
    pub edited: i64,
    pub rejected: i64,
    pub added: i64,
    #[sea_orm(column_type = "Text")]
    pub label_use: String,
    pub label_by: Option<i64>,
    pub label_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
