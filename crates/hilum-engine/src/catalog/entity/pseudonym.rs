//! A patient of an institution under another name. `identity` is encrypted with the key `key_id`, `lookup` an HMAC under one that is
//! derived from it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "pseudonym")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub institution_id: i64,
    #[sea_orm(column_type = "Text")]
    pub pseudonym: String,
    #[sea_orm(column_type = "Text")]
    pub key_id: String,
    #[sea_orm(column_type = "Text")]
    pub lookup: String,
    #[sea_orm(column_type = "Text")]
    pub identity: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
