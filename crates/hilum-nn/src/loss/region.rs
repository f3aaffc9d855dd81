//! Dice and Tversky: losses of sums over regions.

use super::{Extent, Loss, Scope, Term, refill};

/// Sums over the pixels of one class, in a batch or in one image.
#[derive(Clone, Copy, Default)]
pub(super) struct ClassSums {
    pub(super) product: f64,
    pub(super) predicted: f64,
    pub(super) target: f64,
}

impl ClassSums {
    pub(super) fn add(&mut self, other: &Self) {
        self.product += other.product;
        self.predicted += other.predicted;
        self.target += other.target;
    }
}

/// `d loss / d p = constant + by_target t` for the pixels of one class in one image.
#[derive(Clone, Copy, Default)]
pub(super) struct Slope {
    constant: f64,
    by_target: f64,
}

impl Slope {
    pub(super) fn floats(self) -> (f32, f32) {
        (self.constant as f32, self.by_target as f32)
    }
}

/// What one class of one region adds to the loss, times `share`.
fn class(term: &Term, share: f64, sums: &ClassSums) -> (f64, Slope) {
    let ClassSums { product, predicted, target } = *sums;
    match *term {
        Term::Dice { smooth, .. } => {
            let smooth = f64::from(smooth);
            let (numerator, denominator) = (2.0 * product + smooth, predicted + target + smooth);
            if denominator == 0.0 {
                return (share, Slope::default());
            }
            let slope = Slope {
                constant: share * numerator / (denominator * denominator),
                by_target: -2.0 * share / denominator,
            };
            (share * (1.0 - numerator / denominator), slope)
        }
        Term::Tversky { alpha, beta, smooth, .. } => {
            let [alpha, beta, smooth] = [alpha, beta, smooth].map(f64::from);
            let numerator = product + smooth;
            let denominator = product + alpha * (predicted - product) + beta * (target - product) + smooth;
            if denominator == 0.0 {
                return (share, Slope::default());
            }
            // d denominator / d p = alpha + (1 - alpha - beta) t.
            let square = denominator * denominator;
            let slope = Slope {
                constant: share * numerator * alpha / square,
                by_target: share * (numerator * (1.0 - alpha - beta) - denominator) / square,
            };
            (share * (1.0 - numerator / denominator), slope)
        }
        Term::Bce { .. } | Term::CrossEntropy { .. } | Term::Focal { .. } => (0.0, Slope::default()),
    }
}

/// The sum of all Dice and Tversky terms; the slopes become `[images, channels]`. `batch` is `[channels]`, `images` `[images, channels]`.
pub(super) fn value(
    loss: &Loss,
    batch: &[ClassSums],
    images: &[ClassSums],
    extent: Extent,
    slopes: &mut Vec<Slope>,
) -> f64 {
    let (channels, mut total) = (extent.channels, 0.0);
    refill(slopes, images.len());
    for term in &loss.terms {
        let (Term::Dice { weight, scope, background, .. } | Term::Tversky { weight, scope, background, .. }) = term
        else {
            continue;
        };
        let first = usize::from(!background);
        let share = f64::from(*weight) / (channels - first) as f64;
        let (sums, share) = match scope {
            Scope::Batch => (batch, share),
            Scope::Image => (images, share / extent.images as f64),
        };
        for (i, slope) in slopes.iter_mut().enumerate() {
            let c = i % channels;
            if c < first {
                continue;
            }
            let (value, own) = class(term, share, &sums[i % sums.len()]);
            if i < sums.len() {
                total += value;
            }
            slope.constant += own.constant;
            slope.by_target += own.by_target;
        }
    }
    total
}
