//! What the peers' tools must find. Each check stands alone and says what it measured.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::{Bench, Server};
use crate::e2e::{self, Scene};
use crate::run;

/// A check: a sentence on success.
pub(super) type Check = fn(&Bench) -> anyhow::Result<String>;

/// Every check, in the order of the main path.
pub const ALL: &[(&str, Check)] = &[
    ("dciodvfy finds no error in the synthetic CT, Korean names included", dciodvfy),
    ("pydicom reads the synthetic CT's Korean names", pydicom_reads_names),
    ("dcmtk sends a study, twice, and it is kept once", dcmtk_sends),
    ("pynetdicom echoes and sends on two associations at once", pynetdicom_sends),
    ("dicomweb-client stores a study in chunks", dicomweb_client_stores),
    ("dicomweb-client stores, finds, retrieves and deletes with all its methods", dicomweb_client_does_all),
    ("a kill -9 while a study arrives and is read loses nothing that was acknowledged", kill_in_the_middle),
    (
        "the report of a synthetic patient has a page and one for each stone, is Korean and English, and opens in Excel",
        report_opens,
    ),
    (
        "Chromium: what people do with every page, in Korean and English, from an emergency study to its signed report",
        chromium_plays_the_flows,
    ),
    ("markup in DICOM text is shown in Chromium as text, and runs nothing", markup_is_text),
    ("a real chest CT gives an honest report", real_chest),
    ("a real head CT with mixed spacing gives no millimetres", real_head),
];

pub(super) const READING_LIMIT: Duration = Duration::from_mins(5);

/// One small synthetic study, generated once: its folder of DICOM files.
pub(super) fn phantom(bench: &Bench) -> anyhow::Result<PathBuf> {
    let folder = bench.scratch.join("phantom");
    if !folder.is_dir() {
        run::status(Command::new(&bench.hilum).arg("phantom").arg(&folder).args([
            "--seed",
            "77",
            "--studies",
            "1",
            "--stones",
            "2",
            "--thickness",
            "5",
        ]))?;
    }
    Ok(folder)
}

/// All DICOM files below a folder, sorted.
pub fn dicom_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "dcm"))
        .collect();
    files.sort();
    files
}

fn python(bench: &Bench, script: &str, arguments: &[&str]) -> anyhow::Result<String> {
    run::output(Command::new(&bench.python).arg("-c").arg(script).args(arguments))
}

fn dciodvfy(bench: &Bench) -> anyhow::Result<String> {
    let files = dicom_files(&phantom(bench)?);
    ensure!(files.len() > 40, "only {} slices", files.len());
    for file in &files {
        let output = Command::new("dciodvfy").arg(file).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        if let Some(line) = said.lines().find(|line| line.starts_with("Error")) {
            bail!("{line}");
        }
    }
    Ok(format!("{} files", files.len()))
}

fn pydicom_reads_names(bench: &Bench) -> anyhow::Result<String> {
    let file = dicom_files(&phantom(bench)?).into_iter().next().context("no slice")?;
    let said = python(
        bench,
        "import sys, pydicom; d = pydicom.dcmread(sys.argv[1]); print(d.SpecificCharacterSet, '|', d.PatientName.ideographic, '|', d.PatientName.phonetic, '|', d.SeriesDescription)",
        &[&file.display().to_string()],
    )?;
    ensure!(said.contains("ISO 2022 IR 149"), "not in the Korean code extension: {said}");
    ensure!(said.chars().any(|c| ('가'..='힣').contains(&c)), "no hangul in the name: {said}");
    Ok(said.trim().into())
}

pub(super) fn storescu(server: &Server, folder: &Path) -> anyhow::Result<()> {
    run::status(
        Command::new("storescu")
            .args([
                "--aetitle",
                "PEER",
                "--call",
                "HILUM",
                "--scan-directories",
                "--recurse",
                "--scan-pattern",
                "*.dcm",
            ])
            .args([&server.dimse.ip().to_string(), &server.dimse.port().to_string()])
            .arg(folder),
    )
}

