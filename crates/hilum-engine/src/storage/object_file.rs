//! One object, read by range.

use super::bucket::BucketObject;
use super::{ObjectKey, Storage, StorageError, segment};
use bytes::Bytes;
use hilum_dicom::ReadAt;
#[cfg(not(unix))]
use hilum_dicom::object_bytes::read_exact_at;
use std::fs::File;
use std::io;
use std::ops::Range;

/// An open object. Its length is what its store has, not what anybody says.
#[derive(Debug)]
pub struct ObjectFile(Lies);

#[derive(Debug)]
enum Lies {
    InFile { file: File, start: u64, len: u64 },
    InBucket(BucketObject),
}

impl Storage {
    /// Opens an object for reading by range. Its digest is not checked: that would read all of it. Blocks on the store.
    pub fn open_object(&self, key: &ObjectKey) -> Result<ObjectFile, StorageError> {
        if let Some(place) = key.in_bucket_as() {
            return Ok(ObjectFile(Lies::InBucket(self.bucket()?.open_object(&place)?)));
        }
        let failed = || StorageError::during("open an object");
        let Some(place) = key.place() else {
            let file = File::open(self.root.join(key.as_str())).map_err(failed())?;
            let len = file.metadata().map_err(failed())?.len();
            return Ok(ObjectFile(Lies::InFile { file, start: 0, len }));
        };
        let (file, start) = place.open(&self.root).map_err(failed())?;
        let reaches = file.metadata().map_err(failed())?.len().saturating_sub(start);
        if reaches < place.length {
            return Err(StorageError::Corrupt);
        }
        Ok(ObjectFile(Lies::InFile { file, start, len: place.length }))
    }
}

impl ObjectFile {
    /// Number of bytes.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Lies::InFile { len, .. } => *len,
            Lies::InBucket(object) => object.size(),
        }
    }

    /// The bytes of `range`. Blocks on the store.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, StorageError> {
        match &self.0 {
            Lies::InFile { .. } => self.read_vec(range).map(Bytes::from),
            Lies::InBucket(object) => {
                self.check(&range)?;
                object.read(range)
            }
        }
    }

    /// As [`Self::read`].
    pub fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::new();
        self.append(range, &mut bytes)?;
        Ok(bytes)
    }

    /// Puts the bytes of `range` behind what `out` holds. Blocks on the store.
    pub fn append(&self, range: Range<u64>, out: &mut Vec<u8>) -> Result<(), StorageError> {
        let length = self.check(&range)?;
        let (file, start) = match &self.0 {
            Lies::InFile { file, start, .. } => (file, *start),
            Lies::InBucket(object) => {
                out.extend_from_slice(&object.read(range)?);
                return Ok(());
            }
        };
        read_at(file, length, start + range.start, out).map_err(StorageError::during(READ))?;
        // Looked at after the bytes: a record that was deleted meanwhile reads as zeros.
        if start > 0 && !segment::is_record(file, start).map_err(StorageError::during(READ))? {
            return Err(StorageError::Gone);
        }
        Ok(())
    }

    /// Bytes of a range that lies within the object.
    fn check(&self, range: &Range<u64>) -> Result<usize, StorageError> {
        if range.start > range.end || range.end > self.size() {
            let beyond = io::Error::new(io::ErrorKind::UnexpectedEof, "the range reaches beyond the object");
            return Err(StorageError::during(READ)(beyond));
        }
        usize::try_from(range.end - range.start)
            .map_err(|_| StorageError::during(READ)(io::ErrorKind::OutOfMemory.into()))
    }
}

const READ: &str = "read a part of an object";

impl ReadAt for ObjectFile {
    fn size(&self) -> u64 {
        ObjectFile::size(self)
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        self.read_vec(range).map_err(io::Error::other)
    }
}

/// `length` bytes from `offset`, into memory that is not written twice.
#[cfg(unix)]
fn read_at(file: &File, length: usize, offset: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let before = out.len();
    out.reserve_exact(length);
    while out.len() - before < length {
        let at = offset + (out.len() - before) as u64;
        if rustix::io::pread(file, rustix::buffer::spare_capacity(out), at)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    out.truncate(before + length);
    Ok(())
}

#[cfg(not(unix))]
fn read_at(file: &File, length: usize, offset: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let before = out.len();
    out.resize(before + length, 0);
    read_exact_at(file, &mut out[before..], offset)
}
