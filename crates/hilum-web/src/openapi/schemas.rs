//! Schemas of what the standard defines, and of the parts of paths.

use serde_json::{Value, json};

/// DICOM JSON model (PS3.18 Annex F): tags, each with its VR and what it holds.
pub(crate) fn data_set() -> Value {
    json!({
        "type": "object",
        "description": "A data set in the DICOM JSON model (PS3.18 F.2): members are tags as eight hexadecimal digits",
        "patternProperties": {
            "^[0-9A-F]{8}$": {
                "type": "object",
                "required": ["vr"],
                "properties": {
                    "vr": {"type": "string", "pattern": "^[A-Z]{2}$"},
                    "Value": {"type": "array", "minItems": 1},
                    "BulkDataURI": {"type": "string"},
                    "InlineBinary": {"type": "string", "contentEncoding": "base64"}
                },
                "additionalProperties": false
            }
        },
        "additionalProperties": false
    })
}

/// A data set, by reference.
pub(crate) fn one_data_set() -> Value {
    json!({"$ref": "#/components/schemas/DicomDataSet"})
}

/// A list of data sets, none of them missing.
pub(crate) fn data_sets() -> Value {
    json!({"type": "array", "items": one_data_set(), "minItems": 1})
}

/// A UID (PS3.5 9.1): components of digits without leading zeros, 64 characters at most.
pub(crate) fn uid() -> Value {
    json!({"type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*$", "maxLength": 64})
}

/// A whole number from `least` on.
pub(crate) fn number(least: u64, most: u64) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": most})
}

/// One of these words.
pub(crate) fn one_of(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

/// What a part of a path is, by its name in the doors.
pub(super) fn part_of_path(name: &str) -> Option<(&'static str, Value)> {
    Some(match name {
        "study_uid" => ("Study Instance UID (0020,000D)", uid()),
        "series_uid" => ("Series Instance UID (0020,000E)", uid()),
        "workitem" => ("SOP Instance UID (0008,0018) of a work item, or the UID of the worklist", uid()),
        "ae_title" => {
            ("AE title of a subscriber", json!({"type": "string", "pattern": crate::dicomweb::TITLE_PATTERN}))
        }
        "sop_uid" => ("SOP Instance UID (0008,0018)", uid()),
        "version" => {
            ("Version of the report, from 1", json!({"type": "integer", "minimum": 1, "maximum": 2_147_483_647}))
        }
        "number" => {
            ("Number of the finding, from 1", json!({"type": "integer", "minimum": 1, "maximum": 2_147_483_647}))
        }
        "id" | "identity" => ("Number", json!({"type": "integer", "format": "int64", "minimum": 1})),
        "provider" => {
            ("Id of an OpenID provider, as configured", json!({"type": "string", "pattern": "^[a-z0-9-]{1,32}$"}))
        }
        "file" => ("Number of the key image, from 0", json!({"type": "string", "pattern": r"^[0-9]{1,4}\.png$"})),
        "frames" => {
            ("Frame numbers, from 1", json!({"type": "string", "pattern": "^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*$"}))
        }
        "path" => (
            "Where the value stands: tags of eight hexadecimal digits, with the number of the item (from 0) after each sequence",
            json!({"type": "string", "pattern": "^([0-9A-F]{8}/[0-9]{1,4}/)*[0-9A-F]{8}$"}),
        ),
        _ => return None,
    })
}
