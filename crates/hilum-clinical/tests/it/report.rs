use hilum_clinical::message::Message;
use hilum_clinical::report::{
    Date, ModelProvenance, Name, Patient, ReportInputs, SeriesNotChosen, SeriesRead, Sex, SliceFinding, SliceInput,
    StonePresent, Study, build,
};
use hilum_clinical::urinary_stone::{Candidate, CandidateVoxel, Side, TractPart, TractReference, measure};
use hilum_clinical::{Language, UrinaryStoneReport};
use hilum_imaging::Affine;

fn inputs() -> ReportInputs {
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
        ["decision_support_only", "score_is_no_probability", "synthetic_trained_model", "synthetic_study"]
    );
    assert_eq!(codes(ReportInputs { model: None, study: real, ..inputs() }), ["decision_support_only"]);
}

#[test]
fn the_age_is_that_at_the_study_not_today() {
    assert_eq!(build(inputs()).patient.age_at_study, Some(54));
    let newborn_after = Patient { birth_date: Date::from_dicom("20300101"), ..inputs().patient };
    assert_eq!(build(ReportInputs { patient: newborn_after, ..inputs() }).patient.age_at_study, None);
}
