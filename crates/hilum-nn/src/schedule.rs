//! Learning rates in the course of a training, as pure data: the rate follows from the time and the losses so far, so a training that is taken up
//! again goes on with the right one.
//!
//! Time is counted in whatever unit the caller asks in: steps or epochs.

use serde::{Deserialize, Serialize};

/// How the learning rate changes. In TOML `kind` is the variant in snake case, beside its fields. Formulas are those of `torch.optim.lr_scheduler` (2.15).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Always the same.
    Constant {
        /// The rate.
        rate: f64,
    },
    /// Multiplied by `factor` every `every` units (`StepLR`).
    Step {
        /// The rate at the start.
        rate: f64,
        /// Units between two changes.
        every: usize,
        /// What the rate is multiplied by.
        #[serde(default = "tenth")]
        factor: f64,
    },
    /// Half a cosine from `rate` at the end of the warm-up to `floor` at `length`, then `floor` (`CosineAnnealingLR`; Loshchilov and Hutter 2017);
    /// during the warm-up a straight line from `start_factor * rate` (`LinearLR`, joined by `SequentialLR`).
    Cosine {
        /// The highest rate.
        rate: f64,
        /// Units until the rate stays at its floor, warm-up included.
        length: usize,
        /// The lowest rate.
        #[serde(default)]
        floor: f64,
        /// Units of warm-up.
        #[serde(default)]
        warm_up: usize,
        /// Share of `rate` at which the warm-up starts.
        #[serde(default = "third")]
        start_factor: f64,
    },
    /// `rate * (1 - t / length)^power`, then 0 (`PolynomialLR`; nnU-Net has power 0.9).
    Polynomial {
        /// The rate at the start.
        rate: f64,
        /// Units until the rate is 0.
        length: usize,
        /// The exponent.
        #[serde(default = "nnunet_power")]
        power: f64,
    },
    /// Multiplied by `factor` after more than `patience` losses in a row of which none is lower than the lowest by `threshold` of it
    /// (`ReduceLROnPlateau`, mode "min", threshold mode "rel").
    Plateau {
        /// The rate at the start.
        rate: f64,
        /// What the rate is multiplied by.
        #[serde(default = "tenth")]
        factor: f64,
        /// Losses without improvement that are endured.
        #[serde(default = "ten")]
        patience: usize,
        /// Share of the lowest loss by which a lower one must be lower.
        #[serde(default = "ten_thousandth")]
        threshold: f64,
        /// Losses after a reduction that do not count.
        #[serde(default)]
        cooldown: usize,
        /// The rate is not reduced below this.
        #[serde(default)]
        floor: f64,
    },
}

fn tenth() -> f64 {
    0.1
}

fn third() -> f64 {
    1.0 / 3.0
}

fn nnunet_power() -> f64 {
    0.9
}

fn ten() -> usize {
    10
}

fn ten_thousandth() -> f64 {
    1e-4
}

/// A number of a schedule that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule: {field} is {value}, expected {expected}")]
pub struct ScheduleError {
    /// The field.
    pub field: &'static str,
    /// Its value as text.
    pub value: String,
    /// What it should be.
    pub expected: &'static str,
}

impl Schedule {
    /// The rate after `time` units and the losses `losses` of the monitored set, in order; only a plateau looks at the latter.
    pub fn rate(&self, time: usize, losses: &[f64]) -> f32 {
        let rate = match *self {
            Self::Constant { rate } => rate,
            Self::Step { rate, every, factor } => rate * factor.powf((time / every.max(1)) as f64),
            Self::Cosine { rate, warm_up, start_factor, .. } if time < warm_up => {
                rate * (start_factor + (1.0 - start_factor) * time as f64 / warm_up as f64)
            }
            Self::Cosine { rate, length, floor, warm_up, .. } => {
                let length = length.saturating_sub(warm_up).max(1);
                let share = (time - warm_up).min(length) as f64 / length as f64;
                floor + (rate - floor) * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
            }
            Self::Polynomial { rate, length, power } => {
                let share = time.min(length) as f64 / length.max(1) as f64;
                rate * (1.0 - share).powf(power)
            }
            Self::Plateau { rate, factor, patience, threshold, cooldown, floor } => {
                let (mut rate, mut lowest, mut bad, mut resting) = (rate, f64::INFINITY, 0, 0);
                for &loss in losses {
                    let lower = loss < lowest * (1.0 - threshold);
                    (lowest, bad) = if lower { (loss, 0) } else { (lowest, bad + 1) };
                    if resting > 0 {
                        (resting, bad) = (resting - 1, 0);
                    }
                    if bad > patience {
                        (resting, bad) = (cooldown, 0);
                        let reduced = (rate * factor).max(floor);
                        // Changes too small to matter are not made: `eps` of ReduceLROnPlateau.
                        rate = if rate - reduced > 1e-8 { reduced } else { rate };
                    }
                }
                rate
            }
        };
        rate as f32
    }

    /// Refuses numbers that give no rates: for plans, before a training starts.
    pub fn check(&self) -> Result<(), ScheduleError> {
        let require = |ok: bool, field, value: f64, expected| {
            if ok { Ok(()) } else { Err(ScheduleError { field, value: value.to_string(), expected }) }
        };
        let positive = |field, v: f64| require(v > 0.0 && v.is_finite(), field, v, "a number above 0");
        let share = |field, v: f64| require((0.0..=1.0).contains(&v), field, v, "0 to 1");
        let below = |floor: f64, rate: f64| require((0.0..=rate).contains(&floor), "floor", floor, "0 to the rate");
        match *self {
            Self::Constant { rate } => positive("rate", rate),
            Self::Step { rate, every, factor } => {
                positive("rate", rate)?;
                require(every > 0, "every", every as f64, "at least 1")?;
                positive("factor", factor)
            }
            Self::Cosine { rate, length, floor, warm_up, start_factor } => {
                positive("rate", rate)?;
                require(length > warm_up, "length", length as f64, "more than the warm-up")?;
                below(floor, rate)?;
                share("start_factor", start_factor)
            }
            Self::Polynomial { rate, length, power } => {
                positive("rate", rate)?;
                require(length > 0, "length", length as f64, "at least 1")?;
                positive("power", power)
            }
            Self::Plateau { rate, factor, threshold, floor, .. } => {
                positive("rate", rate)?;
                require(factor > 0.0 && factor < 1.0, "factor", factor, "between 0 and 1")?;
                share("threshold", threshold)?;
                below(floor, rate)
            }
        }
    }
}
