//! What to generate, and what is refused.

use serde::{Deserialize, Serialize};

use super::truth::{Side, StoneSite};

/// The part of the body that is scanned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// Above the kidneys to below the bladder: the "KUB" scan.
    #[default]
    AbdomenPelvis,
    /// Diaphragm to iliac crest.
    Abdomen,
    /// Iliac crest to below the symphysis.
    Pelvis,
    /// Lung apex to adrenals; the upper kidney poles may be cut.
    Chest,
    /// Thoracic inlet to skull base.
    Neck,
    /// Skull base to vertex.
    Head,
    /// Lung apex to below the symphysis.
    Torso,
}

impl Region {
    /// Lowest and highest height (mm above the symphysis, in a patient of average height) of a scan of this region.
    pub fn heights_mm(self) -> [f64; 2] {
        match self {
            Self::AbdomenPelvis => [-25.0, 365.0],
            Self::Abdomen => [140.0, 365.0],
            Self::Pelvis => [-35.0, 200.0],
            Self::Chest => [260.0, 585.0],
            Self::Neck => [540.0, 715.0],
            Self::Head => [690.0, 860.0],
            Self::Torso => [-25.0, 585.0],
        }
    }
}

/// How the patient lies in the scanner (PS3.3 C.7.3.1.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatientPosition {
    /// HFS.
    #[default]
    HeadFirstSupine,
    /// HFP.
    HeadFirstProne,
    /// FFS.
    FeetFirstSupine,
    /// FFP.
    FeetFirstProne,
}

impl PatientPosition {
    /// The defined term of Patient Position (0018,5100).
    pub fn code(self) -> &'static str {
        match self {
            Self::HeadFirstSupine => "HFS",
            Self::HeadFirstProne => "HFP",
            Self::FeetFirstSupine => "FFS",
            Self::FeetFirstProne => "FFP",
        }
    }
}

/// Reconstruction kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Smooth: about 1.2 mm in-plane blur, correlated noise.
    #[default]
    Soft,
    /// Sharp: about 0.8 mm in-plane blur with edge overshoot, finer and stronger noise.
    Bone,
}

/// Intravenous contrast and its phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contrast {
    /// No contrast: the stone protocol.
    #[default]
    None,
    /// Arteries and renal cortex bright.
    Arterial,
    /// Veins, kidneys and liver bright.
    Portal,
    /// Contrast in the collecting system, ureters and bladder.
    Excretory,
}

/// Sex of the patient, as in Patient's Sex (0010,0040).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// F.
    Female,
    /// M.
    Male,
}

/// One stone asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoneSpec {
    /// Where.
    pub site: StoneSite,
    /// On which side of the patient; a bladder stone ignores it.
    pub side: Side,
    /// Largest diameter, 1-25 mm.
    pub diameter_mm: f64,
    /// Mean HU of the stone itself, 200-1,700.
    pub hu: f64,
}

/// Which stones the patient has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StonePlan {
    /// As patients have them: none to six, mostly under 10 mm and in the ureter, low-HU and 1-3 mm ones among them.
    #[default]
    Random,
    /// This many (at most 12), drawn as patients have them.
    Count(u32),
    /// Exactly these (at most 12; an empty list is a stone-free patient).
    Chosen(Vec<StoneSpec>),
}

/// Everything [`super::generate`] needs; equal recipes give equal bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhantomRecipe {
    /// Seed of anatomy, decoys, stones, noise and names.
    pub seed: u64,
    /// Scanned part of the body.
    pub region: Region,
    /// Scanned heights in mm above the symphysis instead of the region's own.
    pub heights_mm: Option<[f64; 2]>,
    /// Rows and columns: 512 or 256.
    pub matrix: u32,
    /// Field of view in mm, 200-500; absent: drawn from 320-420 (head 220-250).
    pub field_of_view_mm: Option<f64>,
    /// Slice thickness in mm, 0.5-10.
    pub slice_thickness_mm: f64,
    /// Distance of slice centres in mm, 0.5-10; absent: the thickness.
    pub slice_spacing_mm: Option<f64>,
    /// Reconstruction kernel.
    pub kernel: Kernel,
    /// Standard deviation of the noise inside the body in HU, 0-100; absent: from patient size, thickness and kernel.
    pub noise_hu: Option<f64>,
    /// Intravenous contrast.
    pub contrast: Contrast,
    /// Position in the scanner.
    pub position: PatientPosition,
    /// Mirrored anatomy (situs inversus); sides in the truth stay the patient's.
    pub mirrored: bool,
    /// Additional shift of the patient on the table in patient mm `[x, y, z]`, each at most 150.
    pub shift_mm: [f64; 3],
    /// Stones.
    pub stones: StonePlan,
    /// Sex; absent: drawn.
    pub sex: Option<Sex>,
    /// Age in years, 18-100; absent: drawn.
    pub age: Option<u8>,
}

