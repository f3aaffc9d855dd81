//! Work items: kept, found and changed. Whoever is to be told of a change has it in the same transaction.

mod performing;
mod subscriptions;

pub use performing::WorkToFetch;
pub(super) use performing::wake_work;
pub(crate) use performing::{ReportWork, StudyWork};
pub(crate) use subscriptions::Subscribe;

use super::entity::{institution, work_item};
use super::{Catalog, CatalogError, now};
use crate::access::{InstitutionCode, Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::error::EngineError;
use crate::ups::{self, date_time};
use dicom_dictionary_std::tags;
use hilum_dicom::ups::{Notice, PUSH, StepState};
use hilum_dicom::{DataSet, SopUid, json};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};

const ACT: &str = "keep a work item";

/// A work item as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct WorkItem {
    /// Row id.
    pub(crate) row: i64,
    /// Row id of its institution.
    pub(crate) institution_row: i64,
    /// Whose it is.
    pub(crate) institution: InstitutionCode,
    /// SOP Instance UID.
    pub(crate) uid: SopUid,
    /// Procedure Step State.
    pub(crate) state: StepState,
    /// Transaction UID that it was claimed under.
    pub(crate) transaction: Option<String>,
    /// Everything that it says, but for the Transaction UID.
    pub(crate) data_set: DataSet,
    /// A service of ours performs it.
    pub(crate) own: bool,
    /// What whoever wants it cancelled said.
    pub(crate) cancel_request: Option<DataSet>,
    /// Attempt of a reading that ended before and is to begin again for it.
    pub(crate) resume_attempt: Option<i64>,
    /// When its performer looks at it again.
    pub(crate) next_at: Option<i64>,
    /// When it was created, ms since 1970 UTC.
    pub(crate) created_at: i64,
}

/// What a change of a work item comes to.
pub(crate) struct Changed<T> {
    /// For the caller.
    pub(crate) outcome: T,
    /// What subscribers are told.
    pub(crate) notices: Vec<Notice>,
    /// What the audit trail calls it; none: it is not for the trail, such as progress.
    pub(crate) code: Option<&'static str>,
}

/// Which work item.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    Uid(&'a SopUid),
    Row(i64),
}

/// Work items that a search looks at; what is not named is not asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkFilter {
    pub(crate) states: Vec<String>,
    pub(crate) uids: Vec<String>,
    pub(crate) patient: Option<String>,
}

impl Catalog {
    /// Keeps a new work item of the caller's institution; a UID that is there already is refused.
    pub(crate) async fn create_work_item(
        &self,
        scope: &Scope,
        uid: &SopUid,
        data_set: DataSet,
        own: bool,
    ) -> Result<(), EngineError> {
        let institution = self.home(scope).await?;
        let txn = self.begin(ACT).await?;
        let taken = work_item::Entity::find()
            .filter(work_item::Column::InstitutionId.eq(institution))
            .filter(work_item::Column::SopUid.eq(uid.as_str()))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        if taken.is_some() {
            return Err(EngineError::Conflict("a work item with this SOP Instance UID exists already"));
        }
        let mut item = WorkItem {
            row: 0,
            institution_row: institution,
            institution: scope.home().clone(),
            uid: uid.clone(),
            state: StepState::Scheduled,
            transaction: None,
            data_set,
            own,
            cancel_request: None,
            resume_attempt: None,
            next_at: own.then_some(0),
            created_at: now(),
        };
        item.data_set
            .set(tags::SOP_CLASS_UID, PUSH)
            .set(tags::SOP_INSTANCE_UID, uid.as_str())
            .set(tags::SCHEDULED_PROCEDURE_STEP_MODIFICATION_DATE_TIME, date_time(item.created_at)?);
        let mut model = model_of(&item);
        model.institution_id = Set(institution);
        model.sop_uid = Set(uid.to_string());
        model.own = Set(own);
        model.looks = Set(0);
        model.created_at = Set(item.created_at);
        item.row = model.insert(&txn).await.map_err(CatalogError::during(ACT))?.id;
        self.subscribe_to_new(&txn, &item).await?;
        let event = told(scope, &item, "created");
        Ok(self.commit_told(txn, ACT, &[event]).await?)
    }

