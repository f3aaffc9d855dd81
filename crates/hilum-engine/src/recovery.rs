//! Objects that lie durable without a row get one: at the start after a crash, in `hilum check --repair`, and when the row of an
//! acknowledged instance could not be written at once.

use crate::access::Scope;
use crate::catalog::{NewInstance, NewQuarantine, RecordRequest, Recorded, Subject};
use crate::engine::{Engine, Source};
use crate::error::{AcceptError, EngineError};
use crate::intake::{self, Comparison, Examined, Received};
use crate::storage::segment::{Provenance, Purpose};
use crate::storage::{ObjectKey, Storage, StorageError};
use hilum_dicom::{AeTitle, Instance, ObjectBytes, ReadAt};
use std::sync::Arc;
use std::time::Duration;

/// SourceApplicationEntityTitle: over DIMSE it is ours, written as the instance came.
const SOURCE_AE: dicom_core::Tag = dicom_core::Tag(0x0002, 0x0016);

/// Longest file meta information that is looked at.
const LONGEST_META: u64 = 64 * 1024;

/// Why an object lies without a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Its row had not been written yet: it comes in as it would have.
    BeforeItsRow,
    /// The catalogue was lost: nobody knows any more what was forwarded, so nothing is.
    WithTheCatalogue,
}

impl Engine {
    /// Takes up what processes that are gone left behind. One that cannot be taken up now is left for the next start.
    pub(crate) async fn recover(&self) -> Result<(), EngineError> {
        for leftover in self.storage().leftovers()? {
            let left = self.catalog().clear_leftover(self.storage(), &leftover).await?;
            let (mut taken_up, mut failed) = (0, 0);
            for object in &left.without_row {
                match self.recover_object(object).await {
                    Ok(()) => taken_up += 1,
                    Err(error) => {
                        tracing::error!(code = error.code(), "an object of a process that is gone has no row yet");
                        failed += 1;
                    }
                }
            }
            tracing::info!(cleared = left.cleared, taken_up, failed, "took up what a process that is gone left behind");
            if failed == 0 {
                self.storage().clear(&leftover)?;
            }
        }
        Ok(())
    }

    async fn recover_object(&self, object: &ObjectKey) -> Result<(), AcceptError> {
        let provenance = provenance(self.storage(), object).await?;
        match take_up(self, object, &provenance, Lost::BeforeItsRow).await {
            // Its sync had not come to an end, so nobody was told that it is there.
            Err(AcceptError::Storage(StorageError::Corrupt)) if Storage::may_be_torn(object) => {
                remove(self.storage(), object).await
            }
            other => other,
        }
    }
}

/// Whose an object is and how it came in, from the object itself.
pub(crate) async fn provenance(storage: &Arc<Storage>, key: &ObjectKey) -> Result<Provenance, AcceptError> {
    let (storage, key) = (Arc::clone(storage), key.clone());
    let header = tokio::task::spawn_blocking(move || storage.header(&key)).await.map_err(AcceptError::aborted)??;
    Ok(header.ok_or(StorageError::Corrupt)?.provenance)
}

/// Gives a durable object its row, by the way that instances come in: the same data set again is one copy, or takes the place of one that is
/// missing or damaged; a different one under the same UID is put aside.
pub(crate) async fn take_up(
    engine: &Engine,
    object: &ObjectKey,
    provenance: &Provenance,
    lost: Lost,
) -> Result<(), AcceptError> {
    let scope = Scope::system(provenance.institution.clone());
    // Read, so its bytes have the digest that its key promises.
    let digest = object.digest().ok_or(StorageError::Corrupt)?;
    let bytes = read(engine.storage(), object).await?;
    let new = intake::examine(Received { digest: Some(digest), ..bytes.into() }).await?;
    let institution = engine.catalog().home(&scope).await?;
    loop {
        let known = engine.catalog().known_instance(&scope, provenance.zone, &new.facts.sop).await?;
        let subject = match known {
            Some(known) if known.object == *object => return Ok(()),
            Some(known) => match intake::compare(engine.storage(), &known, &new).await? {
                Comparison::Same => return remove(engine.storage(), object).await,
                Comparison::Lost => instance(engine, provenance, &new, lost, Some(known.object)),
                different => aside(&new, different.reason()),
            },
            None if provenance.purpose == Purpose::Quarantine => {
                aside(&new, ("found_again", "Put aside before, for a reason that was lost with the catalogue."))
            }
            None => instance(engine, provenance, &new, lost, None),
        };
        let request = RecordRequest {
            institution,
            zone: provenance.zone,
            source: provenance.source,
            digest,
            bytes: new.object.len(),
            staged: Storage::adopt(object.clone()),
            subject,
        };
        match engine.recorder().record(request).await? {
            Recorded::New => return Ok(()),
            Recorded::Healed => {
                engine.remove_what_was_lost().await;
                return Ok(());
            }
            Recorded::AsideBefore => return remove(engine.storage(), object).await,
            Recorded::Taken(_) => {}
        }
    }
}

fn aside(new: &Examined, (reason_code, reason): (&'static str, &str)) -> Subject {
    Subject::Quarantine(NewQuarantine { sop: new.facts.sop.clone(), reason_code, reason_text: reason.to_owned() })
}

fn instance(
    engine: &Engine,
    provenance: &Provenance,
    new: &Examined,
    lost: Lost,
    instead_of: Option<ObjectKey>,
) -> Subject {
    let sender = (provenance.source == Source::Dimse).then(|| sender(&new.object)).flatten();
    let (quiet_after, forward) = match lost {
        Lost::BeforeItsRow => {
            (engine.quiet_after(), engine.route(provenance.source, sender.as_ref(), &new.facts).forward)
        }
        Lost::WithTheCatalogue => (Duration::ZERO, Vec::new()),
    };
    let file_name = provenance.file_name.clone();
    Subject::Instance(NewInstance { facts: new.facts.clone(), quiet_after, file_name, forward, instead_of })
}

fn sender(object: &ObjectBytes) -> Option<AeTitle> {
    // File meta information is walked however soon the bytes end.
    let bytes = object.read_at(0..object.len().min(LONGEST_META)).ok()?;
    let instance = Instance::parse(&bytes).ok()?;
    let title = instance.header().meta_element(SOURCE_AE)?.value.of(&bytes);
    str::from_utf8(title).ok()?.trim().parse().ok()
}

async fn read(storage: &Arc<Storage>, key: &ObjectKey) -> Result<ObjectBytes, AcceptError> {
    let (storage, key) = (Arc::clone(storage), key.clone());
    Ok(tokio::task::spawn_blocking(move || storage.load(&key)).await.map_err(AcceptError::aborted)??)
}

async fn remove(storage: &Arc<Storage>, key: &ObjectKey) -> Result<(), AcceptError> {
    let (storage, key) = (Arc::clone(storage), key.clone());
    tokio::task::spawn_blocking(move || storage.remove(&[key])).await.map_err(AcceptError::aborted)?;
    Ok(())
}
