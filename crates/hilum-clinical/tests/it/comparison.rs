//! Two studies of one patient: the same stone? grown? passed?

use hilum_clinical::guideline::{Rules, Site};
use hilum_clinical::message::{Language, Message};
use hilum_clinical::report::{
    AddedStone, Change, Comparison, Conclusion, FindingVerdict, JudgedFinding, Review, StoneEdits, StonePresent,
    UrinaryStoneReport, build, compare,
};
use hilum_clinical::urinary_stone::{BodyPosition, Interval, Side, Stone, TractPart};

use crate::report::inputs;

/// A stone of the patient's left unless said otherwise: part, diameter, distance from the midline and height over the iliac crests (mm).
fn stone(number: u32, part: TractPart, diameter: f64, [left, above]: [f64; 2]) -> Stone {
    let position = BodyPosition {
        left_of_midline_mm: left,
        behind_vertebra_mm: Some(0.0),
        above_iliac_crest_mm: Some(above),
        above_hip_mm: Some(above + 118.0),
        above_lung_base_mm: None,
    };
    Stone {
        number,
        part,
        side: if left > 0.0 { Side::Left } else { Side::Right },
        position: Some(position),
        largest_diameter_mm: Some(diameter),
        largest_diameter_interval_mm: Some(Interval { low: diameter - 0.5, high: diameter + 0.5 }),
        ..inputs().stones[0].clone()
    }
}

fn compared(now: &[Stone], then: Vec<Stone>, not_looked_at: &[Message]) -> Comparison {
    let mut earlier = build(inputs());
    earlier.stones = then;
    compare(now, not_looked_at, &earlier).expect("the earlier study was assessed")
}

/// Of each stone now: number of the one that it was, and what changed.
fn pairs(comparison: &Comparison) -> Vec<(Option<u32>, Change)> {
    comparison.stones.iter().map(|one| (one.earlier.as_ref().map(|earlier| earlier.number), one.change)).collect()
}

const KIDNEY: TractPart = TractPart::Kidney;
const URETER: TractPart = TractPart::Ureter;

#[test]
fn a_stone_is_found_again_by_its_place_and_its_change_counts_only_beyond_both_uncertainties() {
    let then = vec![stone(1, KIDNEY, 8.0, [60.0, 100.0]), stone(2, KIDNEY, 5.0, [55.0, 130.0])];
    // Breathing moved the kidney by 20 mm, and the report numbers them the other way round.
    let now = [stone(1, KIDNEY, 8.6, [58.0, 80.0]), stone(2, KIDNEY, 6.5, [55.0, 112.0])];
    let comparison = compared(&now, then.clone(), &[]);
    assert_eq!(pairs(&comparison), [(Some(1), Change::Unchanged), (Some(2), Change::Grown)]);
    let grown = comparison.stones[1].diameter_change_mm.expect("two diameters");
    assert!((grown - 1.5).abs() < 1e-9, "{grown}");
    assert!(comparison.gone.is_empty() && comparison.stones.iter().all(|one| one.descended_mm.is_none()));

    let shrunk = [stone(1, KIDNEY, 7.0, [60.0, 100.0])];
    assert_eq!(pairs(&compared(&shrunk, then[..1].to_vec(), &[])), [(Some(1), Change::Smaller)]);
    let unmeasured = [Stone { largest_diameter_interval_mm: None, ..shrunk[0].clone() }];
    assert_eq!(pairs(&compared(&unmeasured, then[..1].to_vec(), &[])), [(Some(1), Change::NotComparable)]);
}

#[test]
fn a_stone_that_went_down_is_the_same_and_one_that_would_have_gone_up_is_new() {
    let kidney = || stone(1, KIDNEY, 5.0, [60.0, 100.0]);
    let distal = || stone(1, URETER, 5.2, [30.0, -80.0]);
    let down = compared(&[distal()], vec![kidney()], &[]);
    assert_eq!(pairs(&down), [(Some(1), Change::Unchanged)]);
    assert!((down.stones[0].descended_mm.expect("it went down") - 180.0).abs() < 1e-9);
    let up = compared(&[kidney()], vec![distal()], &[]);
    assert_eq!(pairs(&up), [(None, Change::New)]);
    assert_eq!(up.gone.len(), 1);
}

