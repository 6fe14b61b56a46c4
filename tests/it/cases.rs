//! Tables of facts: every group is given to the code it describes. The folder is that of `WAVETANK_CASES`, else the project's own.

use std::path::PathBuf;

use wavetank::conformance::cases::run;

#[test]
fn the_facts_hold() {
    let own = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases"));
    let folder = std::env::var_os("WAVETANK_CASES").map_or_else(own, PathBuf::from);
    let reports = run(&folder).expect("readable tables");
    assert!(!reports.is_empty(), "there are no tables in {}", folder.display());
    let mut wrong = Vec::new();
    for report in reports {
        println!("{report}");
        wrong.extend(report.wrong);
    }
    assert!(wrong.is_empty(), "{} facts do not hold:\n{}", wrong.len(), wrong.join("\n"));
}
