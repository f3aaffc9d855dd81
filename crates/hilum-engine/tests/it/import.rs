//! Files, folders, zips and DICOMDIR.

use crate::fixture::{Ct, dcmtk, engine, number, objects, rows};
use bytes::Bytes;
use hilum_engine::{ErrorKind, ImportSummary, Scope, WorkControl, Zone};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::tempdir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

async fn import(data: &Path, paths: &[PathBuf]) -> ImportSummary {
    let engine = engine(data).await;
    engine.import(&Scope::local(), paths, Zone::Clinical, &WorkControl::new()).await.unwrap()
}

fn write_all(folder: &Path, files: &[Bytes]) {
    fs::create_dir_all(folder).unwrap();
    for (index, bytes) in files.iter().enumerate() {
        fs::write(folder.join(format!("IM{index:04}.dcm")), bytes).unwrap();
    }
}

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn a_folder_of_two_series_and_rubbish_is_counted_file_by_file() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let series = Ct { slices: 4, ..Ct::default() };
    write_all(&folder.path().join("mixed"), &series.files());
    write_all(&folder.path().join("mixed/deeper"), &Ct { series: 2, ..series.clone() }.files());
    fs::write(folder.path().join("mixed/again.dcm"), &series.files()[0]).unwrap();
    fs::write(folder.path().join("mixed/other.dcm"), &Ct { slices: 1, hu: 500, ..series.clone() }.files()[0]).unwrap();
    fs::write(folder.path().join("notes.txt"), "patient came late").unwrap();
    fs::write(folder.path().join("empty.dcm"), b"").unwrap();
    let whole = Ct { study: 2, slices: 1, ..Ct::default() }.files().remove(0);
    fs::write(folder.path().join("cut.dcm"), &whole[..whole.len() - 10]).unwrap();

    let summary = import(data.path(), &[folder.path().to_owned()]).await;
    assert_eq!((summary.files, summary.kept, summary.not_dicom, summary.quarantined), (13, 8, 1, 1));
    assert_eq!(summary.already_there, 1);
    let refused: Vec<(&str, &str)> =
        summary.refused.iter().map(|file| (file.path.rsplit('/').next().unwrap(), file.code.as_str())).collect();
    assert_eq!(refused, [("cut.dcm", "pixel_data_truncated"), ("empty.dcm", "empty_file")]);
    assert_eq!(summary.studies.into_iter().collect::<Vec<_>>(), [series.study_uid().to_string()]);
    assert_eq!(rows(data.path()).await["series"], 2);
    // The import is over, so its series are quiet now.
    let soon = (time::OffsetDateTime::now_utc().unix_timestamp() + 1) * 1000;
    assert_eq!(number(data.path(), &format!("SELECT count(*) FROM series WHERE quiet_at > {soon}")).await, 0);

    let again = import(data.path(), &[folder.path().to_owned()]).await;
    assert_eq!((again.files, again.kept, again.already_there, again.quarantined), (13, 0, 9, 1));
    assert_eq!(objects(data.path()).len(), 8);
}

/// Files are read side by side, yet the first path wins.
#[tokio::test(flavor = "multi_thread")]
async fn of_objects_under_one_uid_the_first_path_is_kept() {
    let folder = tempdir().unwrap();
    let object = |hu| Ct { slices: 1, hu, ..Ct::default() }.files().remove(0);
    for i in 0..12 {
        fs::write(folder.path().join(format!("{i:02}.dcm")), object(100 + i)).unwrap();
    }
    let data = tempdir().unwrap();
    let summary = import(data.path(), &[folder.path().to_owned()]).await;
    assert_eq!((summary.kept, summary.quarantined), (1, 11));
    assert_eq!(objects(data.path())[0], object(100));
}

