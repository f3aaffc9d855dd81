//! Coronal and sagittal planes through the stones, gathered slice by slice, and the key images drawn of them.

use super::run::report_failed;
use crate::error::EngineError;
use crate::report::{IN_THREE_PLANES, KeyImage, KeySlice, Plane, key_image};
use hilum_clinical::urinary_stone::StoneReading;
use hilum_imaging::Affine;
use ndarray::{Array2, ArrayView2};
use std::ops::Range;

/// Slices within this distance of a stone (mm) are in its coronal and sagittal key images.
const REACH_MM: f64 = 140.0;

/// Draws the key images of all stones: one pass over the slices that any of them needs, each read once.
pub(super) fn key_images(
    stones: &[StoneReading],
    slices: usize,
    geometry: &Affine,
    mut read: impl FnMut(usize) -> Result<Array2<i16>, EngineError>,
) -> Result<Vec<KeyImage>, EngineError> {
    let reach = (REACH_MM / geometry.spacing_mm()[0]).ceil() as usize;
    let mut gathered: Vec<Gathered> =
        stones.iter().take(IN_THREE_PLANES).map(|stone| Gathered::of(stone, reach, slices)).collect();
    let mut images = Vec::with_capacity(stones.len() * Plane::ALL.len());
    for slice in 0..slices {
        let is_key = |stone: &StoneReading| stone.stone.slices.key as usize == slice;
        if !stones.iter().any(is_key) && !gathered.iter().any(|planes| planes.slices.contains(&slice)) {
            continue;
        }
        let hu = read(slice)?;
        for planes in &mut gathered {
            planes.take(slice, &hu.view());
        }
        for focus in (0..stones.len()).filter(|&n| is_key(&stones[n])) {
            let axial = KeySlice { plane: Plane::Axial, hu: hu.view(), first_slice: 0, geometry: Some(geometry) };
            images.push(key_image(axial, stones, focus).map_err(report_failed)?);
        }
    }
    for (focus, planes) in gathered.iter().enumerate() {
        for (plane, hu) in [(Plane::Coronal, &planes.coronal), (Plane::Sagittal, &planes.sagittal)] {
            let first_slice = planes.slices.start as u32;
            let slice = KeySlice { plane, hu: hu.view(), first_slice, geometry: Some(geometry) };
            images.push(key_image(slice, stones, focus).map_err(report_failed)?);
        }
    }
    images.sort_by_key(|image| (image.stone, image.plane));
    Ok(images)
}

/// Two planes of one stone.
struct Gathered {
    slices: Range<usize>,
    row: usize,
    column: usize,
    /// `[z, x]`, from the first of `slices` on.
    coronal: Array2<i16>,
    /// `[z, y]`
    sagittal: Array2<i16>,
}

impl Gathered {
    fn of(stone: &StoneReading, reach: usize, slices: usize) -> Self {
        let span = stone.stone.slices;
        Self {
            slices: (span.first as usize).saturating_sub(reach)..(span.last as usize + reach + 1).min(slices),
            row: Plane::Coronal.through(stone) as usize,
            column: Plane::Sagittal.through(stone) as usize,
            coronal: Array2::default((0, 0)),
            sagittal: Array2::default((0, 0)),
        }
    }

    fn take(&mut self, slice: usize, hu: &ArrayView2<'_, i16>) {
        if !self.slices.contains(&slice) {
            return;
        }
        let (rows, columns) = hu.dim();
        if self.coronal.is_empty() {
            self.coronal = Array2::zeros((self.slices.len(), columns));
            self.sagittal = Array2::zeros((self.slices.len(), rows));
        }
        let at = slice - self.slices.start;
        self.coronal.row_mut(at).assign(&hu.row(self.row));
        self.sagittal.row_mut(at).assign(&hu.column(self.column));
    }
}
