//! Instances a second, kept durably.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::process::{self, Usage};
use super::rest::Rest;
use super::{Figure, Setting, median};
use crate::interop::checks::dicom_files;
use crate::interop::server::Server;

/// The disk's own limit: one file of these bytes with fdatasync each, instances/s.
pub fn disk_limit(file: &Path, scratch: &Path) -> anyhow::Result<f64> {
    let folder = scratch.join("limit");
    std::fs::create_dir_all(&folder)?;
    let bytes = std::fs::read(file)?;
    let start = Instant::now();
    let count = 200;
    for index in 0..count {
        let mut file = std::fs::File::create(folder.join(index.to_string()))?;
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    let rate = f64::from(count) / start.elapsed().as_secs_f64();
    std::fs::remove_dir_all(folder)?;
    Ok(rate)
}

/// `hilum import` of the study, beside one synchronised file each.
pub fn import(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let slices = dicom_files(&setting.study);
    let count = slices.len() as f64;
    let (mut rates, mut cpu, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = rest(setting)?;
    for run in 0..setting.runs {
        rest.come()?;
        limits.push(disk_limit(&slices[0], &setting.scratch)?);
        rest.come()?;
        let usage = process::measured(
            Command::new(&setting.hilum)
                .arg("import")
                .arg(&setting.study)
                .arg("--data")
                .arg(setting.scratch.join(format!("import-{run}")))
                .stdout(Stdio::null()),
        )?;
        rates.push(count / usage.wall);
        cpu.push(1000.0 * usage.cpu / count);
    }
    let (rate, limit) = (median(rates), median(limits));
    Ok(vec![Figure {
        what: format!("`hilum import`, {count} instances of 512x512, process start included"),
        value: format!("{rate:.0}/s, {:.2} CPU-s per 1,000", median(cpu)),
        beside: format!("one file with fdatasync each: {limit:.0}/s (ratio {:.2})", rate / limit),
    }])
}

/// Between runs that keep the study.
fn rest(setting: &Setting) -> anyhow::Result<Rest> {
    Rest::between(bytes(&dicom_files(&setting.study))?, &setting.scratch)
}

/// Bytes of files.
pub fn bytes(files: &[PathBuf]) -> anyhow::Result<u64> {
    files.iter().map(|file| Ok(std::fs::metadata(file)?.len())).sum()
}

fn send(address: std::net::SocketAddr, setting: &Setting) -> anyhow::Result<f64> {
    let start = Instant::now();
    crate::run::status(
        Command::new("storescu")
            .env("TCP_NODELAY", "1")
            .args([
                "--call",
                "HILUM",
                "--max-pdu",
                "131072",
                "--scan-directories",
                "--recurse",
                "--scan-pattern",
                "*.dcm",
            ])
            .args([&address.ip().to_string(), &address.port().to_string()])
            .arg(&setting.study),
    )?;
    Ok(start.elapsed().as_secs_f64())
}

/// C-STORE by dcmtk's storescu over one association, beside dcmtk's own storescp that throws everything away.
pub fn store(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let count = dicom_files(&setting.study).len() as f64;
    let (mut rates, mut cpu, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = rest(setting)?;
    for run in 0..setting.runs {
        let server = Server::start_with(&setting.hilum, &setting.scratch.join(format!("store-{run}")))?;
        rest.come()?;
        let before = process::usage(server.pid())?;
        let wall = send(server.dimse, setting)?;
        let after: Usage = process::usage(server.pid())?;
        rates.push(count / wall);
        cpu.push(1000.0 * (after.cpu - before.cpu) / count);
        drop(server);
        peers.push(count / discarding_peer(setting)?);
    }
    let (rate, peer) = (median(rates), median(peers));
    Ok(vec![Figure {
        what: format!("C-STORE by dcmtk storescu, one association, {count} instances, durable"),
        value: format!("{rate:.0}/s, {:.2} CPU-s per 1,000 in the server", median(cpu)),
        beside: format!("dcmtk storescp that discards (nothing durable): {peer:.0}/s (ratio {:.2})", rate / peer),
    }])
}

fn discarding_peer(setting: &Setting) -> anyhow::Result<f64> {
    let address = crate::ports::free_address();
    let mut peer = Command::new("storescp")
        .env("TCP_NODELAY", "1")
        .args(["--ignore", "--max-pdu", "131072", "--aetitle", "HILUM", &address.port().to_string()])
        .stdout(Stdio::null())
        .spawn()?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    let wall = send(address, setting);
    peer.kill()?;
    peer.wait()?;
    wall
}
