//! What was configured when a server last started with a data folder, so that the audit trail tells what was changed since.

use crate::access::Actor;
use crate::audit::{Action, AuditEvent, Detail, SettingName};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::storage::{StorageError, hex};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// SHA-256 of each key's value, in the data folder: each server that shares a catalogue has its own configuration.
const NOTE: &str = "configuration.json";

impl Engine {
    /// Compares what is configured, by key, with what was at the last start, and writes which keys differ into the audit trail, never what they
    /// are. The caller leaves out what is secret.
    pub async fn note_configuration(&self, values: &BTreeMap<SettingName, String>) -> Result<(), EngineError> {
        let digest = |value: &String| hex(&Sha256::digest(value.as_bytes()));
        let now: BTreeMap<SettingName, String> =
            values.iter().map(|(key, value)| (key.clone(), digest(value))).collect();
        let file = self.data_dir().join(NOTE);
        let before = noted(&file)?;
        if before.as_ref() == Some(&now) {
            return Ok(());
        }
        let code = if before.is_some() { "changed" } else { "noted" };
        let before = before.unwrap_or_default();
        let keys: BTreeSet<&SettingName> = before.keys().chain(now.keys()).collect();
        let settings = keys.into_iter().filter(|key| before.get(*key) != now.get(*key)).cloned().collect();
        let detail = Detail { settings, code: Some(code.into()), ..Detail::default() };
        // Told first: a start that ends in between tells it once more.
        self.audit(AuditEvent::new(Actor::System, Action::ChangeConfiguration).with(detail)).await?;
        Ok(note(&file, &now).map_err(StorageError::during("note the configuration"))?)
    }
}

/// A note that cannot be read is none.
fn noted(file: &Path) -> Result<Option<BTreeMap<SettingName, String>>, EngineError> {
    match fs::read(file) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::during("read the note of the configuration")(error).into()),
    }
}

fn note(file: &Path, values: &BTreeMap<SettingName, String>) -> io::Result<()> {
    let fresh = file.with_extension("new");
    let mut new = File::create(&fresh)?;
    new.write_all(&serde_json::to_vec_pretty(values)?)?;
    new.sync_all()?;
    fs::rename(fresh, file)
}
