//! How far a plan's results are from those in f32.

use super::{CompileError, Computation, Inference, Options, Precision, RunError, VolumeShape};
use crate::network::Network;
use crate::weights::Weights;

/// The difference of a computation from the one in f32 over the same inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Parity {
    /// Over all values of the output.
    pub all: Difference,
    /// By channel of the output.
    pub channels: Vec<Difference>,
}

/// A difference between two sets of values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// Root mean square of the values in f32, the unit of the two that follow; 1 where all are zero.
    pub unit: f64,
    /// Largest difference.
    pub max: f64,
    /// Root mean square of the differences.
    pub rms: f64,
    /// Share of the values on the same side of the threshold.
    pub agreement: f64,
    /// Dice coefficient of the two masks of values above the threshold; 1 where both are empty.
    pub dice: f64,
}

/// Why two computations could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParityError {
    /// One of them cannot be planned.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// One of them refused an input.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Sums from which a [`Difference`] is made.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    square: f64,
    difference_square: f64,
    max: f64,
    same_side: f64,
    both: f64,
    above: f64,
}

impl Sums {
    fn add(&mut self, reference: &[f32], other: &[f32], threshold: f32) {
        for (&a, &b) in reference.iter().zip(other) {
            let difference = f64::from(b) - f64::from(a);
            let [over, other_over] = [a, b].map(|v| v > threshold);
            self.count += 1.0;
            self.square += f64::from(a).powi(2);
            self.difference_square += difference.powi(2);
            self.max = self.max.max(difference.abs());
            self.same_side += f64::from(u8::from(over == other_over));
            self.both += f64::from(u8::from(over && other_over));
            self.above += f64::from(u8::from(over)) + f64::from(u8::from(other_over));
        }
    }

    fn difference(&self) -> Difference {
        let root = (self.square / self.count).sqrt();
        let unit = if root > 0.0 { root } else { 1.0 };
        Difference {
            unit,
            max: self.max / unit,
            rms: (self.difference_square / self.count).sqrt() / unit,
            agreement: self.same_side / self.count,
            dice: if self.above > 0.0 { 2.0 * self.both / self.above } else { 1.0 },
        }
    }
}

impl Parity {
    /// Runs every input (`[n, c, h, w]` or `[n, c, d, h, w]`) in f32 and by `computation`, both with the algorithm that it names, and compares the
    /// results; `threshold` makes masks of them. Errors: what either plan refuses.
    pub fn measure<'a>(
        network: &Network,
        weights: &Weights,
        shape: impl Into<VolumeShape>,
        options: Options,
        computation: &Computation,
        inputs: impl IntoIterator<Item = &'a [f32]>,
        threshold: f32,
    ) -> Result<Self, ParityError> {
        let shape = shape.into();
        let reference = Computation { precision: Precision::F32, ..computation.clone() };
        let mut plans = Vec::new();
        for computation in [&reference, computation] {
            plans.push(Inference::compile_with(network, weights, shape, options, computation.clone())?);
        }
        let out = plans[0].output_shape();
        let pixels = out.d * out.h * out.w;
        let mut results = [0, 1].map(|_| vec![0.0; shape.n * out.c * pixels]);
        let mut sums = vec![Sums::default(); out.c + 1];
        for input in inputs {
            for (plan, result) in plans.iter_mut().zip(&mut results) {
                plan.forward(input, result)?;
            }
            let [reference, other] = &results;
            sums[out.c].add(reference, other, threshold);
            for (i, (a, b)) in reference.chunks_exact(pixels).zip(other.chunks_exact(pixels)).enumerate() {
                sums[i % out.c].add(a, b, threshold);
            }
        }
        let mut channels: Vec<Difference> = sums.iter().map(Sums::difference).collect();
        let all = channels.pop().unwrap_or_default();
        Ok(Self { all, channels })
    }
}
