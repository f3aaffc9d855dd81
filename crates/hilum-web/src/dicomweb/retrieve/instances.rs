//! Whole instances of a study, a series, or one of them.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use hilum_dicom::TransferSyntaxUid;
use hilum_engine::{Engine, EngineError, SelectedInstances, StoredInstance, Zone};
use std::{collections::VecDeque, sync::Arc};

use super::accept::{Accept, Form, Syntax};
use super::body::{Parts, Sender, Stopped, channel};
use super::transcode::{can_become, prepare};
use super::{Resource, aside, not_acceptable};
use crate::{doors::App, error::ApiError, openapi::Done};

const DICOM: &str = "application/dicom";
const OFFERED: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=* (as kept), 1.2.840.10008.1.2.1 or \
     1.2.840.10008.1.2.4.80, and application/dicom for one instance";

/// `GET .../studies/{}`, `.../series/{}`, `.../instances/{}`
pub(super) async fn retrieve(app: App, accept: Accept, resource: Resource) -> Result<Response, ApiError> {
    let mut selected = app.engine.select(&app.scope, Zone::Clinical, &resource.selection).await?;
    let Some(first) = selected.next_series().await? else { return Err(resource.not_found()) };
    let ranges: Vec<_> = accept
        .0
        .iter()
        .filter(|range| range.takes(DICOM) && (range.form != Form::Single || resource.is_instance()))
        .collect();
    let form = ranges.first().ok_or_else(|| not_acceptable(OFFERED))?.form;
    let wanted: Vec<Syntax> =
        ranges.iter().filter(|range| range.form == form).map(|range| range.syntax.clone()).collect();
    // Every instance is asked for before the first byte leaves: afterwards there is no status left to give.
    if !first.iter().all(|instance| syntax_for(instance, &wanted).is_some()) {
        return Err(not_acceptable(OFFERED));
    }
    if form == Form::Single {
        let instance = first.into_iter().next().ok_or_else(|| resource.not_found())?;
        return alone(&app, instance, &wanted).await;
    }
    let (sender, body) = channel();
    let parts = Parts::new();
    let response = parts.response(DICOM, body);
    tokio::spawn(async move {
        if let Err(Stopped::Failed(error)) = send_all(&app, first, selected, wanted, parts, &sender).await {
            sender.cut(&error).await;
        }
    });
    Ok(response)
}

/// `DELETE .../studies/{}`, `.../series/{}`, `.../instances/{}`
pub(super) async fn delete(app: App, resource: Resource) -> Result<Done, ApiError> {
    match app.engine.delete(&app.scope, Zone::Clinical, &resource.selection).await {
        Ok(_) => Ok(Done),
        Err(EngineError::NotFound { .. }) => Err(resource.not_found()),
        Err(error) => Err(error.into()),
    }
}

async fn send_all(
    app: &App,
    first: Vec<StoredInstance>,
    mut selected: SelectedInstances,
    wanted: Vec<Syntax>,
    parts: Parts,
    sender: &Sender,
) -> Result<(), Stopped> {
    let wanted: Arc<[Syntax]> = wanted.into();
    let mut series = Some(first);
    while let Some(instances) = series {
        let (engine, wanted, parts, sender) = (app.engine.clone(), Arc::clone(&wanted), parts.clone(), sender.clone());
        // One thread for all of them: changing threads for each costs more than reading it.
        let sent = tokio::task::spawn_blocking(move || send_series(&engine, instances, &wanted, &parts, &sender));
        sent.await.map_err(ended_early)??;
        series = selected.next_series().await?;
    }
    sender.push(parts.end()).await
}

fn send_series(
    engine: &Engine,
    instances: Vec<StoredInstance>,
    wanted: &[Syntax],
    parts: &Parts,
    sender: &Sender,
) -> Result<(), Stopped> {
    let mut rest = VecDeque::from(instances);
    loop {
        engine.will_read(&rest);
        let Some(instance) = rest.pop_front() else { return Ok(()) };
        // The peer hears from the part what it is in; of a later series it may be something else than was wanted.
        let (syntax, or_kept) = syntax_for(&instance, wanted)
            .map_or_else(|| (instance.transfer_syntax.clone(), true), |syntax| (syntax, leaves_open(wanted)));
        let prepared = prepare(engine, instance, syntax, or_kept)?;
        let start = parts.start(&format!("{DICOM}; transfer-syntax={}", prepared.syntax()), "");
        prepared.send(&start, sender)?;
    }
}

fn ended_early(error: tokio::task::JoinError) -> EngineError {
    EngineError::Internal(format!("sending instances ended early: {error}"))
}

/// One instance as the whole body.
pub(super) async fn alone(app: &App, instance: StoredInstance, wanted: &[Syntax]) -> Result<Response, ApiError> {
    let syntax = syntax_for(&instance, wanted).ok_or_else(|| not_acceptable(OFFERED))?;
    let (engine, or_kept) = (app.engine.clone(), leaves_open(wanted));
    let prepared = aside(move || prepare(&engine, instance, syntax, or_kept)).await?;
    let content_type = format!("{DICOM}; transfer-syntax={}", prepared.syntax());
    let (sender, body) = channel();
    tokio::spawn(async move {
        let to = sender.clone();
        let sent = tokio::task::spawn_blocking(move || prepared.send("", &to)).await;
        if let Err(Stopped::Failed(error)) = sent.map_err(ended_early).map_err(Stopped::from).flatten() {
            sender.cut(&error).await;
        }
    });
    Ok(([(header::CONTENT_TYPE, content_type)], body).into_response())
}

/// Whether the peer may be given what is kept where the wanted transfer syntax cannot be made.
fn leaves_open(wanted: &[Syntax]) -> bool {
    wanted.iter().any(|syntax| matches!(syntax, Syntax::Default | Syntax::Kept))
}

/// The first wanted transfer syntax that the instance is in or can be brought into.
fn syntax_for(instance: &StoredInstance, wanted: &[Syntax]) -> Option<TransferSyntaxUid> {
    let kept = &instance.transfer_syntax;
    wanted.iter().find_map(|syntax| match syntax {
        Syntax::Kept => Some(kept.clone()),
        Syntax::Default => {
            let default = TransferSyntaxUid::explicit_little_endian();
            Some(if can_become(kept, &default) { default } else { kept.clone() })
        }
        Syntax::Uid(uid) => {
            let uid: TransferSyntaxUid = uid.parse().ok()?;
            (uid == *kept || can_become(kept, &uid)).then_some(uid)
        }
    })
}
