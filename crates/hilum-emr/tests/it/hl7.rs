use crate::fixture::{amended, preliminary, signed, told};
use crate::oracle::ask;
use hilum_clinical::Language;
use hilum_emr::hl7::{
    Ack, AckCode, CharacterSet, Component, Envelope, Field, Framer, FramingError, Hl7Error, Message, Refused,
    Repetition, Segment, acknowledgment, framed, oru_r01,
};
use proptest::prelude::*;
use serde_json::json;
use tempfile::tempdir;

fn envelope(character_set: CharacterSet) -> Envelope<'static> {
    Envelope {
        control_id: "0123456789ABCDEF0123",
        sending: ("HILUM", "KSH"),
        receiving: ("OCS", "KSH"),
        character_set,
        character_set_name: None,
    }
}

/// hl7apy checks structure, data types and lengths of 2.5.1 strictly, and says what it read.
const READ: &str = r"
import json
from hl7apy.parser import parse_message
from hl7apy.consts import VALIDATION_LEVEL
out = []
for name in ('p', 'f', 'c'):
    text = open(name + '.hl7', 'rb').read().decode('utf-8')
    message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
    message.validate()
    result = message.oru_r01_patient_result
    observation = result.oru_r01_order_observation
    pid = result.oru_r01_patient.pid
    obr = observation.obr
    rows = []
    for group in observation.oru_r01_observation:
        obx = group.obx
        rows.append([obx.obx_2.to_er7(), obx.obx_3.obx_3_1.to_er7(), obx.obx_4.to_er7(),
            obx.obx_5[0].to_er7()[:60], obx.obx_6.to_er7() if obx.obx_6 else '', obx.obx_8.to_er7(), obx.obx_11.to_er7()])
    out.append({
        'msh': [message.msh.msh_9.to_er7(), message.msh.msh_10.to_er7(), message.msh.msh_11.to_er7(), message.msh.msh_18.to_er7(), message.msh.msh_7.to_er7()],
        'pid': [pid.pid_3.cx_1.to_er7(), pid.pid_3.cx_4.to_er7(), [name.to_er7() for name in pid.pid_5], pid.pid_7.to_er7(), pid.pid_8.to_er7()],
        'obr': [obr.obr_2.to_er7(), obr.obr_3.to_er7(), obr.obr_4.obr_4_1.to_er7(), obr.obr_7.to_er7(), obr.obr_25.to_er7(), obr.obr_32.to_er7() if obr.obr_32 else ''],
        'notes': [note.nte_3.to_er7() for note in observation.nte],
        'rows': rows,
        'lines': max([len(group.obx.obx_5) for group in observation.oru_r01_observation if group.obx.obx_3.obx_3_1.to_er7() == '19005-8'], default=0),
    })
print(json.dumps(out))
";

