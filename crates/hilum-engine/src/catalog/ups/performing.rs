//! What our own performer needs: which work items are due, how far the readings are that they ask for, and what is to be fetched for them.

use super::super::entity::{reading, report, series, study, work_item};
use super::super::listing::summary;
use super::super::paging::pause_ms;
use super::super::reading::URINARY_STONE;
use super::super::report::shown;
use super::super::results::due_of;
use super::super::{Catalog, CatalogError, Due, DueResults, now};
use super::{WorkItem, item_of};
use crate::access::{InstitutionCode, Scope};
use crate::error::EngineError;
use crate::ups;
use crate::views::ReadingState;
use hilum_dicom::ups::StepState;
use hilum_dicom::{AeTitle, StudyUid};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Set, TransactionTrait,
};

const ACT: &str = "perform a work item";

/// While a performer looks at a work item no other does; what nothing wakes is looked at again after this long,
const PAUSE_MS: i64 = 10_000;
/// or, as long as it only waits, after twice as long each time, up to this.
const LONGEST_PAUSE_MS: i64 = 300_000;
/// Work items that are read at a time.
const PAGE: u64 = 200;

/// A study, as far as the work items that ask for it need to know.
#[derive(Clone, Debug)]
pub(crate) struct StudyWork {
    /// Patient ID that it states.
    pub(crate) patient_id: String,
    /// How far its reading is.
    pub(crate) reading: ReadingState,
    /// Rises with every claim and every resume of its reading.
    pub(crate) attempt: i64,
    /// The report that is shown.
    pub(crate) report: Option<ReportWork>,
}

/// A report, and whether it was made into objects.
#[derive(Clone, Debug)]
pub(crate) struct ReportWork {
    /// What its objects are made of.
    pub(crate) results: DueResults,
    /// Its objects are made.
    pub(crate) made: bool,
    /// They are to be made, and are not yet.
    pub(crate) due: bool,
    /// Series Instance UID of what was read.
    pub(crate) series: Option<String>,
    /// SHA-256 of the weights of the model that read it.
    pub(crate) model: Option<String>,
}

/// A study that is to be fetched for a work item.
#[derive(Clone, Debug)]
pub struct WorkToFetch {
    /// Whose it will be.
    pub institution: InstitutionCode,
    /// Which.
    pub study: StudyUid,
    /// Who has it, by what the work item says.
    pub from: Vec<AeTitle>,
}

impl Catalog {
    /// Work items whose performer is to look at them now, at most `most`.
    pub(crate) async fn due_work_items(&self, scope: &Scope, most: u64) -> Result<Vec<Due>, CatalogError> {
        let rows: Vec<(i64, i64)> = work_item::Entity::find()
            .select_only()
            .columns([work_item::Column::Id, work_item::Column::Looks])
            .filter(work_item::Column::NextAt.lte(now()))
            .filter(work_item::Column::Own.eq(true))
            .filter(work_item::Column::InstitutionId.is_in(self.visible(scope).await?))
            .order_by_asc(work_item::Column::NextAt)
            .order_by_asc(work_item::Column::Id)
            .limit(most)
            .into_tuple()
            .all(&self.read)
            .await
            .map_err(CatalogError::during("look for what is due"))?;
        Ok(rows.into_iter().map(|(row, looks)| Due::WorkItem { row, looks }).collect())
    }

