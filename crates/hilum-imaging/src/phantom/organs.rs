//! Lungs, heart, liver, gallbladder, spleen, stomach, pancreas, adrenals, genital organs.

use std::sync::Arc;

use super::anatomy::{Anatomy, spine_y};
use super::dice::{Dice, Purpose};
use super::paint::Fill;
use super::recipe::Sex;
use super::shapes::{Loft, Point, Shape, sections, spline};
use super::truth::DecoyKind;

/// Paints lungs and mediastinum, and the fat below the diaphragm; the bowel lies over them.
pub(super) fn paint_chest_and_domes(anatomy: &mut Anatomy) {
    if anatomy.scans(270.0, 590.0) {
        let mut dice = anatomy.dice(Purpose::Head);
        paint_chest(anatomy, &mut dice);
        paint_domes(anatomy);
    }
}

/// Paints the upper abdominal and the genital organs.
pub(super) fn paint_abdomen(anatomy: &mut Anatomy) {
    let mut dice = anatomy.dice(Purpose::Organs);
    if anatomy.scans(190.0, 400.0) {
        paint_upper_abdomen(anatomy, &mut dice);
    }
    if anatomy.scans(-20.0, 110.0) {
        paint_genital_organs(anatomy, &mut dice);
    }
}

/// The abdominal side of the diaphragm: fat that displaces lung under two domes.
fn paint_domes(anatomy: &mut Anatomy) {
    for (x, top, half) in [(-64.0, 374.0, 64.0), (62.0, 360.0, 64.0), (0.0, 350.0, 56.0)] {
        let dome = |thick: f64| {
            let rows: Vec<_> = (0..=10)
                .map(|i| {
                    let z = 288.0 + (top + thick - 288.0) * f64::from(i) / 10.0;
                    let share = (1.0 - (f64::from(i) / 10.0).powf(2.4)).max(0.003).sqrt();
                    (z, x, -16.0, half * share + thick, 84.0 * share + thick)
                })
                .collect();
            Shape::Loft(Arc::new(Loft::new(sections(&rows), 0.0)), 0.0)
        };
        let inside = Some((Arc::clone(&anatomy.cavity), 0.5));
        anatomy.scene.push(dome(3.0), Fill::Tissue { hu: 48.0, variation: 5.0, grain: 9.0 }, None, inside.clone());
        anatomy.scene.push(dome(0.0), Fill::Tissue { hu: -102.0, variation: 13.0, grain: 8.0 }, None, inside);
    }
}

