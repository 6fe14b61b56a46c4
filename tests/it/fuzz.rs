//! The seeds of the fuzz target for trace rows, as an ordinary test; those for documents stand beside the reader of documents.

use std::path::Path;

use wavetank::workload::{FORMATS, fuzz_rows};

#[test]
fn every_seed_is_read_as_every_format() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/rows");
    let mut n_seeds = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a seed");
        let (_, rows) = bytes.split_first().expect("the first byte chooses the format");
        FORMATS.iter().for_each(|info| fuzz_rows(info.name, rows));
        n_seeds += 1;
    }
    assert!(n_seeds >= 8, "only {n_seeds} seeds");
}
