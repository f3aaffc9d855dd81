//! Patches: small pieces of patients around stones, around what looks like stones, and anywhere.

use std::io;
use std::path::Path;

use hilum_imaging::phantom::PhantomStudy;
use hilum_imaging::{Recipe, SliceGrid, StackOrientation};
use hilum_infer::Region;
use hilum_infer::region::{Coarse, find_urinary_region};
use ndarray::{Axis, s};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::plan::PatchPlan;

/// Channels of HU on the network's grid with the share of stone in each pixel of the middle slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// HU, `[channel, row, column]`, rim included.
    pub hu: Vec<i16>,
    /// Stone, 0 to 255, `[row, column]`, rim included.
    pub stone: Vec<u8>,
}

impl Patch {
    /// True where any pixel shows more stone than not.
    pub fn shows_stone(&self) -> bool {
        self.stone.iter().any(|s| *s >= 128)
    }
}

/// Edge of the stored patches: the network's input with the rim on both sides.
pub fn stored_edge(plan: &PatchPlan) -> usize {
    plan.size + 2 * plan.rim
}

/// HU from which a voxel counts as bone when places beside bone are looked for.
const BONE_HU: i16 = 250;

/// Cuts the patches of one patient. Nothing outside the region that a reading would search is shown, as nothing outside it will be read.
pub fn cut(study: &PhantomStudy, recipe: &Recipe, plan: &PatchPlan, seed: u64) -> Result<Vec<Patch>, CutError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x00c0_ffee);
    let region = find_urinary_region(&Coarse::of_volume(&study.volume)?);
    let cutter = Cutter {
        study,
        recipe,
        edge: stored_edge(plan),
        orientation: StackOrientation::of(&study.volume.geometry)?,
        region: &region,
    };
    let jitter = plan.size as f64 * recipe.in_plane_mm / 4.0;
    let mut centres = Vec::new();
    for stone in &study.stones {
        let slices = cutter.slices_through(stone.centre_patient_mm, stone.largest_diameter_mm);
        let mut chosen: Vec<usize> = Vec::new();
        for k in 0..plan.per_stone.min(slices.len()) {
            // Spread over the stone, the middle first.
            chosen.push(slices[(slices.len() / 2 + k * slices.len() / plan.per_stone.max(1)) % slices.len()]);
        }
        chosen.dedup();
        for z in chosen {
            centres.push((z, moved(stone.centre_patient_mm, jitter, &mut rng)));
        }
    }
    for decoy in &study.decoys {
        let slices = cutter.slices_through(decoy.centre_patient_mm, decoy.diameter_mm);
        for _ in 0..plan.per_decoy {
            let z = slices[rng.random_range(0..slices.len())];
            if cutter.searched(z, decoy.centre_patient_mm) {
                centres.push((z, moved(decoy.centre_patient_mm, jitter, &mut rng)));
            }
        }
    }
    cutter.scatter(plan.anywhere, None, &mut centres, &mut rng);
    cutter.scatter(plan.at_bone, Some(BONE_HU), &mut centres, &mut rng);
    Ok(centres.into_iter().map(|(z, p)| cutter.patch(z, p)).collect())
}

/// Why a patient cannot be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The stack is not axial.
    #[error(transparent)]
    Recipe(#[from] hilum_imaging::RecipeError),
}

struct Cutter<'a> {
    study: &'a PhantomStudy,
    recipe: &'a Recipe,
    edge: usize,
    orientation: StackOrientation,
    region: &'a Region,
}

