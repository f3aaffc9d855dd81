//! Orders (ORM^O01, OMI^O23, OMG^O19) as items of the modality worklist, by the mapping of IHE Scheduled Workflow (RAD TF-2, Appendix B).

use super::told::time;
use super::{Message, Refused, Repetition, Segment};
use chrono::FixedOffset;
use dicom_core::Tag;
use hilum_dicom::{DataSet, StudyUid};
use sha2::{Digest as _, Sha256};

/// An order, and whether it still stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ImagingOrder {
    /// The item of the worklist.
    pub item: DataSet,
    /// It was cancelled or discontinued.
    pub cancelled: bool,
    /// Of an order that is not new: the same item by each other number that was its accession number where an earlier message had no
    /// better one.
    pub former: Vec<DataSet>,
}

const ACCESSION_NUMBER: Tag = Tag(0x0008, 0x0050);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const REFERRING_PHYSICIAN: Tag = Tag(0x0008, 0x0090);
const CODE_VALUE: Tag = Tag(0x0008, 0x0100);
const CODING_SCHEME: Tag = Tag(0x0008, 0x0102);
const CODE_MEANING: Tag = Tag(0x0008, 0x0104);
const PATIENT_NAME: Tag = Tag(0x0010, 0x0010);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const ISSUER_OF_PATIENT_ID: Tag = Tag(0x0010, 0x0021);
const PATIENT_BIRTH_DATE: Tag = Tag(0x0010, 0x0030);
const PATIENT_SEX: Tag = Tag(0x0010, 0x0040);
const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);
const REQUESTED_PROCEDURE_DESCRIPTION: Tag = Tag(0x0032, 0x1060);
const REQUESTED_PROCEDURE_CODES: Tag = Tag(0x0032, 0x1064);
const STATION_AE_TITLE: Tag = Tag(0x0040, 0x0001);
const STEP_START_DATE: Tag = Tag(0x0040, 0x0002);
const STEP_START_TIME: Tag = Tag(0x0040, 0x0003);
const STEP_DESCRIPTION: Tag = Tag(0x0040, 0x0007);
const STEP_ID: Tag = Tag(0x0040, 0x0009);
const STEPS: Tag = Tag(0x0040, 0x0100);
const REQUESTED_PROCEDURE_ID: Tag = Tag(0x0040, 0x1001);
const PLACER_ORDER_NUMBER: Tag = Tag(0x0040, 0x2016);
const FILLER_ORDER_NUMBER: Tag = Tag(0x0040, 0x2017);

/// Orders of a message; none where it is no order. An order control that neither orders, changes nor cancels (ORC-1, HL7 table 0119) says
/// nothing of the worklist.
pub fn orders(message: &Message, zone: FixedOffset) -> Result<Vec<ImagingOrder>, Refused> {
    if !matches!(message.kind(), ("ORM", "O01") | ("OMI", "O23") | ("OMG", "O19")) {
        return Ok(Vec::new());
    }
    let pid = message.segment("PID").ok_or(Refused::RequiredFieldMissing)?;
    let mut orders = Vec::new();
    let mut common: Option<&Segment> = None;
    let segments = message.segments();
    for (index, segment) in segments.iter().enumerate() {
        match segment.name() {
            "ORC" => common = Some(segment),
            "OBR" => {
                let orc = common.ok_or(Refused::RequiredFieldMissing)?;
                let (cancelled, new) = match orc.text(1) {
                    "NW" | "" => (false, true),
                    "XO" | "SN" | "SC" | "RE" => (false, false),
                    "CA" | "OC" | "DC" | "OD" | "CR" => (true, false),
                    _ => continue,
                };
                // What belongs to this request stands before the next one.
                let rest = &segments[index + 1..];
                let own =
                    &rest[..rest.iter().position(|one| matches!(one.name(), "OBR" | "ORC")).unwrap_or(rest.len())];
                let of = |name: &str| own.iter().find(|one| one.name() == name);
                let parts = Parts { pid, orc, obr: segment, ipc: of("IPC"), zds: of("ZDS") };
                let item = parts.item(zone, cancelled)?;
                let former = if new { Vec::new() } else { parts.former(&item) };
                orders.push(ImagingOrder { item, cancelled, former });
            }
            _ => {}
        }
    }
    Ok(orders)
}

