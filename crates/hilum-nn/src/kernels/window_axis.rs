//! One spatial axis of a convolution: which output positions read which input positions.

use std::ops::Range;

use crate::geometry::Geometry;

/// Whether outputs gather inputs under a window (convolution), or inputs are scattered into windows of the output (its transpose).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Gather,
    Scatter,
}

/// A run of output positions of one axis at which the same taps lie inside the input.
pub(super) struct Run {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) taps: Range<usize>,
}

/// One axis of one pass: output `first + i * step` reads input `i * in_step + offset` for every tap.
pub(super) struct Axis {
    pub(super) first: usize,
    pub(super) step: usize,
    pub(super) count: usize,
    pub(super) in_step: usize,
    /// Kernel index and input offset; offsets rise or fall with the index.
    pub(super) taps: Vec<(usize, isize)>,
    pub(super) runs: Vec<Run>,
}

impl Axis {
    fn new(first: usize, step: usize, count: usize, in_step: usize, len: usize, taps: Vec<(usize, isize)>) -> Self {
        let inside = |i: usize, offset: isize| {
            let at = (i * in_step) as isize + offset;
            at >= 0 && at < len as isize
        };
        let mut runs: Vec<Run> = Vec::new();
        for i in 0..count {
            let from = taps.iter().position(|t| inside(i, t.1)).unwrap_or(0);
            let to = taps.iter().rposition(|t| inside(i, t.1)).map_or(from, |t| t + 1);
            match runs.last_mut() {
                Some(run) if run.taps == (from..to) => run.count += 1,
                _ => runs.push(Run { first: i, count: 1, taps: from..to }),
            }
        }
        Self { first, step, count, in_step, taps, runs }
    }

    /// The passes over axis `a`: one for a gathering, one per residue of the stride for a scattering.
    pub(super) fn passes(g: &Geometry, direction: Direction, a: usize, input: usize, output: usize) -> Vec<Self> {
        let (kernel, stride) = (g.kernel[a], g.stride[a]);
        let (padding, dilation) = (g.padding[a] as isize, g.dilation[a] as isize);
        match direction {
            Direction::Gather => {
                let taps = (0..kernel).map(|k| (k, k as isize * dilation - padding)).collect();
                vec![Self::new(0, 1, output, stride, input, taps)]
            }
            Direction::Scatter => (0..stride.min(output))
                .map(|first| {
                    let shift = |k: usize| first as isize + padding - k as isize * dilation;
                    let taps = (0..kernel)
                        .filter(|&k| shift(k).rem_euclid(stride as isize) == 0)
                        .map(|k| (k, shift(k).div_euclid(stride as isize)))
                        .collect();
                    Self::new(first, stride, (output - first).div_ceil(stride), 1, input, taps)
                })
                .collect(),
        }
    }
}