fn paint_chest(anatomy: &mut Anatomy, dice: &mut Dice) {
    let trunk = Arc::clone(&anatomy.trunk);
    let lung = Fill::Tissue { hu: -860.0, variation: 30.0, grain: 12.0 };
    for side in [-1.0, 1.0] {
        let rows: Vec<(f64, f64, f64, f64, f64)> = [300.0, 340.0, 380.0, 420.0, 460.0, 500.0, 530.0, 555.0, 566.0]
            .iter()
            .map(|&z: &f64| {
                let s = trunk.at(z);
                let apex = ((566.0 - z) / 80.0).clamp(0.02, 1.0).sqrt();
                let half = (s.a - 18.0) / 2.0;
                (z, side * (half + 3.0), s.y + 4.0, (half - 2.0) * apex, (s.b - 17.0) * apex)
            })
            .collect();
        let shape = Shape::Loft(Arc::new(Loft::new(sections(&rows), 0.0)), 0.0);
        anatomy.note_organ(if side < 0.0 { "lung_at_minus_x" } else { "lung_at_plus_x" }, &shape);
        anatomy.scene.push(shape, lung, Some((1.5, 25.0)), None);
        for _ in 0..45 {
            let from = [side * dice.between(20.0, 40.0), dice.between(-15.0, 25.0), dice.between(400.0, 470.0)];
            let d = dice.unit_vector();
            let reach = dice.between(20.0, 62.0);
            let to = [from[0] + side * d[0].abs() * reach, from[1] + d[1] * reach, from[2] + d[2] * reach * 1.6];
            let clip = Some((Arc::clone(&trunk), 22.0));
            let vessel = Fill::Tissue { hu: 30.0, variation: 6.0, grain: 8.0 };
            anatomy.scene.push(Shape::capsule(from, to, dice.between(1.5, 4.0), 0.6), vessel, None, clip);
        }
    }
    let mediastinum = sections(&[
        (350.0, 0.0, -10.0, 34.0, 60.0),
        (400.0, 4.0, -12.0, 34.0, 62.0),
        (460.0, 0.0, -4.0, 32.0, 52.0),
        (520.0, 0.0, -2.0, 30.0, 42.0),
        (566.0, 0.0, 0.0, 34.0, 36.0),
    ]);
    anatomy.scene.push(
        Shape::Loft(Arc::new(Loft::new(mediastinum, 0.0)), 0.0),
        Fill::Tissue { hu: -60.0, variation: 30.0, grain: 8.0 },
        Some((3.0, 16.0)),
        None,
    );
    let blood = anatomy.by_phase([42.0, 240.0, 160.0, 95.0]);
    let heart = Shape::turned_ellipsoid(
        [20.0, -42.0, 385.0],
        [52.0, 40.0, 48.0],
        [[0.85, -0.35, -0.39], [0.38, 0.92, 0.0], [0.36, -0.15, 0.92]],
    );
    anatomy.note_organ("heart", &heart);
    anatomy.scene.add_organ(heart, 42.0, 5.0, 14.0, (2.0, 25.0), None);
    for (c, r) in [
        ([28.0, -50.0, 375.0], [24.0, 18.0, 26.0]),
        ([-8.0, -48.0, 392.0], [22.0, 20.0, 24.0]),
        ([14.0, -15.0, 410.0], [26.0, 15.0, 20.0]),
    ] {
        anatomy.scene.add_organ(Shape::ellipsoid(c, r), blood, 4.0, 10.0, (1.5, 14.0), None);
    }
    // Arch, superior vena cava, pulmonary trunk, trachea and main bronchi, oesophagus.
    let arch = spline(
        &[
            [-8.0, -32.0, 425.0],
            [-14.0, -35.0, 465.0],
            [2.0, -10.0, 500.0],
            [22.0, 18.0, 490.0],
            [22.0, spine_y(440.0) - 12.0, 440.0],
        ],
        5.0,
    );
    anatomy.scene.add_tube(&arch, |_| 13.5, Fill::Tissue { hu: blood as f32, variation: 4.0, grain: 10.0 });
    let vein = Fill::Tissue { hu: anatomy.by_phase([40.0, 300.0, 150.0, 95.0]) as f32, variation: 4.0, grain: 10.0 };
    anatomy.scene.add_tube(&[[-28.0, -22.0, 420.0], [-28.0, -25.0, 520.0]], |_| 9.5, vein);
    anatomy.scene.add_tube(&[[10.0, -42.0, 420.0], [14.0, -22.0, 450.0], [40.0, -5.0, 452.0]], |_| 12.0, vein);
    for (a, b, r) in [
        ([0.0, -2.0, 580.0], [0.0, 5.0, 468.0], 8.5),
        ([0.0, 5.0, 468.0], [-34.0, 12.0, 440.0], 6.5),
        ([0.0, 5.0, 468.0], [38.0, 14.0, 436.0], 6.0),
    ] {
        anatomy.scene.add(Shape::capsule(a, b, r + 1.4, r + 1.2), 40.0);
        anatomy.scene.add(Shape::capsule(a, b, r, r), -990.0);
    }
    anatomy.scene.add(Shape::capsule([6.0, 16.0, 580.0], [8.0, spine_y(345.0) - 34.0, 345.0], 6.0, 7.0), 35.0);
}

