//! Stones measured by their density: from the voxels around a mark, not from the mark's edge.
//!
//! 1. `region`: what stands above half its height over its surroundings is a stone; peaks without a valley between them are one.
//! 2. `background`: what the scan would show without the stone, from the tissue around it.
//! 3. `fit`: the ellipsoid that, blurred as the scanner blurs, explains the voxels best gives the density of the stone, also where no voxel is filled
//!    by it, and tells how certain the size is.
//! 4. `surface`: the surface at half that density, interpolated, gives the sizes of the shape as it is; the same surface of the blurred ellipsoid, whose
//!    sizes are known, tells by how much blur, slices and sampling changed them.

mod background;
mod ellipsoid;
mod fit;
mod interval;
mod lattice;
mod linear;
mod patch;
mod region;
mod surface;

use hilum_imaging::Affine;

use super::{Candidate, CandidateVoxel, CoreHu, HuStatistics, Interval};
use background::background;
use lattice::Lattice;
use region::{Marked, Region, partition};
use surface::{Sizes, extents, sizes};

pub use ellipsoid::PointSpread;
pub(in crate::urinary_stone) use patch::bounding_box;
pub use patch::{HuPatch, patch_boxes};

/// Background (mm) that is looked at around a stone.
const MARGIN_MM: f64 = 9.0;
/// From this share on a voxel counts as filled by stone alone.
const PURE: f64 = 0.95;
/// Surfaces lie at least this many standard deviations of the noise above the background.
const LEVEL_SD: f64 = 2.5;
/// Points of an ellipsoid's surface for its lengths.
const SURFACE_POINTS: usize = 1_500;

/// One stone as its density shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct DensityMeasure {
    /// Centre of mass `[x, y, z]`, patient mm.
    pub centre_mm: [f64; 3],
    /// Largest distance between two points of its surface (mm).
    pub largest_diameter_mm: f64,
    /// The same within one axial plane (mm).
    pub axial_diameter_mm: f64,
    /// The same within one coronal plane (mm).
    pub coronal_diameter_mm: f64,
    /// Largest extent perpendicular to the largest axial diameter, within its plane (mm).
    pub width_mm: f64,
    /// Volume in mm³.
    pub volume_mm3: f64,
    /// Standard deviation of the logarithm of the diameter, as the fit states it.
    pub log_diameter_sd: f64,
    /// Standard deviation of the logarithm of the volume, as the fit states it.
    pub log_volume_sd: f64,
    /// 95 % interval of the largest diameter (mm).
    pub diameter_interval_mm: Interval,
    /// 95 % interval of the volume (mm³).
    pub volume_interval_mm3: Interval,
    /// HU over the voxels at least half filled.
    pub hu: HuStatistics,
    /// HU of the stone itself.
    pub core_hu: CoreHu,
}

/// A stone of a patch with the marked voxels that are its own.
#[derive(Clone, Debug, PartialEq)]
pub struct DensityStone {
    /// Marked voxels; never empty.
    pub voxels: Vec<CandidateVoxel>,
    /// Its measures; absent where it does not stand out from what is around it.
    pub measure: Option<DensityMeasure>,
}

/// The stones among the candidates of one patch: candidates without a valley between them are one stone, a candidate with one is two.
/// All voxels lie in the patch; `geometry` is that of the stack.
pub fn stones_of_patch(
    candidates: &[Candidate],
    patch: &HuPatch,
    geometry: &Affine,
    spread: &PointSpread,
) -> Vec<DensityStone> {
    let Ok(geometry) = geometry.regrid(patch.first.map(f64::from), [1.0; 3]) else {
        return candidates.iter().map(|c| DensityStone { voxels: c.voxels.clone(), measure: None }).collect();
    };
    let (nz, ny, nx) = patch.hu.dim();
    let lattice = Lattice::new([nz, ny, nx], geometry);
    let hu: Vec<f64> = patch.hu.iter().map(|v| f64::from(*v)).collect();
    let all: Vec<CandidateVoxel> = candidates.iter().flat_map(|c| c.voxels.iter().copied()).collect();
    let marked: Vec<Marked> = candidates
        .iter()
        .enumerate()
        .flat_map(|(candidate, c)| c.voxels.iter().map(move |v| (candidate, v.index)))
        .map(|(candidate, index)| Marked {
            at: lattice.flat([0, 1, 2].map(|k| (index[k] - patch.first[k]) as usize)),
            candidate,
        })
        .collect();
    let parts = partition(&lattice, &hu, &marked);
    let voxels = |positions: &[usize]| positions.iter().map(|p| all[*p]).collect::<Vec<_>>();
    let mut stones: Vec<DensityStone> = Vec::new();
    for (number, region) in parts.regions.iter().enumerate() {
        let others: Vec<usize> = parts
            .regions
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != number)
            .flat_map(|(_, other)| other.core.iter().copied())
            .collect();
        let measure = measure(&lattice, &hu, region, &others, spread);
        stones.push(DensityStone { voxels: voxels(&region.marked), measure });
    }
    stones.extend(parts.faint.iter().map(|list| DensityStone { voxels: voxels(list), measure: None }));
    stones
}

