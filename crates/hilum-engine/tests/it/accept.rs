//! One instance through the door, and its effects.

use crate::fixture::{Ct, aside, dcmtk, engine, files, number, objects, on_the_way, rows, send, texts, viewer};
use bytes::Bytes;
use hilum_dicom::write::SeriesKind;
use hilum_engine::views::StudySearch;
use hilum_engine::{AcceptError, Accepted, ErrorKind, Received, Scope, Source, Zone};
use std::path::Path;
use tempfile::tempdir;

#[tokio::test]
async fn the_same_instance_twice_is_one_copy_byte_for_byte_as_received() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let sent = Ct { slices: 3, ..Ct::default() }.files();
    assert_eq!(send(&engine, &sent).await, [Accepted::Kept, Accepted::Kept, Accepted::Kept]);
    assert_eq!(send(&engine, &sent).await, [Accepted::AlreadyThere, Accepted::AlreadyThere, Accepted::AlreadyThere]);

    let rows = rows(data.path()).await;
    assert_eq!([rows["patient"], rows["study"], rows["series"], rows["instance"], rows["quarantine"]], [1, 1, 1, 3, 0]);
    let kept = objects(data.path());
    let mut bytes: Vec<Bytes> = kept.into_iter().map(Bytes::from).collect();
    let mut expected = sent.clone();
    bytes.sort();
    expected.sort();
    assert_eq!(bytes, expected);
    // The first revision came from each of three commits; the second delivery changed nothing.
    assert_eq!(number(data.path(), "SELECT revision FROM series").await, 3);
}

/// Nothing that a sender writes may keep a row from being written: its instance may have been acknowledged already.
#[tokio::test]
async fn texts_that_no_standard_allows_are_kept_and_the_rest_of_the_object_is_found() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let with = |ct: Ct, tag: [u8; 4], value: &[u8]| {
        let bytes = ct.files().remove(0);
        let at = bytes.windows(4).position(|four| four == tag).unwrap();
        let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
        let new = (value.len() as u16).to_le_bytes();
        Bytes::from([&bytes[..at + 6], &new, value, &bytes[at + 8 + length..]].concat())
    };
    let one = |study| Ct { study, slices: 1, ..Ct::default() };
    let (name, id, accession, description) =
        ([0x10, 0, 0x10, 0], [0x10, 0, 0x20, 0], [8, 0, 0x50, 0], [8, 0, 0x30, 0x10]);
    let long: Vec<u8> = (0..60_000_u32).map(|index| b'A' + (index * index % 26) as u8).collect();
    let sent = [
        with(one(1), name, b"Hong\0^Gil\0dong\0"),
        with(one(2), id, b"AB\0C"),
        with(one(3), id, &long),
        with(one(4), accession, &long),
        with(one(5), description, &long),
        with(Ct { patient_id: "B", ..one(6) }, name, &long),
    ];
    assert_eq!(send(&engine, &sent).await, vec![Accepted::Kept; 6]);
    let found = async |text: &str| {
        let search = StudySearch { text: Some(text.to_owned()), ..StudySearch::default() };
        engine.studies(&Scope::local(), &search).await.unwrap().items.len()
    };
    assert_eq!(found("").await, 6);
    assert_eq!(found("gildong").await, 5, "all but the sixth");
    assert_eq!((found("ABC").await, found("ab\0c").await), (1, 0));
    assert_eq!(found(str::from_utf8(&long[..40]).unwrap()).await, 2, "the beginning of a long text is in the index");
}

#[tokio::test]
async fn no_file_name_holds_a_uid_or_anything_of_the_patient() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    send(&engine, &Ct::default().files()).await;
    for file in files(data.path(), "") {
        let name = file.strip_prefix(data.path()).unwrap().to_string_lossy().into_owned();
        assert!(!name.contains("2.25") && !name.contains("SYN") && !name.contains("Hong"), "{name}");
    }
}

#[tokio::test]
async fn the_same_data_set_in_another_transfer_syntax_is_one_copy() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let sent = Ct { slices: 1, ..Ct::default() }.files();
    let (explicit, implicit) = (data.path().join("explicit"), data.path().join("implicit"));
    std::fs::write(&explicit, &sent[0]).unwrap();
    if dcmtk("dcmconv", &[Path::new("+ti"), &explicit, &implicit]).is_none() {
        return;
    }
    let implicit = Bytes::from(std::fs::read(implicit).unwrap());
    assert_ne!(implicit, sent[0]);
    assert_eq!(send(&engine, &sent).await, [Accepted::Kept]);
    assert_eq!(send(&engine, &[implicit]).await, [Accepted::AlreadyThere]);
    assert_eq!(objects(data.path()).len(), 1);
    assert_eq!(aside(data.path()).len(), 0);
}

