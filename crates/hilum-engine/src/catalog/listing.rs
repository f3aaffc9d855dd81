//! The study list, a study in detail, readings under way, and what was put aside.

use super::dialect::Dialect;
use super::entity::{quarantine, series, study_conflict};
use super::reading::status_of_word;
use super::search::text::{self, Condition};
use super::search::words::Shown;
use super::{Catalog, CatalogError, id_list, now, rfc3339};
use crate::access::{InstitutionCode, Scope};
use crate::views::{
    Note, PatientView, Priority, QuarantineEntry, ReadingState, ReadingStatus, ReadingView, SeriesSummary, StudyChange,
    StudySummary, Workflow,
};
use hilum_dicom::StudyUid;
use hilum_dicom::geometry::{GeometryFinding, StackCheck};
use sea_orm::sea_query::NullOrdering;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, Order, QueryFilter, QueryOrder, Value};
use std::collections::BTreeMap;

/// A further look into the index is worth at least so many rows.
pub(super) const FEWEST_ROWS: usize = 64;

/// A study as the list needs it; `pending` counts its unsettled series.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct StudyRow {
    pub(crate) id: i64,
    study_uid: String,
    study_date: Option<String>,
    study_time: Option<String>,
    description: Option<String>,
    pub(crate) accession: Option<String>,
    synthetic: bool,
    revision: i64,
    name_alphabetic: String,
    name_ideographic: Option<String>,
    pub(crate) name_phonetic: Option<String>,
    patient_id: String,
    birth_date: Option<String>,
    sex: Option<String>,
    modalities: String,
    series_count: i64,
    instance_count: i64,
    created_at: i64,
    updated_at: i64,
    priority: i64,
    workflow: i64,
    body_parts: String,
    contrast: i64,
    pending: i64,
    state: Option<String>,
    read_revision: Option<i64>,
    progress: Option<f64>,
    lease_until: Option<i64>,
    reason_code: Option<String>,
    reason_text: Option<String>,
    stone_present: Option<bool>,
    stone_count: Option<i64>,
    highest_score: Option<f64>,
    pub(crate) institution: String,
}

const STUDY_COLUMNS: &str = "s.id, s.study_uid, s.study_date, s.study_time, s.description, s.accession, s.synthetic, s.revision, \
    s.modalities, s.series_count, s.instance_count, s.created_at, s.updated_at, s.priority, s.workflow, s.body_parts, s.contrast, \
    p.name_alphabetic, p.name_ideographic, p.name_phonetic, p.patient_id, p.birth_date, p.sex, i.code AS institution, \
    (SELECT count(*) FROM series WHERE study_row = s.id AND settled_revision < series.revision) AS pending, \
    r.state, r.revision AS read_revision, r.progress, r.lease_until, r.reason_code, r.reason_text, \
    rep.stone_present, rep.stone_count, rep.highest_score";

/// The study comes first.
fn study_tables(dialect: Dialect) -> String {
    format!(
        "study s {} patient p ON p.id = s.patient_row JOIN institution i ON i.id = s.institution_id \
         LEFT JOIN reading r ON r.study_row = s.id \
         LEFT JOIN report rep ON rep.study_row = s.id AND rep.superseded_by IS NULL AND rep.after_row IS NULL",
        dialect.joined()
    )
}

impl StudyRow {
    /// Joined by backslashes.
    pub(super) fn body_parts(&self) -> &str {
        &self.body_parts
    }

    pub(super) fn shown(&self) -> Shown<'_> {
        Shown {
            names: [Some(&self.name_alphabetic), self.name_ideographic.as_deref(), self.name_phonetic.as_deref()],
            texts: [Some(&self.patient_id), self.accession.as_deref(), self.description.as_deref()],
            study_date: self.study_date.as_deref(),
            modalities: &self.modalities,
        }
    }
}

