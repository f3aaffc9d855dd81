//! The slices of the input, put into stacks: one a CT series, one a NIfTI file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context;
use hilum_clinical::urinary_stone::PointSpread;
use hilum_dicom::{
    InstanceFacts, SeriesUid,
    geometry::{GeometryFinding, SlicePlacement, StackCheck, check_stack, lone_slice_affine},
    pixels::{PixelError, read_hu},
    read_facts,
};
use hilum_engine::{nifti, point_spread};
use hilum_imaging::{Affine, Volume};
use hilum_infer::SliceStack;
use ndarray::{Array2, Axis};

/// Slices that belong together.
pub(super) enum Stack {
    Dicom {
        /// File and frame of each slice, in stack order.
        slices: Vec<(PathBuf, u32)>,
        rows: u32,
        columns: u32,
        check: StackCheck,
        /// Of its first instance.
        facts: Option<Box<InstanceFacts>>,
        /// Of a slice that came alone.
        lone: Option<Affine>,
    },
    Nifti {
        path: PathBuf,
        volume: Volume,
    },
}

/// Why a slice cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SliceError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    Pixels { path: PathBuf, source: PixelError },
}

/// The stacks of files and folders, and how many files are no CT images.
pub(super) fn stacks_of(inputs: &[PathBuf]) -> anyhow::Result<(Vec<Stack>, usize)> {
    let mut stacks = Vec::new();
    let mut series: BTreeMap<SeriesUid, Vec<(PathBuf, InstanceFacts)>> = BTreeMap::new();
    let mut not_ct = 0;
    for input in inputs {
        for entry in walkdir::WalkDir::new(input).sort_by_file_name() {
            let entry = entry.with_context(|| format!("folder {}", input.display()))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let path = entry.into_path();
            if is_nifti(&path) {
                let volume = nifti::read_volume(&path).with_context(|| path.display().to_string())?;
                stacks.push(Stack::Nifti { path, volume });
                continue;
            }
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            match read_facts(&bytes) {
                Ok(facts) if facts.series.modality.as_deref() == Some("CT") && facts.image.rows.is_some() => {
                    series.entry(facts.series.uid.clone()).or_default().push((path, facts));
                }
                Ok(_) | Err(_) => not_ct += 1,
            }
        }
    }
    stacks.extend(series.values().map(|instances| stack_of_series(instances)));
    Ok((stacks, not_ct))
}

fn is_nifti(path: &Path) -> bool {
    let ends_with =
        |path: &Path, extension: &str| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(extension));
    ends_with(path, "nii") || (ends_with(path, "gz") && ends_with(&path.with_extension(""), "nii"))
}

fn stack_of_series(instances: &[(PathBuf, InstanceFacts)]) -> Stack {
    let mut placements = Vec::new();
    let mut sources = Vec::new();
    for (path, facts) in instances {
        for placement in SlicePlacement::of(facts) {
            sources.push((path.clone(), placement.frame));
            placements.push(placement);
        }
    }
    let check = check_stack(&placements);
    let slices = check.order.iter().map(|index| sources[*index].clone()).collect();
    let (rows, columns) = placements.first().map_or((0, 0), |placement| (placement.rows, placement.columns));
    let lone = if let [placement] = placements.as_slice() { lone_slice_affine(placement) } else { None };
    let facts = instances.first().map(|(_, facts)| Box::new(facts.clone()));
    Stack::Dicom { slices, rows, columns, check, facts, lone }
}

impl Stack {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Dicom { slices, .. } => slices.len(),
            Self::Nifti { volume, .. } => volume.hu.len_of(Axis(0)),
        }
    }

    /// Its first file.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Dicom { slices, .. } => {
                slices.first().map_or_else(String::new, |(path, _)| path.display().to_string())
            }
            Self::Nifti { path, .. } => path.display().to_string(),
        }
    }

    /// Shape and place; None where the geometry is refused.
    pub(super) fn shape(&self) -> Option<SliceStack> {
        match self {
            Self::Dicom { slices, rows, columns, check, lone, .. } => Some(SliceStack {
                slices: slices.len(),
                rows: *rows as usize,
                columns: *columns as usize,
                geometry: check.affine.or(*lone)?,
            }),
            Self::Nifti { volume, .. } => {
                let (slices, rows, columns) = volume.hu.dim();
                Some(SliceStack { slices, rows, columns, geometry: volume.geometry })
            }
        }
    }

    /// How the scanner blurred it.
    pub(super) fn spread(&self, geometry: &Affine) -> PointSpread {
        match self {
            Self::Dicom { facts, .. } => point_spread(facts.as_deref(), geometry),
            Self::Nifti { .. } => point_spread(None, geometry),
        }
    }

    /// Whether it is one slice without neighbours: the network sees the slice itself in their place, and the urinary region cannot be told.
    pub(super) fn is_lone_slice(&self) -> bool {
        self.len() == 1
    }

    /// Why the geometry is refused.
    pub(super) fn refusal(&self) -> String {
        match self {
            Self::Dicom { check, .. } => {
                check.findings.iter().map(GeometryFinding::in_english).collect::<Vec<_>>().join(" ")
            }
            Self::Nifti { .. } => String::new(),
        }
    }

    /// File and frame (from 0) of a slice. The slices of a NIfTI file are its frames.
    pub(super) fn source(&self, index: usize) -> (&Path, u32) {
        match self {
            Self::Dicom { slices, .. } => (&slices[index].0, slices[index].1),
            Self::Nifti { path, .. } => (path, index as u32),
        }
    }

    /// For reading slices one after the other.
    pub(super) fn open(&self) -> Slices<'_> {
        Slices { stack: self, held: None }
    }
}

/// Reads slices; holds the file read last, which of a multi-frame object has the next slice too.
pub(super) struct Slices<'a> {
    stack: &'a Stack,
    held: Option<(&'a Path, Vec<u8>)>,
}

impl Slices<'_> {
    /// HU of a slice, `[row, column]`.
    pub(super) fn slice(&mut self, index: usize) -> Result<Array2<i16>, SliceError> {
        let slices = match self.stack {
            Stack::Nifti { volume, .. } => return Ok(volume.hu.index_axis(Axis(0), index).to_owned()),
            Stack::Dicom { slices, .. } => slices,
        };
        let (path, frame) = &slices[index];
        let bytes = match &mut self.held {
            Some((held, bytes)) if *held == path.as_path() => bytes,
            held => {
                let bytes = std::fs::read(path).map_err(|source| SliceError::File { path: path.clone(), source })?;
                &mut held.insert((path, bytes)).1
            }
        };
        read_hu(bytes, *frame).map_err(|source| SliceError::Pixels { path: path.clone(), source })
    }
}
