//! The synthetic CT: an anatomy painted from analytic shapes, scanned by a simulated scanner, with known stones.
//!
//! [`generate`] is a pure function of its recipe: the same recipe gives the same bits on any number of threads. The
//! anatomy is built in a canonical frame (LPS mm, z = 0 at the pubic symphysis, x = 0 at the midline) and carried into
//! the patient frame by a pose; every truth is stated in patient coordinates.

mod anatomy;
pub mod baseline;
mod body;
mod bowel;
mod decoys;
mod dice;
mod head;
mod names;
mod organs;
mod paint;
mod pose;
mod recipe;
mod scanner;
mod shapes;
mod skeleton;
mod stone_scan;
mod stone_shape;
mod stones;
mod truth;
mod urinary;
mod vessels;

use std::collections::BTreeMap;

use ndarray::Array3;

use crate::{Mask, Volume};
use anatomy::{Anatomy, Habitus};
use paint::Scene;
use pose::Pose;
use scanner::Scanner;
use shapes::{Bounds, Point, Shape};
use stones::PlacedStone;
use urinary::{Urinary, sign_of};

pub use recipe::{Contrast, Kernel, PatientPosition, PhantomError, PhantomRecipe, Region, Sex, StonePlan, StoneSpec};
pub use stone_scan::{ScannedStone, StoneScan, Surroundings, scan_stone};
pub use stones::add_stone;
pub use truth::{Decoy, DecoyKind, OrganExtent, PhantomPatient, PhantomStudy, Side, StoneSite, StoneTruth, Structures};

/// Makes the study that the recipe describes. Errors: a number out of its range, or a chosen stone without a place.
pub fn generate(recipe: &PhantomRecipe) -> Result<PhantomStudy, PhantomError> {
    recipe.check()?;
    let habitus = Habitus::draw(recipe);
    let pose = Pose::draw(recipe, habitus.scale);
    let (trunk, cavity) = body::trunk_and_cavity(&habitus, recipe.seed);
    let mut urinary = Urinary::draw(recipe, &habitus);
    let mut anatomy = Anatomy {
        recipe,
        habitus,
        scene: Scene::new(recipe.seed),
        down: pose.down,
        trunk,
        cavity,
        organs: BTreeMap::new(),
        decoys: Vec::new(),
    };
    let waist = anatomy.trunk.at(200.0);
    let size = (waist.a + waist.b + 2.0 * habitus.fat) * habitus.scale;
    let scanner = Scanner::new(recipe, &pose, size, greatest_width(&anatomy), resting_surface(&anatomy, &pose))?;
    let stones = stones::place(recipe, &mut urinary, &pose, &|p| scanner.sees(p))?;
    build(&mut anatomy, &urinary, &stones);
    let hu = scanner.scan(&anatomy.scene, &pose, &stones);

    let spine_axis: Vec<Point> = (0..=85)
        .map(|i| 10.0 * f64::from(i))
        .map(|z| pose.patient_from_anatomy([0.0, anatomy::spine_y(z), z]))
        .collect();
    let mut labels = Array3::zeros(hu.dim());
    let truths = stones
        .iter()
        .zip(1..)
        .map(|(stone, id)| {
            let voxels = stones::mark(&stone.shape, stone.centre, &scanner.grid, &mut labels);
            let side = side_of(stone.centre, &spine_axis);
            stones::truth_of(
                id,
                Some(stone.site),
                Some(side),
                &stone.shape,
                stone.centre,
                stone.spec.diameter_mm,
                voxels,
            )
        })
        .collect();
    Ok(PhantomStudy {
        volume: Volume { hu, geometry: scanner.grid },
        truth: Mask { labels, geometry: scanner.grid },
        patient: names::patient(recipe.seed, &habitus),
        stones: truths,
        structures: structures(&anatomy, &urinary, &pose, spine_axis),
        decoys: decoys_in_patient(&anatomy, &pose, &scanner),
        recipe: recipe.clone(),
        noise_hu: scanner.noise,
        field_of_view_mm: scanner.field_of_view,
    })
}