#[tokio::test]
async fn a_different_object_under_the_same_uid_is_put_aside_and_shown_and_the_first_stays() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let first = Ct { slices: 1, ..Ct::default() }.files();
    let other = Ct { slices: 1, hu: 900, ..Ct::default() }.files();
    send(&engine, &first).await;
    for _ in 0..2 {
        let outcome = send(&engine, &other).await;
        assert!(
            matches!(&outcome[0], Accepted::Quarantined { reason } if reason.contains("different content")),
            "{outcome:?}"
        );
    }
    let shown = engine.quarantine(&Scope::local()).await.unwrap();
    assert_eq!(shown.len(), 1, "the same different object twice is one entry");
    assert_eq!(aside(data.path()).len(), 1, "and one record");
    assert_eq!(shown[0].reason.code, "different_object");
    assert_eq!(shown[0].bytes, other[0].len() as u64);
    assert_eq!(aside(data.path())[0], other[0]);
    assert_eq!(objects(data.path())[0], first[0]);
}

#[tokio::test]
async fn two_senders_at_once_with_the_same_uid_leave_one_copy_and_one_aside() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let (a, b) = (Ct { slices: 1, ..Ct::default() }.files(), Ct { slices: 1, hu: 900, ..Ct::default() }.files());
    let scope = Scope::local();
    let accept = |bytes: &Bytes| engine.accept_instance(&scope, Zone::Clinical, bytes.clone(), Source::Dimse);
    let (one, two, three) = tokio::join!(accept(&a[0]), accept(&b[0]), accept(&a[0]));
    let outcomes = [one.unwrap(), two.unwrap(), three.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Accepted::Kept).count(), 1, "{outcomes:?}");
    let rows = rows(data.path()).await;
    assert_eq!((rows["instance"], rows["quarantine"]), (1, 1));
    assert_eq!((objects(data.path()).len(), aside(data.path()).len()), (1, 1), "no record without a row");
    assert_eq!(on_the_way(data.path()), 0, "nothing stays on its way");
}

#[tokio::test]
async fn the_research_zone_is_refused_with_a_sentence_and_nothing_is_kept() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let bytes = Ct { slices: 1, ..Ct::default() }.files().remove(0);
    let error = engine.accept_instance(&Scope::local(), Zone::Research, bytes, Source::Stow).await.unwrap_err();
    assert!(matches!(error, AcceptError::ResearchZoneNeedsDeidentification));
    assert!(error.to_string().contains("de-identification"));
    assert_eq!(objects(data.path()).len(), 0);
    assert_eq!(rows(data.path()).await["instance"], 0);
}

#[tokio::test]
async fn what_is_damaged_or_no_dicom_is_refused_with_a_code_and_leaves_nothing() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let whole = Ct { slices: 1, ..Ct::default() }.files().remove(0);
    let lie = {
        // Rows (0028,0010) and Columns (0028,0011) US 2, both 65,535.
        let mut bytes = whole.to_vec();
        for element in [0x10, 0x11] {
            let at = bytes.windows(8).position(|w| w == [0x28, 0, element, 0, b'U', b'S', 2, 0]).unwrap();
            bytes[at + 8..at + 10].copy_from_slice(&[0xff, 0xff]);
        }
        Bytes::from(bytes)
    };
    for (bytes, kind, code) in [
        (Bytes::new(), ErrorKind::NotDicom, "not_dicom"),
        (Bytes::from_static(b"hello, this is a text of more than eight bytes"), ErrorKind::NotDicom, "not_dicom"),
        (whole.slice(..whole.len() - 100), ErrorKind::Damaged, "pixel_data_truncated"),
        (whole.slice(..200), ErrorKind::Damaged, "header_damaged"),
        (lie, ErrorKind::Damaged, "pixel_data_too_short"),
    ] {
        let length = bytes.len();
        let error = engine.accept_instance(&Scope::local(), Zone::Clinical, bytes, Source::Stow).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, code), "{length} bytes: {error}");
    }
    assert_eq!(objects(data.path()).len() + aside(data.path()).len(), 0);
    assert_eq!(rows(data.path()).await["study"], 0);
}

#[tokio::test]
async fn a_reader_may_not_send_and_another_institution_sees_nothing() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let series = Ct { slices: 1, ..Ct::default() };
    let bytes = series.files().remove(0);
    let reader = viewer("LOCAL".parse().unwrap());
    let error = engine.accept_instance(&reader, Zone::Clinical, bytes.clone(), Source::Stow).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);

    let other = Scope::console("OTHER".parse().unwrap());
    send(&engine, std::slice::from_ref(&bytes)).await;
    assert_eq!(engine.study(&other, &series.study_uid()).await.unwrap_err().kind(), ErrorKind::NotFound);
    // The same UID in another institution is another instance.
    let kept = engine.accept_instance(&other, Zone::Clinical, bytes, Source::Stow).await.unwrap();
    assert_eq!(kept, Accepted::Kept);
    assert_eq!(objects(data.path()).len(), 2);
    for scope in [Scope::local(), other.clone()] {
        assert_eq!(engine.studies(&scope, &StudySearch::default()).await.unwrap().items.len(), 1);
    }
    let both = Scope::local().and("OTHER".parse().unwrap());
    assert_eq!(engine.studies(&both, &StudySearch::default()).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn a_study_sent_for_two_patients_is_kept_and_flagged() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let series = Ct { slices: 1, ..Ct::default() };
    send(&engine, &series.files()).await;
    let second = Ct { slices: 1, series: 2, patient_id: "SYN-000002", kind: SeriesKind::Localizer, ..Ct::default() };
    send(&engine, &second.files()).await;
    let study = engine.study(&Scope::local(), &series.study_uid()).await.unwrap();
    assert_eq!(study.summary.series_count, 2);
    assert_eq!(study.conflicts.iter().map(|note| note.code.as_str()).collect::<Vec<_>>(), ["study_of_two_patients"]);
    assert_eq!(rows(data.path()).await["patient"], 2);
}

