//! C-MOVE as provider (PS3.4 C.4.2; PS3.7 9.1.4): sub-operations on an association to the move destination.

use std::sync::atomic::{AtomicBool, Ordering};

use hilum_dicom::{AeTitle, DataSet, SopUid};
use tokio::sync::watch;

use crate::{
    association::{Association, stopped},
    command::{CommandSet, Progress},
    query::{
        FAILED_SOP_INSTANCE_UID_LIST, Identifier, InformationModel, names_its_entities, read_identifier, write_answer,
    },
    send::{Sending, count},
    service::{RetrieveHandler, RetrieveRequest, Selected, StoredInstance},
    status::Status,
    upper_layer::UlError,
};

/// Reads the identifier and selects the instances; `None` where the request was refused, which the requestor was told.
pub(crate) async fn select<'a>(
    association: &mut Association<'a>,
    context_id: u8,
    command: &CommandSet,
    model: InformationModel,
) -> Result<Option<(&'a dyn RetrieveHandler, Selected<'a>)>, UlError> {
    match selected(association, context_id, command, model).await? {
        Ok(retrieval) => Ok(Some(retrieval)),
        Err(status) => association.answer(context_id, command, status).await.map(|()| None),
    }
}

/// The inner error is the final status.
async fn selected<'a>(
    association: &mut Association<'a>,
    context_id: u8,
    command: &CommandSet,
    model: InformationModel,
) -> Result<Result<(&'a dyn RetrieveHandler, Selected<'a>), Status>, UlError> {
    let context = association.context(context_id)?;
    let Some(bytes) = association.identifier(command).await? else { return Ok(Err(Status::CANNOT_UNDERSTAND)) };
    let shared = association.shared;
    let Some(handler) = shared.services.retrieve.as_deref() else {
        return Ok(Err(Status::UNRECOGNIZED_OPERATION));
    };
    let (keys, level) = match read_identifier(&bytes, &context.transfer_syntax, model) {
        Ok(Identifier { keys, level: Some(level), .. }) if names_its_entities(&keys, level) => (keys, level),
        Ok(_) => return Ok(Err(Status::IDENTIFIER_DOES_NOT_MATCH)),
        Err(status) => return Ok(Err(status)),
    };
    let destination = command.move_destination.parse().ok();
    let request = RetrieveRequest { caller: association.caller.clone(), model, level, keys, destination };
    Ok(match handler.select(request).await {
        Ok(selected) => Ok((handler, selected)),
        Err(refusal) => Err(Status::from(refusal)),
    })
}

/// How far a retrieval of so many instances is at its beginning. The counters are 16 bits wide (PS3.7 E.1).
pub(crate) fn beginning(instances: &[StoredInstance]) -> Progress {
    Progress { remaining: u16::try_from(instances.len()).unwrap_or(u16::MAX), ..Progress::default() }
}

/// Answers a C-MOVE-RQ.
pub(crate) async fn serve(
    association: &mut Association<'_>,
    context_id: u8,
    command: &CommandSet,
    model: InformationModel,
) -> Result<(), UlError> {
    let Some((handler, Selected { instances, source })) = select(association, context_id, command, model).await? else {
        return Ok(());
    };
    let title = command.move_destination.parse::<AeTitle>().ok();
    let destination = match &title {
        Some(title) => handler.destination(title, &association.caller).await,
        None => None,
    };
    let Some(destination) = destination else {
        return association.answer(context_id, command, Status::MOVE_DESTINATION_UNKNOWN).await;
    };

    let shared = association.shared;
    let stop = AtomicBool::new(false);
    let begun = beginning(&instances);
    let (told, mut heard) = watch::channel(begun);
    let sending = Sending {
        config: &shared.config.calling,
        peer: &destination,
        instances: &instances,
        source: &*source,
        originator: Some((association.caller.calling_ae.clone(), command.message_id)),
        stop: &stop,
    };
    let mut failed: Vec<SopUid> = Vec::new();
    let mut shutdown = association.shutdown.clone();
    let mut lost = None;
    {
        let running = sending.run(|index, outcome| {
            if outcome.is_failure() {
                failed.push(instances[index].sop.clone());
            }
            told.send_modify(|progress| count(progress, outcome));
        });
        tokio::pin!(running);
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            tokio::select! {
                biased;
                _ = &mut running => break,
                // The object under way is finished, the others are left (PS3.4 C.4.2.3.1).
                cancelled = association.cancelled(command.message_id), if !stopping => {
                    stop.store(true, Ordering::Relaxed);
                    lost = cancelled.err();
                }
                () = stopped(&mut shutdown), if !stopping => {
                    stop.store(true, Ordering::Relaxed);
                    lost = Some(UlError::ShuttingDown);
                }
                changed = heard.changed(), if !stopping => {
                    let progress = *heard.borrow_and_update();
                    if changed.is_ok() && progress.remaining > 0 {
                        let pending = CommandSet { progress: Some(progress), ..command.response(Status::PENDING) };
                        if let Err(error) = association.messages.send(context_id, &pending, None).await {
                            stop.store(true, Ordering::Relaxed);
                            lost = Some(error);
                        }
                    }
                }
            }
        }
    }
    if let Some(error) = lost {
        return Err(error);
    }
    let progress = *heard.borrow();
    let cancelled = stop.load(Ordering::Relaxed);
    finish(association, context_id, command, progress, cancelled, &failed).await
}

/// The final response of a retrieval, with the list of what failed (PS3.4 C.4.2.1.4.2, Table C.4-2).
pub(crate) async fn finish(
    association: &mut Association<'_>,
    context_id: u8,
    command: &CommandSet,
    progress: Progress,
    cancelled: bool,
    failed: &[SopUid],
) -> Result<(), UlError> {
    let status = match progress {
        _ if cancelled => Status::CANCELLED,
        Progress { failed: 0, warning: 0, .. } => Status::SUCCESS,
        Progress { completed: 0, warning: 0, .. } => Status::UNABLE_TO_PERFORM,
        _ => Status::SUB_OPERATIONS_FAILED,
    };
    let mut response = CommandSet { progress: Some(progress), ..command.response(status) };
    let context = association.context(context_id)?;
    let list = (!failed.is_empty()).then(|| {
        let mut uids: Vec<String> = failed.iter().map(ToString::to_string).collect();
        if context.transfer_syntax.encoding().explicit_vr {
            // As many as a 16-bit length can state.
            uids.truncate(usize::from(u16::MAX) / 65);
        }
        let mut list = DataSet::new();
        list.set_all(FAILED_SOP_INSTANCE_UID_LIST, uids);
        write_answer(&list, &context.transfer_syntax, list.character_set())
    });
    let list = match list {
        Some(Ok(list)) => Some(list),
        Some(Err(error)) => {
            tracing::warn!(%error, "the list of failed instances cannot be written");
            None
        }
        None => None,
    };
    response.has_data_set = list.is_some();
    association.messages.send(context_id, &response, list.as_deref()).await
}
