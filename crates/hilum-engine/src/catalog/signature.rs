//! Signing a report, how far physicians agree with models, and whether signed reviews may become labels.

use super::audit::of_study;
use super::delivery::record_deliveries;
use super::entity::{finding, reading, report, review, signature, verdict};
use super::report::supersede;
use super::review::{ACT, NewVerdict, Opened, account_of, insert_verdict, next_version, study_of, touch, version_of};
use super::{Catalog, CatalogError, id_list, work};
use crate::EngineError;
use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::deliveries::DeliveryRule;
use crate::review::{Agreement, LabelUse, ReviewVerdict, Share};
use crate::storage::{Staged, Storage};
use hilum_clinical::report::{FindingVerdict, StoneEdits, UrinaryStoneReport};
use hilum_dicom::StudyUid;
use hilum_infer::interval::wilson95;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, FromQueryResult, IntoActiveModel, NotSet,
    PaginatorTrait, QueryFilter, Set,
};
use std::sync::Arc;
use time::OffsetDateTime;

const READ_AGAIN: &str =
    "this study is being read again; wait until the reading has ended, look at its report, and sign then";

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSignature<'a> {
    /// The version whose review is signed.
    pub(crate) version: u32,
    /// Its revision, as the physician has seen it.
    pub(crate) revision: u32,
    /// The signed version, with its review and signature.
    pub(crate) document: &'a UrinaryStoneReport,
    /// Findings that are accepted by signing.
    pub(crate) rest: &'a [u32],
    /// When, ms since 1970 UTC, as the document says it.
    pub(crate) at: i64,
    /// Its objects are due with it.
    pub(crate) results_due: bool,
    /// Medical records that it goes to.
    pub(crate) deliver_to: &'a [DeliveryRule],
}

impl Catalog {
    /// Records a signed version in place of the one whose review was signed, with its files, in one transaction.
    pub(crate) async fn sign(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        new: NewSignature<'_>,
        staged: &Arc<Staged>,
        storage: &Arc<Storage>,
    ) -> Result<(), EngineError> {
        let (txn, study, opened) = self.begin_review(scope, uid, new.version, new.revision).await?;
        refuse_while_read_again(&txn, study.id).await?;
        // A reading has ended meanwhile, and its report has this number.
        if next_version(&txn, study.id).await? != new.document.version {
            return Err(EngineError::ReviewChanged);
        }
        for number in new.rest {
            let accepted = NewVerdict {
                number: Some(*number),
                verdict: ReviewVerdict::Accepted,
                stated: StoneEdits::default(),
                comment: String::new(),
            };
            insert_verdict(&txn, scope, &opened.report, *number, &accepted, new.at).await?;
        }
        touch(&txn, &opened, None).await?;
        let row = insert_signed(&txn, &opened.report, new, staged).await?;
        insert_signature(&txn, scope, &opened, &row, new).await?;
        give_way(&txn, &opened, row.id).await?;
        record_deliveries(&txn, &row, new.deliver_to).await?;
        go_on_from(&txn, &opened.report, &row).await?;
        work::refresh(&txn, study.id).await?;
        let (institution, study) = of_study(&txn, study.institution_id, study.id).await?;
        let detail = Detail {
            subject: Some(Subject::Report),
            report: Some(new.document.version),
            code: opened.signature.map(|_| "amended".into()),
            ..Detail::default()
        };
        let event = AuditEvent::by(scope, Action::SignReport).of(institution).about([study]).with(detail);
        self.commit_placed(txn, &[event], Some(staged), storage).await
    }

    /// Says whether a signed review may become labels of a data set.
    pub(crate) async fn set_label_use(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
        label_use: LabelUse,
    ) -> Result<(), EngineError> {
        scope.require(Permission::Curate)?;
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let none = || EngineError::NotFound { what: "report" };
        let study = study_of(&txn, &visible, uid).await?.ok_or_else(none)?;
        let report = version_of(&txn, &study, version).await?.ok_or_else(none)?;
        self.require(scope, Permission::Curate, study.institution_id)?;
        let signed = signature::Entity::find().filter(signature::Column::ReportRow.eq(report.id)).one(&txn).await;
        let signed = signed
            .map_err(CatalogError::during(ACT))?
            .ok_or(EngineError::Conflict("only signed versions can become labels; this one is not signed"))?;
        let mut changed = signed.into_active_model();
        changed.label_use = Set(label_use.as_str().to_owned());
        changed.label_by = Set(account_of(scope));
        changed.label_at = Set(Some(super::now()));
        changed.update(&txn).await.map_err(CatalogError::during(ACT))?;
        let (institution, study) = of_study(&txn, study.institution_id, study.id).await?;
        let detail = Detail {
            subject: Some(Subject::Report),
            report: Some(version),
            code: Some(label_use.as_str().into()),
            ..Detail::default()
        };
        let event = AuditEvent::by(scope, Action::ChangeLabelUse).of(institution).about([study]).with(detail);
        Ok(self.commit_told(txn, ACT, &[event]).await?)
    }

