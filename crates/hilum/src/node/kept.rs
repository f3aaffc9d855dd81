//! Kept instances on their way to a peer.

use std::{collections::HashMap, io};

use bytes::Bytes;
use hilum_dicom::{AeTitle, Instance};
use hilum_dimse::{InstanceSource, LoadFuture, StoredInstance, read_meta, with_meta};
use hilum_engine::{Engine, StoredInstance as Kept};

/// Loads instances of the engine, one after the other.
pub struct KeptInstances {
    engine: Engine,
    ae_title: AeTitle,
    kept: HashMap<String, Kept>,
}

impl KeptInstances {
    /// Of these instances. `ae_title` is said to be the source of files that were kept without file meta information.
    pub fn new(engine: Engine, ae_title: AeTitle, kept: Vec<Kept>) -> (Vec<StoredInstance>, Self) {
        let instances = kept.iter().map(stored).collect();
        let kept = kept.into_iter().map(|kept| (kept.sop.to_string(), kept)).collect();
        (instances, Self { engine, ae_title, kept })
    }
}

fn stored(kept: &Kept) -> StoredInstance {
    StoredInstance {
        sop_class: kept.sop_class.clone(),
        sop: kept.sop.clone(),
        transfer_syntax: kept.transfer_syntax.clone(),
    }
}

impl InstanceSource for KeptInstances {
    fn load<'a>(&'a self, instance: &'a StoredInstance) -> LoadFuture<'a> {
        Box::pin(async move {
            let kept = self.kept.get(instance.sop.as_str()).ok_or(io::ErrorKind::NotFound)?;
            let bytes = self.engine.read_instance(kept).await.map_err(io::Error::other)?;
            if read_meta(&bytes).is_ok_and(|(meta, _)| meta == *instance) {
                return Ok(bytes);
            }
            let (instance, title) = (instance.clone(), self.ae_title.clone());
            let rebuilt = tokio::task::spawn_blocking(move || file_of(&bytes, &instance, &title));
            rebuilt.await.map_err(io::Error::other)?
        })
    }
}

/// The file of an instance that came without preamble or file meta information, or whose meta information says something else than the
/// data set.
fn file_of(bytes: &Bytes, instance: &StoredInstance, title: &AeTitle) -> io::Result<Bytes> {
    let parsed = Instance::parse(bytes).map_err(io::Error::other)?;
    let offset = parsed.header().data_set_offset;
    Ok(with_meta(instance, title, &bytes[offset..]))
}
