//! All rules that are weighed together: those that come with Hilum, or those of a site.

use serde::Serialize;

use super::file::{FileError, Guideline};
use super::passage::Passage;
use super::score::Scores;

/// Guidelines side by side, and the chances of passing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rules {
    /// The guidelines.
    pub guidelines: Vec<Guideline>,
    /// The chances of passing.
    pub passage: Passage,
    /// Scores of a kidney's stones; a site's own rules may have none.
    pub scores: Scores,
}

/// Why files make no rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file that is not one of rules.
    #[error("{file}: {error}")]
    File {
        /// Its name.
        file: String,
        /// What is wrong with it.
        error: FileError,
    },
    /// Two files say that they are the same guideline.
    #[error("{file}: another file has the id {id:?}; expected one file for each")]
    Twice {
        /// The second of the files.
        file: String,
        /// The id.
        id: String,
    },
    /// There is none.
    #[error("expected {PASSAGE} and at least one other file of rules, <name>.toml")]
    Missing,
}

/// Name of the file with the chances of passing.
const PASSAGE: &str = "passage.toml";

/// Name of the file with the scores; every other file is a guideline.
const SCORES: &str = "nephrolithometry.toml";

const SHIPPED: [(&str, &str); 5] = [
    ("aua-endourology-2016.toml", include_str!("../../rules/aua-endourology-2016.toml")),
    ("eau-2020.toml", include_str!("../../rules/eau-2020.toml")),
    ("studies.toml", include_str!("../../rules/studies.toml")),
    (PASSAGE, include_str!("../../rules/passage.toml")),
    (SCORES, include_str!("../../rules/nephrolithometry.toml")),
];

impl Rules {
    /// The rules that come with Hilum.
    ///
    /// # Errors
    /// None, unless a file of the source does not keep the rules of [`Self::read`]; a test holds them to it.
    pub fn shipped() -> Result<Self, RulesError> {
        Self::read(SHIPPED)
    }

    /// Reads files, each `(name, text)`: `passage.toml`, `nephrolithometry.toml` where there is one, and one for each guideline, in whose
    /// order they are shown.
    ///
    /// # Errors
    /// The file, and what is wrong with it.
    pub fn read<Name: AsRef<str>, Text: AsRef<str>>(
        files: impl IntoIterator<Item = (Name, Text)>,
    ) -> Result<Self, RulesError> {
        let (mut guidelines, mut passage, mut scores) = (Vec::<Guideline>::new(), None, Scores::default());
        for (name, text) in files {
            let file = || name.as_ref().to_owned();
            let wrong = |error| RulesError::File { file: file(), error };
            if name.as_ref() == PASSAGE {
                passage = Some(Passage::read(text.as_ref()).map_err(wrong)?);
                continue;
            }
            if name.as_ref() == SCORES {
                scores = Scores::read(text.as_ref()).map_err(wrong)?;
                continue;
            }
            let guideline = Guideline::read(text.as_ref()).map_err(wrong)?;
            if guidelines.iter().any(|other| other.id == guideline.id) {
                return Err(RulesError::Twice { file: file(), id: guideline.id });
            }
            guidelines.push(guideline);
        }
        match passage {
            Some(passage) if !guidelines.is_empty() => Ok(Self { guidelines, passage, scores }),
            _ => Err(RulesError::Missing),
        }
    }
}
