//! What stands on the page, as text in one language. The template only lays it out.

use std::collections::BTreeMap;

use hilum_clinical::message::{place, score_text};
use hilum_clinical::report::{AddedStone, StoneEdits, StonePresent, UrinaryStoneReport};
use hilum_clinical::urinary_stone::Stone;
use hilum_clinical::{Label, Language, Statement};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::super::{KeyImage, Plane};
use super::review::{self, ReviewContent, as_stated, is_rejected, shown_present};
use super::stone::StonePage;

/// How much goes onto the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Density {
    stones: usize,
    key_images: usize,
    image_columns: usize,
    statements: usize,
    characters: usize,
    /// On the page of a stone.
    pub(super) rules: usize,
    pub(super) sources: usize,
}

/// From generous to tight. The last one fits whatever the report holds.
pub(super) const DENSITIES: [Density; 7] = [
    Density { stones: 12, key_images: 4, image_columns: 2, statements: 12, characters: 240, rules: 14, sources: 12 },
    Density { stones: 12, key_images: 6, image_columns: 3, statements: 12, characters: 240, rules: 14, sources: 10 },
    Density { stones: 12, key_images: 4, image_columns: 4, statements: 10, characters: 160, rules: 12, sources: 9 },
    Density { stones: 8, key_images: 4, image_columns: 4, statements: 6, characters: 120, rules: 10, sources: 7 },
    Density { stones: 7, key_images: 4, image_columns: 4, statements: 5, characters: 100, rules: 8, sources: 6 },
    Density { stones: 6, key_images: 2, image_columns: 4, statements: 4, characters: 80, rules: 6, sources: 4 },
    Density { stones: 6, key_images: 0, image_columns: 4, statements: 3, characters: 48, rules: 4, sources: 3 },
];

/// A component group of a person name has at most 64 characters (PS3.5 6.2).
const LONGEST_NAME: usize = 64;

/// Hashes and UIDs (64 characters) are never cut.
const LONGEST_FINE_PRINT: usize = 120;

/// Of a name and an ID at the top of a further page.
const LONGEST_RUNNING: usize = 24;

const LONGEST_CITATION: usize = 400;

/// Stones, in the order of the report, that have coronal and sagittal key images and a page of their own.
pub(crate) const IN_THREE_PLANES: usize = 24;

/// Longest run of characters without a place to break; longer ones get one.
const LONGEST_WORD: usize = 66;