fn dcmtk_sends(bench: &Bench) -> anyhow::Result<String> {
    let folder = phantom(bench)?;
    let server = Server::start(bench, &bench.scratch.join("dcmtk"))?;
    let (host, port) = (server.dimse.ip().to_string(), server.dimse.port().to_string());
    run::status(Command::new("echoscu").args(["--call", "HILUM", &host, &port]))?;
    storescu(&server, &folder)?;
    storescu(&server, &folder)?;
    let study = server.only_study()?;
    let files = dicom_files(&folder).len();
    ensure!(study["instance_count"] == files, "{} kept of {files}", study["instance_count"]);
    let (_, quarantine) = server.get("/api/v1/quarantine")?;
    ensure!(quarantine == b"[]", "the second sending went to quarantine");
    Ok(format!("{files} instances"))
}

fn pynetdicom_sends(bench: &Bench) -> anyhow::Result<String> {
    let folder = phantom(bench)?;
    let server = Server::start(bench, &bench.scratch.join("pynetdicom"))?;
    python(
        bench,
        r#"
import sys, glob, threading
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification
host, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
files = sorted(glob.glob(folder + "/**/*.dcm", recursive=True))
bad = []
def send(part):
    ae = AE("PEER"); ae.add_requested_context(CTImageStorage); ae.add_requested_context(Verification)
    association = ae.associate(host, port, ae_title="HILUM")
    if not association.is_established: bad.append("no association"); return
    if association.send_c_echo().Status != 0: bad.append("echo")
    for file in part:
        status = association.send_c_store(dcmread(file)).get("Status")
        if status != 0: bad.append(hex(status or -1))
    association.release()
threads = [threading.Thread(target=send, args=(files[k::2],)) for k in range(2)]
[t.start() for t in threads]; [t.join() for t in threads]
assert not bad, bad
"#,
        &[&server.dimse.ip().to_string(), &server.dimse.port().to_string(), &folder.display().to_string()],
    )?;
    let files = dicom_files(&folder).len();
    ensure!(server.only_study()?["instance_count"] == files, "not every instance is there");
    Ok(format!("{files} instances"))
}

fn dicomweb_client_does_all(bench: &Bench) -> anyhow::Result<String> {
    let folder = phantom(bench)?;
    let server = Server::start(bench, &bench.scratch.join("dicomweb-all"))?;
    let said = python(
        bench,
        include_str!("dicomweb_client.py"),
        &[&format!("http://{}/dicom-web", server.http), &folder.display().to_string(), &server.token],
    )?;
    Ok(said.trim().into())
}

fn dicomweb_client_stores(bench: &Bench) -> anyhow::Result<String> {
    let folder = phantom(bench)?;
    let server = Server::start(bench, &bench.scratch.join("dicomweb"))?;
    python(
        bench,
        r#"
import sys, glob
from pydicom import dcmread
from dicomweb_client.api import DICOMwebClient
client = DICOMwebClient(url=sys.argv[1], chunk_size=1_000_000, headers={"Authorization": f"Bearer {sys.argv[3]}"})
files = sorted(glob.glob(sys.argv[2] + "/**/*.dcm", recursive=True))
answer = client.store_instances([dcmread(file) for file in files])
assert len(answer.ReferencedSOPSequence) == len(files), answer
assert "FailedSOPSequence" not in answer, answer
"#,
        &[&format!("http://{}/dicom-web", server.http), &folder.display().to_string(), &server.token],
    )?;
    let files = dicom_files(&folder).len();
    ensure!(server.only_study()?["instance_count"] == files, "not every instance is there");
    Ok(format!("{files} instances in one request"))
}

