//! Versions of reports, and what physicians say of their findings. Every change is told to the audit trail in its own transaction.

use super::audit::of_study;
use super::entity::{account, finding, report, review, signature, study, verdict};
use super::reading::URINARY_STONE;
use super::{Catalog, CatalogError, now, rfc3339, work};
use crate::access::{Actor, Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::error::EngineError;
use crate::review::{
    LabelUse, ReportState, ReportVersion, ReviewVerdict, ReviewView, ReviewedFinding, SignatureView, VerdictView,
};
use crate::storage::ObjectKey;
use hilum_clinical::report::{Conclusion, StoneEdits};
use hilum_dicom::StudyUid;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, Set,
};
use std::collections::{BTreeMap, HashMap};

pub(super) const ACT: &str = "review a report";
const REPLACED: &str = "another version took the place of this one; review that one";
const CORRUPT_VERDICT: CatalogError = CatalogError::Corrupt { what: "verdict" };

/// A stone may be added so many times.
const MOST_ADDED: usize = 50;

/// A version of a report, with all that was said of it.
pub(super) struct Opened {
    pub(super) report: report::Model,
    pub(super) signature: Option<signature::Model>,
    pub(super) review: Option<review::Model>,
    /// Numbers of the findings, in their order.
    pub(super) findings: Vec<u32>,
    /// By number, oldest first.
    pub(super) verdicts: BTreeMap<u32, Vec<verdict::Model>>,
}

impl Opened {
    pub(super) fn revision(&self) -> i64 {
        self.review.as_ref().map_or(0, |review| review.revision)
    }

    pub(super) fn conclusion(&self) -> Conclusion {
        let review = self.review.as_ref();
        review.map_or_else(Conclusion::default, |review| Conclusion {
            en: review.conclusion_en.clone(),
            ko: review.conclusion_ko.clone(),
        })
    }

    fn next_added(&self) -> u32 {
        self.findings.iter().chain(self.verdicts.keys()).max().map_or(1, |last| last + 1)
    }
}

/// What is to be said of a finding.
#[derive(Clone, Debug)]
pub(crate) struct NewVerdict {
    /// None: a stone that was not there before.
    pub(crate) number: Option<u32>,
    pub(crate) verdict: ReviewVerdict,
    pub(crate) stated: StoneEdits,
    pub(crate) comment: String,
}

/// Where the files of a version lie.
#[derive(Clone, Debug)]
pub(crate) struct VersionFolder {
    pub(crate) folder: ObjectKey,
    /// Row of the institution.
    pub(crate) institution: i64,
    /// The version that a further one would have.
    pub(crate) next_version: u32,
}

impl Catalog {
    /// Versions of a study's report, the last one first; none where there is no such study or no report.
    pub(crate) async fn report_versions(
        &self,
        scope: &Scope,
        uid: &StudyUid,
    ) -> Result<Vec<ReportVersion>, CatalogError> {
        let during = || CatalogError::during("list versions of a report");
        let Some(study) = study_of(&self.read, &self.visible(scope).await?, uid).await? else { return Ok(Vec::new()) };
        let reports = report::Entity::find()
            .filter(report::Column::StudyRow.eq(study.id))
            .filter(report::Column::Service.eq(URINARY_STONE))
            .order_by_desc(report::Column::Version)
            .all(&self.read)
            .await
            .map_err(during())?;
        let rows = reports.iter().map(|row| row.id);
        let signatures: HashMap<i64, signature::Model> = signature::Entity::find()
            .filter(signature::Column::ReportRow.is_in(rows))
            .all(&self.read)
            .await
            .map_err(during())?
            .into_iter()
            .map(|signature| (signature.report_row, signature))
            .collect();
        let versions: HashMap<i64, i64> = reports.iter().map(|row| (row.id, row.version)).collect();
        let view = |row: report::Model| {
            let signed = signatures.get(&row.id);
            Ok(ReportVersion {
                version: row.version as u32,
                state: state(&row, signed),
                created_at: rfc3339(row.created_at)?,
                stone_count: row.stone_count.map(|count| count as u32),
                signature: signed.map(|signed| signature_view(signed, &versions)).transpose()?,
            })
        };
        reports.into_iter().map(view).collect()
    }

    /// Where the files of one version lie.
    pub(crate) async fn version_folder(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
    ) -> Result<Option<VersionFolder>, CatalogError> {
        let visible = self.visible(scope).await?;
        let Some(study) = study_of(&self.read, &visible, uid).await? else { return Ok(None) };
        let Some(report) = version_of(&self.read, &study, version).await? else { return Ok(None) };
        Ok(Some(VersionFolder {
            folder: ObjectKey::from_catalogue(report.object_key),
            institution: report.institution_id,
            next_version: next_version(&self.read, study.id).await?,
        }))
    }

