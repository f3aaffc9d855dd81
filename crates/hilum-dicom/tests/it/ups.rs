//! Work items against tables of PS3.4 Annex CC that were typed apart from the source.

use dicom_core::{Tag, VR};
use hilum_dicom::DataSet;
use hilum_dicom::data_set::Value;
use hilum_dicom::native_model;
use hilum_dicom::ups::{
    Notice, NoticeKind, PUSH, StepError, StepState, Transition, check_cancel_request, check_changes, check_final_state,
    check_new, put_changes, transition,
};
use proptest::prelude::*;

/// An attribute that may not be stated, and how it is stated all the same.
type Stated<'a> = (u32, &'a dyn Fn(&mut DataSet));

fn tag(number: u32) -> Tag {
    Tag((number >> 16) as u16, number as u16)
}

fn coded(value: &str) -> DataSet {
    let mut item = DataSet::new();
    item.set(tag(0x0008_0100), value).set(tag(0x0008_0102), "99TEST").set(tag(0x0008_0104), "test");
    item
}

/// The least that PS3.4 Table CC.2.5-3 asks of a creator: what is of type 1.
fn least() -> DataSet {
    let mut item = DataSet::new();
    item.set(tag(0x0074_1000), "SCHEDULED")
        .set(tag(0x0074_1200), "MEDIUM")
        .set(tag(0x0074_1204), "Stone reading")
        .set(tag(0x0040_4005), "20261126190000+0900")
        .set(tag(0x0040_4041), "READY");
    item
}

/// PS3.4 Table CC.2.5-3, N-CREATE, type 1.
const TYPE_1: [u32; 5] = [0x0074_1000, 0x0074_1200, 0x0074_1204, 0x0040_4005, 0x0040_4041];

/// PS3.4 Table CC.2.5-3, N-CREATE, type 2 at the top.
const TYPE_2: [u32; 19] = [
    0x0074_1202,
    0x0074_1210,
    0x0040_4025,
    0x0040_4026,
    0x0040_4027,
    0x0040_4018,
    0x0040_0400,
    0x0040_4021,
    0x0010_0010,
    0x0010_0020,
    0x0010_0030,
    0x0010_0040,
    0x0038_0010,
    0x0038_0014,
    0x0008_1080,
    0x0008_1084,
    0x0040_A370,
    0x0074_1002,
    0x0074_1216,
];

#[test]
fn what_is_of_type_1_must_be_there_and_what_is_of_type_2_is_added_without_a_value() {
    for number in TYPE_1 {
        let mut item = least();
        item.remove(tag(number));
        assert_eq!(check_new(&item), Err(StepError::Missing(tag(number))), "{number:08X} left out");
        item.set(tag(number), "");
        assert_eq!(check_new(&item), Err(StepError::Missing(tag(number))), "{number:08X} without a value");
    }
    let created = check_new(&least()).unwrap();
    assert!(created.modified, "type 2 was left out, and is there");
    for number in TYPE_2 {
        assert!(created.data_set.get(tag(number)).is_some_and(Value::is_empty), "{number:08X}");
    }
    let again = check_new(&created.data_set).unwrap();
    assert!(!again.modified && again.data_set == created.data_set, "what states all of it is taken as it is");
}

#[test]
fn a_creator_states_nothing_that_is_a_performers_or_the_keepers() {
    let performed = |item: &mut DataSet| {
        item.set_items(tag(0x0074_1216), vec![coded("x")]);
    };
    let progress = |item: &mut DataSet| {
        item.set_items(tag(0x0074_1002), vec![coded("x")]);
    };
    let transaction = |item: &mut DataSet| {
        item.set(tag(0x0008_1195), "1.2.3");
    };
    let modified = |item: &mut DataSet| {
        item.set(tag(0x0040_4010), "20261126");
    };
    let steps: [Stated; 4] =
        [(0x0074_1216, &performed), (0x0074_1002, &progress), (0x0008_1195, &transaction), (0x0040_4010, &modified)];
    for (number, state) in steps {
        let mut item = least();
        state(&mut item);
        assert_eq!(check_new(&item), Err(StepError::NotAllowed(tag(number))));
    }
    for state in ["IN PROGRESS", "COMPLETED", "CANCELED", "scheduled"] {
        let mut item = least();
        item.set(tag(0x0074_1000), state);
        assert!(matches!(check_new(&item), Err(StepError::Value { .. })), "{state}");
    }
    let mut item = least();
    item.set_items(tag(0x0040_4034), vec![coded("nobody")]);
    assert!(
        matches!(check_new(&item), Err(StepError::Missing(_))),
        "a human performer has a code, a name, an organization"
    );
}

