//! A series' metadata in the DICOM JSON model: computed from the headers, or packed once the series has settled.
//!
//! A pack is derived from the kept objects and may be lost; it is believed only at the revision that it was made at.

use super::{StoredInstance, aside, object::InstanceBytes};
use crate::access::Scope;
use crate::catalog::SelectedSeries;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::storage::{ObjectKey, Reading, Storage};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use hilum_dicom::{Outline, json};
use std::io::{self, Read, Write};

/// Stands in metadata where the address of the service belongs that hands them out; `studies/{study}/series/{series}/instances/{instance}/
/// bulkdata/{path}` follows it. No JSON text holds this byte.
pub const BULK_BASE: u8 = 1;

const PACK_FILE: &str = "metadata.deflate";

/// A series of more instances is not packed: its metadata are handed out as they are read.
const LARGEST_PACK: usize = 10_000;

impl Engine {
    /// What is packed of a whole series; made again where the pack cannot be read.
    pub(super) async fn packed_metadata(
        &self,
        scope: &Scope,
        series: SelectedSeries,
    ) -> Result<Option<Bytes>, EngineError> {
        let Some((pack, revision)) = self.catalog().metadata_pack(scope, series).await? else { return Ok(None) };
        let storage = self.storage().clone();
        match aside("reading metadata", move || Ok(unpacked(&storage, &pack))).await? {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "packed metadata cannot be read; made again");
                Box::pin(self.pack_metadata(scope, series.row, revision)).await?;
                Ok(None)
            }
        }
    }

    /// The metadata of instances, from their headers.
    pub(super) async fn metadata(&self, instances: Vec<StoredInstance>) -> Result<Bytes, EngineError> {
        let storage = self.storage().clone();
        aside("reading metadata", move || {
            let mut text = String::new();
            for (index, instance) in instances.iter().enumerate() {
                will_read(&storage, &instances[index..]);
                if index > 0 {
                    text.push(',');
                }
                append(&storage, instance, &mut text)?;
            }
            Ok(Bytes::from(text))
        })
        .await
    }

    /// Packs the metadata of a series that is settling at `revision`.
    pub(crate) async fn pack_metadata(&self, scope: &Scope, series_row: i64, revision: i64) -> Result<(), EngineError> {
        let instances = self.catalog().instances_of_series(scope, series_row, None).await?;
        let Some(institution) = self.catalog().institution_of_series(scope, series_row).await? else { return Ok(()) };
        if instances.is_empty() || instances.len() > LARGEST_PACK {
            return Ok(());
        }
        let storage = self.storage().clone();
        let staged = aside("packing metadata", move || {
            let pack = (PACK_FILE.to_owned(), packed(&storage, &instances)?);
            Ok(storage.stage_folder(ObjectKey::metadata(institution), &[pack])?)
        })
        .await?;
        self.catalog().record_metadata(scope, series_row, revision, staged, self.storage()).await?;
        self.remove_objects().await
    }
}

fn will_read(storage: &Storage, instances: &[StoredInstance]) {
    storage.will_read(instances.iter().map(|instance| &instance.object), Reading::Beginning);
}

fn append(storage: &Storage, instance: &StoredInstance, text: &mut String) -> Result<(), EngineError> {
    let StoredInstance { study, series, sop, .. } = instance;
    let bytes = InstanceBytes::open(storage, &instance.object, instance.bytes)?;
    let outline = Outline::read(&bytes)?;
    let base = char::from(BULK_BASE);
    let bulk = format!("{base}studies/{study}/series/{series}/instances/{sop}/bulkdata/");
    json::write(&outline.instance().map_err(hilum_dicom::OutlineError::from)?, &bulk, text);
    Ok(())
}

/// Deflated while it is made: the text of a whole series is never in memory.
fn packed(storage: &Storage, instances: &[StoredInstance]) -> Result<Vec<u8>, EngineError> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(3));
    let failed = |error: io::Error| EngineError::Internal(format!("packing metadata: {error}"));
    let mut text = String::new();
    for (index, instance) in instances.iter().enumerate() {
        will_read(storage, &instances[index..]);
        text.clear();
        if index > 0 {
            text.push(',');
        }
        append(storage, instance, &mut text)?;
        encoder.write_all(text.as_bytes()).map_err(failed)?;
    }
    encoder.finish().map_err(failed)
}

fn unpacked(storage: &Storage, pack: &ObjectKey) -> io::Result<Bytes> {
    let deflated = storage.read_file_of(pack, PACK_FILE).map_err(io::Error::other)?;
    let deflated = deflated.ok_or(io::ErrorKind::NotFound)?;
    let mut text = Vec::with_capacity(deflated.len() * 12);
    DeflateDecoder::new(&deflated[..]).read_to_end(&mut text)?;
    Ok(text.into())
}