struct Parts<'a> {
    pid: &'a Segment,
    orc: &'a Segment,
    obr: &'a Segment,
    /// Imaging procedure control, of OMI.
    ipc: Option<&'a Segment>,
    /// IHE's segment with the UID of the study.
    zds: Option<&'a Segment>,
}

impl Parts<'_> {
    fn placer(&self) -> &str {
        first([self.orc.text(2), self.obr.text(2)])
    }

    fn filler(&self) -> &str {
        first([self.orc.text(3), self.obr.text(3)])
    }

    /// What may be the accession number, the best first; empty where it is not given.
    fn accessions(&self) -> [&str; 4] {
        [self.ipc.map_or("", |ipc| ipc.text(1)), self.obr.text(18), self.filler(), self.placer()]
    }

    /// An item by each of these numbers but its own.
    fn former(&self, item: &DataSet) -> Vec<DataSet> {
        let mut former: Vec<DataSet> = Vec::new();
        for number in self.accessions().map(|number| cut(number, 16)) {
            let by = |one: &DataSet| one.text(ACCESSION_NUMBER) == Some(number.as_str());
            if !number.is_empty() && !by(item) && !former.iter().any(by) {
                let mut other = item.clone();
                other.set(ACCESSION_NUMBER, number);
                former.push(other);
            }
        }
        former
    }

    /// Of an order that is cancelled its numbers suffice.
    fn item(&self, zone: FixedOffset, cancelled: bool) -> Result<DataSet, Refused> {
        let ipc = |field: usize| self.ipc.map_or("", |ipc| ipc.text(field));
        let (placer, filler) = (self.placer(), self.filler());
        let patient = self.pid.field(3);
        let id = patient.component(1).trim();
        if id.is_empty() || first([placer, filler]).is_empty() {
            return Err(Refused::RequiredFieldMissing);
        }
        let service = self.obr.field(4);
        let description = first([service.component(2), service.component(5), service.component(1)]);
        let mut item = DataSet::new();
        let mut set = |tag: Tag, text: &str, longest: usize| {
            let text: String = text.trim().chars().filter(|c| !c.is_control() && *c != '\\').take(longest).collect();
            if !text.is_empty() {
                item.set(tag, text);
            }
        };
        set(ACCESSION_NUMBER, first(self.accessions()), 16);
        set(REFERRING_PHYSICIAN, &person(first_of([self.obr.field(16), self.orc.field(12)]), 2), 64);
        set(PATIENT_NAME, &names(self.pid), 200);
        set(PATIENT_ID, id, 64);
        set(ISSUER_OF_PATIENT_ID, patient.component(4), 64);
        set(
            PATIENT_BIRTH_DATE,
            &time(self.pid.text(7), zone).map(|at| at.format("%Y%m%d").to_string()).unwrap_or_default(),
            8,
        );
        set(PATIENT_SEX, if matches!(self.pid.text(8), "F" | "M" | "O") { self.pid.text(8) } else { "" }, 1);
        set(REQUESTED_PROCEDURE_DESCRIPTION, description, 64);
        set(REQUESTED_PROCEDURE_ID, first([ipc(2), self.obr.text(19), placer, filler]), 16);
        set(PLACER_ORDER_NUMBER, placer, 64);
        set(FILLER_ORDER_NUMBER, filler, 64);
        item.set(STUDY_INSTANCE_UID, self.study(placer, filler, id));
        if !service.component(1).is_empty() && !service.component(3).is_empty() {
            let mut code = DataSet::new();
            code.set(CODE_VALUE, cut(service.component(1), 16))
                .set(CODING_SCHEME, cut(service.component(3), 16))
                .set(CODE_MEANING, cut(description, 64));
            item.set_items(REQUESTED_PROCEDURE_CODES, vec![code]);
        }
        let mut step = if cancelled { DataSet::new() } else { self.step(zone, description)? };
        step.set(STEP_ID, cut(first([ipc(4), self.obr.text(20), "1"]), 16));
        item.set_items(STEPS, vec![step]);
        Ok(item)
    }

    fn step(&self, zone: FixedOffset, description: &str) -> Result<DataSet, Refused> {
        let ipc = |field: usize| self.ipc.map_or("", |ipc| ipc.text(field));
        let modality = first([ipc(5), self.obr.text(24)]);
        let coded = modality.len() <= 16 && modality.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if modality.is_empty() || !coded {
            // Without one no scanner finds it.
            return Err(Refused::RequiredFieldMissing);
        }
        let start =
            [self.obr.text(36), self.orc.field(7).component(4), self.obr.field(27).component(4), self.orc.text(9)];
        let start = start.into_iter().find_map(|text| time(text, zone)).ok_or(Refused::RequiredFieldMissing)?;
        let start = start.with_timezone(&zone);
        let mut step = DataSet::new();
        step.set(MODALITY, modality)
            .set(STEP_START_DATE, start.format("%Y%m%d").to_string())
            .set(STEP_START_TIME, start.format("%H%M%S").to_string());
        if !description.is_empty() {
            step.set(STEP_DESCRIPTION, cut(description, 64));
        }
        let station = ipc(9);
        let is_title =
            (1..=16).contains(&station.len()) && station.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'\\');
        if is_title {
            step.set(STATION_AE_TITLE, station);
        }
        Ok(step)
    }

    /// The UID that the ordering system gave, or one that follows from its numbers, so that the same order has the same.
    fn study(&self, placer: &str, filler: &str, patient: &str) -> String {
        let given = [self.ipc.map_or("", |ipc| ipc.text(3)), self.zds.map_or("", |zds| zds.text(1))];
        if let Some(uid) = given.into_iter().find_map(|text| text.parse::<StudyUid>().ok()) {
            return uid.to_string();
        }
        let digest = Sha256::digest([placer, filler, patient].join("\u{1f}"));
        let mut bits = [0; 16];
        bits.copy_from_slice(&digest[..16]);
        StudyUid::from_u128(u128::from_be_bytes(bits)).to_string()
    }
}

