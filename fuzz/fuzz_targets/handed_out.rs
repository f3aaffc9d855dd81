#![no_main]

#[path = "../acts.rs"]
mod acts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| acts::handed_out(bytes));
