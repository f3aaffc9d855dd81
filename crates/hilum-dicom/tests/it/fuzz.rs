//! The fuzz targets as property tests: seeds of our own and, where present, of the conformance folder, damaged at random.

#[path = "../../../../fuzz/acts.rs"]
mod acts;

use std::sync::LazyLock;

use hilum_dicom::header::Encoding;
use proptest::prelude::*;

use crate::objects::{BIG_ENDIAN, EXPLICIT, IMPLICIT, ct_with_pixels};
use crate::oracle;

/// Small files, so that a damaged byte often hits something that matters.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut seeds = Vec::new();
    for (encoding, syntax) in
        [(Encoding::EXPLICIT_LE, EXPLICIT), (Encoding::IMPLICIT_LE, IMPLICIT), (Encoding::EXPLICIT_BE, BIG_ENDIAN)]
    {
        for defined in [true, false] {
            let object = ct_with_pixels(encoding, 2, defined);
            seeds.push(object.part_10(syntax));
            seeds.push(object.out);
        }
    }
    if let Some(folder) = oracle::shared("dicom-conformance") {
        let files = oracle::files(&folder).into_iter().map(|f| std::fs::read(f).unwrap());
        seeds.extend(files.filter(|bytes| bytes.len() <= 20_000));
    }
    seeds
});

/// One act of damage at a place given as a fraction of the length.
#[derive(Clone, Debug)]
enum Damage {
    Set(f64, u8),
    Length(f64, u32),
    Cut(f64),
    Repeat(f64, u8),
    Remove(f64, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let lengths = prop_oneof![
        Just(u32::MAX),
        Just(0x7FFF_FFFF),
        Just(0xE000_FFFE),
        Just(0xE00D_FFFE),
        Just(0xE0DD_FFFE),
        any::<u32>()
    ];
    prop_oneof![
        (0.0..1.0, any::<u8>()).prop_map(|(at, to)| Damage::Set(at, to)),
        (0.0..1.0, lengths).prop_map(|(at, to)| Damage::Length(at, to)),
        (0.0..1.0).prop_map(Damage::Cut),
        (0.0..1.0, any::<u8>()).prop_map(|(at, len)| Damage::Repeat(at, len)),
        (0.0..1.0, any::<u8>()).prop_map(|(at, len)| Damage::Remove(at, len)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let place = |at: &f64| (*at * bytes.len() as f64) as usize;
    match damage {
        Damage::Set(at, to) => {
            let at = place(at);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = *to;
            }
        }
        Damage::Length(at, to) => {
            let at = place(at);
            for (byte, to) in bytes.iter_mut().skip(at).zip(to.to_le_bytes()) {
                *byte = to;
            }
        }
        Damage::Cut(at) => bytes.truncate(place(at)),
        Damage::Repeat(at, len) => {
            let at = place(at);
            let run: Vec<u8> = bytes.iter().skip(at).take(usize::from(*len)).copied().collect();
            bytes.splice(at..at, run);
        }
        Damage::Remove(at, len) => {
            let at = place(at);
            bytes.drain(at..(at + usize::from(*len)).min(bytes.len()));
        }
    }
}

/// Cases of one run: few in everyday tests, many where HILUM_FUZZ_CASES says so.
fn cases() -> ProptestConfig {
    let cases = std::env::var("HILUM_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_damaged_object_never_panics(seed in any::<prop::sample::Index>(), damages in prop::collection::vec(damage(), 0..6)) {
        let mut bytes = seed.get(&SEEDS).clone();
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        acts::header(&bytes);
    }

    #[test]
    fn a_damaged_object_that_is_handed_out_never_panics(seed in any::<prop::sample::Index>(), damages in prop::collection::vec(damage(), 0..4)) {
        let mut bytes = seed.get(&SEEDS).clone();
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        acts::handed_out(&bytes);
    }

    #[test]
    fn damaged_text_never_panics(
        term in prop_oneof![
            Just("\\ISO 2022 IR 149"), Just("ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159"), Just("\\ISO 2022 IR 58"), Just("GB18030"), Just("ISO_IR 192"),
            Just("ISO 2022 IR 100\\ISO 2022 IR 144"), Just(""),
        ],
        parts in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..6),
                prop::sample::select(vec![
                    b"\x1b$)C".to_vec(), b"\x1b$B".to_vec(), b"\x1b(J".to_vec(), b"\x1b(B".to_vec(), b"\x1b$(D".to_vec(), b"\x1b$)A".to_vec(), b"\x1b-L".to_vec(),
                    b"^".to_vec(), b"=".to_vec(), b"\\".to_vec(), b"\r\n".to_vec(),
                ]),
            ],
            0..12,
        ),
    ) {
        let mut bytes = term.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend(parts.concat());
        acts::character_sets(&bytes);
    }
}
