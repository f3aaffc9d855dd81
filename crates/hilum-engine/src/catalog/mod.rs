//! The catalogue: the only place with SQL. Every function takes the caller's [`Scope`](crate::Scope).
//!
//! State decides what is due; the job queue only distributes it. Writers take SQLite's write lock at once (`BEGIN IMMEDIATE`), and
//! `synchronous = FULL` makes a commit survive a power cut.

mod commitment;
mod delete;
mod due;
mod entity;
mod forward;
mod instances;
mod listing;
mod migration;
mod orphans;
mod packs;
mod pull;
mod reading;
mod record;
mod report;
mod rows;
mod search;
mod settle;
#[cfg(feature = "bench")]
mod synthetic;
mod upkeep;
mod worklist;

pub use delete::Deleted;
pub use due::Due;
pub(crate) use instances::SelectedSeries;
pub(crate) use listing::{StudyRow, summary};
pub use reading::{Claim, ReadingEnd, Renewal};
pub use record::{KnownInstance, NewInstance, NewQuarantine, RecordRequest, Recorded, Subject};
pub use report::{CurrentReport, NewReport};
pub use search::{Cursor, Find, Found, attributes};
pub use settle::{SeriesInstance, SettledSeries, UnsettledSeries};
pub(crate) use upkeep::Holder;

use crate::access::{InstitutionCode, Role, Scope};
use crate::error::ErrorKind;
use entity::institution;
use sea_orm::sea_query::OnConflict;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ColumnTrait, ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    RuntimeErr, Set, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use time::OffsetDateTime;

/// Why the catalogue could not answer.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database file could not be opened or brought up to date.
    #[error(
        "the catalogue could not be opened or brought up to date: {0}; check the data folder's owner and free space"
    )]
    Open(DbErr),
    /// The disk under the database is full.
    #[error("the disk under the catalogue is full: free some space, then send again")]
    DiskFull,
    /// A statement failed.
    #[error("the catalogue failed while it tried to {act}: {source}")]
    Statement {
        /// What was being done.
        act: &'static str,
        /// The database's own words: names of columns, no values.
        source: DbErr,
    },
    /// A stored value cannot be read back.
    #[error("the catalogue holds an unreadable {what}; restore it from a backup")]
    Corrupt {
        /// Which column.
        what: &'static str,
    },
}

impl CatalogError {
    fn during(act: &'static str) -> impl FnOnce(DbErr) -> Self {
        move |source| if is_disk_full(&source) { Self::DiskFull } else { Self::Statement { act, source } }
    }

    /// For the status tables.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DiskFull => ErrorKind::OutOfSpace,
            Self::Open(_) | Self::Statement { .. } | Self::Corrupt { .. } => ErrorKind::Internal,
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Open(_) => "catalogue_unavailable",
            Self::Statement { .. } => "catalogue_failed",
            Self::Corrupt { .. } => "catalogue_corrupt",
        }
    }
}

/// SQLITE_FULL (13), sqlite.org/rescode.html.
fn is_disk_full(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    matches!(error.as_database_error(), Some(error) if error.code().as_deref() == Some("13"))
}

/// The catalogue of one data folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// One connection: writers queue up here instead of at SQLite's busy handler.
    write: DatabaseConnection,
    read: DatabaseConnection,
    institutions: Arc<RwLock<HashMap<InstitutionCode, i64>>>,
}

impl Catalog {
    /// Opens (or creates) the database file and brings it up to date.
    pub async fn open(file: &Path) -> Result<Self, CatalogError> {
        let write = connect(file, 1).await.map_err(CatalogError::Open)?;
        migration::Migrator::up(&write, None).await.map_err(CatalogError::Open)?;
        let read = connect(file, 4).await.map_err(CatalogError::Open)?;
        Ok(Self { write, read, institutions: Arc::default() })
    }

