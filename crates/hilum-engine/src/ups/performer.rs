//! Our own performer: takes up what is due of a work item, one step at a time. Each step is decided by what is kept, so that whoever is
//! killed between two of them loses none and does none twice.

use super::performed::{self, EQUIPMENT, EXPIRED, INADEQUATE, UNSPECIFIED, WRONG_ENTRY, WRONG_ORDER, Why};
use super::{input, service};
use crate::access::{Permission, Scope};
use crate::archive::Selection;
use crate::catalog::{Changed, ReportWork, StudyWork, Which, WorkItem, now};
use crate::engine::{Engine, Zone};
use crate::error::EngineError;
use crate::results;
use crate::results::ResultsWhen;
use crate::views::ReadingStatus;
use dicom_dictionary_std::tags;
use hilum_dicom::ups::{Notice, StepState};
use hilum_dicom::{SopUid, StudyUid};
use uuid::Uuid;

/// Of all that is done, reading is this much; the rest is making objects.
const READ: f32 = 90.0;
/// The objects of a report were asked for by its work item; it asks once.
const ASKED: &str = "results were asked for";

/// Does what is due of a work item; nothing, where nothing is.
pub(crate) async fn perform(engine: &Engine, scope: &Scope, row: i64) -> Result<(), EngineError> {
    let Some(item) = engine.catalog().look_at_work_item(scope, row).await? else { return Ok(()) };
    let scope = &Scope::system(item.institution.clone());
    match item.state {
        StepState::Scheduled => begin(engine, scope, &item).await,
        StepState::InProgress => follow(engine, scope, &item).await,
        StepState::Completed | StepState::Canceled => rest(engine, scope, &item, |_| None).await,
    }
}

/// Claims a work item that can begin.
async fn begin(engine: &Engine, scope: &Scope, item: &WorkItem) -> Result<(), EngineError> {
    if !engine.ups().perform {
        // It was created while work was performed here; whoever else claims it may, and it is looked at again with growing pauses.
        return Ok(());
    }
    if input::expires_at(&item.data_set).is_some_and(|at| at < now()) {
        let text = "The time until when it was wanted is over.";
        return refuse(engine, scope, item, Why::new(text, EXPIRED)).await;
    }
    if !input::is_ready(&item.data_set) {
        // Whoever says that it is ready changes it, and that wakes the performer.
        let at =
            |item: &WorkItem| if input::is_ready(&item.data_set) { Some(0) } else { input::expires_at(&item.data_set) };
        return rest(engine, scope, item, at).await;
    }
    if input::begins_at(&item.data_set).is_some_and(|at| at > now()) {
        let at = |item: &WorkItem| {
            [input::begins_at(&item.data_set), input::expires_at(&item.data_set)].into_iter().flatten().min()
        };
        return rest(engine, scope, item, at).await;
    }
    if service::addressed(&item.data_set, &engine.ups().ae_title) == service::Addressed::Unknown {
        let text = format!(
            "This station has no service of this code; it has ({}, {}).",
            service::SERVICE_CODE,
            service::SERVICE_SCHEME
        );
        return refuse(engine, scope, item, Why::new(text, WRONG_ORDER)).await;
    }
    let Some(study) = input::study_of(&item.data_set) else {
        let text = "A work item is about one study; its Input Information Sequence names none, or several.";
        return refuse(engine, scope, item, Why::new(text, WRONG_ORDER)).await;
    };
    let Some(work) = engine.catalog().study_work(scope, &study).await? else {
        if is_late(engine, item) {
            let text = "The study did not come in time.";
            return refuse(engine, scope, item, Why::new(text, EXPIRED)).await;
        }
        return Ok(());
    };
    if item.data_set.text(tags::PATIENT_ID).is_some_and(|id| !work.patient_id.is_empty() && id != work.patient_id) {
        let text = "The study that is here is of another Patient ID than the work item states.";
        return refuse(engine, scope, item, Why::new(text, WRONG_ENTRY)).await;
    }
    let ended = matches!(work.reading.state, ReadingStatus::Cancelled | ReadingStatus::Failed);
    let title = engine.ups().ae_title.clone();
    let claimed = change(engine, scope, item, StepState::Scheduled, |item| {
        item.transaction = Some(SopUid::from_u128(Uuid::new_v4().as_u128()).to_string());
        item.resume_attempt = ended.then_some(work.attempt);
        performed::begin(item, &title)?;
        performed::enter(item, StepState::InProgress);
        Ok((vec![Notice::of_state(&item.data_set)], Some("in_progress")))
    })
    .await?;
    match claimed {
        Some(item) => follow(engine, scope, &item).await,
        None => Ok(()),
    }
}

