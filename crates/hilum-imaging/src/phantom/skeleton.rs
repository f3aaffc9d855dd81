//! Spine, ribs, sternum and pelvis: cortex, then the trabecular bone inside it.

use std::sync::Arc;

use super::anatomy::{Anatomy, spine_y, vertebrae};
use super::dice::{Dice, Purpose};
use super::paint::Fill;
use super::shapes::{Loft, Point, Section, Shape, spline};
use super::truth::DecoyKind;

/// Density of this patient's bone: it falls with age.
struct Bone {
    cortex: f64,
    trabecular: f64,
}

impl Bone {
    fn of(anatomy: &Anatomy, dice: &mut Dice) -> Self {
        let loss = (f64::from(anatomy.habitus.age) - 30.0).max(0.0);
        Self {
            cortex: 560.0 - 1.5 * loss + 40.0 * dice.normal(),
            trabecular: (225.0 - 1.9 * loss + 18.0 * dice.normal()).max(70.0),
        }
    }

    fn shell(&self) -> Fill {
        Fill::Tissue { hu: self.cortex as f32, variation: 70.0, grain: 5.0 }
    }

    fn core(&self, share: f64) -> Fill {
        Fill::Tissue { hu: (self.trabecular * share) as f32, variation: 28.0, grain: 3.0 }
    }
}

/// Paints the skeleton of the trunk and neck.
pub(super) fn paint(anatomy: &mut Anatomy) {
    let mut dice = anatomy.dice(Purpose::Skeleton);
    let bone = Bone::of(anatomy, &mut dice);
    if anatomy.scans(-110.0, 175.0) {
        paint_pelvis(anatomy, &bone);
    }
    if anatomy.scans(190.0, 560.0) {
        paint_ribs(anatomy, &bone, &mut dice);
    }
    paint_spine(anatomy, &bone, &mut dice);
}

/// Cortex first, marrow inside: each row is a capsule with its radius and cortical thickness.
fn paint_struts(anatomy: &mut Anatomy, bone: &Bone, struts: &[(Point, Point, f64, f64, f64)], share: f64) {
    for &(a, b, ra, rb, _) in struts {
        anatomy.scene.push(Shape::capsule(a, b, ra, rb), bone.shell(), Some((0.7, 8.0)), None);
    }
    for &(a, b, ra, rb, wall) in struts {
        anatomy.scene.push(
            Shape::capsule(a, b, (ra - wall).max(0.3), (rb - wall).max(0.3)),
            bone.core(share),
            None,
            None,
        );
    }
}

fn paint_spine(anatomy: &mut Anatomy, bone: &Bone, dice: &mut Dice) {
    let levels = vertebrae();
    let old = f64::from(anatomy.habitus.age) > 50.0;
    for (i, &(z, half)) in levels.iter().enumerate() {
        if !anatomy.scans(z - 40.0, z + 40.0) {
            continue;
        }
        let y = spine_y(z);
        let (a, b) = if i < 5 {
            (25.0 - 0.8 * i as f64, 17.5)
        } else if i < 17 {
            (20.5 - 0.5 * (i - 5) as f64, 15.5 - 0.2 * (i - 5) as f64)
        } else {
            (12.5, 8.5)
        };
        let disc = Shape::capsule([0.0, y, z + half], [0.0, spine_y(z + 2.0 * half), z + half + 4.0], b * 0.9, b * 0.9);
        anatomy.scene.add(disc, 85.0);
        for side in [-1.0, 1.0] {
            anatomy.scene.add(Shape::ellipsoid([0.45 * a * side, y, z + half + 2.0], [0.55 * a, b * 0.9, 5.0]), 85.0);
        }
        let body = [a, b, half];
        anatomy.scene.push(Shape::block([0.0, y, z], body), bone.shell(), Some((0.8, 10.0)), None);
        anatomy.scene.push(Shape::block([0.0, y, z], body.map(|r| r - 1.2)), bone.core(1.0), None, None);
        // Basivertebral vein.
        anatomy.scene.add(Shape::capsule([0.0, y + b * 0.3, z], [0.0, y + b, z], 1.2, 2.0), 60.0);
        paint_arch(
            anatomy,
            bone,
            z,
            y + b,
            if i < 5 {
                1.0
            } else if i < 17 {
                0.85
            } else {
                0.62
            },
            i >= 5,
        );
        if old && i < 8 && dice.chance(0.35) {
            let side = dice.sign();
            let at = [a * side * dice.between(0.75, 1.0), y - b * dice.between(0.3, 0.75), z + half * dice.sign()];
            let r = dice.between(2.0, 4.5);
            anatomy.scene.add(Shape::ellipsoid(at, [r, r, r * 0.8]), bone.cortex * 0.9);
            anatomy.note_decoy(DecoyKind::BoneIsland, at, 2.0 * r, bone.cortex * 0.9);
        }
    }
}

