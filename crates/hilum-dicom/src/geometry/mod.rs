//! Geometry of a slice stack: order, place in the patient, and everything that forbids millimetres along z.
//!
//! Only ImageOrientationPatient, ImagePositionPatient and PixelSpacing (PS3.3 C.7.6.2) decide; SliceThickness,
//! SpacingBetweenSlices, SliceLocation and InstanceNumber never do.

mod finding;
mod orientation;
mod placement;
mod sentences;
mod stack;
mod steps;
mod vector;

pub use finding::GeometryFinding;
pub use placement::SlicePlacement;
pub use stack::{
    AnatomicalPlane, StackCheck, TOLERATED_ANGLE_DEGREES, TOLERATED_JITTER_MM, TOLERATED_JITTER_SPACINGS,
    TOLERATED_SHEAR_DEGREES, TOLERATED_SHIFT_PIXELS, check_stack, lone_slice_affine,
};
