//! Work items, as a requester of IHE AI Workflow for Imaging wants them, written in Python on pydicom and highdicom.

use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::checks::Check;
use super::{Bench, Server};
use crate::run;

/// Every check of work items.
pub const ALL: &[(&str, Check)] = &[(
    "a requester's work item is claimed, read, told of over a WebSocket and handed over with its objects (pydicom, highdicom)",
    requested,
)];

fn requested(bench: &Bench) -> anyhow::Result<String> {
    let study = bench.scratch.join("ups-phantom");
    let recipe = ["--seed", "31", "--matrix", "256", "--thickness", "5", "--region", "abdomen", "--stones", "3"];
    run::output(Command::new(&bench.hilum).arg("phantom").arg(&study).args(recipe))?;
    let server = Server::start_configured(bench, &bench.scratch.join("ups"), "quiet_after_seconds = 1\n")?;
    let script = bench.scratch.join("ups.py");
    std::fs::write(&script, include_str!("peers/ups.py"))?;
    let mut requester = Command::new(&bench.python);
    requester.args(["-W", "ignore"]).arg(&script).arg(format!("http://{}", server.http)).arg(&server.token).arg(&study);
    let said = run::output(&mut requester)?;
    let seen: Value = serde_json::from_str(said.lines().last().context("the requester said nothing")?)?;
    let kinds: Vec<&str> = seen["objects"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ensure!(["DOC", "OT", "SEG", "SR"].iter().all(|kind| kinds.contains(kind)), "only {kinds:?} came");
    ensure!(seen["stones"].as_u64() > Some(0), "no stone was read: {seen}");
    Ok(format!(
        "SCHEDULED, IN PROGRESS, {} progress reports, COMPLETED; {} objects fetched, {} stones; a second one cancelled",
        seen["progress"],
        kinds.len(),
        seen["stones"]
    ))
}
