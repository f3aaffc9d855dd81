//! `[catalogue]`: where the catalogue is kept.

use std::fmt;

use hilum_engine::CataloguePlace;
use serde::Deserialize;

/// The table of the file. The address may hold a password, so that nothing shows it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatalogueTable {
    url: String,
}

impl fmt::Debug for CatalogueTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CatalogueTable")
    }
}

impl CatalogueTable {
    /// Whether the address holds one (RFC 3986 3.2.1, or as a parameter).
    pub(super) fn has_password(&self) -> bool {
        let authority = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let user = authority.split_once('@').map_or("", |(user, _)| user);
        user.contains(':') || self.url.contains("password=")
    }
}

/// In the data folder, unless the file names a server. The error names the key.
pub(super) fn place(table: Option<CatalogueTable>) -> Result<CataloguePlace, String> {
    let Some(CatalogueTable { url }) = table else { return Ok(CataloguePlace::Folder) };
    url.parse().map(CataloguePlace::Server).map_err(|error| format!("catalogue: url: {error}"))
}
