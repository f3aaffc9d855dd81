//! Results that are computed again in the backward pass rather than kept for it, where a plan would not fit its ceiling otherwise.
//!
//! These are the results of normalisations: to get one back takes a pass over the normalisation's input, which is kept anyway, and gives the same bits.

use super::layout::{Buffer, Home, Lowered, Step, view};
use crate::kernels::buffer::View;

/// Where such results lie in the backward pass, and when they are made.
pub(super) struct Recomputed {
    homes: Vec<Option<Home>>,
    pub(super) buffers: Vec<Buffer>,
    /// For every step, the normalisations to run before it runs backward.
    pub(super) before: Vec<Vec<usize>>,
}

impl Recomputed {
    /// Everything is kept.
    pub(super) fn none(lowered: &Lowered) -> Self {
        let (values, steps) = (lowered.homes.len(), lowered.steps.len());
        Self { homes: vec![None; values], buffers: Vec::new(), before: vec![Vec::new(); steps] }
    }

    /// The results of normalisations that only convolutions need again, and that share their memory with nothing.
    pub(super) fn norms(lowered: &Lowered, n: usize) -> Self {
        let mut recomputed = Self::none(lowered);
        for (producer, step) in lowered.steps.iter().enumerate() {
            let Step::Norm { y, .. } = *step else { continue };
            let readers: Vec<usize> = (0..lowered.steps.len()).filter(|&i| lowered.steps[i].reads() == y).collect();
            let alone = |home: Home| {
                home.first_block == 0
                    && (0..lowered.homes.len())
                        .all(|v| v == y || lowered.homes[v].is_none_or(|h| h.buffer != home.buffer))
            };
            let convolutions = readers.iter().all(|&i| matches!(lowered.steps[i], Step::Conv { .. }));
            if let (Some(&last), Some(home)) = (readers.last(), lowered.homes[y])
                && y != lowered.output
                && convolutions
                && alone(home)
            {
                let mut buffer = Buffer::new(n, lowered.lanes[y].len(), lowered.sizes[y]);
                let backward = |i: usize| 2 * lowered.steps.len() + 1 - i;
                for &i in &readers {
                    buffer.touch(backward(i));
                }
                recomputed.homes[y] = Some(Home { buffer: recomputed.buffers.len(), first_block: 0 });
                recomputed.buffers.push(buffer);
                recomputed.before[last].push(producer);
            }
        }
        recomputed
    }

    /// Whether the value is not kept.
    pub(super) fn has(&self, value: usize) -> bool {
        self.homes[value].is_some()
    }

    /// Where the value lies in the backward pass, after placing.
    pub(super) fn view(&self, lowered: &Lowered, value: usize) -> View {
        if self.has(value) {
            view(&self.homes, &self.buffers, value, lowered.lanes[value].len())
        } else {
            lowered.view(value)
        }
    }
}
