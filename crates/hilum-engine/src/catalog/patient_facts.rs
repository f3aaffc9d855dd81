//! What medical records told of patients.

use super::entity::{patient, patient_fact, study};
use super::{Catalog, CatalogError, now, rfc3339};
use crate::access::{Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail};
use crate::deliveries::DestinationName;
use crate::error::EngineError;
use crate::patient_facts::{NewFact, PatientFacts, PatientNumber};
use hilum_clinical::guideline::{Input, RecordedFact};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, Set};

const ACT: &str = "keep what a medical record told";
const DAY_MS: i64 = 24 * 3_600_000;
/// Clocks differ; what is to be so only tomorrow is not so yet.
const AHEAD_MS: i64 = DAY_MS / 2;

impl Catalog {
    /// Keeps what a record told of a patient of the caller's institution, in one transaction. The same again changes nothing.
    pub(crate) async fn put_patient_facts(&self, scope: &Scope, told: &PatientFacts) -> Result<(), EngineError> {
        let institution = self.home(scope).await?;
        self.require(scope, Permission::Store, institution)?;
        let txn = self.begin(ACT).await?;
        for number in &told.patient {
            for prior in &told.merged {
                take_over(&txn, institution, prior, number).await?;
            }
            forget_old(&txn, institution, number).await?;
            for fact in &told.facts {
                let is_old = oldest(fact.input).is_some_and(|oldest| fact.observed_at < oldest);
                if is_old || !fact.dated && told_before(&txn, institution, number, fact, &told.source).await? {
                    continue;
                }
                let row = patient_fact::ActiveModel {
                    institution_id: Set(institution),
                    issuer: Set(number.issuer.clone()),
                    patient_id: Set(number.id.clone()),
                    input: Set(fact.input.name().to_owned()),
                    holds: Set(fact.holds),
                    system: Set(fact.system.clone()),
                    code: Set(fact.code.clone()),
                    source: Set(told.source.as_str().to_owned()),
                    observed_at: Set(fact.observed_at),
                    received_at: Set(now()),
                    ..Default::default()
                };
                insert(&txn, row).await?;
            }
            for withdrawn in &told.withdrawn {
                let mut delete = patient_fact::Entity::delete_many()
                    .filter(of(institution, number))
                    .filter(patient_fact::Column::System.eq(withdrawn.system.as_str()))
                    .filter(patient_fact::Column::Code.eq(withdrawn.code.as_str()));
                if let Some(observed_at) = withdrawn.observed_at {
                    delete = delete.filter(patient_fact::Column::ObservedAt.eq(observed_at));
                }
                delete.exec(&txn).await.map_err(CatalogError::during(ACT))?;
            }
        }
        let detail = Detail { destination: Some(told.source.clone()), ..Detail::default() };
        let event = AuditEvent::by(scope, Action::ReceivePatientData).of(scope.home().clone()).with(detail);
        Ok(self.commit_told(txn, ACT, &[event]).await?)
    }

    /// What still counts of what records told of a study's patient: of the same number, and of the same issuer where both sides name one.
    pub(crate) async fn recorded_facts(
        &self,
        scope: &Scope,
        study_row: i64,
    ) -> Result<Vec<RecordedFact>, CatalogError> {
        let act = "look up what a medical record told";
        let during = || CatalogError::during(act);
        let visible = self.visible(scope).await?;
        let found = study::Entity::find_by_id(study_row).filter(study::Column::InstitutionId.is_in(visible));
        let Some(found) = found.one(&self.read).await.map_err(during())? else { return Ok(Vec::new()) };
        let known = patient::Entity::find_by_id(found.patient_row).one(&self.read).await.map_err(during())?;
        // Without a number a patient is known by this one study only.
        let Some(known) = known.filter(|known| !known.patient_id.is_empty()) else { return Ok(Vec::new()) };
        let mut query = patient_fact::Entity::find()
            .filter(patient_fact::Column::InstitutionId.eq(found.institution_id))
            .filter(patient_fact::Column::PatientId.eq(known.patient_id));
        if !known.issuer.is_empty() {
            query = query.filter(patient_fact::Column::Issuer.is_in([known.issuer.as_str(), ""]));
        }
        let rows = query.order_by_asc(patient_fact::Column::Id).all(&self.read).await.map_err(during())?;
        let counts = |row: &patient_fact::Model, input: Input| {
            (oldest(input).unwrap_or(i64::MIN)..=now() + AHEAD_MS).contains(&row.observed_at)
        };
        let read = rows.into_iter().filter_map(|row| Some((input_of(&row.input)?, row)));
        read.filter(|(input, row)| counts(row, *input))
            .map(|(input, row)| {
                Ok(RecordedFact {
                    input,
                    holds: row.holds,
                    system: row.system,
                    code: row.code,
                    source: row.source,
                    observed_at: rfc3339(row.observed_at)?,
                })
            })
            .collect()
    }
}

