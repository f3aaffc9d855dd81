//! The physician's review as it stands on the pages, in one language.

use hilum_clinical::message::place;
use hilum_clinical::report::{FindingVerdict, StoneEdits, StonePresent, UrinaryStoneReport};
use hilum_clinical::urinary_stone::Stone;
use hilum_clinical::{Label, Language, Message};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::content::printable;

/// Characters of a comment, and of a line of the conclusion.
const LONGEST: usize = 4000;
const LONGEST_NAME: usize = 200;

/// What the template sets.
#[derive(Serialize)]
pub(super) struct ReviewContent {
    mark: String,
    subject: String,
    facts: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    conclusion: Vec<String>,
    disclaimer: String,
}

#[derive(Serialize)]
struct Row {
    number: String,
    verdict: &'static str,
    /// What the model stated.
    before: String,
    /// It holds no longer.
    struck: bool,
    /// What the physician states.
    after: String,
    comment: String,
    judged: String,
}

/// Whether the report shows a stone: as the physician has it, where somebody signed.
pub(super) fn shown_present(report: &UrinaryStoneReport) -> StonePresent {
    match (&report.review, report.result.stone_present) {
        (None, present) => present,
        (Some(review), _) if review.stone_count > 0 => StonePresent::Yes,
        (Some(_), StonePresent::NotAssessed) => StonePresent::NotAssessed,
        (Some(_), _) => StonePresent::No,
    }
}

/// Whether the physician says that it is no stone.
pub(super) fn is_rejected(report: &UrinaryStoneReport, number: u32) -> bool {
    let judged = report.review.as_ref().and_then(|review| review.of(number));
    judged.is_some_and(|finding| !finding.verdict.is_stone())
}

/// A stone as the physician states it, and whether anything of it is stated otherwise than the model did.
pub(super) fn as_stated(report: &UrinaryStoneReport, stone: &Stone) -> (Stone, bool) {
    let judged = report.review.as_ref().and_then(|review| review.of(stone.number));
    match judged.filter(|finding| finding.verdict == FindingVerdict::Edited) {
        Some(finding) => (finding.edits.applied_to(stone), !finding.edits.is_empty()),
        None => (stone.clone(), false),
    }
}

/// The review of a report that was signed.
pub(super) fn content(report: &UrinaryStoneReport, language: Language) -> Option<ReviewContent> {
    let review = report.review.as_ref()?;
    let label = |label: Label| label.text(language);
    let mut facts = Vec::new();
    let mut mark = String::new();
    if let Some(signature) = &report.signature {
        let name = printable(&signature.by, LONGEST_NAME);
        mark = format!("{}: {name} · {}", label(Label::Signed), moment(&signature.at));
        facts.push((label(Label::Signed), format!("{name} · {}", moment(&signature.at))));
        facts.push((label(Label::SignedHash), signature.sha256.clone()));
    }
    facts.push((label(Label::Version), format!("{} ← {}", report.version, review.of_version)));
    facts.push((label(Label::ReviewedStones), review.stone_count.to_string()));
    if let Some(amendment) = &report.amendment {
        facts.push((label(Label::Amends), amendment.amends.to_string()));
        facts.push((label(Label::AmendReason), printable(&amendment.reason, LONGEST)));
    }
    let own = match language {
        Language::Korean => [&review.conclusion.ko, &review.conclusion.en],
        Language::English => [&review.conclusion.en, &review.conclusion.ko],
    };
    let written = own.into_iter().find(|text| !text.is_empty());
    Some(ReviewContent {
        mark,
        subject: printable(&format!("{} · {}", report.patient.id, report.study.accession), LONGEST_NAME),
        facts,
        rows: rows(report, language),
        conclusion: written.map(|text| text.lines().map(|line| printable(line, LONGEST)).collect()).unwrap_or_default(),
        disclaimer: Message::DecisionSupportOnly.statement().text(language).to_owned(),
    })
}

fn rows(report: &UrinaryStoneReport, language: Language) -> Vec<Row> {
    let Some(review) = &report.review else { return Vec::new() };
    let judged = |by: &str, at: &str| format!("{} · {}", printable(by, LONGEST_NAME), moment(at));
    let findings = review.findings.iter().map(|finding| {
        let stone = report.stones.iter().find(|stone| stone.number == finding.number);
        Row {
            number: finding.number.to_string(),
            verdict: Label::from(finding.verdict).text(language),
            before: stone.map(|stone| found(stone, language)).unwrap_or_default(),
            struck: finding.verdict != FindingVerdict::Accepted,
            after: stone
                .filter(|_| finding.verdict == FindingVerdict::Edited)
                .map(|stone| found(&finding.edits.applied_to(stone), language))
                .unwrap_or_default(),
            comment: printable(&finding.comment, LONGEST),
            judged: judged(&finding.by, &finding.at),
        }
    });
    let added = review.added.iter().map(|stone| Row {
        number: stone.number.to_string(),
        verdict: Label::Added.text(language),
        before: String::new(),
        struck: false,
        after: stated(&stone.stated, language),
        comment: printable(&stone.comment, LONGEST),
        judged: judged(&stone.by, &stone.at),
    });
    findings.chain(added).collect()
}

fn found(stone: &Stone, language: Language) -> String {
    let size = stone.largest_diameter_mm.map(|mm| format!(", {mm:.1} mm")).unwrap_or_default();
    format!("{}{size}", place(stone, language))
}

/// What a physician states of a stone, as one line.
pub(in crate::report) fn stated(edits: &StoneEdits, language: Language) -> String {
    let parts = [
        edits.side.map(|side| Label::from(side).text(language).to_owned()),
        edits.site.map(|site| site.text(language).to_owned()),
        edits.largest_diameter_mm.map(|mm| format!("{mm:.1} mm")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A moment to the minute, UTC.
fn moment(rfc3339: &str) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let time = OffsetDateTime::parse(rfc3339, &Rfc3339).map(|time| time.to_offset(time::UtcOffset::UTC));
    time.ok().and_then(|time| time.format(format).ok()).unwrap_or_else(|| rfc3339.to_owned())
}
