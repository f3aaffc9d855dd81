//! What turns gradients into new weights: clipping, then Adam, AdamW or SGD, with a state that can be saved and taken up again.
//!
//! Rules, names of constants and defaults are those of `torch.optim` (2.15); the learning rate is given with every step ([`crate::Schedule`]).

mod adam;
mod clip;
mod sgd;
mod state;

pub use adam::{AdamConfig, AdamWConfig};
pub use clip::Clipping;
pub use sgd::SgdConfig;
pub use state::{OptimiserState, StateError};

use serde::{Deserialize, Serialize};

use crate::kernels::pool::Pool;
use crate::reuse::reuse;
use crate::weights::Tensor;

/// Parameters that one job updates.
const CHUNK: usize = 1 << 14;

/// The rule of the update. In TOML `rule` is the variant in snake case, beside the fields of its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Optimiser {
    /// Adam, its weight decay added to the gradient (`torch.optim.Adam`).
    Adam(AdamConfig),
    /// Adam with decoupled weight decay (`torch.optim.AdamW`).
    #[serde(rename = "adamw")]
    AdamW(AdamWConfig),
    /// Stochastic gradient descent with or without momentum (`torch.optim.SGD`).
    Sgd(SgdConfig),
}

impl From<AdamConfig> for Optimiser {
    fn from(config: AdamConfig) -> Self {
        Self::Adam(config)
    }
}

impl From<AdamWConfig> for Optimiser {
    fn from(config: AdamWConfig) -> Self {
        Self::AdamW(config)
    }
}

impl From<SgdConfig> for Optimiser {
    fn from(config: SgdConfig) -> Self {
        Self::Sgd(config)
    }
}

/// What a training step does with its gradients. An [`Optimiser`] or its configuration alone converts into one without clipping.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The rule.
    pub optimiser: Optimiser,
    /// What is done to the gradients first.
    #[serde(default)]
    pub clipping: Clipping,
}

impl<T: Into<Optimiser>> From<T> for Update {
    fn from(optimiser: T) -> Self {
        Self { optimiser: optimiser.into(), clipping: Clipping::default() }
    }
}

/// A constant of an optimiser or of clipping that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("optimiser: {field} is {value}, expected {expected}")]
pub struct OptimiserError {
    /// The constant.
    pub field: &'static str,
    /// Its value as text.
    pub value: String,
    /// What it should be.
    pub expected: &'static str,
}

fn require(ok: bool, field: &'static str, value: f32, expected: &'static str) -> Result<(), OptimiserError> {
    if ok { Ok(()) } else { Err(OptimiserError { field, value: value.to_string(), expected }) }
}

fn require_share(field: &'static str, value: f32) -> Result<(), OptimiserError> {
    require((0.0..1.0).contains(&value), field, value, "0 to below 1")
}

fn require_amount(field: &'static str, value: f32) -> Result<(), OptimiserError> {
    require(value >= 0.0 && value.is_finite(), field, value, "a number of at least 0")
}

impl Optimiser {
    /// The name in TOML and in saved states.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adam(_) => "adam",
            Self::AdamW(_) => "adamw",
            Self::Sgd(_) => "sgd",
        }
    }

    /// Floats that the rule remembers of every parameter.
    pub(crate) fn memory_len(&self) -> usize {
        self.slots().len()
    }

    /// What the rule remembers of every parameter, under PyTorch's names.
    fn slots(&self) -> &'static [&'static str] {
        match self {
            Self::Adam(_) | Self::AdamW(_) => &["exp_avg", "exp_avg_sq"],
            Self::Sgd(SgdConfig { momentum, .. }) if *momentum > 0.0 => &["momentum_buffer"],
            Self::Sgd(_) => &[],
        }
    }
}

