//! kill -9 and a full disk, in a process of its own: nothing acknowledged is lost, nothing is half-kept.

use crate::fixture::{
    Ct, config, lock, lose_catalogue, number, objects, on_the_way, place, rows, sender_of, texts, tiny_model,
};
use crate::s3_server as s3;
use hilum_dicom::ObjectDigest;
use hilum_engine::audit::verify;
use hilum_engine::upkeep::CheckOptions;
use hilum_engine::{Accepted, Engine, EngineConfig, ReportPart, Scope, Selection, Source, WorkControl, Zone};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tempfile::tempdir;

const CHILD: &str = "HILUM_TEST_CHILD";
const SLICES: usize = 240;

fn sent() -> Ct {
    Ct { slices: SLICES, size: 64, ..Ct::default() }
}

/// Runs the child of this file: what `role` says, on `data`.
pub fn child(role: &str, data: &Path, limit_kib: Option<u32>) -> Child {
    let exe = std::env::current_exe().unwrap();
    // One service for both.
    let service = s3::is_asked_for().then(s3::shared).flatten().map(|address| (s3::SERVER, address.to_string()));
    let limits = limit_kib.map_or(String::new(), |kib| format!("trap '' XFSZ; ulimit -f {kib}; "));
    Command::new("bash")
        .arg("-c")
        .arg(format!("{limits}exec \"$0\" --exact crash::the_child --ignored --nocapture"))
        .arg(exe)
        .env(CHILD, format!("{role}={}", data.display()))
        .envs(service)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "runs only as the child of the other tests of this file"]
fn the_child() {
    let Ok(role) = std::env::var(CHILD) else { return };
    let (role, data) = role.split_once('=').unwrap();
    let (role, data) = (role.to_owned(), Path::new(data).to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async move {
        match role.as_str() {
            "accept" => accept(&data, false).await,
            "promise" => accept(&data, true).await,
            "read" => read(&data).await,
            "import" => import(&data).await,
            "delete" => delete(&data).await,
            "rotate" => crate::keys::rotate(&data).await,
            other => panic!("{other}"),
        }
    });
}

