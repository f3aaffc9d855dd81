//! Kept instances on their way to a peer.

use std::{collections::HashMap, io};

use bytes::Bytes;
use hilum_dicom::{Instance, part10::file_meta};
use hilum_dimse::{InstanceSource, LoadFuture, StoredInstance, read_meta};
use hilum_engine::{Engine, StoredInstance as Kept};

/// Loads instances of the engine, one after the other.
pub struct KeptInstances {
    engine: Engine,
    kept: HashMap<String, Kept>,
}

impl KeptInstances {
    /// Of these instances.
    pub fn new(engine: Engine, kept: Vec<Kept>) -> (Vec<StoredInstance>, Self) {
        let instances = kept.iter().map(stored).collect();
        let kept = kept.into_iter().map(|kept| (kept.sop.to_string(), kept)).collect();
        (instances, Self { engine, kept })
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
            let instance = instance.clone();
            let rebuilt = tokio::task::spawn_blocking(move || file_of(&bytes, &instance));
            rebuilt.await.map_err(io::Error::other)?
        })
    }
}

/// The file of an instance that came without preamble or file meta information, or whose meta information says something else than the
/// data set.
fn file_of(bytes: &Bytes, instance: &StoredInstance) -> io::Result<Bytes> {
    let parsed = Instance::parse(bytes).map_err(io::Error::other)?;
    let mut file = file_meta(&instance.sop_class, &instance.sop, &instance.transfer_syntax);
    file.extend_from_slice(&bytes[parsed.header().data_set_offset..]);
    Ok(file.into())
}
