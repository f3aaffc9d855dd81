//! One object, read by range.

use super::{ObjectKey, Storage, StorageError, segment};
use bytes::Bytes;
use hilum_dicom::ReadAt;
use std::fs::File;
use std::io;
use std::ops::Range;

/// An open object. Its length is what the file has, not what anybody says.
#[derive(Debug)]
pub struct ObjectFile {
    file: File,
    start: u64,
    len: u64,
}

impl Storage {
    /// Opens an object for reading by range. Its digest is not checked: that would read all of it.
    pub fn open_object(&self, key: &ObjectKey) -> Result<ObjectFile, StorageError> {
        let failed = || StorageError::during("open an object");
        let Some(place) = key.place() else {
            let file = File::open(self.root.join(key.as_str())).map_err(failed())?;
            let len = file.metadata().map_err(failed())?.len();
            return Ok(ObjectFile { file, start: 0, len });
        };
        let (file, start) = place.open(&self.root).map_err(failed())?;
        let reaches = file.metadata().map_err(failed())?.len().saturating_sub(start);
        if reaches < place.length {
            return Err(StorageError::Corrupt);
        }
        Ok(ObjectFile { file, start, len: place.length })
    }
}

impl ObjectFile {
    /// Number of bytes.
    pub fn size(&self) -> u64 {
        self.len
    }

    /// The bytes of `range`. Blocks on the disk.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.read_vec(range).map(Bytes::from)
    }

    /// As [`Self::read`].
    pub fn read_vec(&self, range: Range<u64>) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::new();
        self.append(range, &mut bytes)?;
        Ok(bytes)
    }

    /// Puts the bytes of `range` behind what `out` holds. Blocks on the disk.
    pub fn append(&self, range: Range<u64>, out: &mut Vec<u8>) -> Result<(), StorageError> {
        let act = "read a part of an object";
        if range.start > range.end || range.end > self.len {
            let beyond = io::Error::new(io::ErrorKind::UnexpectedEof, "the range reaches beyond the object");
            return Err(StorageError::during(act)(beyond));
        }
        let length = usize::try_from(range.end - range.start)
            .map_err(|_| StorageError::during(act)(io::ErrorKind::OutOfMemory.into()))?;
        read_at(&self.file, length, self.start + range.start, out).map_err(StorageError::during(act))?;
        // Looked at after the bytes: a record that was deleted meanwhile reads as zeros.
        if self.start > 0 && !segment::is_record(&self.file, self.start).map_err(StorageError::during(act))? {
            return Err(StorageError::Gone);
        }
        Ok(())
    }
}

impl ReadAt for ObjectFile {
    fn size(&self) -> u64 {
        self.len
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

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(not(unix))]
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek};
    // A handle of its own: two ranges may be read at a time.
    let mut file = file.try_clone()?;
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}
