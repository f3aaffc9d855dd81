//! The objects of one report, made of its folder and of the series that was read.

use super::{ResultKind, codes, identity, mask, source};
use crate::access::Scope;
use crate::archive::aside;
use crate::catalog::DueResults;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reading::files::{JSON_FILE, PDF_EN_FILE, PDF_KO_FILE, key_image_file};
use crate::report::{Plane, UrinaryStoneReport};
use crate::storage::Storage;
use bytes::Bytes;
use chrono::{DateTime, Datelike, Local, Timelike};
use hilum_clinical::message::place;
use hilum_clinical::report::{AddedStone, StonePresent};
use hilum_clinical::urinary_stone::Stone;
use hilum_clinical::{Label, Language};
use hilum_dicom::write::WriteError;
use hilum_dicom::write::result::{
    Algorithm, ContributingAlgorithm, MeasurementGroup, MeasurementReport, Picture, ResultInstance, Segment, Source,
    Verification, code, encapsulated_pdf, measurement_report, secondary_capture, segmentation,
};
use hilum_dicom::{PersonName, SopUid};
use std::collections::BTreeMap;
use std::sync::Arc;
use time::{Date, Month, PrimitiveDateTime, Time};

/// What it is for, in every object.
const PURPOSE: &str = "For research and decision support";
/// Series numbers of results, high above those of scanners.
const FIRST_SERIES_NUMBER: u32 = 9001;

/// A report with what its objects are made of.
#[derive(Clone)]
pub(crate) struct Objects {
    inner: Arc<Inner>,
}

struct Inner {
    due: DueResults,
    storage: Arc<Storage>,
    report: UrinaryStoneReport,
    source: Source,
    made_at: PrimitiveDateTime,
    /// The stones that have voxels, in the report's order, as segments.
    segments: Vec<Segment>,
}

