//! What a peer was told before the row was written: it is found at once, whatever the catalogue is doing, and survives everything.

use crate::fixture::{
    Ct, aside, config, kill_writer, lock, number, objects, on_the_way, refuse_commits, rows, sender_of, texts,
};
use bytes::Bytes;
use hilum_engine::routing::{Rule, Rules};
use hilum_engine::upkeep::CheckOptions;
use hilum_engine::views::StudySearch;
use hilum_engine::{Accepted, Engine, EngineConfig, Scope, Selection, Source, WorkControl, Zone};
use std::time::{Duration, Instant};
use tempfile::tempdir;

async fn from_peer(engine: &Engine, file: &Bytes) -> Accepted {
    engine.accept_from(&Scope::local(), Zone::Clinical, file.clone(), sender_of("CT1", file)).await.unwrap()
}

#[tokio::test]
async fn whoever_asks_after_the_answer_finds_the_instance() {
    let data = tempdir().unwrap();
    let engine = Engine::open(config(data.path())).await.unwrap();
    let ct = Ct { slices: 40, ..Ct::default() };
    for (sent, file) in ct.files().iter().enumerate() {
        assert_eq!(from_peer(&engine, file).await, Accepted::Kept);
        let page = engine.studies(&Scope::local(), &StudySearch::default()).await.unwrap();
        assert_eq!(page.items[0].instance_count, sent as u64 + 1);
        assert_eq!(from_peer(&engine, file).await, Accepted::AlreadyThere, "and it is known when it comes again");
    }
    assert_eq!(objects(data.path()).len(), 40);
}

#[tokio::test]
async fn another_object_under_a_uid_that_has_just_come_is_put_aside_and_its_sender_told() {
    let data = tempdir().unwrap();
    let engine = Engine::open(config(data.path())).await.unwrap();
    let files = Ct { slices: 12, ..Ct::default() }.files();
    let others = Ct { slices: 12, name: "Other^One", ..Ct::default() }.files();
    // Every other one first, so that those that come later lie between two that are known.
    for first in [0, 1] {
        for file in files.iter().skip(first).step_by(2) {
            assert_eq!(from_peer(&engine, file).await, Accepted::Kept);
        }
        for other in others.iter().skip(first).step_by(2) {
            assert!(matches!(from_peer(&engine, other).await, Accepted::Quarantined { .. }));
        }
    }
    assert_eq!((objects(data.path()).len(), aside(data.path()).len()), (12, 12));
    engine.delete(&Scope::local(), Zone::Clinical, &Selection::study(Ct::default().study_uid())).await.unwrap();
    for file in &files {
        assert_eq!(from_peer(&engine, file).await, Accepted::Kept, "what was deleted may come again");
    }
}

#[tokio::test]
async fn peers_are_answered_while_the_catalogue_is_locked_and_the_rows_follow() {
    let data = tempdir().unwrap();
    let engine = Engine::open(config(data.path())).await.unwrap();
    let ct = Ct { slices: 30, ..Ct::default() };
    let (first, others) = ct.files().split_first().map(|(first, others)| (first.clone(), others.to_vec())).unwrap();
    from_peer(&engine, &first).await;
    engine.caught_up().await;
    let other = lock(data.path().to_owned()).await;
    for file in &others {
        assert_eq!(from_peer(&engine, file).await, Accepted::Kept);
    }
    let start = Instant::now();
    let page = engine.studies(&Scope::local(), &StudySearch::default()).await.unwrap();
    assert_eq!(page.items[0].instance_count, 1, "what the catalogue knows is shown");
    assert!(start.elapsed() < Duration::from_secs(10), "nobody waits for ever");
    other.close().await.unwrap();
    engine.caught_up().await;
    assert_eq!(rows(data.path()).await["instance"], 30);
}

#[tokio::test]
async fn bytes_stay_when_the_commit_of_their_rows_fails_and_the_rows_follow_when_it_can() {
    let data = tempdir().unwrap();
    let engine = Engine::open(config(data.path())).await.unwrap();
    let told = Ct { slices: 6, ..Ct::default() };
    let refused = Ct { study: 2, slices: 1, ..Ct::default() }.files().remove(0);
    refuse_commits(data.path(), true).await;
    for file in told.files() {
        assert_eq!(from_peer(&engine, &file).await, Accepted::Kept);
    }
    let outcome = engine.accept_instance(&Scope::local(), Zone::Clinical, refused.clone(), Source::Stow).await;
    assert_eq!(outcome.unwrap_err().code(), "catalogue_failed", "who waits for the row hears that there is none");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(rows(data.path()).await["instance"], 0);
    assert_eq!(objects(data.path()).len(), 7, "a commit that may have come through takes no bytes away");

    refuse_commits(data.path(), false).await;
    for _ in 0..20 {
        engine.caught_up().await;
    }
    assert_eq!(rows(data.path()).await["instance"], 6);
    let kept = engine.accept_instance(&Scope::local(), Zone::Clinical, refused, Source::Stow).await;
    assert_eq!(kept.unwrap(), Accepted::Kept, "sent again it is kept");
    drop(engine);
    // What lies twice, once without a row, is one copy after the next start.
    let engine = Engine::open(config(data.path())).await.unwrap();
    assert_eq!((rows(data.path()).await["instance"], objects(data.path()).len()), (7, 7));
    let report = engine.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
    assert_eq!(report.faults, []);
}

