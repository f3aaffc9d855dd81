//! Where one slice says that it lies.

use serde::{Deserialize, Serialize};

use crate::facts::InstanceFacts;
use crate::uid::{SeriesUid, SopUid};

/// More frames than this are not believed.
const MOST_FRAMES: u32 = 65_535;

/// One slice (one frame of an instance) with what the standard says about its place (PS3.3 C.7.6.2.1.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlicePlacement {
    /// Series of the instance.
    pub series: SeriesUid,
    /// Instance that holds the slice.
    pub sop: SopUid,
    /// Frame within the instance, from 0.
    pub frame: u32,
    /// ImagePositionPatient: centre of the first voxel, patient `[x, y, z]` mm.
    pub position: Option<[f64; 3]>,
    /// ImageOrientationPatient: direction of a row (growing column index), then of a column (growing row index).
    pub orientation: Option<[f64; 6]>,
    /// PixelSpacing in mm: between rows, then between columns (PS3.3 10.7.1.3).
    pub pixel_spacing: Option<[f64; 2]>,
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub columns: u32,
    /// GantryDetectorTilt (0018,1120), degrees.
    pub gantry_tilt: Option<f64>,
}

impl SlicePlacement {
    /// The placement of every frame of an instance: one for a classic image, one a frame for enhanced multi-frame images
    /// (functional groups, PS3.3 C.7.6.16.2.3 and C.7.6.16.2.4). A classic multi-frame image gives its frames no places.
    pub fn of(facts: &InstanceFacts) -> Vec<Self> {
        let image = &facts.image;
        let classic = facts.frames.is_empty();
        let frames = if classic { image.frames.clamp(1, MOST_FRAMES) } else { facts.frames.len() as u32 };
        let placement = |frame: u32| {
            let stated = facts.frame(frame as usize);
            Self {
                series: facts.series.uid.clone(),
                sop: facts.sop.clone(),
                frame,
                position: stated.position.filter(|_| !classic || frames == 1),
                orientation: stated.orientation,
                pixel_spacing: stated.pixel_spacing,
                rows: image.rows.unwrap_or(0).into(),
                columns: image.columns.unwrap_or(0).into(),
                gantry_tilt: image.gantry_tilt,
            }
        };
        (0..frames).map(placement).collect()
    }
}
