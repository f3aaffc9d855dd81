//! Results out: what reports are made into, against the tools that take, check and read it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::checks::{Check, dicom_files};
use super::node::Program;
use super::{Bench, Server};
use crate::http::Client;
use crate::ports::free_address;
use crate::run;

/// Every check of results.
pub const ALL: &[(&str, Check)] = &[(
    "a report's objects reach storescp and Orthanc once each, which were down, over a kill; dciodvfy, DicomSRValidator and dcmqi read them",
    results_out,
)];

/// A stone-bearing synthetic study, quickly read.
fn study(bench: &Bench) -> anyhow::Result<Vec<PathBuf>> {
    let folder = bench.scratch.join("results-phantom");
    let recipe = ["--seed", "31", "--matrix", "256", "--thickness", "5", "--region", "abdomen", "--stones", "3"];
    run::output(Command::new(&bench.hilum).arg("phantom").arg(&folder).args(recipe))?;
    Ok(dicom_files(&folder))
}

/// An archive of somebody else's that anybody on this machine may send to.
fn orthanc(bench: &Bench, port: u16, http: u16) -> anyhow::Result<Program> {
    let folder = bench.scratch.join("orthanc");
    fs::create_dir_all(&folder)?;
    let configuration = serde_json::json!({
        "Name": "checks", "StorageDirectory": folder.join("store"), "IndexDirectory": folder.join("store"),
        "DicomAet": "ORTHANC", "DicomPort": port, "HttpPort": http, "RemoteAccessAllowed": false,
        "DicomServerEnabled": true, "DicomAlwaysAllowStore": true, "AuthenticationEnabled": false, "Plugins": [],
    });
    let file = folder.join("orthanc.json");
    fs::write(&file, configuration.to_string())?;
    Program::start(Command::new("Orthanc").arg(&file), port)
}

fn results_out(bench: &Bench) -> anyhow::Result<String> {
    let files = study(bench)?;
    let (pacs, archive, http) = (free_address().port(), free_address().port(), free_address().port());
    let peer =
        |title: &str, port: u16| format!("[[peers]]\nae_title = \"{title}\"\nhost = \"127.0.0.1\"\nport = {port}\n");
    let configuration = format!(
        "quiet_after_seconds = 1\n{}{}{}[results]\nto = [\"PACS\", \"ORTHANC\"]\n",
        peer("CT1", 104),
        peer("PACS", pacs),
        peer("ORTHANC", archive)
    );
    let data = bench.scratch.join("results");
    let mut server = Server::start_configured(bench, &data, &configuration)?;
    let hilum = |arguments: &[&str]| {
        let mut command = Command::new(&bench.hilum);
        command.args(arguments).arg("--config").arg(data.with_extension("toml")).arg("--data").arg(&data);
        run::output(&mut command)
    };
    let forwards = || -> anyhow::Result<Vec<Value>> {
        let listed: Value = serde_json::from_str(&hilum(&["forwards", "--json"])?)?;
        Ok(listed.as_array().cloned().or_else(|| listed["items"].as_array().cloned()).unwrap_or_default())
    };
    let address = [server.dimse.ip().to_string(), server.dimse.port().to_string()];
    run::output(Command::new("storescu").args(["-aet", "CT1", "-aec", "HILUM"]).args(address).args(&files))?;
    server.settled(Duration::from_mins(5))?;

    // Nobody is there to take them: they wait, and the server dies with them waiting.
    let tried = |rows: &[Value]| !rows.is_empty() && rows.iter().all(|row| row["reason"].is_string());
    server.wait(Duration::from_mins(1), "make the objects and try to send them", |_| Ok(tried(&forwards()?)))?;
    server.kill()?;
    let arrived = bench.scratch.join("results-pacs");
    fs::create_dir_all(&arrived)?;
    let port = pacs.to_string();
    // A name for each that comes: one that comes twice is two files.
    let _pacs = Program::start(
        Command::new("storescp").args(["+xa", "-uf", "-fe", ".dcm", "-od"]).arg(&arrived).arg(port),
        pacs,
    )?;
    let _archive = orthanc(bench, archive, http)?;
    server = Server::start_configured(bench, &data, &configuration)?;
    server.wait(Duration::from_mins(3), "send on what it made", |_| {
        Ok(forwards()?.iter().all(|row| row["state"] == "sent"))
    })?;

    let rows = forwards()?;
    let made: BTreeSet<&str> = rows.iter().filter_map(|row| row["sop_uid"].as_str()).collect();
    ensure!(rows.len() == 2 * made.len(), "{} forwards of {} objects", rows.len(), made.len());
    let received = dicom_files(&arrived);
    let mut kinds = Vec::new();
    let mut uids = BTreeSet::new();
    for file in &received {
        let (uid, modality) = (element(file, "SOPInstanceUID")?, element(file, "Modality")?);
        ensure!(uids.insert(uid), "an object came twice");
        let checked = Command::new("dciodvfy").arg(file).output()?;
        let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
        ensure!(!said.lines().any(|line| line.starts_with("Error")), "dciodvfy of {modality}: {said}");
        match modality.as_str() {
            "SR" => read_by_others(bench, file)?,
            "SEG" => label_maps(bench, file)?,
            _ => {}
        }
        kinds.push(modality);
    }
    ensure!(uids.iter().map(String::as_str).collect::<BTreeSet<_>>() == made, "other objects came than were made");
    kinds.sort();
    ensure!(["DOC", "OT", "SEG", "SR"].iter().all(|kind| kinds.iter().any(|came| came == kind)), "only {kinds:?} came");
    let counted = Client::connect(([127, 0, 0, 1], http).into(), None)?.get("/statistics", "*/*")?.ok()?;
    let counted: Value = serde_json::from_slice(&counted)?;
    ensure!(counted["CountInstances"] == made.len(), "Orthanc has {counted}");
    ensure!(server.only_study()?["reading"]["state"] == "done", "results were read as if they were images");
    Ok(format!("{} objects ({}), each once at both", made.len(), kinds.join(", ")))
}

