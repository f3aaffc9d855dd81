//! The patient under construction: what the builders of the organs share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dice::{Dice, Purpose};
use super::paint::Scene;
use super::recipe::{Contrast, PhantomRecipe, Sex};
use super::shapes::{Bounds, Loft, Point, Shape};
use super::truth::DecoyKind;

/// A bright thing that is no stone, in the anatomy frame.
pub(super) struct AnatomyDecoy {
    pub kind: DecoyKind,
    pub centre: Point,
    pub diameter: f64,
    pub hu: f64,
}

/// Size, habitus and age of the patient.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habitus {
    pub sex: Sex,
    pub age: u8,
    /// Size of the skeleton relative to the average.
    pub scale: f64,
    /// Thickness of the subcutaneous fat at the flank in mm.
    pub fat: f64,
    /// Relative amount of fat inside the abdomen, 0.6-1.2.
    pub visceral: f64,
    /// Relative muscle bulk.
    pub muscle: f64,
}

impl Habitus {
    pub(super) fn draw(recipe: &PhantomRecipe) -> Self {
        let mut dice = Dice::new(recipe.seed, Purpose::Patient);
        let drawn_sex = if dice.chance(0.4) { Sex::Female } else { Sex::Male };
        let drawn_age = (52.0 + 15.0 * dice.normal()).clamp(19.0, 90.0).round() as u8;
        let sex = recipe.sex.unwrap_or(drawn_sex);
        let woman = sex == Sex::Female;
        let scale = ((if woman { 0.955 } else { 1.02 }) + 0.03 * dice.normal()).clamp(0.88, 1.09);
        let fat = (if woman { 21.0 } else { 15.0 } * (0.4 * dice.normal()).exp()).clamp(6.0, 40.0);
        let muscle = ((if woman { 0.92 } else { 1.03 }) + 0.06 * dice.normal()).clamp(0.78, 1.18);
        Self { sex, age: recipe.age.unwrap_or(drawn_age), scale, fat, visceral: dice.between(0.75, 1.15), muscle }
    }

    pub(super) fn height_cm(&self) -> f64 {
        (self.scale * 168.0).round()
    }

    pub(super) fn weight_kg(&self) -> f64 {
        let height = self.height_cm() / 100.0;
        ((19.0 + self.fat * 0.32 + (self.muscle - 1.0) * 12.0) * height * height).round()
    }
}

/// The patient under construction.
pub(super) struct Anatomy<'r> {
    pub recipe: &'r PhantomRecipe,
    pub habitus: Habitus,
    pub scene: Scene,
    /// 1 supine, -1 prone.
    pub down: f64,
    /// Muscle surface of the trunk.
    pub trunk: Arc<Loft>,
    /// Inside of the abdominal wall.
    pub cavity: Arc<Loft>,
    pub organs: BTreeMap<&'static str, Bounds>,
    pub decoys: Vec<AnatomyDecoy>,
}

impl Anatomy<'_> {
    pub(super) fn dice(&self, purpose: Purpose) -> Dice {
        Dice::new(self.recipe.seed, purpose)
    }

    pub(super) fn contrast(&self) -> Contrast {
        self.recipe.contrast
    }

    /// Remembers where an organ is.
    pub(super) fn note_organ(&mut self, name: &'static str, shape: &Shape) {
        let bounds = shape.bounds();
        let known = self.organs.entry(name).or_insert_with(Bounds::empty);
        known.include(bounds.low);
        known.include(bounds.high);
    }

    pub(super) fn note_decoy(&mut self, kind: DecoyKind, centre: Point, diameter: f64, hu: f64) {
        self.decoys.push(AnatomyDecoy { kind, centre, diameter, hu });
    }

    /// HU by phase: without contrast, arterial, portal, excretory.
    pub(super) fn by_phase(&self, hu: [f64; 4]) -> f64 {
        match self.contrast() {
            Contrast::None => hu[0],
            Contrast::Arterial => hu[1],
            Contrast::Portal => hu[2],
            Contrast::Excretory => hu[3],
        }
    }

    /// Whether anything between these heights can be in the scan, with a margin.
    pub(super) fn scans(&self, low: f64, high: f64) -> bool {
        let [from, to] = self.recipe.scanned_heights_mm();
        low * self.habitus.scale < to + 60.0 && high * self.habitus.scale > from - 60.0
    }
}

/// y of the centres of the vertebral bodies by height: lordosis, kyphosis, lordosis.
pub(super) fn spine_y(z: f64) -> f64 {
    const CURVE: [(f64, f64); 13] = [
        (10.0, 62.0),
        (40.0, 58.0),
        (70.0, 44.0),
        (100.0, 20.0),
        (118.0, 9.0),
        (187.0, 0.0),
        (256.0, 8.0),
        (340.0, 26.0),
        (430.0, 40.0),
        (545.0, 18.0),
        (625.0, 8.0),
        (690.0, 6.0),
        (900.0, 6.0),
    ];
    let after = CURVE.iter().position(|&(h, _)| h >= z).unwrap_or(CURVE.len() - 1).max(1);
    let ((z0, y0), (z1, y1)) = (CURVE[after - 1], CURVE[after]);
    y0 + (y1 - y0) * ((z - z0) / (z1 - z0)).clamp(0.0, 1.0)
}

/// Height and half height of each vertebral body, L5 first, up to C1.
pub(super) fn vertebrae() -> Vec<(f64, f64)> {
    let mut levels = vec![(118.0, 14.5), (152.0, 14.5), (187.0, 14.5), (222.0, 14.0), (256.0, 13.5)];
    levels.extend((0..12).map(|i| (288.0 + 23.4 * f64::from(i), 12.0 - 0.25 * f64::from(i))));
    levels.extend((0..7).map(|i| (566.0 + 18.5 * f64::from(i), 7.5)));
    levels
}
