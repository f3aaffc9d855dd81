use hilum_clinical::urinary_stone::{TractReference, measure};
use hilum_engine::report::{KeySlice, Plane, ReportError, key_image};
use hilum_imaging::Affine;
use ndarray::Array2;

use super::fixture;

struct Picture {
    width: usize,
    rgb: Vec<u8>,
}

impl Picture {
    fn read(png: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
        let mut rgb = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut rgb).expect("pixels");
        assert_eq!((info.width, info.height, info.color_type), (800, 600, png::ColorType::Rgb));
        Self { width: 800, rgb }
    }

    /// Centre `[x, y]` and count of the pixels of the lower half-picture (no inset there) that satisfy a test.
    fn find(&self, is: impl Fn(&[u8]) -> bool) -> ([f64; 2], usize) {
        let (mut sum, mut count) = ([0.0; 2], 0);
        for (i, pixel) in self.rgb.chunks(3).enumerate() {
            let (x, y) = (i % self.width, i / self.width);
            if y > 240 && is(pixel) {
                sum = [sum[0] + x as f64, sum[1] + y as f64];
                count += 1;
            }
        }
        (sum.map(|v| v / f64::from(count.max(1))), count as usize)
    }

    fn at(&self, x: usize, y: usize, width: usize, height: usize) -> Vec<u8> {
        (y..y + height)
            .flat_map(|row| &self.rgb[(row * self.width + x) * 3..(row * self.width + x + width) * 3])
            .copied()
            .collect()
    }
}

fn red(p: &[u8]) -> bool {
    p[0] > 150 && p[1] < 90 && p[2] < 90
}

fn green(p: &[u8]) -> bool {
    p == [40, 230, 90]
}

/// A slice without geometry.
fn axial(hu: &Array2<i16>) -> KeySlice<'_> {
    KeySlice { plane: Plane::Axial, hu: hu.view(), first_slice: 0, geometry: None }
}

#[test]
fn the_mask_is_red_at_the_stone_and_the_green_box_stands_around_it() {
    let stones = fixture::stones(1);
    let picture = Picture::read(&fixture::key_images(&stones)[0].png);
    // The body, 221 columns wide, stands in the middle of the picture and fills its width.
    let (mask, pixels) = picture.find(red);
    let (frame, border) = picture.find(green);
    assert!(pixels > 20, "{pixels} red pixels");
    assert!(border > 100, "{border} green pixels");
    assert!((mask[0] - frame[0]).abs() < 2.0 && (mask[1] - frame[1]).abs() < 2.0, "{mask:?} is not in {frame:?}");
    let columns_left_of_middle = 127.5 - stones[0].stone.centre_index[2];
    let expected_x = 400.0 - columns_left_of_middle * 800.0 / (221.0 * 1.06 + 4.0);
    assert!((mask[0] - expected_x).abs() < 4.0, "{mask:?}, expected x {expected_x}");
}

#[test]
fn edges_are_marked_from_patient_coordinates_not_from_columns() {
    let supine = fixture::supine();
    let steps = supine.steps();
    let opposite = |v: [f64; 3]| v.map(|x| -x);
    // Prone head-first and supine feet-first: the columns grow to the patient's right.
    let mirrored =
        Affine::new(opposite(supine.origin()), [steps[0], opposite(steps[1]), opposite(steps[2])]).expect("a grid");
    let draw = |affine: &Affine| {
        let stones = measure(vec![fixture::ball([20, 150, 90], 2, 0.9)], Some(affine), &TractReference::default());
        Picture::read(&fixture::drawn(affine, &stones, 0, Plane::Axial).png)
    };
    let (upright, turned) = (draw(&supine), draw(&mirrored));
    let (left, right) = ((10, 270, 32, 60), (758, 270, 32, 60));
    let letter = |p: &Picture, (x, y, w, h): (usize, usize, usize, usize)| {
        p.at(x, y, w, h).chunks(3).map(|c| c == [240, 240, 240]).collect::<Vec<_>>()
    };
    assert_ne!(letter(&upright, left), letter(&turned, left));
    assert!(
        letter(&upright, left).iter().filter(|w| **w).count() > letter(&turned, left).iter().filter(|w| **w).count()
    );
    assert!(
        letter(&turned, right).iter().filter(|w| **w).count() > letter(&upright, right).iter().filter(|w| **w).count()
    );
}