#[tokio::test]
async fn a_zip_and_a_zip_inside_it_are_looked_through() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let sent = Ct { slices: 3, ..Ct::default() }.files();
    let inner = zipped(&[("b/2.dcm", &sent[1]), ("b/3.dcm", &sent[2])]);
    let outer = folder.path().join("study.zip");
    fs::write(&outer, zipped(&[("a/1.dcm", &sent[0]), ("readme.txt", b"hello hello hello"), ("inner.zip", &inner)]))
        .unwrap();
    let summary = import(data.path(), std::slice::from_ref(&outer)).await;
    assert_eq!((summary.kept, summary.not_dicom, summary.refused.len()), (3, 1, 0));
    assert_eq!(objects(data.path()).len(), 3);

    // Nested deeper than 3 is refused, damaged is refused.
    let mut deep = zipped(&[("1.dcm", &sent[0])]);
    for _ in 0..5 {
        deep = zipped(&[("next.zip", &deep)]);
    }
    fs::write(folder.path().join("deep.zip"), &deep).unwrap();
    fs::write(folder.path().join("damaged.zip"), &deep[..deep.len() / 2]).unwrap();
    let summary = import(data.path(), &[folder.path().join("deep.zip"), folder.path().join("damaged.zip")]).await;
    let mut codes: Vec<&str> = summary.refused.iter().map(|file| file.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!((summary.kept, codes), (0, vec!["nested_too_deep", "zip_damaged"]));
}

#[tokio::test]
async fn a_bomb_of_zeros_costs_no_time_and_no_memory() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let bomb = folder.path().join("bomb.zip");
    let mut zip = ZipWriter::new(fs::File::create(&bomb).unwrap());
    zip.start_file("zeros.dcm", SimpleFileOptions::default().large_file(true)).unwrap();
    let zeros = vec![0_u8; 1 << 20];
    for _ in 0..512 {
        zip.write_all(&zeros).unwrap();
    }
    zip.finish().unwrap();
    let start = Instant::now();
    let summary = import(data.path(), &[bomb]).await;
    assert_eq!((summary.not_dicom, summary.kept), (1, 0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// A member that looks like DICOM and goes on for ever, told of once or many times over: in 40 central records that share one local one
/// (as in D. Fifield's "A better zip bomb"), and in an archive inside the archive.
#[tokio::test]
async fn an_archive_that_inflates_to_far_more_than_its_length_is_given_up() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let mut bomb = vec![0_u8; 128];
    bomb.extend(b"DICM");
    bomb.resize(40 << 20, 0);
    let overlapping = with_records(&zipped(&[("00.dcm", &bomb)]), 40);
    let members = [("a.dcm", &Ct { slices: 1, ..Ct::default() }.files()[0][..]), ("next.zip", &overlapping)];
    for (name, bytes) in [("overlapping.zip", overlapping.clone()), ("nested.zip", zipped(&members))] {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let start = Instant::now();
        let summary = import(data.path(), std::slice::from_ref(&file)).await;
        let given_up = summary.refused.iter().find(|refused| refused.code == "zip_bomb");
        assert_eq!(given_up.map(|refused| refused.path.as_str()), Some(&*file.display().to_string()), "{summary:?}");
        assert!(summary.refused.len() < 40, "it does not go on to the end: {}", summary.refused.len());
        assert_eq!(summary.kept, u64::from(name == "nested.zip"), "what came before the bomb is kept");
        assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
    }
}

/// The archive of one member `00.dcm`, whose central directory tells of it `times` over, as `00.dcm`, `01.dcm` ...
fn with_records(single: &[u8], times: u8) -> Vec<u8> {
    let at = |signature: &[u8]| single.windows(4).rposition(|window| window == signature).unwrap();
    let (central, end) = (at(b"PK\x01\x02"), at(b"PK\x05\x06"));
    let mut bytes = single[..central].to_vec();
    for number in 0..times {
        let mut record = single[central..end].to_vec();
        // The name follows 46 bytes of the record (APPNOTE 4.3.12).
        record[46] = b'0' + number / 10;
        record[47] = b'0' + number % 10;
        bytes.extend(record);
    }
    let mut tail = single[end..].to_vec();
    let size = (end - central) as u32 * u32::from(times);
    // Entries on this disk and in all, and the length of the directory (APPNOTE 4.3.16).
    tail[8..10].copy_from_slice(&u16::from(times).to_le_bytes());
    tail[10..12].copy_from_slice(&u16::from(times).to_le_bytes());
    tail[12..16].copy_from_slice(&size.to_le_bytes());
    bytes.extend(tail);
    bytes
}

#[tokio::test]
async fn names_and_links_in_an_archive_lead_nowhere() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let sent = Ct { slices: 3, ..Ct::default() }.files();
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let absolute = folder.path().join("absolute.dcm").display().to_string();
    for (name, bytes) in [("../../outside.dcm", &sent[0]), (absolute.as_str(), &sent[1]), ("..\\..\\win.dcm", &sent[2])]
    {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.add_symlink("link.dcm", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let inner = folder.path().join("in");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("paths.zip"), zip.finish().unwrap().into_inner()).unwrap();
    let summary = import(data.path(), &[inner.join("paths.zip")]).await;
    assert_eq!((summary.kept, summary.not_dicom, summary.refused.len()), (3, 1, 0), "{summary:?}");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["in"], "nothing is written by a member's name");
}

