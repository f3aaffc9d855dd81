use hilum_clinical::Language;
use hilum_clinical::message::Message;
use hilum_engine::report::{KeyImage, UrinaryStoneReport, build, pdf};

use super::{fixture, oracle};

/// The text, after checking that it is one A4 page and one more a stone; `None` where poppler is not installed.
fn pages(report: &UrinaryStoneReport, images: &[KeyImage], language: Language) -> Option<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("report.pdf");
    std::fs::write(&file, pdf(report, images, language).expect("a page")).expect("a file");
    let text = oracle("pdftotext", &["-layout"], &file)?;
    assert_eq!(text.matches('\u{c}').count(), 1 + report.stones.len(), "one form feed a page");
    Some(text)
}

#[test]
fn the_korean_page_says_who_what_and_how_far_it_may_be_trusted() {
    let stones = fixture::stones(3);
    let report = fixture::report(&stones);
    let Some(text) = pages(&report, &fixture::key_images(&stones), Language::Korean) else { return };
    for expected in [
        "홍 길동",
        "洪 吉洞",
        "Hong Gildong",
        "SYN-0001",
        "54세",
        "복부 골반 CT 비조영 (요로결석 의심)",
        "결석 있음: 3",
        "우측 신장",
        "좌측 신장",
        "좌측 요관: 이 영상에 포함되지 않음.",
        "방광: 이 영상에 포함되지 않음.",
        "의사의 판단 없이 진단에 사용할 수 없습니다",
        "합성 영상으로만 학습한 시연용 모델입니다",
        "실제 환자가 아닙니다",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
}

#[test]
fn the_english_page_calls_a_score_a_score() {
    let stones = fixture::stones(1);
    let report = fixture::report(&stones);
    let Some(text) = pages(&report, &fixture::key_images(&stones), Language::English) else { return };
    for expected in [
        "Stone found: 1",
        "Right kidney",
        "Highest score 0.970",
        "not calibrated probabilities",
        "for diagnosis without a physician",
        "Bladder: not in this scan.",
        "Abdomen 5.0 bone: Sharper kernel.",
        "supersedes 1",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
}

#[test]
fn twenty_stones_with_long_korean_texts_stay_on_one_page_and_the_page_says_what_is_left_out() {
    let stones = fixture::stones(20);
    let mut inputs = fixture::inputs(&stones);
    inputs.study.description = "조영 전후 복부 골반 전산화단층촬영 요로계 정밀 검사 ".repeat(20);
    inputs.study.institution = inputs.study.description.clone();
    inputs.not_looked_at = (1..40).map(|count| Message::SlicesMissing { count }).collect();
    inputs.geometry_findings = vec![Message::GeometryUnevenSpacing; 12];
    for series in &mut inputs.series_not_chosen {
        series.description = inputs.study.description.clone();
    }
    let report = build(inputs);
    for (language, more) in [(Language::Korean, "개 더 있음"), (Language::English, "more in the JSON and XLSX report")]
    {
        let Some(text) = pages(&report, &fixture::key_images(&stones), language) else { return };
        assert!(text.contains(more), "{text}");
    }
}

#[test]
fn a_report_with_everything_at_its_longest_still_fits_on_pages() {
    let stones = fixture::stones(20);
    let wide = "W".repeat(5000);
    let mut inputs = fixture::inputs(&stones);
    let name = &mut inputs.patient.name;
    (name.alphabetic, name.ideographic, name.phonetic) = (wide.clone(), Some(wide.clone()), Some(wide.clone()));
    inputs.patient.id = wide.clone();
    let study = &mut inputs.study;
    for text in [&mut study.study_uid, &mut study.description, &mut study.accession, &mut study.institution] {
        text.clone_from(&wide);
    }
    study.time = Some(wide.clone());
    if let Some(series) = &mut study.series {
        series.description.clone_from(&wide);
    }
    inputs.looked_at = vec![Message::SearchedSlices { first: 1, last: 60 }; 40];
    inputs.not_looked_at = vec![Message::RegionUncertain; 40];
    inputs.geometry_findings = vec![Message::GeometryUnevenSpacing; 40];
    let mut other = inputs.series_not_chosen[0].clone();
    other.description.clone_from(&wide);
    inputs.series_not_chosen = vec![other; 40];
    if let Some(model) = &mut inputs.model {
        for text in [&mut model.name, &mut model.hash, &mut model.plan_hash, &mut model.first_line] {
            text.clone_from(&wide);
        }
    }
    inputs.engine.clone_from(&wide);
    inputs.software_version.clone_from(&wide);
    inputs.input_hash = Some(wide);
    let report = build(inputs);
    for language in [Language::Korean, Language::English] {
        let Some(text) = pages(&report, &fixture::key_images(&stones), language) else { return };
        assert!(text.contains("+ 14 ") && text.contains("+ 20 "), "stones and key images left out are counted: {text}");
    }
}

#[test]
fn a_refused_geometry_gives_a_page_without_millimetres() {
    let mut inputs = fixture::inputs(&[]);
    inputs.refusal = Some(Message::RefusedGeometry);
    inputs.geometry_findings = vec![Message::GeometryMixedSpacing];
    inputs.score_threshold = None;
    let report = build(inputs);
    let Some(text) = pages(&report, &[], Language::English) else { return };
    assert!(text.contains("Not assessed") && text.contains("do not form a regular volume"), "{text}");
    assert!(text.contains("Pixel spacing differs between slices."), "{text}");
    assert!(!text.contains("mm"), "{text}");
}

#[test]
fn hostile_texts_are_printed_as_they_are_and_break_nothing() {
    let wide = "W".repeat(5000);
    let hostile = [
        "#panic()",
        "#read(\"/etc/passwd\")",
        "*bold* _it_ $x$ @ref <label> [a]",
        "\"quoted\" 'single' \\backslash\\ `raw`",
        "= heading\n- list\n+ list\n/ term: x",
        "]]})) //comment /* open",
        "\u{202e}gnol\u{202c}\u{0}\u{7}\u{1b}[31m",
        "😀👩‍⚕️ ไทย עברית العربية",
        "\u{f8ff}\u{10ffff}",
        "",
        wide.as_str(),
    ];
    let stones = fixture::stones(2);
    let images = fixture::key_images(&stones);
    for text in hostile {
        let mut inputs = fixture::inputs(&stones);
        inputs.patient.name.alphabetic = text.to_owned();
        inputs.patient.name.phonetic = Some(text.to_owned());
        inputs.patient.id = text.to_owned();
        inputs.study.description = text.to_owned();
        inputs.study.accession = text.to_owned();
        inputs.study.institution = text.to_owned();
        inputs.study.time = Some(text.to_owned());
        inputs.study.study_uid = text.to_owned();
        inputs.series_not_chosen[0].description = text.to_owned();
        if let Some(model) = &mut inputs.model {
            model.first_line = text.to_owned();
        }
        inputs.engine = text.to_owned();
        let Some(page) = pages(&build(inputs), &images, Language::Korean) else { return };
        if text.is_ascii() && !text.contains('\n') && text.len() < 100 {
            assert!(page.contains(text), "{text} is missing in\n{page}");
        }
        assert!(page.contains("의사의 판단 없이"), "the disclaimer is missing beside {text:.40}");
    }
}

#[test]
fn the_same_report_gives_the_same_bytes_and_another_language_other_ones() {
    let stones = fixture::stones(2);
    let (report, images) = (fixture::report(&stones), fixture::key_images(&stones));
    let page = |language| pdf(&report, &images, language).expect("a page");
    assert_eq!(page(Language::Korean), page(Language::Korean));
    assert_ne!(page(Language::Korean), page(Language::English));
}

#[test]
fn a_report_without_a_readable_time_is_refused() {
    let mut report = fixture::report(&[]);
    report.created_at = "yesterday".to_owned();
    let error = pdf(&report, &[], Language::Korean).expect_err("no time");
    assert_eq!(error.to_string(), "report time: expected RFC 3339");
}
