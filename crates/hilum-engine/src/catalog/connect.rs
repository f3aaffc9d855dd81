//! Opening a catalogue: a file of the data folder, or a database of a PostgreSQL server.

use super::CatalogError;
use super::dialect::Dialect;
use super::migration::Migrator;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection as _, PgConnection};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, RuntimeErr};
use sea_orm_migration::MigratorTrait;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// Where the catalogue is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CataloguePlace {
    /// In a file of the data folder (SQLite).
    #[default]
    Folder,
    /// In a database of its own on a server.
    Server(PostgresUrl),
}

/// `postgres://user:password@host:port/database?sslmode=verify-full`. It may hold a password, so that it is never shown as a whole.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

/// What is wrong with an address of a server; says nothing of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected postgres://user:password@host:port/database, with a parameter of {PARAMETERS:?} behind a `?` or none: {0}"
)]
pub struct BadPostgresUrl(&'static str);

/// The others would be left out and logged.
const PARAMETERS: [&str; 11] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

impl FromStr for PostgresUrl {
    type Err = BadPostgresUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(BadPostgresUrl("it does not begin with postgres://"));
        }
        let query = text.split_once('?').map_or("", |(_, query)| query);
        let mut names = query.split('&').filter(|part| !part.is_empty()).map(|part| part.split('=').next());
        if names.any(|name| !name.is_some_and(|name| PARAMETERS.contains(&name))) {
            return Err(BadPostgresUrl("it has a parameter of another name"));
        }
        let read = text.parse::<PgConnectOptions>();
        let read =
            read.map_err(|_| BadPostgresUrl("a part of it cannot be read; special characters are written as %XX"))?;
        if read.get_database().is_none_or(str::is_empty) {
            return Err(BadPostgresUrl("it names no database"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// How a connection to a server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all, or only if the server likes.
    None,
    /// By TLS, but whoever sits between may be the server.
    Unverified,
    /// By TLS with the certificate of an authority.
    Verified,
}

impl PostgresUrl {
    /// What the address asks for, in libpq's words sslmode.
    pub fn encryption(&self) -> Encryption {
        match self.options().map(|options| options.get_ssl_mode()) {
            Ok(PgSslMode::VerifyCa | PgSslMode::VerifyFull) => Encryption::Verified,
            Ok(PgSslMode::Require) => Encryption::Unverified,
            Ok(PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer) | Err(_) => Encryption::None,
        }
    }

    /// Whether it is reached without a network: by a socket of this machine, or over loopback.
    pub fn is_on_this_machine(&self) -> bool {
        let is_here = |options: &PgConnectOptions| {
            let host = options.get_host();
            let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            options.get_socket().is_some() || host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        };
        self.options().is_ok_and(|options| is_here(&options))
    }

    fn options(&self) -> Result<PgConnectOptions, DbErr> {
        // The error of the parser may repeat what it could not read.
        self.0.parse().map_err(|_| DbErr::Custom("the address of the server cannot be read".to_owned()))
    }
}

/// Where it is, without who calls.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(options) = self.options() else { return f.write_str("postgres://") };
        let database = options.get_database().unwrap_or_default();
        match options.get_socket() {
            Some(folder) => write!(f, "postgres:///{database} in {}", folder.display()),
            None => write!(f, "postgres://{}:{}/{database}", options.get_host(), options.get_port()),
        }
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

/// The connection that writes, and those that read.
pub(super) struct Connections {
    pub(super) write: DatabaseConnection,
    pub(super) read: DatabaseConnection,
}

/// The oldest server: `server_version_num` of PostgreSQL 15.
const OLDEST_SERVER: i64 = 150_000;
/// A server that does not answer for so long is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// Keeps two processes from bringing the same database up to date at once: "HILUM+" in ASCII.
const MIGRATION_LOCK: i64 = 0x48_49_4C_55_4D_2B;

/// Opens (or creates) the database file and brings it up to date.
pub(super) async fn open_file(file: &Path) -> Result<Connections, CatalogError> {
    let write = sqlite(file, 1).await.map_err(CatalogError::Open)?;
    Migrator::up(&write, None).await.map_err(CatalogError::Open)?;
    let read = sqlite(file, 4).await.map_err(CatalogError::Open)?;
    Ok(Connections { write, read })
}

/// Opens a database of a server and brings it up to date.
pub(super) async fn open_server(url: &PostgresUrl) -> Result<Connections, CatalogError> {
    let failed = |error: DbErr| CatalogError::Unreachable { place: url.to_string(), reason: reason(&error) };
    // A pool would try again for half a minute and then not say why.
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(&url.options().map_err(failed)?)).await {
        Ok(Ok(connection)) => connection.close().await.map_err(|error| failed(sqlx_error(error)))?,
        Ok(Err(error)) => return Err(failed(sqlx_error(error))),
        Err(_) => {
            let reason = format!("no answer within {} s", PATIENCE.as_secs());
            return Err(CatalogError::Unreachable { place: url.to_string(), reason });
        }
    }
    let write = postgres(url, 1).await.map_err(failed)?;
    let said = async |name: &str| -> Result<String, CatalogError> {
        let row =
            write.query_one_raw(Dialect::Postgres.statement(&format!("SHOW {name}"), [])).await.map_err(failed)?;
        let missing = || failed(DbErr::Custom(format!("the server does not say its {name}")));
        row.ok_or_else(missing)?.try_get_by_index(0).map_err(failed)
    };
    let version = said("server_version").await?;
    if said("server_version_num").await?.parse::<i64>().map_or(true, |number| number < OLDEST_SERVER) {
        return Err(CatalogError::ServerTooOld { version });
    }
    let encoding = said("server_encoding").await?;
    if encoding != "UTF8" {
        return Err(CatalogError::NotUtf8 { encoding });
    }
    if said("fsync").await? == "off" {
        tracing::warn!(
            "the catalogue's server runs with fsync = off: what was acknowledged does not survive a power cut"
        );
    }
    let run = async |sql: String| write.execute_unprepared(&sql).await.map_err(CatalogError::Open);
    run(format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
    let migrated = Migrator::up(&write, None).await.map_err(CatalogError::Open);
    run(format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})")).await?;
    migrated?;
    let read = postgres(url, 8).await.map_err(failed)?;
    Ok(Connections { write, read })
}

fn sqlx_error(error: sea_orm::sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}

/// Why a server was not reached, in its own words or the operating system's; no part of the address.
fn reason(error: &DbErr) -> String {
    use sea_orm::sqlx::Error;
    let DbErr::Conn(RuntimeErr::SqlxError(cause)) = error else { return error.to_string() };
    match &**cause {
        Error::Io(error) => error.to_string(),
        Error::Database(said) => said.message().to_owned(),
        Error::PoolTimedOut => "it refuses connections".to_owned(),
        Error::Configuration(_) => "a parameter of the address cannot be used".to_owned(),
        other => other.to_string(),
    }
}

async fn postgres(url: &PostgresUrl, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let server = url.options()?;
    // The address is replaced below, so that no part of sea-orm ever holds a password.
    let mut options = ConnectOptions::new("postgres://localhost/catalogue");
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(move |_| {
            use sea_orm::sqlx::ConnectOptions as _;
            let named = server.get_application_name().is_some();
            let server = if named { server.clone() } else { server.clone().application_name("hilum") };
            server.disable_statement_logging().options([
                // Success means durable, whatever the server's default is.
                ("synchronous_commit", "on"),
                // A page of a list is planned for its own values, and compiling a plan takes longer than to run it.
                ("plan_cache_mode", "force_custom_plan"),
                ("jit", "off"),
            ])
        });
    Database::connect(options).await
}

async fn sqlite(file: &Path, connections: u32) -> Result<DatabaseConnection, DbErr> {
    // The name is replaced below, but it may not be `:memory:`, which sqlx remembers.
    let mut options = ConnectOptions::new("sqlite://catalog.sqlite");
    let file = file.to_owned();
    // A file does not go away: asking for it before every statement would take two changes of threads each time.
    options.test_before_acquire(false);
    options.max_connections(connections).min_connections(1).sqlx_logging(false).map_sqlx_sqlite_opts(move |options| {
        options
            .filename(&file)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            // The reader is not woken for every few rows of a page.
            .row_buffer_size(1024)
    });
    Database::connect(options).await
}

/// A database file that nobody else uses.
pub(super) async fn file_alone(file: &Path) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new("sqlite://copy.sqlite");
    let file = file.to_owned();
    options.max_connections(1).sqlx_logging(false).map_sqlx_sqlite_opts(move |options| {
        options.filename(&file).create_if_missing(true).journal_mode(SqliteJournalMode::Delete)
    });
    Database::connect(options).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.cargo/config.toml` sets them, which nothing else would miss.
    #[tokio::test]
    async fn sqlite_is_compiled_as_architecture_md_says() {
        let folder = tempfile::tempdir().unwrap();
        let catalogue = sqlite(&folder.path().join("catalog.sqlite"), 1).await.unwrap();
        let options = catalogue.query_all_raw(Dialect::Sqlite.statement("PRAGMA compile_options", [])).await.unwrap();
        let options: Vec<String> = options.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
        for wanted in ["ENABLE_QPSG", "DEFAULT_MEMSTATUS=0", "STMTJRNL_SPILL=131071"] {
            assert!(options.iter().any(|option| option == wanted), "{wanted} is not among {options:?}");
        }
    }

    #[tokio::test]
    async fn a_statement_that_touches_megabytes_is_no_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let catalogue = sqlite(&folder.path().join("catalog.sqlite"), 1).await.unwrap();
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, hex(zeroblob(100)) FROM n";
        for sql in [
            "CREATE TABLE wide (id INTEGER PRIMARY KEY, number INTEGER NOT NULL UNIQUE, text TEXT)",
            &format!("INSERT INTO wide (number, text) {numbers}"),
            "BEGIN",
            // May fail at any row, so that what it did before must be undone: 4 MB of pages are kept for that.
            "UPDATE wide SET number = number + 100000, text = text || 'x'",
            "COMMIT",
        ] {
            catalogue.execute_unprepared(sql).await.unwrap();
        }
    }
}