#[test]
fn values_that_nothing_can_be_found_or_referred_to_by_are_refused_and_not_quoted() {
    for (number, text) in [
        (0x0074_1200, "URGENT"),
        (0x0040_4041, "SOON"),
        (0x0040_4005, "tomorrow"),
        (0x0040_4005, "2026-2027"),
        (0x0020_000D, "1..2"),
        (0x0074_1204, &"x".repeat(65)),
    ] {
        let mut item = least();
        item.set(tag(number), text);
        let error = check_new(&item).unwrap_err();
        assert!(matches!(error, StepError::Value { tag: named, .. } if named == tag(number)), "{number:08X} {error}");
        assert!(!error.to_string().contains(text), "{error}");
    }
    let mut item = least();
    item.insert(tag(0x0040_4021), VR::LO, Value::Text(vec!["no items".to_owned()]));
    assert!(check_new(&item).is_err(), "text where a sequence is due");
}

/// PS3.4 Table CC.1.1-2, row by row: state, wanted, by whoever claimed it or not, what happens.
const STATES: [(&str, &str, bool, &str); 22] = [
    ("SCHEDULED", "SCHEDULED", true, "C303"),
    ("IN PROGRESS", "SCHEDULED", true, "C303"),
    ("COMPLETED", "SCHEDULED", true, "C303"),
    ("CANCELED", "SCHEDULED", true, "C303"),
    ("SCHEDULED", "IN PROGRESS", true, "IN PROGRESS"),
    ("IN PROGRESS", "IN PROGRESS", true, "C302"),
    ("IN PROGRESS", "IN PROGRESS", false, "C302"),
    ("COMPLETED", "IN PROGRESS", true, "C300"),
    ("CANCELED", "IN PROGRESS", true, "C300"),
    ("SCHEDULED", "COMPLETED", true, "C310"),
    ("IN PROGRESS", "COMPLETED", true, "COMPLETED"),
    ("IN PROGRESS", "COMPLETED", false, "C301"),
    ("COMPLETED", "COMPLETED", true, "B306"),
    ("COMPLETED", "COMPLETED", false, "B306"),
    ("CANCELED", "COMPLETED", true, "C300"),
    ("SCHEDULED", "CANCELED", true, "C310"),
    ("SCHEDULED", "CANCELED", false, "C310"),
    ("IN PROGRESS", "CANCELED", true, "CANCELED"),
    ("IN PROGRESS", "CANCELED", false, "C301"),
    ("COMPLETED", "CANCELED", true, "C300"),
    ("CANCELED", "CANCELED", true, "B304"),
    ("CANCELED", "CANCELED", false, "B304"),
];

#[test]
fn states_follow_each_other_as_the_standards_table_says() {
    for (state, wanted, claimed, expected) in STATES {
        let named = if claimed { "1.2.3" } else { "1.2.4" };
        let happens = match transition(state.parse().unwrap(), Some("1.2.3"), wanted.parse().unwrap(), named) {
            Ok(Transition::To(state)) => state.as_str(),
            Ok(Transition::Already(StepState::Completed)) => "B306",
            Ok(Transition::Already(_)) => "B304",
            Err(StepError::Ended(_)) => "C300",
            Err(StepError::WrongTransaction) => "C301",
            Err(StepError::InProgress) => "C302",
            Err(StepError::OnlyByCreation) => "C303",
            Err(StepError::NotInProgress) => "C310",
            Err(_) => "?",
        };
        assert_eq!(happens, expected, "{state} to {wanted}, {claimed}");
    }
    assert!("DONE".parse::<StepState>().is_err());
}

