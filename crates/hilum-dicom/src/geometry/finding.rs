//! What a slice stack's geometry can have against it.

use serde::{Deserialize, Serialize};

/// One finding about a slice stack. Indices count in stack order ([`StackCheck::order`](super::StackCheck)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum GeometryFinding {
    /// The slices are sheared against their normal: a CT gantry tilt that the table's way did not follow.
    GantryTilt {
        /// Angle between the way from slice to slice and the slice normal.
        degrees: f64,
    },
    /// GantryDetectorTilt (0018,1120) states a tilt that neither orientation nor positions show.
    GantryTiltContradicted {
        /// The stated tilt.
        stated_degrees: f64,
        /// The tilt of the slice plane out of the patient's nearest main plane.
        plane_degrees: f64,
    },
    /// Slices are missing: one step is a whole multiple of the others.
    Gap {
        /// Stack index of the slice before the gap.
        after: usize,
        /// Length of the stack that no slice covers.
        missing_mm: f64,
    },
    /// Several slices lie at one place.
    Duplicate {
        /// Positions along the normal (mm, in the direction of stack order) that hold more than one slice.
        positions: Vec<f64>,
    },
    /// The steps between slices fall into two or more runs of different size (as 4 mm, then 7 mm).
    MixedSliceSpacing {
        /// The different steps in mm, in stack order of first occurrence.
        spacings_mm: Vec<f64>,
    },
    /// PixelSpacing differs between slices.
    MixedPixelSpacing {
        /// The different values `[between rows, between columns]` in mm.
        spacings_mm: Vec<[f64; 2]>,
    },
    /// PixelSpacing is missing, or not two positive numbers, in so many slices.
    MissingPixelSpacing {
        /// Number of slices.
        slices: usize,
    },
    /// ImageOrientationPatient differs between slices.
    MixedOrientation {
        /// Number of different orientations.
        orientations: usize,
        /// Largest angle between two slice normals or row directions.
        degrees: f64,
    },
    /// The slices do not step evenly, and neither missing slices nor runs explain it.
    UnevenSpacing {
        /// Smallest step between neighbours.
        smallest_mm: f64,
        /// Largest step between neighbours.
        largest_mm: f64,
    },
    /// The slices wander sideways: their corners do not lie on one line.
    LateralShift {
        /// Largest distance of a corner from the line.
        largest_mm: f64,
    },
    /// The slices belong to several series.
    MixedSeries {
        /// Number of series.
        series: usize,
    },
    /// ImagePositionPatient is missing, or not three numbers, in so many slices.
    MissingPosition {
        /// Number of slices.
        slices: usize,
    },
    /// ImageOrientationPatient is missing, or not six numbers, in so many slices.
    MissingOrientation {
        /// Number of slices.
        slices: usize,
    },
    /// Row and column direction are not two perpendicular unit vectors.
    NonOrthogonalOrientation {
        /// Angle between row and column direction.
        degrees: f64,
    },
    /// One slice (or none) makes no stack.
    SingleSlice,
    /// Rows and columns differ between slices.
    DifferentSizes {
        /// The different sizes `[rows, columns]`.
        sizes: Vec<[u32; 2]>,
    },
}

impl GeometryFinding {
    /// Stable word for catalogue, API and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::GantryTilt { .. } => "gantry_tilt",
            Self::GantryTiltContradicted { .. } => "gantry_tilt_contradicted",
            Self::Gap { .. } => "gap",
            Self::Duplicate { .. } => "duplicate",
            Self::MixedSliceSpacing { .. } => "mixed_slice_spacing",
            Self::MixedPixelSpacing { .. } => "mixed_pixel_spacing",
            Self::MissingPixelSpacing { .. } => "missing_pixel_spacing",
            Self::MixedOrientation { .. } => "mixed_orientation",
            Self::UnevenSpacing { .. } => "uneven_spacing",
            Self::LateralShift { .. } => "lateral_shift",
            Self::MixedSeries { .. } => "mixed_series",
            Self::MissingPosition { .. } => "missing_position",
            Self::MissingOrientation { .. } => "missing_orientation",
            Self::NonOrthogonalOrientation { .. } => "non_orthogonal_orientation",
            Self::SingleSlice => "single_slice",
            Self::DifferentSizes { .. } => "different_sizes",
        }
    }
}
