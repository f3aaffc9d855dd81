//! What a loss is made of, as plain data with the checks that make it computable.

use serde::{Deserialize, Serialize};

/// `bce * BCE + dice * Dice` on the input of the network's last sigmoid, with targets in 0..=1: the short form of a [`Loss`].
///
/// BCE is the mean over all elements of the batch. Dice is `1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth)` with the sums over
/// batch, height and width of one channel ("batch Dice"), and the mean over channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Weight of the binary cross-entropy.
    pub bce: f32,
    /// Weight of the soft Dice loss.
    pub dice: f32,
    /// Added to numerator and denominator of Dice; decides the loss of an empty batch.
    #[serde(default = "one")]
    pub smooth: f32,
}

fn one() -> f32 {
    1.0
}

fn two() -> f32 {
    2.0
}

fn salehis_alpha() -> f32 {
    0.3
}

fn salehis_beta() -> f32 {
    0.7
}

fn yes() -> bool {
    true
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { bce: 1.0, dice: 1.0, smooth: 1.0 }
    }
}

/// What turns logits into probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Every channel on its own. Targets `[n, channels, h, w]` in 0..=1; the network ends in a sigmoid.
    #[default]
    Sigmoid,
    /// One class per pixel. Targets `[n, h, w]`, whole numbers below the number of channels; the network ends in its logits.
    Softmax,
}

/// Over what Dice and Tversky sum before they divide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All pixels of a class in the batch.
    #[default]
    Batch,
    /// All pixels of a class in one image; then the mean over images.
    Image,
}

/// One summand of a loss, times its `weight`. In TOML `kind` is the variant in snake case, beside its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Term {
    /// Binary cross-entropy, mean over all elements that are not ignored (`binary_cross_entropy_with_logits`). For sigmoid.
    Bce {
        /// Weight in the sum.
        #[serde(default = "one")]
        weight: f32,
        /// What the positive part of each channel is multiplied by (`pos_weight`); empty: 1.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        positive_weights: Vec<f32>,
    },
    /// Cross-entropy of the label's class, weighted mean over the pixels that are not ignored (`cross_entropy`). For softmax.
    CrossEntropy {
        /// Weight in the sum.
        #[serde(default = "one")]
        weight: f32,
        /// Weight of each class; empty: 1.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        class_weights: Vec<f32>,
    },
    /// `-alpha (1 - q)^gamma ln q` with `q` the probability of what is true, mean over what is not ignored (Lin et al. 2017).
    Focal {
        /// Weight in the sum.
        #[serde(default = "one")]
        weight: f32,
        /// How much less a good answer counts.
        #[serde(default = "two")]
        gamma: f32,
        /// One per channel; empty: 1. Softmax: the class's weight. Sigmoid: the weight of what is positive, `1 - alpha` of what is not.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        alpha: Vec<f32>,
    },
    /// `1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth)`, mean over classes (Milletari, Navab and Ahmadi 2016, without squares).
    Dice {
        /// Weight in the sum.
        #[serde(default = "one")]
        weight: f32,
        /// Added to numerator and denominator; with 0 a class that is neither there nor predicted counts 1 and learns nothing.
        #[serde(default = "one")]
        smooth: f32,
        /// Over what the sums go.
        #[serde(default)]
        scope: Scope,
        /// Whether class 0 counts.
        #[serde(default = "yes")]
        background: bool,
    },
    /// `1 - (tp + smooth) / (tp + alpha fp + beta fn + smooth)` with soft counts, mean over classes (Salehi, Erdogmus and Gholipour 2017).
    Tversky {
        /// Weight in the sum.
        #[serde(default = "one")]
        weight: f32,
        /// Weight of false positives.
        #[serde(default = "salehis_alpha")]
        alpha: f32,
        /// Weight of false negatives.
        #[serde(default = "salehis_beta")]
        beta: f32,
        /// Added to numerator and denominator.
        #[serde(default = "one")]
        smooth: f32,
        /// Over what the sums go.
        #[serde(default)]
        scope: Scope,
        /// Whether class 0 counts.
        #[serde(default = "yes")]
        background: bool,
    },
}

/// A weighted sum of terms on logits.
///
/// In TOML either `activation`, `ignore` and one `[[term]]` table per term, or the short form of [`LossConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "LossText", into = "LossText")]
pub struct Loss {
    /// What turns logits into probabilities.
    pub activation: Activation,
    /// Elements (sigmoid) or pixels (softmax) with this target count nowhere and get no gradient.
    pub ignore: Option<i32>,
    /// The summands.
    pub terms: Vec<Term>,
}

/// Both written forms at once, of which [`Loss`] accepts one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LossText {
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<Activation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bce: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dice: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smooth: Option<f32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    term: Vec<Term>,
}

impl TryFrom<LossText> for Loss {
    type Error = LossError;

    fn try_from(text: LossText) -> Result<Self, LossError> {
        match text {
            LossText { activation, ignore, bce: None, dice: None, smooth: None, term } => {
                Ok(Self { activation: activation.unwrap_or_default(), ignore, terms: term })
            }
            LossText { activation: None, ignore: None, bce: Some(bce), dice: Some(dice), smooth, term }
                if term.is_empty() =>
            {
                Ok(LossConfig { bce, dice, smooth: smooth.unwrap_or(1.0) }.into())
            }
            _ => Err(LossError::Mixed),
        }
    }
}