    /// A work item in the caller's sight.
    pub(crate) async fn work_item(&self, scope: &Scope, uid: &SopUid) -> Result<Option<WorkItem>, CatalogError> {
        let visible = self.visible(scope).await?;
        let found = find(&self.read, &visible, Which::Uid(uid)).await?;
        match found {
            Some(row) => item_of(&self.read, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Work items in the order in which they are to be performed, `limit` of them behind `after`.
    pub(crate) async fn work_items(
        &self,
        scope: &Scope,
        filter: &WorkFilter,
        after: Option<&WorkItem>,
        limit: u64,
    ) -> Result<Vec<WorkItem>, CatalogError> {
        use work_item::Column;
        let mut find = work_item::Entity::find().filter(Column::InstitutionId.is_in(self.visible(scope).await?));
        let WorkFilter { states, uids, patient } = filter;
        for (column, values) in [(Column::State, states), (Column::SopUid, uids)] {
            if !values.is_empty() {
                find = find.filter(column.is_in(values.iter().map(String::as_str)));
            }
        }
        if let Some(patient) = patient {
            find = find.filter(Column::PatientId.eq(patient.as_str()));
        }
        if let Some(after) = after {
            let (priority, scheduled_at) = order_of(&after.data_set);
            let later_then =
                Condition::all().add(Column::ScheduledAt.eq(scheduled_at.as_str())).add(Column::Id.gt(after.row));
            let later = Condition::all()
                .add(Column::Priority.eq(priority))
                .add(Condition::any().add(Column::ScheduledAt.gt(scheduled_at.as_str())).add(later_then));
            find = find.filter(Condition::any().add(Column::Priority.gt(priority)).add(later));
        }
        let rows = find
            .order_by_asc(Column::Priority)
            .order_by_asc(Column::ScheduledAt)
            .order_by_asc(Column::Id)
            .limit(limit)
            .all(&self.read)
            .await
            .map_err(CatalogError::during("look through the work items"))?;
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            items.push(item_of(&self.read, row).await?);
        }
        Ok(items)
    }

    /// Changes a work item by a rule that sees it as it is: nobody else changes it meanwhile. What the rule refuses changes nothing.
    pub(crate) async fn change_work_item<T>(
        &self,
        scope: &Scope,
        permission: Permission,
        which: Which<'_>,
        change: impl FnOnce(&mut WorkItem) -> Result<Changed<T>, EngineError>,
    ) -> Result<T, EngineError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let row = find(&txn, &visible, which).await?.ok_or(EngineError::NotFound { what: "work item" })?;
        self.require(scope, permission, row.institution_id)?;
        let before = item_of(&txn, row).await?;
        let mut item = before.clone();
        let Changed { outcome, notices, code } = change(&mut item)?;
        let says_more = item.data_set != before.data_set;
        if says_more {
            let tag = tags::SCHEDULED_PROCEDURE_STEP_MODIFICATION_DATE_TIME;
            item.data_set.set(tag, date_time(now())?);
        }
        let mut model = model_of(&item);
        model.id = Set(item.row);
        if item.state.is_final() && !before.state.is_final() {
            model.ended_at = Set(Some(now()));
        }
        model.update(&txn).await.map_err(CatalogError::during(ACT))?;
        self.tell_subscribers(&txn, &item, &notices).await?;
        let events: Vec<AuditEvent> = code.iter().map(|code| told(scope, &item, code)).collect();
        self.commit_told(txn, ACT, &events).await?;
        Ok(outcome)
    }

    /// Deletes what ended before `ended` and has no deletion lock, and events from before `told`; how many work items that were.
    pub(crate) async fn forget_work(&self, scope: &Scope, ended: i64, told: i64) -> Result<u64, CatalogError> {
        use super::entity::{work_event, work_subscription};
        let visible = self.visible(scope).await?;
        let locked = sea_orm::sea_query::Query::select()
            .column(work_subscription::Column::WorkItemRow)
            .from(work_subscription::Entity)
            .and_where(work_subscription::Column::Locked.eq(true))
            .to_owned();
        let gone = work_item::Entity::delete_many()
            .filter(work_item::Column::EndedAt.lt(ended))
            .filter(work_item::Column::InstitutionId.is_in(visible))
            .filter(work_item::Column::Id.not_in_subquery(locked))
            .exec(&self.write)
            .await
            .map_err(CatalogError::during("forget work items"))?;
        work_event::Entity::delete_many()
            .filter(work_event::Column::At.lt(told))
            .exec(&self.write)
            .await
            .map_err(CatalogError::during("forget what was told of work items"))?;
        Ok(gone.rows_affected)
    }
}

/// What the audit trail has of a change.
fn told(scope: &Scope, item: &WorkItem, code: &'static str) -> AuditEvent {
    let detail = Detail { subject: Some(Subject::Worklist), code: Some(code.into()), ..Detail::default() };
    let study = ups::study_of(&item.data_set);
    AuditEvent::by(scope, Action::ChangeWorkItem).of(item.institution.clone()).about(study).with(detail)
}

async fn find(
    connection: &impl ConnectionTrait,
    visible: &[i64],
    which: Which<'_>,
) -> Result<Option<work_item::Model>, CatalogError> {
    let find = match which {
        Which::Uid(uid) => work_item::Entity::find().filter(work_item::Column::SopUid.eq(uid.as_str())),
        Which::Row(row) => work_item::Entity::find_by_id(row),
    };
    find.filter(work_item::Column::InstitutionId.is_in(visible.iter().copied()))
        .order_by_asc(work_item::Column::Id)
        .one(connection)
        .await
        .map_err(CatalogError::during(ACT))
}

async fn item_of(connection: &impl ConnectionTrait, row: work_item::Model) -> Result<WorkItem, CatalogError> {
    let corrupt = || CatalogError::Corrupt { what: "work item" };
    let found = institution::Entity::find_by_id(row.institution_id).one(connection).await;
    let institution =
        found.map_err(CatalogError::during(ACT))?.and_then(|row| row.code.parse().ok()).ok_or_else(corrupt)?;
    let read = |text: &str| {
        let json = serde_json::from_str(text).map_err(|_| corrupt())?;
        DataSet::from_json(&json).map_err(|_| corrupt())
    };
    Ok(WorkItem {
        row: row.id,
        institution_row: row.institution_id,
        institution,
        uid: row.sop_uid.parse().map_err(|_| corrupt())?,
        state: row.state.parse().map_err(|_| corrupt())?,
        transaction: row.transaction_uid,
        data_set: read(&row.data_set)?,
        own: row.own,
        cancel_request: row.cancel_request.as_deref().map(read).transpose()?,
        resume_attempt: row.resume_attempt,
        next_at: row.next_at,
        created_at: row.created_at,
    })
}

/// Every column that a change may touch.
fn model_of(item: &WorkItem) -> work_item::ActiveModel {
    let packed = |data_set: &DataSet| {
        let mut text = String::new();
        json::write_data_set(data_set, &mut text);
        text
    };
    let (priority, scheduled_at) = order_of(&item.data_set);
    work_item::ActiveModel {
        state: Set(item.state.as_str().to_owned()),
        transaction_uid: Set(item.transaction.clone()),
        data_set: Set(packed(&item.data_set)),
        priority: Set(priority),
        scheduled_at: Set(scheduled_at),
        patient_id: Set(item.data_set.text(tags::PATIENT_ID).map(str::to_owned)),
        study_uid: Set(ups::study_of(&item.data_set).map(|study| study.to_string())),
        own: Set(item.own),
        cancel_request: Set(item.cancel_request.as_ref().map(packed)),
        resume_attempt: Set(item.resume_attempt),
        next_at: Set(item.next_at),
        updated_at: Set(now()),
        ..Default::default()
    }
}

/// By priority, then by when it is to begin.
fn order_of(data_set: &DataSet) -> (i64, String) {
    let priority = match data_set.text(tags::SCHEDULED_PROCEDURE_STEP_PRIORITY) {
        Some("HIGH") => 0,
        Some("LOW") => 2,
        _ => 1,
    };
    (priority, data_set.text(tags::SCHEDULED_PROCEDURE_STEP_START_DATE_TIME).unwrap_or_default().to_owned())
}
