//! A C-MOVE or C-GET as user: its responses, and its cancellation.

use std::{future::Future, pin::Pin};

use hilum_dicom::{DataSet, SopUid};

use crate::{
    command::{CommandSet, Operation, Progress},
    negotiation::Context,
    query::{FAILED_SOP_INSTANCE_UID_LIST, MAX_IDENTIFIER},
    requestor::{Requestor, ScuError, settle},
    status::StatusClass,
    upper_layer::UlError,
};

/// How a retrieval ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrieveReport {
    /// Status (0000,0900) of the final response.
    pub status: u16,
    /// The peer's last count of its sub-operations.
    pub progress: Progress,
    /// Failed SOP Instance UID List (0008,0058).
    pub failed: Vec<SopUid>,
}

impl RetrieveReport {
    /// Everything came, nothing failed.
    pub fn is_complete(&self) -> bool {
        self.status == 0 && self.progress.failed == 0
    }
}

/// A C-MOVE or C-GET under way.
pub(super) struct Retrieval {
    operation: Operation,
    message_id: u16,
    context: (u8, Context),
    progress: Progress,
    cancelled: bool,
}

impl Retrieval {
    pub(super) fn new(operation: Operation, message_id: u16, context: (u8, Context)) -> Self {
        Self { operation, message_id, context, progress: Progress::default(), cancelled: false }
    }

    /// The next command; on the way, the C-CANCEL that `cancel` asks for.
    pub(super) async fn next(
        &mut self,
        requestor: &mut Requestor,
        mut cancel: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Result<(u8, CommandSet), UlError> {
        loop {
            tokio::select! {
                biased;
                () = &mut cancel, if !self.cancelled => {
                    self.cancelled = true;
                    requestor.messages.send(self.context.0, &CommandSet::cancel(self.message_id), None).await?;
                }
                next = requestor.next() => return next,
            }
        }
    }

    /// Takes a response; the report when it is the final one.
    pub(super) async fn take(
        &mut self,
        requestor: &mut Requestor,
        command: &CommandSet,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Option<RetrieveReport>, ScuError> {
        if !command.is_response || command.operation != self.operation || command.message_id != self.message_id {
            return Err(ScuError::Protocol("a response to the retrieval was due"));
        }
        let bytes = requestor.messages.data_set(MAX_IDENTIFIER).await?;
        if let Some(told) = command.progress {
            self.progress = told;
        }
        let code = settle(command)?;
        if StatusClass::of(code) == StatusClass::Pending {
            progress(self.progress);
            return Ok(None);
        }
        let failed = match bytes {
            Some(bytes) => {
                let list = DataSet::read(&bytes, &self.context.1.transfer_syntax)?;
                list.texts(FAILED_SOP_INSTANCE_UID_LIST).iter().filter_map(|uid| uid.parse().ok()).collect()
            }
            None => Vec::new(),
        };
        Ok(Some(RetrieveReport { status: code, progress: self.progress, failed }))
    }
}
