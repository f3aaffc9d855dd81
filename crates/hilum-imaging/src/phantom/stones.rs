//! Which stones a patient has and where they lie; adding a stone to any volume.

use ndarray::Array3;

use super::dice::{Dice, Purpose};
use super::pose::Pose;
use super::recipe::{PhantomError, PhantomRecipe, StonePlan, StoneSpec, within};
use super::shapes::{Point, distance, normalised, plus, times};
use super::stone_shape::{PEAK, StoneShape};
use super::truth::{Side, StoneSite, StoneTruth};
use super::urinary::{Kidney, Urinary};
use crate::{Affine, Volume};

/// A stone in its place.
pub(super) struct PlacedStone {
    pub site: StoneSite,
    /// Centre in the anatomy frame.
    pub anatomy: Point,
    pub shape: StoneShape,
    pub spec: StoneSpec,
    pub centre: Point,
}

/// Draws or takes the stones, finds their places and lets the tract give way to them.
pub(super) fn place(
    recipe: &PhantomRecipe,
    urinary: &mut Urinary,
    pose: &Pose,
    in_scan: &dyn Fn(Point) -> bool,
) -> Result<Vec<PlacedStone>, PhantomError> {
    let mut dice = Dice::new(recipe.seed, Purpose::Stones);
    let (specs, chosen) = match &recipe.stones {
        StonePlan::Chosen(list) => (list.clone(), true),
        StonePlan::Count(n) => ((0..*n).map(|_| draw_spec(&mut dice)).collect(), false),
        StonePlan::Random => {
            let n = match dice.unit() {
                u if u < 0.14 => 0,
                u if u < 0.58 => 1,
                u if u < 0.80 => 2,
                u if u < 0.92 => 3,
                _ => dice.count(4, 6),
            };
            ((0..n).map(|_| draw_spec(&mut dice)).collect::<Vec<_>>(), false)
        }
    };
    let mut placed: Vec<PlacedStone> = Vec::new();
    let mut shapes = Dice::new(recipe.seed, Purpose::StoneShapes);
    for (i, mut spec) in specs.into_iter().enumerate() {
        let mut why = "";
        let mut found = false;
        for attempt in 0..120 {
            if !chosen && attempt > 0 && attempt % 12 == 0 {
                let again = draw_spec(&mut dice);
                (spec.site, spec.side) = (again.site, again.side);
                spec.diameter_mm = spec.diameter_mm.min(greatest_at(spec.site));
            }
            match try_place(&spec, recipe.mirrored, urinary, pose, in_scan, &placed, &mut shapes) {
                Ok(stone) => {
                    placed.push(stone);
                    found = true;
                    break;
                }
                Err(reason) => why = reason,
            }
        }
        // A drawn stone outside the scan is simply not in the study; one that was asked for must be there.
        if !found && chosen {
            return Err(PhantomError::NoPlace { number: i + 1, site: spec.site, side: spec.side, why });
        }
    }
    Ok(placed)
}

/// Greatest stone drawn for a site.
fn greatest_at(site: StoneSite) -> f64 {
    match site {
        StoneSite::ProximalUreter | StoneSite::UreteropelvicJunction => 14.0,
        StoneSite::MidUreter | StoneSite::DistalUreter => 11.0,
        StoneSite::UreterovesicalJunction => 9.0,
        _ => 25.0,
    }
}

fn draw_spec(dice: &mut Dice) -> StoneSpec {
    let site = match dice.unit() {
        u if u < 0.20 => StoneSite::ProximalUreter,
        u if u < 0.31 => StoneSite::MidUreter,
        u if u < 0.47 => StoneSite::DistalUreter,
        u if u < 0.60 => StoneSite::UreterovesicalJunction,
        u if u < 0.65 => StoneSite::UreteropelvicJunction,
        u if u < 0.71 => StoneSite::RenalPelvis,
        u if u < 0.78 => StoneSite::KidneyUpperPole,
        u if u < 0.86 => StoneSite::KidneyMid,
        u if u < 0.97 => StoneSite::KidneyLowerPole,
        _ => StoneSite::Bladder,
    };
    let median: f64 = if matches!(site, StoneSite::RenalPelvis | StoneSite::Bladder) { 9.0 } else { 5.0 };
    let diameter_mm = (median * (0.48 * dice.normal()).exp()).clamp(1.0, greatest_at(site));
    let hu = match dice.unit() {
        u if u < 0.16 => dice.between(200.0, 420.0),
        u if u < 0.42 => dice.between(420.0, 800.0),
        _ => dice.between(800.0, 1600.0),
    };
    let side = if dice.chance(0.5) { Side::Right } else { Side::Left };
    StoneSpec { site, side, diameter_mm, hu }
}

