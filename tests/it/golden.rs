//! The project's own golden files, through the same runner as `wavetank conformance`.

use std::path::Path;

use wavetank::conformance::runner;

#[test]
fn every_committed_case_agrees() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let reports = runner::run(&[golden]).unwrap_or_else(|error| panic!("{error}"));
    assert!(reports.len() >= 10, "only {} golden files were found", reports.len());
    let mut differing = Vec::new();
    for report in &reports {
        println!("{}: {} of {} agree", report.file, report.agree, report.total);
        for case in report.differences.iter().take(5) {
            differing.push(format!("{}: {}: {:?}", report.file, case.case, case.differences.first()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