/// Sends everything, eight at a time, and says the digest of what was acknowledged: with its row, or as a peer that is promised one.
async fn accept(data: &Path, promised: bool) {
    let engine = Engine::open(config(data)).await.unwrap();
    println!("ready");
    let mut senders = tokio::task::JoinSet::new();
    for lane in sent().files().chunks(SLICES / 8) {
        let (engine, lane) = (engine.clone(), lane.to_vec());
        senders.spawn(async move {
            for bytes in lane {
                let digest = ObjectDigest::of(&bytes).to_string();
                let outcome = if promised {
                    let sender = sender_of("CT1", &bytes);
                    engine.accept_from(&Scope::local(), Zone::Clinical, bytes, sender).await
                } else {
                    engine.accept_instance(&Scope::local(), Zone::Clinical, bytes, Source::Dimse).await
                };
                match outcome {
                    Ok(Accepted::Kept | Accepted::AlreadyThere) => say(&format!("ack {digest}")),
                    Ok(other) => panic!("{other:?}"),
                    Err(error) => say(&format!("refused {}", error.code())),
                }
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    say("end");
}

async fn read(data: &Path) {
    let engine = Engine::open(EngineConfig { model_dir: Some(data.join("model")), ..config(data) }).await.unwrap();
    say("ready");
    engine.run_until_idle().await.unwrap();
    say("end");
}

async fn import(data: &Path) {
    let engine = Engine::open(config(data)).await.unwrap();
    say("ready");
    let paths = [data.join("to-import")];
    match engine.import(&Scope::local(), &paths, Zone::Clinical, &WorkControl::new()).await {
        Ok(summary) => say(&format!("kept {}", summary.kept)),
        Err(error) => say(&format!("failed {} {error}", error.code())),
    }
}

/// Deletes study after study, reads one in between, and says which is gone.
async fn delete(data: &Path) {
    let engine = Engine::open(config(data)).await.unwrap();
    say("ready");
    for study in 1..=STUDIES {
        let uid = Ct { study, ..Ct::default() }.study_uid();
        let selection = Selection::study(uid.clone());
        engine.instances(&Scope::local(), Zone::Clinical, &selection).await.unwrap();
        engine.delete(&Scope::local(), Zone::Clinical, &selection).await.unwrap();
        say(&format!("deleted {uid}"));
    }
    say("end");
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// Lines of the child until it ends or `enough` says so.
fn listen(stdout: &mut BufReader<ChildStdout>, mut enough: impl FnMut(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    while stdout.read_line(&mut line).unwrap() > 0 {
        let said = line.trim().to_owned();
        let stop = enough(&said);
        lines.push(said);
        line.clear();
        if stop {
            break;
        }
    }
    lines
}

/// Studies that are deleted by a child.
const STUDIES: u64 = 40;

#[tokio::test]
async fn killed_while_deleting_the_trail_is_whole_and_tells_of_everything_that_is_gone() {
    let data = tempdir().unwrap();
    {
        let engine = Engine::open(config(data.path())).await.unwrap();
        for study in 1..=STUDIES {
            crate::fixture::send(&engine, &Ct { study, slices: 1, size: 16, ..Ct::default() }.files()).await;
        }
        engine.close().await;
    }
    let mut child = child("delete", data.path(), None);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut deleted = 0;
    let mut lines = listen(&mut stdout, |line| {
        deleted += u64::from(line.starts_with("deleted "));
        deleted == STUDIES / 2
    });
    child.kill().unwrap();
    lines.extend(listen(&mut stdout, |_| false));
    child.wait().unwrap();
    assert!(!lines.contains(&"end".to_owned()), "the child was to be killed");

    let found = verify(&place(data.path()), data.path(), &[]).await.unwrap().unwrap();
    assert_eq!((found.whole, found.processes, found.unended.len()), (true, 2, 1), "{:?}", found.broken);
    let told = texts(data.path(), "SELECT studies FROM audit_event WHERE action = 'delete'").await;
    let there = texts(data.path(), "SELECT study_uid FROM study").await;
    for acknowledged in lines.iter().filter_map(|line| line.strip_prefix("deleted ")) {
        assert!(told.iter().any(|study| study == acknowledged), "{acknowledged} was acknowledged");
        assert!(!there.iter().any(|study| study == acknowledged));
    }
    // And the other way round: what is told is gone, and what is gone is told.
    assert_eq!(told.len() + there.len(), STUDIES as usize);
    let engine = Engine::open(config(data.path())).await.unwrap();
    engine.delete(&Scope::local(), Zone::Clinical, &Selection::study(there[0].parse().unwrap())).await.unwrap();
    engine.close().await;
    assert!(verify(&place(data.path()), data.path(), &[]).await.unwrap().unwrap().whole, "the chain goes on");
}

#[tokio::test]
async fn killed_at_any_moment_of_receiving_nothing_acknowledged_is_lost_and_nothing_half_kept() {
    killed_while_receiving("accept").await;
}

#[tokio::test]
async fn killed_between_the_answer_to_a_peer_and_the_row_nothing_acknowledged_is_lost_and_nothing_half_kept() {
    let without_row = killed_while_receiving("promise").await;
    assert!(without_row > 0, "no round was cut between an answer and its row");
}

/// Kills a child again and again; returns how many acknowledged instances the next starts found without a row.
async fn killed_while_receiving(role: &str) -> usize {
    let data = tempdir().unwrap();
    let mut without_row = 0;
    let expected: Vec<String> = sent().files().iter().map(|bytes| ObjectDigest::of(bytes).to_string()).collect();
    let mut acknowledged: Vec<String> = Vec::new();
    let mut rounds_cut_short = 0;
    for round in 0..14 {
        let mut child = child(role, data.path(), None);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        listen(&mut stdout, |line| line == "ready");
        // In every second round peers are answered while no row can be written.
        let locked = if role == "promise" && round % 2 == 1 { Some(lock(data.path().to_owned()).await) } else { None };
        // From at once to well into the stream; a little of it by time, so that it falls anywhere within a commit.
        let wanted = round * 5;
        let mut heard = 0;
        let mut lines = Vec::new();
        if wanted > 0 {
            lines = listen(&mut stdout, |line| {
                heard += usize::from(line.starts_with("ack"));
                heard >= wanted || line == "end"
            });
        }
        std::thread::sleep(Duration::from_micros(round as u64 * 900));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.extend(listen(&mut stdout, |_| false));
        rounds_cut_short += usize::from(!lines.iter().any(|line| line == "end"));
        acknowledged.extend(lines.iter().filter_map(|line| line.strip_prefix("ack ")).map(str::to_owned));

        if let Some(locked) = locked {
            locked.close().await.unwrap();
        }
        let before = texts(data.path(), "SELECT digest FROM instance").await;
        without_row += acknowledged.iter().filter(|digest| !before.contains(digest)).count();
        // The next start clears up; then rows and files agree, and all that was acknowledged is there.
        drop(Engine::open(config(data.path())).await.unwrap());
        let rows = texts(data.path(), "SELECT digest FROM instance").await;
        let stored = objects(data.path());
        assert_eq!(stored.len(), rows.len(), "round {round}: as many objects as rows");
        for object in &stored {
            let digest = ObjectDigest::of(object).to_string();
            assert!(
                rows.contains(&digest) && expected.contains(&digest),
                "round {round}: every object is whole and has a row"
            );
        }
        for digest in &acknowledged {
            assert!(rows.contains(digest), "round {round}: what was acknowledged is there");
        }
        assert_eq!(on_the_way(data.path()), 0, "round {round}: nothing half-kept stays");
    }
    assert!(rounds_cut_short >= 10, "only {rounds_cut_short} rounds were cut short");
    without_row
}

#[tokio::test]
async fn killed_and_then_its_catalogue_lost_or_put_back_from_a_backup_what_was_acknowledged_comes_back() {
    // Only a file can be put back by hand.
    let ways: &[_] = &[(false, "accept"), (true, "promise")];
    let ways = if crate::postgres_server::is_asked_for() { &ways[..1] } else { ways };
    for (from_backup, role) in ways.iter().copied() {
        let (data, backup) = (tempdir().unwrap(), tempdir().unwrap());
        let mut child = child(role, data.path(), None);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut heard = 0;
        let mut acknowledged = listen(&mut stdout, |line| {
            heard += usize::from(line.starts_with("ack"));
            heard >= 20
        });
        if from_backup {
            // Made beside the running process, so that it knows some of what that one has acknowledged.
            let beside = Engine::open(config(data.path())).await.unwrap();
            beside.backup(backup.path(), &WorkControl::new()).await.unwrap();
        }
        let mut heard = 0;
        acknowledged.extend(listen(&mut stdout, |line| {
            heard += usize::from(line.starts_with("ack"));
            heard >= 20
        }));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(listen(&mut stdout, |_| false));
        lose_catalogue(data.path());
        if from_backup {
            std::fs::copy(backup.path().join("catalog.sqlite"), data.path().join("catalog.sqlite")).unwrap();
        }
        let engine = Engine::open(config(data.path())).await.unwrap();
        let repair = CheckOptions { quick: false, repair: true };
        let report = engine.check(repair, &WorkControl::new()).await.unwrap();
        assert_eq!(report.faults, [], "from a backup: {from_backup}");
        assert_eq!(report.rows_restored, 0, "the start has restored them already");
        let rows = texts(data.path(), "SELECT digest FROM instance").await;
        for digest in acknowledged.iter().filter_map(|line| line.strip_prefix("ack ")) {
            assert!(
                rows.iter().any(|row| row == digest),
                "what was acknowledged is there; from a backup: {from_backup}"
            );
        }
    }
}

#[tokio::test]
async fn killed_while_it_reads_the_next_start_reads_again_by_itself_with_the_same_result() {
    let data = tempdir().unwrap();
    tiny_model(&data.path().join("model"));
    let series = Ct { slices: 150, size: 64, spacing_mm: 3.0, ..Ct::default() };
    {
        let engine = Engine::open(config(data.path())).await.unwrap();
        crate::fixture::send(&engine, &series.files()).await;
    }
    let mut killed_while_reading = 0;
    for delay in [40, 80, 120, 200] {
        let mut child = child("read", data.path(), None);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        listen(&mut stdout, |line| line == "ready");
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let held =
            number(data.path(), "SELECT count(*) FROM reading WHERE state = 'reading' AND lease_until > 0").await;
        killed_while_reading += held;
        if held > 0 {
            break;
        }
    }
    let engine =
        Engine::open(EngineConfig { model_dir: Some(data.path().join("model")), ..config(data.path()) }).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let json = engine.report(&Scope::local(), &series.study_uid(), ReportPart::Json).await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(rows(data.path()).await["report"], 1);
    println!("killed while reading: {killed_while_reading}");

    // The same data on an undisturbed engine gives the same result.
    let other = tempdir().unwrap();
    let calm = crate::fixture::reading_engine(other.path()).await;
    crate::fixture::send(&calm, &series.files()).await;
    calm.run_until_idle().await.unwrap();
    let undisturbed = calm.report(&Scope::local(), &series.study_uid(), ReportPart::Json).await.unwrap();
    let undisturbed: serde_json::Value = serde_json::from_slice(&undisturbed).unwrap();
    for part in ["result", "stones", "slices", "coverage"] {
        assert_eq!(json[part], undisturbed[part], "{part}");
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_that_says_so_and_leaves_nothing_half_kept() {
    if s3::is_asked_for() {
        println!("SKIPPED: a bucket is not limited by the size of a file");
        return;
    }
    let data = tempdir().unwrap();
    let folder = data.path().join("to-import");
    std::fs::create_dir(&folder).unwrap();
    // 1800 x 1800 x 2 bytes are more than the child may write into one file, the catalogue's pages are less.
    let large = Ct { slices: 1, size: 1800, ..Ct::default() };
    let small = Ct { study: 2, slices: 3, ..Ct::default() };
    for (name, bytes) in small.files().into_iter().enumerate() {
        std::fs::write(folder.join(format!("a{name}.dcm")), bytes).unwrap();
    }
    std::fs::write(folder.join("z-large.dcm"), &large.files()[0]).unwrap();
    {
        let engine = Engine::open(config(data.path())).await.unwrap();
        crate::fixture::send(&engine, &small.files()).await;
    }
    let mut child = child("import", data.path(), Some(6000));
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let lines = listen(&mut stdout, |_| false);
    child.wait().unwrap();
    let failed = lines.iter().find(|line| line.starts_with("failed")).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(failed.starts_with("failed disk_full") && failed.contains("free some space"), "{failed}");
    assert_eq!(objects(data.path()).len(), 3, "what was acknowledged before stays");
    assert_eq!(rows(data.path()).await["instance"], 3);
    assert_eq!(on_the_way(data.path()), 0);

    // With space again the same import succeeds.
    let engine = Engine::open(config(data.path())).await.unwrap();
    let summary = engine.import(&Scope::local(), &[folder], Zone::Clinical, &WorkControl::new()).await.unwrap();
    assert_eq!((summary.kept, summary.already_there), (1, 3));
}