/// One of another version of the software is passed over.
fn input_of(name: &str) -> Option<Input> {
    Input::ALL.iter().copied().find(|input| input.name() == name)
}

/// What was so before this does not count any more, ms since 1970 UTC; none: it counts for good.
fn oldest(input: Input) -> Option<i64> {
    input.counts_for_days().map(|days| now() - i64::from(days) * DAY_MS)
}

fn of(institution: i64, number: &PatientNumber) -> Condition {
    Condition::all()
        .add(patient_fact::Column::InstitutionId.eq(institution))
        .add(patient_fact::Column::PatientId.eq(number.id.as_str()))
        .add(patient_fact::Column::Issuer.eq(number.issuer.as_str()))
}

async fn insert(txn: &DatabaseTransaction, row: patient_fact::ActiveModel) -> Result<(), CatalogError> {
    use patient_fact::Column::{
        Code, Holds, Input, InstitutionId, Issuer, ObservedAt, PatientId, ReceivedAt, Source, System,
    };
    let known = [InstitutionId, PatientId, Issuer, Input, System, Code, ObservedAt];
    patient_fact::Entity::insert(row)
        .on_conflict(OnConflict::columns(known).update_columns([Holds, Source, ReceivedAt]).to_owned())
        .exec_without_returning(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(())
}

/// Whether the source told the same before. Then it is remembered that it still does, and the date stays: what has no date of its own would
/// else be new with every message, and never end.
async fn told_before(
    txn: &DatabaseTransaction,
    institution: i64,
    number: &PatientNumber,
    fact: &NewFact,
    source: &DestinationName,
) -> Result<bool, CatalogError> {
    let told = patient_fact::Entity::update_many()
        .col_expr(patient_fact::Column::ReceivedAt, Expr::value(now()))
        .filter(of(institution, number))
        .filter(patient_fact::Column::Input.eq(fact.input.name()))
        .filter(patient_fact::Column::System.eq(fact.system.as_str()))
        .filter(patient_fact::Column::Code.eq(fact.code.as_str()))
        .filter(patient_fact::Column::Source.eq(source.as_str()))
        .exec(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(told.rows_affected > 0)
}

/// What was told of a number that stands for the same patient; images may still bear the old one, so that it keeps its own.
async fn take_over(
    txn: &DatabaseTransaction,
    institution: i64,
    prior: &PatientNumber,
    number: &PatientNumber,
) -> Result<(), CatalogError> {
    let rows = patient_fact::Entity::find().filter(of(institution, prior)).all(txn).await;
    for row in rows.map_err(CatalogError::during(ACT))? {
        let patient_fact::Model {
            institution_id, input, holds, system, code, source, observed_at, received_at, ..
        } = row;
        let row = patient_fact::ActiveModel {
            institution_id: Set(institution_id),
            issuer: Set(number.issuer.clone()),
            patient_id: Set(number.id.clone()),
            input: Set(input),
            holds: Set(holds),
            system: Set(system),
            code: Set(code),
            source: Set(source),
            observed_at: Set(observed_at),
            received_at: Set(received_at),
            ..Default::default()
        };
        insert(txn, row).await?;
    }
    Ok(())
}

/// What does not count any more is not kept, unless it was told so lately that a message without a date may mean it.
async fn forget_old(txn: &DatabaseTransaction, institution: i64, number: &PatientNumber) -> Result<(), CatalogError> {
    let ending = Input::ALL.iter().filter(|input| input.counts_for_days().is_some_and(|days| days > 0));
    let old = ending.filter_map(|input| {
        let oldest = oldest(*input)?;
        let of_input = Condition::all().add(patient_fact::Column::Input.eq(input.name()));
        let of_input = of_input.add(patient_fact::Column::ObservedAt.lt(oldest));
        Some(of_input.add(patient_fact::Column::ReceivedAt.lt(oldest)))
    });
    patient_fact::Entity::delete_many()
        .filter(of(institution, number))
        .filter(old.fold(Condition::any(), Condition::add))
        .exec(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(())
}