    /// Every institution there is: the scope of this machine's own jobs.
    pub async fn system_scope(&self) -> Result<Scope, CatalogError> {
        let rows =
            institution::Entity::find().all(&self.read).await.map_err(CatalogError::during("list the institutions"))?;
        rows.into_iter().try_fold(Scope::new(InstitutionCode::local(), Role::System), |scope, row| {
            let code = row.code.parse().map_err(|_| CatalogError::Corrupt { what: "institution code" })?;
            Ok(scope.and(code))
        })
    }

    /// Row id of the institution that the caller's new data belong to; the row is made when it is missing.
    pub async fn home(&self, scope: &Scope) -> Result<i64, CatalogError> {
        if let Some(id) = self.known_institution(scope.home()) {
            return Ok(id);
        }
        let row = institution::ActiveModel {
            code: Set(scope.home().as_str().to_owned()),
            created_at: Set(now()),
            ..Default::default()
        };
        let act = "add an institution";
        institution::Entity::insert(row)
            .on_conflict(OnConflict::column(institution::Column::Code).do_nothing().to_owned())
            .exec_without_returning(&self.write)
            .await
            .map_err(CatalogError::during(act))?;
        let row = institution::Entity::find()
            .filter(institution::Column::Code.eq(scope.home().as_str()))
            .one(&self.write)
            .await
            .map_err(CatalogError::during(act))?
            .ok_or(CatalogError::Corrupt { what: "institution" })?;
        self.institutions.write().unwrap_or_else(PoisonError::into_inner).insert(scope.home().clone(), row.id);
        Ok(row.id)
    }

    fn known_institution(&self, code: &InstitutionCode) -> Option<i64> {
        self.institutions.read().unwrap_or_else(PoisonError::into_inner).get(code).copied()
    }

    /// Row ids of the institutions that the caller may see.
    async fn visible(&self, scope: &Scope) -> Result<Vec<i64>, CatalogError> {
        let known: Option<Vec<i64>> = scope.institutions().map(|code| self.known_institution(code)).collect();
        if let Some(ids) = known {
            return Ok(ids);
        }
        let rows = institution::Entity::find()
            .filter(institution::Column::Code.is_in(scope.institutions().map(InstitutionCode::as_str)))
            .all(&self.read)
            .await
            .map_err(CatalogError::during("look up institutions"))?;
        let mut known = self.institutions.write().unwrap_or_else(PoisonError::into_inner);
        for row in &rows {
            let code = row.code.parse().map_err(|_| CatalogError::Corrupt { what: "institution code" })?;
            known.insert(code, row.id);
        }
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    /// A transaction that holds the write lock from its first moment.
    async fn begin(&self, act: &'static str) -> Result<DatabaseTransaction, CatalogError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.write.begin_with_options(options).await.map_err(CatalogError::during(act))
    }
}

async fn connect(file: &Path, connections: u32) -> Result<DatabaseConnection, DbErr> {
    // The name is replaced below, but it may not be `:memory:`, which sqlx remembers.
    let mut options = ConnectOptions::new("sqlite://catalog.sqlite");
    let file = file.to_owned();
    options.max_connections(connections).min_connections(1).sqlx_logging(false).map_sqlx_sqlite_opts(move |options| {
        options
            .filename(&file)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
    });
    Database::connect(options).await
}

/// A database file that nobody else uses.
async fn connect_alone(file: &Path) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new("sqlite://copy.sqlite");
    let file = file.to_owned();
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| options.filename(&file).journal_mode(SqliteJournalMode::Delete));
    Database::connect(options).await
}

/// Row ids for an SQL `IN`; `NULL` matches nothing.
fn id_list(ids: &[i64]) -> String {
    if ids.is_empty() { "NULL".to_owned() } else { ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",") }
}

/// Milliseconds since 1970 UTC.
pub(crate) fn now() -> i64 {
    (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64
}

/// RFC 3339, of a time as the catalogue stores it.
pub(crate) fn rfc3339(milliseconds: i64) -> Result<String, CatalogError> {
    let corrupt = CatalogError::Corrupt { what: "time" };
    let Ok(time) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000) else {
        return Err(corrupt);
    };
    time.format(&time::format_description::well_known::Rfc3339).map_err(|_| corrupt)
}
