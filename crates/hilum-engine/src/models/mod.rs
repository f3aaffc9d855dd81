//! The model that reads: a folder the configuration names, `models/urinary-stone` beside the program or in the working folder, or the
//! one embedded in the program.

use crate::engine::EngineConfig;
use crate::views::ModelSummary;
use hilum_infer::{Model, ModelError};
use std::fs;
use std::path::PathBuf;

/// File name and bytes of the shipped model, if this program was built with one.
type Embedded = Option<&'static [(&'static str, &'static [u8])]>;

const EMBEDDED: Embedded = include!(concat!(env!("OUT_DIR"), "/shipped_model.rs"));

const FOLDER: &str = "models/urinary-stone";

/// Why the model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The folder is no usable model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The embedded model could not be unpacked into the data folder.
    #[error("the embedded model could not be unpacked into the data folder: {0}")]
    Unpack(#[from] std::io::Error),
}

/// Opens the model that reads; `None` when there is none.
pub(crate) fn find(config: &EngineConfig) -> Result<Option<Model>, InstallError> {
    if let Some(folder) = &config.model_dir {
        return Ok(Some(Model::open(folder)?));
    }
    if !config.shipped_model {
        return Ok(None);
    }
    let beside_program = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(FOLDER)));
    let candidates = beside_program.into_iter().chain([PathBuf::from(FOLDER)]);
    if let Some(folder) = candidates.into_iter().find(|folder| folder.join("model.toml").is_file()) {
        return Ok(Some(Model::open(folder)?));
    }
    let Some(files) = EMBEDDED else { return Ok(None) };
    let unpacked = tempfile::tempdir_in(&config.data_dir)?;
    for (name, bytes) in files {
        fs::write(unpacked.path().join(name), bytes)?;
    }
    Ok(Some(Model::open(unpacked.path())?))
}

/// A model as the interface shows it.
pub(crate) fn summary(model: &Model) -> ModelSummary {
    let card = &model.card;
    ModelSummary {
        name: card.name.clone(),
        task: "urinary-stone".to_owned(),
        synthetic_trained: card.synthetic_trained,
        first_line: card.statement.clone(),
        hash: model.hash.clone(),
        trained_at: card.trained_at.clone(),
    }
}
