//! The target `commands` of `wavetank::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavetank::fuzzing::run("commands", bytes));
