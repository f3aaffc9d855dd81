//! The table of a prediction: file name, score, Normal/Abnormal (paper S1), on the terminal and as a workbook.

use std::path::Path;

use anyhow::Context;
use hilum_clinical::message::score_text;
use rust_xlsxwriter::{Format, Workbook};

use super::{Finding, FoundStone, Prediction};

const SCORE_NOTE: &str = "The score is the slice's highest voxel score in the searched region, without what was rejected as bone, plaque or speck. It is no probability.";

fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Normal => "Normal",
        Finding::Abnormal => "Abnormal",
        Finding::NotSearched => "Not searched",
        Finding::Refused => "Refused",
    }
}

/// One stone in words: where (patient mm, LPS+), how large, how dense.
fn sentence(FoundStone { file, stone }: &FoundStone) -> String {
    let place = stone.centre_mm.map_or_else(String::new, |[x, y, z]| format!(" at {x:.0}, {y:.0}, {z:.0} mm"));
    let size = match (stone.largest_diameter_mm, stone.volume_mm3) {
        (Some(diameter), Some(volume)) => format!(", {diameter:.1} mm, {volume:.0} mm³"),
        _ => String::new(),
    };
    format!(
        "stone {} of {file}: {} {}{place}, slices {} to {}{size}, {:.0} HU on average, score {}",
        stone.number,
        in_words(&stone.side),
        in_words(&stone.part),
        stone.slices.first + 1,
        stone.slices.last + 1,
        stone.hu.mean,
        score_text(stone.score, 3)
    )
}

/// The name that the JSON gives a side or a part.
fn in_words(kind: &impl serde::Serialize) -> String {
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What a reader must know about how the slices were read.
fn notes(prediction: &Prediction) -> Vec<String> {
    let mut notes = Vec::new();
    if prediction.lone_slices > 0 {
        notes.push(format!(
            "{} slices came alone: the network saw the slice itself in place of its neighbours, and all of the trunk was searched. Their scores are less certain.",
            prediction.lone_slices
        ));
    }
    if prediction.not_read > 0 {
        notes.push(format!("{} slices were not read: a slice before them was positive.", prediction.not_read));
    }
    notes
}

pub(super) fn print(prediction: &Prediction) {
    println!("{:<48} {:>5} {:>8}  finding", "file", "frame", "score");
    for row in &prediction.rows {
        let score = row.score.map_or_else(|| "-".to_owned(), |score| score_text(score, 4));
        println!("{:<48} {:>5} {score:>8}  {}", row.file, row.frame, word(row.finding));
    }
    for found in &prediction.stones {
        println!("{}", sentence(found));
    }
    for refusal in &prediction.refused {
        println!("refused {refusal}");
    }
    if prediction.not_ct > 0 {
        println!("{} files are no CT images", prediction.not_ct);
    }
    for note in notes(prediction) {
        println!("{note}");
    }
    println!("model {} {}: {}", prediction.model, prediction.model_hash, prediction.statement);
    println!("Abnormal from {}. {SCORE_NOTE}", prediction.threshold);
}

/// Every text is written as a string, so a file name that begins with `=` stays a name.
pub(super) fn write_xlsx(out: &Path, prediction: &Prediction) -> anyhow::Result<()> {
    let mut workbook = Workbook::new();
    let bold = Format::new().set_bold();
    let sheet = workbook.add_worksheet().set_name("Slices")?;
    for (column, title) in (0..).zip(["File name", "Score", "Finding", "Frame"]) {
        sheet.write_string_with_format(0, column, title, &bold)?;
    }
    sheet.set_column_width(0, 60)?.set_freeze_panes(1, 0)?;
    let four = Format::new().set_num_format("0.0000");
    for (line, row) in (1..).zip(&prediction.rows) {
        sheet.write_string(line, 0, &row.file)?;
        if let Some(score) = row.score {
            sheet.write_number_with_format(line, 1, f64::from(score), &four)?;
        }
        sheet.write_string(line, 2, word(row.finding))?;
        sheet.write_number(line, 3, row.frame)?;
    }
    stones_sheet(&mut workbook, prediction, &bold)?;
    let sheet = workbook.add_worksheet().set_name("About")?;
    sheet.set_column_width(0, 20)?.set_column_width(1, 100)?;
    let facts = [
        ("Model", prediction.model.as_str()),
        ("Model hash", prediction.model_hash.as_str()),
        ("Statement", prediction.statement.as_str()),
        ("Score", SCORE_NOTE),
        ("Software", concat!("Hilum ", env!("CARGO_PKG_VERSION"))),
    ];
    let refused = prediction.refused.iter().map(|sentence| ("Refused", sentence.as_str()));
    let notes = notes(prediction);
    let notes = notes.iter().map(|note| ("Note", note.as_str()));
    for (line, (name, text)) in (0..).zip(facts.into_iter().chain(refused).chain(notes)) {
        sheet.write_string_with_format(line, 0, name, &bold)?;
        sheet.write_string(line, 1, text)?;
    }
    workbook.save(out).with_context(|| format!("workbook {}", out.display()))
}

fn stones_sheet(workbook: &mut Workbook, prediction: &Prediction, bold: &Format) -> anyhow::Result<()> {
    let sheet = workbook.add_worksheet().set_name("Stones")?;
    let titles = [
        "Series (first file)",
        "Number",
        "Side",
        "Part",
        "First slice",
        "Last slice",
        "Diameter (mm)",
        "Volume (mm³)",
        "Mean HU",
        "Max HU",
        "Score",
        "x (mm)",
        "y (mm)",
        "z (mm)",
    ];
    for (column, title) in (0..).zip(titles) {
        sheet.write_string_with_format(0, column, title, bold)?;
    }
    sheet.set_column_width(0, 60)?.set_freeze_panes(1, 0)?;
    for (line, FoundStone { file, stone }) in (1..).zip(&prediction.stones) {
        sheet.write_string(line, 0, file)?;
        sheet.write_number(line, 1, stone.number)?;
        sheet.write_string(line, 2, in_words(&stone.side))?;
        sheet.write_string(line, 3, in_words(&stone.part))?;
        let centre = stone.centre_mm.map_or([None; 3], |c| c.map(Some));
        let numbers = [
            Some(f64::from(stone.slices.first + 1)),
            Some(f64::from(stone.slices.last + 1)),
            stone.largest_diameter_mm,
            stone.volume_mm3,
            Some(stone.hu.mean),
            Some(f64::from(stone.hu.max)),
            Some(f64::from(stone.score)),
        ];
        for (column, value) in (4..).zip(numbers.into_iter().chain(centre)) {
            if let Some(value) = value {
                sheet.write_number(line, column, value)?;
            }
        }
    }
    Ok(())
}
