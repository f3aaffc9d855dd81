//! What the node does by itself: forwards, results of storage commitment that are still to be told, pulls on a schedule. What is due is
//! in the catalogue; a peer that hangs keeps nobody but itself waiting.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use hilum_dicom::AeTitle;
use tokio::{task::JoinSet, time::sleep};

use super::{Node, forward::Batch};
use crate::{
    failure::sentence,
    settings::{KnownPeer, Pull},
};

/// How often the catalogue is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// A peer that was not reached is left alone for so long, twice as long each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Works until `shutdown` is done. What was under way then is due again at the next start.
pub async fn run(node: Arc<Node>, pulls: Vec<Pull>, shutdown: impl Future<Output = ()> + Send) {
    let mut tasks = JoinSet::new();
    for pull in pulls {
        tasks.spawn(pull_forever(Arc::clone(&node), pull));
    }
    tasks.spawn(fetch_for_work_forever(Arc::clone(&node)));
    tasks.spawn(tell_forever(Arc::clone(&node)));
    tasks.spawn(forward_forever(node));
    shutdown.await;
    tasks.shutdown().await;
}

async fn forward_forever(node: Arc<Node>) {
    let mut busy: HashSet<AeTitle> = HashSet::new();
    let mut unknown: HashSet<AeTitle> = HashSet::new();
    let mut tasks: JoinSet<AeTitle> = JoinSet::new();
    loop {
        while let Some(ended) = tasks.try_join_next() {
            match ended {
                Ok(peer) => {
                    busy.remove(&peer);
                }
                Err(error) => tracing::error!(panic = error.is_panic(), "a forwarding task ended early"),
            }
        }
        match node.engine.peers_with_due_forwards().await {
            Ok(due) => {
                for peer in due {
                    if busy.contains(&peer) {
                        continue;
                    }
                    let Some(known) = node.peers.find(&peer).cloned() else {
                        if unknown.insert(peer.clone()) {
                            tracing::warn!(%peer, "instances are to go to a peer that is not configured any more");
                        }
                        continue;
                    };
                    busy.insert(peer);
                    let node = Arc::clone(&node);
                    tasks.spawn(async move {
                        drain(&node, &known).await;
                        known.peer.ae_title
                    });
                }
            }
            Err(error) => tracing::warn!(code = error.code(), "the node could not look for what is to be forwarded"),
        }
        sleep(EVERY).await;
    }
}

/// Sends what is due for one peer, until nothing is.
async fn drain(node: &Node, known: &KnownPeer) {
    let mut pause = FIRST_PAUSE;
    loop {
        match node.forward_due(known).await {
            Ok(Batch::Empty) => return,
            Ok(Batch::Sent) => pause = FIRST_PAUSE,
            Ok(Batch::NotReached) => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                tracing::warn!(error = sentence(&error), "forwards could not be looked after");
                return sleep(pause).await;
            }
        }
    }
}

async fn tell_forever(node: Arc<Node>) {
    loop {
        sleep(EVERY * 5).await;
        let untold = match node.engine.untold_commitments().await {
            Ok(untold) => untold,
            Err(error) => {
                tracing::warn!(code = error.code(), "the node could not look for results of storage commitment");
                continue;
            }
        };
        for commitment in untold {
            let row = commitment.row;
            let told = match node.peers.find(&commitment.peer) {
                Some(known) => {
                    let result = node.untold_result(commitment).await;
                    node.scu.report_commitment(&known.peer, &result).await.is_ok()
                }
                None => false,
            };
            if let Err(error) = node.engine.end_untold_commitment(row, told).await {
                tracing::warn!(code = error.code(), "a told result of storage commitment could not be written");
            }
        }
    }
}

async fn fetch_for_work_forever(node: Arc<Node>) {
    loop {
        if let Err(error) = node.fetch_for_work().await {
            tracing::warn!(error = sentence(&error), "the studies of work items could not be looked after");
        }
        sleep(EVERY * 5).await;
    }
}

async fn pull_forever(node: Arc<Node>, pull: Pull) {
    loop {
        // The configuration was checked: the peer is there.
        if let Some(known) = node.peers.find(&pull.peer)
            && let Err(error) = node.pull(&pull, known).await
        {
            tracing::warn!(peer = %pull.peer, error = sentence(&error), "a pull ended early; the next turn tries again");
        }
        sleep(pull.every).await;
    }
}