impl Cutter<'_> {
    fn searched(&self, z: usize, p: [f64; 3]) -> bool {
        self.region
            .slices
            .get(z)
            .and_then(|b| *b)
            .is_some_and(|b| (0..2).all(|k| b.min_mm[k] <= p[k] && p[k] <= b.max_mm[k]))
    }

    /// Slices whose middle lies within a ball of this diameter (mm), the nearest one at least.
    fn slices_through(&self, centre: [f64; 3], diameter_mm: f64) -> Vec<usize> {
        let geometry = &self.study.volume.geometry;
        let last = self.study.volume.hu.dim().0 as f64 - 1.0;
        let middle = geometry.index_from_patient(centre)[0];
        let reach = diameter_mm / 2.0 / geometry.spacing_mm()[0];
        let (low, high) = ((middle - reach).ceil().max(0.0), (middle + reach).floor().min(last));
        if low > high {
            return vec![middle.round().clamp(0.0, last) as usize];
        }
        (low as usize..=high as usize).collect()
    }

    /// Random places in the searched region; with `above`, only where the voxel has at least this HU.
    fn scatter(&self, count: usize, above: Option<i16>, centres: &mut Vec<(usize, [f64; 3])>, rng: &mut ChaCha8Rng) {
        let searched: Vec<usize> = (0..self.region.slices.len()).filter(|z| self.region.slices[*z].is_some()).collect();
        if searched.is_empty() {
            return;
        }
        let (mut found, mut tries) = (0, 0);
        while found < count && tries < 400 * count {
            tries += 1;
            let z = searched[rng.random_range(0..searched.len())];
            let Some(b) = self.region.slices[z] else { continue };
            let [x, y] = [0, 1].map(|k| rng.random_range(b.min_mm[k]..b.max_mm[k]));
            let geometry = &self.study.volume.geometry;
            let height = geometry.patient_from_index([z as f64, 0.0, 0.0])[2];
            let index = geometry.index_from_patient([x, y, height]);
            let (row, column) = (index[1].round(), index[2].round());
            let hu = (row >= 0.0 && column >= 0.0)
                .then(|| self.study.volume.hu.get([z, row as usize, column as usize]))
                .flatten();
            if above.is_none_or(|least| hu.is_some_and(|hu| *hu >= least)) {
                centres.push((z, [x, y, height]));
                found += 1;
            }
        }
    }

    fn patch(&self, z: usize, centre: [f64; 3]) -> Patch {
        let volume = &self.study.volume;
        let index = volume.geometry.index_from_patient(centre);
        let edge = self.edge;
        let grid =
            SliceGrid::centred(self.recipe, &volume.geometry, self.orientation, [index[1], index[2]], [edge, edge]);
        let last = volume.hu.dim().0 - 1;
        let direction = if self.orientation.headward { 1 } else { -1 };
        let mut hu = Vec::with_capacity(self.recipe.channels() * edge * edge);
        for offset in self.recipe.context_offsets(volume.geometry.spacing_mm()[0]) {
            let slice = z.saturating_add_signed(direction * offset).min(last);
            let sampled = grid.sample_hu(volume.hu.index_axis(Axis(0), slice));
            hu.extend(sampled.iter().map(|v| v.round() as i16));
        }
        let labels = self.study.truth.labels.slice(s![z, .., ..]).mapv(|l| if l == 0 { 0 } else { 255 });
        let stone = grid.sample_hu(labels.view()).iter().map(|v| v.clamp(0.0, 255.0).round() as u8).collect();
        Patch { hu, stone }
    }
}

fn moved(p: [f64; 3], by: f64, rng: &mut ChaCha8Rng) -> [f64; 3] {
    [p[0] + rng.random_range(-by..by), p[1] + rng.random_range(-by..by), p[2]]
}

/// Writes patches to a file, through a temporary one.
pub fn save(path: &Path, patches: &[Patch]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for patch in patches {
        bytes.extend(patch.hu.iter().flat_map(|v| v.to_le_bytes()));
        bytes.extend(&patch.stone);
    }
    let temporary = path.with_extension("part");
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(temporary, path)
}

/// Reads the patches that [`save`] wrote for this shape.
pub fn load(path: &Path, channels: usize, edge: usize) -> io::Result<Vec<Patch>> {
    let bytes = std::fs::read(path)?;
    let (hu_bytes, area) = (2 * channels * edge * edge, edge * edge);
    if !bytes.len().is_multiple_of(hu_bytes + area) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a whole number of patches: delete the file"));
    }
    Ok(bytes
        .chunks_exact(hu_bytes + area)
        .map(|chunk| {
            let (hu, stone) = chunk.split_at(hu_bytes);
            let hu = hu.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
            Patch { hu, stone: stone.to_vec() }
        })
        .collect())
}
