//! The report as a workbook. Every text is written as a string, so `=`, `+`, `-` and `@` in front stay text.

use hilum_clinical::guideline::{Verdict, Weighed};
use hilum_clinical::message::{known, named, offer, place, points, stone_free};
use hilum_clinical::{Label, Language};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::{ReportError, UrinaryStoneReport, review_sheet};

/// The workbook's column titles are English: its readers are programs as often as people (paper S1).
pub(super) const LANGUAGE: Language = Language::English;

/// Sheets "Slices" (file name, score, Normal/Abnormal: paper S1), "Stones", "Rejected", "Guideline options" and "About"; "Review" where somebody signed.
pub fn xlsx(report: &UrinaryStoneReport) -> Result<Vec<u8>, ReportError> {
    let created = OffsetDateTime::parse(&report.created_at, &Rfc3339)
        .map_err(|_| ReportError::Time)?
        .to_offset(UtcOffset::UTC)
        .unix_timestamp();
    let mut workbook = Workbook::new();
    workbook.set_properties(
        &DocProperties::new()
            .set_title(Label::Title.text(LANGUAGE))
            .set_author("Hilum")
            .set_creation_datetime(&ExcelDateTime::from_timestamp(created)?),
    );
    slices(workbook.add_worksheet(), report)?;
    stones(workbook.add_worksheet(), report)?;
    if !report.rejected.is_empty() {
        rejected(workbook.add_worksheet(), report)?;
    }
    if !report.options.stones.is_empty() {
        options(workbook.add_worksheet(), report)?;
    }
    about(workbook.add_worksheet(), report)?;
    review_sheet::add(&mut workbook, report)?;
    Ok(workbook.save_to_buffer()?)
}

fn slices(sheet: &mut Worksheet, report: &UrinaryStoneReport) -> Result<(), XlsxError> {
    sheet.set_name(Label::Slices.text(LANGUAGE))?;
    titles(sheet, &[Label::FileName, Label::Score, Label::Finding, Label::InstanceNumber], &[44.0, 12.0, 18.0, 18.0])?;
    if let Some(note) = report.disclaimers.iter().find(|s| s.code == "score_is_no_probability") {
        sheet.insert_note(0, 1, &rust_xlsxwriter::Note::new(&note.en).set_author("Hilum"))?;
    }
    let score = Format::new().set_num_format("0.0000");
    for (row, slice) in (1..).zip(&report.slices) {
        text(sheet, row, 0, &slice.file_name)?;
        if let Some(value) = slice.score {
            sheet.write_number_with_format(row, 1, f64::from(value), &score)?;
        }
        text(sheet, row, 2, Label::from(slice.finding).text(LANGUAGE))?;
        if let Some(number) = slice.instance_number {
            sheet.write_number(row, 3, f64::from(number))?;
        }
    }
    Ok(())
}

fn stones(sheet: &mut Worksheet, report: &UrinaryStoneReport) -> Result<(), XlsxError> {
    sheet.set_name(Label::Stones.text(LANGUAGE))?;
    let columns = [
        Label::Number,
        Label::Side,
        Label::Site,
        Label::LargestDiameter,
        Label::Volume,
        Label::HuMean,
        Label::HuMax,
        Label::HuSd,
        Label::Score,
        Label::Slices,
        Label::TablePosition,
        Label::Low,
        Label::High,
        Label::AxialDiameter,
        Label::CoronalDiameter,
        Label::Width,
        Label::CoreHu,
        Label::SkinToStone,
        Label::SiteShare,
    ];
    titles(
        sheet,
        &columns,
        &[
            6.0, 10.0, 26.0, 22.0, 14.0, 10.0, 10.0, 10.0, 10.0, 12.0, 10.0, 10.0, 10.0, 22.0, 22.0, 12.0, 20.0, 26.0,
            40.0,
        ],
    )?;
    let one = Format::new().set_num_format("0.0");
    let score = Format::new().set_num_format("0.0000");
    for (row, stone) in (1..).zip(&report.stones) {
        sheet.write_number(row, 0, stone.number)?;
        text(sheet, row, 1, Label::from(stone.side).text(LANGUAGE))?;
        text(sheet, row, 2, &place(stone, LANGUAGE))?;
        let values = [
            (3, stone.largest_diameter_mm),
            (4, stone.volume_mm3),
            (5, Some(stone.hu.mean)),
            (6, Some(f64::from(stone.hu.max))),
            (7, Some(stone.hu.sd)),
            (10, stone.slices.table_position_mm),
            (11, stone.largest_diameter_interval_mm.map(|interval| interval.low)),
            (12, stone.largest_diameter_interval_mm.map(|interval| interval.high)),
            (13, stone.axial_diameter_mm),
            (14, stone.coronal_diameter_mm),
            (15, stone.width_mm),
            (16, stone.core_hu.map(|core| core.value)),
            (17, stone.skin_to_stone_mm),
        ];
        for (column, value) in values {
            if let Some(value) = value {
                sheet.write_number_with_format(row, column, value, &one)?;
            }
        }
        sheet.write_number_with_format(row, 8, f64::from(stone.score), &score)?;
        if let Some(site) = &stone.site {
            sheet.write_number_with_format(row, 18, site.probability, &score)?;
        }
        text(sheet, row, 9, &format!("{}-{}", stone.slices.first + 1, stone.slices.last + 1))?;
    }
    Ok(())
}

