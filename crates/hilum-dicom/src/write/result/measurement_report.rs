//! Measurement Report (PS3.16 TID 1500) as Comprehensive 3D SR (PS3.3 A.35.13): one measurement group a finding.

use std::collections::BTreeMap;

use dicom_dictionary_std::{tags, uids};
use time::PrimitiveDateTime;

use super::code::{self, Code, Site};
use super::content::{Item, Relationship, Value};
use super::object::{ResultInstance, name_own_scheme, reference};
use super::segmentation::Algorithm;
use super::source::{Source, SourceSlice};
use crate::DataSet;
use crate::charset::PersonName;
use crate::uid::{SeriesUid, SopUid};
use crate::write::WriteError;
use crate::write::series::{date, time_of_day};

/// A number that was measured on a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// What was measured.
    pub concept: Code,
    /// How it was made of many values (PS3.16 CID 7464), where it was.
    pub derivation: Option<Code>,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: Code,
}

/// A finding with its measurements (PS3.16 TID 1411).
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementGroup {
    /// Tracking Identifier: that of its segment.
    pub tracking_id: String,
    /// Tracking Unique Identifier: that of its segment.
    pub tracking_uid: SopUid,
    /// What it is.
    pub finding: Code,
    /// Where it lies, where that is known.
    pub site: Option<Site>,
    /// Number of its segment, from 1.
    pub segment: u16,
    /// What was measured.
    pub measurements: Vec<Measurement>,
}

/// Who stands for the report (PS3.3 C.17.2): without, it is unverified.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    /// Verifying Observer Name.
    pub observer: PersonName,
    /// Verifying Organization.
    pub organization: String,
    /// When it was verified.
    pub at: PrimitiveDateTime,
}

/// A measurement report.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementReport {
    /// Device Observer UID: the same for whatever the same installation and model say.
    pub device: SopUid,
    /// What made the findings.
    pub algorithm: Algorithm,
    /// The segmentation that holds the findings' segments; none where there are no findings.
    pub segmentation: Option<(SeriesUid, SopUid)>,
    /// The findings.
    pub groups: Vec<MeasurementGroup>,
    /// What was looked for, and whether it is there (PS3.16 CID 240).
    pub present: Vec<(Code, Code)>,
    /// Sentences in any language: about the findings, what was not looked at, how far it may be trusted. A measurement group has no
    /// place for them.
    pub comments: Vec<String>,
    /// Who stands for it.
    pub verification: Option<Verification>,
}

const COMMENT: Code = Code::dcm("121106", "Comment");
const SOP_CLASS: &str = uids::COMPREHENSIVE3_DSR_STORAGE;

/// The report as a Part 10 file.
pub fn measurement_report(instance: &ResultInstance<'_>, report: &MeasurementReport) -> Result<Vec<u8>, WriteError> {
    let mut out = instance.modules(SOP_CLASS, "SR");
    let verified = report.verification.as_ref();
    out.set(tags::COMPLETION_FLAG, "COMPLETE")
        .set(tags::PRELIMINARY_FLAG, if verified.is_some() { "FINAL" } else { "PRELIMINARY" })
        .set(tags::VERIFICATION_FLAG, if verified.is_some() { "VERIFIED" } else { "UNVERIFIED" })
        .set_items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, Vec::new())
        .set_items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, Vec::new());
    if let Some(verification) = verified {
        out.set_items(tags::VERIFYING_OBSERVER_SEQUENCE, vec![observer(verification)]);
    }
    out.set_items(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, vec![evidence(instance.source, report)]);
    name_own_scheme(&mut out);
    root(instance, report).write_into(&mut out)?;
    instance.file(&out, SOP_CLASS, None)
}

fn observer(verification: &Verification) -> DataSet {
    let mut item = DataSet::new();
    let at = verification.at;
    item.set(tags::VERIFYING_OBSERVER_NAME, verification.observer.to_string())
        .set(tags::VERIFYING_ORGANIZATION, &verification.organization)
        .set(tags::VERIFICATION_DATE_TIME, format!("{}{}", date(at.date()), time_of_day(at.time())))
        .set_items(tags::VERIFYING_OBSERVER_IDENTIFICATION_CODE_SEQUENCE, Vec::new());
    item
}

