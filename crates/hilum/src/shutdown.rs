//! SIGINT and SIGTERM.

use tokio::sync::watch;

/// Asked once by a signal or by a part of the program that cannot go on.
#[derive(Clone)]
pub struct Shutdown {
    asked: watch::Sender<bool>,
}

impl Shutdown {
    /// Listens for SIGINT and SIGTERM from now on. A second one ends the process at once.
    pub fn on_signals() -> std::io::Result<Self> {
        let (asked, _) = watch::channel(false);
        let shutdown = Self { asked };
        let signals = shutdown.clone();
        let mut next = Signals::new()?;
        tokio::spawn(async move {
            next.recv().await;
            signals.ask();
            next.recv().await;
            leave();
        });
        Ok(shutdown)
    }

    /// Asks everything to end.
    pub fn ask(&self) {
        self.asked.send_replace(true);
    }

    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Done once the end was asked for.
    pub fn asked(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut asked = self.asked.subscribe();
        let keep = self.asked.clone();
        async move {
            // The sender lives as long as this future, so waiting cannot fail.
            let waited = asked.wait_for(|asked| *asked).await.is_ok();
            drop(keep);
            debug_assert!(waited);
        }
    }
}

/// Ends the process without waiting for anything; what was acknowledged is durable already.
#[expect(clippy::disallowed_methods, reason = "the person at the terminal asked twice")]
fn leave() -> ! {
    std::process::exit(130)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn recv(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
