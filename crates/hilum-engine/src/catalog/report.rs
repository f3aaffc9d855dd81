//! Reports: one current version per study and service, older ones superseded and kept; a reading after a signature waits behind it.

use super::delivery::record_deliveries;
use super::entity::{finding, report, signature, study};
use super::reading::URINARY_STONE;
use super::{Catalog, CatalogError, Claim, now};
use crate::access::Scope;
use crate::deliveries::DeliveryRule;
use crate::storage::{ObjectKey, Staged};
use hilum_clinical::report::{StonePresent, UrinaryStoneReport};
use hilum_dicom::StudyUid;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Set,
};
use std::collections::BTreeMap;

/// A report to record, with why each series was chosen or passed over.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// The report.
    pub report: UrinaryStoneReport,
    /// Row of the series that was read.
    pub series_row: Option<i64>,
    /// Series Instance UID -> sentence.
    pub series_why: BTreeMap<String, String>,
    /// Its objects are due at once.
    pub results_due: bool,
    /// Medical records that it goes to.
    pub deliver_to: Vec<DeliveryRule>,
}

/// The current report of a study.
#[derive(Clone, Debug)]
pub struct CurrentReport {
    /// Its version.
    pub version: i64,
    /// The folder with its files.
    pub folder: ObjectKey,
    /// Row of the series that was read.
    pub series_row: Option<i64>,
    /// Series Instance UID -> sentence.
    pub series_why: BTreeMap<String, String>,
}

const ACT: &str = "record a report";

