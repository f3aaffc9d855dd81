//! An RGB picture to draw on.

use super::ReportError;

pub(super) const RED: [u8; 3] = [255, 40, 40];
pub(super) const GREEN: [u8; 3] = [40, 230, 90];
pub(super) const WHITE: [u8; 3] = [240, 240, 240];

/// A box of picture pixels.
#[derive(Clone, Copy)]
pub(super) struct PixelBox {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl PixelBox {
    /// Around two corners `[x, y]`, with a margin in pixels.
    pub(super) fn around(low: [f64; 2], high: [f64; 2], margin: f64) -> Self {
        let [left, top] = low.map(|v| (v - margin).floor().max(0.0));
        let [right, bottom] = high.map(|v| (v + margin).ceil().max(0.0));
        Self {
            left: left as usize,
            top: top as usize,
            width: (right - left).max(0.0) as usize,
            height: (bottom - top).max(0.0) as usize,
        }
    }
}

/// RGB pixels, row by row.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, rgb: vec![0; width * height * 3] }
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Fills the picture from the grey value at each pixel centre.
    pub(super) fn grey(&mut self, value: impl Fn(f64, f64) -> u8) {
        for y in 0..self.height {
            for x in 0..self.width {
                let grey = value(x as f64 + 0.5, y as f64 + 0.5);
                self.put(x, y, [grey; 3]);
            }
        }
    }

    /// Blends a colour over the pixels of a box whose centres a mask contains; the mask's rim is drawn solid.
    pub(super) fn mask(&mut self, within: PixelBox, contains: impl Fn(f64, f64) -> bool, colour: [u8; 3], alpha: f32) {
        for y in within.top..(within.top + within.height).min(self.height) {
            for x in within.left..(within.left + within.width).min(self.width) {
                let at = |dx: f64, dy: f64| contains(x as f64 + 0.5 + dx, y as f64 + 0.5 + dy);
                if at(0.0, 0.0) {
                    let inner = at(-1.0, 0.0) && at(1.0, 0.0) && at(0.0, -1.0) && at(0.0, 1.0);
                    self.blend(x, y, colour, if inner { alpha } else { 1.0 });
                }
            }
        }
    }

    /// The border of a box, `thickness` pixels inwards.
    pub(super) fn outline(&mut self, of: PixelBox, thickness: usize, colour: [u8; 3]) {
        for y in of.top..(of.top + of.height).min(self.height) {
            for x in of.left..(of.left + of.width).min(self.width) {
                let to_edge =
                    (x - of.left).min(of.left + of.width - 1 - x).min(y - of.top).min(of.top + of.height - 1 - y);
                if to_edge < thickness {
                    self.put(x, y, colour);
                }
            }
        }
    }

    pub(super) fn fill(&mut self, of: PixelBox, colour: [u8; 3]) {
        for y in of.top..(of.top + of.height).min(self.height) {
            for x in of.left..(of.left + of.width).min(self.width) {
                self.put(x, y, colour);
            }
        }
    }

    /// Another picture onto this one.
    pub(super) fn paste(&mut self, other: &Self, left: usize, top: usize) {
        for y in 0..other.height.min(self.height - top) {
            let from = y * other.width * 3;
            let to = ((y + top) * self.width + left) * 3;
            self.rgb[to..to + other.width * 3].copy_from_slice(&other.rgb[from..from + other.width * 3]);
        }
    }

    /// Text in 5x7 letters, `size` pixels a dot, with a dark edge. Draws what [`glyph`] knows.
    pub(super) fn text(&mut self, left: usize, top: usize, size: usize, text: &str, colour: [u8; 3]) {
        for (grow, colour) in [(1, [0; 3]), (0, colour)] {
            for (n, character) in text.chars().enumerate() {
                for (row, bits) in glyph(character).iter().enumerate() {
                    for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                        let dot = PixelBox {
                            left: (left + (n * 6 + column) * size).saturating_sub(grow),
                            top: (top + row * size).saturating_sub(grow),
                            width: size + 2 * grow,
                            height: size + 2 * grow,
                        };
                        self.fill(dot, colour);
                    }
                }
            }
        }
    }

    /// The picture as PNG.
    pub(super) fn png(&self) -> Result<Vec<u8>, ReportError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgb)?;
        writer.finish()?;
        Ok(bytes)
    }

    fn put(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        let i = (y * self.width + x) * 3;
        self.rgb[i..i + 3].copy_from_slice(&colour);
    }

    fn blend(&mut self, x: usize, y: usize, colour: [u8; 3], alpha: f32) {
        let i = (y * self.width + x) * 3;
        for (old, new) in self.rgb[i..i + 3].iter_mut().zip(colour) {
            *old = (f32::from(*old) * (1.0 - alpha) + f32::from(new) * alpha).round() as u8;
        }
    }
}

/// Rows of a letter, five bits each; blank for a letter that no key image uses.
fn glyph(character: char) -> [u8; 7] {
    match character {
        '0' => [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
        'A' => [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'F' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
        'H' => [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'P' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000],
        'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        'm' => [0b00000, 0b00000, 0b11010, 0b10101, 0b10101, 0b10101, 0b10101],
        _ => [0; 7],
    }
}
