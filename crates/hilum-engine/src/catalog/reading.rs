//! The state of a study's reading: claimed under a lease, ended once, cancelled and resumed by people.

use super::audit::of_study;
use super::entity::{reading, report, study};
use super::report::insert_report;
use super::ups::wake_work;
use super::{Catalog, CatalogError, NewReport, now, work};
use crate::EngineError;
use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail, Outcome, Subject};
use crate::storage::{Staged, Storage};
use crate::views::{Note, ReadingStatus};
use hilum_dicom::StudyUid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect, Set,
};
use std::sync::Arc;
use uuid::Uuid;

/// The service that reads urinary stones.
pub(crate) const URINARY_STONE: &str = "urinary_stone";

/// A lease lasts this long; it is renewed every few seconds.
const LEASE_MS: i64 = 15_000;

/// A reading that took the process down this often is not tried again by itself.
const MOST_TRIES: i64 = 3;

/// The right to read a study at a revision, held by one process.
#[derive(Clone, Debug)]
pub struct Claim {
    row: i64,
    /// Study row.
    pub study_row: i64,
    /// Row id of the study's institution.
    pub institution: i64,
    /// Revision of the study.
    pub revision: i64,
    /// Version that the report will have.
    pub version: u32,
    process: Uuid,
}

/// How a reading ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadingEnd {
    /// `Done`, `Refused`, `NotApplicable`, `NoModel`, `Cancelled` or `Failed`; `Queued` when it was interrupted and is due again.
    pub status: ReadingStatus,
    /// Why, unless done.
    pub reason: Option<Note>,
    /// The report before says the very same: its version.
    pub told: Option<u32>,
}

/// What a reader learns when it renews its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Go on.
    Held,
    /// A person asked to stop.
    CancelRequested,
    /// Another process has the lease.
    Lost,
}

const ACT: &str = "follow a reading";

pub(super) fn status_word(status: ReadingStatus) -> &'static str {
    match status {
        ReadingStatus::Receiving => "receiving",
        ReadingStatus::Queued => "queued",
        ReadingStatus::Reading => "reading",
        ReadingStatus::Done => "done",
        ReadingStatus::Refused => "refused",
        ReadingStatus::NotApplicable => "not_applicable",
        ReadingStatus::NoModel => "no_model",
        ReadingStatus::Cancelled => "cancelled",
        ReadingStatus::Failed => "failed",
    }
}

pub(super) fn status_of_word(word: &str) -> Result<ReadingStatus, CatalogError> {
    use ReadingStatus::{Cancelled, Done, Failed, NoModel, NotApplicable, Queued, Reading, Receiving, Refused};
    [Receiving, Queued, Reading, Done, Refused, NotApplicable, NoModel, Cancelled, Failed]
        .into_iter()
        .find(|status| status_word(*status) == word)
        .ok_or(CatalogError::Corrupt { what: "reading state" })
}

