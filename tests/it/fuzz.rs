//! The kept corpora of the fuzz targets, run as an ordinary test: every target has one, and holds on it.

use std::path::Path;

use wavetank::fuzzing::{TARGETS, run};
use wavetank::workload::{FORMATS, fuzz_rows};

#[test]
fn every_seed_of_every_target_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, _) in TARGETS {
        assert!(root.join(format!("fuzz_targets/{name}.rs")).exists(), "{name} has no program");
        let mut n_seeds = 0;
        for entry in std::fs::read_dir(root.join("corpus").join(name)).expect("a corpus") {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a seed");
            let held = std::panic::catch_unwind(|| run(name, &bytes));
            assert!(held.is_ok(), "{} does not hold", path.display());
            n_seeds += 1;
        }
        assert!(n_seeds >= 4, "{name} has only {n_seeds} seeds");
    }
}

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
