//! Skin, subcutaneous fat, trunk muscles and the abdominal cavity; table and blanket are the scanner's.

use std::sync::Arc;

use super::anatomy::{Anatomy, Habitus, spine_y};
use super::dice::{Dice, Purpose};
use super::paint::Fill;
use super::recipe::Sex;
use super::shapes::{Loft, Section, Shape, sections};

/// Height, half width, front and back of the muscle surface.
const TRUNK: [(f64, f64, f64, f64); 20] = [
    (-110.0, 148.0, -62.0, 88.0),
    (-40.0, 154.0, -72.0, 98.0),
    (15.0, 158.0, -76.0, 100.0),
    (60.0, 153.0, -80.0, 96.0),
    (110.0, 143.0, -86.0, 82.0),
    (150.0, 133.0, -90.0, 68.0),
    (190.0, 129.0, -95.0, 63.0),
    (225.0, 131.0, -101.0, 63.0),
    (260.0, 135.0, -106.0, 65.0),
    (320.0, 141.0, -113.0, 72.0),
    (380.0, 142.0, -116.0, 80.0),
    (440.0, 138.0, -110.0, 86.0),
    (500.0, 132.0, -92.0, 84.0),
    (535.0, 122.0, -72.0, 76.0),
    (560.0, 92.0, -58.0, 66.0),
    (585.0, 66.0, -52.0, 58.0),
    (620.0, 56.0, -56.0, 54.0),
    (660.0, 55.0, -60.0, 56.0),
    (685.0, 58.0, -62.0, 62.0),
    (730.0, 62.0, -70.0, 66.0),
];

/// How far the trunk's cross section is from an ellipse towards a rounded rectangle.
const ROUNDED: f64 = 0.38;

/// Fat thickness relative to the flank: at the side, in front, at the back.
fn fat_share(z: f64, sex: Sex) -> [f64; 3] {
    if z > 550.0 {
        return [0.2, 0.15, 0.25];
    }
    let hip = (1.0 - ((z - 40.0) / 90.0).powi(2)).max(0.0);
    let extra = if sex == Sex::Female { 0.6 } else { 0.2 };
    [1.0 + extra * hip, 1.15, 0.9 + 0.7 * hip]
}

fn loft_of(rows: impl Iterator<Item = (f64, f64, f64, f64)>, square: f64) -> Arc<Loft> {
    let rows: Vec<Section> = rows
        .map(|(z, a, front, back)| Section {
            z,
            x: 0.0,
            y: f64::midpoint(front, back),
            a,
            b: (back - front) / 2.0,
            angle: 0.0,
        })
        .collect();
    Arc::new(Loft::new(rows, square))
}

/// Muscle surface of the trunk and inside of the abdominal wall of this patient.
pub(super) fn trunk_and_cavity(habitus: &Habitus, seed: u64) -> (Arc<Loft>, Arc<Loft>) {
    let mut dice = Dice::new(seed, Purpose::Body);
    let wide = 1.0 + 0.03 * dice.normal().clamp(-2.0, 2.0);
    // A belly: the abdominal wall bulges forwards with visceral fat.
    let belly = (habitus.visceral - 0.85) * 70.0 + habitus.fat * 0.35;
    let bulge = |z: f64| belly * (-((z - 195.0) / 75.0).powi(2)).exp();
    let trunk = loft_of(
        TRUNK.iter().map(|&(z, a, front, back)| (z, a * wide + 0.35 * bulge(z), front - bulge(z), back)),
        ROUNDED,
    );
    let inner = [12.0, 9.0].map(|wall| wall * habitus.muscle);
    let cavity = loft_of(
        TRUNK.iter().filter(|row| (60.0..=440.0).contains(&row.0)).map(|&(z, a, front, _)| {
            let pelvic = ((150.0 - z) / 90.0).clamp(0.0, 1.0);
            let half = (a * wide + 0.35 * bulge(z) - inner[0]) * (1.0 - pelvic) + 66.0 * pelvic;
            let back = 46.0 + 6.0 * pelvic;
            (z, half, front - bulge(z) + inner[1] + 4.0 * pelvic, back)
        }),
        0.7,
    );
    (trunk, cavity)
}

