//! `hilum worklist-import`

use std::path::Path;

use anyhow::{Context, anyhow};
use hilum_dicom::{DataSet, Instance};
use hilum_engine::{Scope, worklist::Order};

use crate::{
    cli::WorklistImportArguments,
    commands::{DATA, block_on, with_engine},
    failure::WrongCall,
    settings::Settings,
};

pub fn run(settings: &Settings, arguments: &WorklistImportArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let mut orders = Vec::new();
    for path in &arguments.files {
        // Nothing is kept of a call with a wrong file in it.
        let read = read(path).map_err(|error| WrongCall(format!("{}: {error:#}", path.display())))?;
        orders.extend(read);
    }
    let data_dir = settings.data_dir(DATA);
    let scope = Scope::console(arguments.institution.clone());
    let summary = block_on(with_engine(settings, &data_dir, async |engine| {
        Ok(engine.import_worklist(&scope, orders, arguments.replace).await?)
    }))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        let (new, changed, unchanged) = (summary.new, summary.changed, summary.unchanged);
        println!("{new} new orders, {changed} changed, {unchanged} as before, {} removed", summary.removed);
    }
    Ok(())
}

/// The orders of a file: DICOM JSON, or a DICOM worklist file.
fn read(path: &Path) -> anyhow::Result<Vec<Order>> {
    let bytes = std::fs::read(path).context("cannot be read")?;
    let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| matches!(byte, b'[' | b'{'));
    let data_sets = if is_json { from_json(&bytes)? } else { vec![from_dicom(&bytes)?] };
    let many = data_sets.len() > 1;
    let orders = data_sets.into_iter().zip(1..).map(|(data_set, number)| {
        Order::try_from(data_set).map_err(|error| if many { anyhow!("order {number}: {error}") } else { error.into() })
    });
    orders.collect()
}

fn from_json(bytes: &[u8]) -> anyhow::Result<Vec<DataSet>> {
    let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| {
        anyhow!(
            "is no JSON: expected a DICOM JSON data set or a list of them (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let data_sets = match &json {
        serde_json::Value::Array(list) => list.iter().map(DataSet::from_json).collect::<Result<Vec<_>, _>>(),
        one => DataSet::from_json(one).map(|data_set| vec![data_set]),
    };
    Ok(data_sets?)
}

fn from_dicom(bytes: &[u8]) -> anyhow::Result<DataSet> {
    let instance = Instance::parse(bytes).context("is neither DICOM JSON nor a DICOM worklist file")?;
    Ok(DataSet::from_instance(&instance)?)
}
