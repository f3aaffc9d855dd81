//! Group commit: instances that arrive together share one transaction and its syncs.
//!
//! Who waits for the row is served at once, with all that are there; rows that nobody waits for are gathered for a moment.

use crate::catalog::{Catalog, RecordRequest, Recorded};
use crate::error::AcceptError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// A transaction holds at most this many instances.
const LARGEST_BATCH: usize = 128;
/// So many wait for one; whoever has another one waits for room.
const QUEUE: usize = 4 * LARGEST_BATCH;
/// Rows that nobody waits for are gathered for so long.
const GATHER: Duration = Duration::from_millis(30);

pub(crate) type Outcome = Result<Recorded, AcceptError>;

/// Who hears what became of a request.
enum Reply {
    /// Somebody waits for the row.
    Urgent(oneshot::Sender<Outcome>),
    /// Nobody does; this is called on the task that records.
    Unhurried(Box<dyn FnOnce(Outcome) + Send>),
}

struct Waiting {
    request: RecordRequest,
    reply: Reply,
}

/// The door to the one task of this process that records.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Waiting>,
    hurry: Arc<Notify>,
}

impl Recorder {
    /// Starts the recording task; it ends when the last clone of the recorder is gone.
    pub(crate) fn start(catalog: Catalog) -> Self {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        let hurry = Arc::new(Notify::new());
        let called = Arc::clone(&hurry);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(LARGEST_BATCH);
            while gather(&mut waiting, &mut batch, &called).await {
                let (requests, replies) = batch.drain(..).map(|waiting| (waiting.request, waiting.reply)).unzip();
                record(&catalog, requests, replies).await;
            }
        });
        Self { queue, hurry }
    }

    /// Records a staged object; when this returns `Ok`, row and bytes are durable.
    pub(crate) async fn record(&self, request: RecordRequest) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        self.ask(Waiting { request, reply: Reply::Urgent(reply) }).await?;
        self.hurry();
        outcome.await.map_err(|_| AcceptError::ShuttingDown)?
    }

    /// As [`Self::record`], for which nobody waits: the row comes a moment later, with others, and `heard` is told.
    pub(crate) async fn record_unhurried(
        &self,
        request: RecordRequest,
        heard: impl FnOnce(Outcome) + Send + 'static,
    ) -> Result<(), AcceptError> {
        self.ask(Waiting { request, reply: Reply::Unhurried(Box::new(heard)) }).await
    }

    /// Somebody waits after all for what is being gathered.
    pub(crate) fn hurry(&self) {
        self.hurry.notify_one();
    }

    async fn ask(&self, waiting: Waiting) -> Result<(), AcceptError> {
        self.queue.send(waiting).await.map_err(|_| AcceptError::ShuttingDown)?;
        if self.queue.max_capacity() - self.queue.capacity() >= LARGEST_BATCH {
            self.hurry();
        }
        Ok(())
    }
}

/// Fills a batch; false once nothing more can come. What comes while rows are gathered wakes nobody.
async fn gather(queue: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>, hurry: &Notify) -> bool {
    if queue.recv_many(batch, LARGEST_BATCH).await == 0 {
        return false;
    }
    let is_urgent = |waiting: &Waiting| matches!(waiting.reply, Reply::Urgent(_));
    if batch.len() < LARGEST_BATCH && !batch.iter().any(is_urgent) {
        drop(tokio::time::timeout(GATHER, hurry.notified()).await);
        while batch.len() < LARGEST_BATCH
            && let Ok(more) = queue.try_recv()
        {
            batch.push(more);
        }
    }
    true
}

async fn record(catalog: &Catalog, requests: Vec<RecordRequest>, replies: Vec<Reply>) {
    let error = match catalog.record_batch(&requests).await {
        Ok(outcomes) => {
            replies.into_iter().zip(outcomes).for_each(|(reply, outcome)| answer(reply, Ok(outcome)));
            return;
        }
        Err(error) => error,
    };
    match <[Reply; 1]>::try_from(replies) {
        Ok([reply]) => answer(reply, Err(error.into())),
        // One bad request must not refuse its neighbours: each gets a transaction of its own.
        Err(replies) => {
            for (request, reply) in requests.into_iter().zip(replies) {
                let outcome = catalog.record_batch(&[request]).await;
                answer(
                    reply,
                    outcome
                        .map_err(AcceptError::from)
                        .and_then(|mut outcomes| outcomes.pop().ok_or(AcceptError::Aborted)),
                );
            }
        }
    }
}

fn answer(reply: Reply, outcome: Outcome) {
    match reply {
        Reply::Urgent(reply) => {
            if reply.send(outcome).is_err() {
                tracing::debug!("a sender left before it was answered; what was recorded stays");
            }
        }
        Reply::Unhurried(heard) => heard(outcome),
    }
}
