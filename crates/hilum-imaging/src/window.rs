//! The linear VOI window.

use serde::{Deserialize, Serialize};

/// A linear window over HU (PS3.3 C.11.2.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Window Center (0028,1050) in HU.
    pub center: f64,
    /// Window Width (0028,1051) in HU, at least 1.
    pub width: f64,
}

impl Window {
    /// The window of the urinary-stone papers: level 60, width 400.
    pub const URINARY_STONE: Self = Self { center: 60.0, width: 400.0 };

    /// The window's output for `hu`, scaled to 0..=1. A width of 1 or less is the step at `center - 0.5`.
    pub fn apply_unit(&self, hu: f32) -> f32 {
        // PS3.3 C.11.2.1.2.1: ((x - (c - 0.5)) / (w - 1) + 0.5), clamped below c - 0.5 - (w-1)/2 and above c - 0.5 + (w-1)/2.
        let x = f64::from(hu) - (self.center - 0.5);
        let range = self.width - 1.0;
        if x <= -range / 2.0 {
            0.0
        } else if x > range / 2.0 {
            1.0
        } else {
            (x / range + 0.5) as f32
        }
    }

    /// The window's output for `hu` as a grey value 0..=255, rounded to nearest.
    pub fn apply_u8(&self, hu: f32) -> u8 {
        (self.apply_unit(hu) * 255.0).round() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_meets_the_worked_values_of_the_standard() {
        // C.11.2.1.2.1's examples: c=2048, w=4096 maps 0..4095 onto the whole range; c=2048, w=1 is a step at 2047.5.
        let whole = Window { center: 2048.0, width: 4096.0 };
        assert_eq!((whole.apply_u8(0.0), whole.apply_u8(4095.0)), (0, 255));
        assert!((whole.apply_unit(2047.5) - 0.5).abs() < 1e-7);
        let step = Window { center: 2048.0, width: 1.0 };
        assert_eq!((step.apply_unit(2047.0), step.apply_unit(2048.0)), (0.0, 1.0));
    }

    #[test]
    fn the_stone_window_ends_at_minus_140_and_259_hu() {
        let w = Window::URINARY_STONE;
        assert_eq!((w.apply_u8(-140.0), w.apply_u8(259.0)), (0, 255));
        assert!(w.apply_unit(-139.0) > 0.0 && w.apply_unit(258.0) < 1.0);
        assert_eq!(w.apply_unit(f32::from(i16::MIN)), 0.0);
    }
}