#[test]
fn hl7apy_reads_reports_strictly_before_and_after_their_signatures() {
    let folder = tempdir().unwrap();
    let pdf = b"%PDF-1.7 a page";
    for (name, report) in [("p", preliminary()), ("f", signed()), ("c", amended())] {
        let told = told(&report, Language::Korean, Some(pdf));
        let encoded = CharacterSet::Utf8.encode(&oru_r01(&told, &envelope(CharacterSet::Utf8)).text());
        assert_eq!(encoded.replaced, 0);
        std::fs::write(folder.path().join(format!("{name}.hl7")), encoded.bytes).unwrap();
    }
    let Some(read) = ask(folder.path(), READ) else { return };
    let [preliminary, signed, amended] = &read.as_array().unwrap()[..] else { panic!("{read}") };
    let at = "20260305140709+0900";
    assert_eq!(
        preliminary["msh"],
        json!(["ORU^R01^ORU_R01", "0123456789ABCDEF0123", "T", "UNICODE UTF-8", at]),
        "what is no person's is for training"
    );
    let names = json!(["Hong^Gildong^^^^^L^A", "洪^吉洞^^^^^L^I", "홍^길동^^^^^L^P"]);
    assert_eq!(preliminary["pid"], json!(["SYN\\F\\0001", "KSH", names, "19690306", "M"]));
    assert_eq!(
        preliminary["obr"],
        json!(["A\\S\\1", "1.2.826.0.1.3680043.8.498.1^HILUM", "18748-4", "202603051358", "P", ""])
    );
    assert!(preliminary["notes"].to_string().contains("진단"), "{}", preliminary["notes"]);
    let rows = |of: &serde_json::Value| -> Vec<Vec<String>> { serde_json::from_value(of["rows"].clone()).unwrap() };
    let first = rows(preliminary);
    assert_eq!(first[0], ["CWE", "stone-present", "", "52101004^Present^SCT^^^^^^결석 있음", "", "A", "P"]);
    assert_eq!(first[1], ["NM", "stone-count", "", "2", "1^no units^UCUM", "", "P"]);
    assert!(first.iter().any(|row| row[1] == "synthetic"), "{first:?}");
    let diameter = |rows: &[Vec<String>], stone: &str| {
        let found = rows.iter().find(|row| row[1] == "largest-diameter" && row[2] == stone);
        found.map(|row| (row[3].clone(), row[4].clone(), row[6].clone()))
    };
    let (mm, unit, _) = diameter(&first, "1").unwrap();
    assert!(mm.parse::<f64>().is_ok() && unit == "mm^millimeter^UCUM", "{mm} {unit}");
    assert_eq!(first.last().unwrap()[..2], ["ED", "18748-4"]);

    let last = rows(signed);
    assert_eq!(signed["obr"][4], "F");
    assert_eq!(signed["obr"][5], "&김의사");
    assert_eq!(diameter(&last, "1").unwrap(), ("7.25".into(), "mm^millimeter^UCUM".into(), "F".into()));
    assert_eq!(diameter(&last, "2").unwrap().2, "D", "the physician found that it is no stone");
    assert_eq!(diameter(&last, "3").unwrap().0, "4");
    assert_eq!(last[1][3], "2", "one confirmed, one added");
    let conclusion = last.iter().find(|row| row[1] == "19005-8").unwrap();
    assert_eq!(conclusion[3], "좌측 신장 하극 결석 7 mm.");
    assert_eq!(signed["lines"], 2);
    assert_eq!(amended["obr"][4], "C");
    assert!(rows(amended).iter().all(|row| ["C", "D"].contains(&row[6].as_str())));
}

#[test]
fn the_same_version_is_the_same_message() {
    let report = signed();
    let write = || oru_r01(&told(&report, Language::English, None), &envelope(CharacterSet::Ascii)).text();
    assert_eq!(write(), write());
}

#[test]
fn an_english_message_in_ascii_has_no_other_character_but_those_of_names() {
    let mut report = preliminary();
    report.patient.name.ideographic = None;
    let told = told(&report, Language::English, None);
    let text = oru_r01(&told, &envelope(CharacterSet::Ascii)).text();
    let odd: Vec<&str> = text.split('\r').filter(|line| !line.is_ascii() && !line.starts_with("PID")).collect();
    assert!(odd.is_empty(), "{odd:?}");
}

/// Python's codecs are the oracle: cp949 has every syllable, euc_kr those of KS X 1001.
const CODECS: &str = r"
import json
text = open('text', encoding='utf-8').read()
def encode(codec):
    # Python spells syllables that KS X 1001 lacks by their letters, in eight bytes.
    one = [c.encode(codec, 'replace') for c in text]
    return list(b''.join(bytes if len(bytes) <= 2 else b'?' for bytes in one))
print(json.dumps([encode('cp949'), encode('euc_kr'), encode('ascii')]))
";

