//! Three pictures a stone: the slice, the coronal and the sagittal plane that show most of it; red mask, green box, sides, scale.

mod canvas;
mod frame;
mod view;

use hilum_clinical::urinary_stone::StoneReading;
use hilum_imaging::Affine;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ReportError;
use canvas::{Canvas, GREEN, PixelBox, RED, WHITE};
use frame::Frame;
use view::View;

/// A plane through an axial stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyImagePlane)]
pub enum Plane {
    /// A slice as it was acquired.
    #[default]
    Axial,
    /// A row of every slice, the head above, the patient's right on the left.
    Coronal,
    /// A column of every slice, the head above, the patient's front on the left.
    Sagittal,
}

impl Plane {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 3] = [Self::Axial, Self::Coronal, Self::Sagittal];

    /// The axis of a stack `[z, y, x]` that it stands across.
    pub fn across(self) -> usize {
        self as usize
    }

    /// The index, along [`Self::across`], of the plane that shows most of a stone; the lowest of equals.
    pub fn through(self, stone: &StoneReading) -> u32 {
        if self == Self::Axial {
            return stone.stone.slices.key;
        }
        let mut along: Vec<u32> = stone.voxels.iter().map(|voxel| voxel.index[self.across()]).collect();
        along.sort_unstable();
        let mut best = (0, 0);
        for same in along.chunk_by(|a, b| a == b) {
            if same.len() > best.0 {
                best = (same.len(), same[0]);
            }
        }
        best.1
    }
}

/// A key image as PNG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyImage {
    /// Number of the stone that it shows, see `Stone::number`.
    pub stone: u32,
    /// The plane that it lies in.
    pub plane: Plane,
    /// Index `[z, y, x]` of the plane along the axis that it stands across: of an axial one the slice in the stack, from 0.
    pub index: u32,
    /// RGB, 8 bit.
    pub png: Vec<u8>,
}

/// The plane to draw: the one [`Plane::through`] the stone.
#[derive(Clone, Copy, Debug)]
pub struct KeySlice<'a> {
    /// Which.
    pub plane: Plane,
    /// HU: `[y, x]` of a slice, `[z, x]` of a coronal and `[z, y]` of a sagittal plane.
    pub hu: ArrayView2<'a, i16>,
    /// The slice of the stack that the first row of a coronal or sagittal plane shows.
    pub first_slice: u32,
    /// Geometry of the stack; `None` where it was refused: no millimetres and no sides are drawn.
    pub geometry: Option<&'a Affine>,
}

/// Size of the picture: the body crop fills it, the inset stands in a corner.
const PICTURE: (usize, usize) = (800, 600);
const INSET: usize = 220;

/// Draws the key image of `stones[focus]`; other stones that the plane shows get their mask and a thinner box too.
pub fn key_image(slice: KeySlice<'_>, stones: &[StoneReading], focus: usize) -> Result<KeyImage, ReportError> {
    let stone = stones.get(focus).ok_or(ReportError::StoneOutsideSlice)?;
    let view = View::of(slice, slice.plane.through(stone));
    let shown: Vec<Shown> =
        stones.iter().enumerate().filter_map(|(n, stone)| Shown::new(stone, &view, n == focus)).collect();
    let whole = stone.voxels.iter().all(|voxel| view.holds(voxel.index));
    let Some(main) = shown.iter().find(|shown| shown.focus && whole) else {
        return Err(ReportError::StoneOutsideSlice);
    };

    let aspect = view.aspect();
    let body = Frame::body(&view.hu, shown.iter().map(|s| s.bounds), aspect, PICTURE);
    let mut canvas = Canvas::new(PICTURE.0, PICTURE.1);
    draw(&mut canvas, &body, &view, &shown, 0.42);
    sides(&mut canvas, &view);
    scale_bar(&mut canvas, &body, &view, 50);

    let centre = body.picture_from_index(main.centre());
    let corner = PixelBox {
        left: if centre[0] < PICTURE.0 as f64 / 2.0 { PICTURE.0 - INSET - 12 } else { 12 },
        top: 12,
        width: INSET,
        height: INSET,
    };
    let close = Frame::around(main.bounds, aspect, INSET);
    let mut inset = Canvas::new(INSET, INSET);
    draw(&mut inset, &close, &view, &shown, 0.25);
    scale_bar(&mut inset, &close, &view, 10);
    canvas.paste(&inset, corner.left, corner.top);
    canvas.outline(corner, 2, WHITE);
    Ok(KeyImage { stone: stone.stone.number, plane: slice.plane, index: view.at, png: canvas.png()? })
}

