//! From the canonical anatomy to the patient: size, mirror, rotation, shift and a smooth deformation.

use super::dice::{Dice, Purpose};
use super::recipe::{PatientPosition, PhantomRecipe};
use super::shapes::Point;

/// One wave of the deformation: `amplitude · sin(k · a + phase)`.
#[derive(Clone, Copy, Debug)]
struct Wave {
    amplitude: Point,
    k: Point,
    phase: f64,
}

/// Where the anatomy lies in the patient frame.
#[derive(Clone, Debug)]
pub(super) struct Pose {
    /// Rows of the rotation from anatomy to patient.
    rotation: [Point; 3],
    translation: Point,
    pub scale: f64,
    mirror: f64,
    waves: Vec<Wave>,
    /// 1 where gravity pulls to the back (supine), -1 where it pulls to the front (prone).
    pub down: f64,
}

impl Pose {
    pub(super) fn draw(recipe: &PhantomRecipe, scale: f64) -> Self {
        let mut dice = Dice::new(recipe.seed, Purpose::Pose);
        let degrees = |dice: &mut Dice, most: f64| (dice.normal() * most / 2.0).clamp(-most, most).to_radians();
        let rotation = turn(degrees(&mut dice, 2.5), degrees(&mut dice, 2.5), degrees(&mut dice, 6.0));
        let mut translation = [
            dice.normal() * 6.0,
            18.0 * scale + dice.normal() * 6.0,
            (dice.between(-900.0, 300.0) * 2.0).round() / 2.0,
        ];
        for (t, s) in translation.iter_mut().zip(recipe.shift_mm) {
            *t += s;
        }
        let mut waves: Vec<Wave> = (0..5)
            .map(|_| {
                let k = super::shapes::times(dice.unit_vector(), std::f64::consts::TAU / dice.between(110.0, 260.0));
                let amplitude = super::shapes::times(dice.unit_vector(), dice.between(0.4, 1.6));
                Wave { amplitude, k, phase: dice.between(0.0, std::f64::consts::TAU) }
            })
            .collect();
        // Scoliosis: the whole trunk bends sideways over a long wave.
        let bend = if dice.chance(0.2) { dice.between(3.0, 6.0) } else { dice.between(0.0, 2.0) };
        waves.push(Wave {
            amplitude: [bend * dice.sign(), 0.0, 0.0],
            k: [0.0, 0.0, std::f64::consts::TAU / dice.between(260.0, 420.0)],
            phase: dice.between(0.0, std::f64::consts::TAU),
        });
        let down = match recipe.position {
            PatientPosition::HeadFirstSupine | PatientPosition::FeetFirstSupine => 1.0,
            PatientPosition::HeadFirstProne | PatientPosition::FeetFirstProne => -1.0,
        };
        Self { rotation, translation, scale, mirror: if recipe.mirrored { -1.0 } else { 1.0 }, waves, down }
    }

    /// Patient height of the symphysis, without the recipe's shift: the scan range hangs on it.
    pub(super) fn table_z(&self, recipe: &PhantomRecipe) -> f64 {
        self.translation[2] - recipe.shift_mm[2]
    }

    /// Before the deformation.
    pub(super) fn rigid_from_patient(&self, p: Point) -> Point {
        let d = [p[0] - self.translation[0], p[1] - self.translation[1], p[2] - self.translation[2]];
        let mut a: Point =
            std::array::from_fn(|c| (0..3).map(|r| self.rotation[r][c] * d[r]).sum::<f64>() / self.scale);
        a[0] *= self.mirror;
        a
    }

    pub(super) fn patient_from_rigid(&self, a: Point) -> Point {
        let m = [a[0] * self.mirror * self.scale, a[1] * self.scale, a[2] * self.scale];
        std::array::from_fn(|r| self.translation[r] + (0..3).map(|c| self.rotation[r][c] * m[c]).sum::<f64>())
    }

    /// What the deformation adds at a rigid anatomy point.
    pub(super) fn displacement(&self, a: Point) -> Point {
        let mut u = [0.0; 3];
        for wave in &self.waves {
            let s = (wave.k[0] * a[0] + wave.k[1] * a[1] + wave.k[2] * a[2] + wave.phase).sin();
            for i in 0..3 {
                u[i] += wave.amplitude[i] * s;
            }
        }
        u
    }

    /// Greatest displacement in mm.
    pub(super) fn reach(&self) -> f64 {
        self.waves.iter().map(|w| super::shapes::distance(w.amplitude, [0.0; 3])).sum()
    }

    /// Patient coordinates of an anatomy point, by fixed-point inversion of the deformation (its slope is below 0.5).
    pub(super) fn patient_from_anatomy(&self, anatomy: Point) -> Point {
        let mut rigid = anatomy;
        for _ in 0..16 {
            let u = self.displacement(rigid);
            rigid = [anatomy[0] - u[0], anatomy[1] - u[1], anatomy[2] - u[2]];
        }
        self.patient_from_rigid(rigid)
    }

    /// A direction of the anatomy in the patient frame (unit length), without the deformation.
    pub(super) fn direction_in_patient(&self, d: Point) -> Point {
        let m = [d[0] * self.mirror, d[1], d[2]];
        super::shapes::normalised(std::array::from_fn(|r| (0..3).map(|c| self.rotation[r][c] * m[c]).sum()))
    }
}

/// Rotation by pitch (x), yaw (y) and roll (z), in radians.
fn turn(x: f64, y: f64, z: f64) -> [Point; 3] {
    let ((sx, cx), (sy, cy), (sz, cz)) = (x.sin_cos(), y.sin_cos(), z.sin_cos());
    [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
}

/// Patient-space directions of the column index, row index and slice index: the image is written as the gantry sees it,
/// so that prone and feet-first patients are turned and not mirrored.
pub(super) fn gantry_axes(position: PatientPosition) -> [Point; 3] {
    let [x, y, z] = match position {
        PatientPosition::HeadFirstSupine => [1.0, 1.0, 1.0],
        PatientPosition::HeadFirstProne => [-1.0, -1.0, 1.0],
        PatientPosition::FeetFirstSupine => [-1.0, 1.0, -1.0],
        PatientPosition::FeetFirstProne => [1.0, -1.0, -1.0],
    };
    [[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, z]]
}
