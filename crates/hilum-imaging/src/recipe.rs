//! The one preprocessing recipe: training and reading run the same code, so that a network never sees another world than it was taught.

use std::ops::Range;

use ndarray::{Array2, Array3, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::orient::Orientation;
use crate::resample::{mix, resample_slice_f32};
use crate::{Affine, Window};

/// How slices become a network's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Pixel spacing of the network's grid, mm.
    pub in_plane_mm: f64,
    /// HU to 0..=1.
    pub window: Window,
    /// Distance (mm) from one context slice to the next; the nearest real slice is taken, never the same one twice.
    pub context_step_mm: f64,
    /// Context slices on each side of the slice that is read.
    pub context_slices: usize,
    /// Height and width of the network's input are multiples of this.
    pub multiple_of: usize,
}

/// A recipe or a grid that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// A number of the recipe makes no sense.
    #[error("preprocessing recipe: {field} is {value}; expected {expected}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// The stack's slices are not axial enough to be read by an axial network.
    #[error("the slices are {0:.0} degrees from axial; at most 30 degrees can be read by an axial network")]
    NotAxial(f64),
}

impl Recipe {
    /// Checks every number once, where the recipe enters the program.
    pub fn validate(&self) -> Result<(), RecipeError> {
        let field =
            |field, value, ok, expected| if ok { Ok(()) } else { Err(RecipeError::Field { field, value, expected }) };
        let mm = |v: f64| (0.1..=10.0).contains(&v);
        field("in_plane_mm", self.in_plane_mm, mm(self.in_plane_mm), "0.1 to 10 mm")?;
        field("context_step_mm", self.context_step_mm, mm(self.context_step_mm), "0.1 to 10 mm")?;
        field("context_slices", self.context_slices as f64, self.context_slices <= 8, "0 to 8")?;
        let multiple = self.multiple_of;
        field(
            "multiple_of",
            multiple as f64,
            multiple.is_power_of_two() && multiple <= 256,
            "a power of two up to 256",
        )?;
        field("window.width", self.window.width, self.window.width >= 1.0, "at least 1 HU")?;
        field("window.center", self.window.center, self.window.center.is_finite(), "a finite HU")
    }

    /// Channels of the network's input: the slice and its context.
    pub fn channels(&self) -> usize {
        2 * self.context_slices + 1
    }

    /// Offsets (in slices) of the channels for a stack with this slice distance, footwards first:
    /// `-c..=c` times the nearest whole number of slices to `context_step_mm`, at least one.
    pub fn context_offsets(&self, slice_distance_mm: f64) -> Vec<isize> {
        let step = (self.context_step_mm / slice_distance_mm).round().max(1.0) as isize;
        let each_side = self.context_slices as isize;
        (-each_side..=each_side).map(|c| c * step).collect()
    }

    /// One channel: the slice sampled on the grid, windowed to 0..=1.
    pub fn channel(&self, grid: &SliceGrid, slice: ArrayView2<i16>) -> Array2<f32> {
        let mut hu = grid.sample_hu(slice);
        hu.mapv_inplace(|v| self.window.apply_unit(v));
        hu
    }

    /// `length` raised to the next multiple that the network accepts.
    pub fn padded(&self, length: usize) -> usize {
        length.max(1).next_multiple_of(self.multiple_of)
    }
}

/// The network's input for one slice.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceInput {
    /// Values 0..=1, `[channel, row, column]`, footwards context first.
    pub channels: Array3<f32>,
    /// Where the rows and columns lie in the source slice.
    pub grid: SliceGrid,
}

/// The input made of the `context` slices (in the order of [`Recipe::context_offsets`], with the stack's edge slices repeated beyond its ends).
pub fn prepare(recipe: &Recipe, grid: &SliceGrid, context: &[ArrayView2<i16>]) -> SliceInput {
    let mut channels = Array3::zeros((context.len(), grid.shape[0], grid.shape[1]));
    for (mut channel, slice) in channels.outer_iter_mut().zip(context) {
        channel.assign(&recipe.channel(grid, *slice));
    }
    SliceInput { channels, grid: *grid }
}

/// A stack's slices as the network wants to see them: rows to the back, columns to the patient's left, whatever the order of the voxels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackOrientation {
    /// True where the rows of the source run along patient x.
    pub transposed: bool,
    /// True where the index along patient y and x runs with the patient coordinate.
    pub forward: [bool; 2],
    /// True where the slice index grows to the head.
    pub headward: bool,
}

impl StackOrientation {
    /// Reads the orientation of a stack of axial slices.
    pub fn of(geometry: &Affine) -> Result<Self, RecipeError> {
        let step = geometry.steps()[0];
        let tilt = (step[2].abs() / geometry.spacing_mm()[0]).clamp(-1.0, 1.0).acos().to_degrees();
        let orientation = Orientation::of(geometry);
        if orientation.axis[2] != 0 || tilt > 30.0 {
            return Err(RecipeError::NotAxial(tilt));
        }
        Ok(Self {
            transposed: orientation.axis[1] == 2,
            forward: [orientation.forward[1], orientation.forward[0]],
            headward: orientation.forward[2],
        })
    }
}

