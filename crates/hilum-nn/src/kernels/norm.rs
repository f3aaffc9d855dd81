//! BatchNorm with an optional ReLU in the same pass, forward and backward, and sums per channel.

use super::Kernels;
use super::buffer::{Aligned, Base, Format, LANES, Sums, View};
use super::pool::Pool;
use super::simd::{Number, Simd, sub_vectors};

/// Pixels of one job.
const JOB_PIXELS: usize = 4096;
/// Pixels whose sums are kept in f32 before they are added in f64.
const F32_PIXELS: usize = 256;
/// Two f64 sums for each of 16 channels.
pub(crate) const PARTIAL: usize = 2 * LANES;

/// Per-channel constants of one block.
pub(crate) type Lanes = [f32; LANES];

/// Jobs over (image, block, run of pixels) of a view.
#[derive(Clone, Copy)]
pub(crate) struct Runs {
    view: View,
    per_plane: usize,
}

impl Runs {
    pub(crate) fn of(view: View) -> Self {
        Self { view, per_plane: view.pixels().div_ceil(JOB_PIXELS) }
    }

    pub(crate) fn count(&self) -> usize {
        self.view.n * self.view.blocks * self.per_plane
    }

    /// The jobs of one block, in order.
    fn of_block(self, block: usize) -> impl Iterator<Item = usize> {
        (0..self.view.n).flat_map(move |n| {
            let first = (n * self.view.blocks + block) * self.per_plane;
            first..first + self.per_plane
        })
    }

    /// Image, block, first pixel and number of pixels.
    pub(crate) fn get(&self, job: usize) -> (usize, usize, usize, usize) {
        let (plane, run) = (job / self.per_plane, job % self.per_plane);
        let first = run * JOB_PIXELS;
        (plane / self.view.blocks, plane % self.view.blocks, first, JOB_PIXELS.min(self.view.pixels() - first))
    }
}

/// f64 values of partial sums that a reduction over `view` needs.
pub(crate) fn partial_len(view: View) -> usize {
    Runs::of(view).count() * PARTIAL
}

/// Sums of `x - shift` and of its square over `pixels` pixels.
///
/// # Safety
/// `x` is valid for `pixels * 16` floats.
#[inline(always)]
pub(crate) unsafe fn moments<S: Simd>(x: *const f32, pixels: usize, shift: &Lanes, out: &mut [f64; PARTIAL]) {
    // SAFETY: the caller's promise; `shift` and the local arrays hold 16 lanes.
    unsafe {
        *out = [0.0; PARTIAL];
        let mut first = 0;
        while first < pixels {
            let count = F32_PIXELS.min(pixels - first);
            for sub in sub_vectors!(S) {
                let base = x.add(first * LANES + sub);
                let shift = S::load(shift.as_ptr().add(sub));
                let (mut s, mut q) = ([S::zero(); 4], [S::zero(); 4]);
                let mut p = 0;
                while p + 4 <= count {
                    for k in 0..4 {
                        let v = S::sub(S::load(base.add((p + k) * LANES)), shift);
                        s[k] = S::add(s[k], v);
                        q[k] = S::fma(v, v, q[k]);
                    }
                    p += 4;
                }
                while p < count {
                    let v = S::sub(S::load(base.add(p * LANES)), shift);
                    s[0] = S::add(s[0], v);
                    q[0] = S::fma(v, v, q[0]);
                    p += 1;
                }
                collect::<S>(s, q, sub, out);
            }
            first += count;
        }
    }
}

/// # Safety
/// The processor has the instruction set of `S`.
#[inline(always)]
unsafe fn collect<S: Simd>(s: [S::V; 4], q: [S::V; 4], sub: usize, out: &mut [f64; PARTIAL]) {
    // SAFETY: stores go to local arrays of 16 lanes.
    unsafe {
        let (mut a, mut b) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        S::store(a.as_mut_ptr(), S::add(S::add(s[0], s[1]), S::add(s[2], s[3])));
        S::store(b.as_mut_ptr(), S::add(S::add(q[0], q[1]), S::add(q[2], q[3])));
        for l in 0..S::L {
            out[sub + l] += f64::from(a[l]);
            out[LANES + sub + l] += f64::from(b[l]);
        }
    }
}

