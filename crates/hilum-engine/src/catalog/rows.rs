//! Rows of patient, study and series for an instance, made when they are missing.
//!
//! The first object decides what a row says; what later objects say differently is kept as a conflict and shown.

use super::dialect::Dialect;
use super::entity::{patient, series, study, study_conflict};
use super::{CatalogError, now, work};
use crate::engine::Zone;
use hilum_dicom::InstanceFacts;
use hilum_dicom::facts::RequestFacts;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, Set, Value,
};
use std::collections::{BTreeSet, HashMap, HashSet};
use time::macros::format_description;

/// Rows already looked up in this transaction.
#[derive(Default)]
pub(super) struct RowCache {
    patients: HashMap<(i64, Zone, String, String, String), patient::Model>,
    studies: HashMap<(i64, Zone, String), study::Model>,
    series: HashMap<(i64, String), i64>,
    /// Series that were there before, with what modality they say.
    before: HashMap<(i64, String), (i64, Option<String>)>,
    conflicts: HashSet<(i64, &'static str)>,
    new_series: HashMap<i64, i64>,
    to_index: HashSet<i64>,
}

impl RowCache {
    /// Looks up what is there of the studies, patients and series of some instances: a question for each of the three, however many those are.
    pub(super) async fn learn(
        &mut self,
        txn: &DatabaseTransaction,
        institution: i64,
        zone: Zone,
        facts: &[&InstanceFacts],
    ) -> Result<(), CatalogError> {
        let dialect = Dialect::of(txn);
        let list = |uids: HashSet<&str>| Value::from(serde_json::json!(uids).to_string());
        let of_these = dialect.in_json_list("study_uid");
        let statement = dialect.statement(
            &format!("SELECT * FROM study WHERE institution_id = ? AND zone = ? AND {of_these}"),
            [
                institution.into(),
                zone.as_str().into(),
                list(facts.iter().map(|facts| facts.study.uid.as_str()).collect()),
            ],
        );
        let studies =
            study::Entity::find().from_raw_sql(statement).all(txn).await.map_err(CatalogError::during(ACT))?;
        if studies.is_empty() {
            return Ok(());
        }
        let (of_these, rows) =
            dialect.is_one_of("id", &studies.iter().map(|study| study.patient_row).collect::<Vec<_>>());
        let statement = dialect.statement(&format!("SELECT * FROM patient WHERE {of_these}"), [rows]);
        let patients = patient::Entity::find().from_raw_sql(statement).all(txn).await;
        for patient in patients.map_err(CatalogError::during(ACT))? {
            let key =
                (institution, zone, patient.issuer.clone(), patient.patient_id.clone(), patient.only_study_uid.clone());
            self.patients.insert(key, patient);
        }
        let (of_these, rows) =
            dialect.is_one_of("study_row", &studies.iter().map(|study| study.id).collect::<Vec<_>>());
        let uids = list(facts.iter().map(|facts| facts.series.uid.as_str()).collect());
        let statement = dialect.statement(
            &format!("SELECT * FROM series WHERE {of_these} AND {}", dialect.in_json_list("series_uid")),
            [rows, uids],
        );
        let series = series::Entity::find().from_raw_sql(statement).all(txn).await;
        for series in series.map_err(CatalogError::during(ACT))? {
            self.before.insert((series.study_row, series.series_uid), (series.id, series.modality));
        }
        self.studies.extend(studies.into_iter().map(|study| ((institution, zone, study.study_uid.clone()), study)));
        Ok(())
    }

    /// New series by study row.
    pub(super) fn new_series(&self, study_row: i64) -> i64 {
        self.new_series.get(&study_row).copied().unwrap_or(0)
    }

