//! Kidneys, collecting system, ureters and bladder: first the plan, on which stones are placed, then the paint.

use super::anatomy::{Anatomy, Habitus};
use super::dice::{Dice, Purpose};
use super::paint::Fill;
use super::recipe::{PhantomRecipe, Sex};
use super::shapes::{Point, Shape, distance, minus, normalised, plus, spline, times};

/// A kidney in its own frame: `axes` point laterally, forwards and to the upper pole.
#[derive(Clone, Debug)]
pub(super) struct Kidney {
    pub centre: Point,
    pub axes: [Point; 3],
    pub radii: Point,
    /// Size relative to an average kidney.
    pub size: f64,
}

impl Kidney {
    /// Anatomy point of kidney coordinates in units of an average kidney's mm.
    pub(super) fn place(&self, local: Point) -> Point {
        (0..3).fold(self.centre, |p, i| plus(p, times(self.axes[i], local[i] * self.size)))
    }

    pub(super) fn shape(&self) -> Shape {
        Shape::turned_ellipsoid(self.centre, self.radii, self.axes)
    }

    /// Tips of the calyces of the upper, middle and lower group, in kidney coordinates.
    pub(super) fn calyces() -> [[Point; 3]; 3] {
        [
            [[2.0, 7.0, 26.0], [3.0, -7.0, 28.0], [-2.0, 0.0, 36.0]],
            [[7.0, 9.0, 6.0], [9.0, -8.0, 2.0], [8.0, 0.0, -8.0]],
            [[2.0, 7.0, -26.0], [3.0, -7.0, -28.0], [-2.0, 0.0, -36.0]],
        ]
    }

    pub(super) const PELVIS: Point = [-15.0, 1.0, -3.0];
    pub(super) const JUNCTION: Point = [-27.0, 4.0, -17.0];
}

/// A ureter from the junction to the bladder, sampled about every 2 mm.
#[derive(Clone, Debug)]
pub(super) struct Ureter {
    pub curve: Vec<Point>,
    /// Outer radius in mm at each point.
    pub radius: Vec<f64>,
}

impl Ureter {
    /// Unit tangent towards the bladder.
    pub(super) fn tangent(&self, i: usize) -> Point {
        let (a, b) = (i.saturating_sub(2), (i + 2).min(self.curve.len() - 1));
        normalised(minus(self.curve[b], self.curve[a]))
    }
}

/// The urinary tract of one patient. Index 0 is anatomy x < 0, index 1 is x > 0.
#[derive(Clone, Debug)]
pub(super) struct Urinary {
    pub kidneys: [Option<Kidney>; 2],
    pub ureters: [Option<Ureter>; 2],
    pub bladder: (Point, Point),
    /// Dilatation of each collecting system, 0-1.
    pub dilatation: [f64; 2],
}

/// Sign of x of a side index.
pub(super) fn sign_of(index: usize) -> f64 {
    if index == 0 { -1.0 } else { 1.0 }
}

impl Urinary {
    pub(super) fn draw(recipe: &PhantomRecipe, habitus: &Habitus) -> Self {
        let mut dice = Dice::new(recipe.seed, Purpose::Urinary);
        let full = dice.between(0.55, 1.25);
        let bladder_radii = [36.0 * full, 31.0 * full, 26.0 * full];
        let bladder_centre = [
            4.0 * dice.normal(),
            -24.0 + 3.0 * dice.normal(),
            14.0 + bladder_radii[2] + if habitus.sex == Sex::Male { 8.0 } else { 2.0 },
        ];
        let absent = dice.chance(0.03).then(|| dice.count(0, 1));
        let small = dice.chance(0.06).then(|| dice.count(0, 1));
        let low = dice.chance(0.08).then(|| dice.count(0, 1));
        let mut kidneys = [None, None];
        let mut ureters = [None, None];
        for index in 0..2 {
            let kidney = draw_kidney(&mut dice, index, small == Some(index), low == Some(index));
            let ureter = draw_ureter(&mut dice, index, &kidney, (bladder_centre, bladder_radii), habitus);
            if absent != Some(index) {
                kidneys[index] = Some(kidney);
                ureters[index] = Some(ureter);
            }
        }
        Self { kidneys, ureters, bladder: (bladder_centre, bladder_radii), dilatation: [0.0; 2] }
    }

