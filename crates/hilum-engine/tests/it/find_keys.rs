//! Searching the whole archive by each key of a study and of a series: what the index of words hands out is what a look at every entity
//! finds, also of rows that were there before the index knew these keys.

use crate::find::{ask, by_looking_at_all, data_sets};
use crate::find_series::Object;
use crate::fixture::{engine, execute, number, send};
use bytes::Bytes;
use dicom_core::Tag;
use hilum_dicom::DataSet;
use hilum_dicom::matching::{Level, QueryOptions};
use hilum_engine::{Engine, Find, Scope};
use tempfile::tempdir;

const NAME: Tag = Tag(0x0010, 0x0010);
const BIRTH_DATE: Tag = Tag(0x0010, 0x0030);
const DATE: Tag = Tag(0x0008, 0x0020);
const TIME: Tag = Tag(0x0008, 0x0030);
const MODALITIES: Tag = Tag(0x0008, 0x0061);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const REFERRER: Tag = Tag(0x0008, 0x0090);
const STUDY_ID: Tag = Tag(0x0020, 0x0010);
const SERIES_NUMBER: Tag = Tag(0x0020, 0x0011);
const DESCRIPTION: Tag = Tag(0x0008, 0x103E);
const BODY_PART: Tag = Tag(0x0018, 0x0015);
const PERFORMED_DATE: Tag = Tag(0x0040, 0x0244);
const REQUESTS: Tag = Tag(0x0040, 0x0275);
const STEP: Tag = Tag(0x0040, 0x0009);
const PROCEDURE: Tag = Tag(0x0040, 0x1001);

/// Forty studies of two series: what most of them say, what few say, and what nobody does.
fn objects() -> Vec<Bytes> {
    let mut files = Vec::new();
    for study in 0..40_usize {
        let rare = study == 7;
        let birth = format!("19{:02}0{}15", 30 + study, 1 + study % 9);
        let time = format!("{:02}{:02}30", study % 24, study);
        let of_study = [
            (NAME, if study % 2 == 0 { "Kim^A" } else { "Lee^B" }),
            (BIRTH_DATE, if study == 5 { "" } else { &birth }),
            (DATE, "20260105"),
            (TIME, if study == 6 { "" } else { &time }),
            (REFERRER, if rare { "Sonu^Dr=鮮于^醫師=선우^의사" } else { "Park^Jisung" }),
            (STUDY_ID, if rare { "S-0007/가" } else { "1" }),
        ];
        let number = (100 + study).to_string();
        let first = [
            (SERIES_NUMBER, "1"),
            (DESCRIPTION, if rare { "간 동맥기 1.0" } else { "Abdomen 3.0 Br40" }),
            (BODY_PART, if rare { "Abdomen" } else { "CHEST" }),
            (PERFORMED_DATE, if rare { "20251231" } else { "" }),
        ];
        let second = [
            (SERIES_NUMBER, if study == 8 { "-3" } else { number.as_str() }),
            (DESCRIPTION, if study % 10 == 9 { "Dose\u{1e}Report" } else { "Scout" }),
            (MODALITY, ["CT", "PT", "MR", "SR"][study % 4]),
        ];
        let mut object = Object::new(study, 1).with(&of_study).with(&first);
        if rare {
            object = object.requested(&[("ST-71", "RP-71"), ("ST-72", "")]);
        }
        files.push(object.file());
        files.push(Object::new(study, 2).with(&of_study).with(&second).file());
    }
    files
}

type Keys = &'static [(Tag, &'static str)];

