//! How lists and queries scale: fills an archive with synthetic rows and asks what people ask. Called by `cargo xtask bench archive`;
//! prints JSON.
//!
//! Arguments: number of studies, folder (kept when it is there already), rounds, and the address of an empty database where the
//! catalogue is on a server.

use dicom_core::Tag;
use hilum_dicom::DataSet;
use hilum_dicom::matching::{Level, QueryOptions};
use hilum_engine::views::{StudySearch, WorkFilter, WorkOrder, WorkSort, Workflow};
use hilum_engine::{CataloguePlace, Engine, EngineConfig, Find, Scope, Zone};
use std::path::PathBuf;
use std::time::Instant;

const NAME: Tag = Tag(0x0010, 0x0010);
const ID: Tag = Tag(0x0010, 0x0020);
const DATE: Tag = Tag(0x0008, 0x0020);
const ACCESSION: Tag = Tag(0x0008, 0x0050);
const MODALITIES: Tag = Tag(0x0008, 0x0061);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const DESCRIPTION: Tag = Tag(0x0008, 0x1030);
const STUDY: Tag = Tag(0x0020, 0x000D);
const STUDY_ID: Tag = Tag(0x0020, 0x0010);
const REFERRER: Tag = Tag(0x0008, 0x0090);
const BIRTH_DATE: Tag = Tag(0x0010, 0x0030);
const TIME: Tag = Tag(0x0008, 0x0030);
const SERIES_NUMBER: Tag = Tag(0x0020, 0x0011);
const SERIES_DESCRIPTION: Tag = Tag(0x0008, 0x103E);
const BODY_PART: Tag = Tag(0x0018, 0x0015);
const PERFORMED_DATE: Tag = Tag(0x0040, 0x0244);

