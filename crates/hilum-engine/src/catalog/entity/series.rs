//! A series. It is unsettled while `settled_revision < revision`, and due once `quiet_at` has passed.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "series")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    pub study_row: i64,
    #[sea_orm(column_type = "Text")]
    pub series_uid: String,
    pub number: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub description: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub modality: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub kernel: Option<String>,
    pub instance_count: i64,
    pub frame_count: i64,
    pub revision: i64,
    pub settled_revision: i64,
    pub quiet_at: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub stack: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub tags: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub metadata_key: Option<String>,
    pub metadata_revision: i64,
    pub created_at: i64,
    /// Body Part Examined, in capitals: of the first instance, and once the series has settled of the first one that says it.
    #[sea_orm(column_type = "Text", nullable)]
    pub body_part: Option<String>,
    /// 1 given, 0 not given, -1 nothing says.
    pub contrast: i64,
    /// Performed Procedure Step Start Date, `YYYY-MM-DD`.
    #[sea_orm(column_type = "Text", nullable)]
    pub performed_date: Option<String>,
    /// Scheduled Procedure Step IDs and Requested Procedure IDs of Request Attributes Sequence, joined by backslashes.
    #[sea_orm(column_type = "Text", nullable)]
    pub step_ids: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub procedure_ids: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