/// Keys, and how many studies and series they match; `None` where the key is none of studies.
const QUESTIONS: &[(Keys, Option<usize>, usize)] = &[
    (&[(STUDY_ID, "1")], Some(39), 78),
    (&[(STUDY_ID, "S-0007/가")], Some(1), 2),
    (&[(STUDY_ID, "S-*")], Some(1), 2),
    (&[(STUDY_ID, "?-0007*")], Some(1), 2),
    (&[(STUDY_ID, "s-0007/가")], Some(0), 0),
    (&[(STUDY_ID, "nobody")], Some(0), 0),
    (&[(STUDY_ID, "*")], Some(40), 80),
    (&[(REFERRER, "PARK^J*")], Some(39), 78),
    (&[(REFERRER, "선우^의사")], Some(1), 2),
    (&[(REFERRER, "*醫師")], Some(1), 2),
    (&[(REFERRER, "홍^길동")], Some(0), 0),
    (&[(REFERRER, "Park^Jisung"), (NAME, "Kim*")], Some(20), 40),
    (&[(BIRTH_DATE, "19370815")], Some(1), 2),
    (&[(BIRTH_DATE, "19300101-19391231")], Some(9), 18),
    (&[(BIRTH_DATE, "-19300101")], Some(0), 0),
    (&[(BIRTH_DATE, "19690101-")], Some(1), 2),
    (&[(TIME, "073730")], Some(0), 0),
    (&[(TIME, "070730")], Some(1), 2),
    (&[(TIME, "0707")], Some(1), 2),
    (&[(TIME, "07-08")], Some(4), 8),
    (&[(TIME, "2300-0030")], Some(3), 6),
    (&[(MODALITIES, "P*")], Some(10), 20),
    (&[(MODALITIES, "?R")], Some(20), 40),
    (&[(MODALITIES, "X*\\SR")], Some(10), 20),
    (&[(MODALITIES, "X*")], Some(0), 0),
    (&[(MODALITY, "P*")], None, 10),
    (&[(SERIES_NUMBER, "1")], None, 40),
    (&[(SERIES_NUMBER, "139")], None, 1),
    (&[(SERIES_NUMBER, "0139\\-3")], None, 2),
    (&[(SERIES_NUMBER, "999")], None, 0),
    (&[(SERIES_NUMBER, "1*")], None, 0),
    (&[(SERIES_NUMBER, "1.5")], None, 0),
    (&[(DESCRIPTION, "Scout")], None, 36),
    (&[(DESCRIPTION, "*동맥기*")], None, 1),
    (&[(DESCRIPTION, "간*1.0")], None, 1),
    (&[(DESCRIPTION, "Dose R*")], None, 4),
    (&[(DESCRIPTION, "Dose?Report")], None, 4),
    (&[(DESCRIPTION, "scout")], None, 0),
    (&[(DESCRIPTION, "*nothing*")], None, 0),
    (&[(DESCRIPTION, "Scout"), (SERIES_NUMBER, "1")], None, 0),
    (&[(BODY_PART, "CHEST")], None, 39),
    (&[(BODY_PART, "Abdomen")], None, 1),
    (&[(BODY_PART, "ABDOMEN")], None, 0),
    (&[(BODY_PART, "?bd*")], None, 1),
    (&[(BODY_PART, "KNEE")], None, 0),
    (&[(PERFORMED_DATE, "20251201-")], None, 1),
    (&[(PERFORMED_DATE, "20260101-")], None, 0),
];

async fn agree(engine: &Engine) {
    let scope = Scope::local();
    for (keys, studies, series) in QUESTIONS {
        let levels = [(Level::Study, *studies), (Level::Series, Some(*series)), (Level::Image, Some(*series))];
        for (level, hits) in levels {
            let Some(hits) = hits else { continue };
            let find = ask(level, keys);
            let found = engine.find(&scope, &find).await.unwrap();
            assert_eq!(found.answers.len(), hits, "{level:?} {keys:?}");
            assert!(found.unsupported.is_empty(), "{level:?} {keys:?}");
            assert!(data_sets(&found) == by_looking_at_all(engine, &find).await, "{level:?} {keys:?}");
        }
    }
    for (keys, hits) in [(&[(BIRTH_DATE, "19370815")][..], 1), (&[(BIRTH_DATE, "1930-1939")], 9)] {
        let find = ask(Level::Patient, keys);
        let found = engine.find(&scope, &find).await.unwrap();
        assert_eq!(found.answers.len(), hits, "{keys:?}");
        assert!(data_sets(&found) == by_looking_at_all(engine, &find).await, "{keys:?}");
    }
    for (key, value, hits) in
        [(STEP, "ST-7*", 1), (STEP, "ST-72", 1), (PROCEDURE, "RP-71", 1), (PROCEDURE, "rp-71", 0), (STEP, "X", 0)]
    {
        let mut item = DataSet::new();
        item.set(key, value);
        let mut find = ask(Level::Series, &[]);
        find.keys.set_items(REQUESTS, vec![item]);
        let found = engine.find(&scope, &find).await.unwrap();
        assert_eq!(found.answers.len(), hits, "{value}");
        assert!(data_sets(&found) == by_looking_at_all(engine, &find).await, "{value}");
    }
}