#[derive(Serialize)]
pub(super) struct Content<'a> {
    language: &'static str,
    labels: BTreeMap<&'static str, &'static str>,
    created_at: String,
    version: String,
    patient_name: String,
    patient_name_other: String,
    patient: Vec<(&'static str, String)>,
    study: Vec<(&'static str, String)>,
    tone: &'static str,
    headline: String,
    result_detail: String,
    stones: Vec<StoneRow>,
    stones_left_out: usize,
    /// What the mark on a row means; empty where none has one.
    edited_note: &'static str,
    key_images: Vec<KeyImageCell>,
    image_columns: usize,
    key_images_left_out: usize,
    comparison: Vec<String>,
    rejected: Vec<String>,
    looked_at: Vec<String>,
    not_looked_at: Vec<String>,
    geometry: Vec<String>,
    other_series: Vec<String>,
    provenance: Vec<(&'static str, String)>,
    disclaimers: Vec<&'a str>,
    /// Whom the further pages are about.
    patient_line: String,
    options_notes: Vec<&'a str>,
    pub(super) stone_pages: Vec<StonePage>,
    /// Set once the pages are known to fit without it.
    pub(super) review: Option<ReviewContent>,
}

#[derive(Serialize)]
struct StoneRow {
    number: String,
    site: String,
    diameter: String,
    volume: String,
    hu: String,
    score: String,
    slices: String,
    table_position: String,
    /// The physician says that it is no stone.
    rejected: bool,
    /// The physician states it, in part or wholly.
    stated: bool,
}

#[derive(Serialize)]
pub(super) struct KeyImageCell {
    pub(super) file: String,
    pub(super) caption: String,
}

impl<'a> Content<'a> {
    pub(super) fn new(
        report: &'a UrinaryStoneReport,
        key_images: &[KeyImage],
        language: Language,
        created: OffsetDateTime,
        density: Density,
    ) -> Self {
        let words = Words { language, characters: density.characters };
        let statements = |list: &[Statement]| words.list(list.iter().map(|s| words.statement(s)), density.statements);
        // Numbered as the typesetter has them.
        let axial: Vec<(usize, &KeyImage)> =
            key_images.iter().enumerate().filter(|(_, image)| image.plane == Plane::Axial).collect();
        let shown = axial.len().min(density.key_images);
        let about_options = ["options_are_no_order", "options_are_for_adults"];
        let (options_notes, disclaimers): (Vec<&Statement>, Vec<&Statement>) =
            report.disclaimers.iter().partition(|one| about_options.contains(&one.code.as_str()));
        let texts = |statements: Vec<&'a Statement>| statements.into_iter().map(|one| one.text(language)).collect();
        let added = report.review.iter().flat_map(|review| &review.added);
        let rows: Vec<StoneRow> = report
            .stones
            .iter()
            .map(|stone| words.stone(report, stone))
            .chain(added.map(|one| words.added(one)))
            .collect();
        let edited_note = if rows.iter().any(|row| row.stated) { words.label(Label::StatedByPhysician) } else { "" };
        Self {
            language: match language {
                Language::Korean => "ko",
                Language::English => "en",
            },
            labels: Label::ALL.iter().map(|label| (label.name(), label.text(language))).collect(),
            created_at: created
                .format(format_description!(
                    "[year]-[month]-[day] [hour]:[minute] UTC[offset_hour sign:mandatory]:[offset_minute]"
                ))
                .unwrap_or_else(|_| report.created_at.clone()),
            version: match report.supersedes {
                Some(old) => format!("{} ({} {old})", report.version, words.label(Label::Supersedes)),
                None => report.version.to_string(),
            },
            patient_name: printable(main_name(report, language), LONGEST_NAME),
            patient_name_other: printable(&other_names(report, language), 2 * LONGEST_NAME),
            patient: words.patient(report),
            study: words.study(report),
            tone: match shown_present(report) {
                StonePresent::Yes => "found",
                StonePresent::No => "clear",
                StonePresent::NotAssessed => "not_assessed",
            },
            headline: words.headline(report),
            result_detail: words.result_detail(report),
            stones_left_out: rows.len().saturating_sub(density.stones),
            stones: rows.into_iter().take(density.stones).collect(),
            edited_note,
            key_images: axial[..shown]
                .iter()
                .map(|(n, image)| KeyImageCell { file: format!("key-{n}.png"), caption: words.caption(report, image) })
                .collect(),
            image_columns: density.image_columns,
            key_images_left_out: axial.len() - shown,
            comparison: words.comparison(report, density.statements),
            rejected: words
                .list(report.rejected.iter().map(|one| words.statement(&one.statement)), density.statements.min(4)),
            looked_at: statements(&report.coverage.looked_at),
            not_looked_at: statements(&report.coverage.not_looked_at),
            geometry: statements(&report.geometry_findings),
            other_series: words.list(
                report.coverage.series_not_chosen.iter().map(|series| {
                    let number = series.number.map(|n| format!("{n} · ")).unwrap_or_default();
                    format!("{number}{}: {}", words.text(&series.description), series.reason.text(language))
                }),
                density.statements,
            ),
            provenance: words.provenance(report),
            disclaimers: texts(disclaimers),
            patient_line: words.patient_line(report),
            options_notes: texts(options_notes),
            stone_pages: report
                .stones
                .iter()
                .take(IN_THREE_PLANES)
                .map(|stone| StonePage::of(&words, report, stone, key_images, density))
                .collect(),
            review: None,
        }
    }
}

impl Content<'_> {
    /// How many pages it is when it fits.
    pub(super) fn pages(&self) -> usize {
        1 + self.stone_pages.len()
    }
}

/// Turns values of a report into text of one language.
pub(super) struct Words {
    pub(super) language: Language,
    characters: usize,
}

impl Words {
    pub(super) fn label(&self, label: Label) -> &'static str {
        label.text(self.language)
    }

    /// User text: without control and direction characters, not longer than the page allows, breakable.
    pub(super) fn text(&self, text: &str) -> String {
        printable(text, self.characters)
    }

    fn statement(&self, statement: &Statement) -> String {
        self.text(statement.text(self.language))
    }

    /// The first `most` lines, and one that says how many more there are.
    fn list(&self, lines: impl ExactSizeIterator<Item = String>, most: usize) -> Vec<String> {
        let more = lines.len().saturating_sub(most);
        let mut list: Vec<String> = lines.take(most).collect();
        if more > 0 {
            list.push(format!("+ {more} {}", self.label(Label::More)));
        }
        list
    }

    fn comparison(&self, report: &UrinaryStoneReport, most: usize) -> Vec<String> {
        let lines = report.comparison_as_judged().map(|comparison| comparison.lines(self.language)).unwrap_or_default();
        self.list(lines.iter().map(|line| self.text(line)), most)
    }

    fn patient_line(&self, report: &UrinaryStoneReport) -> String {
        let name = printable(main_name(report, self.language), LONGEST_RUNNING);
        let date = report.study.date.map(|date| date.to_string());
        [Some(name), Some(printable(&report.patient.id, LONGEST_RUNNING)), date]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" · ")
    }

    fn patient(&self, report: &UrinaryStoneReport) -> Vec<(&'static str, String)> {
        let patient = &report.patient;
        let age = patient.age_at_study.map(|age| match self.language {
            Language::Korean => format!("{age}{}", self.label(Label::Years)),
            Language::English => format!("{age} {}", self.label(Label::Years)),
        });
        vec![
            (self.label(Label::PatientId), self.text(&patient.id)),
            (self.label(Label::BirthDate), patient.birth_date.map(|d| d.to_string()).unwrap_or_default()),
            (self.label(Label::Sex), patient.sex.map(|sex| self.label(sex.into()).to_owned()).unwrap_or_default()),
            (self.label(Label::Age), age.unwrap_or_default()),
        ]
    }

    fn study(&self, report: &UrinaryStoneReport) -> Vec<(&'static str, String)> {
        let study = &report.study;
        let date = study.date.map(|d| d.to_string()).unwrap_or_default();
        let series = study.series.as_ref().map(|series| {
            format!("{}{}", series.number.map(|n| format!("{n} · ")).unwrap_or_default(), series.description)
        });
        vec![
            (self.label(Label::StudyDate), format!("{date} {}", self.text(study.time.as_deref().unwrap_or_default()))),
            (self.label(Label::Description), self.text(&study.description)),
            (self.label(Label::Accession), self.text(&study.accession)),
            (self.label(Label::Institution), self.text(&study.institution)),
            (self.label(Label::Series), self.text(&series.unwrap_or_default())),
        ]
    }

    fn headline(&self, report: &UrinaryStoneReport) -> String {
        match (shown_present(report), &report.review) {
            (StonePresent::Yes, Some(review)) => {
                format!("{}: {}", self.label(Label::ReviewedStones), review.stone_count)
            }
            (StonePresent::No, Some(_)) => self.label(Label::NoReviewedStones).to_owned(),
            (StonePresent::Yes, None) => format!("{}: {}", self.label(Label::StonePresent), report.result.stone_count),
            (present, _) => self.label(present.into()).to_owned(),
        }
    }

    fn result_detail(&self, report: &UrinaryStoneReport) -> String {
        let result = &report.result;
        if let Some(refusal) = &result.refusal {
            return self.statement(refusal);
        }
        let highest = result.highest_score.map(|v| format!("{} {}", self.label(Label::HighestScore), score_text(v, 3)));
        let threshold = result.score_threshold.map(|v| format!("{} {v:.3}", self.label(Label::Threshold)));
        let model = report.review.as_ref().map(|_| format!("{}: {}", self.label(Label::ByModel), result.stone_count));
        [model, highest, threshold].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    fn added(&self, added: &AddedStone) -> StoneRow {
        let nothing = || "–".to_owned();
        let AddedStone { number, stated, .. } = added;
        let place = StoneEdits { largest_diameter_mm: None, ..*stated };
        StoneRow {
            number: number.to_string(),
            site: Some(review::stated(&place, self.language)).filter(|place| !place.is_empty()).unwrap_or_else(nothing),
            diameter: stated.largest_diameter_mm.map_or_else(nothing, |mm| format!("{mm:.1}")),
            volume: nothing(),
            hu: nothing(),
            score: nothing(),
            slices: nothing(),
            table_position: nothing(),
            rejected: false,
            stated: true,
        }
    }

    fn stone(&self, report: &UrinaryStoneReport, stone: &Stone) -> StoneRow {
        let (stone, stated) = &as_stated(report, stone);
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.1}"));
        StoneRow {
            number: stone.number.to_string(),
            site: place(stone, self.language),
            diameter: number(stone.largest_diameter_mm),
            volume: number(stone.volume_mm3),
            hu: format!("{:.0} / {} / {:.0}", stone.hu.mean, stone.hu.max, stone.hu.sd),
            score: score_text(stone.score, 3),
            slices: format!("{}–{}", stone.slices.first + 1, stone.slices.last + 1),
            table_position: number(stone.slices.table_position_mm),
            rejected: is_rejected(report, stone.number),
            stated: *stated,
        }
    }

    fn caption(&self, report: &UrinaryStoneReport, image: &KeyImage) -> String {
        let slice = format!("{} {}", self.label(Label::Slice), image.index + 1);
        match report.stones.iter().find(|stone| stone.number == image.stone) {
            Some(stone) => {
                format!("{}. {}, {slice}", stone.number, place(&as_stated(report, stone).0, self.language))
            }
            None => slice,
        }
    }

    fn provenance(&self, report: &UrinaryStoneReport) -> Vec<(&'static str, String)> {
        let provenance = &report.provenance;
        let mut rows = Vec::new();
        if let Some(model) = &provenance.model {
            rows.push((self.label(Label::Model), fine_print(&format!("{}: {}", model.name, model.first_line))));
            rows.push((self.label(Label::ModelHash), fine_print(&model.hash)));
            rows.push((self.label(Label::PlanHash), fine_print(&model.plan_hash)));
        }
        rows.push((
            self.label(Label::Engine),
            fine_print(&format!("{} · {}", provenance.engine, provenance.precision)),
        ));
        if let Some(hash) = &provenance.input_hash {
            rows.push((self.label(Label::InputHash), fine_print(hash)));
        }
        rows.push((self.label(Label::Software), fine_print(&format!("Hilum {}", provenance.software_version))));
        rows.push((self.label(Label::StudyUid), fine_print(&report.study.study_uid)));
        rows
    }
}

