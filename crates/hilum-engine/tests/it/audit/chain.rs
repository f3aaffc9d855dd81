//! The chain in the database: nobody changes it through it, and who does it otherwise is found.

use super::{behind, of, take_off_triggers, trail, verified};
use crate::fixture::{Ct, config, engine, number, place, send, store, texts};
use hilum_engine::audit::{Action, AuditEvent, Break, verify};
use hilum_engine::upkeep::restore;
use hilum_engine::{Actor, Engine, Scope, Selection, WorkControl, Zone};
use std::path::Path;
use tempfile::tempdir;

/// A trail of `events` events of one process, closed.
async fn written(data: &Path, events: usize) {
    let engine = engine(data).await;
    for index in 0..events - 2 {
        let study = format!("1.2.{}", index + 1).parse().unwrap();
        engine.audit(AuditEvent::new(Actor::Console, Action::Export).about([study])).await.unwrap();
    }
    engine.close().await;
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_the_trail() {
    let data = tempdir().unwrap();
    written(data.path(), 6).await;
    let columns = "process, at, actor_kind, action, outcome, studies, detail, previous, hash";
    for sql in [
        "UPDATE audit_event SET action = 'view' WHERE number = 2".to_owned(),
        "DELETE FROM audit_event WHERE number = 6".to_owned(),
        "DELETE FROM audit_study".to_owned(),
        "UPDATE audit_study SET study_uid = '1.9'".to_owned(),
        format!("INSERT INTO audit_event (number, {columns}) SELECT 9, {columns} FROM audit_event WHERE number = 6"),
        format!("INSERT INTO audit_event (number, {columns}) SELECT 0, {columns} FROM audit_event WHERE number = 6"),
    ] {
        assert!(behind(data.path(), &sql).await.is_err(), "{sql}");
    }
    if crate::postgres_server::is_asked_for() {
        assert!(behind(data.path(), "TRUNCATE audit_event").await.is_err());
    } else {
        // SQLite replaces without deleting.
        let sql = format!(
            "REPLACE INTO audit_event (number, {columns}) SELECT 3, {columns} FROM audit_event WHERE number = 4"
        );
        let refused = behind(data.path(), &sql).await.unwrap_err();
        assert!(refused.contains("the audit trail is only added to"), "{refused}");
    }
    let found = verified(data.path(), &[]).await;
    assert_eq!((found.whole, found.events, found.unended.len()), (true, 6, 0));
    assert_eq!(found.known, [found.head.unwrap()], "the data folder has noted the last event");
}

#[tokio::test]
async fn what_the_owner_of_the_database_changes_is_named_by_its_event() {
    for (sql, expected) in [
        ("UPDATE audit_event SET studies = '1.2.99' WHERE number = 3", Break::Changed { number: 3 }),
        ("UPDATE audit_event SET actor_kind = 'system' WHERE number = 5", Break::Changed { number: 5 }),
        ("UPDATE audit_event SET at = at + 1 WHERE number = 1", Break::Changed { number: 1 }),
        ("DELETE FROM audit_event WHERE number = 4", Break::Missing { number: 4 }),
        ("DELETE FROM audit_event WHERE number <= 2", Break::Missing { number: 1 }),
        ("DELETE FROM audit_event WHERE number > 5", Break::Cut { last: 5, known: 8 }),
        ("DELETE FROM audit_event", Break::Cut { last: 0, known: 8 }),
        (
            "UPDATE audit_event SET number = -1 WHERE number = 3; UPDATE audit_event SET number = 3 WHERE number = 4; \
             UPDATE audit_event SET number = 4 WHERE number = -1",
            Break::Changed { number: 3 },
        ),
        (
            "DELETE FROM audit_event WHERE number = 8; UPDATE audit_event SET number = 0 WHERE number = 7",
            Break::Unlinked { number: 0 },
        ),
        ("DELETE FROM audit_study WHERE number = 3", Break::Index { expected: 6, found: 5 }),
    ] {
        let data = tempdir().unwrap();
        written(data.path(), 8).await;
        take_off_triggers(data.path()).await;
        behind(data.path(), sql).await.unwrap();
        let found = verified(data.path(), &[]).await;
        assert_eq!((found.whole, found.broken), (false, Some(expected)), "{sql}");
    }
}

#[tokio::test]
async fn an_end_that_was_cut_off_stays_known_when_the_trail_grows_again() {
    let data = tempdir().unwrap();
    written(data.path(), 8).await;
    take_off_triggers(data.path()).await;
    behind(data.path(), "DELETE FROM audit_event WHERE number > 5; DELETE FROM audit_study WHERE number > 5")
        .await
        .unwrap();
    written(data.path(), 9).await;
    assert!(number(data.path(), "SELECT max(number) FROM audit_event").await > 8);
    assert_eq!(verified(data.path(), &[]).await.broken, Some(Break::Rewritten { number: 8 }));
}

#[tokio::test]
async fn without_a_witness_a_cut_end_does_not_show_and_with_one_it_does() {
    let (data, elsewhere) = (tempdir().unwrap(), tempdir().unwrap());
    written(data.path(), 8).await;
    let witness = elsewhere.path().join("yesterday.json");
    std::fs::write(&witness, serde_json::to_vec(&verified(data.path(), &[]).await).unwrap()).unwrap();
    take_off_triggers(data.path()).await;
    behind(data.path(), "DELETE FROM audit_event WHERE number > 5; DELETE FROM audit_study WHERE number > 5")
        .await
        .unwrap();
    std::fs::remove_file(data.path().join("audit-head.json")).unwrap();
    // This is the limit that docs/security.md speaks of.
    assert!(verified(data.path(), &[]).await.whole);
    let found = verified(data.path(), std::slice::from_ref(&witness)).await;
    assert_eq!(found.broken, Some(Break::Cut { last: 5, known: 8 }));

    std::fs::write(&witness, "{}").unwrap();
    let unread = verify(&place(data.path()), data.path(), &[witness]).await.unwrap().unwrap_err().to_string();
    assert!(unread.contains("yesterday.json") && unread.contains("\"number\""), "{unread}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_at_once_into_one_chain() {
    let data = tempdir().unwrap();
    let (first, second) = (engine(data.path()).await, engine(data.path()).await);
    let mut writing = tokio::task::JoinSet::new();
    for index in 0..120 {
        let engine = if index % 2 == 0 { first.clone() } else { second.clone() };
        writing.spawn(async move {
            let event = AuditEvent::new(Actor::Console, Action::Export);
            if index % 3 == 0 { engine.audit_soon(event).await } else { engine.audit(event).await }
        });
    }
    while let Some(written) = writing.join_next().await {
        written.unwrap().unwrap();
    }
    assert_eq!(verified(data.path(), &[]).await.unended.len(), 2, "both run");
    first.close().await;
    second.close().await;
    let found = verified(data.path(), &[]).await;
    // 80 of their own, one gathered in each process, and a start and an end of each.
    assert_eq!((found.whole, found.events, found.processes, found.unended.len()), (true, 86, 2, 0));
    let processes = texts(data.path(), "SELECT DISTINCT process FROM audit_event").await;
    assert_eq!(processes.len(), 2);
}

#[tokio::test]
async fn a_backup_has_the_trail_and_is_a_witness_of_it() {
    let (data, backup, target) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let engine = engine(data.path()).await;
    send(&engine, &Ct { slices: 2, ..Ct::default() }.files()).await;
    engine.delete(&Scope::local(), Zone::Clinical, &Selection::study(Ct::default().study_uid())).await.unwrap();
    engine.backup(backup.path(), &WorkControl::new()).await.unwrap();
    let before = trail(&engine, &engine.console_scope().await.unwrap()).await;
    engine.close().await;

    let copy = target.path().join("data");
    restore(backup.path(), &copy, &place(&copy), &store(&copy), None, &WorkControl::new()).await.unwrap();
    let manifest = backup.path().join("backup.json");
    let found = verified(&copy, std::slice::from_ref(&manifest)).await;
    assert_eq!((found.whole, found.known.len()), (true, 1), "{:?}", found.broken);
    assert!(verified(data.path(), &[manifest]).await.whole);
    let restored = Engine::open(config(&copy)).await.unwrap();
    let after = trail(&restored, &restored.console_scope().await.unwrap()).await;
    // Start, restore and end of what restored it.
    let carried = found.events as usize - 3;
    assert_eq!(after[..carried], before[..carried]);
    assert_eq!(of(&restored, Action::Restore).await.len(), 1);
    assert_eq!(of(&restored, Action::Backup).await.len(), 1);
    restored.close().await;
    assert!(verified(&copy, &[]).await.whole, "the chain goes on");
}

#[tokio::test]
async fn what_the_table_before_said_is_in_the_trail() {
    let data = tempdir().unwrap();
    let engine_of_today = engine(data.path()).await;
    send(&engine_of_today, &Ct { slices: 1, ..Ct::default() }.files()).await;
    drop(engine_of_today);
    take_off_triggers(data.path()).await;
    // As it was before: its tables are gone, and the one before is there.
    let drop_functions =
        if crate::postgres_server::is_asked_for() { "DROP FUNCTION audit_refuse, audit_follow CASCADE;" } else { "" };
    let before = format!(
        "DROP TABLE audit_event; DROP TABLE audit_study; {drop_functions} \
         CREATE TABLE audit (id BIGINT PRIMARY KEY, institution_id BIGINT NOT NULL, at BIGINT NOT NULL, role TEXT NOT NULL, \
         action TEXT NOT NULL, object TEXT NOT NULL, object_row BIGINT NOT NULL); \
         INSERT INTO audit SELECT 1, id, 1700000000000, 'operator', 'delete', 'series', 7 FROM institution; \
         INSERT INTO audit SELECT 2, institution_id, 1700000000001, 'operator', 'cancel_reading', 'study', id FROM study; \
         DELETE FROM seaql_migrations WHERE version = 'm0010_audit'"
    );
    behind(data.path(), &before).await.unwrap();
    let engine = engine(data.path()).await;
    let told = "SELECT action || ' ' || at || ' ' || studies || ' ' || institution FROM audit_event \
                WHERE action <> 'process_start' ORDER BY number";
    let study = Ct::default().study_uid();
    let expected = ["delete 1700000000000  LOCAL".to_owned(), format!("cancel_reading 1700000000001 {study} LOCAL")];
    assert_eq!(texts(data.path(), told).await, expected);
    engine.close().await;
    std::fs::remove_file(data.path().join("audit-head.json")).unwrap_or_default();
    assert!(verified(data.path(), &[]).await.whole);
}
