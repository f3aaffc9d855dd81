//! DICOMweb over HTTP: storing, searching and retrieving, beside Orthanc with its DICOMweb plug-in.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::awake::Awake;
use super::receiving::CPU_AIM;
use super::system::System;
use super::tiny;
use super::{canned, least};
use crate::bench::process;
use crate::bench::rest::Rest;
use crate::http::Client;
use crate::interop::checks::dicom_files;
use crate::{oracles, run};

const JSON: &str = "application/dicom+json";
const INSTANCES: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
const FRAMES: &str = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";
/// Parts of one store request.
const PARTS: usize = 50;
/// Studies that are searched.
const STUDIES: usize = 10_000;

/// Place of a rendered frame among the questions about a series.
const RENDERED: usize = 1;

/// One request that is measured: how often, and what its answer must hold.
struct Question {
    what: &'static str,
    /// How many times as fast as the peer, where there is an aim.
    aim: Option<f64>,
    /// Asked for in turn.
    paths: Vec<String>,
    accept: &'static str,
    times: usize,
    holds: fn(&[u8]) -> bool,
}

/// The body of a store request, made beforehand, and where the instances lie in it.
struct Sent {
    body: Vec<u8>,
    parts: Vec<Range<usize>>,
}

/// Half of the answers to a question came within so many seconds; the last one had so many bytes.
struct Answered {
    seconds: f64,
    bytes: usize,
}

pub fn section(
    hilum: &Path,
    study: &Path,
    scratch: &Path,
    orthanc: Option<&str>,
    runs: usize,
) -> anyhow::Result<String> {
    let files = dicom_files(study);
    let sent = requests(&files)?;
    let mut out = format!(
        "### DICOMweb\n\nOver HTTP on one connection kept alive, TCP_NODELAY on both sides. Storing: {} instances of 512x512, {PARTS} a request, its body made beforehand, durable before \
         the response; before each run the disk comes to rest, and as much memory as it needs is touched. Retrieving: of that series, once whatever follows its arrival is over. Searching: {STUDIES} studies of one small instance each. \
         While answers are timed a loop of idle priority keeps the processors from halting: to wake a halted virtual one takes up to 0.2 ms, which is a property of \
         neither system. ",
        files.len()
    );
    let peer = orthanc.map_or("Orthanc or its DICOMweb plug-in is not installed, or was left out (Debian packages orthanc, orthanc-dicomweb).".to_owned(), |version| {
        format!("Peer: {version} with its DICOMweb plug-in (Debian, SQLite, SyncStorageArea=true).")
    });
    writeln!(out, "{peer}\n")?;
    out.push_str("| what | Hilum | Orthanc | Hilum is | aim |\n|---|---|---|---|---|\n");
    let peers = if orthanc.is_some() { 2 } else { 1 };
    let stored = storing(&mut out, hilum, &sent, files.len(), scratch, peers, runs)?;
    let mut limits = retrieving(&mut out, hilum, &sent, scratch, peers, study)?;
    limits += &searching(&mut out, hilum, scratch, peers)?;
    out.push('\n');
    out.push_str(&stored);
    out.push_str(&limits);
    out.push('\n');
    Ok(out)
}