    /// Studies whose words or modalities are not in the index yet.
    pub(super) fn to_index(&self) -> impl Iterator<Item = i64> {
        self.to_index.iter().copied()
    }
}

/// Where an instance belongs.
pub(super) struct Place {
    pub(super) study_row: i64,
    pub(super) series_row: i64,
}

const ACT: &str = "record an instance";

pub(super) async fn place_of(
    txn: &DatabaseTransaction,
    cache: &mut RowCache,
    institution: i64,
    zone: Zone,
    facts: &InstanceFacts,
) -> Result<Place, CatalogError> {
    let patient = patient_row(txn, cache, institution, zone, facts).await?;
    let study = study_row(txn, cache, institution, zone, &patient, facts).await?;
    if study.patient_row != patient.id {
        let text = "The same Study Instance UID was also sent for another patient; all instances are kept.";
        conflict(txn, cache, institution, study.id, "study_of_two_patients", text).await?;
    } else if patient_differs(&patient, facts) {
        let text =
            "Name, birth date or sex differ from what was sent before for this patient ID; the first ones are shown.";
        conflict(txn, cache, institution, study.id, "patient_attributes_differ", text).await?;
    }
    if study.study_date != date(facts) {
        let text = "Instances of this study state different study dates; the first one is shown.";
        conflict(txn, cache, institution, study.id, "study_dates_differ", text).await?;
    }
    let series_row = series_row(txn, cache, institution, zone, study.id, facts).await?;
    Ok(Place { study_row: study.id, series_row })
}

async fn patient_row(
    txn: &DatabaseTransaction,
    cache: &mut RowCache,
    institution: i64,
    zone: Zone,
    facts: &InstanceFacts,
) -> Result<patient::Model, CatalogError> {
    let stated = &facts.patient;
    let id = stated.id.clone().unwrap_or_default();
    let issuer = stated.issuer.clone().unwrap_or_default();
    let only_study = if id.is_empty() { facts.study.uid.to_string() } else { String::new() };
    let key = (institution, zone, issuer.clone(), id.clone(), only_study.clone());
    if let Some(row) = cache.patients.get(&key) {
        return Ok(row.clone());
    }
    let found = patient::Entity::find()
        .filter(patient::Column::InstitutionId.eq(institution))
        .filter(patient::Column::Zone.eq(zone.as_str()))
        .filter(patient::Column::Issuer.eq(&issuer))
        .filter(patient::Column::PatientId.eq(&id))
        .filter(patient::Column::OnlyStudyUid.eq(&only_study))
        .one(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    let row = match found {
        Some(row) => row,
        None => patient::ActiveModel {
            institution_id: Set(institution),
            zone: Set(zone.as_str().to_owned()),
            issuer: Set(issuer),
            patient_id: Set(id),
            only_study_uid: Set(only_study),
            name_alphabetic: Set(stated.name.alphabetic.clone()),
            name_ideographic: Set(stated.name.ideographic.clone()),
            name_phonetic: Set(stated.name.phonetic.clone()),
            birth_date: Set(birth_date(facts)),
            sex: Set(stated.sex.clone()),
            created_at: Set(now()),
            ..Default::default()
        }
        .insert(txn)
        .await
        .map_err(CatalogError::during(ACT))?,
    };
    cache.patients.insert(key, row.clone());
    Ok(row)
}

async fn study_row(
    txn: &DatabaseTransaction,
    cache: &mut RowCache,
    institution: i64,
    zone: Zone,
    patient: &patient::Model,
    facts: &InstanceFacts,
) -> Result<study::Model, CatalogError> {
    let key = (institution, zone, facts.study.uid.to_string());
    if let Some(row) = cache.studies.get(&key) {
        return Ok(row.clone());
    }
    let found = study::Entity::find()
        .filter(study::Column::InstitutionId.eq(institution))
        .filter(study::Column::Zone.eq(zone.as_str()))
        .filter(study::Column::StudyUid.eq(facts.study.uid.as_str()))
        .one(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    let time = facts.study.time.map(|time| time.format(format_description!("[hour]:[minute]:[second]")));
    let is_new = found.is_none();
    let time = time.and_then(Result::ok);
    let urgent = match found {
        Some(_) => 0,
        None => {
            work::ordered_priority(txn, institution, facts.study.accession.as_deref(), facts.study.uid.as_str()).await?
        }
    };
    let row = match found {
        Some(row) => row,
        None => study::ActiveModel {
            institution_id: Set(institution),
            zone: Set(zone.as_str().to_owned()),
            study_uid: Set(facts.study.uid.to_string()),
            patient_row: Set(patient.id),
            name_key: Set(work::name_key([
                Some(patient.name_alphabetic.as_str()),
                patient.name_ideographic.as_deref(),
                patient.name_phonetic.as_deref(),
            ])),
            patient_key: Set(work::folded(&patient.patient_id)),
            described: Set(work::folded(facts.study.description.as_deref().unwrap_or_default())),
            priority: Set(urgent),
            priority_by: Set(work::said_by(urgent)),
            contrast: Set(-1),
            stones: Set(-1),
            workflow: Set(0),
            body_parts: Set(String::new()),
            study_date: Set(date(facts)),
            dated: Set(work::dated(date(facts).as_deref(), time.as_deref())),
            study_time: Set(time),
            description: Set(facts.study.description.clone()),
            accession: Set(facts.study.accession.clone()),
            age: Set(facts.patient.age.clone()),
            synthetic: Set(crate::tagging::is_synthetic(facts)),
            study_id: Set(facts.study.id.clone()),
            referring_physician: Set(referring_physician(facts)),
            modalities: Set(String::new()),
            series_count: Set(0),
            instance_count: Set(0),
            revision: Set(0),
            read_revision: Set(0),
            created_at: Set(now()),
            updated_at: Set(now()),
            ..Default::default()
        }
        .insert(txn)
        .await
        .map_err(CatalogError::during(ACT))?,
    };
    if is_new {
        cache.to_index.insert(row.id);
    }
    cache.studies.insert(key, row.clone());
    Ok(row)
}

async fn series_row(
    txn: &DatabaseTransaction,
    cache: &mut RowCache,
    institution: i64,
    zone: Zone,
    study_row: i64,
    facts: &InstanceFacts,
) -> Result<i64, CatalogError> {
    let key = (study_row, facts.series.uid.to_string());
    if let Some(row) = cache.series.get(&key) {
        return Ok(*row);
    }
    let differ = "Instances of one series state different modalities; the first one is shown.";
    if let Some((row, modality)) = cache.before.remove(&key) {
        if modality != facts.series.modality {
            conflict(txn, cache, institution, study_row, "modalities_differ", differ).await?;
        }
        cache.series.insert(key, row);
        return Ok(row);
    }
    // What is there of this study is known: those are of others.
    let same_uid = series::Entity::find()
        .filter(series::Column::InstitutionId.eq(institution))
        .filter(series::Column::SeriesUid.eq(facts.series.uid.as_str()))
        .all(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    for other in &same_uid {
        let shares = study::Entity::find_by_id(other.study_row)
            .filter(study::Column::Zone.eq(zone.as_str()))
            .one(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        if shares.is_some() {
            let text =
                "A series of this study has the same Series Instance UID as a series of another study; both are kept.";
            conflict(txn, cache, institution, study_row, "series_of_two_studies", text).await?;
        }
    }
    let row = series::ActiveModel {
        institution_id: Set(institution),
        study_row: Set(study_row),
        series_uid: Set(facts.series.uid.to_string()),
        number: Set(facts.series.number),
        description: Set(facts.series.description.clone()),
        modality: Set(facts.series.modality.clone()),
        kernel: Set(facts.series.kernel.clone()),
        instance_count: Set(0),
        frame_count: Set(0),
        revision: Set(0),
        settled_revision: Set(0),
        contrast: Set(-1),
        body_part: Set(facts.series.body_part.as_deref().map(work::body_part).filter(|part| !part.is_empty())),
        performed_date: Set(facts.series.performed_date.map(|date| date.to_string())),
        step_ids: Set(ids(facts, |request| request.step.as_deref())),
        procedure_ids: Set(ids(facts, |request| request.procedure.as_deref())),
        metadata_revision: Set(0),
        quiet_at: Set(0),
        created_at: Set(now()),
        ..Default::default()
    }
    .insert(txn)
    .await
    .map_err(CatalogError::during(ACT))?;
    cache.series.insert(key, row.id);
    // The index has what a series says at its study.
    cache.to_index.insert(study_row);
    *cache.new_series.entry(study_row).or_default() += 1;
    note_modality(txn, cache, study_row, facts.series.modality.as_deref().unwrap_or_default()).await?;
    Ok(row.id)
}

/// Modalities in Study (0008,0061) names every modality of its series once.
async fn note_modality(
    txn: &DatabaseTransaction,
    cache: &mut RowCache,
    study_row: i64,
    modality: &str,
) -> Result<(), CatalogError> {
    let found = study::Entity::find_by_id(study_row).one(txn).await.map_err(CatalogError::during(ACT))?;
    let row = found.ok_or(CatalogError::Corrupt { what: "study" })?;
    let mut modalities: Vec<&str> = row.modalities.split('\\').filter(|known| !known.is_empty()).collect();
    if modality.is_empty() || modalities.contains(&modality) {
        return Ok(());
    }
    modalities.push(modality);
    modalities.sort_unstable();
    let joined = work::joined_modalities(&modalities);
    let mut changed = row.into_active_model();
    changed.modalities = Set(joined);
    changed.update(txn).await.map_err(CatalogError::during(ACT))?;
    cache.to_index.insert(study_row);
    Ok(())
}

async fn conflict(
    txn: &DatabaseTransaction,
    cache: &mut RowCache,
    institution: i64,
    study_row: i64,
    code: &'static str,
    text: &str,
) -> Result<(), CatalogError> {
    if !cache.conflicts.insert((study_row, code)) {
        return Ok(());
    }
    study_conflict::Entity::insert(study_conflict::ActiveModel {
        institution_id: Set(institution),
        study_row: Set(study_row),
        code: Set(code.to_owned()),
        text: Set(text.to_owned()),
        created_at: Set(now()),
        ..Default::default()
    })
    .on_conflict(
        OnConflict::columns([study_conflict::Column::StudyRow, study_conflict::Column::Code]).do_nothing().to_owned(),
    )
    .exec_without_returning(txn)
    .await
    .map_err(CatalogError::during(ACT))?;
    Ok(())
}

fn patient_differs(row: &patient::Model, facts: &InstanceFacts) -> bool {
    let stated = &facts.patient;
    row.name_alphabetic != stated.name.alphabetic || row.birth_date != birth_date(facts) || row.sex != stated.sex
}

/// IDs of the requests that a series was made for, joined by backslashes.
fn ids(facts: &InstanceFacts, id: impl Fn(&RequestFacts) -> Option<&str>) -> Option<String> {
    let ids: BTreeSet<&str> = facts.series.requests.iter().filter_map(id).collect();
    (!ids.is_empty()).then(|| ids.into_iter().collect::<Vec<_>>().join("\\"))
}

fn referring_physician(facts: &InstanceFacts) -> Option<String> {
    let name = &facts.study.referring_physician;
    (!name.is_empty()).then(|| name.to_string())
}

fn date(facts: &InstanceFacts) -> Option<String> {
    facts.study.date.map(|date| date.to_string())
}

fn birth_date(facts: &InstanceFacts) -> Option<String> {
    facts.patient.birth_date.map(|date| date.to_string())
}
