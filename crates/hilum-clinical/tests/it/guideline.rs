//! Rules of guidelines: every shipped row at its boundaries, and what is not known.

use hilum_clinical::guideline::{Guideline, Input, Inputs, Passage, Place, Rules, Site, Treatment, Verdict};
use std::collections::BTreeSet;

use Treatment::{ActiveRemoval, AlphaBlocker, Endourology, Observation, Pcnl, Swl, Urs};

fn guideline(id: &str) -> Guideline {
    let Rules { guidelines, .. } = Rules::shipped().unwrap();
    guidelines.into_iter().find(|guideline| guideline.id == id).unwrap()
}

fn stone(place: Site, diameter_mm: f64) -> Inputs {
    Inputs { place: Some(place), diameter_mm: Some(diameter_mm), ..Inputs::default() }
}

fn uncomplicated(inputs: Inputs) -> Inputs {
    let no = Some(false);
    Inputs { infection: no, uncontrolled_pain: no, reduced_renal_function: no, ..inputs }
}

/// Names of the rules that apply.
fn applying(guideline: &Guideline, inputs: &Inputs) -> Vec<String> {
    let weighed = guideline.weigh(inputs);
    weighed.iter().filter(|one| one.verdict == Verdict::Applies).map(|one| one.rule.id.clone()).collect()
}

fn offered(guideline: &Guideline, rule: &str) -> Vec<Vec<Treatment>> {
    let rule = guideline.rules.iter().find(|one| one.id == rule).unwrap();
    rule.options.clone()
}

/// Every row of a guideline: (stone, rules that apply).
fn rows_hold(guideline: &Guideline, rows: &[(Inputs, &[&str])]) {
    let mut met = BTreeSet::new();
    for (inputs, expected) in rows {
        assert_eq!(applying(guideline, inputs), *expected, "{inputs:?}");
        met.extend(expected.iter().copied());
    }
    let all: BTreeSet<&str> = guideline.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(met, all, "every rule applies in some row");
}

#[test]
fn the_american_rules_hold_at_every_boundary() {
    let aua = guideline("aua-endourology-2016");
    let infected = Inputs { obstruction: Some(true), infection: Some(true), ..Inputs::default() };
    let (watch, block) = ("ureter-up-to-10-mm", "distal-ureter-up-to-10-mm");
    rows_hold(
        &aua,
        &[
            (infected, &["infected-obstruction"]),
            (uncomplicated(stone(Site::ProximalUreter, 10.0)), &[watch]),
            (uncomplicated(stone(Site::Upj, 4.0)), &[watch]),
            (uncomplicated(stone(Site::DistalUreter, 10.0)), &[watch, block]),
            (uncomplicated(stone(Site::Uvj, 2.0)), &[watch, block]),
            (uncomplicated(stone(Site::MidUreter, 10.1)), &["ureter-above-10-mm"]),
            (stone(Site::Ureter, 10.1), &["ureter-above-10-mm"]),
            (stone(Site::DistalUreter, 10.1), &["ureter-above-10-mm", "distal-ureter-above-10-mm"]),
            (stone(Site::RenalPelvis, 20.0), &["kidney-up-to-20-mm"]),
            (stone(Site::UpperPole, 20.1), &["kidney-above-20-mm"]),
            (stone(Site::LowerPole, 9.9), &["lower-pole-below-10-mm"]),
            (stone(Site::LowerPole, 10.0), &["lower-pole-10-to-20-mm"]),
            (stone(Site::LowerPole, 20.0), &["lower-pole-10-to-20-mm"]),
            (stone(Site::LowerPole, 20.1), &["lower-pole-above-20-mm"]),
            (stone(Site::Bladder, 30.0), &[]),
        ],
    );
    assert_eq!(offered(&aua, "ureter-up-to-10-mm"), [[Observation]]);
    assert_eq!(offered(&aua, "distal-ureter-up-to-10-mm"), [[AlphaBlocker]]);
    assert_eq!(offered(&aua, "ureter-above-10-mm"), [[ActiveRemoval]]);
    assert_eq!(offered(&aua, "distal-ureter-above-10-mm"), [[Urs], [Swl]]);
    assert_eq!(offered(&aua, "kidney-up-to-20-mm"), [[Swl, Urs]]);
    assert_eq!(offered(&aua, "kidney-above-20-mm"), [[Pcnl]]);
    assert_eq!(offered(&aua, "lower-pole-10-to-20-mm"), [[Urs, Pcnl]]);
    assert_eq!(offered(&aua, "lower-pole-above-20-mm"), [[Urs, Pcnl]]);
    for rule in ["kidney-above-20-mm", "lower-pole-10-to-20-mm"] {
        assert_eq!(aua.rules.iter().find(|one| one.id == rule).unwrap().against, [Swl]);
    }
}

