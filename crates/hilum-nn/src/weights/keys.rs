//! Foreign weights onto a network: keys renamed by rules, then taken where name and shape fit, with a report of what was not.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Tensor, Weights, WeightsError, check};
use crate::network::Network;

/// One rule for keys. In TOML `rule` is the variant in snake case, beside its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyRule {
    /// Takes the prefix off keys that have it (`module.`, `state_dict.`).
    StripPrefix {
        /// The prefix.
        prefix: String,
    },
    /// Puts a prefix before every key.
    AddPrefix {
        /// The prefix.
        prefix: String,
    },
    /// Replaces every occurrence of a text.
    Replace {
        /// What is searched, at least one letter.
        from: String,
        /// What stands there afterwards.
        to: String,
    },
    /// Leaves out keys that begin so.
    DropPrefix {
        /// The prefix.
        prefix: String,
    },
    /// Leaves out keys that end so.
    DropSuffix {
        /// The suffix.
        suffix: String,
    },
}

/// Rules, each applied to every key, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyMap {
    /// The rules.
    #[serde(default, rename = "rule")]
    pub rules: Vec<KeyRule>,
}

impl KeyMap {
    /// The key in the network's words; `None` where a rule leaves it out.
    pub fn key(&self, foreign: &str) -> Option<String> {
        let mut key = foreign.to_owned();
        for rule in &self.rules {
            match rule {
                KeyRule::StripPrefix { prefix } => {
                    if let Some(rest) = key.strip_prefix(prefix.as_str()) {
                        key = rest.to_owned();
                    }
                }
                KeyRule::AddPrefix { prefix } => key = format!("{prefix}{key}"),
                KeyRule::Replace { from, to } if !from.is_empty() => key = key.replace(from, to),
                KeyRule::DropPrefix { prefix } if key.starts_with(prefix) => return None,
                KeyRule::DropSuffix { suffix } if key.ends_with(suffix) => return None,
                KeyRule::Replace { .. } | KeyRule::DropPrefix { .. } | KeyRule::DropSuffix { .. } => {}
            }
        }
        Some(key)
    }
}

/// A tensor whose shape is not the network's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MisShaped {
    /// The key, renamed.
    pub key: String,
    /// Shape of the tensor.
    pub got: Vec<usize>,
    /// Shape of the network's parameter.
    pub expected: Vec<usize>,
}

/// What [`Weights::adopt`] did, every list in the order of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// Parameters taken over.
    pub taken: Vec<String>,
    /// Parameters of the network for which there was no tensor; they stayed as they were.
    pub missing: Vec<String>,
    /// Renamed keys that no layer has.
    pub unexpected: Vec<String>,
    /// Tensors of another shape; their parameters stayed as they were.
    pub mis_shaped: Vec<MisShaped>,
}

impl KeyReport {
    /// Whether every parameter was taken over and nothing was left.
    pub fn complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mis_shaped.is_empty()
    }
}

impl Weights {
    /// Takes over the tensors whose renamed keys and shapes are the network's, of which these weights must be, and reports the rest. Two keys that
    /// become one, and values that no network takes ([`Weights::new`]), are refused; then nothing is changed.
    pub fn adopt(&mut self, network: &Network, tensors: Vec<Tensor>, keys: &KeyMap) -> Result<KeyReport, WeightsError> {
        self.check(network)?;
        let mut by_key: HashMap<String, Tensor> = HashMap::new();
        for tensor in tensors {
            let Some(key) = keys.key(&tensor.name) else { continue };
            if let Some(other) = by_key.insert(key.clone(), tensor) {
                return Err(WeightsError::Twice { key, foreign: other.name });
            }
        }
        let mut report = KeyReport::default();
        let mut taken: Vec<Option<Vec<f32>>> = Vec::new();
        for parameter in network.graph().parameters() {
            let name = parameter.name.clone();
            taken.push(match by_key.remove(&name) {
                Some(tensor) if tensor.shape == parameter.shape => {
                    check(parameter, &tensor)?;
                    report.taken.push(name);
                    Some(tensor.data)
                }
                Some(Tensor { shape: got, .. }) => {
                    let expected = parameter.shape.clone();
                    report.mis_shaped.push(MisShaped { key: name, got, expected });
                    None
                }
                None => {
                    report.missing.push(name);
                    None
                }
            });
        }
        report.unexpected = by_key.into_keys().collect();
        report.taken.sort();
        report.missing.sort();
        report.unexpected.sort();
        report.mis_shaped.sort_by(|a, b| a.key.cmp(&b.key));
        for (own, data) in self.tensors.iter_mut().zip(taken) {
            own.data = data.unwrap_or_else(|| std::mem::take(&mut own.data));
        }
        Ok(report)
    }
}
