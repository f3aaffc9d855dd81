//! `hilum export`: kept instances as a file-set on its way to others: a folder of files with a DICOMDIR (PS3.10 8, PS3.11 General
//! Purpose).
//!
//! A file is an object's bytes as they are kept, under a name made of its UIDs, so that the same selection gives the same folder
//! however often and after whatever interruption. The DICOMDIR comes last: what it names is whole and durable. Nothing is removed
//! from the folder, and a folder that holds anything else is refused.

mod folder;
mod layout;

pub use hilum_dicom::dicomdir::FileSetId;

use crate::access::{Permission, Scope};
use crate::archive::{InstanceBytes, Selection, StoredInstance};
use crate::audit::{Action, AuditEvent, Detail, Outcome, counted};
use crate::control::WorkControl;
use crate::engine::{Engine, Zone};
use crate::error::EngineError;
use crate::storage::{Reading, Storage, StorageError};
use folder::{Folder, Kept};
use hilum_dicom::dicomdir::{Directory, DirectoryError, Entry, FileId};
use hilum_dicom::{Outline, OutlineError};
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// Why studies could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The operating system refused.
    #[error("the export failed while it tried to {act} {path}: {source}")]
    Io {
        /// What was being done.
        act: &'static str,
        /// To which file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// There is something else in the folder.
    #[error(
        "{0} is in the folder and no part of this export: export into an empty or new folder, or select again what the folder holds, and more"
    )]
    Foreign(PathBuf),
    /// No instance was selected.
    #[error("nothing is kept that was selected")]
    Nothing,
    /// Stopped by a person.
    #[error("stopped before the end, without a DICOMDIR for what is new; the same command goes on where it stopped")]
    Cancelled,
    /// The directory cannot be made.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What an export holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExportSummary {
    /// Instances that the DICOMDIR names.
    pub instances: u64,
    /// Files written by this run.
    pub written: u64,
    /// Files that an earlier run had written; they were read and are whole.
    pub there_before: u64,
    /// Bytes of the files written.
    pub bytes_written: u64,
    /// Instances that are not in the export.
    pub left_out: Vec<LeftOut>,
}

/// An instance that is not in the export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// SOP Instance UID.
    pub instance: String,
    /// Stable code.
    pub code: &'static str,
    /// One sentence.
    pub text: String,
}

impl Engine {
    /// Exports a selection into `folder`, which is new, empty, or holds this selection or a part of it from an earlier run.
    pub async fn export(
        &self,
        scope: &Scope,
        zone: Zone,
        selection: &Selection,
        file_set: FileSetId,
        folder: &Path,
        control: &WorkControl,
    ) -> Result<ExportSummary, ExportError> {
        let asked = selection.study.clone().unwrap_or_default();
        let event = AuditEvent::by(scope, Action::Export).of(scope.home().clone()).about(asked);
        self.judged(event, Permission::Export, scope.require(Permission::Export)).await?;
        let scope = &scope.where_it_may(Permission::Export);
        let instances = self.instances_unseen(scope, zone, selection).await?;
        if instances.is_empty() {
            return Err(ExportError::Nothing);
        }
        // Before the first file is written: an export that is cut off has handed something out, too.
        let studies = counted(&instances);
        self.note_studies(scope, Action::Export, Outcome::Done, &Detail::default(), &studies).await?;
        control.expect(instances.len() as u64);
        control.counted();
        let (storage, folder, control) = (self.storage().clone(), folder.to_owned(), control.clone());
        let exporting =
            tokio::task::spawn_blocking(move || write_all(&storage, &instances, file_set, folder, &control));
        let exported =
            exporting.await.map_err(|error| EngineError::Internal(format!("an export ended early: {error}")))?;
        if exported.is_err() {
            self.note_studies(scope, Action::Export, Outcome::Failed, &Detail::default(), &studies).await?;
        }
        exported
    }
}

fn write_all(
    storage: &Storage,
    instances: &[StoredInstance],
    file_set: FileSetId,
    folder: PathBuf,
    control: &WorkControl,
) -> Result<ExportSummary, ExportError> {
    let files = layout::file_ids(instances)?;
    let mut folder = Folder::open(folder, &files)?;
    let mut directory = Directory::new(file_set);
    let mut summary = ExportSummary::default();
    for (index, (instance, file)) in instances.iter().zip(&files).enumerate() {
        storage.will_read(instances[index..].iter().map(|instance| &instance.object), Reading::Whole);
        if control.is_cancelled() {
            folder.settle()?;
            return Err(ExportError::Cancelled);
        }
        match write_one(storage, instance, file, &mut folder, &mut directory) {
            Ok(kept) => {
                summary.instances += 1;
                match kept {
                    Kept::Written(bytes) => {
                        summary.written += 1;
                        summary.bytes_written += bytes;
                    }
                    Kept::ThereBefore => summary.there_before += 1,
                }
            }
            // Of what is damaged or was deleted meanwhile the others know nothing.
            Err(ExportError::Engine(error)) if is_of_one_object(&error) => {
                folder.forget(file)?;
                let (code, text) = (error.code(), error.to_string());
                summary.left_out.push(LeftOut { instance: instance.sop.to_string(), code, text });
            }
            Err(error) => return Err(error),
        }
        control.advance(1);
    }
    folder.finish(&directory.to_bytes()?)?;
    Ok(summary)
}

fn write_one(
    storage: &Storage,
    instance: &StoredInstance,
    file: &FileId,
    folder: &mut Folder,
    directory: &mut Directory,
) -> Result<Kept, ExportError> {
    let StoredInstance { study, series, sop, sop_class, transfer_syntax, .. } = instance;
    let bytes = InstanceBytes::open(storage, &instance.object, instance.bytes)?;
    let outline = Outline::read(&bytes).map_err(EngineError::from)?;
    let unreadable = |error| EngineError::Outline(OutlineError::Header(error));
    let header = outline.instance().map_err(unreadable)?;
    let kept = folder.keep(file, instance, &bytes)?;
    match directory.add(&header, &Entry { study, series, sop, sop_class, transfer_syntax, file }) {
        Err(DirectoryError::Header(error)) => Err(unreadable(error).into()),
        added => Ok(added.map(|()| kept)?),
    }
}

fn is_of_one_object(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Storage(StorageError::Corrupt | StorageError::Gone)
            | EngineError::Outline(
                OutlineError::Header(_) | OutlineError::HeaderTooLarge | OutlineError::TooManyFragments
            )
    )
}
