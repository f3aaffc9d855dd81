//! A patient is (institution, zone, issuer, patient ID). Without an ID, a patient is known by one study only.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "patient")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    #[sea_orm(column_type = "Text")]
    pub zone: String,
    #[sea_orm(column_type = "Text")]
    pub issuer: String,
    #[sea_orm(column_type = "Text")]
    pub patient_id: String,
    #[sea_orm(column_type = "Text")]
    pub only_study_uid: String,
    #[sea_orm(column_type = "Text")]
    pub name_alphabetic: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub name_ideographic: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub name_phonetic: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub birth_date: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub sex: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
