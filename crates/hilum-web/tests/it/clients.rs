//! Clients that nobody here wrote: python dicomweb-client with all its methods, and OHIF's requests as it sends them.

use crate::{client::start, oracle, synthetic::series};

/// Every method of dicomweb-client but storing; pydicom reads every answer. Prints what it saw.
const CLIENT: &str = r#"
import sys, io, pydicom, numpy as np
from PIL import Image
from dicomweb_client.api import DICOMwebClient
client = DICOMwebClient(url=sys.argv[1])
study, series, sop = sys.argv[2:5]
sent = pydicom.dcmread(sys.argv[5])
say = lambda *words: print(*words)
def names(found): return [d["00100010"]["Value"][0]["Phonetic"] for d in found]

say("studies", len(client.search_for_studies()), len(client.search_for_studies(search_filters={"PatientName": "Hong*"})))
say("korean", names(client.search_for_studies(search_filters={"PatientName": "*홍*"})))
say("fuzzy", len(client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": "gildong hong"})))
say("none", len(client.search_for_studies(search_filters={"PatientID": "NOBODY"})))
say("page", len(client.search_for_studies(limit=1, offset=1)), len(client.search_for_studies(get_remaining=True, limit=1)))
say("series", len(client.search_for_series(study)), len(client.search_for_series(search_filters={"Modality": "CT"})))
say("instances", len(client.search_for_instances(study, series)), len(client.search_for_instances(study)), len(client.search_for_instances(fields=["Rows"])))
say("field", client.search_for_instances(study, series, fields=["BitsAllocated"])[0]["00280100"]["Value"])

say("study", len(client.retrieve_study(study)), len(list(client.iter_study(study))))
say("series", len(client.retrieve_series(study, series)), len(list(client.iter_series(study, series))))
one = client.retrieve_instance(study, series, sop)
say("instance", one == sent, bytes(one.PixelData) == bytes(sent.PixelData))
kept = client.retrieve_instance(study, series, sop, media_types=(("application/dicom", "*"),))
say("kept", kept == sent)
jls = client.retrieve_instance(study, series, sop, media_types=(("application/dicom", "1.2.840.10008.1.2.4.80"),))
say("jls", str(jls.file_meta.TransferSyntaxUID), np.array_equal(jls.pixel_array, sent.pixel_array))

data = client.retrieve_instance_metadata(study, series, sop)
read = pydicom.Dataset.from_json(data, bulk_data_uri_handler=lambda uri: client.retrieve_bulkdata(uri)[0])
say("metadata", str(read.PatientName.phonetic), read.PixelSpacing == sent.PixelSpacing, bytes(read.PixelData) == bytes(sent.PixelData))
say("metadata", len(client.retrieve_study_metadata(study)), len(client.retrieve_series_metadata(study, series)))
say("bulk", len(list(client.iter_bulkdata(data["7FE00010"]["BulkDataURI"]))))

frames = client.retrieve_instance_frames(study, series, sop, frame_numbers=[1])
say("frames", len(frames), frames[0] == bytes(sent.PixelData), len(list(client.iter_instance_frames(study, series, sop, [1]))))
frame = client.retrieve_instance_frames(study, series, sop, [1], media_types=(("application/octet-stream", "*"),))[0]
say("frame", frame == bytes(sent.PixelData))
jls = client.retrieve_instance_frames(study, series, sop, [1], media_types=(("image/jls", "1.2.840.10008.1.2.4.80"),))[0]
say("jls", jls[:2] == b"\xff\xd8")
for kind in ("image/jpeg", "image/png"):
    picture = client.retrieve_instance_rendered(study, series, sop, media_types=(kind,), params={"window": "40,400,linear"})
    picture = Image.open(io.BytesIO(picture))
    say("rendered", picture.format, picture.size, picture.mode)
pictures = client.retrieve_instance_frames_rendered(study, series, sop, [1], media_types=("image/png",))
say("frame rendered", Image.open(io.BytesIO(pictures)).size)
say("series rendered", Image.open(io.BytesIO(client.retrieve_series_rendered(study, series, media_types=("image/png",)))).size)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn dicomweb_client_finds_and_retrieves_with_all_its_methods() {
    let server = start().await;
    let (one, other) = (series(1, 3, 40), series(2, 1, 40));
    let files: Vec<&[u8]> = one.instances.iter().chain(&other.instances).map(|(_, bytes)| bytes.as_slice()).collect();
    server.store(&files).await;
    let facts = hilum_dicom::read_facts(files[0]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent.dcm");
    std::fs::write(&path, files[0]).unwrap();
    let arguments = vec![
        format!("http://{}/dicom-web", server.address),
        facts.study.uid.to_string(),
        facts.series.uid.to_string(),
        facts.sop.to_string(),
        path.display().to_string(),
    ];
    let Some(said) = oracle::python(CLIENT, arguments).await else { return };
    let expected = "studies 2 2\nkorean ['홍^길동', '홍^길동']\nfuzzy 2\nnone 0\npage 1 2\nseries 1 2\ninstances 3 3 4\n\
        field [16]\nstudy 3 3\nseries 3 3\ninstance True True\nkept True\njls 1.2.840.10008.1.2.4.80 True\n\
        metadata 홍^길동 True True\nmetadata 3 3\nbulk 1\nframes 1 True 1\nframe True\njls True\n\
        rendered JPEG (16, 16) L\nrendered PNG (16, 16) L\nframe rendered (16, 16)\nseries rendered (16, 16)\n";
    assert_eq!(said, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ohif_asks_is_answered() {
    let server = start().await;
    let (one, other) = (series(1, 2, 40), series(2, 1, 40));
    let files: Vec<&[u8]> = one.instances.iter().chain(&other.instances).map(|(_, bytes)| bytes.as_slice()).collect();
    server.store(&files).await;
    let facts = hilum_dicom::read_facts(files[0]).unwrap();
    let (study, series) = (&facts.study.uid, &facts.series.uid);
    let json = "application/dicom+json";

    let fields = "includefield=00081030%2C00080060%2C00080090";
    let list = format!("/dicom-web/studies?limit=101&offset=0&fuzzymatching=false&{fields}");
    let answer = server.get_as(&list, json).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(json)));
    let found = answer.json();
    assert_eq!(found.as_array().unwrap().len(), 2);
    // The study received last first, with what the worklist of OHIF shows.
    assert_eq!(found[1]["0020000D"]["Value"][0], study.as_str());
    assert_eq!(found[1]["00081030"]["Value"][0], "CT");
    assert_eq!(found[1]["00100010"]["Value"][0]["Alphabetic"], "Hong^Gildong");
    assert_eq!(found[1]["00080061"]["Value"], serde_json::json!(["CT"]));
    assert_eq!(found[1]["00201208"], serde_json::json!({"vr": "IS", "Value": [2]}));
    let url = format!("http://{}/dicom-web/studies/{study}", server.address);
    assert_eq!(found[1]["00081190"], serde_json::json!({"vr": "UR", "Value": [url]}));

    for (keys, count) in [
        ("PatientName=*%ED%99%8D*", 2),
        ("PatientName=%2A%ED%99%8D%2A", 2),
        ("00100020=SYN-000001", 2),
        ("00100020=KR0001", 0),
        (&format!("StudyInstanceUID={study}"), 1),
        ("ModalitiesInStudy=CT&StudyDate=20260101-20261231", 2),
        ("StudyDate=20250101-20251231", 0),
        ("limit=1&offset=1", 1),
        ("PatientID=%22%22&emptyvaluematching=true", 0),
    ] {
        let answer = server.get_as(&format!("/dicom-web/studies?{keys}"), json).await;
        if count == 0 {
            assert_eq!((answer.status, answer.body.len()), (204, 0), "{keys}");
        } else {
            assert_eq!(answer.json().as_array().unwrap().len(), count, "{keys}");
        }
    }
    let first = server.get_as("/dicom-web/studies?limit=1&total=true", json).await;
    assert_eq!(first.header("x-total-count"), Some("2"));
    assert!(first.header("warning").unwrap().starts_with("299 "), "there is more");
    assert_eq!(server.get_as(&list, json).await.header("warning"), None);

    let under = format!("/dicom-web/studies/{study}/series");
    let found = server.get_as(&format!("{under}?includefield=0008103E"), json).await.json();
    assert_eq!(found[0]["0020000E"]["Value"][0], series.as_str());
    assert_eq!(found[0]["00201209"]["Value"][0], 2);
    let found = server.get_as(&format!("{under}/{series}/instances"), json).await.json();
    assert_eq!(found[0]["00080018"]["Value"][0], one.instances[0].0.as_str());
    assert_eq!(found[0]["00280010"]["Value"][0], 16);

    let metadata = server.get_as(&format!("{under}/{series}/metadata"), json).await.json();
    assert_eq!(metadata.as_array().unwrap().len(), 2);
    let frame = format!("{under}/{series}/instances/{}/frames/1", one.instances[0].0);
    let answer = server.get_as(&frame, "multipart/related; type=application/octet-stream; transfer-syntax=*").await;
    assert_eq!(answer.parts()[0].1.len(), 512);
    let whole = format!("{under}/{series}/instances/{}", one.instances[0].0);
    let answer = server.get_as(&whole, "multipart/related; type=\"application/dicom\"").await;
    assert!(answer.parts()[0].1 == one.instances[0].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_cannot_be_read_names_the_parameter_and_never_its_value() {
    let server = start().await;
    for (query, named) in [
        ("PatientNam=Geheim", "PatientNam"),
        ("StudyDate=Geheim", "0008,0020"),
        ("limit=Geheim", "limit"),
        ("PatientName=Geheim%FF", "PatientName"),
    ] {
        let answer = server.get(&format!("/dicom-web/studies?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text().contains(named) && !answer.text().contains("Geheim"), "{}", answer.text());
    }
    let bad = server.get("/dicom-web/studies/..%2F/series").await;
    assert_eq!(bad.status, 400);
    assert_eq!(server.get_as("/dicom-web/studies", "application/dicom+xml").await.status, 406);
    // A key that the catalogue does not hold is left out of the question, and the answer says so.
    let answer = server.get("/dicom-web/studies?ManufacturerModelName=X").await;
    assert!(answer.header("warning").unwrap().contains("00081090"));
}
