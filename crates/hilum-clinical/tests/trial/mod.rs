//! Simulated stones, measured: what the tests check and what `cargo xtask bench stones` prints.

use hilum_clinical::urinary_stone::density::{DensityMeasure, stones_of_patch};
use hilum_clinical::urinary_stone::{
    Candidate, CandidateVoxel, HuPatch, PointSpread, TractReference, measure, patch_boxes,
};
use hilum_imaging::phantom::{Kernel, ScannedStone, StoneScan, Surroundings, scan_stone};
use hilum_imaging::{Affine, Volume};
use hilum_infer::interval::wilson95;
use ndarray::{Array3, s};

/// A small generator, so that the cases are the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

/// Where the mark comes from that a measurement starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The voxels at least half filled.
    Truth,
    /// One voxel more on all sides.
    Dilated,
    /// One voxel less on all sides in the slices; never less than the brightest voxel.
    Eroded,
}

/// A stone drawn from what patients have, in a scan with slices of the given thickness.
pub fn drawn(seed: u64, diameter: [f64; 2], thickness_mm: f64) -> StoneScan {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5151);
    random.unit();
    let diameter_mm = diameter[0] * (diameter[1] / diameter[0]).powf(random.unit());
    let hu = 250.0 * (1500.0_f64 / 250.0).powf(random.unit());
    let pixel_mm = random.between(0.6, 0.9);
    let surroundings = match random.unit() {
        u if u < 0.35 => Surroundings::Urine,
        u if u < 0.65 => Surroundings::Kidney,
        _ => Surroundings::KidneyAndFat,
    };
    // Some series overlap.
    let overlap = if random.unit() < 0.2 { 0.6 } else { 1.0 };
    let noise_hu = 21.0 * (2.0 / thickness_mm).sqrt() * random.between(0.6, 1.3);
    StoneScan {
        seed,
        diameter_mm,
        hu,
        slice_thickness_mm: thickness_mm,
        slice_spacing_mm: (thickness_mm * overlap).max(0.5),
        pixel_mm,
        kernel: Kernel::Soft,
        noise_hu: noise_hu.min(40.0),
        surroundings,
    }
}

/// The mark as a candidate, `[z, y, x]` of the volume.
pub fn marked(scanned: &ScannedStone, mark: Mark) -> Candidate {
    let labels = &scanned.truth.labels;
    let (nz, ny, nx) = labels.dim();
    let inside = |z: isize, y: isize, x: isize| {
        let at = [z, y, x].map(|i| usize::try_from(i).ok());
        matches!(at, [Some(z), Some(y), Some(x)] if labels.get([z, y, x]).is_some_and(|l| *l > 0))
    };
    let mut voxels = Vec::new();
    let hu = &scanned.volume.hu;
    let voxel = |index: [usize; 3]| CandidateVoxel { index: index.map(|i| i as u32), score: 0.9, hu: hu[index] };
    for z in 0..nz {
        for y in 0..ny {
            for x in 0..nx {
                let near = |dz: isize| {
                    let (z, y, x) = (z as isize + dz, y as isize, x as isize);
                    (-1..=1).flat_map(move |dy| (-1..=1).map(move |dx| (z, y + dy, x + dx)))
                };
                let kept = match mark {
                    Mark::Truth => inside(z as isize, y as isize, x as isize),
                    Mark::Dilated => (-1..=1).flat_map(near).any(|(z, y, x)| inside(z, y, x)),
                    Mark::Eroded => near(0).all(|(z, y, x)| inside(z, y, x)),
                };
                if kept {
                    voxels.push(voxel([z, y, x]));
                }
            }
        }
    }
    if voxels.is_empty() {
        let brightest =
            labels.indexed_iter().filter(|(_, l)| **l > 0).map(|((z, y, x), _)| [z, y, x]).max_by_key(|i| hu[*i]);
        voxels.extend(brightest.map(voxel));
    }
    Candidate { voxels }
}