/// A source, longer than other texts may be.
pub(super) fn citation(text: &str) -> String {
    printable(text, LONGEST_CITATION)
}

pub(super) fn fine_print(text: &str) -> String {
    printable(text, LONGEST_FINE_PRINT)
}

/// The name in the reader's script where the study has it: the phonetic group is hangul in Korean data sets (PS3.5 Annex I).
fn main_name(report: &UrinaryStoneReport, language: Language) -> &str {
    let name = &report.patient.name;
    match language {
        Language::Korean => name.phonetic.as_deref().or(name.ideographic.as_deref()).unwrap_or(&name.alphabetic),
        Language::English if name.alphabetic.is_empty() => {
            name.phonetic.as_deref().or(name.ideographic.as_deref()).unwrap_or_default()
        }
        Language::English => &name.alphabetic,
    }
}

fn other_names(report: &UrinaryStoneReport, language: Language) -> String {
    let name = &report.patient.name;
    let main = main_name(report, language);
    [Some(name.alphabetic.as_str()), name.ideographic.as_deref(), name.phonetic.as_deref()]
        .into_iter()
        .flatten()
        .filter(|group| !group.is_empty() && *group != main)
        .collect::<Vec<_>>()
        .join("  ")
}

pub(super) fn printable(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = 0;
    let visible =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !c.is_control() && !is_direction(*c));
    for (n, c) in visible.enumerate() {
        if n == most {
            out.push('…');
            break;
        }
        run = if c == ' ' { 0 } else { run + 1 };
        if run > LONGEST_WORD {
            out.push('\u{200B}');
            run = 1;
        }
        out.push(c);
    }
    out
}

/// Characters that would let a text change the order in which its surroundings are read.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
