//! A study of several kinds of objects: what can be given of one cannot of another.

use hilum_dicom::part10::file_meta;
use hilum_dicom::{Instance, TransferSyntaxUid, read_facts};

use crate::{
    client::{Running, start},
    synthetic::series,
};

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";
const CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
const PDF: &str = "1.2.840.10008.5.1.4.1.1.104.1";
const REPORT: &str = "1.2.840.10008.5.1.4.1.1.88.11";

fn element(group: u16, number: u16, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(if matches!(vr, "OB" | "UI") { 0 } else { b' ' });
    }
    let length = value.len() as u32;
    let tag = [group.to_le_bytes(), number.to_le_bytes()].concat();
    let length =
        if vr == "OB" { [&[0, 0][..], &length.to_le_bytes()].concat() } else { (length as u16).to_le_bytes().to_vec() };
    [tag, vr.as_bytes().to_vec(), length, value].concat()
}

/// A Part 10 file of the study, of a series of its own, with more elements in order of their tags.
fn object(study: &str, number: u32, sop_class: &str, more: &[Vec<u8>]) -> (String, Vec<u8>) {
    let sop = format!("{study}.9.{number}");
    let mut file =
        file_meta(&sop_class.parse().unwrap(), &sop.parse().unwrap(), &TransferSyntaxUid::explicit_little_endian());
    for (group, element_number, vr, value) in [
        (0x0008, 0x0016, "UI", sop_class.to_owned()),
        (0x0008, 0x0018, "UI", sop.clone()),
        (0x0008, 0x0060, "CS", "OT".to_owned()),
        (0x0010, 0x0010, "PN", "Hong^Gildong".to_owned()),
        (0x0010, 0x0020, "LO", "SYN-000001".to_owned()),
        (0x0020, 0x000D, "UI", study.to_owned()),
        (0x0020, 0x000E, "UI", format!("{study}.8.{number}")),
        (0x0020, 0x0011, "IS", number.to_string()),
        (0x0020, 0x0013, "IS", "1".to_owned()),
    ] {
        file.extend(element(group, element_number, vr, value.as_bytes()));
    }
    file.extend(more.concat());
    (sop, file)
}

/// Two pixels, red and blue.
fn capture(study: &str) -> (String, Vec<u8>) {
    let short = |number: u16, value: u16| element(0x0028, number, "US", &value.to_le_bytes());
    object(
        study,
        2,
        CAPTURE,
        &[
            short(0x0002, 3),
            element(0x0028, 0x0004, "CS", b"RGB"),
            short(0x0006, 0),
            short(0x0010, 1),
            short(0x0011, 2),
            short(0x0100, 8),
            short(0x0101, 8),
            short(0x0102, 7),
            short(0x0103, 0),
            element(0x7FE0, 0x0010, "OB", &[255, 0, 0, 0, 0, 255]),
        ],
    )
}

fn document(study: &str) -> (String, Vec<u8>) {
    let more = [element(0x0042, 0x0011, "OB", b"%PDF-1.4 "), element(0x0042, 0x0012, "LO", b"application/pdf")];
    object(study, 3, PDF, &more)
}

/// The server, the study's address, and those of the picture, the document and the first slice with its file.
async fn kept() -> (Running, String, String, String, (String, Vec<u8>)) {
    let server = start().await;
    let slices = series(1, 1, 40);
    let study = slices.study.to_string();
    let reports = [4, 5, 6].map(|number| object(&study, number, REPORT, &[]).1);
    let (picture, document) = (capture(&study), document(&study));
    let slice = &slices.instances[0].1;
    let mut files = vec![slice.as_slice(), &picture.1, &document.1];
    files.extend(reports.iter().map(Vec::as_slice));
    server.store(&files).await;
    let base = format!("/dicom-web/studies/{study}");
    let address = |number: u32, sop: &str| format!("{base}/series/{study}.8.{number}/instances/{sop}");
    let facts = read_facts(slice).unwrap();
    let first = format!("{base}/series/{}/instances/{}", facts.series.uid, facts.sop);
    (server, base.clone(), address(2, &picture.0), address(3, &document.0), (first, slice.clone()))
}

