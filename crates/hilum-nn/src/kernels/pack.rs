//! Weights from PyTorch's layouts into the order in which tiles read them:
//! `[pass][panel][kernel row][input channel][kernel column][output channel of the panel]`. Output lanes without a channel get zero weights, which keeps
//! the padding of activations zero. For products of bf16, the rows of two input channels become one row of pairs.

use super::Kernels;
use super::bf16::pair_rows;
use super::buffer::{Base, Format, LANES};
use super::pool::Pool;

/// `(first block, blocks)` of every panel.
pub(crate) fn panels(k: &Kernels, blocks: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
    let step = k.panel_blocks;
    (0..blocks).step_by(step).map(move |b| (b, step.min(blocks - b)))
}

/// Which logical channel sits in each lane: `lanes[b]` channels at the start of block `b`.
pub(crate) fn channels(lanes: &[usize]) -> Vec<Option<usize>> {
    let mut next = 0;
    let mut out = Vec::with_capacity(lanes.len() * LANES);
    for &used in lanes {
        out.extend((0..LANES).map(|l| (l < used).then(|| next + l)));
        next += used;
    }
    out
}

/// Pairs of channels of every block.
pub(crate) fn pairs(lanes: &[usize]) -> Vec<usize> {
    lanes.iter().map(|l| l.div_ceil(2)).collect()
}

/// The lane, counted over all blocks, of every channel.
pub(crate) fn slots(lanes: &[usize]) -> Vec<usize> {
    (0..lanes.len() * LANES).filter(|s| s % LANES < lanes[s / LANES]).collect()
}

/// A weight tensor seen as `(output, input, row, column)` of the convolution to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `[out, in, k, k]`, as it stands.
    Forward,
    /// `[out, in, k, k]`, for backward data: inputs and outputs exchanged, kernel rotated by 180 degrees.
    Flipped,
    /// `[in, out, 2, 2]`: four passes, one per tap.
    Up,
    /// `[in, out, 2, 2]`, for backward data: taps among the inputs.
    Down,
}

/// How the weights of one convolution are packed.
pub(crate) struct Packing {
    source: Source,
    kernel: usize,
    out_channels: Vec<Option<usize>>,
    in_channels: Vec<Option<usize>>,
    /// Channels of the tensor as output and input of the convolution to run.
    out: usize,
    inp: usize,
    panels: Vec<(usize, usize)>,
    /// Channels in use per input block, where their rows are paired.
    paired: Option<Vec<usize>>,
}

impl Packing {
    /// `out_lanes`, `in_lanes`: channels in use per block of what the convolution to run writes and reads.
    pub(crate) fn new(k: &Kernels, source: Source, kernel: usize, out_lanes: &[usize], in_lanes: &[usize]) -> Self {
        Self {
            source,
            kernel,
            out_channels: channels(out_lanes),
            in_channels: channels(in_lanes),
            out: out_lanes.iter().sum(),
            inp: in_lanes.iter().sum(),
            panels: panels(k, out_lanes.len()).collect(),
            paired: (k.format == Format::Bf16).then(|| in_lanes.to_vec()),
        }
    }

    /// Writes `weights`, a tensor in PyTorch's layout, to `packed`.
    pub(crate) fn pack(&self, pool: &mut Pool, weights: &[f32], packed: &mut [f32]) {
        let (taps, passes, inputs) = match self.source {
            Source::Forward | Source::Flipped => (self.kernel * self.kernel, 1, self.inp),
            Source::Up => (4, 4, self.inp),
            Source::Down => (4, 1, 4 * self.inp),
        };
        assert!(weights.len() == self.out * self.inp * taps, "weight tensor has the wrong length");
        let wide = inputs * self.kernel * self.kernel;
        let row = self.paired.as_ref().map_or(wide, |lanes| pairs(lanes).iter().sum::<usize>() * self.kernel.pow(2));
        assert!(packed.len() >= passes * self.out_channels.len() * row, "packed weights do not fit");
        let target = Base::of_slice(packed);
        pool.run(passes * self.panels.len(), |job| {
            let (pass, (block, blocks)) = (job / self.panels.len(), self.panels[job % self.panels.len()]);
            let lanes = block * LANES..(block + blocks) * LANES;
            let first = (pass * self.out_channels.len() + lanes.start) * row;
            // SAFETY: passes and panels tile the length checked above; every job writes its own panel.
            let dst = unsafe { std::slice::from_raw_parts_mut(target.at(first), lanes.len() * row) };
            let outputs = &self.out_channels[lanes];
            match &self.paired {
                None => self.panel(weights, pass, outputs, dst),
                Some(in_lanes) => {
                    let mut rows = vec![0.0; outputs.len() * wide];
                    self.panel(weights, pass, outputs, &mut rows);
                    pair_rows(&rows, self.kernel * outputs.len(), in_lanes, dst);
                }
            }
        });
    }