#[test]
fn korean_names_are_written_in_the_bytes_of_the_receivers_set_and_come_back() {
    let folder = tempdir().unwrap();
    // The last two syllables are in CP949 alone; the snowman is in neither.
    let text = "홍길동^洪吉洞|Ä 힣뷁 ☃";
    std::fs::write(folder.path().join("text"), text).unwrap();
    let sets = [CharacterSet::Cp949, CharacterSet::KsX1001, CharacterSet::Ascii];
    let ours: Vec<Vec<u8>> = sets.iter().map(|set| set.encode(text).bytes).collect();
    if let Some(theirs) = ask(folder.path(), CODECS) {
        assert_eq!(json!(ours), theirs);
    }
    assert_eq!(CharacterSet::Cp949.encode(text).replaced, 2, "Ä and the snowman");
    assert_eq!(CharacterSet::KsX1001.encode(text).replaced, 4);
    let read = CharacterSet::KsX1001.decode(&CharacterSet::Cp949.encode("뷁 홍길동").bytes).unwrap();
    assert_eq!(read, "뷁 홍길동", "KS X 1001 is read as its superset: that is what Korean systems mean by it");
    let iso_2022 = [b"\x1b$)C".as_slice(), &CharacterSet::KsX1001.encode("홍").bytes].concat();
    assert_eq!(CharacterSet::Cp949.decode(&iso_2022).unwrap(), "홍");
    assert!(CharacterSet::Ascii.decode(&ours[0]).is_err() && CharacterSet::Utf8.decode(&ours[0]).is_err());
}

#[test]
fn the_character_set_of_a_message_is_read_from_its_header_or_from_the_senders_configuration() {
    let header = |set: &str| format!("MSH|^~\\&|A|B|C|D|20260101||ADT^A08|1|P|2.5.1||||||{set}\rPID|1\r");
    let of = |set: &str| CharacterSet::of_message(header(set).as_bytes(), CharacterSet::Cp949);
    assert_eq!(of(""), Ok(CharacterSet::Cp949));
    assert_eq!(of("UNICODE UTF-8"), Ok(CharacterSet::Utf8));
    for name in ["KS X 1001", "ISO IR149", "EUC-KR", "CP949~ASCII"] {
        assert_eq!(of(name), Ok(CharacterSet::Cp949), "{name}");
    }
    assert!(of("GB 18030-2000").is_err());
    let short = b"MSH|^~\\&|A\rPID|1|||||||||||||||||||||||||\r";
    assert_eq!(CharacterSet::of_message(short, CharacterSet::Utf8), Ok(CharacterSet::Utf8));
}

#[test]
fn frames_are_found_however_the_bytes_come_in() {
    let stream = [framed(b"MSH|one"), b"\r\n".to_vec(), framed(b"MSH|two"), framed(b"")].concat();
    let expected: Vec<&[u8]> = vec![b"MSH|one", b"MSH|two", b""];
    assert_eq!(Framer::new(7).push(&stream).unwrap(), expected);
    let mut framer = Framer::new(7);
    let one_by_one: Vec<Vec<u8>> = stream.iter().flat_map(|byte| framer.push(&[*byte]).unwrap()).collect();
    assert_eq!(one_by_one, expected);
    // A sender that leaves out the CR after FS.
    assert_eq!(Framer::new(9).push(b"\x0bA\x1c\x0bB\x1c").unwrap(), [b"A", b"B"]);
    assert_eq!(Framer::new(6).push(&stream), Err(FramingError::TooLong { limit: 6 }));
    assert_eq!(Framer::new(6).push(b"GET / HTTP/1.1"), Err(FramingError::OutsideOfMessage));
    let mut framer = Framer::new(6);
    assert!(framer.push(b"\x0bMSH").unwrap().is_empty() && framer.is_within());
}