fn try_place(
    spec: &StoneSpec,
    mirrored: bool,
    urinary: &mut Urinary,
    pose: &Pose,
    in_scan: &dyn Fn(Point) -> bool,
    placed: &[PlacedStone],
    dice: &mut Dice,
) -> Result<PlacedStone, &'static str> {
    let index = usize::from((spec.side == Side::Left) != mirrored);
    let r = spec.diameter_mm / 2.0;
    let (anatomy, long, slender, along_ureter) = match spec.site {
        StoneSite::Bladder => {
            let (c, radii) = urinary.bladder;
            let low = pose.down * (radii[1] - r - 0.8).max(0.0) * 0.92;
            let at =
                [c[0] + dice.between(-0.3, 0.3) * radii[0], c[1] + low, c[2] + dice.between(-0.25, 0.25) * radii[2]];
            (at, dice.unit_vector(), dice.between(0.75, 0.95), None)
        }
        StoneSite::RenalPelvis | StoneSite::KidneyUpperPole | StoneSite::KidneyMid | StoneSite::KidneyLowerPole => {
            let kidney = urinary.kidneys[index].as_ref().ok_or("this kidney is absent in this patient")?;
            let group = match spec.site {
                StoneSite::KidneyUpperPole => Some(0),
                StoneSite::KidneyMid => Some(1),
                StoneSite::KidneyLowerPole => Some(2),
                _ => None,
            };
            let local = group.map_or(Kidney::PELVIS, |g| {
                let tip = Kidney::calyces()[g][dice.count(0, 2)];
                // A large stone lies deeper in the calyx, where there is room.
                let inwards = 1.0 - (r / 16.0).min(0.6) * 0.5;
                [tip[0] * inwards - 0.3 * r, tip[1] * inwards, tip[2] * (1.0 - (r / 40.0).min(0.3))]
            });
            let at = plus(kidney.place(local), times(dice.unit_vector(), dice.between(0.0, 1.5)));
            (at, dice.unit_vector(), dice.between(0.62, 0.95), None)
        }
        _ => {
            let ureter = urinary.ureters[index].as_ref().ok_or("this kidney is absent in this patient")?;
            let last = ureter.curve.len() - 1;
            let below = |z: f64| ureter.curve.iter().position(|p| p[2] < z).unwrap_or(last);
            let junction = below(urinary.kidneys[index].as_ref().map_or(215.0, |k| k.place(Kidney::JUNCTION)[2]));
            let (upper, lower) = (below(115.0), below(75.0));
            let (from, to) = match spec.site {
                StoneSite::UreteropelvicJunction => (junction, junction + 1),
                StoneSite::ProximalUreter => (junction + 7, upper.saturating_sub(1)),
                StoneSite::MidUreter => (upper, lower.saturating_sub(1)),
                StoneSite::DistalUreter => (lower, last - 8),
                _ => (last - 4, last - 2),
            };
            if from >= to {
                return Err("the ureter of this patient has no such part");
            }
            let i = dice.count(from, to - 1);
            (ureter.curve[i], ureter.tangent(i), dice.between(0.55, 0.85), Some(i))
        }
    };
    let centre = pose.patient_from_anatomy(anatomy);
    if !in_scan(centre) {
        return Err("the site lies outside the scanned heights or the field of view");
    }
    let apart = |other: &PlacedStone| {
        distance(other.centre, centre) > f64::midpoint(spec.diameter_mm, other.spec.diameter_mm) + 7.0
    };
    if !placed.iter().all(apart) {
        return Err("other stones fill the site");
    }
    let turned = normalised(plus(pose.direction_in_patient(long), times(dice.unit_vector(), 0.15)));
    let shape = StoneShape::new(centre, turned, slender, spec.diameter_mm, spec.hu, dice);
    if let Some(i) = along_ureter {
        urinary.obstruct(index, i, spec.diameter_mm * slender / pose.scale);
    }
    Ok(PlacedStone { site: spec.site, anatomy, shape, spec: spec.clone(), centre })
}

