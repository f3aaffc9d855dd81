//! Which part of a slice a picture shows, and where.

use hilum_imaging::Window;
use ndarray::ArrayView2;

/// Maps picture coordinates to the slice: `index = origin + picture / scale`, rows stretched by the pixels' aspect.
pub(super) struct Frame {
    /// Index `[y, x]` at the picture's left upper edge.
    origin: [f64; 2],
    /// Picture pixels per column.
    scale: f64,
    /// Row spacing over column spacing.
    aspect: f64,
}

/// Denser than air and than most of a mattress.
const BODY_HU: i16 = -400;

impl Frame {
    /// The body with a margin, and in any case the `boxes` (`[lowest, highest]` `[y, x]`), centred in a picture `(width, height)`.
    pub(super) fn body(
        hu: &ArrayView2<'_, i16>,
        boxes: impl Iterator<Item = [[usize; 2]; 2]>,
        aspect: f64,
        picture: (usize, usize),
    ) -> Self {
        let (rows, columns) = hu.dim();
        let dense =
            |line: ndarray::ArrayView1<'_, i16>| line.iter().filter(|v| **v > BODY_HU).count() * 20 > line.len();
        let y: Vec<usize> = (0..rows).filter(|y| dense(hu.row(*y))).collect();
        let x: Vec<usize> = (0..columns).filter(|x| dense(hu.column(*x))).collect();
        let mut low = [y.first().copied().unwrap_or(0), x.first().copied().unwrap_or(0)];
        let mut high = [y.last().copied().unwrap_or(rows - 1), x.last().copied().unwrap_or(columns - 1)];
        for [box_low, box_high] in boxes {
            for axis in 0..2 {
                low[axis] = low[axis].min(box_low[axis]);
                high[axis] = high[axis].max(box_high[axis]);
            }
        }
        let extent = [0, 1].map(|k| (high[k] - low[k] + 1) as f64 * 1.06 + 4.0);
        let scale = (picture.0 as f64 / extent[1]).min(picture.1 as f64 / (extent[0] * aspect));
        Self::centred([0, 1].map(|k| (low[k] + high[k]) as f64 / 2.0), scale, aspect, picture)
    }

    /// A close view of one box, in a square picture.
    pub(super) fn around(bounds: [[usize; 2]; 2], aspect: f64, side: usize) -> Self {
        let centre = [0, 1].map(|k| (bounds[0][k] + bounds[1][k]) as f64 / 2.0);
        let rows = (bounds[1][0] - bounds[0][0] + 1) as f64 * aspect;
        let columns = (bounds[1][1] - bounds[0][1] + 1) as f64;
        let extent = (rows.max(columns) * 2.6).max(36.0);
        Self::centred(centre, side as f64 / extent, aspect, (side, side))
    }

    fn centred(centre: [f64; 2], scale: f64, aspect: f64, picture: (usize, usize)) -> Self {
        let half = [picture.1 as f64 / 2.0 / (scale * aspect), picture.0 as f64 / 2.0 / scale];
        Self { origin: [centre[0] - half[0], centre[1] - half[1]], scale, aspect }
    }

    /// Picture pixels per column of the slice.
    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// Picture `[x, y]` of a slice index `[y, x]`.
    pub(super) fn picture_from_index(&self, index: [f64; 2]) -> [f64; 2] {
        [(index[1] - self.origin[1]) * self.scale, (index[0] - self.origin[0]) * self.scale * self.aspect]
    }

    fn index_from_picture(&self, x: f64, y: f64) -> [f64; 2] {
        [self.origin[0] + y / (self.scale * self.aspect), self.origin[1] + x / self.scale]
    }

    /// The voxel `[y, x]` at a picture point.
    pub(super) fn voxel(&self, x: f64, y: f64) -> Option<[usize; 2]> {
        let [row, column] = self.index_from_picture(x, y).map(f64::round);
        (row >= 0.0 && column >= 0.0).then_some([row as usize, column as usize])
    }

    /// Grey value at a picture point: HU between voxel centres, bilinear, in the stone window (W 400, L 60: paper S2).
    pub(super) fn grey(&self, hu: &ArrayView2<'_, i16>, x: f64, y: f64) -> u8 {
        let [row, column] = self.index_from_picture(x, y);
        let (rows, columns) = hu.dim();
        if row < -0.5 || column < -0.5 || row > rows as f64 - 0.5 || column > columns as f64 - 0.5 {
            return 0;
        }
        let (row, column) = (row.clamp(0.0, rows as f64 - 1.0), column.clamp(0.0, columns as f64 - 1.0));
        let (r, c) = (row as usize, column as usize);
        let (fr, fc) = ((row - r as f64) as f32, (column - c as f64) as f32);
        let at = |r: usize, c: usize| f32::from(hu[[r.min(rows - 1), c.min(columns - 1)]]);
        let upper = at(r, c) * (1.0 - fc) + at(r, c + 1) * fc;
        let lower = at(r + 1, c) * (1.0 - fc) + at(r + 1, c + 1) * fc;
        Window::URINARY_STONE.apply_u8(upper * (1.0 - fr) + lower * fr)
    }
}
