//! A report as a Bundle (R4 2.36.1, 3.1.0.11): DiagnosticReport with an Observation for the study and one for each stone, and the ImagingStudy.
//!
//! Everything has an identifier that follows from its study, and is written by it (conditional update), so that the same version twice is
//! one, and a later version takes the place of the one before. The ImagingStudy is made only where the server has none: the archive's own
//! says more.

use super::{LOINC, OWN_SYSTEM, UCUM, coding, encoded, escaped, system, uuid};
use crate::observations::{Observation, ReportToTell, ResultStatus, Value as Told, observations};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hilum_clinical::Language;
use hilum_clinical::report::Study;
use serde_json::{Map, Value, json};

/// How a resource says whose it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatientReference {
    /// By the patient's identifier (R4 2.3.0.2): the server needs no Patient.
    #[default]
    Identifier,
    /// By a search that the server makes while it takes the transaction (R4 3.1.0.11.2): it must have the Patient.
    Search,
}

/// What a server knows patients by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// System of the identifier: a URI of the hospital.
    pub system: Option<&'a str>,
    /// How resources refer to the patient.
    pub reference: PatientReference,
}

/// A version of a report as a transaction. The same version gives the same document.
pub fn transaction(told: &ReportToTell<'_>, institution: &str, subject: Subject<'_>) -> Value {
    let writer = Writer { told, institution, subject: reference(told, subject) };
    let all = observations(told.report, told.language);
    let study = writer.url("ImagingStudy", "");
    let mut entries = vec![writer.imaging_study(&study)];
    let mut results = Vec::new();
    let (of_study, of_stones): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.stone.is_none());
    let url = writer.url("Observation", "study");
    results.push(json!({ "reference": url.clone() }));
    entries.push(writer.observation(&url, &study, None, &of_study));
    for of_stone in of_stones.chunk_by(|a, b| a.stone == b.stone) {
        let Some(first) = of_stone.first() else { continue };
        let number = first.stone.map(|number| number.to_string()).unwrap_or_default();
        let url = writer.url("Observation", &number);
        if !first.withdrawn {
            results.push(json!({ "reference": url.clone() }));
        }
        entries.push(writer.observation(&url, &study, first.stone, of_stone));
    }
    entries.push(writer.report(&study, results));
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

struct Writer<'a> {
    told: &'a ReportToTell<'a>,
    institution: &'a str,
    subject: Value,
}

fn reference(told: &ReportToTell<'_>, subject: Subject<'_>) -> Value {
    let id = told.report.patient.id.as_str();
    match (subject.reference, subject.system) {
        (PatientReference::Search, Some(system)) => {
            json!({ "reference": format!("Patient?identifier={}|{}", encoded(system), encoded(&escaped(id))) })
        }
        (PatientReference::Search, None) => {
            json!({ "reference": format!("Patient?identifier={}", encoded(&escaped(id))) })
        }
        (PatientReference::Identifier, system) => {
            let mut identifier = json!({ "value": id });
            if let Some(system) = system {
                identifier["system"] = system.into();
            }
            json!({ "type": "Patient", "identifier": identifier })
        }
    }
}

