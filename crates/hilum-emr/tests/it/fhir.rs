use crate::fixture::{amended, preliminary, signed, told};
use crate::oracle::ask;
use hilum_clinical::Language;
use hilum_emr::fhir::{PatientReference, Subject, taken, transaction};
use serde_json::{Value, json};
use tempfile::tempdir;

/// fhir.resources has the resources of R4B, which those of R4 that are written here are the same in.
const READ: &str = r"
import json
from fhir.resources.R4B.bundle import Bundle
out = []
for name in ('p', 'f', 'c'):
    bundle = Bundle.model_validate_json(open(name + '.json', 'rb').read())
    resources = [entry.resource for entry in bundle.entry]
    out.append({
        'kinds': [resource.__resource_type__ if hasattr(resource, '__resource_type__') else type(resource).__name__ for resource in resources],
        'status': [resource.status for resource in resources],
        'again': json.loads(bundle.model_dump_json(exclude_none=True)),
    })
print(json.dumps(out, default=str))
";

fn subject() -> Subject<'static> {
    Subject { system: Some("urn:oid:1.2.410.1"), reference: PatientReference::Identifier }
}

#[test]
fn fhir_resources_reads_reports_before_and_after_their_signatures() {
    let folder = tempdir().unwrap();
    let mut written = Vec::new();
    for (name, report) in [("p", preliminary()), ("f", signed()), ("c", amended())] {
        let bundle = transaction(&told(&report, Language::Korean, Some(b"%PDF")), "LOCAL", subject());
        std::fs::write(folder.path().join(format!("{name}.json")), bundle.to_string()).unwrap();
        written.push(bundle);
    }
    let Some(read) = ask(folder.path(), READ) else { return };
    let of = |index: usize, key: &str| read[index][key].clone();
    let kinds = ["ImagingStudy", "Observation", "Observation", "Observation", "DiagnosticReport"];
    assert_eq!(of(0, "kinds"), json!(kinds));
    assert_eq!(of(0, "status"), json!(["available", "preliminary", "preliminary", "preliminary", "preliminary"]));
    // The second stone was rejected, a third added.
    assert_eq!(of(1, "status"), json!(["available", "final", "final", "entered-in-error", "final", "final"]));
    assert_eq!(of(2, "status")[1], "corrected");
    for (index, bundle) in written.iter().enumerate() {
        // Numbers and times may be written otherwise; what stands beside them may not.
        let (ours, theirs) = (bundle["entry"].as_array().unwrap(), read[index]["again"]["entry"].as_array().unwrap());
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert_eq!(ours["request"], theirs["request"]);
            assert_eq!(keys(&ours["resource"]), keys(&theirs["resource"]));
        }
    }
}

fn keys(resource: &Value) -> Vec<&String> {
    let mut keys: Vec<&String> = resource.as_object().unwrap().keys().collect();
    keys.sort();
    keys
}

fn resources<'a>(bundle: &'a Value, kind: &str) -> Vec<&'a Value> {
    let all = bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    all.filter(|resource| resource["resourceType"] == kind).collect()
}

#[test]
fn a_later_version_takes_the_place_of_the_one_before_and_the_same_is_the_same() {
    let write = |report| transaction(&told(&report, Language::English, None), "LOCAL", subject());
    let (first, last) = (write(preliminary()), write(signed()));
    assert_eq!(first, write(preliminary()));
    let request = |bundle: &Value| bundle["entry"].as_array().unwrap().last().unwrap()["request"].clone();
    assert_eq!(request(&first), request(&last));
    assert_eq!(request(&first)["method"], "PUT");
    let other = transaction(&told(&preliminary(), Language::English, None), "OTHER", subject());
    assert_ne!(request(&first), request(&other), "another institution has reports of its own");
    let study = &first["entry"][0];
    assert_eq!(study["request"]["ifNoneExist"], "identifier=urn:dicom:uid|urn:oid:1.2.826.0.1.3680043.8.498.1");
}

