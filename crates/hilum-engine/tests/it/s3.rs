//! Objects in a bucket of moto's S3, which nobody here wrote. `HILUM_TEST_STORE=s3` runs the other tests over it, too; these are of the
//! bucket alone.

mod way;

use crate::fixture::{Ct, bucket_place, config, in_bucket, kill_writer_of, number, rows, send, sender_of, texts};
use crate::s3_server as s3;
use bytes::Bytes;
use hilum_engine::upkeep::{BackupError, CheckOptions, Fault, restore};
use hilum_engine::{
    AcceptError, Accepted, BucketSettings, CataloguePlace, Endpoint, Engine, EngineConfig, EngineError, ErrorKind,
    Scope, Selection, Source, StoragePlace, StoredInstance, WorkControl, Zone,
};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::tempdir;
use way::{Mishap, Way};

fn with(data: &Path, storage: StoragePlace) -> EngineConfig {
    EngineConfig { storage, ..config(data) }
}

/// `None`, with a printed reason, where there is no moto.
async fn on_bucket(data: &Path) -> Option<Engine> {
    let storage = bucket_place(data)?;
    Some(Engine::open(with(data, storage)).await.unwrap())
}

/// The same bucket by another way.
fn by_way_of(data: &Path, address: SocketAddr) -> StoragePlace {
    let Some(StoragePlace::Bucket(settings)) = bucket_place(data) else { panic!("there is moto") };
    let endpoint = Some(Endpoint::parse(&format!("http://{address}"), true).unwrap());
    StoragePlace::Bucket(BucketSettings { endpoint, ..settings })
}

async fn accept(engine: &Engine, file: &Bytes) -> Result<Accepted, AcceptError> {
    engine.accept_from(&Scope::local(), Zone::Clinical, file.clone(), sender_of("CT1", file)).await
}

async fn kept(engine: &Engine) -> Vec<StoredInstance> {
    let all = Selection::study(Ct::default().study_uid());
    engine.instances(&Scope::local(), Zone::Clinical, &all).await.unwrap()
}