/// Pedicles, laminae, facets, processes and the canal.
fn paint_arch(anatomy: &mut Anatomy, bone: &Bone, z: f64, back: f64, k: f64, steep: bool) {
    let at = |x: f64, y: f64, dz: f64| [x * k, back + y * k, z + dz * k];
    let drop = if steep { -18.0 } else { -8.0 };
    let mut struts = vec![(at(0.0, 21.0, -2.0), at(0.0, 44.0, drop), 3.4 * k, 4.6 * k, 1.3)];
    for side in [-1.0, 1.0] {
        struts.push((at(14.0 * side, -3.0, 4.0), at(15.0 * side, 10.0, 3.0), 5.0 * k, 5.5 * k, 1.4));
        struts.push((at(15.0 * side, 11.0, 0.0), at(0.0, 23.0, -4.0), 4.0 * k, 3.6 * k, 1.3));
        struts.push((at(16.0 * side, 11.0, 10.0), at(17.0 * side, 13.0, -14.0), 6.0 * k, 6.0 * k, 1.6));
        struts.push((at(17.0 * side, 9.0, 2.0), at(42.0 * side, 13.0, 3.0), 4.0 * k, 3.0 * k, 1.2));
    }
    paint_struts(anatomy, bone, &struts, 0.9);
    let canal = Shape::capsule(at(0.0, 8.0, -18.0), at(0.0, 8.0, 18.0), 8.2 * k, 8.2 * k);
    anatomy.scene.add(canal, 12.0);
    anatomy.scene.add(Shape::capsule(at(0.0, 8.0, -18.0), at(0.0, 8.0, 18.0), 6.0 * k, 6.0 * k), 28.0);
}

