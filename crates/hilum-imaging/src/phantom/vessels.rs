//! Aorta, vena cava, iliac, renal and gonadal vessels, with calcified plaque in the arterial walls.

use super::anatomy::{Anatomy, spine_y};
use super::dice::{Dice, Purpose};
use super::paint::Fill;
use super::shapes::{Point, Shape, minus, normalised, single, spline};
use super::truth::DecoyKind;
use super::urinary::{Urinary, sign_of};

struct Vessel {
    curve: Vec<Point>,
    radius: f64,
    /// Relative load of plaque; 0 for veins.
    plaque: f64,
}

/// Paints the vessels and their plaque.
pub(super) fn paint(anatomy: &mut Anatomy, urinary: &Urinary) {
    if !anatomy.scans(-30.0, 440.0) {
        return;
    }
    let mut dice = anatomy.dice(Purpose::Vessels);
    let vessels = course(&mut dice, urinary);
    let age = f64::from(anatomy.habitus.age);
    for vessel in &vessels {
        let hu = if vessel.plaque > 0.0 {
            anatomy.by_phase([41.0, 310.0, 150.0, 95.0])
        } else {
            anatomy.by_phase([39.0, 70.0, 150.0, 95.0])
        };
        let r = vessel.radius;
        anatomy.scene.add_tube(&vessel.curve, |_| r, Fill::Tissue { hu: hu as f32, variation: 3.0, grain: 8.0 });
    }
    // Old people have much of it, young ones none, some old ones little.
    let load = ((age - 42.0) / 30.0).clamp(0.0, 1.4) * dice.between(0.3, 1.3);
    for vessel in vessels.iter().filter(|v| v.plaque > 0.0) {
        paint_plaque(anatomy, vessel, load, &mut dice);
    }
}