pub(super) async fn insert_report(
    txn: &DatabaseTransaction,
    claim: &Claim,
    new: &NewReport,
    staged: &Staged,
) -> Result<(), CatalogError> {
    let document = &new.report;
    let model = document.provenance.model.as_ref();
    let present = match document.result.stone_present {
        StonePresent::Yes => Some(true),
        StonePresent::No => Some(false),
        StonePresent::NotAssessed => None,
    };
    let signed = shown_and_signed(txn, claim.study_row).await?;
    let row = report::ActiveModel {
        institution_id: Set(claim.institution),
        study_row: Set(claim.study_row),
        service: Set(URINARY_STONE.to_owned()),
        version: Set(i64::from(document.version)),
        revision: Set(claim.revision),
        after_row: Set(signed),
        series_row: Set(new.series_row),
        outcome: Set(document.result.refusal.as_ref().map_or("read", |_| "refused").to_owned()),
        reason_code: Set(document.result.refusal.as_ref().map(|refusal| refusal.code.clone())),
        reason_text: Set(document.result.refusal.as_ref().map(|refusal| refusal.en.clone())),
        stone_present: Set(present),
        stone_count: Set(present.map(|_| i64::from(document.result.stone_count))),
        highest_score: Set(document.result.highest_score.map(f64::from)),
        series_why: Set(serde_json::to_string(&new.series_why).map_err(|_| CatalogError::Corrupt { what: "report" })?),
        model_hash: Set(model.map(|model| model.hash.clone())),
        plan_hash: Set(model.map(|model| model.plan_hash.clone())),
        input_hash: Set(document.provenance.input_hash.clone()),
        engine: Set(model.map(|_| format!("{} {}", document.provenance.engine, document.provenance.precision))),
        software_version: Set(document.provenance.software_version.clone()),
        object_key: Set(staged.target().as_str().to_owned()),
        created_at: Set(now()),
        results_due_at: Set(new.results_due.then(now)),
        results_tries: Set(0),
        ..Default::default()
    }
    .insert(txn)
    .await
    .map_err(CatalogError::during(ACT))?;
    supersede(txn, claim.study_row, row.id, signed).await?;
    // What waits behind a signed version is not shown, and told to nobody.
    if signed.is_none() {
        record_deliveries(txn, &row, &new.deliver_to).await?;
    }
    for stone in &document.stones {
        finding::ActiveModel {
            institution_id: Set(claim.institution),
            report_row: Set(row.id),
            kind: Set("stone".to_owned()),
            number: Set(i64::from(stone.number)),
            data: Set(serde_json::to_string(stone).map_err(|_| CatalogError::Corrupt { what: "finding" })?),
            ..Default::default()
        }
        .insert(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    }
    Ok(())
}

/// Of a study's versions the one that is shown: nothing took its place, and it does not wait behind a signed one.
pub(super) fn shown() -> Condition {
    Condition::all()
        .add(report::Column::Service.eq(URINARY_STONE))
        .add(report::Column::SupersededBy.is_null())
        .add(report::Column::AfterRow.is_null())
}

/// The version that is shown, where it is a signed one: it stays shown until a later reading is signed, too.
async fn shown_and_signed(txn: &DatabaseTransaction, study_row: i64) -> Result<Option<i64>, CatalogError> {
    let shown = report::Entity::find()
        .filter(report::Column::StudyRow.eq(study_row))
        .filter(shown())
        .one(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    let Some(shown) = shown else { return Ok(None) };
    let signed = signature::Entity::find().filter(signature::Column::ReportRow.eq(shown.id)).count(txn).await;
    Ok((signed.map_err(CatalogError::during(ACT))? > 0).then_some(shown.id))
}

/// Every other version of the study gives way to one, except `stays`.
pub(super) async fn supersede(
    txn: &DatabaseTransaction,
    study_row: i64,
    by: i64,
    stays: Option<i64>,
) -> Result<(), CatalogError> {
    report::Entity::update_many()
        .col_expr(report::Column::SupersededBy, Expr::value(by))
        .filter(report::Column::StudyRow.eq(study_row))
        .filter(report::Column::Service.eq(URINARY_STONE))
        .filter(report::Column::SupersededBy.is_null())
        .filter(report::Column::Id.is_not_in([Some(by), stays].into_iter().flatten()))
        .exec(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(())
}

/// Studies of a patient before another that are looked at for a report.
const EARLIER_STUDIES: u64 = 50;

impl Catalog {
    /// The folder of the report about the patient's last study before this one, by its date and time, that was assessed.
    pub(crate) async fn earlier_report(
        &self,
        scope: &Scope,
        study_row: i64,
    ) -> Result<Option<ObjectKey>, CatalogError> {
        let act = "look for an earlier report";
        let visible = self.visible(scope).await?;
        let this = study::Entity::find_by_id(study_row).filter(study::Column::InstitutionId.is_in(visible.clone()));
        let Some(this) = this.one(&self.read).await.map_err(CatalogError::during(act))? else { return Ok(None) };
        let Some(date) = this.study_date else { return Ok(None) };
        let mut before = Condition::any().add(study::Column::StudyDate.lt(date.clone()));
        if let Some(time) = this.study_time {
            let same_day =
                Condition::all().add(study::Column::StudyDate.eq(date)).add(study::Column::StudyTime.lt(time));
            before = before.add(same_day);
        }
        let earlier: Vec<i64> = study::Entity::find()
            .select_only()
            .column(study::Column::Id)
            .filter(study::Column::PatientRow.eq(this.patient_row))
            .filter(study::Column::InstitutionId.is_in(visible))
            .filter(study::Column::Id.ne(this.id))
            .filter(before)
            .order_by_desc(study::Column::StudyDate)
            .order_by_desc(study::Column::StudyTime)
            .limit(EARLIER_STUDIES)
            .into_tuple()
            .all(&self.read)
            .await
            .map_err(CatalogError::during(act))?;
        let reports = report::Entity::find()
            .filter(report::Column::StudyRow.is_in(earlier.clone()))
            .filter(shown())
            .filter(report::Column::StonePresent.is_not_null())
            .all(&self.read)
            .await
            .map_err(CatalogError::during(act))?;
        let last = earlier.iter().find_map(|study| reports.iter().find(|report| report.study_row == *study));
        Ok(last.map(|report| ObjectKey::from_catalogue(report.object_key.clone())))
    }

    /// The report that is current for a study, if there is one.
    pub async fn current_report(&self, scope: &Scope, uid: &StudyUid) -> Result<Option<CurrentReport>, CatalogError> {
        let act = "look up a report";
        let study = study::Entity::find()
            .filter(study::Column::StudyUid.eq(uid.as_str()))
            .filter(study::Column::InstitutionId.is_in(self.visible(scope).await?))
            .one(&self.read)
            .await
            .map_err(CatalogError::during(act))?;
        let Some(study) = study else { return Ok(None) };
        self.current_report_of(scope, study.id).await
    }

    /// The same, of a study by its row.
    pub async fn current_report_of(
        &self,
        scope: &Scope,
        study_row: i64,
    ) -> Result<Option<CurrentReport>, CatalogError> {
        let act = "look up a report";
        let row = report::Entity::find()
            .filter(report::Column::StudyRow.eq(study_row))
            .filter(report::Column::InstitutionId.is_in(self.visible(scope).await?))
            .filter(shown())
            .order_by_desc(report::Column::Version)
            .one(&self.read)
            .await
            .map_err(CatalogError::during(act))?;
        row.map(|row| {
            Ok(CurrentReport {
                version: row.version,
                folder: ObjectKey::from_catalogue(row.object_key),
                series_row: row.series_row,
                series_why: serde_json::from_str(&row.series_why)
                    .map_err(|_| CatalogError::Corrupt { what: "report" })?,
            })
        })
        .transpose()
    }
}
