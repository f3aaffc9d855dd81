//! From stored patches to batches.

use hilum_imaging::Window;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::patch::Patch;
use crate::plan::Augmentation;

/// How one patch is seen this time.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Row and column of the stored patch from one row (column) of the network's input to the next.
    row_step: [f64; 2],
    column_step: [f64; 2],
    /// Shift of the middle in pixels.
    shift: [f64; 2],
    hu_shift: f32,
    hu_noise: f32,
}

impl View {
    /// The middle of the patch as it is.
    pub const PLAIN: Self =
        Self { row_step: [1.0, 0.0], column_step: [0.0, 1.0], shift: [0.0; 2], hu_shift: 0.0, hu_noise: 0.0 };

    /// A random view that stays within a rim of this many pixels.
    pub fn draw(augmentation: &Augmentation, rim: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut symmetric = |most: f64| if most > 0.0 { rng.random_range(-most..most) } else { 0.0 };
        let turn = symmetric(augmentation.turn_degrees).to_radians();
        let scale = 1.0 + symmetric(augmentation.scale);
        let shift = [symmetric(rim as f64 / 2.0), symmetric(rim as f64 / 2.0)];
        let hu_shift = symmetric(augmentation.hu_shift) as f32;
        let hu_noise = symmetric(augmentation.hu_noise).abs() as f32;
        let mirror = if augmentation.mirror && rng.random_range(0.0..1.0) < 0.5 { -1.0 } else { 1.0 };
        let (sin, cos) = turn.sin_cos();
        Self {
            row_step: [scale * cos, -scale * sin],
            column_step: [mirror * scale * sin, mirror * scale * cos],
            shift,
            hu_shift,
            hu_noise,
        }
    }
}

/// Writes one patch into a batch: `x` `[channel, row, column]` windowed, `y` `[row, column]`.
pub fn render(
    patch: &Patch,
    stored: usize,
    size: usize,
    window: Window,
    view: &View,
    rng: &mut ChaCha8Rng,
    x: &mut [f32],
    y: &mut [f32],
) {
    let middle = (stored as f64 - 1.0) / 2.0;
    let half = (size as f64 - 1.0) / 2.0;
    let last = (stored - 1) as f64;
    let area = stored * stored;
    let channels = patch.hu.len() / area;
    for r in 0..size {
        for c in 0..size {
            let (dr, dc) = (r as f64 - half, c as f64 - half);
            let at = [0, 1]
                .map(|k| (middle + view.shift[k] + dr * view.row_step[k] + dc * view.column_step[k]).clamp(0.0, last));
            let low = at.map(|v| v as usize);
            let high = low.map(|v| (v + 1).min(stored - 1));
            let f = [0, 1].map(|k| (at[k] - low[k] as f64) as f32);
            let corners = [
                (low[0] * stored + low[1], (1.0 - f[0]) * (1.0 - f[1])),
                (low[0] * stored + high[1], (1.0 - f[0]) * f[1]),
                (high[0] * stored + low[1], f[0] * (1.0 - f[1])),
                (high[0] * stored + high[1], f[0] * f[1]),
            ];
            for channel in 0..channels {
                let hu: f32 = corners.iter().map(|(i, w)| w * f32::from(patch.hu[channel * area + i])).sum();
                let noise = if view.hu_noise > 0.0 { view.hu_noise * nearly_normal(rng) } else { 0.0 };
                x[(channel * size + r) * size + c] = window.apply_unit(hu + view.hu_shift + noise);
            }
            y[r * size + c] = corners.iter().map(|(i, w)| w * f32::from(patch.stone[*i])).sum::<f32>() / 255.0;
        }
    }
}

/// Mean 0 and variance 1: the sum of four bytes, near enough to a normal deviate for noise.
fn nearly_normal(rng: &mut ChaCha8Rng) -> f32 {
    let bits: u32 = rng.random();
    let sum: u32 = bits.to_le_bytes().iter().map(|b| u32::from(*b)).sum();
    // A byte has mean 127.5 and variance (256^2 - 1) / 12.
    (sum as f32 - 510.0) / (4.0_f32 * 65535.0 / 12.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    const WINDOW: Window = Window { center: 500.0, width: 1001.0 };

    fn patch(stored: usize) -> Patch {
        let hu = (0..2 * stored * stored).map(|i| (i % 997) as i16).collect();
        let stone = (0..stored * stored).map(|i| if i == stored * (stored + 1) / 2 { 255 } else { 0 }).collect();
        Patch { hu, stone }
    }

    #[test]
    fn the_plain_view_is_the_middle_of_the_patch() {
        let (stored, size) = (20, 16);
        let patch = patch(stored);
        let (mut x, mut y) = (vec![0.0; 2 * size * size], vec![0.0; size * size]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        render(&patch, stored, size, WINDOW, &View::PLAIN, &mut rng, &mut x, &mut y);
        let at = |channel: usize, r: usize, c: usize| f32::from(patch.hu[(channel * stored + r + 2) * stored + c + 2]);
        assert!((x[0] - WINDOW.apply_unit(at(0, 0, 0))).abs() < 1e-6);
        assert!((x[(size + 5) * size + 7] - WINDOW.apply_unit(at(1, 5, 7))).abs() < 1e-6);
        assert_eq!(y.iter().filter(|v| **v == 1.0).count(), 1);
    }

    #[test]
    fn a_random_view_keeps_stone_and_hu_together() {
        // A patch whose HU is the stone's share: whatever the view does, both stay equal.
        let stored = 40;
        let stone: Vec<u8> = (0..stored * stored).map(|i| ((i / stored) * 5 % 200) as u8).collect();
        let patch = Patch { hu: stone.iter().map(|s| i16::from(*s)).collect(), stone };
        let augmentation = Augmentation { mirror: true, turn_degrees: 15.0, scale: 0.15, hu_shift: 0.0, hu_noise: 0.0 };
        let window = Window { center: 128.0, width: 256.0 };
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let view = View::draw(&augmentation, 8, &mut rng);
            let (mut x, mut y) = (vec![0.0; 24 * 24], vec![0.0; 24 * 24]);
            render(&patch, stored, 24, window, &view, &mut rng, &mut x, &mut y);
            for (a, b) in x.iter().zip(&y) {
                assert!((a - b).abs() < 5e-3, "{a} is not {b}");
            }
        }
    }

    #[test]
    fn noise_has_mean_zero_and_variance_one() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let draws: Vec<f64> = (0..40_000).map(|_| f64::from(nearly_normal(&mut rng))).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "mean {mean}, variance {variance}");
    }
}
