//! What a FHIR server tells: resources that fhir.resources writes.

use crate::oracle::ask;
use chrono::{FixedOffset, NaiveDate};
use hilum_clinical::guideline::Input;
use hilum_emr::facts::{About, PatientId};
use hilum_emr::fhir::{searches, told};
use serde_json::{Value, json};
use tempfile::tempdir;

const WRITE: &str = r"
import json
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.observation import Observation
subject = {'identifier': {'value': '77'}}
icd, loinc = 'http://hl7.org/fhir/sid/icd-10', 'http://loinc.org'
def condition(code, **more):
    return Condition(subject=subject, code={'coding': [{'system': icd, 'code': code}]}, **more)
def status(kind, code):
    return {'coding': [{'system': f'http://terminology.hl7.org/CodeSystem/condition-{kind}', 'code': code}]}
def observation(code, status='final', **more):
    return Observation(subject=subject, status=status, code={'coding': [{'system': loinc, 'code': code}]}, effectiveDateTime='2026-11-25T08:30:00+09:00', **more)
positive = {'coding': [{'system': 'http://snomed.info/sct', 'code': '10828004', 'display': 'Positive'}]}
resources = [
    condition('N13.6', onsetDateTime='2026-11-25', clinicalStatus=status('clinical', 'active')),
    condition('Z90.5', recordedDate='2010-01-01T00:00:00Z'),
    condition('O26.8', onsetDateTime='2026-09-01', clinicalStatus=status('clinical', 'resolved')),
    condition('N39.0', onsetDateTime='2026-11-25', verificationStatus=status('ver-status', 'refuted')),
    observation('5802-4', valueCodeableConcept=positive),
    observation('2160-0', valueQuantity={'value': 1.6, 'unit': 'mg/dL', 'system': 'http://unitsofmeasure.org', 'code': 'mg/dL'}),
    observation('2106-3', valueString='음성'),
    observation('6301-6', status='entered-in-error', valueQuantity={'value': 3.1}),
    observation('2823-3', valueQuantity={'value': 4.1}),
]
bundle = Bundle(type='searchset', entry=[{'resource': one} for one in resources], link=[{'relation': 'next', 'url': 'https://emr.example/fhir?page=2'}])
print(bundle.model_dump_json(exclude_none=True))
";

#[test]
fn conditions_and_observations_that_fhir_resources_writes_are_facts_of_their_patient() {
    let folder = tempdir().unwrap();
    let Some(bundle) = ask(folder.path(), WRITE) else { return };
    let patient = || PatientId { issuer: String::new(), id: "77".into() };
    let about = About { born: NaiveDate::from_ymd_opt(1966, 1, 1), female: Some(true), on: None };
    let seoul = FixedOffset::east_opt(9 * 3600).unwrap();
    let (read, next) = told(&bundle, patient(), about, seoul).unwrap();
    let facts: Vec<(Input, bool, &str)> =
        read.facts.iter().map(|fact| (fact.input, fact.holds, fact.code.as_str())).collect();
    assert_eq!(
        facts,
        [
            (Input::Obstruction, true, "N136"),
            (Input::Infection, true, "N136"),
            (Input::SolitaryKidney, true, "Z905"),
            (Input::Infection, true, "5802-4"),
            (Input::ReducedRenalFunction, true, "2160-0"),
            (Input::Pregnancy, false, "2106-3"),
        ]
    );
    assert_eq!(read.facts[0].observed_at.to_rfc3339(), "2026-11-25T00:00:00+09:00");
    let withdrawn: Vec<&str> = read.withdrawn.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(withdrawn, ["O268", "N390", "6301-6"]);
    assert_eq!(next.as_deref(), Some("https://emr.example/fhir?page=2"));
    // Test data are of no patient.
    let mut marked: Value = bundle.clone();
    for entry in marked["entry"].as_array_mut().unwrap() {
        entry["resource"]["meta"] = json!({ "security": [{ "code": "HTEST" }] });
    }
    let (read, _) = told(&marked, patient(), about, seoul).unwrap();
    assert!(read.facts.is_empty() && read.withdrawn.is_empty());
    assert!(told(&json!({ "resourceType": "OperationOutcome" }), patient(), about, seoul).is_none());
}

#[test]
fn a_quantity_beside_its_number_says_what_follows_from_its_comparator() {
    let seoul = FixedOffset::east_opt(9 * 3600).unwrap();
    for (comparator, value, expected) in [
        (json!(null), 59.0, Some(true)),
        (json!(">"), 60.0, Some(false)),
        (json!(">"), 30.0, None),
        (json!("<"), 60.0, Some(true)),
        (json!("<="), 60.0, None),
        (json!("ad"), 30.0, None),
    ] {
        let bundle = json!({ "resourceType": "Bundle", "type": "searchset", "entry": [{ "resource": {
            "resourceType": "Observation", "status": "final", "effectiveDateTime": "2026-11-25",
            "code": { "coding": [{ "system": "http://loinc.org", "code": "62238-1" }] },
            "valueQuantity": { "value": value, "comparator": comparator },
        } }] });
        let patient = PatientId { issuer: String::new(), id: "77".into() };
        let (read, _) = told(&bundle, patient, About::default(), seoul).unwrap();
        assert_eq!(read.facts.first().map(|fact| fact.holds), expected, "{comparator} {value}");
        assert_eq!(read.facts.len() + read.withdrawn.len(), 1);
    }
}

#[test]
fn a_search_is_a_form_whose_values_end_nothing() {
    let [(path, form), (_, results)] =
        searches(Some("urn:oid:1.2"), "7&7|x", NaiveDate::from_ymd_opt(2026, 1, 2).unwrap());
    assert_eq!(
        (path, form.as_str()),
        ("Condition/_search", "patient.identifier=urn:oid:1.2%7C7%267%5C%7Cx&_count=200")
    );
    assert!(results.contains("&code=http://loinc.org%7C5802-4,http://loinc.org%7C5799-2,"), "{results}");
    assert!(results.ends_with("&date=ge2026-01-02&_count=200"), "{results}");
}
