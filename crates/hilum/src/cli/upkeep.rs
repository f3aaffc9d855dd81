//! The commands that look after a data folder.

use std::path::PathBuf;

use clap::Args;
use hilum_engine::{InstitutionCode, export::FileSetId};

use super::KeyArguments;

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
#[command(after_help = "Exit codes: 0 nothing serious, 1 something is, 2 the call is wrong.")]
pub struct DoctorArguments {
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// Also ask the OpenID providers what they say of themselves; nothing is sent anywhere without this
    #[arg(long)]
    pub ask_providers: bool,
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
    /// Go on although keys of the backup are missing; what is encrypted with them cannot be read then
    #[arg(long)]
    pub without_keys: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = EXPORT_HELP)]
pub struct ExportArguments {
    /// Folder of the file-set: a new or empty one, or one of an earlier export of the same studies
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub keys: KeyArguments,
    /// File-set ID in the DICOMDIR: at most 16 of A-Z, 0-9 and underscore
    #[arg(long, value_name = "ID", default_value = "HILUM")]
    pub file_set_id: FileSetId,
    /// Institution that the studies belong to
    #[arg(long, value_name = "CODE", default_value = InstitutionCode::LOCAL)]
    pub institution: InstitutionCode,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

const EXPORT_HELP: &str = "\
Whole studies are exported, those that all the keys given match; --series takes one series of --study. Files are the bytes as they were
received, in DICOM/<study>/<series>/<instance> under the folder, named by hashes of the UIDs (PS3.10 8.2). The DICOMDIR is written last:
what it names is whole and durable. Stopped by Ctrl-C or cut off, the same command goes on where it stopped; run again, it changes
nothing, and adds what has come in since. Nothing is ever removed from the folder, and one that holds anything else is refused.

The files hold the patients' names and whatever else their senders wrote into them; the DICOMDIR repeats some of it.

Examples:
  hilum export /media/disc --study 1.2.410.200001.1
  hilum export ct-november --date 20261101-20261130 --modality CT";
