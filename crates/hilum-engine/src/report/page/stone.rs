//! What stands on the page of one stone, as text in one language.

use hilum_clinical::guideline::{Chance, Scored, Verdict, Weighed};
use hilum_clinical::message::{known, named, offer, place, points, recorded, score_text, stone_free};
use hilum_clinical::report::{KidneyScores, StoneOptions, UrinaryStoneReport};
use hilum_clinical::urinary_stone::{CoreHu, Interval, Stone};
use hilum_clinical::{Label, Language};
use serde::Serialize;

use super::super::{KeyImage, Plane};
use super::content::{Density, KeyImageCell, Words, citation, fine_print};
use super::review::{as_stated, is_rejected};

#[derive(Serialize)]
pub(super) struct StonePage {
    headline: String,
    images: Vec<KeyImageCell>,
    measures: Vec<(&'static str, String)>,
    /// What speaks against it.
    doubt: String,
    rules: Vec<RuleRow>,
    rules_left_out: usize,
    passage: Vec<(String, String)>,
    /// Of the kidney that the stone lies in.
    scores: Vec<ScoreRow>,
    missing: String,
    /// What medical records told of the patient.
    recorded: String,
    sources: Vec<(String, String)>,
}

#[derive(Serialize)]
struct ScoreRow {
    title: String,
    points: String,
    stone_free: String,
    /// What would narrow it down.
    missing: String,
}

#[derive(Serialize)]
struct RuleRow {
    guideline: String,
    topic: &'static str,
    offer: String,
    because: String,
    /// What would have to be known for the rule to apply; empty where it applies.
    missing: String,
}

impl StonePage {
    pub(super) fn of(
        words: &Words,
        report: &UrinaryStoneReport,
        stone: &Stone,
        images: &[KeyImage],
        density: Density,
    ) -> Self {
        let language = words.language;
        let (stone, stated) = &as_stated(report, stone);
        let own = images.iter().enumerate().filter(|(_, image)| image.stone == stone.number);
        let options = report.options.stones.iter().find(|options| options.stone == stone.number);
        let kidney = report.options.kidneys.iter().find(|kidney| kidney.stones.contains(&stone.number));
        let rules = options.map(|options| words.rules(options)).unwrap_or_default();
        let diameter = stone.largest_diameter_mm.map(|mm| format!("{mm:.1} mm"));
        let place = place(stone, language);
        let headline = [Some(format!("{} {}", words.label(Label::Stone), stone.number)), Some(place), diameter];
        Self {
            headline: headline.into_iter().flatten().collect::<Vec<_>>().join(" · "),
            images: own
                .map(|(n, image)| KeyImageCell { file: format!("key-{n}.png"), caption: words.plane(image) })
                .collect(),
            measures: words.measures(stone),
            doubt: [
                stone.mimic.as_ref().map(|mimic| mimic.statement.text(language)),
                is_rejected(report, stone.number).then(|| words.label(Label::RejectedByPhysician)),
                stated.then(|| words.label(Label::StatedByPhysician)),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
            rules_left_out: rules.len().saturating_sub(density.rules),
            rules: rules.into_iter().take(density.rules).collect(),
            passage: options.map(|options| words.passage(options)).unwrap_or_default(),
            scores: kidney.map(|kidney| words.scores(report, kidney)).unwrap_or_default(),
            missing: named(&report.options.missing, language),
            recorded: words.text(&recorded(&report.options.recorded, language)),
            sources: options.map(|options| sources(report, options, kidney, density.sources)).unwrap_or_default(),
        }
    }
}

impl Words {
    /// Rules that apply first, then those that would.
    fn rules(&self, options: &StoneOptions) -> Vec<RuleRow> {
        let row = |one: &Weighed| RuleRow {
            guideline: self.text(&one.guideline),
            topic: one.rule.topic.text(self.language),
            offer: self.text(&offer(&one.rule, self.language)),
            because: self.text(&known(&options.known, &one.used, self.language)),
            missing: named(&one.missing, self.language),
        };
        let of = |verdict| options.rules.iter().filter(move |one| one.verdict == verdict).map(row);
        of(Verdict::Applies).chain(of(Verdict::NotDetermined)).collect()
    }