    /// How far physicians agreed with each model in each month, in the institutions where the caller may know it; the last month first.
    pub(crate) async fn agreement(&self, scope: &Scope) -> Result<Vec<Agreement>, EngineError> {
        scope.require(Permission::Quality)?;
        let institutions = id_list(&self.where_may(scope, Permission::Quality).await?);
        let sum = |column: &str| format!("CAST(sum(s.{column}) AS BIGINT) AS {column}");
        let sums = ["findings", "accepted", "edited", "rejected", "added"].map(sum).join(", ");
        let sql = format!(
            "SELECT i.code AS institution, s.model_hash, s.month, count(*) AS reports, {sums} \
             FROM signature s JOIN institution i ON i.id = s.institution_id \
             WHERE s.amended_row IS NULL AND s.institution_id IN ({institutions}) \
             GROUP BY i.code, s.model_hash, s.month ORDER BY s.month DESC, i.code, s.model_hash"
        );
        let rows = Counts::find_by_statement(self.statement(&sql, [])).all(&self.read).await;
        let rows = rows.map_err(CatalogError::during("count verdicts"))?;
        Ok(rows.into_iter().map(Counts::agreement).collect::<Result<_, _>>()?)
    }
}

#[derive(FromQueryResult)]
struct Counts {
    institution: String,
    model_hash: Option<String>,
    month: String,
    reports: i64,
    findings: i64,
    accepted: i64,
    edited: i64,
    rejected: i64,
    added: i64,
}

impl Counts {
    fn agreement(self) -> Result<Agreement, CatalogError> {
        let Self { institution, model_hash, month, reports, findings, accepted, edited, rejected, added } = self;
        let share = |some: i64, of: i64| Share {
            of: of as u64,
            share: (of > 0).then(|| some as f64 / of as f64),
            ci95: wilson95(some as usize, of as usize),
        };
        let confirmed = accepted + edited;
        Ok(Agreement {
            institution: institution.parse().map_err(|_| CatalogError::Corrupt { what: "institution code" })?,
            model_hash,
            month,
            reports: reports as u64,
            findings: findings as u64,
            accepted: accepted as u64,
            edited: edited as u64,
            rejected: rejected as u64,
            added: added as u64,
            unchanged: share(accepted, findings),
            confirmed: share(confirmed, findings),
            found: share(confirmed, confirmed + added),
        })
    }
}

