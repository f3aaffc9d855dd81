//! What is known about a synthetic study.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::recipe::{PhantomRecipe, Sex};
pub use crate::frame::Side;
use crate::{Mask, Volume};

/// Where a stone lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoneSite {
    /// Upper calyces.
    KidneyUpperPole,
    /// Middle calyces.
    KidneyMid,
    /// Lower calyces.
    KidneyLowerPole,
    /// Renal pelvis.
    RenalPelvis,
    /// Where the pelvis becomes the ureter.
    UreteropelvicJunction,
    /// Ureter above the sacroiliac joint.
    ProximalUreter,
    /// Ureter over the sacroiliac joint.
    MidUreter,
    /// Ureter below the sacroiliac joint.
    DistalUreter,
    /// Where the ureter enters the bladder wall.
    UreterovesicalJunction,
    /// In the bladder.
    Bladder,
}

/// One stone as it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoneTruth {
    /// Number in the study, from 1.
    pub id: u32,
    /// Site; absent for a stone added at a free place.
    pub site: Option<StoneSite>,
    /// Side by patient coordinates relative to the spine; absent for a stone added where the spine is not known.
    pub side: Option<Side>,
    /// Centre of mass of the geometric shape, patient `[x, y, z]` in mm.
    pub centre_patient_mm: [f64; 3],
    /// Greatest distance of two points of the geometric shape in mm.
    pub largest_diameter_mm: f64,
    /// Volume of the geometric shape in mm³.
    pub volume_mm3: f64,
    /// Mean HU of the stone's own material, before partial volume, blur and noise.
    pub mean_hu: f64,
    /// Highest HU of the stone's own material.
    pub max_hu: f64,
    /// Voxels of the truth mask.
    pub voxels: usize,
}

/// Kinds of bright things that are no urinary stones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoyKind {
    /// Calcified pelvic vein thrombus.
    Phlebolith,
    /// Calcified arterial wall.
    Plaque,
    /// Gallbladder stone.
    Gallstone,
    /// Calcified lymph node.
    LymphNode,
    /// Dense bowel content.
    BowelContent,
    /// Calcified costal cartilage.
    CostalCartilage,
    /// Bone island or osteophyte.
    BoneIsland,
    /// Splenic or hepatic granuloma.
    Granuloma,
    /// Calcified prostate.
    Prostate,
    /// Surgical clip.
    Clip,
}

/// One bright thing that is no urinary stone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decoy {
    /// What it is.
    pub kind: DecoyKind,
    /// Centre, patient `[x, y, z]` in mm.
    pub centre_patient_mm: [f64; 3],
    /// Largest extent in mm.
    pub diameter_mm: f64,
    /// HU of its material.
    pub hu: f64,
}

/// Box of an organ in the patient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrganExtent {
    /// Centre, patient `[x, y, z]` in mm.
    pub centre_patient_mm: [f64; 3],
    /// Lowest and highest patient z in mm.
    pub z_patient_mm: [f64; 2],
}

/// Where the organs are, in patient coordinates; `right` and `left` are the patient's sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Structures {
    /// Ureter centre lines from the renal pelvis to the bladder, patient mm, by side; no entry where a kidney is absent.
    pub ureters: BTreeMap<Side, Vec<[f64; 3]>>,
    /// Kidneys by side; no entry for an absent kidney.
    pub kidneys: BTreeMap<Side, OrganExtent>,
    /// Bladder.
    pub bladder: Option<OrganExtent>,
    /// Points of the spine's axis (centres of the vertebral bodies), patient mm, feet to head.
    pub spine_axis: Vec<[f64; 3]>,
    /// Other organs by name.
    pub organs: BTreeMap<String, OrganExtent>,
}

/// Invented identity; never a real person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhantomPatient {
    /// Patient ID, `SYN-` and six digits.
    pub id: String,
    /// Alphabetic component group, `Family^Given`.
    pub name_alphabetic: String,
    /// Ideographic component group (hanja), for Korean names.
    pub name_ideographic: Option<String>,
    /// Phonetic component group (hangul), for Korean names.
    pub name_phonetic: Option<String>,
    /// Sex.
    pub sex: Sex,
    /// Age in years.
    pub age: u8,
    /// Weight in kg.
    pub weight_kg: f64,
    /// Height in cm.
    pub height_cm: f64,
}

/// A synthetic CT with its truth. Serialised, it is the truth as JSON, without the two arrays.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhantomStudy {
    /// HU `[z, y, x]`; the affine is true to patient LPS coordinates in every pose.
    #[serde(skip)]
    pub volume: Volume,
    /// 1 where at least half of the voxel is stone; each stone has at least its centre voxel.
    #[serde(skip)]
    pub truth: Mask,
    /// How it was made.
    pub recipe: PhantomRecipe,
    /// Who it is.
    pub patient: PhantomPatient,
    /// Stones whose centre is in the scan.
    pub stones: Vec<StoneTruth>,
    /// Organs.
    pub structures: Structures,
    /// Bright things that are no stones.
    pub decoys: Vec<Decoy>,
    /// Standard deviation of the noise in HU.
    pub noise_hu: f64,
    /// Field of view in mm.
    pub field_of_view_mm: f64,
}
