//! The synthetic CT: an anatomy painted from analytic shapes, scanned by a simulated scanner, with known stones.
//!
//! [`generate`] is a pure function of its recipe: the same recipe gives the same bits on any number of threads. The
//! anatomy is built in a canonical frame (LPS mm, z = 0 at the pubic symphysis, x = 0 at the midline) and carried into
//! the patient frame by a pose; every truth is stated in patient coordinates.

mod recipe;
mod truth;

pub use recipe::{Contrast, Kernel, PatientPosition, PhantomError, PhantomRecipe, Region, Sex, StonePlan, StoneSpec};
pub use truth::{
    Decoy, DecoyKind, OrganExtent, PhantomPatient, PhantomStudy, Side, StoneSite, StoneTruth, Structures,
};

/// Makes the study that the recipe describes.
pub fn generate(recipe: &PhantomRecipe) -> Result<PhantomStudy, PhantomError> {
    recipe.check()?;
    todo!("painting")
}

/// Adds a simulated stone of the given largest diameter (mm) and HU to any volume, with partial volume, and tells where it is.
pub fn add_stone(
    volume: &mut crate::Volume,
    centre_patient_mm: [f64; 3],
    diameter_mm: f64,
    hu: f64,
    seed: u64,
) -> Result<StoneTruth, PhantomError> {
    todo!("{volume:?} {centre_patient_mm:?} {diameter_mm} {hu} {seed}")
}