/// Which studies a listing shows, the last received first.
pub(super) struct StudySelect {
    dialect: Dialect,
    pub(super) words: Vec<Condition>,
    pub(super) conditions: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl StudySelect {
    /// `all`: these are all the institutions there are, so that the index need not tell them apart.
    pub(super) fn new(dialect: Dialect, institutions: &[i64], all: bool) -> Self {
        let words = (!all && !institutions.is_empty()).then(|| text::of_institutions(institutions));
        let of = dialect.not_selective("s.institution_id");
        let conditions = vec![format!("{of} IN ({})", id_list(institutions))];
        Self { dialect, words: words.into_iter().collect(), conditions, values: Vec::new() }
    }

    pub(super) fn only(&mut self, condition: &str, value: impl Into<Value>) {
        self.conditions.push(condition.to_owned());
        self.values.push(value.into());
        self.words.clear();
    }

    /// Which studies the index of words is asked for; `None` for all of them.
    pub(super) fn words(&self) -> Option<Condition> {
        (!self.words.is_empty()).then(|| Condition::All(self.words.clone()))
    }

    pub(super) fn statement(&self, after: Option<i64>, limit: usize) -> (String, Vec<Value>) {
        let (mut conditions, mut values) = (self.conditions.clone(), self.values.clone());
        if let Some(after) = after {
            conditions.push("s.id < ?".to_owned());
            values.push(after.into());
        }
        (self.sql(&conditions, limit), values)
    }

    /// The same question of these studies only.
    pub(super) fn of_studies(&self, studies: &[i64]) -> (String, Vec<Value>) {
        let (mut conditions, mut values) = (self.conditions.clone(), self.values.clone());
        let (condition, rows) = self.dialect.is_one_of("s.id", studies);
        conditions.push(condition);
        values.push(rows);
        (self.sql(&conditions, studies.len()), values)
    }

    fn sql(&self, conditions: &[String], limit: usize) -> String {
        let (tables, conditions) = (study_tables(self.dialect), conditions.join(" AND "));
        format!("SELECT {STUDY_COLUMNS} FROM {tables} WHERE {conditions} ORDER BY s.id DESC LIMIT {limit}")
    }
}

impl Catalog {
    /// A study of the caller's institutions by its UID.
    pub(crate) async fn study_row(&self, scope: &Scope, uid: &StudyUid) -> Result<Option<StudyRow>, CatalogError> {
        self.one_study(scope, "s.study_uid = ?", uid.as_str()).await
    }

    /// A study of the caller's institutions by its row.
    pub(crate) async fn study_by_row(&self, scope: &Scope, row: i64) -> Result<Option<StudyRow>, CatalogError> {
        self.one_study(scope, "s.id = ?", row).await
    }

    async fn one_study(
        &self,
        scope: &Scope,
        condition: &str,
        value: impl Into<Value>,
    ) -> Result<Option<StudyRow>, CatalogError> {
        let mut select = StudySelect::new(self.dialect(), &self.visible(scope).await?, true);
        select.only(condition, value);
        let (sql, values) = select.statement(None, 1);
        Ok(self.study_rows(&sql, values).await?.pop())
    }

    pub(super) async fn study_rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<StudyRow>, CatalogError> {
        StudyRow::find_by_statement(self.statement(sql, values))
            .all(&self.read)
            .await
            .map_err(CatalogError::during("list studies"))
    }

    /// The series of a study, in order of series number; what was chosen and why comes from the current report.
    pub(crate) async fn series_of(
        &self,
        scope: &Scope,
        study_row: i64,
        chosen: Option<i64>,
        why: &BTreeMap<String, String>,
    ) -> Result<Vec<SeriesSummary>, CatalogError> {
        let act = "list the series of a study";
        let rows = series::Entity::find()
            .filter(series::Column::StudyRow.eq(study_row))
            .filter(series::Column::InstitutionId.is_in(self.visible(scope).await?))
            .order_by_with_nulls(series::Column::Number, Order::Asc, NullOrdering::First)
            .order_by_asc(series::Column::Id)
            .all(&self.read)
            .await
            .map_err(CatalogError::during(act))?;
        rows.into_iter()
            .map(|row| {
                let why = why.get(&row.series_uid).cloned().unwrap_or_default();
                let slices = row.frame_count as u64;
                series_summary(row, slices, chosen, why)
            })
            .collect()
    }

