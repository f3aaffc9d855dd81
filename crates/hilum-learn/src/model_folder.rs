//! Writing a model folder: weights, ONNX, and the card that names their hashes.

use std::io;
use std::path::{Path, PathBuf};

use hilum_infer::ModelCard;
use hilum_infer::model::{CARD_FILE, ONNX_FILE, WEIGHTS_FILE, sha256_hex};
use hilum_nn::onnx::{self, EncodeError};
use hilum_nn::{Network, Weights, WeightsError};

/// Why a model folder was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file cannot be written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The weights cannot be stored.
    #[error("weights: {0}")]
    Weights(#[from] WeightsError),
    /// The network has no ONNX model.
    #[error(transparent)]
    Onnx(#[from] EncodeError),
    /// The card cannot be stored.
    #[error("model card: {0}")]
    Card(#[from] toml::ser::Error),
}

/// Writes the three files and fills the card's hashes in; the card comes last, so that a folder with a card is whole. The same
/// weights and card give the same bytes.
pub fn write(
    folder: &Path,
    mut card: ModelCard,
    network: &Network,
    weights: &Weights,
) -> Result<ModelCard, WriteError> {
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|source| WriteError::File { path, source })
    };
    std::fs::create_dir_all(folder).map_err(|source| WriteError::File { path: folder.into(), source })?;
    let weights_bytes = weights.to_safetensors()?;
    let onnx_bytes = onnx::encode(network, weights)?;
    put(WEIGHTS_FILE, &weights_bytes)?;
    put(ONNX_FILE, &onnx_bytes)?;
    card.hashes.weights = sha256_hex(&weights_bytes);
    card.hashes.onnx = sha256_hex(&onnx_bytes);
    let text = format!("# {}\n{}", card.statement, toml::to_string(&card)?);
    put(CARD_FILE, text.as_bytes())?;
    Ok(card)
}