    /// The review of a version.
    pub(crate) async fn review(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
    ) -> Result<Option<ReviewView>, CatalogError> {
        let visible = self.visible(scope).await?;
        let Some(study) = study_of(&self.read, &visible, uid).await? else { return Ok(None) };
        let Some(opened) = opened(&self.read, &study, version).await? else { return Ok(None) };
        Ok(Some(review_view(&self.read, opened).await?))
    }

    /// Says something of a finding, or adds a stone.
    pub(crate) async fn judge(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
        revision: u32,
        new: &NewVerdict,
    ) -> Result<(), EngineError> {
        let (txn, study, opened) = self.begin_review(scope, uid, version, revision).await?;
        let number = new.number.unwrap_or_else(|| opened.next_added());
        let of_report = opened.findings.contains(&number);
        let known = of_report || new.number.is_none() || opened.verdicts.contains_key(&number);
        if !known {
            return Err(EngineError::NotFound { what: "finding" });
        }
        if of_report != new.verdict.on_finding().is_some() {
            let expected = if of_report { "accepted, edited or rejected" } else { "added or withdrawn" };
            return Err(EngineError::BadRequest { field: "verdict", expected });
        }
        if new.number.is_none() && opened.verdicts.len() >= opened.findings.len() + MOST_ADDED {
            return Err(EngineError::Conflict("so many stones were added already that no more are taken"));
        }
        insert_verdict(&txn, scope, &opened.report, number, new, now()).await?;
        touch(&txn, &opened, None).await?;
        work::refresh(&txn, study.id).await?;
        let (institution, uid) = of_study(&txn, study.institution_id, study.id).await?;
        let detail = Detail {
            subject: Some(Subject::Report),
            report: Some(version),
            finding: Some(number),
            code: Some(new.verdict.as_str().into()),
            ..Detail::default()
        };
        let event = AuditEvent::by(scope, Action::Review).of(institution).about([uid]).with(detail);
        Ok(self.commit_told(txn, ACT, &[event]).await?)
    }

    /// Writes the physician's words in place of those before.
    pub(crate) async fn conclude(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
        revision: u32,
        conclusion: &Conclusion,
    ) -> Result<(), EngineError> {
        let (txn, study, opened) = self.begin_review(scope, uid, version, revision).await?;
        touch(&txn, &opened, Some(conclusion)).await?;
        work::refresh(&txn, study.id).await?;
        let (institution, uid) = of_study(&txn, study.institution_id, study.id).await?;
        let detail = Detail {
            subject: Some(Subject::Report),
            report: Some(version),
            code: Some("conclusion".into()),
            ..Detail::default()
        };
        let event = AuditEvent::by(scope, Action::Review).of(institution).about([uid]).with(detail);
        Ok(self.commit_told(txn, ACT, &[event]).await?)
    }

    /// Under the write lock: a version that is open for review, at the revision that the caller has seen.
    pub(super) async fn begin_review(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
        revision: u32,
    ) -> Result<(DatabaseTransaction, study::Model, Opened), EngineError> {
        scope.require(Permission::Review)?;
        let visible = self.visible(scope).await?;
        let txn = self.begin(ACT).await?;
        let none = EngineError::NotFound { what: "report" };
        let Some(study) = study_of(&txn, &visible, uid).await? else { return Err(none) };
        let Some(opened) = opened(&txn, &study, version).await? else { return Err(none) };
        self.require_open(scope, &opened, revision)?;
        Ok((txn, study, opened))
    }

    /// Refused where a change of the review would be, as far as can be told before it.
    pub(crate) async fn check_review(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
        revision: u32,
    ) -> Result<(), EngineError> {
        scope.require(Permission::Review)?;
        let visible = self.visible(scope).await?;
        let none = EngineError::NotFound { what: "report" };
        let Some(study) = study_of(&self.read, &visible, uid).await? else { return Err(none) };
        let Some(opened) = opened(&self.read, &study, version).await? else { return Err(none) };
        self.require_open(scope, &opened, revision)
    }

    fn require_open(&self, scope: &Scope, opened: &Opened, revision: u32) -> Result<(), EngineError> {
        self.require(scope, Permission::Review, opened.report.institution_id)?;
        if opened.report.superseded_by.is_some() {
            return Err(EngineError::Conflict(REPLACED));
        }
        if opened.revision() != i64::from(revision) {
            return Err(EngineError::ReviewChanged);
        }
        Ok(())
    }
}

