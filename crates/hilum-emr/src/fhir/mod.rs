//! FHIR R4 (4.0.1): reports as a transaction of resources that a server may take any number of times.

mod answer;
mod told;
mod transaction;

pub use answer::{Refusal, taken};
pub use told::{searches, told};
pub use transaction::{PatientReference, Subject, transaction};

use hilum_dicom::write::result::Code;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Media type of requests and answers (R4 2.1.0.6).
pub const MEDIA_TYPE: &str = "application/fhir+json";

/// Our coding scheme 99HILUM as a code system: an OID of a UUID (ITU-T X.667), which needs no registration.
pub const OWN_SYSTEM: &str = "urn:oid:2.25.186364989635124935851944852636761300963";

const LOINC: &str = "http://loinc.org";
const UCUM: &str = "http://unitsofmeasure.org";

/// The code system of a coding scheme of DICOM (PS3.16 8); none where FHIR names none for it.
fn system(scheme: &str) -> Option<&'static str> {
    match scheme {
        "SCT" => Some("http://snomed.info/sct"),
        "DCM" => Some("http://dicom.nema.org/resources/ontology/DCM"),
        "UCUM" => Some(UCUM),
        "LN" => Some(LOINC),
        _ => None,
    }
}

fn coding(code: &Code) -> Option<Value> {
    Some(json!({ "system": system(code.scheme)?, "code": code.value, "display": code.meaning }))
}

/// What separates values of a search parameter is none of the value (R4 3.1.1.4.0.1).
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| [Some('\\').filter(|_| matches!(c, '\\' | '|' | ',' | '$')), Some(c)]).flatten().collect()
}

/// Of a search parameter's value: what would end it (RFC 3986 2.2).
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(hexadecimal(byte).map(|digit| digit.to_ascii_uppercase()));
        }
    }
    out
}

fn hexadecimal(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
}

/// A UUID (RFC 9562, version 8) that follows from what it stands for, so that whatever is written again has the same.
fn uuid(of: &[&str]) -> String {
    let digest = Sha256::digest(of.join("\u{1f}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0F | 0x80;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex: String = bytes.iter().flat_map(|byte| hexadecimal(*byte)).collect();
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
