//! Recordings of a real control plane: the project's own subset, and the full set where it is at hand.

use std::path::{Path, PathBuf};

use wavetank::conformance::runner::{FileReport, run};

/// Runs all recordings of a folder.
fn report(folder: &Path) -> FileReport {
    let reports = run(&[folder.to_owned()]).expect("the recordings are read");
    assert_eq!(reports.len(), 1, "a folder of recordings is one report");
    let report = reports.into_iter().next().expect("one report");
    println!("{}: {} of {} entries agree\n{}", report.file, report.agree, report.total, report.detail);
    for case in &report.differences {
        for difference in case.differences.iter().take(3) {
            println!("  {}: {difference}", case.case);
        }
    }
    report
}

#[test]
fn the_committed_recordings_agree() {
    let report = report(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/cluster")));
    assert!(report.total > 4000, "the recordings are there");
    assert_eq!(report.agree, report.total, "entries differ");
}

/// Scenarios of the same families that nobody recorded: what must happen in them was derived by hand from the sources.
#[test]
fn the_variants_agree() {
    let report = report(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/variants")));
    assert!(report.total > 100, "the variants are there");
    assert_eq!(report.agree, report.total, "entries differ");
}

#[test]
fn nearly_all_entries_of_all_recordings_agree() {
    let shared = std::env::var("WAVETANK_SHARED")
        .map_or_else(|_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let folder = shared.join("oracle/cluster/public");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let report = report(&folder);
    assert!(report.agree * 1000 >= report.total * 990, "{} of {} entries agree", report.agree, report.total);
}
