//! What stands in the trail of each act, and that it names nobody.

use super::{of, trail, verified};
use crate::fixture::{Ct, config, engine, reading_engine, send, sender_of, texts, viewer};
use dicom_core::Tag;
use hilum_dicom::matching::{Level, QueryOptions};
use hilum_dicom::{AeTitle, DataSet};
use hilum_engine::audit::{Action, AuditEvent, AuditSearch, Outcome, Subject};
use hilum_engine::export::FileSetId;
use hilum_engine::views::StudySearch;
use hilum_engine::worklist::Order;
use hilum_engine::{
    AccountId, Actor, Engine, EngineConfig, EngineError, ErrorKind, Find, InstitutionCode, Language, ReportPart, Role,
    Scope, Selection, Source, WorkControl, Zone,
};
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;
use tempfile::tempdir;
use uuid::Uuid;

const NAME: &str = "Hong^Gildong=洪^吉洞=홍^길동";
/// Made up, with a wrong check digit.
const RESIDENT_NUMBER: &str = "900101-1234560";

fn patient() -> Ct {
    Ct { slices: 4, name: NAME, patient_id: RESIDENT_NUMBER, accession: "ACC-77-SECRET", ..Ct::default() }
}

fn account(number: i64, role: Role, institutions: &[&str]) -> Scope {
    let rights = institutions.iter().map(|code| (code.parse().unwrap(), role.permissions())).collect();
    Scope::account(AccountId(number), rights)
}

fn find(level: Level, keys: DataSet) -> Find {
    Find { zone: Zone::Clinical, level, keys, options: QueryOptions::default(), after: None, limit: 10 }
}

