//! One picture per stone: the slice that shows most of it, red mask, green box, sides, scale.

mod canvas;
mod frame;

use hilum_clinical::urinary_stone::StoneReading;
use hilum_imaging::Affine;
use ndarray::ArrayView2;

use super::ReportError;
use canvas::{Canvas, GREEN, PixelBox, RED, WHITE};
use frame::Frame;

/// A key image as PNG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyImage {
    /// Number of the stone that it shows, see `Stone::number`.
    pub stone: u32,
    /// Index of the slice in the stack, from 0.
    pub slice: u32,
    /// RGB, 8 bit.
    pub png: Vec<u8>,
}

/// The slice to draw.
#[derive(Clone, Copy, Debug)]
pub struct KeySlice<'a> {
    /// HU `[y, x]` of slice `Stone::slices.key`.
    pub hu: ArrayView2<'a, i16>,
    /// Geometry of the stack; `None` where it was refused: no millimetres and no sides are drawn.
    pub geometry: Option<&'a Affine>,
}

/// Size of the picture: the body crop fills it, the inset stands in a corner.
const PICTURE: (usize, usize) = (800, 600);
const INSET: usize = 220;

/// Draws the key image of `stones[focus]`; other stones that the slice shows get their mask and a thinner box too.
pub fn key_image(slice: KeySlice<'_>, stones: &[StoneReading], focus: usize) -> Result<KeyImage, ReportError> {
    let stone = &stones.get(focus).ok_or(ReportError::StoneOutsideSlice)?.stone;
    let key = stone.slices.key;
    let shown: Vec<Shown> = stones.iter().enumerate().filter_map(|(n, s)| Shown::new(s, key, n == focus)).collect();
    let (rows, columns) = slice.hu.dim();
    let inside = |voxel: &[usize; 2]| voxel[0] < rows && voxel[1] < columns;
    let Some(main) = shown.iter().find(|s| s.focus) else { return Err(ReportError::StoneOutsideSlice) };
    if !shown.iter().all(|s| s.voxels.iter().all(inside)) {
        return Err(ReportError::StoneOutsideSlice);
    }

    let aspect = slice.geometry.map_or(1.0, |affine| affine.spacing_mm()[1] / affine.spacing_mm()[2]);
    let body = Frame::body(&slice.hu, shown.iter().map(|s| s.bounds), aspect, PICTURE);
    let mut canvas = Canvas::new(PICTURE.0, PICTURE.1);
    draw(&mut canvas, &body, slice, &shown, 0.42);
    if let Some(affine) = slice.geometry {
        sides(&mut canvas, affine);
        scale_bar(&mut canvas, &body, affine, 50);
    }

    let centre = body.picture_from_index(main.centre());
    let corner = PixelBox {
        left: if centre[0] < PICTURE.0 as f64 / 2.0 { PICTURE.0 - INSET - 12 } else { 12 },
        top: 12,
        width: INSET,
        height: INSET,
    };
    let close = Frame::around(main.bounds, aspect, INSET);
    let mut inset = Canvas::new(INSET, INSET);
    draw(&mut inset, &close, slice, &shown, 0.25);
    if let Some(affine) = slice.geometry {
        scale_bar(&mut inset, &close, affine, 10);
    }
    canvas.paste(&inset, corner.left, corner.top);
    canvas.outline(corner, 2, WHITE);
    Ok(KeyImage { stone: stone.number, slice: key, png: canvas.png()? })
}

/// A stone's part in the slice.
struct Shown {
    /// `[y, x]`, sorted.
    voxels: Vec<[usize; 2]>,
    /// Lowest and highest `[y, x]`.
    bounds: [[usize; 2]; 2],
    focus: bool,
}

impl Shown {
    fn new(reading: &StoneReading, slice: u32, focus: bool) -> Option<Self> {
        let voxels: Vec<[usize; 2]> = reading
            .voxels
            .iter()
            .filter(|v| v.index[0] == slice)
            .map(|v| [v.index[1] as usize, v.index[2] as usize])
            .collect();
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
fn draw(canvas: &mut Canvas, frame: &Frame, slice: KeySlice<'_>, shown: &[Shown], alpha: f32) {
    canvas.grey(|x, y| frame.grey(&slice.hu, x, y));
    for stone in shown {
        let contains = |x: f64, y: f64| frame.voxel(x, y).is_some_and(|v| stone.voxels.binary_search(&v).is_ok());
        let low = frame.picture_from_index([stone.bounds[0][0] as f64 - 0.5, stone.bounds[0][1] as f64 - 0.5]);
        let high = frame.picture_from_index([stone.bounds[1][0] as f64 + 0.5, stone.bounds[1][1] as f64 + 0.5]);
        canvas.mask(PixelBox::around(low, high, 1.0), contains, RED, alpha);
        canvas.outline(PixelBox::around(low, high, 10.0), if stone.focus { 3 } else { 2 }, GREEN);
    }
}

/// Which way the picture's edges look, from patient coordinates (PS3.3 C.7.6.1.1.1): an edge is lettered when one axis dominates.
fn sides(canvas: &mut Canvas, affine: &Affine) {
    let [_, down, right] = affine.steps();
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

fn scale_bar(canvas: &mut Canvas, frame: &Frame, affine: &Affine, mm: u32) {
    let (width, height) = canvas.size();
    let length = (f64::from(mm) / affine.spacing_mm()[2] * frame.scale()).round() as usize;
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