#[test]
fn a_stone_of_the_other_side_or_of_twice_the_size_elsewhere_is_another_one() {
    let then = vec![stone(1, KIDNEY, 6.0, [60.0, 100.0])];
    assert_eq!(pairs(&compared(&[stone(1, KIDNEY, 6.0, [-60.0, 100.0])], then.clone(), &[])), [(None, Change::New)]);
    // 60 mm apart in one kidney are two stones, however alike.
    assert_eq!(pairs(&compared(&[stone(1, KIDNEY, 6.0, [60.0, 160.0])], then.clone(), &[])), [(None, Change::New)]);
    // Of two candidates the nearer and more alike is the one.
    let now = [stone(1, KIDNEY, 14.0, [62.0, 98.0]), stone(2, KIDNEY, 6.2, [50.0, 90.0])];
    assert_eq!(pairs(&compared(&now, then, &[])), [(None, Change::New), (Some(1), Change::Unchanged)]);
}

#[test]
fn a_stone_that_is_gone_passed_only_where_its_place_was_looked_at() {
    let then = vec![stone(1, URETER, 5.0, [30.0, -80.0])];
    assert!(compared(&[], then.clone(), &[]).gone[0].looked_at);
    assert!(compared(&[], then.clone(), &[Message::NotInScan(URETER, Side::Right)]).gone[0].looked_at);
    for message in [Message::NotInScan(URETER, Side::Left), Message::PartlyInScan(URETER, Side::Left)] {
        assert!(!compared(&[], then.clone(), &[message]).gone[0].looked_at);
    }
}

#[test]
fn changes_are_told_in_both_languages() {
    let then = vec![stone(1, KIDNEY, 5.0, [60.0, 100.0]), stone(2, URETER, 4.0, [-30.0, -60.0])];
    let now = [stone(1, URETER, 6.5, [30.0, -80.0]), stone(2, KIDNEY, 3.0, [-60.0, 120.0])];
    let comparison = compared(&now, then, &[]);
    assert_eq!(
        comparison.lines(Language::English),
        [
            "Stone 1: the same as stone 1 (left kidney, 5.0 mm) of 2024-03-05; grown by 1.5 mm, 180 mm further down.",
            "Stone 2: new since 2024-03-05.",
            "Not seen any more: stone 2 (right ureter, 4.0 mm) of 2024-03-05 (passed, removed or missed).",
        ]
    );
    assert_eq!(
        comparison.lines(Language::Korean),
        [
            "결석 1: 2024-03-05의 결석 1(좌측 신장, 5.0 mm)과 동일, 1.5 mm 커짐, 180 mm 아래로 이동.",
            "결석 2: 2024-03-05 이후 새로 보임.",
            "더 이상 보이지 않음: 2024-03-05의 결석 2(우측 요관, 4.0 mm) (배출, 제거 또는 미검출).",
        ]
    );
}

#[test]
fn without_a_landmark_that_both_scans_show_no_stone_is_called_the_same() {
    let then = stone(1, KIDNEY, 5.0, [60.0, 100.0]);
    let hidden = |stone: Stone| {
        let position =
            BodyPosition { above_iliac_crest_mm: None, above_hip_mm: None, ..stone.position.expect("a place") };
        Stone { position: Some(position), ..stone }
    };
    let comparison = compared(&[hidden(then.clone())], vec![then.clone()], &[]);
    assert_eq!(pairs(&comparison), [(None, Change::New)]);
    // The hips will do where the crests are not in one of them.
    let lower = BodyPosition { above_iliac_crest_mm: None, ..then.position.expect("a place") };
    let comparison = compared(&[Stone { position: Some(lower), ..then.clone() }], vec![then], &[]);
    assert_eq!(pairs(&comparison), [(Some(1), Change::Unchanged)]);
}

#[test]
fn an_earlier_study_that_was_not_assessed_is_no_comparison_and_a_refused_one_compares_nothing() {
    let mut earlier = build(inputs());
    let with = |earlier| build(hilum_clinical::report::ReportInputs { earlier: Some(earlier), ..inputs() });
    assert_eq!(with(earlier.clone()).comparison.expect("a comparison").report_version, earlier.version);
    let refused = hilum_clinical::report::ReportInputs {
        earlier: Some(earlier.clone()),
        refusal: Some(Message::RefusedGeometry),
        ..inputs()
    };
    assert_eq!(build(refused).comparison, None);
    earlier.result.stone_present = StonePresent::NotAssessed;
    assert_eq!(with(earlier).comparison, None);
}

