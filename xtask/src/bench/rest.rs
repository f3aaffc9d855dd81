//! The machine between two runs.
//!
//! What the run before has deleted is given back to the disk for seconds after (`discard` of a mount), while synchronisations of whoever
//! comes next take ten times as long. And memory of a virtual machine that its host has not given yet, or has taken back, is waited for page by page
//! when it is touched. Neither is a property of who is measured, and it took a receiver up to three times its processor time, in the
//! kernel's copy of an instance into new pages of a file.

use std::fs::{File, read_to_string};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

/// As much as an instance has.
const BYTES: usize = 528 * 1024;
/// So many synchronisations tell how the disk is.
const PROBED: usize = 40;
/// It is at rest when nine of ten are done within so many times what they took at best.
const AT_REST: f64 = 1.5;
/// Written at a time.
const PIECE: usize = 1024 * 1024;
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What brings the machine to rest.
pub struct Rest {
    /// Written to in place, so that it takes no new block and gives none back.
    file: File,
    /// So much memory is touched, as pages of this file.
    bytes: u64,
    pages: PathBuf,
    /// The least that nine of ten synchronisations took.
    best: Duration,
}

impl Rest {
    /// For runs that keep so many bytes. What the disk can do is the best of some seconds.
    pub fn between(bytes: u64, folder: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).truncate(true).write(true).open(folder.join("disk-probe"))?;
        // They lie in pages of files, and once more in those of client and server.
        let bytes = (2 * bytes).min(available()? / 2);
        file.sync_all()?;
        let mut rest = Self { file, bytes, pages: folder.join("pages"), best: Duration::MAX };
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            rest.best = rest.best.min(rest.nine_of_ten()?);
        }
        Ok(rest)
    }

    /// Waits until the disk is at rest, and has the host give the memory that will be used.
    pub fn come(&mut self) -> anyhow::Result<()> {
        self.disk()?;
        // Pages of a file, as those will be, for others come from elsewhere. It is gone before a byte of it is written to the disk.
        let mut file = File::create(&self.pages)?;
        let piece = vec![0x5A; PIECE];
        (0..self.bytes / PIECE as u64).try_for_each(|_| file.write_all(&piece))?;
        drop(file);
        std::fs::remove_file(&self.pages)?;
        Ok(())
    }

    /// Where it does not come to rest, that is told.
    fn disk(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let took = self.nine_of_ten()?;
            self.best = self.best.min(took);
            if took <= self.best.mul_f64(AT_REST) {
                return Ok(());
            }
            if start.elapsed() > LONGEST_WAIT {
                eprintln!("the disk is not at rest: {took:?} for a synchronisation that took {:?}", self.best);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Within what time nine of ten synchronisations of an instance are done.
    fn nine_of_ten(&self) -> anyhow::Result<Duration> {
        let bytes = vec![0x5A; BYTES];
        let mut took = Vec::with_capacity(PROBED);
        for _ in 0..PROBED {
            let start = Instant::now();
            self.file.write_all_at(&bytes, 0)?;
            self.file.sync_data()?;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        Ok(took[PROBED * 9 / 10])
    }
}

/// Bytes of memory that can be had.
fn available() -> anyhow::Result<u64> {
    let known = read_to_string("/proc/meminfo")?;
    let line = known.lines().find_map(|line| line.strip_prefix("MemAvailable:")).context("MemAvailable")?;
    Ok(1024 * line.trim().trim_end_matches(" kB").parse::<u64>()?)
}