#[test]
fn a_report_says_what_it_is_of_whom_and_that_no_person_was_examined() {
    let report = signed();
    let bundle = transaction(&told(&report, Language::Korean, Some(b"%PDF")), "LOCAL", subject());
    let [diagnostic] = resources(&bundle, "DiagnosticReport")[..] else { panic!("{bundle}") };
    assert_eq!(diagnostic["subject"]["identifier"], json!({ "system": "urn:oid:1.2.410.1", "value": "SYN|0001" }));
    assert_eq!(diagnostic["effectiveDateTime"], "2026-03-05T13:58:00+09:00");
    assert_eq!(diagnostic["issued"], "2026-03-05T15:00:00.000+09:00");
    assert_eq!(diagnostic["basedOn"][0]["identifier"]["value"], "A^1");
    assert_eq!(diagnostic["result"].as_array().unwrap().len(), 3, "the study, one confirmed and one added stone");
    assert_eq!(diagnostic["presentedForm"][0]["data"], "JVBERg==");
    let conclusion = diagnostic["conclusion"].as_str().unwrap();
    assert!(
        conclusion.starts_with("좌측 신장 하극 결석 7 mm.\n추적 관찰.") && conclusion.contains("진단"),
        "{conclusion}"
    );
    for entry in bundle["entry"].as_array().unwrap() {
        assert_eq!(entry["resource"]["meta"]["security"][0]["code"], "HTEST");
    }
    let stone = resources(&bundle, "Observation")[1];
    let component = |key: &str| {
        let all = stone["component"].as_array().unwrap();
        all.iter().find(|one| one["code"]["coding"][0]["code"] == key).cloned().unwrap()
    };
    assert_eq!(component("largest-diameter")["valueQuantity"]["value"], 7.25);
    assert_eq!(component("side")["valueCodeableConcept"]["coding"][0]["code"], "7771000");
    assert_eq!(stone["bodySite"]["coding"][0]["code"], "64033007");
}

#[test]
fn a_server_that_searches_the_patient_is_asked_by_an_identifier_that_ends_nothing() {
    let subject = Subject { system: Some("urn:oid:1.2.410.1"), reference: PatientReference::Search };
    let bundle = transaction(&told(&preliminary(), Language::English, None), "LOCAL", subject);
    let [diagnostic] = resources(&bundle, "DiagnosticReport")[..] else { panic!("{bundle}") };
    assert_eq!(diagnostic["subject"]["reference"], "Patient?identifier=urn:oid:1.2.410.1|SYN%5C%7C0001");
}

#[test]
fn only_a_whole_transaction_that_was_taken_ends_a_delivery() {
    let answer = |statuses: &[&str]| {
        let entries: Vec<Value> = statuses.iter().map(|status| json!({ "response": { "status": status } })).collect();
        json!({ "resourceType": "Bundle", "type": "transaction-response", "entry": entries }).to_string()
    };
    assert_eq!(taken(200, answer(&["201 Created", "200 OK"]).as_bytes()), Ok(()));
    let outcome = |code: &str| json!({ "resourceType": "OperationOutcome", "issue": [{ "code": code }] }).to_string();
    for (status, body, code, passes) in [
        (200, answer(&["200 OK", "412 Precondition Failed"]), None, false),
        (200, answer(&[]), Some("no-transaction-response"), false),
        (200, "<html>".to_owned(), Some("not-fhir"), false),
        (422, outcome("invalid"), Some("invalid"), false),
        (400, outcome("Hong Gildong 880101"), None, false),
        (503, String::new(), None, true),
        (429, outcome("throttled"), Some("throttled"), true),
    ] {
        let refusal = taken(status, body.as_bytes()).unwrap_err();
        assert_eq!((refusal.code.as_deref(), refusal.passes), (code, passes), "{status} {body}");
    }
}
