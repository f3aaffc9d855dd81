//! A box of voxels by flat index, with its steps in the patient.

use hilum_imaging::Affine;

/// Voxels `[z, y, x]` in raster order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lattice {
    pub dim: [usize; 3],
    /// Index `[0, 0, 0]` is a voxel of this lattice.
    pub geometry: Affine,
    pub spacing: [f64; 3],
}

impl Lattice {
    pub(super) fn new(dim: [usize; 3], geometry: Affine) -> Self {
        Self { dim, geometry, spacing: geometry.spacing_mm() }
    }

    pub(super) fn len(&self) -> usize {
        self.dim.iter().product()
    }

    pub(super) fn flat(&self, [z, y, x]: [usize; 3]) -> usize {
        (z * self.dim[1] + y) * self.dim[2] + x
    }

    pub(super) fn index(&self, flat: usize) -> [usize; 3] {
        let x = flat % self.dim[2];
        let rest = flat / self.dim[2];
        [rest / self.dim[1], rest % self.dim[1], x]
    }

    /// Calls `f` with every 26-neighbour.
    pub(super) fn neighbours(&self, flat: usize, mut f: impl FnMut(usize)) {
        let at = self.index(flat);
        let range = |k: usize| at[k].saturating_sub(1)..=(at[k] + 1).min(self.dim[k] - 1);
        for z in range(0) {
            for y in range(1) {
                for x in range(2) {
                    let other = self.flat([z, y, x]);
                    if other != flat {
                        f(other);
                    }
                }
            }
        }
    }

    pub(super) fn on_border(&self, flat: usize) -> bool {
        let at = self.index(flat);
        (0..3).any(|k| at[k] == 0 || at[k] + 1 == self.dim[k])
    }

    /// The set grown by a disc of `mm` in the slices and then by `slices` slices to both sides.
    pub(super) fn grown(&self, set: &[bool], mm: f64, slices: usize) -> Vec<bool> {
        let [_, sy, sx] = self.spacing;
        let (ry, rx) = ((mm / sy).floor() as isize, (mm / sx).floor() as isize);
        let disc: Vec<(isize, isize)> = (-ry..=ry)
            .flat_map(|dy| (-rx..=rx).map(move |dx| (dy, dx)))
            .filter(|(dy, dx)| (*dy as f64 * sy).hypot(*dx as f64 * sx) <= mm)
            .collect();
        let [nz, ny, nx] = self.dim;
        let mut flat = vec![false; set.len()];
        for (at, _) in set.iter().enumerate().filter(|(_, inside)| **inside) {
            let [z, y, x] = self.index(at);
            for (dy, dx) in &disc {
                if let (Some(y), Some(x)) = (y.checked_add_signed(*dy), x.checked_add_signed(*dx))
                    && y < ny
                    && x < nx
                {
                    flat[self.flat([z, y, x])] = true;
                }
            }
        }
        let plane = ny * nx;
        (0..set.len())
            .map(|at| {
                let (z, within) = (at / plane, at % plane);
                (z.saturating_sub(slices)..=(z + slices).min(nz - 1)).any(|z| flat[z * plane + within])
            })
            .collect()
    }

    /// Voxels that are joined with a start by voxels that pass, all of which are in the result.
    pub(super) fn flood(&self, starts: &[usize], passes: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut seen = vec![false; self.len()];
        let mut found: Vec<usize> = starts.iter().copied().filter(|at| passes(*at)).collect();
        found.sort_unstable();
        found.dedup();
        for at in &found {
            seen[*at] = true;
        }
        let mut next = 0;
        while let Some(&at) = found.get(next) {
            next += 1;
            self.neighbours(at, |other| {
                if !seen[other] && passes(other) {
                    seen[other] = true;
                    found.push(other);
                }
            });
        }
        found
    }

    pub(super) fn set(&self, members: &[usize]) -> Vec<bool> {
        let mut set = vec![false; self.len()];
        for at in members {
            set[*at] = true;
        }
        set
    }
}

/// The middle value; `None` of nothing.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// Standard deviation by the median absolute deviation from `centre`.
pub(super) fn robust_sd(values: &[f64], centre: f64) -> f64 {
    let mut deviations: Vec<f64> = values.iter().map(|v| (v - centre).abs()).collect();
    1.4826 * median(&mut deviations).unwrap_or(0.0)
}

/// Distance (pixels) at which the noise of two pixels of a slice goes little together.
const APART: usize = 3;

/// Noise (HU) within a set, from differences of pixels of a row: a border between two tissues does not count as noise.
pub(super) fn noise(lattice: &Lattice, values: &[f64], set: &[bool]) -> f64 {
    let differences: Vec<f64> = (0..set.len())
        .filter(|v| v % lattice.dim[2] + APART < lattice.dim[2] && set[*v] && set[v + APART])
        .map(|v| values[v + APART] - values[v])
        .collect();
    robust_sd(&differences, 0.0) / std::f64::consts::SQRT_2
}
