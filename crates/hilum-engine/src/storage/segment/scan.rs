//! The records of a segment, one after another, from the file alone.

use super::record::{BLOCK, HEADER, Header, extent};
use crate::storage::ObjectKey;
use hilum_dicom::object_bytes::read_exact_at;
use std::fs::File;
use std::io;
use std::path::Path;

/// A record as it lies in its segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: ObjectKey,
    /// What its header says.
    pub header: Header,
    /// Where it begins.
    pub offset: u64,
}

/// Walks a segment. Holes and torn writes between records are passed over block by block.
#[derive(Debug)]
pub struct Records {
    file: File,
    name: String,
    at: u64,
    length: u64,
    end: u64,
}

impl Records {
    /// Opens a segment.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        Ok(Self { file, name, at: 0, length, end: 0 })
    }

    /// The next record whose header is whole and whose bytes the file reaches over.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        while self.at + HEADER as u64 <= self.length {
            let mut bytes = [0; HEADER];
            read_exact_at(&self.file, &mut bytes, self.at)?;
            let offset = self.at;
            let header = Header::read(&bytes, &self.name, offset);
            let fits = |header: &Header| self.length - offset - HEADER as u64 >= header.length;
            let Some(header) = header.filter(fits) else {
                self.at = self.next_data(offset + BLOCK);
                continue;
            };
            let size = extent(header.length).ok_or(io::ErrorKind::InvalidData)?;
            self.at = offset + size;
            self.end = offset + HEADER as u64 + header.length;
            let key = ObjectKey::record(&self.name, offset, header.length, header.digest);
            return Ok(Some(Record { key, header, offset }));
        }
        Ok(None)
    }

    /// Where the last record found ends; what lies behind it is no record.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether the bytes of a record are those that its header promises.
    pub fn is_whole(&self, record: &Record) -> io::Result<bool> {
        let mut hasher = record.header.digest.hasher();
        let mut at = record.offset + HEADER as u64;
        let end = at + record.header.length;
        let mut buffer = vec![0; 1 << 20];
        while at < end {
            let part = (end - at).min(buffer.len() as u64) as usize;
            read_exact_at(&self.file, &mut buffer[..part], at)?;
            hasher.update(&buffer[..part]);
            at += part as u64;
        }
        Ok(hasher.finish() == record.header.digest)
    }

    /// The first block at or behind `from` that is not a hole.
    #[cfg(target_os = "linux")]
    fn next_data(&self, from: u64) -> u64 {
        use rustix::fs::{SeekFrom, seek};
        match seek(&self.file, SeekFrom::Data(from)) {
            Ok(at) => at / BLOCK * BLOCK,
            Err(rustix::io::Errno::NXIO) => self.length,
            Err(_) => from,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn next_data(&self, from: u64) -> u64 {
        let _holes_are_not_told = &self.file;
        from
    }
}
