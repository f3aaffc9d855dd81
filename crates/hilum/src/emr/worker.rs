//! Sends reports that are due, and asks what is known of their patients. What is due is in the catalogue.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use hilum_engine::{
    EngineError, Language,
    deliveries::{DeliveryContent, DeliveryOutcome, DestinationName, DueDelivery},
};

use super::{
    Emr, fhir, message,
    mllp::{Broken, Connection},
};
use crate::{
    outbox::{Batch, Outbox, Pauses},
    settings::{By, Destination, Fhir, Mllp},
};

/// Reports that are looked up at once.
const BATCH: u32 = 50;

/// How a delivery ended; none where there is nothing to deliver any more.
pub(super) type Ended = Result<Option<DeliveryOutcome>, Broken>;

impl Outbox for Arc<Emr> {
    type Name = DestinationName;
    type Receiver = Destination;

    const PAUSES: Pauses = Pauses { first: Duration::from_secs(2), longest: Duration::from_mins(1) };

    async fn due(&self) -> Result<Vec<DestinationName>, EngineError> {
        self.engine.destinations_with_due_deliveries().await
    }

    fn find(&self, name: &DestinationName) -> Option<Destination> {
        self.settings.find(name).cloned()
    }

    async fn send(&self, to: &Destination) -> anyhow::Result<Batch> {
        Ok(self.deliver_due(to).await?)
    }
}

/// What a batch is sent by, once it was needed.
#[derive(Default)]
struct Open {
    mllp: Option<Connection>,
    fhir: Option<fhir::Client>,
}

impl Open {
    /// With the authorities and the token of now: both files may have been renewed since.
    async fn fhir(&mut self, server: &Fhir) -> Result<&fhir::Client, Broken> {
        Ok(match &mut self.fhir {
            Some(open) => open,
            none => none.insert(fhir::Client::open(server).await?),
        })
    }
}

impl Emr {
    async fn deliver_due(&self, destination: &Destination) -> Result<Batch, EngineError> {
        let name = &destination.rule.name;
        let due = self.engine.due_deliveries(name, BATCH).await?;
        if due.is_empty() {
            return Ok(Batch::Empty);
        }
        let mut open = Open::default();
        let (mut delivered, mut refused) = (0, 0);
        for one in &due {
            let outcome = match &destination.by {
                By::Mllp(mllp) => self.deliver_by_mllp(one, destination, mllp, &mut open.mllp).await?,
                By::Fhir(server) => match open.fhir(server).await {
                    Ok(client) => self.deliver_by_fhir(one, destination, server, client).await?,
                    Err(broken) => Err(broken),
                },
                By::Ask(server) => match open.fhir(server).await {
                    Ok(client) => self.ask(one, destination, server, client).await?,
                    Err(broken) => Err(broken),
                },
            };
            let outcome = match outcome {
                Ok(Some(outcome)) => outcome,
                // It was deleted meanwhile, and its row with it; or a later version took its place.
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
    ) -> Result<Ended, EngineError> {
        let page = destination.pdf.then_some(destination.language);
        let content = match self.content(due, page).await? {
            ControlFlow::Continue(content) => content,
            ControlFlow::Break(ended) => return Ok(Ok(ended)),
        };
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
        client: &fhir::Client,
    ) -> Result<Ended, EngineError> {
        let page = destination.pdf.then_some(destination.language);
        let content = match self.content(due, page).await? {
            ControlFlow::Continue(content) => content,
            ControlFlow::Break(ended) => return Ok(Ok(ended)),
        };
        let bundle = message::bundle(&message::told(due, &content, destination), due, server);
        self.audit_before(due).await?;
        let posted = client.post(bundle, destination.patience).await;
        self.audit_again(due, posted.handed).await?;
        Ok(posted.outcome.map(Some))
    }

    /// What goes out. What cannot be read waits with that as its reason, and is tried again: its files may come back from a backup.
    pub(super) async fn content(
        &self,
        due: &DueDelivery,
        page: Option<Language>,
    ) -> Result<ControlFlow<Option<DeliveryOutcome>, DeliveryContent>, EngineError> {
        match self.engine.delivery_content(due, page).await {
            Ok(Some(content)) => Ok(ControlFlow::Continue(content)),
            Ok(None) => Ok(ControlFlow::Break(None)),
            Err(error @ EngineError::Catalog(_)) => Err(error),
            Err(error) => {
                tracing::error!(code = error.code(), "the files of a report that is to be delivered cannot be read");
                let reason = format!("not sent: its files cannot be read ({})", error.code());
                Ok(ControlFlow::Break(Some(DeliveryOutcome::Refused { reason })))
            }
        }
    }

    /// The first try stands in the trail before it: nobody has anything that is not noted.
    pub(super) async fn audit_before(&self, due: &DueDelivery) -> Result<(), EngineError> {
        if due.tries > 0 { Ok(()) } else { self.engine.audit_delivery(due).await }
    }

    /// Later ones stand there where they went out: a server that is down for days does not fill it.
    pub(super) async fn audit_again(&self, due: &DueDelivery, handed: bool) -> Result<(), EngineError> {
        if due.tries > 0 && handed { self.engine.audit_delivery(due).await } else { Ok(()) }
    }
}
