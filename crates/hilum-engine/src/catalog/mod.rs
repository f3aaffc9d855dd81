//! The catalogue: the only place with SQL. Every function takes the caller's [`Scope`](crate::Scope).
//!
//! State decides what is due; the job queue only distributes it. It is kept in a file of the data folder (SQLite) or in a database of a
//! PostgreSQL server; where their SQL differs, [`dialect`] has both. One transaction writes at a time (`BEGIN IMMEDIATE`, or an advisory
//! lock), and `synchronous = FULL` or `synchronous_commit = on` makes a commit survive a power cut.

mod accounts;
mod at_hand;
mod audit;
mod commitment;
mod connect;
mod copy;
mod corrected_masks;
mod delete;
mod delivery;
mod dialect;
mod due;
mod entity;
mod forward;
mod identities;
mod instances;
mod known;
mod listing;
mod measurements;
mod migration;
mod operations;
mod orphans;
mod packs;
mod paging;
mod patient_facts;
mod pseudonyms;
mod pull;
mod quick_texts;
mod reading;
mod record;
mod report;
mod results;
mod review;
mod rows;
mod search;
mod second_factors;
mod secrets;
mod sessions;
mod settle;
mod signature;
mod study_list;
#[cfg(any(feature = "bench", test))]
mod synthetic;
mod upkeep;
mod ups;
mod work;
mod worklist;

pub(crate) use accounts::{AccountChange, AccountRow};
pub(crate) use audit::{AuditRow, AuditWriter};
pub use connect::{BadPostgresUrl, CataloguePlace, Encryption, PostgresUrl};
pub(crate) use corrected_masks::CorrectedMask;
pub use delete::Deleted;
pub use due::{Due, Waiting};
pub use identities::IdentityRefusal;
pub(crate) use identities::{ClaimedIdentity, IdentityRow, IdentitySession, NewAttempt};
pub(crate) use instances::SelectedSeries;
pub use known::KnownInstance;
pub(crate) use listing::{StudyRow, summary};
pub use reading::{Claim, ReadingEnd, Renewal};
pub use record::{NewInstance, NewQuarantine, RecordRequest, Recorded, Subject};
pub use report::{CurrentReport, NewReport};
pub use results::DueResults;
pub(crate) use review::{NewVerdict, VersionFolder};
pub use search::{Answer, Attribute, Cursor, Find, Found, Values, attributes};
pub(crate) use second_factors::{FactorRow, FactorState};
pub(crate) use secrets::KeyUse;
pub(crate) use sessions::{LinkHolder, TokenRow};
pub use settle::{SeriesInstance, SettledSeries, UnsettledSeries};
pub(crate) use signature::NewSignature;
pub(crate) use upkeep::Holder;
pub use ups::WorkToFetch;
pub(crate) use ups::{Changed, ReportWork, StudyWork, Subscribe, Which, WorkFilter, WorkItem};

use crate::access::{InstitutionCode, Permission, Scope};
use crate::error::{EngineError, ErrorKind};
use at_hand::AtHand;
use connect::Connections;
use dialect::Trouble;
use entity::{data_folder, institution};
use known::Gaps;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, Set};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use uuid::Uuid;

/// The catalogue in the data folder, and in a backup.
pub(crate) const FILE: &str = "catalog.sqlite";

/// Why the catalogue could not answer.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database file could not be opened or brought up to date.
    #[error(
        "the catalogue could not be opened or brought up to date: {0}; check the data folder's owner and free space"
    )]
    Open(DbErr),
    /// The server of the catalogue was not reached when it was to be opened.
    #[error(
        "the catalogue's server at {place} was not reached: {reason}; check that PostgreSQL runs there, and host, port, database, \
         user and password of the address ([catalogue] url)"
    )]
    Unreachable {
        /// The server, without user and password.
        place: String,
        /// In its words or the operating system's.
        reason: String,
    },
    /// The server is of a version that is not known to work.
    #[error("the catalogue's server is PostgreSQL {version}: version 15 or a later one is needed")]
    ServerTooOld {
        /// What the server says.
        version: String,
    },
    /// Names in any script must fit.
    #[error(
        "the catalogue's database has the encoding {encoding}: make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
    )]
    NotUtf8 {
        /// What the server says.
        encoding: String,
    },
    /// The objects of this catalogue lie elsewhere.
    #[error(
        "this catalogue's objects lie in another data folder: name that folder with --data, or give this one a database of its own"
    )]
    OtherFolder,
    /// The server went away.
    #[error("the catalogue's server does not answer; send again later")]
    Away,
    /// There is something in the way.
    #[error("the catalogue is not empty; a backup is restored into a new one")]
    NotEmpty,
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
        move |source| match dialect::trouble(&source) {
            Trouble::DiskFull => Self::DiskFull,
            Trouble::Away => Self::Away,
            Trouble::Other => Self::Statement { act, source },
        }
    }

    /// For the status tables.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DiskFull => ErrorKind::OutOfSpace,
            Self::Away => ErrorKind::Busy,
            Self::Open(_)
            | Self::Unreachable { .. }
            | Self::ServerTooOld { .. }
            | Self::NotUtf8 { .. }
            | Self::OtherFolder
            | Self::NotEmpty
            | Self::Statement { .. }
            | Self::Corrupt { .. } => ErrorKind::Internal,
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Open(_)
            | Self::Unreachable { .. }
            | Self::ServerTooOld { .. }
            | Self::NotUtf8 { .. }
            | Self::Away => "catalogue_unavailable",
            Self::OtherFolder => "catalogue_of_another_folder",
            Self::NotEmpty => "catalogue_not_empty",
            Self::Statement { .. } => "catalogue_failed",
            Self::Corrupt { .. } => "catalogue_corrupt",
        }
    }
}