fn element(file: &Path, keyword: &str) -> anyhow::Result<String> {
    let dump = run::output(Command::new("dcmdump").args(["-q", "+L", "-s", "+P", keyword]).arg(file))?;
    let value = dump.split_once('[').and_then(|(_, rest)| rest.split_once(']')).context("no such element")?.0;
    Ok(value.to_owned())
}

/// PixelMed's validator finds no fault in a report, and dcmqi its measurements.
fn read_by_others(bench: &Bench, report: &Path) -> anyhow::Result<()> {
    let limits = ["jdk.xml.xpathTotalOpLimit", "jdk.xml.xpathExprOpLimit", "jdk.xml.xpathExprGrpLimit"];
    let options = limits.map(|limit| format!("-D{limit}=0")).join(" ");
    let checked = Command::new("DicomSRValidator").arg(report).env("JDK_JAVA_OPTIONS", options).output()?;
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    ensure!(said.contains("IOD validation complete"), "DicomSRValidator: {said}");
    let faulty = |line: &str| line.starts_with("Error") || line.starts_with("Warning");
    ensure!(!said.lines().any(faulty), "DicomSRValidator: {said}");
    let out = report.with_extension("json");
    let mut reader = Command::new(bench.python.with_file_name("tid1500reader"));
    run::output(reader.arg("--inputDICOM").arg(report).arg("--outputMetadata").arg(&out))?;
    let read: Value = serde_json::from_slice(&fs::read(out)?)?;
    let groups = read["Measurements"].as_array().context("dcmqi found no measurements")?;
    ensure!(!groups.is_empty() && groups.iter().all(|group| group["measurementItems"].is_array()), "dcmqi: {read}");
    Ok(())
}

/// dcmqi makes label maps of a segmentation, one a stone.
fn label_maps(bench: &Bench, segmentation: &Path) -> anyhow::Result<()> {
    let out = segmentation.with_extension("maps");
    fs::create_dir_all(&out)?;
    let mut reader = Command::new(bench.python.with_file_name("segimage2itkimage"));
    run::output(reader.arg("--inputDICOM").arg(segmentation).arg("--outputDirectory").arg(&out).args(["-t", "nii"]))?;
    ensure!(out.join("1.nii.gz").is_file(), "dcmqi made no label map");
    Ok(())
}