    /// What does not fit together in a study.
    pub async fn conflicts(&self, scope: &Scope, study_row: i64) -> Result<Vec<Note>, CatalogError> {
        let rows = study_conflict::Entity::find()
            .filter(study_conflict::Column::StudyRow.eq(study_row))
            .filter(study_conflict::Column::InstitutionId.is_in(self.visible(scope).await?))
            .order_by_asc(study_conflict::Column::Id)
            .all(&self.read)
            .await
            .map_err(CatalogError::during("list the conflicts of a study"))?;
        Ok(rows.into_iter().map(|row| Note { code: row.code, text: row.text }).collect())
    }

    /// Readings that wait or run.
    pub async fn open_readings(&self, scope: &Scope) -> Result<Vec<ReadingView>, CatalogError> {
        let visible = self.visible_list(scope).await?;
        let dialect = self.dialect();
        let sql = format!(
            "SELECT {STUDY_COLUMNS} FROM {} WHERE {} IN ({visible}) AND s.id IN (SELECT id FROM study {} \
             WHERE read_revision < revision UNION SELECT study_row FROM reading WHERE state = 'reading') \
             ORDER BY s.id LIMIT 200",
            study_tables(dialect),
            dialect.not_selective("s.institution_id"),
            dialect.by_index("ix_study_unread")
        );
        self.study_rows(&sql, Vec::new())
            .await?
            .into_iter()
            .map(|row| {
                let summary = summary(row)?;
                let ReadingState { state, progress, .. } = summary.reading;
                Ok(ReadingView { study_uid: summary.study_uid, state, progress })
            })
            .collect()
    }

    /// What changed since a moment (ms since 1970 UTC), in the order of the changes, and what is being read now: each with the institution
    /// that has it. One range of an index: what the archive holds besides is not looked at.
    pub(crate) async fn changes_since(
        &self,
        scope: &Scope,
        since: i64,
        limit: u32,
    ) -> Result<Vec<(InstitutionCode, StudyChange)>, CatalogError> {
        let visible = self.visible_list(scope).await?;
        let dialect = self.dialect();
        let of = dialect.not_selective("s.institution_id");
        let select = |condition: &str, order: &str| {
            let tables = study_tables(dialect);
            format!(
                "SELECT {STUDY_COLUMNS} FROM {tables} WHERE {condition} AND {of} IN ({visible}) ORDER BY {order} LIMIT {limit}"
            )
        };
        let changed = select("s.updated_at >= ?", "s.updated_at, s.id");
        let mut rows = self.study_rows(&changed, vec![since.into()]).await?;
        let running = select("s.id IN (SELECT study_row FROM reading WHERE state = 'reading')", "s.id");
        let running = self.study_rows(&running, Vec::new()).await?;
        rows.extend(running.into_iter().filter(|row| row.updated_at < since));
        rows.into_iter().map(change).collect()
    }

