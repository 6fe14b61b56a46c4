//! The target `selectors` of `wavetank::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavetank::fuzzing::run("selectors", bytes));
