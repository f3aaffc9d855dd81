//! What is due, derived from state alone: losing the job queue loses nothing.
//!
//! Every sweep asks this, so there are partial indexes over what is due.

use super::{Catalog, CatalogError, id_list, now};
use crate::access::Scope;
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};

/// A piece of work that the catalogue's state asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Due {
    /// Settle a series at this revision.
    Series {
        /// Row id.
        row: i64,
        /// Revision.
        revision: i64,
    },
    /// Settle a study at this revision: choose, read, report.
    Study {
        /// Row id.
        row: i64,
        /// Revision.
        revision: i64,
        /// Rises with every claim and every resume.
        attempt: i64,
    },
}

#[derive(FromQueryResult)]
struct DueRow {
    id: i64,
    revision: i64,
    attempt: i64,
}

impl Catalog {
    /// Unsettled series that are quiet, or all of them where `even_if_not_quiet`.
    pub async fn due_series(&self, scope: &Scope, even_if_not_quiet: bool) -> Result<Vec<Due>, CatalogError> {
        let sql = format!(
            "SELECT id, revision, CAST(0 AS BIGINT) AS attempt FROM series {} \
             WHERE {} IN ({}) AND settled_revision < revision AND (quiet_at <= ? OR ?) ORDER BY id",
            self.dialect().by_index("ix_series_unsettled"),
            self.dialect().not_selective("institution_id"),
            self.visible_list(scope).await?
        );
        let rows = self.due_rows(&sql, vec![now().into(), even_if_not_quiet.into()]).await?;
        Ok(rows.into_iter().map(|row| Due::Series { row: row.id, revision: row.revision }).collect())
    }

    /// Studies whose series are all settled and whose newest revision is not read, and that nobody reads now.
    pub async fn due_studies(&self, scope: &Scope) -> Result<Vec<Due>, CatalogError> {
        let sql = format!(
            "SELECT study.id AS id, study.revision AS revision, COALESCE(reading.attempt, 0) AS attempt \
             FROM study {} LEFT JOIN reading ON reading.study_row = study.id \
             WHERE {} IN ({}) AND study.read_revision < study.revision \
             AND NOT (COALESCE(reading.state, '') = 'reading' AND reading.lease_until > ?) \
             AND NOT EXISTS (SELECT 1 FROM series WHERE series.study_row = study.id AND settled_revision < series.revision) \
             ORDER BY study.id",
            self.dialect().by_index("ix_study_unread"),
            self.dialect().not_selective("study.institution_id"),
            self.visible_list(scope).await?
        );
        let rows = self.due_rows(&sql, vec![now().into()]).await?;
        Ok(rows
            .into_iter()
            .map(|row| Due::Study { row: row.id, revision: row.revision, attempt: row.attempt })
            .collect())
    }

    async fn due_rows(&self, sql: &str, values: Vec<sea_orm::Value>) -> Result<Vec<DueRow>, CatalogError> {
        DueRow::find_by_statement(self.statement(sql, values))
            .all(&self.read)
            .await
            .map_err(CatalogError::during("look for what is due"))
    }

    /// The caller's institutions as a list of row ids for an SQL `IN`; `NULL` matches nothing.
    pub(super) async fn visible_list(&self, scope: &Scope) -> Result<String, CatalogError> {
        Ok(id_list(&self.visible(scope).await?))
    }
}
