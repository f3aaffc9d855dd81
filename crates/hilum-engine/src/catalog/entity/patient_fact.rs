//! What a medical record told of a patient: whether one of the inputs of guideline rules holds, by which code, and when that was so.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "patient_fact")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    #[sea_orm(column_type = "Text")]
    pub issuer: String,
    #[sea_orm(column_type = "Text")]
    pub patient_id: String,
    /// Name of the input, as rule files have it.
    #[sea_orm(column_type = "Text")]
    pub input: String,
    pub holds: bool,
    /// Coding system of the code.
    #[sea_orm(column_type = "Text")]
    pub system: String,
    #[sea_orm(column_type = "Text")]
    pub code: String,
    /// The system that told it, by its name in the configuration.
    #[sea_orm(column_type = "Text")]
    pub source: String,
    pub observed_at: i64,
    pub received_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