/// A row for each candidate that is no stone.
fn rejected(sheet: &mut Worksheet, report: &UrinaryStoneReport) -> Result<(), XlsxError> {
    sheet.set_name("Rejected")?;
    let columns = [Label::Number, Label::Reason, Label::LargestDiameter, Label::HuMean, Label::Score, Label::Slices];
    titles(sheet, &columns, &[6.0, 100.0, 22.0, 10.0, 10.0, 12.0])?;
    let one = Format::new().set_num_format("0.0");
    let score = Format::new().set_num_format("0.0000");
    for (row, candidate) in (1..).zip(&report.rejected) {
        let finding = &candidate.finding;
        sheet.write_number(row, 0, finding.number)?;
        text(sheet, row, 1, &candidate.statement.en)?;
        if let Some(mm) = finding.largest_diameter_mm {
            sheet.write_number_with_format(row, 2, mm, &one)?;
        }
        sheet.write_number_with_format(row, 3, finding.hu.mean, &one)?;
        sheet.write_number_with_format(row, 4, f64::from(finding.score), &score)?;
        text(sheet, row, 5, &format!("{}-{}", finding.slices.first + 1, finding.slices.last + 1))?;
    }
    Ok(())
}

/// A row for each rule that applies or would, one for each chance of passing, and one for each score of a kidney.
fn options(sheet: &mut Worksheet, report: &UrinaryStoneReport) -> Result<(), XlsxError> {
    sheet.set_name(Label::Options.text(LANGUAGE))?;
    let columns =
        [Label::Stone, Label::Guideline, Label::Topic, Label::Offer, Label::BecauseOf, Label::IfKnown, Label::Citation];
    titles(sheet, &columns, &[8.0, 24.0, 14.0, 60.0, 40.0, 40.0, 80.0])?;
    let citation = |id: &str| {
        let source = report.options.sources.iter().find(|source| source.id == id);
        source.map(|source| source.citation.as_str()).unwrap_or_default()
    };
    let mut row = 1;
    for stone in &report.options.stones {
        let applies = |one: &&Weighed| one.verdict == Verdict::Applies;
        let (applies, perhaps): (Vec<&Weighed>, Vec<&Weighed>) = stone.rules.iter().partition(applies);
        for one in applies.into_iter().chain(perhaps) {
            let own = one.rule.citation.as_deref().unwrap_or_else(|| citation(&one.guideline));
            let texts = [
                format!("{} {}", one.guideline, one.rule.id),
                one.rule.topic.text(LANGUAGE).to_owned(),
                offer(&one.rule, LANGUAGE),
                known(&stone.known, &one.used, LANGUAGE),
                named(&one.missing, LANGUAGE),
                own.to_owned(),
            ];
            sheet.write_number(row, 0, stone.stone)?;
            for (column, value) in (1..).zip(&texts) {
                text(sheet, row, column, value)?;
            }
            row += 1;
        }
        for chance in &stone.passage {
            let range = chance.range.map(|[low, high]| format!(" ({low} to {high})")).unwrap_or_default();
            sheet.write_number(row, 0, stone.stone)?;
            text(sheet, row, 1, &chance.source)?;
            text(sheet, row, 2, Label::Passage.text(LANGUAGE))?;
            text(sheet, row, 3, &format!("{} %{range}", chance.percent))?;
            text(sheet, row, 6, citation(&chance.source))?;
            row += 1;
        }
    }
    for kidney in &report.options.kidneys {
        let stones = kidney.stones.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        for scored in &kidney.scores {
            let told = [Some(points(scored, LANGUAGE)), stone_free(scored, LANGUAGE)];
            let texts = [
                stones.clone(),
                scored.score.clone(),
                Label::Nephrolithometry.text(LANGUAGE).to_owned(),
                told.into_iter().flatten().collect::<Vec<_>>().join(", "),
                known(&kidney.known, &scored.used, LANGUAGE),
                named(&scored.missing, LANGUAGE),
                citation(&scored.score).to_owned(),
            ];
            for (column, value) in (0..).zip(&texts) {
                text(sheet, row, column, value)?;
            }
            row += 1;
        }
    }
    Ok(())
}