impl Writer<'_> {
    /// What stands for a resource within the transaction, and what it is known by for good.
    fn url(&self, kind: &str, part: &str) -> String {
        uuid(&[self.institution, &self.told.report.study.study_uid, kind, part])
    }

    fn entry(&self, url: &str, mut resource: Value) -> Value {
        let kind = resource["resourceType"].as_str().unwrap_or_default().to_owned();
        self.mark(&mut resource);
        let search = format!("{kind}?identifier=urn:ietf:rfc:3986|{url}");
        json!({ "fullUrl": url, "resource": resource, "request": { "method": "PUT", "url": search } })
    }

    /// v3-ActReason HTEST: test health data, on whatever is of no person.
    fn mark(&self, resource: &mut Value) {
        if self.told.report.study.synthetic {
            let system = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
            resource["meta"] =
                json!({ "security": [{ "system": system, "code": "HTEST", "display": "test health data" }] });
        }
    }

    fn imaging_study(&self, url: &str) -> Value {
        let study = &self.told.report.study;
        let uid = format!("urn:oid:{}", study.study_uid);
        let mut resource = json!({
            "resourceType": "ImagingStudy",
            "identifier": [{ "system": "urn:dicom:uid", "value": uid }],
            "status": "available",
            "subject": self.subject,
            "modality": [modality()],
        });
        set(&mut resource, "started", self.examined_at());
        set(&mut resource, "description", filled(&study.description));
        if let Some(series) = &study.series {
            let mut read = json!({ "uid": series.series_uid, "modality": modality() });
            set(&mut read, "description", filled(&series.description));
            set(&mut read, "number", series.number.filter(|number| *number >= 0).map(Value::from));
            resource["series"] = json!([read]);
        }
        self.mark(&mut resource);
        json!({
            "fullUrl": url,
            "resource": resource,
            "request": {
                "method": "POST",
                "url": "ImagingStudy",
                "ifNoneExist": format!("identifier=urn:dicom:uid|{uid}"),
            },
        })
    }

    fn observation(&self, url: &str, study: &str, stone: Option<u32>, all: &[Observation]) -> Value {
        let withdrawn = all.iter().any(|one| one.withdrawn);
        let status = if withdrawn { "entered-in-error" } else { self.observation_status() };
        let name = stone.map_or_else(|| "Urinary stones".to_owned(), |number| format!("Urinary stone {number}"));
        let category = "http://terminology.hl7.org/CodeSystem/observation-category";
        let mut resource = json!({
            "resourceType": "Observation",
            "identifier": [{ "system": "urn:ietf:rfc:3986", "value": url }],
            "status": status,
            "category": [{ "coding": [{ "system": category, "code": "imaging", "display": "Imaging" }] }],
            "code": {
                "coding": [
                    { "system": OWN_SYSTEM, "code": if stone.is_some() { "stone" } else { "stones" }, "display": name },
                    coding(&hilum_dicom::write::result::code::CALCULUS),
                ],
                "text": name,
            },
            "subject": self.subject,
            "derivedFrom": [{ "reference": study }],
            "component": all.iter().map(component).collect::<Vec<_>>(),
            "note": self.told.disclaimers().map(|text| json!({ "text": text })).collect::<Vec<_>>(),
        });
        set(&mut resource, "effectiveDateTime", self.examined_at());
        set(&mut resource, "issued", self.issued());
        if let Some(Told::Coded { code, text }) = all.iter().find(|one| one.key == "site").map(|one| &one.value) {
            resource["bodySite"] = concept(code.as_ref().and_then(coding), text);
        }
        self.entry(url, resource)
    }

    fn report(&self, study: &str, results: Vec<Value>) -> Value {
        let (told, report) = (self.told, self.told.report);
        let url = self.url("DiagnosticReport", "");
        let lines = self.lines();
        let mut identifiers = vec![json!({ "system": "urn:ietf:rfc:3986", "value": url })];
        identifiers.extend(self.accession());
        let mut resource = json!({
            "resourceType": "DiagnosticReport",
            "identifier": identifiers,
            "text": { "status": "generated", "div": division(&lines) },
            "status": match told.status() {
                ResultStatus::Preliminary => "preliminary",
                ResultStatus::Final => "final",
                ResultStatus::Corrected => "corrected",
            },
            "category": [{ "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "CT", "display": "CAT Scan",
            }] }],
            "code": {
                "coding": [{ "system": LOINC, "code": "18748-4", "display": "Diagnostic imaging study" }],
                "text": "Urinary stone report",
            },
            "subject": self.subject,
            "result": results,
            "imagingStudy": [{ "reference": study }],
            "conclusion": lines.join("\n"),
        });
        set(&mut resource, "effectiveDateTime", self.examined_at());
        set(&mut resource, "issued", self.issued());
        if let Some(accession) = self.accession() {
            resource["basedOn"] = json!([{ "type": "ServiceRequest", "identifier": accession }]);
        }
        if let Some(signature) = &report.signature {
            resource["resultsInterpreter"] = json!([{ "display": signature.by }]);
        }
        if let Some(pdf) = told.pdf {
            resource["presentedForm"] = json!([{
                "contentType": "application/pdf",
                "language": match told.language {
                    Language::Korean => "ko",
                    Language::English => "en",
                },
                "data": STANDARD.encode(pdf),
                "title": "Urinary stone report",
            }]);
        }
        self.entry(&url, resource)
    }

    /// What a person reads: the physician's words first, what was found, and how far it may be trusted.
    fn lines(&self) -> Vec<String> {
        let own = self.told.conclusion().into_iter().flat_map(str::lines).map(str::to_owned);
        let disclaimers = self.told.disclaimers().map(str::to_owned);
        own.chain(self.told.narrative()).chain(disclaimers).filter(|line| !line.trim().is_empty()).collect()
    }

    fn accession(&self) -> Option<Value> {
        let number = filled(&self.told.report.study.accession)?;
        let system = "http://terminology.hl7.org/CodeSystem/v2-0203";
        let kind = json!({ "coding": [{ "system": system, "code": "ACSN", "display": "Accession ID" }] });
        Some(json!({ "type": kind, "value": number }))
    }

    fn observation_status(&self) -> &'static str {
        match self.told.status() {
            ResultStatus::Preliminary => "preliminary",
            ResultStatus::Final => "final",
            ResultStatus::Corrected => "corrected",
        }
    }

    fn issued(&self) -> Option<Value> {
        self.told.made_at().map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, false).into())
    }

    /// A date, or a time with the hospital's zone: DICOM's times are local, and FHIR has none without a zone.
    fn examined_at(&self) -> Option<Value> {
        let Study { date, time, .. } = &self.told.report.study;
        let date = date.as_ref()?.to_string();
        let at = time.as_deref().filter(|time| time.len() == 5);
        Some(at.map_or_else(|| date.clone(), |time| format!("{date}T{time}:00{}", self.told.zone)).into())
    }
}

