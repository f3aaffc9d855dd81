//! The optimiser's memory on its way out of a trainer and back in, so that a training taken up again gives the bits of an unbroken one.

use std::collections::HashMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{Memory, Optimiser};
use crate::graph::Parameter;
use crate::weights::Tensor;

/// Steps done and what the rule remembers of every parameter that learns; with the weights, all that a training has learnt.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimiserState {
    rule: String,
    steps: u64,
    tensors: Vec<Tensor>,
}

/// Names of the safetensors file: the rule in the metadata, the count as a tensor.
const RULE: &str = "optimiser";
const STEPS: &str = "steps";

impl OptimiserState {
    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// `{parameter}.exp_avg` and `.exp_avg_sq` of Adam, `.momentum_buffer` of SGD, shaped like their parameters; in the order of their
    /// names.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The safetensors file: F32 tensors, the count of steps as an U64 tensor `steps`, the rule as metadata `optimiser`.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, StateError> {
        let format = |e: safetensors::SafeTensorError| StateError::Format(e.to_string());
        let steps = self.steps.to_le_bytes();
        let bytes: Vec<Vec<u8>> =
            self.tensors.iter().map(|t| t.data.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
        let mut views = vec![(STEPS.to_owned(), TensorView::new(Dtype::U64, vec![], &steps).map_err(format)?)];
        for (t, b) in self.tensors.iter().zip(&bytes) {
            views.push((t.name.clone(), TensorView::new(Dtype::F32, t.shape.clone(), b).map_err(format)?));
        }
        safetensors::serialize(views, Some(HashMap::from([(RULE.to_owned(), self.rule.clone())]))).map_err(format)
    }

    /// Reads what [`OptimiserState::to_safetensors`] wrote. Whether it belongs to a training is checked when a trainer takes it.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, StateError> {
        let format = |e: safetensors::SafeTensorError| StateError::Format(e.to_string());
        let file = SafeTensors::deserialize(bytes).map_err(format)?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(format)?;
        let rule = metadata.metadata().as_ref().and_then(|m| m.get(RULE)).cloned();
        let rule = rule.ok_or_else(|| StateError::Format(format!("no {RULE:?} in its metadata")))?;
        let (mut steps, mut tensors) = (None, Vec::new());
        for (name, view) in file.tensors() {
            match (name.as_str(), view.dtype()) {
                (STEPS, Dtype::U64) => steps = view.data().try_into().ok().map(u64::from_le_bytes),
                (_, Dtype::F32) => {
                    let data = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
                    tensors.push(Tensor { name, shape: view.shape().to_vec(), data });
                }
                (_, other) => return Err(StateError::Format(format!("{name} has dtype {other:?}"))),
            }
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        let steps = steps.ok_or_else(|| StateError::Format(format!("no count called {STEPS:?}")))?;
        Ok(Self { rule, steps, tensors })
    }
}

impl Memory {
    pub(crate) fn export(&self, optimiser: &Optimiser, parameters: &[Parameter]) -> OptimiserState {
        let mut tensors = Vec::new();
        for (p, slots) in parameters.iter().zip(&self.slots) {
            for (kind, data) in optimiser.slots().iter().zip(slots.iter().flatten()) {
                tensors.push(Tensor { name: format!("{}.{kind}", p.name), shape: p.shape.clone(), data: data.clone() });
            }
        }
        tensors.sort_by(|a: &Tensor, b| a.name.cmp(&b.name));
        OptimiserState { rule: optimiser.name().to_owned(), steps: self.steps, tensors }
    }

    /// Takes over a saved state, or changes nothing.
    pub(crate) fn import(
        &mut self,
        optimiser: &Optimiser,
        parameters: &[Parameter],
        state: &OptimiserState,
    ) -> Result<(), StateError> {
        if state.rule != optimiser.name() {
            return Err(StateError::Rule { got: state.rule.clone(), expected: optimiser.name() });
        }
        let mut by_name: HashMap<&str, &Tensor> = state.tensors.iter().map(|t| (t.name.as_str(), t)).collect();
        let mut taken = self.slots.clone();
        for (p, slots) in parameters.iter().zip(&mut taken) {
            for (kind, slot) in optimiser.slots().iter().zip(slots.iter_mut().flatten()) {
                let key = format!("{}.{kind}", p.name);
                let tensor = by_name.remove(key.as_str()).ok_or_else(|| StateError::Missing(key.clone()))?;
                if tensor.shape != p.shape || tensor.data.len() != slot.len() {
                    let (got, expected) = (tensor.shape.clone(), p.shape.clone());
                    return Err(StateError::Shape { key, got, expected });
                }
                if tensor.data.iter().any(|v| !v.is_finite()) {
                    return Err(StateError::Value(key));
                }
                slot.clone_from(&tensor.data);
            }
        }
        if let Some(key) = by_name.into_keys().min() {
            return Err(StateError::Unexpected(key.to_owned()));
        }
        (self.slots, self.steps) = (taken, state.steps);
        Ok(())
    }
}

/// Why a saved state cannot be taken up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Not a safetensors file of this kind.
    #[error("optimiser state: not a readable file: {0}")]
    Format(String),
    /// It was saved by another optimiser.
    #[error("optimiser state: it is {got}'s, the training uses {expected}")]
    Rule {
        /// The rule in the file.
        got: String,
        /// The rule of the training.
        expected: &'static str,
    },
    /// A parameter's memory is not there.
    #[error("optimiser state: key {0} is missing")]
    Missing(String),
    /// A tensor that belongs to no parameter.
    #[error("optimiser state: key {0} belongs to no parameter of the network")]
    Unexpected(String),
    /// The shape differs.
    #[error("optimiser state: key {key} has shape {got:?}, the network needs {expected:?}")]
    Shape {
        /// The tensor.
        key: String,
        /// Shape in the file.
        got: Vec<usize>,
        /// Shape of the parameter.
        expected: Vec<usize>,
    },
    /// NaN or infinity.
    #[error("optimiser state: key {0} holds a value that is not finite")]
    Value(String),
}
