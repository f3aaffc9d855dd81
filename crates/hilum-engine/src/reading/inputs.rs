//! The report of a reading: its inputs, its files, and the state that the reading ends in.

use super::files::{
    CSV_FILE, JSON_FILE, KEY_IMAGES_FILE, KeyImageNote, PDF_EN_FILE, PDF_KO_FILE, XLSX_FILE, key_image_file,
};
use super::{Read, Stop, geometry, run::report_failed};
use crate::access::Scope;
use crate::archive::aside;
use crate::catalog::{Claim, NewReport, ReadingEnd, SettledSeries, StudyRow, now, rfc3339, summary};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::report::{self, ReportInputs, UrinaryStoneReport};
use crate::results::mask::{self, MASK_FILE};
use crate::storage::{ObjectKey, Staged};
use crate::tagging::rank::Choice;
use crate::views::{Note, ReadingStatus, StudySummary};
use hilum_clinical::guideline::Inputs;
use hilum_clinical::report::{
    Date, ModelProvenance, Name, Patient, SeriesNotChosen, SeriesRead, Sex, StonePresent, Study,
};
use hilum_clinical::{Language, Message, Statement};
use std::sync::Arc;

/// How the reading ends, with its report staged; a reading that was stopped, or a study without CT, has none.
pub(crate) async fn report_of(
    engine: &Engine,
    scope: &Scope,
    claim: &Claim,
    study: &StudyRow,
    series: &[SettledSeries],
    choice: &Choice,
    read: Read,
) -> Result<(ReadingEnd, Option<(NewReport, Arc<Staged>)>), EngineError> {
    match read.stopped {
        Some(Stop::Cancelled) => {
            return Ok((ReadingEnd { status: ReadingStatus::Cancelled, reason: None, told: None }, None));
        }
        Some(Stop::Interrupted) => {
            return Ok((ReadingEnd { status: ReadingStatus::Queued, reason: None, told: None }, None));
        }
        None => {}
    }
    // A study without any CT has nothing to report on; its state says why.
    if !series.iter().any(|series| series.tags.ct) {
        let statement = Message::RefusedNoSuitableSeries.statement();
        let reason = Some(Note { code: statement.code, text: statement.en });
        return Ok((ReadingEnd { status: ReadingStatus::NotApplicable, reason, told: None }, None));
    }
    let status = read.refusal.map_or(ReadingStatus::Done, |(status, _)| status);
    let key_images = read.key_images.clone();
    let mask = mask::write(&read.stones)?;
    let document = report::build(inputs(engine, claim, study, series, choice, read)?);
    let reason =
        document.result.refusal.as_ref().map(|refusal| Note { code: refusal.code.clone(), text: refusal.en.clone() });
    if let Some(version) = told_already(engine, scope, claim, &document).await? {
        return Ok((ReadingEnd { status, reason, told: Some(version) }, None));
    }
    let why =
        series.iter().zip(&choice.reasons).map(|(series, reason)| (series.uid.to_string(), reason.statement().en));
    let assessed = document.result.stone_present != StonePresent::NotAssessed;
    let new = NewReport {
        series_row: choice.chosen.map(|index| series[index].row),
        series_why: why.collect(),
        results_due: engine.results().are_due_at_once() && assessed,
        deliver_to: if assessed { engine.deliveries_of(false) } else { Vec::new() },
        report: document,
    };
    let (storage, place) = (Arc::clone(engine.storage()), ObjectKey::report(claim.institution));
    let (new, staged) = tokio::task::spawn_blocking(move || {
        let mut files = files_of_report(&new.report, &key_images)?;
        files.push((MASK_FILE.to_owned(), mask));
        let staged = storage.stage_folder(place, &files)?;
        Ok::<_, EngineError>((new, Arc::new(staged)))
    })
    .await
    .map_err(|error| EngineError::Internal(format!("writing the report ended early: {error}")))??;
    Ok((ReadingEnd { status, reason, told: None }, Some((new, staged))))
}

/// The version of the current report, if it says the very same: then it stays, with what was made of it.
async fn told_already(
    engine: &Engine,
    scope: &Scope,
    claim: &Claim,
    document: &UrinaryStoneReport,
) -> Result<Option<u32>, EngineError> {
    let Some(current) = engine.catalog().current_report_of(scope, claim.study_row).await? else { return Ok(None) };
    let storage = Arc::clone(engine.storage());
    let json = aside("reading a report", move || Ok(storage.read_file_of(&current.folder, JSON_FILE)?)).await?;
    let Some(json) = json else { return Ok(None) };
    // One of an earlier layout is another report.
    let Ok(before) = serde_json::from_slice(&json) else { return Ok(None) };
    let UrinaryStoneReport { version, supersedes, created_at, review, amendment, signature, .. } = before;
    // As it would have been written: numbers that were read back are not always those that were written.
    let again =
        UrinaryStoneReport { version, supersedes, created_at, review, amendment, signature, ..document.clone() };
    Ok((report::json(&again).map_err(report_failed)? == json).then_some(version))
}