#[tokio::test]
async fn every_key_of_the_whole_archive_finds_what_a_look_at_everything_does() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let files = objects();
    send(&engine, &files).await;
    agree(&engine).await;
    // Settled, the same.
    engine.run_until_idle().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(number(data.path(), "SELECT count(*) FROM series WHERE settled_revision < revision").await, 0);
    agree(&engine).await;
}

#[tokio::test]
async fn a_time_beside_a_date_is_the_end_of_a_range_of_days_where_that_was_agreed() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    send(&engine, &objects()).await;
    let keys = [(DATE, "20260104-20260105"), (TIME, "0730-0100")];
    for (combined, hits) in [(false, 27), (true, 3)] {
        let options = QueryOptions { combined_date_times: combined, ..QueryOptions::default() };
        let find = Find { options, ..ask(Level::Study, &keys) };
        let found = engine.find(&Scope::local(), &find).await.unwrap();
        assert_eq!(found.answers.len(), hits, "{combined}");
        assert!(data_sets(&found) == by_looking_at_all(&engine, &find).await);
    }
    let options = QueryOptions { empty_values: true, fuzzy_names: true, ..QueryOptions::default() };
    for (keys, hits) in [
        (&[(TIME, "\"\"")][..], 1),
        (&[(BIRTH_DATE, "\"\"")], 1),
        (&[(BODY_PART, "\"\"")], 40),
        (&[(REFERRER, "의사 선우")], 2),
        (&[(REFERRER, "jisung park")], 78),
    ] {
        let level = if keys[0].0 == BODY_PART || keys[0].0 == REFERRER { Level::Series } else { Level::Study };
        let find = Find { options, ..ask(level, keys) };
        let found = engine.find(&Scope::local(), &find).await.unwrap();
        assert_eq!(found.answers.len(), hits, "{keys:?}");
        assert!(data_sets(&found) == by_looking_at_all(&engine, &find).await, "{keys:?}");
    }
}

#[tokio::test]
async fn rows_that_were_there_before_are_found_by_every_key_after_the_migration() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let files = objects();
    send(&engine, &files).await;
    drop(engine);
    // As the migrations before left them: no columns, body parts of settled series alone, and an index without these marks.
    for sql in [
        "ALTER TABLE series DROP COLUMN performed_date",
        "ALTER TABLE series DROP COLUMN step_ids",
        "ALTER TABLE series DROP COLUMN procedure_ids",
        "UPDATE series SET body_part = NULL WHERE settled_revision < revision",
        "DELETE FROM study_text",
        "DELETE FROM seaql_migrations WHERE version LIKE 'm0024%'",
    ] {
        execute(data.path(), sql).await;
    }
    // Facts of that time say nothing of a performed step.
    for (from, to) in [("performed_date", "unknown_date"), ("\"requests\"", "\"unknown\"")] {
        execute(data.path(), &format!("UPDATE instance SET facts = replace(facts, '{from}', '{to}')")).await;
    }
    let engine = crate::fixture::engine(data.path()).await;
    for (keys, _, series) in QUESTIONS.iter().filter(|(keys, ..)| keys[0].0 != PERFORMED_DATE) {
        let find = ask(Level::Series, keys);
        let found = engine.find(&Scope::local(), &find).await.unwrap();
        assert_eq!(found.answers.len(), *series, "{keys:?}");
        assert!(data_sets(&found) == by_looking_at_all(&engine, &find).await, "{keys:?}");
    }
    let performed = engine.find(&Scope::local(), &ask(Level::Series, &[(PERFORMED_DATE, "19000101-")])).await.unwrap();
    assert!(performed.answers.is_empty() && performed.unsupported.is_empty());
    let empty = QueryOptions { empty_values: true, ..QueryOptions::default() };
    let none = Find { options: empty, ..ask(Level::Series, &[(PERFORMED_DATE, "\"\"")]) };
    assert_eq!(engine.find(&Scope::local(), &none).await.unwrap().answers.len(), 80);
}