/// The patches of a volume.
pub fn patches(volume: &Volume, candidates: &[Candidate]) -> Vec<HuPatch> {
    let (nz, ny, nx) = volume.hu.dim();
    patch_boxes(candidates, &volume.geometry, [nz, ny, nx].map(|n| n as u32))
        .into_iter()
        .map(|b| HuPatch {
            first: b.min,
            hu: volume
                .hu
                .slice(s![
                    b.min[0] as usize..=b.max[0] as usize,
                    b.min[1] as usize..=b.max[1] as usize,
                    b.min[2] as usize..=b.max[2] as usize
                ])
                .to_owned(),
        })
        .collect()
}

/// The blur that a soft kernel and these slices have.
pub fn spread(scan: &StoneScan) -> PointSpread {
    PointSpread::nominal(scan.slice_thickness_mm, scan.kernel == Kernel::Bone)
}

/// Truth and measure of one simulated stone.
pub struct Outcome {
    pub scan: StoneScan,
    pub truth: ScannedStone,
    /// Absent where it does not stand out from its surroundings.
    pub measure: Option<DensityMeasure>,
    /// Stones that the mark fell into.
    pub stones: usize,
    /// Largest diameter (mm) and volume (mm³) by counting the marked voxels.
    pub by_mask: [f64; 2],
}

pub fn measured(scan: StoneScan, mark: Mark) -> Outcome {
    let mut truth = scan_stone(&scan).expect("a scan");
    let candidates = [marked(&truth, mark)];
    let patch = patches(&truth.volume, &candidates).remove(0);
    let counted =
        measure(candidates.to_vec(), Some(&truth.volume.geometry), &TractReference::default()).remove(0).stone;
    let by_mask = [counted.largest_diameter_mm, counted.volume_mm3].map(|size| size.expect("a geometry"));
    let mut stones = stones_of_patch(&candidates, &patch, &truth.volume.geometry, &spread(&scan));
    let count = stones.len();
    stones.sort_by_key(|s| std::cmp::Reverse(s.voxels.len()));
    // The volume is as large as all the rest together.
    truth.volume.hu = Array3::zeros((0, 0, 0));
    Outcome { scan, truth, measure: stones.swap_remove(0).measure, stones: count, by_mask }
}

/// Measures many in two threads; in the order of `scans`.
pub fn measured_all(scans: &[StoneScan], mark: Mark) -> Vec<Outcome> {
    let half = scans.len().div_ceil(2);
    std::thread::scope(|scope| {
        let threads: Vec<_> = scans
            .chunks(half.max(1))
            .map(|part| scope.spawn(move || part.iter().map(|scan| measured(*scan, mark)).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect()
    })
}

/// Share and its 95 % interval (Wilson).
pub fn wilson(hits: usize, n: usize) -> (f64, f64, f64) {
    let [low, high] = wilson95(hits, n).unwrap_or([f64::NAN; 2]);
    (hits as f64 / n as f64, low, high)
}

/// The affine of a volume seen along other axes: `order` names the old axis of each new one, `flipped` turns it round.
pub fn reoriented(volume: &Volume, order: [usize; 3], flipped: [bool; 3]) -> Volume {
    let mut hu = volume.hu.view().permuted_axes(order);
    let steps = volume.geometry.steps();
    let dim = volume.hu.shape();
    let mut start = [0.0; 3];
    let mut new_steps = [[0.0; 3]; 3];
    for (new, old) in order.into_iter().enumerate() {
        let sign = if flipped[new] { -1.0 } else { 1.0 };
        new_steps[new] = steps[old].map(|s| s * sign);
        if flipped[new] {
            hu.invert_axis(ndarray::Axis(new));
            start[old] = dim[old] as f64 - 1.0;
        }
    }
    let geometry = Affine::new(volume.geometry.patient_from_index(start), new_steps).expect("three directions");
    Volume { hu: hu.as_standard_layout().into_owned(), geometry }
}
