//! The simplest reader: threshold, components, size. It is measured beside a network; a phantom that it can read is too easy.

use std::collections::VecDeque;

use ndarray::Array3;
use serde::{Deserialize, Serialize};

use crate::Volume;

/// Settings of [`threshold_components`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineSettings {
    /// Voxels above this HU are bright.
    pub threshold_hu: i16,
    /// Components above this HU that are larger than the greatest volume are bone; candidates inside them do not count.
    pub bone_hu: i16,
    /// Components smaller than this (mm³) are noise.
    pub least_volume_mm3: f64,
    /// Components larger than this (mm³) are bone or enhanced organs.
    pub greatest_volume_mm3: f64,
    /// Only voxels of this patient-space box `[low, high]` (each `[x, y, z]` mm) become candidates; absent: all.
    pub within_patient_mm: Option<[[f64; 3]; 2]>,
}

impl Default for BaselineSettings {
    fn default() -> Self {
        Self {
            threshold_hu: 200,
            bone_hu: 130,
            least_volume_mm3: 8.0,
            greatest_volume_mm3: 3000.0,
            within_patient_mm: None,
        }
    }
}

/// One bright component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineCandidate {
    /// Mean position, patient `[x, y, z]` in mm.
    pub centre_patient_mm: [f64; 3],
    /// Voxel count times voxel volume in mm³.
    pub volume_mm3: f64,
    /// Highest HU.
    pub max_hu: i16,
    /// Voxels `[z, y, x]`.
    pub voxels: Vec<[usize; 3]>,
}

/// Bright 26-connected components of plausible size whose centre lies in the box, in scan order, outside of bone.
pub fn threshold_components(volume: &Volume, settings: BaselineSettings) -> Vec<BaselineCandidate> {
    let voxel = volume.geometry.voxel_volume_mm3();
    let mut seen = Array3::from_elem(volume.hu.dim(), false);
    exclude_bone(volume, settings, &mut seen);
    let mut candidates = Vec::new();
    for ((z, y, x), &hu) in volume.hu.indexed_iter() {
        if hu <= settings.threshold_hu || seen[[z, y, x]] {
            continue;
        }
        let voxels = grow(volume, settings.threshold_hu, [z, y, x], &mut seen);
        let size = voxels.len() as f64 * voxel;
        if !(settings.least_volume_mm3..=settings.greatest_volume_mm3).contains(&size) {
            continue;
        }
        let mut mean = [0.0; 3];
        let mut max_hu = hu;
        for &at in &voxels {
            max_hu = max_hu.max(volume.hu[at]);
            for (sum, i) in mean.iter_mut().zip(at) {
                *sum += i as f64 / voxels.len() as f64;
            }
        }
        let centre = volume.geometry.patient_from_index(mean);
        let inside = settings
            .within_patient_mm
            .is_none_or(|[low, high]| (0..3).all(|i| (low[i]..=high[i]).contains(&centre[i])));
        if inside {
            candidates.push(BaselineCandidate { centre_patient_mm: centre, volume_mm3: size, max_hu, voxels });
        }
    }
    candidates
}

/// Marks the large components above the bone threshold as seen.
fn exclude_bone(volume: &Volume, settings: BaselineSettings, seen: &mut Array3<bool>) {
    let voxel = volume.geometry.voxel_volume_mm3();
    let mut visited = seen.clone();
    for ((z, y, x), &hu) in volume.hu.indexed_iter() {
        if hu <= settings.bone_hu || visited[[z, y, x]] {
            continue;
        }
        let voxels = grow(volume, settings.bone_hu, [z, y, x], &mut visited);
        if voxels.len() as f64 * voxel > settings.greatest_volume_mm3 {
            for at in voxels {
                seen[at] = true;
            }
        }
    }
}

fn grow(volume: &Volume, threshold: i16, seed: [usize; 3], seen: &mut Array3<bool>) -> Vec<[usize; 3]> {
    let shape: [usize; 3] = volume.hu.dim().into();
    let mut queue = VecDeque::from([seed]);
    let mut voxels = Vec::new();
    seen[seed] = true;
    while let Some(at) = queue.pop_front() {
        voxels.push(at);
        let range = |i: usize| at[i].saturating_sub(1)..=(at[i] + 1).min(shape[i] - 1);
        for z in range(0) {
            for y in range(1) {
                for x in range(2) {
                    if !seen[[z, y, x]] && volume.hu[[z, y, x]] > threshold {
                        seen[[z, y, x]] = true;
                        queue.push_back([z, y, x]);
                    }
                }
            }
        }
    }
    voxels
}
