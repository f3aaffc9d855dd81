//! The bytes of an object: in memory, or read by range from where they lie. A 2 GB multi-frame object is never in memory as a whole.

use crate::outline::{Outline, OutlineError, ReadAt};
use crate::{DicomError, InstanceFacts, read_facts};
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An object of more bytes than this is not held in memory.
pub const LARGEST_IN_MEMORY: u64 = 16 << 20;
/// Bytes that are read or written at a time.
const PIECE: u64 = 1 << 20;

/// A whole object: a Part 10 file, or file meta and data set without preamble. Cheap to clone.
#[derive(Clone)]
pub enum ObjectBytes {
    /// In memory.
    Held(Bytes),
    /// Wherever it lies.
    ByRange(Arc<dyn ReadAt + Send + Sync>),
}

impl fmt::Debug for ObjectBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if matches!(self, Self::Held(_)) { "Held" } else { "ByRange" };
        write!(f, "ObjectBytes::{place}({} bytes)", self.len())
    }
}

impl From<Bytes> for ObjectBytes {
    fn from(bytes: Bytes) -> Self {
        Self::Held(bytes)
    }
}

impl From<Vec<u8>> for ObjectBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Held(bytes.into())
    }
}

impl ReadAt for ObjectBytes {
    fn size(&self) -> u64 {
        self.len()
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        match self {
            Self::Held(bytes) => (&**bytes).read_at(range),
            Self::ByRange(source) => source.read_at(range),
        }
    }
}

impl ObjectBytes {
    /// An object that lies in a file; nobody changes the file meanwhile.
    pub fn file(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self::ByRange(Arc::new(InFile { file, size })))
    }

    /// `head`, and behind it the bytes of an object from `from` on.
    pub fn joined(head: Bytes, tail: Self, from: u64) -> Self {
        if let Self::Held(bytes) = &tail {
            let tail = usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default();
            return Self::Held([&head[..], tail].concat().into());
        }
        Self::ByRange(Arc::new(Joined { head, tail, from }))
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::ByRange(source) => source.size(),
        }
    }

    /// There is not one byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it in memory, however much that is.
    pub fn to_memory(&self) -> io::Result<Bytes> {
        match self {
            Self::Held(bytes) => Ok(bytes.clone()),
            Self::ByRange(source) => source.read_at(0..source.size()).map(Bytes::from),
        }
    }

    /// The bytes from `from` on, piece by piece: one piece of what is in memory.
    pub fn pieces(&self, from: u64) -> impl Iterator<Item = io::Result<Bytes>> + use<> {
        let (this, size) = (self.clone(), self.len());
        let mut at = from.min(size);
        std::iter::from_fn(move || {
            if at >= size {
                return None;
            }
            let start = at;
            Some(match &this {
                Self::Held(bytes) => {
                    at = size;
                    Ok(bytes.slice(start as usize..))
                }
                Self::ByRange(source) => {
                    at = (start + PIECE).min(size);
                    source.read_at(start..at).map(Bytes::from)
                }
            })
        })
    }

    /// What the object's header says.
    pub fn facts(&self) -> Result<InstanceFacts, FactsError> {
        match self {
            Self::Held(bytes) => Ok(read_facts(bytes)?),
            Self::ByRange(source) => {
                let outline = Outline::read(&**source)?;
                let mut facts = InstanceFacts::of(&outline.instance().map_err(DicomError::from)?)?;
                facts.image.truncated |= outline.is_truncated();
                facts.transfer_syntax = outline.transfer_syntax().clone();
                Ok(facts)
            }
        }
    }
}

/// Why an object's header does not say what it has to.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The header lacks something or cannot be walked.
    #[error(transparent)]
    Header(#[from] DicomError),
    /// The bytes cannot be read.
    #[error("the object's bytes cannot be read: {0}")]
    Read(io::Error),
    /// The object is refused.
    #[error(transparent)]
    Outline(OutlineError),
}

impl From<OutlineError> for FactsError {
    fn from(error: OutlineError) -> Self {
        match error {
            OutlineError::Header(error) => Self::Header(error.into()),
            OutlineError::Read(error) => Self::Read(error),
            other => Self::Outline(other),
        }
    }
}

struct InFile {
    file: File,
    size: u64,
}

impl ReadAt for InFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let length = checked(&range, self.size)?;
        let mut bytes = vec![0; length];
        read_exact_at(&self.file, &mut bytes, range.start)?;
        Ok(bytes)
    }
}

struct Joined {
    head: Bytes,
    tail: ObjectBytes,
    from: u64,
}

impl ReadAt for Joined {
    fn size(&self) -> u64 {
        self.head.len() as u64 + self.tail.len().saturating_sub(self.from)
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let length = checked(&range, self.size())?;
        let head = self.head.len() as u64;
        let mut bytes = Vec::with_capacity(length);
        if range.start < head {
            bytes.extend_from_slice(&self.head[range.start as usize..range.end.min(head) as usize]);
        }
        if range.end > head {
            let behind = |at: u64| at.saturating_sub(head) + self.from;
            bytes.extend(self.tail.read_at(behind(range.start)..behind(range.end))?);
        }
        Ok(bytes)
    }
}