fn storing(
    out: &mut String,
    hilum: &Path,
    sent: &[Sent],
    instances: usize,
    scratch: &Path,
    peers: usize,
    runs: usize,
) -> anyhow::Result<String> {
    let (mut rates, mut cpu) = (vec![Vec::new(); peers], vec![Vec::new(); peers]);
    let mut least = [Vec::new(), Vec::new()];
    let bytes: usize = sent.iter().map(|request| request.body.len()).sum();
    let mut rest = Rest::between(bytes as u64, scratch)?;
    for round in 0..runs {
        for peer in 0..peers {
            run::step(&format!("STOW-RS, round {round}"));
            let folder = scratch.join(format!("stow-{peer}-{round}"));
            let system = System::start(hilum, &folder, peer == 1)?;
            rest.come()?;
            let before = process::usage(system.pid())?;
            let start = Instant::now();
            store(&system, sent)?;
            let wall = start.elapsed().as_secs_f64();
            let after = process::usage(system.pid())?;
            rates[peer].push(instances as f64 / wall);
            cpu[peer].push(1000.0 * (after.cpu - before.cpu) / instances as f64);
            drop(system);
            std::fs::remove_dir_all(&folder)?;
        }
        rest.come()?;
        let [wall, processor] = of_the_least(sent, scratch)?;
        least[0].push(instances as f64 / wall);
        least[1].push(1000.0 * processor / instances as f64);
    }
    let rates: Vec<f64> = rates.into_iter().map(super::median).collect();
    let cpu: Vec<f64> = cpu.into_iter().map(super::median).collect();
    let told = |peer: usize| {
        rates.get(peer).map_or("-".to_owned(), |rate| format!("{rate:.0}/s, {:.2} CPU-s per 1,000", cpu[peer]))
    };
    let verdict = if peers == 2 {
        format!("{:.1}x as fast, {:.2} of the CPU time", rates[0] / rates[1], cpu[0] / cpu[1])
    } else {
        "-".to_owned()
    };
    writeln!(out, "| STOW-RS | {} | {} | {verdict} | 4x, {CPU_AIM} |", told(0), told(1))?;
    let [least_rate, least_cpu] = least.map(super::median);
    let aim =
        cpu.get(1).map_or(String::new(), |theirs| format!("; {CPU_AIM} of the peer's is {:.2}", CPU_AIM * theirs));
    Ok(format!(
        "- The least receiver of the same requests, which is told where their parts lie, computes each digest (BLAKE3, as Hilum) while the part comes in, appends it to a \
         file and synchronises that once a request, comes to {least_rate:.0}/s and {least_cpu:.2} ms of a processor for an instance{aim}. It looks for no \
         boundary, at no data set, keeps no row and could find nothing again.\n"
    ))
}

/// Seconds that the least receiver takes for the requests, by the wall and of a processor.
fn of_the_least(sent: &[Sent], scratch: &Path) -> anyhow::Result<[f64; 2]> {
    let mut wall = 0.0;
    let parts = sent.iter().map(|request| request.parts.clone()).collect();
    let processor = least::web::measure(parts, &scratch.join("least"), |address| {
        let mut client = Client::connect(address, None)?;
        let start = Instant::now();
        sent.iter().try_for_each(|request| post(&mut client, &request.body))?;
        wall = start.elapsed().as_secs_f64();
        Ok(())
    })?;
    Ok([wall, processor])
}

/// What client and loopback leave of each aim that is missed.
fn told_of_answers(questions: &[Question], here: &[Answered], there: &[Answered]) -> anyhow::Result<Vec<String>> {
    let mut told = Vec::new();
    for ((question, ours), theirs) in questions.iter().zip(here).zip(there) {
        let (times, aim) = (theirs.seconds / ours.seconds, question.aim.unwrap_or(0.0));
        if times >= aim {
            told.push(String::new());
            continue;
        }
        let alone = Question { paths: vec!["/".to_owned()], holds: |_| true, ..*question };
        let bare = ask(&mut canned::client(ours.bytes)?, &[alone])?;
        told.push(format!(
            "- {}: {times:.1} times the peer (aim {aim}). {aim} times would be {:.2} ms; as many bytes from a loop that only writes them take this client {:.2}.",
            question.what,
            1000.0 * theirs.seconds / aim,
            1000.0 * bare[0].seconds
        ));
    }
    Ok(told)
}

/// How long the encoder of the picture takes alone.
fn told_of_rendering(study: &Path) -> anyhow::Result<String> {
    let Some(python) = oracles::python(false)? else { return Ok(String::new()) };
    let script = run::root().join("xtask/src/bench/archive/jpeg.py");
    let said = run::output(Command::new(python).arg(script).arg(study))?;
    let (version, ms) = said.trim().split_once(' ').context("what jpeg.py printed")?;
    let ms: f64 = ms.parse()?;
    Ok(format!(" libjpeg-turbo {version} alone takes {ms:.2} ms for such a picture, once its greys are there."))
}