/// The part of a patch around one stone.
struct View {
    lattice: Lattice,
    hu: Vec<f64>,
    core: Vec<usize>,
    others: Vec<bool>,
}

fn view(lattice: &Lattice, hu: &[f64], core: &[usize], others: &[usize], margin: [usize; 3]) -> Option<View> {
    let first = lattice.index(*core.first()?);
    let (mut low, mut high) = (first, first);
    for v in core {
        let at = lattice.index(*v);
        for k in 0..3 {
            low[k] = low[k].min(at[k]);
            high[k] = high[k].max(at[k]);
        }
    }
    for k in 0..3 {
        low[k] = low[k].saturating_sub(margin[k]);
        high[k] = (high[k] + margin[k]).min(lattice.dim[k] - 1);
    }
    let dim = [0, 1, 2].map(|k| high[k] - low[k] + 1);
    let part = Lattice::new(dim, lattice.geometry.regrid(low.map(|i| i as f64), [1.0; 3]).ok()?);
    let values = (0..part.len())
        .map(|v| {
            let at = part.index(v);
            hu[lattice.flat([0, 1, 2].map(|k| at[k] + low[k]))]
        })
        .collect();
    let inside = |v: &usize| {
        let at = lattice.index(*v);
        (0..3).all(|k| (low[k]..=high[k]).contains(&at[k])).then(|| part.flat([0, 1, 2].map(|k| at[k] - low[k])))
    };
    let core = core.iter().filter_map(inside).collect();
    let others = part.set(&others.iter().filter_map(inside).collect::<Vec<_>>());
    Some(View { lattice: part, hu: values, core, others })
}

fn measure(
    lattice: &Lattice,
    hu: &[f64],
    region: &Region,
    others: &[usize],
    spread: &PointSpread,
) -> Option<DensityMeasure> {
    let spacing = lattice.spacing;
    let influence_mm = 1.5 * spread.in_plane_fwhm_mm + 0.5 * spacing[1].max(spacing[2]);
    let influence_slices = (0.5 * (spread.slice_thickness_mm + spacing[0]) / spacing[0]).ceil().max(1.0) as usize;
    let margin = spacing.map(|s| (MARGIN_MM / s).ceil() as usize);
    let margin = [margin[0].max(influence_slices + 2), margin[1], margin[2]];
    let around = view(lattice, hu, &region.core, others, margin)?;
    let stone = around.lattice.set(&around.core);
    let tissue =
        background(&around.lattice, &around.hu, &stone, &around.others, influence_mm, influence_slices, region.height);
    let over: Vec<f64> = around.hu.iter().zip(&tissue.field).map(|(v, b)| v - b).collect();

    // The fit needs no more than what the stone's blur reaches.
    let close =
        [influence_slices, (influence_mm / spacing[1]).ceil() as usize, (influence_mm / spacing[2]).ceil() as usize];
    let near = around.lattice.grown(&stone, influence_mm, influence_slices);
    let strange: Vec<usize> = (0..near.len()).filter(|v| tissue.foreign[*v]).collect();
    let part = view(&around.lattice, &over, &around.core, &strange, close)?;
    let near: Vec<bool> = {
        let kept: Vec<usize> = (0..near.len()).filter(|v| near[*v]).collect();
        view(&around.lattice, &over, &around.core, &kept, close)?.others
    };
    let used: Vec<usize> = (0..part.hu.len()).filter(|v| near[*v] && !part.others[*v]).collect();
    let share: Vec<f64> = part
        .hu
        .iter()
        .map(|v| v / region.height)
        .map(|share| if share < 0.15 { 0.0 } else { share.min(1.0) })
        .collect();
    let seen =
        fit::Seen { over: &part.hu, used: &used, core: &part.core, noise: tissue.noise, unevenness: tissue.unevenness };
    let fitted = fit::fit(&part.lattice, spread, &seen, &share, region.height)?;
    let over: Vec<f64> = part.hu.iter().map(|v| v - fitted.offset).collect();
    let contrast = pure(&part.lattice, &over, &part.core, influence_mm, influence_slices).unwrap_or(fitted.contrast);
    let lengths = corrected(&part, &over, &used, contrast, tissue.noise, &fitted);
    Some(assembled(&part, &over, &around, &tissue.field, lengths, contrast, &fitted, spread))
}

