//! One crop shape for the whole study, so that the network is planned once.

use hilum_imaging::{Affine, Recipe, SliceGrid, StackOrientation};

use crate::region::{Region, SliceBox};

/// Rim (mm) around the searched box that the network sees too.
const RIM_MM: f64 = 8.0;

/// The shape of every crop of a study.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crop {
    /// Rows and columns of the network's input.
    pub shape: [usize; 2],
}

impl Crop {
    /// Large enough for every slice's box; `None` where no slice is searched.
    pub fn of(region: &Region, recipe: &Recipe) -> Option<Self> {
        let mut size = [0.0_f64; 2];
        for b in region.slices.iter().flatten() {
            // Rows run along patient y, columns along x.
            size = [size[0].max(b.max_mm[1] - b.min_mm[1]), size[1].max(b.max_mm[0] - b.min_mm[0])];
        }
        let pixels = |mm: f64| recipe.padded(((mm + 2.0 * RIM_MM) / recipe.in_plane_mm).ceil() as usize);
        (size[0] > 0.0).then(|| Self { shape: size.map(pixels) })
    }

    /// The grid over one slice, centred on its box.
    pub fn grid(
        &self,
        recipe: &Recipe,
        geometry: &Affine,
        orientation: StackOrientation,
        searched: &SliceBox,
        index: usize,
    ) -> SliceGrid {
        let [x, y] = [0, 1].map(|k| f64::midpoint(searched.min_mm[k], searched.max_mm[k]));
        // In-plane index of the box's middle: on an oblique slice z follows from staying in the slice.
        let mut centre = geometry.index_from_patient([x, y, geometry.patient_from_index([index as f64, 0.0, 0.0])[2]]);
        for _ in 0..3 {
            let z = geometry.patient_from_index([index as f64, centre[1], centre[2]])[2];
            centre = geometry.index_from_patient([x, y, z]);
        }
        SliceGrid::centred(recipe, geometry, orientation, [centre[1], centre[2]], self.shape)
    }
}
