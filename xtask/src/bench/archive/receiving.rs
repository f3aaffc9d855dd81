//! C-STORE over one and four associations: instances a second, CPU time and synchronisations, beside Orthanc in turn.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::least::dimse::Least;
use super::system::System;
use crate::bench::receive::{bytes, disk_limit};
use crate::bench::rest::Rest;
use crate::bench::{phantom, process};
use crate::interop::checks::dicom_files;
use crate::ports::free_address;
use crate::run;

/// How many, and how many times as fast as the peer is the aim.
const ASSOCIATIONS: [(usize, f64); 2] = [(1, 3.0), (4, 6.0)];
/// Share of the peer's processor time that is the aim.
pub(super) const CPU_AIM: f64 = 0.2;

/// So many studies are sent. A program that sends takes 17 ms of a processor before its first instance, which was about half of what four of
/// them took for 300 instances.
const STUDIES: u32 = 4;

/// What one system did.
#[derive(Default)]
struct Samples {
    rates: Vec<f64>,
    cpu: Vec<f64>,
    peak: Vec<f64>,
    syncs: Option<f64>,
}

pub fn section(hilum: &Path, scratch: &Path, orthanc: Option<&str>, runs: usize) -> anyhow::Result<String> {
    run::step("synthetic CT studies");
    let studies = scratch.join("studies");
    phantom(hilum, &studies, STUDIES)?;
    let files = dicom_files(&studies);
    let bytes = bytes(&files)?;
    let mut rest = Rest::between(bytes, scratch)?;
    rest.come()?;
    let limit = disk_limit(&files[0], scratch)?;
    let mut out = format!(
        "### Receiving\n\n{} instances of 512x512, {STUDIES} studies, by dcmtk storescu, TCP_NODELAY on both sides, every instance durable before its response. The \
         disk's own limit in the same run: one file with fdatasync each {limit:.0}/s. Hilum: one segment, fdatasync, then the answer; rows follow, \
         many in a transaction (SQLite WAL, synchronous=FULL). What the client, the protocol and this machine allow: dcmtk's storescp, which discards \
         what it gets. Before each run the disk comes to rest, and as much memory as it needs is touched. ",
        files.len()
    );
    match orthanc {
        Some(version) => writeln!(out, "Peer: {version} (Debian, SQLite, SyncStorageArea=true).\n")?,
        None => writeln!(out, "Orthanc is not installed or was left out (Debian package orthanc).\n")?,
    }
    out.push_str("| associations | system | instances/s | CPU-s per 1,000 | syncs per instance | peak MiB | Hilum is |\n|---|---|---|---|---|---|---|\n");
    let mut limits = String::new();
    for (associations, aim) in ASSOCIATIONS {
        let parts = split(&files, associations, &scratch.join(format!("parts-{associations}")))?;
        let mut samples = [Samples::default(), Samples::default()];
        for round in 0..=runs {
            for (which, samples) in samples.iter_mut().enumerate() {
                let folder = scratch.join(format!("store-{which}-{associations}-{round}"));
                if which == 1 && orthanc.is_none() {
                    continue;
                }
                let system = System::start(hilum, &folder, which == 1)?;
                run::step(&format!("{associations} associations, round {round}"));
                // The last round counts synchronisations and is not timed: tracing slows what it traces.
                if round == runs {
                    samples.syncs = syncs(&system, &parts, files.len(), &scratch.join("strace"))?;
                } else {
                    rest.come()?;
                    let before = process::usage(system.pid())?;
                    let wall = send(system.dimse(), &parts)?;
                    let after = process::usage(system.pid())?;
                    samples.rates.push(files.len() as f64 / wall);
                    samples.cpu.push(1000.0 * (after.cpu - before.cpu) / files.len() as f64);
                    samples.peak.push(after.peak_mib);
                }
                drop(system);
                let _gone = std::fs::remove_dir_all(&folder);
            }
        }
        let discarding = (0..runs).map(|_| discard(&parts, files.len())).collect::<anyhow::Result<Vec<_>>>()?;
        let least = least(&parts, files.len(), bytes, scratch, &mut rest, runs)?;
        let [ours, peer] = samples;
        let our_rate = super::median(ours.rates.clone());
        let our_cpu = super::median(ours.cpu.clone());
        row(&mut out, associations, "Hilum", &ours, &format!("{:.2}x of the disk's limit", our_rate / limit))?;
        if !peer.rates.is_empty() {
            let (rate, cpu) = (super::median(peer.rates.clone()), super::median(peer.cpu.clone()));
            let verdict = format!("{:.1}x as fast, {:.2} of the CPU time", our_rate / rate, our_cpu / cpu);
            row(&mut out, associations, "Orthanc", &peer, &verdict)?;
        }
        let least_rate = super::median(least.rates.clone());
        row(&mut out, associations, "least receiver", &least, &format!("{:.2}x of it", our_rate / least_rate))?;
        let ceiling = super::median(discarding.clone());
        if !peer.rates.is_empty() {
            let peer = [super::median(peer.rates.clone()), super::median(peer.cpu.clone())];
            let least = [least_rate, super::median(least.cpu.clone())];
            limits.push_str(&told_limits(associations, aim, [our_rate, our_cpu], peer, least));
        }
        let share = our_rate / ceiling;
        writeln!(out, "| {associations} | storescp, discarding | {ceiling:.0} | - | 0 | - | {share:.2}x of it |")?;
    }
    out.push('\n');
    if !limits.is_empty() {
        writeln!(
            out,
            "The least receiver takes an instance out of the association, computes its digest (BLAKE3, as Hilum) while it comes in, appends it to a file whose blocks are \
             set aside, synchronises the file and answers: no data set is looked at, no row kept, nothing could be found again.\n\n{limits}"
        )?;
    }
    Ok(out)
}

