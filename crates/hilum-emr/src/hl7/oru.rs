//! ORU^R01: a report as an unsolicited result (2.5.1, 7.3.1).

use super::{CharacterSet, Component, Field, Message, Repetition, Segment};
use crate::observations::{Observation, Patient, ReportToTell, ResultStatus, Value, observations};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, FixedOffset};
use hilum_clinical::report::Study;
use hilum_dicom::write::result::code::OWN_SCHEME;

/// Who sends to whom, and how.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// MSH-10, at most 20 characters: the same for the same version and receiver, however often it is sent.
    pub control_id: &'a str,
    /// MSH-3 and MSH-4.
    pub sending: (&'a str, &'a str),
    /// MSH-5 and MSH-6.
    pub receiving: (&'a str, &'a str),
    /// MSH-18, and how the bytes are written.
    pub character_set: CharacterSet,
    /// What MSH-18 says instead, where a receiver knows the set by another name.
    pub character_set_name: Option<&'a str>,
}

/// LOINC: what is told is a report of diagnostic imaging.
const IMAGING_STUDY: [&str; 3] = ["18748-4", "Diagnostic imaging study", "LN"];
const NARRATIVE: [&str; 3] = ["18782-3", "Radiology Study observation (narrative)", "LN"];
const IMPRESSION: [&str; 3] = ["19005-8", "Radiology Imaging study [Impression] (narrative)", "LN"];
const SERVICE: &str = "urinary-stone-report";

/// A version of a report as a message. The same version gives the same message: no time of sending stands in it.
pub fn oru_r01(told: &ReportToTell<'_>, envelope: &Envelope<'_>) -> Message {
    let mut segments = vec![header(told, envelope), patient(told), order(told), request(told)];
    let notes = told.disclaimers().enumerate();
    segments.extend(
        notes.map(|(index, text)| Segment::new("NTE", vec![(index + 1).to_string().into(), "L".into(), text.into()])),
    );
    segments.extend(results(told));
    Message { segments }
}

fn header(told: &ReportToTell<'_>, envelope: &Envelope<'_>) -> Segment {
    let named = envelope.character_set_name.unwrap_or(envelope.character_set.name());
    // HL7 table 0103: what is no person's is for training.
    let processing = if told.report.study.synthetic { "T" } else { "P" };
    let none = Field::default;
    Segment::new(
        "MSH",
        vec![
            "|".into(),
            "^~\\&".into(),
            envelope.sending.0.into(),
            envelope.sending.1.into(),
            envelope.receiving.0.into(),
            envelope.receiving.1.into(),
            made_at(told).into(),
            none(),
            ["ORU", "R01", "ORU_R01"].into(),
            envelope.control_id.into(),
            processing.into(),
            "2.5.1".into(),
            none(),
            none(),
            none(),
            none(),
            none(),
            named.into(),
        ],
    )
}

fn patient(told: &ReportToTell<'_>) -> Segment {
    let patient = &told.report.patient;
    let id: Field = vec![Repetition::of([patient.id.as_str(), "", "", told.patient.issuer, "PI"])].into();
    let birth = patient.birth_date.map(|date| digits(&date.to_string())).unwrap_or_default();
    let sex = match patient.sex {
        Some(hilum_clinical::report::Sex::F) => "F",
        Some(hilum_clinical::report::Sex::M) => "M",
        Some(hilum_clinical::report::Sex::O) => "O",
        None => "U",
    };
    Segment::new(
        "PID",
        vec![
            "1".into(),
            Field::default(),
            id,
            Field::default(),
            names(told.patient),
            Field::default(),
            birth.into(),
            sex.into(),
        ],
    )
}

/// XPN, one repetition a component group of DICOM's name: alphabetic, ideographic, phonetic (HL7 table 0465).
fn names(patient: Patient<'_>) -> Field {
    let name = |group: &str, representation: &str| {
        // PS3.5 6.2.1.2: family, given, middle, prefix, suffix. XPN has the suffix before the prefix.
        let part = |index: usize| group.split('^').nth(index).unwrap_or_default().trim();
        Repetition::of([part(0), part(1), part(2), part(4), part(3), "", "L", representation])
    };
    let groups = [(Some(patient.alphabetic), "A"), (patient.ideographic, "I"), (patient.phonetic, "P")];
    let given = groups.into_iter().filter_map(|(group, kind)| Some((group?, kind)));
    Field(given.filter(|(group, _)| !group.trim().is_empty()).map(|(group, kind)| name(group, kind)).collect())
}

/// Where the accession number is the only one that both sides have, it stands for the order.
fn placer(study: &Study) -> Field {
    study.accession.as_str().into()
}

/// The same for all versions of a study's report, so that each takes the place of the one before.
fn filler(study: &Study) -> Field {
    [study.study_uid.as_str(), "HILUM"].into()
}

fn order(told: &ReportToTell<'_>) -> Segment {
    let study = &told.report.study;
    Segment::new("ORC", vec!["RE".into(), placer(study), filler(study)])
}