#[test]
fn other_delimiters_are_read_and_unusable_ones_refused() {
    let message = Message::parse("MSH$%*!#$A$B\nPID$1$$7%x#y*8!S!9$$a!F!b!E!!T!!X0D!!Z9!").unwrap();
    let pid = message.segment("PID").unwrap();
    assert_eq!(pid.repetitions(3).len(), 2);
    assert_eq!((pid.field(3).component(2), pid.field(3).subcomponent(2, 2)), ("x", "y"));
    assert_eq!(pid.repetitions(3)[1].component(1), "8%9");
    assert_eq!(pid.text(5), "a$b!#\r!Z9!", "an escape that is not known stays");
    for wrong in ["MSH", "MSH|", "MSH|^~\\|A", "MSH|^^\\&|A", "MSHA^~\\&A", "MSH|^~\\&#x|A", "PID|1", ""] {
        assert!(Message::parse(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(Message::parse("MSH|^~\\&|A\rpid|1"), Err(Hl7Error::SegmentName { number: 2 }));
}

#[test]
fn a_header_is_read_without_what_follows_and_more_parts_than_any_message_has_are_not() {
    let bytes = [b"\r\nMSH|^~\\&|HIS|KSH|||1||ADT^A08|7|P|2.5\rpid|".as_slice(), &[0xB0; 9]].concat();
    let header = Message::header_of(&bytes).unwrap();
    assert_eq!((header.header().text(3), header.control_id(), header.segments().len()), ("HIS", "7", 1));
    assert_eq!(Message::header_of(b"\r\n"), Err(Hl7Error::NoHeader));
    let long = format!("MSH|^~\\&|{}", "A".repeat(10_000));
    assert_eq!(Message::header_of(long.as_bytes()), Err(Hl7Error::LongHeader));
    assert!(Message::parse(&long).is_ok());
    for part in ["|", "^", "~", "&"] {
        let text = |parts: usize| format!("MSH|^~\\&|A\rZZZ|{}", part.repeat(parts));
        assert!(Message::parse(&text(400_000)).is_ok(), "{part}");
        assert_eq!(Message::parse(&text(500_000)), Err(Hl7Error::TooManyParts), "{part}");
    }
}

#[test]
fn an_acknowledgment_goes_back_to_its_sender_and_is_read_as_what_it_says() {
    let message = Message::parse("MSH|^~\\&|HIS|KSH|HILUM|RAD|20260101||ADT^A08^ADT_A01|77|P|2.4\rPID|1").unwrap();
    for (refused, code, error) in [
        (None, AckCode::ApplicationAccept, None),
        (Some(Refused::RequiredFieldMissing), AckCode::ApplicationError, Some("101")),
        (Some(Refused::UnsupportedEvent), AckCode::ApplicationReject, Some("201")),
    ] {
        let text = acknowledgment(&message, refused, "9", "20260101").text();
        let answer = Message::parse(&text).unwrap();
        let ack = Ack::read(&answer).unwrap();
        assert_eq!((ack.code, ack.control_id.as_str(), ack.error.as_deref()), (code, "77", error));
        let header = answer.header();
        assert_eq!([3, 4, 5, 6].map(|field| header.text(field)), ["HILUM", "RAD", "HIS", "KSH"]);
        assert_eq!((answer.kind(), header.text(11), header.text(12)), (("ACK", "A08"), "P", "2.4"));
    }
}

fn word() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![Just('|'), Just('^'), Just('~'), Just('\\'), Just('&'), Just('\n'), Just('홍'), any::<char>()],
        1..8,
    )
    .prop_map(|characters| characters.into_iter().filter(|c| *c != '\r').chain(['.']).collect())
}

proptest! {
    #[test]
    fn a_message_comes_back_from_its_text_unchanged(
        fields in proptest::collection::vec(proptest::collection::vec(proptest::collection::vec(proptest::collection::vec(word(), 1..3), 1..3), 1..3), 1..6),
    ) {
        let fields: Vec<Field> = fields
            .into_iter()
            .map(|field| Field(field.into_iter().map(|repetition| Repetition(repetition.into_iter().map(Component).collect())).collect()))
            .collect();
        let header = Segment::new("MSH", vec!["|".into(), "^~\\&".into(), "A".into()]);
        let message = Message::new(vec![header, Segment::new("ZZZ", fields)]).unwrap();
        prop_assert_eq!(Message::parse(&message.text()).unwrap(), message);
    }

    #[test]
    fn no_bytes_make_the_reader_fall_over(head in ".{0,6}", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let all = [format!("MSH|^~\\&{head}").into_bytes(), bytes].concat();
        for set in [CharacterSet::Ascii, CharacterSet::Utf8, CharacterSet::Cp949] {
            let chosen = CharacterSet::of_message(&all, set).unwrap_or(set);
            if let Ok(text) = chosen.decode(&all) && let Ok(message) = Message::parse(&text) {
                let again = Message::parse(&message.text()).unwrap();
                prop_assert_eq!(again.segments().len(), message.segments().len());
                let _ack_or_not = Ack::read(&message).is_ok();
            }
        }
        let mut framer = Framer::new(100);
        let _frames_or_not = framer.push(&all).is_ok();
    }
}