#[tokio::test]
async fn a_dicomdir_brings_the_files_that_it_names() {
    let (data, medium) = (tempdir().unwrap(), tempdir().unwrap());
    let sent = Ct { slices: 3, ..Ct::default() }.files();
    for (index, bytes) in sent.iter().enumerate() {
        fs::write(medium.path().join(format!("IM{index}")), bytes).unwrap();
    }
    let dicomdir = medium.path().join("DICOMDIR");
    let arguments = [Path::new("-Pgp"), Path::new("+r"), Path::new("+id"), medium.path(), Path::new("+D"), &dicomdir];
    if dcmtk("dcmmkdir", &arguments).is_none() {
        return;
    }
    fs::remove_file(medium.path().join("IM2")).unwrap();
    let summary = import(data.path(), std::slice::from_ref(&dicomdir)).await;
    assert_eq!(summary.kept, 2, "{summary:?}");
    assert_eq!(summary.refused.iter().map(|file| file.code.as_str()).collect::<Vec<_>>(), ["file_missing"]);
    // Walked as a folder, the index itself is skipped.
    let summary = import(data.path(), &[medium.path().to_owned()]).await;
    assert_eq!((summary.already_there, summary.not_dicom, summary.refused.len()), (2, 1, 0));
}

#[tokio::test]
async fn ten_thousand_other_files_are_passed_by_quickly() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    for index in 0..10_000 {
        fs::write(folder.path().join(format!("{index}.log")), "neither DICOM nor empty").unwrap();
    }
    fs::write(folder.path().join("one.dcm"), &Ct { slices: 1, ..Ct::default() }.files()[0]).unwrap();
    let start = Instant::now();
    let summary = import(data.path(), &[folder.path().to_owned()]).await;
    assert_eq!((summary.files, summary.not_dicom, summary.kept), (10_001, 10_000, 1));
    println!("10,000 other files: {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn an_import_can_be_cancelled_and_what_was_kept_stays() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    write_all(folder.path(), &Ct { slices: 200, ..Ct::default() }.files());
    let engine = engine(data.path()).await;
    let control = WorkControl::new();
    let watcher = tokio::spawn({
        let control = control.clone();
        async move {
            while control.done() < 5 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            control.cancel();
        }
    });
    let paths = [folder.path().to_owned()];
    let summary = engine.import(&Scope::local(), &paths, Zone::Clinical, &control).await.unwrap();
    watcher.await.unwrap();
    assert!(summary.cancelled);
    assert_eq!(control.total(), Some(200));
    assert!(summary.kept >= 5 && summary.kept < 200, "{}", summary.kept);
    assert_eq!(objects(data.path()).len() as u64, summary.kept);
    assert_eq!(rows(data.path()).await["instance"] as u64, summary.kept);
}

#[tokio::test]
async fn a_path_that_is_not_there_and_the_research_zone_are_refused() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let nowhere = [data.path().join("Hong^Gildong")];
    let (scope, control) = (Scope::local(), WorkControl::new());
    let import = |zone| engine.import(&scope, &nowhere, zone, &control);
    let error = hold(import(Zone::Clinical).await);
    assert_eq!(error.0, ErrorKind::NotFound);
    assert!(!error.1.contains("Hong"), "a path can hold a name: {}", error.1);
    assert_eq!(hold(import(Zone::Research).await).0, ErrorKind::Refused);
}

fn hold(outcome: Result<ImportSummary, hilum_engine::EngineError>) -> (ErrorKind, String) {
    let error = outcome.unwrap_err();
    (error.kind(), error.to_string())
}
