//! WADO-RS and WADO-URI.

use hilum_dicom::pixels::{ImageDescription, read_hu};
use hilum_dicom::{Instance, TransferSyntaxUid, data_set_digest, read_facts};

use crate::{
    client::{Hidden, Running, Stored, start},
    oracle,
    synthetic::{Series, series},
};

const ANY_SYNTAX: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

async fn kept(seed: u64, slices: usize) -> (Running, Series, String) {
    let server = start().await;
    let series = series(seed, slices, 40);
    let files: Vec<&[u8]> = series.instances.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    server.store(&files).await;
    let facts = read_facts(files[0]).unwrap();
    let path = format!("/dicom-web/studies/{}/series/{}", facts.study.uid, facts.series.uid);
    (server, series, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_a_series_and_an_instance_come_back_byte_for_byte() {
    let (server, series, path) = kept(1, 5).await;
    let (study, _) = path.split_once("/series/").unwrap();
    for resource in [study, &path] {
        let answer = server.get_as(resource, ANY_SYNTAX).await;
        assert_eq!(answer.status, 200);
        let parts = answer.parts();
        assert_eq!(parts.len(), 5);
        for ((content_type, body), (_, sent)) in parts.iter().zip(&series.instances) {
            assert_eq!(content_type, "application/dicom; transfer-syntax=1.2.840.10008.1.2.1");
            assert!(body == sent);
        }
    }
    let (sop, sent) = &series.instances[3];
    let one = format!("{path}/instances/{sop}");
    assert!(server.get_as(&one, ANY_SYNTAX).await.parts()[0].1 == *sent);
    let single = server.get_as(&one, "application/dicom").await;
    assert_eq!(single.header("content-type"), Some("application/dicom; transfer-syntax=1.2.840.10008.1.2.1"));
    assert!(single.body == *sent);
    assert_eq!(server.get_as(&path, "application/dicom").await.status, 406, "several instances need parts");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_404_what_is_no_uid_is_400_and_what_is_not_offered_is_406() {
    let (server, series, path) = kept(1, 1).await;
    let one = format!("{path}/instances/{}", series.instances[0].0);
    for (address, status) in [
        ("/dicom-web/studies/1.2.3", 404),
        ("/dicom-web/studies/1.2.3/metadata", 404),
        (&format!("{path}/instances/1.2.3/frames/1"), 404),
        (&format!("{one}/frames/2"), 404),
        (&format!("{one}/bulkdata/00091001"), 404),
        ("/dicom-web/studies/..%2F..", 400),
        (&format!("{one}/frames/0"), 400),
        (&format!("{one}/frames/x"), 400),
        (&format!("{one}/bulkdata/etc"), 400),
        (&format!("{one}/rendered?window=1"), 400),
        (&format!("{one}/rendered?viewport=0,0"), 400),
        (&format!("{one}/rendered?quality=0"), 400),
    ] {
        let answer = server.get(address).await;
        assert_eq!(answer.status, status, "{address}: {}", answer.text());
    }
    for (address, accept) in [
        (path.clone(), "text/html"),
        (path.clone(), "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.4.90"),
        (format!("{one}/frames/1"), "image/jp2"),
        (format!("{path}/metadata"), "application/dicom+xml"),
        (format!("{one}/rendered"), "image/gif"),
    ] {
        let answer = server.get_as(&address, accept).await;
        assert_eq!(answer.status, 406, "{address} as {accept}");
        assert!(answer.text().contains("offered"), "{}", answer.text());
    }
    assert_eq!(server.get_as(&path, "nonsense").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_come_decoded_compressed_or_alone() {
    let (server, series, path) = kept(2, 1).await;
    let (sop, file) = &series.instances[0];
    let pixels = &file[file.len() - 16 * 16 * 2..];
    let frame = format!("{path}/instances/{sop}/frames/1");
    // OHIF's request, unquoted.
    let answer = server.get_as(&frame, "multipart/related; type=application/octet-stream; transfer-syntax=*").await;
    let parts = answer.parts();
    assert_eq!(parts[0].0, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1");
    assert!(parts[0].1 == pixels);
    assert!(server.get(&frame).await.parts()[0].1 == pixels, "no Accept header");
    let alone = server.get_as(&frame, "application/octet-stream").await;
    assert!(alone.body == pixels);
    assert_eq!(alone.header("content-length"), Some("512"));
    let coded = server.get_as(&frame, "image/jls").await;
    assert_eq!(coded.header("content-type"), Some("image/jls; transfer-syntax=1.2.840.10008.1.2.4.80"));
    let description = ImageDescription::of(&Instance::parse(file).unwrap()).unwrap();
    let decoded = description.decode(&TransferSyntaxUid::jpeg_ls_lossless(), &coded.body).unwrap();
    assert!(decoded.bytes == pixels);
    let twice = server.get(&format!("{path}/instances/{sop}/frames/1,1")).await;
    assert_eq!(twice.parts().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_in_another_transfer_syntax_has_the_same_header_and_pixels() {
    let (server, series, path) = kept(3, 1).await;
    let (sop, file) = &series.instances[0];
    let accept = "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80";
    let answer = server.get_as(&format!("{path}/instances/{sop}"), accept).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let facts = read_facts(&answer.body).unwrap();
    assert_eq!(facts.transfer_syntax, TransferSyntaxUid::jpeg_ls_lossless());
    assert_eq!(facts.patient, read_facts(file).unwrap().patient);
    assert_eq!(read_hu(&answer.body, 0).unwrap(), read_hu(file, 0).unwrap());
    assert_eq!(data_set_digest(&answer.body).unwrap(), data_set_digest(file).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_are_packed_once_a_series_settles_and_computed_anew_when_a_slice_comes_late() {
    let (server, series, path) = kept(4, 4).await;
    let url = format!("{path}/metadata");
    let computed = server.get(&url).await;
    assert_eq!(computed.header("content-type"), Some("application/dicom+json"));
    let json = computed.json();
    let all = json.as_array().unwrap();
    assert_eq!(all.len(), 4);
    assert_eq!(all[1]["00080018"]["Value"][0], series.instances[1].0.as_str());
    assert_eq!(all[0]["00100010"]["Value"][0]["Phonetic"], "홍^길동");
    assert_eq!(all[0]["00080005"]["Value"][0], "ISO_IR 192");
    assert_eq!(all[0]["00280010"], serde_json::json!({"vr": "US", "Value": [16]}));
    let bulk = all[0]["7FE00010"]["BulkDataURI"].as_str().unwrap();
    assert_eq!(bulk, format!("http://{}{path}/instances/{}/bulkdata/7FE00010", server.address, series.instances[0].0));
    let at = bulk.find("/dicom-web").unwrap();
    let file = &series.instances[0].1;
    let value = server.get_as(&bulk[at..], "application/octet-stream").await;
    assert!(value.body == file[file.len() - 512..]);
    assert!(server.get(&bulk[at..]).await.parts()[0].1 == value.body);

    server.engine.run_until_idle().await.unwrap();
    assert_eq!(server.stored("metadata").len(), 1, "one object");
    let packed = server.get(&url).await;
    assert!(packed.body == computed.body);
    // What is told comes from the pack: with the objects gone it is still told.
    let hidden: Vec<_> = server.stored("objects").into_iter().map(Stored::hide).collect();
    assert!(server.get(&url).await.body == computed.body);
    hidden.iter().for_each(Hidden::show);

    let late = self::series(4, 5, 40);
    server.store(&[&late.instances[4].1]).await;
    assert_eq!(server.get(&url).await.json().as_array().unwrap().len(), 5);
    server.engine.run_until_idle().await.unwrap();
    assert_eq!(server.stored("metadata").len(), 1, "the old pack is gone");
    assert_eq!(server.get(&url).await.json().as_array().unwrap().len(), 5);
    for _ in 0..2 {
        server.stored("metadata")[0].write(b"damaged");
        assert_eq!(server.get(&url).await.json().as_array().unwrap().len(), 5, "a pack may be lost");
        assert!(server.stored("metadata")[0].read() != b"damaged", "and is made again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_what_the_window_says_in_the_format_that_is_wanted_most() {
    let (server, series, path) = kept(5, 3).await;
    let one = format!("{path}/instances/{}", series.instances[1].0);
    let png = async |address: &str| {
        let answer = server.get_as(address, "image/jpeg;q=0.5, image/png").await;
        assert_eq!(answer.header("content-type"), Some("image/png"), "{}", answer.status);
        let mut reader = png::Decoder::new(std::io::Cursor::new(answer.body)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        (info.width, info.height, bytes)
    };
    // 40 HU everywhere: PS3.3 C.11.2.1.2.1 for c = 40, w = 401 gives (40 - 39.5) / 400 + 0.5 = 0.50125.
    let (width, height, bytes) = png(&format!("{one}/rendered?window=40,401,linear")).await;
    assert_eq!((width, height), (16, 16));
    assert!(bytes.iter().all(|&byte| byte == 128), "{bytes:?}");
    assert!(png(&format!("{one}/rendered?window=1000,10,linear")).await.2.iter().all(|&byte| byte == 0));
    assert!(png(&format!("{one}/rendered?window=40,400,linear-exact")).await.2.iter().all(|&byte| byte == 128));
    let (width, height, _) = png(&format!("{one}/frames/1/rendered?viewport=64,32")).await;
    assert_eq!((width, height), (32, 32), "fits, the ratio kept");
    for address in [&one, &path, path.split_once("/series").unwrap().0] {
        let (width, height, _) = png(&format!("{address}/thumbnail")).await;
        assert_eq!((width, height), (200, 200));
    }
    let jpeg = server.get_as(&format!("{one}/rendered"), "image/jpeg, image/png;q=0.5").await;
    assert_eq!(jpeg.header("content-type"), Some("image/jpeg"));
    assert!(jpeg.body.starts_with(&[0xFF, 0xD8, 0xFF]));
    let in_parts = server.get_as(&format!("{one}/rendered"), "multipart/related; type=\"image/jpeg\"").await;
    assert_eq!(in_parts.parts()[0].1, jpeg.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn wado_uri_gives_the_instance_or_a_picture_of_it() {
    let (server, series, path) = kept(6, 1).await;
    let parts: Vec<&str> = path.split('/').collect();
    let (sop, file) = &series.instances[0];
    let base = format!("/wado?requestType=WADO&studyUID={}&seriesUID={}&objectUID={sop}", parts[3], parts[5]);
    let dicom = server.get(&format!("{base}&contentType=application%2Fdicom")).await;
    assert!(dicom.status == 200 && dicom.body == *file);
    let jls = server.get(&format!("{base}&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.4.80")).await;
    assert_eq!(read_facts(&jls.body).unwrap().transfer_syntax, TransferSyntaxUid::jpeg_ls_lossless());
    let picture = server.get(&format!("{base}&windowCenter=40&windowWidth=400&rows=8&columns=8&frameNumber=1")).await;
    assert_eq!(picture.header("content-type"), Some("image/jpeg"));
    let png = server.get(&format!("{base}&contentType=image/png&rows=8")).await;
    assert!(png.body.starts_with(b"\x89PNG"));
    for (address, status) in [
        ("/wado?studyUID=1.2".to_owned(), 400),
        ("/wado?requestType=WADO&studyUID=1.2&seriesUID=1.2".to_owned(), 400),
        (format!("{base}&windowCenter=40"), 400),
        (format!("{base}&anonymize=yes"), 400),
        (format!("{base}&frameNumber=2"), 404),
        (format!("{base}&contentType=video/mpeg"), 406),
        ("/wado?requestType=WADO&studyUID=1.2&seriesUID=1.2&objectUID=1.2".to_owned(), 404),
    ] {
        assert_eq!(server.get(&address).await.status, status, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_not_found_any_more_and_what_was_not_is() {
    let (server, series, path) = kept(8, 3).await;
    let delete = async |address: &str| server.send("DELETE", address, &[], b"").await.status;
    let one = format!("{path}/instances/{}", series.instances[0].0);
    assert_eq!([delete(&one).await, delete(&one).await], [204, 404]);
    assert_eq!(server.get_as(&path, ANY_SYNTAX).await.parts().len(), 2);
    assert_eq!(server.get(&format!("{path}/metadata")).await.json().as_array().unwrap().len(), 2);
    assert_eq!(delete(&path).await, 204);
    assert_eq!(server.get(path.split_once("/series").unwrap().0).await.status, 404);
    assert_eq!(server.get("/dicom-web/studies").await.status, 204);
    assert_eq!(delete("/dicom-web/studies/1.2.x").await, 400);
    let foreign = server.send("DELETE", &path, &[("Origin", "http://evil.example")], b"").await;
    assert_eq!(foreign.status, 403, "a page of another site deletes nothing");
}

/// Stores every file that the engine keeps, and says which came back otherwise.
const EXACT: &[(&str, usize)] = &[("dicom-conformance", 340)];

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_the_conformance_set_comes_back_byte_for_byte_or_is_refused_by_name() {
    for (folder, least) in EXACT {
        let Some(folder) = oracle::shared(folder) else { return };
        let (mut servers, mut same, mut known, mut refused) = (vec![start().await], 0, 0, Vec::new());
        for path in oracle::files(&folder) {
            let sent = std::fs::read(&path).unwrap();
            let Ok(facts) = read_facts(&sent) else {
                refused.push(path);
                continue;
            };
            let body = crate::synthetic::multipart("a-boundary-of-no-file", &[&sent]);
            let related = "multipart/related; type=\"application/dicom\"; boundary=a-boundary-of-no-file";
            let mut server = 0;
            // Where another object with this SOP Instance UID is there already, the file gets an archive of its own.
            let status = loop {
                if server == servers.len() {
                    servers.push(start().await);
                }
                let answer =
                    servers[server].send("POST", "/dicom-web/studies", &[("Content-Type", related)], &body).await;
                if answer.status != 202 {
                    break answer.status;
                }
                server += 1;
            };
            if status == 409 {
                refused.push(path);
                continue;
            }
            assert_eq!(status, 200, "{}", path.display());
            let address =
                format!("/dicom-web/studies/{}/series/{}/instances/{}", facts.study.uid, facts.series.uid, facts.sop);
            let answer = servers[server].get_as(&address, ANY_SYNTAX).await;
            assert_eq!(answer.status, 200, "{}: {}", path.display(), answer.text());
            let got = answer.parts().remove(0).1;
            if got.ends_with(data_set(&sent)) {
                same += 1;
            } else {
                // The same object was there before in another transfer syntax or character set: one copy stays.
                assert_eq!(data_set_digest(&got), data_set_digest(&sent), "{}", path.display());
                known += 1;
            }
            assert_eq!(&got[128..132], b"DICM", "{}", path.display());
        }
        println!(
            "{same} files came back, {known} were there before, {} refused, {} archives",
            refused.len(),
            servers.len()
        );
        assert!(same >= *least, "only {same} files came back");
        for path in refused {
            println!("refused: {}", path.strip_prefix(&folder).unwrap().display());
        }
    }
}

/// The file from its data set on.
fn data_set(file: &[u8]) -> &[u8] {
    let at = Instance::parse(file).map_or(0, |instance| instance.header().data_set_offset);
    &file[at..]
}
