//! Names that the same people write with other characters.

use crate::fixture::{Ct, config, engine, execute, send, texts};
use dicom_core::Tag;
use hilum_dicom::DataSet;
use hilum_dicom::matching::{Level, QueryOptions};
use hilum_engine::views::StudySearch;
use hilum_engine::{Engine, Find, Scope, Zone};
use std::path::Path;
use tempfile::tempdir;

/// Half-width kana, full-width letters, and 金 as KS X 1001 has it for the reading 금.
const SENT: [&str; 3] = ["ﾔﾏﾀﾞ^ﾀﾛｳ", "Ｈｏｎｇ^Gildong", "Kim^Young=\u{F90A}^英"];
/// What is asked, and the study that has it.
const ASKED: [(&str, &str, usize); 3] = [("ヤマダ*", "ヤマダ", 1), ("hong^*", "hong", 2), ("金^*", "金", 3)];

async fn filled(data: &Path) -> Engine {
    let engine = engine(data).await;
    for ((name, patient_id), study) in SENT.into_iter().zip(["KR1", "KR2", "KR3"]).zip(1..) {
        send(&engine, &Ct { study, slices: 1, patient_id, name, ..Ct::default() }.files()).await;
    }
    engine
}

async fn is_found(engine: &Engine) -> Vec<bool> {
    let mut found = Vec::new();
    for (key, text, study) in ASKED {
        let study = Ct { study: study as _, ..Ct::default() }.study_uid();
        for fuzzy_names in [false, true] {
            let mut keys = DataSet::new();
            keys.set_all(Tag(0x0010, 0x0010), vec![if fuzzy_names { text } else { key }.to_owned()]);
            let options = QueryOptions { fuzzy_names, ..QueryOptions::default() };
            let find = Find { zone: Zone::Clinical, level: Level::Study, keys, options, after: None, limit: 10 };
            let answers = engine.find(&Scope::local(), &find).await.unwrap().answers;
            let uids: Vec<String> = answers
                .iter()
                .flat_map(|answer| answer.data_set().unwrap().texts(Tag(0x0020, 0x000D)).to_vec())
                .collect();
            found.push(uids == [study.as_str()]);
        }
        let search = StudySearch { text: Some(text.to_owned()), ..StudySearch::default() };
        let listed = engine.studies(&Scope::local(), &search).await.unwrap().items;
        found.push(matches!(&listed[..], [one] if one.study_uid == study.as_str()));
    }
    found
}

#[tokio::test]
async fn names_of_another_width_or_of_compatibility_ideographs_are_found() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    assert_eq!(is_found(&engine).await, [true; 9]);
    let keys = texts(data.path(), "SELECT name_key FROM study ORDER BY id").await;
    assert_eq!(keys, ["ヤマダ タロウ", "hong gildong", "kim young"]);
}

#[tokio::test]
async fn names_that_were_kept_before_get_their_keys_anew() {
    let data = tempdir().unwrap();
    drop(filled(data.path()).await);
    let keys = "SELECT name_key FROM study ORDER BY id";
    let now = texts(data.path(), keys).await;
    for sql in
        ["UPDATE study SET name_key = 'before'", "DELETE FROM seaql_migrations WHERE version = 'm0023_unified_texts'"]
    {
        execute(data.path(), sql).await;
    }
    let engine = Engine::open(config(data.path())).await.unwrap();
    assert_eq!(is_found(&engine).await, [true; 9]);
    assert_eq!(texts(data.path(), keys).await, now);
}
