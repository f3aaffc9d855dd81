//! A version of a report that is to go to a medical record: once for each destination.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    pub report_row: i64,
    #[sea_orm(column_type = "Text")]
    pub destination: String,
    /// What the receiver knows a repetition by.
    #[sea_orm(column_type = "Text")]
    pub control_id: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub tries: i64,
    pub next_at: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
