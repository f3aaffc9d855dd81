//! A work item: a Unified Procedure Step. Its data set says everything but the Transaction UID; the columns beside it are what is searched
//! and ordered by, and what its performance here needs.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "work_item")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    #[sea_orm(column_type = "Text")]
    pub sop_uid: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    /// Under which it was claimed: the lock of whoever performs it.
    #[sea_orm(column_type = "Text", nullable)]
    pub transaction_uid: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub data_set: String,
    /// 0 is HIGH, 1 MEDIUM, 2 LOW.
    pub priority: i64,
    #[sea_orm(column_type = "Text")]
    pub scheduled_at: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub patient_id: Option<String>,
    /// The study that it is about.
    #[sea_orm(column_type = "Text", nullable)]
    pub study_uid: Option<String>,
    /// A service of ours performs it.
    pub own: bool,
    /// What whoever wants it cancelled said.
    #[sea_orm(column_type = "Text", nullable)]
    pub cancel_request: Option<String>,
    /// Attempt of a cancelled or failed reading that is to begin again for it.
    pub resume_attempt: Option<i64>,
    /// When its performer looks at it again; none: not by itself.
    pub next_at: Option<i64>,
    /// Rises each time that its performer looks at it.
    pub looks: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub ended_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
