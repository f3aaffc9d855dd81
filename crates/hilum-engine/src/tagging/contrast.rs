//! Contrast medium: given, not given, or nothing says.

use super::words::{holds, words};
use super::{Evidence, Tag};
use hilum_dicom::InstanceFacts;

/// Runs of whole words that say "without contrast".
const WITHOUT: &[&[&str]] = &[
    &["non", "contrast"],
    &["noncontrast"],
    &["non", "enhanced"],
    &["nonenhanced"],
    &["non", "ce"],
    &["no", "contrast"],
    &["without"],
    &["w", "o"],
    &["wo"],
    &["unenhanced"],
    &["precontrast"],
    &["pre", "contrast"],
    &["pre"],
    &["plain"],
    &["native"],
    &["nect"],
    &["ncct"],
    &["ne"],
    &["nc"],
    &["비조영"],
    &["조영전"],
    &["조영", "전"],
    &["조영x"],
];

/// Runs of whole words that say "with contrast".
const WITH: &[&[&str]] = &[
    &["contrast"],
    &["postcontrast"],
    &["enhanced"],
    &["enhancement"],
    &["ce"],
    &["cect"],
    &["c+"],
    &["post"],
    &["cta"],
    &["angio"],
    &["angiography"],
    &["arterial"],
    &["artery"],
    &["portal"],
    &["venous"],
    &["delayed"],
    &["delay"],
    &["nephrographic"],
    &["corticomedullary"],
    &["excretory"],
    &["urography"],
    &["ctu"],
];

/// Korean descriptions join words freely: these count anywhere in a word, after [`WITHOUT`] was looked for.
const KOREAN_WITHOUT: &[&str] = &["비조영", "조영전", "조영 전", "무조영"];
const KOREAN_WITH: &[&str] = &["조영", "동맥기", "문맥기", "정맥기", "지연기", "배설기"];

pub(super) fn tag(facts: &InstanceFacts) -> Tag<Option<bool>> {
    let agent = agent(facts.series.contrast_agent.as_deref());
    let series = said_by("SeriesDescription", facts.series.description.as_deref());
    let protocol = said_by("ProtocolName", facts.series.protocol.as_deref());
    let study = said_by("StudyDescription", facts.study.description.as_deref());
    match (agent, series) {
        // Scanners leave the agent of the whole examination in the header of the phase before it was given.
        (Some((true, first)), Some((false, second))) => Tag::new(Some(false), 0.5, vec![first, second]),
        (Some((given, evidence)), other) => {
            let more = other.filter(|(said, _)| *said == given).map(|(_, evidence)| evidence);
            Tag::new(Some(given), 0.9, std::iter::once(evidence).chain(more).collect())
        }
        (None, Some((given, evidence))) => Tag::new(Some(given), 0.8, vec![evidence]),
        (None, None) => match protocol.or(study) {
            Some((given, evidence)) => Tag::new(Some(given), 0.6, vec![evidence]),
            None => Tag::new(None, 0.0, Vec::new()),
        },
    }
}

fn agent(value: Option<&str>) -> Option<(bool, Evidence)> {
    let words = words(value?);
    let none = words.is_empty() || WITHOUT.iter().any(|run| holds(&words, run));
    let none = none || ["no", "none", "n"].iter().any(|word| words == [*word]);
    let rule = if none { "states that no agent was given" } else { "names an agent" };
    Some((!none, Evidence::new("ContrastBolusAgent", rule)))
}

fn said_by(attribute: &str, text: Option<&str>) -> Option<(bool, Evidence)> {
    let text = text?;
    let words = words(text);
    let found = |table: &[&[&str]]| table.iter().find(|run| holds(&words, run)).map(|run| run.join(" "));
    let korean = |table: &[&str]| table.iter().find(|word| text.contains(**word)).map(|word| (*word).to_owned());
    if let Some(word) = found(WITHOUT).or_else(|| korean(KOREAN_WITHOUT)) {
        return Some((false, Evidence::new(attribute, format!("says \"{word}\""))));
    }
    let word = found(WITH).or_else(|| korean(KOREAN_WITH))?;
    Some((true, Evidence::new(attribute, format!("says \"{word}\""))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_whole_and_say_what_a_radiographer_means() {
        for (text, expected) in [
            ("Abdomen wo contrast 5.0", Some(false)),
            ("ABD/PEL W/O", Some(false)),
            ("Non-contrast KUB", Some(false)),
            ("PRE 1mm", Some(false)),
            ("비조영 CT", Some(false)),
            ("복부 조영전", Some(false)),
            ("복부조영후", Some(true)),
            ("동맥기 3mm", Some(true)),
            ("Arterial phase", Some(true)),
            ("C+ venous", Some(true)),
            ("CT with contrast", Some(true)),
            // The traps of substring rules.
            ("Prep view", None),
            ("Cartilage", None),
            ("Portable report", None),
            ("Posterior fossa", None),
            ("Start", None),
            ("Cervical 1.0", None),
        ] {
            assert_eq!(said_by("SeriesDescription", Some(text)).map(|(given, _)| given), expected, "{text}");
        }
    }

    #[test]
    fn an_agent_that_says_none_is_no_agent() {
        for (value, expected) in [
            ("Ultravist 370", Some(true)),
            ("NONE", Some(false)),
            ("No", Some(false)),
            ("w/o", Some(false)),
            ("APPLIED", Some(true)),
        ] {
            assert_eq!(agent(Some(value)).map(|(given, _)| given), expected, "{value}");
        }
        assert!(agent(None).is_none());
    }
}
