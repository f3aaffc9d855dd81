//! `hilum rules`

use hilum_clinical::Language;
use hilum_clinical::guideline::{
    Chance, Guideline, Input, Inputs, Outcome, PointsRow, Rule, Rules, Scored, Scores, Site, Treatment, Verdict,
    Weighed, When,
};
use hilum_clinical::message::{points, stone_free};
use hilum_engine::guidelines;
use serde::Serialize;

use crate::cli::{RulesCommand, RulesOptionsArguments};
use crate::failure::WrongCall;
use crate::node::table;
use crate::settings::Settings;

const NOT_AN_ORDER: &str =
    "Options of guidelines, for research and decision support; not for diagnosis or treatment without a physician.";

#[derive(Serialize)]
struct Offered<'i> {
    inputs: &'i Inputs,
    rules: Vec<Weighed>,
    chances_of_passing: Vec<Chance>,
    scores: Vec<Scored>,
}

pub fn run(settings: &Settings, command: &RulesCommand) -> anyhow::Result<()> {
    let rules = guidelines::open(settings.guidelines.as_deref())?;
    match command {
        RulesCommand::Show(arguments) if arguments.json => {
            println!("{}", serde_json::to_string_pretty(&rules)?);
        }
        RulesCommand::Show(_) => show(&rules),
        RulesCommand::Options(arguments) => options(&rules, arguments)?,
    }
    Ok(())
}

fn show(Rules { guidelines, passage, scores }: &Rules) {
    println!("{NOT_AN_ORDER}");
    for guideline in guidelines {
        let Guideline { id, version, title, edition, citation, values_from, rules } = guideline;
        println!("\n{id}, version {version}: {title}, edition {edition}\n  {citation}\n  Values from {values_from}.\n");
        let mut rows = vec![["RULE", "TOPIC", "WHEN", "OPTIONS"].map(str::to_owned).to_vec()];
        let row = |rule: &Rule| vec![rule.id.clone(), word(&rule.topic), conditions(&rule.when), told(rule)];
        rows.extend(rules.iter().map(row));
        print(&rows);
        for rule in rules.iter().filter(|rule| rule.citation.is_some()) {
            println!("  {}: {}", rule.id, rule.citation.as_deref().unwrap_or_default());
        }
    }
    println!(
        "\nchance of passing, version {}: per cent that passed by themselves\n  Values from {}.\n",
        passage.version, passage.values_from
    );
    let mut rows = vec![["SOURCE", "STONES", "PASSED", "95 % CI"].map(str::to_owned).to_vec()];
    for source in &passage.sources {
        for row in &source.rows {
            rows.push(vec![
                source.id.clone(),
                conditions(&row.when()),
                format!("{} %", row.percent),
                interval(row.range),
            ]);
        }
    }
    print(&rows);
    for source in &passage.sources {
        println!("  {}: {}", source.id, source.citation);
    }
    show_scores(scores);
}

fn show_scores(Scores { version, values_from, scores }: &Scores) {
    for score in scores {
        println!(
            "\n{}, version {version}: {}\n  {}\n  Values from {values_from}.\n",
            score.id, score.title, score.citation
        );
        let mut rows = vec![["ITEM", "WHEN", "POINTS"].map(str::to_owned).to_vec()];
        for item in &score.items {
            let row = |row: &PointsRow| vec![item.id.clone(), conditions(&row.when), row.points.to_string()];
            rows.extend(item.rows.iter().map(row));
        }
        print(&rows);
        let mut rows = vec![["POINTS", "FREE OF STONES", "FROM TO"].map(str::to_owned).to_vec()];
        let row = |one: &Outcome| vec![one.points.to_string(), format!("{} %", one.percent), interval(one.range)];
        rows.extend(score.outcomes.iter().map(row));
        print(&rows);
        println!("  {}", score.outcome_citation);
    }
}

