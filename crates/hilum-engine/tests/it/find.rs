//! Searching by keys: what the indexes narrow down is what a look at every entity would find.

use crate::fixture::{Ct, engine, number, send};
use dicom_core::Tag;
use hilum_dicom::DataSet;
use hilum_dicom::matching::{Level, Query, QueryOptions};
use hilum_dicom::write::{PatientSex, SeriesKind};
use hilum_engine::{Engine, ErrorKind, Find, Found, Scope, Source, Zone};
use tempfile::tempdir;

const NAME: Tag = Tag(0x0010, 0x0010);
const ID: Tag = Tag(0x0010, 0x0020);
const SEX: Tag = Tag(0x0010, 0x0040);
const BIRTH_DATE: Tag = Tag(0x0010, 0x0030);
const DATE: Tag = Tag(0x0008, 0x0020);
const TIME: Tag = Tag(0x0008, 0x0030);
const ACCESSION: Tag = Tag(0x0008, 0x0050);
const MODALITIES: Tag = Tag(0x0008, 0x0061);
const MODALITY: Tag = Tag(0x0008, 0x0060);
const DESCRIPTION: Tag = Tag(0x0008, 0x1030);
const STUDY: Tag = Tag(0x0020, 0x000D);
const SERIES: Tag = Tag(0x0020, 0x000E);
const SOP: Tag = Tag(0x0008, 0x0018);
const BODY_PART: Tag = Tag(0x0018, 0x0015);
const NUMBER: Tag = Tag(0x0020, 0x0013);

fn archive() -> Vec<Ct> {
    let base = Ct { slices: 2, ..Ct::default() };
    let mut all = vec![
        base.clone(),
        Ct { series: 2, kind: SeriesKind::Localizer, slices: 1, ..base.clone() },
        Ct {
            study: 2, study_date: (2025, 12, 31), accession: "A2", study_description: "조영 복부 CT", ..base.clone()
        },
        Ct { study: 3, patient_id: "KR0003", name: "Kim^Chulsoo==김^철수", accession: "B-3", ..base.clone() },
        Ct {
            study: 4,
            patient_id: "KR0004",
            name: "김영희",
            sex: PatientSex::Female,
            study_date: (2026, 2, 1),
            ..base.clone()
        },
        Ct {
            study: 5,
            patient_id: "KR00041",
            name: "O'Brien^Zoe",
            study_date: (1999, 6, 30),
            accession: "A17",
            ..base.clone()
        },
        Ct { study: 6, patient_id: "kr0004", name: "Kimura^Ken", study_description: "CT  ABDOMEN 100%", ..base },
    ];
    for study in 7..30 {
        all.push(Ct { study, slices: 1, patient_id: "SYN-000009", name: "Lee^Many", ..Ct::default() });
    }
    all
}

async fn filled(data: &std::path::Path) -> Engine {
    let engine = engine(data).await;
    for series in archive() {
        send(&engine, &series.files()).await;
    }
    engine
}

pub fn ask(level: Level, keys: &[(Tag, &str)]) -> Find {
    let mut wanted = DataSet::new();
    for (tag, value) in keys {
        wanted.set_all(*tag, value.split('\\').map(str::to_owned).collect());
    }
    Find { zone: Zone::Clinical, level, keys: wanted, options: QueryOptions::default(), after: None, limit: 1000 }
}

/// Every entity of the level that the matching rules let through, one after another.
pub fn data_sets(found: &Found) -> Vec<DataSet> {
    found.answers.iter().map(|answer| answer.data_set().unwrap()).collect()
}

pub async fn found(engine: &Engine, find: &Find) -> Vec<DataSet> {
    data_sets(&engine.find(&Scope::local(), find).await.unwrap())
}

pub async fn by_looking_at_all(engine: &Engine, find: &Find) -> Vec<DataSet> {
    let everything = Find { keys: DataSet::new(), options: QueryOptions::default(), ..find.clone() };
    let query = Query::read(&find.keys, find.options).unwrap();
    let all = found(engine, &everything).await;
    all.into_iter().filter(|entity| query.matches(entity)).collect()
}

