//! Who else on this machine may read what Hilum keeps.

use std::path::Path;

use hilum_engine::keys::KeyPlace;

use super::Finding;
use crate::{certificate::Place, settings::Settings};

/// Permissions of others, in the words of `chmod`.
const OTHERS: u32 = 0o007;
const GROUP: u32 = 0o070;

pub(super) fn examine(settings: &Settings, data_dir: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tls = settings.tls_source().map(|source| source.place);
    let mut places: Vec<Place> = settings.https().into_iter().chain(tls).collect();
    places.dedup();
    for key in places.iter().map(Place::key) {
        secret("key_readable_by_others", "the private key", &key, &mut findings);
    }
    for file in settings.secret_files() {
        secret("credentials_readable_by_others", "the file with credentials", file, &mut findings);
    }
    if let KeyPlace::File(file) = settings.key_place() {
        secret("key_file_readable_by_others", "the key file", &file, &mut findings);
        if lies_in(&file, data_dir) {
            findings.push(Finding::warning(
                "keys_beside_data",
                format!("the key file {} lies in the data folder: whoever copies one copies both", file.display()),
                "move it to another disk or folder, name it with key_file in the configuration file, and keep a copy of it apart from the backups",
            ));
        }
    }
    match mode(data_dir) {
        None => findings.push(Finding::note(
            "no_data_folder",
            format!("there is no data folder {} yet", data_dir.display()),
            "name yours with --data; `hilum serve` makes it",
        )),
        Some(mode) if mode & OTHERS != 0 => findings.push(Finding::serious(
            "data_folder_readable_by_others",
            format!("every account of this machine may look into the data folder {} ({mode:04o})", data_dir.display()),
            format!("chmod 700 {}", data_dir.display()),
        )),
        Some(_) => {}
    }
    findings
}

/// Whether there is such a file below the folder, whatever links lead there.
fn lies_in(file: &Path, folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(file).zip(real(folder)).is_some_and(|(file, folder)| file.starts_with(folder))
}

fn secret(code: &'static str, what: &str, file: &Path, findings: &mut Vec<Finding>) {
    let Some(mode) = mode(file) else { return };
    let advice = format!("chmod 600 {}", file.display());
    if mode & OTHERS != 0 {
        let text =
            format!("{what} {} may be read or changed by every account of this machine ({mode:04o})", file.display());
        findings.push(Finding::serious(code, text, advice));
    } else if mode & GROUP != 0 {
        let text = format!("{what} {} may be read or changed by a group ({mode:04o})", file.display());
        findings.push(Finding::warning(code, text, advice));
    }
}

/// Permission bits; none where nothing is there, or the system has none.
fn mode(path: &Path) -> Option<u32> {
    let metadata = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
    #[cfg(not(unix))]
    let mode = u32::from(metadata.is_file()) * 0o600;
    Some(mode)
}
