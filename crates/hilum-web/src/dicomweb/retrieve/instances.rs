//! Whole instances of a study, a series, or one of them.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hilum_dicom::TransferSyntaxUid;
use hilum_engine::{EngineError, SelectedInstances, StoredInstance, Zone};

use super::accept::{Accept, Form, Syntax};
use super::body::{Parts, Sender, Stopped, channel};
use super::transcode::{can_become, part10};
use super::{Resource, not_acceptable};
use crate::{error::ApiError, server::App};

const DICOM: &str = "application/dicom";

/// `GET .../studies/{}`, `.../series/{}`, `.../instances/{}`
pub(super) async fn retrieve(State(app): State<App>, accept: Accept, resource: Resource) -> Result<Response, ApiError> {
    let mut selected = app.engine.select(&app.scope, Zone::Clinical, &resource.selection).await?;
    let Some(first) = selected.next_series().await? else { return Err(resource.not_found()) };
    let ranges: Vec<_> = accept
        .0
        .iter()
        .filter(|range| range.takes(DICOM) && (range.form != Form::Single || resource.is_instance()))
        .collect();
    let offered = "multipart/related; type=\"application/dicom\"; transfer-syntax=* (as kept), 1.2.840.10008.1.2.1 or \
         1.2.840.10008.1.2.4.80, and application/dicom for one instance";
    let form = ranges.first().ok_or_else(|| not_acceptable(offered))?.form;
    let wanted: Vec<Syntax> =
        ranges.iter().filter(|range| range.form == form).map(|range| range.syntax.clone()).collect();
    // Every instance is asked for before the first byte leaves: afterwards there is no status left to give.
    if !first.iter().all(|instance| syntax_for(instance, &wanted).is_some()) {
        return Err(not_acceptable(offered));
    }
    let (sender, body) = channel();
    if form == Form::Single {
        let instance = first.into_iter().next().ok_or_else(|| resource.not_found())?;
        let syntax = syntax_for(&instance, &wanted).ok_or_else(|| not_acceptable(offered))?;
        let content_type = format!("{DICOM}; transfer-syntax={syntax}");
        tokio::spawn(async move {
            if let Err(Stopped::Failed(error)) = part10(&app.engine, &instance, &syntax, &sender).await {
                sender.cut(&error).await;
            }
        });
        return Ok(([(header::CONTENT_TYPE, content_type)], body).into_response());
    }
    let parts = Parts::new();
    let response = parts.response(DICOM, body);
    tokio::spawn(async move {
        if let Err(Stopped::Failed(error)) = send_all(&app, first, selected, &wanted, &parts, &sender).await {
            sender.cut(&error).await;
        }
    });
    Ok(response)
}

/// `DELETE .../studies/{}`, `.../series/{}`, `.../instances/{}`
pub(super) async fn delete(State(app): State<App>, resource: Resource) -> Result<StatusCode, ApiError> {
    match app.engine.delete(&app.scope, Zone::Clinical, &resource.selection).await {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(EngineError::NotFound { .. }) => Err(resource.not_found()),
        Err(error) => Err(error.into()),
    }
}

async fn send_all(
    app: &App,
    first: Vec<StoredInstance>,
    mut selected: SelectedInstances,
    wanted: &[Syntax],
    parts: &Parts,
    sender: &Sender,
) -> Result<(), Stopped> {
    let mut series = Some(first);
    while let Some(instances) = series {
        for instance in instances {
            // Of a later series: the peer hears from the part what it is in.
            let syntax = syntax_for(&instance, wanted).unwrap_or_else(|| instance.transfer_syntax.clone());
            let start = parts.start(&format!("{DICOM}; transfer-syntax={syntax}"), "");
            sender.push(start).await?;
            part10(&app.engine, &instance, &syntax, sender).await?;
        }
        series = selected.next_series().await?;
    }
    sender.push(parts.end()).await
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
