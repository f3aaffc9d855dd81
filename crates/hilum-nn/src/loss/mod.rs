//! Losses on logits, with their gradients: BCE, cross-entropy, focal, Dice, Tversky and weighted sums of them.
//!
//! Sums are made by jobs that are cut by the shape alone and added in a fixed order, so losses have the same bits whatever the number of threads.

mod config;
mod region;
mod sigmoid;
mod softmax;

pub use config::{Activation, Loss, LossConfig, LossError, Scope, Term};

use crate::kernels::pool::Pool;
use crate::plan::{RunError, check_length};

/// Pixels whose sums one job makes; fixed, so that the order of additions does not depend on threads.
const CHUNK: usize = 1 << 13;

/// What the logits of a batch should become. A slice converts into one without weights.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Sigmoid: `[n, channels, h, w]` in 0..=1. Softmax: `[n, h, w]`, the number of the class.
    pub values: &'a [f32],
    /// `[n, h, w]`: multiplies BCE, cross-entropy and focal of each pixel, at least 0. Cross-entropy is divided by the sum of what it was multiplied by
    /// (as `cross_entropy` with class weights), the others by the count (as `binary_cross_entropy_with_logits`). Dice and Tversky know no weights.
    pub weights: Option<&'a [f32]>,
}

impl<'a> From<&'a [f32]> for Target<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self { values, weights: None }
    }
}

impl<'a> From<&'a Vec<f32>> for Target<'a> {
    fn from(values: &'a Vec<f32>) -> Self {
        values.as_slice().into()
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Target<'a> {
    fn from(values: &'a [f32; N]) -> Self {
        values.as_slice().into()
    }
}

/// Extents of the logits, `[images, channels, pixels]`.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) images: usize,
    pub(crate) channels: usize,
    pub(crate) pixels: usize,
}

impl Extent {
    fn chunks(self) -> usize {
        self.pixels.div_ceil(CHUNK)
    }

    /// Pixels of a job's chunk.
    fn chunk(self, index: usize) -> std::ops::Range<usize> {
        index * CHUNK..((index + 1) * CHUNK).min(self.pixels)
    }
}

/// The part of a loss that looks at every element on its own: weights of the terms and their lists.
#[derive(Clone, Copy, Default)]
struct Pointwise<'a> {
    /// BCE or cross-entropy.
    entropy: f32,
    entropy_weights: &'a [f32],
    focal: f32,
    gamma: f32,
    alpha: &'a [f32],
}

/// Memory of a loss, kept from one batch to the next.
#[derive(Default)]
pub(crate) struct Workspace {
    sigmoid: sigmoid::Sums,
    softmax: softmax::Sums,
}

/// `len` defaults, in the memory of what was there.
fn refill<T: Clone + Default>(list: &mut Vec<T>, len: usize) {
    list.clear();
    list.resize(len, T::default());
}

impl Loss {
    fn pointwise(&self) -> Pointwise<'_> {
        let mut found = Pointwise::default();
        for term in &self.terms {
            match term {
                Term::Bce { weight, positive_weights: list } | Term::CrossEntropy { weight, class_weights: list } => {
                    (found.entropy, found.entropy_weights) = (*weight, list);
                }
                Term::Focal { weight, gamma, alpha } => {
                    (found.focal, found.gamma, found.alpha) = (*weight, *gamma, alpha);
                }
                Term::Dice { .. } | Term::Tversky { .. } => {}
            }
        }
        found
    }

    /// Refuses targets and weights of a wrong length or with values that no loss takes.
    pub(crate) fn check_target(&self, target: Target<'_>, extent: Extent) -> Result<(), RunError> {
        let Extent { images, channels, pixels } = extent;
        let softmax = self.activation == Activation::Softmax;
        check_length("target", target.values.len(), images * pixels * if softmax { 1 } else { channels })?;
        if let Some(weights) = target.weights {
            check_length("pixel weights", weights.len(), images * pixels)?;
            if let Some(index) = weights.iter().position(|w| *w < 0.0 || !w.is_finite()) {
                return Err(RunError::PixelWeight { index, value: weights[index].to_string() });
            }
        }
        if !softmax {
            return Ok(());
        }
        let ignore = self.ignore.map(|i| i as f32);
        let bad = |t: &f32| Some(*t) != ignore && (*t as usize >= channels || (*t as usize) as f32 != *t);
        target.values.iter().position(bad).map_or(Ok(()), |index| {
            Err(RunError::Label { index, value: target.values[index].to_string(), classes: channels })
        })
    }

    /// The loss of logits against a target that was checked.
    pub(crate) fn value(
        &self,
        pool: &mut Pool,
        logits: &[f32],
        target: Target<'_>,
        extent: Extent,
        workspace: &mut Workspace,
    ) -> f64 {
        let Workspace { sigmoid, softmax } = workspace;
        match self.activation {
            Activation::Sigmoid => sigmoid.value(self, pool, logits, target, extent),
            Activation::Softmax => softmax.value(self, pool, logits, target, extent),
        }
    }

    /// The loss, and its gradient in place of the logits.
    pub(crate) fn gradient(
        &self,
        pool: &mut Pool,
        logits: &mut [f32],
        target: Target<'_>,
        extent: Extent,
        workspace: &mut Workspace,
    ) -> f64 {
        let Workspace { sigmoid, softmax } = workspace;
        match self.activation {
            Activation::Sigmoid => sigmoid.gradient(self, pool, logits, target, extent),
            Activation::Softmax => softmax.gradient(self, pool, logits, target, extent),
        }
    }

    /// The loss of logits `[images, channels, pixels]` and its gradient, on one thread; trainers do the same on all.
    pub fn of<'a>(
        &self,
        logits: &[f32],
        target: impl Into<Target<'a>>,
        [images, channels, pixels]: [usize; 3],
    ) -> Result<(f64, Vec<f32>), RunError> {
        let (target, extent) = (target.into(), Extent { images, channels, pixels });
        check_length("logits", logits.len(), images * channels * pixels)?;
        if logits.is_empty() {
            return Err(RunError::Length { what: "logits", got: 0, expected: 1 });
        }
        self.check(channels)?;
        self.check_target(target, extent)?;
        let mut gradient = logits.to_vec();
        let mut pool = Pool::new(1).map_err(|e| RunError::Plan(e.to_string()))?;
        let loss = self.gradient(&mut pool, &mut gradient, target, extent, &mut Workspace::default());
        Ok((loss, gradient))
    }
}