fn retrieving(
    out: &mut String,
    hilum: &Path,
    sent: &[Sent],
    scratch: &Path,
    peers: usize,
    study: &Path,
) -> anyhow::Result<String> {
    let mut p50 = Vec::new();
    let mut questions = Vec::new();
    for peer in 0..peers {
        run::step("retrieving");
        let folder = scratch.join(format!("retrieve-{peer}"));
        let mut system = System::start(hilum, &folder, peer == 1)?;
        store(&system, sent)?;
        system.at_rest()?;
        let mut client = system.client()?;
        if questions.is_empty() {
            questions = of_a_series(&mut client)?;
        }
        p50.push(ask(&mut client, &questions)?);
        drop(system);
        std::fs::remove_dir_all(&folder)?;
    }
    rows(out, &questions, &p50)?;
    let [here, there] = p50.as_slice() else { return Ok(String::new()) };
    let mut told = told_of_answers(&questions, here, there)?;
    if !told[RENDERED].is_empty() {
        told[RENDERED] += &told_of_rendering(study)?;
    }
    Ok(lines(told))
}

fn lines(told: Vec<String>) -> String {
    told.into_iter().filter(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

/// What is asked of the one series that is there.
fn of_a_series(client: &mut Client) -> anyhow::Result<Vec<Question>> {
    let first = |client: &mut Client, path: &str, tag: &str| -> anyhow::Result<String> {
        let found: Value = serde_json::from_slice(&client.get(path, JSON)?.ok()?)?;
        found[0][tag]["Value"][0].as_str().map(str::to_owned).with_context(|| format!("{path} names no {tag}"))
    };
    let study = first(client, "/dicom-web/studies", "0020000D")?;
    let series = first(client, &format!("/dicom-web/studies/{study}/series"), "0020000E")?;
    let series = format!("/dicom-web/studies/{study}/series/{series}");
    let found = client.get(&format!("{series}/instances?limit=1000"), JSON)?.ok()?;
    let found: Vec<Value> = serde_json::from_slice(&found)?;
    let instances: Vec<&str> = found.iter().filter_map(|found| found["00080018"]["Value"][0].as_str()).collect();
    ensure!(instances.len() == 300, "{} instances of the series were found", instances.len());
    let each = |what: &str| instances.iter().map(|sop| format!("{series}/instances/{sop}/{what}")).collect();
    Ok(vec![
        Question {
            what: "one frame",
            aim: Some(4.0),
            paths: each("frames/1"),
            accept: FRAMES,
            times: 300,
            holds: |body| body.len() >= 512 * 512 * 2,
        },
        Question {
            what: "one frame rendered as JPEG",
            aim: Some(3.0),
            paths: each("rendered"),
            accept: "image/jpeg",
            times: 300,
            holds: |body| body.starts_with(&[0xff, 0xd8]),
        },
        Question {
            what: "metadata of 300 slices",
            aim: Some(40.0),
            paths: vec![format!("{series}/metadata")],
            accept: JSON,
            times: 20,
            holds: |body| array(body) == Some(300),
        },
        Question {
            what: "the whole series, 158 MB",
            aim: Some(2.5),
            paths: vec![series],
            accept: INSTANCES,
            times: 10,
            holds: |body| body.len() > 300 * 512 * 512 * 2,
        },
    ])
}

fn searching(out: &mut String, hilum: &Path, scratch: &Path, peers: usize) -> anyhow::Result<String> {
    let studies: Vec<Vec<u8>> = (0..STUDIES).map(tiny::instance).collect();
    let question = |what, aim, path: &str, times| Question {
        what,
        aim,
        paths: vec![path.to_owned()],
        accept: JSON,
        times,
        holds: |body| array(body) == Some(100),
    };
    let questions = [
        question("QIDO-RS, 100 of 10,000 studies", Some(100.0), "/dicom-web/studies?limit=100", 50),
        question("QIDO-RS, 100 studies of `KIM*`", None, "/dicom-web/studies?limit=100&PatientName=KIM*", 50),
    ];
    let mut p50 = Vec::new();
    for peer in 0..peers {
        run::step(&format!("searching {STUDIES} studies"));
        let folder = scratch.join(format!("search-{peer}"));
        let system = System::start_without_reports(hilum, &folder, peer == 1)?;
        let mut client = system.client()?;
        for some in studies.chunks(100) {
            post(&mut client, &request(some.iter().map(Vec::as_slice)).body)?;
        }
        // Of a connection that is not used meanwhile.
        std::thread::sleep(Duration::from_secs(3));
        p50.push(ask(&mut system.client()?, &questions)?);
        drop(system);
        std::fs::remove_dir_all(&folder)?;
    }
    rows(out, &questions, &p50)?;
    let [here, there] = p50.as_slice() else { return Ok(String::new()) };
    told_of_answers(&questions, here, there).map(lines)
}

/// Frames are asked for one after the other, as viewers scroll.
fn ask(client: &mut Client, questions: &[Question]) -> anyhow::Result<Vec<Answered>> {
    let _awake = Awake::keep()?;
    let mut p50 = Vec::new();
    for question in questions {
        let (mut seconds, mut bytes, mut read) = (Vec::new(), 0, Vec::new());
        // The first answer warms the page cache of both.
        for time in 0..=question.times {
            let start = Instant::now();
            let path = &question.paths[time % question.paths.len()];
            let body = client.get(path, question.accept)?.ok()?;
            if time > 0 {
                seconds.push(start.elapsed().as_secs_f64());
            }
            // To read the same JSON anew before each question would take the processors' caches, for milliseconds, from whoever answers in less than one.
            if question.accept != JSON || body != read {
                ensure!((question.holds)(&body), "{}: {} bytes that are not what was asked", question.what, body.len());
                bytes = body.len();
                if question.accept == JSON {
                    read.clone_from(&body);
                }
            }
            client.recycle(body);
        }
        p50.push(Answered { seconds: super::median(seconds), bytes });
    }
    Ok(p50)
}

fn rows(out: &mut String, questions: &[Question], p50: &[Vec<Answered>]) -> anyhow::Result<()> {
    for (at, question) in questions.iter().enumerate() {
        let ms = |peer: usize| p50.get(peer).map(|answered| 1000.0 * answered[at].seconds);
        let told = |peer| ms(peer).map_or("-".to_owned(), |ms| format!("{ms:.2} ms"));
        let times = match (ms(0), ms(1)) {
            (Some(ours), Some(theirs)) => format!("{:.1}x as fast", theirs / ours),
            _ => "-".to_owned(),
        };
        writeln!(
            out,
            "| {}, p50 of {} | {} | {} | {times} | {} |",
            question.what,
            question.times,
            told(0),
            told(1),
            question.aim.map_or("-".to_owned(), |aim| format!("{aim}x"))
        )?;
    }
    Ok(())
}

fn array(body: &[u8]) -> Option<usize> {
    Some(serde_json::from_slice::<Value>(body).ok()?.as_array()?.len())
}

fn store(system: &System, sent: &[Sent]) -> anyhow::Result<()> {
    let mut client = system.client()?;
    sent.iter().try_for_each(|request| post(&mut client, &request.body))
}

/// The bodies of store requests, made before anything is timed: reading and copying is the client's own work.
fn requests(files: &[PathBuf]) -> anyhow::Result<Vec<Sent>> {
    let mut requests = Vec::new();
    for some in files.chunks(PARTS) {
        let parts = some.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
        requests.push(request(parts.iter().map(Vec::as_slice)));
    }
    Ok(requests)
}

const BOUNDARY: &str = "7c3f2a19e4";

fn request<'a>(instances: impl Iterator<Item = &'a [u8]>) -> Sent {
    let (mut body, mut parts) = (Vec::new(), Vec::new());
    for instance in instances {
        body.extend_from_slice(format!("--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n").as_bytes());
        parts.push(body.len()..body.len() + instance.len());
        body.extend_from_slice(instance);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    Sent { body, parts }
}

fn post(client: &mut Client, body: &[u8]) -> anyhow::Result<()> {
    let kind = format!("multipart/related; type=\"application/dicom\"; boundary={BOUNDARY}");
    let answer = client.post("/dicom-web/studies", &kind, JSON, body)?.ok()?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let refused = answer["00081198"]["Value"].as_array().is_some_and(|refused| !refused.is_empty());
    ensure!(!refused, "an instance was refused: {}", answer["00081198"]);
    Ok(())
}
