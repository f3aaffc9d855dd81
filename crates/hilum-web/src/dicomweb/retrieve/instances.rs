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
use super::transcode::{Prepared, can_become, prepare};
use super::{Resource, aside, not_acceptable};
use crate::{doors::App, error::ApiError, openapi::Done};

const DICOM: &str = "application/dicom";
const OFFERED: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=* (as kept), 1.2.840.10008.1.2.1, \
     1.2.840.10008.1.2.4.80 (one sample) or 1.2.840.10008.1.2.4.70, and application/dicom for one instance";

/// `GET .../studies/{}`, `.../series/{}`, `.../instances/{}`
pub(super) async fn retrieve(app: App, accept: Accept, resource: Resource) -> Result<Response, ApiError> {
    let mut selected = app.engine.select(&app.scope, Zone::Clinical, &resource.selection).await?;
    let Some(first) = selected.next_series().await? else { return Err(resource.not_found()) };
    let wanted: Vec<(Form, Syntax)> = accept
        .0
        .into_iter()
        .filter(|range| range.takes(DICOM) && (range.form != Form::Single || resource.is_instance()))
        .map(|range| (range.form, range.syntax))
        .collect();
    // Every instance is asked for before the first byte leaves: afterwards there is no status left to give.
    let syntaxes: Vec<Syntax> = wanted.iter().map(|(_, syntax)| syntax.clone()).collect();
    if !first.iter().all(|instance| !transfer_syntaxes(instance, &syntaxes).is_empty()) {
        return Err(not_acceptable(OFFERED));
    }
    let mut rest = VecDeque::from(first);
    let Some(instance) = rest.pop_front() else { return Err(resource.not_found()) };
    let prepared = prepared(&app, instance.clone(), &syntaxes).await?;
    // The form of the range that it was prepared for, the first one with its transfer syntax.
    let form = wanted
        .into_iter()
        .find_map(|(form, syntax)| transfer_syntaxes(&instance, &[syntax]).contains(prepared.syntax()).then_some(form));
    if form == Some(Form::Single) {
        return Ok(alone(prepared));
    }
    let (sender, body) = channel();
    let parts = Parts::new();
    let response = parts.response(DICOM, body);
    let series = Series { prepared: Some(prepared), rest };
    tokio::spawn(async move {
        if let Err(Stopped::Failed(error)) = send_all(&app, series, selected, syntaxes, parts, &sender).await {
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

/// What is to be sent of a series.
struct Series {
    /// The first one of all.
    prepared: Option<Prepared>,
    rest: VecDeque<StoredInstance>,
}

async fn send_all(
    app: &App,
    first: Series,
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
        series = selected.next_series().await?.map(|instances| Series { prepared: None, rest: instances.into() });
    }
    sender.push(parts.end()).await
}

fn send_series(
    engine: &Engine,
    Series { prepared, mut rest }: Series,
    wanted: &[Syntax],
    parts: &Parts,
    sender: &Sender,
) -> Result<(), Stopped> {
    let mut next = prepared;
    loop {
        engine.will_read(&rest);
        let prepared = if let Some(prepared) = next.take() {
            prepared
        } else {
            let Some(instance) = rest.pop_front() else { return Ok(()) };
            let mut syntaxes = transfer_syntaxes(&instance, wanted);
            // The peer hears from the part what it is in, which may be something else than was wanted.
            syntaxes.push(instance.transfer_syntax.clone());
            prepare(engine, instance, &syntaxes)?.ok_or_else(|| not_acceptable(OFFERED))?
        };
        let start = parts.start(&format!("{DICOM}; transfer-syntax={}", prepared.syntax()), "");
        prepared.send(&start, sender)?;
    }
}

fn ended_early(error: tokio::task::JoinError) -> EngineError {
    EngineError::Internal(format!("sending instances ended early: {error}"))
}

/// An instance in the first wanted transfer syntax that it is in or can be brought into.
pub(super) async fn prepared(app: &App, instance: StoredInstance, wanted: &[Syntax]) -> Result<Prepared, ApiError> {
    let (engine, syntaxes) = (app.engine.clone(), transfer_syntaxes(&instance, wanted));
    aside(move || prepare(&engine, instance, &syntaxes)).await?.ok_or_else(|| not_acceptable(OFFERED))
}

/// One instance as the whole body.
pub(super) fn alone(prepared: Prepared) -> Response {
    let content_type = format!("{DICOM}; transfer-syntax={}", prepared.syntax());
    let (sender, body) = channel();
    tokio::spawn(async move {
        let to = sender.clone();
        let sent = tokio::task::spawn_blocking(move || prepared.send("", &to)).await;
        if let Err(Stopped::Failed(error)) = sent.map_err(ended_early).map_err(Stopped::from).flatten() {
            sender.cut(&error).await;
        }
    });
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// The transfer syntaxes that an instance may be given in, the most wanted first; whether its pixels fit them is not known yet.
fn transfer_syntaxes(instance: &StoredInstance, wanted: &[Syntax]) -> Vec<TransferSyntaxUid> {
    let kept = &instance.transfer_syntax;
    let mut syntaxes: Vec<TransferSyntaxUid> = Vec::new();
    for syntax in wanted {
        let these = match syntax {
            Syntax::Kept => vec![kept.clone()],
            // What cannot be brought into it goes as it is.
            Syntax::Default => vec![TransferSyntaxUid::explicit_little_endian(), kept.clone()],
            Syntax::Uid(uid) => uid.parse().into_iter().collect(),
        };
        for uid in these {
            if can_become(kept, &uid) && !syntaxes.contains(&uid) {
                syntaxes.push(uid);
            }
        }
    }
    syntaxes
}
