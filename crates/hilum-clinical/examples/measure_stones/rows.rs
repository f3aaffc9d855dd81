//! Figures of one class of stones.

use hilum_clinical::urinary_stone::density::DensityMeasure;

use crate::calibrate::quantile;
use crate::trial::{Outcome, wilson};

/// A class of stones that were measured.
pub struct Class<'a> {
    all: Vec<&'a Outcome>,
    pairs: Vec<(&'a Outcome, &'a DensityMeasure)>,
}

/// Spread of one error over a class.
pub struct Errors {
    pub mean: f64,
    /// 95 % interval of the mean.
    pub mean_low: f64,
    pub mean_high: f64,
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl<'a> Class<'a> {
    pub fn new(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let all: Vec<&Outcome> = outcomes.into_iter().collect();
        let pairs = all.iter().filter_map(|o| o.measure.as_ref().map(|m| (*o, m))).collect();
        Self { all, pairs }
    }

    pub fn stand_out(&self) -> (usize, usize) {
        (self.pairs.len(), self.all.len())
    }

    fn errors(&self, error: impl Fn(&Outcome, &DensityMeasure) -> f64) -> Option<Errors> {
        let mut values: Vec<f64> = self.pairs.iter().map(|(o, m)| error(o, m)).collect();
        if values.len() < 2 {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let half = 1.96 * sd / n.sqrt();
        Some(Errors {
            mean,
            mean_low: mean - half,
            mean_high: mean + half,
            low: quantile(&values, 0.05),
            median: quantile(&values, 0.5),
            high: quantile(&values, 0.95),
        })
    }

    /// Measured less true largest diameter, mm.
    pub fn diameter(&self) -> Option<Errors> {
        self.errors(|o, m| m.largest_diameter_mm - o.truth.stone.largest_diameter_mm)
    }

    /// The same of the axial diameter.
    pub fn axial(&self) -> Option<Errors> {
        self.errors(|o, m| m.axial_diameter_mm - o.truth.axial_diameter_mm)
    }

    /// The same of the coronal diameter.
    pub fn coronal(&self) -> Option<Errors> {
        self.errors(|o, m| m.coronal_diameter_mm - o.truth.coronal_diameter_mm)
    }

    /// The same of the width.
    pub fn width(&self) -> Option<Errors> {
        self.errors(|o, m| m.width_mm - o.truth.width_mm)
    }

    /// Measured over true volume less one, %.
    pub fn volume(&self) -> Option<Errors> {
        self.errors(|o, m| 100.0 * (m.volume_mm3 / o.truth.stone.volume_mm3 - 1.0))
    }

    /// HU of the stone itself over its true mean less one, %.
    pub fn density(&self) -> Option<Errors> {
        self.errors(|o, m| 100.0 * (m.core_hu.value / o.truth.stone.mean_hu - 1.0))
    }

    pub fn share(&self, holds: impl Fn(&Outcome, &DensityMeasure) -> bool) -> String {
        let n = self.pairs.len();
        if n == 0 {
            return "-".to_owned();
        }
        let (p, low, high) = wilson(self.pairs.iter().filter(|(o, m)| holds(o, m)).count(), n);
        format!("{:.1} ({:.1}-{:.1})", 100.0 * p, 100.0 * low, 100.0 * high)
    }

    pub fn within_a_voxel(&self) -> String {
        self.share(|o, m| {
            let voxel = o.scan.slice_spacing_mm.max(o.scan.pixel_mm);
            (m.largest_diameter_mm - o.truth.stone.largest_diameter_mm).abs() <= voxel
        })
    }

    pub fn within_15_percent(&self) -> String {
        self.share(|o, m| (m.volume_mm3 / o.truth.stone.volume_mm3 - 1.0).abs() <= 0.15)
    }

    pub fn diameter_covered(&self) -> String {
        self.share(|o, m| {
            let truth = o.truth.stone.largest_diameter_mm;
            m.diameter_interval_mm.low <= truth && truth <= m.diameter_interval_mm.high
        })
    }

    pub fn volume_covered(&self) -> String {
        self.share(|o, m| {
            let truth = o.truth.stone.volume_mm3;
            m.volume_interval_mm3.low <= truth && truth <= m.volume_interval_mm3.high
        })
    }

    /// Median of the intervals' ends over the measures: of diameter and volume.
    pub fn ends(&self) -> Option<[f64; 4]> {
        let of = |end: fn(&DensityMeasure) -> f64| self.errors(|_, m| end(m)).map(|e| e.median);
        Some([
            of(|m| m.diameter_interval_mm.low / m.largest_diameter_mm)?,
            of(|m| m.diameter_interval_mm.high / m.largest_diameter_mm)?,
            of(|m| m.volume_interval_mm3.low / m.volume_mm3)?,
            of(|m| m.volume_interval_mm3.high / m.volume_mm3)?,
        ])
    }
}