fn first<const N: usize>(texts: [&str; N]) -> &str {
    texts.into_iter().map(str::trim).find(|text| !text.is_empty()).unwrap_or_default()
}

fn first_of(fields: [&Repetition; 2]) -> &Repetition {
    let [own, other] = fields;
    if own.component(2).is_empty() { other } else { own }
}

fn cut(text: &str, longest: usize) -> String {
    text.trim().chars().filter(|c| !c.is_control() && *c != '\\').take(longest).collect()
}

/// A component group of DICOM's name from components of XPN or XCN, family first.
fn person(name: &Repetition, start: usize) -> String {
    let part = |index: usize| name.component(index).replace(['^', '=', '\\'], " ").trim().to_owned();
    let parts = [part(start), part(start + 1), part(start + 2)];
    parts.join("^").trim_end_matches('^').to_owned()
}

/// The patient's name in DICOM's groups by the representation codes of its repetitions (HL7 table 0465).
fn names(pid: &Segment) -> String {
    let mut groups = [String::new(), String::new(), String::new()];
    for name in pid.repetitions(5) {
        let group = match name.component(8) {
            "I" => 1,
            "P" => 2,
            _ => 0,
        };
        if groups[group].is_empty() {
            groups[group] = person(name, 1);
        }
    }
    groups.join("=").trim_end_matches('=').to_owned()
}
