//! Group commit: instances that arrive together share one transaction and its syncs; each sender waits for the commit.

use crate::catalog::{Catalog, RecordRequest, Recorded};
use crate::error::AcceptError;
use crate::storage::Storage;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// A transaction holds at most this many instances.
const LARGEST_BATCH: usize = 128;

type Reply = oneshot::Sender<Result<Recorded, AcceptError>>;

/// The door to the one task of this process that records.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<(RecordRequest, Reply)>,
}

impl Recorder {
    /// Starts the recording task; it ends when the last clone of the recorder is gone.
    pub(crate) fn start(catalog: Catalog, storage: Arc<Storage>) -> Self {
        let (queue, mut waiting) = mpsc::channel(LARGEST_BATCH);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(LARGEST_BATCH);
            while waiting.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
                let (requests, replies): (Vec<RecordRequest>, Vec<Reply>) = batch.drain(..).unzip();
                record(&catalog, &storage, requests, replies).await;
            }
        });
        Self { queue }
    }

    /// Records a staged object; when this returns `Ok`, row and bytes are durable.
    pub(crate) async fn record(&self, request: RecordRequest) -> Result<Recorded, AcceptError> {
        let (reply, outcome) = oneshot::channel();
        self.queue.send((request, reply)).await.map_err(|_| AcceptError::ShuttingDown)?;
        outcome.await.map_err(|_| AcceptError::ShuttingDown)?
    }
}

async fn record(catalog: &Catalog, storage: &Arc<Storage>, requests: Vec<RecordRequest>, replies: Vec<Reply>) {
    let requests = Arc::new(requests);
    let error = match catalog.record_batch(storage, &requests).await {
        Ok(outcomes) => {
            replies.into_iter().zip(outcomes).for_each(|(reply, outcome)| answer(reply, Ok(outcome)));
            return;
        }
        Err(error) => error,
    };
    let requests = Arc::into_inner(requests).unwrap_or_default();
    match <[Reply; 1]>::try_from(replies) {
        Ok([reply]) => answer(reply, Err(error)),
        // One bad request must not refuse its neighbours: each gets a transaction of its own.
        Err(replies) => {
            for (request, reply) in requests.into_iter().zip(replies) {
                let outcome = catalog.record_batch(storage, &Arc::new(vec![request])).await;
                answer(reply, outcome.and_then(|mut outcomes| outcomes.pop().ok_or(AcceptError::Aborted)));
            }
        }
    }
}

fn answer(reply: Reply, outcome: Result<Recorded, AcceptError>) {
    if reply.send(outcome).is_err() {
        tracing::debug!("a sender left before it was answered; what was recorded stays");
    }
}