/// A reading that has begun has the number of the next version, also where its process is gone and another one will end it.
async fn refuse_while_read_again(txn: &DatabaseTransaction, study_row: i64) -> Result<(), EngineError> {
    let running = reading::Entity::find()
        .filter(reading::Column::StudyRow.eq(study_row))
        .filter(reading::Column::State.eq("reading"))
        .count(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    if running > 0 { Err(EngineError::Conflict(READ_AGAIN)) } else { Ok(()) }
}

/// The signed version: the same reading, with the stones that the review left.
async fn insert_signed(
    txn: &DatabaseTransaction,
    reviewed: &report::Model,
    new: NewSignature<'_>,
    staged: &Staged,
) -> Result<report::Model, CatalogError> {
    let corrupt = CatalogError::Corrupt { what: "review" };
    let review = new.document.review.as_ref().ok_or(corrupt)?;
    let assessed = reviewed.stone_present.is_some() || review.stone_count > 0;
    let mut row = reviewed.clone().into_active_model().reset_all();
    row.id = NotSet;
    row.version = Set(i64::from(new.document.version));
    row.superseded_by = Set(None);
    row.after_row = Set(None);
    row.stone_present = Set(assessed.then_some(review.stone_count > 0));
    row.stone_count = Set(assessed.then_some(i64::from(review.stone_count)));
    row.object_key = Set(staged.target().as_str().to_owned());
    row.created_at = Set(new.at);
    row.results_due_at = Set(new.results_due.then(super::now));
    row.results_tries = Set(0);
    row.results_made_at = Set(None);
    row.insert(txn).await.map_err(CatalogError::during(ACT))
}

async fn insert_signature(
    txn: &DatabaseTransaction,
    scope: &Scope,
    opened: &Opened,
    signed: &report::Model,
    new: NewSignature<'_>,
) -> Result<(), CatalogError> {
    let corrupt = || CatalogError::Corrupt { what: "signature" };
    let document = new.document;
    let (review, stamp) = document.review.as_ref().zip(document.signature.as_ref()).ok_or_else(corrupt)?;
    let time = OffsetDateTime::from_unix_timestamp(new.at / 1000).map_err(|_| corrupt())?;
    let of = |verdict| review.findings.iter().filter(|finding| finding.verdict == verdict).count() as i64;
    let amended = opened.signature.as_ref();
    signature::ActiveModel {
        institution_id: Set(signed.institution_id),
        report_row: Set(signed.id),
        signs_row: Set(opened.report.id),
        reading_row: Set(amended.map_or(opened.report.id, |amended| amended.reading_row)),
        amends_row: Set(amended.map(|amended| amended.report_row)),
        amended_row: Set(None),
        reason: Set(document.amendment.as_ref().map(|amendment| amendment.reason.clone()).unwrap_or_default()),
        account_id: Set(account_of(scope)),
        name: Set(stamp.by.clone()),
        at: Set(new.at),
        month: Set(format!("{:04}-{:02}", time.year(), u8::from(time.month()))),
        sha256: Set(stamp.sha256.clone()),
        model_hash: Set(signed.model_hash.clone()),
        findings: Set(review.findings.len() as i64),
        accepted: Set(of(FindingVerdict::Accepted)),
        edited: Set(of(FindingVerdict::Edited)),
        rejected: Set(of(FindingVerdict::Rejected)),
        added: Set(review.added.len() as i64),
        label_use: Set(LabelUse::Pending.as_str().to_owned()),
        label_by: Set(None),
        label_at: Set(None),
        ..Default::default()
    }
    .insert(txn)
    .await
    .map_err(CatalogError::during(ACT))?;
    if let Some(amended) = amended {
        let mut amended = amended.clone().into_active_model();
        amended.amended_row = Set(Some(signed.id));
        amended.update(txn).await.map_err(CatalogError::during(ACT))?;
    }
    Ok(())
}

/// What the signed version takes the place of. A reading that came after the signature waits on while that one is amended.
async fn give_way(txn: &DatabaseTransaction, opened: &Opened, signed: i64) -> Result<(), CatalogError> {
    let mut stays = None;
    if opened.signature.is_some() {
        let waits = report::Entity::find()
            .filter(report::Column::AfterRow.eq(opened.report.id))
            .filter(report::Column::SupersededBy.is_null())
            .one(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        stays = waits.map(|waits| waits.id);
    }
    if let Some(waits) = stays {
        report::Entity::update_many()
            .col_expr(report::Column::AfterRow, Expr::value(signed))
            .filter(report::Column::Id.eq(waits))
            .exec(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
    }
    supersede(txn, opened.report.study_row, signed, stays).await
}

/// The findings of the signed version, and its review: what was signed, from which an amendment begins.
async fn go_on_from(
    txn: &DatabaseTransaction,
    reviewed: &report::Model,
    signed: &report::Model,
) -> Result<(), CatalogError> {
    let during = || CatalogError::during(ACT);
    let findings = finding::Entity::find().filter(finding::Column::ReportRow.eq(reviewed.id)).all(txn).await;
    for found in findings.map_err(during())? {
        let mut row = found.into_active_model().reset_all();
        row.id = NotSet;
        row.report_row = Set(signed.id);
        row.insert(txn).await.map_err(during())?;
    }
    let before = review::Entity::find().filter(review::Column::ReportRow.eq(reviewed.id)).one(txn).await;
    if let Some(before) = before.map_err(during())? {
        let mut row = before.into_active_model().reset_all();
        row.id = NotSet;
        row.report_row = Set(signed.id);
        row.revision = Set(0);
        row.insert(txn).await.map_err(during())?;
    }
    let said = verdict::Entity::find().filter(verdict::Column::ReportRow.eq(reviewed.id)).all(txn).await;
    let mut last = std::collections::BTreeMap::new();
    for row in said.map_err(during())? {
        let later = last.get(&row.number).is_none_or(|known: &verdict::Model| known.id < row.id);
        if later {
            last.insert(row.number, row);
        }
    }
    for (_, row) in last {
        let mut row = row.into_active_model().reset_all();
        row.id = NotSet;
        row.report_row = Set(signed.id);
        row.insert(txn).await.map_err(during())?;
    }
    Ok(())
}
