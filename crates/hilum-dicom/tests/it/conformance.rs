//! Every file of the conformance folder, against pydicom: tags, offsets, lengths and all text.

use std::collections::BTreeMap;
use std::path::Path;

use dicom_core::VR;
use hilum_dicom::charset::{SpecificCharacterSet, decode_values};
use hilum_dicom::header::{Element, HeaderError, Instance, Item, dictionary_vr};
use serde_json::Value;

use crate::oracle;

/// Files on which pydicom and the walk differ, each with the reason. `file: what differs`.
const UNDERSTOOD: [(&str, &str, &str); 4] = [
    (
        "pydicom/src/pydicom/data/test_files/MR_truncated.dcm",
        "7fe00010 at (1500, 8130, false), by pydicom at (1500, 8192)",
        "cut off inside the pixel data: we give the bytes that are there, pydicom the length that is stated",
    ),
    (
        "pydicom/src/pydicom/data/test_files/rtplan_truncated.dcm",
        "we refuse: (300A,00B0)",
        "cut off inside a sequence, before any pixel data: refused, where pydicom warns and leaves the sequence out",
    ),
    (
        "pydicom/src/pydicom/data/test_files/dicomdirtests/DICOMDIR-nooffset",
        "sequence 00041220: (FFFE,E000) at byte 10860 states 248 bytes but only 224 follow",
        "the last item is cut off: we refuse the sequence, pydicom gives what it holds",
    ),
    (
        "pydicom-data/data_store/data/emri_small_jpeg_2k_lossless_too_short.dcm",
        "pydicom reads nothing",
        "cut off inside the encapsulated pixel data: we give the header, pydicom gives up on the data set",
    ),
];

/// The text of every element with a string VR, at any depth, by path.
struct Texts<'a> {
    bytes: &'a [u8],
    found: BTreeMap<String, Vec<String>>,
    refused: Vec<(String, HeaderError)>,
}

type ItemsOf<'f> = &'f dyn Fn(&Element) -> Result<Vec<Item>, HeaderError>;

impl Texts<'_> {
    fn of<'a>(instance: &'a Instance<'_>) -> Texts<'a> {
        let header = instance.header();
        let mut texts = Texts { bytes: instance.bytes(), found: BTreeMap::new(), refused: Vec::new() };
        let undeclared = SpecificCharacterSet::default();
        texts.collect(&header.elements, "", &undeclared, &|e| header.items(instance.bytes(), e));
        texts
    }

    fn collect(&mut self, elements: &[Element], path: &str, inherited: &SpecificCharacterSet, items_of: ItemsOf<'_>) {
        let own = elements.iter().find(|e| e.tag == dicom_dictionary_std::tags::SPECIFIC_CHARACTER_SET);
        let set = own.map_or(inherited.clone(), |e| SpecificCharacterSet::parse(e.value.of(self.bytes)).0);
        for element in elements {
            let here = format!("{path}{:04x}{:04x}", element.tag.0, element.tag.1);
            let vr = if element.vr == VR::UN { dictionary_vr(element.tag) } else { element.vr };
            if vr == VR::SQ || (vr == VR::UN && element.undefined_length) {
                match items_of(element) {
                    Err(error) => self.refused.push((here, error)),
                    Ok(items) => {
                        for (index, item) in items.iter().enumerate() {
                            let bytes = self.bytes;
                            self.collect(&item.elements, &format!("{here}[{index}]."), &set, &|e| item.items(bytes, e));
                        }
                    }
                }
            } else if is_string(vr) {
                let (values, _) = decode_values(element.value.of(self.bytes), &set, vr);
                if values.iter().any(|v| !v.is_empty()) {
                    self.found.insert(here, values);
                }
            }
        }
    }
}

fn is_string(vr: VR) -> bool {
    use VR::{AE, AS, CS, DA, DS, DT, IS, LO, LT, PN, SH, ST, TM, UC, UI, UR, UT};
    matches!(vr, AE | AS | CS | DA | DS | DT | IS | LO | LT | PN | SH | ST | TM | UC | UI | UR | UT)
}

