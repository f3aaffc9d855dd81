//! `hilum send`

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::bail;
use hilum_dimse::{CommitmentRequest, Peer, ReferencedInstance, SentOutcome, Services, StoreReport, StoredInstance};
use hilum_engine::{Scope, Selection, Zone, commitment::CommitmentOutcome};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    cli::SendArguments,
    commands::{DATA, block_on, with_engine},
    node::{self, Node, advice::explain, commitment::outcome_of, forward::reason_of, kept::KeptInstances},
    progress,
    settings::Settings,
    shutdown::Shutdown,
};

/// A result on the association of the request comes within this, or on another one.
const SAME_ASSOCIATION: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(300);

/// What became of one instance.
#[derive(Serialize)]
struct Sent {
    instance: String,
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether the peer has committed to its safekeeping; not there where nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<bool>,
}

pub fn run(settings: &Settings, arguments: &SendArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let known = settings.peer(&arguments.peer)?;
    let peer = &known.peer;
    let data_dir = settings.data_dir(DATA);
    let scope = Scope::console(arguments.institution.clone());
    block_on(with_engine(settings, &data_dir, async |engine| {
        let shutdown = Shutdown::on_signals()?;
        let mut kept = Vec::new();
        for study in &arguments.studies {
            let selection = Selection::study(study.clone());
            let instances = engine.instances_for_peer(&scope, Zone::Clinical, &selection, &peer.ae_title).await?;
            if instances.is_empty() {
                bail!("there is no study {study} in institution {}; nothing was sent", arguments.institution.as_str());
            }
            kept.extend(instances);
        }
        let node = Node::new(engine.clone(), settings)?;
        let (instances, source) = KeptInstances::new(node.engine.clone(), kept);
        let report = store(&node, peer, &instances, &source, &shutdown).await;
        let mut sent: Vec<Sent> = instances.iter().zip(&report.outcomes).map(sent).collect();
        let sent_whole = report.is_complete();
        let commitment = if arguments.commit && sent_whole {
            Some(commit(settings, &node, peer, &scope, &instances, arguments.wait).await)
        } else {
            None
        };
        if let Some(Ok(Some(outcome))) = &commitment {
            for (sent, instance) in sent.iter_mut().zip(&instances) {
                sent.committed = Some(outcome.committed.iter().any(|known| known.sop == instance.sop));
            }
        }
        tell(&sent, peer, arguments.json)?;
        if shutdown.is_asked() {
            bail!("stopped before the end; sending again sends everything, which does no harm");
        }
        if let Some(error) = report.error {
            return Err(explain(&error, peer, settings));
        }
        if !sent_whole {
            bail!("{} does not have everything; nothing was asked to be committed to", peer.ae_title);
        }
        judge(commitment, peer, arguments)
    }))
}

async fn store(
    node: &Node,
    peer: &Peer,
    instances: &[StoredInstance],
    source: &KeptInstances,
    shutdown: &Shutdown,
) -> StoreReport {
    let bar = progress::bar("sending");
    progress::set_total(&bar, instances.len() as u64);
    let told = Mutex::new(vec![SentOutcome::NotSent; instances.len()]);
    let sending = node.scu.store(peer, instances, source, |index, outcome: &SentOutcome| {
        told.lock().unwrap_or_else(PoisonError::into_inner)[index] = outcome.clone();
        bar.inc(1);
    });
    let report = tokio::select! {
        report = sending => Some(report),
        () = shutdown.asked() => None,
    };
    bar.finish_and_clear();
    report.unwrap_or_else(|| StoreReport {
        outcomes: told.into_inner().unwrap_or_else(PoisonError::into_inner),
        error: None,
    })
}

fn sent((instance, outcome): (&StoredInstance, &SentOutcome)) -> Sent {
    let reason = reason_of(outcome);
    Sent { instance: instance.sop.to_string(), sent: reason.is_none(), reason, committed: None }
}

/// Asks for storage commitment, and waits for the result wherever it comes: on the association of the request, at the server that works
/// on this data folder, or at our address, where we listen for the while if nobody does.
async fn commit(
    settings: &Settings,
    node: &Arc<Node>,
    peer: &Peer,
    scope: &Scope,
    instances: &[StoredInstance],
    wait: u64,
) -> anyhow::Result<Option<CommitmentOutcome>> {
    let transaction = format!("2.25.{}", uuid::Uuid::new_v4().as_u128());
    let references = instances
        .iter()
        .map(|instance| ReferencedInstance { sop_class: instance.sop_class.clone(), sop: instance.sop.clone() });
    let request = CommitmentRequest { transaction: transaction.clone(), instances: references.collect() };
    node.engine.commitment_asked(scope, &transaction, &peer.ae_title).await?;
    let services = Services { commitment_results: Some(Arc::clone(node) as _), ..Services::none() };
    let listener = node::listen(settings, &node.engine, services).await?;
    let asking = async {
        let deadline = Instant::now() + Duration::from_secs(wait);
        let same = SAME_ASSOCIATION.min(Duration::from_secs(wait));
        let result = node.scu.request_commitment(peer, &request, same).await;
        if let Some(result) = result.map_err(|error| explain(&error, peer, settings))? {
            let (_, outcome) = outcome_of(result);
            node.engine.take_commitment(&transaction, &peer.ae_title, &outcome).await?;
        }
        loop {
            if let Some(outcome) = node.engine.commitment_outcome(scope, &transaction).await? {
                return Ok(Some(outcome));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    node::while_listening(listener, asking).await
}

fn tell(sent: &[Sent], peer: &Peer, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(sent)?);
        return Ok(());
    }
    let arrived = sent.iter().filter(|sent| sent.sent).count();
    println!("{arrived} of {} instances sent to {}", sent.len(), peer.ae_title);
    for Sent { instance, reason, .. } in sent {
        if let Some(reason) = reason {
            println!("not sent {instance}: {reason}");
        }
    }
    Ok(())
}

fn judge(
    commitment: Option<anyhow::Result<Option<CommitmentOutcome>>>,
    peer: &Peer,
    arguments: &SendArguments,
) -> anyhow::Result<()> {
    let title = &peer.ae_title;
    match commitment.transpose()? {
        None => Ok(()),
        Some(None) => bail!(
            "{title} took everything, and did not say within {} s whether it commits to its safekeeping; a longer --wait may help, \
             and {title} must know our address for the result",
            arguments.wait
        ),
        Some(Some(outcome)) if outcome.failed.is_empty() => {
            if !arguments.json {
                println!("{title} commits to the safekeeping of {} instances", outcome.committed.len());
            }
            Ok(())
        }
        Some(Some(outcome)) => {
            let code = outcome.failed.first().map_or(0, |(_, code)| *code);
            bail!("{title} does not commit to {} instances (failure reason {code:04X}H)", outcome.failed.len())
        }
    }
}
