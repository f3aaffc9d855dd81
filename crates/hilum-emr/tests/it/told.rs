//! What records tell: messages that hl7apy writes, and such as Korean records send.

use crate::oracle::ask;
use chrono::FixedOffset;
use dicom_core::Tag;
use hilum_clinical::guideline::Input;
use hilum_emr::facts::{Fact, ICD_10, LOINC, PatientId, Told};
use hilum_emr::hl7::{CharacterSet, ImagingOrder, Message, Refused, Sender, orders, told};
use std::collections::BTreeMap;
use tempfile::tempdir;

fn seoul() -> FixedOffset {
    FixedOffset::east_opt(9 * 3600).unwrap()
}

fn read(text: &str) -> Result<Told, Refused> {
    let codes = BTreeMap::from([("L3011".to_owned(), "5802-4".to_owned())]);
    told(&Message::parse(text).unwrap(), &Sender { codes: &codes, zone: seoul() })
}

fn said(told: &Told) -> Vec<(Input, bool, &str, String)> {
    let one =
        |fact: &Fact| (fact.input, fact.holds, fact.system, format!("{} {}", fact.code, fact.observed_at.to_rfc3339()));
    told.facts.iter().map(one).collect()
}

const HEADER: &str = "MSH|^~\\&|HIS|KSH|HILUM|RAD|20261126101500||";

const WRITE: &str = r"
import json
from hl7apy.core import Message
def header(message, kind, trigger):
    message.msh.msh_3 = 'HIS'
    message.msh.msh_7 = '20261126101500'
    message.msh.msh_9 = kind
    message.msh.msh_10 = '1'
    message.msh.msh_11 = 'P'
    message.msh.msh_18 = 'KS X 1001'
adt = Message('ADT_A01', version='2.5.1')
header(adt, 'ADT^A08^ADT_A01', 'A08')
adt.pid.pid_3 = '1234567^^^KSH^PI~8801011234567^^^MOI^NI'
adt.pid.pid_5 = '홍^길동^^^^^L^P'
adt.pid.pid_7 = '19880101'
adt.pid.pid_8 = 'F'
for code, date in (('N13.6', '20261125'), ('O26.8', '20261001'), ('J00', '20261125')):
    dg1 = adt.add_segment('DG1')
    dg1.dg1_1 = '1'
    dg1.dg1_3 = code + '^진단^I10'
    dg1.dg1_5 = date
    dg1.dg1_6 = 'F'
# hl7apy takes the mark of repetitions for a part of the value.
open('adt.hl7', 'wb').write(adt.to_er7().replace('\\R\\', '~').encode('cp949'))

oru = Message('ORU_R01', version='2.5.1')
header(oru, 'ORU^R01^ORU_R01', 'R01')
result = oru.add_group('ORU_R01_PATIENT_RESULT')
patient = result.add_group('ORU_R01_PATIENT')
patient.pid.pid_3 = '1234567^^^KSH^PI'
patient.pid.pid_5 = '홍^길동'
patient.pid.pid_7 = '19660101'
patient.pid.pid_8 = 'F'
order = result.add_group('ORU_R01_ORDER_OBSERVATION')
order.obr.obr_4 = 'UA^Urinalysis^L'
order.obr.obr_7 = '20261125083000'
for kind, code, value, unit, at in (
    ('ST', 'L3011^아질산염^L', '양성', '', ''),
    ('NM', '6690-2^WBC^LN', '15.2', '10*3/uL', '20261125090000'),
    ('NM', 'CREA^Creatinine^L^2160-0^Creatinine^LN', '1.6', 'mg/dL', ''),
    ('NM', '2823-3^Potassium^LN', '4.1', 'mmol/L', '')):
    group = order.add_group('ORU_R01_OBSERVATION')
    group.obx.obx_2 = kind
    group.obx.obx_3 = code
    group.obx.obx_5 = value
    group.obx.obx_6 = unit
    group.obx.obx_11 = 'F'
    group.obx.obx_14 = at