/// What differs for one file; empty where both agree.
fn differences(bytes: &[u8], pydicom: &Value) -> Vec<String> {
    let instance = match (Instance::parse(bytes), pydicom["error"].as_str()) {
        (Err(_), Some(_)) => return Vec::new(),
        // Read by pydicom only because it was told to read whatever there is.
        (Err(HeaderError::NotDicom | HeaderError::Empty), None) if pydicom["forced"] == true => return Vec::new(),
        (Err(error), None) => return vec![format!("we refuse: {error}")],
        (Ok(_), Some(error)) => return vec![format!("pydicom refuses: {error}")],
        (Ok(instance), None) => instance,
    };
    let mut differences = Vec::new();
    let deflated = instance.header().transfer_syntax.is_deflated();
    // pydicom counts from the inflated data set, the walk from the file with its data set inflated.
    let shift = if deflated { instance.header().data_set_offset as u64 } else { 0 };
    let walked: BTreeMap<u64, &Element> =
        instance.header().elements.iter().map(|e| ((u64::from(e.tag.0) << 16) | u64::from(e.tag.1), e)).collect();
    let theirs: BTreeMap<u64, &Value> =
        pydicom["elements"].as_array().unwrap().iter().map(|e| (e[0].as_u64().unwrap(), e)).collect();
    if theirs.is_empty() && !walked.is_empty() {
        return vec!["pydicom reads nothing".to_owned()];
    }
    for tag in walked.keys().filter(|t| !theirs.contains_key(t)) {
        differences.push(format!("{tag:08x} only by us"));
    }
    for (tag, theirs) in theirs {
        let Some(ours) = walked.get(&tag) else {
            differences.push(format!("{tag:08x} only by pydicom"));
            continue;
        };
        let Some(length) = theirs[2].as_u64() else { continue };
        let ours_at = (ours.value.offset as u64 - shift, ours.value.len as u64, ours.undefined_length);
        let agree =
            theirs[1] == ours_at.0 && (length == ours_at.1 || (ours.undefined_length && length == u64::from(u32::MAX)));
        if !agree {
            differences.push(format!("{tag:08x} at {ours_at:?}, by pydicom at ({}, {length})", theirs[1]));
        }
    }
    let Texts { found: ours, refused, .. } = Texts::of(&instance);
    differences.extend(refused.iter().map(|(path, error)| format!("sequence {path}: {error}")));
    let theirs: BTreeMap<String, Vec<String>> = serde_json::from_value(pydicom["texts"].clone()).unwrap();
    for (path, values) in &ours {
        match theirs.get(path) {
            Some(same) if plain(same) == plain(values) => {}
            Some(other) => differences.push(format!("text {path}: ours {values:?}, pydicom's {other:?}")),
            None => differences.push(format!("text {path} only by us")),
        }
    }
    for (path, values) in theirs.iter().filter(|(path, _)| !ours.contains_key(*path)) {
        // pydicom knows the VRs of some manufacturers' private elements.
        let tag = u32::from_str_radix(&path[path.len() - 8..], 16).unwrap();
        let is_refused = refused.iter().any(|(sequence, _)| path.starts_with(sequence));
        if (tag >> 16) & 1 == 0 && !is_refused && !plain(values).is_empty() {
            differences.push(format!("text {path} only by pydicom"));
        }
    }
    differences
}

/// Values without their padding and, of names, without empty component groups at the end.
fn plain(values: &[String]) -> String {
    let values: Vec<_> = values.iter().map(|v| v.trim_matches([' ', '\0']).trim_end_matches('=')).collect();
    values.join("\\").trim_matches([' ', '\0']).to_owned()
}

#[test]
fn every_file_of_the_conformance_folder_reads_as_pydicom_reads_it() {
    let Some(folder) = oracle::shared("dicom-conformance") else { return };
    let files = oracle::files(&folder);
    let list = tempfile::NamedTempFile::new().unwrap();
    let lines: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    std::fs::write(list.path(), lines.join("\n")).unwrap();
    let script = include_str!("../oracle/dump_with_pydicom.py");
    let Some(dumps) = oracle::python(script, &[list.path()]) else { return };
    let mut agree = 0;
    let mut unexplained = Vec::new();
    let mut unused: Vec<_> = UNDERSTOOD.iter().collect();
    for line in dumps.lines() {
        let pydicom: Value = serde_json::from_str(line).unwrap();
        let path = Path::new(pydicom["file"].as_str().unwrap());
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let found = differences(&std::fs::read(path).unwrap(), &pydicom);
        if found.is_empty() {
            agree += 1;
        }
        for difference in found {
            let understood = |(file, what, _): &(&str, &str, &str)| *file == name && difference.starts_with(*what);
            if UNDERSTOOD.iter().any(understood) {
                unused.retain(|u| !understood(u));
            } else {
                unexplained.push(format!("{name}: {difference}"));
            }
        }
    }
    println!("{agree} of {} files agree with pydicom in every tag, offset, length and text", files.len());
    assert!(unexplained.is_empty(), "{} differences:\n{}", unexplained.len(), unexplained.join("\n"));
    assert!(unused.is_empty(), "listed, but no longer different: {unused:?}");
}