fn paint_ribs(anatomy: &mut Anatomy, bone: &Bone, dice: &mut Dice) {
    let levels = vertebrae();
    let calcified = (f64::from(anatomy.habitus.age) - 35.0) / 60.0;
    for n in 1..=12_usize {
        let z0 = levels[5 + 12 - n].0 + 8.0;
        if !anatomy.scans(z0 - 130.0, z0) {
            continue;
        }
        let (end, drop) = match n {
            1..=2 => (150.0, 45.0),
            3..=7 => (148.0, 80.0),
            8..=10 => (132.0, 95.0),
            11 => (88.0, 70.0),
            _ => (58.0 + 12.0 * dice.unit(), 45.0),
        };
        for side in [-1.0, 1.0] {
            let points: Vec<Point> = (0..=14)
                .map(|i| {
                    let t = f64::from(i) / 14.0;
                    let angle = f64::to_radians(12.0 + t * (end - 12.0));
                    let z = z0 - drop * (t * end / 150.0).powf(0.8);
                    let s = anatomy.trunk.at(z);
                    let (a, b) = (s.a - 10.0, s.b - 9.0);
                    let y = if t < 0.08 { spine_y(z0) + 22.0 } else { s.y + b * angle.cos() };
                    [side * (a * angle.sin()).max(14.0), y, z]
                })
                .collect();
            let curve = spline(&points, 6.0);
            let size = if n == 1 || n >= 11 { 4.2 } else { 5.4 };
            let struts: Vec<_> = curve.windows(2).map(|w| (w[0], w[1], size, size, 1.4)).collect();
            paint_struts(anatomy, bone, &struts, 0.75);
            if n <= 10 {
                paint_cartilage(anatomy, dice, curve[curve.len() - 1], side, n, calcified);
            }
        }
    }
    if anatomy.scans(350.0, 530.0) {
        let front = |z: f64| anatomy.trunk.at(z).y - anatomy.trunk.at(z).b + 14.0;
        let struts: Vec<_> = [(375.0, 9.0), (420.0, 12.0), (470.0, 10.0), (515.0, 14.0)]
            .windows(2)
            .flat_map(|w| {
                [-8.0, 0.0, 8.0].map(|x| ([x, front(w[0].0), w[0].0], [x * 1.2, front(w[1].0), w[1].0], 5.5, 6.0, 1.2))
            })
            .collect();
        paint_struts(anatomy, bone, &struts, 0.6);
    }
}

fn paint_cartilage(anatomy: &mut Anatomy, dice: &mut Dice, start: Point, side: f64, n: usize, calcified: f64) {
    let z = start[2] + if n <= 3 { 5.0 } else { 28.0 };
    let s = anatomy.trunk.at(z);
    let end = [side * if n <= 7 { 18.0 } else { 45.0 }, s.y - s.b + 13.0, z];
    let mid = [
        f64::midpoint(start[0], end[0]) * 1.1,
        f64::midpoint(start[1], end[1]) - 6.0,
        f64::midpoint(start[2], end[2]) - 6.0,
    ];
    let curve = spline(&[start, mid, end], 6.0);
    anatomy.scene.add_tube(&curve, |_| 5.4, Fill::Tissue { hu: 95.0, variation: 25.0, grain: 5.0 });
    for &at in &curve {
        if dice.chance(0.35 * calcified.clamp(0.0, 1.0)) {
            let (r, hu) = (dice.between(1.0, 3.4), dice.between(220.0, 650.0));
            let at = std::array::from_fn(|i| at[i] + dice.between(-2.5, 2.5));
            anatomy.scene.add_organ(Shape::ellipsoid(at, [r, r * 0.8, r * 1.2]), hu, 40.0, 3.0, (0.5, 3.0), None);
            anatomy.note_decoy(DecoyKind::CostalCartilage, at, 2.4 * r, hu);
        }
    }
}

fn paint_pelvis(anatomy: &mut Anatomy, bone: &Bone) {
    let sacrum: Vec<Section> = [
        (112.0, 58.0, 15.0),
        (95.0, 67.0, 19.0),
        (70.0, 54.0, 14.0),
        (45.0, 30.0, 9.0),
        (28.0, 14.0, 6.0),
        (12.0, 6.0, 4.5),
    ]
    .iter()
    .map(|&(z, a, b)| Section { z, x: 0.0, y: spine_y(z) + 8.0, a, b, angle: 0.0 })
    .collect();
    let sacrum = Arc::new(Loft::new(sacrum, 0.0));
    anatomy.scene.push(Shape::Loft(Arc::clone(&sacrum), 0.0), bone.shell(), Some((1.5, 11.0)), None);
    anatomy.scene.push(Shape::Loft(sacrum, -1.9), bone.core(0.75), None, None);
    for z in [98.0, 78.0, 58.0] {
        anatomy.scene.add(
            Shape::capsule([0.0, spine_y(z) + 10.0, z - 12.0], [0.0, spine_y(z + 12.0) + 12.0, z + 12.0], 5.0, 6.5),
            5.0,
        );
        for side in [-1.0, 1.0] {
            anatomy.scene.add(
                Shape::capsule(
                    [20.0 * side, spine_y(z) - 16.0, z - 6.0],
                    [14.0 * side, spine_y(z) + 10.0, z + 4.0],
                    4.2,
                    3.5,
                ),
                -20.0,
            );
        }
    }
    for side in [-1.0, 1.0] {
        paint_hip(anatomy, bone, side);
    }
}

