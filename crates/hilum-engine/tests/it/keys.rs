//! Keys: where they come from, what a rotation does, and what is so when one is lost.

use crate::crash::child;
use crate::fixture::{Ct, config, engine, number, place, send, store, texts};
use hilum_engine::audit::{Action, AuditSearch};
use hilum_engine::keys::{Key, KeyPlace, KeyView};
use hilum_engine::pseudonyms::{Identity, Pseudonym};
use hilum_engine::upkeep::{BackupError, restore};
use hilum_engine::views::StudySearch;
use hilum_engine::{Engine, EngineConfig, Scope, WorkControl};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use tempfile::tempdir;

fn patient(number: usize) -> Identity {
    Identity { issuer: "H".into(), patient_id: format!("P{number}") }
}

async fn filled(engine: &Engine, patients: usize) -> Vec<Pseudonym> {
    let mut pseudonyms = Vec::new();
    for number in 0..patients {
        pseudonyms.push(engine.pseudonym(&Scope::local(), &patient(number)).await.unwrap());
    }
    pseudonyms
}

async fn all_readable(engine: &Engine, pseudonyms: &[Pseudonym]) {
    for (number, pseudonym) in pseudonyms.iter().enumerate() {
        assert_eq!(engine.reidentify(&Scope::local(), pseudonym).await.unwrap(), patient(number));
        assert_eq!(engine.pseudonym(&Scope::local(), &patient(number)).await.unwrap(), *pseudonym);
    }
}

async fn keys(engine: &Engine) -> Vec<KeyView> {
    engine.key_list(&Scope::local()).await.unwrap()
}

fn key_file(data: &Path) -> std::path::PathBuf {
    data.join("keys/hilum.keys")
}

#[tokio::test]
async fn a_key_is_made_when_it_is_needed_and_forgotten_when_nothing_needs_it() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    assert!(keys(&engine).await.is_empty() && !key_file(data.path()).exists());
    let pseudonyms = filled(&engine, 3).await;
    let [first] = &keys(&engine).await[..] else { panic!() };
    assert!(first.current && first.at_hand && first.needed_for == [("pseudonyms", 3)].into());
    let refused = engine.forget_key(&Scope::local(), &first.id).await.unwrap_err();
    assert!(refused.to_string().contains("is the current one"), "{refused}");

    let second = engine.add_key(&Scope::local()).await.unwrap();
    let refused = engine.forget_key(&Scope::local(), &first.id).await.unwrap_err();
    assert!(refused.to_string().contains("needed for 3 pseudonyms"), "{refused}");
    all_readable(&engine, &pseudonyms).await;
    let done = engine.rotate_keys(&Scope::local(), &WorkControl::new()).await.unwrap();
    assert_eq!((&done.key, done.made, done.encrypted_anew), (&second, false, 3));
    all_readable(&engine, &pseudonyms).await;
    engine.forget_key(&Scope::local(), &first.id).await.unwrap();
    assert!(!std::fs::read_to_string(key_file(data.path())).unwrap().contains(first.id.as_str()));
    let again = engine.rotate_keys(&Scope::local(), &WorkControl::new()).await.unwrap();
    assert_eq!((again.made, again.encrypted_anew), (true, 3));
    all_readable(&engine, &pseudonyms).await;

    let search = AuditSearch { action: Some(Action::ChangeKeys), ..AuditSearch::default() };
    let told = engine.audit_trail(&engine.console_scope().await.unwrap(), &search).await.unwrap().items;
    let codes: Vec<String> = told.into_iter().rev().map(|event| event.detail.code.unwrap().into()).collect();
    assert_eq!(codes, ["made", "rotated", "forgotten", "made", "rotated"]);
}