    fn panel(&self, w: &[f32], pass: usize, out_channels: &[Option<usize>], dst: &mut [f32]) {
        let (kernel, out, inp) = (self.kernel, self.out, self.inp);
        let taps = kernel * kernel;
        if taps == 1 && matches!(self.source, Source::Forward | Source::Flipped) {
            return self.points(w, out_channels, dst);
        }
        let mut rows = dst.chunks_exact_mut(out_channels.len());
        let inputs = || self.in_channels.iter().flatten().copied();
        let mut put = |base: usize, stride: usize| {
            if let Some(row) = rows.next() {
                for (d, o) in row.iter_mut().zip(out_channels) {
                    *d = o.map_or(0.0, |o| w[base + o * stride]);
                }
            }
        };
        match self.source {
            Source::Forward | Source::Flipped => {
                for kh in 0..kernel {
                    for i in inputs() {
                        for kw in 0..kernel {
                            if self.source == Source::Forward {
                                put(i * taps + kh * kernel + kw, inp * taps);
                            } else {
                                put(i * out * taps + taps - 1 - (kh * kernel + kw), taps);
                            }
                        }
                    }
                }
            }
            Source::Up => inputs().for_each(|i| put(i * out * 4 + pass, 4)),
            Source::Down => (0..4).for_each(|tap| inputs().for_each(|i| put(i * 4 + tap, inp * 4))),
        }
    }

    /// A panel of a 1x1 convolution: rows of the tensor copied, or transposed a block at a time.
    fn points(&self, w: &[f32], out_channels: &[Option<usize>], dst: &mut [f32]) {
        let width = out_channels.len();
        for (b, channels) in out_channels.chunks_exact(LANES).enumerate() {
            // Channels in use are neighbours.
            let (first, used) = (channels[0].unwrap_or(0), channels.iter().flatten().count());
            if self.source == Source::Flipped {
                for (i, row) in dst.chunks_exact_mut(width).enumerate() {
                    let row = &mut row[b * LANES..][..LANES];
                    row[..used].copy_from_slice(&w[i * self.out + first..][..used]);
                    row[used..].fill(0.0);
                }
                continue;
            }
            for (block, rows) in dst.chunks_mut(LANES * width).enumerate() {
                let inputs = rows.len() / width;
                if (inputs, used) == (LANES, LANES) {
                    let mut turned = [[0.0; LANES]; LANES];
                    for o in 0..LANES {
                        let from = &w[(first + o) * self.inp + block * LANES..][..LANES];
                        for i in 0..LANES {
                            turned[i][o] = from[i];
                        }
                    }
                    for (row, turned) in rows.chunks_exact_mut(width).zip(&turned) {
                        row[b * LANES..][..LANES].copy_from_slice(turned);
                    }
                    continue;
                }
                for o in 0..LANES {
                    let from = if o < used { &w[(first + o) * self.inp + block * LANES..][..inputs] } else { &[] };
                    let to = rows[b * LANES + o..].iter_mut().step_by(width);
                    to.zip(from.iter().chain(std::iter::repeat(&0.0))).for_each(|(to, v)| *to = *v);
                }
            }
        }
    }
}