/// White letters at the left and the upper edge.
fn letters(picture: &Picture) -> [Vec<bool>; 2] {
    [(10, 270, 32, 60), (380, 8, 40, 30)]
        .map(|(x, y, width, height)| picture.at(x, y, width, height).chunks(3).map(|c| c == [240, 240, 240]).collect())
}

#[test]
fn coronal_and_sagittal_planes_are_seen_from_the_front_and_the_right_with_the_head_above_however_the_stack_runs() {
    let supine = fixture::supine();
    let ([down, back, right], opposite) = (supine.steps(), |v: [f64; 3]| v.map(|x| -x));
    let steps = [[down, back, right], [opposite(down), back, opposite(right)], [down, opposite(back), opposite(right)]];
    let affines = steps.map(|steps| Affine::new(supine.origin(), steps).expect("a grid"));
    for plane in [Plane::Coronal, Plane::Sagittal] {
        let mut seen: Option<[Vec<bool>; 2]> = None;
        for affine in &affines {
            let stones = measure(vec![fixture::ball([30, 150, 90], 2, 0.9)], Some(affine), &TractReference::default());
            let picture = Picture::read(&fixture::drawn(affine, &stones, 0, plane).png);
            let (mask, pixels) = picture.find(red);
            let (frame, border) = picture.find(green);
            assert!(pixels > 20 && border > 100, "{plane:?}: {pixels} red, {border} green pixels");
            assert!(
                (mask[0] - frame[0]).abs() < 2.0 && (mask[1] - frame[1]).abs() < 2.0,
                "{plane:?}: {mask:?}, {frame:?}"
            );
            let letters = letters(&picture);
            assert!(letters.iter().all(|edge| edge.iter().any(|white| *white)), "{plane:?} has a letter on each edge");
            assert_eq!(seen.get_or_insert_with(|| letters.clone()), &letters, "{plane:?} is always seen the same way");
        }
    }
}

#[test]
fn the_mask_of_a_coronal_plane_stands_at_the_height_of_the_stone() {
    let supine = fixture::supine();
    let at = |slice| {
        let stones = measure(vec![fixture::ball([slice, 150, 90], 2, 0.9)], Some(&supine), &TractReference::default());
        Picture::read(&fixture::drawn(&supine, &stones, 0, Plane::Coronal).png).find(red).0[1]
    };
    // The stack runs to the head (z grows), and the head is above: 8 slices of 2.5 mm at the picture's scale.
    let (low, high) = (at(8), at(16));
    let scale = 800.0 / (221.0 * 1.06 + 4.0) / 1.4;
    assert!((low - high - 20.0 * scale).abs() < 4.0, "{low}, {high}, expected {} apart", 20.0 * scale);
}

#[test]
fn a_refused_geometry_gives_a_picture_without_letters_and_scale() {
    let hu = Array2::from_elem((64, 64), -1000_i16);
    let stones = measure(vec![fixture::ball([20, 40, 20], 2, 0.9)], None, &TractReference::default());
    let picture = key_image(axial(&hu), &stones, 0).expect("a picture");
    let white = |p: &[u8]| p == [240, 240, 240];
    assert_eq!(Picture::read(&picture.png).find(white).1, 0);
}

#[test]
fn a_stone_outside_its_slice_is_an_error_and_one_at_the_corner_is_drawn() {
    let hu = Array2::from_elem((32, 32), 40_i16);
    let slice = axial(&hu);
    let at = |y, x| measure(vec![fixture::ball([5, y, x], 1, 0.9)], None, &TractReference::default());
    assert!(matches!(key_image(slice, &at(40, 40), 0), Err(ReportError::StoneOutsideSlice)));
    assert!(matches!(key_image(slice, &at(10, 10), 1), Err(ReportError::StoneOutsideSlice)));
    for (y, x) in [(1, 1), (1, 30), (30, 1), (30, 30)] {
        let picture = key_image(slice, &at(y, x), 0).expect("a picture");
        assert_eq!((picture.stone, picture.index), (1, 5));
    }
}