/// Paints the anatomy in order: what comes later lies over what came before.
fn build(anatomy: &mut Anatomy, urinary: &Urinary, stones: &[PlacedStone]) {
    body::paint(anatomy);
    organs::paint_chest_and_domes(anatomy);
    bowel::paint(anatomy);
    organs::paint_abdomen(anatomy);
    skeleton::paint(anatomy);
    vessels::paint(anatomy, urinary);
    urinary::paint(anatomy, urinary);
    head::paint(anatomy);
    let keep_clear: Vec<(Point, f64)> = stones.iter().map(|s| (s.anatomy, s.spec.diameter_mm / 2.0)).collect();
    decoys::paint(anatomy, urinary, &keep_clear);
}

/// Greatest width (mm) of the trunk in the scan.
fn greatest_width(anatomy: &Anatomy) -> f64 {
    let [low, high] = anatomy.recipe.scanned_heights_mm();
    let half = |i: i32| anatomy.trunk.at((low + (high - low) * f64::from(i) / 20.0) / anatomy.habitus.scale).a;
    ((0..=20).map(half).fold(0.0, f64::max) + 1.4 * anatomy.habitus.fat) * 2.0 * anatomy.habitus.scale
}

/// Patient y of the skin that lies on the table: the back when supine, the belly when prone.
fn resting_surface(anatomy: &Anatomy, pose: &Pose) -> f64 {
    let [low, high] = anatomy.recipe.scanned_heights_mm();
    let fat = anatomy.habitus.fat;
    (0..=20)
        .map(|i| {
            let z = (low + (high - low) * f64::from(i) / 20.0) / pose.scale;
            let s = anatomy.trunk.at(z);
            let y = if z > 700.0 { s.y + pose.down * 96.0 } else { s.y + pose.down * (s.b + fat * 1.3) };
            pose.patient_from_rigid([0.0, y, z])[1] * pose.down
        })
        .fold(f64::NEG_INFINITY, f64::max)
        * pose.down
}

/// The patient's side of a point: patient x against the spine's x at that height.
fn side_of(p: Point, spine_axis: &[Point]) -> Side {
    let nearest = spine_axis.iter().min_by(|a, b| (a[2] - p[2]).abs().total_cmp(&(b[2] - p[2]).abs()));
    if p[0] < nearest.map_or(0.0, |s| s[0]) { Side::Right } else { Side::Left }
}

fn extent_of(bounds: &Bounds, pose: &Pose) -> truth::OrganExtent {
    let c = bounds.centre();
    let ends = [bounds.low[2], bounds.high[2]].map(|z| pose.patient_from_anatomy([c[0], c[1], z])[2]);
    truth::OrganExtent { centre_patient_mm: pose.patient_from_anatomy(c), z_patient_mm: ends }
}

fn structures(anatomy: &Anatomy, urinary: &Urinary, pose: &Pose, spine_axis: Vec<Point>) -> Structures {
    let mut known = Structures { spine_axis, ..Structures::default() };
    for index in 0..2 {
        let at_left = (sign_of(index) > 0.0) != anatomy.recipe.mirrored;
        let side = if at_left { Side::Left } else { Side::Right };
        if let Some(kidney) = &urinary.kidneys[index] {
            known.kidneys.insert(side, extent_of(&kidney.shape().bounds(), pose));
        }
        if let Some(ureter) = &urinary.ureters[index] {
            known.ureters.insert(side, ureter.curve.iter().map(|&p| pose.patient_from_anatomy(p)).collect());
        }
    }
    let (centre, radii) = urinary.bladder;
    known.bladder = Some(extent_of(&Shape::ellipsoid(centre, radii).bounds(), pose));
    let visible = anatomy.organs.iter().filter(|(name, _)| !name.starts_with("kidney_"));
    known.organs = visible.map(|(name, bounds)| ((*name).to_owned(), extent_of(bounds, pose))).collect();
    known
}

fn decoys_in_patient(anatomy: &Anatomy, pose: &Pose, scanner: &Scanner) -> Vec<Decoy> {
    anatomy
        .decoys
        .iter()
        .map(|d| Decoy {
            kind: d.kind,
            centre_patient_mm: pose.patient_from_anatomy(d.centre),
            diameter_mm: d.diameter * pose.scale,
            hu: d.hu,
        })
        .filter(|d| scanner.sees(d.centre_patient_mm))
        .collect()
}