/// A stone's part in the plane.
struct Shown {
    /// Row and column of the picture's source, sorted.
    voxels: Vec<[usize; 2]>,
    /// Lowest and highest row and column.
    bounds: [[usize; 2]; 2],
    focus: bool,
}

impl Shown {
    fn new(reading: &StoneReading, view: &View<'_>, focus: bool) -> Option<Self> {
        let mut voxels: Vec<[usize; 2]> = reading.voxels.iter().filter_map(|voxel| view.pixel(voxel.index)).collect();
        voxels.sort_unstable();
        let first = *voxels.first()?;
        let bounds = voxels.iter().fold([first, first], |[low, high], v| {
            [[low[0].min(v[0]), low[1].min(v[1])], [high[0].max(v[0]), high[1].max(v[1])]]
        });
        Some(Self { voxels, bounds, focus })
    }

    fn centre(&self) -> [f64; 2] {
        [0, 1].map(|k| (self.bounds[0][k] + self.bounds[1][k]) as f64 / 2.0)
    }
}

/// Grey image, red mask, green boxes with a margin that keeps stones under 3 mm visible (paper S2).
fn draw(canvas: &mut Canvas, frame: &Frame, view: &View<'_>, shown: &[Shown], alpha: f32) {
    canvas.grey(|x, y| frame.grey(&view.hu, x, y));
    for stone in shown {
        let contains = |x: f64, y: f64| frame.voxel(x, y).is_some_and(|v| stone.voxels.binary_search(&v).is_ok());
        let low = frame.picture_from_index([stone.bounds[0][0] as f64 - 0.5, stone.bounds[0][1] as f64 - 0.5]);
        let high = frame.picture_from_index([stone.bounds[1][0] as f64 + 0.5, stone.bounds[1][1] as f64 + 0.5]);
        canvas.mask(PixelBox::around(low, high, 1.0), contains, RED, alpha);
        canvas.outline(PixelBox::around(low, high, 10.0), if stone.focus { 3 } else { 2 }, GREEN);
    }
}

/// Which way the picture's edges look, from patient coordinates (PS3.3 C.7.6.1.1.1): an edge is lettered when one axis dominates.
fn sides(canvas: &mut Canvas, view: &View<'_>) {
    let Some([down, right]) = view.steps() else { return };
    let (width, height) = canvas.size();
    if let Some((left, right)) = letters(right) {
        canvas.text(12, height / 2 - 17, 5, left, WHITE);
        canvas.text(width - 12 - 25, height / 2 - 17, 5, right, WHITE);
    }
    if let Some((top, bottom)) = letters(down) {
        canvas.text(width / 2 - 10, 12, 3, top, WHITE);
        canvas.text(width / 2 - 10, height - 12 - 21, 3, bottom, WHITE);
    }
}

/// Letters at the start and the end of a direction in LPS+.
fn letters(step: [f64; 3]) -> Option<(&'static str, &'static str)> {
    let length = step.iter().map(|v| v * v).sum::<f64>().sqrt();
    let axis = (0..3).max_by(|a, b| step[*a].abs().total_cmp(&step[*b].abs()))?;
    if step[axis].abs() < 0.8 * length {
        return None;
    }
    let (low, high) = [("R", "L"), ("A", "P"), ("F", "H")][axis];
    Some(if step[axis] > 0.0 { (low, high) } else { (high, low) })
}

fn scale_bar(canvas: &mut Canvas, frame: &Frame, view: &View<'_>, mm: u32) {
    let Some([_, column_mm]) = view.spacing_mm() else { return };
    let (width, height) = canvas.size();
    let length = (f64::from(mm) / column_mm * frame.scale()).round() as usize;
    if length < 10 || length + 30 > width {
        return;
    }
    let left = width - length.max(5 * 6 * 3) - 16;
    canvas.fill(PixelBox { left, top: height - 14, width: length, height: 4 }, WHITE);
    canvas.text(left, height - 14 - 27, 3, &format!("{mm} mm"), WHITE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_lettered_from_patient_coordinates_and_not_when_oblique() {
        assert_eq!(letters([0.7, 0.0, 0.0]), Some(("R", "L")));
        assert_eq!(letters([-0.7, 0.0, 0.1]), Some(("L", "R")));
        assert_eq!(letters([0.0, -0.7, 0.0]), Some(("P", "A")));
        assert_eq!(letters([0.0, 0.0, 1.0]), Some(("F", "H")));
        assert_eq!(letters([1.0, 1.0, 0.0]), None);
    }
}
