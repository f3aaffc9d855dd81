//! The study list: what it shows, in which order, page by page, is what a look at every study would give.

use crate::fixture::{Ct, engine, execute, number, reading_engine, send, send_to, viewer};
use crate::node::order;
use crate::review::physician;
use dicom_core::Tag;
use hilum_clinical::report::Conclusion;
use hilum_engine::accounts::NewAccount;
use hilum_engine::review::NewConclusion;
use hilum_engine::views::{
    NewSavedFilter, Priority, StonesFound, StudySearch, StudySummary, WorkFilter, WorkOrder, WorkSort, Workflow,
};
use hilum_engine::worklist::Order;
use hilum_engine::{Engine, ErrorKind, Grant, InstitutionCode, Role, Scope};
use std::cmp::Ordering;
use tempfile::tempdir;

const PRIORITY: Tag = Tag(0x0040, 0x1003);
const PROCEDURE_ID: Tag = Tag(0x0040, 0x1001);

/// Names, numbers, days and words that sort and match in ways of their own.
fn archive() -> Vec<Ct> {
    let names = ["Hong^Gildong=洪^吉洞=홍^길동", "Kim^Chulsoo==김^철수", "김^영희", "O'Brien^Zoe", "kimura^Ken"];
    let words = ["CT KUB", "조영 복부 CT", "CHEST CT", "", "abdomen 100%", "CT kub"];
    (0..40_usize)
        .map(|at| Ct {
            study: 100 + at as u64,
            slices: 1,
            size: 16,
            patient_id: ["P1", "P10", "p2", "KR0003", "SYN-9"][at % 5],
            name: names[at % 5],
            study_date: (2024 + (at % 3) as i32, 1 + (at % 12) as u8, 1 + (at % 28) as u8),
            study_description: words[at % words.len()],
            accession: ["A1", "A2", "A3", "A4"][at % 4],
            contrast: (at % 7 == 0).then_some("IOHEXOL"),
            ..Ct::default()
        })
        .collect()
}

async fn filled(data: &std::path::Path) -> Engine {
    let engine = engine(data).await;
    for series in archive() {
        send(&engine, &series.files()).await;
    }
    engine.run_until_idle().await.unwrap();
    for (at, series) in archive().iter().enumerate() {
        let priority = [Priority::Routine, Priority::High, Priority::Stat][if at % 4 == 3 { at % 3 } else { 0 }];
        if priority != Priority::Routine {
            engine.set_priority(&Scope::local(), &series.study_uid(), priority).await.unwrap();
        }
    }
    engine
}

/// Every study that a search finds, page by page.
async fn all(engine: &Engine, search: &StudySearch, rows: u32) -> Vec<StudySummary> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let search = StudySearch { after, limit: Some(rows), ..search.clone() };
        let page = engine.studies(&Scope::local(), &search).await.unwrap();
        found.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

/// The names that a study is sorted by, worked out another way than the catalogue's.
fn name(row: &StudySummary) -> String {
    let groups = [Some(&row.patient.name), row.patient.name_ideographic.as_ref(), row.patient.name_phonetic.as_ref()];
    let hangul = groups.iter().flatten().find(|group| group.chars().any(|c| matches!(c, '가'..='힣')));
    match hangul {
        Some(hangul) => hangul.chars().filter(|c| !matches!(c, '^' | ' ')).collect(),
        None => row.patient.name.trim().to_lowercase().replace('^', " ").trim_end().to_owned(),
    }
}

fn compared(by: WorkOrder, a: &StudySummary, b: &StudySummary) -> Ordering {
    match by {
        WorkOrder::Received => Ordering::Equal,
        WorkOrder::Priority => a.priority.cmp(&b.priority),
        WorkOrder::Date => (&a.study_date, &a.study_time).cmp(&(&b.study_date, &b.study_time)),
        WorkOrder::Name => name(a).cmp(&name(b)),
        WorkOrder::PatientId => a.patient.id.to_lowercase().cmp(&b.patient.id.to_lowercase()),
        WorkOrder::Description => a.description.to_lowercase().cmp(&b.description.to_lowercase()),
        WorkOrder::Modality => a.modalities.cmp(&b.modalities),
        WorkOrder::Workflow => a.workflow.cmp(&b.workflow),
        WorkOrder::Stones => a.reading.stone_count.cmp(&b.reading.stone_count),
    }
}