#[test]
fn the_european_rules_hold_at_every_boundary() {
    let eau = guideline("eau-2020");
    let pole = |diameter, hu, skin, anatomy| Inputs {
        hu_mean: hu,
        skin_to_stone_mm: skin,
        unfavourable_anatomy: anatomy,
        ..stone(Site::LowerPole, diameter)
    };
    let silent = |place, diameter| Inputs { symptoms: Some(false), ..stone(place, diameter) };
    rows_hold(
        &eau,
        &[
            (uncomplicated(stone(Site::DistalUreter, 5.0)), &[]),
            (uncomplicated(stone(Site::DistalUreter, 5.1)), &["distal-ureter-above-5-mm"]),
            (stone(Site::ProximalUreter, 6.0), &[]),
            (stone(Site::ProximalUreter, 6.1), &["ureter-above-6-mm", "ureter-6-to-10-mm"]),
            (stone(Site::MidUreter, 9.9), &["ureter-above-6-mm", "ureter-6-to-10-mm"]),
            (stone(Site::Uvj, 10.0), &["ureter-above-6-mm", "ureter-from-10-mm"]),
            (stone(Site::MidKidney, 9.9), &["kidney-below-10-mm"]),
            (stone(Site::MidKidney, 10.0), &["kidney-10-to-20-mm"]),
            (stone(Site::MidKidney, 20.0), &["kidney-10-to-20-mm"]),
            (stone(Site::MidKidney, 20.1), &["kidney-above-20-mm"]),
            (stone(Site::LowerPole, 9.9), &["lower-pole-below-10-mm"]),
            (pole(10.0, Some(1000.0), Some(100.0), Some(false)), &["lower-pole-10-to-20-mm-favourable"]),
            (pole(20.0, Some(1000.1), Some(90.0), Some(false)), &["lower-pole-10-to-20-mm-dense", "dense"]),
            (pole(15.0, Some(800.0), Some(100.1), Some(false)), &["lower-pole-10-to-20-mm-far-from-skin"]),
            (pole(15.0, Some(800.0), Some(90.0), Some(true)), &["lower-pole-10-to-20-mm-anatomy"]),
            (stone(Site::LowerPole, 20.1), &["lower-pole-above-20-mm"]),
            (silent(Site::Kidney, 15.0), &[]),
            (silent(Site::Kidney, 15.1), &["asymptomatic-above-15-mm"]),
            (Inputs { pregnancy: Some(true), ..Inputs::default() }, &["swl-pregnancy"]),
            (Inputs { anticoagulation: Some(true), ..Inputs::default() }, &["swl-bleeding"]),
            (Inputs { infection: Some(true), ..Inputs::default() }, &["swl-infection"]),
            (Inputs { aortic_aneurysm: Some(true), ..Inputs::default() }, &["swl-aneurysm"]),
        ],
    );
    for rule in ["swl-pregnancy", "swl-bleeding", "swl-infection", "swl-aneurysm"] {
        assert_eq!(eau.rules.iter().find(|one| one.id == rule).unwrap().against, [Swl]);
    }
    assert_eq!(offered(&eau, "ureter-6-to-10-mm"), [[Swl, Urs]]);
    assert_eq!(offered(&eau, "ureter-from-10-mm"), [[Urs], [Swl]]);
    assert_eq!(offered(&eau, "kidney-below-10-mm"), [vec![Swl, Urs], vec![Pcnl]]);
    assert_eq!(offered(&eau, "kidney-10-to-20-mm"), [[Swl, Urs, Pcnl]]);
    assert_eq!(offered(&eau, "kidney-above-20-mm"), [[Pcnl]]);
    assert_eq!(offered(&eau, "lower-pole-10-to-20-mm-favourable"), [[Swl, Endourology]]);
    assert_eq!(offered(&eau, "lower-pole-10-to-20-mm-dense"), [[Endourology]]);
    assert_eq!(offered(&eau, "lower-pole-above-20-mm"), [[Pcnl]]);
}

#[test]
fn single_studies_hold_at_every_boundary() {
    let studies = guideline("studies");
    let dense = |hu, skin| Inputs { hu_mean: Some(hu), skin_to_stone_mm: skin, ..Inputs::default() };
    rows_hold(
        &studies,
        &[
            (dense(934.0, Some(99.0)), &["swl-favourable"]),
            (dense(934.1, Some(99.0)), &[]),
            (dense(934.0, Some(99.1)), &[]),
            (dense(950.0, Some(100.1)), &["swl-far-from-skin"]),
            (dense(499.9, None), &["uric-acid"]),
            (dense(500.0, None), &[]),
        ],
    );
}