impl Update {
    /// Refuses constants that PyTorch refuses too.
    pub(crate) fn check(&self) -> Result<(), OptimiserError> {
        self.clipping.check()?;
        match self.optimiser {
            Optimiser::Adam(AdamConfig { beta1, beta2, eps, weight_decay })
            | Optimiser::AdamW(AdamWConfig { beta1, beta2, eps, weight_decay }) => {
                require_share("beta1", beta1)?;
                require_share("beta2", beta2)?;
                require_amount("eps", eps)?;
                require_amount("weight_decay", weight_decay)
            }
            Optimiser::Sgd(SgdConfig { momentum, dampening, weight_decay, nesterov }) => {
                require_amount("momentum", momentum)?;
                require(dampening.is_finite(), "dampening", dampening, "a number")?;
                require_amount("weight_decay", weight_decay)?;
                require(!nesterov || momentum > 0.0, "momentum", momentum, "above 0 for Nesterov's")?;
                require(!nesterov || dampening == 0.0, "dampening", dampening, "0 for Nesterov's momentum")
            }
        }
    }
}

/// What the optimiser remembers in the course of a training.
pub(crate) struct Memory {
    /// Steps done.
    pub(crate) steps: u64,
    /// The slots of every parameter that learns, in the order of the weights; `None` for running statistics.
    slots: Vec<Option<Vec<Vec<f32>>>>,
    /// Memory for the jobs of an update and of clipping: empty between steps.
    stretches: Vec<Stretch<'static>>,
    parts: Vec<clip::Part<'static>>,
}

impl Memory {
    /// Empty slots for tensors of these lengths; those that are `None` do not learn.
    pub(crate) fn new(optimiser: &Optimiser, lengths: impl Iterator<Item = Option<usize>>) -> Self {
        let slots = |len: usize| optimiser.slots().iter().map(|_| vec![0.0; len]).collect();
        let slots = lengths.map(|len| len.map(slots)).collect();
        Self { steps: 0, slots, stretches: Vec::new(), parts: Vec::new() }
    }

    /// Floats in all slots.
    pub(crate) fn floats(&self) -> usize {
        self.slots.iter().flatten().flatten().map(Vec::len).sum()
    }
}

/// A stretch of one tensor with its gradient and slots.
struct Stretch<'a> {
    weights: &'a mut [f32],
    gradient: &'a [f32],
    slots: [&'a mut [f32]; 2],
}

impl Optimiser {
    /// One update of all tensors that learn, in place.
    pub(crate) fn update(
        &self,
        pool: &mut Pool,
        tensors: &mut [Tensor],
        gradients: &[Vec<f32>],
        memory: &mut Memory,
        lr: f32,
    ) {
        memory.steps += 1;
        let mut stretches: Vec<Stretch<'_>> = std::mem::take(&mut memory.stretches);
        let learning = tensors
            .iter_mut()
            .zip(gradients)
            .zip(&mut memory.slots)
            .filter_map(|((tensor, gradient), slots)| Some((tensor, gradient, slots.as_mut()?)))
            .flat_map(|(tensor, gradient, slots)| {
                let mut slots = slots.iter_mut().map(|s| s.chunks_mut(CHUNK));
                let (mut first, mut second) = (slots.next(), slots.next());
                let mut next =
                    move || [&mut first, &mut second].map(|s| s.as_mut().and_then(Iterator::next).unwrap_or_default());
                tensor.data.chunks_mut(CHUNK).zip(gradient.chunks(CHUNK)).map(move |(weights, gradient)| Stretch {
                    weights,
                    gradient,
                    slots: next(),
                })
            });
        stretches.extend(learning);
        let steps = memory.steps;
        match *self {
            Self::Adam(config) => adam::update(pool, &mut stretches, config, 1.0, lr, steps),
            Self::AdamW(config) => {
                let keep = 1.0 - lr * config.weight_decay;
                adam::update(pool, &mut stretches, config.without_decay(), keep, lr, steps);
            }
            Self::Sgd(config) => sgd::update(pool, &mut stretches, config, lr, steps),
        }
        memory.stretches = reuse(stretches);
    }
}
