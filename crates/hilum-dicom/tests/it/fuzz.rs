//! The fuzz targets as property tests: seeds of our own and, where present, of the conformance folder, damaged at random.

#[path = "../../../../fuzz/acts.rs"]
mod acts;

use std::sync::LazyLock;

use hilum_dicom::header::Encoding;
use proptest::prelude::*;

use crate::damage::{apply, cases, damage};
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