#[test]
fn what_is_not_known_is_missing_and_never_no() {
    let aua = guideline("aua-endourology-2016");
    let weighed = aua.weigh(&stone(Site::MidUreter, 6.0));
    let watch = weighed.iter().find(|one| one.rule.id == "ureter-up-to-10-mm").unwrap();
    assert_eq!(watch.verdict, Verdict::NotDetermined);
    assert_eq!(watch.missing, [Input::Infection, Input::UncontrolledPain, Input::ReducedRenalFunction]);
    assert_eq!(watch.used, [Input::Place, Input::DiameterMm]);
    let urgent = weighed.iter().find(|one| one.rule.id == "infected-obstruction").unwrap();
    assert_eq!((urgent.verdict, urgent.missing.len()), (Verdict::NotDetermined, 2));
    // One thing that is otherwise decides, whatever else is not known.
    let removal = weighed.iter().find(|one| one.rule.id == "ureter-above-10-mm").unwrap();
    assert_eq!(removal.verdict, Verdict::DoesNotApply);
    // A pole that is not determined leaves both rows open; a stone of the ureter is in neither.
    let eau = guideline("eau-2020");
    let open = |inputs: &Inputs| -> Vec<String> {
        let weighed = eau.weigh(inputs);
        let open =
            weighed.iter().filter(|one| one.verdict == Verdict::NotDetermined && one.missing.contains(&Input::Place));
        open.map(|one| one.rule.id.clone()).collect()
    };
    assert_eq!(open(&stone(Site::Kidney, 8.0)), ["kidney-below-10-mm", "lower-pole-below-10-mm"]);
    assert_eq!(open(&stone(Site::Uvj, 8.0)), [""; 0]);
    // A measurement that failed is not known.
    let failed = eau.weigh(&stone(Site::MidUreter, f64::NAN));
    assert!(failed.iter().all(|one| one.verdict != Verdict::Applies));
}

#[test]
fn the_chance_of_passing_is_told_by_every_source_that_knows_such_a_stone() {
    let Rules { passage, .. } = Rules::shipped().unwrap();
    let told = |inputs: &Inputs| -> Vec<(String, f64)> {
        passage.chances(inputs).iter().map(|chance| (chance.source.clone(), chance.percent)).collect()
    };
    let chance = |source: &str, percent: f64| (source.to_owned(), percent);
    let small = Inputs { width_mm: Some(3.0), ..stone(Site::Uvj, 4.0) };
    assert_eq!(
        told(&small),
        [
            chance("eau-aua-2007", 68.0),
            chance("coll-2002-size", 76.0),
            chance("coll-2002-place", 79.0),
            chance("jendeberg-2017", 98.0)
        ]
    );
    for (diameter, size, panel) in [
        (1.9, 87.0, Some(68.0)),
        (2.0, 76.0, Some(68.0)),
        (4.9, 76.0, Some(68.0)),
        (5.0, 60.0, Some(68.0)),
        (5.1, 60.0, Some(47.0)),
        (6.9, 60.0, Some(47.0)),
        (7.0, 48.0, Some(47.0)),
        (9.0, 48.0, Some(47.0)),
        (9.1, 25.0, Some(47.0)),
        (10.0, 25.0, Some(47.0)),
        (10.1, 25.0, None),
    ] {
        let mut expected: Vec<_> = panel.map(|percent| chance("eau-aua-2007", percent)).into_iter().collect();
        expected.extend([chance("coll-2002-size", size), chance("coll-2002-place", 60.0)]);
        assert_eq!(told(&stone(Site::MidUreter, diameter)), expected, "{diameter} mm");
    }
    for (width, percent) in [(3.4, 98.0), (3.5, 81.0), (4.5, 65.0), (5.5, 33.0), (6.4, 33.0), (6.5, 9.0), (12.0, 9.0)] {
        let inputs = Inputs { width_mm: Some(width), place: Some(Site::Ureter), ..Inputs::default() };
        assert_eq!(told(&inputs), [chance("jendeberg-2017", percent)], "{width} mm");
    }
    assert_eq!(told(&stone(Site::DistalUreter, 8.0))[2], chance("coll-2002-place", 75.0));
    assert_eq!(told(&stone(Site::Upj, 8.0))[2], chance("coll-2002-place", 48.0));
    // They speak of the ureter alone.
    assert!(told(&stone(Site::LowerPole, 4.0)).is_empty());
    assert!(told(&Inputs { diameter_mm: Some(4.0), ..Inputs::default() }).is_empty());
    // Where the panel gives an interval, it is told too.
    assert_eq!(passage.chances(&small)[0].range, Some([46.0, 85.0]));
}

