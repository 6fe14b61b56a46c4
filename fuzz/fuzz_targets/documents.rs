//! The target `documents` of `wavetank::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavetank::fuzzing::run("documents", bytes));
