//! `[results]`: which objects reports are made into, when, and where those go.

use hilum_dicom::AeTitle;
use hilum_engine::{ResultKind, ResultRules, ResultsWhen};
use serde::Deserialize;

use super::peers::Peers;

/// The table of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultsTable {
    objects: Option<Vec<ResultKind>>,
    #[serde(default)]
    to: Vec<AeTitle>,
    #[serde(default)]
    when: ResultsWhen,
}

/// Without a table every kind of object is made at once and sent nowhere. The error names the key.
pub(super) fn rules(table: Option<ResultsTable>, peers: &Peers) -> Result<ResultRules, String> {
    let Some(ResultsTable { objects, to, when }) = table else { return Ok(ResultRules::default()) };
    let objects = objects.unwrap_or_else(|| ResultKind::ALL.to_vec());
    if let Some(unknown) = to.iter().find(|title| peers.find(title).is_none()) {
        return Err(format!("results: to names {unknown}, which is no [[peers]]"));
    }
    if objects.is_empty() && !to.is_empty() {
        return Err("results: to names peers, and objects is empty: nothing would be sent".to_owned());
    }
    Ok(ResultRules { objects, to, when })
}
