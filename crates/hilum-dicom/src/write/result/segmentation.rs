//! Binary Segmentation (PS3.3 A.51): one segment a finding, frames only where a segment has voxels.

use std::collections::BTreeMap;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

use super::code::{Code, Site};
use super::object::{ResultInstance, cut, reference, set_decimals};
use super::source::Source;
use crate::DataSet;
use crate::uid::SopUid;
use crate::write::WriteError;
use crate::write::seed::uid_bits_from_uid;

/// What made a result (PS3.3 10.16, PS3.16 TID 4019).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// Name, at most 64 characters.
    pub name: String,
    /// Version, at most 64 characters.
    pub version: String,
    /// Its settings and hashes, in one line.
    pub parameters: String,
}

/// One segment: a finding with its voxels.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Segment Label, at most 64 characters.
    pub label: String,
    /// Segment Description, at most 1,024 characters.
    pub description: String,
    /// Segmented Property Category (PS3.16 CID 7150).
    pub category: Code,
    /// Segmented Property Type.
    pub kind: Code,
    /// Where it lies, where that is known.
    pub site: Option<Site>,
    /// Tracking ID (0062,0020): what the finding is called wherever it is measured.
    pub tracking_id: String,
    /// Tracking UID (0062,0021).
    pub tracking_uid: SopUid,
    /// Its voxels `[z, y, x]` in the stack that was read.
    pub voxels: Vec<[u32; 3]>,
}

/// Red as 16-bit CIELab (PS3.3 C.10.7.1.1), the colour of the mask on key images (paper S2).
const RED: [&str; 3] = ["34892", "53485", "50171"];

/// A binary segmentation of the series that was read, as a Part 10 file. At least one segment, each with at least one voxel.
pub fn segmentation(
    instance: &ResultInstance<'_>,
    algorithm: &Algorithm,
    segments: &[Segment],
    description: &str,
) -> Result<Vec<u8>, WriteError> {
    let source = instance.source;
    let frames = frames(source, segments)?;
    let geometry = &source.geometry;
    let mut out = instance.modules(uids::SEGMENTATION_STORAGE, "SEG");
    out.set_all(tags::IMAGE_TYPE, ["DERIVED", "PRIMARY"].map(str::to_owned).to_vec())
        .set(tags::FRAME_OF_REFERENCE_UID, source.frame_of_reference.as_str())
        .set(tags::POSITION_REFERENCE_INDICATOR, "")
        .set(tags::SAMPLES_PER_PIXEL, "1")
        .set(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
        .set(tags::NUMBER_OF_FRAMES, frames.len().to_string())
        .set(tags::ROWS, geometry.rows.to_string())
        .set(tags::COLUMNS, geometry.columns.to_string())
        .set(tags::BITS_ALLOCATED, "1")
        .set(tags::BITS_STORED, "1")
        .set(tags::HIGH_BIT, "0")
        .set(tags::PIXEL_REPRESENTATION, "0")
        .set(tags::CONTENT_LABEL, "URINARY_STONES")
        .set(tags::CONTENT_DESCRIPTION, description)
        .set(tags::CONTENT_CREATOR_NAME, "")
        .set(tags::SEGMENTATION_TYPE, "BINARY")
        .set(tags::SEGMENTS_OVERLAP, "NO");
    source.say_compression(&mut out);
    let items = (1..).zip(segments).map(|(number, segment)| segment_item(number, segment, algorithm));
    out.set_items(tags::SEGMENT_SEQUENCE, items.collect());
    dimensions(instance, &mut out);
    out.set_items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared_groups(source)?]);
    let groups = frames.iter().map(|frame| frame_groups(source, frame)).collect::<Result<_, _>>()?;
    out.set_items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, groups);
    out.set_items(tags::REFERENCED_SERIES_SEQUENCE, vec![referenced_series(source, &frames)?]);
    let bits = packed(&frames, geometry.rows, geometry.columns);
    instance.file(&out, uids::SEGMENTATION_STORAGE, Some((tags::PIXEL_DATA, VR::OB, bits)))
}

/// Where a segment has voxels in a slice.
struct Frame<'a> {
    segment: u16,
    /// Index in the stack.
    slice: usize,
    /// Among the slices that any segment has voxels in, from 1.
    position: usize,
    voxels: Vec<&'a [u32; 3]>,
}