/// The length of a range that lies within `size`.
fn checked(range: &Range<u64>, size: u64) -> io::Result<usize> {
    let length = range.end.checked_sub(range.start).filter(|_| range.end <= size);
    length.and_then(|length| usize::try_from(length).ok()).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Fills `bytes` from `offset` of a file on; two ranges may be read at a time.
#[cfg(unix)]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Fills `bytes` from `offset` of a file on; two ranges may be read at a time.
#[cfg(not(unix))]
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read as _, Seek as _};
    let mut file = file.try_clone()?;
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

/// Gathers an object of unknown length: in memory, and from [`LARGEST_IN_MEMORY`] on in a file without a name, which goes with the
/// process whatever becomes of it.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    memory: BytesMut,
    file: Option<File>,
    spilled: u64,
}

impl Spool {
    /// Nothing yet. `folder` is where a long object goes.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, memory: BytesMut::new(), file: None, spilled: 0 }
    }

    /// Where a long object goes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is in memory; append to it, and [`Self::spill`] when [`Self::is_full`].
    pub fn memory(&mut self) -> &mut BytesMut {
        &mut self.memory
    }

    /// Bytes gathered.
    pub fn len(&self) -> u64 {
        self.spilled + self.held()
    }

    /// Nothing has been gathered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory.
    pub fn held(&self) -> u64 {
        self.memory.len() as u64
    }

    /// There is so much in memory that it should be spilled.
    pub fn is_full(&self) -> bool {
        let most = if self.file.is_some() { 4 * PIECE } else { LARGEST_IN_MEMORY };
        self.held() >= most
    }

    /// Moves what is in memory to the file. Blocks on the disk.
    pub fn spill(mut self) -> io::Result<Self> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.folder)?,
        };
        file.write_all(&self.memory)?;
        self.spilled += self.held();
        // The memory of a long object is not kept for the next one.
        self.memory = BytesMut::with_capacity(5 * PIECE as usize);
        self.file = Some(file);
        Ok(self)
    }

    /// Forgets what was gathered; memory is kept.
    pub fn clear(&mut self) {
        if self.file.take().is_some() {
            self.memory = BytesMut::new();
        }
        self.memory.clear();
        self.spilled = 0;
    }

    /// What was gathered. What is still in memory of a spilled object goes to its file: call [`Self::spill`] before, on a thread that may
    /// wait, where [`Self::has_spilled`].
    pub fn take(&mut self) -> io::Result<ObjectBytes> {
        let Some(mut file) = self.file.take() else {
            return Ok(ObjectBytes::Held(self.memory.split().freeze()));
        };
        file.write_all(&self.memory)?;
        self.clear();
        self.memory = BytesMut::new();
        ObjectBytes::file(file)
    }

    /// Whether part of it lies in a file.
    pub fn has_spilled(&self) -> bool {
        self.file.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spooled(bytes: &[u8]) -> ObjectBytes {
        let mut spool = Spool::new(std::env::temp_dir());
        for piece in bytes.chunks(300_000) {
            spool.memory().extend_from_slice(piece);
            if spool.is_full() {
                spool = spool.spill().unwrap();
            }
            assert!(spool.held() < LARGEST_IN_MEMORY);
        }
        assert_eq!(spool.len(), bytes.len() as u64);
        let object = spool.take().unwrap();
        assert!(spool.is_empty() && !spool.has_spilled());
        object
    }

    #[test]
    fn what_is_spooled_comes_back_from_memory_or_from_a_file() {
        for length in [0, 1, LARGEST_IN_MEMORY as usize - 1, LARGEST_IN_MEMORY as usize + 5_000_003] {
            let bytes: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
            let object = spooled(&bytes);
            assert_eq!(matches!(object, ObjectBytes::Held(_)), length < LARGEST_IN_MEMORY as usize);
            assert!(object.to_memory().unwrap() == bytes);
            let from = (length / 3) as u64;
            let pieces: Vec<Bytes> = object.pieces(from).collect::<io::Result<_>>().unwrap();
            assert!(pieces.concat() == bytes[from as usize..]);
            assert!(object.read_at(0..length as u64 + 1).is_err());
        }
    }
    #[test]
    fn another_head_stands_before_the_same_data_set() {
        let long: Vec<u8> = (0..LARGEST_IN_MEMORY as usize + 10).map(|at| (at % 241) as u8).collect();
        for bytes in [&long[..1000], &long[..]] {
            let joined = ObjectBytes::joined(Bytes::from_static(b"head"), spooled(bytes), 7);
            let expected = [b"head", &bytes[7..]].concat();
            assert!(joined.to_memory().unwrap() == expected);
            for range in [0..2, 2..9, 4..5, 3..4, 600..900] {
                assert!(joined.read_at(range.clone()).unwrap() == expected[range.start as usize..range.end as usize]);
            }
        }
    }
}
