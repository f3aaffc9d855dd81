//! One coarse slice: body, air, bone, spine.

use ndarray::ArrayView2;

/// HU above which a cell belongs to the body or the table.
const BODY_HU: i16 = -300;
/// HU below which a cell inside the body is gas.
const GAS_HU: i16 = -500;
/// Mean HU of a cell that is mostly bone.
const BONE_HU: i16 = 180;

/// What one coarse slice shows; cells in row-major order `[y, x]`.
pub(super) struct Section {
    pub shape: [usize; 2],
    /// Body with everything inside its outline, the table removed.
    pub body: Vec<bool>,
    /// Gas inside the body.
    pub gas: Vec<bool>,
    /// Bone inside the body.
    pub bone: Vec<bool>,
}

impl Section {
    pub fn of(hu: ArrayView2<i16>) -> Self {
        let (ny, nx) = hu.dim();
        let shape = [ny, nx];
        let solid: Vec<bool> = hu.iter().map(|&v| v > BODY_HU).collect();
        // Opening by three cells (12 mm) takes the table's shell and tubes away, and the thin parts of the chest wall with them.
        let core = largest(&dilated(&eroded(&solid, shape), shape), shape);
        let body = filled(&with_cavities(&core, &solid, shape), shape);
        let inside = |test: &dyn Fn(i16) -> bool| hu.iter().zip(&body).map(|(&v, &b)| b && test(v)).collect();
        let (gas, bone) = (inside(&|v| v < GAS_HU), inside(&|v| v > BONE_HU));
        Self { shape, body, gas, bone }
    }

    /// Cells `(y, x)` of a mask.
    pub fn cells<'a>(&self, mask: &'a [bool]) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        let nx = self.shape[1];
        mask.iter().enumerate().filter(|(_, m)| **m).map(move |(i, _)| (i / nx, i % nx))
    }

    /// Smallest and largest `[y, x]` of the body.
    pub fn body_box(&self) -> Option<[[usize; 2]; 2]> {
        let mut bounds: Option<[[usize; 2]; 2]> = None;
        for (y, x) in self.cells(&self.body) {
            let [low, high] = bounds.unwrap_or([[y, x], [y, x]]);
            bounds = Some([[low[0].min(y), low[1].min(x)], [high[0].max(y), high[1].max(x)]]);
        }
        bounds
    }
}

/// The core, the gas-filled cavities that lie within its outline (lungs, not the hollow table behind it), and their walls.
fn with_cavities(core: &[bool], solid: &[bool], shape: [usize; 2]) -> Vec<bool> {
    let nx = shape[1];
    let rows: Vec<usize> = (0..core.len()).filter(|i| core[*i]).map(|i| i / nx).collect();
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return core.to_vec() };
    let holes: Vec<bool> = filled(solid, shape).iter().zip(solid).map(|(f, s)| *f && !s).collect();
    let mut cavities = vec![false; core.len()];
    for hole in components(&holes, shape) {
        let row = hole.iter().map(|i| i / nx).sum::<usize>() / hole.len();
        if (first + 2..last.saturating_sub(1)).contains(&row) {
            for i in &hole {
                cavities[*i] = true;
            }
        }
    }
    let near = dilated(&dilated(&cavities, shape), shape);
    (0..core.len()).map(|i| core[i] || cavities[i] || (near[i] && solid[i])).collect()
}

fn neighbours(i: usize, [ny, nx]: [usize; 2]) -> impl Iterator<Item = Option<usize>> {
    let (y, x) = (i / nx, i % nx);
    [(-1, 0), (1, 0), (0, -1), (0, 1)].into_iter().map(move |(dy, dx)| {
        let (y, x) = (y.checked_add_signed(dy)?, x.checked_add_signed(dx)?);
        (y < ny && x < nx).then_some(y * nx + x)
    })
}

fn block(mask: &[bool], i: usize, [ny, nx]: [usize; 2]) -> impl Iterator<Item = bool> {
    let (y, x) = (i / nx, i % nx);
    (-1_isize..=1).flat_map(move |dy| {
        (-1_isize..=1).map(move |dx| {
            let (Some(y), Some(x)) = (y.checked_add_signed(dy), x.checked_add_signed(dx)) else { return true };
            // The field of view may cut the body: outside counts as more of the same.
            y >= ny || x >= nx || mask[y * nx + x]
        })
    })
}

fn eroded(mask: &[bool], shape: [usize; 2]) -> Vec<bool> {
    (0..mask.len()).map(|i| mask[i] && block(mask, i, shape).all(|m| m)).collect()
}

fn dilated(mask: &[bool], [ny, nx]: [usize; 2]) -> Vec<bool> {
    let mut out = vec![false; mask.len()];
    for (i, _) in mask.iter().enumerate().filter(|(_, m)| **m) {
        let (y, x) = (i / nx, i % nx);
        for y in y.saturating_sub(1)..(y + 2).min(ny) {
            for x in x.saturating_sub(1)..(x + 2).min(nx) {
                out[y * nx + x] = true;
            }
        }
    }
    out
}

/// The components by edges, in raster order of their first cell.
fn components(mask: &[bool], shape: [usize; 2]) -> Vec<Vec<usize>> {
    let mut seen = vec![false; mask.len()];
    let mut all = Vec::new();
    for start in 0..mask.len() {
        if !mask[start] || seen[start] {
            continue;
        }
        let mut component = vec![start];
        seen[start] = true;
        let mut next = 0;
        while let Some(&i) = component.get(next) {
            next += 1;
            for j in neighbours(i, shape).flatten() {
                if mask[j] && !seen[j] {
                    seen[j] = true;
                    component.push(j);
                }
            }
        }
        all.push(component);
    }
    all
}

/// The largest component; the first in raster order of equals.
fn largest(mask: &[bool], shape: [usize; 2]) -> Vec<bool> {
    let mut best: Vec<usize> = Vec::new();
    for component in components(mask, shape) {
        if component.len() > best.len() {
            best = component;
        }
    }
    let mut out = vec![false; mask.len()];
    for i in best {
        out[i] = true;
    }
    out
}

/// The mask and everything that it encloses.
fn filled(mask: &[bool], shape: [usize; 2]) -> Vec<bool> {
    let [ny, nx] = shape;
    let mut outside = vec![false; mask.len()];
    let mut queue: Vec<usize> = (0..mask.len())
        .filter(|i| !mask[*i] && (i / nx == 0 || i / nx == ny - 1 || i % nx == 0 || i % nx == nx - 1))
        .collect();
    for &i in &queue {
        outside[i] = true;
    }
    while let Some(i) = queue.pop() {
        for j in neighbours(i, shape).flatten() {
            if !mask[j] && !outside[j] {
                outside[j] = true;
                queue.push(j);
            }
        }
    }
    outside.into_iter().map(|o| !o).collect()
}
