//! The rows of the audit trail: added in the transaction of what they tell, or in one of their own; read page by page.
//!
//! Adding is about the machine as much as about anybody's data, and each event carries its actor, so that it takes no scope.

use super::entity::{audit_event, audit_study, institution, study};
use super::paging::{behind, page};
use super::{Catalog, CatalogError, rfc3339, rows_a_page};
use crate::access::{InstitutionCode, Permission, Scope};
use crate::audit::chain::{self, AuditHead, SEPARATOR};
use crate::audit::{Action, AuditActor, AuditEvent, AuditSearch, AuditView, Detail, Told, Version};
use crate::error::EngineError;
use crate::views::Page;
use hilum_dicom::StudyUid;
use sea_orm::sea_query::{Cond, Expr, ExprTrait, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

pub(crate) use super::entity::audit_event::Model as AuditRow;

const ACT: &str = "write the audit trail";
const READ: &str = "read the audit trail";

/// Rows of one statement: 14 values each.
const CHUNK: usize = 500;

const DEFAULT_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;

/// Which process writes, and who hears what was committed.
#[derive(Debug)]
pub(crate) struct AuditWriter {
    process: Uuid,
    /// Its first event is in the trail.
    started: AtomicBool,
    told: Option<Told>,
}

impl AuditWriter {
    pub(crate) fn new(process: Uuid, told: Option<Told>) -> Self {
        Self { process, started: AtomicBool::new(false), told }
    }
}

/// Events that are in a transaction; once it is committed, [`Catalog::audited`] tells of them.
#[must_use]
pub(super) struct Audited(Vec<AuditRow>);

impl Catalog {
    /// Adds events to the trail, in the transaction of what they tell.
    pub(super) async fn audit(
        &self,
        txn: &DatabaseTransaction,
        events: &[AuditEvent],
    ) -> Result<Audited, CatalogError> {
        if events.is_empty() {
            return Ok(Audited(Vec::new()));
        }
        let during = || CatalogError::during(ACT);
        let mut head = last(txn).await?;
        let mut rows = Vec::with_capacity(events.len() + 1);
        let mut named = Vec::new();
        let mut seal = |event: &AuditEvent| {
            let row = chain::sealed(head.as_ref(), self.writer.process, event)
                .map_err(|_| CatalogError::Corrupt { what: "event of the audit trail" })?;
            head = Some(AuditHead { number: row.number, hash: row.hash.clone() });
            named.extend(entries(&row));
            rows.push(row);
            Ok::<_, CatalogError>(())
        };
        if !self.has_started(txn).await? {
            let software = Some(Version::running());
            let start = AuditEvent::new(crate::Actor::System, Action::ProcessStart);
            seal(&start.with(Detail { software, ..Detail::default() }))?;
        }
        events.iter().try_for_each(&mut seal)?;
        for chunk in rows.chunks(CHUNK) {
            let models = chunk.iter().map(|row| row.clone().into_active_model().reset_all());
            audit_event::Entity::insert_many(models).exec_without_returning(txn).await.map_err(during())?;
        }
        for chunk in named.chunks(CHUNK) {
            let models = chunk.iter().cloned();
            audit_study::Entity::insert_many(models).exec_without_returning(txn).await.map_err(during())?;
        }
        Ok(Audited(rows))
    }

    /// The transaction of these events is committed.
    pub(super) fn audited(&self, Audited(rows): Audited) {
        if rows.is_empty() {
            return;
        }
        self.writer.started.store(true, Ordering::Release);
        if let Some(told) = &self.writer.told {
            told.tell(rows);
        }
    }

    /// Commits what was done together with the events that tell of it: there is never one without the other.
    pub(super) async fn commit_told(
        &self,
        txn: DatabaseTransaction,
        act: &'static str,
        events: &[AuditEvent],
    ) -> Result<(), CatalogError> {
        let audited = self.audit(&txn, events).await?;
        txn.commit().await.map_err(CatalogError::during(act))?;
        self.audited(audited);
        Ok(())
    }

    /// Adds events to the trail; they are durable when this returns.
    pub(crate) async fn record_events(&self, events: &[AuditEvent]) -> Result<(), CatalogError> {
        if events.is_empty() {
            return Ok(());
        }
        let txn = self.begin(ACT).await?;
        self.commit_told(txn, ACT, events).await
    }

    /// When something was last done that the trail has under this action and code, ms since 1970 UTC.
    pub(crate) async fn last_event(
        &self,
        _scope: &Scope,
        action: Action,
        code: &str,
    ) -> Result<Option<i64>, CatalogError> {
        let row = audit_event::Entity::find()
            .filter(audit_event::Column::Action.eq(action.as_str()))
            .filter(audit_event::Column::Detail.contains(format!("\"code\":\"{code}\"")))
            .order_by_desc(audit_event::Column::Number)
            .one(&self.read)
            .await
            .map_err(CatalogError::during(READ))?;
        Ok(row.map(|row| row.at))
    }

    /// When the last backup was made, ms since 1970 UTC.
    pub(crate) async fn last_backup(&self, _scope: &Scope) -> Result<Option<i64>, CatalogError> {
        let row = audit_event::Entity::find()
            // Literally, as the partial index says it.
            .filter(Expr::cust("action = 'backup'"))
            .order_by_desc(audit_event::Column::Number)
            .one(&self.read)
            .await
            .map_err(CatalogError::during(READ))?;
        Ok(row.map(|row| row.at))
    }

    /// Whether this process has written into the trail.
    pub(crate) fn writes_audit(&self) -> bool {
        self.writer.started.load(Ordering::Acquire)
    }

    /// Whether the first event of this process is in the trail; one that is committed and not yet told counts.
    async fn has_started(&self, txn: &DatabaseTransaction) -> Result<bool, CatalogError> {
        if self.writes_audit() {
            return Ok(true);
        }
        let found = audit_event::Entity::find()
            // As it stands in the index of these alone: a plan depends on no value that is bound (.cargo/config.toml).
            .filter(Expr::cust("action = 'process_start'"))
            .filter(audit_event::Column::Process.eq(self.writer.process.to_string()))
            .count(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        Ok(found > 0)
    }

    /// The last event there is.
    pub(crate) async fn audit_head(&self) -> Result<Option<AuditHead>, CatalogError> {
        last(&self.read).await
    }

    /// Whether this very event is in the trail.
    pub(crate) async fn has_event(&self, head: &AuditHead) -> Result<bool, CatalogError> {
        let found = audit_event::Entity::find_by_id(head.number)
            .filter(audit_event::Column::Hash.eq(head.hash.as_str()))
            .count(&self.read)
            .await;
        Ok(found.map_err(CatalogError::during(READ))? > 0)
    }

    /// Rows behind `number`, in their order.
    pub(crate) async fn audit_rows(&self, number: i64, limit: u64) -> Result<Vec<AuditRow>, CatalogError> {
        audit_event::Entity::find()
            .filter(audit_event::Column::Number.gt(number))
            .order_by_asc(audit_event::Column::Number)
            .limit(limit)
            .all(&self.read)
            .await
            .map_err(CatalogError::during(READ))
    }

    /// Entries in the index of studies up to an event.
    pub(crate) async fn audit_entries(&self, up_to: i64) -> Result<u64, CatalogError> {
        let entries = audit_study::Entity::find().filter(audit_study::Column::Number.lte(up_to));
        entries.count(&self.read).await.map_err(CatalogError::during(READ))
    }

    /// The institutions in the caller's sight that have a study.
    pub(crate) async fn institutions_of_study(
        &self,
        scope: &Scope,
        study_uid: &StudyUid,
    ) -> Result<Vec<InstitutionCode>, CatalogError> {
        let visible = self.visible(scope).await?;
        let codes: Vec<String> = institution::Entity::find()
            .select_only()
            .column(institution::Column::Code)
            .filter(
                institution::Column::Id.in_subquery(
                    Query::select()
                        .column(study::Column::InstitutionId)
                        .from(study::Entity)
                        .and_where(study::Column::StudyUid.eq(study_uid.as_str()))
                        .and_where(study::Column::InstitutionId.is_in(visible))
                        .to_owned(),
                ),
            )
            .into_tuple()
            .all(&self.read)
            .await
            .map_err(CatalogError::during(READ))?;
        let read = |code: String| code.parse().map_err(|_| CatalogError::Corrupt { what: "institution code" });
        codes.into_iter().map(read).collect()
    }

    /// A page of the trail, the last event first: of the institutions where the caller may read it. What belongs to no institution is
    /// shown to who may read the trail of all of them.
    pub(crate) async fn audit_page(&self, scope: &Scope, search: &AuditSearch) -> Result<Page<AuditView>, EngineError> {
        use audit_event::Column;
        let limit = rows_a_page(search.limit, DEFAULT_PAGE, LARGEST_PAGE, "a whole number from 1 to 1000")?;
        let readable: Vec<&str> = scope.where_may(Permission::Audit).map(InstitutionCode::as_str).collect();
        let elsewhere = institution::Entity::find().filter(institution::Column::Code.is_not_in(readable.clone()));
        let everywhere = elsewhere.count(&self.read).await.map_err(CatalogError::during(READ))? == 0;
        let mut seen = Cond::any().add(Column::Institution.is_in(readable));
        if everywhere {
            seen = seen.add(Column::Institution.is_null());
        }
        let mut find = audit_event::Entity::find().filter(seen);
        let AuditSearch { action, outcome, actor_kind, actor, study, from, to, after, limit: _ } = search;
        let equal = |column: Column, word: &str| column.eq(word);
        for condition in [
            action.map(|action| equal(Column::Action, action.as_str())),
            outcome.map(|outcome| equal(Column::Outcome, outcome.as_str())),
            actor_kind.map(|kind| equal(Column::ActorKind, kind.as_str())),
            actor.as_ref().map(|actor| equal(Column::Actor, actor)),
            from.map(|from| Column::At.gte(milliseconds(from))),
            to.map(|to| Column::At.lt(milliseconds(to))),
        ] {
            find = find.filter(Cond::all().add_option(condition));
        }
        if let Some(study) = study {
            let named = Query::select()
                .column(audit_study::Column::Number)
                .from(audit_study::Entity)
                .and_where(Expr::col(audit_study::Column::StudyUid).eq(study.as_str()))
                .to_owned();
            find = find.filter(Column::Number.in_subquery(named));
        }
        if let Some(after) = after {
            find = find.filter(Column::Number.lt(behind(after)?));
        }
        let find = find.order_by_desc(Column::Number).limit(u64::from(limit) + 1);
        let rows = find.all(&self.read).await.map_err(CatalogError::during(READ))?;
        Ok(page(rows, limit, |row| row.number, view)?)
    }
}

/// The last event that a connection sees.
pub(super) async fn last(connection: &impl ConnectionTrait) -> Result<Option<AuditHead>, CatalogError> {
    let row: Option<(i64, String)> = audit_event::Entity::find()
        .select_only()
        .columns([audit_event::Column::Number, audit_event::Column::Hash])
        .order_by_desc(audit_event::Column::Number)
        .limit(1)
        .into_tuple()
        .one(connection)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(row.map(|(number, hash)| AuditHead { number, hash }))
}

/// How the audit trail names a study and whose it is.
pub(super) async fn of_study(
    txn: &DatabaseTransaction,
    institution_id: i64,
    study_row: i64,
) -> Result<(InstitutionCode, StudyUid), CatalogError> {
    let corrupt = |what| move || CatalogError::Corrupt { what };
    let found = institution::Entity::find_by_id(institution_id).one(txn).await.map_err(CatalogError::during(ACT))?;
    let code = found.and_then(|row| row.code.parse().ok()).ok_or_else(corrupt("institution code"))?;
    let found = study::Entity::find_by_id(study_row).one(txn).await.map_err(CatalogError::during(ACT))?;
    let uid = found.and_then(|row| row.study_uid.parse().ok()).ok_or_else(corrupt("Study Instance UID"))?;
    Ok((code, uid))
}

/// What a row puts into the index of studies.
pub(super) fn entries(row: &AuditRow) -> Vec<audit_study::ActiveModel> {
    let studies = row.studies.split(SEPARATOR).filter(|uid| !uid.is_empty());
    studies.map(|uid| audit_study::ActiveModel { study_uid: Set(uid.to_owned()), number: Set(row.number) }).collect()
}

fn milliseconds(time: time::OffsetDateTime) -> i64 {
    (time.unix_timestamp_nanos() / 1_000_000) as i64
}

fn view(row: AuditRow) -> Result<AuditView, CatalogError> {
    let corrupt = || CatalogError::Corrupt { what: "event of the audit trail" };
    let AuditRow { number, process, at, actor_kind, actor, address, request, action, outcome, institution, .. } = row;
    Ok(AuditView {
        number,
        at: rfc3339(at)?,
        actor: AuditActor { kind: actor_kind.parse().map_err(|_| corrupt())?, id: actor, name: None },
        address,
        request,
        action: action.parse().map_err(|_| corrupt())?,
        outcome: outcome.parse().map_err(|_| corrupt())?,
        institution,
        studies: row.studies.split(SEPARATOR).filter(|uid| !uid.is_empty()).map(str::to_owned).collect(),
        detail: serde_json::from_str(&row.detail).map_err(|_| corrupt())?,
        process,
        hash: row.hash,
    })
}