/// The network's grid over one source slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SliceGrid {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Source pixel `[y, x]` of the grid point `[0, 0]`.
    start: [f64; 2],
    /// Source pixels `[y, x]` from one row to the next.
    row_step: [f64; 2],
    /// Source pixels `[y, x]` from one column to the next.
    column_step: [f64; 2],
}

impl SliceGrid {
    /// A grid of `shape` rows and columns at the recipe's spacing, its middle at the source pixel `centre` `[y, x]`.
    pub fn centred(
        recipe: &Recipe,
        geometry: &Affine,
        orientation: StackOrientation,
        centre: [f64; 2],
        shape: [usize; 2],
    ) -> Self {
        let [_, dy, dx] = geometry.spacing_mm();
        let sign = |forward: bool| if forward { recipe.in_plane_mm } else { -recipe.in_plane_mm };
        let (to_back, to_left) = (sign(orientation.forward[0]), sign(orientation.forward[1]));
        let (row_step, column_step) = if orientation.transposed {
            ([0.0, to_back / dx], [to_left / dy, 0.0])
        } else {
            ([to_back / dy, 0.0], [0.0, to_left / dx])
        };
        let half = shape.map(|n| (n as f64 - 1.0) / 2.0);
        let start = [0, 1].map(|k| centre[k] - half[0] * row_step[k] - half[1] * column_step[k]);
        Self { shape, start, row_step, column_step }
    }