#[test]
fn no_stone_belongs_to_two_rows_of_a_source() {
    let Rules { passage, .. } = Rules::shipped().unwrap();
    for source in &passage.sources {
        for tenth in 0..200 {
            let mm = f64::from(tenth) / 10.0;
            let held = |row: &&hilum_clinical::guideline::Row| {
                row.diameter_mm.or(row.width_mm).is_some_and(|range| range.holds(mm))
            };
            assert!(source.rows.iter().filter(held).count() <= 1, "{}: {mm} mm", source.id);
        }
    }
}

#[test]
fn every_place_is_known_of_every_site_that_is_fine_enough() {
    use Site::{
        Bladder, DistalUreter, Kidney, LowerPole, MidKidney, MidUreter, ProximalUreter, RenalPelvis, Upj, UpperPole,
        Ureter, Uvj,
    };
    let fine =
        [UpperPole, MidKidney, LowerPole, RenalPelvis, Upj, ProximalUreter, MidUreter, DistalUreter, Uvj, Bladder];
    let within = |place: Place| -> Vec<Site> { fine.into_iter().filter(|site| place.holds(*site).unwrap()).collect() };
    assert_eq!(within(Place::Kidney), [UpperPole, MidKidney, LowerPole, RenalPelvis]);
    assert_eq!(within(Place::KidneyNotLowerPole), [UpperPole, MidKidney, RenalPelvis]);
    assert_eq!(within(Place::LowerPole), [LowerPole]);
    assert_eq!(within(Place::Ureter), [Upj, ProximalUreter, MidUreter, DistalUreter, Uvj]);
    assert_eq!(within(Place::ProximalUreter), [Upj, ProximalUreter]);
    assert_eq!(within(Place::MidUreter), [MidUreter]);
    assert_eq!(within(Place::DistalUreter), [DistalUreter, Uvj]);
    assert_eq!(within(Place::DistalUreterAboveUvj), [DistalUreter]);
    assert_eq!(within(Place::Uvj), [Uvj]);
    let coarse = |place: Place| (place.holds(Kidney), place.holds(Ureter));
    assert_eq!(coarse(Place::Kidney), (Some(true), Some(false)));
    assert_eq!(coarse(Place::LowerPole), (None, Some(false)));
    assert_eq!(coarse(Place::KidneyNotLowerPole), (None, Some(false)));
    assert_eq!(coarse(Place::Ureter), (Some(false), Some(true)));
    for place in [Place::ProximalUreter, Place::MidUreter, Place::DistalUreter, Place::DistalUreterAboveUvj, Place::Uvj]
    {
        assert_eq!(coarse(place), (Some(false), None));
    }
}

#[test]
fn a_file_that_cannot_be_meant_is_refused_by_the_name_of_its_rule() {
    let file = |rule: &str| {
        format!(
            "id = \"own\"\nversion = 1\ntitle = \"t\"\nedition = \"e\"\ncitation = \"c\"\nvalues_from = \"v\"\n[[rule]]\nid = \"one\"\ntopic = \"removal\"\n{rule}"
        )
    };
    let good = "when = { place = \"ureter\", diameter_mm = { above = 6 } }\noptions = [[\"urs\"]]\n";
    assert!(Guideline::read(&file(good)).is_ok());
    for (rule, said) in [
        ("when = {}\noptions = [[\"urs\"]]", "asks for nothing"),
        ("when = { diameter_mm = {} }\noptions = [[\"urs\"]]", "holds no number, or all"),
        ("when = { diameter_mm = { above = 10, at_most = 10 } }\noptions = [[\"urs\"]]", "holds no number, or all"),
        ("when = { diameter_mm = { above = nan } }\noptions = [[\"urs\"]]", "holds no number, or all"),
        ("when = { infection = true }\noptions = []", "offers nothing"),
        ("when = { infection = true }\noptions = [[]]", "offers nothing"),
        ("when = { infektion = true }\noptions = [[\"urs\"]]", "infektion"),
        ("when = { infection = true }\noptions = [[\"surgery\"]]", "surgery"),
        (
            &format!("{good}[[rule]]\nid = \"one\"\ntopic = \"removal\"\n{good}"),
            "another rule of the file has this name",
        ),
    ] {
        let refused = Guideline::read(&file(rule)).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    let passage = |row: &str| {
        format!("version = 1\nvalues_from = \"v\"\n[[source]]\nid = \"s\"\ncitation = \"c\"\nrows = [{row}]\n")
    };
    assert!(Passage::read(&passage("{ width_mm = { below = 3 }, percent = 98 }")).is_ok());
    for row in [
        "{ percent = 98 }",
        "{ width_mm = { below = 3 }, percent = 101 }",
        "{ width_mm = { below = 3 }, percent = 50, range = [60, 70] }",
        "{ width_mm = { below = 3, above = 4 }, percent = 50 }",
    ] {
        assert!(Passage::read(&passage(row)).is_err(), "{row}");
    }
}
