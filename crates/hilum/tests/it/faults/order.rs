//! What the system calls say: synchronised first, success afterwards.

use std::{path::Path, process::Command, time::Duration};

use tokio::io::AsyncWriteExt;

use super::wire::{RELEASE, associate, data_set, part10, receive, store, stow};
use crate::program::Server;

/// `hilum serve` with its system calls written to `trace`; `None`, with a printed reason, where that cannot be.
fn traced(data: &Path, trace: &Path) -> Option<Server> {
    let Ok(may) = Command::new("strace").args(["-o", "/dev/null", "true"]).output() else {
        assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "HILUM_REQUIRE_ORACLES is set, strace is absent");
        println!("SKIPPED: strace is not installed (apt-get install strace)");
        return None;
    };
    if !may.status.success() {
        println!("SKIPPED: strace may not trace here: {}", String::from_utf8_lossy(&may.stderr));
        return None;
    }
    let mut command = Command::new("strace");
    // -D: the program stays our child; -yy: descriptors by path and address.
    command.args(["-D", "-f", "-yy", "-s", "64", "-e"]);
    command.arg("trace=fsync,fdatasync,write,writev,sendto,sendmsg,pwrite64,pwritev,unlink,unlinkat,rename");
    command.arg("-o").arg(trace).args([env!("CARGO_BIN_EXE_hilum"), "serve", "--dimse", "127.0.0.1:0"]);
    Some(Server::run(command, data))
}

/// A system call: its name and what follows it. A synchronisation stands where it was done, a writing where it began.
#[derive(Debug)]
struct Call {
    name: String,
    rest: String,
}

fn calls(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished = std::collections::HashMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(resumed) = call.strip_prefix("<... ") {
            let Some(begun) = unfinished.remove(thread) else { continue };
            if resumed.trim_end().ends_with("= 0") {
                calls.push(begun);
            }
            continue;
        }
        let Some((name, rest)) = call.split_once('(') else { continue };
        let call = Call { name: name.to_owned(), rest: rest.to_owned() };
        if !name.ends_with("sync") {
            calls.push(call);
        } else if rest.contains("<unfinished") {
            unfinished.insert(thread.to_owned(), call);
        } else if rest.trim_end().ends_with("= 0") {
            calls.push(call);
        }
    }
    calls
}

/// Of the calls between two answers, what was synchronised: the ends of the paths.
fn synchronised(calls: &[Call]) -> Vec<String> {
    let synced = calls.iter().filter(|call| call.name.ends_with("sync"));
    synced.filter_map(|call| Some(call.rest.split_once('<')?.1.split_once('>')?.0.to_owned())).collect()
}

#[tokio::test]
async fn segment_folder_and_what_success_stands_for_are_synchronised_before_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (data, trace) = (folder.path().join("data"), folder.path().join("trace"));
    let Some(server) = traced(&data, &trace) else { return };
    let mut socket = associate(&server.dimse).await;
    for number in 0..2 {
        assert_eq!(store(&mut socket, 3, number, &data_set(number, 16)).await, 0);
    }
    socket.write_all(&RELEASE).await.unwrap();
    receive(&mut socket).await;
    let (dimse, http) = (server.dimse.clone(), server.http.clone());
    assert_eq!(stow(&http, &[part10(2, 16)]).await.0, 200);
    let several: Vec<_> = (3..11).map(|number| part10(number, 16)).collect();
    assert_eq!(stow(&http, &several).await.0, 200);
    assert_eq!(server.signal("TERM"), Some(0));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let text = std::fs::read_to_string(&trace).unwrap();
    let calls = calls(&text);
    // What is written to a socket of the port that was called.
    let answers = |address: &str| -> Vec<usize> {
        let socket = format!("TCP:[{address}->");
        let is_answer = |call: &Call| {
            let writes = matches!(&call.name[..], "write" | "writev" | "sendto" | "sendmsg");
            writes && call.rest.contains(&socket)
        };
        (0..calls.len()).filter(|at| is_answer(&calls[*at])).collect()
    };
    let dimse = answers(&dimse);
    // A-ASSOCIATE-AC, two responses, A-RELEASE-RP.
    assert_eq!(dimse.len(), 4, "{text}");
    let http = answers(&http);
    let stored = http.first().copied().expect("an HTTP answer");
    let answered = http.last().copied().expect("an HTTP answer");
    for (what, before) in [
        ("first C-STORE", &calls[dimse[0]..dimse[1]]),
        ("second C-STORE", &calls[dimse[1]..dimse[2]]),
        ("STOW-RS", &calls[dimse[3]..stored]),
        ("STOW-RS of several", &calls[stored + 1..answered]),
    ] {
        let synced = synchronised(before);
        let at = |end: &str| synced.iter().position(|path| path.ends_with(end));
        let segment = at(".segment");
        assert!(segment.is_some(), "{what}: {synced:?}");
        // Nothing of the object is written after the synchronisation that its answer waits for.
        let is = |call: &Call, name: &str| call.name.contains(name) && call.rest.contains(".segment>");
        let last_write = before.iter().rposition(|call| is(call, "write"));
        let last_sync = before.iter().rposition(|call| is(call, "sync"));
        assert!(last_write.is_some() && last_write < last_sync, "{what}: {before:?}");
        // Parts are made durable by groups, not each for itself.
        let syncs = synced.iter().filter(|path| path.ends_with(".segment")).count();
        assert!(syncs <= 2, "{what}: {synced:?}");
        match what {
            // A new segment is an entry of its folder, and that folder one of the data folder.
            "first C-STORE" => {
                let folders = (at("/objects"), at("/data"));
                assert!(folders.0.is_some() && folders.1.is_some(), "{what}: {synced:?}");
            }
            // Who stores by STOW-RS waits for the row too; a peer's row follows, made of the record where a crash comes first.
            "STOW-RS" | "STOW-RS of several" => {
                let catalogue = synced.iter().rposition(|path| path.ends_with("catalog.sqlite-wal"));
                assert!(segment < catalogue, "the bytes come before the row that names them: {synced:?}");
            }
            _ => {}
        }
    }
    let rows = synchronised(&calls[dimse[2]..]);
    assert!(rows.iter().any(|path| path.ends_with("catalog.sqlite-wal")), "the rows are there at the end: {rows:?}");
}
