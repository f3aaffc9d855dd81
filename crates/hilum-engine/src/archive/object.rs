//! An object's bytes by range.

use super::aside;
use crate::error::EngineError;
use crate::storage::{ObjectFile, ObjectKey, Storage, StorageError};
use bytes::Bytes;
use hilum_dicom::ReadAt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// The bytes of one kept instance. Cheap to clone.
#[derive(Clone, Debug)]
pub struct InstanceBytes {
    file: Arc<ObjectFile>,
}

impl InstanceBytes {
    pub(crate) fn open(storage: &Storage, object: &ObjectKey, bytes: u64) -> Result<Self, EngineError> {
        let file = storage.open_object(object)?;
        // An object that was cut after it was kept would otherwise be taken for a short answer.
        if file.size() != bytes {
            return Err(StorageError::Corrupt.into());
        }
        Ok(Self { file: Arc::new(file) })
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.file.size()
    }

    /// There is not one byte.
    pub fn is_empty(&self) -> bool {
        self.file.size() == 0
    }

    /// The bytes of a range, all of them; a range that reaches beyond the end is refused before memory is asked for.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, EngineError> {
        let this = self.clone();
        aside("reading a part of an instance", move || this.read_blocking(range)).await
    }

    /// As [`Self::read`], on a thread that may wait for the disk. ([`ReadAt`] does the same for the walkers of hilum-dicom.)
    pub fn read_blocking(&self, range: Range<u64>) -> Result<Bytes, EngineError> {
        Ok(self.file.read(range)?)
    }

    /// As [`Self::read_blocking`], behind what `out` holds.
    pub fn append_blocking(&self, range: Range<u64>, out: &mut Vec<u8>) -> Result<(), EngineError> {
        Ok(self.file.append(range, out)?)
    }
}

impl ReadAt for InstanceBytes {
    fn size(&self) -> u64 {
        self.len()
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.file.read_vec(range).map_err(io::Error::other)
    }
}