    fn passage(&self, options: &StoneOptions) -> Vec<(String, String)> {
        let told = |chance: &Chance| {
            let range = chance.range.map(|[low, high]| format!(" ({low}–{high})")).unwrap_or_default();
            (self.text(&chance.source), format!("{} %{range}", chance.percent))
        };
        options.passage.iter().map(told).collect()
    }

    fn scores(&self, report: &UrinaryStoneReport, kidney: &KidneyScores) -> Vec<ScoreRow> {
        let title = |id: &String| {
            let source = report.options.sources.iter().find(|source| source.id == *id);
            source.and_then(|source| source.title.clone()).unwrap_or_else(|| id.clone())
        };
        let row = |scored: &Scored| ScoreRow {
            title: self.text(&title(&scored.score)),
            points: points(scored, self.language),
            stone_free: stone_free(scored, self.language).unwrap_or_default(),
            missing: named(&scored.missing, self.language),
        };
        kidney.scores.iter().map(row).collect()
    }

    fn measures(&self, stone: &Stone) -> Vec<(&'static str, String)> {
        let mm = |value: Option<f64>| value.map(|mm| format!("{mm:.1}"));
        let within = |value: Option<f64>, interval: Option<Interval>| {
            let interval = interval.map(|Interval { low, high }| format!(" ({low:.1}–{high:.1})")).unwrap_or_default();
            value.map(|value| format!("{value:.1}{interval}"))
        };
        let core = |core: CoreHu| format!("{}{:.0}", if core.estimated { "≈ " } else { "" }, core.value);
        let rows = [
            (Label::Site, Some(place(stone, self.language))),
            (Label::SiteShare, stone.site.as_ref().map(|site| format!("{:.2}", site.probability))),
            (Label::LargestDiameter, within(stone.largest_diameter_mm, stone.largest_diameter_interval_mm)),
            (Label::AxialDiameter, mm(stone.axial_diameter_mm)),
            (Label::CoronalDiameter, mm(stone.coronal_diameter_mm)),
            (Label::Width, mm(stone.width_mm)),
            (Label::Volume, within(stone.volume_mm3, stone.volume_interval_mm3)),
            (Label::Hu, Some(format!("{:.0} / {} / {:.0}", stone.hu.mean, stone.hu.max, stone.hu.sd))),
            (Label::CoreHu, stone.core_hu.map(core)),
            (Label::SkinToStone, stone.skin_to_stone_mm.map(|mm| format!("{mm:.0}"))),
            (Label::Score, Some(score_text(stone.score, 3))),
            (Label::Slices, Some(format!("{}–{}", stone.slices.first + 1, stone.slices.last + 1))),
            (Label::TablePosition, mm(stone.slices.table_position_mm)),
        ];
        rows.into_iter().filter_map(|(label, value)| Some((self.label(label), value?))).collect()
    }

    fn plane(&self, image: &KeyImage) -> String {
        let plane = self.label(match image.plane {
            Plane::Axial => Label::Axial,
            Plane::Coronal => Label::Coronal,
            Plane::Sagittal => Label::Sagittal,
        });
        let unit = self.label(match image.plane {
            Plane::Axial => Label::Slice,
            Plane::Coronal => Label::Row,
            Plane::Sagittal => Label::Column,
        });
        match self.language {
            Language::English | Language::Korean => format!("{plane} · {unit} {}", image.index + 1),
        }
    }
}

/// The sources that this stone's options come from, each once: guidelines and articles, then those that a rule names itself.
fn sources(
    report: &UrinaryStoneReport,
    options: &StoneOptions,
    kidney: Option<&KidneyScores>,
    most: usize,
) -> Vec<(String, String)> {
    let used = |id: &String| {
        options.rules.iter().any(|one| one.guideline == *id)
            || options.passage.iter().any(|one| one.source == *id)
            || kidney.is_some_and(|kidney| kidney.scores.iter().any(|one| one.score == *id))
    };
    let sources = report.options.sources.iter().filter(|source| used(&source.id)).map(|source| {
        let title = [source.title.as_deref(), source.edition.as_deref(), Some(&source.citation)];
        let title = title.into_iter().flatten().collect::<Vec<_>>().join(". ");
        (format!("{} v{}", fine_print(&source.id), source.version), citation(&title))
    });
    let own = options.rules.iter().filter_map(|one| {
        let own = one.rule.citation.as_ref()?;
        Some((fine_print(&one.rule.id), citation(own)))
    });
    sources.chain(own).take(most).collect()
}