/// The files of a report's folder.
pub(crate) fn files_of_report(
    document: &UrinaryStoneReport,
    key_images: &[report::KeyImage],
) -> Result<Vec<(String, Vec<u8>)>, EngineError> {
    let pdf = |language| report::pdf(document, key_images, language).map_err(report_failed);
    let mut files = vec![
        (JSON_FILE.to_owned(), report::json(document).map_err(report_failed)?),
        (PDF_KO_FILE.to_owned(), pdf(Language::Korean)?),
        (PDF_EN_FILE.to_owned(), pdf(Language::English)?),
        (XLSX_FILE.to_owned(), report::xlsx(document).map_err(report_failed)?),
        (CSV_FILE.to_owned(), report::csv(document)),
    ];
    files.extend(
        key_images
            .iter()
            .map(|image| (key_image_file(image.stone.saturating_sub(1) as usize, image.plane), image.png.clone())),
    );
    let note = |image: &report::KeyImage| KeyImageNote { stone: image.stone, plane: image.plane, index: image.index };
    let notes: Vec<KeyImageNote> = key_images.iter().map(note).collect();
    let notes = serde_json::to_vec(&notes).map_err(|error| report_failed(error.into()))?;
    files.push((KEY_IMAGES_FILE.to_owned(), notes));
    Ok(files)
}

fn inputs(
    engine: &Engine,
    claim: &Claim,
    study: &StudyRow,
    series: &[SettledSeries],
    choice: &Choice,
    read: Read,
) -> Result<ReportInputs, EngineError> {
    let model = engine.model().filter(|_| read.engine.is_some());
    // The engine names itself with its precision last, e.g. "hilum-nn 0.1.0, CPU, fp32".
    let (ran, precision) = match read.engine.as_deref() {
        Some(engine) => engine.rsplit_once(", ").unwrap_or((engine, "")),
        None => ("", ""),
    };
    let chosen = choice.chosen.map(|index| (&series[index], choice.reasons[index].statement()));
    let others = series.iter().zip(&choice.reasons).enumerate();
    Ok(ReportInputs {
        version: claim.version,
        created_at: rfc3339(now())?,
        patient: patient(study)?,
        study: examined(study, chosen.clone())?,
        refusal: read.refusal.map(|(_, message)| message),
        stones: read.stones.into_iter().map(|reading| reading.stone).collect(),
        rules: Arc::clone(engine.guidelines()),
        told: Inputs::default(),
        recorded: read.recorded,
        earlier: read.earlier,
        rejected: read.rejected,
        slices: read.slices,
        score_threshold: model.as_ref().map(|model| model.card.threshold),
        looked_at: read.looked_at,
        not_looked_at: read.not_looked_at,
        series_not_chosen: others
            .filter(|(index, _)| choice.chosen != Some(*index))
            .map(|(_, (series, reason))| SeriesNotChosen {
                series_uid: series.uid.to_string(),
                number: series.number.and_then(|number| i32::try_from(number).ok()),
                description: series.description.clone(),
                reason: reason.statement(),
            })
            .collect(),
        geometry_findings: chosen.map(|(series, _)| geometry::messages(&series.stack)).unwrap_or_default(),
        model: model.map(|model| ModelProvenance {
            name: model.card.name.clone(),
            hash: model.hash.clone(),
            plan_hash: model.card.hashes.plan.clone(),
            first_line: model.card.statement.clone(),
            synthetic_trained: model.card.synthetic_trained,
        }),
        engine: ran.to_owned(),
        precision: precision.to_owned(),
        input_hash: read.input_hash,
        software_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn patient(study: &StudyRow) -> Result<Patient, EngineError> {
    let StudySummary { patient, .. } = summary(study.clone())?;
    // PS3.5 6.2.1.2: components of a name are separated by `^`.
    let shown =
        |name: &str| name.split('^').map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    Ok(Patient {
        name: Name {
            alphabetic: shown(&patient.name),
            ideographic: patient.name_ideographic.as_deref().map(shown),
            phonetic: study.name_phonetic.as_deref().map(shown),
        },
        id: patient.id,
        birth_date: date(&patient.birth_date),
        sex: match patient.sex.as_str() {
            "F" => Some(Sex::F),
            "M" => Some(Sex::M),
            "O" => Some(Sex::O),
            _ => None,
        },
        age_at_study: None,
    })
}

fn examined(study: &StudyRow, chosen: Option<(&SettledSeries, Statement)>) -> Result<Study, EngineError> {
    let summary = summary(study.clone())?;
    Ok(Study {
        study_uid: summary.study_uid,
        date: date(&summary.study_date),
        time: summary.study_time.get(..5).map(str::to_owned),
        description: summary.description,
        accession: study.accession.clone().unwrap_or_default(),
        institution: study.institution.clone(),
        series: chosen.map(|(series, why)| SeriesRead {
            series_uid: series.uid.to_string(),
            number: series.number.and_then(|number| i32::try_from(number).ok()),
            description: series.description.clone(),
            why,
        }),
        synthetic: summary.synthetic,
    })
}

/// An absent or unreadable date stays absent.
fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}
