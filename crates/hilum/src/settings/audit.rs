//! `[audit]`: where the audit trail goes besides the catalogue.

use std::path::PathBuf;

use hilum_dicom::AeTitle;
use hilum_engine::audit::syslog::{SyslogServer, SyslogSettings};
use serde::Deserialize;

/// The table of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditTable {
    syslog: String,
    authorities: Option<PathBuf>,
    source: Option<String>,
}

impl AuditTable {
    /// Relative paths start at the file's folder.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.authorities.as_mut().into_iter()
    }
}

/// The syslog server, where one is configured. The error names the key.
pub(super) fn syslog(table: Option<AuditTable>, ae_title: &AeTitle) -> Result<Option<SyslogSettings>, String> {
    let Some(AuditTable { syslog, authorities, source }) = table else { return Ok(None) };
    let server: SyslogServer = syslog.parse().map_err(|error| format!("audit: syslog = {syslog:?}: {error}"))?;
    if authorities.is_some() && !syslog.starts_with("tls://") {
        return Err("audit: authorities is for a syslog server over tls://".to_owned());
    }
    let source = source.unwrap_or_else(|| ae_title.to_string());
    if source.is_empty() || source.len() > 64 || !source.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("audit: source is 1 to 64 printable ASCII characters without spaces".to_owned());
    }
    Ok(Some(SyslogSettings { server, authorities, source }))
}