#[tokio::test]
async fn the_indexes_find_what_a_look_at_everything_finds() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    let study = archive()[2].study_uid().to_string();
    let uids = format!("{study}\\{}", archive()[3].study_uid());
    let questions: &[(&[(Tag, &str)], usize)] = &[
        (&[], 29),
        (&[(NAME, "HONG*")], 2),
        (&[(NAME, "*길동")], 2),
        (&[(NAME, "*홍*")], 2),
        (&[(NAME, "洪^*")], 2),
        (&[(NAME, "Kim^*")], 1),
        (&[(NAME, "Kim*")], 2),
        (&[(NAME, "김*")], 2),
        (&[(NAME, "김^철수")], 1),
        (&[(NAME, "==김^철수")], 1),
        (&[(NAME, "?im^Chulsoo")], 1),
        (&[(NAME, "o'brien^zo*")], 1),
        (&[(NAME, "이몽룡")], 0),
        (&[(NAME, "*")], 29),
        (&[(NAME, "Lee^*")], 23),
        (&[(ID, "KR0004")], 1),
        (&[(ID, "KR0004*")], 2),
        (&[(ID, "*0004*")], 3),
        (&[(ID, "KR000?")], 2),
        (&[(ID, "?R000?")], 2),
        (&[(ID, "KR0003\\kr0004")], 2),
        (&[(SEX, "F")], 1),
        (&[(BIRTH_DATE, "19900101-")], 0),
        (&[(DATE, "20260105")], 26),
        (&[(DATE, "20251201-20260104")], 1),
        (&[(DATE, "20260201-")], 1),
        (&[(DATE, "-19991231")], 1),
        (&[(DATE, "20940507-20001231")], 0),
        (&[(NAME, "Hong*"), (DATE, "20940507-20001231")], 0),
        (&[(DATE, "20260105"), (TIME, "0000-0100")], 26),
        (&[(DATE, "20260105"), (TIME, "0100-")], 0),
        (&[(ACCESSION, "A1")], 26),
        (&[(ACCESSION, "A1*")], 27),
        (&[(ACCESSION, "?-3")], 1),
        (&[(DESCRIPTION, "*복부*")], 1),
        (&[(DESCRIPTION, "CT*")], 28),
        (&[(DESCRIPTION, "*100%")], 1),
        (&[(DESCRIPTION, "ct kub")], 0),
        (&[(MODALITIES, "CT")], 29),
        (&[(MODALITIES, "MR\\CT")], 29),
        (&[(MODALITIES, "MR")], 0),
        (&[(STUDY, &uids)], 2),
        (&[(STUDY, &study), (NAME, "Kim*")], 0),
        (&[(NAME, "Hong*"), (DATE, "2025"), (ID, "SYN-000001")], 1),
    ];
    for (keys, hits) in questions {
        let find = ask(Level::Study, keys);
        let found = engine.find(&Scope::local(), &find).await.unwrap();
        assert_eq!(found.answers.len(), *hits, "{keys:?}");
        assert!(found.unsupported.is_empty() && found.next.is_none(), "{keys:?}");
        assert!(data_sets(&found) == by_looking_at_all(&engine, &find).await, "{keys:?}");
        // At the levels below and above, the same keys and the same truth.
        for level in [Level::Series, Level::Image] {
            let find = ask(level, keys);
            let found = engine.find(&Scope::local(), &find).await.unwrap();
            assert!(data_sets(&found) == by_looking_at_all(&engine, &find).await, "{level:?} {keys:?}");
        }
    }
    for (keys, hits) in
        [(&[(NAME, "Kim*")][..], 2), (&[(NAME, "*e*")], 3), (&[(ID, "KR*")], 3), (&[(SEX, "F")], 1), (&[], 6)]
    {
        let find = ask(Level::Patient, keys);
        let found = engine.find(&Scope::local(), &find).await.unwrap();
        assert_eq!(found.answers.len(), hits, "{keys:?}");
        assert!(data_sets(&found) == by_looking_at_all(&engine, &find).await, "{keys:?}");
    }
}

#[tokio::test]
async fn fuzzy_names_are_found_in_any_order_and_spelling() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    for (name, hits) in
        [("길동 홍", 2), ("홍길동", 2), ("chul kim", 1), ("영희", 0), ("김영", 1), ("zoe obrien", 1), ("ken lee", 0)]
    {
        let mut find = ask(Level::Study, &[(NAME, name)]);
        find.options.fuzzy_names = true;
        let found = found(&engine, &find).await;
        assert_eq!(found.len(), hits, "{name}");
        assert!(found == by_looking_at_all(&engine, &find).await, "{name}");
    }
}