async fn refusal(config: EngineConfig) -> (String, String) {
    match Engine::open(config).await {
        Err(EngineError::Storage(error)) => (error.code().to_owned(), error.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_instance_is_one_object_behind_its_header_and_its_name_tells_nothing_of_a_patient() {
    let data = tempdir().unwrap();
    let Some(engine) = on_bucket(data.path()).await else { return };
    let files = Ct { slices: 3, ..Ct::default() }.files();
    send(&engine, &files).await;
    let (address, bucket) = s3::bucket_of(data.path()).unwrap();
    let names = in_bucket(data.path(), "objects");
    let keys = texts(data.path(), "SELECT object_key FROM instance ORDER BY id").await;
    assert_eq!(names.len(), 3);
    for ((name, key), file) in names.iter().zip(&keys).zip(&files) {
        assert_eq!(key.strip_prefix("s3:"), name.strip_prefix("archive/"));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '/' | '-');
        assert!(name.chars().all(plain), "{name}");
        let stored = s3::ask(address, "GET", &format!("/{bucket}/{name}"), &[]).unwrap();
        assert_eq!((&stored[..8], &stored[512..]), (b"HILUMOBJ".as_slice(), &file[..]));
    }
    assert!(!data.path().join("objects").exists(), "nothing of it is in the data folder");
}

#[tokio::test]
async fn a_report_and_packed_metadata_are_objects_that_go_with_their_study() {
    let data = tempdir().unwrap();
    let Some(storage) = bucket_place(data.path()) else { return };
    crate::fixture::tiny_model(&data.path().join("model"));
    let model_dir = Some(data.path().join("model"));
    let engine = Engine::open(EngineConfig { model_dir, ..with(data.path(), storage) }).await.unwrap();
    send(&engine, &Ct::default().files()).await;
    engine.run_until_idle().await.unwrap();
    let report = engine.report(&Scope::local(), &Ct::default().study_uid(), hilum_engine::ReportPart::Json).await;
    assert!(report.unwrap().starts_with(b"{"));
    assert!(in_bucket(data.path(), "reports").len() >= 4);
    assert_eq!(in_bucket(data.path(), "metadata").len(), 1);
    let study = Selection::study(Ct::default().study_uid());
    engine.delete(&Scope::local(), Zone::Clinical, &study).await.unwrap();
    for folder in ["objects", "reports", "metadata"] {
        assert_eq!(in_bucket(data.path(), folder), Vec::<String>::new(), "{folder}");
    }
}

#[tokio::test]
async fn a_large_object_goes_in_parts_and_comes_back_whole_and_by_range() {
    let data = tempdir().unwrap();
    let Some(engine) = on_bucket(data.path()).await else { return };
    // 2 x 3200 x 3200 bytes: more than one part.
    let file = Ct { slices: 1, size: 3200, ..Ct::default() }.files().remove(0);
    assert_eq!(accept(&engine, &file).await.unwrap(), Accepted::Kept);
    let instance = kept(&engine).await.remove(0);
    assert!(engine.read_instance(&instance).await.unwrap() == file);
    let opened = engine.open_instance(&instance).await.unwrap();
    let length = file.len() as u64;
    for range in [0..1, 70_000..70_001, length - 1..length, length..length, 0..length, 5..12_000_000] {
        let read = opened.read(range.clone()).await.unwrap();
        assert!(read == file[range.start as usize..range.end as usize], "{range:?}");
    }
    assert!(opened.read(0..length + 1).await.is_err());
    assert_eq!(uploads(data.path()), 0);
    assert_eq!(crate::fixture::on_the_way(data.path()), 0);
}

/// Multipart uploads under way.
fn uploads(data: &Path) -> usize {
    let (address, bucket) = s3::bucket_of(data).unwrap();
    let listed = s3::ask(address, "GET", &format!("/{bucket}?uploads"), &[]).unwrap();
    String::from_utf8(listed).unwrap().matches("<UploadId>").count()
}

#[tokio::test]
async fn parts_that_a_process_which_died_had_sent_are_given_up_at_the_next_start() {
    let data = tempdir().unwrap();
    let Some(engine) = on_bucket(data.path()).await else { return };
    drop(engine);
    let (address, bucket) = s3::bucket_of(data.path()).unwrap();
    let begun = s3::ask(address, "POST", &format!("/{bucket}/archive/objects/x?uploads"), &[]).unwrap();
    let begun = String::from_utf8(begun).unwrap();
    let upload = begun.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap();
    let gone = data.path().join("incoming/7b0a2f4e-4c57-4a8e-9c80-0d8c5f6f0a11");
    std::fs::create_dir_all(&gone).unwrap();
    std::fs::write(gone.join("alive"), []).unwrap();
    std::fs::write(gone.join("upload+1"), format!("objects/x\n{upload}\n")).unwrap();
    assert_eq!(uploads(data.path()), 1);
    drop(on_bucket(data.path()).await.unwrap());
    assert_eq!(uploads(data.path()), 0);
    assert!(!gone.exists());
}

#[tokio::test]
async fn what_a_process_kept_before_it_died_has_its_row_after_the_next_start_and_nothing_older_is_asked_for() {
    let data = tempdir().unwrap();
    let Some(engine) = on_bucket(data.path()).await else { return };
    let files = Ct { slices: 4, ..Ct::default() }.files();
    send(&engine, &files).await;
    drop(engine);
    let names = in_bucket(data.path(), "objects");
    // It says that all it kept before the third has its row; the first and the third lost theirs.
    let third = names[2].split('/').nth(3).unwrap()[..36].to_owned();
    kill_writer_of(data.path(), &names[0], &third);
    number(data.path(), "DELETE FROM instance WHERE id IN (1, 3) RETURNING 1").await;
    let engine = on_bucket(data.path()).await.unwrap();
    assert_eq!(rows(data.path()).await["instance"], 3, "the third, and not the first");
    let repaired = engine.check(CheckOptions { quick: false, repair: true }, &WorkControl::new()).await.unwrap();
    assert_eq!((repaired.rows_restored, repaired.faults), (1, vec![]), "a check looks at all");
    assert_eq!(in_bucket(data.path(), "objects"), names);
}

#[tokio::test]
async fn damage_and_loss_in_the_bucket_are_named_by_uid() {
    let data = tempdir().unwrap();
    let Some(engine) = on_bucket(data.path()).await else { return };
    send(&engine, &Ct { slices: 5, ..Ct::default() }.files()).await;
    let keys = texts(data.path(), "SELECT object_key FROM instance ORDER BY id").await;
    let uids = texts(data.path(), "SELECT sop_uid FROM instance ORDER BY id").await;
    let (address, bucket) = s3::bucket_of(data.path()).unwrap();
    let path = |key: &str| format!("/{bucket}/archive/{}", key.strip_prefix("s3:").unwrap());
    let change = |key: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = s3::ask(address, "GET", &path(key), &[]).unwrap();
        change(&mut bytes);
        s3::ask(address, "PUT", &path(key), &bytes).unwrap();
    };
    change(&keys[0], &|bytes| bytes[900] ^= 8);
    change(&keys[1], &|bytes| bytes[60] ^= 1);
    change(&keys[2], &|bytes| bytes.truncate(1000));
    s3::ask(address, "DELETE", &path(&keys[3]), &[]).unwrap();
    let damaged =
        |at: usize| Fault::Damaged { of: "instance".into(), uid: Some(uids[at].clone()), object: keys[at].clone() };
    let missing = |at: usize| Fault::Missing { of: "instance".into(), uid: uids[at].clone(), object: keys[at].clone() };
    let report = engine.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
    assert_eq!(report.faults, [damaged(0), damaged(1), damaged(2), missing(2), missing(3)]);
    let quick = CheckOptions { quick: true, repair: false };
    let report = engine.check(quick, &WorkControl::new()).await.unwrap();
    assert_eq!(report.faults, [damaged(2), missing(2), missing(3)]);

    let kept = kept(&engine).await;
    for (at, code) in [(0, "object_corrupt"), (2, "object_corrupt"), (3, "object_gone")] {
        let instance = kept.iter().find(|instance| instance.sop.as_str() == uids[at]).unwrap();
        assert_eq!(engine.read_instance(instance).await.unwrap_err().code(), code, "{at}");
    }
}

#[tokio::test]
async fn a_bucket_belongs_to_one_data_folder_and_a_new_one_takes_it_over_by_its_name() {
    let (data, other) = (tempdir().unwrap(), tempdir().unwrap());
    let Some(engine) = on_bucket(data.path()).await else { return };
    send(&engine, &Ct { slices: 3, ..Ct::default() }.files()).await;
    drop(engine);
    let storage = bucket_place(data.path()).unwrap();
    let (code, text) = refusal(with(other.path(), storage.clone())).await;
    let name = std::fs::read_to_string(data.path().join("folder.id")).unwrap();
    assert_eq!(code, "bucket_of_another_archive");
    assert!(text.contains(name.trim()), "{text}");
    assert_eq!(in_bucket(data.path(), "objects").len(), 3);

    // The data folder is lost.
    std::fs::write(other.path().join("folder.id"), name).unwrap();
    let engine = Engine::open(with(other.path(), storage)).await.unwrap();
    let repaired = engine.check(CheckOptions { quick: false, repair: true }, &WorkControl::new()).await.unwrap();
    assert_eq!((repaired.rows_restored, repaired.faults), (3, vec![]));
    assert_eq!(kept(&engine).await.len(), 3);
}

#[tokio::test]
async fn what_is_wrong_with_bucket_credentials_or_address_is_said_in_a_sentence_without_them() {
    let data = tempdir().unwrap();
    let Some(StoragePlace::Bucket(settings)) = bucket_place(data.path()) else { return };
    let mut elsewhere = settings.clone();
    elsewhere.url = "s3://no-such-bucket/archive".parse().unwrap();
    let (code, text) = refusal(with(data.path(), StoragePlace::Bucket(elsewhere))).await;
    assert_eq!(code, "bucket_missing", "{text}");

    let closed = crate::ports::free_address();
    let started = Instant::now();
    let (code, text) = refusal(with(data.path(), by_way_of(data.path(), closed))).await;
    assert_eq!(code, "bucket_unreachable", "{text}");
    assert!(text.contains("endpoint") && started.elapsed() < Duration::from_secs(45));

    // A service that looks at credentials.
    let python = std::env::var_os("HILUM_ORACLE_PYTHON").unwrap();
    let strict = s3::Server::strict(Path::new(&python)).unwrap();
    let (code, text) = refusal(with(data.path(), by_way_of(data.path(), strict.address()))).await;
    assert_eq!(code, "bucket_refused", "{text}");
    assert!(
        text.contains("AWS_SECRET_ACCESS_KEY") && !text.contains("/archive") && !text.contains("http://"),
        "{text}"
    );
    assert!(std::fs::read_dir(data.path().join("incoming")).unwrap().next().is_none(), "an attempt leaves nothing");
}

#[tokio::test]
async fn an_archive_that_began_in_the_data_folder_goes_on_in_a_bucket_and_says_when_that_is_missing() {
    let data = tempdir().unwrap();
    let Some(storage) = bucket_place(data.path()) else { return };
    let files = Ct { slices: 4, ..Ct::default() }.files();
    let in_folder = || with(data.path(), StoragePlace::Folder);
    let engine = Engine::open(in_folder()).await.unwrap();
    send(&engine, &files[..2]).await;
    drop(engine);
    let engine = Engine::open(with(data.path(), storage)).await.unwrap();
    send(&engine, &files[2..]).await;
    let (kept, mut read) = (kept(&engine).await, Vec::new());
    for instance in &kept {
        read.push(engine.read_instance(instance).await.unwrap());
    }
    read.sort();
    let mut came = files.clone();
    came.sort();
    assert!(read == came);
    let report = engine.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
    assert_eq!((report.objects, report.faults), (4, vec![]));
    drop(engine);

    let engine = Engine::open(in_folder()).await.unwrap();
    let codes = async |instance| match engine.read_instance(instance).await {
        Ok(_) => "read",
        Err(error) => error.code(),
    };
    let mut seen = Vec::new();
    for instance in &kept {
        seen.push(codes(instance).await);
    }
    seen.sort_unstable();
    assert_eq!(seen, ["bucket_not_configured", "bucket_not_configured", "read", "read"]);
}

#[tokio::test]
async fn a_backup_of_a_bucket_wants_a_bucket_and_fills_it() {
    let (data, out, target) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let Some(engine) = on_bucket(data.path()).await else { return };
    // One of them in parts.
    send(&engine, &Ct { slices: 1, size: 3200, ..Ct::default() }.files()).await;
    send(&engine, &Ct { series: 2, slices: 3, ..Ct::default() }.files()).await;
    let made = engine.backup(&out.path().join("backup"), &WorkControl::new()).await.unwrap();
    let again = engine.backup(&out.path().join("backup"), &WorkControl::new()).await.unwrap();
    assert_eq!((again.bytes_copied, again.bytes_there), (0, made.bytes_copied));
    drop(engine);
    let (backup, folder) = (out.path().join("backup"), target.path().join("data"));
    let (rows, none) = (CataloguePlace::Folder, WorkControl::new());
    let refused = restore(&backup, &folder, &rows, &StoragePlace::Folder, None, &none).await;
    assert!(matches!(refused, Err(BackupError::NeedsBucket)));
    let storage = bucket_place(&folder).unwrap();
    let restored = restore(&backup, &folder, &rows, &storage, None, &none).await.unwrap();
    assert_eq!(restored.rows, made.rows);
    assert_eq!(in_bucket(&folder, "objects"), in_bucket(data.path(), "objects"));
    let engine = Engine::open(EngineConfig { catalogue: rows, ..with(&folder, storage) }).await.unwrap();
    let report = engine.check(CheckOptions::default(), &none).await.unwrap();
    assert_eq!((report.rows, report.faults), (made.rows, vec![]));
}

#[tokio::test]
async fn two_machines_with_one_bucket_and_one_catalogue_see_what_the_other_keeps() {
    let (one, other) = (tempdir().unwrap(), tempdir().unwrap());
    let Some(storage) = bucket_place(one.path()) else { return };
    let Some(catalogue) = crate::fixture::server_place(one.path()) else { return };
    let on = |data: &Path| EngineConfig {
        catalogue: catalogue.clone(),
        shipped_model: false,
        storage: storage.clone(),
        ..EngineConfig::new(data)
    };
    let first = Engine::open(on(one.path())).await.unwrap();
    std::fs::copy(one.path().join("folder.id"), other.path().join("folder.id")).unwrap();
    let second = Engine::open(on(other.path())).await.unwrap();
    let files = Ct { slices: 2, ..Ct::default() }.files();
    send(&first, &files[..1]).await;
    send(&second, &files[1..]).await;
    for engine in [&first, &second] {
        let kept = kept(engine).await;
        assert_eq!(kept.len(), 2);
        for instance in &kept {
            assert!(files.contains(&engine.read_instance(instance).await.unwrap()));
        }
    }
    // The packed metadata that one makes are read by the other.
    first.run_until_idle().await.unwrap();
    let study = Selection::study(Ct::default().study_uid());
    let mut selected = second.select(&Scope::local(), Zone::Clinical, &study).await.unwrap();
    assert!(selected.next_metadata().await.unwrap().unwrap().starts_with(b"{"));
    assert_eq!(in_bucket(one.path(), "metadata").len(), 1);
    second.delete(&Scope::local(), Zone::Clinical, &study).await.unwrap();
    assert_eq!(in_bucket(one.path(), "objects"), Vec::<String>::new());
}

#[tokio::test]
async fn a_series_that_is_read_in_order_has_several_requests_under_way() {
    let data = tempdir().unwrap();
    let Some((way, engine, _)) = on_a_way(data.path()).await else { return };
    let files = Ct { slices: 24, ..Ct::default() }.files();
    for file in &files {
        accept(&engine, file).await.unwrap();
    }
    let instances = kept(&engine).await;
    way.now_on(Mishap::Late);
    let read = async |ahead: bool| {
        let started = Instant::now();
        for (at, instance) in instances.iter().enumerate() {
            if ahead {
                engine.will_read(&instances[at..]);
            }
            assert!(files.contains(&engine.read_instance(instance).await.unwrap()));
        }
        started.elapsed()
    };
    let (one_by_one, ahead) = (read(false).await, read(true).await);
    assert!(one_by_one > Duration::from_millis(24 * 50), "{one_by_one:?}");
    assert!(ahead * 2 < one_by_one, "{ahead:?} with several under way, {one_by_one:?} without");
}

/// A bucket behind a way, and the instances of one series.
async fn on_a_way(data: &Path) -> Option<(Way, Engine, Vec<Bytes>)> {
    let way = Way::to(s3::shared()?);
    let engine = Engine::open(with(data, by_way_of(data, way.address))).await.unwrap();
    Some((way, engine, Ct { slices: 4, ..Ct::default() }.files()))
}

#[tokio::test]
async fn a_burst_of_503_is_waited_out_and_a_lasting_one_tells_the_sender_to_come_again() {
    let data = tempdir().unwrap();
    let Some((way, engine, files)) = on_a_way(data.path()).await else { return };
    way.first([Mishap::SlowDown; 3]);
    assert_eq!(accept(&engine, &files[0]).await.unwrap(), Accepted::Kept);

    way.now_on(Mishap::SlowDown);
    let started = Instant::now();
    let error = accept(&engine, &files[1]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "bucket_busy"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    way.now_on(Mishap::None);
    assert_eq!(accept(&engine, &files[1]).await.unwrap(), Accepted::Kept);
    assert_eq!(kept(&engine).await.len(), 2);
}

#[tokio::test]
async fn a_service_that_goes_away_refuses_what_comes_and_loses_nothing_that_was_acknowledged() {
    let data = tempdir().unwrap();
    let Some((way, engine, files)) = on_a_way(data.path()).await else { return };
    assert_eq!(accept(&engine, &files[0]).await.unwrap(), Accepted::Kept);
    way.now_on(Mishap::Refused);
    let started = Instant::now();
    let error = accept(&engine, &files[1]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "bucket_unreachable"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(45), "{:?}", started.elapsed());
    let instances = kept(&engine).await;
    assert_eq!(instances.len(), 1, "the catalogue still answers");
    way.now_on(Mishap::None);
    assert!(engine.read_instance(&instances[0]).await.unwrap() == files[0]);
    assert_eq!(accept(&engine, &files[1]).await.unwrap(), Accepted::Kept);
    let report = engine.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
    assert_eq!((report.rows, report.faults), (2, vec![]));
}

#[tokio::test]
async fn an_object_whose_answer_was_lost_is_kept_once() {
    let data = tempdir().unwrap();
    let Some((way, engine, files)) = on_a_way(data.path()).await else { return };
    way.first([Mishap::AnswerLost, Mishap::AnswerLost]);
    assert_eq!(accept(&engine, &files[0]).await.unwrap(), Accepted::Kept);
    assert_eq!(in_bucket(data.path(), "objects").len(), 1);
    assert!(engine.read_instance(&kept(&engine).await[0]).await.unwrap() == files[0]);
}

#[tokio::test]
async fn a_large_object_whose_completion_was_done_and_not_answered_is_kept_once() {
    let data = tempdir().unwrap();
    let Some((way, engine, _)) = on_a_way(data.path()).await else { return };
    let file = Ct { slices: 1, size: 3200, ..Ct::default() }.files().remove(0);
    way.now_on(Mishap::CompletionLost);
    assert_eq!(accept(&engine, &file).await.unwrap(), Accepted::Kept);
    assert_eq!((in_bucket(data.path(), "objects").len(), uploads(data.path())), (1, 0));
    assert!(engine.read_instance(&kept(&engine).await[0]).await.unwrap() == file);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_asked_for_again_and_never_taken_for_the_whole() {
    let data = tempdir().unwrap();
    let Some((way, engine, files)) = on_a_way(data.path()).await else { return };
    accept(&engine, &files[0]).await.unwrap();
    let instance = kept(&engine).await.remove(0);
    way.first([Mishap::AnswerCut(1500), Mishap::Refused, Mishap::AnswerCut(900)]);
    assert!(engine.read_instance(&instance).await.unwrap() == files[0]);
    way.now_on(Mishap::AnswerCut(100));
    let error = engine.read_instance(&instance).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, "bucket_unreachable"), "{error}");
}

#[tokio::test]
async fn who_goes_through_a_large_object_in_small_pieces_asks_for_large_ones() {
    let data = tempdir().unwrap();
    let Some((way, engine, _)) = on_a_way(data.path()).await else { return };
    let file = Ct { slices: 1, size: 3200, ..Ct::default() }.files().remove(0);
    accept(&engine, &file).await.unwrap();
    let opened = engine.open_instance(&kept(&engine).await[0]).await.unwrap();
    let before = way.asked();
    let (mut at, length, mut read) = (0, file.len() as u64, Vec::new());
    while at < length {
        let end = (at + (1 << 20)).min(length);
        read.extend_from_slice(&opened.read(at..end).await.unwrap());
        at = end;
    }
    assert!(read == file);
    // The first piece, then 8 MiB at a time of 19.5.
    assert_eq!(way.asked() - before, 4);
}

#[tokio::test]
async fn parts_that_fail_leave_no_upload_and_no_object() {
    let data = tempdir().unwrap();
    let Some((way, engine, _)) = on_a_way(data.path()).await else { return };
    let file = Ct { slices: 1, size: 3200, ..Ct::default() }.files().remove(0);
    way.now_on(Mishap::PutsSlowDown);
    let outcome = accept(&engine, &file).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    way.now_on(Mishap::None);
    let cleared = async {
        while uploads(data.path()) > 0 || !in_bucket(data.path(), "objects").is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), cleared).await.expect("what failed goes");
    assert_eq!(accept(&engine, &file).await.unwrap(), Accepted::Kept);
    assert_eq!(
        engine.accept_instance(&Scope::local(), Zone::Clinical, file, Source::Stow).await.unwrap(),
        Accepted::AlreadyThere
    );
}
