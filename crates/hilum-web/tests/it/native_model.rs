//! Metadata and search results in the Native DICOM Model (PS3.19), beside what dcmtk makes of the same objects.

use std::process::Command;

use crate::{
    client::start,
    oracle::{python, shared},
    synthetic::series,
};

const XML: &str = "multipart/related; type=\"application/dicom+xml\"";

/// Arguments: a folder with `ours-<n>.xml` and `theirs-<n>.xml`, and how many there are. Prints what differs.
///
/// Numbers are compared as numbers and texts without the padding that dcmtk leaves. Bulk data and the character set that the object
/// states are not compared: an answer refers to the one, and is in UTF-8. The schema is that of PS3.19 A.1.6.
const COMPARE: &str = r#"
import sys
import xml.etree.ElementTree as ET

SPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
NUMBERS = {"DS", "IS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"}
NAME = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"]

def plain(name):
    assert name.startswith(SPACE), name
    return name[len(SPACE):]

def attributes(element, path, out, strict):
    highest = ""
    for attribute in element:
        assert plain(attribute.tag) == "DicomAttribute", attribute.tag
        tag, vr = attribute.get("tag"), attribute.get("vr")
        assert len(tag) == 8 and int(tag, 16) >= 0 and tag == tag.upper() and len(vr) == 2, (tag, vr)
        assert set(attribute.attrib) <= {"tag", "vr", "keyword", "privateCreator"}, attribute.attrib
        creator = attribute.get("privateCreator", "").strip()
        key = path + tag + (":" + creator if creator else "") + "/"
        if tag.startswith(("0002", "7FE0", "FFFC")) or tag.endswith("0000") or tag == "00080005":
            continue
        values = []
        for number, value in enumerate(attribute, 1):
            kind = plain(value.tag)
            if kind in ("BulkData", "InlineBinary"):
                values.append("binary")
                continue
            assert value.get("number") == str(number), (key, value.attrib)
            if kind == "Item":
                attributes(value, f"{key}{number}/", out, strict)
                values.append("item")
            elif kind == "PersonName":
                groups = [(plain(group.tag), [(plain(part.tag), part.text.strip()) for part in group]) for group in value]
                assert not strict or all(name in NAME for _, parts in groups for name, _ in parts), groups
                values.append(str([(group, [p for p in parts if p[1]]) for group, parts in groups if any(p[1] for p in parts)]))
            else:
                assert kind == "Value", kind
                text = (value.text or "").strip(" \0")
                if vr in NUMBERS and text:
                    # dcmtk writes single precision with nine digits.
                    text = "%.7g" % float(text) if vr == "FL" else str(float(text))
                values.append(text)
        while values and not values[-1].strip("[]"):
            values.pop()
        if "binary" not in values and vr not in ("OB", "OW", "OF", "OD", "OL", "OV", "UN"):
            out[key] = (vr, attribute.get("keyword"), values)
            if not strict and attribute.get("keyword") is None:
                nameless.add(key)
    return out

def read(path, strict):
    root = ET.parse(path).getroot()
    assert plain(root.tag) == "NativeDicomModel", root.tag
    assert root.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
    return attributes(root, "", {}, strict)

compared, nameless = 0, set()
for number in range(int(sys.argv[2])):
    ours, theirs = read(f"{sys.argv[1]}/ours-{number}.xml", True), read(f"{sys.argv[1]}/theirs-{number}.xml", False)
    for key in sorted(set(ours) | set(theirs)):
        compared += 1
        if key in nameless and key in ours:
            # Of a later edition than that dcmtk, or private.
            ours[key] = (ours[key][0], None, ours[key][2])
        if ours.get(key) != theirs.get(key):
            print(number, key, ours.get(key), theirs.get(key))
