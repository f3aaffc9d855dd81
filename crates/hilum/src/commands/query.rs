//! `hilum query` and `hilum worklist`

use hilum_dicom::AeTitle;
use hilum_dimse::{Question, Scu};

use crate::{
    cli::{QueryArguments, WorklistArguments},
    commands::block_on,
    node::{
        advice::explain,
        ask,
        keys::{self, Columns},
        table,
    },
    settings::Settings,
};

pub fn query(settings: &Settings, arguments: &QueryArguments) -> anyhow::Result<()> {
    let (question, columns) = keys::question(arguments.level, &arguments.keys, arguments.fuzzy)?;
    list(settings, &arguments.peer, &question, columns, arguments.limit, arguments.json)
}

pub fn worklist(settings: &Settings, arguments: &WorklistArguments) -> anyhow::Result<()> {
    let question = keys::worklist(arguments)?;
    list(settings, &arguments.peer, &question, keys::WORKLIST, arguments.limit, arguments.json)
}

fn list(
    settings: &Settings,
    title: &AeTitle,
    question: &Question,
    columns: Columns,
    limit: u32,
    json: bool,
) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let peer = &settings.peer(title)?.peer;
    let scu = Scu::new(settings.calling()?);
    let asked = ask::matches(&scu, peer, question, limit as usize);
    let (found, more) = block_on(async { asked.await.map_err(|error| explain(&error, peer, settings)) })?;
    table::print(&found, columns, json)?;
    if more {
        eprintln!("hilum: there are more than {limit} matches; narrow the keys, or raise --limit");
    }
    Ok(())
}
