//! What physicians make of reports: verdicts, signatures, amendments, and how often they agree with a model.

use crate::fixture::{
    Ct, config, execute, number, place, python, reading_engine, rows, send, send_to, store, texts, viewer,
};
use hilum_clinical::guideline::Site;
use hilum_clinical::report::{Conclusion, StoneEdits};
use hilum_clinical::urinary_stone::Side;
use hilum_engine::accounts::{Caller, InstitutionView, NewAccount, Proof};
use hilum_engine::review::{
    Agreement, Judgement, LabelUse, NewConclusion, NewStone, ReportState, ReportVersion, ReviewVerdict, ReviewView,
    Signing,
};
use hilum_engine::upkeep::restore;
use hilum_engine::views::StudySearch;
use hilum_engine::{
    Engine, EngineConfig, EngineError, ErrorKind, Grant, InstitutionCode, Language, ReportPart, Role, Scope, Selection,
    Whence, WorkControl, Zone,
};
use hilum_imaging::phantom::{self, PhantomRecipe, Region, StonePlan, StoneSite, StoneSpec};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tempfile::tempdir;

const PASSWORD: &str = "only for an engine that is gone soon";

/// A synthetic patient with two stones that the shipped model finds.
pub fn two_stones() -> (Ct, Vec<bytes::Bytes>) {
    let stone = |site, side| StoneSpec { site, side, diameter_mm: 12.0, hu: 1100.0 };
    let recipe = PhantomRecipe {
        seed: 31,
        region: Region::Abdomen,
        matrix: 256,
        slice_thickness_mm: 4.0,
        stones: StonePlan::Chosen(vec![
            stone(StoneSite::RenalPelvis, phantom::Side::Left),
            stone(StoneSite::KidneyLowerPole, phantom::Side::Right),
        ]),
        ..PhantomRecipe::default()
    };
    let series = Ct { study: 31, ..Ct::default() };
    let files = series.files_of(&phantom::generate(&recipe).unwrap().volume);
    (series, files)
}

/// An engine with the shipped model that has read the patient, and how many findings there are: two at least.
pub async fn read(data: &Path) -> (Engine, Ct, u32) {
    let engine = Engine::open(EngineConfig { shipped_model: true, ..config(data) }).await.unwrap();
    let (series, files) = two_stones();
    send(&engine, &files).await;
    engine.run_until_idle().await.unwrap();
    let review = engine.review(&Scope::local(), &series.study_uid(), 1).await.unwrap();
    assert!(review.findings.len() >= 2, "{review:?}");
    (engine, series, review.findings.len() as u32)
}

/// Long enough for a trunk-sized body, in which a model with random weights finds nothing.
fn trunk() -> Ct {
    Ct { slices: 60, size: 32, spacing_mm: 5.0, ..Ct::default() }
}

pub async fn physician(engine: &Engine, login: &str, institution: &str) -> Arc<Caller> {
    let institution = InstitutionView { code: institution.parse().unwrap(), name: String::new() };
    engine.add_institution(&engine.console_scope().await.unwrap(), &institution).await.unwrap();
    let scope = engine.console_scope().await.unwrap();
    let grant = Grant { institution: institution.code, role: Role::Radiologist };
    let new = NewAccount { login: login.to_owned(), name: format!("Dr {login}"), roles: vec![grant] };
    let (account, _) = engine.add_account(&scope, &new).await.unwrap();
    engine.set_password(&scope, account.id, PASSWORD).await.unwrap();
    engine.sign_in(login, PASSWORD, None, Whence::default()).await.unwrap().caller
}

pub fn judgement(revision: u32, verdict: ReviewVerdict) -> Judgement {
    Judgement { revision, verdict, edits: StoneEdits::default(), comment: String::new() }
}

async fn versions(engine: &Engine, study: &Ct) -> Vec<(u32, ReportState)> {
    let versions = engine.report_versions(&Scope::local(), &study.study_uid()).await.unwrap();
    versions.iter().map(|one| (one.version, one.state)).collect()
}

