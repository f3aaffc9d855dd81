//! Medical records: reports that go to them, each version once, and what they tell of patients.

use crate::fixture::{Ct, config, execute, number, send, texts, tiny_model, viewer};
use crate::review::{all_the_rest, physician, read};
use hilum_clinical::guideline::Input;
use hilum_engine::deliveries::{
    DeliveryOutcome, DeliveryRule, DeliverySearch, DeliveryState, DestinationName, DueDelivery,
};
use hilum_engine::patient_facts::{NewFact, PatientFacts, PatientNumber, WithdrawnFact};
use hilum_engine::report::Inputs;
use hilum_engine::review::Signing;
use hilum_engine::{
    Engine, EngineConfig, ErrorKind, InstitutionCode, Language, ReportPart, ResultsWhen, Scope, Selection, Zone,
};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::tempdir;

/// Long enough for a trunk-sized body, in which a model with random weights finds nothing.
fn trunk() -> Ct {
    Ct { slices: 60, size: 32, spacing_mm: 5.0, ..Ct::default() }
}

fn name(text: &str) -> DestinationName {
    text.parse().unwrap()
}

fn rule(destination: &str, institution: &str, when: ResultsWhen) -> DeliveryRule {
    DeliveryRule { name: name(destination), institution: institution.parse().unwrap(), when }
}

async fn open(data: &Path, deliveries: Vec<DeliveryRule>) -> Engine {
    let model = data.join("tiny-model");
    if !model.exists() {
        tiny_model(&model);
    }
    Engine::open(EngineConfig { model_dir: Some(model), deliveries, ..config(data) }).await.unwrap()
}

/// What is listed, the first one first.
async fn listed(engine: &Engine) -> Vec<(String, u32, DeliveryState)> {
    let page = engine.deliveries(&Scope::local(), &DeliverySearch::default()).await.unwrap();
    page.items.into_iter().rev().map(|one| (one.destination, one.version, one.state)).collect()
}

async fn due(engine: &Engine, destination: &str) -> Vec<DueDelivery> {
    engine.due_deliveries(&name(destination), 10).await.unwrap()
}

