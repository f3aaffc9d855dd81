//! The least that a receiver does whose senders lose nothing: it takes instances out of a connection, computes their digests while they come in,
//! appends them to a file, synchronises it and answers. It looks at no data set, keeps no row and could find nothing again. What an archive
//! does beyond that is its own.

pub mod dimse;
pub mod web;

use std::fs::File;
use std::path::Path;
use std::process::Command;

/// A new file. Blocks for so many bytes are set aside, as for whoever takes the least time; where that cannot be, they are found one by one.
fn set_aside(path: &Path, bytes: u64) -> std::io::Result<File> {
    let file = File::create(path)?;
    let length = bytes.to_string();
    let _set_aside = Command::new("fallocate").args(["--keep-size", "--length", &length]).arg(path).status();
    Ok(file)
}
