//! The table of a prediction: file name, score, Normal/Abnormal (paper S1), on the terminal and as a workbook.

use std::path::Path;

use anyhow::Context;
use rust_xlsxwriter::{Format, Workbook};

use super::{Finding, Prediction};

const SCORE_NOTE: &str = "The score is the slice's highest voxel score in the searched region. It is no probability.";

fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Normal => "Normal",
        Finding::Abnormal => "Abnormal",
        Finding::NotSearched => "Not searched",
        Finding::Refused => "Refused",
    }
}

pub(super) fn print(prediction: &Prediction) {
    println!("{:<48} {:>5} {:>8}  finding", "file", "frame", "score");
    for row in &prediction.rows {
        let score = row.score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"));
        println!("{:<48} {:>5} {score:>8}  {}", row.file, row.frame, word(row.finding));
    }
    for refusal in &prediction.refused {
        println!("refused {refusal}");
    }
    if prediction.not_ct > 0 {
        println!("{} files are no CT images", prediction.not_ct);
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
    for (line, (name, text)) in (0..).zip(facts.into_iter().chain(refused)) {
        sheet.write_string_with_format(line, 0, name, &bold)?;
        sheet.write_string(line, 1, text)?;
    }
    workbook.save(out).with_context(|| format!("workbook {}", out.display()))
}
