//! Kept instances on their way to a peer.

use std::{collections::HashMap, io};

use hilum_dicom::{ObjectBytes, Outline, part10::file_meta};
use hilum_dimse::{InstanceSource, LoadFuture, StoredInstance, read_meta};
use hilum_engine::{Engine, StoredInstance as Kept};

/// Loads instances of the engine, one after the other.
pub struct KeptInstances {
    engine: Engine,
    kept: Vec<Kept>,
    /// Where in the list they stand, by SOP Instance UID.
    places: HashMap<String, usize>,
}

impl KeptInstances {
    /// Of these instances.
    pub fn new(engine: Engine, kept: Vec<Kept>) -> (Vec<StoredInstance>, Self) {
        let instances = kept.iter().map(stored).collect();
        let places = kept.iter().enumerate().map(|(place, kept)| (kept.sop.to_string(), place)).collect();
        (instances, Self { engine, kept, places })
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
            let place = *self.places.get(instance.sop.as_str()).ok_or(io::ErrorKind::NotFound)?;
            self.engine.will_read(&self.kept[place..]);
            let object = self.engine.load_instance(&self.kept[place]).await.map_err(io::Error::other)?;
            if let ObjectBytes::Held(bytes) = &object
                && read_meta(bytes).is_ok_and(|(meta, _)| meta == *instance)
            {
                return Ok(object);
            }
            let instance = instance.clone();
            let rebuilt = tokio::task::spawn_blocking(move || file_of(object, &instance));
            rebuilt.await.map_err(io::Error::other)?
        })
    }
}

/// The file of an instance that may have come without preamble or file meta information, or whose meta information may say something
/// else than the data set.
fn file_of(object: ObjectBytes, instance: &StoredInstance) -> io::Result<ObjectBytes> {
    let outline = Outline::read(&object).map_err(io::Error::other)?;
    let meta = file_meta(&instance.sop_class, &instance.sop, &instance.transfer_syntax);
    Ok(ObjectBytes::joined(meta.into(), object, outline.data_set_offset))
}
