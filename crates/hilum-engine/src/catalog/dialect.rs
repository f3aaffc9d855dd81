//! What SQLite and PostgreSQL say differently, each beside the other. Everything else in `catalog/` is SQL that both understand, with `?`
//! for a value.

use super::{Catalog, CatalogError};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait, Value,
};

/// The SQL of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// The one advisory lock of a catalogue, for as long as a transaction writes: "HILUM" in ASCII.
const WRITE_LOCK: i64 = 0x48_49_4C_55_4D;

impl Dialect {
    pub(super) fn of(connection: &impl ConnectionTrait) -> Self {
        match connection.get_database_backend() {
            DbBackend::Postgres => Self::Postgres,
            _ => Self::Sqlite,
        }
    }

    fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
        }
    }

    /// A statement of SQL that both understand. PostgreSQL numbers its values, and its text holds no NUL: none of its rows has one.
    pub(super) fn statement(self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        match self {
            Self::Sqlite => Statement::from_sql_and_values(self.backend(), sql, values),
            Self::Postgres => {
                let values = values.into_iter().map(without_nul);
                Statement::from_sql_and_values(self.backend(), numbered(sql), values)
            }
        }
    }

    /// One of two ways to say the same.
    pub(super) fn either<T>(self, sqlite: T, postgres: T) -> T {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
        }
    }

    /// Joins two tables. SQLite takes this as the order of its loops (sqlite.org/optoverview.html, 7.2): the plan is chosen here and
    /// not by statistics that a new archive does not have. PostgreSQL plans by its own.
    pub(super) fn joined(self) -> &'static str {
        self.either("CROSS JOIN", "JOIN")
    }

    /// A column whose condition nearly every row meets: SQLite is not to choose an index for it and sort what that finds.
    pub(super) fn not_selective(self, column: &str) -> String {
        format!("{}{column}", self.either("+", ""))
    }

    /// Names the partial index over what is due: SQLite would rather walk the whole table in order.
    pub(super) fn by_index(self, index: &str) -> String {
        match self {
            Self::Sqlite => format!("INDEXED BY {index}"),
            Self::Postgres => String::new(),
        }
    }

    /// The column holds one of the texts of a JSON array: one bound value, so that no number of them is too many for a statement.
    pub(super) fn in_json_list(self, column: &str) -> String {
        let list = self.either("SELECT value FROM json_each(?)", "SELECT json_array_elements_text(CAST(? AS json))");
        format!("{column} IN ({list})")
    }

    /// The column is one of these rows, and the one value that names them all: a statement whose text stays the same is planned once.
    pub(super) fn is_one_of(self, column: &str, rows: &[i64]) -> (String, Value) {
        let rows = rows.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Sqlite => (format!("{column} IN (SELECT value FROM json_each(?))"), format!("[{rows}]").into()),
            Self::Postgres => (format!("{column} = ANY (CAST(string_to_array(?, ',') AS BIGINT[]))"), rows.into()),
        }
    }

    /// A table of numbers, made of one value.
    pub(super) fn numbers<const N: usize>(self, columns: [&str; N], rows: &[[i64; N]]) -> (String, Value) {
        let of = |(at, column): (usize, &&str)| match self {
            Self::Sqlite => format!("json_extract(value, '$[{at}]') AS {column}"),
            Self::Postgres => format!("CAST(value ->> {at} AS BIGINT) AS {column}"),
        };
        let columns = columns.iter().enumerate().map(of).collect::<Vec<_>>().join(", ");
        let each = self.either("json_each(?)", "json_array_elements(CAST(? AS json)) AS value");
        let row = |row: &[i64; N]| format!("[{}]", row.map(|number| number.to_string()).join(","));
        let rows = rows.iter().map(row).collect::<Vec<_>>().join(",");
        (format!("(SELECT {columns} FROM {each})"), format!("[{rows}]").into())
    }

    /// A table of these rows alone, and the one value that names them. They are found by their numbers before anything else is asked:
    /// PostgreSQL would walk the index of an order instead and look into the list at each of its rows.
    pub(super) fn only_rows(self, table: &str, rows: &[i64]) -> (String, Value) {
        let (condition, rows) = self.is_one_of("id", rows);
        (format!("(SELECT * FROM {table} WHERE {condition}{})", self.either("", " OFFSET 0")), rows)
    }

    /// Instance Number of an instance's facts. PostgreSQL's JSON functions refuse a text with an escaped NUL; an unescaped quotation mark
    /// after the name can only end a key.
    pub(super) fn instance_number(self) -> &'static str {
        self.either(
            "json_extract(instance.facts, '$.image.instance_number')",
            r#"CAST(substring(instance.facts from '"instance_number":(-{0,1}[0-9]+)') AS BIGINT)"#,
        )
    }
}

fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.zip(1..).fold(first, |told, (part, number)| format!("{told}${number}{part}"))
}

/// A text that no row has stays one.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(Some(text)) if text.contains('\0') => Value::from(text.replace('\0', "\u{FFFD}")),
        value => value,
    }
}

impl Catalog {
    pub(super) fn dialect(&self) -> Dialect {
        Dialect::of(&self.read)
    }

    /// A statement for [`Self::read`] or [`Self::write`].
    pub(super) fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        self.dialect().statement(sql, values)
    }

    /// A transaction that is the only one that writes, from its first moment to its end, in this process and in every other:
    /// what it reads stays true until it commits. SQLite has one writer; on PostgreSQL an advisory lock makes it so.
    pub(super) async fn begin(&self, act: &'static str) -> Result<DatabaseTransaction, CatalogError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let txn = self.write.begin_with_options(options).await.map_err(CatalogError::during(act))?;
        if self.dialect() == Dialect::Postgres {
            let lock = format!("SELECT pg_advisory_xact_lock({WRITE_LOCK})");
            txn.execute_unprepared(&lock).await.map_err(CatalogError::during(act))?;
        }
        Ok(txn)
    }
}

/// What a failure says about the machine under the database.
pub(super) enum Trouble {
    /// SQLITE_FULL (13), sqlite.org/rescode.html; disk_full (53100), PostgreSQL's appendix A.
    DiskFull,
    /// The server is not there, or is going away: classes 08 and 57P.
    Away,
    Other,
}

pub(super) fn trouble(error: &sea_orm::DbErr) -> Trouble {
    use sea_orm::sqlx::Error;
    let (sea_orm::DbErr::Conn(RuntimeErr::SqlxError(cause))
    | sea_orm::DbErr::Exec(RuntimeErr::SqlxError(cause))
    | sea_orm::DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return match error {
            sea_orm::DbErr::ConnectionAcquire(_) => Trouble::Away,
            _ => Trouble::Other,
        };
    };
    match &**cause {
        Error::Io(_) | Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => Trouble::Away,
        Error::Database(said) => match said.code().as_deref() {
            Some("13" | "53100") => Trouble::DiskFull,
            Some(code) if code.len() == 5 && (code.starts_with("08") || code.starts_with("57P")) => Trouble::Away,
            _ => Trouble::Other,
        },
        _ => Trouble::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn values_are_numbered_in_their_order() {
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
        assert_eq!(numbered("a = ? AND b IN (?,?) LIMIT ?"), "a = $1 AND b IN ($2,$3) LIMIT $4");
    }
}
