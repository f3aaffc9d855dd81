//! Scores of a kidney's stones: every row at its boundaries, and what is not known against every way it could be.

use hilum_clinical::guideline::{Input, Inputs, Rules, Score, Scores, Site};
use hilum_clinical::report::{Patient, options};
use hilum_clinical::urinary_stone::{Side, Stone, TractPart};

fn score(id: &str) -> Score {
    let Scores { scores, .. } = Rules::shipped().unwrap().scores;
    scores.into_iter().find(|score| score.id == id).unwrap()
}

/// A stone of a kidney; which part of it was not determined.
fn of_kidney(number: u32, side: Side, largest_diameter_mm: f64, width_mm: Option<f64>) -> Stone {
    let any = crate::report::inputs().stones.remove(0);
    let (part, site, largest_diameter_mm) = (TractPart::Kidney, None, Some(largest_diameter_mm));
    Stone { number, side, part, site, largest_diameter_mm, width_mm, skin_to_stone_mm: None, ..any }
}

/// A kidney of which everything is known that the first score asks for.
fn easy() -> Inputs {
    Inputs {
        area_mm2: Some(100.0),
        skin_to_stone_mm: Some(80.0),
        moderate_hydronephrosis: Some(false),
        three_calyces: Some(false),
        staghorn: Some(false),
        hu_mean: Some(600.0),
        ..Inputs::default()
    }
}

#[test]
fn the_stone_score_holds_at_every_boundary() {
    let stone = score("stone-nephrolithometry");
    let rows: [(Inputs, u32); 16] = [
        (easy(), 5),
        (Inputs { area_mm2: Some(399.9), ..easy() }, 5),
        (Inputs { area_mm2: Some(400.0), ..easy() }, 6),
        (Inputs { area_mm2: Some(799.9), ..easy() }, 6),
        (Inputs { area_mm2: Some(800.0), ..easy() }, 7),
        (Inputs { area_mm2: Some(1599.9), ..easy() }, 7),
        (Inputs { area_mm2: Some(1600.0), ..easy() }, 8),
        (Inputs { skin_to_stone_mm: Some(100.0), ..easy() }, 5),
        (Inputs { skin_to_stone_mm: Some(100.1), ..easy() }, 6),
        (Inputs { moderate_hydronephrosis: Some(true), ..easy() }, 6),
        (Inputs { three_calyces: Some(true), ..easy() }, 6),
        (Inputs { staghorn: Some(true), ..easy() }, 7),
        (Inputs { staghorn: Some(true), three_calyces: Some(true), ..easy() }, 7),
        (Inputs { hu_mean: Some(950.0), ..easy() }, 5),
        (Inputs { hu_mean: Some(950.1), ..easy() }, 6),
        (
            Inputs {
                area_mm2: Some(2000.0),
                skin_to_stone_mm: Some(120.0),
                moderate_hydronephrosis: Some(true),
                staghorn: Some(true),
                hu_mean: Some(1300.0),
                ..Inputs::default()
            },
            13,
        ),
    ];
    for (inputs, points) in rows {
        let scored = stone.of(&inputs).unwrap();
        assert_eq!(scored.points, [points; 2], "{inputs:?}");
        assert_eq!((scored.scale, scored.missing.len()), ([5, 13], 0));
    }
    let free = |points: u32| {
        // One item after the other raised, until the sum is reached.
        let mut inputs = easy();
        inputs.area_mm2 = Some([100.0, 400.0, 800.0, 1600.0][(points - 5).min(3) as usize]);
        inputs.skin_to_stone_mm = Some(if points > 8 { 120.0 } else { 80.0 });
        inputs.moderate_hydronephrosis = Some(points > 9);
        inputs.three_calyces = Some(points > 10);
        inputs.staghorn = Some(points > 11);
        inputs.hu_mean = Some(if points > 12 { 1200.0 } else { 600.0 });
        let scored = stone.of(&inputs).unwrap();
        assert_eq!(scored.points, [points; 2]);
        scored.stone_free_percent.unwrap()
    };
    let told: Vec<[f64; 2]> = (5..=13).map(free).collect();
    let [once, twice] = [[94.0; 2], [88.0, 92.0]];
    assert_eq!(told, [once, twice, twice, [83.0; 2], [64.0; 2], [42.0; 2], [27.0; 2], [27.0; 2], [27.0; 2]]);
}

