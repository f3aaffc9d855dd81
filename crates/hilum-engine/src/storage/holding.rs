//! Everything that is kept, one store after another, from the stores alone: what `hilum check` walks.

use super::bucket::{Bucket, Walk};
use super::segment::{self, Records};
use super::{ObjectKey, Storage, StorageError};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A part of what is kept.
#[derive(Debug)]
pub struct Holding {
    name: String,
    of: Of,
}

#[derive(Debug)]
enum Of {
    Segment(PathBuf),
    Bucket(Arc<Bucket>),
}

/// The objects of a holding, one after another.
#[derive(Debug)]
pub struct Objects {
    quick: bool,
    of: Walked,
}

#[derive(Debug)]
enum Walked {
    Segment(Records),
    Bucket(Walk),
}

/// An object as it lies in its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its key.
    pub key: ObjectKey,
    /// Bytes as received.
    pub length: u64,
    /// Its bytes are those that came in.
    pub whole: bool,
}

impl Storage {
    /// What there is to walk: segments in order of names, then the bucket.
    pub fn holdings(&self) -> Result<Vec<Holding>, StorageError> {
        let named = |path: PathBuf| Holding {
            name: path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned(),
            of: Of::Segment(path),
        };
        let mut holdings: Vec<Holding> = self.segment_files()?.into_iter().map(named).collect();
        let bucket = |bucket: &Arc<Bucket>| Holding { name: "bucket".to_owned(), of: Of::Bucket(Arc::clone(bucket)) };
        holdings.extend(self.bucket.as_ref().map(bucket));
        Ok(holdings)
    }

    fn segment_files(&self) -> Result<Vec<PathBuf>, StorageError> {
        let failed = || StorageError::during("list the segments");
        let folder = match fs::read_dir(self.root.join(segment::FOLDER)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(failed())?,
        };
        let paths = folder.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
        let mut paths = paths.map_err(failed())?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == segment::EXTENSION));
        paths.sort();
        Ok(paths)
    }
}

impl Holding {
    /// Its name, for whoever looks after the data folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins at the first object. Where `quick` says so the bytes are not read, and what is as long as it should be counts as whole.
    /// Blocks on the store.
    pub fn open(self, quick: bool) -> Result<Objects, StorageError> {
        let of = match self.of {
            Of::Segment(file) => Walked::Segment(Records::open(&file).map_err(StorageError::during("open a segment"))?),
            Of::Bucket(bucket) => Walked::Bucket(bucket.walk(quick)),
        };
        Ok(Objects { quick, of })
    }
}

impl Objects {
    /// The next object. Blocks on the store, on a thread that may.
    pub fn next_object(&mut self) -> Result<Option<Found>, StorageError> {
        let records = match &mut self.of {
            Walked::Segment(records) => records,
            Walked::Bucket(walk) => return walk.next_object(),
        };
        let failed = || StorageError::during("read a segment");
        let Some(record) = records.next_record().map_err(failed())? else { return Ok(None) };
        let whole = self.quick || records.is_whole(&record).map_err(failed())?;
        Ok(Some(Found { length: record.header.length, key: record.key, whole }))
    }
}
