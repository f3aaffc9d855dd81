//! Who hears what was committed: a note of the last event beside the database, and a syslog server.

use super::chain::AuditHead;
use super::syslog::Syslog;
use crate::catalog::AuditRow;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// The note, in the data folder.
pub(crate) const HEAD_FILE: &str = "audit-head.json";

/// A note of an event that is not in the trail any more.
const LOST_FILE: &str = "audit-head.lost.json";

/// Commits that wait to be noted.
const WAITING: usize = 1024;
/// The note is written no more often than this.
const EVERY: Duration = Duration::from_millis(500);
/// How long the end of a process waits for the syslog server.
const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum Word {
    Committed(AuditHead),
    Settle(oneshot::Sender<()>),
}

/// Tells of commits.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    words: mpsc::Sender<Word>,
    syslog: Option<Arc<Syslog>>,
}

impl Told {
    /// These rows are committed.
    pub(crate) fn tell(&self, rows: Vec<AuditRow>) {
        if let Some(last) = rows.last() {
            let head = AuditHead { number: last.number, hash: last.hash.clone() };
            // Where the note is late, the commit after this one is in it.
            if self.words.try_send(Word::Committed(head)).is_err() {
                tracing::debug!("the note of the last audit event is behind");
            }
        }
        if let Some(syslog) = &self.syslog {
            syslog.send(rows);
        }
    }
}

/// The noting side.
#[derive(Debug)]
pub(crate) struct Witness {
    told: Told,
}

impl Witness {
    /// Starts noting in a data folder; it ends when nobody tells any more.
    pub(crate) fn start(folder: &Path, syslog: Option<Arc<Syslog>>) -> Self {
        let (words, heard) = mpsc::channel(WAITING);
        tokio::spawn(note_forever(folder.join(HEAD_FILE), heard));
        Self { told: Told { words, syslog } }
    }

    pub(crate) fn told(&self) -> Told {
        self.told.clone()
    }

    /// Everything that was told is noted, and the syslog server had a moment to take it.
    pub(crate) async fn settle(&self) {
        let (done, settled) = oneshot::channel();
        if self.told.words.send(Word::Settle(done)).await.is_ok() {
            drop(settled.await);
        }
        if let Some(syslog) = &self.told.syslog {
            syslog.settle(FAREWELL).await;
        }
    }
}

async fn note_forever(file: PathBuf, mut heard: mpsc::Receiver<Word>) {
    // The last commit that is not noted yet, and when it is to be.
    let mut unnoted: Option<(AuditHead, Instant)> = None;
    loop {
        let word = match &unnoted {
            None => heard.recv().await,
            Some((_, due)) => {
                let Ok(word) = tokio::time::timeout_at(*due, heard.recv()).await else {
                    note(&file, unnoted.take()).await;
                    continue;
                };
                word
            }
        };
        match word {
            Some(Word::Committed(head)) => {
                let (before, due) = unnoted.take().unzip();
                // Commits are told by whoever made them, and two may change places on the way.
                let later = before.filter(|before: &AuditHead| before.number > head.number).unwrap_or(head);
                unnoted = Some((later, due.unwrap_or_else(|| Instant::now() + EVERY)));
            }
            Some(Word::Settle(done)) => {
                note(&file, unnoted.take()).await;
                if done.send(()).is_err() {
                    tracing::debug!("nobody waits for the note any more");
                }
            }
            None => return note(&file, unnoted.take()).await,
        }
    }
}

/// Other processes note here, too: the later event stays.
async fn note(file: &Path, head: Option<(AuditHead, Instant)>) {
    let Some((head, _)) = head else { return };
    let file = file.to_owned();
    let noting = tokio::task::spawn_blocking(move || {
        if noted(&file).is_some_and(|before| before.number >= head.number) {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut fresh, &head)?;
        fresh.persist(&file).map_err(|error| error.error)?;
        Ok::<_, std::io::Error>(())
    });
    match noting.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the last event of the audit trail could not be noted"),
        Err(error) => tracing::error!(panic = error.is_panic(), "noting the last audit event ended early"),
    }
}

/// The event that is noted in a file; also in a backup's manifest and in what `hilum audit verify --json` printed.
pub(crate) fn noted(file: &Path) -> Option<AuditHead> {
    #[derive(Deserialize)]
    struct Within {
        #[serde(alias = "audit_head")]
        head: AuditHead,
    }
    let text = std::fs::read(file).ok()?;
    serde_json::from_slice(&text).or_else(|_| serde_json::from_slice(&text).map(|Within { head }| head)).ok()
}

/// What the data folder knows of the trail's last event.
pub(crate) fn known(folder: &Path) -> Vec<AuditHead> {
    [HEAD_FILE, LOST_FILE].iter().filter_map(|name| noted(&folder.join(name))).collect()
}

/// The event that was noted is not in the trail any more. Its note is kept, as the trail will have events of its number again.
pub(crate) fn keep_lost(folder: &Path) {
    let (note, kept) = (folder.join(HEAD_FILE), folder.join(LOST_FILE));
    let moved = if kept.exists() { std::fs::remove_file(&note) } else { std::fs::rename(&note, &kept) };
    if let Err(error) = moved {
        tracing::warn!(%error, "the note of a lost audit event could not be put aside");
    }
}