/// A row of the table: what is asked, at which level, with which keys.
type Question = (&'static str, Level, &'static [(Tag, &'static str)]);

const QUESTIONS: &[Question] = &[
    ("first page", Level::Study, &[]),
    ("KIM*", Level::Study, &[(NAME, "KIM*")]),
    ("*홍*", Level::Study, &[(NAME, "*홍*")]),
    ("*길동", Level::Study, &[(NAME, "*길동")]),
    ("김^민지", Level::Study, &[(NAME, "김^민지")]),
    ("선우* (rare surname)", Level::Study, &[(NAME, "선우*")]),
    ("a name nobody has", Level::Study, &[(NAME, "이몽룡")]),
    ("patient ID", Level::Study, &[(ID, "P00000777")]),
    ("patient ID P0000077*", Level::Study, &[(ID, "P0000077*")]),
    ("accession number", Level::Study, &[(ACCESSION, "A201600000777")]),
    ("study UID", Level::Study, &[(STUDY, "2.25.1000000000777")]),
    ("one day of 2019", Level::Study, &[(DATE, "20190315")]),
    ("March 2019, MR", Level::Study, &[(DATE, "20190301-20190331"), (MODALITIES, "MR")]),
    ("2017, KIM*, CT", Level::Study, &[(DATE, "2017"), (NAME, "KIM*"), (MODALITIES, "CT")]),
    ("since 2018, rare modality PT", Level::Study, &[(DATE, "20180101-"), (MODALITIES, "PT")]),
    ("description *LIVER*", Level::Study, &[(DESCRIPTION, "*LIVER*")]),
    ("series of a modality, KIM*", Level::Series, &[(MODALITY, "MR"), (NAME, "KIM*")]),
    ("patients KIM*", Level::Patient, &[(NAME, "KIM*")]),
    ("patients 선우*", Level::Patient, &[(NAME, "선우*")]),
    ("study ID", Level::Study, &[(STUDY_ID, "S00000777")]),
    ("study ID S000007*", Level::Study, &[(STUDY_ID, "S000007*")]),
    ("a study ID that none has", Level::Study, &[(STUDY_ID, "T00000777")]),
    ("referring physician of a quarter", Level::Study, &[(REFERRER, "Park^Jisung")]),
    ("referring physician of few, 선우*", Level::Study, &[(REFERRER, "선우*")]),
    ("a referring physician nobody is", Level::Study, &[(REFERRER, "이몽룡")]),
    ("birth date", Level::Study, &[(BIRTH_DATE, "19610709")]),
    ("birth dates of ten years", Level::Study, &[(BIRTH_DATE, "1950-1959")]),
    ("a birth date that none has", Level::Study, &[(BIRTH_DATE, "19010101")]),
    ("study time, a minute", Level::Study, &[(TIME, "0730")]),
    ("a study time that none has", Level::Study, &[(TIME, "073059")]),
    ("modalities P*", Level::Study, &[(MODALITIES, "P*")]),
    ("modalities X*, none", Level::Study, &[(MODALITIES, "X*")]),
    ("series of body part CHEST", Level::Series, &[(BODY_PART, "CHEST")]),
    ("series of body part PROSTATE, few", Level::Series, &[(BODY_PART, "PROSTATE")]),
    ("series of body part ELBOW, none", Level::Series, &[(BODY_PART, "ELBOW")]),
    ("series described CHEST*", Level::Series, &[(SERIES_DESCRIPTION, "CHEST*")]),
    ("series described *RARE, few", Level::Series, &[(SERIES_DESCRIPTION, "*RARE")]),
    ("series described *ELBOW*, none", Level::Series, &[(SERIES_DESCRIPTION, "*ELBOW*")]),
    ("series number 1", Level::Series, &[(SERIES_NUMBER, "1")]),
    ("series number 901, few", Level::Series, &[(SERIES_NUMBER, "901")]),
    ("series number 999, none", Level::Series, &[(SERIES_NUMBER, "999")]),
    ("series number 1, CHEST, KIM*", Level::Series, &[(SERIES_NUMBER, "1"), (BODY_PART, "CHEST"), (NAME, "KIM*")]),
    ("series performed on a day", Level::Series, &[(PERFORMED_DATE, "20190315")]),
];

const SEARCHES: &[&str] = &["", "홍", "길동", "kim", "P00000777", "복부", "kim 2019-03 CT", "liver", "zzz"];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let studies: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let folder = arguments.next().map_or_else(|| std::env::temp_dir().join("hilum-catalogue"), PathBuf::from);
    let rounds: usize = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(20);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let catalogue = arguments
        .next()
        .map_or(CataloguePlace::Folder, |url| CataloguePlace::Server(url.parse().expect("the address of a database")));
    runtime.block_on(run(studies, folder, rounds, catalogue));
}

async fn run(studies: u64, folder: PathBuf, rounds: usize, catalogue: CataloguePlace) {
    let fresh = !folder.exists();
    let config = EngineConfig { shipped_model: false, catalogue, ..EngineConfig::new(&folder) };
    let engine = Engine::open(config).await.expect("the folder can be opened");
    let scope = Scope::local();
    let started = Instant::now();
    if fresh {
        engine
            .fill_synthetic(&scope, studies, |done| {
                if done.is_multiple_of(100_000) {
                    eprintln!("{done} studies, {:.0} s", started.elapsed().as_secs_f64());
                }
            })
            .await
            .expect("rows can be added");
    }
    let filled = started.elapsed().as_secs_f64();
    let size = engine.catalogue_size().await.expect("a size");
    let mut rows = Vec::new();
    for (what, level, keys) in QUESTIONS {
        let mut find = Find {
            zone: Zone::Clinical,
            level: *level,
            keys: DataSet::new(),
            options: QueryOptions::default(),
            after: None,
            limit: 100,
        };
        for (tag, value) in *keys {
            find.keys.set(*tag, *value);
        }
        let (hits, times) =
            timed(rounds, async || engine.find(&scope, &find).await.expect("a legal question").answers.len()).await;
        rows.push(row("find", what, hits, times));
    }
    for text in SEARCHES {
        let search = StudySearch { text: Some((*text).to_owned()), ..StudySearch::default() };
        let (hits, times) =
            timed(rounds, async || engine.studies(&scope, &search).await.expect("a legal search").items.len()).await;
        rows.push(row("list", if text.is_empty() { "study list, first page" } else { text }, hits, times));
    }
    for (what, search) in worklists() {
        let (hits, times) =
            timed(rounds, async || engine.studies(&scope, &search).await.expect("a legal search").items.len()).await;
        rows.push(row("work", &what, hits, times));
    }
    let asked = Instant::now();
    engine.run_until_idle().await.expect("nothing is due");
    let sweep = asked.elapsed().as_secs_f64() * 1e3;
    let out = serde_json::json!({
        "studies": studies, "filled_s": filled, "fresh": fresh, "bytes": size, "sweep_ms": sweep, "rows": rows
    });
    println!("{out}");
}

/// Each order of the worklist, of all studies, of the unread ones, and of a frequent and a rare match.
fn worklists() -> Vec<(String, StudySearch)> {
    let orders = [
        ("priority", WorkOrder::Priority),
        ("date", WorkOrder::Date),
        ("name", WorkOrder::Name),
        ("description", WorkOrder::Description),
        ("stones", WorkOrder::Stones),
    ];
    let unread = WorkFilter { workflow: vec![Workflow::Unread], ..WorkFilter::default() };
    let kinds = [
        ("all", StudySearch::default()),
        ("unread", StudySearch { filter: unread, ..StudySearch::default() }),
        ("kim", StudySearch { name: Some("kim".to_owned()), ..StudySearch::default() }),
        ("선우", StudySearch { name: Some("선우".to_owned()), ..StudySearch::default() }),
    ];
    let each = kinds.iter().flat_map(|kind| orders.iter().map(move |order| (kind, order)));
    each.flat_map(|((kind, search), (order, by))| {
        [true, false].map(|descending| {
            let sort = WorkSort { by: *by, descending };
            (
                format!("{kind}, by {order}{}", if descending { " down" } else { "" }),
                StudySearch { sort, ..search.clone() },
            )
        })
    })
    .collect()
}

/// Mere arithmetic, which asks for nothing and waits for nobody: where it is late, the machine was.
fn arithmetic(steps: u64) -> f64 {
    let started = Instant::now();
    let mut number = 1_u64;
    for _ in 0..steps {
        number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
    started.elapsed().as_secs_f64() * 1e3
}

/// 99th percentile of arithmetic that takes `median` milliseconds at the median, over as many rounds, directly afterwards.
fn control(median: f64, rounds: usize) -> f64 {
    let mut probes: Vec<f64> = (0..9).map(|_| arithmetic(100_000)).collect();
    probes.sort_by(f64::total_cmp);
    let steps = (100_000.0 * median / probes[4]) as u64;
    let mut times: Vec<f64> = (0..rounds).map(|_| arithmetic(steps)).collect();
    times.sort_by(f64::total_cmp);
    quantile(&times, 0.99)
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)]
}

/// Hits, and the milliseconds of each round; fewer rounds where three seconds are over.
async fn timed(rounds: usize, ask: impl AsyncFn() -> usize) -> (usize, Vec<f64>) {
    let (mut hits, mut times) = (0, Vec::new());
    while times.len() < rounds && (times.len() < 3 || times.iter().sum::<f64>() <= 3000.0) {
        let asked = Instant::now();
        hits = ask().await;
        times.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    (hits, times)
}

fn row(kind: &str, what: &str, hits: usize, mut times: Vec<f64>) -> serde_json::Value {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| quantile(&times, share);
    let machine = control(at(0.5), times.len());
    eprintln!(
        "{kind:5} {what:34} {hits:4} hits, p50 {:8.2} ms, p99 {:8.2} ms, p99 of arithmetic {machine:8.2} ms",
        at(0.5),
        at(0.99)
    );
    serde_json::json!({
        "kind": kind, "what": what, "hits": hits, "rounds": times.len(),
        "p50_ms": at(0.5), "p99_ms": at(0.99), "machine_p99_ms": machine
    })
}