impl Default for PhantomRecipe {
    fn default() -> Self {
        Self {
            seed: 0,
            region: Region::default(),
            heights_mm: None,
            matrix: 512,
            field_of_view_mm: None,
            slice_thickness_mm: 3.0,
            slice_spacing_mm: None,
            kernel: Kernel::default(),
            noise_hu: None,
            contrast: Contrast::default(),
            position: PatientPosition::default(),
            mirrored: false,
            shift_mm: [0.0; 3],
            stones: StonePlan::default(),
            sex: None,
            age: None,
        }
    }
}

/// Why a phantom cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PhantomError {
    /// A number of the recipe is outside its range.
    #[error("{field} is {value}; expected {expected}")]
    OutOfRange {
        /// Field of the recipe.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        expected: &'static str,
    },
    /// The scan would have too many slices.
    #[error(
        "the scan would have {slices} slices; expected at most {most}: choose a greater slice_spacing_mm or smaller heights_mm"
    )]
    TooManySlices {
        /// Slices of this recipe.
        slices: usize,
        /// Most slices.
        most: usize,
    },
    /// A stone cannot be placed: the site is outside the scan, its kidney is absent, or other stones fill it.
    #[error("stone {number} ({site:?}, {side:?}) cannot be placed: {why}")]
    NoPlace {
        /// Position in the list of stones, from 1.
        number: usize,
        /// Site asked for.
        site: StoneSite,
        /// Side asked for.
        side: Side,
        /// Reason.
        why: &'static str,
    },
    /// The voxel grid has no inverse.
    #[error(transparent)]
    Grid(#[from] crate::DegenerateAffine),
}

const MOST_SLICES: usize = 1_500;
const MOST_STONES: usize = 12;

impl PhantomRecipe {
    /// Refuses a recipe that no patient or scanner could have.
    pub fn check(&self) -> Result<(), PhantomError> {
        within("slice_thickness_mm", self.slice_thickness_mm, 0.5, 10.0, "0.5 to 10 mm")?;
        within("slice_spacing_mm", self.spacing_mm(), 0.5, 10.0, "0.5 to 10 mm")?;
        if self.matrix != 512 && self.matrix != 256 {
            return Err(out_of_range("matrix", self.matrix, "512 or 256"));
        }
        if let Some(fov) = self.field_of_view_mm {
            within("field_of_view_mm", fov, 200.0, 500.0, "200 to 500 mm")?;
        }
        if let Some(noise) = self.noise_hu {
            within("noise_hu", noise, 0.0, 100.0, "0 to 100 HU")?;
        }
        for shift in self.shift_mm {
            within("shift_mm", shift, -150.0, 150.0, "-150 to 150 mm on each axis")?;
        }
        let [low, high] = self.scanned_heights_mm();
        within("heights_mm", low, -60.0, 860.0, "-60 to 860 mm, lowest first")?;
        within(
            "heights_mm",
            high,
            low + self.spacing_mm(),
            900.0,
            "at most 900 mm, at least one spacing above the lowest",
        )?;
        let slices = self.slices();
        if slices > MOST_SLICES {
            return Err(PhantomError::TooManySlices { slices, most: MOST_SLICES });
        }
        if let Some(age) = self.age {
            within("age", f64::from(age), 18.0, 100.0, "18 to 100 years")?;
        }
        match &self.stones {
            StonePlan::Random => {}
            StonePlan::Count(n) => check_count(*n as usize)?,
            StonePlan::Chosen(list) => {
                check_count(list.len())?;
                for stone in list {
                    within("stones.diameter_mm", stone.diameter_mm, 1.0, 25.0, "1 to 25 mm")?;
                    within("stones.hu", stone.hu, 200.0, 1700.0, "200 to 1,700 HU")?;
                }
            }
        }
        Ok(())
    }

    /// Distance of slice centres in mm.
    pub fn spacing_mm(&self) -> f64 {
        self.slice_spacing_mm.unwrap_or(self.slice_thickness_mm)
    }

    /// Lowest and highest scanned height in mm above the symphysis.
    pub fn scanned_heights_mm(&self) -> [f64; 2] {
        self.heights_mm.unwrap_or_else(|| self.region.heights_mm())
    }

    /// Number of slices.
    pub fn slices(&self) -> usize {
        let [low, high] = self.scanned_heights_mm();
        (((high - low) / self.spacing_mm()).round() as usize).max(1)
    }
}

fn check_count(count: usize) -> Result<(), PhantomError> {
    if count > MOST_STONES { Err(out_of_range("stones", count, "at most 12 stones")) } else { Ok(()) }
}

/// Refuses `value` outside `low..=high`, and NaN.
pub(super) fn within(
    field: &'static str,
    value: f64,
    low: f64,
    high: f64,
    expected: &'static str,
) -> Result<(), PhantomError> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(out_of_range(field, value, expected)) }
}

fn out_of_range(field: &'static str, value: impl std::fmt::Display, expected: &'static str) -> PhantomError {
    PhantomError::OutOfRange { field, value: value.to_string(), expected }
}