impl Objects {
    /// `None` where the report assessed nothing, or its series has changed since.
    pub(crate) async fn of(engine: &Engine, scope: &Scope, due: &DueResults) -> Result<Option<Self>, EngineError> {
        let (storage, folder) = (engine.storage().clone(), due.folder.clone());
        let read = aside("reading a report", move || {
            Ok((storage.read_file_of(&folder, JSON_FILE)?, storage.read_file_of(&folder, mask::MASK_FILE)?))
        });
        let (Some(json), mask) = read.await? else { return Ok(None) };
        let report: UrinaryStoneReport = serde_json::from_slice(&json)
            // What the parser says would quote the document.
            .map_err(|_| EngineError::Internal("a report that is kept cannot be read".to_owned()))?;
        if report.result.stone_present == StonePresent::NotAssessed {
            return Ok(None);
        }
        let report = as_judged(report);
        let input = report.provenance.input_hash.clone();
        let Some(source) = source::of(engine, scope, due, input.as_deref()).await? else { return Ok(None) };
        let voxels = mask.map(|file| mask::read(&file)).transpose()?.unwrap_or_default();
        let made_at = local_time(&report.created_at)?;
        let segments = segments(due, &report, voxels);
        let storage = engine.storage().clone();
        let inner = Inner { due: due.clone(), storage, report, source, made_at, segments };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    /// The objects of a kind by their UIDs. Key images are counted by stones: one without a picture is made of nothing.
    pub(crate) fn uids_of(&self, kind: ResultKind) -> Vec<SopUid> {
        let count = match kind {
            ResultKind::Seg => u32::from(!self.inner.segments.is_empty()),
            ResultKind::Sr => 1,
            ResultKind::Pdf => 2,
            ResultKind::Sc => {
                let stones = self.inner.report.stones.iter();
                let numbers = stones.flat_map(|stone| Plane::ALL.map(|plane| picture_number(stone, plane)));
                return numbers.map(|number| identity::sop(&self.inner.due, kind, number)).collect();
            }
        };
        (1..=count).map(|number| identity::sop(&self.inner.due, kind, number)).collect()
    }

    /// The first object of a kind, by its UID.
    pub(crate) fn first_of(&self, kind: ResultKind) -> Option<SopUid> {
        self.uids_of(kind).into_iter().next()
    }

    /// The objects of a kind.
    pub(crate) async fn make(&self, kind: ResultKind) -> Result<Vec<(SopUid, Bytes)>, EngineError> {
        let this = Arc::clone(&self.inner);
        aside("making results", move || this.make(kind)).await
    }
}

impl Inner {
    fn make(&self, kind: ResultKind) -> Result<Vec<(SopUid, Bytes)>, EngineError> {
        match kind {
            ResultKind::Seg if self.segments.is_empty() => Ok(Vec::new()),
            ResultKind::Seg => {
                let instance = self.instance(kind, 1, "Urinary stones");
                let file = segmentation(&instance, &self.algorithm(), &self.segments, &self.said_of(PURPOSE, 64));
                Ok(vec![done(instance, file)?])
            }
            ResultKind::Sr => {
                let instance = self.instance(kind, 1, "Urinary stone measurements");
                let file = measurement_report(&instance, &self.measurements());
                Ok(vec![done(instance, file)?])
            }
            ResultKind::Pdf => {
                let mut pages = Vec::new();
                for (number, name, language) in
                    [(1, PDF_KO_FILE, Language::Korean), (2, PDF_EN_FILE, Language::English)]
                {
                    let Some(pdf) = self.storage.read_file_of(&self.due.folder, name)? else { continue };
                    let instance = self.instance(kind, number, "Urinary stone report");
                    let file = encapsulated_pdf(&instance, Label::Title.text(language), pdf.to_vec());
                    pages.push(done(instance, file)?);
                }
                Ok(pages)
            }
            ResultKind::Sc => {
                let mut pictures = Vec::new();
                for (stone, plane) in self.report.stones.iter().flat_map(|stone| Plane::ALL.map(|plane| (stone, plane)))
                {
                    let file = key_image_file(stone.number.saturating_sub(1) as usize, plane);
                    let Some(png) = self.storage.read_file_of(&self.due.folder, &file)? else { continue };
                    let instance = self.instance(kind, picture_number(stone, plane), "Urinary stone key images");
                    let comments = format!("{}. {}", self.said_of(PURPOSE, 1000), sentence(stone, Language::English));
                    let slices = &stone.slices;
                    let shown: Vec<usize> = match plane {
                        Plane::Axial => vec![slices.key as usize],
                        Plane::Coronal | Plane::Sagittal => (slices.first as usize..=slices.last as usize).collect(),
                    };
                    let synthetic = self.report.study.synthetic;
                    let file = secondary_capture(&instance, picture(&png)?, &shown, &comments, synthetic);
                    pictures.push(done(instance, file)?);
                }
                Ok(pictures)
            }
        }
    }

    fn instance(&self, kind: ResultKind, number: u32, description: &str) -> ResultInstance<'_> {
        ResultInstance {
            source: &self.source,
            series: identity::series(&self.due, kind),
            series_number: FIRST_SERIES_NUMBER + kind as u32,
            series_description: self.said_of(description, 64),
            sop: identity::sop(&self.due, kind, number),
            instance_number: number,
            made_at: self.made_at,
            software_version: self.report.provenance.software_version.clone(),
            algorithm: self.contributor(),
            contribution: format!("Urinary-stone reading by a network. {}.", self.said_of(PURPOSE, 900)),
        }
    }

    /// With the word that a study of no patient gets.
    fn said_of(&self, text: &str, most: usize) -> String {
        let word = if self.report.study.synthetic { " (synthetic)" } else { "" };
        let text: String = text.chars().take(most.saturating_sub(word.len())).collect();
        format!("{text}{word}")
    }

