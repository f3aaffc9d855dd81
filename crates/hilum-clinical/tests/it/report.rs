use hilum_clinical::guideline::{Input, Inputs, Rules, Verdict};
use hilum_clinical::message::Message;
use hilum_clinical::report::{
    Date, GuidelineOptions, ModelProvenance, Name, Patient, ReportInputs, SeriesNotChosen, SeriesRead, Sex,
    SliceFinding, SliceInput, StonePresent, Study, build,
};
use hilum_clinical::urinary_stone::{Candidate, CandidateVoxel, Side, Stone, TractPart, TractReference, measure};
use hilum_clinical::{Language, UrinaryStoneReport};
use hilum_imaging::Affine;
use std::sync::Arc;

pub fn inputs() -> ReportInputs {
    let affine = Affine::axial([-100.0, -90.0, -500.0], [2.0, 0.75, 0.75]).expect("three directions");
    let voxel = |z, x, hu| CandidateVoxel { index: [z, 40, x], score: 0.75, hu };
    let candidate = Candidate { voxels: vec![voxel(1, 30, 800), voxel(1, 31, 600), voxel(2, 30, 400)] };
    let slice =
        |number: i32, score| SliceInput { instance_number: Some(number), file_name: format!("IM{number}.dcm"), score };
    ReportInputs {
        version: 2,
        created_at: "2024-03-05T05:07:09Z".to_owned(),
        patient: Patient {
            name: Name {
                alphabetic: "Hong Gildong".to_owned(),
                ideographic: Some("洪 吉洞".to_owned()),
                phonetic: Some("홍 길동".to_owned()),
            },
            id: "SYN-0001".to_owned(),
            birth_date: Date::from_dicom("19690306"),
            sex: Some(Sex::M),
            age_at_study: None,
        },
        study: Study {
            study_uid: "1.2.3".to_owned(),
            date: Date::from_dicom("20240305"),
            time: Some("13:58".to_owned()),
            description: "복부 CT".to_owned(),
            accession: "A1".to_owned(),
            institution: "H".to_owned(),
            series: Some(SeriesRead {
                series_uid: "1.2.3.4".to_owned(),
                number: Some(3),
                description: "soft".to_owned(),
                why: Message::SeriesChosen.statement(),
            }),
            synthetic: true,
        },
        refusal: None,
        stones: measure(vec![candidate], Some(&affine), &TractReference::default())
            .into_iter()
            .map(|reading| reading.stone)
            .collect(),
        rules: Arc::new(Rules::shipped().expect("the rules of this program")),
        told: Inputs::default(),
        recorded: Vec::new(),
        earlier: None,
        rejected: Vec::new(),
        slices: vec![slice(1, None), slice(2, Some(0.75)), slice(3, Some(0.5)), slice(4, Some(0.25))],
        score_threshold: Some(0.5),
        looked_at: vec![Message::Covered(TractPart::Kidney, Side::Left)],
        not_looked_at: vec![Message::NotInScan(TractPart::Bladder, Side::Unknown)],
        series_not_chosen: vec![SeriesNotChosen {
            series_uid: "1.2.3.5".to_owned(),
            number: None,
            description: "scout".to_owned(),
            reason: Message::SeriesIsLocalizer.statement(),
        }],
        geometry_findings: vec![Message::GeometryGantryTilt { degrees: 12.25 }],
        model: Some(ModelProvenance {
            name: "urinary-stone".to_owned(),
            hash: "aa".to_owned(),
            plan_hash: "bb".to_owned(),
            first_line: "synthetic-trained".to_owned(),
            synthetic_trained: true,
        }),
        engine: "hilum-nn portable".to_owned(),
        precision: "f32".to_owned(),
        input_hash: Some("cc".to_owned()),
        software_version: "0.1.0".to_owned(),
    }
}

#[test]
fn the_json_layout_is_pinned() {
    insta::assert_json_snapshot!(build(inputs()));
}

#[test]
fn a_report_comes_back_from_its_json_unchanged() {
    let report = build(inputs());
    let text = serde_json::to_string(&report).expect("JSON");
    assert_eq!(serde_json::from_str::<UrinaryStoneReport>(&text).expect("a report"), report);
    let newer = text.replace("hilum.urinary-stone-report/1", "hilum.urinary-stone-report/9");
    assert!(serde_json::from_str::<UrinaryStoneReport>(&newer).is_err(), "an unknown layout is refused");
}

#[test]
fn a_slice_at_the_threshold_is_abnormal_and_one_that_was_not_searched_is_not_assessed() {
    let report = build(inputs());
    let findings: Vec<SliceFinding> = report.slices.iter().map(|row| row.finding).collect();
    use SliceFinding::{Abnormal, Normal, NotAssessed};
    assert_eq!(findings, [NotAssessed, Abnormal, Abnormal, Normal]);
    assert_eq!(report.result.highest_score, Some(0.75));
    assert_eq!((report.coverage.slices_searched, report.coverage.slices_total), (3, 4));
}

#[test]
fn a_refusal_states_no_stone_and_no_absence_of_stones() {
    let report = build(ReportInputs { refusal: Some(Message::RefusedGeometry), ..inputs() });
    assert_eq!(report.result.stone_present, StonePresent::NotAssessed);
    assert!(report.stones.is_empty() && report.coverage.looked_at.is_empty());
    let refusal = report.result.refusal.expect("a reason");
    assert_eq!(refusal.code, "refused_geometry");
    assert!(refusal.text(Language::Korean).contains("볼륨"));
}

