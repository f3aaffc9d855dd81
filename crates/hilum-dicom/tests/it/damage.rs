//! Random damage to bytes, for property tests of what others send. (Of `crates/hilum-dimse/tests/it/fuzz.rs`, too.)

use proptest::prelude::*;

/// One act of damage at a place given as a fraction of the length.
#[derive(Clone, Debug)]
pub enum Damage {
    Set(f64, u8),
    /// A length that lies, big endian where the flag says so.
    Length(f64, u32, bool),
    Cut(f64),
    Repeat(f64, u8),
    Remove(f64, u8),
}

pub fn damage() -> impl Strategy<Value = Damage> {
    let lengths = prop_oneof![
        Just(u32::MAX),
        Just(0x7FFF_FFFF),
        Just(0xE000_FFFE),
        Just(0xE00D_FFFE),
        Just(0xE0DD_FFFE),
        0_u32..512,
        any::<u32>()
    ];
    prop_oneof![
        (0.0..1.0, any::<u8>()).prop_map(|(at, to)| Damage::Set(at, to)),
        (0.0..1.0, lengths, any::<bool>()).prop_map(|(at, to, big_endian)| Damage::Length(at, to, big_endian)),
        (0.0..1.0).prop_map(Damage::Cut),
        (0.0..1.0, any::<u8>()).prop_map(|(at, len)| Damage::Repeat(at, len)),
        (0.0..1.0, any::<u8>()).prop_map(|(at, len)| Damage::Remove(at, len)),
    ]
}

pub fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let place = |at: &f64| (*at * bytes.len() as f64) as usize;
    match damage {
        Damage::Set(at, to) => {
            let at = place(at);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = *to;
            }
        }
        Damage::Length(at, to, big_endian) => {
            let (at, to) = (place(at), if *big_endian { to.to_be_bytes() } else { to.to_le_bytes() });
            for (byte, to) in bytes.iter_mut().skip(at).zip(to) {
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
pub fn cases() -> ProptestConfig {
    let cases = std::env::var("HILUM_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
