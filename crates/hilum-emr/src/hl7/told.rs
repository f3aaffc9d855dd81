//! What messages tell of a patient: ADT (2.5.1, 3.3), ORU^R01 (7.3.1) and orders (4.4.1).

use super::{Message, Refused, Repetition, Segment};
use crate::facts::{
    About, Fact, ICD_10, LOINC, LabValue, PatientId, Told, Withdrawn, bounded, of_diagnosis, of_result, plain_icd,
    presence,
};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};
use std::collections::BTreeMap;

/// What is known of a sender, that its messages do not say.
#[derive(Clone, Debug)]
pub struct Sender<'a> {
    /// Its own codes of laboratory results, with what they are in LOINC.
    pub codes: &'a BTreeMap<String, String>,
    /// Zone of times without one.
    pub zone: FixedOffset,
}

/// Most patients have two or three numbers.
const MOST_IDS: usize = 8;
/// Numbers of one patient that a message merges; most merge one.
const MOST_MERGES: usize = 8;
/// PS3.5 6.2: LO.
const LONGEST_ID: usize = 64;

/// Events of ADT whose diagnoses are read; others are taken and say nothing that is kept.
const READ: [&str; 9] = ["A01", "A02", "A03", "A04", "A05", "A08", "A28", "A31", "A40"];

/// Reads a message of a sender. What it says of a patient that is not asked for is passed over.
pub fn told(message: &Message, sender: &Sender<'_>) -> Result<Told, Refused> {
    let header = message.header();
    // HL7 table 0103: training and debugging data are of no patient.
    if !matches!(header.text(11), "" | "P") {
        return Err(Refused::UnsupportedProcessingId);
    }
    let kind = message.kind();
    let reads = match kind {
        ("ADT", event) => READ.contains(&event),
        ("ORU", "R01") | ("ORM", "O01") | ("OMI", "O23") | ("OMG", "O19") => true,
        ("ORU" | "ORM" | "OMI" | "OMG", _) => return Err(Refused::UnsupportedEvent),
        _ => return Err(Refused::UnsupportedMessage),
    };
    let pid = message.segment("PID").ok_or(Refused::RequiredFieldMissing)?;
    let patient = ids(pid, 3);
    if patient.is_empty() {
        return Err(Refused::RequiredFieldMissing);
    }
    let mut told = Told { patient, merged: Vec::new(), facts: Vec::new(), withdrawn: Vec::new() };
    if !reads {
        return Ok(told);
    }
    let named = |name: &'static str| message.segments().iter().filter(move |segment| segment.name() == name);
    // What follows belongs to the patient before it, and is taken for one patient's here: of several nothing is.
    if named("PID").any(|other| ids(other, 3) != told.patient) {
        return Err(Refused::DataType);
    }
    if kind == ("ADT", "A40") {
        // Each of its groups is a merge of its own.
        let merges: Vec<&Segment> = named("MRG").collect();
        if merges.is_empty() {
            return Err(Refused::RequiredFieldMissing);
        }
        if merges.len() > MOST_MERGES {
            return Err(Refused::DataType);
        }
        told.merged = merges.into_iter().flat_map(|prior| ids(prior, 1)).collect();
    }
    let sent = time(header.text(7), sender.zone).ok_or(Refused::DataType)?;
    let about =
        About { born: time(pid.text(7), sender.zone).map(|at| at.date_naive()), female: female(pid.text(8)), on: None };
    let mut requested = sent;
    for segment in message.segments() {
        match segment.name() {
            "DG1" => diagnosis(segment, sent, sender, &mut told),
            "OBR" => requested = time(segment.text(7), sender.zone).unwrap_or(sent),
            "OBX" => result(segment, requested, sender, about, &mut told),
            _ => {}
        }
    }
    Ok(told)
}

/// Numbers of the hospital: not those of states, insurances and licences.
fn ids(segment: &Segment, field: usize) -> Vec<PatientId> {
    let own = |repetition: &&Repetition| matches!(repetition.component(5), "" | "PI" | "MR" | "PT" | "PN" | "AN");
    let usable =
        |id: &PatientId| !id.id.is_empty() && id.id.len() <= LONGEST_ID && !id.id.chars().any(char::is_control);
    let read = |repetition: &Repetition| PatientId {
        issuer: repetition.component(4).trim().chars().take(LONGEST_ID).collect(),
        id: repetition.component(1).trim().to_owned(),
    };
    let own = segment.repetitions(field).iter().filter(own);
    let mut ids: Vec<PatientId> = Vec::new();
    for id in own.map(read).filter(usable) {
        if !ids.contains(&id) && ids.len() < MOST_IDS {
            ids.push(id);
        }
    }
    ids
}

fn female(sex: &str) -> Option<bool> {
    match sex {
        "F" => Some(true),
        "M" => Some(false),
        _ => None,
    }
}