fn kill_in_the_middle(bench: &Bench) -> anyhow::Result<String> {
    let folder = phantom(bench)?;
    let data = bench.scratch.join("killed");
    let files = dicom_files(&folder).len();
    // While it arrives: what the peer was told is kept must be there afterwards.
    let server = Server::start(bench, &data)?;
    let mut sender = Command::new("storescu")
        .args(["--verbose", "--call", "HILUM", "--scan-directories", "--recurse", "--scan-pattern", "*.dcm"])
        .args([&server.dimse.ip().to_string(), &server.dimse.port().to_string()])
        .arg(&folder)
        .stderr(std::fs::File::create(bench.scratch.join("killed-sender.log"))?)
        .stdout(std::process::Stdio::null())
        .spawn()?;
    std::thread::sleep(Duration::from_millis(400));
    server.kill()?;
    sender.wait()?;
    let log = std::fs::read_to_string(bench.scratch.join("killed-sender.log"))?;
    let acknowledged = log.matches("Received Store Response (Success)").count();
    let server = Server::start(bench, &data)?;
    let kept = server.studies()?.first().and_then(|study| study["instance_count"].as_u64()).unwrap_or(0);
    ensure!(kept >= acknowledged as u64, "{acknowledged} were acknowledged, {kept} are there");
    // Sent again, then killed while it is read: the restart reads it by itself.
    storescu(&server, &folder)?;
    let mut server = server;
    server.wait(Duration::from_mins(1), "begin the reading", |server| {
        Ok(matches!(server.only_study()?["reading"]["state"].as_str(), Some("reading" | "done")))
    })?;
    server.kill()?;
    let mut server = Server::start(bench, &data)?;
    server.settled(READING_LIMIT)?;
    let study = server.only_study()?;
    ensure!(study["instance_count"] == files, "{} kept of {files}", study["instance_count"]);
    ensure!(study["reading"]["state"] == "done", "the reading ended as {}", study["reading"]["state"]);
    Ok(format!("{acknowledged} acknowledged before the first kill, {kept} kept"))
}

/// A served study with a finished report, and its data folder.
fn read_study(bench: &Bench, name: &str, input: &Path) -> anyhow::Result<(Server, String)> {
    let data = bench.scratch.join(name);
    run::status(Command::new(&bench.hilum).arg("import").arg(input).arg("--data").arg(&data))?;
    let mut server = Server::start(bench, &data)?;
    server.settled(READING_LIMIT)?;
    let uid = server.only_study()?["study_uid"].as_str().context("no study UID")?.to_owned();
    Ok((server, uid))
}

fn report_text(bench: &Bench, server: &Server, uid: &str, language: &str, name: &str) -> anyhow::Result<String> {
    let (status, pdf) = server.get(&format!("/api/v1/studies/{uid}/report.pdf?lang={language}"))?;
    ensure!(status == 200, "the PDF answered {status}");
    let path = bench.keep.join(format!("{name}-{language}.pdf"));
    std::fs::write(&path, pdf)?;
    let info = run::output(Command::new("pdfinfo").arg(&path))?;
    let pages = info.lines().find_map(|line| line.strip_prefix("Pages:")).unwrap_or_default().trim();
    let (status, document) = server.get(&format!("/api/v1/studies/{uid}/report"))?;
    ensure!(status == 200, "the report answered {status}");
    let document: serde_json::Value = serde_json::from_slice(&document)?;
    let stones = document["stones"].as_array().map_or(0, Vec::len);
    ensure!(pages == (1 + stones).to_string(), "expected a page and one for each of {stones} stones, not {pages}");
    run::output(Command::new("pdftotext").args(["-layout"]).arg(&path).arg("-"))
}

fn report_opens(bench: &Bench) -> anyhow::Result<String> {
    let (server, uid) = read_study(bench, "report", &phantom(bench)?)?;
    let english = report_text(bench, &server, &uid, "en", "phantom")?;
    ensure!(english.contains("not for diagnosis without a physician"), "the disclaimer is missing");
    ensure!(english.to_lowercase().contains("synthetic"), "the report does not say synthetic");
    let korean = report_text(bench, &server, &uid, "ko", "phantom")?;
    ensure!(korean.contains("결석"), "no Korean text in the Korean report");
    let (status, xlsx) = server.get(&format!("/api/v1/studies/{uid}/report.xlsx"))?;
    ensure!(status == 200, "the workbook answered {status}");
    let path = bench.keep.join("phantom.xlsx");
    std::fs::write(&path, xlsx)?;
    let rows = python(
        bench,
        "import sys, openpyxl; b = openpyxl.load_workbook(sys.argv[1]); s = b['Slices']; print(b.sheetnames, s.max_row)",
        &[&path.display().to_string()],
    )?;
    Ok(rows.trim().into())
}