fn modality() -> Value {
    json!({ "system": system("DCM"), "code": "CT", "display": "Computed Tomography" })
}

fn filled(text: &str) -> Option<Value> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.into())
}

fn set(resource: &mut Value, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        resource[key] = value;
    }
}

fn concept(coding: Option<Value>, text: &str) -> Value {
    let mut concept = Map::new();
    if let Some(coding) = coding {
        concept.insert("coding".to_owned(), json!([coding]));
    }
    concept.insert("text".to_owned(), text.into());
    concept.into()
}

fn component(one: &Observation) -> Value {
    let own = json!({ "system": OWN_SYSTEM, "code": one.key, "display": one.name });
    let codings: Vec<Value> = std::iter::once(own).chain(one.standard.as_ref().and_then(coding)).collect();
    let mut component = json!({ "code": { "coding": codings, "text": one.name } });
    match &one.value {
        Told::Number { value, unit } => {
            component["valueQuantity"] =
                json!({ "value": value, "unit": unit.value, "system": UCUM, "code": unit.value });
        }
        Told::Coded { code, text } => {
            component["valueCodeableConcept"] = concept(code.as_ref().and_then(coding), text);
        }
        Told::Text(text) => component["valueString"] = text.as_str().into(),
    }
    component
}

/// XHTML (R4 2.4.1).
fn division(lines: &[String]) -> String {
    let escaped = |line: &String| {
        line.chars().filter(|c| !c.is_control()).fold(String::new(), |mut out, c| {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                c => out.push(c),
            }
            out
        })
    };
    let paragraphs: Vec<String> = lines.iter().map(|line| format!("<p>{}</p>", escaped(line))).collect();
    format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>", paragraphs.concat())
}
