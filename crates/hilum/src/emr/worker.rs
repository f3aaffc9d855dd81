//! Sends reports that are due. What is due is in the catalogue; a destination that hangs keeps nobody but itself waiting.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use hilum_engine::{
    EngineError,
    deliveries::{DeliveryOutcome, DestinationName, DueDelivery},
};
use tokio::{task::JoinSet, time::sleep};

use super::{
    Emr, fhir, message,
    mllp::{Broken, Connection},
};
use crate::settings::{By, Destination, Fhir, Mllp};

/// How often the catalogue is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// A destination that was not reached is left alone for so long, twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Reports that are looked up at once.
const BATCH: u32 = 50;

/// How a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// Nothing was due.
    Empty,
    /// The receiver answered each.
    Answered,
    /// It was not reached, or did not answer.
    NotReached,
}

/// Works until `shutdown` is done. What was under way then is due again at the next start, under the same control ID.
pub async fn run(emr: Arc<Emr>, shutdown: impl Future<Output = ()> + Send) {
    let mut tasks = JoinSet::new();
    tasks.spawn(deliver_forever(emr));
    shutdown.await;
    tasks.shutdown().await;
}

async fn deliver_forever(emr: Arc<Emr>) {
    let mut busy: HashSet<DestinationName> = HashSet::new();
    let mut unknown: HashSet<DestinationName> = HashSet::new();
    let mut tasks: JoinSet<DestinationName> = JoinSet::new();
    loop {
        while let Some(ended) = tasks.try_join_next() {
            match ended {
                Ok(name) => {
                    busy.remove(&name);
                }
                Err(error) => tracing::error!(panic = error.is_panic(), "a delivering task ended early"),
            }
        }
        match emr.engine.destinations_with_due_deliveries().await {
            Ok(due) => {
                for name in due.into_iter().filter(|name| !busy.contains(name)).collect::<Vec<_>>() {
                    let Some(destination) = emr.settings.find(&name).cloned() else {
                        if unknown.insert(name.clone()) {
                            tracing::warn!(%name, "reports are to go to a destination that is not configured any more");
                        }
                        continue;
                    };
                    busy.insert(name);
                    let emr = Arc::clone(&emr);
                    tasks.spawn(async move {
                        emr.drain(&destination).await;
                        destination.rule.name
                    });
                }
            }
            Err(error) => tracing::warn!(code = error.code(), "nobody could look for reports that are to be delivered"),
        }
        sleep(EVERY).await;
    }
}

impl Emr {
    /// Sends what is due for one destination, until nothing is.
    async fn drain(&self, destination: &Destination) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.deliver_due(destination).await {
                Ok(Batch::Empty) => return,
                Ok(Batch::Answered) => pause = FIRST_PAUSE,
                Ok(Batch::NotReached) => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => {
                    tracing::warn!(code = error.code(), "deliveries could not be looked after");
                    return sleep(pause).await;
                }
            }
        }
    }

    async fn deliver_due(&self, destination: &Destination) -> Result<Batch, EngineError> {
        let name = &destination.rule.name;
        let due = self.engine.due_deliveries(name, BATCH).await?;
        if due.is_empty() {
            return Ok(Batch::Empty);
        }
        let mut connection = None;
        let (mut delivered, mut refused) = (0, 0);
        for one in &due {
            let outcome = match &destination.by {
                By::Mllp(mllp) => self.deliver_by_mllp(one, destination, mllp, &mut connection).await?,
                By::Fhir(server) => self.deliver_by_fhir(one, destination, server).await?,
                By::Ask(server) => self.ask(one, destination, server).await?,
            };
            let outcome = match outcome {
                Ok(Some(outcome)) => outcome,
                // It was deleted meanwhile, and its row with it.
                Ok(None) => continue,
                Err(Broken(reason)) => {
                    tracing::info!(%name, reason, "a destination was not reached");
                    self.engine.end_delivery(one.row, &DeliveryOutcome::NotReached { reason }).await?;
                    return Ok(Batch::NotReached);
                }
            };
            match &outcome {
                DeliveryOutcome::Delivered => delivered += 1,
                DeliveryOutcome::Refused { .. } | DeliveryOutcome::NotReached { .. } => refused += 1,
            }
            self.engine.end_delivery(one.row, &outcome).await?;
        }
        tracing::info!(%name, delivered, refused, "reports delivered");
        Ok(Batch::Answered)
    }

    async fn deliver_by_mllp(
        &self,
        due: &DueDelivery,
        destination: &Destination,
        mllp: &Mllp,
        connection: &mut Option<Connection>,
    ) -> Result<Result<Option<DeliveryOutcome>, Broken>, EngineError> {
        let page = destination.pdf.then_some(destination.language);
        let Some(content) = self.engine.delivery_content(due, page).await? else { return Ok(Ok(None)) };
        let encoded = message::oru(&message::told(due, &content, destination), due, &self.settings, mllp);
        if encoded.replaced > 0 {
            tracing::warn!(name = %destination.rule.name, characters = encoded.replaced,
                "the destination's character set lacks characters of a report; they are written as ?");
        }
        let open = match connection {
            Some(open) => open,
            None => match Connection::open(mllp, self.tls.as_ref()).await {
                Ok(opened) => connection.insert(opened),
                Err(broken) => return Ok(Err(broken)),
            },
        };
        // Before the receiver has it.
        self.engine.audit_delivery(due).await?;
        Ok(open.exchange(&encoded.bytes, &due.control_id, destination.patience).await.map(Some))
    }

    async fn deliver_by_fhir(
        &self,
        due: &DueDelivery,
        destination: &Destination,
        server: &Fhir,
    ) -> Result<Result<Option<DeliveryOutcome>, Broken>, EngineError> {
        let page = destination.pdf.then_some(destination.language);
        let Some(content) = self.engine.delivery_content(due, page).await? else { return Ok(Ok(None)) };
        let bundle = message::bundle(&message::told(due, &content, destination), due, server);
        let posted = fhir::post(server, bundle, destination.patience).await;
        if posted.handed {
            self.engine.audit_delivery(due).await?;
        }
        Ok(posted.outcome.map(Some))
    }
}