    /// Source pixel `[y, x]` of a (fractional) grid point `[row, column]`.
    pub fn source_from_grid(&self, at: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|k| self.start[k] + at[0] * self.row_step[k] + at[1] * self.column_step[k])
    }

    /// Grid point `[row, column]` of a (fractional) source pixel `[y, x]`.
    pub fn grid_from_source(&self, at: [f64; 2]) -> [f64; 2] {
        let d = [at[0] - self.start[0], at[1] - self.start[1]];
        let (r, c) = (self.row_step, self.column_step);
        let determinant = r[0] * c[1] - r[1] * c[0];
        [(d[0] * c[1] - d[1] * c[0]) / determinant, (r[0] * d[1] - r[1] * d[0]) / determinant]
    }

    /// HU of the source slice on the grid, bilinear; air outside.
    pub fn sample_hu(&self, slice: ArrayView2<i16>) -> Array2<f32> {
        resample_slice_f32(slice, self.start, self.row_step, self.column_step, self.shape)
    }

    /// Rows and columns of the source slice (of `shape`) that the grid covers.
    pub fn source_range(&self, shape: [usize; 2]) -> [Range<usize>; 2] {
        let [rows, columns] = self.shape.map(|n| n as f64 - 1.0);
        let corners = [[0.0, 0.0], [rows, 0.0], [0.0, columns], [rows, columns]].map(|c| self.source_from_grid(c));
        [0, 1].map(|k| {
            let low = corners.iter().map(|c| c[k]).fold(f64::INFINITY, f64::min).ceil().max(0.0);
            let high = corners.iter().map(|c| c[k]).fold(f64::NEG_INFINITY, f64::max).floor() + 1.0;
            let end = high.clamp(0.0, shape[k] as f64) as usize;
            (low as usize).min(end)..end
        })
    }

    /// The way back: a score at a source pixel `[y, x]`, bilinear between the grid's `scores`; `None` outside the grid.
    pub fn score_at(&self, scores: ArrayView2<f32>, source: [f64; 2]) -> Option<f32> {
        let [r, c] = self.grid_from_source(source);
        let (last_r, last_c) =
            (scores.len_of(Axis(0)).checked_sub(1)? as f64, scores.len_of(Axis(1)).checked_sub(1)? as f64);
        const RIM: f64 = 1e-6;
        if !(r >= -RIM && c >= -RIM && r <= last_r + RIM && c <= last_c + RIM) {
            return None;
        }
        let (r, c) = (r.clamp(0.0, last_r), c.clamp(0.0, last_c));
        let (r0, c0) = (r as usize, c as usize);
        let (r1, c1) = ((r0 + 1).min(last_r as usize), (c0 + 1).min(last_c as usize));
        let (fr, fc) = ((r - r0 as f64) as f32, (c - c0 as f64) as f32);
        let top = mix(scores[[r0, c0]], scores[[r0, c1]], fc);
        let bottom = mix(scores[[r1, c0]], scores[[r1, c1]], fc);
        Some(mix(top, bottom, fr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recipe() -> Recipe {
        Recipe {
            in_plane_mm: 0.8,
            window: Window::URINARY_STONE,
            context_step_mm: 3.0,
            context_slices: 1,
            multiple_of: 16,
        }
    }

    /// The eight ways to store the same axial slice.
    fn stored(transposed: bool, flip_y: bool, flip_x: bool) -> Affine {
        let along_y = [0.0, if flip_y { -0.7 } else { 0.7 }, 0.0];
        let along_x = [if flip_x { -0.7 } else { 0.7 }, 0.0, 0.0];
        let rows_columns = if transposed { [along_x, along_y] } else { [along_y, along_x] };
        Affine::new([3.0, 4.0, 5.0], [[0.0, 0.0, 2.0], rows_columns[0], rows_columns[1]]).expect("spans")
    }

    proptest! {
        #[test]
        fn rows_run_to_the_back_and_columns_to_the_left_however_the_slice_is_stored(
            transposed in any::<bool>(), flip_y in any::<bool>(), flip_x in any::<bool>(), cy in 0.0_f64..300.0, cx in 0.0_f64..300.0,
        ) {
            let geometry = stored(transposed, flip_y, flip_x);
            let orientation = StackOrientation::of(&geometry).expect("axial");
            let grid = SliceGrid::centred(&recipe(), &geometry, orientation, [cy, cx], [32, 48]);
            let at = |g: [f64; 2]| {
                let [y, x] = grid.source_from_grid(g);
                geometry.patient_from_index([0.0, y, x])
            };
            let (origin, row, column) = (at([0.0, 0.0]), at([1.0, 0.0]), at([0.0, 1.0]));
            prop_assert!((row[1] - origin[1] - 0.8).abs() < 1e-9 && (row[0] - origin[0]).abs() < 1e-9);
            prop_assert!((column[0] - origin[0] - 0.8).abs() < 1e-9 && (column[1] - origin[1]).abs() < 1e-9);
            let middle = grid.source_from_grid([15.5, 23.5]);
            prop_assert!((middle[0] - cy).abs() < 1e-9 && (middle[1] - cx).abs() < 1e-9);
            let back = grid.grid_from_source(grid.source_from_grid([7.0, 9.0]));
            prop_assert!((back[0] - 7.0).abs() < 1e-9 && (back[1] - 9.0).abs() < 1e-9);
        }

        #[test]
        fn a_score_comes_back_to_the_pixel_it_was_computed_for(flip_y in any::<bool>(), flip_x in any::<bool>()) {
            let geometry = stored(false, flip_y, flip_x);
            let orientation = StackOrientation::of(&geometry).expect("axial");
            let grid = SliceGrid::centred(&recipe(), &geometry, orientation, [60.0, 50.0], [32, 48]);
            let scores = Array2::from_shape_fn((32, 48), |(r, c)| r as f32 * 0.01 + c as f32 * 0.001);
            let [ys, xs] = grid.source_range([100, 110]);
            prop_assert!(!ys.is_empty() && !xs.is_empty());
            for y in ys {
                for x in xs.clone() {
                    let [r, c] = grid.grid_from_source([y as f64, x as f64]);
                    let score = grid.score_at(scores.view(), [y as f64, x as f64]).expect("inside the grid");
                    prop_assert!((f64::from(score) - (r * 0.01 + c * 0.001)).abs() < 1e-5);
                }
            }
            prop_assert!(grid.score_at(scores.view(), [0.0, 0.0]).is_none());
        }
    }

    #[test]
    fn context_slices_are_real_slices_at_about_the_asked_distance() {
        let r = recipe();
        assert_eq!(r.context_offsets(1.0), vec![-3, 0, 3]);
        assert_eq!(r.context_offsets(2.5), vec![-1, 0, 1]);
        assert_eq!(r.context_offsets(5.0), vec![-1, 0, 1]);
        assert_eq!(r.context_offsets(0.625), vec![-5, 0, 5]);
    }

    #[test]
    fn a_coronal_stack_is_refused() {
        let coronal = Affine::new([0.0; 3], [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]).expect("spans");
        assert!(matches!(StackOrientation::of(&coronal), Err(RecipeError::NotAxial(_))));
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused_by_name() {
        let broken = Recipe { in_plane_mm: f64::NAN, ..recipe() };
        assert_eq!(
            broken.validate().expect_err("NaN").to_string(),
            "preprocessing recipe: in_plane_mm is NaN; expected 0.1 to 10 mm"
        );
        assert!(Recipe { multiple_of: 12, ..recipe() }.validate().is_err());
        assert!(recipe().validate().is_ok());
    }

    #[test]
    fn the_input_stacks_the_windowed_context_in_order() {
        let geometry = stored(false, false, false);
        let orientation = StackOrientation::of(&geometry).expect("axial");
        let grid = SliceGrid::centred(&recipe(), &geometry, orientation, [20.0, 20.0], [16, 16]);
        let slices = [-1000, 60, 1000].map(|hu| Array2::from_elem((41, 41), hu as i16));
        let input = prepare(&recipe(), &grid, &slices.each_ref().map(|s| s.view()));
        let middle = [0, 1, 2].map(|c| input.channels[[c, 8, 8]]);
        assert_eq!((middle[0], middle[2]), (0.0, 1.0));
        assert!((middle[1] - 0.5).abs() < 2e-3);
    }
}
