//! What somebody measured in the images of a series. `points` is JSON: `[x, y, z]` each, patient coordinates in mm.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "measurement")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    pub study_row: i64,
    pub series_row: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub sop_uid: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub frame_of_reference_uid: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub points: String,
    pub account_id: Option<i64>,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
