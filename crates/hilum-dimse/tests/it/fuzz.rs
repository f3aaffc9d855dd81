//! Conversations with something wrong in them: on stable what `cargo +nightly fuzz run peer` does with coverage.

#[path = "../../../hilum-dicom/tests/it/damage.rs"]
mod damage;
#[path = "../../../../fuzz/peer.rs"]
mod peer;

use crate::misbehaviour::{SOP, association_request, command, pdv, store_request};
use crate::server::data_set;
use damage::{apply, cases, damage};
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

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_damaged_conversation_is_answered_or_ended_and_the_next_one_is_served(
        of_store in any::<bool>(),
        damages in prop::collection::vec(damage(), 0..4),
    ) {
        let mut bytes = if of_store { store() } else { echo() };
        for damage in &damages {
            apply(&mut bytes, damage);
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