    /// Takes up a work item that is due; nobody else does for a while.
    pub(crate) async fn look_at_work_item(&self, scope: &Scope, row: i64) -> Result<Option<WorkItem>, CatalogError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let found = work_item::Entity::find_by_id(row)
            .filter(work_item::Column::InstitutionId.is_in(visible))
            .filter(work_item::Column::NextAt.lte(now()))
            .filter(work_item::Column::Own.eq(true))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let Some(found) = found else { return Ok(None) };
        let waits = found.state == StepState::Scheduled.as_str();
        let pause = if waits { pause_ms(found.looks + 1, PAUSE_MS, LONGEST_PAUSE_MS) } else { PAUSE_MS };
        work_item::ActiveModel {
            id: Set(row),
            looks: Set(found.looks + 1),
            next_at: Set(Some(now() + pause)),
            ..Default::default()
        }
        .update(&txn)
        .await
        .map_err(CatalogError::during(ACT))?;
        let item = item_of(&txn, found).await?;
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(Some(item))
    }

    /// How far a study is; none where nothing of it is here.
    pub(crate) async fn study_work(&self, scope: &Scope, uid: &StudyUid) -> Result<Option<StudyWork>, EngineError> {
        let Some(row) = self.study_row(scope, uid).await? else { return Ok(None) };
        let study_row = row.id;
        let summary = summary(row)?;
        let txn = self.read.begin().await.map_err(CatalogError::during(ACT))?;
        let attempt: Option<i64> = reading::Entity::find()
            .select_only()
            .column(reading::Column::Attempt)
            .filter(reading::Column::StudyRow.eq(study_row))
            .filter(reading::Column::Service.eq(URINARY_STONE))
            .into_tuple()
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let found = report::Entity::find()
            .filter(report::Column::StudyRow.eq(study_row))
            .filter(shown())
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let report = match found {
            Some(found) => Some(ReportWork {
                series: match found.series_row {
                    Some(row) => series::Entity::find_by_id(row)
                        .one(&txn)
                        .await
                        .map_err(CatalogError::during(ACT))?
                        .map(|series| series.series_uid),
                    None => None,
                },
                model: found.model_hash.clone(),
                made: found.results_made_at.is_some(),
                due: found.results_due_at.is_some(),
                results: due_of(&txn, found).await?,
            }),
            None => None,
        };
        let (patient_id, reading) = (summary.patient.id, summary.reading);
        Ok(Some(StudyWork { patient_id, reading, attempt: attempt.unwrap_or(0), report }))
    }

    /// Whether another work item that is performed here still wants the same study read.
    pub(crate) async fn is_wanted_otherwise(&self, scope: &Scope, item: &WorkItem) -> Result<bool, CatalogError> {
        let Some(study) = ups::study_of(&item.data_set) else { return Ok(false) };
        let visible = self.visible(scope).await?;
        let others = work_item::Entity::find()
            .filter(work_item::Column::InstitutionId.eq(item.institution_row))
            .filter(work_item::Column::InstitutionId.is_in(visible))
            .filter(work_item::Column::StudyUid.eq(study.as_str()))
            .filter(work_item::Column::Id.ne(item.row))
            .filter(work_item::Column::Own.eq(true))
            .filter(work_item::Column::State.eq(StepState::InProgress.as_str()))
            .filter(work_item::Column::CancelRequest.is_null())
            .count(&self.read)
            .await;
        Ok(others.map_err(CatalogError::during(ACT))? > 0)
    }

    /// Studies that work items of ours wait for and that may be fetched, in the order in which the work items are to be performed.
    pub(crate) async fn work_to_fetch(&self, scope: &Scope) -> Result<Vec<WorkToFetch>, CatalogError> {
        let (mut wanted, mut after) = (Vec::new(), 0);
        loop {
            let page = self.waiting_for_study(scope, after).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for row in page {
                let order = (row.priority, row.scheduled_at.clone(), row.id);
                let item = item_of(&self.read, row).await?;
                let from = ups::retrieve_from(&item.data_set);
                if from.is_empty() || !ups::is_ready(&item.data_set) {
                    continue;
                }
                if let Some(study) = ups::study_of(&item.data_set) {
                    wanted.push((order, WorkToFetch { institution: item.institution, study, from }));
                }
            }
        }
        wanted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(wanted.into_iter().map(|(_, wanted)| wanted).collect())
    }

    /// A page of the work items of ours whose study is not here.
    async fn waiting_for_study(&self, scope: &Scope, after: i64) -> Result<Vec<work_item::Model>, CatalogError> {
        let here = Query::select()
            .expr(Expr::value(1))
            .from(study::Entity)
            .and_where(
                Expr::col((study::Entity, study::Column::StudyUid))
                    .equals((work_item::Entity, work_item::Column::StudyUid)),
            )
            .and_where(
                Expr::col((study::Entity, study::Column::InstitutionId))
                    .equals((work_item::Entity, work_item::Column::InstitutionId)),
            )
            .to_owned();
        work_item::Entity::find()
            .filter(work_item::Column::InstitutionId.is_in(self.visible(scope).await?))
            .filter(work_item::Column::Id.gt(after))
            .filter(work_item::Column::State.eq(StepState::Scheduled.as_str()))
            .filter(work_item::Column::Own.eq(true))
            .filter(work_item::Column::StudyUid.is_not_null())
            .filter(work_item::Column::NextAt.is_not_null())
            .filter(Expr::exists(here).not())
            .order_by_asc(work_item::Column::Id)
            .limit(PAGE)
            .all(&self.read)
            .await
            .map_err(CatalogError::during("look for what is to be fetched"))
    }
}

/// The performer looks at once at what asks for a study.
pub(in super::super) async fn wake_work(connection: &impl ConnectionTrait, study_row: i64) -> Result<(), CatalogError> {
    let of_study = |column: study::Column| {
        Query::select().column(column).from(study::Entity).and_where(study::Column::Id.eq(study_row)).to_owned()
    };
    work_item::Entity::update_many()
        .col_expr(work_item::Column::NextAt, Expr::value(0_i64))
        .filter(work_item::Column::Own.eq(true))
        .filter(work_item::Column::NextAt.is_not_null())
        .filter(work_item::Column::InstitutionId.in_subquery(of_study(study::Column::InstitutionId)))
        .filter(work_item::Column::StudyUid.in_subquery(of_study(study::Column::StudyUid)))
        .exec(connection)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(())
}
