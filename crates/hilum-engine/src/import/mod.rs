//! `hilum import`: files, folders, zips and DICOMDIR go through the same door as the network.
//!
//! One thread finds and reads files, a bounded number of instances is on its way at a time (so that they share commits), and the bytes
//! in hand stay under a budget. Files are taken in the order of their paths, and of two with one SOP Instance UID the second waits for the
//! first: the same folder gives the same state, however fast which file is read.

mod archive;
mod dicomdir;
mod find;
mod sniff;

pub(crate) use dicomdir::is_named as is_dicomdir;

use crate::access::Scope;
use crate::audit::{Action, Counted, Detail, Outcome};
use crate::control::WorkControl;
use crate::engine::{Accepted, Engine, Source, Zone};
use crate::error::{AcceptError, EngineError, ErrorKind};
use crate::intake::{Incoming, Receipt};
use crate::journey;
use hilum_dicom::{ObjectBytes, SopUid};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

/// Instances on their way at a time: what one group commit can gather.
const IN_FLIGHT: usize = 48;
/// Bytes in hand at a time, in KiB; a single larger file takes all of it.
const BUDGET_KIB: u32 = 96 * 1024;

/// What became of the files of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSummary {
    /// Files looked at (members of zips count as files).
    pub files: u64,
    /// New instances, durable now.
    pub kept: u64,
    /// The same data set was there before.
    pub already_there: u64,
    /// A different object under a known SOP Instance UID.
    pub quarantined: u64,
    /// Files that are no DICOM objects.
    pub not_dicom: u64,
    /// Bytes of the instances kept.
    pub bytes_kept: u64,
    /// Files that were refused, with the reason.
    pub refused: Vec<RefusedFile>,
    /// Stopped before the end.
    pub cancelled: bool,
    /// Studies that received something or had it already (Study Instance UIDs).
    pub studies: BTreeSet<String>,
}

/// A file that was refused. For the caller's eyes only: a path can hold a name, so it never goes into a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFile {
    /// The path, as reached from the path that the caller gave.
    pub path: String,
    /// Stable code.
    pub code: String,
    /// One sentence.
    pub text: String,
}

/// Why an import stopped. What had been acknowledged before stays kept.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A path that the caller gave does not exist or cannot be read.
    #[error("path {number} of the call cannot be read: {source}")]
    Path {
        /// 1 is the first path.
        number: usize,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The whole import is impossible, e.g. disk full or the research zone.
    #[error("{source}; {kept} instances had been kept before and stay kept")]
    Accept {
        /// Why.
        source: AcceptError,
        /// Instances kept before.
        kept: u64,
    },
}

impl ImportError {
    /// For the status tables.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Path { .. } => ErrorKind::NotFound,
            Self::Accept { source, .. } => source.kind(),
        }
    }

    /// Stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Path { .. } => "path_unreadable",
            Self::Accept { source, .. } => source.code(),
        }
    }
}

/// A file on its way to the door.
struct Candidate {
    path: String,
    file_name: Option<String>,
    /// `None` where the header cannot be read, which the door will say.
    uid: Option<SopUid>,
    object: ObjectBytes,
    budget: OwnedSemaphorePermit,
}

/// What the finding thread hands over.
enum Found {
    /// A file that looks like DICOM, with its share of the budget.
    Candidate(Candidate),
    /// A file that is none.
    NotDicom,
    /// A file that cannot be looked at.
    Refused(RefusedFile),
    /// A path of the call that cannot be read.
    Stop(ImportError),
}