open('oru.hl7', 'wb').write(oru.to_er7().encode('cp949'))
print(json.dumps(True))
";

#[test]
fn diagnoses_and_results_that_hl7apy_writes_are_facts_of_their_patient() {
    let folder = tempdir().unwrap();
    if ask(folder.path(), WRITE).is_none() {
        return;
    }
    let text = |name: &str| {
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        CharacterSet::of_message(&bytes, CharacterSet::Utf8).unwrap().decode(&bytes).unwrap()
    };
    let adt = read(&text("adt.hl7")).unwrap();
    let hospital = PatientId { issuer: "KSH".into(), id: "1234567".into() };
    assert!(adt.patient == [hospital.clone()], "the number of the state is not asked for");
    let at = |code: &str, day: &str| format!("{code} {day}T00:00:00+09:00");
    assert_eq!(
        said(&adt),
        [
            (Input::Obstruction, true, ICD_10, at("N136", "2026-11-25")),
            (Input::Infection, true, ICD_10, at("N136", "2026-11-25")),
            (Input::Pregnancy, true, ICD_10, at("O268", "2026-10-01")),
        ]
    );
    let oru = read(&text("oru.hl7")).unwrap();
    assert!(oru.patient == [hospital]);
    assert_eq!(
        said(&oru),
        [
            (Input::Infection, true, LOINC, "5802-4 2026-11-25T08:30:00+09:00".to_owned()),
            (Input::Infection, true, LOINC, "6690-2 2026-11-25T09:00:00+09:00".to_owned()),
            (Input::ReducedRenalFunction, true, LOINC, "2160-0 2026-11-25T08:30:00+09:00".to_owned()),
        ]
    );
}

#[test]
fn what_a_record_takes_back_is_withdrawn() {
    let result = |value: &str, status: &str| {
        let oru = read(&format!(
            "{HEADER}ORU^R01|1|P|2.3\rPID|||77\rOBR|1|||UA|||20261125\rOBX|1|ST|5802-4^^LN||{value}||||||{status}"
        ))
        .unwrap();
        (oru.facts.len(), oru.withdrawn.len())
    };
    assert_eq!(result("POS", "F"), (1, 0));
    assert_eq!(result("POS", "D"), (0, 1));
    assert_eq!(result("NEG", "C"), (0, 1), "corrected: it says nothing any more");
    assert_eq!(result("POS", "I"), (0, 0), "not there yet");
    let adt = format!("{HEADER}ADT^A08|1|P|2.5\rPID|||77\rDG1|1||Z33^^KCD||20260901{}D", "|".repeat(16));
    let adt = read(&adt).unwrap();
    assert_eq!((adt.facts.len(), adt.withdrawn.len()), (0, 1));
    assert_eq!(adt.withdrawn[0].code, "Z33");
    assert!(adt.withdrawn[0].observed_at.is_some());
    // Without a date it is taken back whenever it was so; told so, it is of the message's time and says that.
    let undated = read(&format!("{HEADER}ADT^A08|1|P|2.5\rPID|||77\rDG1|1||Z33^^KCD||{}D", "|".repeat(16))).unwrap();
    assert_eq!((undated.facts.len(), undated.withdrawn[0].observed_at), (0, None));
    let undated = read(&format!("{HEADER}ADT^A08|1|P|2.5\rPID|||77\rDG1|1||Z33^^KCD")).unwrap();
    assert_eq!(said(&undated)[0].3, "Z33 2026-11-26T10:15:00+09:00");
    assert!(!undated.facts[0].dated);
}

