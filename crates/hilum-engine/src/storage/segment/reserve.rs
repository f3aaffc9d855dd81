//! Blocks that a file system sets aside behind a segment's end, many records at a time: finding them for each record costs a third of
//! what it takes to write one (ARCHITECTURE.md).

use std::fs::File;

/// Set aside at a time.
const STEP: u64 = 32 << 20;
/// Where the disk has no more room than this, others need it sooner.
const ROOM: u64 = 64 * STEP;

/// How far blocks are set aside. A help: whether there is room is seen when a record is written.
#[derive(Debug, Default)]
pub(super) enum Reserved {
    /// Up to here.
    #[default]
    Nothing,
    UpTo(u64),
    /// The file system does not do that, or has not enough room.
    Refused,
}

impl Reserved {
    /// Has the file system set blocks aside up to `end` at least. The file keeps its length.
    pub(super) fn reach(&mut self, file: &File, end: u64) {
        let from = match self {
            Self::Nothing => 0,
            Self::UpTo(there) if *there < end => *there,
            Self::UpTo(_) | Self::Refused => return,
        };
        let to = end.next_multiple_of(STEP);
        *self = if set_aside(file, from, to - from) { Self::UpTo(to) } else { Self::Refused };
    }
}

#[cfg(target_os = "linux")]
fn set_aside(file: &File, from: u64, length: u64) -> bool {
    use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
    let room = fstatvfs(file).is_ok_and(|told| told.f_bavail.saturating_mul(told.f_frsize) >= ROOM);
    room && fallocate(file, FallocateFlags::KEEP_SIZE, from, length).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn set_aside(_file: &File, _from: u64, _length: u64) -> bool {
    false
}

/// Gives back what is set aside behind the last record.
pub(super) fn give_back(file: &File) {
    // To cut a file to the length that it has frees the blocks behind it (ext4, XFS).
    let outcome = file.metadata().and_then(|told| file.set_len(told.len()));
    if let Err(error) = outcome {
        tracing::debug!(kind = ?error.kind(), "blocks behind a segment stay set aside");
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn blocks_behind_the_end_are_set_aside_once_a_step_and_given_back() {
        let mut file = tempfile::tempfile().unwrap();
        let mut reserved = Reserved::default();
        let taken = |file: &File| file.metadata().unwrap().blocks() * 512;
        file.write_all(&[7; 10_000]).unwrap();
        reserved.reach(&file, 12_288);
        if matches!(reserved, Reserved::Refused) {
            // A file system without such blocks, or a disk that is nearly full: then it is not tried again.
            reserved.reach(&file, STEP * 2);
            assert!(taken(&file) < STEP);
            return;
        }
        assert_eq!(file.metadata().unwrap().len(), 10_000, "nothing is there yet");
        let once = taken(&file);
        assert!(once >= STEP, "{once}");
        reserved.reach(&file, STEP);
        assert_eq!(taken(&file), once);
        reserved.reach(&file, STEP + 1);
        assert!(taken(&file) >= 2 * STEP);
        give_back(&file);
        assert!(taken(&file) < 100_000 && file.metadata().unwrap().len() == 10_000);
    }
}
