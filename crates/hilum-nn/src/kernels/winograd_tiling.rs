//! The tiles of a convolution by Winograd's F(4x4, 3x3), and the chunks in which they are transformed. A kernel of three slices is three kernels of one,
//! whose products are added: a chunk then takes in a slice more at either end than it gives out.

use super::buffer::View;

/// A stride-1 convolution with a 3x3 window, of one slice or of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Square {
    /// Rows and columns of padding, 0 to 2.
    pub(crate) padding: usize,
    /// Slices of the kernel: 1, or 3 with one slice of padding.
    pub(crate) slices: usize,
}

impl Square {
    /// 3x3, same padding.
    pub(crate) const SAME: Self = Self { padding: 1, slices: 1 };

    /// The convolution that takes the gradient of the output to that of the input.
    pub(crate) fn backward(self) -> Self {
        Self { padding: 2 - self.padding, ..self }
    }
}

/// Where a tile lies.
pub(super) struct Place {
    pub(super) n: usize,
    pub(super) z: usize,
    /// Row and column of the tile.
    pub(super) tile: [usize; 2],
}

/// The tiles of the output `y`, in chunks.
pub(super) struct Tiling {
    square: Square,
    n: usize,
    d: usize,
    tiles: [usize; 2],
    /// Tiles of a slice that a chunk has; of kernels of one slice, tiles of all slices in a row.
    columns: usize,
    /// Slices that a chunk gives out.
    slices: usize,
}

impl Tiling {
    /// Chunks of kernels of one slice have up to `columns` tiles. Of kernels of three they hold at most `room` transformed tiles, counted over
    /// `x_blocks` and `y_blocks`.
    pub(super) fn new(square: Square, y: View, columns: usize, room: usize, x_blocks: usize, y_blocks: usize) -> Self {
        let tiles = [y.h.div_ceil(4), y.w.div_ceil(4)];
        let mut tiling = Self { square, n: y.n, d: y.d, tiles, columns, slices: 1 };
        if square.slices > 1 {
            // Slices at both ends are transformed for the sake of others: many slices are worth more than many columns.
            let fit = |columns: usize| (room / columns).saturating_sub(2 * x_blocks) / (x_blocks + y_blocks);
            let all = tiles[0] * tiles[1];
            let shapes = [all, 16, 8, 4, 2, 1].into_iter().filter(|&columns| columns <= all);
            let enough = |&columns: &usize| fit(columns) >= y.d.min(6);
            tiling.columns = shapes.into_iter().find(enough).unwrap_or(1);
            tiling.slices = fit(tiling.columns).clamp(1, y.d);
            // Chunks of the same depth.
            tiling.slices = y.d.div_ceil(y.d.div_ceil(tiling.slices));
        }
        tiling
    }

    fn per_slice(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Tiles of all slices.
    pub(super) fn all(&self) -> usize {
        self.n * self.d * self.per_slice()
    }

    /// Chunks.
    pub(super) fn chunks(&self) -> usize {
        if self.square.slices == 1 {
            self.all().div_ceil(self.columns)
        } else {
            self.n * self.d.div_ceil(self.slices) * self.per_slice().div_ceil(self.columns)
        }
    }

    /// Most tiles that a chunk gives out.
    pub(super) fn outputs(&self) -> usize {
        self.slices * self.columns
    }

    /// Most tiles that a chunk takes in.
    pub(super) fn inputs(&self) -> usize {
        (self.slices + self.square.slices - 1) * self.columns
    }

    /// Tiles from one slice of a chunk to the next.
    pub(super) fn step(&self) -> usize {
        self.columns
    }

    /// Tiles that this chunk takes in and gives out, some of which may not exist.
    pub(super) fn counts(&self, chunk: usize) -> [usize; 2] {
        if self.square.slices == 1 {
            [self.columns.min(self.all() - chunk * self.columns); 2]
        } else {
            [self.inputs(), self.outputs()]
        }
    }

    /// The `i`th tile that a chunk gives out.
    pub(super) fn output(&self, chunk: usize, i: usize) -> Option<Place> {
        if self.square.slices == 1 {
            let tile = chunk * self.columns + i;
            let slice = tile / self.per_slice();
            return Some(self.place(slice / self.d, slice % self.d, tile % self.per_slice()));
        }
        self.in_chunk(chunk, i, 0)
    }

    /// The `i`th tile that a chunk takes in; `None` where it is padding.
    pub(super) fn input(&self, chunk: usize, i: usize) -> Option<Place> {
        if self.square.slices == 1 { self.output(chunk, i) } else { self.in_chunk(chunk, i, 1) }
    }

    /// Of a kernel of three slices, `before` slices ahead of what the chunk gives out.
    fn in_chunk(&self, chunk: usize, i: usize, before: usize) -> Option<Place> {
        let (down, across) = (self.d.div_ceil(self.slices), self.per_slice().div_ceil(self.columns));
        let (n, first_slice) = (chunk / (down * across), chunk / across % down * self.slices);
        let z = (first_slice + i / self.columns).checked_sub(before).filter(|&z| z < self.d)?;
        let tile = chunk % across * self.columns + i % self.columns;
        (tile < self.per_slice()).then(|| self.place(n, z, tile))
    }

    fn place(&self, n: usize, z: usize, tile: usize) -> Place {
        Place { n, z, tile: [tile / self.tiles[1], tile % self.tiles[1]] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::buffer::Format;

    #[test]
    fn every_tile_is_given_out_once_and_its_neighbours_lie_a_step_apart() {
        for (slices, n, d, h, w, room) in
            [(1, 2, 1, 17, 9, 0), (1, 1, 3, 8, 8, 0), (3, 2, 5, 9, 17, 60), (3, 1, 64, 64, 64, 227), (3, 1, 1, 1, 1, 9)]
        {
            let (blocks, square) = (2, Square { padding: 1, slices });
            let y = View { offset: 0, n, image: 16 * blocks * d * h * w, blocks, d, h, w, format: Format::F32 };
            let tiling = Tiling::new(square, y, 10, room, blocks, blocks);
            let [down, across] = tiling.tiles;
            let mut given = vec![0; n * d * down * across];
            for chunk in 0..tiling.chunks() {
                let [inputs, outputs] = tiling.counts(chunk);
                assert!(inputs <= tiling.inputs() && outputs <= tiling.outputs());
                for i in 0..outputs {
                    let Some(Place { n, z, tile: [r, c] }) = tiling.output(chunk, i) else { continue };
                    given[((n * d + z) * down + r) * across + c] += 1;
                    for k in 0..slices {
                        let read = tiling.input(chunk, i + k * tiling.step());
                        let wanted = (z + k).checked_sub(slices / 2).filter(|&z| z < d);
                        assert_eq!(read.as_ref().map(|p| p.z), wanted);
                        assert!(read.is_none_or(|p| (p.n, p.tile) == (n, [r, c])));
                    }
                }
            }
            assert!(given.iter().all(|g| *g == 1), "{slices} slices over {n}x{d}x{h}x{w}");
        }
    }
}