#[tokio::test]
async fn instances_of_one_series_that_state_different_modalities_are_kept_and_flagged() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let series = Ct { slices: 2, ..Ct::default() };
    let [first, second] = series.files().try_into().unwrap();
    let modality = b"\x08\x00\x60\x00CS\x02\x00";
    let at = second.windows(modality.len()).position(|bytes| bytes == modality).unwrap() + modality.len();
    let mut other = second.to_vec();
    other[at..at + 2].copy_from_slice(b"MR");
    for file in [first, other.into()] {
        assert_eq!(send(&engine, &[file]).await, [Accepted::Kept]);
    }
    let study = engine.study(&Scope::local(), &series.study_uid()).await.unwrap();
    assert_eq!(study.conflicts.iter().map(|note| note.code.as_str()).collect::<Vec<_>>(), ["modalities_differ"]);
    assert_eq!((study.summary.series_count, study.summary.modalities.as_slice()), (1, &["CT".to_owned()][..]));
}

#[tokio::test]
async fn studies_and_series_that_come_together_are_counted_each_for_itself() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    let series = |study, series| Ct { study, series, slices: 4, ..Ct::default() };
    let all: Vec<_> = [(1, 1), (1, 2), (2, 1), (3, 1)].map(|(a, b)| series(a, b).files()).to_vec();
    // Two slices of each at first, then one more of the first two studies.
    let slices = |of: &[usize], slices: std::ops::Range<usize>| {
        let parts = of.iter().flat_map(|at| all[*at][slices.clone()].to_vec());
        parts.map(Received::from).collect::<Vec<_>>()
    };
    for parts in [slices(&[0, 1, 2, 3], 0..2), slices(&[0, 1, 2], 2..3)] {
        let accepted = engine.accept_parts(&Scope::local(), Zone::Clinical, parts).await;
        assert!(accepted.into_iter().all(|one| one.unwrap() == Accepted::Kept));
        engine.caught_up().await;
    }
    let told = "SELECT concat(s.series_count, ' ', s.instance_count, ' ', string_agg(concat(e.instance_count, '/', e.frame_count), ' ')) \
                FROM study s JOIN (SELECT * FROM series ORDER BY id) e ON e.study_row = s.id GROUP BY s.id ORDER BY s.id";
    assert_eq!(texts(data.path(), told).await, ["2 6 3/3 3/3", "1 3 3/3", "1 2 2/2"]);
    let behind =
        "SELECT count(*) FROM study s JOIN series e ON e.study_row = s.id WHERE s.revision = 0 OR e.revision = 0";
    assert_eq!(number(data.path(), behind).await, 0);
}

#[tokio::test]
async fn the_study_list_finds_korean_names_and_turns_its_pages() {
    let data = tempdir().unwrap();
    let engine = engine(data.path()).await;
    for study in 1..=5 {
        send(&engine, &Ct { study, slices: 1, ..Ct::default() }.files()).await;
    }
    let scope = Scope::local();
    let find = |text: &str| StudySearch { text: Some(text.to_owned()), ..StudySearch::default() };
    for (text, hits) in
        [("길동", 5), ("洪", 5), ("hong gil", 5), ("SYN-000001", 5), ("100%", 0), ("_", 0), ("이몽룡", 0)]
    {
        assert_eq!(engine.studies(&scope, &find(text)).await.unwrap().items.len(), hits, "{text}");
    }
    let mut seen = Vec::new();
    let mut search = StudySearch { limit: Some(2), ..StudySearch::default() };
    loop {
        let page = engine.studies(&scope, &search).await.unwrap();
        seen.extend(page.items.into_iter().map(|study| study.study_uid));
        search.after = page.next;
        if search.after.is_none() {
            break;
        }
    }
    let stored = texts(data.path(), "SELECT study_uid FROM study ORDER BY id DESC").await;
    assert_eq!(seen, stored);
    let wrong = StudySearch { after: Some("x".into()), ..StudySearch::default() };
    assert_eq!(engine.studies(&scope, &wrong).await.unwrap_err().kind(), ErrorKind::BadRequest);
}