/// `y = x * scale + shift`, then ReLU if asked; `x` and `y` in the two formats.
///
/// # Safety
/// `x` and `y` are valid for `pixels` pixels and do not overlap.
#[inline(always)]
pub(crate) unsafe fn affine<S: Simd, N: Number<S>>(
    x: *const f32,
    y: *mut f32,
    pixels: usize,
    scale: &Lanes,
    shift: &Lanes,
    relu: bool,
    [from, to]: [Format; 2],
) {
    // SAFETY: the caller's promise.
    unsafe {
        for sub in sub_vectors!(S) {
            let (x, y) = (x.add(N::before(from, sub)), y.add(N::before(to, sub)));
            let (scale, shift) = (S::load(scale.as_ptr().add(sub)), S::load(shift.as_ptr().add(sub)));
            for p in 0..pixels {
                let v = S::fma(N::load(x.add(p * N::pixel(from)), from), scale, shift);
                N::store(y.add(p * N::pixel(to)), if relu { S::max(S::zero(), v) } else { v }, to);
            }
        }
    }
}

/// What the backward pass knows of one block: `x_hat = (x - mean) * inv_std`, `y = x_hat * weight + bias`.
pub(crate) struct NormBlock {
    pub(crate) mean: Lanes,
    pub(crate) inv_std: Lanes,
    pub(crate) weight: Lanes,
    pub(crate) bias: Lanes,
}

/// Sums of `d` and of `d * x_hat`, where `d` is `dy` with ReLU's mask.
///
/// # Safety
/// `x` and `dy` are valid for `pixels * 16` floats.
#[inline(always)]
pub(crate) unsafe fn grad_sums<S: Simd>(
    x: *const f32,
    dy: *const f32,
    pixels: usize,
    block: &NormBlock,
    relu: bool,
    out: &mut [f64; PARTIAL],
) {
    // SAFETY: the caller's promise; the blocks' arrays hold 16 lanes.
    unsafe {
        *out = [0.0; PARTIAL];
        let mut first = 0;
        while first < pixels {
            let count = F32_PIXELS.min(pixels - first);
            for sub in sub_vectors!(S) {
                let (x, dy) = (x.add(first * LANES + sub), dy.add(first * LANES + sub));
                let (mean, inv) = (S::load(block.mean.as_ptr().add(sub)), S::load(block.inv_std.as_ptr().add(sub)));
                let (weight, bias) = (S::load(block.weight.as_ptr().add(sub)), S::load(block.bias.as_ptr().add(sub)));
                let (mut s, mut q) = ([S::zero(); 4], [S::zero(); 4]);
                let term = |p: usize| {
                    let hat = S::mul(S::sub(S::load(x.add(p * LANES)), mean), inv);
                    let d = S::load(dy.add(p * LANES));
                    (if relu { S::where_positive(S::fma(hat, weight, bias), d) } else { d }, hat)
                };
                let mut p = 0;
                while p + 4 <= count {
                    for k in 0..4 {
                        let (d, hat) = term(p + k);
                        s[k] = S::add(s[k], d);
                        q[k] = S::fma(d, hat, q[k]);
                    }
                    p += 4;
                }
                while p < count {
                    let (d, hat) = term(p);
                    s[0] = S::add(s[0], d);
                    q[0] = S::fma(d, hat, q[0]);
                    p += 1;
                }
                collect::<S>(s, q, sub, out);
            }
            first += count;
        }
    }
}

/// `dx = weight * inv_std * (d - mean_d - x_hat * mean_dx_hat)`; `dx` may be `dy`.
///
/// # Safety
/// `x`, `dy` and `dx` are valid for `pixels * 16` floats; `dx` equals `dy` or overlaps neither.
#[inline(always)]
pub(crate) unsafe fn grad_apply<S: Simd>(
    x: *const f32,
    dy: *const f32,
    dx: *mut f32,
    pixels: usize,
    block: &NormBlock,
    means: &[Lanes; 2],
    relu: bool,
    add: bool,
) {
    // SAFETY: the caller's promise; the blocks' arrays hold 16 lanes.
    unsafe {
        for sub in sub_vectors!(S) {
            let (mean, inv) = (S::load(block.mean.as_ptr().add(sub)), S::load(block.inv_std.as_ptr().add(sub)));
            let (weight, bias) = (S::load(block.weight.as_ptr().add(sub)), S::load(block.bias.as_ptr().add(sub)));
            let (mean_d, mean_q) = (S::load(means[0].as_ptr().add(sub)), S::load(means[1].as_ptr().add(sub)));
            let factor = S::mul(weight, inv);
            for p in 0..pixels {
                let at = p * LANES + sub;
                let hat = S::mul(S::sub(S::load(x.add(at)), mean), inv);
                let mut d = S::load(dy.add(at));
                if relu {
                    d = S::where_positive(S::fma(hat, weight, bias), d);
                }
                let mut v = S::mul(factor, S::sub(S::sub(d, mean_d), S::mul(hat, mean_q)));
                if add {
                    v = S::add(v, S::load(dx.add(at)));
                }
                S::store(dx.add(at), v);
            }
        }
    }
}