fn paint_hip(anatomy: &mut Anatomy, bone: &Bone, side: f64) {
    // Iliac wing: from the front outside to the back inside.
    let wing: Vec<Section> = [
        (168.0, 96.0, 22.0, 3.0, 14.0),
        (155.0, 97.0, 20.0, 4.6, 36.0),
        (125.0, 91.0, 20.0, 4.8, 52.0),
        (95.0, 85.0, 22.0, 5.4, 52.0),
        (70.0, 87.0, 16.0, 8.0, 38.0),
        (48.0, 86.0, 10.0, 12.0, 27.0),
        (30.0, 82.0, 8.0, 15.0, 26.0),
    ]
    .iter()
    .map(|&(z, x, y, a, b)| Section { z, x: x * side, y, a, b, angle: side * (0.84 - (70.0 - z).max(0.0) * 0.008) })
    .collect();
    let wing = Arc::new(Loft::new(wing, 0.0));
    let cup = [80.0 * side, -2.0, 14.0];
    let struts = [
        ([72.0 * side, -28.0, 18.0], [34.0 * side, -60.0, 12.0], 9.0, 7.5, 1.6),
        ([34.0 * side, -60.0, 12.0], [9.0 * side, -64.0, 2.0], 7.5, 8.0, 1.5),
        ([9.0 * side, -64.0, 2.0], [11.0 * side, -58.0, -14.0], 8.0, 6.5, 1.4),
        ([11.0 * side, -58.0, -14.0], [50.0 * side, 4.0, -46.0], 6.0, 7.0, 1.4),
        ([74.0 * side, 26.0, 14.0], [58.0 * side, 34.0, -38.0], 13.0, 13.0, 2.0),
    ];
    anatomy.scene.push(Shape::Loft(Arc::clone(&wing), 0.0), bone.shell(), Some((1.0, 14.0)), None);
    anatomy.scene.push(Shape::ellipsoid(cup, [27.0, 29.0, 29.0]), bone.shell(), None, None);
    paint_struts(anatomy, bone, &struts, 0.7);
    anatomy.scene.push(Shape::Loft(wing, -1.7), bone.core(0.8), None, None);
    anatomy.scene.push(Shape::ellipsoid(cup, [25.0, 27.0, 27.0]), bone.core(0.9), None, None);
    // Joint space, femoral head, neck, trochanter and shaft.
    let head = [91.0 * side, -3.0, 12.0];
    anatomy.scene.push(Shape::ellipsoid(head, [26.5, 26.5, 26.5]), bone.shell(), None, None);
    anatomy.scene.add(Shape::ellipsoid([head[0] + 6.0 * side, head[1], head[2] - 3.0], [28.0, 25.0, 25.0]), 55.0);
    let femur = [
        (head, [head[0] + 0.2 * side, head[1], head[2]], 22.8, 22.8, 1.6),
        (head, [126.0 * side, 6.0, -18.0], 15.0, 14.0, 2.4),
        ([126.0 * side, 12.0, 8.0], [128.0 * side, 8.0, -20.0], 11.0, 15.0, 1.8),
        ([126.0 * side, 6.0, -20.0], [118.0 * side, 0.0, -120.0], 15.5, 14.0, 4.5),
        ([108.0 * side, 22.0, -42.0], [112.0 * side, 16.0, -48.0], 8.0, 8.0, 1.8),
    ];
    paint_struts(anatomy, bone, &femur, 1.0);
}
