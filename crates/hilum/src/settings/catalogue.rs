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

/// In the data folder, unless the file names a server. The error names the key.
pub(super) fn place(table: Option<CatalogueTable>) -> Result<CataloguePlace, String> {
    let Some(CatalogueTable { url }) = table else { return Ok(CataloguePlace::Folder) };
    url.parse().map(CataloguePlace::Server).map_err(|error| format!("catalogue: url: {error}"))
}
