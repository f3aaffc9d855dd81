//! What resources of a server tell of a patient: Condition and Observation of R4, as searches find them.

use crate::facts::{
    About, Fact, ICD_10, LOINC, LabValue, PatientId, RESULTS, Told, Withdrawn, bounded, of_diagnosis, of_result,
    plain_icd, presence,
};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeZone as _};
use serde_json::Value;

/// Searches that are sent as forms (R4 3.1.1.3), so that no number of a patient stands in an address: path below the base, and form.
pub fn searches(patient_system: Option<&str>, id: &str, since: NaiveDate) -> [(&'static str, String); 2] {
    let token = |system: Option<&str>, code: &str| match system {
        Some(system) => super::encoded(&format!("{system}|{}", super::escaped(code))),
        None => super::encoded(&super::escaped(code)),
    };
    // What separates values stays as it is.
    let codes: Vec<String> = RESULTS.iter().map(|(code, _)| token(Some(super::LOINC), code)).collect();
    let patient = token(patient_system, id);
    [
        ("Condition/_search", format!("patient.identifier={patient}&_count=200")),
        (
            "Observation/_search",
            format!("patient.identifier={patient}&code={}&date=ge{since}&_count=200", codes.join(",")),
        ),
    ]
}

/// Reads the resources of a searchset; none where it is no such Bundle. Where it goes on is told as the server wrote it.
pub fn told(bundle: &Value, patient: PatientId, about: About, zone: FixedOffset) -> Option<(Told, Option<String>)> {
    if bundle["resourceType"] != "Bundle" || bundle["type"] != "searchset" {
        return None;
    }
    let mut told = Told { patient: vec![patient], merged: Vec::new(), facts: Vec::new(), withdrawn: Vec::new() };
    for entry in items(&bundle["entry"]) {
        let resource = &entry["resource"];
        match resource["resourceType"].as_str() {
            Some("Condition") => condition(resource, zone, &mut told),
            Some("Observation") => observation(resource, about, zone, &mut told),
            _ => {}
        }
    }
    let next = items(&bundle["link"]).iter().find(|link| link["relation"] == "next");
    Some((told, next.and_then(|link| link["url"].as_str()).map(str::to_owned)))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_test_data(resource: &Value) -> bool {
    items(&resource["meta"]["security"]).iter().any(|label| label["code"] == "HTEST")
}

fn codes(concept: &Value, is: impl Fn(&str) -> bool) -> Vec<&str> {
    let fits = |coding: &&Value| coding["system"].as_str().is_some_and(&is);
    items(&concept["coding"]).iter().filter(fits).filter_map(|coding| coding["code"].as_str()).collect()
}

fn condition(resource: &Value, zone: FixedOffset, told: &mut Told) {
    let status = |key: &str| {
        let concept = &resource[key];
        items(&concept["coding"]).first().and_then(|coding| coding["code"].as_str()).unwrap_or_default().to_owned()
    };
    let icd = |system: &str| {
        system.to_lowercase().contains("icd-10")
            || system.to_lowercase().contains("kcd")
            || system == "urn:oid:2.16.840.1.113883.6.3"
    };
    let Some(code) = codes(&resource["code"], icd).into_iter().find_map(plain_icd) else { return };
    let said = of_diagnosis(&code);
    let at = ["onsetDateTime", "recordedDate"].into_iter().find_map(|key| time(resource[key].as_str()?, zone));
    let Some(observed_at) = at.filter(|_| !said.is_empty() && !is_test_data(resource)) else { return };
    let (clinical, verification) = (status("clinicalStatus"), status("verificationStatus"));
    let over = matches!(clinical.as_str(), "inactive" | "remission" | "resolved");
    if over || matches!(verification.as_str(), "refuted" | "entered-in-error" | "differential") {
        return told.withdrawn.push(Withdrawn { system: ICD_10, code, observed_at: Some(observed_at) });
    }
    told.facts.extend(said.into_iter().map(|(input, holds)| Fact {
        input,
        holds,
        system: ICD_10,
        code: code.clone(),
        observed_at,
        dated: true,
    }));
}

fn observation(resource: &Value, about: About, zone: FixedOffset, told: &mut Told) {
    let codes = codes(&resource["code"], |system| system == super::LOINC);
    let known = |code: &&str| RESULTS.iter().any(|(known, _)| known == code);
    let Some(code) = codes.into_iter().find(known).map(str::to_owned) else { return };
    let at = ["effectiveDateTime", "effectiveInstant", "issued"]
        .into_iter()
        .find_map(|key| time(resource[key].as_str()?, zone));
    let Some(observed_at) = at.filter(|_| !is_test_data(resource)) else { return };
    let status = resource["status"].as_str().unwrap_or_default();
    let counts = matches!(status, "final" | "amended" | "corrected" | "preliminary");
    let about = About { on: Some(observed_at.date_naive()), ..about };
    match of_result(&code, &value(resource), about).filter(|_| counts) {
        Some((input, holds)) => told.facts.push(Fact { input, holds, system: LOINC, code, observed_at, dated: true }),
        None => told.withdrawn.push(Withdrawn { system: LOINC, code, observed_at: Some(observed_at) }),
    }
}

fn value(resource: &Value) -> LabValue {
    let quantity = &resource["valueQuantity"];
    let unit = ["code", "unit"].into_iter().find_map(|key| quantity[key].as_str()).unwrap_or_default();
    let concept = &resource["valueCodeableConcept"];
    let coded = items(&concept["coding"]).iter().flat_map(|coding| [&coding["code"], &coding["display"]]);
    let words = coded.chain([&concept["text"], &resource["valueString"]]).filter_map(Value::as_str);
    let flags = items(&resource["interpretation"]).iter().flat_map(|one| items(&one["coding"]));
    let flagged = flags.filter_map(|coding| coding["code"].as_str()).find_map(|flag| match flag {
        "POS" | "A" | "AA" | "DET" => Some(true),
        "NEG" | "N" | "ND" => Some(false),
        _ => None,
    });
    let (number, bound) = bounded(quantity["comparator"].as_str().unwrap_or_default(), quantity["value"].as_f64());
    LabValue {
        number,
        bound,
        unit: unit.to_owned(),
        present: words.into_iter().find_map(presence).or(resource["valueBoolean"].as_bool()).or(flagged),
    }
}

/// A dateTime (R4 2.24.0.1) that is known to the day at least.
fn time(text: &str, zone: FixedOffset) -> Option<DateTime<FixedOffset>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at);
    }
    let date: NaiveDate = text.parse().ok()?;
    zone.from_local_datetime(&date.and_time(NaiveTime::MIN)).single()
}
