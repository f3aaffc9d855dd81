//! Normalisation within each image: GroupNorm (Wu and He 2018), of which InstanceNorm (Ulyanov, Vedaldi and Lempitsky 2016) has a group per channel.

use super::Kernels;
use super::buffer::{Aligned, Base, Format, LANES, Sums, View};
use super::norm::{Lanes, NormBlock, PARTIAL, Runs};
use super::pack;
use super::pointwise::{run, run_mut, same_shape};
use super::pool::Pool;

/// A normalisation over a fixed view, with what its backward pass needs.
pub(crate) struct SampleNorm {
    x: View,
    slots: Vec<Option<usize>>,
    per_group: usize,
    eps: f64,
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// By image and block.
    blocks: Vec<NormBlock>,
    origin: Vec<Lanes>,
    partial: Vec<f64>,
    /// Two sums for every channel of the image at hand, then its mean and variance.
    totals: Vec<[f64; 2]>,
    /// The gradients of bias and weight.
    learnt: Vec<[f64; 2]>,
    /// The input's gradient is `by_dy * dy + by_x * x + constant`: these three, by image and block.
    linear: Vec<[Lanes; 3]>,
    /// Block, lane and channel of every lane in use.
    places: Vec<(usize, usize, usize)>,
}

impl SampleNorm {
    /// `lanes`: channels in use per block; their number is a multiple of `groups`.
    pub(crate) fn new(x: View, lanes: &[usize], groups: usize, eps: f64) -> Self {
        let channels: usize = lanes.iter().sum();
        let slots = pack::channels(lanes);
        let place = |(s, c): (usize, &Option<usize>)| c.map(|c| (s / LANES, s % LANES, c));
        let zero = || NormBlock { mean: [0.0; LANES], inv_std: [0.0; LANES], weight: [0.0; LANES], bias: [0.0; LANES] };
        Self {
            x,
            places: slots.iter().enumerate().filter_map(place).collect(),
            slots,
            per_group: channels / groups,
            eps,
            weight: vec![1.0; channels],
            bias: vec![0.0; channels],
            blocks: (0..x.n * x.blocks).map(|_| zero()).collect(),
            origin: vec![[0.0; LANES]; x.n * x.blocks],
            partial: vec![0.0; Runs::of(x).count() * PARTIAL],
            totals: vec![[0.0; 2]; channels],
            learnt: vec![[0.0; 2]; channels],
            linear: vec![[[0.0; LANES]; 3]; x.n * x.blocks],
        }
    }

    /// Takes weight and bias per channel.
    pub(crate) fn load(&mut self, weight: &[f32], bias: &[f32]) {
        self.weight.copy_from_slice(weight);
        self.bias.copy_from_slice(bias);
    }

    /// Adds up the partial sums of one image by channel.
    fn sum_up(&mut self, n: usize) {
        let runs = Runs::of(self.x);
        self.totals.fill([0.0; 2]);
        for job in (0..runs.count()).filter(|&job| runs.get(job).0 == n) {
            let b = runs.get(job).1;
            let sums = &self.partial[job * PARTIAL..(job + 1) * PARTIAL];
            for (l, channel) in self.slots[b * LANES..(b + 1) * LANES].iter().enumerate() {
                if let Some(c) = *channel {
                    self.totals[c][0] += sums[l];
                    self.totals[c][1] += sums[LANES + l];
                }
            }
        }
    }

    /// `y = (x - mean) / sqrt(variance + eps) * weight + bias`.
    pub(crate) fn forward(&mut self, k: &Kernels, pool: &mut Pool, arena: &mut Aligned, y: View) {
        let x = self.x;
        assert!(same_shape(x, y), "shapes differ");
        let base = Base::of(arena, &[x], &[y]);
        let runs = Runs::of(x);
        for (i, origin) in self.origin.iter_mut().enumerate() {
            // SAFETY: the first pixel of a block of a checked view.
            *origin = unsafe { *base.at(x.at(i / x.blocks, i % x.blocks)).cast::<Lanes>() };
        }
        let (origin, sums) = (&self.origin, Sums::of(&mut self.partial, runs.count() * PARTIAL));
        pool.run(runs.count(), |job| {
            let (n, b, first, pixels) = runs.get(job);
            let (from, origin) = (x.at(n, b) + first * LANES, &origin[n * x.blocks + b]);
            // SAFETY: a run of pixels of a checked view; partial sums by job; the table belongs to this processor.
            unsafe { (k.moments)(base.at(from), pixels, origin, sums.of_job::<PARTIAL>(job)) };
        });
        let pixels = x.pixels() as f64;
        for n in 0..x.n {
            self.sum_up(n);
            for &(b, l, c) in &self.places {
                let mean = self.totals[c][0] / pixels;
                let variance = (self.totals[c][1] / pixels - mean * mean).max(0.0);
                self.totals[c] = [mean + f64::from(self.origin[n * x.blocks + b][l]), variance];
            }
            for group in self.totals.chunks_mut(self.per_group) {
                let count = group.len() as f64;
                let mean = group.iter().map(|m| m[0]).sum::<f64>() / count;
                let variance = group.iter().map(|m| m[1] + (m[0] - mean).powi(2)).sum::<f64>() / count;
                group.fill([mean, variance]);
            }
            for &(b, l, c) in &self.places {
                let block = &mut self.blocks[n * x.blocks + b];
                let [mean, variance] = self.totals[c];
                block.mean[l] = mean as f32;
                block.inv_std[l] = (1.0 / (variance + self.eps).sqrt()) as f32;
                (block.weight[l], block.bias[l]) = (self.weight[c], self.bias[c]);
            }
        }
        let blocks = &self.blocks;
        pool.run(runs.count(), |job| {
            let (n, b, first, pixels) = runs.get(job);
            let block = &blocks[n * x.blocks + b];
            let scale: Lanes = std::array::from_fn(|l| block.weight[l] * block.inv_std[l]);
            let shift: Lanes = std::array::from_fn(|l| block.bias[l] - block.mean[l] * scale[l]);
            let at = |v: View| v.at(n, b) + first * LANES;
            // SAFETY: runs of pixels of checked, disjoint views; every job writes its own run.
            unsafe { (k.affine)(base.at(at(x)), base.at(at(y)), pixels, &scale, &shift, false, [Format::F32; 2]) };
        });
    }

