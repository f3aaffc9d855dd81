//! A study, with the revision that every change of its content raises.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "study")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    #[sea_orm(column_type = "Text")]
    pub zone: String,
    #[sea_orm(column_type = "Text")]
    pub study_uid: String,
    pub patient_row: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub study_date: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub study_time: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub accession: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub age: Option<String>,
    pub synthetic: bool,
    #[sea_orm(column_type = "Text", nullable)]
    pub study_id: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub referring_physician: Option<String>,
    /// Joined by backslashes, in order of their letters.
    #[sea_orm(column_type = "Text")]
    pub modalities: String,
    pub series_count: i64,
    pub instance_count: i64,
    pub revision: i64,
    /// The revision that its reading has dealt with.
    pub read_revision: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
