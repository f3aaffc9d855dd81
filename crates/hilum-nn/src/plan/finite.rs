//! Where a number that is not finite arose first. Input and output are looked at while they are copied in and out; only when the output holds such a
//! number is the pass run again, and every step's result looked at right after it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::RunError;
use super::layout::{Lowered, Step};
use crate::graph::Graph;
use crate::kernels::bf16::halves;
use crate::kernels::buffer::{Aligned, Format, View};
use crate::kernels::pointwise::all_finite;
use crate::kernels::pool::Pool;
use crate::network::Network;

/// What a step writes, and the layer to name.
pub(super) struct Place {
    layer: String,
    view: View,
}

impl Place {
    /// `None` for the parts of a concatenation, which only move numbers. A layer with others folded into it answers for them.
    pub(super) fn of(step: &Step, lowered: &Lowered, graph: &Graph) -> Option<Self> {
        if matches!(step, Step::Copy { .. }) {
            return None;
        }
        let value = step.node().map_or(step.writes(), |node| node + 1);
        Some(Self { layer: graph.values()[value].name.clone(), view: lowered.view(step.writes()) })
    }

    /// Refuses what the step has written if it holds a number that is not finite.
    pub(super) fn check(&self, arena: &Aligned) -> Result<(), RunError> {
        let Self { layer, view } = self;
        for n in 0..view.n {
            let written = arena[view.at(n, 0)..view.at(n, view.blocks)].iter();
            let guilty = match view.format {
                Format::F32 => written.copied().find(|v| !v.is_finite()),
                Format::Bf16 => written.flat_map(|&pair| halves(pair)).find(|v| !v.is_finite()),
            };
            if let Some(value) = guilty {
                return Err(RunError::Activation { layer: layer.clone(), value: value.to_string() });
            }
        }
        Ok(())
    }
}

/// Refuses values that were handed in.
pub(super) fn check_values(what: &'static str, values: &[f32]) -> Result<(), RunError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(RunError::Value { what, index, value: values[index].to_string() }),
        None => Ok(()),
    }
}

/// Refuses gradients by the last parameter of which one is not finite: backward reaches it first.
pub(super) fn check_gradients(pool: &mut Pool, network: &Network, gradients: &[Vec<f32>]) -> Result<(), RunError> {
    // One more than the last guilty parameter's index.
    let last = AtomicUsize::new(0);
    pool.run(gradients.len(), |i| {
        if !all_finite(&gradients[i]) {
            last.fetch_max(i + 1, Ordering::Relaxed);
        }
    });
    let Some(guilty) = last.into_inner().checked_sub(1) else { return Ok(()) };
    let value = gradients[guilty].iter().find(|g| !g.is_finite()).copied().unwrap_or(f32::NAN);
    Err(RunError::Gradient { key: network.graph().parameters()[guilty].name.clone(), value: value.to_string() })
}
