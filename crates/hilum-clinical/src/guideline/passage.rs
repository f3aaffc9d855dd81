//! How often stones passed by themselves, by several sources that disagree.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::condition::{Inputs, Place, Range, When};
use super::file::FileError;

/// The sources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    /// Version of the file.
    pub version: u32,
    /// How the values came here.
    pub values_from: String,
    /// The sources.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name in results.
    pub id: String,
    /// The article.
    pub citation: String,
    /// Its rows; no stone belongs to two.
    pub rows: Vec<Row>,
}

/// Stones of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// By place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// By largest diameter, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diameter_mm: Option<Range>,
    /// By width, mm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width_mm: Option<Range>,
    /// So many passed, per cent.
    pub percent: f64,
    /// 95 % confidence interval, per cent, where the source has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
}

/// What one source says of a stone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChanceOfPassing)]
pub struct Chance {
    /// The source, by its id.
    pub source: String,
    /// So many such stones passed, per cent.
    pub percent: f64,
    /// 95 % confidence interval, per cent, where the source has one.
    pub range: Option<[f64; 2]>,
}

impl Passage {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, FileError> {
        let passage: Self = toml::from_str(text).map_err(FileError::toml)?;
        for source in &passage.sources {
            let wrong = |what| FileError::Rule { rule: source.id.clone(), what };
            for row in &source.rows {
                let per_cent = 0.0..=100.0;
                let ordered = row.range.is_none_or(|[low, high]| low <= row.percent && row.percent <= high);
                if !per_cent.contains(&row.percent) || !ordered {
                    return Err(wrong("percent is not between 0 and 100, or not within its range"));
                }
                if row.when() == When::default() || row.when().ranges().any(|range| range.is_pointless()) {
                    return Err(wrong(
                        "a row for no stone, or for all of them; expected place, diameter_mm or width_mm",
                    ));
                }
            }
        }
        Ok(passage)
    }

    /// What each source says of a stone of the ureter; nothing of others, whose course the sources do not tell.
    pub fn chances(&self, inputs: &Inputs) -> Vec<Chance> {
        let in_ureter = inputs.place.and_then(|site| Place::Ureter.holds(site)) == Some(true);
        let sources = self.sources.iter().filter(|_| in_ureter);
        sources
            .filter_map(|source| {
                let row = source
                    .rows
                    .iter()
                    .find(|row| row.when().asked(inputs).iter().all(|(_, holds)| *holds == Some(true)))?;
                Some(Chance { source: source.id.clone(), percent: row.percent, range: row.range })
            })
            .collect()
    }
}

impl Row {
    /// As a rule would ask for such stones.
    pub fn when(&self) -> When {
        When { place: self.place, diameter_mm: self.diameter_mm, width_mm: self.width_mm, ..When::default() }
    }
}
