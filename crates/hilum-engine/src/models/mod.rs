//! The model that reads: a folder the configuration names, `models/urinary-stone` beside the program or in the working folder, or the
//! one embedded in the program.

use crate::engine::EngineConfig;
use crate::views::ModelSummary;
use hilum_infer::{Model, ModelError};
use std::path::PathBuf;

/// Card, weights and ONNX file of the shipped model, if this program was built with one.
const EMBEDDED: Option<[&[u8]; 3]> = include!(concat!(env!("OUT_DIR"), "/shipped_model.rs"));

const FOLDER: &str = "models/urinary-stone";

/// Why the model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The folder is no usable model.
    #[error(transparent)]
    Model(#[from] ModelError),
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
    let Some([card, weights, onnx]) = EMBEDDED else { return Ok(None) };
    Ok(Some(Model::from_bytes(card, weights, onnx)?))
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
