//! Character sets against the examples of PS3.5 Annexes H to K, Python's code tables and what hospitals really send.

use std::collections::BTreeMap;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use hilum_dicom::PersonName;
use hilum_dicom::charset::{
    EncodeError, SpecificCharacterSet, TextFinding, decode, decode_person_names, decode_values, encode,
    encode_person_name,
};
use proptest::prelude::*;

use crate::oracle;

fn set(value: &str) -> SpecificCharacterSet {
    SpecificCharacterSet::parse(value.as_bytes()).0
}

/// (0008,0005), bytes of a person name, its meaning. From PS3.5 Annexes H, I, J, K.
const STANDARD_NAMES: [(&str, &[u8], &str); 15] = [
    (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    ("\\ISO 2022 IR 58", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "Zhang^XiaoDong=张^小东"),
    ("GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
    ("GBK", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
    ("ISO_IR 192", b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1", "Wang^XiaoDong=王^小東"),
    ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
    ("ISO_IR 101", b"Wa\xb3\xeasa", "Wałęsa"),
    ("ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
    ("ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
    ("ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
    ("ISO_IR 144", b"\xbb\xee\xda\x63\x65\xdc\xd1\x79\x70\xd3", "Люкceмбypг"),
    ("ISO_IR 166", b"\xb9\xd2\xc1", "นาม"),
    ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
];

#[test]
fn the_names_of_the_standards_annexes_are_read_without_a_finding() {
    for (term, bytes, meaning) in STANDARD_NAMES {
        let (names, findings) = decode_person_names(bytes, &set(term));
        assert_eq!((names, findings), (vec![PersonName::from_groups(meaning)], vec![]), "{term}: {meaning}");
    }
}

#[test]
fn the_names_of_the_standards_annexes_are_written_byte_for_byte() {
    for (term, bytes, meaning) in STANDARD_NAMES {
        let written = encode_person_name(&PersonName::from_groups(meaning), &set(term), tags::PATIENT_NAME).unwrap();
        assert_eq!(written, bytes, "{term}: {meaning}");
    }
}

#[test]
fn an_escape_holds_up_to_the_next_delimiter_and_no_further() {
    let korean = set("\\ISO 2022 IR 149");
    let (values, findings) = decode_values(b"\x1b$)C\xc8\xab\\\xb1\xe6", &korean, VR::LO);
    assert_eq!((values, findings), (vec!["홍".to_owned(), "길".to_owned()], vec![TextFinding::EscapeOmitted]));
    for delimiter in ["\r\n", "\x0c", "\t"] {
        let mut bytes = b"\x1b$)C\xc8\xab".to_vec();
        bytes.extend(delimiter.bytes());
        bytes.extend(b"\xb1\xe6");
        assert_eq!(decode(&bytes, &korean, VR::LT).findings, [TextFinding::EscapeOmitted], "{delimiter:?}");
    }
    // In text of one value a backslash is a backslash, and ^ and = delimit names only.
    let decoded = decode(b"\x1b$)C\xc8\xab\\^=\xb1\xe6", &korean, VR::LT);
    assert_eq!((decoded.text.as_str(), decoded.findings.as_slice()), ("홍\\^=길", [].as_slice()));
}

#[test]
fn bytes_of_kanji_that_look_like_delimiters_are_no_delimiters() {
    // 0x215C and 0x245E: the second bytes are a backslash and a caret.
    let (values, findings) = decode_values(b"\x1b$B!\\\x1b(B\\\x1b$B$^\x1b(B", &set("\\ISO 2022 IR 87"), VR::LO);
    assert_eq!((values, findings), (vec!["＋".to_owned(), "ま".to_owned()], vec![]));
    // GBK 0x865C: the second byte is a backslash.
    let (values, findings) = decode_values(b"\x86\x5c\\A", &set("GB18030"), VR::LO);
    assert_eq!((values, findings), (vec!["哱".to_owned(), "A".to_owned()], vec![]));
}

#[test]
fn several_single_byte_sets_follow_their_escapes() {
    let greek_and_russian = set("ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126");
    let decoded = decode(b"Dionysios is \x1b-F\xc4\xe9 \x1b-L\xb4\xd8\n\xe9", &greek_and_russian, VR::LT);
    assert_eq!((decoded.text.as_str(), decoded.findings.as_slice()), ("Dionysios is Δι Ди\né", [].as_slice()));
    assert_eq!(
        encode("Δι Ди é\né", &greek_and_russian, VR::LT, tags::IMAGE_COMMENTS).unwrap(),
        b"\x1b-F\xc4\xe9 \x1b-L\xb4\xd8 \x1b-A\xe9\n\xe9"
    );
}

#[test]
fn text_as_hospitals_really_write_it_is_read_and_every_guess_is_reported() {
    use TextFinding as Found;
    let undeclared = "";
    for (term, bytes, meaning, findings) in [
        // Korean announced, escapes left out altogether or after the first component.
        ("\\ISO 2022 IR 149", b"\xc8\xab^\xb1\xe6\xb5\xbf".as_slice(), "홍^길동", vec![Found::EscapeOmitted]),
        ("\\ISO 2022 IR 149", b"\x1b$)C\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동", vec![Found::EscapeOmitted]),
        ("ISO 2022 IR 149", b"\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동", vec![]),
        ("ISO 2022 IR 149", b"\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6", "홍^길", vec![]),
        ("ISO_IR 149", b"\xc8\xab", "홍", vec![]),
        // Nothing announced.
        (undeclared, b"\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동", vec![Found::AssumedCp949]),
        ("ISO_IR 6", b"\xb1\xe8\xbf\xb5\x8c\x63", "김영똠", vec![Found::AssumedCp949]),
        (undeclared, "홍^길동".as_bytes(), "홍^길동", vec![Found::AssumedUtf8]),
        (undeclared, b"M\xfcller^J\xf6rg", "Müller^Jörg", vec![Found::AssumedLatin1]),
        (undeclared, b"Hong=\x1b$)C\xfb\xf3", "Hong=洪", vec![Found::EscapeUndeclared]),
        // Syllables that only code page 949 has.
        ("\\ISO 2022 IR 149", b"\x1b$)C\x8c\x63", "똠", vec![Found::AssumedCp949]),
        // UTF-8 under another name, and another name's bytes under UTF-8.
        ("\\ISO 2022 IR 149", "홍^길동".as_bytes(), "홍^길동", vec![Found::AssumedUtf8]),
        ("ISO_IR 192", b"\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동", vec![Found::AssumedCp949]),
        // Japanese and Chinese without escapes.
        ("\\ISO 2022 IR 87", b"\x8e\x52\x93\x63^\x91\xbe\x98\x59", "山田^太郎", vec![Found::AssumedJapanese]),
        ("\\ISO 2022 IR 87", b"\xbb\xb3\xc5\xc4^\xc2\xc0\xcf\xba", "山田^太郎", vec![Found::AssumedJapanese]),
        ("ISO_IR 13", b"\xd4\xcf\xc0\xde=\x8e\x52\x93\x63", "ﾔﾏﾀﾞ=山田", vec![Found::AssumedJapanese]),
        ("\\ISO 2022 IR 58", b"\xd5\xc5^\xd0\xa1\xb6\xab", "张^小东", vec![Found::EscapeOmitted]),
        // Kanji without the return to ASCII before a delimiter.
        ("\\ISO 2022 IR 87", b"\x1b$B;3ED^\x1b$BB@O:", "山田^太郎", vec![Found::EscapeOmitted]),
        // Loss is said, and what is not lost stays.
        ("ISO_IR 192", b"Hong\xff^Gildong", "Hong\u{FFFD}^Gildong", vec![Found::InvalidBytes]),
        ("\\ISO 2022 IR 149", b"\x1b$)C\xc8", "\u{FFFD}", vec![Found::InvalidBytes]),
        ("ISO_IR 100", b"A\x92B", "A\u{92}B", vec![Found::ControlBytes]),
        ("ISO_IR 100", b"A\x1b[0m", "A\u{1B}[0m", vec![Found::EscapeUnknown]),
        ("ISO_IR 127", b"\xa1", "\u{FFFD}", vec![Found::InvalidBytes]),
    ] {
        let decoded = decode(bytes, &set(term), VR::PN);
        assert_eq!((decoded.text.as_str(), decoded.findings), (meaning, findings), "{term}: {meaning}");
    }
}

#[test]
fn a_code_string_outside_the_default_repertoire_is_reported() {
    let decoded = decode(b"K\xf6rper", &set("ISO_IR 100"), VR::CS);
    assert_eq!(
        (decoded.text.as_str(), decoded.findings.as_slice()),
        ("Körper", [TextFinding::OutsideRepertoire].as_slice())
    );
}

#[test]
fn a_character_without_a_code_is_refused_by_attribute_and_never_by_value() {
    for (term, text, position) in [
        ("\\ISO 2022 IR 149", "Hong=똠", 5),
        ("ISO_IR 100", "홍", 0),
        ("", "é", 0),
        ("ISO_IR 6", "é", 0),
        ("\\ISO 2022 IR 87", "①", 0),
        ("ISO_IR 13", "¥", 0),
        ("GBK", "€", 0),
        ("ISO_IR 100", "A\u{1B}", 1),
    ] {
        let set = set(term);
        let error = encode(text, &set, VR::PN, tags::PATIENT_NAME).unwrap_err();
        assert_eq!(
            error,
            EncodeError::Unencodable { tag: tags::PATIENT_NAME, position, set: set.to_value() },
            "{term}"
        );
        let message = error.to_string();
        assert!(message.contains("(0010,0010)") && !message.contains(text), "{message}");
    }
}

#[test]
fn every_character_of_every_set_is_the_one_that_python_reads() {
    let script = include_str!("../oracle/tables_with_python.py");
    let Some(table) = oracle::python(script, &[]) else { return };
    let mut differing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut compared = 0;
    for line in table.lines() {
        let [name, bytes, code] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let name = name.replace('~', " ");
        let bytes: Vec<u8> =
            (0..bytes.len()).step_by(2).map(|i| u8::from_str_radix(&bytes[i..i + 2], 16).unwrap()).collect();
        let expected = char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap();
        let term = if name.starts_with("ISO 2022") { format!("\\{name}") } else { name.clone() };
        let decoded = decode(&bytes, &set(&term), VR::LT).text;
        compared += 1;
        if decoded != expected.to_string() {
            differing.entry(name).or_default().push(format!("{expected}{decoded}"));
        }
    }
    assert!(compared > 28_000, "{compared}");
    // Python's and ours. GB 18030 has GB 2312's middle dot and dash as U+00B7 and U+2014; Python keeps Unicode's withdrawn table. The
    // tilde of JIS X 0212 is full width, so that it does not turn into ASCII's when it is written again.
    let expected = BTreeMap::from([
        ("ISO 2022 IR 159".to_owned(), vec!["~～".to_owned()]),
        ("ISO 2022 IR 58".to_owned(), vec!["・·".to_owned(), "―—".to_owned()]),
    ]);
    assert_eq!(differing, expected);
}

/// Texts that a set can hold: characters decoded from its own codes and ASCII, with delimiters among them.
fn writable(term: &'static str) -> impl Strategy<Value = String> {
    let (ascii, code) = ("[ -~\\n]{0,4}", prop::collection::vec((0x21_u8..0x7F, 0x21_u8..0x7F), 0..6));
    (ascii, code, "[\\^=\\\\]?[a-z]{0,3}").prop_map(move |(before, codes, after)| {
        let mut bytes = Vec::new();
        for (a, b) in codes {
            match term {
                "\\ISO 2022 IR 149" => bytes.extend([0x1B, b'$', b')', b'C', a | 0x80, b | 0x80]),
                "\\ISO 2022 IR 87\\ISO 2022 IR 159" => bytes.extend([0x1B, b'$', b'B', a, b, 0x1B, b'(', b'B']),
                "\\ISO 2022 IR 58" => bytes.extend([0x1B, b'$', b')', b'A', a | 0x80, b | 0x80]),
                "GB18030" => bytes.extend([a | 0x80, b | 0x80]),
                _ => bytes.push(a | 0x80),
            }
        }
        let middle = decode(&bytes, &set(term), VR::LT).text;
        format!("{before}{middle}{after}").trim_end_matches([' ', '\0']).to_owned()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back_without_a_finding(
        (term, text) in prop_oneof![
            Just("\\ISO 2022 IR 149"), Just("\\ISO 2022 IR 87\\ISO 2022 IR 159"), Just("\\ISO 2022 IR 58"), Just("GB18030"),
            Just("ISO_IR 100"), Just("ISO_IR 144"), Just("ISO_IR 192"), Just("ISO 2022 IR 13\\ISO 2022 IR 87"),
        ].prop_flat_map(|term| (Just(term), writable(term))),
        vr in prop_oneof![Just(VR::PN), Just(VR::LO), Just(VR::LT)],
    ) {
        let set = set(term);
        // Vendors' characters inside a plane are read but never written.
        if let Ok(bytes) = encode(&text, &set, vr, Tag(0x0010, 0x4000)) {
            let decoded = decode(&bytes, &set, vr);
            prop_assert_eq!(decoded.text, text);
            prop_assert_eq!(decoded.findings, vec![]);
        }
    }

    #[test]
    fn ascii_reads_the_same_in_every_set(text in "[ -Z_a-z]{0,20}") {
        for (term, ..) in STANDARD_NAMES {
            let decoded = decode(text.as_bytes(), &set(term), VR::LO);
            prop_assert_eq!(&decoded.text, text.trim_end());
        }
    }
}
