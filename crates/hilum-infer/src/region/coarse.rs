//! A small picture of the whole scan, built slice by slice.

use hilum_imaging::{Affine, DegenerateAffine, RecipeError, StackOrientation, Volume};
use ndarray::{Array2, Array3, ArrayView2};

use super::Region;
use crate::SliceStack;

/// Mean HU on coarse cells, in patient order: `[z, y, x]` with z to the head, y to the back and x to the patient's left.
#[derive(Clone, Debug)]
pub struct Coarse {
    /// Mean HU of each cell; -1024 where no slice was added.
    pub hu: Array3<i16>,
    /// Patient coordinates of each cell centre.
    pub geometry: Affine,
    /// Number of slices of the source.
    pub source_slices: usize,
    /// Geometry of the source.
    pub source: Affine,
}

/// Which slices become a layer of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layers {
    /// Every n-th slice alone.
    Sampled,
    /// The mean of n neighbouring slices: less noise.
    Averaged,
}

/// Edge (mm) of a cell, where the source is finer, and distance aimed at between layers.
const LANDMARK_CELL_MM: f64 = 4.0;
const FRAME_CELL_MM: f64 = 3.0;

/// Builds a [`Coarse`] slice by slice.
pub struct CoarseBuilder {
    stack: SliceStack,
    orientation: StackOrientation,
    layers: Layers,
    cell_mm: f64,
    step: usize,
    cell_of_row: Vec<usize>,
    cell_of_column: Vec<usize>,
    sum: Array3<i32>,
    /// Source pixels of each cell of one slice.
    pixels: Array2<i32>,
    /// Slices added to each layer, feet first.
    added: Vec<i32>,
}

impl CoarseBuilder {
    /// Cells of 4 mm from every n-th slice, for the landmarks. Refuses stacks that are not axial.
    pub fn new(stack: &SliceStack) -> Result<Self, RecipeError> {
        Self::with(stack, Layers::Sampled, LANDMARK_CELL_MM)
    }

    /// Cells of 3 mm from all slices, for the anatomical frame. Refuses stacks that are not axial.
    pub fn averaged(stack: &SliceStack) -> Result<Self, RecipeError> {
        Self::with(stack, Layers::Averaged, FRAME_CELL_MM)
    }

    fn with(stack: &SliceStack, layers: Layers, cell_mm: f64) -> Result<Self, RecipeError> {
        let orientation = StackOrientation::of(&stack.geometry)?;
        let [dz, dy, dx] = stack.geometry.spacing_mm();
        let step = ((cell_mm / dz).round() as usize).max(1);
        // Rows and columns of the source, seen as patient y and x.
        let (row_forward, column_forward) = if orientation.transposed {
            (orientation.forward[1], orientation.forward[0])
        } else {
            (orientation.forward[0], orientation.forward[1])
        };
        let cells_along = |n: usize, mm: f64, forward: bool| -> Vec<usize> {
            let edge = cell_mm.max(mm);
            (0..n).map(|i| ((if forward { i } else { n - 1 - i }) as f64 * mm / edge) as usize).collect()
        };
        let cell_of_row = cells_along(stack.rows, dy, row_forward);
        let cell_of_column = cells_along(stack.columns, dx, column_forward);
        let count = |cells: &[usize]| cells.iter().max().map_or(0, |m| m + 1);
        let (rows, columns) = (count(&cell_of_row), count(&cell_of_column));
        let cells = if orientation.transposed { [columns, rows] } else { [rows, columns] };
        let mut pixels = Array2::zeros(cells);
        for &r in &cell_of_row {
            for &c in &cell_of_column {
                pixels[if orientation.transposed { [c, r] } else { [r, c] }] += 1;
            }
        }
        let deep = stack.slices.div_ceil(step);
        Ok(Self {
            stack: *stack,
            orientation,
            layers,
            cell_mm,
            step,
            cell_of_row,
            cell_of_column,
            sum: Array3::zeros((deep, cells[0], cells[1])),
            pixels,
            added: vec![0; deep],
        })
    }

    /// Indices of the slices to give to [`Self::add`].
    pub fn wanted(&self) -> impl Iterator<Item = usize> + use<> {
        let step = if self.layers == Layers::Sampled { self.step } else { 1 };
        (0..self.stack.slices).step_by(step)
    }

