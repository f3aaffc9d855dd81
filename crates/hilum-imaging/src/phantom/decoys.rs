//! Calcifications that mimic stones: phleboliths, some right beside the distal ureter, and lymph nodes.

use super::anatomy::Anatomy;
use super::dice::{Dice, Purpose};
use super::shapes::{Point, Shape, minus, normalised, plus, times};
use super::truth::DecoyKind;
use super::urinary::Urinary;

/// Paints the decoys that belong to no organ. `keep_clear` are stone centres with their radius: a decoy never
/// merges with a stone, so that the truth of each stays its own.
pub(super) fn paint(anatomy: &mut Anatomy, urinary: &Urinary, keep_clear: &[(Point, f64)]) {
    let mut dice = anatomy.dice(Purpose::Decoys);
    if anatomy.scans(-10.0, 120.0) {
        paint_phleboliths(anatomy, urinary, keep_clear, &mut dice);
    }
    if anatomy.scans(80.0, 260.0) && dice.chance(0.22) {
        // Calcified mesenteric or iliac lymph node: popcorn-like.
        let at = [dice.between(-35.0, 45.0), dice.between(-62.0, -34.0), dice.between(95.0, 230.0)];
        let r = dice.between(2.0, 5.0);
        let hu = dice.between(250.0, 800.0);
        anatomy.scene.add_organ(Shape::ellipsoid(at, [r + 1.8; 3]), 45.0, 5.0, 4.0, (0.8, 4.0), None);
        for _ in 0..dice.count(2, 5) {
            let p = plus(at, times(dice.unit_vector(), 0.6 * r));
            anatomy.scene.add_organ(
                Shape::ellipsoid(p, [r * dice.between(0.3, 0.6); 3]),
                hu,
                60.0,
                2.0,
                (0.5, 2.0),
                None,
            );
        }
        anatomy.note_decoy(DecoyKind::LymphNode, at, 2.0 * r, hu);
    }
}

fn paint_phleboliths(anatomy: &mut Anatomy, urinary: &Urinary, keep_clear: &[(Point, f64)], dice: &mut Dice) {
    let free = if dice.chance(0.62) { dice.count(1, 5) } else { 0 };
    for _ in 0..free {
        let s = dice.sign();
        let at = [s * dice.between(38.0, 56.0), dice.between(-14.0, 32.0), dice.between(2.0, 46.0)];
        paint_phlebolith(anatomy, at, keep_clear, dice);
    }
    for ureter in urinary.ureters.iter().flatten() {
        // Right beside the distal ureter, in the vein next to it, not in its lumen.
        if !dice.chance(0.42) {
            continue;
        }
        let last = ureter.curve.len() - 1;
        let start = ureter.curve.iter().position(|p| p[2] < 66.0).unwrap_or(last);
        let i = dice.count(start.min(last - 4), last - 4);
        let along = ureter.tangent(i);
        let d = dice.unit_vector();
        let k: f64 = d.iter().zip(along).map(|(a, b)| a * b).sum();
        let across = normalised(minus(d, times(along, k)));
        let at = plus(ureter.curve[i], times(across, dice.between(6.0, 9.5)));
        paint_phlebolith(anatomy, at, keep_clear, dice);
    }
}

fn paint_phlebolith(anatomy: &mut Anatomy, at: Point, keep_clear: &[(Point, f64)], dice: &mut Dice) {
    let r = dice.between(1.0, 3.0);
    let hu = dice.between(180.0, 900.0);
    let tail = plus(at, times(dice.unit_vector(), dice.between(6.0, 16.0)));
    let lucent = r > 1.9 && dice.chance(0.45);
    if keep_clear.iter().any(|&(p, radius)| super::shapes::distance(p, at) < radius + r + 4.0) {
        return;
    }
    // The vein it lies in: the "comet tail".
    anatomy.scene.add(Shape::capsule(at, tail, r + 0.7, 0.8), 38.0);
    anatomy.scene.add(Shape::ellipsoid(at, [r, r, r * 1.1]), hu);
    if lucent {
        anatomy.scene.add(Shape::ellipsoid(at, [r * 0.45; 3]), (hu * 0.3).max(60.0));
    }
    anatomy.note_decoy(DecoyKind::Phlebolith, at, 2.2 * r, hu);
}