async fn document(engine: &Engine, study: &Ct, version: u32) -> Value {
    let json = engine.report_of_version(&Scope::local(), &study.study_uid(), version, ReportPart::Json).await.unwrap();
    serde_json::from_slice(&json).unwrap()
}

async fn sign(
    engine: &Engine,
    caller: &Caller,
    study: &Ct,
    version: u32,
    signing: Signing,
) -> Result<ReportVersion, EngineError> {
    engine.sign_report(&caller.scope(), caller, &study.study_uid(), version, &signing).await
}

pub fn all_the_rest(revision: u32) -> Signing {
    Signing { revision, accept_rest: true, reason: String::new() }
}

fn page_text(pdf: &[u8]) -> Option<String> {
    let folder = tempdir().unwrap();
    let file = folder.path().join("report.pdf");
    std::fs::write(&file, pdf).unwrap();
    crate::report::oracle("pdftotext", &["-layout"], &file)
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_judged_the_report_is_signed_and_what_was_signed_stays_as_it_is() {
    let data = tempdir().unwrap();
    let (engine, series, found) = read(data.path()).await;
    let (kim, study) = (physician(&engine, "kim", "LOCAL").await, series.study_uid());
    let scope = kim.scope();

    let refused = sign(&engine, &kim, &series, 1, Signing::default()).await.unwrap_err();
    assert!(refused.to_string().contains("not every finding has a verdict"), "{refused}");
    let review = engine.judge(&scope, &study, 1, 1, &judgement(0, ReviewVerdict::Accepted)).await.unwrap();
    assert_eq!((review.revision, review.open, review.state), (1, true, ReportState::Unsigned));
    // The last verdict counts, and the one before is kept.
    let edited = Judgement {
        edits: StoneEdits { side: None, site: Some(Site::LowerPole), largest_diameter_mm: Some(9.5) },
        comment: "하극, 9.5 mm".to_owned(),
        ..judgement(1, ReviewVerdict::Edited)
    };
    let review = engine.judge(&scope, &study, 1, 1, &edited).await.unwrap();
    let finding = &review.findings[0];
    assert_eq!(finding.verdict.as_ref().unwrap().edits.largest_diameter_mm, Some(9.5));
    assert_eq!(finding.verdict.as_ref().unwrap().by, "Dr kim");
    assert_eq!(finding.history.iter().map(|one| one.verdict).collect::<Vec<_>>(), [ReviewVerdict::Accepted]);
    let mut review = engine.judge(&scope, &study, 1, 2, &judgement(2, ReviewVerdict::Rejected)).await.unwrap();
    for number in 3..=found {
        let accepted = judgement(review.revision, ReviewVerdict::Accepted);
        review = engine.judge(&scope, &study, 1, number, &accepted).await.unwrap();
    }
    let missed = NewStone {
        revision: review.revision,
        edits: StoneEdits { side: Some(Side::Left), site: Some(Site::Uvj), largest_diameter_mm: Some(3.0) },
        comment: "3 mm at the UVJ".to_owned(),
    };
    let review = engine.add_stone(&scope, &study, 1, &missed).await.unwrap();
    let words = Conclusion { en: "Obstructing stone.\nUrology today.".to_owned(), ko: "폐색성 결석.".to_owned() };
    let words = NewConclusion { revision: review.revision, conclusion: words };
    let review = engine.conclude(&scope, &study, 1, &words).await.unwrap();
    let last = review.findings.last().unwrap();
    assert_eq!((review.revision, last.number, last.added), (found + 3, found + 1, true));

    let signing = Signing { revision: review.revision, ..Signing::default() };
    let signed = sign(&engine, &kim, &series, 1, signing).await.unwrap();
    // One less, one more.
    assert_eq!((signed.version, signed.state, signed.stone_count), (2, ReportState::Signed, Some(found)));
    assert_eq!(versions(&engine, &series).await, [(2, ReportState::Signed), (1, ReportState::Superseded)]);
    let json = document(&engine, &series, 2).await;
    assert_eq!(json["review"]["stone_count"], found);
    assert_eq!(json["review"]["findings"][0]["edits"]["site"], "lower_pole");
    assert_eq!(json["review"]["findings"][1]["verdict"], "rejected");
    assert_eq!(json["review"]["added"][0]["stated"]["site"], "uvj");
    assert_eq!(json["signature"]["by"], "Dr kim");
    let before = document(&engine, &series, 1).await;
    assert_eq!((&json["provenance"], &json["stones"]), (&before["provenance"], &before["stones"]), "the same reading");
    assert!(before["review"].is_null() && before["signature"].is_null(), "the version before is as it was");
    // Who asks for the report without a version gets the signed one, and the list counts its stones.
    let current = engine.report(&scope, &study, ReportPart::Json).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&current).unwrap(), json);
    let list = engine.studies(&scope, &StudySearch::default()).await.unwrap().items;
    assert_eq!((list.len(), list[0].reading.stone_count), (1, Some(found)));

    // Nobody changes it any more, nor the version that was reviewed.
    let late =
        engine.judge(&scope, &study, 1, 1, &judgement(review.revision, ReviewVerdict::Accepted)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
    engine.judge(&scope, &study, 2, 1, &judgement(0, ReviewVerdict::Rejected)).await.unwrap();
    assert_eq!(
        document(&engine, &series, 2).await,
        json,
        "the draft of an amendment changes nothing of what was signed"
    );
    let audited = texts(
        data.path(),
        "SELECT action || ' ' || detail FROM audit_event WHERE action IN ('review', 'sign_report') ORDER BY number",
    )
    .await;
    let judged = |code: &str, version: u32, finding: u32| {
        format!(r#"review {{"subject":"report","code":"{code}","report":{version},"finding":{finding}}}"#)
    };
    let mut expected = vec![judged("accepted", 1, 1), judged("edited", 1, 1), judged("rejected", 1, 2)];
    expected.extend((3..=found).map(|number| judged("accepted", 1, number)));
    expected.extend([
        judged("added", 1, found + 1),
        r#"review {"subject":"report","code":"conclusion","report":1}"#.to_owned(),
        r#"sign_report {"subject":"report","report":2}"#.to_owned(),
        judged("rejected", 2, 1),
    ]);
    assert_eq!(audited, expected);

    let pdf = async |language| engine.report(&scope, &study, ReportPart::Pdf(language)).await.unwrap();
    if let Some(text) = page_text(&pdf(Language::En).await) {
        let counted = [format!("Stones after review: {found}"), format!("By the model: {found}")];
        for said in counted.iter().map(String::as_str).chain([
            "Signed by: Dr kim",
            "Rejected: no stone",
            "lower pole, 9.5 mm",
            "Added by the",
            "3 mm at the UVJ",
            "Obstructing stone.",
            "Urology today.",
        ]) {
            assert!(text.contains(said), "{said} is missing in\n{text}");
        }
        assert!(text.contains(json["signature"]["sha256"].as_str().unwrap()), "{text}");
    }
    if let Some(text) = page_text(&pdf(Language::Ko).await) {
        for said in ["서명: Dr kim", "검토 후 결석: ", "기각: 결석 아님", "하극, 9.5 mm", "폐색성 결석."]
        {
            assert!(text.contains(said), "{said} is missing in\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signature_is_the_digest_of_what_was_signed_as_python_sees_it() {
    let Some(python) = python() else { return };
    let data = tempdir().unwrap();
    let (engine, series, _) = read(data.path()).await;
    let kim = physician(&engine, "kim", "LOCAL").await;
    sign(&engine, &kim, &series, 1, all_the_rest(0)).await.unwrap();
    let folder = tempdir().unwrap();
    for (name, part) in
        [("report.json", ReportPart::Json), ("signed.json", ReportPart::Signed), ("report.xlsx", ReportPart::Xlsx)]
    {
        let bytes = engine.report(&kim.scope(), &series.study_uid(), part).await.unwrap();
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let program = "import hashlib, json, sys, openpyxl\n\
        signed = open(sys.argv[1] + '/signed.json', 'rb').read()\n\
        report = json.load(open(sys.argv[1] + '/report.json'))\n\
        signature = report.pop('signature')\n\
        assert json.loads(signed) == report, 'the report says something else than what was signed'\n\
        sheet = openpyxl.load_workbook(sys.argv[1] + '/report.xlsx')['Review']\n\
        cells = [cell.value for row in sheet.iter_rows() for cell in row]\n\
        assert signature['sha256'] in cells and 'Accepted' in cells, cells\n\
        print(hashlib.sha256(signed).hexdigest() == signature['sha256'])";
    let output = Command::new(python).args(["-c", program]).arg(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "True", "{}", String::from_utf8_lossy(&output.stderr));
    let none = engine.report_of_version(&kim.scope(), &series.study_uid(), 1, ReportPart::Signed).await.unwrap_err();
    assert_eq!((none.kind(), none.to_string()), (ErrorKind::NotFound, "no such signature".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_radiologists_at_once_the_second_is_told_and_nothing_is_lost() {
    let data = tempdir().unwrap();
    let (engine, series, _) = read(data.path()).await;
    let study = series.study_uid();
    let (kim, lee) = (physician(&engine, "kim", "LOCAL").await, physician(&engine, "lee", "LOCAL").await);
    let (a, b) = (kim.scope(), lee.scope());
    let (accepted, rejected) = (judgement(0, ReviewVerdict::Accepted), judgement(0, ReviewVerdict::Rejected));
    let (one, two) = tokio::join!(engine.judge(&a, &study, 1, 1, &accepted), engine.judge(&b, &study, 1, 2, &rejected));
    let lost: Vec<EngineError> = [one, two].into_iter().filter_map(Result::err).collect();
    assert!(matches!(lost.as_slice(), [EngineError::ReviewChanged]), "{lost:?}");
    assert_eq!((lost[0].kind(), lost[0].code()), (ErrorKind::Conflict, "review_changed"));
    // Neither signs what they have not seen.
    let stale = sign(&engine, &lee, &series, 1, all_the_rest(0)).await.unwrap_err();
    assert_eq!(stale.code(), "review_changed");
    let seen: ReviewView = engine.review(&b, &study, 1).await.unwrap();
    let judged = seen.findings.iter().filter(|finding| finding.verdict.is_some()).count();
    assert_eq!((seen.revision, judged), (1, 1));
    // Both sign at once: one version comes of it.
    let (one, two) = tokio::join!(
        sign(&engine, &kim, &series, 1, all_the_rest(1)),
        sign(&engine, &lee, &series, 1, all_the_rest(1))
    );
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|done| **done).count(), 1, "{one:?} {two:?}");
    assert_eq!(versions(&engine, &series).await, [(2, ReportState::Signed), (1, ReportState::Superseded)]);
    assert_eq!(number(data.path(), "SELECT count(*) FROM signature").await, 1);
}

#[tokio::test]
async fn an_amendment_says_why_and_what_was_signed_before_stays_readable() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    send(&engine, &series.files()).await;
    engine.run_until_idle().await.unwrap();
    let (kim, study) = (physician(&engine, "kim", "LOCAL").await, series.study_uid());
    sign(&engine, &kim, &series, 1, Signing::default()).await.unwrap();
    let first = document(&engine, &series, 2).await;
    let why = sign(&engine, &kim, &series, 2, Signing::default()).await.unwrap_err();
    assert!(why.to_string().contains("an amendment says why"), "{why}");
    let missed = NewStone { revision: 0, edits: StoneEdits::default(), comment: "seen on the coronal".to_owned() };
    let review = engine.add_stone(&kim.scope(), &study, 2, &missed).await.unwrap();
    let signing = Signing { revision: review.revision, accept_rest: false, reason: "A stone was missed.".to_owned() };
    let amended = sign(&engine, &kim, &series, 2, signing).await.unwrap();
    let signature = amended.signature.unwrap();
    assert_eq!((amended.version, signature.amends, signature.reason.as_str()), (3, Some(2), "A stone was missed."));
    assert_eq!(
        versions(&engine, &series).await,
        [(3, ReportState::Signed), (2, ReportState::Amended), (1, ReportState::Superseded)]
    );
    assert_eq!(document(&engine, &series, 2).await, first);
    assert_eq!(document(&engine, &series, 3).await["amendment"]["amends"], 2);
    let codes = "SELECT detail FROM audit_event WHERE action = 'sign_report' ORDER BY number";
    assert_eq!(texts(data.path(), codes).await[1], r#"{"subject":"report","code":"amended","report":3}"#);
}

#[tokio::test]
async fn a_reading_after_a_signature_waits_for_its_own_and_the_signed_version_stays_shown() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    let sent = series.files();
    send(&engine, &sent[..58]).await;
    engine.run_until_idle().await.unwrap();
    let kim = physician(&engine, "kim", "LOCAL").await;
    sign(&engine, &kim, &series, 1, Signing::default()).await.unwrap();
    let shown = async || {
        let json = engine.report(&Scope::local(), &series.study_uid(), ReportPart::Json).await.unwrap();
        serde_json::from_slice::<Value>(&json).unwrap()["version"].clone()
    };
    for late in [58, 59] {
        send(&engine, &sent[late..=late]).await;
        engine.run_until_idle().await.unwrap();
        assert_eq!(shown().await, 2, "the signed version is shown");
    }
    use ReportState::{AfterSignature, Amended, Signed, Superseded};
    assert_eq!(versions(&engine, &series).await, [(4, AfterSignature), (3, Superseded), (2, Signed), (1, Superseded)]);
    let list = engine.studies(&Scope::local(), &StudySearch::default()).await.unwrap().items;
    assert_eq!(list.len(), 1, "a study with two versions that count is one study");
    // The signed one may be amended meanwhile, and the new reading goes on waiting.
    let amendment = Signing { reason: "A word.".to_owned(), ..Signing::default() };
    sign(&engine, &kim, &series, 2, amendment).await.unwrap();
    assert_eq!(
        versions(&engine, &series).await,
        [(5, Signed), (4, AfterSignature), (3, Superseded), (2, Amended), (1, Superseded)]
    );
    sign(&engine, &kim, &series, 4, Signing::default()).await.unwrap();
    assert_eq!(
        versions(&engine, &series).await,
        [(6, Signed), (5, Superseded), (4, Superseded), (3, Superseded), (2, Amended), (1, Superseded)]
    );
    assert_eq!(document(&engine, &series, 6).await["slices"].as_array().unwrap().len(), 60);
    assert_eq!(shown().await, 6);
}

#[tokio::test]
async fn while_a_study_is_read_again_nobody_signs_it() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    send(&engine, &series.files()).await;
    engine.run_until_idle().await.unwrap();
    let kim = physician(&engine, "kim", "LOCAL").await;
    // Its lease is over: the process that began may still end it.
    execute(data.path(), "UPDATE reading SET state = 'reading', lease_until = 0").await;
    let refused = sign(&engine, &kim, &series, 1, Signing::default()).await.unwrap_err();
    assert!(refused.to_string().contains("is being read again"), "{refused}");
    // From a bucket it is removed aside.
    for _ in 0..100 {
        if crate::fixture::on_the_way(data.path()) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(crate::fixture::on_the_way(data.path()), 0, "what was written for it is gone");
    execute(data.path(), "UPDATE reading SET state = 'done'").await;
    sign(&engine, &kim, &series, 1, Signing::default()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_said_of_a_stone_is_refused_by_name() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    send(&engine, &series.files()).await;
    engine.run_until_idle().await.unwrap();
    let (scope, study) = (Scope::local(), series.study_uid());
    let mm = |mm| StoneEdits { largest_diameter_mm: Some(mm), ..StoneEdits::default() };
    let stone = |edits, comment: &str| NewStone { revision: 0, edits, comment: comment.to_owned() };
    for (stone, said) in [
        (stone(mm(0.0), ""), "largest_diameter_mm"),
        (stone(mm(f64::NAN), ""), "largest_diameter_mm"),
        (stone(mm(301.0), ""), "largest_diameter_mm"),
        (stone(mm(3.0), "a\u{0}b"), "comment"),
        (stone(mm(3.0), &"x".repeat(1001)), "comment"),
    ] {
        let refused = engine.add_stone(&scope, &study, 1, &stone).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BadRequest);
        assert!(refused.to_string().starts_with(said), "{refused}");
    }
    let added = engine.add_stone(&scope, &study, 1, &stone(mm(3.0), "")).await.unwrap();
    let of_added = |verdict| Judgement { revision: added.revision, ..judgement(0, verdict) };
    let wrong = engine.judge(&scope, &study, 1, 1, &of_added(ReviewVerdict::Accepted)).await.unwrap_err();
    assert_eq!(wrong.to_string(), "verdict cannot be read: added or withdrawn");
    let absent = engine.judge(&scope, &study, 1, 7, &of_added(ReviewVerdict::Accepted)).await.unwrap_err();
    assert_eq!(absent.to_string(), "no such finding");
    let edited = engine.judge(&scope, &study, 1, 1, &of_added(ReviewVerdict::Edited)).await.unwrap_err();
    assert!(edited.to_string().starts_with("edits"), "{edited}");
    let withdrawn = engine.judge(&scope, &study, 1, 1, &of_added(ReviewVerdict::Withdrawn)).await.unwrap();
    assert_eq!(withdrawn.findings[0].history.len(), 1);
    let kim = physician(&engine, "kim", "LOCAL").await;
    let signed = sign(&engine, &kim, &series, 1, Signing { revision: 2, ..Signing::default() }).await.unwrap();
    assert_eq!(document(&engine, &series, signed.version).await["review"]["added"], serde_json::json!([]));
}

#[tokio::test]
async fn whoever_may_only_look_judges_and_signs_nothing_and_others_do_not_know_of_it() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    send(&engine, &series.files()).await;
    engine.run_until_idle().await.unwrap();
    let study = series.study_uid();
    let (looks, elsewhere) = (viewer(InstitutionCode::local()), physician(&engine, "lee", "ELSEWHERE").await);
    assert_eq!(engine.review(&looks, &study, 1).await.unwrap().findings, []);
    assert_eq!(engine.report_versions(&looks, &study).await.unwrap().len(), 1);
    let kim = physician(&engine, "kim", "LOCAL").await;
    for (scope, kind) in [(looks, ErrorKind::Forbidden), (elsewhere.scope(), ErrorKind::NotFound)] {
        let stone = NewStone { revision: 0, edits: StoneEdits::default(), comment: String::new() };
        let conclusion = NewConclusion { revision: 0, conclusion: Conclusion::default() };
        let refused = [
            engine.judge(&scope, &study, 1, 1, &judgement(0, ReviewVerdict::Accepted)).await.map(drop),
            engine.add_stone(&scope, &study, 1, &stone).await.map(drop),
            engine.conclude(&scope, &study, 1, &conclusion).await.map(drop),
            engine.sign_report(&scope, &kim, &study, 1, &Signing::default()).await.map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), kind);
        }
    }
    for none in [
        engine.review(&elsewhere.scope(), &study, 1).await.map(drop),
        engine.report_versions(&elsewhere.scope(), &study).await.map(drop),
        engine.report_of_version(&elsewhere.scope(), &study, 1, ReportPart::Json).await.map(drop),
        engine
            .set_label_use(&Scope::console("ELSEWHERE".parse().unwrap()), &study, 1, LabelUse::Approved)
            .await
            .map(drop),
    ] {
        assert_eq!(none.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(engine.agreement(&elsewhere.scope()).await.unwrap(), []);
    assert_eq!(engine.agreement(&viewer(InstitutionCode::local())).await.unwrap_err().kind(), ErrorKind::Forbidden);
    let refused = "SELECT DISTINCT action || ' ' || detail FROM audit_event WHERE outcome = 'refused' AND action IN ('review', 'sign_report')";
    let mut refused = texts(data.path(), refused).await;
    refused.sort();
    assert_eq!(refused, [r#"review {"permission":"review"}"#, r#"sign_report {"permission":"review"}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn agreement_counts_signed_verdicts_by_model_and_month_once_and_in_ones_own_institution() {
    let data = tempdir().unwrap();
    let (engine, series, found) = read(data.path()).await;
    let (kim, study) = (physician(&engine, "kim", "LOCAL").await, series.study_uid());
    let scope = kim.scope();
    engine.judge(&scope, &study, 1, 1, &judgement(0, ReviewVerdict::Rejected)).await.unwrap();
    assert_eq!(engine.agreement(&scope).await.unwrap(), [], "a draft counts for nothing");
    sign(&engine, &kim, &series, 1, all_the_rest(1)).await.unwrap();
    let counts = |one: &Agreement| (one.reports, one.findings, one.accepted, one.edited, one.rejected, one.added);
    let first = engine.agreement(&scope).await.unwrap();
    assert_eq!(first.iter().map(counts).collect::<Vec<_>>(), [(1, u64::from(found), u64::from(found) - 1, 0, 1, 0)]);
    let model = document(&engine, &series, 2).await["provenance"]["model"]["hash"].clone();
    assert_eq!(first[0].model_hash.as_deref(), model.as_str());
    // The interval itself is held against SciPy's in hilum-infer.
    let (share, [low, high]) = (first[0].unchanged.share.unwrap(), first[0].unchanged.ci95.unwrap());
    assert!(low < share && share < high && first[0].unchanged == first[0].confirmed, "{first:?}");
    let month = texts(data.path(), "SELECT month FROM signature").await;
    assert!(first[0].month == month[0] && month[0].len() == 7, "{month:?}");

    // An amendment takes the place of what it amends.
    let missed = NewStone { revision: 0, edits: StoneEdits::default(), comment: String::new() };
    let review = engine.add_stone(&scope, &study, 2, &missed).await.unwrap();
    let amendment = Signing { revision: review.revision, accept_rest: false, reason: "missed".to_owned() };
    sign(&engine, &kim, &series, 2, amendment).await.unwrap();
    let amended = engine.agreement(&scope).await.unwrap();
    assert_eq!(amended.iter().map(counts).collect::<Vec<_>>(), [(1, u64::from(found), u64::from(found) - 1, 0, 1, 1)]);
    let missed_one = f64::from(found - 1) / f64::from(found);
    assert_eq!((amended[0].found.of, amended[0].found.share), (u64::from(found), Some(missed_one)));

    let steward = Scope::account(kim.id, vec![(InstitutionCode::local(), Role::DataSteward.permissions())]);
    assert_eq!(
        engine.set_label_use(&scope, &study, 3, LabelUse::Approved).await.unwrap_err().kind(),
        ErrorKind::Forbidden
    );
    let approved = engine.set_label_use(&steward, &study, 3, LabelUse::Approved).await.unwrap();
    assert_eq!(approved.signature.unwrap().label_use, LabelUse::Approved);
    let unsigned = engine.set_label_use(&steward, &study, 1, LabelUse::Approved).await.unwrap_err();
    assert_eq!(unsigned.kind(), ErrorKind::Conflict);

    // The same study, read and signed elsewhere, is theirs.
    send_to(&engine, "ELSEWHERE", &two_stones().1).await;
    engine.run_until_idle().await.unwrap();
    let lee = physician(&engine, "lee", "ELSEWHERE").await;
    sign(&engine, &lee, &series, 1, all_the_rest(0)).await.unwrap();
    let theirs = engine.agreement(&lee.scope()).await.unwrap();
    assert_eq!(theirs.iter().map(counts).collect::<Vec<_>>(), [(1, u64::from(found), u64::from(found), 0, 0, 0)]);
    assert_eq!(theirs[0].institution.as_str(), "ELSEWHERE");
    assert_eq!(engine.agreement(&scope).await.unwrap(), amended);
}

#[tokio::test]
async fn a_backup_has_reviews_and_signatures_and_a_deleted_study_takes_its_own_along() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let engine = reading_engine(data.path()).await;
    let series = trunk();
    send(&engine, &series.files()).await;
    engine.run_until_idle().await.unwrap();
    let kim = physician(&engine, "kim", "LOCAL").await;
    let missed = NewStone { revision: 0, edits: StoneEdits::default(), comment: "left".to_owned() };
    engine.add_stone(&kim.scope(), &series.study_uid(), 1, &missed).await.unwrap();
    sign(&engine, &kim, &series, 1, Signing { revision: 1, ..Signing::default() }).await.unwrap();
    let told = engine.report_versions(&Scope::local(), &series.study_uid()).await.unwrap();
    let review = engine.review(&Scope::local(), &series.study_uid(), 2).await.unwrap();
    let backup = folder.path().join("backup");
    engine.backup(&backup, &WorkControl::new()).await.unwrap();

    engine.delete(&Scope::local(), Zone::Clinical, &Selection::study(series.study_uid())).await.unwrap();
    assert_eq!(rows(data.path()).await["report"], 0);
    for table in ["review", "verdict", "signature"] {
        assert_eq!(number(data.path(), &format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    let restored = folder.path().join("restored");
    restore(&backup, &restored, &place(&restored), &store(&restored), None, &WorkControl::new()).await.unwrap();
    let engine = Engine::open(config(&restored)).await.unwrap();
    assert_eq!(engine.report_versions(&Scope::local(), &series.study_uid()).await.unwrap(), told);
    assert_eq!(engine.review(&Scope::local(), &series.study_uid(), 2).await.unwrap(), review);
    let kim = engine.sign_in("kim", PASSWORD, None, Whence::default()).await.unwrap().caller;
    let again = Signing { reason: "after the restore".to_owned(), ..Signing::default() };
    assert_eq!(sign(&engine, &kim, &series, 2, again).await.unwrap().version, 3);
}

#[tokio::test]
async fn a_wrong_password_shows_nobody_again_and_counts_as_at_the_sign_in() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let kim = physician(&engine, "kim", "LOCAL").await;
    let proof = |password: &str| Proof::Password(password.to_owned());
    engine.show_again(&kim, &proof(PASSWORD), Whence::default()).await.unwrap();
    for _ in 0..5 {
        let wrong = engine.show_again(&kim, &proof("something else"), Whence::default()).await.unwrap_err();
        assert_eq!(wrong.to_string(), "login or password are wrong");
    }
    let locked = engine.show_again(&kim, &proof(PASSWORD), Whence::default()).await.unwrap_err();
    assert!(locked.to_string().contains("too many tries"), "{locked}");
    let code = engine.show_again(&kim, &Proof::Code("123456".to_owned()), Whence::default()).await.unwrap_err();
    assert!(code.to_string().contains("too many tries"), "{code}");
    assert!(!format!("{:?}", proof("secret")).contains("secret"));
}
