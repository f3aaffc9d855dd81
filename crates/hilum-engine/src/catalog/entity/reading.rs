//! Where the reading of a study by a service stands; the lease says who reads now.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reading")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    pub study_row: i64,
    #[sea_orm(column_type = "Text")]
    pub service: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub revision: i64,
    pub attempt: i64,
    pub tries: i64,
    pub progress: f64,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason_code: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reason_text: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub lease_process: Option<String>,
    pub lease_until: i64,
    pub cancel_requested: bool,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