fn related(syntax: &str) -> String {
    format!("multipart/related; type=\"application/dicom\"; transfer-syntax={syntax}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_of_a_list_is_given_where_the_first_cannot_be() {
    let (server, study, picture, _, (slice, file)) = kept().await;
    let list = format!("{}, {};q=0.5", related(JPEG_LS), related(EXPLICIT));
    let answer = server.get_as(&picture, &list).await;
    assert_eq!(answer.parts()[0].0, format!("application/dicom; transfer-syntax={EXPLICIT}"));
    assert!(Instance::parse(&answer.parts()[0].1).unwrap().bytes().ends_with(&[255, 0, 0, 0, 0, 255]));
    // Three samples do not fit JPEG-LS here, whatever the form is.
    for wanted in [related(JPEG_LS), format!("application/dicom; transfer-syntax={JPEG_LS}")] {
        let answer = server.get_as(&picture, &wanted).await;
        assert_eq!(answer.status, 406, "{wanted}");
        assert!(answer.text().contains("offered"), "{}", answer.text());
    }
    // Another form, and anything at all.
    let jpeg_2000 = "1.2.840.10008.1.2.4.90";
    for list in [
        format!("application/dicom; transfer-syntax={jpeg_2000}, {}", related("*")),
        format!("{}, */*;q=0.1", related(jpeg_2000)),
    ] {
        let answer = server.get_as(&slice, &list).await;
        assert_eq!(answer.status, 200, "{list}: {}", answer.text());
        assert!(answer.parts()[0].1 == file, "{list}");
    }
    let alone = server.get_as(&slice, &format!("{}, application/dicom;q=0.5", related(jpeg_2000))).await;
    assert!(alone.status == 200 && alone.body == file);
    // Of several, what cannot be what is wanted says what it is.
    let answer = server.get_as(&study, &related(JPEG_LS)).await;
    let syntaxes: Vec<String> = answer.parts().into_iter().map(|(content_type, _)| content_type).collect();
    let in_jpeg_ls = syntaxes.iter().filter(|syntax| syntax.ends_with(JPEG_LS)).count();
    // The slice and what has no pixels.
    assert_eq!((syntaxes.len(), in_jpeg_ls), (6, 5), "{syntaxes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_and_grey_come_in_jpeg_lossless_without_a_pixel_changed() {
    let (server, study, picture, _, (slice, file)) = kept().await;
    let grey = &file[file.len() - 16 * 16 * 2..];
    let decoded = |of: &[u8], coded: &[u8]| {
        let description = hilum_dicom::pixels::ImageDescription::of(&Instance::parse(of).unwrap()).unwrap();
        description.decode(&TransferSyntaxUid::jpeg_lossless_sv1(), coded).unwrap().bytes
    };
    let as_kept = server.get_as(&picture, "application/dicom").await.body;
    for (address, kept, pixels) in [(&slice, &file, grey), (&picture, &as_kept, &[255, 0, 0, 0, 0, 255][..])] {
        for accept in ["image/jpeg".to_owned(), format!("image/jpeg; transfer-syntax={JPEG_LOSSLESS}")] {
            let frame = server.get_as(&format!("{address}/frames/1"), &accept).await;
            assert_eq!(frame.header("content-type"), Some(&*format!("image/jpeg; transfer-syntax={JPEG_LOSSLESS}")));
            assert_eq!(decoded(kept, &frame.body), pixels);
        }
        let whole = server.get_as(address, &format!("application/dicom; transfer-syntax={JPEG_LOSSLESS}")).await;
        assert_eq!(read_facts(&whole.body).unwrap().transfer_syntax.as_str(), JPEG_LOSSLESS);
        let outline = hilum_dicom::Outline::read(&whole.body.as_slice()).unwrap();
        let description = hilum_dicom::pixels::ImageDescription::of(&outline.instance().unwrap()).unwrap();
        let coded = description.read(&outline, 0, &whole.body.as_slice()).unwrap();
        assert_eq!(decoded(&whole.body, &coded), pixels);
    }
    let all = server.get_as(&study, &related(JPEG_LOSSLESS)).await.parts();
    assert!(all.len() == 6 && all.iter().all(|(content_type, _)| content_type.ends_with(JPEG_LOSSLESS)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_is_shown_by_one_of_its_images() {
    let (server, study, ..) = kept().await;
    for address in [format!("{study}/thumbnail"), format!("{study}/rendered")] {
        let answer = server.get(&address).await;
        assert_eq!(answer.status, 200, "{address}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_mirrored_and_no_type_that_is_refused_comes() {
    let (server, _, picture, ..) = kept().await;
    for (viewport, expected) in [
        ("2,2,0,0,2,1", [255, 0, 0, 0, 0, 255]),
        ("2,2,,,-2,1", [0, 0, 255, 255, 0, 0]),
        ("2,2,,,-2,-1", [0, 0, 255, 255, 0, 0]),
        ("2,2,,,,", [255, 0, 0, 0, 0, 255]),
    ] {
        let address = format!("{picture}/rendered?viewport={viewport}");
        let answer = server.get_as(&address, "image/jpeg;q=0, */*").await;
        assert_eq!(answer.header("content-type"), Some("image/png"), "{viewport}: {}", answer.status);
        let mut reader = png::Decoder::new(std::io::Cursor::new(answer.body)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut bytes).unwrap();
        assert_eq!(bytes, expected, "{viewport}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_comes_as_what_it_is() {
    let (server, _, _, document, _) = kept().await;
    let address = format!("{document}/bulkdata/00420011");
    // As OHIF asks for it.
    let pdf = server.get(&format!("{address}?accept=application/pdf")).await;
    assert_eq!((pdf.status, pdf.header("content-type")), (200, Some("application/pdf")));
    assert_eq!(pdf.body, b"%PDF-1.4 \0");
    let parts = server.get_as(&address, "multipart/related; type=\"application/pdf\"").await.parts();
    assert_eq!(parts, [("application/pdf".to_owned(), pdf.body.clone())]);
    let octets = server.get_as(&address, "application/octet-stream").await;
    assert_eq!((octets.header("content-type"), &octets.body), (Some("application/octet-stream"), &pdf.body));
    let none = server.get_as(&address, "video/mp4").await;
    assert!(none.status == 406 && none.text().contains("application/pdf"), "{}", none.text());
    // By parameters, what is no image comes as it is kept.
    let path: Vec<&str> = document.split('/').collect();
    let address = format!("/wado?requestType=WADO&studyUID={}&seriesUID={}&objectUID={}", path[3], path[5], path[7]);
    let answer = server.get(&address).await;
    assert_eq!(answer.header("content-type"), Some(&*format!("application/dicom; transfer-syntax={EXPLICIT}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_pixel_data_come_as_samples_or_as_frames_that_say_what_they_are() {
    let (server, _, _, _, (slice, file)) = kept().await;
    let compressed = server.get_as(&slice, &format!("application/dicom; transfer-syntax={JPEG_LS}")).await;
    let other = start().await;
    other.store(&[&compressed.body]).await;
    let address = format!("{slice}/bulkdata/7FE00010");
    let parts = other.get(&address).await.parts();
    assert_eq!(parts[0].0, format!("application/octet-stream; transfer-syntax={EXPLICIT}"));
    assert!(parts.len() == 1 && file.ends_with(&parts[0].1));
    let kept = other.get_as(&address, "multipart/related; type=\"image/jls\"; transfer-syntax=*").await.parts();
    assert_eq!(kept[0].0, format!("image/jls; transfer-syntax={JPEG_LS}"));
    let description = hilum_dicom::pixels::ImageDescription::of(&Instance::parse(&file).unwrap()).unwrap();
    let decoded = description.decode(&TransferSyntaxUid::jpeg_ls_lossless(), &kept[0].1).unwrap();
    assert!(decoded.bytes == parts[0].1);
}