#[tokio::test]
async fn an_answer_holds_the_counts_and_the_attributes_of_its_level() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    let uid = archive()[0].study_uid().to_string();
    let study = found(&engine, &ask(Level::Study, &[(STUDY, &uid)])).await.remove(0);
    for (tag, expected) in [
        (Tag(0x0020, 0x1206), "2"),
        (Tag(0x0020, 0x1208), "3"),
        (MODALITIES, "CT"),
        (DATE, "20260105"),
        (TIME, "000000"),
        (NAME, "Hong^Gildong=洪^吉洞=홍^길동"),
        (Tag(0x0020, 0x0010), "1"),
        (Tag(0x0008, 0x0056), "ONLINE"),
    ] {
        assert_eq!(study.text(tag), Some(expected), "{tag}");
    }
    let series = found(&engine, &ask(Level::Series, &[(STUDY, &uid), (MODALITY, "CT")])).await;
    assert_eq!(series.iter().map(|s| s.text(Tag(0x0020, 0x1209)).unwrap()).collect::<Vec<_>>(), ["2", "1"]);
    assert_eq!(series[0].text(BODY_PART), Some("ABDOMEN"));
    let series_uid = series[0].text(SERIES).unwrap();
    let images = found(&engine, &ask(Level::Image, &[(SERIES, series_uid)])).await;
    assert_eq!(images.iter().map(|i| i.text(NUMBER).unwrap()).collect::<Vec<_>>(), ["1", "2"]);
    let sop = images[1].text(SOP).unwrap();
    let one = found(&engine, &ask(Level::Image, &[(SOP, sop)])).await;
    assert!(one.len() == 1 && one[0] == images[1]);
    let patient = found(&engine, &ask(Level::Patient, &[(ID, "SYN-000009")])).await.remove(0);
    assert_eq!(patient.text(Tag(0x0020, 0x1200)), Some("23"));
}

#[tokio::test]
async fn pages_meet_without_gap_or_overlap_while_others_send() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    for level in [Level::Patient, Level::Study, Level::Series, Level::Image] {
        let all = found(&engine, &ask(level, &[])).await;
        for size in [1, 3, 1000] {
            let (mut seen, mut find) = (Vec::new(), Find { limit: size, ..ask(level, &[]) });
            loop {
                let page = engine.find(&Scope::local(), &find).await.unwrap();
                seen.extend(data_sets(&page));
                find.after = page.next;
                if find.after.is_none() {
                    break;
                }
            }
            assert!(seen == all, "{level:?} in pages of {size}");
        }
        for offset in [0, 1, 2, all.len() - 1, all.len(), all.len() + 5] {
            let page = engine.find_at(&Scope::local(), &Find { limit: 2, ..ask(level, &[]) }, offset).await.unwrap();
            assert!(
                data_sets(&page) == all.iter().skip(offset).take(2).cloned().collect::<Vec<_>>(),
                "{level:?} from {offset}"
            );
        }
        assert_eq!(engine.count(&Scope::local(), &ask(level, &[])).await.unwrap(), all.len() as u64);
    }
    let find = Find { limit: 5, ..ask(Level::Study, &[(NAME, "Lee*")]) };
    let all = found(&engine, &ask(Level::Study, &[(NAME, "Lee*")])).await;
    let first = engine.find_at(&Scope::local(), &find, 0).await.unwrap();
    send(&engine, &Ct { study: 99, slices: 1, name: "Lee^New", patient_id: "N", ..Ct::default() }.files()).await;
    let second = engine.find_at(&Scope::local(), &find, 5).await.unwrap();
    assert!(
        data_sets(&first) == all[..5] && data_sets(&second) == all[5..10],
        "a study that came in between moves no page"
    );
}

#[tokio::test]
async fn a_caller_sees_studies_of_the_own_institution_only() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    let other = Scope::console("OTHER".parse().unwrap());
    assert!(engine.find(&other, &ask(Level::Study, &[])).await.unwrap().answers.is_empty());
    let bytes = archive()[0].files().remove(0);
    engine.accept_instance(&other, Zone::Clinical, bytes, Source::Stow).await.unwrap();
    for level in [Level::Patient, Level::Study, Level::Series, Level::Image] {
        for keys in [&[][..], &[(NAME, "Hong*")], &[(ID, "SYN-000001")], &[(DATE, "2026")], &[(ID, "SYN*")]] {
            let found = engine.find(&other, &ask(level, keys)).await.unwrap();
            assert_eq!(found.answers.len(), 1, "{level:?} {keys:?}");
        }
    }
    let both = Scope::local().and("OTHER".parse().unwrap());
    assert_eq!(engine.find(&both, &ask(Level::Study, &[])).await.unwrap().answers.len(), 30);
}

