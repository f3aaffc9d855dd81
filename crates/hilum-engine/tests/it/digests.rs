//! An archive some of whose objects were kept with a SHA-256, before there was BLAKE3.

use crate::fixture::{Ct, change_object, config, engine, files, lose_catalogue, rows, send, texts};
use bytes::Bytes;
use hilum_dicom::ObjectDigest;
use hilum_engine::upkeep::{CheckOptions, Fault};
use hilum_engine::{Accepted, Engine, Received, Scope, Selection, Source, WorkControl, Zone};
use hilum_infer::model::sha256_hex;
use std::path::Path;
use tempfile::tempdir;

fn old() -> Vec<Bytes> {
    Ct { slices: 3, ..Ct::default() }.files()
}

fn new() -> Vec<Bytes> {
    Ct { study: 2, slices: 2, ..Ct::default() }.files()
}

/// As an object is kept whose receiver knows this digest.
async fn send_with(engine: &Engine, bytes: &Bytes, digest: ObjectDigest) -> Accepted {
    let received = Received { digest: Some(digest), ..bytes.clone().into() };
    engine.accept_instance(&Scope::local(), Zone::Clinical, received, Source::Dimse).await.unwrap()
}

async fn filled(data: &Path) -> Engine {
    let engine = engine(data).await;
    for bytes in old() {
        let digest = sha256_hex(&bytes).parse().unwrap();
        assert_eq!(send_with(&engine, &bytes, digest).await, Accepted::Kept);
    }
    assert_eq!(send(&engine, &new()).await, [Accepted::Kept, Accepted::Kept]);
    engine
}

async fn digests(data: &Path) -> Vec<String> {
    let mut digests = texts(data, "SELECT digest FROM instance").await;
    digests.sort();
    digests
}

#[tokio::test]
async fn objects_with_either_digest_are_one_archive() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    let mut expected: Vec<String> = old().iter().map(|bytes| sha256_hex(bytes)).collect();
    expected.extend(new().iter().map(|bytes| ObjectDigest::of(bytes).to_string()));
    expected.sort();
    assert_eq!(digests(data.path()).await, expected);

    // The same again, from whoever knows either digest or none.
    for bytes in old().iter().chain(&new()) {
        assert_eq!(send_with(&engine, bytes, ObjectDigest::of(bytes)).await, Accepted::AlreadyThere);
        assert_eq!(send_with(&engine, bytes, sha256_hex(bytes).parse().unwrap()).await, Accepted::AlreadyThere);
    }
    assert_eq!(send(&engine, &old()).await, vec![Accepted::AlreadyThere; 3]);
    let other = Ct { slices: 1, hu: 900, ..Ct::default() }.files();
    assert!(matches!(send(&engine, &other).await[..], [Accepted::Quarantined { .. }]));
    assert_eq!((rows(data.path()).await["instance"], rows(data.path()).await["quarantine"]), (5, 1));

    let report = engine.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
    assert_eq!((report.objects, report.faults), (6, vec![]));
    let out = tempdir().unwrap();
    let studies = [Ct::default(), Ct { study: 2, ..Ct::default() }].map(|ct| ct.study_uid());
    let all = Selection { study: Some(studies.into()), ..Selection::default() };
    let name = "HILUM_TEST".parse().unwrap();
    let done =
        engine.export(&Scope::local(), Zone::Clinical, &all, name, out.path(), &WorkControl::new()).await.unwrap();
    assert_eq!((done.written, done.left_out), (5, vec![]));
    let written: Vec<Vec<u8>> = files(out.path(), "DICOM").iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(old().iter().chain(&new()).all(|bytes| written.iter().any(|file| file == bytes)));

    // A lost catalogue is made again with the digests that the objects have.
    drop(engine);
    lose_catalogue(data.path());
    let engine = Engine::open(config(data.path())).await.unwrap();
    let repair = CheckOptions { quick: false, repair: true };
    let report = engine.check(repair, &WorkControl::new()).await.unwrap();
    assert_eq!((report.rows_restored, report.faults), (6, vec![]));
    assert_eq!(digests(data.path()).await, expected);
}

#[tokio::test]
async fn damage_is_found_whichever_digest_an_object_has() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    for index in [1, 4] {
        change_object(data.path(), index, |object| *object.last_mut().unwrap() ^= 1);
    }
    let report = engine.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
    let mut damaged: Vec<&str> = report
        .faults
        .iter()
        .map(|fault| match fault {
            Fault::Damaged { object, .. } => object.rsplit_once('-').unwrap().1,
            other => panic!("{other:?}"),
        })
        .collect();
    damaged.sort_unstable();
    let mut expected = [sha256_hex(&old()[1]), ObjectDigest::of(&new()[1]).to_string().split_off(3)];
    expected.sort_unstable();
    assert_eq!(damaged, expected);
}
