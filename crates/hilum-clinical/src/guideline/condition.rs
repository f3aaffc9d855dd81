//! What is known of a stone and its patient, and what a rule asks for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::urinary_stone::TractPart;

/// Where a stone lies, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StoneSite)]
pub enum Site {
    /// Upper pole of a kidney.
    UpperPole,
    /// Middle of a kidney.
    MidKidney,
    /// Lower pole of a kidney.
    LowerPole,
    /// Renal pelvis.
    RenalPelvis,
    /// In a kidney; which part is not determined.
    Kidney,
    /// Ureteropelvic junction.
    Upj,
    /// Proximal ureter.
    ProximalUreter,
    /// Middle ureter.
    MidUreter,
    /// Distal ureter, above its end.
    DistalUreter,
    /// Ureterovesical junction.
    Uvj,
    /// In a ureter; which part is not determined.
    Ureter,
    /// Bladder.
    Bladder,
}

impl Site {
    /// Anywhere in a kidney, renal pelvis included.
    pub fn is_kidney(self) -> bool {
        matches!(self, Self::UpperPole | Self::MidKidney | Self::LowerPole | Self::RenalPelvis | Self::Kidney)
    }

    /// Anywhere in a ureter, both its ends included.
    pub fn is_ureter(self) -> bool {
        matches!(
            self,
            Self::Upj | Self::ProximalUreter | Self::MidUreter | Self::DistalUreter | Self::Uvj | Self::Ureter
        )
    }

    /// The part of the tract that it belongs to.
    pub fn part(self) -> TractPart {
        match self {
            Self::Bladder => TractPart::Bladder,
            site if site.is_kidney() => TractPart::Kidney,
            _ => TractPart::Ureter,
        }
    }
}

/// A place that rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RulePlace)]
pub enum Place {
    /// Anywhere in a kidney, renal pelvis included.
    Kidney,
    /// Upper pole of a kidney.
    UpperPole,
    /// In a kidney, but not in its lower pole.
    KidneyNotLowerPole,
    /// Lower pole of a kidney.
    LowerPole,
    /// Anywhere in a ureter, both its ends included.
    Ureter,
    /// Proximal ureter with the ureteropelvic junction.
    ProximalUreter,
    /// Middle ureter.
    MidUreter,
    /// Distal ureter with the ureterovesical junction.
    DistalUreter,
    /// Distal ureter without the ureterovesical junction.
    DistalUreterAboveUvj,
    /// Ureterovesical junction.
    Uvj,
}

impl Place {
    /// Its name in rule files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kidney => "kidney",
            Self::UpperPole => "upper_pole",
            Self::KidneyNotLowerPole => "kidney_not_lower_pole",
            Self::LowerPole => "lower_pole",
            Self::Ureter => "ureter",
            Self::ProximalUreter => "proximal_ureter",
            Self::MidUreter => "mid_ureter",
            Self::DistalUreter => "distal_ureter",
            Self::DistalUreterAboveUvj => "distal_ureter_above_uvj",
            Self::Uvj => "uvj",
        }
    }

    /// Whether a stone at `site` lies there; `None` where its site is not known finely enough.
    pub fn holds(self, site: Site) -> Option<bool> {
        let (kidney, ureter) = (site.is_kidney(), site.is_ureter());
        let fine = |whole: bool, coarse: Site, holds: bool| {
            if whole && site == coarse { None } else { Some(holds) }
        };
        match self {
            Self::Kidney => Some(kidney),
            Self::KidneyNotLowerPole => fine(kidney, Site::Kidney, kidney && site != Site::LowerPole),
            Self::UpperPole => fine(kidney, Site::Kidney, site == Site::UpperPole),
            Self::LowerPole => fine(kidney, Site::Kidney, site == Site::LowerPole),
            Self::Ureter => Some(ureter),
            Self::ProximalUreter => fine(ureter, Site::Ureter, matches!(site, Site::Upj | Site::ProximalUreter)),
            Self::MidUreter => fine(ureter, Site::Ureter, site == Site::MidUreter),
            Self::DistalUreter => fine(ureter, Site::Ureter, matches!(site, Site::DistalUreter | Site::Uvj)),
            Self::DistalUreterAboveUvj => fine(ureter, Site::Ureter, site == Site::DistalUreter),
            Self::Uvj => fine(ureter, Site::Ureter, site == Site::Uvj),
        }
    }
}

/// Numbers between two bounds, each of which counts or does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleRange)]
pub struct Range {
    /// Larger than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// This or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Smaller than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// This or smaller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

impl Range {
    /// Whether a number lies between the bounds.
    pub fn holds(&self, number: f64) -> bool {
        self.above.is_none_or(|bound| number > bound)
            && self.at_least.is_none_or(|bound| number >= bound)
            && self.below.is_none_or(|bound| number < bound)
            && self.at_most.is_none_or(|bound| number <= bound)
    }