/// `report` as a physician leaves it who says so of its findings and adds one stone.
fn judged(report: &UrinaryStoneReport, verdicts: &[(u32, FindingVerdict, StoneEdits)]) -> UrinaryStoneReport {
    let (by, at) = ("Kim Minji".to_owned(), "2026-11-26T08:00:00Z".to_owned());
    let finding = |(number, verdict, edits): &(u32, FindingVerdict, StoneEdits)| JudgedFinding {
        number: *number,
        verdict: *verdict,
        edits: *edits,
        comment: String::new(),
        by: by.clone(),
        at: at.clone(),
    };
    let stated = StoneEdits { side: Some(Side::Left), site: Some(Site::Uvj), largest_diameter_mm: Some(3.0) };
    let added = AddedStone { number: 9, stated, comment: String::new(), by: by.clone(), at: at.clone() };
    let review =
        Review::new(report.version, verdicts.iter().map(finding).collect(), vec![added], Conclusion::default());
    report.reviewed(report.version + 1, at.clone(), review, None, &Rules::shipped().expect("the rules of this program"))
}

#[test]
fn what_a_physician_said_of_the_earlier_study_counts_before_what_the_model_said() {
    let mut earlier = build(inputs());
    earlier.stones = vec![
        stone(1, KIDNEY, 8.0, [60.0, 100.0]),
        stone(2, KIDNEY, 5.0, [55.0, 130.0]),
        stone(3, URETER, 4.0, [30.0, -60.0]),
    ];
    let larger = StoneEdits { largest_diameter_mm: Some(9.0), ..StoneEdits::default() };
    let signed = judged(
        &earlier,
        &[
            (1, FindingVerdict::Edited, larger),
            (2, FindingVerdict::Rejected, StoneEdits::default()),
            (3, FindingVerdict::Accepted, StoneEdits::default()),
        ],
    );
    let now = [stone(1, KIDNEY, 8.0, [60.0, 100.0]), stone(2, KIDNEY, 5.0, [55.0, 130.0])];
    let comparison = compare(&now, &[], &signed).expect("the earlier study was assessed");
    // The first has a diameter without an interval now; the second is no stone of then; the third is gone.
    assert_eq!(pairs(&comparison), [(Some(1), Change::NotComparable), (None, Change::New)]);
    assert_eq!(comparison.stones[0].diameter_change_mm, Some(-1.0));
    assert_eq!(comparison.gone.iter().map(|one| one.earlier.number).collect::<Vec<_>>(), [3]);
    assert_eq!(comparison.without_place.iter().map(|one| (one.number, one.part)).collect::<Vec<_>>(), [(9, URETER)]);
    let lines = comparison.lines(Language::English);
    assert_eq!(
        lines.last().expect("a line"),
        "Not compared: stone 9 (left ureter, 3.0 mm) of 2024-03-05 was added by the physician, without a marked place."
    );
}

#[test]
fn what_a_physician_rejects_or_states_otherwise_changes_what_is_said_of_the_earlier_study() {
    let mut earlier = build(inputs());
    earlier.stones = vec![stone(1, KIDNEY, 8.0, [60.0, 100.0]), stone(2, URETER, 5.0, [30.0, -60.0])];
    let mut report = build(inputs());
    report.stones = vec![stone(1, KIDNEY, 8.0, [60.0, 100.0]), stone(2, URETER, 5.0, [30.0, -60.0])];
    report.comparison = compare(&report.stones, &[], &earlier);
    let smaller = StoneEdits { largest_diameter_mm: Some(6.5), site: Some(Site::LowerPole), ..StoneEdits::default() };
    let signed =
        judged(&report, &[(1, FindingVerdict::Edited, smaller), (2, FindingVerdict::Rejected, StoneEdits::default())]);
    let shown = signed.comparison_as_judged().expect("a comparison");
    assert_eq!(pairs(&shown), [(Some(1), Change::NotComparable)]);
    assert_eq!(shown.stones[0].diameter_change_mm, Some(-1.5));
    assert_eq!(shown.gone.iter().map(|one| one.earlier.number).collect::<Vec<_>>(), [2]);
    // What was found stays in the document, so that an amendment can take the rejection back.
    assert_eq!(signed.comparison, report.comparison);
    assert_eq!(report.comparison_as_judged(), report.comparison);
    // Options are those of the stones that are left, where the physician has them.
    let of: Vec<(u32, Option<Site>)> = signed.options.stones.iter().map(|one| (one.stone, one.known.place)).collect();
    assert_eq!(of, [(1, Some(Site::LowerPole))]);
    assert_eq!(signed.options.stones[0].known.diameter_mm, Some(6.5));
}