/// PS3.4 Table CC.2.5-3, Final State: R, and P of the performed procedure, and X of the progress.
const R: [u32; 4] = [0x0074_1200, 0x0040_4005, 0x0040_4041, 0x0074_1000];
const P: [u32; 5] = [0x0040_4028, 0x0040_4019, 0x0040_4050, 0x0040_4051, 0x0040_4033];
const X: [u32; 2] = [0x0040_4052, 0x0074_100E];

fn performed() -> DataSet {
    let mut item = DataSet::new();
    item.set_items(tag(0x0040_4028), vec![coded("HILUM")])
        .set_items(tag(0x0040_4019), vec![coded("urinary-stone")])
        .set(tag(0x0040_4050), "20261126190000")
        .set(tag(0x0040_4051), "20261126190100")
        .set_items(tag(0x0040_4033), vec![coded("x")]);
    item
}

fn ended() -> DataSet {
    let mut item = check_new(&least()).unwrap().data_set;
    let mut progress = DataSet::new();
    progress.set(tag(0x0040_4052), "20261126190100").set_items(tag(0x0074_100E), vec![coded("110513")]);
    item.set(tag(0x0040_4010), "20261126190000")
        .set_items(tag(0x0074_1216), vec![performed()])
        .set_items(tag(0x0074_1002), vec![progress]);
    item
}

#[test]
fn a_work_item_ends_only_with_what_the_standards_table_asks_of_that_end() {
    use StepState::{Canceled, Completed};
    assert_eq!((check_final_state(&ended(), Completed), check_final_state(&ended(), Canceled)), (Ok(()), Ok(())));
    for number in R.into_iter().chain([0x0040_4010]) {
        let mut item = ended();
        item.set(tag(number), "");
        for state in [Completed, Canceled] {
            assert_eq!(check_final_state(&item, state), Err(StepError::NotMet(tag(number))), "{state}");
        }
    }
    for number in P {
        let mut step = performed();
        step.remove(tag(number));
        let mut item = ended();
        item.set_items(tag(0x0074_1216), vec![step]);
        assert_eq!(check_final_state(&item, Completed), Err(StepError::NotMet(tag(number))));
        assert_eq!(check_final_state(&item, Canceled), Ok(()), "{number:08X} is no matter of a cancellation");
    }
    for number in X {
        let mut item = ended();
        let mut progress = item.items(tag(0x0074_1002))[0].clone();
        progress.remove(tag(number));
        item.set_items(tag(0x0074_1002), vec![progress]);
        assert_eq!(check_final_state(&item, Canceled), Err(StepError::NotMet(tag(number))));
        assert_eq!(check_final_state(&item, Completed), Ok(()), "{number:08X} is no matter of a completion");
    }
    let mut without = ended();
    without.remove(tag(0x0074_1216));
    assert!(check_final_state(&without, Completed).is_err() && check_final_state(&without, Canceled).is_ok());
}

/// PS3.4 Table CC.2.5-3, N-SET: what nobody changes afterwards.
const NEVER: [u32; 13] = [
    0x0008_0016,
    0x0008_0018,
    0x0008_1195,
    0x0040_4010,
    0x0010_0010,
    0x0010_0020,
    0x0010_0030,
    0x0010_0040,
    0x0038_0010,
    0x0008_1080,
    0x0074_1000,
    0x0074_1224,
    0x0040_A370,
];