    /// The model as a device: the same as long as it says the same.
    fn contributor(&self) -> ContributingAlgorithm {
        let provenance = &self.report.provenance;
        let model = provenance.model.as_ref();
        let hash = model.map_or("", |model| model.hash.as_str());
        ContributingAlgorithm {
            name: model.map_or("not stated", |model| model.name.as_str()).to_owned(),
            version: if hash.is_empty() { "not stated".to_owned() } else { hash.to_owned() },
            device: identity::device(&self.due, &provenance.software_version, hash),
        }
    }

    fn algorithm(&self) -> Algorithm {
        let provenance = &self.report.provenance;
        let model = provenance.model.as_ref();
        let text = |value: Option<&str>| value.unwrap_or("not stated").to_owned();
        let threshold = self.report.result.score_threshold.map(|value| value.to_string());
        Algorithm {
            name: text(model.map(|model| model.name.as_str())),
            version: text(model.map(|model| model.hash.as_str())),
            parameters: format!(
                "score threshold {}; plan sha256 {}; input sha256 {}; {} {}",
                text(threshold.as_deref()),
                text(model.map(|model| model.plan_hash.as_str())),
                text(provenance.input_hash.as_deref()),
                provenance.engine,
                provenance.precision,
            ),
        }
    }

    /// Who signed the report, where somebody has. A name with the delimiters of PN is written without them.
    fn verification(&self) -> Option<Verification> {
        let signature = self.report.signature.as_ref()?;
        let name: String = signature.by.chars().filter(|c| !matches!(c, '^' | '=' | '\\')).take(64).collect();
        Some(Verification {
            observer: PersonName::from_groups(&name),
            organization: self.due.institution.as_str().to_owned(),
            at: local_time(&signature.at).ok()?,
        })
    }

    fn measurements(&self) -> MeasurementReport {
        let report = &self.report;
        let number_of = |stone: &Stone| self.segments.iter().position(|segment| segment.tracking_id == name(stone));
        let group = |stone: &Stone| {
            let segment = number_of(stone)?;
            Some(MeasurementGroup {
                tracking_id: name(stone),
                tracking_uid: self.segments[segment].tracking_uid.clone(),
                finding: code::CALCULUS,
                site: codes::site(stone),
                segment: u16::try_from(segment + 1).ok()?,
                measurements: codes::measurements(stone),
            })
        };
        let present = if report.result.stone_present == StonePresent::Yes { code::PRESENT } else { code::ABSENT };
        let both = |stone: &Stone| [Language::English, Language::Korean].map(|language| sentence(stone, language));
        let statements = report.disclaimers.iter().chain(&report.coverage.not_looked_at);
        let software = &report.provenance.software_version;
        let model = report.provenance.model.as_ref().map_or("", |model| model.hash.as_str());
        let (kind, due) = (ResultKind::Seg, &self.due);
        MeasurementReport {
            device: identity::device(due, software, model),
            algorithm: self.algorithm(),
            segmentation: (!self.segments.is_empty())
                .then(|| (identity::series(due, kind), identity::sop(due, kind, 1))),
            groups: report.stones.iter().filter_map(group).collect(),
            present: vec![(code::CALCULUS, present)],
            comments: report
                .stones
                .iter()
                .flat_map(both)
                .chain(report.review.iter().flat_map(|review| review.added.iter().map(added)))
                .chain([format!("{}.", self.said_of(PURPOSE, 900))])
                .chain(statements.flat_map(|statement| [statement.en.clone(), statement.ko.clone()]))
                .collect(),
            verification: self.verification(),
        }
    }
}

/// Instance Number of a key image.
fn picture_number(stone: &Stone, plane: Plane) -> u32 {
    Plane::ALL.len() as u32 * stone.number.saturating_sub(1) + plane as u32 + 1
}

/// The report as its physician has left it: without what is no stone, with what was stated otherwise.
fn as_judged(mut report: UrinaryStoneReport) -> UrinaryStoneReport {
    let stones = report.stones_as_judged();
    let Some(review) = &report.review else { return report };
    report.stones = stones;
    report.result.stone_present = if review.stone_count > 0 { StonePresent::Yes } else { StonePresent::No };
    report
}