/// A study of these institutions.
pub(super) async fn study_of(
    connection: &impl ConnectionTrait,
    visible: &[i64],
    uid: &StudyUid,
) -> Result<Option<study::Model>, CatalogError> {
    study::Entity::find()
        .filter(study::Column::StudyUid.eq(uid.as_str()))
        .filter(study::Column::InstitutionId.is_in(visible.iter().copied()))
        .order_by_asc(study::Column::Id)
        .one(connection)
        .await
        .map_err(CatalogError::during(ACT))
}

pub(super) async fn version_of(
    connection: &impl ConnectionTrait,
    study: &study::Model,
    version: u32,
) -> Result<Option<report::Model>, CatalogError> {
    report::Entity::find()
        .filter(report::Column::StudyRow.eq(study.id))
        .filter(report::Column::Service.eq(URINARY_STONE))
        .filter(report::Column::Version.eq(i64::from(version)))
        .one(connection)
        .await
        .map_err(CatalogError::during(ACT))
}

/// As a reading counts, too.
pub(super) async fn next_version(connection: &impl ConnectionTrait, study_row: i64) -> Result<u32, CatalogError> {
    use sea_orm::PaginatorTrait as _;
    let versions = report::Entity::find()
        .filter(report::Column::StudyRow.eq(study_row))
        .filter(report::Column::Service.eq(URINARY_STONE))
        .count(connection)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(versions as u32 + 1)
}

pub(super) async fn opened(
    connection: &impl ConnectionTrait,
    study: &study::Model,
    version: u32,
) -> Result<Option<Opened>, CatalogError> {
    let during = || CatalogError::during(ACT);
    let Some(report) = version_of(connection, study, version).await? else { return Ok(None) };
    let findings = finding::Entity::find()
        .filter(finding::Column::ReportRow.eq(report.id))
        .filter(finding::Column::Kind.eq("stone"))
        .order_by_asc(finding::Column::Number)
        .all(connection)
        .await
        .map_err(during())?;
    let said = verdict::Entity::find()
        .filter(verdict::Column::ReportRow.eq(report.id))
        .order_by_asc(verdict::Column::Id)
        .all(connection)
        .await
        .map_err(during())?;
    let mut verdicts: BTreeMap<u32, Vec<verdict::Model>> = BTreeMap::new();
    for row in said {
        verdicts.entry(row.number as u32).or_default().push(row);
    }
    let review = review::Entity::find().filter(review::Column::ReportRow.eq(report.id));
    let signature = signature::Entity::find().filter(signature::Column::ReportRow.eq(report.id));
    Ok(Some(Opened {
        review: review.one(connection).await.map_err(during())?,
        signature: signature.one(connection).await.map_err(during())?,
        findings: findings.into_iter().map(|finding| finding.number as u32).collect(),
        verdicts,
        report,
    }))
}

async fn review_view(connection: &impl ConnectionTrait, opened: Opened) -> Result<ReviewView, CatalogError> {
    let accounts = opened.verdicts.values().flatten().filter_map(|row| row.account_id);
    let names = names(connection, accounts.collect()).await?;
    let added = opened.verdicts.keys().filter(|number| !opened.findings.contains(number));
    let numbers = opened.findings.iter().map(|number| (*number, false)).chain(added.map(|number| (*number, true)));
    let finding = |(number, added): (u32, bool)| {
        let said = opened.verdicts.get(&number).map(Vec::as_slice).unwrap_or_default();
        let mut history = said.iter().map(|row| verdict_view(row, &names)).collect::<Result<Vec<_>, _>>()?;
        Ok(ReviewedFinding { number, added, verdict: history.pop(), history })
    };
    let findings = numbers.map(finding).collect::<Result<_, CatalogError>>()?;
    let (revision, conclusion) = (opened.revision() as u32, opened.conclusion());
    let Opened { report, signature, .. } = opened;
    Ok(ReviewView {
        version: report.version as u32,
        state: state(&report, signature.as_ref()),
        open: report.superseded_by.is_none(),
        revision,
        findings,
        conclusion,
    })
}

fn verdict_view(row: &verdict::Model, names: &HashMap<i64, String>) -> Result<VerdictView, CatalogError> {
    Ok(VerdictView {
        verdict: row.verdict.parse().map_err(|_| CORRUPT_VERDICT)?,
        edits: serde_json::from_str(&row.stated).map_err(|_| CORRUPT_VERDICT)?,
        comment: row.comment.clone(),
        by: match row.account_id {
            Some(id) => names.get(&id).cloned().unwrap_or_else(|| format!("account {id}")),
            None => "console".to_owned(),
        },
        at: rfc3339(row.at)?,
    })
}