fn diagnosis(dg1: &Segment, sent: DateTime<FixedOffset>, sender: &Sender<'_>, told: &mut Told) {
    let coded = dg1.field(3);
    let system = coded.component(3).to_ascii_uppercase();
    let is_icd = system.is_empty()
        || system.contains("I10")
        || system.contains("ICD10")
        || system.contains("ICD-10")
        || system.contains("KCD");
    let Some(code) = plain_icd(coded.component(1)).filter(|_| is_icd) else { return };
    let said = of_diagnosis(&code);
    if said.is_empty() {
        return;
    }
    let said_at = [5, 19].into_iter().find_map(|field| time(dg1.text(field), sender.zone));
    // DG1-21, HL7 table 0206.
    if dg1.text(21) == "D" {
        return told.withdrawn.push(Withdrawn { system: ICD_10, code, observed_at: said_at });
    }
    told.facts.extend(said.into_iter().map(|(input, holds)| Fact {
        input,
        holds,
        system: ICD_10,
        code: code.clone(),
        observed_at: said_at.unwrap_or(sent),
        dated: said_at.is_some(),
    }));
}

fn result(obx: &Segment, requested: DateTime<FixedOffset>, sender: &Sender<'_>, about: About, told: &mut Told) {
    let Some(code) = loinc(obx.field(3), sender.codes) else { return };
    let observed_at = time(obx.text(14), sender.zone).unwrap_or(requested);
    match obx.text(11) {
        // HL7 table 0085: deleted, wrong, not obtainable.
        "D" | "W" | "X" => told.withdrawn.push(Withdrawn { system: LOINC, code, observed_at: Some(observed_at) }),
        "" | "F" | "C" | "P" | "R" | "U" => {
            let about = About { on: Some(observed_at.date_naive()), ..about };
            if let Some((input, holds)) = of_result(&code, &value(obx), about) {
                told.facts.push(Fact { input, holds, system: LOINC, code, observed_at, dated: true });
            } else {
                // A corrected result may say nothing any more.
                told.withdrawn.push(Withdrawn { system: LOINC, code, observed_at: Some(observed_at) });
            }
        }
        _ => {}
    }
}

/// The code in LOINC: its own, or what the sender's stands for.
fn loinc(coded: &Repetition, codes: &BTreeMap<String, String>) -> Option<String> {
    let read = |start: usize| {
        let (code, system) = (coded.component(start), coded.component(start + 2));
        let loinc = if system == LOINC { Some(code) } else { codes.get(code).map(String::as_str) };
        loinc.filter(|code| crate::facts::RESULTS.iter().any(|(known, _)| known == code)).map(str::to_owned)
    };
    read(1).or_else(|| read(4))
}

fn value(obx: &Segment) -> LabValue {
    let first = obx.field(5);
    // SN: comparator, number. A text has its sign before it.
    let (sign, digits, text) = match obx.text(2) {
        "NM" => ("", first.component(1), ""),
        "SN" => (first.component(1), first.component(2), ""),
        _ => {
            let text = first.component(1).trim();
            let digits = text.trim_start_matches(['<', '>', '=']);
            (&text[..text.len() - digits.len()], digits, text)
        }
    };
    let (number, bound) = bounded(sign, digits.trim().parse().ok());
    let words = [text, first.component(2)];
    let flags = obx.repetitions(8).iter().map(|flag| flag.component(1));
    let flagged = flags.into_iter().find_map(|flag| match flag {
        "POS" | "A" | "AA" | "DET" => Some(true),
        "NEG" | "N" | "ND" => Some(false),
        _ => None,
    });
    LabValue { number, bound, unit: obx.text(6).to_owned(), present: words.into_iter().find_map(presence).or(flagged) }
}

/// A time of HL7 (2.A.77): `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]`, at least to the day.
pub(crate) fn time(text: &str, zone: FixedOffset) -> Option<DateTime<FixedOffset>> {
    let text = text.trim();
    let (digits, offset) = match text.find(['+', '-']) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    };
    let digits = digits.split('.').next().unwrap_or_default();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.len() < 8 {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits.get(range).and_then(|text| text.parse::<u32>().ok());
    let date = NaiveDate::from_ymd_opt(digits[..4].parse().ok()?, part(4..6)?, part(6..8)?)?;
    let time = NaiveTime::from_hms_opt(part(8..10).unwrap_or(0), part(10..12).unwrap_or(0), part(12..14).unwrap_or(0))?;
    let zone = match offset {
        None => zone,
        Some(offset) => {
            let (sign, digits) = (if offset.starts_with('-') { -1 } else { 1 }, &offset[1..]);
            if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let (hours, minutes): (i32, i32) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
            FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))?
        }
    };
    zone.from_local_datetime(&NaiveDateTime::new(date, time)).single()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_precisely_as_they_are_written() {
        let seoul = FixedOffset::east_opt(9 * 3600).unwrap();
        for (text, expected) in [
            ("20261126", Some("2026-11-26T00:00:00+09:00")),
            ("202611261905", Some("2026-11-26T19:05:00+09:00")),
            ("20261126190507.123", Some("2026-11-26T19:05:07+09:00")),
            ("20261126190507+0000", Some("2026-11-26T19:05:07+00:00")),
            ("20261126190507-0330", Some("2026-11-26T19:05:07-03:30")),
            ("2026", None),
            ("20261326", None),
            ("20261126190507+9", None),
            ("2026112é", None),
            ("", None),
        ] {
            assert_eq!(time(text, seoul).map(|at| at.to_rfc3339()).as_deref(), expected, "{text}");
        }
    }
}