#[test]
fn what_is_not_known_gives_a_least_and_a_most() {
    let stone = score("stone-nephrolithometry");
    let from_the_scan = Inputs { moderate_hydronephrosis: None, three_calyces: None, staghorn: None, ..easy() };
    let scored = stone.of(&from_the_scan).unwrap();
    assert_eq!(scored.points, [5, 8]);
    assert_eq!(scored.missing, [Input::ModerateHydronephrosis, Input::Staghorn, Input::ThreeCalyces]);
    assert_eq!(scored.stone_free_percent, Some([83.0, 94.0]));
    // A complete staghorn decides its item; that the calyces were not counted is no gap any more.
    let staghorn = Inputs { staghorn: Some(true), ..from_the_scan };
    assert_eq!(stone.of(&staghorn).unwrap().missing, [Input::ModerateHydronephrosis]);
    assert_eq!(stone.of(&Inputs::default()).unwrap().points, [5, 13]);
}

/// The grade as Thomas 2011 defines it, said once more.
fn guys_grade(of: [bool; 5], stones: u32, upper_pole: bool) -> u32 {
    let [staghorn, spinal, partial, diverticulum, abnormal] = of;
    let several = stones > 1;
    match () {
        () if staghorn || spinal => 4,
        () if partial || diverticulum || several && abnormal => 3,
        () if several || abnormal || upper_pole => 2,
        () => 1,
    }
}

#[test]
fn guys_score_spans_exactly_the_grades_that_are_possible() {
    let guys = score("guys-stone-score");
    let states = [Some(true), Some(false), None];
    let could_be = |state: Option<bool>| state.map_or_else(|| vec![true, false], |known| vec![known]);
    for code in 0..3_usize.pow(5) {
        let known: [Option<bool>; 5] = std::array::from_fn(|n| states[code / 3_usize.pow(n as u32) % 3]);
        for stones in [1, 2, 5] {
            for (place, upper) in [
                (Some(Site::UpperPole), vec![true]),
                (Some(Site::LowerPole), vec![false]),
                (Some(Site::RenalPelvis), vec![false]),
                (Some(Site::Kidney), vec![true, false]),
                (None, vec![true, false]),
            ] {
                let mut grades = Vec::new();
                for truth in 0..32_u32 {
                    let truth: [bool; 5] = std::array::from_fn(|n| truth >> n & 1 == 1);
                    if truth.iter().zip(known).all(|(is, known)| could_be(known).contains(is)) {
                        grades.extend(upper.iter().map(|upper| guys_grade(truth, stones, *upper)));
                    }
                }
                let [staghorn, spinal, partial, diverticulum, abnormal] = known;
                let inputs = Inputs {
                    staghorn,
                    spinal_malformation: spinal,
                    partial_staghorn: partial,
                    calyceal_diverticulum: diverticulum,
                    abnormal_anatomy: abnormal,
                    stones: Some(f64::from(stones)),
                    place,
                    ..Inputs::default()
                };
                let scored = guys.of(&inputs).unwrap();
                let expected = [*grades.iter().min().unwrap(), *grades.iter().max().unwrap()];
                assert_eq!(scored.points, expected, "{inputs:?}");
                assert_eq!(scored.missing.is_empty(), expected[0] == expected[1], "{inputs:?}");
                let success = [95.2, 79.5, 59.5, 40.7];
                let [least, most] = expected.map(|grade| success[grade as usize - 1]);
                assert_eq!(scored.stone_free_percent, Some([most, least]));
            }
        }
    }
}

