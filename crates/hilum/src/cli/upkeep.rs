//! The commands that look after a data folder.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Only whether every object is where its row says; the objects are not read
    #[arg(long)]
    pub quick: bool,
    /// Give objects without a row their row again (also all of them, when the catalogue is lost) and set counts right; stop the
    /// server first
    #[arg(long)]
    pub repair: bool,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct BackupArguments {
    /// Folder of the backup, best on another disk; made when it is missing
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// Folder that `hilum backup` wrote
    #[arg(value_name = "DIR")]
    pub backup: PathBuf,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}