fn request(told: &ReportToTell<'_>) -> Segment {
    let study = &told.report.study;
    let [code, name, system] = IMAGING_STUDY;
    let mut fields = vec![Field::default(); 32];
    let mut set = |number: usize, field: Field| fields[number - 1] = field;
    set(1, "1".into());
    set(2, placer(study));
    set(3, filler(study));
    set(4, [code, name, system, SERVICE, "Urinary stone report", OWN_SCHEME].into());
    set(7, examined_at(study).into());
    set(18, study.accession.as_str().into());
    set(22, made_at(told).into());
    set(24, "CT".into());
    set(25, result_status(told.status()).into());
    if let Some(signature) = &told.report.signature {
        // NDL-1 is a CNN, whose parts are subcomponents here: family name second.
        let name = Component(vec![String::new(), signature.by.clone()]);
        set(32, Field(vec![Repetition(vec![name])]));
    }
    while fields.last().is_some_and(|field| field.0.is_empty()) {
        fields.pop();
    }
    Segment::new("OBR", fields)
}

fn results(told: &ReportToTell<'_>) -> Vec<Segment> {
    let mut all = Vec::new();
    let status = result_status(told.status());
    let mut add = |kind: &str, concept: Field, sub_id: String, value: Field, unit: Field, flag: &str, status: &str| {
        let number = (all.len() + 1).to_string();
        let mut fields = vec![
            number.into(),
            kind.into(),
            concept,
            sub_id.into(),
            value,
            unit,
            Field::default(),
            flag.into(),
            Field::default(),
            Field::default(),
            status.into(),
            Field::default(),
            Field::default(),
            examined_at(&told.report.study).into(),
        ];
        if fields[13].0.is_empty() {
            fields.truncate(11);
        }
        all.push(Segment::new("OBX", fields));
    };
    for one in observations(told.report, told.language) {
        let sub_id = one.stone.map(|stone| stone.to_string()).unwrap_or_default();
        let (kind, value, unit) = value(&one.value);
        let flag = if one.key == "stone-present" && is_present(&one) { "A" } else { "" };
        // HL7 table 0085: D deletes what was sent before.
        let status = if one.withdrawn { "D" } else { status };
        add(kind, concept(&one), sub_id, value, unit, flag, status);
    }
    let lines = told.narrative();
    if !lines.is_empty() {
        add(
            "TX",
            NARRATIVE.into(),
            String::new(),
            Field(lines.iter().map(|line| Repetition::of([line.as_str()])).collect()),
            Field::default(),
            "",
            status,
        );
    }
    if let Some(conclusion) = told.conclusion() {
        // Formatting escapes are of FT alone (2.7.6): lines of TX are repetitions.
        let lines = conclusion.lines().map(|line| Repetition::of([line])).collect();
        add("TX", IMPRESSION.into(), String::new(), Field(lines), Field::default(), "", status);
    }
    if let Some(pdf) = told.pdf {
        let data = STANDARD.encode(pdf);
        let value = Field(vec![Repetition::of(["", "application", "pdf", "Base64", data.as_str()])]);
        add("ED", IMAGING_STUDY.into(), String::new(), value, Field::default(), "", status);
    }
    all
}

fn is_present(one: &Observation) -> bool {
    matches!(&one.value, Value::Coded { code: Some(code), .. } if *code == hilum_dicom::write::result::code::PRESENT)
}

fn concept(one: &Observation) -> Field {
    match one.standard {
        Some(standard) => {
            [one.key, one.name, OWN_SCHEME, standard.value, standard.meaning, system(standard.scheme)].into()
        }
        None => [one.key, one.name, OWN_SCHEME].into(),
    }
}

fn value(value: &Value) -> (&'static str, Field, Field) {
    match value {
        Value::Number { value, unit } => ("NM", value.to_string().into(), [unit.value, unit.meaning, "UCUM"].into()),
        Value::Coded { code: Some(code), text } => {
            // CWE-9 is the original text: what is said more finely than the concept.
            let coded = [code.value, code.meaning, system(code.scheme), "", "", "", "", "", text.as_str()];
            ("CWE", coded.into(), Field::default())
        }
        Value::Coded { code: None, text } => ("CWE", ["", text.as_str()].into(), Field::default()),
        Value::Text(text) => ("ST", text.as_str().into(), Field::default()),
    }
}

/// A coding scheme of DICOM by its name in HL7 table 0396; one that the table does not have as a local one.
fn system(scheme: &'static str) -> &'static str {
    match scheme {
        "IBSI" => "99IBSI",
        scheme => scheme,
    }
}

/// HL7 tables 0085 and 0123, which have the same letters for these.
fn result_status(status: ResultStatus) -> &'static str {
    match status {
        ResultStatus::Preliminary => "P",
        ResultStatus::Final => "F",
        ResultStatus::Corrected => "C",
    }
}

fn made_at(told: &ReportToTell<'_>) -> String {
    told.made_at().map(time).unwrap_or_default()
}

/// A time with its zone (2.A.77).
pub fn time(at: DateTime<FixedOffset>) -> String {
    at.format("%Y%m%d%H%M%S%z").to_string()
}

/// As precisely as the study says it, and without a zone: DICOM's times are local.
fn examined_at(study: &Study) -> String {
    let Some(date) = study.date else { return String::new() };
    let time = study.time.as_deref().map(digits).filter(|time| time.len() == 4).unwrap_or_default();
    digits(&date.to_string()) + &time
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}