/// Every instance that the tree refers to, once (PS3.3 C.17.2.3).
fn evidence(source: &Source, report: &MeasurementReport) -> DataSet {
    let series = |uid: &str, instances: Vec<DataSet>| {
        let mut item = DataSet::new();
        item.set(tags::SERIES_INSTANCE_UID, uid).set_items(tags::REFERENCED_SOP_SEQUENCE, instances);
        item
    };
    let images: BTreeMap<&str, DataSet> = source
        .slices
        .iter()
        .map(|slice| (slice.sop.as_str(), reference(slice.sop_class.as_str(), slice.sop.as_str(), None)))
        .collect();
    let mut all = vec![series(source.series.as_str(), images.into_values().collect())];
    if let Some((uid, sop)) = &report.segmentation {
        all.push(series(uid.as_str(), vec![reference(uids::SEGMENTATION_STORAGE, sop.as_str(), None)]));
    }
    let mut study = DataSet::new();
    study.set(tags::STUDY_INSTANCE_UID, source.study.as_str()).set_items(tags::REFERENCED_SERIES_SEQUENCE, all);
    study
}

fn root(instance: &ResultInstance<'_>, report: &MeasurementReport) -> Item {
    use Relationship::{Contains, Modifies};
    let language = Code { value: "en", scheme: "RFC5646", meaning: "English" };
    let procedure = Code { value: "25045-6", scheme: "LN", meaning: "CT unspecified body region" };
    let mut holds = vec![Item::new(
        Modifies,
        Code::dcm("121049", "Language of Content Item and Descendants"),
        Value::Code(language),
    )];
    holds.extend(device(instance, report));
    holds.push(Item::new(Modifies, Code::dcm("121058", "Procedure reported"), Value::Code(procedure)));
    holds.push(image_library(instance.source));
    if !report.groups.is_empty() {
        let groups = report.groups.iter().map(|group| measurement_group(instance.source, report, group));
        let all = Item::new(Contains, Code::dcm("126010", "Imaging Measurements"), Value::Container(None));
        holds.push(all.with(groups.collect::<Vec<_>>()));
    }
    let evaluations = Code { value: "C0034375", scheme: "UMLS", meaning: "Qualitative Evaluations" };
    let said = report.present.iter().map(|(what, whether)| Item::new(Contains, *what, Value::Code(*whether)));
    let parameters = format!("Algorithm parameters: {}", report.algorithm.parameters);
    let comments =
        report.comments.iter().chain([&parameters]).map(|text| Item::new(Contains, COMMENT, Value::Text(text.clone())));
    holds.push(Item::new(Contains, evaluations, Value::Container(None)).with(said.chain(comments).collect::<Vec<_>>()));
    Item::root(Code::dcm("126000", "Imaging Measurement Report"), "1500", holds)
}

/// PS3.16 TID 1001 and 1004.
fn device(instance: &ResultInstance<'_>, report: &MeasurementReport) -> [Item; 5] {
    use Relationship::Observes;
    let text = |code, meaning, text: &str| Item::new(Observes, Code::dcm(code, meaning), Value::Text(text.to_owned()));
    let kind = Value::Code(Code::dcm("121007", "Device"));
    let uid = Value::Uid(report.device.to_string());
    [
        Item::new(Observes, Code::dcm("121005", "Observer Type"), kind),
        Item::new(Observes, Code::dcm("121012", "Device Observer UID"), uid),
        text("121013", "Device Observer Name", "Hilum"),
        text("121014", "Device Observer Manufacturer", "Hilum"),
        text("121015", "Device Observer Model Name", &format!("Hilum urinary stone {}", instance.software_version)),
    ]
}

