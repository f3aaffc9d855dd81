//! The end of connections at shutdown. hyper-util has the same for connections that are never upgraded, and for no others.

use tokio::sync::watch;

/// Tells connections that they are to end, and waits until all have.
pub(crate) struct Ending(watch::Sender<bool>);

/// Held by a connection as long as it lasts.
#[derive(Clone)]
pub(crate) struct Watcher(watch::Receiver<bool>);

impl Ending {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// One for each connection.
    pub(crate) fn watcher(&self) -> Watcher {
        Watcher(self.0.subscribe())
    }

    /// Asks all to end; done when the last one has.
    pub(crate) async fn end(self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

impl Watcher {
    /// Done when the connection is asked to end, or nobody is left who could ask.
    pub(crate) async fn asked(&mut self) {
        if self.0.wait_for(|ending| *ending).await.is_err() {
            tracing::debug!("the server is gone before its connections");
        }
    }
}
