//! Counts for those who run an installation: what is due, what stopped, what there is.

use super::entity::quarantine;
use super::reading::status_of_word;
use super::{Catalog, CatalogError, id_list, now, rfc3339};
use crate::access::{Permission, Scope};
use crate::error::EngineError;
use crate::operations::{Counted, JobsView, StoppedReading, StorageView};
use crate::views::{Note, ReadingStatus, ReadingView};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter};

const ACT: &str = "count what is due";

/// What waits is not counted beyond this: nobody needs to know it more exactly, and counting would cost what waits.
const MOST: u64 = 10_000;
/// Readings that are listed.
const LISTED: u32 = 200;

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

#[derive(FromQueryResult)]
struct Held {
    studies: i64,
    instances: i64,
}

#[derive(FromQueryResult)]
struct Row {
    study_uid: String,
    state: String,
    progress: f64,
    reason_code: Option<String>,
    reason_text: Option<String>,
    updated_at: i64,
}

impl Catalog {
    /// Work of the institutions where the caller looks after it.
    pub(crate) async fn jobs(&self, scope: &Scope) -> Result<JobsView, EngineError> {
        let own = id_list(&self.where_may(scope, Permission::Operate).await?);
        let dialect = self.dialect();
        let of = |column: &str| format!("{} IN ({own})", dialect.not_selective(column));
        let series = format!(
            "SELECT 1 AS one FROM series {} WHERE {} AND settled_revision < revision",
            dialect.by_index("ix_series_unsettled"),
            of("institution_id")
        );
        let studies = format!(
            "SELECT 1 AS one FROM study {} WHERE {} AND read_revision < revision",
            dialect.by_index("ix_study_unread"),
            of("institution_id")
        );
        let results = format!(
            "SELECT 1 AS one FROM report {} WHERE {} AND results_due_at IS NOT NULL",
            dialect.by_index("ix_report_results"),
            of("institution_id")
        );
        let listed = |state: &str| {
            format!(
                "SELECT study.study_uid, reading.state, reading.progress, reading.reason_code, reading.reason_text, \
                 reading.updated_at FROM reading JOIN study ON study.id = reading.study_row \
                 WHERE reading.{state} AND {} ORDER BY reading.updated_at DESC, reading.id DESC LIMIT {LISTED}",
                of("reading.institution_id")
            )
        };
        let running = self.readings(&listed("state = 'reading'")).await?;
        let stopped = self.readings(&listed("state IN ('failed', 'cancelled')")).await?;
        Ok(JobsView {
            series_due: self.counted(&series).await?,
            readings_due: self.counted(&studies).await?,
            results_due: self.counted(&results).await?,
            running: running
                .into_iter()
                .map(|row| ReadingView {
                    study_uid: row.study_uid,
                    state: ReadingStatus::Reading,
                    progress: row.progress as f32,
                })
                .collect(),
            stopped: stopped
                .into_iter()
                .map(|row| {
                    Ok(StoppedReading {
                        study_uid: row.study_uid,
                        failed: status_of_word(&row.state)? == ReadingStatus::Failed,
                        reason: row.reason_code.zip(row.reason_text).map(|(code, text)| Note { code, text }),
                        since: rfc3339(row.updated_at)?,
                    })
                })
                .collect::<Result<_, CatalogError>>()?,
        })
    }

    async fn readings(&self, sql: &str) -> Result<Vec<Row>, CatalogError> {
        let statement = self.statement(sql, []);
        Row::find_by_statement(statement).all(&self.read).await.map_err(CatalogError::during(ACT))
    }

    async fn counted(&self, rows: &str) -> Result<Counted, CatalogError> {
        let sql = format!("SELECT count(*) AS count FROM ({rows} LIMIT {}) AS found", MOST + 1);
        let found = Count::find_by_statement(self.statement(&sql, [])).one(&self.read).await;
        let found = found.map_err(CatalogError::during(ACT))?.map_or(0, |row| row.count as u64);
        Ok(Counted { count: found.min(MOST), or_more: found > MOST })
    }

    /// What the caller's institutions have, and when all was last copied. Bytes and disks are the store's to say.
    pub(crate) async fn holdings(&self, scope: &Scope) -> Result<StorageView, EngineError> {
        let own = self.where_may(scope, Permission::Operate).await?;
        let sql = format!(
            "SELECT count(*) AS studies, CAST(COALESCE(sum(instance_count), 0) AS BIGINT) AS instances FROM study \
             WHERE {} IN ({})",
            self.dialect().not_selective("institution_id"),
            id_list(&own)
        );
        let held = Held::find_by_statement(self.statement(&sql, [])).one(&self.read).await;
        let held = held.map_err(CatalogError::during(ACT))?.unwrap_or(Held { studies: 0, instances: 0 });
        let aside = quarantine::Entity::find().filter(quarantine::Column::InstitutionId.is_in(own));
        let backup = self.last_backup(scope).await?;
        Ok(StorageView {
            place: String::new(),
            studies: held.studies as u64,
            instances: held.instances as u64,
            segment_bytes: 0,
            free_bytes: 0,
            disk_bytes: 0,
            quarantined: aside.count(&self.read).await.map_err(CatalogError::during(ACT))?,
            last_backup_at: backup.filter(|at| *at <= now()).map(rfc3339).transpose()?,
        })
    }
}