impl Catalog {
    /// Claims a due study for `process`; `None` when it is not due, somebody else reads it, or `at_once` studies of its institution are
    /// read already.
    pub async fn claim_reading(
        &self,
        scope: &Scope,
        study_row: i64,
        revision: i64,
        process: Uuid,
        at_once: Option<u32>,
    ) -> Result<Option<Claim>, CatalogError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let study = study::Entity::find_by_id(study_row)
            .filter(study::Column::InstitutionId.is_in(visible))
            .filter(study::Column::Revision.eq(revision))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let Some(study) = study else { return Ok(None) };
        let row = reading_row(&txn, &study).await?;
        if row.revision >= revision || (row.state == "reading" && row.lease_until > now()) {
            return Ok(None);
        }
        if let Some(at_once) = at_once {
            let running = reading::Entity::find()
                .filter(reading::Column::InstitutionId.eq(study.institution_id))
                // As it stands in the index of these alone: a plan depends on no value that is bound (.cargo/config.toml).
                .filter(Expr::cust("state = 'reading'"))
                .filter(reading::Column::LeaseUntil.gt(now()))
                .count(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
            if running >= u64::from(at_once) {
                return Ok(None);
            }
        }
        let crashed = row.state == "reading";
        let tries = if crashed { row.tries + 1 } else { 1 };
        let claim_row = row.id;
        let mut changed = row.clone().into_active_model();
        changed.attempt = Set(row.attempt + 1);
        changed.updated_at = Set(now());
        if tries > MOST_TRIES {
            changed.state = Set(status_word(ReadingStatus::Failed).to_owned());
            changed.revision = Set(revision);
            changed.reason_code = Set(Some("crashed_repeatedly".to_owned()));
            changed.reason_text =
                Set(Some("The reading ended the program several times; resume it to try again.".to_owned()));
        } else {
            changed.state = Set("reading".to_owned());
            changed.tries = Set(tries);
            changed.progress = Set(0.0);
            changed.lease_process = Set(Some(process.to_string()));
            changed.lease_until = Set(now() + LEASE_MS);
            changed.cancel_requested = Set(false);
        }
        update(&txn, changed).await?;
        let reports = report::Entity::find()
            .filter(report::Column::StudyRow.eq(study_row))
            .filter(report::Column::Service.eq(URINARY_STONE))
            .count(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok((tries <= MOST_TRIES).then_some(Claim {
            row: claim_row,
            study_row,
            institution: study.institution_id,
            revision,
            version: reports as u32 + 1,
            process,
        }))
    }

    /// Renews the lease and notes the progress (0 to 1); where that is news, the work items that ask for the study say so.
    pub async fn renew_claim(
        &self,
        scope: &Scope,
        claim: &Claim,
        progress: f32,
        news: bool,
    ) -> Result<Renewal, CatalogError> {
        let visible = self.visible(scope).await?;
        let held = reading::Entity::update_many()
            .col_expr(reading::Column::LeaseUntil, Expr::value(now() + LEASE_MS))
            .col_expr(reading::Column::Progress, Expr::value(f64::from(progress)))
            .filter(reading::Column::Id.eq(claim.row))
            .filter(reading::Column::State.eq("reading"))
            .filter(reading::Column::LeaseProcess.eq(claim.process.to_string()))
            .filter(reading::Column::InstitutionId.is_in(visible))
            .exec(&self.write)
            .await
            .map_err(CatalogError::during(ACT))?;
        if held.rows_affected == 0 {
            return Ok(Renewal::Lost);
        }
        if news {
            wake_work(&self.write, claim.study_row).await?;
        }
        let row = reading::Entity::find_by_id(claim.row).one(&self.write).await.map_err(CatalogError::during(ACT))?;
        Ok(if row.is_some_and(|row| row.cancel_requested) { Renewal::CancelRequested } else { Renewal::Held })
    }

    /// Ends a reading, with its report in the same transaction. A claim that was lost changes nothing.
    pub(crate) async fn end_reading(
        &self,
        scope: &Scope,
        claim: &Claim,
        end: &ReadingEnd,
        new: Option<(&NewReport, &Arc<Staged>)>,
        storage: &Arc<Storage>,
    ) -> Result<(), EngineError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let row = reading::Entity::find_by_id(claim.row)
            .filter(reading::Column::InstitutionId.is_in(visible))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let held = |row: &reading::Model| {
            row.state == "reading" && row.lease_process.as_deref() == Some(claim.process.to_string().as_str())
        };
        let Some(row) = row.filter(held) else { return Ok(()) };
        let mut changed = row.into_active_model();
        changed.state = Set(status_word(end.status).to_owned());
        // A reading that was interrupted stays due at its revision.
        if end.status != ReadingStatus::Queued {
            changed.revision = Set(claim.revision);
            changed.tries = Set(0);
        }
        changed.progress = Set(0.0);
        changed.reason_code = Set(end.reason.as_ref().map(|reason| reason.code.clone()));
        changed.reason_text = Set(end.reason.as_ref().map(|reason| reason.text.clone()));
        changed.lease_process = Set(None);
        changed.lease_until = Set(0);
        changed.cancel_requested = Set(false);
        changed.updated_at = Set(now());
        put(&txn, changed).await?;
        wake_work(&txn, claim.study_row).await?;
        let reported = new.map(|_| claim.version).or(end.told);
        let event = prediction(&txn, scope, claim, end, reported).await?;
        if let Some((report, staged)) = new {
            insert_report(&txn, claim, report, staged).await?;
        }
        work::refresh(&txn, claim.study_row).await?;
        self.commit_placed(txn, event.as_slice(), new.map(|(_, staged)| staged), storage).await
    }

