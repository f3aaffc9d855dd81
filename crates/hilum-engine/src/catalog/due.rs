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
    /// Make the objects of a report.
    Results {
        /// Row id.
        row: i64,
        /// Rises with every try.
        tries: i64,
    },
    /// Perform what is due of a work item.
    WorkItem {
        /// Row id.
        row: i64,
        /// Rises each time that it is looked at.
        looks: i64,
    },
}

/// A piece of work, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Row id of the institution.
    pub institution: i64,
    /// What is due.
    pub due: Due,
}

/// Institutions that one statement asks for.
const INSTITUTIONS: usize = 100;

#[derive(FromQueryResult)]
struct WaitingRow {
    institution_id: i64,
    id: i64,
    revision: i64,
    attempt: i64,
}

#[derive(FromQueryResult)]
struct DueRow {
    id: i64,
    revision: i64,
    attempt: i64,
}

/// Nobody reads a study now, and its series are all settled; bound is now.
const READABLE: &str = "NOT (COALESCE(reading.state, '') = 'reading' AND reading.lease_until > ?) \
     AND NOT EXISTS (SELECT 1 FROM series WHERE series.study_row = study.id AND settled_revision < series.revision)";

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
             WHERE {} IN ({}) AND study.read_revision < study.revision AND {READABLE} ORDER BY study.id",
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

    /// Of each institution the first `most` series that are due, those first that have been quiet for longest.
    pub async fn first_due_series(&self, scope: &Scope, most: usize) -> Result<Vec<Waiting>, CatalogError> {
        let of_one = format!(
            "SELECT institution_id, id, revision, CAST(0 AS BIGINT) AS attempt FROM series {} \
             WHERE institution_id = ? AND settled_revision < revision AND quiet_at <= ? ORDER BY quiet_at, id LIMIT {most}",
            self.dialect().by_index("ix_series_due"),
        );
        let due = |row: WaitingRow| Due::Series { row: row.id, revision: row.revision };
        self.waiting(scope, &of_one, due).await
    }

    /// Of each institution the first `most` studies that can be read now, without those in `held`; of an institution nothing while
    /// `at_once` of its studies are read.
    pub async fn first_due_studies(
        &self,
        scope: &Scope,
        most: usize,
        held: &[i64],
        at_once: Option<u32>,
    ) -> Result<Vec<Waiting>, CatalogError> {
        let of_one = format!(
            "SELECT study.institution_id AS institution_id, study.id AS id, study.revision AS revision, \
             COALESCE(reading.attempt, 0) AS attempt \
             FROM study {} LEFT JOIN reading ON reading.study_row = study.id \
             WHERE study.institution_id = ? AND study.read_revision < study.revision AND {READABLE} \
             AND study.id NOT IN ({}) ORDER BY study.id LIMIT {most}",
            self.dialect().by_index("ix_study_due"),
            // NOT IN of nothing known is not known.
            if held.is_empty() { "-1".to_owned() } else { id_list(held) },
        );
        let due = |row: WaitingRow| Due::Study { row: row.id, revision: row.revision, attempt: row.attempt };
        let mut waiting = self.waiting(scope, &of_one, due).await?;
        if let Some(at_once) = at_once {
            let full = self.where_so_many_are_read(scope, at_once).await?;
            waiting.retain(|waiting| !full.contains(&waiting.institution));
        }
        Ok(waiting)
    }

    /// Institutions of which so many studies, or more, are read now.
    async fn where_so_many_are_read(&self, scope: &Scope, at_once: u32) -> Result<Vec<i64>, CatalogError> {
        let sql = format!(
            "SELECT institution_id AS id, count(*) AS revision, CAST(0 AS BIGINT) AS attempt FROM reading \
             WHERE state = 'reading' AND lease_until > ? AND institution_id IN ({}) GROUP BY institution_id",
            self.visible_list(scope).await?
        );
        let rows = self.due_rows(&sql, vec![now().into()]).await?;
        Ok(rows.into_iter().filter(|row| row.revision >= i64::from(at_once)).map(|row| row.id).collect())
    }

    /// `of_one` asks for one institution at a time; both its values are bound: institution and now.
    async fn waiting(
        &self,
        scope: &Scope,
        of_one: &str,
        due: impl Fn(WaitingRow) -> Due,
    ) -> Result<Vec<Waiting>, CatalogError> {
        let mut waiting = Vec::new();
        for institutions in self.visible(scope).await?.chunks(INSTITUTIONS) {
            let each = vec![format!("SELECT * FROM ({of_one}) AS of_one"); institutions.len()];
            let values =
                institutions.iter().flat_map(|id| [sea_orm::Value::from(*id), now().into()]).collect::<Vec<_>>();
            let rows = WaitingRow::find_by_statement(self.statement(&each.join(" UNION ALL "), values))
                .all(&self.read)
                .await
                .map_err(CatalogError::during("look for what is due"))?;
            waiting.extend(rows.into_iter().map(|row| Waiting { institution: row.institution_id, due: due(row) }));
        }
        Ok(waiting)
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