/// Mean HU over the background of voxels deep within the stone, where there are enough of them.
fn pure(lattice: &Lattice, over: &[f64], core: &[usize], mm: f64, slices: usize) -> Option<f64> {
    const ENOUGH: usize = 12;
    let outside: Vec<bool> = lattice.set(core).iter().map(|inside| !inside).collect();
    let rim = lattice.grown(&outside, mm, slices);
    let deep: Vec<f64> = core.iter().filter(|v| !rim[**v]).map(|v| over[*v]).collect();
    (deep.len() >= ENOUGH).then(|| deep.iter().sum::<f64>() / deep.len() as f64)
}

/// Sizes of the surface at half of what can be seen of the contrast, corrected by what happens to the fitted ellipsoid on the same voxels.
fn corrected(part: &View, over: &[f64], used: &[usize], contrast: f64, noise: f64, fitted: &fit::Fit) -> Sizes {
    let ellipsoid = &fitted.ellipsoid;
    let surface = extents(&ellipsoid.surface(SURFACE_POINTS));
    let truth = Sizes { volume: ellipsoid.volume(), centre: ellipsoid.centre, ..surface };
    let visible = fitted.shown.iter().copied().fold(0.0, f64::max);
    let level = (0.5 * visible).max((LEVEL_SD * noise / contrast).min(0.8 * visible));
    let allowed = part.lattice.set(used);
    let above = |values: &[f64], level: f64, starts: &[usize]| {
        let core = part.lattice.flood(starts, |v| values[v] >= level && allowed[v]);
        sizes(&part.lattice, values, &core, level)
    };
    let brightest = |values: &[f64], among: &[usize]| {
        among.iter().copied().filter(|v| allowed[*v]).max_by(|a, b| values[*a].total_cmp(&values[*b]))
    };
    let (Some(seen), Some(expected)) = (brightest(over, &part.core), brightest(&fitted.shown, used)) else {
        return truth;
    };
    let (Some(seen), Some(expected)) =
        (above(over, level * contrast, &[seen]), above(&fitted.shown, level, &[expected]))
    else {
        return truth;
    };
    // How far the shape may depart from the ellipsoid: noise alone makes shapes of weak stones.
    let clear = contrast * visible / noise.max(1.0);
    let free = if clear > 12.0 { 1.2 } else { 0.1 * clear.max(1.0) };
    let scaled = |truth: f64, seen: f64, expected: f64, power: f64| {
        // A plane with too few points of the surface has no length.
        let ratio = if seen > 0.0 && expected > 0.0 { seen / expected } else { 1.0 };
        truth * ratio.ln().clamp(-0.6 * free * power, free * power).exp()
    };
    Sizes {
        volume: scaled(truth.volume, seen.volume, expected.volume, 1.5),
        diameter: scaled(truth.diameter, seen.diameter, expected.diameter, 1.0),
        axial: scaled(truth.axial, seen.axial, expected.axial, 1.0),
        coronal: scaled(truth.coronal, seen.coronal, expected.coronal, 1.0),
        width: scaled(truth.width, seen.width, expected.width, 1.0),
        centre: seen.centre,
    }
}

fn assembled(
    part: &View,
    over: &[f64],
    around: &View,
    field: &[f64],
    lengths: Sizes,
    contrast: f64,
    fitted: &fit::Fit,
    spread: &PointSpread,
) -> DensityMeasure {
    // The background at the stone, as a number.
    let under = around.core.iter().map(|v| field[*v]).sum::<f64>() / around.core.len().max(1) as f64 + fitted.offset;
    let filled: Vec<f64> = around.core.iter().map(|v| around.hu[*v]).collect();
    let mean = filled.iter().sum::<f64>() / filled.len().max(1) as f64;
    let sd = (filled.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / filled.len().max(1) as f64).sqrt();
    let pure: Vec<f64> = part.core.iter().filter(|v| fitted.shown[**v] >= PURE).map(|v| over[*v] + under).collect();
    let core_hu = if pure.is_empty() {
        CoreHu { value: contrast + under, estimated: true }
    } else {
        CoreHu { value: pure.iter().sum::<f64>() / pure.len() as f64, estimated: false }
    };
    DensityMeasure {
        centre_mm: lengths.centre,
        largest_diameter_mm: lengths.diameter,
        axial_diameter_mm: lengths.axial,
        coronal_diameter_mm: lengths.coronal,
        width_mm: lengths.width,
        volume_mm3: lengths.volume,
        log_diameter_sd: fitted.log_diameter_sd,
        log_volume_sd: fitted.log_volume_sd,
        diameter_interval_mm: interval::diameter(lengths.diameter, fitted.log_diameter_sd, spread.slice_thickness_mm),
        volume_interval_mm3: interval::volume(lengths.volume, fitted.log_volume_sd, spread.slice_thickness_mm),
        hu: HuStatistics { mean, max: filled.iter().copied().fold(f64::NEG_INFINITY, f64::max) as i16, sd },
        core_hu,
    }
}