fn about(sheet: &mut Worksheet, report: &UrinaryStoneReport) -> Result<(), XlsxError> {
    sheet.set_name(Label::About.text(LANGUAGE))?;
    sheet.set_column_width(0, 22)?.set_column_width(1, 100)?;
    let model = report.provenance.model.as_ref();
    let result = &report.result;
    let number = |value: Option<f32>| value.map(|v| v.to_string()).unwrap_or_default();
    let mut rows: Vec<(&str, String)> = vec![
        (Label::Title.text(LANGUAGE), Label::from(result.stone_present).text(LANGUAGE).to_owned()),
        (Label::HighestScore.text(LANGUAGE), number(result.highest_score)),
        (Label::Threshold.text(LANGUAGE), number(result.score_threshold)),
        (Label::StudyUid.text(LANGUAGE), report.study.study_uid.clone()),
        (Label::Model.text(LANGUAGE), model.map(|m| format!("{}: {}", m.name, m.first_line)).unwrap_or_default()),
        (Label::ModelHash.text(LANGUAGE), model.map(|m| m.hash.clone()).unwrap_or_default()),
        (Label::PlanHash.text(LANGUAGE), model.map(|m| m.plan_hash.clone()).unwrap_or_default()),
        (Label::Engine.text(LANGUAGE), format!("{} {}", report.provenance.engine, report.provenance.precision)),
        (Label::InputHash.text(LANGUAGE), report.provenance.input_hash.clone().unwrap_or_default()),
        (Label::Software.text(LANGUAGE), format!("Hilum {}", report.provenance.software_version)),
        (Label::CreatedAt.text(LANGUAGE), report.created_at.clone()),
        (Label::Version.text(LANGUAGE), report.version.to_string()),
    ];
    let statements =
        report.result.refusal.iter().chain(&report.coverage.not_looked_at).chain(&report.geometry_findings);
    rows.extend(statements.map(|s| (Label::NotLookedAt.text(LANGUAGE), s.en.clone())));
    rows.extend(
        report
            .coverage
            .series_not_chosen
            .iter()
            .map(|series| (Label::OtherSeries.text(LANGUAGE), format!("{}: {}", series.description, series.reason.en))),
    );
    let compared = report.comparison_as_judged().map(|comparison| comparison.lines(LANGUAGE)).unwrap_or_default();
    rows.extend(compared.into_iter().map(|line| (Label::Comparison.text(LANGUAGE), line)));
    rows.extend(report.disclaimers.iter().map(|s| ("", s.en.clone())));
    rows.extend(report.disclaimers.iter().map(|s| ("", s.ko.clone())));
    let bold = Format::new().set_bold();
    let wrapped = Format::new().set_text_wrap();
    for (row, (name, value)) in (0..).zip(&rows) {
        sheet.write_string_with_format(row, 0, *name, &bold)?;
        sheet.write_string_with_format(row, 1, cell_text(value), &wrapped)?;
    }
    Ok(())
}

pub(super) fn titles(sheet: &mut Worksheet, labels: &[Label], widths: &[f64]) -> Result<(), XlsxError> {
    let format = Format::new().set_bold().set_align(FormatAlign::Left).set_background_color(0x00E6_EEF0);
    for (column, (label, width)) in (0..).zip(labels.iter().zip(widths)) {
        sheet.write_string_with_format(0, column, label.text(LANGUAGE), &format)?;
        sheet.set_column_width(column, *width)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

pub(super) fn text(sheet: &mut Worksheet, row: u32, column: u16, value: &str) -> Result<(), XlsxError> {
    sheet.write_string(row, column, cell_text(value))?;
    Ok(())
}

/// A cell holds 32,767 UTF-16 units; characters take at most two.
fn cell_text(value: &str) -> String {
    value.chars().take(16_000).collect()
}
