//! Scores that tell how hard a kidney's stones are to remove, as a file.
//!
//! A score is a sum of items, and of each item the first row that holds gives the points. Where something is not known the rows that could hold
//! give a least and a most, and so does the sum: nothing that nobody told is taken for "no".

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::condition::{Input, Inputs, Range, When};
use super::file::FileError;

/// The scores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Version of the file.
    pub version: u32,
    /// How the values came here.
    pub values_from: String,
    /// The scores.
    #[serde(rename = "score")]
    pub scores: Vec<Score>,
}

/// One score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Name in results.
    pub id: String,
    /// As its authors call it.
    pub title: String,
    /// The article.
    pub citation: String,
    /// Where the outcomes come from, and what they are.
    pub outcome_citation: String,
    /// Its items.
    #[serde(rename = "item")]
    pub items: Vec<Item>,
    /// What became of patients, by points; no sum belongs to two.
    pub outcomes: Vec<Outcome>,
}

/// One item of a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Name in its score.
    pub id: String,
    /// Its rows: the first that holds gives the points.
    pub rows: Vec<PointsRow>,
}

/// Points for what is so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsRow {
    /// What must be so.
    pub when: When,
    /// The points.
    pub points: u32,
}

/// What became of patients with so many points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Of these points.
    pub points: Range,
    /// So many were free of stones, per cent.
    pub percent: f64,
    /// The source's own range, per cent, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
}

/// A score of a kidney's stones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = StoneScore)]
pub struct Scored {
    /// The score, by its id.
    pub score: String,
    /// Least and most points; the same where everything is known that decides.
    pub points: [u32; 2],
    /// Least and most points that the score can give at all.
    pub scale: [u32; 2],
    /// The items.
    pub items: Vec<ScoredItem>,
    /// What was known of what it asks for.
    pub used: Vec<Input>,
    /// What would narrow it down.
    pub missing: Vec<Input>,
    /// How many such patients were free of stones, per cent: least and most over the points above.
    pub stone_free_percent: Option<[f64; 2]>,
}

/// One item of a score, weighed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = StoneScoreItem)]
pub struct ScoredItem {
    /// The item, by its id.
    pub item: String,
    /// Least and most points.
    pub points: [u32; 2],
}

impl Scores {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, FileError> {
        let scores: Self = toml::from_str(text).map_err(FileError::toml)?;
        for (n, score) in scores.scores.iter().enumerate() {
            let wrong = |what| FileError::Rule { rule: score.id.clone(), what };
            if scores.scores[..n].iter().any(|other| other.id == score.id) {
                return Err(wrong("another score of the file has this name; expected one of its own"));
            }
            if score.items.is_empty() || score.items.iter().any(|item| item.rows.is_empty()) {
                return Err(wrong("an item without rows, or no item; expected `[[score.item]]` with `rows`"));
            }
            let rows = || score.items.iter().flat_map(|item| &item.rows);
            if rows().any(|row| row.when == When::default() || row.when.ranges().any(|range| range.is_pointless())) {
                return Err(wrong("a row for everybody or for nobody; expected a condition"));
            }
            for outcome in &score.outcomes {
                let ordered = outcome.range.is_none_or(|[low, high]| low <= outcome.percent && outcome.percent <= high);
                if outcome.points.is_pointless() || !(0.0..=100.0).contains(&outcome.percent) || !ordered {
                    return Err(wrong("an outcome for no points, or not between 0 and 100, or not within its range"));
                }
            }
        }
        Ok(scores)
    }
}

impl Score {
    /// Weighs what is known of a kidney's stones; nothing where an item has no row for them.
    pub fn of(&self, inputs: &Inputs) -> Option<Scored> {
        let (mut used, mut missing, mut items) = (Vec::new(), Vec::new(), Vec::new());
        for item in &self.items {
            let possible = item.possible(inputs);
            let points = bounds(possible.iter().map(|row| row.points))?;
            for row in &item.rows {
                for (input, holds) in row.when.asked(inputs) {
                    let list = match holds {
                        Some(_) => &mut used,
                        // What would not change the points any more is not asked for.
                        None if points[0] != points[1] && possible.contains(&row) => &mut missing,
                        None => continue,
                    };
                    if !list.contains(&input) {
                        list.push(input);
                    }
                }
            }
            items.push(ScoredItem { item: item.id.clone(), points });
        }
        let sum = |end: usize| items.iter().map(|item| item.points[end]).sum();
        let points = [sum(0), sum(1)];
        Some(Scored {
            score: self.id.clone(),
            points,
            scale: self.scale(),
            stone_free_percent: self.stone_free(points),
            items,
            used,
            missing,
        })
    }

    fn scale(&self) -> [u32; 2] {
        let ends = self.items.iter().filter_map(|item| bounds(item.rows.iter().map(|row| row.points)));
        ends.fold([0, 0], |[low, high], [least, most]| [low + least, high + most])
    }

    fn stone_free(&self, [least, most]: [u32; 2]) -> Option<[f64; 2]> {
        let told = |points: u32| self.outcomes.iter().find(|outcome| outcome.points.holds(f64::from(points)));
        let mut ends: Option<[f64; 2]> = None;
        for points in least..=most {
            // A part of them would be told too well.
            let outcome = told(points)?;
            let [low, high] = outcome.range.unwrap_or([outcome.percent; 2]);
            ends = Some(ends.map_or([low, high], |[least, most]| [least.min(low), most.max(high)]));
        }
        ends
    }
}

impl Item {
    /// The rows that may give the points: up to the first that is known to hold, without those that are known not to.
    fn possible(&self, inputs: &Inputs) -> Vec<&PointsRow> {
        let mut possible = Vec::new();
        for row in &self.rows {
            let asked = row.when.asked(inputs);
            if asked.iter().any(|(_, holds)| *holds == Some(false)) {
                continue;
            }
            possible.push(row);
            if asked.iter().all(|(_, holds)| *holds == Some(true)) {
                break;
            }
        }
        possible
    }
}

fn bounds(points: impl Iterator<Item = u32>) -> Option<[u32; 2]> {
    points.fold(None, |ends, points| {
        Some(ends.map_or([points; 2], |[low, high]: [u32; 2]| [low.min(points), high.max(points)]))
    })
}
