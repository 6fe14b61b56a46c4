//! Any bytes are read as rows of any trace format without a panic, and arrivals come in order. The first byte chooses the format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetank::workload::{FORMATS, fuzz_rows};

fuzz_target!(|bytes: &[u8]| {
    if let Some((first, rows)) = bytes.split_first() {
        fuzz_rows(FORMATS[*first as usize % FORMATS.len()].name, rows);
    }
});