/// What a physician has seen besides, in a sentence: it has no voxels and no measurements of ours.
fn added(stone: &AddedStone) -> String {
    let side = stone.stated.side.map_or("", |side| Label::from(side).text(Language::English));
    let size = stone.stated.largest_diameter_mm.map(|mm| format!(", {mm:.1} mm")).unwrap_or_default();
    format!("Stone {}, added by the physician: {side}{size}", stone.number)
}

/// A stone's tracking identifier, and what its segment is found by.
fn name(stone: &Stone) -> String {
    format!("stone {}", stone.number)
}

fn segments(due: &DueResults, report: &UrinaryStoneReport, mut voxels: BTreeMap<u32, Vec<[u32; 3]>>) -> Vec<Segment> {
    let series = report.study.series.as_ref().map_or("", |series| series.series_uid.as_str());
    let segment = |stone: &Stone| {
        let voxels = voxels.remove(&stone.number).filter(|voxels| !voxels.is_empty())?;
        Some(Segment {
            label: sentence(stone, Language::English).chars().take(64).collect(),
            description: sentence(stone, Language::Korean),
            category: code::MORPHOLOGICALLY_ABNORMAL,
            kind: code::CALCULUS,
            site: codes::site(stone),
            tracking_id: name(stone),
            tracking_uid: identity::tracking(due, series, stone),
            voxels,
        })
    };
    report.stones.iter().filter_map(segment).collect()
}

/// A stone in a few words: number, side, part of the tract, size.
fn sentence(stone: &Stone, language: Language) -> String {
    let size = stone.largest_diameter_mm.map(|mm| format!(", {mm:.1} mm")).unwrap_or_default();
    let what = match language {
        Language::English => "Stone",
        Language::Korean => "결석",
    };
    format!("{what} {}: {}{size}", stone.number, place(stone, language))
}

fn done(instance: ResultInstance<'_>, file: Result<Vec<u8>, WriteError>) -> Result<(SopUid, Bytes), EngineError> {
    let file = file.map_err(|error| EngineError::Internal(format!("a result could not be written: {error}")))?;
    Ok((instance.sop, file.into()))
}

/// When the report was made, by the clock of this place: DICOM's times are local where nothing else is said.
fn local_time(rfc3339: &str) -> Result<PrimitiveDateTime, EngineError> {
    let unreadable = || EngineError::Internal("the time of a report that is kept cannot be read".to_owned());
    let at = DateTime::parse_from_rfc3339(rfc3339).map_err(|_| unreadable())?.with_timezone(&Local);
    let month = Month::try_from(at.month() as u8).map_err(|_| unreadable())?;
    let date = Date::from_calendar_date(at.year(), month, at.day() as u8).map_err(|_| unreadable())?;
    let time = Time::from_hms(at.hour() as u8, at.minute() as u8, at.second() as u8).map_err(|_| unreadable())?;
    Ok(PrimitiveDateTime::new(date, time))
}

/// A key image as it is kept, decoded.
fn picture(png: &[u8]) -> Result<Picture, EngineError> {
    let unreadable = || EngineError::Internal("a key image that is kept cannot be read".to_owned());
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().map_err(|_| unreadable())?;
    let mut rgb = vec![0; reader.output_buffer_size().ok_or_else(unreadable)?];
    let info = reader.next_frame(&mut rgb).map_err(|_| unreadable())?;
    if (info.color_type, info.bit_depth) != (png::ColorType::Rgb, png::BitDepth::Eight) {
        return Err(unreadable());
    }
    rgb.truncate(info.buffer_size());
    let size = |pixels: u32| u16::try_from(pixels).map_err(|_| unreadable());
    Ok(Picture { rows: size(info.height)?, columns: size(info.width)?, rgb })
}
