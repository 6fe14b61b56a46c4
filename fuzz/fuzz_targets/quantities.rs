//! The target `quantities` of `wavetank::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavetank::fuzzing::run("quantities", bytes));