/// Does everything with the patient that can be done.
async fn everything(engine: &Engine, folder: &std::path::Path) {
    let (local, study) = (Scope::local(), patient().study_uid());
    let radiologist = account(5, Role::Radiologist, &["LOCAL"])
        .from_address("192.0.2.7".parse::<IpAddr>().unwrap())
        .in_request(Uuid::from_u128(0xABC));
    let files = patient().files();
    send(engine, &files[..2]).await;
    for file in &files[2..] {
        engine.accept_from(&local, Zone::Clinical, file.clone(), sender_of("CT1", file)).await.unwrap();
    }
    let files_in = folder.join("홍길동");
    std::fs::create_dir(&files_in).unwrap();
    std::fs::write(files_in.join("홍길동.dcm"), &files[0]).unwrap();
    engine.import(&local, &[files_in], Zone::Clinical, &WorkControl::new()).await.unwrap();
    let mut keys = DataSet::new();
    keys.set(Tag(0x0010, 0x0010), "*홍*").set(Tag(0x0010, 0x0020), RESIDENT_NUMBER).set(Tag(0x0008, 0x0060), "CT");
    assert_eq!(engine.find(&radiologist, &find(Level::Study, keys)).await.unwrap().answers.len(), 1);
    let text = Some("홍길동".to_owned());
    engine.studies(&radiologist, &StudySearch { text, ..StudySearch::default() }).await.unwrap();
    engine.study(&radiologist, &study).await.unwrap();
    engine.cancel_reading(&radiologist, &study).await.unwrap();
    engine.resume_reading(&radiologist, &study).await.unwrap();
    engine.run_until_idle().await.unwrap();
    engine.report(&radiologist, &study, ReportPart::Pdf(Language::Ko)).await.unwrap();
    engine.instances(&radiologist, Zone::Clinical, &Selection::study(study.clone())).await.unwrap();
    let peer: AeTitle = "PACS".parse().unwrap();
    engine.instances_for_peer(&local, Zone::Clinical, &Selection::study(study.clone()), &peer).await.unwrap();
    let mut order = DataSet::new();
    order.set(Tag(0x0010, 0x0010), NAME).set(Tag(0x0010, 0x0020), RESIDENT_NUMBER);
    order.set_items(Tag(0x0040, 0x0100), vec![DataSet::new()]);
    engine.import_worklist(&local, vec![Order::try_from(order).unwrap()], false).await.unwrap();
    let selection = Selection::study(study.clone());
    let (set, control): (FileSetId, _) = ("HILUM".parse().unwrap(), WorkControl::new());
    engine.export(&local, Zone::Clinical, &selection, set, &folder.join("out"), &control).await.unwrap();
    let refused = engine.delete(&viewer(InstitutionCode::local()), Zone::Clinical, &selection).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
    engine.backup(&folder.join("backup"), &control).await.unwrap();
    engine.delete(&local, Zone::Clinical, &selection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_on_a_study_is_in_the_trail_and_in_syslog_and_nothing_there_names_the_patient() {
    let (data, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let model = data.path().join("tiny-model");
    crate::fixture::tiny_model(&model);
    let engine = Engine::open(EngineConfig {
        model_dir: Some(model),
        syslog: Some(super::syslog::settings(&format!("udp://{}", server.local_addr().unwrap()))),
        ..config(data.path())
    });
    let engine = engine.await.unwrap();
    everything(&engine, folder.path()).await;
    engine.close().await;

    let study = patient().study_uid().to_string();
    let rows = "SELECT action || '|' || outcome || '|' || actor_kind || '|' || COALESCE(actor, '') || '|' || \
                COALESCE(address, '') || '|' || COALESCE(institution, '') || '|' || studies || '|' || detail \
                FROM audit_event ORDER BY number";
    let rows = texts(data.path(), rows).await;
    let told: Vec<String> = rows.iter().map(|row| row.replace(&study, "STUDY")).collect();
    for expected in [
        r#"import|done|console|||LOCAL|STUDY|{"source":"import","instances":1}"#,
        r#"query|done|account|5|192.0.2.7|LOCAL||{"subject":"studies","keys":["00100010","00100020"]}"#,
        r#"query|done|account|5|192.0.2.7|LOCAL||{"subject":"studies","text":true}"#,
        r#"view|done|account|5|192.0.2.7|LOCAL|STUDY|{"subject":"study"}"#,
        r#"view|done|account|5|192.0.2.7|LOCAL|STUDY|{"subject":"report"}"#,
        r#"view|done|account|5|192.0.2.7|LOCAL|STUDY|{"subject":"instances"}"#,
        "cancel_reading|done|account|5|192.0.2.7|LOCAL|STUDY|{}",
        "resume_reading|done|account|5|192.0.2.7|LOCAL|STUDY|{}",
        r#"predict|done|system|||LOCAL|STUDY|{"subject":"report","report":1}"#,
        r#"send|done|console|||LOCAL|STUDY|{"peer":"PACS","instances":4}"#,
        r#"import_worklist|done|console|||LOCAL||{"subject":"worklist","instances":1}"#,
        r#"export|done|console|||LOCAL|STUDY|{"instances":4}"#,
        r#"delete|refused|account|1||LOCAL|STUDY|{"permission":"delete"}"#,
        "backup|done|console|||||{}",
        r#"delete|done|console|||LOCAL|STUDY|{"instances":4}"#,
    ] {
        let times = told.iter().filter(|row| *row == expected).count();
        assert_eq!(times, 1, "{expected}\nin\n{}", told.join("\n"));
    }
    // Whether two that come behind each other are written at once or with what came later is a matter of moments.
    for source in ["stow", "dimse"] {
        let start = format!(r#"receive|done|console|||LOCAL|STUDY|{{"source":"{source}","instances":"#);
        let counts =
            told.iter().filter_map(|row| row.strip_prefix(&start)?.split([',', '}']).next()?.parse::<u64>().ok());
        assert_eq!(counts.sum::<u64>(), 2, "{source} in\n{}", told.join("\n"));
    }
    let requests = texts(data.path(), "SELECT DISTINCT request FROM audit_event WHERE actor = '5'").await;
    assert_eq!(requests, [Uuid::from_u128(0xABC).to_string()]);

    let mut messages = String::new();
    let mut datagram = vec![0; 65536];
    for _ in &rows {
        let length = server.recv(&mut datagram).expect("a datagram for each event");
        messages.push_str(std::str::from_utf8(&datagram[..length]).unwrap());
        messages.push('\n');
    }
    assert_eq!(messages.matches("<AuditMessage>").count(), rows.len());
    let all = format!(
        "{}\n{messages}\n{}\n{}",
        rows.join("\n"),
        texts(data.path(), "SELECT study_uid FROM audit_study").await.join("\n"),
        std::fs::read_to_string(data.path().join("audit-head.json")).unwrap()
    );
    for identity in ["홍", "길동", "洪", "Hong", "Gildong", "900101", "1234560", "ACC-77", "SECRET", "KUB"] {
        assert!(!all.contains(identity), "{identity}");
    }
    assert!(verified(data.path(), &[]).await.whole);
}

#[tokio::test]
async fn three_hundred_readings_of_a_series_are_one_view_of_it() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let (one, two) = (Ct { slices: 3, ..Ct::default() }, Ct { study: 2, slices: 1, ..Ct::default() });
    send(&engine, &one.files()).await;
    send(&engine, &two.files()).await;
    let (kim, lee) = (account(1, Role::Viewer, &["LOCAL"]), account(2, Role::Viewer, &["LOCAL"]));
    let all = engine.instances(&Scope::local(), Zone::Clinical, &Selection::study(one.study_uid())).await.unwrap();
    for round in 0..300 {
        let instance = &all[round % 3];
        let selection = Selection::instance(instance.study.clone(), instance.series.clone(), instance.sop.clone());
        assert_eq!(engine.instances(&kim, Zone::Clinical, &selection).await.unwrap().len(), 1);
    }
    engine.instances(&lee, Zone::Clinical, &Selection::study(two.study_uid())).await.unwrap();
    // What is not there is not seen.
    let absent = Selection::study("1.2.3.4".parse().unwrap());
    assert!(engine.instances(&lee, Zone::Clinical, &absent).await.unwrap().is_empty());
    engine.close().await;
    let engine = Engine::open(config(data.path())).await.unwrap();
    let views = of(&engine, Action::View).await;
    let by = |actor: &str| views.iter().filter(|event| event.actor.id.as_deref() == Some(actor)).collect::<Vec<_>>();
    assert_eq!(by("1").len(), 1);
    assert_eq!(by("1")[0].studies, [one.study_uid().to_string()]);
    assert_eq!(by("1")[0].detail.series, Some(all[0].series.clone()));
    assert_eq!((by("1")[0].detail.subject, by("1")[0].detail.times), (Some(Subject::Instances), None));
    assert_eq!(by("2").len(), 1);
    assert_eq!(by("2")[0].studies, [two.study_uid().to_string()]);
}

#[tokio::test]
async fn searches_and_refusals_are_counted_and_written_before_the_process_ends() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let kim = account(1, Role::Viewer, &["LOCAL"]);
    let mut keys = DataSet::new();
    keys.set(Tag(0x0010, 0x0020), "SYN-000001");
    for _ in 0..20 {
        engine.find(&kim, &find(Level::Patient, keys.clone())).await.unwrap();
        engine.find(&kim, &find(Level::Study, DataSet::new())).await.unwrap();
        let refused = engine.delete(&kim, Zone::Clinical, &Selection::study("1.2.3".parse().unwrap())).await;
        assert!(matches!(refused, Err(EngineError::Forbidden)));
    }
    // The first refusal was durable before its caller was told; the others are gathered.
    let refusals = "SELECT detail FROM audit_event WHERE outcome = 'refused' ORDER BY number";
    assert_eq!(texts(data.path(), refusals).await, [r#"{"permission":"delete"}"#]);
    engine.close().await;
    let engine = Engine::open(config(data.path())).await.unwrap();
    assert_eq!(
        texts(data.path(), refusals).await,
        [r#"{"permission":"delete"}"#, r#"{"permission":"delete","times":19}"#]
    );
    let searched: u64 = of(&engine, Action::Query)
        .await
        .iter()
        .filter(|event| !event.detail.keys.is_empty())
        .map(|event| event.detail.times.unwrap_or(1))
        .sum();
    assert_eq!(searched, 20);
    let listed = of(&engine, Action::Query).await.into_iter().filter(|event| event.detail.keys.is_empty()).count();
    assert_eq!(listed, 1, "a list that is looked at again and again is one event");
}

#[tokio::test]
async fn the_trail_is_read_by_those_who_may_and_only_of_their_institutions() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let study = |number: u64| Ct { study: number, slices: 1, ..Ct::default() };
    for (code, number) in [("SITE_A", 1), ("SITE_B", 2), ("SITE_A", 3)] {
        let scope = Scope::console(code.parse().unwrap());
        let file = study(number).files().remove(0);
        engine.accept_instance(&scope, Zone::Clinical, file, Source::Stow).await.unwrap();
        engine.flush_audit().await.unwrap();
    }
    let steward = account(8, Role::DataSteward, &["SITE_A"]);
    let mut seen = trail(&engine, &steward).await;
    seen.retain(|event| event.action == Action::Receive);
    let studies: Vec<String> = seen.iter().flat_map(|event| event.studies.clone()).collect();
    assert_eq!(studies, [study(1).study_uid().to_string(), study(3).study_uid().to_string()]);
    let all = trail(&engine, &steward).await;
    assert!(all.iter().all(|event| event.institution.as_deref() == Some("SITE_A")), "{all:?}");
    let everywhere = trail(&engine, &engine.console_scope().await.unwrap()).await;
    assert!(everywhere.iter().any(|event| event.action == Action::ProcessStart && event.institution.is_none()));
    assert!(everywhere.iter().any(|event| event.institution.as_deref() == Some("SITE_B")));

    for role in [Role::Viewer, Role::Radiologist, Role::Researcher, Role::Administrator] {
        let refused = engine.audit_trail(&account(9, role, &["SITE_A"]), &AuditSearch::default()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden, "{role:?}");
    }
    let refused = of(&engine, Action::AuditRead).await;
    let refused = refused.iter().filter(|event| event.outcome == Outcome::Refused).count();
    assert_eq!(refused, 1, "the same actor, asking again");

    let search = |search: AuditSearch| {
        let (engine, scope) = (engine.clone(), steward.clone());
        async move { engine.audit_trail(&scope, &search).await.unwrap().items.len() }
    };
    let named = AuditSearch { study: Some(study(3).study_uid()), ..AuditSearch::default() };
    assert_eq!(search(named.clone()).await, 1);
    let elsewhere = AuditSearch { study: Some(study(2).study_uid()), ..AuditSearch::default() };
    assert_eq!(search(elsewhere).await, 0, "of another institution");
    let now = time::OffsetDateTime::now_utc();
    assert_eq!(search(AuditSearch { from: Some(now + Duration::from_mins(1)), ..named.clone() }).await, 0);
    assert_eq!(search(AuditSearch { to: Some(now + Duration::from_mins(1)), ..named.clone() }).await, 1);
    assert_eq!(search(AuditSearch { outcome: Some(Outcome::Refused), ..named }).await, 0);
}

#[tokio::test]
async fn pages_go_back_from_the_last_event_and_nothing_is_shown_twice() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let export = || AuditEvent::new(Actor::Peer("PACS".parse().unwrap()), Action::Export).of(InstitutionCode::local());
    engine.audit_all(&vec![export(); 25]).await.unwrap();
    let mut search = AuditSearch { limit: Some(10), actor: Some("PACS".into()), ..AuditSearch::default() };
    let mut numbers = Vec::new();
    loop {
        let page = engine.audit_trail(&Scope::local(), &search).await.unwrap();
        numbers.extend(page.items.iter().map(|event| event.number));
        // What comes in meanwhile is not in the pages before.
        engine.audit(export()).await.unwrap();
        search.after = page.next;
        if search.after.is_none() {
            break;
        }
    }
    assert_eq!(numbers, (2..=26).rev().collect::<Vec<i64>>());
    let wrong = AuditSearch { after: Some("first".into()), ..AuditSearch::default() };
    let wrong = engine.audit_trail(&Scope::local(), &wrong).await.unwrap_err();
    assert_eq!(wrong.to_string(), "after cannot be read: the `next` of the page before");
}

#[tokio::test]
async fn a_study_that_two_institutions_have_is_seen_in_the_one_whose_it_is() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let file = Ct { slices: 1, ..Ct::default() }.files().remove(0);
    for code in ["SITE_A", "SITE_B"] {
        let scope = Scope::console(code.parse().unwrap());
        engine.accept_instance(&scope, Zone::Clinical, file.clone(), Source::Stow).await.unwrap();
    }
    let (both, one) = (account(1, Role::Viewer, &["SITE_A", "SITE_B"]), account(2, Role::Viewer, &["SITE_B"]));
    for scope in [&both, &one, &both] {
        let selection = Selection::study(Ct::default().study_uid());
        engine.instances(scope, Zone::Clinical, &selection).await.unwrap();
    }
    let views = of(&engine, Action::View).await;
    let mut whose: Vec<_> =
        views.iter().map(|event| (event.actor.id.as_deref().unwrap(), event.institution.as_deref().unwrap())).collect();
    whose.sort_unstable();
    assert_eq!(whose, [("1", "SITE_A"), ("1", "SITE_B"), ("2", "SITE_B")]);
}
