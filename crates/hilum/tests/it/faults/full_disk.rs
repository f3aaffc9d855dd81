//! No room: a file system of its own, in memory and small, for this program alone.

use std::{path::Path, process::Command};

use super::wire::{associate, data_set, kept, part10, store, stow};
use crate::program::{NO_REPORTS, Server, let_in};

/// Mounts 24 MiB over the data folder, makes a token there, serves until it is told to stop, and then says what `hilum check` finds there.
const SCRIPT: &str = r#"
    mount -t tmpfs -o size=24m hilum-test "$DATA" || exit 9
    "$HILUM" user add tests --role data_steward --data "$DATA" > "$TOKEN" || exit 8
    "$HILUM" token add tests --name tests --data "$DATA" > "$TOKEN" || exit 8
    "$@" &
    trap 'kill -TERM $!' TERM
    wait $!
    wait $!
    "$HILUM" check --json --data "$DATA" > "$REPORT""#;

/// Whether this user may mount something that nobody else sees.
fn may_mount(folder: &Path) -> bool {
    let try_it = ["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "hilum-test"];
    let tried = Command::new("unshare").args(try_it).arg(folder).output();
    tried.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_is_told_by_its_code_and_what_is_small_enough_is_kept_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, report) = (folder.path().join("data"), folder.path().join("report"));
    std::fs::create_dir(&data).unwrap();
    if !may_mount(&data) {
        println!("SKIPPED: a file system of its own needs user namespaces (unshare -rm), which are not allowed here");
        return;
    }
    let hilum = env!("CARGO_BIN_EXE_hilum");
    let mut command = Command::new("unshare");
    let token = folder.path().join("token");
    command.env("DATA", &data).env("HILUM", hilum).env("REPORT", &report).env("TOKEN", &token);
    command.args(["-rm", "sh", "-c", SCRIPT, "sh", hilum, "serve", "--dimse", "127.0.0.1:0"]);
    let configuration = data.with_extension("toml");
    std::fs::write(&configuration, NO_REPORTS).unwrap();
    command.arg("--config").arg(configuration);
    let server = Server::run(command, &data);
    let_in(&server.http, std::fs::read_to_string(&token).unwrap().trim());
    let mut socket = associate(&server.dimse).await;
    assert_eq!(store(&mut socket, 3, 0, &data_set(0, 16)).await, 0);
    // 3600 x 3600 x 2 bytes are 26 MB.
    assert_eq!(store(&mut socket, 3, 1, &data_set(1, 3600)).await, 0xA700, "out of resources (PS3.4 B.2.3)");
    assert_eq!(store(&mut socket, 3, 2, &data_set(2, 16)).await, 0, "the association goes on");
    let (status, answer) = stow(&server.http, &[part10(3, 3600), part10(4, 16)]).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["00081198"]["Value"][0]["00081197"]["Value"][0], 0xA700, "{answer}");
    assert_eq!(answer["00081199"]["Value"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(kept(&server.http).await.len(), 3);
    assert_eq!(server.signal("TERM"), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!((&report["rows"], &report["faults"]), (&3.into(), &serde_json::json!([])), "{report}");
}
