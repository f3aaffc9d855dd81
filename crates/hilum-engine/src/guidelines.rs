//! The rules that are weighed: those of a folder that the configuration names, or those that come with Hilum.

use hilum_clinical::guideline::{Rules, RulesError};
use std::io;
use std::path::{Path, PathBuf};

/// Why the rules of a site cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GuidelinesError {
    /// The folder or a file of it cannot be read.
    #[error("guidelines {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not one of rules.
    #[error("guidelines {folder}: {source}")]
    Rules {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        source: RulesError,
    },
}

/// Reads every `.toml` of the folder, by name; the rules of the program where none is named.
///
/// # Errors
/// The folder or the file, and what is wrong with it.
pub fn open(folder: Option<&Path>) -> Result<Rules, GuidelinesError> {
    let wrong = |source| GuidelinesError::Rules { folder: folder.map(Path::to_owned).unwrap_or_default(), source };
    let Some(folder) = folder else { return Rules::shipped().map_err(wrong) };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push((name, std::fs::read_to_string(&path).map_err(unreadable(&path))?));
        }
    }
    files.sort();
    Rules::read(files).map_err(wrong)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> GuidelinesError {
    |source| GuidelinesError::Read { path: path.to_owned(), source }
}
