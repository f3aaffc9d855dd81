//! Colon with stool and gas, small-bowel loops, mesenteric strands.

use super::anatomy::Anatomy;
use super::dice::{Dice, Purpose};
use super::paint::Fill;
use super::shapes::{Point, Shape, plus, spline, times};
use super::truth::DecoyKind;

/// Paints the bowel; everything later lies over it.
pub(super) fn paint(anatomy: &mut Anatomy) {
    if !anatomy.scans(0.0, 300.0) {
        return;
    }
    let mut dice = anatomy.dice(Purpose::Bowel);
    paint_strands(anatomy, &mut dice);
    paint_small_bowel(anatomy, &mut dice);
    paint_colon(anatomy, &mut dice);
}

/// Front of the cavity at a height.
fn front(anatomy: &Anatomy, z: f64) -> f64 {
    let s = anatomy.cavity.at(z);
    s.y - s.b
}

fn paint_strands(anatomy: &mut Anatomy, dice: &mut Dice) {
    for _ in 0..90 {
        let z = dice.between(85.0, 270.0);
        let s = anatomy.cavity.at(z);
        let from = [dice.between(-0.3, 0.3) * s.a, dice.between(-38.0, -12.0), z];
        let to = [dice.between(-0.8, 0.8) * s.a, s.y - s.b * dice.between(0.0, 0.7), z + dice.between(-45.0, 45.0)];
        let vessel = anatomy.by_phase([40.0, 120.0, 140.0, 90.0]);
        anatomy.scene.add(Shape::capsule(from, to, dice.between(1.0, 2.4), 0.7), vessel);
    }
}

fn paint_small_bowel(anatomy: &mut Anatomy, dice: &mut Dice) {
    for _ in 0..dice.count(12, 18) {
        let z0 = dice.between(75.0, 225.0);
        let s = anatomy.cavity.at(z0);
        let mut p: Point = [dice.between(-0.62, 0.62) * s.a, dice.between(front(anatomy, z0) + 20.0, -32.0), z0];
        let mut points = vec![p];
        let mut heading = dice.unit_vector();
        for _ in 0..dice.count(3, 6) {
            let kick = dice.unit_vector();
            heading = super::shapes::normalised(plus(times(heading, 0.5), [kick[0], kick[1] * 0.6, kick[2] * 0.8]));
            p = plus(p, times(heading, dice.between(20.0, 32.0)));
            let s = anatomy.cavity.at(p[2].clamp(70.0, 235.0));
            p = [p[0].clamp(-0.7 * s.a, 0.7 * s.a), p[1].clamp(s.y - s.b + 16.0, -30.0), p[2].clamp(70.0, 235.0)];
            points.push(p);
        }
        let curve = spline(&points, 5.0);
        let r = dice.between(7.5, 12.5);
        let phase = dice.between(0.0, 6.0);
        let radius = |i: usize| r * (1.0 + 0.12 * (i as f64 * 0.9 + phase).sin());
        anatomy.scene.add_tube(
            &curve,
            |i| radius(i) + 2.2,
            Fill::Tissue { hu: anatomy.by_phase([40.0, 90.0, 95.0, 70.0]) as f32, variation: 8.0, grain: 5.0 },
        );
        let content = if dice.chance(0.2) {
            let mean = curve.iter().map(|c| c[1]).sum::<f64>() / curve.len() as f64;
            Fill::GasFluid { level: (anatomy.down * mean - 2.0) as f32, fluid: 20.0 }
        } else {
            Fill::Tissue { hu: dice.between(12.0, 42.0) as f32, variation: 10.0, grain: 6.0 }
        };
        anatomy.scene.add_tube(&curve, radius, content);
    }
}