print("compared", compared)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn metadata_as_xml_say_what_dcmtk_says_of_the_same_objects() {
    let Some(conformance) = shared("dicom-conformance") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<Vec<u8>> = [
        "pydicom/src/pydicom/data/test_files/CT_small.dcm",
        "pydicom/src/pydicom/data/test_files/rtplan.dcm",
        "pydicom/src/pydicom/data/test_files/test-SR.dcm",
        "pydicom/src/pydicom/data/charset_files/chrKoreanMulti.dcm",
        "highdicom/data/test_files/sr_document_with_multiple_groups.dcm",
    ]
    .iter()
    .map(|name| std::fs::read(conformance.join(name)).unwrap())
    .collect();
    files.push(series(5, 1, 40).instances.remove(0).1);
    let server = start().await;
    for (number, file) in files.iter().enumerate() {
        server.store(&[file]).await;
        let facts = hilum_dicom::read_facts(file).unwrap();
        let path = format!(
            "/dicom-web/studies/{}/series/{}/instances/{}/metadata",
            facts.study.uid, facts.series.uid, facts.sop
        );
        let answer = server.get_as(&path, XML).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let parts = answer.parts();
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].0, "application/dicom+xml");
        std::fs::write(folder.path().join(format!("ours-{number}.xml")), &parts[0].1).unwrap();
        let object = folder.path().join("object.dcm");
        std::fs::write(&object, file).unwrap();
        let theirs = folder.path().join(format!("theirs-{number}.xml"));
        let arguments = ["-q", "-nat", "+Xn", "+U8"];
        let Ok(output) = Command::new("dcm2xml").args(arguments).arg(&object).arg(&theirs).output() else {
            assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "dcm2xml is absent");
            println!("SKIPPED: dcm2xml is not installed (apt-get install dcmtk)");
            return;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let arguments = vec![folder.path().display().to_string(), files.len().to_string()];
    let Some(said) = python(COMPARE, arguments).await else { return };
    let (differences, compared) = said.split_once("compared ").unwrap();
    assert_eq!(differences, "", "attributes that differ: ours, then dcmtk's");
    assert!(compared.trim().parse::<usize>().unwrap() > 500, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_and_a_search_come_as_a_part_for_each_and_json_stays_the_default() {
    let server = start().await;
    let series = series(6, 3, 40);
    server.store(&series.instances.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>()).await;
    let study = format!("/dicom-web/studies/{}", series.study);
    let metadata = server.get_as(&format!("{study}/metadata"), XML).await;
    let parts = metadata.parts();
    assert_eq!(parts.len(), 3);
    for ((sop, _), (_, part)) in series.instances.iter().zip(&parts) {
        let text = std::str::from_utf8(part).unwrap();
        assert!(text.contains(&format!("keyword=\"SOPInstanceUID\"><Value number=\"1\">{sop}</Value>")), "{text}");
        // Pixel data are where JSON says that they are.
        let uri = format!("http://{}{study}/series/", server.address);
        assert!(text.contains(&format!("<BulkData uri=\"{uri}")), "{text}");
    }
    let found = server.get_as("/dicom-web/instances?PatientID=SYN-000001", XML).await;
    assert_eq!((found.status, found.parts().len()), (200, 3));
    let text = String::from_utf8(found.parts()[0].1.clone()).unwrap();
    assert!(text.contains("<Phonetic><FamilyName>홍</FamilyName><GivenName>길동</GivenName></Phonetic>"), "{text}");
    assert_eq!(server.get_as("/dicom-web/studies?PatientID=nobody", XML).await.status, 204);

    let is = |accept: &'static str| {
        let (server, study) = (&server, &study);
        async move {
            let mut types = Vec::new();
            for path in [format!("{study}/metadata"), "/dicom-web/studies".to_owned()] {
                let answer = server.get_as(&path, accept).await;
                let said = answer.header("content-type").unwrap_or_default();
                types.push((answer.status, said.split(';').next().unwrap().to_owned()));
            }
            assert_eq!(types[0], types[1], "{accept}");
            types.remove(0)
        }
    };
    let json = |essence: &str| (200, essence.to_owned());
    assert_eq!(is("*/*").await, json("application/dicom+json"));
    assert_eq!(is("application/json").await, json("application/json"));
    assert_eq!(
        is("application/dicom+json;q=0.5, multipart/related; type=\"application/dicom+xml\"").await,
        json("multipart/related")
    );
    assert_eq!(
        is("multipart/related; type=\"application/dicom+xml\";q=0.5, application/dicom+json").await,
        json("application/dicom+json")
    );
    assert_eq!(is("multipart/related; type=application/dicom+xml").await, json("multipart/related"));
    for refused in ["application/dicom+xml", "text/html", "multipart/related; type=\"application/dicom+json\""] {
        assert_eq!(is(refused).await.0, 406, "{refused}");
        let answer = server.get_as("/dicom-web/studies", refused).await;
        assert!(answer.text().contains("application/dicom+xml"), "it says what is offered: {}", answer.text());
    }
}
