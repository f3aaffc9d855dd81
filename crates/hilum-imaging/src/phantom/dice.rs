//! Random draws by purpose: each purpose has its own stream, so that adding a draw to one leaves the others as they are.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers decides.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Patient = 1,
    Pose,
    Body,
    Skeleton,
    Urinary,
    Organs,
    Bowel,
    Vessels,
    Decoys,
    Stones,
    StoneShapes,
    Scanner,
    Head,
    Texture,
    Name,
    StoneScan,
}

/// A seeded stream of draws.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        Self::stream(seed, purpose as u64)
    }

    /// The noise of one slice.
    pub(super) fn for_slice(seed: u64, slice: usize) -> Self {
        Self::stream(seed, 1_000 + slice as u64)
    }

    pub(super) fn stream(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `low..=high`.
    pub(super) fn count(&mut self, low: usize, high: usize) -> usize {
        low + (self.unit() * (high - low + 1) as f64) as usize
    }

    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    pub(super) fn sign(&mut self) -> f64 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    pub(super) fn unit_vector(&mut self) -> [f64; 3] {
        let v = [self.normal(), self.normal(), self.normal()];
        let n = v.iter().map(|c| c * c).sum::<f64>().sqrt().max(1e-9);
        v.map(|c| c / n)
    }
}