/// Imports everything under `paths`.
pub(crate) async fn run(
    engine: &Engine,
    scope: &Scope,
    paths: &[PathBuf],
    zone: Zone,
    control: &WorkControl,
) -> Result<ImportSummary, EngineError> {
    if zone == Zone::Research {
        let source = AcceptError::ResearchZoneNeedsDeidentification;
        return Err(ImportError::Accept { source, kept: 0 }.into());
    }
    let (sender, mut found) = mpsc::channel(IN_FLIGHT);
    let finder =
        find::Finder::new(control.clone(), sender, Arc::new(Semaphore::new(BUDGET_KIB as usize)), engine.storage());
    let paths = paths.to_vec();
    let finding = tokio::task::spawn_blocking(move || finder.find_all(&paths));

    let mut summary = ImportSummary::default();
    let mut on_the_way = OnTheWay::default();
    let mut stopped = None;
    while stopped.is_none()
        && let Some(item) = found.recv().await
    {
        if on_the_way.tasks.len() >= IN_FLIGHT {
            stopped = on_the_way.settle_one(&mut summary, control).await;
        }
        match item {
            Found::Candidate(Candidate { path, file_name, uid, object, budget }) => {
                while stopped.is_none() && uid.as_ref().is_some_and(|uid| on_the_way.uids.contains(uid)) {
                    stopped = on_the_way.settle_one(&mut summary, control).await;
                }
                on_the_way.uids.extend(uid.clone());
                let (engine, scope) = (engine.clone(), scope.clone());
                on_the_way.tasks.spawn(async move {
                    let size = object.len();
                    let incoming = Incoming {
                        received: object.into(),
                        source: Source::Import,
                        file_name,
                        sender: None,
                        row_follows: false,
                    };
                    let outcome = journey::accept_instance(&engine, &scope, zone, incoming).await;
                    drop(budget);
                    Arrived { path, uid, size, outcome }
                });
            }
            Found::NotDicom => {
                summary.not_dicom += 1;
                looked_at(&mut summary, control);
            }
            Found::Refused(file) => {
                summary.refused.push(file);
                looked_at(&mut summary, control);
            }
            Found::Stop(error) => stopped = Some(error),
        }
    }
    drop(found);
    while !on_the_way.tasks.is_empty() {
        let outcome = on_the_way.settle_one(&mut summary, control).await;
        stopped = stopped.or(outcome);
    }
    finding.await.map_err(|error| EngineError::Internal(format!("looking for files ended early: {error}")))?;
    summary.cancelled = control.is_cancelled();
    let detail = Detail { source: Some(Source::Import), ..Detail::default() };
    let home = scope.given_to(scope.home().clone());
    engine.note_studies(&home, Action::Import, Outcome::Done, &detail, &on_the_way.arrived).await?;
    summary.refused.sort_by(|a, b| a.path.cmp(&b.path));
    let studies: Vec<String> = summary.studies.iter().cloned().collect();
    engine.catalog().mark_quiet(scope, &studies).await?;
    match stopped {
        Some(ImportError::Accept { source, .. }) => Err(ImportError::Accept { source, kept: summary.kept }.into()),
        Some(error) => Err(error.into()),
        None => Ok(summary),
    }
}

/// The instances that are being kept.
#[derive(Default)]
struct OnTheWay {
    tasks: JoinSet<Arrived>,
    /// Their SOP Instance UIDs.
    uids: HashSet<SopUid>,
    /// Those that are kept now, or were before.
    arrived: Counted,
}

/// What became of one of them.
struct Arrived {
    path: String,
    uid: Option<SopUid>,
    size: u64,
    outcome: Result<Receipt, AcceptError>,
}

impl OnTheWay {
    /// Waits for one instance and counts it; returns what stops the whole import.
    async fn settle_one(&mut self, summary: &mut ImportSummary, control: &WorkControl) -> Option<ImportError> {
        let Ok(Arrived { path, uid, size, outcome }) = self.tasks.join_next().await? else {
            return Some(ImportError::Accept { source: AcceptError::Aborted, kept: 0 });
        };
        if let Some(uid) = uid {
            self.uids.remove(&uid);
        }
        looked_at(summary, control);
        match outcome {
            Ok(receipt) => {
                match receipt.accepted {
                    Accepted::Kept => {
                        summary.kept += 1;
                        summary.bytes_kept += size;
                    }
                    Accepted::AlreadyThere => summary.already_there += 1,
                    Accepted::Quarantined { .. } => summary.quarantined += 1,
                }
                summary.studies.insert(receipt.study.to_string());
                *self.arrived.entry(receipt.study).or_default() += 1;
                None
            }
            Err(error) => match error.kind() {
                ErrorKind::NotDicom | ErrorKind::Damaged => {
                    summary.refused.push(RefusedFile { path, code: error.code().to_owned(), text: error.to_string() });
                    None
                }
                _ => Some(ImportError::Accept { source: error, kept: 0 }),
            },
        }
    }
}

fn looked_at(summary: &mut ImportSummary, control: &WorkControl) {
    summary.files += 1;
    control.advance(1);
}
