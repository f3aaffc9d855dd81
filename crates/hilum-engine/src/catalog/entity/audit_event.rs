//! An event of the audit trail. Rows are added, never changed: triggers refuse it.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
pub struct Model {
    /// Its place in the trail; the first one is 1, and none is left out.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// The process that wrote it.
    #[sea_orm(column_type = "Text")]
    pub process: String,
    pub at: i64,
    #[sea_orm(column_type = "Text")]
    pub actor_kind: String,
    /// Number of the account or AE title of the peer.
    #[sea_orm(column_type = "Text", nullable)]
    pub actor: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub address: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub request: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub action: String,
    #[sea_orm(column_type = "Text")]
    pub outcome: String,
    /// Code of the institution; the trail outlives the row of one.
    #[sea_orm(column_type = "Text", nullable)]
    pub institution: Option<String>,
    /// Study Instance UIDs, separated by backslashes.
    #[sea_orm(column_type = "Text")]
    pub studies: String,
    /// JSON.
    #[sea_orm(column_type = "Text")]
    pub detail: String,
    /// Hash of the event before.
    #[sea_orm(column_type = "Text")]
    pub previous: String,
    /// SHA-256 of this one, hexadecimal.
    #[sea_orm(column_type = "Text")]
    pub hash: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
