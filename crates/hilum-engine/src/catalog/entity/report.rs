//! One version of a report; `superseded_by` names the version that took its place. `after_row` names the signed version that stays shown
//! until this later reading is signed, too: of a study's versions exactly one has neither.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "report")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    pub study_row: i64,
    #[sea_orm(column_type = "Text")]
    pub service: String,
    pub version: i64,
    pub revision: i64,
    pub superseded_by: Option<i64>,
    pub after_row: Option<i64>,
    pub series_row: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub outcome: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason_code: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason_text: Option<String>,
    pub stone_present: Option<bool>,
    pub stone_count: Option<i64>,
    pub highest_score: Option<f64>,
    #[sea_orm(column_type = "Text")]
    pub series_why: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub model_hash: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub plan_hash: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub input_hash: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub engine: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub software_version: String,
    #[sea_orm(column_type = "Text")]
    pub object_key: String,
    pub created_at: i64,
    /// When its objects are to be made; none: not by themselves, or no more.
    pub results_due_at: Option<i64>,
    pub results_tries: i64,
    pub results_made_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
