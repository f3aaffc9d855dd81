//! Searching by what series say: when and by which request they were made.

use crate::find::{ask, by_looking_at_all, data_sets, found};
use crate::fixture::{engine, number, send};
use bytes::Bytes;
use dicom_core::Tag;
use hilum_dicom::DataSet;
use hilum_dicom::charset::SpecificCharacterSet;
use hilum_dicom::data_set::Stated;
use hilum_dicom::matching::{Level, QueryOptions};
use hilum_dicom::part10::file_meta;
use hilum_engine::{Engine, Find, Scope};
use tempfile::tempdir;

const SOP_CLASS: Tag = Tag(0x0008, 0x0016);
const SOP: Tag = Tag(0x0008, 0x0018);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const STUDY: Tag = Tag(0x0020, 0x000D);
const SERIES: Tag = Tag(0x0020, 0x000E);
const PERFORMED_DATE: Tag = Tag(0x0040, 0x0244);
const PERFORMED_TIME: Tag = Tag(0x0040, 0x0245);
const REQUESTS: Tag = Tag(0x0040, 0x0275);
const STEP: Tag = Tag(0x0040, 0x0009);
const PROCEDURE: Tag = Tag(0x0040, 0x1001);
const ACCESSION: Tag = Tag(0x0008, 0x0050);

/// The first instance of a series, of whatever attributes.
pub struct Object(pub DataSet);

impl Object {
    pub fn new(study: usize, series: usize) -> Self {
        let mut data_set = DataSet::new();
        data_set.set(SOP_CLASS, "1.2.840.10008.5.1.4.1.1.2");
        data_set.set(SOP, format!("1.2.3.{study}.{series}.1"));
        data_set.set(STUDY, format!("1.2.3.{study}")).set(SERIES, format!("1.2.3.{study}.{series}"));
        data_set.set(PATIENT_ID, format!("P{study}")).set(MODALITY, "CT");
        Self(data_set)
    }

    pub fn with(mut self, values: &[(Tag, &str)]) -> Self {
        for (tag, value) in values {
            self.0.set(*tag, *value);
        }
        self
    }

    /// With items of Request Attributes Sequence: Scheduled Procedure Step ID, Requested Procedure ID.
    pub fn requested(mut self, requests: &[(&str, &str)]) -> Self {
        let item = |(step, procedure): &(&str, &str)| request(&[(STEP, step), (PROCEDURE, procedure)]);
        self.0.set_items(REQUESTS, requests.iter().map(item).collect());
        self
    }

    pub fn file(&self) -> Bytes {
        let text = |tag| self.0.text(tag).unwrap();
        let syntax = "1.2.840.10008.1.2.1".parse().unwrap();
        let mut file = file_meta(&text(SOP_CLASS).parse().unwrap(), &text(SOP).parse().unwrap(), &syntax);
        file.extend(self.0.write(true, &SpecificCharacterSet::utf8(), Stated::Always).unwrap());
        file.into()
    }
}

fn request(values: &[(Tag, &str)]) -> DataSet {
    let mut item = DataSet::new();
    for (tag, value) in values {
        item.set(*tag, *value);
    }
    item
}

/// A question by keys, some of them within Request Attributes Sequence.
fn ask_request(keys: &[(Tag, &str)], within: &[(Tag, &str)], options: QueryOptions) -> Find {
    let mut find = Find { options, ..ask(Level::Series, keys) };
    if !within.is_empty() {
        find.keys.set_items(REQUESTS, vec![request(within)]);
    }
    find
}

async fn archive(data: &std::path::Path) -> Engine {
    let engine = engine(data).await;
    let performed = |date, time| [(PERFORMED_DATE, date), (PERFORMED_TIME, time)];
    let objects = [
        // What rows say that were written before series had these keys, and scanners without a worklist.
        Object::new(1, 1),
        Object::new(1, 2).with(&performed("20200101", "0730")).requested(&[("S1", "R1"), ("S2", "R2")]),
        Object::new(2, 1).with(&performed("20200101", "235959.5")).requested(&[("S1", "R2")]),
        Object::new(2, 2).with(&performed("20200102", "")).requested(&[("예약-1", ""), ("", "")]),
        Object::new(3, 1).with(&performed("20210630", "120000")).requested(&[("S10", "R10")]),
        Object::new(3, 2).with(&[(PERFORMED_TIME, "120000")]).requested(&[]),
    ];
    let files: Vec<Bytes> = objects.iter().map(Object::file).collect();
    send(&engine, &files).await;
    engine
}

