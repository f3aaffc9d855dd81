use hilum_clinical::Language;
use hilum_clinical::guideline::{Rules, Site};
use hilum_clinical::report::{
    AddedStone, Conclusion, FindingVerdict, JudgedFinding, Review, Signature, StoneEdits, UrinaryStoneReport,
};
use hilum_engine::report::pdf;

use super::{fixture, oracle};

fn signed(comment: &str, added: u32, conclusion: &str) -> UrinaryStoneReport {
    let report = fixture::report(&fixture::stones(3));
    let (by, at) = ("Kim Minji".to_owned(), "2026-11-26T08:00:00Z".to_owned());
    let edits = StoneEdits { site: Some(Site::LowerPole), largest_diameter_mm: Some(7.25), ..StoneEdits::default() };
    let judged = |(number, verdict, edits)| JudgedFinding {
        number,
        verdict,
        edits,
        comment: comment.to_owned(),
        by: by.clone(),
        at: at.clone(),
    };
    let findings = [
        (1, FindingVerdict::Accepted, StoneEdits::default()),
        (2, FindingVerdict::Edited, edits),
        (3, FindingVerdict::Rejected, StoneEdits::default()),
    ];
    let added = (0..added).map(|n| AddedStone {
        number: 4 + n,
        stated: edits,
        comment: comment.to_owned(),
        by: by.clone(),
        at: at.clone(),
    });
    let conclusion = Conclusion { en: conclusion.to_owned(), ko: conclusion.to_owned() };
    let review = Review::new(2, findings.map(judged).to_vec(), added.collect(), conclusion);
    let signature = Signature { by: by.clone(), at: at.clone(), sha256: "ab".repeat(32) };
    UrinaryStoneReport {
        signature: Some(signature),
        ..report.reviewed(3, at.clone(), review, None, &Rules::shipped().expect("the rules of this program"))
    }
}

/// Text of each page; `None` where poppler is not installed.
fn pages(report: &UrinaryStoneReport, language: Language) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("report.pdf");
    let images = fixture::key_images(&fixture::stones(3));
    std::fs::write(&file, pdf(report, &images, language).expect("pages")).expect("a file");
    let text = oracle("pdftotext", &["-layout"], &file)?;
    Some(text.trim_end_matches('\u{c}').split('\u{c}').map(str::to_owned).collect())
}

#[test]
fn a_signed_report_says_on_its_first_page_what_the_physician_left_and_on_the_next_why() {
    let Some(pages) = pages(&signed("seen twice", 1, "First line.\nSecond line."), Language::English) else { return };
    // One of the whole, one of each stone, one of the review.
    assert_eq!(pages.len(), 5);
    for said in [
        "Stones after review: 3",
        "By the model: 3",
        "Signed by: Kim Minji",
        "2026-11-26 08:00 UTC",
        "* stated by the physician",
    ] {
        assert!(pages[0].contains(said), "{said} is missing in\n{}", pages[0]);
    }
    // Its table has the stones as the physician states them, the one that was added among them.
    let row = |number: &str| {
        let row = pages[0].lines().find(|line| line.trim_start().starts_with(number));
        row.unwrap_or_else(|| panic!("no row {number} in\n{}", pages[0])).to_owned()
    };
    for (number, place) in [("2*", "left kidney, lower"), ("4*", "lower pole")] {
        let row = row(number);
        assert!(row.to_lowercase().contains(place) && row.contains("7.2"), "{row}");
    }
    assert!(pages[2].contains("* stated by the physician") && pages[2].contains("lower pole"), "{}", pages[2]);
    assert!(pages[3].contains("The physician says that this is no stone"), "{}", pages[3]);
    for said in [
        "Physician's review",
        "Accepted",
        "Edited",
        "Rejected: no stone",
        "Added by the",
        "lower pole, 7.2 mm",
        "seen twice",
        "First line.",
        "Second line.",
        "for diagnosis without a physician",
    ] {
        assert!(pages[4].contains(said), "{said} is missing in\n{}", pages[4]);
    }
    assert!(pages[4].contains(&"ab".repeat(32)), "{}", pages[4]);
}

#[test]
fn a_review_of_any_length_and_with_any_text_leaves_the_first_page_as_it_is() {
    let long = signed(&"길고 긴 의견 ".repeat(125), 50, &"한 줄의 결론입니다. ".repeat(330));
    let Some(told) = pages(&long, Language::Korean) else { return };
    assert!(told.len() > 6, "{}", told.len());
    assert!(told[0].contains("검토 후 결석: 52") && told[0].contains("의사의 판단 없이"), "{}", told[0]);
    assert!(told.iter().all(|page| !page.trim().is_empty()));
    for hostile in
        ["#panic()", "*a* _b_ $c$ @d <e> [f]", "]]})) //x /* y", "\u{202e}gnol\u{202c}", "😀 עברית", &"W".repeat(900)]
    {
        let Some(told) = pages(&signed(hostile, 1, hostile), Language::Korean) else { return };
        assert!(told.len() >= 5, "{hostile:.20}");
        assert!(told[4].contains("기각: 결석 아님"), "{hostile:.20}");
    }
}
