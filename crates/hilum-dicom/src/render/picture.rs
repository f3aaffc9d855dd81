//! Grey or RGB bytes, cut out and brought to another size.

/// A picture of eight bits a sample, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1: grey, 3: red, green, blue.
    pub samples: usize,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Picture {
    pub(super) fn grey(width: u32, height: u32, bytes: Vec<u8>) -> Self {
        Self { width, height, samples: 1, bytes }
    }

    pub(super) fn rgb(width: u32, height: u32, bytes: Vec<u8>) -> Self {
        Self { width, height, samples: 3, bytes }
    }

    /// A grey picture as baseline JPEG at `quality` (1 to 100); `None` where it has colours, or a side of none or more than 65,535 pixels.
    pub fn to_grey_jpeg(&self, quality: u8) -> Option<Vec<u8>> {
        let (width, height) = (u16::try_from(self.width).ok()?, u16::try_from(self.height).ok()?);
        (self.samples == 1 && width.min(height) > 0).then(|| super::jpeg::grey(&self.bytes, width, height, quality))
    }

    /// The part at `left`, `top`, as far as it lies within the picture; `None` where no pixel does.
    pub fn cut(&self, left: u32, top: u32, width: u32, height: u32) -> Option<Self> {
        let right = left.saturating_add(width).min(self.width);
        let bottom = top.saturating_add(height).min(self.height);
        if left >= right || top >= bottom {
            return None;
        }
        let mut bytes = Vec::with_capacity((right - left) as usize * (bottom - top) as usize * self.samples);
        for y in top..bottom {
            let row = y as usize * self.width as usize;
            bytes.extend(&self.bytes[(row + left as usize) * self.samples..(row + right as usize) * self.samples]);
        }
        Some(Self { width: right - left, height: bottom - top, samples: self.samples, bytes })
    }

    /// Mirrored from left to right, and upside down.
    pub fn mirrored(mut self, across: bool, down: bool) -> Self {
        let row = self.width as usize * self.samples;
        if across {
            for row in self.bytes.chunks_exact_mut(row) {
                // The samples of a pixel come in their order again.
                row.reverse();
                row.chunks_exact_mut(self.samples).for_each(<[u8]>::reverse);
            }
        }
        if down {
            self.bytes = self.bytes.chunks_exact(row).rev().flatten().copied().collect();
        }
        self
    }

    /// As large as fits into `width` x `height` (at least 1 each), the ratio kept.
    pub fn fitted(&self, width: u32, height: u32) -> Self {
        let scale = (f64::from(width) / f64::from(self.width)).min(f64::from(height) / f64::from(self.height));
        let size = |own: u32, limit: u32| ((f64::from(own) * scale).round() as u32).clamp(1, limit.max(1));
        self.resized(size(self.width, width), size(self.height, height))
    }

    /// Of this size: averages over the area of a pixel where it shrinks, between neighbours where it grows.
    fn resized(&self, width: u32, height: u32) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let (across, down) = (weights(self.width, width), weights(self.height, height));
        let samples = self.samples;
        let row = |y: usize| -> Vec<f32> {
            let own = &self.bytes[y * self.width as usize * samples..][..self.width as usize * samples];
            let mut out = Vec::with_capacity(width as usize * samples);
            for taps in &across {
                for sample in 0..samples {
                    out.push(taps.iter().map(|&(at, weight)| f32::from(own[at * samples + sample]) * weight).sum());
                }
            }
            out
        };
        let mut bytes = Vec::with_capacity(width as usize * height as usize * samples);
        for taps in &down {
            let mut sum = vec![0.0_f32; width as usize * samples];
            for &(y, weight) in taps {
                sum.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum += value * weight);
            }
            bytes.extend(sum.into_iter().map(|value| value.round().clamp(0.0, 255.0) as u8));
        }
        Self { width, height, samples, bytes }
    }
}

/// Which pixels of `from` make each of `to`, and how much of it.
fn weights(from: u32, to: u32) -> Vec<Vec<(usize, f32)>> {
    let scale = f64::from(from) / f64::from(to);
    let radius = scale.max(1.0);
    let taps = |at: u32| {
        let center = (f64::from(at) + 0.5) * scale - 0.5;
        let first = (center - radius).ceil().max(0.0) as usize;
        let last = ((center + radius).floor() as usize).min(from as usize - 1);
        let own: Vec<(usize, f64)> = (first..=last.max(first))
            .map(|pixel| (pixel, (1.0 - (pixel as f64 - center).abs() / radius).max(0.0)))
            .filter(|(_, weight)| *weight > 0.0)
            .collect();
        let sum: f64 = own.iter().map(|(_, weight)| weight).sum();
        if own.is_empty() {
            return vec![((center.round().max(0.0) as usize).min(from as usize - 1), 1.0)];
        }
        own.into_iter().map(|(pixel, weight)| (pixel, (weight / sum) as f32)).collect()
    };
    (0..to).map(taps).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Picture {
        Picture::grey(4, 2, vec![0, 80, 160, 240, 0, 80, 160, 240])
    }

    #[test]
    fn a_picture_fits_into_its_box_and_keeps_its_ratio() {
        let sizes = |width, height| {
            let fitted = ramp().fitted(width, height);
            assert_eq!(fitted.bytes.len(), (fitted.width * fitted.height) as usize);
            (fitted.width, fitted.height)
        };
        assert_eq!([sizes(2, 2), sizes(8, 100), sizes(100, 1), sizes(1, 1)], [(2, 1), (8, 4), (2, 1), (1, 1)]);
        assert_eq!(ramp().fitted(4, 2), ramp());
    }

    #[test]
    fn shrinking_keeps_the_mean_and_a_flat_picture_stays_flat() {
        let half = ramp().fitted(2, 2);
        assert!(half.bytes[0] < 80 && half.bytes[1] > 160, "{:?}", half.bytes);
        assert_eq!(half.bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>(), 240);
        let flat = Picture::rgb(3, 3, vec![77; 27]).fitted(10, 10);
        assert!(flat.bytes.iter().all(|&byte| byte == 77));
    }

    #[test]
    fn a_part_outside_the_picture_is_none() {
        assert_eq!(ramp().cut(1, 0, 2, 1).unwrap().bytes, [80, 160]);
        assert_eq!(ramp().cut(3, 1, 9, 9).unwrap().bytes, [240]);
        assert_eq!(ramp().cut(4, 0, 1, 1), None);
    }
}