fn paint_colon(anatomy: &mut Anatomy, dice: &mut Dice) {
    let jitter = |dice: &mut Dice, p: Point| {
        [p[0] + 5.0 * dice.normal(), p[1] + 4.0 * dice.normal(), p[2] + 5.0 * dice.normal()]
    };
    let wide = |z: f64| anatomy.cavity.at(z).a - 24.0;
    let (fore, low) = (front(anatomy, 205.0) + 26.0, front(anatomy, 100.0) + 40.0);
    let stations: [(&[Point], f64); 4] = [
        (
            &[
                [-wide(110.0) * 0.9, -38.0, 108.0],
                [-wide(150.0), -20.0, 150.0],
                [-wide(190.0), -6.0, 195.0],
                [-wide(220.0) * 0.95, -18.0, 222.0],
            ],
            22.0,
        ),
        (
            &[
                [-wide(220.0) * 0.95, -30.0, 222.0],
                [-45.0, fore, 205.0],
                [0.0, fore - 4.0, 195.0],
                [50.0, fore, 215.0],
                [wide(250.0) * 0.9, -30.0, 258.0],
            ],
            19.0,
        ),
        (
            &[
                [wide(250.0) * 0.95, -15.0, 258.0],
                [wide(210.0), 2.0, 210.0],
                [wide(160.0), -10.0, 160.0],
                [wide(120.0) * 0.9, -32.0, 122.0],
            ],
            15.0,
        ),
        (
            &[
                [wide(120.0) * 0.9, -36.0, 120.0],
                [52.0, low, 96.0],
                [10.0, low + 14.0, 106.0],
                [-14.0, 2.0, 88.0],
                [-2.0, 34.0, 66.0],
                [0.0, 40.0, 35.0],
                [0.0, 30.0, 8.0],
            ],
            14.0,
        ),
    ];
    let stations: Vec<(Vec<Point>, f64)> = stations.iter().map(|(p, r)| (p.to_vec(), *r)).collect();
    for (points, size) in stations {
        let points: Vec<Point> = points.iter().map(|&p| jitter(dice, p)).collect();
        let curve = spline(&points, 5.0);
        let k = dice.between(0.75, 1.2);
        let phase = dice.between(0.0, 6.0);
        let radius = |i: usize| size * k * (1.0 + 0.16 * (i as f64 * 1.15 + phase).sin());
        anatomy.scene.add_tube(
            &curve,
            |i| radius(i) + 2.0,
            Fill::Tissue { hu: anatomy.by_phase([38.0, 80.0, 85.0, 65.0]) as f32, variation: 8.0, grain: 5.0 },
        );
        let mean = curve.iter().map(|c| c[1]).sum::<f64>() / curve.len() as f64;
        let kind = dice.unit();
        let content = if kind < 0.5 {
            Fill::Stool { hu: dice.between(25.0, 70.0) as f32, gas: dice.between(0.12, 0.5) as f32 }
        } else if kind < 0.85 {
            Fill::GasFluid {
                level: (anatomy.down * mean + dice.between(-3.0, 8.0)) as f32,
                fluid: dice.between(20.0, 50.0) as f32,
            }
        } else {
            Fill::Tissue { hu: dice.between(15.0, 60.0) as f32, variation: 30.0, grain: 5.0 }
        };
        anatomy.scene.add_tube(&curve, radius, content);
        // Residue of contrast, pills, seeds and diverticula with dense content.
        if dice.chance(0.42) {
            for _ in 0..dice.count(1, 5) {
                let i = dice.count(0, curve.len() - 1);
                let at = plus(curve[i], times(dice.unit_vector(), radius(i) * dice.between(0.2, 0.95)));
                let (r, hu) = (dice.between(0.9, 3.6), dice.between(180.0, 900.0));
                anatomy.scene.add_organ(Shape::ellipsoid(at, [r, r * 0.8, r]), hu, 50.0, 2.5, (0.5, 2.5), None);
                anatomy.note_decoy(DecoyKind::BowelContent, at, 2.0 * r, hu);
            }
        }
    }
}
