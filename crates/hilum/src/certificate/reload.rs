//! Files that change while a server runs.

use std::time::Duration;

use crate::failure::sentence;

/// How often the files are looked at; SIGHUP makes it at once.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Reads again and again, and hands over what has changed since `shown`. What cannot be read or taken is said once and changes nothing: a new
/// certificate may be there before its key. Ends with `shutdown`.
pub async fn keep_fresh<T: PartialEq>(
    what: &str,
    mut shown: T,
    read: impl Fn() -> anyhow::Result<T>,
    mut take: impl FnMut(&T) -> anyhow::Result<()>,
    shutdown: impl Future<Output = ()>,
) {
    let mut asked = Asked::new();
    let mut failed = None;
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            () = asked.next() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        let taken = match read() {
            Ok(found) if found == shown => continue,
            Ok(found) => take(&found).map(|()| found),
            Err(error) => Err(error),
        };
        match taken {
            Ok(found) => {
                shown = found;
                failed = None;
                tracing::info!(what, "a new certificate is shown from now on");
            }
            Err(error) => {
                let error = sentence(&error);
                if failed.as_ref() != Some(&error) {
                    tracing::error!(what, error, "the new certificate cannot be used; the one before stays");
                }
                failed = Some(error);
            }
        }
    }
}

/// SIGHUP.
struct Asked {
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Asked {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            hangup: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(hangup) = &mut self.hangup
            && hangup.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