/// Marks the voxels of which at least half is stone, and always the voxel of the centre; tells how many.
pub(super) fn mark(shape: &StoneShape, centre: Point, grid: &Affine, labels: &mut Array3<u8>) -> usize {
    let (depth, height, width) = labels.dim();
    let [zs, ys, xs] = shape.index_box(grid, [depth, height, width], 0.0);
    let mut voxels = 0;
    for z in zs {
        for y in ys.clone() {
            for x in xs.clone() {
                let (share, _) = shape.cover(grid, [z as f64, y as f64, x as f64], [1.0; 3], 0.0);
                if share >= 0.5 && labels[[z, y, x]] == 0 {
                    labels[[z, y, x]] = 1;
                    voxels += 1;
                }
            }
        }
    }
    let middle = grid.index_from_patient(centre).map(|c| c.round().max(0.0) as usize);
    if let Some(label) = labels.get_mut(middle)
        && *label == 0
    {
        *label = 1;
        voxels += 1;
    }
    voxels
}

pub(super) fn truth_of(
    id: u32,
    site: Option<StoneSite>,
    side: Option<Side>,
    shape: &StoneShape,
    centre: Point,
    diameter: f64,
    voxels: usize,
) -> StoneTruth {
    StoneTruth {
        id,
        site,
        side,
        centre_patient_mm: centre,
        largest_diameter_mm: diameter,
        volume_mm3: shape.volume,
        mean_hu: shape.mean_hu,
        max_hu: shape.mean_hu * PEAK,
        voxels,
    }
}

/// In-plane blur (mm, standard deviation) that a scanner of about 1.1 mm FWHM would give an added stone.
const ADDED_BLUR_MM: f64 = 0.47;

/// Adds a simulated stone of the given largest diameter (1-25 mm) and HU (200-1,700) to any volume, with partial volume
/// and in-plane blur, and tells where it is. The volume's noise stays as it is. The centre must lie in the volume.
pub fn add_stone(
    volume: &mut Volume,
    centre_patient_mm: [f64; 3],
    diameter_mm: f64,
    hu: f64,
    seed: u64,
) -> Result<StoneTruth, PhantomError> {
    within("diameter_mm", diameter_mm, 1.0, 25.0, "1 to 25 mm")?;
    within("hu", hu, 200.0, 1700.0, "200 to 1,700 HU")?;
    let (depth, height, width) = volume.hu.dim();
    let index = volume.geometry.index_from_patient(centre_patient_mm);
    for (value, size) in index.into_iter().zip([depth, height, width]) {
        within("centre_patient_mm (as voxel index)", value, -0.5, size as f64 - 0.5, "a point inside the volume")?;
    }
    let mut dice = Dice::new(seed, Purpose::StoneShapes);
    let (long, slender) = (dice.unit_vector(), dice.between(0.65, 0.9));
    let shape = StoneShape::new(centre_patient_mm, long, slender, diameter_mm, hu, &mut dice);
    let [zs, ys, xs] = shape.index_box(&volume.geometry, [depth, height, width], 3.0 * ADDED_BLUR_MM);
    for z in zs {
        for y in ys.clone() {
            for x in xs.clone() {
                let (share, stone_hu) =
                    shape.cover(&volume.geometry, [z as f64, y as f64, x as f64], [1.0; 3], ADDED_BLUR_MM);
                if share > 0.0 {
                    let before = f64::from(volume.hu[[z, y, x]]);
                    volume.hu[[z, y, x]] = (before + (stone_hu - before) * share).round().clamp(-1024.0, 3071.0) as i16;
                }
            }
        }
    }
    let mut labels = Array3::zeros((depth, height, width));
    let voxels = mark(&shape, centre_patient_mm, &volume.geometry, &mut labels);
    Ok(truth_of(1, None, None, &shape, centre_patient_mm, diameter_mm, voxels))
}