#[test]
fn whose_work_it_is_and_its_state_are_never_changed_and_the_rest_is_put_in_whole() {
    for number in NEVER {
        let mut changes = DataSet::new();
        if [0x0074_1224, 0x0040_A370].contains(&number) {
            changes.set_items(tag(number), vec![coded("x")]);
        } else {
            changes.set(tag(number), "1");
        }
        assert_eq!(check_changes(&changes), Err(StepError::NotAllowed(tag(number))));
    }
    for number in [0x0074_1200, 0x0074_1204, 0x0040_4005, 0x0040_4041] {
        let mut changes = DataSet::new();
        changes.set(tag(number), "");
        assert_eq!(check_changes(&changes), Err(StepError::Missing(tag(number))), "what is of type 1 keeps a value");
    }
    let mut item = ended();
    let mut changes = DataSet::new();
    changes
        .set(tag(0x0074_1200), "HIGH")
        .set(tag(0x0010_0010), "")
        .set_items(tag(0x0040_4021), Vec::new())
        .set_items(tag(0x0074_1216), vec![performed(), performed()]);
    assert_eq!(check_changes(&changes), Ok(()));
    put_changes(&mut item, &changes);
    assert_eq!(item.text(tag(0x0074_1200)), Some("HIGH"));
    assert_eq!(item.items(tag(0x0074_1216)).len(), 2);
}

#[test]
fn a_request_to_cancel_says_why_and_whom_to_ask_and_nothing_else() {
    let mut request = DataSet::new();
    request.set(tag(0x0074_1238), "ordered twice").set(tag(0x0074_100A), "tel:+82").set(tag(0x0074_100C), "Kim");
    request.set_items(tag(0x0074_100E), vec![coded("110510")]);
    assert_eq!(check_cancel_request(&request), Ok(()));
    request.set(tag(0x0010_0010), "Hong");
    assert_eq!(check_cancel_request(&request), Err(StepError::NotAllowed(tag(0x0010_0010))));
}

/// PS3.4 Table CC.2.4-1: Event Type ID and what each must state.
#[test]
fn each_kind_of_event_states_what_the_standards_table_asks() {
    let mut item = ended();
    item.set_items(tag(0x0040_4025), vec![coded("HILUM")]);
    let mut request = DataSet::new();
    request.set(tag(0x0074_1236), "PACS").set(tag(0x0074_1238), "ordered twice");
    for (notice, number, states) in [
        (Notice::of_state(&item), 1, &[0x0074_1000, 0x0040_4041, 0x0074_100E][..]),
        (Notice::of_cancel_request(&request), 2, &[0x0074_1236, 0x0074_1238]),
        (Notice::of_progress(&item), 3, &[0x0074_1002]),
        (hilum_dicom::ups::scp_status(false), 4, &[0x0074_1242, 0x0074_1244, 0x0074_1246]),
        (Notice::of_assignment(&item).unwrap(), 5, &[0x0040_4025]),
    ] {
        let message = notice.message("1.2.3.4", 7);
        assert_eq!(message.text(tag(0x0000_1002)), Some(number.to_string().as_str()));
        assert_eq!(message.text(tag(0x0000_0002)), Some(PUSH));
        assert_eq!(message.text(tag(0x0000_1000)), Some("1.2.3.4"));
        assert_eq!((message.text(tag(0x0000_0100)), message.text(tag(0x0000_0110))), (Some("256"), Some("7")));
        for state in states {
            assert!(message.get(tag(*state)).is_some_and(|value| !value.is_empty()), "{number}: {state:08X}");
        }
    }
    assert_eq!(Notice::of_assignment(&least()), None, "nobody was assigned");
    assert_eq!(NoticeKind::ProgressReport as u32, 3);
}

/// A document that a requester may send, to be damaged.
fn document() -> String {
    let mut item = least();
    item.set_items(tag(0x0040_4018), vec![coded("urinary-stone")])
        .set(tag(0x0010_0010), "Hong^Gildong=洪^吉洞=홍^길동");
    let mut json = String::new();
    hilum_dicom::json::write_data_set(&item, &mut json);
    native_model::documents(json.as_bytes()).next().unwrap().unwrap()
}

proptest! {
    #[test]
    fn a_damaged_document_is_refused_or_read_and_never_panics(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..20, ".{0,4}"), 0..6),
    ) {
        let mut text: Vec<char> = document().chars().collect();
        for (at, length, put) in &cuts {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, put.chars());
        }
        if let Ok(read) = native_model::read(&text.into_iter().collect::<String>()) {
            // Whatever it says by then, the rules say yes or no.
            drop((check_new(&read), check_changes(&read)));
        }
    }
}