    /// Widens the tract above an obstructing stone at point `at` of a ureter and leaves a rim of wall around the stone.
    pub(super) fn obstruct(&mut self, index: usize, at: usize, stone_width: f64) {
        let Some(ureter) = &mut self.ureters[index] else { return };
        let strength = ((stone_width - 1.5) / 5.0).clamp(0.0, 1.0);
        self.dilatation[index] = self.dilatation[index].max(strength);
        let stone = ureter.curve[at];
        for i in 0..ureter.curve.len() {
            let away = distance(ureter.curve[i], stone);
            if i < at {
                ureter.radius[i] = ureter.radius[i].max(1.9 + 1.6 * strength);
            }
            let rim = stone_width / 2.0 + 1.3 - away * 0.3;
            ureter.radius[i] = ureter.radius[i].max(rim);
        }
    }
}

fn draw_kidney(dice: &mut Dice, index: usize, small: bool, low: bool) -> Kidney {
    let s = sign_of(index);
    let size = if small { dice.between(0.62, 0.78) } else { (1.0 + 0.07 * dice.normal()).clamp(0.85, 1.18) };
    let drop = if low { dice.between(25.0, 55.0) } else { 0.0 };
    let long = normalised([-s * dice.between(0.14, 0.30), dice.between(0.10, 0.26), 1.0]);
    let turn = f64::to_radians(dice.between(22.0, 48.0));
    let rough = [s * turn.cos(), turn.sin(), 0.0];
    let along = rough.iter().zip(long).map(|(a, b)| a * b).sum::<f64>();
    let lateral = normalised(minus(rough, times(long, along)));
    let forward = {
        let c = crate::vector::cross(long, lateral);
        if c[1] > 0.0 { times(c, -1.0) } else { c }
    };
    let centre = [
        s * (66.0 + 2.5 * dice.normal()),
        17.0 + 2.5 * dice.normal(),
        (if index == 0 { 236.0 } else { 247.0 }) + 7.0 * dice.normal() - drop,
    ];
    let radii = [26.5 + dice.normal(), 24.0 + dice.normal(), 54.0 + 2.0 * dice.normal()].map(|r| r * size);
    Kidney { centre, axes: [lateral, forward, long], radii, size }
}

fn draw_ureter(dice: &mut Dice, index: usize, kidney: &Kidney, bladder: (Point, Point), habitus: &Habitus) -> Ureter {
    let s = sign_of(index);
    let (c, r) = bladder;
    let front = |z: f64| match z {
        z if z > 187.0 => -14.0 - (215.0 - z) * 0.1,
        z if z > 140.0 => -19.0 - (187.0 - z) * 0.12,
        _ => -26.0,
    } * habitus.muscle;
    let junction = kidney.place(Kidney::JUNCTION);
    let mut points = vec![kidney.place([-22.0, 3.0, -10.0]), junction];
    for z in [190.0, 165.0, 140.0] {
        if z < junction[2] - 14.0 {
            points.push([s * (35.0 + dice.normal() * 3.0), front(z) + dice.normal() * 1.5, z]);
        }
    }
    let curl = 4.0 * dice.normal();
    points.push([s * 33.0 + curl * 0.4, -33.0 + dice.normal(), 112.0]);
    points.push([s * (42.0 + 0.5 * dice.normal()), -14.0 + dice.normal(), 88.0]);
    points.push([s * (53.0 + dice.normal()), 12.0 + 2.0 * dice.normal(), 62.0]);
    points.push([s * (51.0 + dice.normal()), 25.0 + 2.0 * dice.normal(), 40.0]);
    let entry = {
        let d = normalised([s * 0.52, 0.78, -0.30]);
        let k = 1.0 / (0..3).map(|i| (d[i] / r[i]).powi(2)).sum::<f64>().sqrt();
        plus(c, times(d, k))
    };
    points.push([f64::midpoint(s * 48.0, entry[0]), entry[1].max(16.0) + 6.0, entry[2] + 4.0]);
    points.push(entry);
    points.push(plus(entry, times(normalised(minus(c, entry)), 5.0)));
    let phase = dice.between(0.0, 6.0);
    let sway = dice.between(0.5, 1.8);
    let mut curve = spline(&points, 2.0);
    let last = curve.len() - 1;
    for (i, p) in curve.iter_mut().enumerate() {
        let fade = (i.min(last - i) as f64 / 12.0).min(1.0);
        p[0] += fade * sway * (p[2] / 7.0 + phase).sin();
        p[1] += fade * sway * 0.7 * (p[2] / 9.0 + 2.0 * phase).sin();
    }
    let base = dice.between(1.5, 2.1);
    let radius = (0..curve.len()).map(|i| base + 0.35 * (i as f64 * 0.21 + phase).sin()).collect();
    Ureter { curve, radius }
}