#[test]
fn what_a_message_says_of_a_second_patient_is_never_taken_for_the_first_ones() {
    let oru = |second: &str| {
        read(&format!(
            "{HEADER}ORU^R01|1|P|2.5\rPID|||77\rOBR|1|||UA|||20261125\rOBX|1|ST|5802-4^^LN||NEG||||||F\r\
             PID|||{second}\rOBR|1|||UA|||20261125\rOBX|1|ST|5799-2^^LN||POS||||||F"
        ))
    };
    assert!(oru("78").err() == Some(Refused::DataType));
    assert!(oru("").err() == Some(Refused::DataType), "whose it is cannot be told");
    assert_eq!(oru("77").unwrap().facts.len(), 1, "the same patient's next group");
    let order = |second: &str| {
        read(&format!("{HEADER}OMG^O19|1|P|2.5\rPID|||77\rORC|NW|P1\rOBR|1|P1\rPID|||{second}\rORC|NW|P2\rOBR|1|P2"))
    };
    assert!(order("78").err() == Some(Refused::DataType) && order("77").is_ok());
    // Two merges: both of one patient, or none of two.
    let merge = |second: &str| read(&format!("{HEADER}ADT^A40|1|P|2.5\rPID|||77\rMRG|76\rPID|||{second}\rMRG|75"));
    let merged = merge("77").unwrap().merged;
    assert!(merged.iter().map(|id| id.id.as_str()).eq(["76", "75"]));
    assert!(merge("78").err() == Some(Refused::DataType));
    // An unlinking names two patients, and nothing is kept of it.
    assert!(read(&format!("{HEADER}ADT^A37|1|P|2.5\rPID|||77\rPID|||78")).is_ok());
}

#[test]
fn a_result_beyond_what_is_measured_says_what_follows_from_its_sign() {
    let egfr = |kind: &str, value: &str| {
        let oru = read(&format!(
            "{HEADER}ORU^R01|1|P|2.5\rPID|||77\rOBR|1|||E|||20261125\rOBX|1|{kind}|62238-1^^LN||{value}||||||F"
        ));
        oru.unwrap().facts.first().map(|fact| fact.holds)
    };
    for (kind, value, expected) in [
        ("NM", "60", Some(false)),
        ("SN", "^60", Some(false)),
        ("SN", "=^59", Some(true)),
        ("SN", ">^60", Some(false)),
        ("SN", "<^60", Some(true)),
        ("SN", ">^30", None),
        ("SN", "<^90", None),
        ("SN", "<>^30", None),
        ("ST", "> 90", Some(false)),
        ("ST", "<15", Some(true)),
        ("ST", ">=60", Some(false)),
        ("ST", "<=60", None),
        ("ST", ">30", None),
        ("NM", ">30", None),
    ] {
        assert_eq!(egfr(kind, value), expected, "{kind} {value}");
    }
}

#[test]
fn messages_that_say_nothing_are_taken_and_those_that_cannot_be_read_are_refused_with_a_reason() {
    assert!(read(&format!("{HEADER}ADT^A11|1|P|2.5\rPID|||77\rDG1|1||N13.6^^I10")).unwrap().facts.is_empty());
    assert!(read(&format!("{HEADER}ADT^A08|1|P|2.5\rPID|||77\rDG1|1||N13.6^^ICD9")).unwrap().facts.is_empty());
    let merged = read(&format!("{HEADER}ADT^A40|1|P|2.5\rPID|||77\rMRG|76^^^KSH")).unwrap();
    assert!(merged.merged == [PatientId { issuer: "KSH".into(), id: "76".into() }]);
    for (message, refused) in [
        ("ADT^A08|1|P|2.5", Refused::RequiredFieldMissing),
        ("ADT^A08|1|P|2.5\rPID|1||^^^KSH", Refused::RequiredFieldMissing),
        ("ADT^A08|1|P|2.5\rPID|||8801011234567^^^^NI", Refused::RequiredFieldMissing),
        ("ADT^A40|1|P|2.5\rPID|||77", Refused::RequiredFieldMissing),
        ("ADT^A08|1|T|2.5\rPID|||77", Refused::UnsupportedProcessingId),
        ("ORU^R30|1|P|2.5\rPID|||77", Refused::UnsupportedEvent),
        ("MDM^T02|1|P|2.5\rPID|||77", Refused::UnsupportedMessage),
    ] {
        assert!(read(&format!("{HEADER}{message}")).err() == Some(refused), "{message}");
    }
    let undated = "MSH|^~\\&|HIS|KSH|||gestern||ADT^A08|1|P|2.5\rPID|||77";
    assert!(read(undated).err() == Some(Refused::DataType));
}

