//! An imported order; the same one again replaces it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "worklist_item")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    #[sea_orm(column_type = "Text")]
    pub order_key: String,
    #[sea_orm(column_type = "Text")]
    pub data_set: String,
    pub updated_at: i64,
    #[sea_orm(column_type = "Text")]
    pub accession: String,
    #[sea_orm(column_type = "Text")]
    pub study_uid: String,
    /// As a study has it.
    pub priority: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