/// Goes on with a work item that was claimed: looks how far its study is, and says so.
async fn follow(engine: &Engine, scope: &Scope, item: &WorkItem) -> Result<(), EngineError> {
    let catalog = engine.catalog();
    let Some(study) = input::study_of(&item.data_set) else {
        let text = "The work item names no study any more.";
        return give_up(engine, scope, item, Why::new(text, WRONG_ORDER)).await;
    };
    let Some(work) = catalog.study_work(scope, &study).await? else {
        let text = "The study was deleted before it was read.";
        return give_up(engine, scope, item, Why::new(text, UNSPECIFIED)).await;
    };
    let state = work.reading.state;
    if let Some(request) = &item.cancel_request {
        let runs = matches!(state, ReadingStatus::Receiving | ReadingStatus::Queued | ReadingStatus::Reading);
        if runs && !catalog.is_wanted_otherwise(scope, item).await? {
            match catalog.cancel_reading(scope, &study).await {
                // It ended meanwhile.
                Ok(()) | Err(EngineError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        return give_up(engine, scope, item, Why::asked(request, UNSPECIFIED)).await;
    }
    match state {
        ReadingStatus::Receiving => say(engine, scope, item, 0, "the study is being received").await,
        ReadingStatus::Queued => say(engine, scope, item, 0, "waits to be read").await,
        ReadingStatus::Reading => {
            let percent = (work.reading.progress.clamp(0.0, 1.0) * READ) as u8;
            say(engine, scope, item, percent, "is being read").await
        }
        ReadingStatus::Cancelled | ReadingStatus::Failed if item.resume_attempt == Some(work.attempt) => {
            match catalog.resume_reading(scope, &study).await {
                // Somebody else was quicker.
                Ok(()) | Err(EngineError::Conflict(_)) => Ok(()),
                Err(error) => Err(error),
            }
        }
        ReadingStatus::Done => hand_over(engine, scope, item, &study, &work).await,
        ReadingStatus::Refused
        | ReadingStatus::NotApplicable
        | ReadingStatus::NoModel
        | ReadingStatus::Cancelled
        | ReadingStatus::Failed => give_up(engine, scope, item, Why::of_reading(&work)).await,
    }
}

/// The study is read: the work item ends with the objects of the report, once they are made.
async fn hand_over(
    engine: &Engine,
    scope: &Scope,
    item: &WorkItem,
    study: &StudyUid,
    work: &StudyWork,
) -> Result<(), EngineError> {
    let rules = engine.results();
    if rules.objects.is_empty() {
        let text = "The study was read, and its report is made into no objects here ([results] objects).";
        return give_up(engine, scope, item, Why::new(text, INADEQUATE)).await;
    }
    let Some(report) = &work.report else {
        return give_up(engine, scope, item, Why::new("The study was read without a report.", EQUIPMENT)).await;
    };
    if !report.made {
        let asked = performed::description(item) == Some(ASKED);
        if report.due {
            let description = if asked { ASKED } else { "results are being made" };
            return say(engine, scope, item, 95, description).await;
        }
        if rules.when == ResultsWhen::Signed {
            return say(engine, scope, item, READ as u8, "waits for a physician's signature").await;
        }
        if asked {
            let text = "The objects of the report could not be made.";
            return give_up(engine, scope, item, Why::new(text, EQUIPMENT)).await;
        }
        // A report from before there were objects, or one whose objects could not be made when they were due. It is said once it is so: who
        // is killed in between asks again.
        engine.catalog().make_results_due(scope, study).await?;
        return say(engine, scope, item, 95, ASKED).await;
    }
    let outputs = outputs(engine, scope, study, report).await?;
    if outputs.is_empty() {
        let text = "The objects of the report were deleted.";
        return give_up(engine, scope, item, Why::new(text, UNSPECIFIED)).await;
    }
    let title = engine.ups().ae_title.clone();
    change(engine, scope, item, StepState::InProgress, |item| {
        performed::complete(item, report, &outputs, &title)?;
        Ok((vec![Notice::of_progress(&item.data_set), Notice::of_state(&item.data_set)], Some("completed")))
    })
    .await?;
    Ok(())
}

/// The instances that a report was made into, and that are here.
async fn outputs(
    engine: &Engine,
    scope: &Scope,
    study: &StudyUid,
    report: &ReportWork,
) -> Result<Vec<crate::StoredInstance>, EngineError> {
    let series = engine.results().objects.iter().map(|kind| results::series_of(&report.results, *kind)).collect();
    let made = Selection { series: Some(series), ..Selection::study(study.clone()) };
    engine.instances_unseen(scope, Zone::Clinical, &made).await
}

/// Claims what cannot be done, and says so.
async fn refuse(engine: &Engine, scope: &Scope, item: &WorkItem, why: Why) -> Result<(), EngineError> {
    tracing::info!(work_item = item.row, "a work item cannot be performed");
    change(engine, scope, item, StepState::Scheduled, |item| {
        performed::enter(item, StepState::InProgress);
        let claimed = Notice::of_state(&item.data_set);
        performed::cancel(item, &why)?;
        Ok((vec![claimed, Notice::of_state(&item.data_set)], Some("canceled")))
    })
    .await?;
    Ok(())
}

/// Ends what was claimed, without what it asked for.
async fn give_up(engine: &Engine, scope: &Scope, item: &WorkItem, why: Why) -> Result<(), EngineError> {
    change(engine, scope, item, StepState::InProgress, |item| {
        performed::cancel(item, &why)?;
        Ok((vec![Notice::of_state(&item.data_set)], Some("canceled")))
    })
    .await?;
    Ok(())
}

/// Says how far it is, where that is news.
async fn say(
    engine: &Engine,
    scope: &Scope,
    item: &WorkItem,
    percent: u8,
    description: &str,
) -> Result<(), EngineError> {
    let mut said = item.clone();
    if !performed::set_progress(&mut said, percent, description) {
        return Ok(());
    }
    change(engine, scope, item, StepState::InProgress, |item| {
        performed::set_progress(item, percent, description);
        Ok((vec![Notice::of_progress(&item.data_set)], None))
    })
    .await?;
    Ok(())
}

/// It is looked at again when `at` says, which sees it as it is then; never, where it says nothing.
async fn rest(
    engine: &Engine,
    scope: &Scope,
    item: &WorkItem,
    at: impl FnOnce(&WorkItem) -> Option<i64>,
) -> Result<(), EngineError> {
    let put = |item: &mut WorkItem| {
        item.next_at = if item.own { at(item) } else { None };
        Ok(Changed { outcome: (), notices: Vec::new(), code: None })
    };
    engine.catalog().change_work_item(scope, Permission::Store, Which::Row(item.row), put).await
}

/// Changes a work item that is still in this state, and still ours; nothing otherwise. What it is then. One that waits and says something else
/// by now is looked at anew, which the change of it has seen to.
async fn change(
    engine: &Engine,
    scope: &Scope,
    seen: &WorkItem,
    expected: StepState,
    act: impl FnOnce(&mut WorkItem) -> Result<(Vec<Notice>, Option<&'static str>), EngineError>,
) -> Result<Option<WorkItem>, EngineError> {
    let guarded = |item: &mut WorkItem| {
        let is_new = expected == StepState::Scheduled && item.data_set != seen.data_set;
        if item.state != expected || !item.own || is_new {
            return Ok(Changed { outcome: None, notices: Vec::new(), code: None });
        }
        let (notices, code) = act(item)?;
        Ok(Changed { outcome: Some(item.clone()), notices, code })
    };
    let which = Which::Row(seen.row);
    let changed = engine.catalog().change_work_item(scope, Permission::Store, which, guarded).await?;
    engine.tell_work();
    Ok(changed)
}

/// Whether its study had time enough: since it was created, since it was to begin, since its requester said anything new of it.
fn is_late(engine: &Engine, item: &WorkItem) -> bool {
    let deadline = i64::try_from(engine.ups().deadline.as_millis()).unwrap_or(i64::MAX);
    let since = [input::begins_at(&item.data_set), input::changed_at(&item.data_set)].into_iter().flatten();
    since.fold(item.created_at, std::cmp::max).saturating_add(deadline) < now()
}