/// By segment, then in stack order; empty ones are left out.
fn frames<'a>(source: &Source, segments: &'a [Segment]) -> Result<Vec<Frame<'a>>, WriteError> {
    let mut slices: BTreeMap<usize, usize> = BTreeMap::new();
    let mut frames = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let number = u16::try_from(index + 1).map_err(|_| WriteError::TooManySegments)?;
        let mut by_slice: BTreeMap<usize, Vec<&[u32; 3]>> = BTreeMap::new();
        for voxel in &segment.voxels {
            let [z, y, x] = *voxel;
            source.slice(z as usize)?;
            if y >= source.geometry.rows.into() || x >= source.geometry.columns.into() {
                return Err(WriteError::NotInTheSource);
            }
            by_slice.entry(z as usize).or_default().push(voxel);
        }
        for (slice, voxels) in by_slice {
            slices.insert(slice, 0);
            frames.push(Frame { segment: number, slice, position: 0, voxels });
        }
        if frames.last().is_none_or(|frame| frame.segment != number) {
            return Err(WriteError::EmptySegment);
        }
    }
    if frames.is_empty() {
        return Err(WriteError::EmptySegment);
    }
    (1..).zip(slices.values_mut()).for_each(|(position, slot)| *slot = position);
    for frame in &mut frames {
        frame.position = slices[&frame.slice];
    }
    Ok(frames)
}

/// PS3.3 C.8.20.4.
fn segment_item(number: u16, segment: &Segment, algorithm: &Algorithm) -> DataSet {
    let mut item = DataSet::new();
    item.set(tags::SEGMENT_NUMBER, number.to_string())
        .set(tags::SEGMENT_LABEL, &segment.label)
        .set(tags::SEGMENT_DESCRIPTION, &segment.description)
        .set(tags::SEGMENT_ALGORITHM_TYPE, "AUTOMATIC")
        .set(tags::SEGMENT_ALGORITHM_NAME, cut(&algorithm.name, 64))
        .set(tags::TRACKING_ID, &segment.tracking_id)
        .set(tags::TRACKING_UID, segment.tracking_uid.as_str())
        .set_all(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE, RED.map(str::to_owned).to_vec());
    segment.category.set_in(&mut item, tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE);
    segment.kind.set_in(&mut item, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE);
    if let Some(Site { region, side, part }) = segment.site {
        let mut region = region.item();
        let modifiers: Vec<DataSet> = side.into_iter().chain(part).map(Code::item).collect();
        if !modifiers.is_empty() {
            region.set_items(tags::ANATOMIC_REGION_MODIFIER_SEQUENCE, modifiers);
        }
        item.set_items(tags::ANATOMIC_REGION_SEQUENCE, vec![region]);
    }
    let mut made_by = DataSet::new();
    Code::dcm("123110", "Artificial Intelligence").set_in(&mut made_by, tags::ALGORITHM_FAMILY_CODE_SEQUENCE);
    made_by
        .set(tags::ALGORITHM_NAME, cut(&algorithm.name, 64))
        .set(tags::ALGORITHM_VERSION, cut(&algorithm.version, 64))
        .set(tags::ALGORITHM_PARAMETERS, &algorithm.parameters)
        .set(tags::ALGORITHM_SOURCE, "Hilum");
    item.set_items(tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, vec![made_by]);
    item
}

/// PS3.3 C.7.6.17: segment, then position.
fn dimensions(instance: &ResultInstance<'_>, out: &mut DataSet) {
    let uid = SopUid::from_u128(uid_bits_from_uid(instance.sop.as_str(), "dimension organization"));
    let mut organization = DataSet::new();
    organization.set(tags::DIMENSION_ORGANIZATION_UID, uid.as_str());
    let index = |pointer: &str, group: &str, label: &str| {
        let mut item = organization.clone();
        item.set(tags::DIMENSION_INDEX_POINTER, pointer)
            .set(tags::FUNCTIONAL_GROUP_POINTER, group)
            .set(tags::DIMENSION_DESCRIPTION_LABEL, label);
        item
    };
    let indexes =
        vec![index("0062000B", "0062000A", "Segment Number"), index("00200032", "00209113", "Image Position Patient")];
    out.set_items(tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![organization.clone()]);
    out.set_items(tags::DIMENSION_INDEX_SEQUENCE, indexes);
}

