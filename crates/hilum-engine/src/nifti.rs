//! NIfTI-1: volumes in, volumes and masks out. NIfTI is RAS+ with the index order `[x, y, z]`; inside everything is LPS+ `[z, y, x]`.
//!
//! Source: the NIfTI-1 header, nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h (method 3: sform).

use hilum_imaging::{Affine, DegenerateAffine, Mask, Volume};
use ndarray::{Array3, Axis, Ix3};
use nifti::writer::WriterOptions;
use nifti::{InMemNiftiObject, IntoNdArray, NiftiHeader, NiftiObject, ReaderOptions};
use std::path::Path;

/// Why a NIfTI file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum NiftiError {
    /// The file is no readable NIfTI-1 file, or cannot be written.
    #[error("NIfTI: {0}")]
    File(#[from] nifti::NiftiError),
    /// Not three-dimensional.
    #[error("NIfTI: {0} dimensions with more than one entry; expected a volume (3)")]
    NotAVolume(usize),
    /// The header places the voxels nowhere.
    #[error(
        "NIfTI: the header has neither an sform nor a qform (codes 0); expected one, so that left and right are known"
    )]
    NoPlace,
    /// The affine cannot be inverted.
    #[error("NIfTI: the affine of the header: {0}")]
    Affine(#[from] DegenerateAffine),
    /// A value leaves the range of Hounsfield units.
    #[error("NIfTI: the values reach {0}, outside the range of 16-bit Hounsfield units")]
    OutOfRange(f64),
}

/// Reads a volume (`.nii` or `.nii.gz`): Hounsfield units `[z, y, x]` with an LPS+ affine. Values are rounded.
pub fn read_volume(path: &Path) -> Result<Volume, NiftiError> {
    let (values, geometry) = read(path)?;
    if let Some(outside) = values.iter().find(|value| !(f64::from(i16::MIN)..=f64::from(i16::MAX)).contains(*value)) {
        return Err(NiftiError::OutOfRange(*outside));
    }
    Ok(Volume { hu: values.mapv(|value| value.round() as i16), geometry })
}

/// Reads a label mask (`.nii` or `.nii.gz`), labels `[z, y, x]`.
pub fn read_mask(path: &Path) -> Result<Mask, NiftiError> {
    let (values, geometry) = read(path)?;
    if let Some(outside) = values.iter().find(|value| !(0.0..=255.0).contains(*value)) {
        return Err(NiftiError::OutOfRange(*outside));
    }
    Ok(Mask { labels: values.mapv(|value| value.round() as u8), geometry })
}

/// Writes a volume; the name decides about compression (`.nii` or `.nii.gz`).
pub fn write_volume(path: &Path, volume: &Volume) -> Result<(), NiftiError> {
    let header = header_of(&volume.geometry);
    let by_x = volume.hu.view().reversed_axes();
    Ok(WriterOptions::new(path).reference_header(&header).write_nifti(&by_x)?)
}

/// Writes a mask; the name decides about compression (`.nii` or `.nii.gz`).
pub fn write_mask(path: &Path, mask: &Mask) -> Result<(), NiftiError> {
    let header = header_of(&mask.geometry);
    let by_x = mask.labels.view().reversed_axes();
    Ok(WriterOptions::new(path).reference_header(&header).write_nifti(&by_x)?)
}

fn read(path: &Path) -> Result<(Array3<f64>, Affine), NiftiError> {
    let object: InMemNiftiObject = ReaderOptions::new().read_file(path)?;
    let ras = ras_from_index(object.header())?;
    let mut values = object.into_volume().into_ndarray::<f64>()?;
    while values.ndim() > 3 && values.shape().ends_with(&[1]) {
        let last = Axis(values.ndim() - 1);
        values = values.index_axis_move(last, 0);
    }
    let dimensions = values.ndim();
    let values: Array3<f64> = values.into_dimensionality::<Ix3>().map_err(|_| NiftiError::NotAVolume(dimensions))?;
    let geometry = lps_affine(ras)?;
    Ok((values.reversed_axes().as_standard_layout().into_owned(), geometry))
}

/// Rows of the matrix from index `[x, y, z, 1]` to RAS+ millimetres: the sform, else the qform (methods 3 and 2 of nifti1.h).
fn ras_from_index(header: &NiftiHeader) -> Result<[[f64; 4]; 3], NiftiError> {
    if header.sform_code > 0 {
        return Ok([header.srow_x, header.srow_y, header.srow_z].map(|row| row.map(f64::from)));
    }
    if header.qform_code <= 0 {
        return Err(NiftiError::NoPlace);
    }
    let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
    let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - c * c - b * b],
    ];
    let handedness = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let steps = [f64::from(header.pixdim[1]), f64::from(header.pixdim[2]), handedness * f64::from(header.pixdim[3])];
    let offsets = [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from);
    Ok([0, 1, 2].map(|row| {
        let [x, y, z] = [0, 1, 2].map(|column| rotation[row][column] * steps[column]);
        [x, y, z, offsets[row]]
    }))
}

/// RAS+ to LPS+: x and y change their sign.
const LPS_FROM_RAS: [f64; 3] = [-1.0, -1.0, 1.0];

fn lps_affine(ras: [[f64; 4]; 3]) -> Result<Affine, DegenerateAffine> {
    let column = |index: usize| [0, 1, 2].map(|row| LPS_FROM_RAS[row] * ras[row][index]);
    Affine::new(column(3), [column(2), column(1), column(0)])
}

fn header_of(geometry: &Affine) -> NiftiHeader {
    let (origin, [z, y, x]) = (geometry.origin(), geometry.steps());
    let row = |axis: usize| [x[axis], y[axis], z[axis], origin[axis]].map(|value| (LPS_FROM_RAS[axis] * value) as f32);
    let [dz, dy, dx] = geometry.spacing_mm().map(|step| step as f32);
    NiftiHeader {
        pixdim: [1.0, dx, dy, dz, 0.0, 0.0, 0.0, 0.0],
        // Lengths in mm.
        xyzt_units: 2,
        // 1: scanner coordinates.
        sform_code: 1,
        srow_x: row(0),
        srow_y: row(1),
        srow_z: row(2),
        ..NiftiHeader::default()
    }
}
