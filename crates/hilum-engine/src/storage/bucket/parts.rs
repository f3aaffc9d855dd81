//! A large object in parts, read as they are sent: no more than those under way are in memory.

use super::client::PART;
use crate::storage::StorageError;
use bytes::Bytes;
use hilum_dicom::{ObjectBytes, ObjectDigest, ObjectHasher};
use object_store::PutPayload;
use std::io;

/// Parts of [`PART`] bytes, the last one aside. An object that is not what its digest says ends in an error instead of its last part.
pub(super) struct Parts {
    pieces: Box<dyn Iterator<Item = io::Result<Bytes>> + Send>,
    rest: Bytes,
    /// Of an object that lies elsewhere: it can have changed since its digest was computed.
    hasher: Option<ObjectHasher>,
    digest: ObjectDigest,
}

impl Parts {
    pub(super) fn new(head: Bytes, object: &ObjectBytes, digest: ObjectDigest) -> Self {
        let hasher = matches!(object, ObjectBytes::ByRange(_)).then(|| digest.hasher());
        Self { pieces: Box::new(object.pieces(0)), rest: head, hasher, digest }
    }

    fn part(&mut self) -> io::Result<Vec<Bytes>> {
        let (mut part, mut length) = (Vec::new(), 0);
        loop {
            let taken = self.rest.split_to(self.rest.len().min(PART - length));
            length += taken.len();
            if !taken.is_empty() {
                part.push(taken);
            }
            if length == PART {
                return Ok(part);
            }
            let Some(piece) = self.pieces.next() else { break };
            self.rest = piece?;
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&self.rest);
            }
        }
        if self.hasher.take().is_some_and(|hasher| hasher.finish() != self.digest) {
            return Err(io::Error::other("the object changed while it was read"));
        }
        Ok(part)
    }
}

impl Iterator for Parts {
    type Item = Result<PutPayload, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.part().map_err(StorageError::during("read a large object that is to be kept")) {
            Ok(part) if part.is_empty() => None,
            Ok(part) => Some(Ok(part.into_iter().collect())),
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn parts_are_of_one_size_but_the_last_and_hold_every_byte_once() {
        let bytes: Vec<u8> = (0..PART * 2).map(|at| (at / 7) as u8).collect();
        let head = Bytes::from_static(&[1; 512]);
        let all = [&head[..], &bytes].concat();
        for object in
            [ObjectBytes::from(bytes.clone()), ObjectBytes::ByRange(Arc::new(ObjectBytes::from(bytes.clone())))]
        {
            let parts: Vec<PutPayload> =
                Parts::new(head.clone(), &object, ObjectDigest::of(&bytes)).collect::<Result<_, _>>().unwrap();
            assert_eq!(parts.iter().map(PutPayload::content_length).collect::<Vec<_>>(), [PART, PART, 512]);
            let sent: Vec<u8> = parts.iter().flat_map(|part| part.iter().flatten().copied()).collect();
            assert!(sent == all, "{object:?}");
        }
    }

    #[test]
    fn an_object_that_changed_since_its_digest_was_computed_is_not_sent_to_its_end() {
        let object = ObjectBytes::ByRange(Arc::new(ObjectBytes::from(vec![0; PART])));
        let parts: Vec<_> = Parts::new(Bytes::from_static(&[1; 512]), &object, ObjectDigest::of(b"another")).collect();
        assert!(parts[0].is_ok() && parts.iter().any(Result::is_err));
    }
}
