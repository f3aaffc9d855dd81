//! What the node does by itself: forwards, results of storage commitment that are still to be told, pulls on a schedule. What is due is
//! in the catalogue; a peer that hangs keeps nobody but itself waiting.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use super::{Node, commitment::UntoldResults};
use crate::{failure::sentence, outbox, settings::Pull};

/// How often the catalogue is looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Works until `shutdown` is done. What was under way then is due again at the next start.
pub async fn run(node: Arc<Node>, pulls: Vec<Pull>, shutdown: impl Future<Output = ()> + Send) {
    let mut tasks = JoinSet::new();
    for pull in pulls {
        tasks.spawn(pull_forever(Arc::clone(&node), pull));
    }
    tasks.spawn(fetch_for_work_forever(Arc::clone(&node)));
    tasks.spawn(outbox::work(UntoldResults(Arc::clone(&node))));
    tasks.spawn(outbox::work(node));
    shutdown.await;
    tasks.shutdown().await;
}

async fn fetch_for_work_forever(node: Arc<Node>) {
    loop {
        if let Err(error) = node.fetch_for_work().await {
            tracing::warn!(error = sentence(&error), "the studies of work items could not be looked after");
        }
        sleep(EVERY).await;
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