/// Paints skin, fat, muscle and the fat of the cavity.
pub(super) fn paint(anatomy: &mut Anatomy) {
    let habitus = anatomy.habitus;
    let fat_rows: Vec<Section> = TRUNK
        .iter()
        .map(|row| {
            let s = anatomy.trunk.at(row.0);
            let [side, front, back] = fat_share(row.0, habitus.sex).map(|k| k * habitus.fat);
            Section {
                z: row.0,
                x: 0.0,
                y: s.y + (back - front) / 2.0,
                a: s.a + side,
                b: s.b + f64::midpoint(front, back),
                angle: 0.0,
            }
        })
        .collect();
    let skin = Arc::new(Loft::new(fat_rows, ROUNDED));
    let whole = Shape::Loft(Arc::clone(&skin), 1.6);
    anatomy.note_organ("body", &whole);
    anatomy.scene.push(whole, Fill::Tissue { hu: 0.0, variation: 0.0, grain: 1.0 }, None, None);
    let fat = Fill::Tissue { hu: -105.0, variation: 12.0, grain: 9.0 };
    anatomy.scene.push(Shape::Loft(skin, 0.0), fat, None, None);
    let trunk = Arc::clone(&anatomy.trunk);
    let muscle = Fill::Tissue { hu: 52.0, variation: 9.0, grain: 7.0 };
    anatomy.scene.push(Shape::Loft(Arc::clone(&trunk), 0.0), muscle, Some((2.0, 22.0)), None);
    paint_buttocks(anatomy);
    let cavity = Arc::clone(&anatomy.cavity);
    anatomy.note_organ("abdominal_cavity", &Shape::Loft(Arc::clone(&cavity), 0.0));
    anatomy.scene.push(
        Shape::Loft(cavity, 0.0),
        Fill::Tissue { hu: -103.0, variation: 14.0, grain: 8.0 },
        Some((2.5, 24.0)),
        Some((Arc::clone(&trunk), 8.0)),
    );
    paint_pelvic_floor(anatomy);
    paint_back_muscles(anatomy);
}

/// Fat planes between the gluteal muscles, the natal cleft and the ischiorectal fossae.
fn paint_buttocks(anatomy: &mut Anatomy) {
    if !anatomy.scans(-110.0, 120.0) {
        return;
    }
    let fat = Fill::Tissue { hu: -98.0, variation: 14.0, grain: 8.0 };
    for side in [-1.0, 1.0] {
        // Between gluteus maximus and medius, between medius and minimus, behind the hip, and in front of the thigh.
        for step in 0..28 {
            let z = -30.0 + 5.0 * f64::from(step);
            let out = ((110.0 - z) / 140.0).clamp(0.1, 1.0);
            for (from, to, r) in [
                ([40.0, 88.0], [72.0 + 42.0 * out, 66.0 - 18.0 * out], 3.4),
                ([72.0 + 42.0 * out, 66.0 - 18.0 * out], [112.0 + 26.0 * out, 30.0 - 30.0 * out], 2.8),
                ([88.0, 44.0], [126.0, 10.0], 2.2),
                ([96.0, -52.0 - 10.0 * out], [138.0, -12.0], 3.2),
            ] {
                let at = |p: [f64; 2], dz: f64| [p[0] * side, p[1], z + dz];
                anatomy.scene.push(Shape::capsule(at(from, 0.0), at(to, 5.0), r, r * 0.8), fat, Some((1.6, 9.0)), None);
            }
        }
        anatomy.scene.push(
            Shape::ellipsoid([30.0 * side, 58.0, -2.0], [16.0, 24.0, 26.0]),
            fat,
            Some((2.0, 12.0)),
            None,
        );
        anatomy.scene.push(
            Shape::ellipsoid([58.0 * side, -70.0, 5.0], [26.0, 14.0, 40.0]),
            fat,
            Some((3.0, 14.0)),
            None,
        );
    }
    anatomy.scene.push(Shape::ellipsoid([0.0, 92.0, 5.0], [4.0, 24.0, 50.0]), fat, Some((1.0, 12.0)), None);
    anatomy.scene.push(Shape::ellipsoid([0.0, -72.0, -12.0], [30.0, 12.0, 34.0]), fat, Some((2.0, 12.0)), None);
}