fn ordered(rest: &str) -> Result<Vec<ImagingOrder>, Refused> {
    orders(&Message::parse(&format!("{HEADER}{rest}")).unwrap(), seoul())
}

#[test]
fn an_order_is_an_item_of_the_worklist_with_its_names_and_numbers() {
    let pid = "PID|||KR0001^^^KSH^PI||Hong^Gildong^^^^^L^A~洪^吉洞^^^^^L^I~홍^길동^^^^^L^P||19700101|M";
    let orm = |control: &str| {
        format!(
            "ORM^O01|1|P|2.5.1\r{pid}\rORC|{control}|P100^OCS|F200^RIS||||^^^202611270930\r\
             OBR|1|P100^OCS|F200^RIS|HA451^CT KUB^L||||||||||||7^김^의사||A100||||||CT\rDG1|1||N20.1^^I10"
        )
    };
    let made = ordered(&orm("NW")).unwrap();
    let [ImagingOrder { item, cancelled: false, .. }] = &made[..] else { panic!("{made:?}") };
    let text = |tag| item.text(tag).unwrap_or_default();
    for (tag, expected) in [
        (Tag(0x0008, 0x0050), "A100"),
        (Tag(0x0008, 0x0090), "김^의사"),
        (Tag(0x0010, 0x0010), "Hong^Gildong=洪^吉洞=홍^길동"),
        (Tag(0x0010, 0x0020), "KR0001"),
        (Tag(0x0010, 0x0021), "KSH"),
        (Tag(0x0010, 0x0030), "19700101"),
        (Tag(0x0032, 0x1060), "CT KUB"),
        (Tag(0x0040, 0x1001), "P100"),
    ] {
        assert_eq!(text(tag), expected, "{tag}");
    }
    let step = &item.items(Tag(0x0040, 0x0100))[0];
    let told = [Tag(0x0008, 0x0060), Tag(0x0040, 0x0002), Tag(0x0040, 0x0003), Tag(0x0040, 0x0009)];
    assert_eq!(told.map(|tag| step.text(tag).unwrap()), ["CT", "20261127", "093000", "1"]);
    let again = ordered(&orm("XO")).unwrap();
    assert_eq!(made[0].item, again[0].item, "the same order has the same study UID");
    let cancelled = ordered(&orm("CA")).unwrap();
    assert!(cancelled[0].cancelled);
    // A message before may have had the other numbers alone.
    let numbers = |orders: &[ImagingOrder]| -> Vec<String> {
        orders[0].former.iter().map(|item| item.text(Tag(0x0008, 0x0050)).unwrap().to_owned()).collect()
    };
    assert!(made[0].former.is_empty());
    assert_eq!([numbers(&again), numbers(&cancelled)], [["F200", "P100"], ["F200", "P100"]]);
    let without = ordered(&orm("NW").replace("A100", "")).unwrap().remove(0).item;
    assert_eq!(again[0].former[0], without);
    assert!(ordered(&orm("SR")).unwrap().is_empty());
    let given = ordered(&format!("{}\rZDS|1.2.840.1^100^Application^DICOM", orm("NW"))).unwrap();
    assert_eq!(given[0].item.text(Tag(0x0020, 0x000D)), Some("1.2.840.1"));
    // Without a modality or a time no scanner could find it.
    for missing in ["|CT", "202611270930", "P100^OCS"] {
        let without =
            orm("NW").replace(missing, "").replace("F200^RIS", if missing == "P100^OCS" { "" } else { "F200^RIS" });
        assert_eq!(ordered(&without), Err(Refused::RequiredFieldMissing), "{missing}");
    }
    assert!(ordered("ADT^A08|1|P|2.5\rPID|||77").unwrap().is_empty());
}