fn course(dice: &mut Dice, urinary: &Urinary) -> Vec<Vessel> {
    let wobble = 3.0 * dice.normal();
    let size = 1.0 + 0.1 * dice.normal().clamp(-2.0, 2.5);
    let tube = |points: &[Point], radius: f64, plaque: f64| Vessel { curve: spline(points, 4.0), radius, plaque };
    let fore = |z: f64| spine_y(z) - 31.0;
    let fork = [7.0 + wobble, fore(150.0), 148.0];
    let mut vessels = vec![
        tube(
            &[
                [20.0, spine_y(440.0) - 14.0, 440.0],
                [14.0, spine_y(360.0) - 20.0, 360.0],
                [9.0 + wobble, fore(300.0), 300.0],
                [10.0 + wobble, fore(220.0), 220.0],
                fork,
            ],
            9.6 * size,
            1.0,
        ),
        tube(
            &[
                [-24.0, -12.0, 345.0],
                [-24.0, fore(290.0) + 6.0, 290.0],
                [-22.0, fore(220.0) + 3.0, 220.0],
                [-16.0, fore(140.0) + 6.0, 138.0],
            ],
            10.0,
            0.0,
        ),
        tube(&[[8.0, fore(275.0) - 8.0, 280.0], [4.0, -52.0, 262.0], [0.0, -48.0, 190.0]], 3.6, 0.4),
    ];
    for s in [-1.0, 1.0] {
        let bend = dice.normal() * 2.0;
        vessels.push(tube(&[fork, [s * 20.0, -30.0 + bend, 126.0], [s * 37.0, -18.0 + bend, 102.0]], 5.6 * size, 1.2));
        vessels.push(tube(
            &[
                [s * 37.0, -18.0 + bend, 102.0],
                [s * 52.0, -30.0, 72.0],
                [s * 62.0, -52.0, 42.0],
                [s * 70.0, -72.0, 8.0],
                [s * 74.0, -74.0, -60.0],
            ],
            4.7 * size,
            0.7,
        ));
        vessels.push(tube(
            &[[s * 37.0, -18.0 + bend, 102.0], [s * 44.0, 8.0, 84.0], [s * 50.0, 30.0, 62.0], [s * 46.0, 36.0, 44.0]],
            3.5 * size,
            1.1,
        ));
        vessels.push(tube(
            &[
                [-16.0, fore(140.0) + 6.0, 138.0],
                [s * 34.0, -4.0, 108.0],
                [s * 50.0, -18.0, 74.0],
                [s * 58.0, -42.0, 42.0],
                [s * 60.0, -66.0, 6.0],
            ],
            6.0,
            0.0,
        ));
        vessels.push(tube(&[[s * 34.0, -4.0, 108.0], [s * 44.0, 22.0, 80.0], [s * 56.0, 36.0, 52.0]], 4.4, 0.0));
        // Gonadal vein: runs along the ureter and looks like it.
        vessels.push(tube(
            &[
                [s * 22.0, fore(225.0) + 2.0, 232.0],
                [s * 38.0, -22.0, 195.0],
                [s * 47.0, -27.0, 150.0],
                [s * 60.0, -42.0, 100.0],
                [s * 68.0, -66.0, 55.0],
            ],
            dice.between(1.3, 2.2),
            0.0,
        ));
        // Pelvic venous plexus around the bladder base.
        for _ in 0..6 {
            let a = [s * dice.between(34.0, 52.0), dice.between(-10.0, 30.0), dice.between(8.0, 42.0)];
            vessels.push(tube(
                &[a, [a[0] + 9.0 * dice.normal(), a[1] + 9.0 * dice.normal(), a[2] + 9.0 * dice.normal()]],
                dice.between(1.4, 2.8),
                0.0,
            ));
        }
    }
    for index in 0..2 {
        if let Some(kidney) = &urinary.kidneys[index] {
            let s = sign_of(index);
            let hilum = kidney.place([-18.0, 4.0, 6.0]);
            let z = 255.0;
            vessels.push(tube(&[[8.0, fore(z) + 2.0, z], [s * 26.0, -6.0, z - 3.0], hilum], 2.7, 0.5));
            let hilum = kidney.place([-17.0, 7.0, 2.0]);
            vessels.push(tube(&[[-22.0, fore(z - 6.0), z - 6.0], [s * 24.0, -20.0, z - 6.0], hilum], 4.6, 0.0));
        }
    }
    vessels
}

fn paint_plaque(anatomy: &mut Anatomy, vessel: &Vessel, load: f64, dice: &mut Dice) {
    for i in 1..vessel.curve.len() - 1 {
        if !dice.chance(0.22 * load * vessel.plaque) {
            continue;
        }
        let axis = normalised(minus(vessel.curve[i + 1], vessel.curve[i - 1]));
        let rough = dice.unit_vector();
        let along: f64 = rough.iter().zip(axis).map(|(a, b)| a * b).sum();
        let towards = normalised(std::array::from_fn(|k| rough[k] - axis[k] * along));
        let half_arc = dice.between(1.2, (vessel.radius * 1.4).max(1.9));
        let half_length = dice.between(1.0, 5.5);
        let thickness = dice.between(0.9, 2.4);
        let hu = dice.between(280.0, 1250.0);
        let radius = vessel.radius - 0.3;
        let shape = Shape::WallPatch {
            on_axis: single(vessel.curve[i]),
            axis: single(axis),
            towards: single(towards),
            radius: radius as f32,
            half_thickness: (thickness / 2.0) as f32,
            half_arc: half_arc as f32,
            half_length: half_length as f32,
        };
        anatomy.scene.push(shape, Fill::Tissue { hu: hu as f32, variation: 90.0, grain: 2.5 }, None, None);
        let centre = std::array::from_fn(|k| vessel.curve[i][k] + towards[k] * radius);
        anatomy.note_decoy(DecoyKind::Plaque, centre, 2.0 * half_arc.max(half_length), hu);
    }
}