/// Whether the aims are reached, and else what the machine leaves. Rates and processor times, ms an instance.
fn told_limits(
    associations: usize,
    aim: f64,
    [rate, cpu]: [f64; 2],
    [peer_rate, peer_cpu]: [f64; 2],
    [least_rate, least_cpu]: [f64; 2],
) -> String {
    let (times, share) = (rate / peer_rate, cpu / peer_cpu);
    let mut out = format!(
        "- {associations} associations: {times:.1} times the peer (aim {aim}), {share:.2} of its processor time (aim {CPU_AIM})."
    );
    if times < aim {
        let _fmt = write!(
            out,
            " {aim} times would be {:.0}/s; the least receiver comes to {least_rate:.0}/s, {:.1} times.",
            aim * peer_rate,
            least_rate / peer_rate
        );
    }
    if share > CPU_AIM {
        let _fmt = write!(
            out,
            " {CPU_AIM} of the peer's processor time would be {:.2} ms; the least receiver takes {least_cpu:.2} ms.",
            CPU_AIM * peer_cpu
        );
    }
    out.push('\n');
    out
}

/// What the least receiver does, in this process, whose own time is its.
fn least(
    parts: &[PathBuf],
    instances: usize,
    bytes: u64,
    scratch: &Path,
    rest: &mut Rest,
    runs: usize,
) -> anyhow::Result<Samples> {
    let mut samples = Samples { syncs: Some(1.0), ..Samples::default() };
    for _ in 0..runs {
        let least = Least::start(&scratch.join("least"), bytes.div_ceil(parts.len() as u64))?;
        rest.come()?;
        let before = process::usage(std::process::id())?;
        let wall = send(least.address, parts)?;
        let after = process::usage(std::process::id())?;
        least.end()?;
        samples.rates.push(instances as f64 / wall);
        samples.cpu.push(1000.0 * (after.cpu - before.cpu) / instances as f64);
    }
    Ok(samples)
}

fn row(out: &mut String, associations: usize, system: &str, samples: &Samples, verdict: &str) -> std::fmt::Result {
    let syncs = samples.syncs.map_or("strace is not installed".to_owned(), |syncs| format!("{syncs:.2}"));
    let peak =
        if samples.peak.is_empty() { "-".to_owned() } else { format!("{:.0}", super::median(samples.peak.clone())) };
    writeln!(
        out,
        "| {associations} | {system} | {:.0} | {:.2} | {syncs} | {peak} | {verdict} |",
        super::median(samples.rates.clone()),
        super::median(samples.cpu.clone())
    )
}

fn split(files: &[PathBuf], parts: usize, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folders: Vec<PathBuf> = (0..parts).map(|part| folder.join(part.to_string())).collect();
    folders.iter().try_for_each(std::fs::create_dir_all)?;
    for (folder, part) in folders.iter().zip(files.chunks(files.len().div_ceil(parts))) {
        for (index, file) in part.iter().enumerate() {
            std::fs::copy(file, folder.join(format!("{index:04}.dcm")))?;
        }
    }
    Ok(folders)
}

/// Sends every folder over an association of its own, at the same time; returns the seconds until the last is done.
fn send(address: SocketAddr, parts: &[PathBuf]) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut senders = Vec::new();
    for part in parts {
        senders.push(
            Command::new("storescu")
                .env("TCP_NODELAY", "1")
                .args(["--call", "HILUM", "--max-pdu", "131072", "--scan-directories"])
                .args([&address.ip().to_string(), &address.port().to_string()])
                .arg(part)
                .stdout(Stdio::null())
                .spawn()?,
        );
    }
    for mut sender in senders {
        let status = sender.wait()?;
        anyhow::ensure!(status.success(), "storescu ended with {status}");
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Instances a second into a receiver that keeps nothing.
fn discard(parts: &[PathBuf], instances: usize) -> anyhow::Result<f64> {
    let address = free_address();
    let mut receiver = Command::new("storescp")
        .env("TCP_NODELAY", "1")
        .args(["--fork", "--ignore", "--max-pdu", "131072", "--aetitle", "HILUM", &address.port().to_string()])
        .stdout(Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_millis(500));
    let wall = send(address, parts);
    receiver.kill()?;
    receiver.wait()?;
    Ok(instances as f64 / wall?)
}

/// fsync and fdatasync calls an instance, counted by strace; none where it is not installed.
fn syncs(system: &System, parts: &[PathBuf], instances: usize, summary: &Path) -> anyhow::Result<Option<f64>> {
    if !run::exists("strace") {
        return Ok(None);
    }
    let mut tracer = Command::new("strace")
        .args(["-f", "-c", "-e", "trace=fsync,fdatasync,syncfs", "-p", &system.pid().to_string()])
        .arg("-o")
        .arg(summary)
        .stderr(Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_secs(1));
    send(system.dimse(), parts)?;
    run::status(Command::new("kill").args(["-INT", &tracer.id().to_string()]))?;
    tracer.wait()?;
    let text = std::fs::read_to_string(summary)?;
    let calls = text.lines().filter(|line| line.contains("sync")).filter_map(|line| line.split_whitespace().nth(3));
    let calls: f64 = calls.filter_map(|calls| calls.parse::<f64>().ok()).sum();
    Ok(Some(calls / instances as f64))
}