/// Rows of a page, where so many are asked for.
fn rows_a_page(asked: Option<u32>, default: u32, largest: u32, expected: &'static str) -> Result<u32, EngineError> {
    let rows = asked.unwrap_or(default);
    if (1..=largest).contains(&rows) { Ok(rows) } else { Err(EngineError::BadRequest { field: "limit", expected }) }
}

/// How long its last users may take.
const CLOSING: Duration = Duration::from_secs(2);

/// The catalogue of one data folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// One connection: writers queue up here instead of at the database's lock.
    write: DatabaseConnection,
    read: DatabaseConnection,
    institutions: Arc<RwLock<HashMap<InstitutionCode, i64>>>,
    gaps: Gaps,
    at_hand: AtHand,
    /// How many there were, and when they were counted.
    counted: Arc<RwLock<Option<(usize, Instant)>>>,
    writer: Arc<AuditWriter>,
}

impl Catalog {
    /// Opens (or creates) the catalogue of a data folder and brings it up to date. A catalogue on a server belongs to the folder that
    /// opened it first, for its rows say where in that folder the objects lie.
    pub(crate) async fn open(place: &CataloguePlace, folder: &Path, writer: AuditWriter) -> Result<Self, EngineError> {
        let Connections { write, read } = match place {
            CataloguePlace::Folder => connect::open_file(&folder.join(FILE)).await?,
            CataloguePlace::Server(url) => connect::open_server(url).await?,
        };
        let catalog = Self {
            write,
            read,
            institutions: Arc::default(),
            gaps: Gaps::default(),
            at_hand: AtHand::default(),
            counted: Arc::default(),
            writer: Arc::new(writer),
        };
        if matches!(place, CataloguePlace::Server(_)) {
            catalog.belong_to(crate::storage::folder_id(folder)?).await?;
        }
        Ok(catalog)
    }

    /// Closes every connection, so that a catalogue of the folder ends as one file without a WAL where nobody else has it open. A connection that
    /// somebody still uses after a moment is left to end with the process.
    pub(crate) async fn close(&self) {
        let closed = async {
            for connections in [&self.read, &self.write] {
                connections.close_by_ref().await?;
            }
            Ok::<_, DbErr>(())
        };
        match tokio::time::timeout(CLOSING, closed).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the catalogue could not be closed"),
            Err(_) => tracing::warn!("the catalogue is still in use and ends with the process"),
        }
    }

    async fn belong_to(&self, folder: Uuid) -> Result<(), CatalogError> {
        let act = "note which data folder it belongs to";
        let txn = self.begin(act).await?;
        let known = data_folder::Entity::find().one(&txn).await.map_err(CatalogError::during(act))?;
        match known {
            Some(known) if known.id == folder.to_string() => return Ok(()),
            Some(_) => return Err(CatalogError::OtherFolder),
            None => {}
        }
        data_folder::Entity::insert(data_folder::ActiveModel { id: Set(folder.to_string()), named_at: Set(now()) })
            .exec_without_returning(&txn)
            .await
            .map_err(CatalogError::during(act))?;
        txn.commit().await.map_err(CatalogError::during(act))
    }

    /// Every institution there is: the scope of this machine's own jobs.
    pub async fn system_scope(&self) -> Result<Scope, CatalogError> {
        self.everywhere(Scope::system(InstitutionCode::local())).await
    }

    /// Every institution there is, for a command on this machine.
    pub(crate) async fn console_scope(&self) -> Result<Scope, CatalogError> {
        self.everywhere(Scope::local()).await
    }

    async fn everywhere(&self, scope: Scope) -> Result<Scope, CatalogError> {
        let rows =
            institution::Entity::find().all(&self.read).await.map_err(CatalogError::during("list the institutions"))?;
        rows.into_iter().try_fold(scope, |scope, row| {
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
        self.where_may(scope, Permission::View).await
    }

    /// Row ids of the institutions where the caller may do this.
    async fn where_may(&self, scope: &Scope, permission: Permission) -> Result<Vec<i64>, CatalogError> {
        let known: Option<Vec<i64>> = scope.where_may(permission).map(|code| self.known_institution(code)).collect();
        if let Some(ids) = known {
            return Ok(ids);
        }
        let rows = institution::Entity::find()
            .filter(institution::Column::Code.is_in(scope.where_may(permission).map(InstitutionCode::as_str)))
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

    /// Refused unless the caller may do this in the institution of a row that it sees.
    fn require(&self, scope: &Scope, permission: Permission, institution: i64) -> Result<(), EngineError> {
        let known = self.institutions.read().unwrap_or_else(PoisonError::into_inner);
        let may = scope.where_may(permission).any(|code| known.get(code) == Some(&institution));
        if may { Ok(()) } else { Err(EngineError::Forbidden) }
    }
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
