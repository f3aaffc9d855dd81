//! `[ups]`: how work items are kept and performed.

use std::time::Duration;

use hilum_dicom::AeTitle;
use hilum_engine::ups::UpsRules;
use serde::Deserialize;

/// The table of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpsTable {
    perform: Option<bool>,
    deadline_hours: Option<u32>,
    keep_days: Option<u32>,
}

/// Without a table work items for our services are performed, wait a day for their study, and stay a month. The error names the key.
pub(super) fn rules(table: Option<UpsTable>, ae_title: &AeTitle) -> Result<UpsRules, String> {
    let UpsTable { perform, deadline_hours, keep_days } = table.unwrap_or_default();
    let default = UpsRules::default();
    let hours = |hours: u32| Duration::from_hours(u64::from(hours));
    if deadline_hours.is_some_and(|hours| !(1..=8760).contains(&hours)) {
        return Err("ups: deadline_hours is 1 to 8760".to_owned());
    }
    if keep_days.is_some_and(|days| !(1..=3650).contains(&days)) {
        return Err("ups: keep_days is 1 to 3650".to_owned());
    }
    Ok(UpsRules {
        ae_title: ae_title.clone(),
        perform: perform.unwrap_or(default.perform),
        deadline: deadline_hours.map_or(default.deadline, hours),
        keep: keep_days.map_or(default.keep, |days| hours(days * 24)),
    })
}