    /// Commits what was done, the events that tell of it, and the folder of a report at its place: all of it, or nothing.
    pub(super) async fn commit_placed(
        &self,
        txn: DatabaseTransaction,
        events: &[AuditEvent],
        staged: Option<&Arc<Staged>>,
        storage: &Arc<Storage>,
    ) -> Result<(), EngineError> {
        let audited = self.audit(&txn, events).await?;
        let mut placed = Vec::new();
        if let Some(staged) = staged {
            let (storage, staged) = (Arc::clone(storage), Arc::clone(staged));
            placed = tokio::task::spawn_blocking(move || storage.place([&*staged]))
                .await
                .map_err(|_| EngineError::Internal("placing a report was aborted".to_owned()))??;
        }
        if let Err(error) = txn.commit().await {
            self.take_back(storage, &placed).await?;
            return Err(CatalogError::during(ACT)(error).into());
        }
        self.audited(audited);
        Ok(())
    }

    /// Asks a running reading to stop, or takes a waiting one off the list.
    pub async fn cancel_reading(&self, scope: &Scope, study: &StudyUid) -> Result<(), EngineError> {
        let (txn, study, row) = self.begin_change(scope, study).await?;
        let mut changed = row.clone().into_active_model();
        if row.state == "reading" && row.lease_until > now() {
            changed.cancel_requested = Set(true);
        } else if row.revision < study.revision {
            changed.state = Set(status_word(ReadingStatus::Cancelled).to_owned());
            changed.revision = Set(study.revision);
            changed.lease_process = Set(None);
            changed.reason_code = Set(None);
            changed.reason_text = Set(None);
        } else {
            return Err(EngineError::Conflict("nothing to cancel: this reading neither waits nor runs"));
        }
        self.end_change(scope, txn, &study, changed, Action::CancelReading).await
    }

    /// Makes a cancelled or failed reading due again.
    pub async fn resume_reading(&self, scope: &Scope, study: &StudyUid) -> Result<(), EngineError> {
        let (txn, study, row) = self.begin_change(scope, study).await?;
        if !matches!(row.state.as_str(), "cancelled" | "failed") || row.revision < study.revision {
            return Err(EngineError::Conflict("nothing to resume: this reading is neither cancelled nor failed"));
        }
        self.make_due(scope, txn, &study, row).await
    }

    /// Makes a study due for a reading, also where it was read before.
    pub async fn ask_for_reading(&self, scope: &Scope, study: &StudyUid) -> Result<(), EngineError> {
        let (txn, study, row) = self.begin_change(scope, study).await?;
        let runs = row.state == "reading" && row.lease_until > now();
        if runs || row.revision < study.revision {
            return Err(EngineError::Conflict("this study waits for its reading already, or is being read"));
        }
        self.make_due(scope, txn, &study, row).await
    }

    async fn make_due(
        &self,
        scope: &Scope,
        txn: DatabaseTransaction,
        study: &study::Model,
        row: reading::Model,
    ) -> Result<(), EngineError> {
        let attempt = row.attempt + 1;
        let mut changed = row.into_active_model();
        changed.state = Set(status_word(ReadingStatus::Queued).to_owned());
        changed.revision = Set(0);
        changed.attempt = Set(attempt);
        changed.progress = Set(0.0);
        changed.reason_code = Set(None);
        changed.reason_text = Set(None);
        self.end_change(scope, txn, study, changed, Action::ResumeReading).await
    }

