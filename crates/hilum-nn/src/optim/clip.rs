//! Clipping of gradients.

use serde::{Deserialize, Serialize};

use super::{CHUNK, Memory, OptimiserError, require};
use crate::kernels::pool::Pool;
use crate::reuse::reuse;

/// A stretch of gradients and the sum of its squares.
pub(super) type Part<'a> = (&'a mut [f32], f64);

/// What is done to the gradients before the update: first every value is clipped, then all together are scaled down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clipping {
    /// Every value is brought into `-value..=value` (`torch.nn.utils.clip_grad_value_`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f32>,
    /// Where the Euclidean norm of all gradients together is larger, they are multiplied by `norm / (that + 1e-6)`
    /// (`torch.nn.utils.clip_grad_norm_`; Pascanu, Mikolov and Bengio 2013).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub norm: Option<f32>,
}

impl Clipping {
    pub(super) fn check(&self) -> Result<(), OptimiserError> {
        for (field, bound) in [("clipping.value", self.value), ("clipping.norm", self.norm)] {
            bound.map_or(Ok(()), |b| require(b > 0.0, field, b, "above 0"))?;
        }
        Ok(())
    }

    /// Clips the gradients in place. Returns their norm before scaling where a bound is set for it. Of `memory` it uses memory alone.
    pub(crate) fn apply(&self, pool: &mut Pool, gradients: &mut [Vec<f32>], memory: &mut Memory) -> Option<f64> {
        let mut parts: Vec<Part<'_>> = std::mem::take(&mut memory.parts);
        parts.extend(gradients.iter_mut().flat_map(|g| g.chunks_mut(CHUNK)).map(|part| (part, 0.0)));
        let norm = self.clip(pool, &mut parts);
        memory.parts = reuse(parts);
        norm
    }

    fn clip(&self, pool: &mut Pool, parts: &mut [Part<'_>]) -> Option<f64> {
        if let Some(bound) = self.value {
            pool.each(parts, |_, (part, _)| part.iter_mut().for_each(|g| *g = g.clamp(-bound, bound)));
        }
        let bound = f64::from(self.norm?);
        pool.each(parts, |_, (part, sum)| *sum = part.iter().map(|g| f64::from(*g) * f64::from(*g)).sum());
        let norm = parts.iter().map(|(_, sum)| sum).sum::<f64>().sqrt();
        let scale = (bound / (norm + 1e-6)) as f32;
        if scale < 1.0 {
            pool.each(parts, |_, (part, _)| part.iter_mut().for_each(|g| *g *= scale));
        }
        Some(norm)
    }
}