/// Paints the tract.
pub(super) fn paint(anatomy: &mut Anatomy, urinary: &Urinary) {
    let mut dice = anatomy.dice(Purpose::Texture);
    for index in 0..2 {
        if let Some(kidney) = &urinary.kidneys[index] {
            paint_kidney(anatomy, kidney, urinary.dilatation[index], &mut dice);
        }
    }
    paint_bladder(anatomy, urinary.bladder);
    for index in 0..2 {
        if let Some(ureter) = &urinary.ureters[index] {
            let wall = Fill::Tissue { hu: 36.0, variation: 4.0, grain: 6.0 };
            anatomy.scene.add_tube(&ureter.curve, |i| ureter.radius[i], wall);
            let lumen =
                Fill::Tissue { hu: anatomy.by_phase([12.0, 12.0, 14.0, 900.0]) as f32, variation: 3.0, grain: 6.0 };
            anatomy.scene.add_tube(&ureter.curve, |i| (ureter.radius[i] - 1.1).max(0.35), lumen);
        }
    }
}

fn paint_kidney(anatomy: &mut Anatomy, kidney: &Kidney, dilatation: f64, dice: &mut Dice) {
    let name = if kidney.centre[0] < 0.0 { "kidney_at_minus_x" } else { "kidney_at_plus_x" };
    let shape = kidney.shape();
    anatomy.note_organ(name, &shape);
    // Fat stranding beside an obstructed kidney.
    if dilatation > 0.4 {
        for _ in 0..10 {
            let d = dice.unit_vector();
            let at = |k: f64| kidney.place([d[0] * 27.0 * k, d[1] * 24.0 * k, d[2] * 54.0 * k]);
            anatomy.scene.add(Shape::capsule(at(1.0), at(1.25), 0.9, 0.5), -20.0);
        }
    }
    let cortex = anatomy.by_phase([33.0, 165.0, 175.0, 130.0]);
    anatomy.scene.add_organ(shape, cortex, 4.0, 10.0, (1.6, 16.0), None);
    let size = kidney.size;
    if matches!(anatomy.contrast(), super::recipe::Contrast::Arterial) {
        for group in Kidney::calyces() {
            for tip in group {
                let outwards = kidney.place([tip[0] * 1.3, tip[1] * 1.6, tip[2] * 1.12]);
                anatomy.scene.add_organ(Shape::ellipsoid(outwards, [7.0 * size; 3]), 62.0, 5.0, 6.0, (1.0, 6.0), None);
            }
        }
    }
    if dice.chance(0.25) {
        let d = dice.unit_vector();
        let r = dice.between(4.0, 16.0);
        let at = kidney.place([d[0].abs() * 24.0, d[1] * 22.0, d[2] * 48.0]);
        anatomy.scene.add(Shape::ellipsoid(at, [r, r * 0.95, r * 0.95]), 6.0);
    }
    let sinus =
        Shape::turned_ellipsoid(kidney.place([-14.0, 0.0, 0.0]), [17.0, 11.5, 30.0].map(|r| r * size), kidney.axes);
    anatomy.scene.add_organ(sinus, -78.0, 12.0, 6.0, (2.5, 8.0), None);
    let urine = anatomy.by_phase([7.0, 7.0, 12.0, 1100.0]);
    let wall = Fill::Tissue { hu: 28.0, variation: 6.0, grain: 5.0 };
    let fluid = Fill::Tissue { hu: urine as f32, variation: 3.0, grain: 6.0 };
    let wide = 1.0 + 1.6 * dilatation;
    let mut tubes = vec![
        (kidney.place([-12.0, 1.0, 5.0]), kidney.place(Kidney::PELVIS), 3.8 * wide, 5.6 * wide),
        (kidney.place(Kidney::PELVIS), kidney.place([-22.0, 3.0, -10.0]), 5.6 * wide, 3.2 * wide.sqrt()),
        (kidney.place([-22.0, 3.0, -10.0]), kidney.place(Kidney::JUNCTION), 3.2 * wide.sqrt(), 2.0 * wide.sqrt()),
    ];
    for group in Kidney::calyces() {
        for tip in group {
            let neck = [-11.0, 1.0, tip[2] * 0.35];
            tubes.push((kidney.place(neck), kidney.place(tip), 1.9 * wide, 2.6 * wide));
            tubes.push((
                kidney.place(tip),
                kidney.place([tip[0] + 0.5, tip[1], tip[2]]),
                3.2 * wide.sqrt(),
                3.4 * wide.sqrt(),
            ));
        }
    }
    for &(a, b, ra, rb) in &tubes {
        anatomy.scene.push(Shape::capsule(a, b, ra * size + 0.8, rb * size + 0.8), wall, None, None);
    }
    for &(a, b, ra, rb) in &tubes {
        anatomy.scene.push(
            Shape::capsule(a, b, (ra * size - 0.3).max(0.4), (rb * size - 0.3).max(0.4)),
            fluid,
            None,
            None,
        );
    }
    // Gerota's fascia, seen as a thin line in fat.
    let behind = kidney.place([6.0, -36.0, 10.0]);
    anatomy.scene.add(Shape::capsule(kidney.place([-10.0, -32.0, -30.0]), behind, 0.6, 0.6), -30.0);
}

fn paint_bladder(anatomy: &mut Anatomy, (centre, radii): (Point, Point)) {
    if !anatomy.scans(-10.0, 110.0) {
        return;
    }
    let outer = Shape::ellipsoid(centre, radii.map(|r| r + 2.6));
    anatomy.note_organ("bladder", &outer);
    anatomy.scene.add_organ(outer, 38.0, 4.0, 8.0, (1.2, 20.0), None);
    anatomy.scene.add(Shape::ellipsoid(centre, radii), 6.0);
    if matches!(anatomy.contrast(), super::recipe::Contrast::Excretory) {
        // Contrast is heavier than urine: it settles on the dependent wall.
        let level = (anatomy.down * centre[1] + radii[1] * 0.25) as f32;
        let inner = Shape::ellipsoid(centre, radii);
        let dense =
            Shape::ellipsoid([centre[0], centre[1] + anatomy.down * radii[1] * 0.45, centre[2]], times(radii, 0.5));
        anatomy.scene.push(
            inner,
            Fill::Tissue { hu: 60.0 + level.abs() * 0.1, variation: 6.0, grain: 12.0 },
            None,
            None,
        );
        anatomy.scene.add_organ(dense, 700.0, 80.0, 10.0, (3.0, 12.0), None);
    }
}