#[test]
fn each_kidney_with_stones_is_scored_and_what_the_scan_rules_out_is_not_asked() {
    let rules = Rules::shipped().unwrap();
    let stones = [
        of_kidney(1, Side::Left, 8.0, Some(5.0)),
        of_kidney(2, Side::Right, 24.0, Some(18.0)),
        of_kidney(3, Side::Right, 6.0, Some(4.0)),
        of_kidney(4, Side::Unknown, 5.0, Some(4.0)),
    ];
    let told = Inputs { moderate_hydronephrosis: Some(false), ..Inputs::default() };
    let given = options(&rules, &stones, &Patient::default(), &told, &[]);
    let kidneys: Vec<(Side, Vec<u32>)> = given.kidneys.iter().map(|one| (one.side, one.stones.clone())).collect();
    assert_eq!(kidneys, [(Side::Right, vec![2, 3]), (Side::Left, vec![1])]);
    let right = &given.kidneys[0].known;
    assert_eq!((right.stones, right.area_mm2), (Some(2.0), Some(24.0 * 18.0 + 6.0 * 4.0)));
    assert_eq!((right.place, right.staghorn, right.three_calyces), (None, None, None));
    let left = &given.kidneys[1];
    assert_eq!((left.known.staghorn, left.known.three_calyces), (Some(false), Some(false)));
    assert_eq!(left.scores[0].points, [5, 6], "its tract was not measured");
    assert_eq!(left.scores[0].missing, [Input::SkinToStoneMm]);
    assert!(given.sources.iter().any(|source| source.id == "guys-stone-score"));
    // What a physician says counts before what sizes suggest.
    let told = Inputs { three_calyces: Some(true), ..told };
    let given = options(&rules, &stones, &Patient::default(), &told, &[]);
    assert_eq!(given.kidneys[1].known.three_calyces, Some(true));
    // A width that was not measured leaves the area open.
    let unmeasured = options(&rules, &[of_kidney(1, Side::Left, 8.0, None)], &Patient::default(), &told, &[]);
    assert_eq!(unmeasured.kidneys[0].known.area_mm2, None);
    // A site's own rules may have none.
    let none = Rules { scores: Scores::default(), ..rules };
    let given = options(&none, &stones, &Patient::default(), &told, &[]);
    assert!(given.kidneys.is_empty() && !given.sources.iter().any(|source| source.id == "guys-stone-score"));
}

#[test]
fn a_file_of_scores_that_cannot_be_meant_is_refused_by_the_name_of_its_score() {
    let file = |item: &str, outcome: &str| {
        format!(
            "version = 1\nvalues_from = \"v\"\n[[score]]\nid = \"own\"\ntitle = \"t\"\ncitation = \"c\"\noutcome_citation = \"o\"\noutcomes = [{outcome}]\n{item}"
        )
    };
    let item = "[[score.item]]\nid = \"one\"\nrows = [{ when = { staghorn = true }, points = 2 }]\n";
    assert!(Scores::read(&file(item, "{ points = { at_most = 3 }, percent = 50 }")).is_ok());
    for (item, outcome, said) in [
        ("item = []", "", "without rows"),
        ("[[score.item]]\nid = \"one\"\nrows = []", "", "without rows"),
        ("[[score.item]]\nid = \"one\"\nrows = [{ when = {}, points = 2 }]", "", "for everybody"),
        ("[[score.item]]\nid = \"one\"\nrows = [{ when = { area_mm2 = {} }, points = 2 }]", "", "for nobody"),
        (item, "{ points = {}, percent = 50 }", "outcome"),
        (item, "{ points = { at_most = 3 }, percent = 101 }", "outcome"),
        (item, "{ points = { at_most = 3 }, percent = 50, range = [60, 70] }", "outcome"),
        ("[[score.item]]\nid = \"one\"\nrows = [{ when = { stag = true }, points = 2 }]", "", "stag"),
    ] {
        let refused = Scores::read(&file(item, outcome)).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    let twice =
        file(item, "") + &file(item, "").split_once("[[score]]").map(|(_, rest)| format!("[[score]]{rest}")).unwrap();
    assert!(Scores::read(&twice).unwrap_err().to_string().contains("another score"));
}
