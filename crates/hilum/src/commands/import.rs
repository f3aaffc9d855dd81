//! `hilum import`

use anyhow::bail;
use hilum_engine::{ImportSummary, Scope, WorkControl, Zone};

use crate::{
    cli::ImportArguments,
    commands::{DATA, block_on, with_engine},
    failure::WrongCall,
    progress,
    settings::Settings,
};

pub fn run(settings: &Settings, arguments: &ImportArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    if arguments.zone == Zone::Research {
        let message = "--zone research: the research zone needs de-identification, which this version does not have yet; \
                       keep the data in the clinical zone";
        return Err(WrongCall(message.to_owned()).into());
    }
    for path in &arguments.paths {
        if !path.exists() {
            return Err(WrongCall(format!("{} does not exist", path.display())).into());
        }
    }
    let data_dir = settings.data_dir(DATA);
    let scope = Scope::console(arguments.institution.clone());
    let summary = block_on(with_engine(settings, &data_dir, async |engine| {
        let control = WorkControl::new();
        let work = engine.import(&scope, &arguments.paths, arguments.zone, &control);
        let summary = progress::watched("importing", &control, Box::pin(work)).await?;
        Ok(summary?)
    }))?;
    tell(&summary, arguments.json)?;
    if summary.cancelled {
        bail!("stopped before the end; what is listed above is kept, and importing again goes on");
    }
    if !summary.refused.is_empty() {
        bail!("{} DICOM files were refused", summary.refused.len());
    }
    if summary.kept + summary.already_there + summary.quarantined == 0 {
        bail!("no DICOM object found in {} files", summary.files);
    }
    Ok(())
}

fn tell(summary: &ImportSummary, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(summary)?);
        return Ok(());
    }
    let ImportSummary { files, kept, already_there, quarantined, not_dicom, bytes_kept, refused, .. } = summary;
    let mib = *bytes_kept as f64 / (1024.0 * 1024.0);
    println!(
        "{files} files: {kept} kept ({mib:.1} MiB), {already_there} were there before, {not_dicom} are no DICOM objects"
    );
    if *quarantined > 0 {
        println!("{quarantined} in quarantine: another data set has their SOP Instance UID");
    }
    for file in refused {
        println!("refused {} ({}): {}", file.path, file.code, file.text);
    }
    for study in &summary.studies {
        println!("study {study}");
    }
    Ok(())
}
