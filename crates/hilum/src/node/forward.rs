//! Sending kept instances to a peer: forwards that are due, and studies that a person sends.

use std::{sync::Arc, time::Duration};

use hilum_dicom::AeTitle;
use hilum_dimse::{SentOutcome, StoreReport};
use hilum_engine::{
    EngineError,
    forwarding::{DueForward, ForwardEnd, ForwardOutcome},
};

use super::{Node, kept::KeptInstances};
use crate::{
    outbox::{Batch, Outbox, Pauses},
    settings::KnownPeer,
};

/// Forwards that are sent before their ends are written: what is sent again after a crash.
const BATCH: u32 = 200;

impl Outbox for Arc<Node> {
    type Name = AeTitle;
    type Receiver = KnownPeer;

    const PAUSES: Pauses = Pauses { first: Duration::from_secs(5), longest: Duration::from_mins(5) };

    async fn due(&self) -> Result<Vec<AeTitle>, EngineError> {
        self.engine.peers_with_due_forwards().await
    }

    fn find(&self, name: &AeTitle) -> Option<KnownPeer> {
        self.peers.find(name).cloned()
    }

    async fn send(&self, to: &KnownPeer) -> anyhow::Result<Batch> {
        self.forward_due(to).await
    }
}

impl Node {
    /// Sends what is due for a peer, and writes how that went.
    async fn forward_due(&self, known: &KnownPeer) -> anyhow::Result<Batch> {
        let peer = &known.peer;
        let due = self.engine.due_forwards(&peer.ae_title, BATCH).await?;
        if due.is_empty() {
            return Ok(Batch::Empty);
        }
        let (rows, kept): (Vec<i64>, Vec<_>) =
            due.into_iter().map(|DueForward { row, instance }| (row, instance)).unzip();
        self.engine.audit_forward(&peer.ae_title, &kept).await?;
        let (instances, source) = KeptInstances::new(self.engine.clone(), kept);
        let StoreReport { outcomes, error } = self.scu.store(peer, &instances, &source, |_, _| {}).await;
        let why = error.map_or_else(|| "the association ended before".to_owned(), |error| error.to_string());
        // What was not begun because of another object stays due, and goes before that one when it is tried again.
        let broke_off = outcomes.iter().any(|outcome| matches!(outcome, SentOutcome::BrokenOff { .. }));
        let ends: Vec<ForwardEnd> = rows
            .into_iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| !(broke_off && **outcome == SentOutcome::NotSent))
            .map(|(row, outcome)| ForwardEnd { row, outcome: forward_outcome(outcome, &why) })
            .collect();
        self.engine.end_forwards(&ends).await?;
        let sent = outcomes.iter().filter(|outcome| !outcome.is_failure()).count();
        tracing::info!(peer = %peer.ae_title, sent, failed = outcomes.len() - sent, "instances forwarded");
        let is_answer =
            |outcome: &SentOutcome| !matches!(outcome, SentOutcome::NotSent | SentOutcome::BrokenOff { .. });
        Ok(if outcomes.iter().any(is_answer) { Batch::Answered } else { Batch::NotReached })
    }
}

fn forward_outcome(outcome: &SentOutcome, why_not_sent: &str) -> ForwardOutcome {
    match reason_of(outcome) {
        None => ForwardOutcome::Sent,
        Some(_) if *outcome == SentOutcome::NotSent => ForwardOutcome::NotReached { reason: why_not_sent.to_owned() },
        Some(reason) => ForwardOutcome::Refused { reason },
    }
}

/// Why a peer does not have an object; none where it has.
pub fn reason_of(outcome: &SentOutcome) -> Option<String> {
    match outcome {
        SentOutcome::Stored | SentOutcome::StoredWithWarning { .. } => None,
        SentOutcome::Refused { code } => Some(format!("the peer answered with status {code:04X}H")),
        SentOutcome::ContextNotAccepted => {
            Some("the peer takes no object of this SOP class in this transfer syntax".to_owned())
        }
        SentOutcome::NotReadable => Some("the object cannot be read here; `HILUM_LOG=warn` says why".to_owned()),
        SentOutcome::BrokenOff { reason } => {
            Some(format!("the association broke off while the peer was receiving it: {reason}"))
        }
        SentOutcome::NotSent => Some("the association ended before".to_owned()),
    }
}