#[test]
fn disclaimers_follow_from_model_and_study() {
    let codes = |inputs| build(inputs).disclaimers.into_iter().map(|s| s.code).collect::<Vec<_>>();
    let real = Study { synthetic: false, ..inputs().study };
    assert_eq!(
        codes(inputs()),
        [
            "decision_support_only",
            "score_is_no_probability",
            "synthetic_trained_model",
            "synthetic_study",
            "options_are_no_order"
        ]
    );
    let child = Patient { birth_date: Date::from_dicom("20060306"), ..inputs().patient };
    let adult = Patient { birth_date: Date::from_dicom("20060305"), ..inputs().patient };
    let real = |patient, stones| ReportInputs { model: None, study: real.clone(), patient, stones, ..inputs() };
    let stones = || inputs().stones;
    assert_eq!(codes(real(adult.clone(), stones())), ["decision_support_only", "options_are_no_order"]);
    assert_eq!(
        codes(real(child, stones())),
        ["decision_support_only", "options_are_no_order", "options_are_for_adults"]
    );
    assert_eq!(codes(real(adult, Vec::new())), ["decision_support_only"], "no stone, no options");
}

#[test]
fn options_follow_from_what_was_measured_and_told_and_what_was_measured_counts_first() {
    let stone = |part, diameter| Stone { part, largest_diameter_mm: diameter, ..inputs().stones[0].clone() };
    let with = |stones, told| build(ReportInputs { stones, told, ..inputs() }).options;
    let rules = |options: &GuidelineOptions, verdict| {
        let of = options.stones[0].rules.iter().filter(|one| one.verdict == verdict);
        of.map(|one| one.rule.id.clone()).collect::<Vec<_>>()
    };
    // 12 mm are removed by both guidelines; the distal ureter alone would say by what first.
    let told = Inputs { diameter_mm: Some(3.0), pregnancy: Some(true), ..Inputs::default() };
    let options = with(vec![stone(TractPart::Ureter, Some(12.0))], told.clone());
    let applies = rules(&options, Verdict::Applies);
    for rule in ["ureter-above-10-mm", "ureter-above-6-mm", "ureter-from-10-mm", "swl-pregnancy"] {
        assert!(applies.iter().any(|one| one == rule), "{rule} is not in {applies:?}");
    }
    let perhaps = rules(&options, Verdict::NotDetermined);
    assert!(perhaps.iter().any(|one| one == "distal-ureter-above-10-mm"), "{perhaps:?}");
    assert!(!perhaps.iter().any(|one| one.starts_with("kidney")), "what does not apply is left out: {perhaps:?}");
    assert!(options.missing.contains(&Input::Infection) && !options.missing.contains(&Input::Pregnancy));
    assert!(!options.missing.contains(&Input::AgeYears), "the age follows from the birth date");
    let sources: Vec<&str> = options.stones[0].passage.iter().map(|one| one.source.as_str()).collect();
    assert_eq!(sources, ["coll-2002-size"], "12 mm stand in one source; by width and level nothing is known");
    assert_eq!(options.sources.iter().filter(|source| source.id == "coll-2002-size").count(), 1);

    // Without a size what is told counts; at an unknown place no rule of a place applies.
    let options = with(vec![stone(TractPart::Unknown, None)], told);
    assert_eq!(options.stones[0].known.diameter_mm, Some(3.0));
    assert_eq!(rules(&options, Verdict::Applies), ["swl-pregnancy"]);
    assert!(with(Vec::new(), Inputs::default()).sources.is_empty(), "no stone, no options, no sources");
}

#[test]
fn rules_of_a_site_take_the_place_of_the_shipped_ones_and_wrong_files_are_named() {
    let passage = "version = 1\nvalues_from = \"x\"\nsource = []";
    let rule = |id: &str| {
        format!(
            "id = {id:?}\nversion = 2\ntitle = \"T\"\nedition = \"E\"\ncitation = \"C\"\nvalues_from = \"V\"\n[[rule]]\nid = \"any\"\ntopic = \"removal\"\nwhen = {{ place = \"kidney\" }}\noptions = [[\"urs\"]]\n"
        )
    };
    let read = |files: &[(&str, String)]| Rules::read(files.iter().map(|(name, text)| (*name, text.as_str())));
    let own = read(&[("own.toml", rule("own")), ("passage.toml", passage.to_owned())]).expect("rules");
    let report = build(ReportInputs {
        rules: Arc::new(own),
        stones: vec![Stone { part: TractPart::Kidney, ..inputs().stones[0].clone() }],
        ..inputs()
    });
    assert_eq!(report.options.sources.len(), 1);
    assert_eq!(report.options.stones[0].rules.len(), 1);
    let wrong = |files: &[(&str, String)]| read(files).expect_err("no rules").to_string();
    assert!(wrong(&[("own.toml", rule("own"))]).contains("passage.toml"));
    assert!(wrong(&[("passage.toml", passage.to_owned())]).contains("at least one other"));
    let twice = wrong(&[("a.toml", rule("own")), ("b.toml", rule("own")), ("passage.toml", passage.to_owned())]);
    assert!(twice.contains("b.toml") && twice.contains("own"), "{twice}");
    let unknown = wrong(&[("a.toml", rule("own").replace("topic", "subject"))]);
    assert!(unknown.contains("a.toml") && unknown.contains("subject"), "{unknown}");
}

#[test]
fn the_age_is_that_at_the_study_not_today() {
    assert_eq!(build(inputs()).patient.age_at_study, Some(54));
    let newborn_after = Patient { birth_date: Date::from_dicom("20300101"), ..inputs().patient };
    assert_eq!(build(ReportInputs { patient: newborn_after, ..inputs() }).patient.age_at_study, None);
}