type Meets = fn(&StudySummary) -> bool;

const ORDERS: [WorkOrder; 9] = [
    WorkOrder::Received,
    WorkOrder::Priority,
    WorkOrder::Date,
    WorkOrder::Name,
    WorkOrder::PatientId,
    WorkOrder::Description,
    WorkOrder::Modality,
    WorkOrder::Workflow,
    WorkOrder::Stones,
];

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_and_order_shows_what_a_look_at_every_study_would() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    // In the order in which they came.
    let mut every = all(&engine, &StudySearch::default(), 200).await;
    every.reverse();
    assert_eq!(every.len(), 40);
    let text = |text: &str| Some(text.to_owned());
    let filter = |filter: WorkFilter| StudySearch { filter, ..StudySearch::default() };
    let searches: Vec<(StudySearch, Meets)> = vec![
        (StudySearch::default(), |_| true),
        (StudySearch { text: text("길동"), ..StudySearch::default() }, |row| name(row).contains("길동")),
        (StudySearch { name: text("kim"), ..StudySearch::default() }, |row| {
            row.patient.name.to_lowercase().starts_with("kim")
        }),
        (StudySearch { patient_id: text("p1"), ..StudySearch::default() }, |row| row.patient.id.starts_with("P1")),
        (filter(WorkFilter { from: text("2025-01-01"), ..WorkFilter::default() }), |row| {
            row.study_date.as_str() >= "2025-01-01"
        }),
        (filter(WorkFilter { to: text("2024-12-31"), ..WorkFilter::default() }), |row| {
            row.study_date.as_str() <= "2024-12-31"
        }),
        (filter(WorkFilter { from: text("2025-02-01"), to: text("2026-03-31"), ..WorkFilter::default() }), |row| {
            row.study_date.as_str() >= "2025-02-01" && row.study_date.as_str() <= "2026-03-31"
        }),
        (filter(WorkFilter { description: text("KUB"), ..WorkFilter::default() }), |row| {
            row.description.to_lowercase().contains("kub")
        }),
        (filter(WorkFilter { modality: vec!["ct".into()], ..WorkFilter::default() }), |_| true),
        (filter(WorkFilter { modality: vec!["C".into(), "MR".into()], ..WorkFilter::default() }), |_| false),
        (filter(WorkFilter { body_part: vec!["abdomen".into()], ..WorkFilter::default() }), |row| {
            row.body_parts == ["ABDOMEN"]
        }),
        (filter(WorkFilter { contrast: Some(true), ..WorkFilter::default() }), |row| row.contrast == Some(true)),
        (filter(WorkFilter { contrast: Some(false), ..WorkFilter::default() }), |row| row.contrast == Some(false)),
        (filter(WorkFilter { priority: vec![Priority::Stat, Priority::High], ..WorkFilter::default() }), |row| {
            row.priority != Priority::Routine
        }),
        (filter(WorkFilter { workflow: vec![Workflow::Signed], ..WorkFilter::default() }), |_| false),
        (filter(WorkFilter { stones: vec![StonesFound::Unknown], ..WorkFilter::default() }), |_| true),
        (
            filter(WorkFilter { stones: vec![StonesFound::Present, StonesFound::Absent], ..WorkFilter::default() }),
            |_| false,
        ),
        (
            StudySearch {
                name: text("홍"),
                filter: WorkFilter {
                    priority: vec![Priority::Routine],
                    workflow: vec![Workflow::Unread],
                    from: text("2024-06-01"),
                    ..WorkFilter::default()
                },
                ..StudySearch::default()
            },
            |row| {
                name(row).contains('홍') && row.priority == Priority::Routine && row.study_date.as_str() >= "2024-06-01"
            },
        ),
    ];
    assert!(
        every.iter().any(|row| row.contrast == Some(true)) && every.iter().any(|row| row.priority == Priority::Stat)
    );
    for (search, meets) in &searches {
        for by in ORDERS {
            for descending in [true, false] {
                let mut expected: Vec<&StudySummary> = every.iter().filter(|row| meets(row)).collect();
                expected.sort_by(|a, b| compared(by, a, b));
                if descending {
                    // Among equals the last received comes first.
                    expected.reverse();
                }
                let expected: Vec<&str> = expected.iter().map(|row| row.study_uid.as_str()).collect();
                for rows in [7, 200] {
                    let search = StudySearch { sort: WorkSort { by, descending }, ..search.clone() };
                    let found = all(&engine, &search, rows).await;
                    let found: Vec<&str> = found.iter().map(|row| row.study_uid.as_str()).collect();
                    assert_eq!(found, expected, "{search:?}, {rows} rows a page");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_begins_behind_a_row_that_is_there_and_a_filter_is_what_its_schema_says() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    let refused = async |search: StudySearch| {
        let error = engine.studies(&Scope::local(), &search).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest, "{search:?}: {error}");
    };
    let sort = WorkSort { by: WorkOrder::Name, descending: false };
    refused(StudySearch { after: Some("999999".into()), sort, ..StudySearch::default() }).await;
    refused(StudySearch { after: Some("x".into()), ..StudySearch::default() }).await;
    // A row of another institution is none that a page of this one ended at.
    send_to(&engine, "ELSEWHERE", &Ct { study: 9, slices: 1, size: 16, ..Ct::default() }.files()).await;
    let theirs = number(data.path(), "SELECT max(id) FROM study").await;
    refused(StudySearch { after: Some(theirs.to_string()), sort, ..StudySearch::default() }).await;
    refused(StudySearch { name: Some("x".repeat(201)), ..StudySearch::default() }).await;
    for filter in [
        WorkFilter { from: Some("2026-13-01".into()), ..WorkFilter::default() },
        WorkFilter { to: Some("yesterday".into()), ..WorkFilter::default() },
        WorkFilter { modality: vec!["CT".into(); 21], ..WorkFilter::default() },
        WorkFilter { description: Some("가".repeat(201)), ..WorkFilter::default() },
    ] {
        refused(StudySearch { filter, ..StudySearch::default() }).await;
    }
}

async fn priority(engine: &Engine, series: &Ct) -> Priority {
    let uid = series.study_uid();
    let found = all(engine, &StudySearch { text: Some(uid.to_string()), ..StudySearch::default() }, 10).await;
    found[0].priority
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_says_how_urgent_a_study_is_before_it_comes_and_after_until_a_person_does() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let urgent = |accession: &str, word: &str| -> Order {
        let mut order = order("P1", accession, "CT");
        order.set(PRIORITY, word);
        order.try_into().unwrap()
    };
    let scope = Scope::local();
    let first = Ct { study: 1, slices: 1, accession: "A1", ..Ct::default() };
    let second = Ct { study: 2, slices: 1, accession: "A2", ..Ct::default() };
    engine.import_worklist(&scope, vec![urgent("A1", "STAT"), urgent("A2", "LOW")], false).await.unwrap();
    send(&engine, &first.files()).await;
    send(&engine, &second.files()).await;
    assert_eq!(
        (priority(&engine, &first).await, priority(&engine, &second).await),
        (Priority::Stat, Priority::Routine)
    );
    // Another institution's order of that number is about another study.
    engine
        .import_worklist(&Scope::console("ELSEWHERE".parse().unwrap()), vec![urgent("A2", "STAT")], false)
        .await
        .unwrap();
    assert_eq!(priority(&engine, &second).await, Priority::Routine);
    engine.import_worklist(&scope, vec![urgent("A2", "HIGH")], false).await.unwrap();
    assert_eq!(priority(&engine, &second).await, Priority::High);
    engine.set_priority(&scope, &second.study_uid(), Priority::Routine).await.unwrap();
    engine.import_worklist(&scope, vec![urgent("A2", "STAT")], false).await.unwrap();
    assert_eq!(priority(&engine, &second).await, Priority::Routine);
    let stat = WorkFilter { priority: vec![Priority::Stat], ..WorkFilter::default() };
    let found = all(&engine, &StudySearch { filter: stat, ..StudySearch::default() }, 10).await;
    assert_eq!(found.len(), 1);
    assert_eq!(number(data.path(), "SELECT count(*) FROM audit_event WHERE action = 'change_priority'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_orders_for_a_study_the_more_urgent_counts_whichever_came_first() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let scope = Scope::local();
    let told = |accession: &str, n: usize, word: &str| -> Order {
        let mut order = order("P1", accession, "CT");
        order.set(PROCEDURE_ID, format!("R{n}")).set(PRIORITY, word);
        order.try_into().unwrap()
    };
    for (study, accession, words) in [(1, "B1", ["STAT", "LOW"]), (2, "B2", ["LOW", "STAT"])] {
        let series = Ct { study, slices: 1, accession, ..Ct::default() };
        send(&engine, &series.files()).await;
        for (n, word) in words.into_iter().enumerate() {
            engine.import_worklist(&scope, vec![told(accession, n, word)], false).await.unwrap();
        }
        assert_eq!(priority(&engine, &series).await, Priority::Stat, "{words:?}");
    }
    // As a version kept them that knew nothing of urgency; imported again, they say it.
    execute(data.path(), "UPDATE worklist_item SET accession = '', study_uid = '', priority = 0").await;
    for changed in [1, 0] {
        let summary = engine.import_worklist(&scope, vec![told("B1", 0, "STAT")], false).await.unwrap();
        assert_eq!((summary.changed, summary.unchanged), (changed, 1 - changed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_only_look_says_nothing_of_urgency_and_of_another_institutions_study_nobody_does() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let series = Ct { slices: 1, ..Ct::default() };
    send(&engine, &series.files()).await;
    let uid = series.study_uid();
    let code: InstitutionCode = "ELSEWHERE".parse().unwrap();
    send_to(&engine, "ELSEWHERE", &Ct { study: 9, slices: 1, ..Ct::default() }.files()).await;
    for (scope, kind) in
        [(viewer(InstitutionCode::local()), ErrorKind::Forbidden), (Scope::console(code), ErrorKind::NotFound)]
    {
        let refused = engine.set_priority(&scope, &uid, Priority::Stat).await.unwrap_err();
        assert_eq!(refused.kind(), kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_is_unread_then_in_review_then_signed_and_found_as_that() {
    let data = tempdir().unwrap();
    let engine = reading_engine(data.path()).await;
    let series = Ct { slices: 60, size: 32, spacing_mm: 5.0, ..Ct::default() };
    send(&engine, &series.files()).await;
    engine.run_until_idle().await.unwrap();
    let uid = series.study_uid();
    let is = async |workflow: Workflow| {
        let sort = WorkSort { by: WorkOrder::Workflow, descending: true };
        for other in [Workflow::Unread, Workflow::InReview, Workflow::Signed] {
            let filter = WorkFilter { workflow: vec![other], ..WorkFilter::default() };
            for search in [
                StudySearch { filter: filter.clone(), ..StudySearch::default() },
                StudySearch { filter, sort, ..StudySearch::default() },
            ] {
                let found = all(&engine, &search, 10).await;
                assert_eq!(found.len(), usize::from(other == workflow), "{workflow:?}: {search:?}");
                assert!(found.iter().all(|row| row.workflow == workflow));
            }
        }
    };
    is(Workflow::Unread).await;
    let absent = WorkFilter { stones: vec![StonesFound::Absent], ..WorkFilter::default() };
    assert_eq!(all(&engine, &StudySearch { filter: absent, ..StudySearch::default() }, 10).await.len(), 1);
    let words = NewConclusion { revision: 0, conclusion: Conclusion { en: "No stone.".into(), ko: String::new() } };
    engine.conclude(&Scope::local(), &uid, 1, &words).await.unwrap();
    is(Workflow::InReview).await;
    let kim = physician(&engine, "kim", "LOCAL").await;
    let signing = hilum_engine::review::Signing { revision: 1, accept_rest: true, reason: String::new() };
    engine.sign_report(&kim.scope(), &kim, &uid, 1, &signing).await.unwrap();
    is(Workflow::Signed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_kept_for_their_account_alone_under_one_name_each() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let (kim, lee) = (physician(&engine, "kim", "LOCAL").await, physician(&engine, "lee", "LOCAL").await);
    let filter = WorkFilter { priority: vec![Priority::Stat], modality: vec!["CT".into()], ..WorkFilter::default() };
    let new = NewSavedFilter { name: "응급".into(), filter: filter.clone() };
    let first = engine.save_filter(&kim.scope(), &kim, &new).await.unwrap();
    let other = NewSavedFilter { filter: WorkFilter::default(), ..new.clone() };
    let again = engine.save_filter(&kim.scope(), &kim, &other).await.unwrap();
    assert_eq!((first.id, first.filter, again.id), (again.id, filter, first.id));
    assert_eq!(engine.saved_filters(&kim.scope(), &kim).await.unwrap(), [again]);
    assert_eq!(engine.saved_filters(&lee.scope(), &lee).await.unwrap(), []);
    assert_eq!(engine.remove_filter(&lee.scope(), &lee, first.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    engine.remove_filter(&kim.scope(), &kim, first.id).await.unwrap();
    assert_eq!(engine.saved_filters(&kim.scope(), &kim).await.unwrap(), []);
    for name in ["", "  ", "a\u{7}b", &"x".repeat(61)] {
        let new = NewSavedFilter { name: name.into(), filter: WorkFilter::default() };
        assert_eq!(engine.save_filter(&kim.scope(), &kim, &new).await.unwrap_err().kind(), ErrorKind::BadRequest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_series_were_taken_is_what_their_headers_say() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let series = Ct { slices: 3, ..Ct::default() };
    let scout = Ct { series: 2, slices: 1, kind: hilum_dicom::write::SeriesKind::Localizer, ..series.clone() };
    send(&engine, &series.files()).await;
    send(&engine, &scout.files()).await;
    let told = engine.acquisition(&Scope::local(), &series.study_uid()).await.unwrap();
    assert_eq!(told.len(), 2);
    let kvp = told[0].kvp.unwrap();
    assert_eq!(
        (kvp.low, kvp.high, told[0].protocol.as_deref(), told[0].kernel.as_deref()),
        (120.0, 120.0, Some("KUB"), Some("Br40"))
    );
    assert_eq!(
        (told[0].matrix, told[0].ctdi_vol_mgy, told[0].body_part.as_deref()),
        (Some([32, 32]), None, Some("ABDOMEN"))
    );
    let elsewhere = Scope::console("ELSEWHERE".parse().unwrap());
    let refused = engine.acquisition(&elsewhere, &series.study_uid()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_run_it_see_counts_and_what_stopped_and_no_patient() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let series = Ct { slices: 2, ..Ct::default() };
    send(&engine, &series.files()).await;
    let scope = engine.console_scope().await.unwrap();
    let jobs = engine.jobs(&scope).await.unwrap();
    assert_eq!((jobs.series_due.count, jobs.readings_due.count, jobs.results_due.count), (1, 1, 0));
    engine.cancel_reading(&Scope::local(), &series.study_uid()).await.unwrap();
    let jobs = engine.jobs(&scope).await.unwrap();
    let stopped: Vec<_> = jobs.stopped.iter().map(|one| (one.study_uid.as_str(), one.failed)).collect();
    assert_eq!(stopped, [(series.study_uid().as_str(), false)]);
    let held = engine.storage_facts(&scope).await.unwrap();
    assert_eq!((held.studies, held.instances, held.last_backup_at.as_deref()), (1, 2, None));
    assert!(held.free_bytes > 0 && held.disk_bytes >= held.free_bytes, "{held:?}");
    let new = NewAccount {
        login: "viewer".into(),
        name: String::new(),
        roles: vec![Grant { institution: InstitutionCode::local(), role: Role::Viewer }],
    };
    engine.add_account(&scope, &new).await.unwrap();
    let looks = viewer(InstitutionCode::local());
    assert_eq!(engine.jobs(&looks).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(engine.storage_facts(&looks).await.unwrap_err().kind(), ErrorKind::Forbidden);
}
