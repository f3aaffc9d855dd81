//! A model folder: `model.toml`, `weights.safetensors`, `model.onnx`.

use std::path::{Path, PathBuf};

use hilum_imaging::RecipeError;
use hilum_nn::{Network, NetworkError, Weights, WeightsError, unet2d};
use sha2::{Digest, Sha256};

use crate::card::{Architecture, ModelCard};

/// The card.
pub const CARD_FILE: &str = "model.toml";
/// The weights that our engine runs.
pub const WEIGHTS_FILE: &str = "weights.safetensors";
/// The same network for other engines.
pub const ONNX_FILE: &str = "model.onnx";

/// A verified model, ready to be compiled for an input shape.
#[derive(Clone, Debug)]
pub struct Model {
    /// The card.
    pub card: ModelCard,
    /// The network described by the card.
    pub network: Network,
    /// Its weights.
    pub weights: Weights,
    /// SHA-256 of `model.toml`, which holds the hashes of the other files: the identity of the model.
    pub hash: String,
}

/// Why a folder is no usable model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("model file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The card is not what this version expects.
    #[error("{path} is no model card: {reason}")]
    Card {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A number of the card cannot be used.
    #[error("model card: {field} is {value}; expected {expected}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A file is not the one that the card names.
    #[error(
        "{file} has SHA-256 {found}, but the card says {expected}: the file was changed or damaged; copy the model folder again"
    )]
    Hash {
        /// File name.
        file: &'static str,
        /// Hash of the file.
        found: String,
        /// Hash in the card.
        expected: String,
    },
    /// The preprocessing recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The network cannot be built.
    #[error("network of the model card: {0}")]
    Network(#[from] NetworkError),
    /// The weights do not belong to the network.
    #[error("weights of the model: {0}")]
    Weights(#[from] WeightsError),
}

impl Model {
    /// Reads and verifies a model folder.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ModelError> {
        let read = |name: &str| {
            let path = folder.as_ref().join(name);
            std::fs::read(&path).map_err(|source| ModelError::Read { path, source })
        };
        let card_bytes = read(CARD_FILE)?;
        let card = parse_card(&folder.as_ref().join(CARD_FILE), &card_bytes)?;
        Self::verified(card, &card_bytes, &read(WEIGHTS_FILE)?, &read(ONNX_FILE)?)
    }

    /// Verifies the three files of a model folder given as bytes, such as the model embedded in a program.
    pub fn from_bytes(card: &[u8], weights: &[u8], onnx: &[u8]) -> Result<Self, ModelError> {
        Self::verified(parse_card(Path::new(CARD_FILE), card)?, card, weights, onnx)
    }

    fn verified(card: ModelCard, card_bytes: &[u8], weights_bytes: &[u8], onnx: &[u8]) -> Result<Self, ModelError> {
        verify(WEIGHTS_FILE, weights_bytes, &card.hashes.weights)?;
        verify(ONNX_FILE, onnx, &card.hashes.onnx)?;
        let network = card.network.build()?;
        let weights = Weights::from_safetensors(&network, weights_bytes)?;
        Self::new(card, network, weights, sha256_hex(card_bytes))
    }

    /// A model from its parts, with everything the card says checked against them.
    pub fn new(card: ModelCard, network: Network, weights: Weights, hash: String) -> Result<Self, ModelError> {
        card.preprocessing.validate()?;
        let refuse = |field, value: String, expected| Err(ModelError::Field { field, value, expected });
        for (field, value) in [("threshold", card.threshold), ("mask_threshold", card.mask_threshold)] {
            if !(value > 0.0 && value <= 1.0) {
                return refuse(field, value.to_string(), "a score above 0 and up to 1");
            }
        }
        if card.preprocessing.channels() != network.in_channels() {
            let value = card.preprocessing.channels().to_string();
            return refuse("preprocessing.context_slices", value, "as many channels as the network takes");
        }
        if card.classes.len() != network.out_channels() || network.out_channels() != 1 {
            return refuse("classes", format!("{:?}", card.classes), "one class for the network's one output channel");
        }
        if !card.preprocessing.multiple_of.is_multiple_of(network.multiple_of()) {
            let value = card.preprocessing.multiple_of.to_string();
            return refuse("preprocessing.multiple_of", value, "a multiple of what the network's poolings need");
        }
        Ok(Self { card, network, weights, hash })
    }
}

impl Architecture {
    /// The network.
    pub fn build(self) -> Result<Network, NetworkError> {
        match self {
            Self::Unet2d(config) => unet2d(config),
        }
    }
}

fn parse_card(path: &Path, bytes: &[u8]) -> Result<ModelCard, ModelError> {
    let error = |reason: String| ModelError::Card { path: path.to_path_buf(), reason };
    let text = std::str::from_utf8(bytes).map_err(|e| error(e.to_string()))?;
    toml::from_str(text).map_err(|e| error(e.to_string()))
}

fn verify(file: &'static str, bytes: &[u8], expected: &str) -> Result<(), ModelError> {
    let found = sha256_hex(bytes);
    if found == expected { Ok(()) } else { Err(ModelError::Hash { file, found, expected: expected.to_owned() }) }
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String cannot fail.
        write!(text, "{byte:02x}").expect("a String takes all text");
        text
    })
}
