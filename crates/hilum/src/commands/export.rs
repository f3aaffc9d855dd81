//! `hilum export`

use anyhow::bail;
use hilum_dicom::{StudyUid, matching::Level};
use hilum_engine::{Engine, Find, Scope, Selection, WorkControl, Zone, export::ExportSummary};

use crate::{
    cli::ExportArguments,
    commands::{block_on, upkeep::existing, with_engine},
    node::keys,
    progress,
    settings::Settings,
};

/// Studies looked up at a time.
const PAGE: usize = 1000;

pub fn run(settings: &Settings, arguments: &ExportArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let asked = keys::studies(&arguments.keys, "export")?;
    let data_dir = existing(settings)?;
    let scope = Scope::console(arguments.institution.clone());
    let find = Find {
        zone: Zone::Clinical,
        level: Level::Study,
        keys: asked.keys,
        options: asked.options,
        after: None,
        limit: PAGE,
    };
    let summary = block_on(with_engine(settings, &data_dir, async |engine| {
        let studies = studies(engine, &scope, find).await?;
        if studies.is_empty() {
            bail!("no study of institution {} matches; nothing was exported", arguments.institution.as_str());
        }
        let series = arguments.keys.series.clone().map(|series| vec![series]);
        let selection = Selection { study: Some(studies), series, ..Selection::default() };
        let control = WorkControl::new();
        let file_set = arguments.file_set_id.clone();
        let work = engine.export(&scope, Zone::Clinical, &selection, file_set, &arguments.folder, &control);
        Ok(progress::watched("exporting", &control, Box::pin(work)).await??)
    }))?;
    tell(&summary, arguments)?;
    match summary.left_out.len() {
        0 => Ok(()),
        count => bail!("{count} instances are not in the export; `hilum check` says what is damaged"),
    }
}

/// Every study that matches.
async fn studies(engine: &Engine, scope: &Scope, mut find: Find) -> anyhow::Result<Vec<StudyUid>> {
    let mut studies = Vec::new();
    loop {
        let found = engine.find(scope, &find).await?;
        for answer in &found.answers {
            studies.push(answer.values().uids()[0].parse()?);
        }
        find.after = found.next;
        if find.after.is_none() {
            return Ok(studies);
        }
    }
}

fn tell(summary: &ExportSummary, arguments: &ExportArguments) -> anyhow::Result<()> {
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(summary)?);
        return Ok(());
    }
    let ExportSummary { instances, written, there_before, bytes_written, left_out } = summary;
    println!(
        "{instances} instances in {}: {written} written ({:.1} MiB), {there_before} were there before",
        arguments.folder.display(),
        *bytes_written as f64 / (1024.0 * 1024.0)
    );
    for left in left_out {
        println!("left out {} ({}): {}", left.instance, left.code, left.text);
    }
    Ok(())
}
