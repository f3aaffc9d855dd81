//! `hilum predict`: files in, one line a slice out (paper S1); nothing is kept.

mod stack;
mod table;

use std::{io::IsTerminal, ops::ControlFlow};

use anyhow::bail;
use hilum_clinical::urinary_stone::Stone;
use hilum_engine::measured_stones;
use hilum_infer::{Model, ModelCard, read_stack_until};
use serde::Serialize;

use crate::{
    cli::{PredictArguments, PredictMode},
    commands::predict::stack::{Stack, stacks_of},
    failure::WrongCall,
    progress,
};

/// What the table says about one slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Finding {
    Normal,
    Abnormal,
    /// Outside the region where a stone can lie, so nothing was looked for.
    NotSearched,
    /// The geometry of its series was refused.
    Refused,
}

/// One slice.
#[derive(Debug, Serialize)]
struct Row {
    file: String,
    /// Frame in the file, from 1.
    frame: u32,
    /// Highest voxel score: a score, not a probability.
    score: Option<f32>,
    finding: Finding,
}

/// One stone of a series.
#[derive(Debug, Serialize)]
struct FoundStone {
    /// The series' first file.
    file: String,
    #[serde(flatten)]
    stone: Stone,
}

/// Everything that was read.
#[derive(Debug, Serialize)]
struct Prediction {
    model: String,
    model_hash: String,
    /// The card's first line.
    statement: String,
    threshold: f32,
    rows: Vec<Row>,
    /// The stones of each series, largest first. None are measured in a slice that came alone.
    stones: Vec<FoundStone>,
    /// Why a series was refused, one sentence each.
    refused: Vec<String>,
    /// Slices that came alone, without the neighbours that the network looks at too.
    lone_slices: usize,
    /// Slices that were not read because one before them was positive (`--mode first`).
    not_read: usize,
    /// Files that are no CT images.
    not_ct: usize,
}

pub fn run(arguments: &PredictArguments) -> anyhow::Result<()> {
    for input in &arguments.inputs {
        if !input.exists() {
            return Err(WrongCall(format!("{} does not exist", input.display())).into());
        }
    }
    let model = Model::open(&arguments.model)?;
    let (stacks, not_ct) = stacks_of(&arguments.inputs)?;
    let mut prediction = Prediction {
        model: model.card.name.clone(),
        model_hash: model.hash.clone(),
        statement: model.card.statement.clone(),
        threshold: model.card.threshold,
        rows: Vec::new(),
        stones: Vec::new(),
        refused: Vec::new(),
        lone_slices: 0,
        not_read: 0,
        not_ct,
    };
    for stack in &stacks {
        read(&model, stack, arguments.mode, &mut prediction)?;
    }
    if prediction.rows.is_empty() {
        bail!("no CT slice found in the input");
    }
    if let Some(out) = &arguments.out {
        table::write_xlsx(out, &prediction)?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&prediction)?);
    } else if arguments.out.is_none() || std::io::stdout().is_terminal() {
        table::print(&prediction);
    }
    if prediction.rows.iter().all(|row| row.finding == Finding::Refused) {
        bail!("nothing could be read: {}", prediction.refused.join("; "));
    }
    Ok(())
}

fn read(model: &Model, stack: &Stack, mode: PredictMode, prediction: &mut Prediction) -> anyhow::Result<()> {
    let row = |index: usize, score, finding| {
        let (file, frame) = stack.source(index);
        Row { file: file.display().to_string(), frame: frame + 1, score, finding }
    };
    let Some(shape) = stack.shape() else {
        prediction.refused.push(format!("{}: {}", stack.name(), stack.refusal()));
        prediction.rows.extend((0..stack.len()).map(|index| row(index, None, Finding::Refused)));
        return Ok(());
    };
    let bar = progress::bar("reading");
    progress::set_total(&bar, 100);
    let mut source = stack.open();
    let enough = (mode == PredictMode::First).then_some(model.card.threshold);
    let reading = read_stack_until(model, &shape, enough, |index| source.slice(index), &mut |done| {
        bar.set_position((done * 100.0) as u64);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    let findings: Vec<Finding> = reading.slice_scores.iter().map(|score| finding(*score, &model.card)).collect();
    let ended = mode == PredictMode::First && findings.contains(&Finding::Abnormal);
    // A candidate is whole only with the slice after its first: the reading ended with the last slice that has a score.
    let read =
        reading.slice_scores.iter().rposition(Option::is_some).filter(|_| ended).map_or(stack.len(), |last| last + 1);
    prediction.not_read += stack.len() - read;
    for (index, finding) in findings.into_iter().enumerate().take(read) {
        prediction.rows.push(row(index, reading.slice_scores[index], finding));
    }
    if stack.is_lone_slice() {
        prediction.lone_slices += 1;
        return Ok(());
    }
    let spread = stack.spread(&shape.geometry);
    let found = measured_stones(reading, &shape, spread, |index| source.slice(index))?.stones.into_iter();
    prediction.stones.extend(found.map(|found| FoundStone { file: stack.name(), stone: found.stone }));
    Ok(())
}

fn finding(score: Option<f32>, card: &ModelCard) -> Finding {
    match score {
        None => Finding::NotSearched,
        Some(score) if score >= card.threshold => Finding::Abnormal,
        Some(_) => Finding::Normal,
    }
}