    /// Bounds that no number lies between, or none at all.
    pub(super) fn is_pointless(&self) -> bool {
        let bounds = [self.above, self.at_least, self.below, self.at_most];
        let tighter = |a: Option<f64>, b: Option<f64>, of: fn(f64, f64) -> f64| match (a, b) {
            (Some(a), Some(b)) => Some(of(a, b)),
            (a, b) => a.or(b),
        };
        let low = tighter(self.above, self.at_least, f64::max);
        let high = tighter(self.below, self.at_most, f64::min);
        let empty = matches!((low, high), (Some(low), Some(high)) if low > high
            || low == high && !(self.holds(low)));
        bounds.iter().all(Option::is_none) || bounds.iter().flatten().any(|bound| !bound.is_finite()) || empty
    }
}

macro_rules! inputs {
    ($($field:ident, $variant:ident, $kind:ty, $asked:ty, $doc:literal;)*) => {
        /// What is known of a stone and its patient. What is absent is not known.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(as = RuleInputs)]
        pub struct Inputs {
            $(#[doc = $doc] #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$kind>,)*
        }

        /// What a rule asks for: all of it.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(as = RuleCondition)]
        pub struct When {
            $(#[doc = $doc] #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$asked>,)*
        }

        /// One of the [`Inputs`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = RuleInput)]
        pub enum Input {
            $(#[doc = $doc] $variant,)*
        }

        impl Input {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in rule files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($field),)*
                }
            }
        }

        impl Inputs {
            /// Whether an input is known.
            pub fn knows(&self, input: Input) -> bool {
                match input {
                    $(Input::$variant => self.$field.is_some(),)*
                }
            }
        }

        impl When {
            /// Each input that is asked for, and whether it is as it should be; `None` where it is not known.
            pub fn asked(&self, inputs: &Inputs) -> Vec<(Input, Option<bool>)> {
                let mut asked = Vec::new();
                $(if let Some(wanted) = &self.$field {
                    asked.push((Input::$variant, inputs.$field.and_then(|known| wanted.meets(known))));
                })*
                asked
            }

            /// Each input that is asked for, and how it should be, in signs: `> 10 and <= 20`, `= yes`.
            pub fn told(&self) -> Vec<(Input, String)> {
                let mut told = Vec::new();
                $(if let Some(wanted) = &self.$field {
                    told.push((Input::$variant, wanted.told()));
                })*
                told
            }
        }
    };
}

inputs! {
    place, Place, Site, Place, "Where the stone lies.";
    diameter_mm, DiameterMm, f64, Range, "Largest diameter, mm.";
    width_mm, WidthMm, f64, Range, "Width, mm.";
    hu_mean, HuMean, f64, Range, "Mean density, HU.";
    skin_to_stone_mm, SkinToStoneMm, f64, Range, "Distance from skin to stone, mm.";
    age_years, AgeYears, f64, Range, "Age of the patient, years.";
    obstruction, Obstruction, bool, bool, "The urinary tract is obstructed.";
    infection, Infection, bool, bool, "A urinary infection is there or suspected.";
    uncontrolled_pain, UncontrolledPain, bool, bool, "Pain that medication does not control.";
    symptoms, Symptoms, bool, bool, "The stone causes symptoms.";
    reduced_renal_function, ReducedRenalFunction, bool, bool, "Renal function is reduced.";
    pregnancy, Pregnancy, bool, bool, "The patient is pregnant.";
    anticoagulation, Anticoagulation, bool, bool, "The blood's clotting is impaired, by medication or disease.";
    solitary_kidney, SolitaryKidney, bool, bool, "The patient has one kidney.";
    aortic_aneurysm, AorticAneurysm, bool, bool, "An aneurysm of the aorta is there.";
    unfavourable_anatomy, UnfavourableAnatomy, bool, bool, "Anatomy that speaks against shock waves: a steep or long, narrow infundibulum.";
    stones, Stones, f64, Range, "Stones in the kidney.";
    area_mm2, AreaMm2, f64, Range, "Length by width of the kidney's stones, summed, mm2.";
    moderate_hydronephrosis, ModerateHydronephrosis, bool, bool, "Hydronephrosis is moderate or severe.";
    three_calyces, ThreeCalyces, bool, bool, "Three calyces or more hold stones.";
    staghorn, Staghorn, bool, bool, "A stone fills pelvis and calyces (complete staghorn).";
    partial_staghorn, PartialStaghorn, bool, bool, "A stone fills the pelvis and some calyces (partial staghorn).";
    calyceal_diverticulum, CalycealDiverticulum, bool, bool, "A stone lies in a calyceal diverticulum.";
    abnormal_anatomy, AbnormalAnatomy, bool, bool, "Anatomy of kidney or collecting system is not normal.";
    spinal_malformation, SpinalMalformation, bool, bool, "Spina bifida or an injury of the spinal cord.";
}

/// What is asked for, against what is known.
trait Meets<Known> {
    fn meets(&self, known: Known) -> Option<bool>;

    fn told(&self) -> String;
}

impl Meets<Site> for Place {
    fn meets(&self, known: Site) -> Option<bool> {
        self.holds(known)
    }

    fn told(&self) -> String {
        self.name().to_owned()
    }
}

impl Meets<f64> for Range {
    fn meets(&self, known: f64) -> Option<bool> {
        // A measurement that failed is no number.
        (!known.is_nan()).then(|| self.holds(known))
    }

    fn told(&self) -> String {
        self.to_string()
    }
}

impl std::fmt::Display for Range {
    /// In signs: `> 10 and <= 20`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bounds = [(">", self.above), (">=", self.at_least), ("<", self.below), ("<=", self.at_most)];
        let told = bounds.into_iter().filter_map(|(sign, bound)| Some(format!("{sign} {}", bound?)));
        f.write_str(&told.collect::<Vec<_>>().join(" and "))
    }
}

impl Meets<bool> for bool {
    fn meets(&self, known: bool) -> Option<bool> {
        Some(*self == known)
    }

    fn told(&self) -> String {
        if *self { "= yes" } else { "= no" }.to_owned()
    }
}

impl When {
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range> {
        let of_the_stone = [self.diameter_mm, self.width_mm, self.hu_mean, self.skin_to_stone_mm];
        of_the_stone.into_iter().chain([self.age_years, self.stones, self.area_mm2]).flatten()
    }
}