/// Of the crash tests' child: gone without another word in the middle of it.
pub async fn rotate(data: &Path) {
    let (engine, control) = (engine(data).await, WorkControl::new());
    let following = control.clone();
    std::thread::spawn(move || {
        while following.done() < 300 {
            std::thread::yield_now();
        }
        std::process::abort();
    });
    engine.rotate_keys(&Scope::local(), &control).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_leaves_everything_readable_and_the_next_one_ends_it() {
    const PATIENTS: usize = 2_000;
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let pseudonyms = filled(&engine, PATIENTS).await;
    let first = keys(&engine).await[0].id.clone();
    let moved = format!("SELECT count(*) FROM pseudonym WHERE key_id <> '{first}'");
    assert_eq!(child("rotate", data.path(), None).wait().unwrap().signal(), Some(6), "SIGABRT");
    let done = number(data.path(), &moved).await;
    assert!((300..PATIENTS as i64).contains(&done), "killed too late to show anything: {done}");
    all_readable(&engine, &pseudonyms).await;
    let refused = engine.forget_key(&Scope::local(), &first).await.unwrap_err();
    assert_eq!(refused.code(), "key_in_use");
    let rest = engine.rotate_keys(&Scope::local(), &WorkControl::new()).await.unwrap();
    assert_eq!((rest.made, rest.encrypted_anew as i64), (false, PATIENTS as i64 - done));
    engine.forget_key(&Scope::local(), &first).await.unwrap();
    all_readable(&engine, &pseudonyms).await;
    assert_eq!(number(data.path(), "SELECT count(*) FROM pseudonym").await, PATIENTS as i64);
}

#[tokio::test]
async fn a_lost_key_is_named_and_what_needs_none_works() {
    let data = tempdir().unwrap();
    let before = engine(data.path()).await;
    let pseudonyms = filled(&before, 2).await;
    let lost = keys(&before).await[0].id.clone();
    send(&before, &Ct { slices: 1, ..Ct::default() }.files()).await;
    before.close().await;
    let kept = std::fs::read_to_string(key_file(data.path())).unwrap();
    std::fs::remove_file(key_file(data.path())).unwrap();

    let engine = Engine::open(config(data.path())).await.unwrap();
    assert_eq!(engine.studies(&Scope::local(), &StudySearch::default()).await.unwrap().items.len(), 1);
    let missing = engine.missing_keys(&Scope::local()).await.unwrap();
    assert_eq!((&missing[0].id, missing[0].needed_for.clone()), (&lost, [("pseudonyms", 2)].into()));
    let error = engine.reidentify(&Scope::local(), &pseudonyms[0]).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("pseudonyms cannot be read") && said.contains(lost.as_str()), "{said}");
    // No new key hides that the old one is gone, and no patient gets a second pseudonym.
    assert_eq!(engine.pseudonym(&Scope::local(), &patient(0)).await.unwrap_err().code(), "key_missing");
    assert!(!key_file(data.path()).exists());
    engine.add_key(&Scope::local()).await.unwrap();
    for number in [0, 7] {
        assert_eq!(engine.pseudonym(&Scope::local(), &patient(number)).await.unwrap_err().code(), "key_missing");
    }
    let left = engine.rotate_keys(&Scope::local(), &WorkControl::new()).await.unwrap();
    assert_eq!((left.encrypted_anew, left.missing.len()), (0, 1));
    // Somebody finds the copy.
    let now = std::fs::read_to_string(key_file(data.path())).unwrap();
    std::fs::write(key_file(data.path()), format!("{now}{}", kept.lines().last().unwrap())).unwrap();
    all_readable(&engine, &pseudonyms).await;
    // A key that was mistyped is told by its line, and the server starts all the same.
    engine.close().await;
    std::fs::write(key_file(data.path()), kept.replace('=', "")).unwrap();
    let engine = Engine::open(config(data.path())).await.unwrap();
    let said = engine.key_list(&Scope::local()).await.unwrap_err().to_string();
    assert!(said.contains("line 3"), "{said}");
}

#[tokio::test]
async fn keys_of_the_environment_are_used_in_their_order() {
    let data = tempdir().unwrap();
    let (old, new) = (Key::random().unwrap(), Key::random().unwrap());
    let given = |text: String| KeyPlace::given("HILUM_KEY", &text).unwrap();
    let open =
        async |text: String| Engine::open(EngineConfig { keys: given(text), ..config(data.path()) }).await.unwrap();
    let engine = open(old.text().to_string()).await;
    let pseudonyms = filled(&engine, 2).await;
    let refused = engine.rotate_keys(&Scope::local(), &WorkControl::new()).await.unwrap_err();
    assert!(refused.to_string().contains("HILUM_KEY"), "{refused}");
    engine.close().await;
    let engine = open(format!("{},{}", *new.text(), *old.text())).await;
    all_readable(&engine, &pseudonyms).await;
    assert_eq!(engine.rotate_keys(&Scope::local(), &WorkControl::new()).await.unwrap().encrypted_anew, 2);
    engine.close().await;
    all_readable(&open(new.text().to_string()).await, &pseudonyms).await;
    assert!(!key_file(data.path()).exists());
}

#[tokio::test]
async fn a_backup_names_its_keys_and_is_restored_only_where_they_are() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let before = engine(data.path()).await;
    let pseudonyms = filled(&before, 2).await;
    let backup = folder.path().join("backup");
    assert_eq!(before.last_backup(&Scope::local()).await.unwrap(), None);
    let made = before.backup(&backup, &WorkControl::new()).await.unwrap();
    assert_eq!(made.keys, [keys(&before).await[0].id.to_string()]);
    assert!(before.last_backup(&Scope::local()).await.unwrap().is_some());
    before.close().await;
    let secret = std::fs::read_to_string(key_file(data.path())).unwrap();
    let secret = secret.lines().last().unwrap().split(' ').nth(1).unwrap();
    for file in
        walkdir::WalkDir::new(&backup).into_iter().filter_map(Result::ok).filter(|one| one.file_type().is_file())
    {
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(secret), "{}", file.path().display());
    }
    let again = folder.path().join("again");
    let restored = async |keys: Option<&KeyPlace>, data: &Path| {
        restore(&backup, data, &place(data), &store(data), keys, &WorkControl::new()).await
    };
    let keys_there = KeyPlace::in_folder(&again);
    let refused = restored(Some(&keys_there), &again).await.unwrap_err();
    assert!(matches!(&refused, BackupError::KeysMissing { keys, .. } if *keys == made.keys[0]), "{refused}");
    assert!(refused.to_string().contains("hilum.keys") && !again.join("catalog.sqlite").exists(), "{refused}");
    std::fs::create_dir_all(again.join("keys")).unwrap();
    std::fs::copy(key_file(data.path()), key_file(&again)).unwrap();
    restored(Some(&keys_there), &again).await.unwrap();
    all_readable(&Engine::open(config(&again)).await.unwrap(), &pseudonyms).await;
    let without = folder.path().join("without");
    restored(None, &without).await.unwrap();
    let engine = Engine::open(config(&without)).await.unwrap();
    assert_eq!(engine.missing_keys(&Scope::local()).await.unwrap().len(), 1);
    assert_eq!(texts(&without, "SELECT pseudonym FROM pseudonym ORDER BY id").await.len(), 2);
}