/// The statistics that training keeps from forward to backward, one entry per block.
pub(crate) struct Statistics {
    pub(crate) blocks: Vec<NormBlock>,
    /// Biased variance, as normalisation uses it.
    pub(crate) variance: Vec<Lanes>,
    /// From where on sums go.
    origin: Vec<Lanes>,
    /// Of the gradient, and of it times the normalised numbers.
    means: Vec<[Lanes; 2]>,
}

impl Statistics {
    pub(crate) fn new(blocks: usize) -> Self {
        let zero = || NormBlock { mean: [0.0; LANES], inv_std: [0.0; LANES], weight: [0.0; LANES], bias: [0.0; LANES] };
        Self {
            blocks: (0..blocks).map(|_| zero()).collect(),
            variance: vec![[0.0; LANES]; blocks],
            origin: vec![[0.0; LANES]; blocks],
            means: vec![[[0.0; LANES]; 2]; blocks],
        }
    }
}

impl Statistics {
    /// Takes over what another normalisation has found over the same numbers: its first blocks, weights and biases apart.
    pub(crate) fn take_over(&mut self, other: &Self, blocks: usize) {
        for (block, from) in self.blocks.iter_mut().zip(&other.blocks).take(blocks) {
            (block.mean, block.inv_std) = (from.mean, from.inv_std);
        }
        self.variance[..blocks].copy_from_slice(&other.variance[..blocks]);
    }
}

/// Adds up the partial sums of a block over images and runs, in order.
fn block_sums(runs: Runs, partial: &[f64], block: usize) -> [f64; PARTIAL] {
    let mut total = [0.0; PARTIAL];
    for job in runs.of_block(block) {
        for (t, v) in total.iter_mut().zip(&partial[job * PARTIAL..(job + 1) * PARTIAL]) {
            *t += v;
        }
    }
    total
}

/// Batch statistics of the blocks of `x` from `first` on into `stats` (mean, inverse standard deviation, biased variance); those before it are there.
pub(crate) fn batch_statistics(
    k: &Kernels,
    pool: &mut Pool,
    arena: &mut Aligned,
    partial: &mut [f64],
    x: View,
    first: usize,
    eps: f64,
    stats: &mut Statistics,
) {
    if first == x.blocks {
        return;
    }
    let x = x.part(first, x.blocks - first);
    let base = Base::of(arena, &[x], &[]);
    let runs = Runs::of(x);
    // The first pixel of the batch as origin: without it, a mean far from zero would eat the variance's digits.
    let Statistics { blocks, variance: variances, origin, .. } = stats;
    for (b, origin) in origin[..x.blocks].iter_mut().enumerate() {
        // SAFETY: the first pixel of a block of a checked view.
        *origin = unsafe { *base.at(x.at(0, b)).cast::<Lanes>() };
    }
    let sums = Sums::of(partial, runs.count() * PARTIAL);
    pool.run(runs.count(), |job| {
        let (n, b, first, pixels) = runs.get(job);
        // SAFETY: a run of pixels of a checked view; partial sums by job; the table belongs to this processor.
        unsafe { (k.moments)(base.at(x.at(n, b) + first * LANES), pixels, &origin[b], sums.of_job::<PARTIAL>(job)) };
    });
    let count = (x.n * x.pixels()) as f64;
    for b in 0..x.blocks {
        let total = block_sums(runs, partial, b);
        for l in 0..LANES {
            let mean = total[l] / count;
            let variance = (total[LANES + l] / count - mean * mean).max(0.0);
            blocks[first + b].mean[l] = (mean + f64::from(origin[b][l])) as f32;
            blocks[first + b].inv_std[l] = (1.0 / (variance + eps).sqrt()) as f32;
            variances[first + b][l] = variance as f32;
        }
    }
}

/// `y = x * scale + shift` per channel, with ReLU if asked.
pub(crate) fn apply(
    k: &Kernels,
    pool: &mut Pool,
    arena: &mut Aligned,
    x: View,
    y: View,
    scale: &[Lanes],
    shift: &[Lanes],
    relu: bool,
) {
    assert!(
        x.blocks == y.blocks && x.size() == y.size() && scale.len() == x.blocks && shift.len() == x.blocks,
        "shapes differ"
    );
    assert!(k.format == Format::Bf16 || [x.format, y.format] == [Format::F32; 2], "f32 alone");
    let base = Base::of_any(arena, &[x], &[y]);
    let runs = Runs::of(x);
    pool.run(runs.count(), |job| {
        let (n, b, first, pixels) = runs.get(job);
        // SAFETY: runs of pixels of checked, disjoint views; every job writes its own run.
        unsafe {
            (k.affine)(
                base.at(x.at(n, b) + first * x.format.pixel()),
                base.at(y.at(n, b) + first * y.format.pixel()),
                pixels,
                &scale[b],
                &shift[b],
                relu,
                [x.format, y.format],
            );
        };
    });
}