fn options(Rules { guidelines, passage, scores }: &Rules, arguments: &RulesOptionsArguments) -> anyhow::Result<()> {
    let inputs = inputs_of(&arguments.known)?;
    let weighed: Vec<Weighed> = guidelines.iter().flat_map(|guideline| guideline.weigh(&inputs)).collect();
    let chances = passage.chances(&inputs);
    let in_kidney = inputs.place.is_none_or(Site::is_kidney);
    let scores: Vec<Scored> =
        scores.scores.iter().filter(|_| in_kidney).filter_map(|score| score.of(&inputs)).collect();
    if arguments.json {
        let offered = Offered { inputs: &inputs, rules: weighed, chances_of_passing: chances, scores };
        println!("{}", serde_json::to_string_pretty(&offered)?);
        return Ok(());
    }
    println!("{NOT_AN_ORDER}\n");
    let names = |inputs: &[Input]| inputs.iter().map(|input| input.name()).collect::<Vec<_>>().join(", ");
    let mut rows = vec![["GUIDELINE", "RULE", "OPTIONS", "BECAUSE OF", "MISSING"].map(str::to_owned).to_vec()];
    for verdict in [Verdict::Applies, Verdict::NotDetermined] {
        for one in weighed.iter().filter(|one| one.verdict == verdict) {
            let offered = match verdict {
                Verdict::Applies => told(&one.rule),
                _ => format!("perhaps {}", told(&one.rule)),
            };
            rows.push(vec![one.guideline.clone(), one.rule.id.clone(), offered, names(&one.used), names(&one.missing)]);
        }
    }
    print(&rows);
    for chance in chances {
        let interval = chance.range.map_or_else(String::new, |_| format!(" (95 % CI {})", interval(chance.range)));
        println!("  {} % of such stones passed by themselves{interval}: {}", chance.percent, chance.source);
    }
    for scored in scores {
        let free = stone_free(&scored, Language::English).map(|free| format!(", {free}")).unwrap_or_default();
        let missing =
            if scored.missing.is_empty() { String::new() } else { format!("; missing {}", names(&scored.missing)) };
        println!("  {}: {}{free}{missing}", scored.score, points(&scored, Language::English));
    }
    println!("\n`hilum rules show` prints rules and sources.");
    Ok(())
}

/// `NAME=VALUE`, each as rule files write it; yes and no for what is so or not.
fn inputs_of(known: &[String]) -> anyhow::Result<Inputs> {
    let mut table = toml::Table::new();
    for pair in known {
        let expected = || {
            let names: Vec<&str> = Input::ALL.iter().map(|input| input.name()).collect();
            WrongCall(format!("{pair:?} is no NAME=VALUE; expected one of {}, once", names.join(", ")))
        };
        let (name, value) = pair.split_once('=').ok_or_else(expected)?;
        let value = match (value, value.parse::<f64>()) {
            ("yes" | "true", _) => true.into(),
            ("no" | "false", _) => false.into(),
            (_, Ok(number)) if number.is_finite() => number.into(),
            _ => toml::Value::String(value.to_owned()),
        };
        if !Input::ALL.iter().any(|input| input.name() == name) || table.insert(name.to_owned(), value).is_some() {
            return Err(expected().into());
        }
    }
    table.try_into().map_err(|error: toml::de::Error| WrongCall(format!("what is known: {}", error.message())).into())
}

/// `place ureter, diameter_mm > 6`
fn conditions(when: &When) -> String {
    when.told().iter().map(|(input, told)| format!("{} {told}", input.name())).collect::<Vec<_>>().join(", ")
}

fn told(rule: &Rule) -> String {
    let any = |offer: &Vec<Treatment>| offer.iter().map(word).collect::<Vec<_>>().join(" or ");
    let offered = rule.options.iter().map(any).collect::<Vec<_>>().join(", then ");
    let against = rule.against.iter().map(word).collect::<Vec<_>>().join(", ");
    let against = if against.is_empty() { against } else { format!("; not {against}") };
    let weeks = rule.reconsider_weeks.map(|[from, to]| format!("; reconsider at {from} to {to} weeks"));
    let strength = rule.strength.as_ref().map(|strength| format!(" ({strength})"));
    format!("{offered}{against}{}{}", weeks.unwrap_or_default(), strength.unwrap_or_default())
}

/// As the rule file writes it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn interval(range: Option<[f64; 2]>) -> String {
    range.map_or_else(|| "-".to_owned(), |[low, high]| format!("{low} to {high} %"))
}

fn print(rows: &[Vec<String>]) {
    for line in table::lines(rows) {
        println!("{line}");
    }
}