#[tokio::test]
async fn series_are_found_by_when_they_were_made_and_by_what_was_requested() {
    let data = tempdir().unwrap();
    let engine = archive(data.path()).await;
    let plain = QueryOptions::default();
    let combined = QueryOptions { combined_date_times: true, ..plain };
    let empty = QueryOptions { empty_values: true, ..plain };
    type Keys = &'static [(Tag, &'static str)];
    let questions: &[(Keys, Keys, QueryOptions, usize)] = &[
        (&[(PERFORMED_DATE, "20200101")], &[], plain, 2),
        (&[(PERFORMED_DATE, "20200102-")], &[], plain, 2),
        (&[(PERFORMED_DATE, "-20191231")], &[], plain, 0),
        (&[(PERFORMED_TIME, "1200")], &[], plain, 2),
        (&[(PERFORMED_TIME, "2300-0800")], &[], plain, 2),
        (&[(PERFORMED_DATE, "20200101-20200102"), (PERFORMED_TIME, "0800-1000")], &[], plain, 0),
        // From 8 o'clock of the first day to 10 o'clock of the second.
        (&[(PERFORMED_DATE, "20200101-20200102"), (PERFORMED_TIME, "0800-1000")], &[], combined, 2),
        (&[(PERFORMED_DATE, "\"\"")], &[], empty, 2),
        (&[], &[(STEP, "S1")], plain, 2),
        (&[], &[(STEP, "S1*")], plain, 3),
        (&[], &[(STEP, "S?")], plain, 2),
        (&[], &[(STEP, "예약*")], plain, 1),
        (&[], &[(STEP, "s1")], plain, 0),
        (&[], &[(PROCEDURE, "R2")], plain, 2),
        // Both of one item, not each of some item.
        (&[], &[(STEP, "S1"), (PROCEDURE, "R2")], plain, 1),
        (&[], &[(STEP, "S2"), (PROCEDURE, "R1")], plain, 0),
        (&[], &[(STEP, ""), (PROCEDURE, "")], plain, 6),
        (&[], &[(PROCEDURE, "\"\"")], empty, 1),
        (&[(PERFORMED_DATE, "20200101")], &[(STEP, "S1"), (PROCEDURE, "R1")], plain, 1),
    ];
    for (keys, within, options, hits) in questions {
        let find = ask_request(keys, within, *options);
        let found = engine.find(&Scope::local(), &find).await.unwrap();
        assert_eq!(found.answers.len(), *hits, "{keys:?} {within:?}");
        assert!(found.unsupported.is_empty(), "{keys:?} {within:?}");
        assert!(data_sets(&found) == by_looking_at_all(&engine, &find).await, "{keys:?} {within:?}");
        let find = Find { level: Level::Image, ..find };
        let found = engine.find(&Scope::local(), &find).await.unwrap();
        assert_eq!(found.answers.len(), *hits, "image {keys:?} {within:?}");
    }
    let mut none = ask_request(&[], &[], empty);
    none.keys.set_all(REQUESTS, vec!["\"\"".to_owned()]);
    let find = engine.find(&Scope::local(), &none).await.unwrap();
    assert_eq!((find.answers.len(), find.unsupported), (2, Vec::new()));
}

#[tokio::test]
async fn a_series_is_answered_with_every_request_that_it_was_made_for() {
    let data = tempdir().unwrap();
    let engine = archive(data.path()).await;
    let of = async |series: &str| found(&engine, &ask(Level::Series, &[(SERIES, series)])).await.remove(0);
    let two = of("1.2.3.1.2").await;
    assert_eq!((two.text(PERFORMED_DATE), two.text(PERFORMED_TIME)), (Some("20200101"), Some("073000")));
    let ids: Vec<_> = two.items(REQUESTS).iter().map(|item| (item.text(STEP), item.text(PROCEDURE))).collect();
    assert_eq!(ids, [(Some("S1"), Some("R1")), (Some("S2"), Some("R2"))]);
    assert_eq!(of("1.2.3.2.2").await.items(REQUESTS), [request(&[(STEP, "예약-1"), (PROCEDURE, "")])]);
    let without = of("1.2.3.1.1").await;
    assert!(without.get(PERFORMED_DATE).is_some_and(hilum_dicom::data_set::Value::is_empty));
    assert!(without.get(REQUESTS).is_some_and(hilum_dicom::data_set::Value::is_empty));
    // No study has them.
    let studies = engine.find(&Scope::local(), &ask(Level::Study, &[(PERFORMED_DATE, "20200101")])).await.unwrap();
    assert_eq!((studies.answers.len(), studies.unsupported), (3, vec![PERFORMED_DATE]));
}

#[tokio::test]
async fn a_key_within_a_request_that_is_not_kept_is_named_and_left_out() {
    let data = tempdir().unwrap();
    let engine = archive(data.path()).await;
    let find = ask_request(&[], &[(STEP, "S1"), (ACCESSION, "A1")], QueryOptions::default());
    let answer = engine.find(&Scope::local(), &find).await.unwrap();
    assert_eq!((answer.answers.len(), answer.unsupported), (2, vec![ACCESSION]));
    let mut text = ask(Level::Series, &[]);
    text.keys.set_all(REQUESTS, vec!["S1".to_owned()]);
    let answer = engine.find(&Scope::local(), &text).await.unwrap();
    assert_eq!((answer.answers.len(), answer.unsupported), (6, vec![REQUESTS]));
    assert_eq!(number(data.path(), "SELECT count(*) FROM series").await, 6);
}