    /// Adds source slice `index`, `[row, column]` in HU.
    pub fn add(&mut self, index: usize, slice: ArrayView2<i16>) {
        let taken = index / self.step;
        let z = if self.orientation.headward { taken } else { self.added.len() - 1 - taken };
        self.added[z] += 1;
        let mut layer = self.sum.index_axis_mut(ndarray::Axis(0), z);
        for (row, &cr) in slice.outer_iter().zip(&self.cell_of_row) {
            for (&hu, &cc) in row.iter().zip(&self.cell_of_column) {
                let cell = if self.orientation.transposed { [cc, cr] } else { [cr, cc] };
                layer[cell] += i32::from(hu.max(-1024));
            }
        }
    }

    /// The coarse volume of the slices added.
    pub fn finish(self) -> Result<Coarse, DegenerateAffine> {
        let [_, dy, dx] = self.stack.geometry.spacing_mm();
        let [sz, sy, sx] = self.stack.geometry.steps();
        let scaled = |v: [f64; 3], k: f64| v.map(|c| c * k);
        let scale = |mm: f64| self.cell_mm.max(mm) / mm;
        let o = self.orientation;
        let (row_forward, column_forward) =
            if o.transposed { (o.forward[1], o.forward[0]) } else { (o.forward[0], o.forward[1]) };
        let sign = |forward: bool| if forward { 1.0 } else { -1.0 };
        let first = |n: usize, forward: bool, k: f64| {
            let inner = (k - 1.0) / 2.0;
            if forward { inner } else { n as f64 - 1.0 - inner }
        };
        let (kr, kc) = (scale(dy), scale(dx));
        let inner = if self.layers == Layers::Sampled { 0.0 } else { (self.step as f64 - 1.0) / 2.0 };
        let last = (self.added.len().max(1) - 1) * self.step;
        let z0 = inner + if o.headward { 0.0 } else { last as f64 };
        let origin = self.stack.geometry.patient_from_index([
            z0,
            first(self.stack.rows, row_forward, kr),
            first(self.stack.columns, column_forward, kc),
        ]);
        let step_z = scaled(sz, sign(o.headward) * self.step as f64);
        let (step_row, step_column) = (scaled(sy, sign(row_forward) * kr), scaled(sx, sign(column_forward) * kc));
        let steps = if o.transposed { [step_z, step_column, step_row] } else { [step_z, step_row, step_column] };
        let mut hu = Array3::from_elem(self.sum.dim(), -1024_i16);
        for ((mut to, from), added) in hu.outer_iter_mut().zip(self.sum.outer_iter()).zip(&self.added) {
            if *added > 0 {
                ndarray::Zip::from(&mut to).and(&from).and(&self.pixels).for_each(|to, sum, pixels| {
                    if *pixels > 0 {
                        *to = (sum / (pixels * added)) as i16;
                    }
                });
            }
        }
        Ok(Coarse {
            hu,
            geometry: Affine::new(origin, steps)?,
            source_slices: self.stack.slices,
            source: self.stack.geometry,
        })
    }
}

impl Coarse {
    /// The coarse volume of a volume in memory, for the landmarks.
    pub fn of_volume(volume: &Volume) -> Result<Self, RecipeError> {
        Self::built(volume, CoarseBuilder::new(&SliceStack::of(volume))?, |_| true)
    }

    /// The coarse volume of those slices of a volume in memory that a reading searches, for the anatomical frame.
    pub fn searched(volume: &Volume, region: &Region) -> Result<Self, RecipeError> {
        let searched = |z: usize| region.slices.get(z).is_some_and(Option::is_some);
        Self::built(volume, CoarseBuilder::averaged(&SliceStack::of(volume))?, searched)
    }

    fn built(volume: &Volume, mut builder: CoarseBuilder, of: impl Fn(usize) -> bool) -> Result<Self, RecipeError> {
        for z in builder.wanted().filter(|z| of(*z)) {
            builder.add(z, volume.hu.index_axis(ndarray::Axis(0), z));
        }
        builder.finish().map_err(|_| RecipeError::NotAxial(90.0))
    }
}
