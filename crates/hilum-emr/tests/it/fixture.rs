//! Reports to tell: preliminary, signed and amended.

use chrono::FixedOffset;
use hilum_clinical::guideline::{Inputs, Rules, Site};
use hilum_clinical::message::Message;
use hilum_clinical::report::{
    AddedStone, Amendment, Conclusion, Date, FindingVerdict, JudgedFinding, ModelProvenance, Name, Patient,
    ReportInputs, Review, SeriesRead, Sex, Signature, SliceInput, StoneEdits, Study, build,
};
use hilum_clinical::urinary_stone::{Candidate, CandidateVoxel, Side, TractPart, TractReference, measure};
use hilum_clinical::{Language, UrinaryStoneReport};
use hilum_emr::ReportToTell;
use hilum_imaging::Affine;
use std::sync::Arc;

/// Two stones of a synthetic patient.
pub fn preliminary() -> UrinaryStoneReport {
    let affine = Affine::axial([-100.0, -90.0, -500.0], [2.0, 0.75, 0.75]).unwrap();
    let voxel = |z, x, hu| CandidateVoxel { index: [z, 40, x], score: 0.75, hu };
    let large = Candidate { voxels: vec![voxel(1, 30, 800), voxel(1, 31, 600), voxel(2, 30, 400)] };
    let small = Candidate { voxels: vec![voxel(3, 60, 500)] };
    build(ReportInputs {
        version: 1,
        created_at: "2026-03-05T05:07:09.25Z".to_owned(),
        patient: Patient {
            name: Name {
                alphabetic: "Hong Gildong".to_owned(),
                ideographic: Some("洪 吉洞".to_owned()),
                phonetic: Some("홍 길동".to_owned()),
            },
            id: "SYN|0001".to_owned(),
            birth_date: Date::from_dicom("19690306"),
            sex: Some(Sex::M),
            age_at_study: None,
        },
        study: Study {
            study_uid: "1.2.826.0.1.3680043.8.498.1".to_owned(),
            date: Date::from_dicom("20260305"),
            time: Some("13:58".to_owned()),
            description: "복부 CT".to_owned(),
            accession: "A^1".to_owned(),
            institution: "H".to_owned(),
            series: Some(SeriesRead {
                series_uid: "1.2.826.0.1.3680043.8.498.2".to_owned(),
                number: Some(3),
                description: "soft".to_owned(),
                why: Message::SeriesChosen.statement(),
            }),
            synthetic: true,
        },
        refusal: None,
        stones: measure(vec![large, small], Some(&affine), &TractReference::default())
            .into_iter()
            .map(|reading| reading.stone)
            .collect(),
        rules: Arc::new(Rules::shipped().unwrap()),
        told: Inputs::default(),
        recorded: Vec::new(),
        earlier: None,
        rejected: Vec::new(),
        slices: vec![SliceInput { instance_number: Some(1), file_name: "1".to_owned(), score: Some(0.75) }],
        score_threshold: Some(0.5),
        looked_at: vec![Message::Covered(TractPart::Kidney, Side::Left)],
        not_looked_at: vec![Message::NotInScan(TractPart::Bladder, Side::Unknown)],
        series_not_chosen: Vec::new(),
        geometry_findings: Vec::new(),
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
    })
}

/// The first stone confirmed with another site, the second rejected, a third added.
pub fn signed() -> UrinaryStoneReport {
    let (by, at) = ("김의사".to_owned(), "2026-03-05T06:00:00Z".to_owned());
    let judged = |number, verdict, edits| JudgedFinding {
        number,
        verdict,
        edits,
        comment: String::new(),
        by: by.clone(),
        at: at.clone(),
    };
    let edits = StoneEdits { side: Some(Side::Left), site: Some(Site::LowerPole), largest_diameter_mm: Some(7.25) };
    let added = AddedStone {
        number: 3,
        stated: StoneEdits { side: Some(Side::Right), site: Some(Site::Uvj), largest_diameter_mm: Some(4.0) },
        comment: String::new(),
        by: by.clone(),
        at: at.clone(),
    };
    let findings =
        vec![judged(1, FindingVerdict::Edited, edits), judged(2, FindingVerdict::Rejected, StoneEdits::default())];
    let conclusion =
        Conclusion { en: String::new(), ko: "좌측 신장 하극 결석 7 mm.\n추적 관찰.".to_owned() };
    let review = Review::new(1, findings, vec![added], conclusion);
    let mut report =
        preliminary().reviewed(2, at.clone(), review, None, &Rules::shipped().expect("the rules of this program"));
    report.signature = Some(Signature { by, at, sha256: "00".to_owned() });
    report
}

/// Signed anew.
pub fn amended() -> UrinaryStoneReport {
    let mut report = signed();
    report.version = 3;
    report.amendment = Some(Amendment { amends: 2, reason: "typing".to_owned() });
    report
}

/// As it is told in Seoul.
pub fn told<'a>(report: &'a UrinaryStoneReport, language: Language, pdf: Option<&'a [u8]>) -> ReportToTell<'a> {
    ReportToTell {
        report,
        patient: hilum_emr::Patient {
            issuer: "KSH",
            alphabetic: "Hong^Gildong",
            ideographic: Some("洪^吉洞"),
            phonetic: Some("홍^길동"),
        },
        language,
        zone: FixedOffset::east_opt(9 * 3600).unwrap(),
        pdf,
    }
}
