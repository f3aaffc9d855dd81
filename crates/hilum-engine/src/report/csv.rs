//! The stones as comma-separated values (RFC 4180), UTF-8 with the mark by which spreadsheet programs know it.

use hilum_clinical::urinary_stone::Stone;
use serde::Serialize;

use super::UrinaryStoneReport;

/// By this spreadsheet programs take the text for UTF-8.
const BYTE_ORDER_MARK: char = '\u{FEFF}';

type Column = (&'static str, fn(&UrinaryStoneReport, &Stone) -> String);

/// Every value is a number, a UID or a word of ours: none begins like a formula but a negative number.
const COLUMNS: [Column; 30] = [
    ("study_uid", |report, _| report.study.study_uid.clone()),
    ("report_version", |report, _| report.version.to_string()),
    ("stone", |_, stone| stone.number.to_string()),
    ("side", |_, stone| word(&stone.side)),
    ("part", |_, stone| word(&stone.part)),
    ("site", |_, stone| stone.site.as_ref().map(|finding| word(&finding.site)).unwrap_or_default()),
    ("site_probability", |_, stone| number(stone.site.as_ref().map(|finding| finding.probability))),
    ("largest_diameter_mm", |_, stone| number(stone.largest_diameter_mm)),
    ("largest_diameter_low_mm", |_, stone| number(stone.largest_diameter_interval_mm.map(|interval| interval.low))),
    ("largest_diameter_high_mm", |_, stone| number(stone.largest_diameter_interval_mm.map(|interval| interval.high))),
    ("axial_diameter_mm", |_, stone| number(stone.axial_diameter_mm)),
    ("coronal_diameter_mm", |_, stone| number(stone.coronal_diameter_mm)),
    ("width_mm", |_, stone| number(stone.width_mm)),
    ("volume_mm3", |_, stone| number(stone.volume_mm3)),
    ("volume_low_mm3", |_, stone| number(stone.volume_interval_mm3.map(|interval| interval.low))),
    ("volume_high_mm3", |_, stone| number(stone.volume_interval_mm3.map(|interval| interval.high))),
    ("hu_mean", |_, stone| number(Some(stone.hu.mean))),
    ("hu_max", |_, stone| stone.hu.max.to_string()),
    ("hu_sd", |_, stone| number(Some(stone.hu.sd))),
    ("skin_to_stone_mm", |_, stone| number(stone.skin_to_stone_mm)),
    ("score", |_, stone| format!("{:.4}", stone.score)),
    ("first_slice", |_, stone| (stone.slices.first + 1).to_string()),
    ("last_slice", |_, stone| (stone.slices.last + 1).to_string()),
    ("key_slice", |_, stone| (stone.slices.key + 1).to_string()),
    ("centre_x_mm", |_, stone| number(stone.centre_mm.map(|centre| centre[0]))),
    ("centre_y_mm", |_, stone| number(stone.centre_mm.map(|centre| centre[1]))),
    ("centre_z_mm", |_, stone| number(stone.centre_mm.map(|centre| centre[2]))),
    ("model_hash", |report, _| report.provenance.model.as_ref().map(|model| model.hash.clone()).unwrap_or_default()),
    ("synthetic_study", |report, _| report.study.synthetic.to_string()),
    ("note", |_, _| "research and decision support; not for diagnosis without a physician".to_owned()),
];

/// A line of names, and one for each stone.
pub fn csv(report: &UrinaryStoneReport) -> Vec<u8> {
    let mut text = String::from(BYTE_ORDER_MARK);
    line(&mut text, COLUMNS.iter().map(|(name, _)| (*name).to_owned()));
    for stone in &report.stones {
        line(&mut text, COLUMNS.iter().map(|(_, value)| value(report, stone)));
    }
    text.into_bytes()
}

fn line(text: &mut String, values: impl Iterator<Item = String>) {
    for (column, value) in values.enumerate() {
        if column > 0 {
            text.push(',');
        }
        if value.contains([',', '"', '\r', '\n']) {
            text.extend(["\"", &value.replace('"', "\"\""), "\""]);
        } else {
            text.push_str(&value);
        }
    }
    text.push_str("\r\n");
}

fn number(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.2}")).unwrap_or_default()
}

/// As the JSON report writes it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