    /// The gradients of weight and bias, and where `target` names a view and whether to add, the input's gradient.
    pub(crate) fn backward(
        &mut self,
        k: &Kernels,
        pool: &mut Pool,
        arena: &mut Aligned,
        dy: View,
        target: Option<(View, bool)>,
        dweight: &mut [f32],
        dbias: &mut [f32],
    ) {
        let x = self.x;
        assert!(same_shape(x, dy) && target.is_none_or(|(dx, _)| same_shape(x, dx)), "shapes differ");
        let base = Base::of(arena, &[x, dy], target.map(|t| t.0).as_slice());
        let runs = Runs::of(x);
        let (blocks, sums) = (&self.blocks, Sums::of(&mut self.partial, runs.count() * PARTIAL));
        pool.run(runs.count(), |job| {
            let (n, b, first, pixels) = runs.get(job);
            let at = |v: View| v.at(n, b) + first * LANES;
            let block = &blocks[n * x.blocks + b];
            // SAFETY: runs of pixels of checked views, read only; partial sums by job.
            unsafe {
                (k.grad_sums)(base.at(at(x)), base.at(at(dy)), pixels, block, false, sums.of_job::<PARTIAL>(job));
            };
        });
        self.learnt.fill([0.0; 2]);
        let count = (self.per_group * x.pixels()) as f64;
        for n in 0..x.n {
            self.sum_up(n);
            for (learnt, total) in self.learnt.iter_mut().zip(&self.totals) {
                learnt.iter_mut().zip(total).for_each(|(learnt, total)| *learnt += total);
            }
            let weighted = |c: usize, i: usize| f64::from(self.weight[c]) * self.totals[c][i];
            for &(b, l, c) in &self.places {
                let first = c / self.per_group * self.per_group;
                let mean_of = |i: usize| (first..first + self.per_group).map(|c| weighted(c, i)).sum::<f64>() / count;
                let (mean_d, mean_d_hat) = (mean_of(0), mean_of(1));
                let block = &self.blocks[n * x.blocks + b];
                let (mean, inv) = (f64::from(block.mean[l]), f64::from(block.inv_std[l]));
                let [by_dy, by_x, constant] = &mut self.linear[n * x.blocks + b];
                by_dy[l] = (f64::from(self.weight[c]) * inv) as f32;
                by_x[l] = (-inv * inv * mean_d_hat) as f32;
                constant[l] = (inv * (inv * mean * mean_d_hat - mean_d)) as f32;
            }
        }
        for ((weight, bias), [d, d_hat]) in dweight.iter_mut().zip(dbias).zip(&self.learnt) {
            (*weight, *bias) = (*d_hat as f32, *d as f32);
        }
        let (Some((dx, add)), linear) = (target, &self.linear) else { return };
        pool.run(runs.count(), |job| {
            let (n, b, first, pixels) = runs.get(job);
            let [by_dy, by_x, constant] = &linear[n * x.blocks + b];
            // SAFETY: runs of pixels of checked views; `dx` is disjoint from both; every job writes its own run.
            let (x, dy, dx) = unsafe {
                (
                    run(base, x, n, b, first, pixels),
                    run(base, dy, n, b, first, pixels),
                    run_mut(base, dx, n, b, first, pixels),
                )
            };
            for ((x, dy), dx) in x.chunks_exact(LANES).zip(dy.chunks_exact(LANES)).zip(dx.chunks_exact_mut(LANES)) {
                for l in 0..LANES {
                    let v = by_dy[l] * dy[l] + by_x[l] * x[l] + constant[l];
                    dx[l] = if add { dx[l] + v } else { v };
                }
            }
        });
    }
}