/// What runs, should anything run, is seen by the flow.
fn markup_is_text(bench: &Bench) -> anyhow::Result<String> {
    let folder = bench.scratch.join("markup");
    std::fs::create_dir_all(&folder)?;
    let first = dicom_files(&phantom(bench)?).into_iter().next().context("no synthetic slice")?;
    python(
        bench,
        r#"
import sys
from pydicom import dcmread
data_set = dcmread(sys.argv[1])
hostile = "window.hilumHostile=true"
data_set.PatientName = f"<img src=x onerror={hostile}>"
data_set.PatientID = f"'><svg onload={hostile}>"
data_set.StudyDescription = f"<script>{hostile}</script>"
data_set.SeriesDescription = f"<iframe srcdoc='<script>parent.hilumHostile=true</script>'>"[:64]
data_set.AccessionNumber = "javascript:1"
data_set.ProtocolName = "{{constructor.constructor('hilumHostile=true')()}}"
data_set.save_as(sys.argv[2])
"#,
        &[&first.display().to_string(), &folder.join("1.dcm").display().to_string()],
    )?;
    let (server, _) = read_study(bench, "markup-data", &folder)?;
    let (data, pictures) = (bench.scratch.join("markup-data"), Some(bench.keep.as_path()));
    Scene { name: "markup", hilum: &bench.hilum, data: &data, server: server.http, only: None, pictures }.play()
}

fn chromium_plays_the_flows(bench: &Bench) -> anyhow::Result<String> {
    e2e::demo(&bench.hilum, &bench.scratch, None, Some(&bench.keep))
}

/// Real data, or a sentence that it is not there.
pub(super) fn real(folder: &str) -> anyhow::Result<Option<PathBuf>> {
    let found = run::shared().map(|shared| shared.join("data").join(folder)).filter(|path| path.is_dir());
    if found.is_none() && std::env::var_os("HILUM_REQUIRE_SHARED").is_some_and(|value| value == "1") {
        bail!("{folder} is required and not there");
    }
    Ok(found)
}

fn real_chest(bench: &Bench) -> anyhow::Result<String> {
    let Some(folder) = real("ct-chest-lidc0314")? else {
        return Ok("SKIPPED: no real data beside the repository".into());
    };
    let (server, uid) = read_study(bench, "chest", &folder)?;
    let text = report_text(bench, &server, &uid, "en", "chest")?;
    for word in ["ureter", "bladder", "synthetic"] {
        ensure!(text.to_lowercase().contains(word), "the report does not mention `{word}`");
    }
    let (_, json) = server.get(&format!("/api/v1/studies/{uid}/report"))?;
    let report: serde_json::Value = serde_json::from_slice(&json)?;
    let missing = report["coverage"]["not_looked_at"].to_string().to_lowercase();
    ensure!(missing.contains("ureter") && missing.contains("bladder"), "ureters and bladder are not named as missing");
    Ok(format!("{} of {} slices searched", report["coverage"]["slices_searched"], report["coverage"]["slices_total"]))
}

fn real_head(bench: &Bench) -> anyhow::Result<String> {
    let Some(folder) = real("ct-head-ge")? else { return Ok("SKIPPED: no real data beside the repository".into()) };
    let (server, uid) = read_study(bench, "head", &folder)?;
    let (_, json) = server.get(&format!("/api/v1/studies/{uid}/report"))?;
    let report: serde_json::Value = serde_json::from_slice(&json)?;
    ensure!(report["result"]["stone_present"] == "not_assessed", "it was assessed: {}", report["result"]);
    ensure!(report["stones"].as_array().is_some_and(Vec::is_empty), "it measured stones");
    Ok(report["result"]["refusal"]["en"].as_str().unwrap_or_default().into())
}
