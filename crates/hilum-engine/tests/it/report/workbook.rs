use std::process::Command;

use hilum_engine::report::{build, csv, xlsx};

use super::{fixture, skipped};

/// Every sheet as openpyxl reads it: `{sheet: [[value, type], ...] rows}`.
fn read_back(bytes: &[u8]) -> Option<serde_json::Value> {
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else {
        return skipped("HILUM_ORACLE_PYTHON names no Python with openpyxl");
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("report.xlsx");
    std::fs::write(&file, bytes).expect("a file");
    let program = "import json, sys, openpyxl\n\
        book = openpyxl.load_workbook(sys.argv[1])\n\
        print(json.dumps({s.title: [[[c.value, c.data_type] for c in r] for r in s.iter_rows()] for s in book}))";
    let output = Command::new(python).args(["-c", program]).arg(&file).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn openpyxl_reads_the_slices_the_stones_and_the_model() {
    let stones = fixture::stones(3);
    let report = fixture::report(&stones);
    let Some(book) = read_back(&xlsx(&report).expect("a workbook")) else { return };
    let sheets: Vec<&String> = book.as_object().expect("sheets").keys().collect();
    assert_eq!(sheets, ["About", "Guideline options", "Slices", "Stones"]);
    let options = book["Guideline options"].as_array().expect("rows");
    let told = report.options.stones.iter().map(|stone| stone.rules.len() + stone.passage.len()).sum::<usize>();
    let scores = report.options.kidneys.iter().map(|kidney| kidney.scores.len()).sum::<usize>();
    assert_eq!(options.len(), 1 + told + scores);
    let row = options.iter().find(|row| row[1][0] == "guys-stone-score").expect("a kidney with stones");
    assert!(row[3][0].as_str().expect("a score").contains(" points (1–4)"), "{row}");
    let row = options.iter().find(|row| row[1][0] == "eau-2020 kidney-10-to-20-mm").expect("a stone of 10 to 20 mm");
    assert!(row[3][0].as_str().expect("options").starts_with("shock wave lithotripsy (SWL) or ureteroscopy (URS)"));
    assert_eq!(row[5][0], "site", "it is not known whether the stone lies in the lower pole");
    assert!(row[6][0].as_str().expect("a source").contains("EAU Guidelines on Urolithiasis"));
    let slices = book["Slices"].as_array().expect("rows");
    assert_eq!(slices.len(), 1 + fixture::SLICES as usize);
    assert_eq!(slices[0][1][0], "Score");
    assert_eq!(slices[9][0][0], "IM0009.dcm");
    assert!((slices[9][1][0].as_f64().expect("a number") - 0.97).abs() < 1e-6);
    assert_eq!(slices[9][2][0], "Abnormal");
    assert_eq!(slices[20][2][0], "Normal");
    assert_eq!((&slices[1][1][0], &slices[1][2][0]), (&serde_json::Value::Null, &"Not assessed".into()));
    for (row, reading) in (1..).zip(&stones) {
        let cells = &book["Stones"][row];
        let diameter = reading.stone.largest_diameter_mm.expect("millimetres");
        assert!((cells[3][0].as_f64().expect("a number") - diameter).abs() < 1e-9);
        assert_eq!(cells[6][0], reading.stone.hu.max);
    }
    let about = book["About"].to_string();
    for expected in
        ["9f86d081884c7d65", "synthetic-trained demonstration model", "not for diagnosis without a physician"]
    {
        assert!(about.contains(expected), "{expected} is missing in {about}");
    }
}

#[test]
fn python_reads_the_stones_from_the_comma_separated_file() {
    let stones = fixture::stones(2);
    let report = fixture::report(&stones);
    let Ok(python) = std::env::var("HILUM_ORACLE_PYTHON") else {
        skipped::<()>("HILUM_ORACLE_PYTHON names no Python");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("report.csv");
    std::fs::write(&file, csv(&report)).expect("a file");
    let program = "import csv, json, sys\n\
        print(json.dumps(list(csv.DictReader(open(sys.argv[1], encoding='utf-8-sig', newline='')))))";
    let output = Command::new(python).args(["-c", program]).arg(&file).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(rows.len(), 2);
    for (row, reading) in rows.iter().zip(&stones) {
        let stone = &reading.stone;
        assert_eq!(row["stone"], stone.number.to_string());
        assert_eq!(row["part"], "kidney");
        assert_eq!(row["largest_diameter_mm"], format!("{:.2}", stone.largest_diameter_mm.expect("millimetres")));
        assert_eq!(row["largest_diameter_low_mm"], "");
        assert_eq!(row["note"], "research and decision support; not for diagnosis without a physician");
    }
}

#[test]
fn texts_that_look_like_formulas_stay_texts() {
    let hostile = ["=1+1", "+A1", "-2", "@SUM(A1)", "=HYPERLINK(\"http://x\")", "https://example.org", "{=1}"];
    let mut inputs = fixture::inputs(&[]);
    for (slice, text) in inputs.slices.iter_mut().zip(hostile) {
        slice.file_name = text.to_owned();
    }
    inputs.slices[hostile.len()].file_name = "a".repeat(40_000);
    if let Some(model) = &mut inputs.model {
        model.first_line = "=cmd|' /C calc'!A0".to_owned();
        model.hash = "=1+1".to_owned();
    }
    let Some(book) = read_back(&xlsx(&build(inputs)).expect("a workbook")) else { return };
    for (row, text) in (1..).zip(hostile) {
        assert_eq!(book["Slices"][row][0], serde_json::json!([text, "s"]), "as openpyxl reads it");
    }
    let formulas = |sheet: &str| {
        book[sheet]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|r| r.as_array().into_iter().flatten())
            .filter(|c| c[1] == "f")
            .count()
    };
    assert_eq!(["Slices", "Stones", "About"].map(formulas), [0, 0, 0]);
}