#[tokio::test]
async fn keys_that_cannot_be_matched_are_named_and_wrong_ones_refused() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    let find = ask(Level::Study, &[(BODY_PART, "ABDOMEN"), (NAME, "Kim*"), (Tag(0x0008, 0x0005), "ISO_IR 192")]);
    let answer = engine.find(&Scope::local(), &find).await.unwrap();
    assert_eq!((answer.unsupported, answer.answers.len()), (vec![BODY_PART], 2));
    let wrong = engine.find(&Scope::local(), &ask(Level::Study, &[(DATE, "tomorrow")])).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::BadRequest);
    assert!(wrong.to_string().contains("(0008,0020)") && !wrong.to_string().contains("tomorrow"));
    let mut many = ask(Level::Study, &[]);
    many.keys.set_all(STUDY, (0..10_000).map(|index| format!("1.2.{index}")).collect());
    assert!(found(&engine, &many).await.is_empty());
    many.keys.set_all(STUDY, vec!["1.2".to_owned(); 10_001]);
    assert_eq!(engine.find(&Scope::local(), &many).await.unwrap_err().kind(), ErrorKind::BadRequest);
    // Long and many words are one long question of the index.
    let long: Vec<String> =
        (0..300).map(|index| format!("*{}{index}*", "가나다라마바사아자차카타파하".repeat(4))).collect();
    many.keys = DataSet::new();
    many.keys.set_all(NAME, long);
    assert!(found(&engine, &many).await.is_empty());
}

#[tokio::test]
async fn counts_stay_true_through_repeats_and_late_series() {
    let data = tempdir().unwrap();
    let engine = filled(data.path()).await;
    for series in archive() {
        send(&engine, &series.files()).await;
    }
    send(&engine, &Ct { series: 9, slices: 3, ..Ct::default() }.files()).await;
    for wrong in [
        "SELECT count(*) FROM study WHERE series_count <> (SELECT count(*) FROM series WHERE study_row = study.id)",
        "SELECT count(*) FROM study WHERE instance_count <> (SELECT count(*) FROM instance JOIN series ON series.id = series_row \
         WHERE study_row = study.id)",
        "SELECT count(*) FROM series WHERE frame_count <> (SELECT sum(frames) FROM instance WHERE series_row = series.id)",
        "SELECT count(*) FROM study WHERE modalities <> 'CT'",
        "SELECT count(*) - (SELECT count(*) FROM study_text) FROM study",
    ] {
        assert_eq!(number(data.path(), wrong).await, 0, "{wrong}");
    }
}

#[tokio::test]
async fn control_characters_in_a_text_never_make_two_answers_of_one() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    // The rest of a row, and the beginning of another; no writer of ours would write them.
    let forged: &str = format!("N^A{}}}7{{O^B", "{1".repeat(17)).leak();
    for (study, patient_id, name, study_description) in
        [(1, "P1", "Hong^Gildong", "CT"), (2, "P2", forged, "CT"), (3, "P3", "Kim^A{B", "a}b")]
    {
        let ct = Ct { study, slices: 1, study_description, patient_id, name, ..Ct::default() };
        let mut file = ct.files().remove(0).to_vec();
        for text in [name, study_description] {
            let at = file.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
            for byte in &mut file[at..at + text.len()] {
                *byte = match *byte {
                    b'{' => 0x1f,
                    b'}' => 0x1e,
                    other => other,
                };
            }
        }
        send(&engine, &[file.into()]).await;
    }
    let all = found(&engine, &ask(Level::Study, &[])).await;
    assert_eq!(all.len(), 3);
    let mut uids: Vec<&str> = all.iter().map(|study| study.text(STUDY).unwrap()).collect();
    uids.sort_unstable();
    let mut sent: Vec<String> = (1..=3).map(|study| Ct { study, ..Ct::default() }.study_uid().to_string()).collect();
    sent.sort_unstable();
    assert_eq!(uids, sent);
    assert!(all.iter().all(|study| !study.text(NAME).unwrap().contains(['\u{1e}', '\u{1f}'])));
}