/// Fat of the true pelvis and its muscular wall.
fn paint_pelvic_floor(anatomy: &mut Anatomy) {
    if !anatomy.scans(-40.0, 120.0) {
        return;
    }
    let fat = Fill::Tissue { hu: -96.0, variation: 16.0, grain: 7.0 };
    let basin = sections(&[
        (2.0, 0.0, 0.0, 34.0, 44.0),
        (20.0, 0.0, 2.0, 48.0, 52.0),
        (45.0, 0.0, 0.0, 60.0, 56.0),
        (75.0, 0.0, -14.0, 66.0, 58.0),
        (110.0, 0.0, -30.0, 76.0, 50.0),
    ]);
    anatomy.scene.push(Shape::Loft(Arc::new(Loft::new(basin, 0.0)), 0.0), fat, Some((2.0, 18.0)), None);
    let bulk = anatomy.habitus.muscle;
    for side in [-1.0, 1.0] {
        // Obturator internus and piriformis.
        let wall = sections(&[
            (0.0, 50.0 * side, 2.0, 7.0, 26.0),
            (25.0, 60.0 * side, 2.0, 8.0 * bulk, 30.0),
            (55.0, 66.0 * side, 6.0, 7.0 * bulk, 26.0),
        ]);
        anatomy.scene.push(Shape::Loft(Arc::new(Loft::new(wall, 0.0)), 0.0), muscle(), Some((1.5, 12.0)), None);
        anatomy.scene.push(
            Shape::capsule([28.0 * side, 50.0, 62.0], [90.0 * side, 42.0, 35.0], 9.0 * bulk, 6.0),
            muscle(),
            Some((1.0, 10.0)),
            None,
        );
    }
}

fn muscle() -> Fill {
    Fill::Tissue { hu: 54.0, variation: 9.0, grain: 6.0 }
}

/// Psoas, iliacus, quadratus lumborum and erector spinae.
fn paint_back_muscles(anatomy: &mut Anatomy) {
    if !anatomy.scans(-30.0, 560.0) {
        return;
    }
    let bulk = anatomy.habitus.muscle;
    let mut dice = anatomy.dice(Purpose::Body);
    for side in [-1.0, 1.0] {
        let k = bulk * (1.0 + 0.05 * dice.normal());
        let psoas = sections(&[
            (275.0, 24.0 * side, 8.0, 4.0, 5.0),
            (240.0, 31.0 * side, 6.0, 11.0 * k, 13.0 * k),
            (187.0, 40.0 * side, 4.0, 17.0 * k, 20.0 * k),
            (140.0, 48.0 * side, -1.0, 20.0 * k, 22.0 * k),
            (100.0, 60.0 * side, -18.0, 19.0 * k, 19.0 * k),
            (60.0, 74.0 * side, -38.0, 17.0 * k, 16.0 * k),
            (20.0, 86.0 * side, -46.0, 16.0 * k, 15.0 * k),
            (-30.0, 104.0 * side, -28.0, 11.0 * k, 12.0 * k),
        ]);
        let shape = Shape::Loft(Arc::new(Loft::new(psoas, 0.0)), 0.0);
        anatomy.note_organ(if side < 0.0 { "psoas_right" } else { "psoas_left" }, &shape);
        anatomy.scene.push(shape, muscle(), Some((1.2, 14.0)), None);
        let iliacus: Vec<Section> =
            [(150.0, 92.0, 8.0, 5.0, 24.0), (110.0, 86.0, -2.0, 8.0, 36.0), (70.0, 88.0, -22.0, 10.0, 22.0)]
                .iter()
                .map(|&(z, x, y, a, b)| Section { z, x: x * side, y, a: a * k, b, angle: -0.62 * side })
                .collect();
        anatomy.scene.push(Shape::Loft(Arc::new(Loft::new(iliacus, 0.0)), 0.0), muscle(), Some((1.2, 12.0)), None);
        let quadratus = sections(&[
            (150.0, 78.0 * side, 34.0, 17.0 * k, 9.0 * k),
            (200.0, 68.0 * side, 36.0, 15.0 * k, 9.0 * k),
            (268.0, 50.0 * side, 38.0, 11.0, 6.0),
        ]);
        anatomy.scene.push(Shape::Loft(Arc::new(Loft::new(quadratus, 0.0)), 0.0), muscle(), Some((1.2, 10.0)), None);
        let erector: Vec<Section> = [80.0, 118.0, 152.0, 187.0, 230.0, 300.0, 400.0, 500.0, 560.0]
            .iter()
            .map(|&z: &f64| {
                let lumbar = (1.0 - (z - 187.0).abs() / 330.0).clamp(0.3, 1.0);
                Section {
                    z,
                    x: 36.0 * side,
                    y: spine_y(z) + 46.0,
                    a: 29.0 * lumbar * k,
                    b: 21.0 * lumbar * k,
                    angle: 0.0,
                }
            })
            .collect();
        anatomy.scene.push(
            Shape::Loft(Arc::new(Loft::new(erector, 0.0)), 0.0),
            Fill::Tissue { hu: 48.0, variation: 18.0, grain: 5.0 },
            Some((2.0, 12.0)),
            None,
        );
    }
}