/// Names of accounts, or logins where they have none.
pub(super) async fn names(
    connection: &impl ConnectionTrait,
    accounts: Vec<i64>,
) -> Result<HashMap<i64, String>, CatalogError> {
    let rows = account::Entity::find().filter(account::Column::Id.is_in(accounts)).all(connection).await;
    let rows = rows.map_err(CatalogError::during(ACT))?;
    Ok(rows.into_iter().map(|row| (row.id, if row.name.is_empty() { row.login } else { row.name })).collect())
}

pub(super) fn state(report: &report::Model, signature: Option<&signature::Model>) -> ReportState {
    match (signature, report.superseded_by) {
        (Some(signature), Some(_)) if signature.amended_row.is_some() => ReportState::Amended,
        (_, Some(_)) => ReportState::Superseded,
        (Some(_), None) => ReportState::Signed,
        (None, None) if report.after_row.is_some() => ReportState::AfterSignature,
        (None, None) => ReportState::Unsigned,
    }
}

fn signature_view(row: &signature::Model, versions: &HashMap<i64, i64>) -> Result<SignatureView, CatalogError> {
    let corrupt = CatalogError::Corrupt { what: "signature" };
    let version = |id: i64| versions.get(&id).map(|version| *version as u32);
    Ok(SignatureView {
        by: row.name.clone(),
        at: rfc3339(row.at)?,
        sha256: row.sha256.clone(),
        reviewed_version: version(row.signs_row).ok_or(CatalogError::Corrupt { what: "signature" })?,
        amends: row.amends_row.and_then(version),
        reason: row.reason.clone(),
        label_use: LabelUse::of_word(&row.label_use).ok_or(corrupt)?,
    })
}

pub(super) async fn insert_verdict(
    txn: &DatabaseTransaction,
    scope: &Scope,
    report: &report::Model,
    number: u32,
    new: &NewVerdict,
    at: i64,
) -> Result<(), CatalogError> {
    verdict::ActiveModel {
        institution_id: Set(report.institution_id),
        report_row: Set(report.id),
        number: Set(i64::from(number)),
        verdict: Set(new.verdict.as_str().to_owned()),
        stated: Set(serde_json::to_string(&new.stated).map_err(|_| CORRUPT_VERDICT)?),
        comment: Set(new.comment.clone()),
        account_id: Set(account_of(scope)),
        at: Set(at),
        ..Default::default()
    }
    .insert(txn)
    .await
    .map_err(CatalogError::during(ACT))?;
    Ok(())
}

/// Who acts, where it is an account.
pub(super) fn account_of(scope: &Scope) -> Option<i64> {
    match scope.actor() {
        Actor::Account(id) => Some(id.0),
        _ => None,
    }
}

/// The review has changed: its revision rises.
pub(super) async fn touch(
    txn: &DatabaseTransaction,
    opened: &Opened,
    conclusion: Option<&Conclusion>,
) -> Result<(), CatalogError> {
    let conclusion = conclusion.cloned().unwrap_or_else(|| opened.conclusion());
    let mut row = match &opened.review {
        Some(review) => review.clone().into_active_model(),
        None => review::ActiveModel {
            institution_id: Set(opened.report.institution_id),
            report_row: Set(opened.report.id),
            ..Default::default()
        },
    };
    row.revision = Set(opened.revision() + 1);
    row.conclusion_en = Set(conclusion.en);
    row.conclusion_ko = Set(conclusion.ko);
    row.updated_at = Set(now());
    row.save(txn).await.map_err(CatalogError::during(ACT))?;
    Ok(())
}

/// What was said of reports that are deleted.
pub(super) async fn delete_reviews(txn: &DatabaseTransaction, reports: &[i64]) -> Result<(), CatalogError> {
    let during = || CatalogError::during("delete reviews");
    let rows = || reports.iter().copied();
    signature::Entity::delete_many()
        .filter(signature::Column::ReportRow.is_in(rows()))
        .exec(txn)
        .await
        .map_err(during())?;
    verdict::Entity::delete_many().filter(verdict::Column::ReportRow.is_in(rows())).exec(txn).await.map_err(during())?;
    review::Entity::delete_many().filter(review::Column::ReportRow.is_in(rows())).exec(txn).await.map_err(during())?;
    Ok(())
}
