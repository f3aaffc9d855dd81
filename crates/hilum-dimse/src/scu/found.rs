//! What a C-FIND brings.

use futures::{Stream, stream};
use hilum_dicom::{DataSet, TransferSyntaxUid};

use crate::{
    command::{CommandSet, Operation},
    query::MAX_IDENTIFIER,
    requestor::{Requestor, ScuError, settle},
    status::StatusClass,
};

/// The matches of a C-FIND on their way. Dropping it cuts the connection; [`FoundMatches::cancel`] ends it in order.
pub struct FoundMatches {
    /// None after the final response.
    requestor: Option<Requestor>,
    context_id: u8,
    transfer_syntax: TransferSyntaxUid,
    message_id: u16,
}

impl FoundMatches {
    pub(super) fn new(
        requestor: Requestor,
        context_id: u8,
        transfer_syntax: TransferSyntaxUid,
        message_id: u16,
    ) -> Self {
        Self { requestor: Some(requestor), context_id, transfer_syntax, message_id }
    }

    /// The next match, in UTF-8; `None` after the last, when the association is released. An error is the last item.
    pub async fn next(&mut self) -> Option<Result<DataSet, ScuError>> {
        let mut requestor = self.requestor.take()?;
        match self.read(&mut requestor).await {
            Ok(Some(found)) => {
                self.requestor = Some(requestor);
                Some(Ok(found))
            }
            Ok(None) => {
                requestor.release().await;
                None
            }
            Err(error) => requestor.finish::<DataSet>(Err(error)).await.err().map(Err),
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<DataSet, ScuError>> + Send {
        stream::unfold(self, |mut matches| async move { matches.next().await.map(|found| (found, matches)) })
    }

    /// Sends a C-CANCEL, reads past what was under way, and releases.
    pub async fn cancel(mut self) -> Result<(), ScuError> {
        let Some(mut requestor) = self.requestor.take() else { return Ok(()) };
        let cancelled = async {
            requestor.messages.send(self.context_id, &CommandSet::cancel(self.message_id), None).await?;
            while self.read(&mut requestor).await?.is_some() {}
            Ok(())
        };
        let cancelled = cancelled.await;
        requestor.finish(cancelled).await
    }

    async fn read(&self, requestor: &mut Requestor) -> Result<Option<DataSet>, ScuError> {
        loop {
            let response = requestor.response(Operation::Find, self.message_id).await?;
            let bytes = requestor.messages.data_set(MAX_IDENTIFIER).await?;
            if StatusClass::of(settle(&response)?) != StatusClass::Pending {
                return Ok(None);
            }
            // A pending response without an identifier says nothing.
            match bytes {
                Some(bytes) if response.has_data_set => {
                    return Ok(Some(DataSet::read(&bytes, &self.transfer_syntax)?));
                }
                Some(_) => {}
                None => return Err(ScuError::Protocol("a match is longer than any identifier")),
            }
        }
    }
}
