//! `hilum model`

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hilum_infer::Model;
use serde::Serialize;

use crate::{
    cli::{ModelListArguments, ModelVerifyArguments},
    settings::Settings,
};

/// One line of the list.
#[derive(Serialize)]
struct Row {
    folder: PathBuf,
    name: String,
    statement: String,
    synthetic_trained: bool,
    trained_at: String,
    hash: String,
}

pub fn list(settings: &Settings, arguments: &ModelListArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let mut rows = Vec::new();
    for folder in model_folders(&arguments.models)? {
        let Model { card, hash, .. } =
            Model::open(&folder).with_context(|| format!("model folder {}", folder.display()))?;
        rows.push(Row {
            folder,
            name: card.name,
            statement: card.statement,
            synthetic_trained: card.synthetic_trained,
            trained_at: card.trained_at,
            hash,
        });
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        for row in &rows {
            println!("{}  {}  trained {}", row.name, row.hash.get(..12).unwrap_or(&row.hash), row.trained_at);
            println!("    {}", row.statement);
            println!("    {}", row.folder.display());
        }
    }
    Ok(())
}

/// The folders below `models` that hold a card, in order of name.
fn model_folders(models: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(models).with_context(|| format!("folder of models {}", models.display()))?;
    let mut folders = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        if folder.join("model.toml").is_file() {
            folders.push(folder);
        }
    }
    folders.sort();
    Ok(folders)
}

pub fn verify(arguments: &ModelVerifyArguments) -> anyhow::Result<()> {
    let mut wrong = 0;
    for folder in &arguments.models {
        match Model::open(folder) {
            Ok(model) => println!("{}: whole, {}", folder.display(), model.hash),
            Err(error) => {
                println!("{}: {error}", folder.display());
                wrong += 1;
            }
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {} model folders are not whole", arguments.models.len());
    }
    Ok(())
}
