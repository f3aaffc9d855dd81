//! `hilum doctor`

use anyhow::bail;
use serde::Serialize;

use crate::{
    cli::DoctorArguments,
    commands::{DATA, block_on, upkeep::is_data_folder},
    doctor::{self, Finding, Severity, Surroundings},
    settings::Settings,
};

#[derive(Serialize)]
struct Report {
    findings: Vec<Finding>,
}

pub fn run(settings: &Settings, arguments: &DoctorArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = settings.data_dir(DATA);
    let mut findings = doctor::examine(settings, &data_dir, &Surroundings::this_machine());
    if arguments.ask_providers {
        findings.extend(block_on(async { Ok(doctor::ask_providers(settings).await) })?);
    }
    if is_data_folder(&data_dir) {
        findings.extend(block_on(async { Ok(doctor::examine_catalogue(settings.engine(&data_dir)).await) })?);
    }
    findings.sort_by_key(|finding| finding.severity);
    let serious = findings.iter().filter(|finding| finding.severity == Severity::Serious).count();
    let report = Report { findings };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        tell(&report.findings);
    }
    match serious {
        0 => Ok(()),
        1 => bail!("one finding is serious"),
        count => bail!("{count} findings are serious"),
    }
}

fn tell(findings: &[Finding]) {
    for Finding { code, severity, text, advice } in findings {
        let severity = match severity {
            Severity::Serious => "SERIOUS",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        println!("{severity:8} {code}\n         {text}\n         -> {advice}");
    }
    if findings.is_empty() {
        println!("nothing to say");
    }
}
