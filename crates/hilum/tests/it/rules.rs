//! `hilum rules`: what it prints, and what it says to a wrong call.

use crate::program::{assert_code, err, hilum, out};

#[test]
fn rules_are_printed_with_their_sources_and_as_json() {
    let output = hilum(["rules", "show"]);
    assert_code(&output, 0);
    let text = out(&output);
    for said in [
        "not for diagnosis or treatment without a physician",
        "doi:10.1016/j.juro.2016.05.090",
        "EAU Guidelines on Urolithiasis, edition 2020",
        "Values from secondary sources",
        "place kidney_not_lower_pole, diameter_mm > 20",
        "pcnl; not swl",
        "46 to 85 %",
        "PubMed 24044913",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let output = hilum(["rules", "show", "--json"]);
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(all["guidelines"].as_array().unwrap().len(), 3);
    assert_eq!(all["guidelines"][1]["rule"][0]["when"]["diameter_mm"]["above"], 5.0);
}

#[test]
fn options_are_told_side_by_side_with_what_is_missing() {
    let known = ["place=lower_pole", "diameter_mm=12", "hu_mean=850", "skin_to_stone_mm=90"];
    let output = hilum(["rules", "options"].into_iter().chain(known));
    assert_code(&output, 0);
    let text = out(&output);
    let line = |rule: &str| text.lines().find(|line| line.contains(rule)).unwrap_or_else(|| panic!("{rule}: {text}"));
    assert!(line("lower-pole-10-to-20-mm ").contains("urs or pcnl; not swl"), "{text}");
    let favourable = line("lower-pole-10-to-20-mm-favourable");
    assert!(favourable.contains("perhaps swl or endourology") && favourable.contains("unfavourable_anatomy"), "{text}");
    assert!(!text.contains("of such stones passed"), "{text}");

    let output = hilum(["rules", "options", "place=uvj", "diameter_mm=4", "--json"]);
    let offered: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(offered["chances_of_passing"].as_array().unwrap().len(), 3);
    let watch =
        offered["rules"].as_array().unwrap().iter().find(|one| one["rule"]["id"] == "ureter-up-to-10-mm").unwrap();
    assert_eq!(watch["verdict"], "not_determined");
    assert_eq!(watch["missing"][0], "infection");
}

#[test]
fn what_rules_do_not_know_is_refused_by_name() {
    for (known, said) in [
        ("size=12", "diameter_mm"),
        ("diameter_mm", "NAME=VALUE"),
        ("place=knee", "knee"),
        ("diameter_mm=large", "f64"),
        ("infection=maybe", "boolean"),
    ] {
        let output = hilum(["rules", "options", known]);
        assert_code(&output, 2);
        assert!(err(&output).contains(said), "{known}: {}", err(&output));
    }
    let output = hilum(["rules", "options", "hu_mean=1", "hu_mean=2"]);
    assert_code(&output, 2);
}