/// PS3.16 TID 1600: every slice that was read.
fn image_library(source: &Source) -> Item {
    use Relationship::{Acquired, Contains};
    let image = |slice: &SourceSlice| {
        Item::image(Value::Image {
            sop_class: slice.sop_class.to_string(),
            sop: slice.sop.clone(),
            frame: slice.frame,
            segment: None,
        })
    };
    let modality = match source.modality.as_str() {
        "MR" => Code::dcm("MR", "Magnetic Resonance"),
        _ => Code::dcm("CT", "Computed Tomography"),
    };
    let group = Item::new(Contains, Code::dcm("126200", "Image Library Group"), Value::Container(None))
        .with([Item::new(Acquired, Code::dcm("121139", "Modality"), Value::Code(modality))])
        .with(source.slices.iter().map(image).collect::<Vec<_>>());
    Item::new(Contains, Code::dcm("111028", "Image Library"), Value::Container(Some("1600"))).with([group])
}

/// PS3.16 TID 1411.
fn measurement_group(source: &Source, report: &MeasurementReport, group: &MeasurementGroup) -> Item {
    use Relationship::{Contains, Modifies, Observes};
    let identifier = Value::Text(group.tracking_id.clone());
    let tracking_uid = Value::Uid(group.tracking_uid.to_string());
    let mut holds = vec![
        Item::new(Observes, Code::dcm("112039", "Tracking Identifier"), identifier),
        Item::new(Observes, Code::dcm("112040", "Tracking Unique Identifier"), tracking_uid),
        Item::new(Contains, Code::dcm("121071", "Finding"), Value::Code(group.finding)),
    ];
    if let Some((_, sop)) = &report.segmentation {
        let segment = Value::Image {
            sop_class: uids::SEGMENTATION_STORAGE.to_owned(),
            sop: sop.clone(),
            frame: None,
            segment: Some(group.segment),
        };
        holds.push(Item::new(Contains, Code::dcm("121191", "Referenced Segment"), segment));
    }
    let series = Value::Uid(source.series.to_string());
    holds.push(Item::new(Contains, Code::dcm("121232", "Source series for segmentation"), series));
    if let Some(Site { region, side, part }) = group.site {
        let side = side.map(|side| Item::new(Modifies, Code::sct("272741003", "Laterality"), Value::Code(side)));
        let topography = Code::sct("106233006", "Topographical modifier");
        let part = part.map(|part| Item::new(Modifies, topography, Value::Code(part)));
        let site = Item::new(Modifies, Code::sct("363698007", "Finding Site"), Value::Code(region));
        holds.push(site.with(side.into_iter().chain(part)));
    }
    holds.extend(group.measurements.iter().map(|measured| measurement(measured, &report.algorithm)));
    Item::new(Contains, Code::dcm("125007", "Measurement Group"), Value::Container(Some("1411"))).with(holds)
}

/// PS3.16 TID 1419 with TID 4019.
fn measurement(measurement: &Measurement, algorithm: &Algorithm) -> Item {
    let derivation = |code| Item::new(Relationship::Modifies, Code::dcm("121401", "Derivation"), Value::Code(code));
    let value = Value::Number(measurement.value, measurement.unit);
    let text = |code, text: &str| Item::new(Relationship::Modifies, code, Value::Text(text.to_owned()));
    Item::new(Relationship::Contains, measurement.concept, value).with(measurement.derivation.map(derivation)).with([
        text(Code::dcm("111001", "Algorithm Name"), &algorithm.name),
        text(Code::dcm("111003", "Algorithm Version"), &algorithm.version),
    ])
}

impl Measurement {
    /// A length, a volume or whatever has a unit of its own.
    pub fn new(concept: Code, value: f64, unit: Code) -> Self {
        Self { concept, derivation: None, value, unit }
    }

    /// A statistic of the densities of a finding, in HU.
    pub fn attenuation(derivation: Code, hu: f64) -> Self {
        Self { concept: code::ATTENUATION, derivation: Some(derivation), value: hu, unit: code::HOUNSFIELD }
    }
}
