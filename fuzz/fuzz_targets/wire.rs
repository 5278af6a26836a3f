//! Plays inputs against one law; what it says stands beside it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| receiver::wire::properties::all_is_given_and_no_secret_is_shown(data));
