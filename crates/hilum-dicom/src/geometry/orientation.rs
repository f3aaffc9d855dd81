//! The common plane of a set of slices.

use super::finding::GeometryFinding;
use super::placement::SlicePlacement;
use super::stack::{AnatomicalPlane, TOLERATED_ANGLE_DEGREES};
use super::vector::{cross, degrees_between, dot, length, nearest_axis, scaled};

/// Unit vectors of a slice: along a row, down a column, and the normal, which points along its nearest patient axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub along_row: [f64; 3],
    pub down_column: [f64; 3],
    pub normal: [f64; 3],
}

/// Row and column direction are perpendicular within this angle (four decimals in the text give up to 0.01 degrees).
const TOLERATED_SKEW_DEGREES: f64 = 0.2;
/// Direction cosines are unit vectors within this part.
const TOLERATED_LENGTH: f64 = 0.01;
/// Beyond this angle from every main plane a slice is called oblique.
const OBLIQUE_DEGREES: f64 = 35.0;

impl Frame {
    /// From ImageOrientationPatient; the angle between row and column where they are not perpendicular unit vectors.
    fn new(orientation: [f64; 6]) -> Result<Self, f64> {
        let [a, b, c, d, e, f] = orientation;
        let (row, column) = ([a, b, c], [d, e, f]);
        let (row_length, column_length) = (length(row), length(column));
        let degrees = degrees_between(row, column);
        let unit = |v: f64| (v - 1.0).abs() <= TOLERATED_LENGTH;
        if !unit(row_length) || !unit(column_length) || (degrees - 90.0).abs() > TOLERATED_SKEW_DEGREES {
            return Err(degrees);
        }
        let normal = cross(row, column);
        let sign = normal[nearest_axis(normal)].signum();
        Ok(Self {
            along_row: scaled(row, row_length.recip()),
            down_column: scaled(column, column_length.recip()),
            normal: scaled(normal, sign / length(normal)),
        })
    }

    /// Angle between the normal and its nearest patient axis.
    pub(super) fn degrees_off_axis(&self) -> f64 {
        let axis = nearest_axis(self.normal);
        let mut direction = [0.0; 3];
        direction[axis] = 1.0;
        degrees_between(self.normal, direction)
    }

    pub(super) fn plane(&self) -> AnatomicalPlane {
        if self.degrees_off_axis() > OBLIQUE_DEGREES {
            return AnatomicalPlane::Oblique;
        }
        match nearest_axis(self.normal) {
            0 => AnatomicalPlane::Sagittal,
            1 => AnatomicalPlane::Coronal,
            _ => AnatomicalPlane::Axial,
        }
    }

    /// Position of a point along the normal, mm.
    pub(super) fn along_normal(&self, position: [f64; 3]) -> f64 {
        dot(self.normal, position)
    }

    fn degrees_from(&self, other: &Self) -> f64 {
        degrees_between(self.normal, other.normal)
            .max(degrees_between(self.along_row, other.along_row))
            .max(degrees_between(self.down_column, other.down_column))
    }
}

/// The different frames of the slices in order of first occurrence, and for each slice which of them it has.
pub(super) struct Orientations {
    pub frames: Vec<Frame>,
    pub of_slice: Vec<Option<usize>>,
}

impl Orientations {
    pub(super) fn of(slices: &[SlicePlacement], findings: &mut Vec<GeometryFinding>) -> Self {
        let mut frames: Vec<Frame> = Vec::new();
        let mut of_slice = Vec::with_capacity(slices.len());
        let mut missing = 0;
        let mut skew: Option<f64> = None;
        for slice in slices {
            let frame = match slice.orientation.filter(|o| o.iter().all(|v| v.is_finite())).map(Frame::new) {
                None => {
                    missing += 1;
                    None
                }
                Some(Err(degrees)) => {
                    skew.get_or_insert(degrees);
                    None
                }
                Some(Ok(frame)) => Some(frame),
            };
            of_slice.push(frame.map(|frame| {
                frames.iter().position(|known| known.degrees_from(&frame) <= TOLERATED_ANGLE_DEGREES).unwrap_or_else(
                    || {
                        frames.push(frame);
                        frames.len() - 1
                    },
                )
            }));
        }
        if missing > 0 {
            findings.push(GeometryFinding::MissingOrientation { slices: missing });
        }
        if let Some(degrees) = skew {
            findings.push(GeometryFinding::NonOrthogonalOrientation { degrees });
        }
        if frames.len() > 1 {
            let degrees = frames.iter().flat_map(|a| frames.iter().map(|b| a.degrees_from(b))).fold(0.0_f64, f64::max);
            findings.push(GeometryFinding::MixedOrientation { orientations: frames.len(), degrees });
        }
        Self { frames, of_slice }
    }

    /// The frame that every slice shares.
    pub(super) fn common(&self) -> Option<Frame> {
        match (self.frames.as_slice(), self.of_slice.iter().all(Option::is_some)) {
            ([frame], true) => Some(*frame),
            _ => None,
        }
    }
}
