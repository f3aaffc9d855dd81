//! An instance whose object was lost or damaged comes again, and is there again: whoever hears success may delete its own copy.

use crate::fixture::{Ct, aside, change_object, config, lock, lose_objects, number, rows, sender_of, texts};
use bytes::Bytes;
use hilum_engine::upkeep::CheckOptions;
use hilum_engine::{Accepted, Engine, Scope, Selection, Source, WorkControl, Zone};
use std::path::Path;
use std::time::Duration;
use tempfile::tempdir;

/// What is done to a data folder while no engine is open.
type Harm = fn(&Path);

async fn open(data: &Path) -> Engine {
    Engine::open(config(data)).await.unwrap()
}

/// Its row is waited for.
async fn send(engine: &Engine, file: &Bytes) -> Accepted {
    engine.accept_instance(&Scope::local(), Zone::Clinical, file.clone(), Source::Import).await.unwrap()
}

/// Its row is promised.
async fn from_peer(engine: &Engine, file: &Bytes) -> Accepted {
    let sender = sender_of("CT1", file);
    engine.accept_from(&Scope::local(), Zone::Clinical, file.clone(), sender).await.unwrap()
}

/// Nothing is wrong, and each file is read back as it was sent.
async fn is_sound(data: &Path, engine: &Engine, files: &[Bytes]) {
    let report = engine.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
    assert_eq!((report.faults, report.rows), (vec![], files.len() as u64));
    let study = Selection::study(Ct::default().study_uid());
    let kept = engine.instances(&Scope::local(), Zone::Clinical, &study).await.unwrap();
    for (instance, file) in kept.iter().zip(files) {
        assert!(engine.read_instance(instance).await.unwrap() == *file);
    }
    for _ in 0..100 {
        if number(data, "SELECT count(*) FROM removal").await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("what was damaged is removed");
}

#[tokio::test]
async fn what_is_damaged_or_gone_is_there_again_when_it_is_sent_again() {
    let ct = Ct { slices: 2, ..Ct::default() };
    let files = ct.files();
    // The second object is the last one of its segment.
    let harms: [(&str, Harm); 3] = [
        ("a flipped bit", |data| change_object(data, 1, |bytes| *bytes.last_mut().unwrap() ^= 1)),
        ("a lost end", |data| change_object(data, 1, |bytes| bytes.truncate(100))),
        ("everything gone", lose_objects),
    ];
    for (harm, do_harm) in harms {
        for promised in [false, true] {
            let data = tempdir().unwrap();
            let engine = open(data.path()).await;
            for file in &files {
                send(&engine, file).await;
            }
            drop(engine);
            do_harm(data.path());
            let engine = open(data.path()).await;
            let study = engine.instances(&Scope::local(), Zone::Clinical, &Selection::study(ct.study_uid())).await;
            let damaged = study.unwrap().pop().unwrap();
            assert!(engine.read_instance(&damaged).await.is_err(), "{harm}");
            for file in &files {
                let accepted = if promised { from_peer(&engine, file).await } else { send(&engine, file).await };
                assert!(!matches!(accepted, Accepted::Quarantined { .. }), "{harm}");
            }
            is_sound(data.path(), &engine, &files).await;
            assert_eq!(send(&engine, &files[1]).await, Accepted::AlreadyThere, "{harm}");
            let [study, series] = ["study", "series"].map(|table| format!("SELECT instance_count FROM {table}"));
            assert_eq!((number(data.path(), &study).await, number(data.path(), &series).await), (2, 2));
            drop(engine);
            is_sound(data.path(), &open(data.path()).await, &files).await;
        }
    }
}

#[tokio::test]
async fn a_series_whose_instance_was_damaged_is_settled_again_and_not_read_again() {
    let data = tempdir().unwrap();
    let engine = open(data.path()).await;
    let file = Ct { slices: 1, ..Ct::default() }.files().remove(0);
    send(&engine, &file).await;
    change_object(data.path(), 0, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let revisions = "SELECT concat(series.revision, ' ', study.revision) FROM series, study";
    assert_eq!(texts(data.path(), revisions).await, ["1 1"]);
    assert_eq!(send(&engine, &file).await, Accepted::Kept);
    assert_eq!(texts(data.path(), revisions).await, ["2 1"], "what was packed of it holds no longer");
}

#[tokio::test]
async fn another_object_under_the_uid_of_a_damaged_one_is_put_aside_and_its_sender_is_not_refused() {
    let data = tempdir().unwrap();
    let engine = open(data.path()).await;
    let file = Ct { slices: 1, ..Ct::default() }.files().remove(0);
    let other = Ct { slices: 1, hu: 900, ..Ct::default() }.files().remove(0);
    send(&engine, &file).await;
    change_object(data.path(), 0, |bytes| *bytes.last_mut().unwrap() ^= 1);
    for _ in 0..2 {
        assert!(matches!(from_peer(&engine, &other).await, Accepted::Quarantined { .. }));
    }
    assert_eq!(texts(data.path(), "SELECT reason_code FROM quarantine").await, ["not_comparable"]);
    // The damaged one is still its own row's, and comes back by itself.
    assert_eq!(send(&engine, &file).await, Accepted::Kept);
    let study = Selection::study(Ct::default().study_uid());
    let kept = engine.instances(&Scope::local(), Zone::Clinical, &study).await.unwrap();
    assert!(engine.read_instance(&kept[0]).await.unwrap() == file);
}

#[tokio::test]
async fn two_who_send_a_damaged_one_again_at_the_same_time_leave_one_copy() {
    let data = tempdir().unwrap();
    let engine = open(data.path()).await;
    let files = Ct { slices: 1, ..Ct::default() }.files();
    for promised in [false, true] {
        send(&engine, &files[0]).await;
        change_object(data.path(), 0, |bytes| *bytes.last_mut().unwrap() ^= 1);
        if promised {
            tokio::join!(from_peer(&engine, &files[0]), from_peer(&engine, &files[0]));
            engine.caught_up().await;
        } else {
            tokio::join!(send(&engine, &files[0]), send(&engine, &files[0]));
        }
        is_sound(data.path(), &engine, &files).await;
        assert_eq!((rows(data.path()).await["instance"], aside(data.path()).len()), (1, 0));
        engine.delete(&Scope::local(), Zone::Clinical, &Selection::study(Ct::default().study_uid())).await.unwrap();
    }
}

#[test]
fn what_came_again_before_the_process_ended_without_its_row_takes_its_place_at_the_next_start() {
    let data = tempdir().unwrap();
    let files = Ct { slices: 1, ..Ct::default() }.files();
    let (ending, staying) = (tokio::runtime::Runtime::new().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let other = ending.block_on(async {
        let engine = open(data.path()).await;
        send(&engine, &files[0]).await;
        change_object(data.path(), 0, |bytes| *bytes.last_mut().unwrap() ^= 1);
        let other = staying.spawn(lock(data.path().to_owned())).await.unwrap();
        assert_eq!(from_peer(&engine, &files[0]).await, Accepted::Kept);
        other
    });
    ending.shutdown_timeout(Duration::from_secs(1));
    staying.block_on(async {
        other.close().await.unwrap();
        is_sound(data.path(), &open(data.path()).await, &files).await;
    });
}