fn paint_upper_abdomen(anatomy: &mut Anatomy, dice: &mut Dice) {
    let cavity = Arc::clone(&anatomy.cavity);
    let inside = |margin: f32| Some((Arc::clone(&cavity), margin));
    let grow = 1.0 + 0.06 * dice.normal();
    let fatty = if dice.chance(0.25) { dice.between(10.0, 40.0) } else { 58.0 + 5.0 * dice.normal() };
    let liver = anatomy.by_phase([fatty, fatty + 14.0, fatty + 52.0, fatty + 32.0]);
    let lobes = [
        ([-66.0, -14.0, 292.0], [62.0 * grow, 80.0, 78.0 * grow]),
        ([-72.0, -8.0, 255.0], [52.0 * grow, 66.0, 62.0 * grow]),
        ([-10.0, -58.0, 315.0], [66.0, 34.0, 34.0]),
    ];
    for (c, r) in lobes {
        let shape = Shape::ellipsoid(c, r);
        anatomy.note_organ("liver", &shape);
        anatomy.scene.add_organ(shape, liver, 4.0, 16.0, (3.0, 26.0), inside(1.5));
    }
    // The right kidney, the duodenum and fat indent the liver from behind and below.
    anatomy.scene.add_organ(
        Shape::ellipsoid([-56.0, 34.0, 240.0], [38.0, 36.0, 68.0]),
        -100.0,
        12.0,
        8.0,
        (2.0, 18.0),
        inside(0.0),
    );
    anatomy.scene.add_organ(
        Shape::ellipsoid([-28.0, -18.0, 235.0], [34.0, 40.0, 42.0]),
        -100.0,
        14.0,
        8.0,
        (3.0, 18.0),
        None,
    );
    let vein = anatomy.by_phase([36.0, 60.0, 175.0, 95.0]);
    for (a, b, r) in [
        ([-25.0, -20.0, 285.0], [-85.0, -12.0, 300.0], 6.0),
        ([-22.0, 5.0, 335.0], [-80.0, -10.0, 320.0], 4.5),
        ([-20.0, 0.0, 335.0], [-40.0, -60.0, 320.0], 4.0),
        ([-40.0, -22.0, 288.0], [-62.0, -62.0, 296.0], 4.0),
    ] {
        anatomy.scene.add_organ(Shape::capsule(a, b, r, 1.2), vein, 3.0, 8.0, (0.6, 8.0), inside(6.0));
    }
    paint_gallbladder(anatomy, dice);
    anatomy.scene.add_organ(
        Shape::ellipsoid([66.0, 18.0, 252.0], [32.0, 30.0, 60.0]),
        -101.0,
        12.0,
        8.0,
        (2.0, 18.0),
        inside(0.0),
    );
    let spleen_hu = anatomy.by_phase([50.0, 110.0, 125.0, 90.0]);
    let k = (1.0 + 0.15 * dice.normal()).clamp(0.7, 1.4);
    let spleen = Shape::turned_ellipsoid(
        [88.0, 16.0, 300.0],
        [23.0 * k, 46.0 * k, 52.0 * k],
        [[0.9, 0.43, 0.0], [-0.41, 0.86, 0.3], [0.13, -0.27, 0.95]],
    );
    anatomy.note_organ("spleen", &spleen);
    anatomy.scene.add_organ(spleen, spleen_hu, 4.0, 12.0, (2.5, 20.0), inside(1.5));
    let stomach = spline(
        &[[50.0, 8.0, 335.0], [62.0, -35.0, 315.0], [55.0, -68.0, 275.0], [10.0, -72.0, 255.0], [-28.0, -52.0, 258.0]],
        8.0,
    );
    let wide = dice.between(15.0, 28.0);
    let radius = |i: usize| wide * (1.0 - 0.5 * i as f64 / stomach.len() as f64);
    anatomy.scene.add_tube(&stomach, |i| radius(i) + 3.5, Fill::Tissue { hu: 42.0, variation: 6.0, grain: 8.0 });
    let level = if anatomy.down > 0.0 { -55.0 + 20.0 * dice.unit() } else { 30.0 } as f32;
    anatomy.scene.add_tube(&stomach, radius, Fill::GasFluid { level, fluid: 18.0 });
    let pancreas =
        spline(&[[-30.0, -38.0, 232.0], [-8.0, -50.0, 252.0], [30.0, -40.0, 265.0], [72.0, -12.0, 282.0]], 6.0);
    let hu = anatomy.by_phase([40.0, 110.0, 95.0, 75.0]);
    for w in pancreas.windows(2) {
        anatomy.scene.add_organ(Shape::capsule(w[0], w[1], 9.0, 9.0), hu, 14.0, 5.0, (2.5, 6.0), None);
    }
    for side in [-1.0, 1.0] {
        let top = [side * 38.0, 6.0, 300.0];
        for leg in [[side * 30.0, -4.0, 284.0], [side * 48.0, 16.0, 284.0]] {
            anatomy.scene.add(Shape::capsule(top, leg, 3.0, 2.4), 28.0);
        }
        // Crura of the diaphragm.
        anatomy.scene.add(Shape::capsule([side * 16.0, -14.0, 310.0], [side * 20.0, -4.0, 215.0], 6.0, 3.5), 50.0);
    }
    if dice.chance(0.2) {
        let hu = dice.between(250.0, 700.0);
        let in_spleen = dice.chance(0.5);
        let c: Point = if in_spleen { [98.0, 25.0, 300.0] } else { [-80.0, -20.0, 290.0] };
        for _ in 0..dice.count(1, 4) {
            let at = std::array::from_fn(|i| c[i] + dice.between(-15.0, 15.0));
            let r = dice.between(1.0, 2.6);
            anatomy.scene.add(Shape::ellipsoid(at, [r; 3]), hu);
            anatomy.note_decoy(DecoyKind::Granuloma, at, 2.0 * r, hu);
        }
    }
}

