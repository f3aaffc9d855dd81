//! A guideline as a file.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::condition::When;

/// One edition of a guideline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guideline {
    /// Name in results.
    pub id: String,
    /// Version of this file, counted up when a value changes.
    pub version: u32,
    /// Title of the guideline.
    pub title: String,
    /// Its edition.
    pub edition: String,
    /// The article to read.
    pub citation: String,
    /// How the values came here.
    pub values_from: String,
    /// Its rules.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

/// One row of a guideline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GuidelineRule)]
pub struct Rule {
    /// Name, unique in its file.
    pub id: String,
    /// What it speaks of.
    pub topic: Topic,
    /// What must be so.
    pub when: When,
    /// What it offers: any of the first list first, then any of the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Vec<Treatment>>,
    /// What it advises against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<Treatment>,
    /// Strength of the recommendation in the guideline's own words, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<String>,
    /// Weeks after which observation is reconsidered, from and to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconsider_weeks: Option<[u32; 2]>,
    /// Its own source, where it is not that of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<String>,
}

/// What a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleTopic)]
pub enum Topic {
    /// What cannot wait.
    Urgency,
    /// Waiting until the stone passes.
    Observation,
    /// Taking the stone away.
    Removal,
    /// Whether shock waves are likely to work.
    Swl,
    /// What the stone is made of.
    Composition,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// Draining the urinary tract now, by stent or nephrostomy.
    Drainage,
    /// Waiting.
    Observation,
    /// Medical expulsive therapy by an alpha-blocker.
    AlphaBlocker,
    /// Removal, by whatever way.
    ActiveRemoval,
    /// Shock wave lithotripsy.
    Swl,
    /// Ureteroscopy.
    Urs,
    /// Percutaneous nephrolithotomy.
    Pcnl,
    /// Ureteroscopy or percutaneous nephrolithotomy.
    Endourology,
    /// Shock waves are likely to work.
    SwlFavourable,
    /// Shock waves are unlikely to work.
    SwlUnlikelyToWork,
    /// The urine's pH is worth knowing.
    AskUrinePh,
}

/// Why a file is not one of rules.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is no TOML, or a field is not one that rules have.
    #[error("the rule file cannot be read: {0}")]
    Toml(Box<toml::de::Error>),
    /// A rule that cannot be meant.
    #[error("rule {rule:?}: {what}")]
    Rule {
        /// The rule, by its name.
        rule: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl FileError {
    pub(super) fn toml(error: toml::de::Error) -> Self {
        Self::Toml(Box::new(error))
    }
}

impl Guideline {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, with line and field.
    pub fn read(text: &str) -> Result<Self, FileError> {
        let guideline: Self = toml::from_str(text).map_err(FileError::toml)?;
        let mut names = HashSet::new();
        for rule in &guideline.rules {
            let wrong = |what| FileError::Rule { rule: rule.id.clone(), what };
            if !names.insert(&rule.id) {
                return Err(wrong("another rule of the file has this name; expected one of its own"));
            }
            if rule.when == When::default() {
                return Err(wrong("`when` asks for nothing, so that it would always apply; expected a condition"));
            }
            if rule.when.ranges().any(|range| range.is_pointless()) {
                return Err(wrong("a range that holds no number, or all; expected above, at_least, below or at_most"));
            }
            if rule.options.iter().any(Vec::is_empty) || rule.options.is_empty() && rule.against.is_empty() {
                return Err(wrong("it offers nothing; expected `options = [[\"urs\"]]` and the like, or `against`"));
            }
        }
        Ok(guideline)
    }
}
