//! Medical records: what they take and tell, against hl7apy and fhir.resources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::checks::{Check, dicom_files};
use super::node::Program;
use super::{Bench, Server};
use crate::ports::free_address;
use crate::run;

/// Every check of medical records.
pub const ALL: &[(&str, Check)] = &[(
    "a report reaches an HL7 v2 receiver (hl7apy, CP949) and a FHIR server (fhir.resources) that were down, refused it and saw a kill, and a diagnosis by ADT is \
     weighed",
    records,
)];

fn script(bench: &Bench, name: &str) -> Command {
    let mut command = Command::new(&bench.python);
    command.args(["-W", "ignore"]).arg(run::root().join("xtask/src/interop/peers").join(name));
    command
}

fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths.into_iter().map(|path| Ok(fs::read(path)?)).collect()
}

fn records(bench: &Bench) -> anyhow::Result<String> {
    let phantom = bench.scratch.join("emr-phantom");
    let recipe = ["--seed", "31", "--matrix", "256", "--thickness", "5", "--region", "abdomen", "--stones", "3"];
    run::output(Command::new(&bench.hilum).arg("phantom").arg(&phantom).args(recipe))?;
    let (mllp, fhir, hl7) = (free_address().port(), free_address().port(), free_address().port());
    let configuration = format!(
        "quiet_after_seconds = 1\n[results]\nobjects = []\n\
         [emr]\nlisten = \"127.0.0.1:{hl7}\"\n\
         [[emr.senders]]\nname = \"his\"\napplication = \"HIS\"\nfacility = \"KSH\"\ncharacter_set = \"cp949\"\n\
         [[emr.destinations]]\nname = \"ocs\"\nmllp = \"127.0.0.1:{mllp}\"\ncharacter_set = \"cp949\"\n\
         [[emr.destinations]]\nname = \"emr\"\nfhir = \"http://127.0.0.1:{fhir}/fhir\"\n"
    );
    let data = bench.scratch.join("emr");
    let mut server = Server::start_configured(bench, &data, &configuration)?;
    let hilum = |arguments: &[&str]| {
        let mut command = Command::new(&bench.hilum);
        command.args(arguments).arg("--config").arg(data.with_extension("toml")).arg("--data").arg(&data);
        run::output(&mut command)
    };
    let deliveries = || -> anyhow::Result<Vec<Value>> {
        let listed: Value = serde_json::from_str(&hilum(&["deliveries", "--json"])?)?;
        Ok(listed["items"].as_array().cloned().unwrap_or_default())
    };
    let mut import = vec!["import"];
    let dicom: Vec<String> = dicom_files(&phantom).iter().map(|file| file.display().to_string()).collect();
    import.extend(dicom.iter().map(String::as_str));
    hilum(&import)?;
    server.settled(Duration::from_mins(5))?;
    let tried = |rows: &[Value]| rows.len() == 2 && rows.iter().all(|row| row["tries"].as_u64() >= Some(1));
    server.wait(Duration::from_mins(1), "try to deliver to nobody", |_| Ok(tried(&deliveries()?)))?;
    server.kill()?;

    // Both come up; each refuses once.
    let folders = ["emr-mllp", "emr-fhir"].map(|name| bench.scratch.join(name));
    folders.iter().try_for_each(fs::create_dir_all)?;
    let _receiver = Program::start(script(bench, "mllp_receiver.py").arg(mllp.to_string()).arg(&folders[0]), mllp)?;
    let _server = Program::start(script(bench, "fhir_receiver.py").arg(fhir.to_string()).arg(&folders[1]), fhir)?;
    server = Server::start_configured(bench, &data, &configuration)?;
    server.wait(Duration::from_mins(3), "deliver what waits", |_| {
        hilum(&["deliveries", "--retry"])?;
        Ok(deliveries()?.iter().all(|row| row["state"] == "delivered"))
    })?;
    std::thread::sleep(Duration::from_secs(3));
    for folder in &folders {
        ensure!(files(folder, "fault")?.is_empty(), "{}", String::from_utf8_lossy(&files(folder, "fault")?.concat()));
    }
    let messages = files(&folders[0], "hl7")?;
    ensure!(messages.len() == 2 && messages[0] == messages[1], "{} messages, or not the same", messages.len());
    let bundles = files(&folders[1], "json")?;
    ensure!(bundles.len() == 2 && bundles[0] == bundles[1], "{} transactions, or not the same", bundles.len());
    let kept: Value = serde_json::from_slice(&fs::read(folders[1].join("kept"))?)?;
    let kinds: BTreeSet<&str> =
        kept.as_object().into_iter().flatten().filter_map(|(_, one)| one["resourceType"].as_str()).collect();
    ensure!(kinds.len() >= 3, "only {kinds:?} were kept");

    // A record tells something, and it is weighed.
    let study = server.only_study()?;
    let (uid, patient) = (study["study_uid"].as_str().context("UID")?, study["patient"]["id"].as_str().context("ID")?);
    let today = run::output(Command::new("date").arg("+%Y%m%d"))?;
    let told = run::output(script(bench, "adt.py").arg(hl7.to_string()).arg(patient).arg(today.trim()))?;
    ensure!(told.trim() == "AA", "the message was answered {told}");
    let (status, options) = server.get(&format!("/api/v1/studies/{uid}/report/options"))?;
    let options: Value = serde_json::from_slice(&options)?;
    let recorded: Vec<&str> =
        options["recorded"].as_array().into_iter().flatten().filter_map(|fact| fact["input"].as_str()).collect();
    ensure!(status == 200 && recorded == ["obstruction", "infection"], "{status}: {recorded:?}");
    let stones = kept.as_object().map_or(0, serde_json::Map::len).saturating_sub(3);
    Ok(format!(
        "{} bytes of HL7, {stones} stones as observations, obstruction and infection told by N13.6",
        messages[0].len()
    ))
}