/// `y = x` between views of two formats.
pub(crate) fn convert(k: &Kernels, pool: &mut Pool, arena: &mut Aligned, x: View, y: View) {
    assert!(x.blocks == y.blocks && x.size() == y.size() && k.format == Format::Bf16, "shapes differ");
    let base = Base::of_any(arena, &[x], &[y]);
    let runs = Runs::of(x);
    pool.run(runs.count(), |job| {
        let (n, b, first, pixels) = runs.get(job);
        let at = |v: View| v.at(n, b) + first * v.format.pixel();
        // SAFETY: runs of pixels of checked, disjoint views; every job writes its own run.
        unsafe {
            (k.affine)(
                base.at(at(x)),
                base.at(at(y)),
                pixels,
                &[1.0; LANES],
                &[0.0; LANES],
                false,
                [x.format, y.format],
            );
        }
    });
}

/// Where the gradient of BatchNorm's input goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Over the gradient of the output.
    InPlace,
    /// Into a view of its own, overwriting or adding.
    View {
        /// The view.
        dx: View,
        /// Whether to add to what it holds.
        add: bool,
    },
}

/// Backward through BatchNorm (and ReLU): returns per block the gradients of bias (`[0]`) and weight (`[1]`), and writes the input's gradient.
pub(crate) fn backward(
    k: &Kernels,
    pool: &mut Pool,
    arena: &mut Aligned,
    partial: &mut [f64],
    x: View,
    dy: View,
    target: Target,
    stats: &mut Statistics,
    relu: bool,
    mut gradients: impl FnMut(usize, [Lanes; 2]),
) {
    assert!(x.blocks == dy.blocks && x.size() == dy.size() && stats.blocks.len() == x.blocks, "shapes differ");
    let (dx, add) = match target {
        Target::InPlace => (dy, false),
        Target::View { dx, add } => (dx, add),
    };
    assert!(dx.blocks == x.blocks && dx.size() == x.size(), "shapes differ");
    let base = if target == Target::InPlace { Base::of(arena, &[x], &[dy]) } else { Base::of(arena, &[x, dy], &[dx]) };
    let runs = Runs::of(x);
    let Statistics { blocks, means, .. } = stats;
    let sums = Sums::of(partial, runs.count() * PARTIAL);
    pool.run(runs.count(), |job| {
        let (n, b, first, pixels) = runs.get(job);
        // SAFETY: runs of pixels of checked views, read only; partial sums by job.
        unsafe {
            let (x, dy) = (base.at(x.at(n, b) + first * LANES), base.at(dy.at(n, b) + first * LANES));
            (k.grad_sums)(x, dy, pixels, &blocks[b], relu, sums.of_job::<PARTIAL>(job));
        }
    });
    let count = (x.n * x.pixels()) as f64;
    for b in 0..x.blocks {
        let total = block_sums(runs, partial, b);
        let take = |from: usize, by: f64| std::array::from_fn(|l| (total[from + l] / by) as f32);
        means[b] = [take(0, count), take(LANES, count)];
        gradients(b, [take(0, 1.0), take(LANES, 1.0)]);
    }
    pool.run(runs.count(), |job| {
        let (n, b, first, pixels) = runs.get(job);
        let at = |v: View| v.at(n, b) + first * LANES;
        // SAFETY: runs of pixels of checked views; `dx` is `dy` itself or disjoint; every job writes its own run.
        unsafe {
            (k.grad_apply)(base.at(at(x)), base.at(at(dy)), base.at(at(dx)), pixels, &blocks[b], &means[b], relu, add);
        };
    });
}

/// Sums of `dy` per channel over batch and pixels: the gradient of a convolution's bias.
pub(crate) fn channel_sums(
    k: &Kernels,
    pool: &mut Pool,
    arena: &mut Aligned,
    partial: &mut [f64],
    dy: View,
    mut gradients: impl FnMut(usize, Lanes),
) {
    let base = Base::of(arena, &[dy], &[]);
    let runs = Runs::of(dy);
    let sums = Sums::of(partial, runs.count() * PARTIAL);
    pool.run(runs.count(), |job| {
        let (n, b, first, pixels) = runs.get(job);
        // SAFETY: a run of pixels of a checked view; partial sums by job.
        unsafe {
            (k.moments)(base.at(dy.at(n, b) + first * LANES), pixels, &[0.0; LANES], sums.of_job::<PARTIAL>(job));
        };
    });
    for b in 0..dy.blocks {
        let total = block_sums(runs, partial, b);
        gradients(b, std::array::from_fn(|l| total[l] as f32));
    }
}
