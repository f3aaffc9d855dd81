//! Conversations with something wrong in them: on stable what `cargo +nightly fuzz run peer` does with coverage.

#[path = "../../../../fuzz/peer.rs"]
mod peer;

use crate::misbehaviour::{SOP, association_request, command, pdv, store_request};
use crate::server::data_set;
use peer::peer;
use proptest::prelude::*;

const RELEASE: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];
const VERIFICATION: &[u8] = b"1.2.840.10008.1.1\0";

fn echo() -> Vec<u8> {
    let request = command(&[(0x0002, VERIFICATION), (0x0100, &[0x30, 0]), (0x0110, &[1, 0]), (0x0800, &[1, 1])]);
    [association_request(), pdv(3, 3, &request), RELEASE.to_vec()].concat()
}

/// An instance in two fragments.
fn store() -> Vec<u8> {
    let bytes = data_set(SOP, 300);
    let (first, second) = bytes.split_at(100);
    let parts = [pdv(1, 3, &store_request()), pdv(1, 0, first), pdv(1, 2, second), RELEASE.to_vec()];
    [association_request(), parts.concat()].concat()
}

/// A change at a place, in parts of the whole.
#[derive(Clone, Debug)]
enum Change {
    Set(u8),
    /// A length that lies, big endian as those of PDUs or little endian as those of elements.
    Length(u32, bool),
    Cut,
    Repeat(u8),
    Remove(u8),
}

fn change() -> impl Strategy<Value = Change> {
    let length = prop_oneof![Just(u32::MAX), Just(0), Just(0x7FFF_FFFF), any::<u32>(), 0_u32..512];
    prop_oneof![
        any::<u8>().prop_map(Change::Set),
        (length, any::<bool>()).prop_map(|(length, big_endian)| Change::Length(length, big_endian)),
        Just(Change::Cut),
        any::<u8>().prop_map(Change::Repeat),
        any::<u8>().prop_map(Change::Remove),
    ]
}

fn apply(bytes: &mut Vec<u8>, at: f64, change: &Change) {
    let at = (at * bytes.len() as f64) as usize;
    let end = |length: &u8| (at + usize::from(*length)).min(bytes.len());
    match change {
        Change::Set(to) => bytes[at..].iter_mut().take(1).for_each(|byte| *byte = *to),
        Change::Length(to, big_endian) => {
            let to = if *big_endian { to.to_be_bytes() } else { to.to_le_bytes() };
            bytes[at..].iter_mut().zip(to).for_each(|(byte, to)| *byte = to);
        }
        Change::Cut => bytes.truncate(at),
        Change::Repeat(length) => {
            let run = bytes[at..end(length)].to_vec();
            drop(bytes.splice(at..at, run));
        }
        Change::Remove(length) => drop(bytes.drain(at..end(length))),
    }
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("HILUM_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_damaged_conversation_is_answered_or_ended_and_the_next_one_is_served(
        of_store in any::<bool>(),
        changes in prop::collection::vec((0.0..1.0_f64, change()), 0..4),
    ) {
        let mut bytes = if of_store { store() } else { echo() };
        for (at, change) in &changes {
            apply(&mut bytes, *at, change);
        }
        peer(&bytes);
        // Accepted, answered, released.
        prop_assert_eq!(peer(&echo()), [2, 4, 6]);
        prop_assert_eq!(peer(&store()), [2, 4, 6]);
    }

    #[test]
    fn bytes_without_any_sense_end_an_association(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        peer(&bytes);
        peer(&[association_request(), bytes].concat());
        prop_assert_eq!(peer(&echo()), [2, 4, 6]);
    }
}
