//! How the gradient of a convolution's weights is shared out: by pieces of the map, by panels of outputs and by blocks of inputs. All of it follows from
//! the shape, so that the order of additions never depends on the machine.

use std::ops::Range;

/// Jobs worth having: eight threads find two each.
const JOBS: usize = 16;
/// Pixels that one register tile sums before it moves on: activations and gradients of that many pixels stay in the first-level cache.
const PIXELS: usize = 192;
/// Pixels that pay for clearing a partial sum of their own and adding it up.
const CHUNK_PIXELS: usize = 4 * PIXELS;
/// Floats of sums that one job keeps in the second-level cache while pixels stream past.
const JOB_SUMS: usize = 1 << 16;

/// Blocks of inputs that pay for reading the gradients past them once more.
const PART_BLOCKS: usize = 8;

/// What one job sums.
pub(super) struct Job {
    /// The partial sum.
    pub(super) chunk: usize,
    /// Pieces of the map.
    pub(super) pieces: Range<usize>,
    /// Panels of outputs.
    pub(super) panels: Range<usize>,
    part: usize,
    parts: usize,
}

impl Job {
    /// The job's share of a panel's input blocks.
    pub(super) fn inputs(&self, all: &Range<usize>) -> Range<usize> {
        let bound = |part: usize| all.start + part * all.len() / self.parts;
        bound(self.part)..bound(self.part + 1)
    }
}

/// A part of the map: an image, rows and columns of it.
pub(super) struct Piece {
    pub(super) image: usize,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

/// The shares of one gradient.
pub(super) struct GradSplit {
    size: [usize; 2],
    /// Pieces of an image, down and across.
    cuts: [usize; 2],
    pieces: usize,
    /// Partial sums.
    pub(super) chunks: usize,
    panels: usize,
    groups: usize,
    parts: usize,
}

impl GradSplit {
    /// Of maps of `rows` x `columns`, with so many panels of outputs, each of `panel_sums` floats over `inputs` blocks.
    pub(super) fn new(images: usize, size: [usize; 2], panels: usize, panel_sums: usize, inputs: usize) -> Self {
        let [rows, columns] = size;
        let cuts = [rows.div_ceil((PIXELS / columns).max(1)), columns.div_ceil(PIXELS)];
        let pieces = images * cuts[0] * cuts[1];
        let groups = panels.div_ceil((JOB_SUMS / panel_sums).max(1));
        let most = (images * rows * columns / CHUNK_PIXELS).clamp(1, pieces);
        // One sum, if there are jobs enough by the inputs: it need not be added up.
        let one = inputs / PART_BLOCKS >= JOBS.div_ceil(groups);
        let chunks = if one { 1 } else { JOBS.div_ceil(groups).min(most) };
        let parts = JOBS.div_ceil(groups * chunks).min(inputs);
        Self { size, cuts, pieces, chunks, panels, groups, parts }
    }

    pub(super) fn jobs(&self) -> usize {
        self.chunks * self.groups * self.parts
    }

    pub(super) fn job(&self, job: usize) -> Job {
        let (part, group, chunk) = (job % self.parts, job / self.parts % self.groups, job / (self.parts * self.groups));
        let cut = |i: usize, of: usize, all: usize| i * all / of..(i + 1) * all / of;
        Job {
            chunk,
            pieces: cut(chunk, self.chunks, self.pieces),
            panels: cut(group, self.groups, self.panels),
            part,
            parts: self.parts,
        }
    }

    pub(super) fn piece(&self, piece: usize) -> Piece {
        let ([rows, columns], [down, across]) = (self.size, self.cuts);
        let (image, row, column) = (piece / (down * across), piece / across % down, piece % across);
        Piece {
            image,
            rows: row * rows / down..(row + 1) * rows / down,
            columns: column * columns / across..(column + 1) * columns / across,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_meets_every_pair_of_panel_and_input_block_once() {
        for (images, size, panels, panel_sums, inputs) in [
            (4, [56, 56], 4, 7168, 14),
            (1, [4, 49], 4, 30720, 60),
            (6, [17, 17], 34, 12288, 24),
            (3, [1, 1000], 1, 4608, 1),
            (1, [1, 1], 1, 512, 1),
            (2, [7, 5], 3, 1 << 20, 5),
        ] {
            let split = GradSplit::new(images, size, panels, panel_sums, inputs);
            let mut met = vec![0; images * size[0] * size[1] * panels * inputs];
            for job in (0..split.jobs()).map(|job| split.job(job)) {
                assert!(job.chunk < split.chunks);
                for piece in job.pieces.clone().map(|piece| split.piece(piece)) {
                    assert!(piece.rows.len() * piece.columns.len() <= PIXELS);
                    for r in piece.rows.clone() {
                        for c in piece.columns.clone() {
                            for p in job.panels.clone() {
                                for b in job.inputs(&(0..inputs)) {
                                    let pixel = (piece.image * size[0] + r) * size[1] + c;
                                    met[(pixel * panels + p) * inputs + b] += 1;
                                }
                            }
                        }
                    }
                }
            }
            assert!(met.iter().all(|m| *m == 1), "{images} x {size:?}, {panels} panels, {inputs} inputs");
        }
    }

    #[test]
    fn small_maps_are_shared_out_by_channels_and_large_ones_by_pixels() {
        let shares = |split: GradSplit| [split.chunks, split.groups, split.parts];
        assert_eq!(shares(GradSplit::new(4, [56, 56], 4, 7168, 14)), [16, 1, 1]);
        assert_eq!(shares(GradSplit::new(1, [4, 49], 4, 30720, 60)), [1, 2, 8]);
        assert_eq!(shares(GradSplit::new(1, [6, 289], 34, 12288, 24)), [1, 7, 3]);
    }
}
