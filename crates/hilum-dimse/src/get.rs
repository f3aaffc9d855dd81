//! C-GET as provider (PS3.4 C.4.3; PS3.7 9.1.3): sub-operations on the association of the request, on contexts for which the
//! requestor took the role of provider (PS3.7 D.3.3.4).

use hilum_dicom::SopUid;

use crate::{
    association::Association,
    command::{CommandSet, Operation},
    messages::Incoming,
    movement::{beginning, finish, select},
    query::InformationModel,
    send::{SentOutcome, count, outcome_of, send_instance},
    service::Selected,
    status::Status,
    upper_layer::{AbortReason, UlError, protocol_error},
};

/// Answers a C-GET-RQ.
pub(crate) async fn serve(
    association: &mut Association<'_>,
    context_id: u8,
    command: &CommandSet,
    model: InformationModel,
) -> Result<(), UlError> {
    let Some((_, Selected { instances, source })) = select(association, context_id, command, model).await? else {
        return Ok(());
    };
    let mut progress = beginning(&instances);
    let mut failed: Vec<SopUid> = Vec::new();
    let mut cancelled = false;
    for instance in &instances {
        if *association.shutdown.borrow() {
            return Err(UlError::ShuttingDown);
        }
        let sent = send_instance(&mut association.messages, instance, &*source, |roles| roles.scp, None).await?;
        let outcome = match sent {
            Err(outcome) => outcome,
            Ok(message_id) => response(association, command.message_id, message_id, &mut cancelled).await?,
        };
        count(&mut progress, &outcome);
        if outcome.is_failure() {
            failed.push(instance.sop.clone());
        }
        if cancelled {
            break;
        }
        if progress.remaining > 0 {
            let pending = CommandSet { progress: Some(progress), ..command.response(Status::PENDING) };
            association.messages.send(context_id, &pending, None).await?;
        }
    }
    finish(association, context_id, command, progress, cancelled, &failed).await
}

/// The response to a sub-operation; a C-CANCEL of the retrieval may come before it.
async fn response(
    association: &mut Association<'_>,
    retrieval: u16,
    message_id: u16,
    cancelled: &mut bool,
) -> Result<SentOutcome, UlError> {
    let limit = association.shared.config.idle_timeout;
    loop {
        match association.messages.next(limit).await? {
            Incoming::Command { command, .. } if command.operation == Operation::Cancel => {
                *cancelled |= command.message_id == retrieval;
            }
            Incoming::Command { command, .. }
                if command.is_response && command.operation == Operation::Store && command.message_id == message_id =>
            {
                association.messages.skip_data_set().await?;
                return Ok(outcome_of(&command));
            }
            Incoming::Command { .. } | Incoming::Release => {
                let what = "the response to a sub-operation was due";
                return Err(protocol_error(AbortReason::UnexpectedParameter, what));
            }
        }
    }
}
