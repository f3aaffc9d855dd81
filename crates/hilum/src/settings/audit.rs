//! `[audit]`: where the audit trail goes besides the catalogue.

use std::path::PathBuf;

use hilum_dicom::AeTitle;
use hilum_engine::audit::syslog::{SyslogIdentity, SyslogServer, SyslogSettings};
use serde::Deserialize;

/// The table of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditTable {
    syslog: String,
    authorities: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    source: Option<String>,
}

impl AuditTable {
    /// Relative paths start at the file's folder.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.authorities, &mut self.certificate, &mut self.key].into_iter().filter_map(Option::as_mut)
    }
}

/// The syslog server, where one is configured. The error names the key.
pub(super) fn syslog(table: Option<AuditTable>, ae_title: &AeTitle) -> Result<Option<SyslogSettings>, String> {
    let Some(AuditTable { syslog, authorities, certificate, key, source }) = table else { return Ok(None) };
    let server: SyslogServer = syslog.parse().map_err(|error| format!("audit: syslog = {syslog:?}: {error}"))?;
    if authorities.is_some() && !syslog.starts_with("tls://") {
        return Err("audit: authorities is for a syslog server over tls://".to_owned());
    }
    let identity = match (certificate, key) {
        (None, None) => None,
        (Some(_), Some(_)) if !syslog.starts_with("tls://") => {
            return Err("audit: certificate is for a syslog server over tls://".to_owned());
        }
        (Some(certificate), Some(key)) => Some(SyslogIdentity { certificate, key }),
        (_, key) => {
            let missing = if key.is_some() { "certificate" } else { "key" };
            return Err(format!("audit: {missing} is missing; expected certificate and key, or neither"));
        }
    };
    let source = source.unwrap_or_else(|| ae_title.to_string());
    if source.is_empty() || source.len() > 64 || !source.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("audit: source is 1 to 64 printable ASCII characters without spaces".to_owned());
    }
    Ok(Some(SyslogSettings { server, authorities, identity, source }))
}