/// PS3.3 C.7.6.16.2.1 and C.7.6.16.2.4.
fn shared_groups(source: &Source) -> Result<DataSet, WriteError> {
    let geometry = &source.geometry;
    let mut orientation = DataSet::new();
    set_decimals(&mut orientation, tags::IMAGE_ORIENTATION_PATIENT, &geometry.orientation)?;
    let mut measures = DataSet::new();
    set_decimals(&mut measures, tags::PIXEL_SPACING, &geometry.pixel_spacing)?;
    set_decimals(&mut measures, tags::SLICE_THICKNESS, &[geometry.slice_thickness])?;
    set_decimals(&mut measures, tags::SPACING_BETWEEN_SLICES, &[geometry.slice_spacing])?;
    let mut groups = DataSet::new();
    groups
        .set_items(tags::PLANE_ORIENTATION_SEQUENCE, vec![orientation])
        .set_items(tags::PIXEL_MEASURES_SEQUENCE, vec![measures]);
    Ok(groups)
}

/// PS3.3 C.7.6.16.2.2, C.7.6.16.2.3, C.7.6.16.2.6 and C.8.20.3.1.
fn frame_groups(source: &Source, frame: &Frame<'_>) -> Result<DataSet, WriteError> {
    let slice = source.slice(frame.slice)?;
    let mut content = DataSet::new();
    let indexes = vec![frame.segment.to_string(), frame.position.to_string()];
    content.set_all(tags::DIMENSION_INDEX_VALUES, indexes);
    let mut position = DataSet::new();
    set_decimals(&mut position, tags::IMAGE_POSITION_PATIENT, &slice.position)?;
    let mut segment = DataSet::new();
    segment.set(tags::REFERENCED_SEGMENT_NUMBER, frame.segment.to_string());
    let mut image = reference(slice.sop_class.as_str(), slice.sop.as_str(), slice.frame);
    Code::dcm("121322", "Source image for image processing operation")
        .set_in(&mut image, tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE);
    image.set(tags::SPATIAL_LOCATIONS_PRESERVED, "YES");
    let mut derivation = DataSet::new();
    Code::dcm("113076", "Segmentation").set_in(&mut derivation, tags::DERIVATION_CODE_SEQUENCE);
    derivation.set_items(tags::SOURCE_IMAGE_SEQUENCE, vec![image]);
    let mut groups = DataSet::new();
    groups
        .set_items(tags::FRAME_CONTENT_SEQUENCE, vec![content])
        .set_items(tags::PLANE_POSITION_SEQUENCE, vec![position])
        .set_items(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![segment])
        .set_items(tags::DERIVATION_IMAGE_SEQUENCE, vec![derivation]);
    Ok(groups)
}

/// PS3.3 C.12.2: every instance that a frame refers to, once.
fn referenced_series(source: &Source, frames: &[Frame<'_>]) -> Result<DataSet, WriteError> {
    let mut instances: BTreeMap<&str, DataSet> = BTreeMap::new();
    for frame in frames {
        let slice = source.slice(frame.slice)?;
        let item = reference(slice.sop_class.as_str(), slice.sop.as_str(), None);
        instances.insert(slice.sop.as_str(), item);
    }
    let mut series = DataSet::new();
    series
        .set(tags::SERIES_INSTANCE_UID, source.series.as_str())
        .set_items(tags::REFERENCED_INSTANCE_SEQUENCE, instances.into_values().collect());
    Ok(series)
}

/// Bits of all frames one behind the other, the lowest first, without padding between frames (PS3.5 8.1.1, Annex D).
fn packed(frames: &[Frame<'_>], rows: u16, columns: u16) -> Vec<u8> {
    let (rows, columns) = (usize::from(rows), usize::from(columns));
    let mut bytes = vec![0; (frames.len() * rows * columns).div_ceil(8).next_multiple_of(2)];
    for (index, frame) in frames.iter().enumerate() {
        for [_, y, x] in &frame.voxels {
            let bit = (index * rows + *y as usize) * columns + *x as usize;
            bytes[bit / 8] |= 1 << (bit % 8);
        }
    }
    bytes
}