impl From<Loss> for LossText {
    fn from(loss: Loss) -> Self {
        let Loss { activation, ignore, terms } = loss;
        Self { activation: Some(activation), ignore, bce: None, dice: None, smooth: None, term: terms }
    }
}

impl From<LossConfig> for Loss {
    fn from(config: LossConfig) -> Self {
        let LossConfig { bce, dice, smooth } = config;
        let terms = vec![
            Term::Bce { weight: bce, positive_weights: Vec::new() },
            Term::Dice { weight: dice, smooth, scope: Scope::Batch, background: true },
        ];
        Self { activation: Activation::Sigmoid, ignore: None, terms }
    }
}

impl Default for Loss {
    fn default() -> Self {
        LossConfig::default().into()
    }
}

/// Why a loss cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LossError {
    /// The text has fields of both forms, or half of one.
    #[error("loss: write either bce and dice (and smooth), or activation, ignore and [[term]] tables")]
    Mixed,
    /// There is nothing to sum.
    #[error("loss: no terms")]
    Empty,
    /// A number makes no sense.
    #[error("loss: {term}: {field} is {value}, expected {expected}")]
    Field {
        /// The term.
        term: &'static str,
        /// The field.
        field: &'static str,
        /// Its value as text.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A list has neither no entry nor one per channel.
    #[error("loss: {term}: {field} has {got} entries, the network has {channels} channels")]
    Entries {
        /// The term.
        term: &'static str,
        /// The list.
        field: &'static str,
        /// Its length.
        got: usize,
        /// Channels of the network's output.
        channels: usize,
    },
    /// BCE is for sigmoids, cross-entropy for softmax.
    #[error("loss: {term} does not go with {activation:?}")]
    Activation {
        /// The term.
        term: &'static str,
        /// The loss's activation.
        activation: Activation,
    },
    /// BCE, cross-entropy or focal stands there twice.
    #[error("loss: {0} stands there twice: add the weights")]
    Twice(&'static str),
    /// With one class there is nothing to tell apart.
    #[error("loss: softmax over {0} channel: use two and more, or sigmoid")]
    OneClass(usize),
    /// Every class is left out.
    #[error("loss: {0} without background leaves no class")]
    NoClass(&'static str),
}

impl Term {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Bce { .. } => "bce",
            Self::CrossEntropy { .. } => "cross_entropy",
            Self::Focal { .. } => "focal",
            Self::Dice { .. } => "dice",
            Self::Tversky { .. } => "tversky",
        }
    }

    fn check(&self, activation: Activation, channels: usize) -> Result<(), LossError> {
        let term = self.name();
        let amount = |field, v: f32| {
            let error = || LossError::Field { term, field, value: v.to_string(), expected: "a number of at least 0" };
            if v >= 0.0 && v.is_finite() { Ok(()) } else { Err(error()) }
        };
        let list = |field, values: &[f32]| {
            if !values.is_empty() && values.len() != channels {
                return Err(LossError::Entries { term, field, got: values.len(), channels });
            }
            values.iter().try_for_each(|v| amount(field, *v))
        };
        let only = |wanted: Activation| {
            if activation == wanted { Ok(()) } else { Err(LossError::Activation { term, activation }) }
        };
        let classes = |background: bool| {
            if background || channels > 1 { Ok(()) } else { Err(LossError::NoClass(term)) }
        };
        match self {
            Self::Bce { weight, positive_weights } => {
                only(Activation::Sigmoid)?;
                amount("weight", *weight)?;
                list("positive_weights", positive_weights)
            }
            Self::CrossEntropy { weight, class_weights } => {
                only(Activation::Softmax)?;
                amount("weight", *weight)?;
                list("class_weights", class_weights)
            }
            Self::Focal { weight, gamma, alpha } => {
                amount("weight", *weight)?;
                amount("gamma", *gamma)?;
                list("alpha", alpha)
            }
            Self::Dice { weight, smooth, background, scope: _ } => {
                amount("weight", *weight)?;
                amount("smooth", *smooth)?;
                classes(*background)
            }
            Self::Tversky { weight, alpha, beta, smooth, background, scope: _ } => {
                amount("weight", *weight)?;
                amount("alpha", *alpha)?;
                amount("beta", *beta)?;
                amount("smooth", *smooth)?;
                classes(*background)
            }
        }
    }
}

impl Loss {
    /// Refuses what cannot be computed on that many channels.
    pub(crate) fn check(&self, channels: usize) -> Result<(), LossError> {
        if self.terms.is_empty() {
            return Err(LossError::Empty);
        }
        if self.activation == Activation::Softmax && channels < 2 {
            return Err(LossError::OneClass(channels));
        }
        for (i, term) in self.terms.iter().enumerate() {
            term.check(self.activation, channels)?;
            let region = matches!(term, Term::Dice { .. } | Term::Tversky { .. });
            if !region && self.terms[..i].iter().any(|t| t.name() == term.name()) {
                return Err(LossError::Twice(term.name()));
            }
        }
        Ok(())
    }
}