    /// A model is installed now: what waited for one is due again.
    pub async fn requeue_without_model(&self, scope: &Scope) -> Result<(), CatalogError> {
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let waiting: Vec<i64> = reading::Entity::find()
            .select_only()
            .column(reading::Column::StudyRow)
            .filter(reading::Column::State.eq("no_model"))
            .filter(reading::Column::InstitutionId.is_in(visible))
            .into_tuple()
            .all(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        for rows in waiting.chunks(500) {
            reading::Entity::update_many()
                .col_expr(reading::Column::State, Expr::value("queued"))
                .col_expr(reading::Column::Revision, Expr::value(0))
                .filter(reading::Column::State.eq("no_model"))
                .filter(reading::Column::StudyRow.is_in(rows.iter().copied()))
                .exec(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
            study::Entity::update_many()
                .col_expr(study::Column::ReadRevision, Expr::value(0))
                .filter(study::Column::Id.is_in(rows.iter().copied()))
                .exec(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
        }
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(())
    }

    async fn begin_change(
        &self,
        scope: &Scope,
        uid: &StudyUid,
    ) -> Result<(DatabaseTransaction, study::Model, reading::Model), EngineError> {
        scope.require(Permission::Predict)?;
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let study = study::Entity::find()
            .filter(study::Column::StudyUid.eq(uid.as_str()))
            .filter(study::Column::InstitutionId.is_in(visible))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?
            .ok_or(EngineError::NotFound { what: "study" })?;
        self.require(scope, Permission::Predict, study.institution_id)?;
        let row = reading_row(&txn, &study).await?;
        Ok((txn, study, row))
    }

    async fn end_change(
        &self,
        scope: &Scope,
        txn: DatabaseTransaction,
        study: &study::Model,
        mut changed: reading::ActiveModel,
        action: Action,
    ) -> Result<(), EngineError> {
        changed.updated_at = Set(now());
        update(&txn, changed).await?;
        wake_work(&txn, study.id).await?;
        let (institution, study) = of_study(&txn, study.institution_id, study.id).await?;
        let event = AuditEvent::by(scope, action).of(institution).about([study]);
        Ok(self.commit_told(txn, ACT, &[event]).await?)
    }
}

/// A model read the study, or failed to. Of a reading that was cancelled, cut off, or that no model took part in there is nothing to say.
async fn prediction(
    txn: &DatabaseTransaction,
    scope: &Scope,
    claim: &Claim,
    end: &ReadingEnd,
    report: Option<u32>,
) -> Result<Option<AuditEvent>, CatalogError> {
    let outcome = match end.status {
        ReadingStatus::Failed => Outcome::Failed,
        _ if report.is_some() => Outcome::Done,
        _ => return Ok(None),
    };
    let (institution, study) = of_study(txn, claim.institution, claim.study_row).await?;
    let detail = Detail { subject: Some(Subject::Report), report, ..Detail::default() };
    let event = AuditEvent::by(scope, Action::Predict).ended(outcome).of(institution).about([study]);
    Ok(Some(event.with(detail)))
}

/// As [`put`], and what the worklist knows of the study.
async fn update(txn: &DatabaseTransaction, changed: reading::ActiveModel) -> Result<(), CatalogError> {
    let study_row = put(txn, changed).await?;
    work::refresh(txn, study_row).await
}

/// Writes a reading, and on its study the revision that it has dealt with; the row of the study.
async fn put(txn: &DatabaseTransaction, changed: reading::ActiveModel) -> Result<i64, CatalogError> {
    let row = changed.update(txn).await.map_err(CatalogError::during(ACT))?;
    study::Entity::update_many()
        .col_expr(study::Column::ReadRevision, Expr::value(row.revision))
        .filter(study::Column::Id.eq(row.study_row))
        .exec(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(row.study_row)
}

/// The reading of a study, made when it is missing.
async fn reading_row(txn: &DatabaseTransaction, study: &study::Model) -> Result<reading::Model, CatalogError> {
    let found = reading::Entity::find()
        .filter(reading::Column::StudyRow.eq(study.id))
        .filter(reading::Column::Service.eq(URINARY_STONE))
        .one(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    if let Some(row) = found {
        return Ok(row);
    }
    reading::ActiveModel {
        institution_id: Set(study.institution_id),
        study_row: Set(study.id),
        service: Set(URINARY_STONE.to_owned()),
        state: Set(status_word(ReadingStatus::Queued).to_owned()),
        revision: Set(0),
        attempt: Set(0),
        tries: Set(0),
        progress: Set(0.0),
        lease_until: Set(0),
        cancel_requested: Set(false),
        updated_at: Set(now()),
        ..Default::default()
    }
    .insert(txn)
    .await
    .map_err(CatalogError::during(ACT))
}