fn three() -> Vec<DeliveryRule> {
    vec![
        rule("ocs", "LOCAL", ResultsWhen::AtOnce),
        rule("archive", "LOCAL", ResultsWhen::Signed),
        rule("elsewhere", "SITE_B", ResultsWhen::AtOnce),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_goes_to_its_institutions_records_at_once_and_when_it_is_signed_each_version_once() {
    let data = tempdir().unwrap();
    let engine = open(data.path(), three()).await;
    let series = trunk();
    send(&engine, &series.files()).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(listed(&engine).await, [("ocs".to_owned(), 1, DeliveryState::Waiting)]);
    assert_eq!(engine.destinations_with_due_deliveries().await.unwrap(), [name("ocs")]);
    let [first] = &due(&engine, "ocs").await[..] else { panic!() };
    assert_eq!((first.version, &first.study), (1, &series.study_uid()));
    assert_eq!(first.control_id.len(), 20, "MSH-10 has room for no more");
    let content = engine.delivery_content(first, Some(Language::Ko)).await.unwrap().unwrap();
    assert!(content.report.version == 1 && content.pdf.unwrap().starts_with(b"%PDF"));

    // The same again after a crash, under the same control ID.
    let control_id = first.control_id.clone();
    drop(engine);
    let engine = open(data.path(), three()).await;
    let again = due(&engine, "ocs").await;
    assert!(again.len() == 1 && again[0].control_id == control_id);
    engine.audit_delivery(&again[0]).await.unwrap();
    engine.end_delivery(again[0].row, &DeliveryOutcome::Delivered).await.unwrap();
    assert!(due(&engine, "ocs").await.is_empty());

    let kim = physician(&engine, "kim", "LOCAL").await;
    engine.sign_report(&kim.scope(), &kim, &series.study_uid(), 1, &all_the_rest(0)).await.unwrap();
    let (waiting, done) = (DeliveryState::Waiting, DeliveryState::Delivered);
    let expected = [("ocs".to_owned(), 1, done), ("ocs".to_owned(), 2, waiting), ("archive".to_owned(), 2, waiting)];
    assert_eq!(listed(&engine).await, expected);
    let signed = due(&engine, "archive").await.remove(0);
    let content = engine.delivery_content(&signed, None).await.unwrap().unwrap();
    assert!(content.report.signature.is_some() && content.pdf.is_none());
    assert!(signed.control_id != control_id);

    // An amendment takes the place of what has not gone yet, and of nothing that has.
    let behind = due(&engine, "ocs").await.remove(0);
    engine.end_delivery(signed.row, &DeliveryOutcome::Delivered).await.unwrap();
    let amending = Signing { reason: "typing".to_owned(), ..all_the_rest(0) };
    engine.sign_report(&kim.scope(), &kim, &series.study_uid(), 2, &amending).await.unwrap();
    let states: Vec<(u32, DeliveryState)> = listed(&engine).await.into_iter().map(|(_, v, state)| (v, state)).collect();
    assert_eq!(states, [(1, done), (2, DeliveryState::Superseded), (2, done), (3, waiting), (3, waiting)]);
    assert!(engine.delivery_content(&behind, None).await.unwrap().is_none(), "also not where it was looked up before");
    let audited = texts(data.path(), "SELECT detail FROM audit_event WHERE action = 'deliver'").await;
    assert_eq!(audited, [r#"{"subject":"report","destination":"ocs","report":1}"#]);

    // A reading after a signature waits for its own, and is told to nobody before.
    execute(data.path(), "UPDATE study SET revision = revision + 1").await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(listed(&engine).await.len(), 5);
}

#[tokio::test]
async fn what_is_refused_or_not_reached_is_tried_again_later_and_later_and_never_given_up() {
    let data = tempdir().unwrap();
    let engine = open(data.path(), three()).await;
    send(&engine, &trunk().files()).await;
    engine.run_until_idle().await.unwrap();
    let row = due(&engine, "ocs").await[0].row;
    let pause = async || {
        number(data.path(), &format!("SELECT next_at - updated_at FROM delivery WHERE id = {row}")).await / 1000
    };
    let refused = DeliveryOutcome::Refused { reason: "the receiver answered AE, error 204".to_owned() };
    engine.end_delivery(row, &refused).await.unwrap();
    assert_eq!(pause().await, 30);
    assert!(due(&engine, "ocs").await.is_empty());
    let page = engine.deliveries(&Scope::local(), &DeliverySearch::default()).await.unwrap();
    assert_eq!(page.items[0].reason.as_deref(), Some("the receiver answered AE, error 204"));
    for _ in 0..30 {
        engine.end_delivery(row, &refused).await.unwrap();
    }
    assert_eq!(pause().await, 3600);
    let absent = DeliveryOutcome::NotReached { reason: "not connected".to_owned() };
    engine.end_delivery(row, &absent).await.unwrap();
    assert_eq!(pause().await, 300);
    // Whoever may operate makes it due; nobody else.
    let looking = engine.retry_deliveries(&viewer(InstitutionCode::local()), None).await.unwrap_err();
    assert_eq!(looking.kind(), ErrorKind::Forbidden);
    assert_eq!(engine.retry_deliveries(&Scope::local(), Some(&name("archive"))).await.unwrap(), 0);
    assert_eq!(engine.retry_deliveries(&Scope::local(), Some(&name("ocs"))).await.unwrap(), 1);
    assert_eq!(due(&engine, "ocs").await.len(), 1);
    let other = Scope::console("SITE_B".parse().unwrap());
    assert!(engine.deliveries(&other, &DeliverySearch::default()).await.unwrap().items.is_empty());

    // What waits goes with its study, also while it is sent.
    engine.delete(&Scope::local(), Zone::Clinical, &Selection::study(trunk().study_uid())).await.unwrap();
    assert_eq!(number(data.path(), "SELECT count(*) FROM delivery").await, 0);
    engine.end_delivery(row, &DeliveryOutcome::Delivered).await.unwrap();
}

fn patient(id: &str, issuer: &str) -> PatientNumber {
    PatientNumber { id: id.to_owned(), issuer: issuer.to_owned() }
}

fn days_ago(days: u64) -> i64 {
    let at = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64
}

fn told(id: PatientNumber, facts: &[(Input, bool, &str, i64)]) -> PatientFacts {
    PatientFacts {
        patient: vec![id],
        merged: Vec::new(),
        facts: facts
            .iter()
            .map(|(input, holds, code, observed_at)| NewFact {
                input: *input,
                holds: *holds,
                system: "I10".to_owned(),
                code: (*code).to_owned(),
                observed_at: *observed_at,
                dated: true,
            })
            .collect(),
        withdrawn: Vec::new(),
        source: name("his"),
    }
}

async fn recorded(engine: &Engine, study: &Ct) -> Vec<(Input, bool, String)> {
    let options = engine.report_options(&Scope::local(), &study.study_uid(), &Inputs::default()).await.unwrap();
    options.recorded.into_iter().map(|fact| (fact.input, fact.holds, fact.code)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_record_tells_of_a_patient_is_weighed_as_long_as_it_counts_and_the_physicians_word_goes_first() {
    let data = tempdir().unwrap();
    let (engine, series, _) = read(data.path()).await;
    let id = series.patient_id;
    let scope = Scope::local();
    assert!(recorded(&engine, &series).await.is_empty());
    let facts = [
        (Input::Infection, true, "N390", days_ago(6)),
        (Input::Obstruction, true, "N132", days_ago(40)),
        (Input::Pregnancy, true, "O268", days_ago(200)),
        (Input::SolitaryKidney, true, "Z905", days_ago(4000)),
        (Input::Anticoagulation, true, "Z921", days_ago(0) + 3 * 24 * 3_600_000),
    ];
    let said = told(patient(id, ""), &facts);
    engine.keep_patient_facts(&scope, &said).await.unwrap();
    engine.keep_patient_facts(&scope, &said).await.unwrap();
    let expected = [
        (Input::Infection, true, "N390".to_owned()),
        (Input::Pregnancy, true, "O268".to_owned()),
        (Input::SolitaryKidney, true, "Z905".to_owned()),
    ];
    assert_eq!(recorded(&engine, &series).await, expected, "old and coming ones do not count");
    assert_eq!(
        number(data.path(), "SELECT count(*) FROM patient_fact").await,
        4,
        "each once, and what is too old not at all"
    );
    let no = Inputs { infection: Some(false), ..Inputs::default() };
    let options = engine.report_options(&scope, &series.study_uid(), &no).await.unwrap();
    assert_eq!(options.stones[0].known.infection, Some(false));
    assert!(options.recorded.iter().all(|fact| fact.input != Input::Infection));
    assert_eq!(options.recorded[0].source, "his");

    // Another number, another issuer's patient, another institution's: not this patient.
    let birth = [(Input::Pregnancy, false, "O80", days_ago(1))];
    engine.keep_patient_facts(&scope, &told(patient("SOMEBODY", ""), &birth)).await.unwrap();
    let elsewhere = Scope::console("SITE_B".parse().unwrap());
    engine.keep_patient_facts(&elsewhere, &told(patient(id, ""), &birth)).await.unwrap();
    assert_eq!(recorded(&engine, &series).await, expected);
    // The images name no issuer, so that any issuer's number is theirs.
    engine.keep_patient_facts(&scope, &told(patient(id, "KSH"), &birth)).await.unwrap();
    assert_eq!(recorded(&engine, &series).await[1], (Input::Pregnancy, false, "O80".to_owned()));
    // What is taken back is gone, and two numbers become one.
    let taken_back = WithdrawnFact { system: "I10".into(), code: "O80".into(), observed_at: Some(birth[0].3) };
    let withdrawing = PatientFacts { withdrawn: vec![taken_back], ..told(patient(id, "KSH"), &[]) };
    engine.keep_patient_facts(&scope, &withdrawing).await.unwrap();
    assert_eq!(recorded(&engine, &series).await, expected);
    let merging = PatientFacts { merged: vec![patient("SOMEBODY", "")], ..told(patient(id, ""), &[]) };
    engine.keep_patient_facts(&scope, &merging).await.unwrap();
    assert_eq!(recorded(&engine, &series).await[1], (Input::Pregnancy, false, "O80".to_owned()));

    // What has no date is of the first time that it was told, however often that is; taken back without one, it was never so.
    let mut undated = told(patient(id, ""), &[(Input::Obstruction, true, "N139", days_ago(20))]);
    undated.facts[0].dated = false;
    engine.keep_patient_facts(&scope, &undated).await.unwrap();
    undated.facts[0].observed_at = days_ago(0);
    engine.keep_patient_facts(&scope, &undated).await.unwrap();
    let of_it = "SELECT count(*) FROM patient_fact WHERE code = 'N139'";
    assert_eq!(number(data.path(), of_it).await, 1);
    let first = format!("{of_it} AND observed_at < {}", days_ago(19));
    assert_eq!(number(data.path(), &first).await, 1);
    let never = WithdrawnFact { system: "I10".into(), code: "N139".into(), observed_at: None };
    let never = PatientFacts { withdrawn: vec![never], ..told(patient(id, ""), &[]) };
    engine.keep_patient_facts(&scope, &never).await.unwrap();
    assert_eq!(number(data.path(), of_it).await, 0);

    let looking = engine.keep_patient_facts(&viewer(InstitutionCode::local()), &said).await.unwrap_err();
    assert_eq!(looking.kind(), ErrorKind::Forbidden);
    let audited = texts(
        data.path(),
        "SELECT DISTINCT detail FROM audit_event WHERE action = 'receive_patient_data' AND outcome = 'done'",
    )
    .await;
    assert_eq!(audited, [r#"{"destination":"his"}"#]);

    // Read again, the report itself says what was known.
    execute(data.path(), "UPDATE study SET revision = revision + 1").await;
    engine.run_until_idle().await.unwrap();
    let json = engine.report(&scope, &series.study_uid(), ReportPart::Json).await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["options"]["recorded"][0]["code"], "N390");
    assert_eq!(json["options"]["stones"][0]["known"]["solitary_kidney"], true);
}
