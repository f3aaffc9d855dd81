//! The DICOM JSON model against pydicom's, over every file of the conformance set.

use hilum_dicom::{Outline, json};
use serde_json::{Map, Value};

use crate::oracle;

/// One line of JSON a file that pydicom reads: path, data set.
const PYDICOM: &str = r#"
import sys, json, warnings, logging, pathlib
import pydicom
warnings.simplefilter("ignore"); logging.disable(logging.CRITICAL)
for path in sorted(p for p in pathlib.Path(sys.argv[1]).rglob("*") if p.is_file() and "DICOMDIR" not in p.name):
    try:
        ds = pydicom.dcmread(path, force=True)
        data = ds.to_json_dict(bulk_data_threshold=1366, bulk_data_element_handler=lambda e: "bulk")
        print(json.dumps([str(path), data]))
    except Exception:
        pass
"#;

/// What the two may write differently without meaning anything else: padding, empty values, bulk, private and ambiguous value
/// representations, the character set that the texts no longer have.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, member) in members {
                let private = name.len() == 8 && u32::from_str_radix(name, 16).is_ok_and(|tag| tag >> 16 & 1 == 1);
                let group_length = name.len() == 8 && name.ends_with("0000");
                let left_out = ["00080005", "BulkDataURI", "InlineBinary"].contains(&name.as_str());
                let nothing = matches!(member, Value::String(text) if text.trim().is_empty())
                    || member == &Value::Array(Vec::new());
                if private || group_length || left_out || nothing {
                    continue;
                }
                kept.insert(name.clone(), comparable(member));
            }
            if kept.get("vr").is_some_and(|vr| ["UN", "OB", "OW", "OB or OW"].iter().any(|bulk| vr == bulk)) {
                kept.clear();
            }
            Value::Object(kept)
        }
        Value::Array(values) => {
            let mut values: Vec<Value> = values.iter().map(comparable).collect();
            for value in &mut values {
                if *value == "" || *value == Value::Object(Map::new()) {
                    *value = Value::Null;
                }
            }
            Value::Array(values)
        }
        Value::String(text) => Value::String(text.trim_matches([' ', '\0']).replace("\r\n", "\n")),
        // serde_json reads the last digit of a double to the nearest but one.
        Value::Number(number) => Value::String(format!("{:.12e}", number.as_f64().unwrap())),
        other => other.clone(),
    }
}

#[test]
fn every_header_of_the_conformance_set_is_the_json_that_pydicom_writes() {
    let Some(folder) = oracle::shared("dicom-conformance") else { return };
    let Some(lines) = oracle::python(PYDICOM, &[&folder]) else { return };
    let mut compared = 0;
    let mut differing = Vec::new();
    for line in lines.lines() {
        let Ok((path, theirs)) = serde_json::from_str::<(std::path::PathBuf, Value)>(line) else { continue };
        let bytes = std::fs::read(&path).unwrap();
        let Ok(outline) = Outline::read(&bytes.as_slice()) else { continue };
        let mut text = String::new();
        json::write(&outline.instance().unwrap(), "bulk/", &mut text);
        let ours: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        compared += 1;
        let (ours, theirs) = (comparable(&ours), comparable(&theirs));
        let (Some(ours), Some(theirs)) = (ours.as_object(), theirs.as_object()) else { panic!("no object") };
        // pydicom gives nothing at all of some damaged files.
        if theirs.is_empty() {
            continue;
        }
        for (tag, value) in theirs {
            if ours.get(tag) != Some(value) {
                differing.push(format!("{} {tag}\n  ours   {:?}\n  theirs {value:?}", path.display(), ours.get(tag)));
            }
        }
        for tag in ours.keys().filter(|tag| !theirs.contains_key(*tag)) {
            differing.push(format!("{} {tag} is not there for pydicom", path.display()));
        }
    }
    println!("{compared} headers compared");
    assert!(compared > 400, "only {compared} headers compared");
    assert!(differing.is_empty(), "{} attributes differ:\n{}", differing.len(), differing.join("\n"));
}
