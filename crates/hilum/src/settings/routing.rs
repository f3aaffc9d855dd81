//! `[[rules]]` and `[[pull]]`: where instances go, and what is fetched by itself.

use std::time::Duration;

use hilum_dicom::{AeTitle, matching::Pattern};
use hilum_engine::{
    AcceptError, InstitutionCode, Zone,
    routing::{Rule, Rules},
};
use serde::Deserialize;

use super::peers::Peers;

/// One `[[rules]]` of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleEntry {
    source: Option<String>,
    #[serde(default)]
    modality: Vec<String>,
    description: Option<String>,
    zone: Option<Zone>,
    institution: Option<InstitutionCode>,
    #[serde(default)]
    forward: Vec<AeTitle>,
}

/// The error names the rule and its key.
pub(super) fn rules(entries: Vec<RuleEntry>, peers: &Peers) -> Result<Rules, String> {
    let rules = entries.into_iter().zip(1..).map(|(entry, number)| {
        let RuleEntry { source, modality, description, zone, institution, forward } = entry;
        if zone == Some(Zone::Research) {
            return Err(format!("rules: rule {number}: zone: {}", AcceptError::ResearchZoneNeedsDeidentification));
        }
        if institution.is_none() && forward.is_empty() {
            return Err(format!("rules: rule {number} says neither institution nor forward: it would change nothing"));
        }
        if let Some(unknown) = forward.iter().find(|title| peers.find(title).is_none()) {
            return Err(format!("rules: rule {number}: forward names {unknown}, which is no [[peers]]"));
        }
        Ok(Rule {
            source: source.map(|source| Pattern::new(&source)),
            modality,
            description: description.map(|description| Pattern::new(&description.to_lowercase())),
            institution,
            forward,
        })
    });
    rules.collect::<Result<Vec<_>, _>>().map(Rules::new)
}

/// One `[[pull]]` of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PullEntry {
    peer: AeTitle,
    every_minutes: Option<u64>,
    modality: Option<String>,
    description: Option<String>,
    patients: Option<Patients>,
    days_back: Option<u16>,
    most_studies: Option<u64>,
}

/// Whose studies are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Patients {
    /// Everybody's.
    #[default]
    All,
    /// Those of the patients on our worklist: what was made of them before.
    Worklist,
}

/// What is fetched from a peer by itself, again and again.
#[derive(Clone, Debug)]
pub struct Pull {
    /// From whom.
    pub peer: AeTitle,
    /// How long after one turn the next one begins.
    pub every: Duration,
    /// Modalities in Study.
    pub modality: Option<String>,
    /// Study Description, with wild cards.
    pub description: Option<String>,
    /// Whose.
    pub patients: Patients,
    /// How old studies may be: 0 is today alone. Of any age where not given.
    pub days_back: Option<u16>,
    /// Studies that one turn fetches at most.
    pub most_studies: u64,
}

/// The error names the key.
pub(super) fn pulls(entries: Vec<PullEntry>, peers: &Peers) -> Result<Vec<Pull>, String> {
    let pulls = entries.into_iter().map(|entry| {
        let PullEntry { peer, every_minutes, modality, description, patients, days_back, most_studies } = entry;
        let patients = patients.unwrap_or_default();
        if peers.find(&peer).is_none() {
            return Err(format!("pull: peer names {peer}, which is no [[peers]]"));
        }
        let every_minutes = every_minutes.unwrap_or(15);
        if !(1..=60 * 24 * 7).contains(&every_minutes) {
            return Err(format!("pull: {peer}: every_minutes is 1 to 10080"));
        }
        Ok(Pull {
            peer,
            every: Duration::from_secs(every_minutes * 60),
            modality,
            description,
            patients,
            days_back: days_back.or((patients == Patients::All).then_some(1)),
            most_studies: most_studies.unwrap_or(50),
        })
    });
    pulls.collect()
}