#[tokio::test]
async fn of_two_objects_under_one_uid_that_come_at_the_same_time_one_is_kept_and_one_put_aside() {
    let data = tempdir().unwrap();
    let engine = Engine::open(config(data.path())).await.unwrap();
    let one = Ct { slices: 1, ..Ct::default() }.files().remove(0);
    let other = Ct { slices: 1, hu: 300, ..Ct::default() }.files().remove(0);
    assert_ne!(one, other);
    let (first, second, same) =
        tokio::join!(from_peer(&engine, &one), from_peer(&engine, &other), from_peer(&engine, &one));
    assert!([first, second, same].contains(&Accepted::Kept));
    engine.caught_up().await;
    assert_eq!(rows(data.path()).await["instance"], 1);
    assert_eq!(number(data.path(), "SELECT count(*) FROM quarantine").await, 1);
    let report = engine.check(CheckOptions::default(), &WorkControl::new()).await.unwrap();
    assert_eq!(report.faults, []);
    assert_eq!(aside(data.path()).len() + objects(data.path()).len(), 2, "the third, the same again, left nothing");
}

#[test]
fn an_engine_that_ends_before_the_rows_is_completed_by_the_next_one_with_its_forwards() {
    let data = tempdir().unwrap();
    let rules = Rules::new(vec![Rule { forward: vec!["PACS".parse().unwrap()], ..Rule::default() }]);
    let with_rules = EngineConfig { rules, ..config(data.path()) };
    let ct = Ct { slices: 12, ..Ct::default() };
    let (ending, staying) = (tokio::runtime::Runtime::new().unwrap(), tokio::runtime::Runtime::new().unwrap());
    let other = ending.block_on(async {
        let engine = Engine::open(with_rules.clone()).await.unwrap();
        let other = staying.spawn(lock(data.path().to_owned())).await.unwrap();
        for file in ct.files() {
            assert_eq!(from_peer(&engine, &file).await, Accepted::Kept);
        }
        other
    });
    // The process ends in order, and its tasks with it, while the catalogue cannot be written.
    ending.shutdown_timeout(Duration::from_secs(1));
    staying.block_on(async {
        assert_eq!(rows(data.path()).await["instance"], 0);
        other.close().await.unwrap();
        let engine = Engine::open(with_rules).await.unwrap();
        engine.caught_up().await;
        assert_eq!(rows(data.path()).await["instance"], 12);
        assert_eq!(number(data.path(), "SELECT count(*) FROM forward WHERE peer = 'PACS'").await, 12);
    });
}

#[tokio::test]
async fn what_was_deleted_before_a_crash_does_not_come_back() {
    let data = tempdir().unwrap();
    let ct = Ct { slices: 4, ..Ct::default() };
    {
        let engine = Engine::open(config(data.path())).await.unwrap();
        for file in ct.files() {
            engine.accept_instance(&Scope::local(), Zone::Clinical, file, Source::Dimse).await.unwrap();
        }
    }
    // As a process leaves it that is killed between the commit of a deletion and the removal of the bytes.
    kill_writer(data.path());
    let note =
        "INSERT INTO removal (object_key, created_at) SELECT object_key, 0 FROM instance WHERE id = 1 RETURNING 1";
    number(data.path(), note).await;
    number(data.path(), "DELETE FROM instance WHERE id = 1 RETURNING 1").await;
    // And one whose row was not written yet.
    let lost = texts(data.path(), "SELECT digest FROM instance WHERE id = 2").await;
    number(data.path(), "DELETE FROM instance WHERE id = 2 RETURNING 1").await;

    let engine = Engine::open(config(data.path())).await.unwrap();
    assert_eq!((rows(data.path()).await["instance"], objects(data.path()).len()), (3, 3));
    assert!(texts(data.path(), "SELECT digest FROM instance").await.contains(&lost[0]));
    assert_eq!(number(data.path(), "SELECT count(*) FROM removal").await, 0);
    drop(engine);
    assert_eq!(on_the_way(data.path()), 0);
}