fn paint_gallbladder(anatomy: &mut Anatomy, dice: &mut Dice) {
    if dice.chance(0.12) {
        // Removed: clips.
        for _ in 0..dice.count(2, 4) {
            let at = [-42.0 + 6.0 * dice.normal(), -38.0 + 6.0 * dice.normal(), 262.0 + 6.0 * dice.normal()];
            anatomy.scene.add(Shape::capsule(at, [at[0] + 3.0, at[1] + 2.0, at[2] + 1.0], 0.8, 0.8), 2600.0);
            anatomy.note_decoy(DecoyKind::Clip, at, 5.0, 2600.0);
        }
        return;
    }
    let c = [-52.0 + 4.0 * dice.normal(), -62.0 + 4.0 * dice.normal(), 243.0 + 5.0 * dice.normal()];
    let r = dice.between(10.0, 17.0);
    let outer = Shape::ellipsoid(c, [r + 1.8, r + 4.0, r * 1.7]);
    anatomy.note_organ("gallbladder", &outer);
    anatomy.scene.add(outer, 38.0);
    anatomy.scene.add(Shape::ellipsoid(c, [r, r + 2.2, r * 1.6]), 9.0);
    if dice.chance(0.22) {
        for _ in 0..dice.count(1, 5) {
            let size = dice.between(1.5, 5.5);
            let hu = dice.between(120.0, 800.0);
            let at = [
                c[0] + dice.between(-0.4, 0.4) * r,
                c[1] + anatomy.down * (r - size) * 0.8,
                c[2] + dice.between(-0.7, 0.7) * r,
            ];
            anatomy.scene.add_organ(Shape::ellipsoid(at, [size; 3]), hu, 40.0, 2.5, (0.4, 3.0), None);
            if size > 3.0 && dice.chance(0.5) {
                anatomy.scene.add(Shape::ellipsoid(at, [size * 0.6; 3]), 60.0);
            }
            anatomy.note_decoy(DecoyKind::Gallstone, at, 2.0 * size, hu);
        }
    }
}

fn paint_genital_organs(anatomy: &mut Anatomy, dice: &mut Dice) {
    if anatomy.habitus.sex == Sex::Male {
        let large = (f64::from(anatomy.habitus.age) / 60.0).clamp(0.8, 1.3);
        let prostate = Shape::ellipsoid([0.0, -10.0, 4.0], [21.0 * large, 16.0, 15.0 * large]);
        anatomy.note_organ("prostate", &prostate);
        anatomy.scene.add_organ(prostate, 40.0, 6.0, 7.0, (1.5, 12.0), None);
        for side in [-1.0, 1.0] {
            anatomy.scene.add_organ(
                Shape::capsule([4.0 * side, 14.0, 22.0], [32.0 * side, 20.0, 32.0], 4.5, 6.5),
                35.0,
                9.0,
                4.0,
                (1.5, 6.0),
                None,
            );
        }
        if dice.chance(0.4) {
            for _ in 0..dice.count(1, 5) {
                let at = [8.0 * dice.normal(), -8.0 + 5.0 * dice.normal(), 4.0 + 5.0 * dice.normal()];
                let (r, hu) = (dice.between(0.6, 2.0), dice.between(220.0, 700.0));
                anatomy.scene.add(Shape::ellipsoid(at, [r; 3]), hu);
                anatomy.note_decoy(DecoyKind::Prostate, at, 2.0 * r, hu);
            }
        }
    } else {
        let uterus = Shape::turned_ellipsoid(
            [3.0, 12.0, 62.0],
            [25.0, 22.0, 34.0],
            [[1.0, 0.0, 0.0], [0.0, 0.87, 0.5], [0.0, -0.5, 0.87]],
        );
        anatomy.note_organ("uterus", &uterus);
        let hu = anatomy.by_phase([45.0, 80.0, 110.0, 85.0]);
        anatomy.scene.add_organ(uterus, hu, 6.0, 10.0, (2.5, 16.0), None);
        for side in [-1.0, 1.0] {
            anatomy.scene.add_organ(
                Shape::ellipsoid([42.0 * side, 4.0, 72.0], [13.0, 10.0, 14.0]),
                28.0,
                9.0,
                6.0,
                (1.5, 8.0),
                None,
            );
        }
    }
}
