//! Proving a trail: every event hashed again, in order, against what is known of it.

use super::chain::{AuditHead, Break, Verifier};
use super::event::Action;
use super::witness;
use crate::catalog::{AuditRow, AuditWriter, Catalog, CataloguePlace};
use crate::error::EngineError;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Rows in memory at a time.
const PAGE: u64 = 5000;

/// What following a trail came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Nothing is wrong.
    pub whole: bool,
    /// The first thing that is wrong, as a word with its event.
    pub broken: Option<Break>,
    /// The last event that was in order. Kept where nobody can change it, it is what a later verification goes by.
    pub head: Option<AuditHead>,
    /// Events in order.
    pub events: u64,
    /// Events that were known beforehand, from the data folder or from `--head`.
    pub known: Vec<AuditHead>,
    /// Processes that wrote.
    pub processes: u64,
    /// Processes that have not written their end: they run, or were killed. What those were about to write, at most a second of reads, may
    /// be missing.
    pub unended: Vec<String>,
}

/// A file that holds no event of an audit trail.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} names no event of an audit trail: expected JSON with \"number\" and \"hash\", what `hilum audit verify --json` printed, or \
     backup.json of a backup"
)]
pub struct NoHead(PathBuf);

/// Follows the trail of a data folder; what is written meanwhile is followed too. `heads` are files that say which events must be in it.
pub async fn verify(
    place: &CataloguePlace,
    folder: &Path,
    heads: &[PathBuf],
) -> Result<Result<Verification, NoHead>, EngineError> {
    // Noted before the trail is read, so that none is later than it.
    let mut known = witness::known(folder);
    for file in heads {
        let Some(head) = witness::noted(file) else { return Ok(Err(NoHead(file.clone()))) };
        known.push(head);
    }
    let catalog = Catalog::open(place, folder, AuditWriter::new(Uuid::new_v4(), None)).await?;
    let mut verifier = Verifier::new(known.clone());
    let mut seen = Processes::default();
    let outcome = follow(&catalog, &mut verifier, &mut seen).await?;
    let head = verifier.head().cloned();
    let outcome = match outcome {
        Ok(()) => {
            let indexed = catalog.audit_entries(head.as_ref().map_or(0, |head| head.number)).await?;
            verifier.end(indexed).map(drop)
        }
        Err(broken) => Err(broken),
    };
    Ok(Ok(Verification {
        whole: outcome.is_ok(),
        broken: outcome.err(),
        events: head.as_ref().map_or(0, |head| head.number as u64),
        head,
        known,
        processes: seen.count,
        unended: seen.open.into_iter().collect(),
    }))
}

#[derive(Default)]
struct Processes {
    count: u64,
    open: BTreeSet<String>,
}

impl Processes {
    fn follow(&mut self, row: &AuditRow) {
        if row.action == Action::ProcessStart.as_str() {
            self.count += 1;
            self.open.insert(row.process.clone());
        } else if row.action == Action::ProcessEnd.as_str() {
            self.open.remove(&row.process);
        }
    }
}

async fn follow(
    catalog: &Catalog,
    verifier: &mut Verifier,
    seen: &mut Processes,
) -> Result<Result<(), Break>, EngineError> {
    // Also what stands before the first event, where nothing may.
    let mut last = i64::MIN;
    loop {
        let rows = catalog.audit_rows(last, PAGE).await?;
        let Some(end) = rows.last() else { return Ok(Ok(())) };
        last = end.number;
        for row in &rows {
            if let Err(broken) = verifier.follow(row) {
                return Ok(Err(broken));
            }
            seen.follow(row);
        }
    }
}