    /// What was put aside, the newest first.
    pub async fn quarantined(&self, scope: &Scope) -> Result<Vec<QuarantineEntry>, CatalogError> {
        let rows = quarantine::Entity::find()
            .filter(quarantine::Column::InstitutionId.is_in(self.visible(scope).await?))
            .order_by_desc(quarantine::Column::Id)
            .all(&self.read)
            .await
            .map_err(CatalogError::during("list what was put aside"))?;
        rows.into_iter()
            .map(|row| {
                Ok(QuarantineEntry {
                    id: row.id,
                    received_at: rfc3339(row.received_at)?,
                    sop_uid: row.sop_uid,
                    reason: Note { code: row.reason_code, text: row.reason_text },
                    zone: row.zone,
                    bytes: row.bytes as u64,
                })
            })
            .collect()
    }
}

/// A study that came so long before its last change has not just come.
const JUST_NOW_MS: i64 = 10_000;

fn change(row: StudyRow) -> Result<(InstitutionCode, StudyChange), CatalogError> {
    let (at, arrived) = (row.updated_at, row.updated_at - row.created_at < JUST_NOW_MS);
    let institution = row.institution.parse().map_err(|_| CatalogError::Corrupt { what: "institution code" })?;
    let shown = summary(row)?;
    let change = StudyChange {
        study_uid: shown.study_uid,
        at,
        arrived,
        modalities: shown.modalities,
        series_count: shown.series_count,
        instance_count: shown.instance_count,
        body_parts: shown.body_parts,
        contrast: shown.contrast,
        priority: shown.priority,
        workflow: shown.workflow,
        reading: shown.reading,
    };
    Ok((institution, change))
}

fn parts(joined: &str) -> Vec<String> {
    joined.split('\\').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

pub(crate) fn summary(row: StudyRow) -> Result<StudySummary, CatalogError> {
    let reading = reading_state(&row)?;
    Ok(StudySummary {
        study_uid: row.study_uid,
        patient: PatientView {
            name: row.name_alphabetic,
            name_ideographic: row.name_ideographic,
            name_phonetic: row.name_phonetic,
            id: row.patient_id,
            sex: row.sex.unwrap_or_default(),
            birth_date: row.birth_date.unwrap_or_default(),
        },
        study_date: row.study_date.unwrap_or_default(),
        study_time: row.study_time.unwrap_or_default(),
        description: row.description.unwrap_or_default(),
        accession: row.accession.unwrap_or_default(),
        institution: row.institution,
        received_at: rfc3339(row.created_at)?,
        priority: Priority::of_number(row.priority).ok_or(CatalogError::Corrupt { what: "priority" })?,
        workflow: Workflow::of_number(row.workflow).ok_or(CatalogError::Corrupt { what: "state of a study" })?,
        body_parts: parts(&row.body_parts),
        contrast: (row.contrast >= 0).then_some(row.contrast > 0),
        modalities: parts(&row.modalities),
        series_count: row.series_count as u64,
        instance_count: row.instance_count as u64,
        synthetic: row.synthetic,
        reading,
    })
}

fn reading_state(row: &StudyRow) -> Result<ReadingState, CatalogError> {
    let stored = row.state.as_deref().map(status_of_word).transpose()?;
    let behind = row.revision > row.read_revision.unwrap_or(0);
    let held = row.lease_until.is_some_and(|until| until > now());
    let state = match stored {
        Some(ReadingStatus::Reading) if held => ReadingStatus::Reading,
        Some(state) if !behind => state,
        _ if row.pending > 0 => ReadingStatus::Receiving,
        _ => ReadingStatus::Queued,
    };
    let settled = !behind && stored == Some(state);
    Ok(ReadingState {
        state,
        progress: match state {
            ReadingStatus::Reading => row.progress.unwrap_or(0.0) as f32,
            ReadingStatus::Receiving | ReadingStatus::Queued => 0.0,
            _ => 1.0,
        },
        reason: settled
            .then(|| row.reason_code.clone().zip(row.reason_text.clone()).map(|(code, text)| Note { code, text }))
            .flatten(),
        stone_present: row.stone_present,
        stone_count: row.stone_count.map(|count| count as u32),
        highest_score: row.highest_score.map(|score| score as f32),
    })
}

fn series_summary(
    row: series::Model,
    slices: u64,
    chosen: Option<i64>,
    why: String,
) -> Result<SeriesSummary, CatalogError> {
    let corrupt = || CatalogError::Corrupt { what: "settled series" };
    let stack: Option<StackCheck> =
        row.stack.as_deref().map(serde_json::from_str).transpose().map_err(|_| corrupt())?;
    let tags: Option<crate::tagging::SeriesTags> =
        row.tags.as_deref().map(serde_json::from_str).transpose().map_err(|_| corrupt())?;
    let spacing = stack.as_ref().filter(|stack| stack.volume_allowed()).and_then(|stack| {
        let [down, across] = stack.in_plane_mm?;
        Some([stack.slice_spacing_mm?, down, across])
    });
    Ok(SeriesSummary {
        series_uid: row.series_uid,
        number: row.number.and_then(|number| i32::try_from(number).ok()),
        description: row.description.unwrap_or_default(),
        modality: row.modality.unwrap_or_default(),
        plane: stack.as_ref().and_then(|stack| stack.plane).map(crate::tagging::plane_word).map(str::to_owned),
        slices,
        spacing_mm: spacing,
        kernel: row.kernel,
        contrast: tags.as_ref().and_then(|tags| tags.contrast.value),
        geometry_findings: stack.map(|stack| stack.findings.iter().map(finding_note).collect()).unwrap_or_default(),
        chosen: chosen == Some(row.id),
        why,
    })
}

fn finding_note(finding: &GeometryFinding) -> Note {
    Note { code: finding.code().to_owned(), text: finding.in_english() }
}
