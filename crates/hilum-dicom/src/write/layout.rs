//! The volume's voxels in the order that a series wants them.

use hilum_imaging::{Affine, Volume};
use ndarray::{Array3, Axis, CowArray, Ix3};

use super::WriteError;
use super::identity::{PatientPosition, SeriesKind};

/// Slices in the order written: HU `[slice, row, column]` and the patient coordinates of that index.
pub(super) struct Layout<'a> {
    pub hu: CowArray<'a, i16, Ix3>,
    pub geometry: Affine,
    /// Body that one slice stands for, mm.
    pub thickness_mm: f64,
}

impl<'a> Layout<'a> {
    pub(super) fn of(volume: &'a Volume, kind: SeriesKind, position: PatientPosition) -> Result<Self, WriteError> {
        let layout = match kind {
            SeriesKind::OriginalAxial => Self::axial(volume, position),
            SeriesKind::CoronalReformat => Self::coronal(volume),
            SeriesKind::Localizer => Self::localizer(volume),
        }?;
        if layout.hu.is_empty() {
            return Err(WriteError::EmptyVolume);
        }
        if layout.hu.shape()[1..].iter().any(|&n| n > usize::from(u16::MAX)) {
            return Err(WriteError::TooWide);
        }
        Ok(layout)
    }

    fn permuted(volume: &'a Volume, axes: [usize; 3]) -> Result<Self, WriteError> {
        let steps = volume.geometry.steps();
        Ok(Self {
            hu: volume.hu.view().permuted_axes(axes).into(),
            geometry: Affine::new(volume.geometry.origin(), axes.map(|axis| steps[axis]))?,
            thickness_mm: volume.geometry.spacing_mm()[axes[0]],
        })
    }

    fn axial(volume: &'a Volume, position: PatientPosition) -> Result<Self, WriteError> {
        let (slices_up, rows_left, columns_back) = match position {
            PatientPosition::Hfs => (false, true, true),
            PatientPosition::Hfp => (false, false, false),
            PatientPosition::Ffs => (true, false, true),
            PatientPosition::Ffp => (true, true, false),
        };
        Self::permuted(volume, [0, 1, 2])?
            .directed(0, 2, slices_up)?
            .directed(1, 1, columns_back)?
            .directed(2, 0, rows_left)
    }

    fn coronal(volume: &'a Volume) -> Result<Self, WriteError> {
        Self::permuted(volume, [1, 0, 2])?.directed(0, 1, true)?.directed(1, 2, false)?.directed(2, 0, true)
    }

    /// The mean along the way from front to back, in the middle slice's place.
    fn localizer(volume: &'a Volume) -> Result<Self, WriteError> {
        let Self { hu, geometry, thickness_mm } = Self::coronal(volume)?;
        let (depth, rows, columns) = hu.dim();
        if depth == 0 {
            return Err(WriteError::EmptyVolume);
        }
        let sums = hu.fold_axis(Axis(0), 0_i64, |sum, hu| sum + i64::from(*hu));
        let mean = sums.mapv(|sum| (sum as f64 / depth as f64).round() as i16);
        let mut projection = Array3::zeros((1, rows, columns));
        projection.index_axis_mut(Axis(0), 0).assign(&mean);
        Ok(Self {
            hu: projection.into(),
            geometry: geometry.regrid([(depth - 1) as f64 / 2.0, 0.0, 0.0], [1.0; 3])?,
            thickness_mm: thickness_mm * depth as f64,
        })
    }

    /// Turns array axis `axis` so that its index grows along (`growing`) or against patient axis `along`.
    fn directed(mut self, axis: usize, along: usize, growing: bool) -> Result<Self, WriteError> {
        if (self.geometry.steps()[axis][along] >= 0.0) != growing {
            self.hu.invert_axis(Axis(axis));
            let (mut start, mut scale) = ([0.0; 3], [1.0; 3]);
            start[axis] = self.hu.shape()[axis].saturating_sub(1) as f64;
            scale[axis] = -1.0;
            self.geometry = self.geometry.regrid(start, scale)?;
        }
        Ok(self)
    }
}
