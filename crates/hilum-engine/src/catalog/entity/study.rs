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
    /// Of the last change of anything that the worklist shows.
    pub updated_at: i64,
    /// 0 routine, 1 high, 2 stat; who said so is `order` or `hand`.
    pub priority: i64,
    #[sea_orm(column_type = "Text")]
    pub priority_by: String,
    /// 0 unread, 1 in review, 2 signed.
    pub workflow: i64,
    /// Stones of the report that is shown; -1 where it says nothing of them.
    pub stones: i64,
    /// Joined by backslashes, in order of their letters.
    #[sea_orm(column_type = "Text")]
    pub body_parts: String,
    /// 1: contrast was given in one of its series; 0: in none of those that say; -1: none says.
    pub contrast: i64,
    /// What the list is sorted by.
    #[sea_orm(column_type = "Text")]
    pub dated: String,
    #[sea_orm(column_type = "Text")]
    pub name_key: String,
    #[sea_orm(column_type = "Text")]
    pub patient_key: String,
    #[sea_orm(column_type = "Text")]
    pub described: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
