//! A small picture of the whole scan, built slice by slice.

use hilum_imaging::{Affine, DegenerateAffine, RecipeError, StackOrientation, Volume};
use ndarray::{Array3, ArrayView2};

use crate::SliceStack;

/// Edge of a coarse cell (mm) where the source is finer.
const CELL_MM: f64 = 4.0;
/// Distance (mm) aimed at between coarse slices.
const SLICE_STEP_MM: f64 = 4.0;

/// Mean HU on cells of about 4 mm, in patient order: `[z, y, x]` with z to the head, y to the back and x to the patient's left.
#[derive(Clone, Debug)]
pub struct Coarse {
    /// Mean HU of each cell.
    pub hu: Array3<i16>,
    /// Patient coordinates of each cell centre.
    pub geometry: Affine,
    /// Number of slices of the source.
    pub source_slices: usize,
    /// Geometry of the source.
    pub source: Affine,
}

/// Takes every n-th slice of a stack.
pub struct CoarseBuilder {
    stack: SliceStack,
    orientation: StackOrientation,
    step: usize,
    cell_of_row: Vec<usize>,
    cell_of_column: Vec<usize>,
    cells: [usize; 2],
    hu: Array3<i16>,
    sum: Vec<i64>,
    count: Vec<i64>,
}

impl CoarseBuilder {
    /// Refuses stacks that are not axial.
    pub fn new(stack: &SliceStack) -> Result<Self, RecipeError> {
        let orientation = StackOrientation::of(&stack.geometry)?;
        let [dz, dy, dx] = stack.geometry.spacing_mm();
        let step = ((SLICE_STEP_MM / dz).round() as usize).max(1);
        // Rows and columns of the source, seen as patient y and x.
        let (row_forward, column_forward) = if orientation.transposed {
            (orientation.forward[1], orientation.forward[0])
        } else {
            (orientation.forward[0], orientation.forward[1])
        };
        let cells_along = |n: usize, mm: f64, forward: bool| -> Vec<usize> {
            let edge = CELL_MM.max(mm);
            (0..n).map(|i| ((if forward { i } else { n - 1 - i }) as f64 * mm / edge) as usize).collect()
        };
        let cell_of_row = cells_along(stack.rows, dy, row_forward);
        let cell_of_column = cells_along(stack.columns, dx, column_forward);
        let count = |cells: &[usize]| cells.iter().max().map_or(0, |m| m + 1);
        let (rows, columns) = (count(&cell_of_row), count(&cell_of_column));
        let cells = if orientation.transposed { [columns, rows] } else { [rows, columns] };
        let slices = stack.slices.div_ceil(step);
        Ok(Self {
            stack: *stack,
            orientation,
            step,
            cell_of_row,
            cell_of_column,
            cells,
            hu: Array3::from_elem((slices, cells[0], cells[1]), -1024),
            sum: vec![0; cells[0] * cells[1]],
            count: vec![0; cells[0] * cells[1]],
        })
    }

    /// Indices of the slices to give to [`Self::add`].
    pub fn wanted(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.stack.slices).step_by(self.step)
    }

    /// Adds source slice `index`, `[row, column]` in HU.
    pub fn add(&mut self, index: usize, slice: ArrayView2<i16>) {
        self.sum.fill(0);
        self.count.fill(0);
        for (row, &cr) in slice.outer_iter().zip(&self.cell_of_row) {
            for (&hu, &cc) in row.iter().zip(&self.cell_of_column) {
                let cell = if self.orientation.transposed { cc * self.cells[1] + cr } else { cr * self.cells[1] + cc };
                self.sum[cell] += i64::from(hu.max(-1024));
                self.count[cell] += 1;
            }
        }
        let taken = index / self.step;
        let z = if self.orientation.headward { taken } else { self.hu.dim().0 - 1 - taken };
        for ((cell, sum), count) in
            self.hu.index_axis_mut(ndarray::Axis(0), z).iter_mut().zip(&self.sum).zip(&self.count)
        {
            if *count > 0 {
                *cell = (sum / count) as i16;
            }
        }
    }

    /// The coarse volume of the slices added.
    pub fn finish(self) -> Result<Coarse, DegenerateAffine> {
        let [_, dy, dx] = self.stack.geometry.spacing_mm();
        let [sz, sy, sx] = self.stack.geometry.steps();
        let scaled = |v: [f64; 3], k: f64| v.map(|c| c * k);
        let scale = |mm: f64| CELL_MM.max(mm) / mm;
        let o = self.orientation;
        let (row_forward, column_forward) =
            if o.transposed { (o.forward[1], o.forward[0]) } else { (o.forward[0], o.forward[1]) };
        let sign = |forward: bool| if forward { 1.0 } else { -1.0 };
        let first = |n: usize, forward: bool, k: f64| {
            let inner = (k - 1.0) / 2.0;
            if forward { inner } else { n as f64 - 1.0 - inner }
        };
        let (kr, kc) = (scale(dy), scale(dx));
        let last_taken = (self.hu.dim().0.max(1) - 1) * self.step;
        let z0 = if o.headward { 0.0 } else { last_taken as f64 };
        let origin = self.stack.geometry.patient_from_index([
            z0,
            first(self.stack.rows, row_forward, kr),
            first(self.stack.columns, column_forward, kc),
        ]);
        let step_z = scaled(sz, sign(o.headward) * self.step as f64);
        let (step_row, step_column) = (scaled(sy, sign(row_forward) * kr), scaled(sx, sign(column_forward) * kc));
        let steps = if o.transposed { [step_z, step_column, step_row] } else { [step_z, step_row, step_column] };
        Ok(Coarse {
            hu: self.hu,
            geometry: Affine::new(origin, steps)?,
            source_slices: self.stack.slices,
            source: self.stack.geometry,
        })
    }
}

impl Coarse {
    /// The coarse volume of a volume in memory.
    pub fn of_volume(volume: &Volume) -> Result<Self, RecipeError> {
        let (slices, rows, columns) = volume.hu.dim();
        let mut builder = CoarseBuilder::new(&SliceStack { slices, rows, columns, geometry: volume.geometry })?;
        for z in builder.wanted() {
            builder.add(z, volume.hu.index_axis(ndarray::Axis(0), z));
        }
        builder.finish().map_err(|_| RecipeError::NotAxial(90.0))
    }
}
