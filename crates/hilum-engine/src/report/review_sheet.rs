//! The physician's review as a sheet of the workbook.

use hilum_clinical::report::UrinaryStoneReport;
use hilum_clinical::{Label, Language};
use rust_xlsxwriter::{Format, Workbook, XlsxError};

use super::page::stated;
use super::xlsx::{LANGUAGE, text, titles};

/// Sheet "Physician's review": a row for each verdict, then signature and conclusion; none where nobody has signed.
pub(super) fn add(workbook: &mut Workbook, report: &UrinaryStoneReport) -> Result<(), XlsxError> {
    let Some(review) = &report.review else { return Ok(()) };
    let sheet = workbook.add_worksheet();
    // A sheet's name takes no apostrophe at its ends, and is shown best without.
    sheet.set_name("Review")?;
    let columns = [Label::Number, Label::Verdict, Label::Stated, Label::Comment, Label::Judged, Label::CreatedAt];
    titles(sheet, &columns, &[8.0, 22.0, 44.0, 60.0, 28.0, 26.0])?;
    let struck = Format::new().set_font_strikethrough();
    let findings = review.findings.iter().map(|one| {
        (one.number, Label::from(one.verdict), &one.edits, &one.comment, &one.by, &one.at, one.verdict.is_stone())
    });
    let added =
        review.added.iter().map(|one| (one.number, Label::Added, &one.stated, &one.comment, &one.by, &one.at, true));
    let mut row = 1;
    for (number, verdict, edits, comment, by, at, is_stone) in findings.chain(added) {
        if is_stone {
            sheet.write_number(row, 0, number)?;
        } else {
            sheet.write_number_with_format(row, 0, number, &struck)?;
        }
        text(sheet, row, 1, verdict.text(LANGUAGE))?;
        text(sheet, row, 2, &stated(edits, LANGUAGE))?;
        text(sheet, row, 3, comment)?;
        text(sheet, row, 4, by)?;
        text(sheet, row, 5, at)?;
        row += 1;
    }
    row += 1;
    let mut facts = vec![(Label::ReviewedStones, review.stone_count.to_string())];
    if let Some(signature) = &report.signature {
        facts.push((Label::Signed, format!("{}, {}", signature.by, signature.at)));
        facts.push((Label::SignedHash, signature.sha256.clone()));
    }
    if let Some(amendment) = &report.amendment {
        facts.push((Label::Amends, amendment.amends.to_string()));
        facts.push((Label::AmendReason, amendment.reason.clone()));
    }
    for (language, written) in [(Language::English, &review.conclusion.en), (Language::Korean, &review.conclusion.ko)] {
        if !written.is_empty() {
            facts.push((Label::Conclusion, format!("{}: {written}", Label::Conclusion.text(language))));
        }
    }
    for (label, value) in facts {
        text(sheet, row, 1, label.text(LANGUAGE))?;
        text(sheet, row, 2, &value)?;
        row += 1;
    }
    Ok(())
}
