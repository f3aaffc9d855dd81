//! Answers as a table on standard output; Hangul and Hanja take two columns each.

use std::io::Write;

use hilum_dicom::{DataSet, json};
use unicode_width::UnicodeWidthStr;

use super::keys::{Columns, cell};

/// No column is wider, the last one excepted.
const WIDEST: usize = 40;

/// Prints headings and a line for each answer; with `as_json`, a list of DICOM JSON data sets instead.
pub fn print(found: &[DataSet], columns: Columns, as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let texts = found.iter().map(|found| {
            let mut text = String::new();
            json::write_data_set(found, &mut text);
            text
        });
        let list = format!("[{}]", texts.collect::<Vec<_>>().join(","));
        let list: serde_json::Value = serde_json::from_str(&list)?;
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(());
    }
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let mut rows: Vec<Vec<String>> = vec![headings];
    rows.extend(found.iter().map(|found| columns.iter().map(|(_, tag)| plain(&cell(found, *tag))).collect()));
    for line in lines(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Columns aligned by their width on a terminal.
pub fn lines(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0).min(WIDEST);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(index, (text, width))| {
                let pad = if index + 1 < columns { width.saturating_sub(text.width()) } else { 0 };
                format!("{text}{:pad$}", "")
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

/// A peer's text must not steer the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangul_is_aligned_and_control_characters_are_not_printed() {
        let rows = [["name", "id"], ["홍길동", "1"], ["Hong", "2"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(lines(&rows), ["name    id", "홍길동  1", "Hong    2"]);
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a [31mb c");
    }
}
