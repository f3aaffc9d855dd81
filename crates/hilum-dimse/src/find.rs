//! C-FIND as provider (PS3.4 C.4.1, K.4; PS3.7 9.1.2).

use std::sync::Arc;

use futures::StreamExt;
use hilum_dicom::{DataSet, matching::QueryOptions};

use crate::{
    association::{Association, stopped},
    command::CommandSet,
    query::{Identifier, InformationModel, answer, read_identifier, write_answer},
    service::{FindRequest, Refusal},
    status::Status,
    upper_layer::UlError,
};

/// What ends the wait for the next match.
enum Next {
    Match(Option<Result<DataSet, Refusal>>),
    Cancelled,
}

/// Answers a C-FIND-RQ: a pending response for each match, then the final one.
pub(crate) async fn serve(
    association: &mut Association<'_>,
    context_id: u8,
    command: &CommandSet,
    model: InformationModel,
    options: QueryOptions,
) -> Result<(), UlError> {
    let context = association.context(context_id)?;
    let shared = association.shared;
    let services = &shared.services;
    let handler = if model == InformationModel::Worklist { &services.worklist } else { &services.find };
    let Some(bytes) = association.identifier(command).await? else {
        return association.answer(context_id, command, Status::CANNOT_UNDERSTAND).await;
    };
    let Some(handler) = handler.as_ref().map(Arc::clone) else {
        return association.answer(context_id, command, Status::UNRECOGNIZED_OPERATION).await;
    };
    let Identifier { keys, level, character_set } = match read_identifier(&bytes, &context.transfer_syntax, model) {
        Ok(identifier) => identifier,
        Err(status) => return association.answer(context_id, command, status).await,
    };
    let retrieve_ae = services.retrieve.is_some().then(|| shared.config.ae_title.as_str());
    let request = FindRequest { caller: association.caller.clone(), model, level, keys: keys.clone(), options };
    let mut matches = handler.find(request);
    // Where a requestor does not say in which character set it asks, it gets UTF-8, stated.
    let character_set =
        if character_set.is_stated() { character_set } else { shared.config.response_character_set.clone() };
    let mut shutdown = association.shutdown.clone();
    loop {
        let next = tokio::select! {
            biased;
            cancelled = association.cancelled(command.message_id) => {
                cancelled?;
                Next::Cancelled
            }
            () = stopped(&mut shutdown) => return Err(UlError::ShuttingDown),
            found = matches.next() => Next::Match(found),
        };
        let found = match next {
            Next::Cancelled => return association.answer(context_id, command, Status::CANCELLED).await,
            Next::Match(None) => return association.answer(context_id, command, Status::SUCCESS).await,
            Next::Match(Some(Err(refusal))) => {
                return association.answer(context_id, command, Status::from(refusal)).await;
            }
            Next::Match(Some(Ok(found))) => found,
        };
        let (found, all_supported) = answer(&found, &keys, level, retrieve_ae);
        let data_set = match write_answer(&found, &context.transfer_syntax, &character_set) {
            Ok(data_set) => data_set,
            Err(error) => {
                // The error names the attribute only.
                tracing::warn!(%error, "a match cannot be written");
                return association.answer(context_id, command, Status::UNABLE_TO_PROCESS).await;
            }
        };
        let pending = if all_supported { Status::PENDING } else { Status::PENDING_UNSUPPORTED_KEYS };
        let response = CommandSet { has_data_set: true, ..command.response(pending) };
        association.messages.send(context_id, &response, Some(&data_set)).await?;
    }
}
