#![no_main]

#[path = "../peer.rs"]
mod peer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    peer::peer(bytes);
});
