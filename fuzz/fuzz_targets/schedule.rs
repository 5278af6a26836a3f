//! Plays inputs against one law; what it says stands beside it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::schedule::promises(data));
