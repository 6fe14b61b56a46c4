//! Golden cases of kube-scheduler: the project's own subset, and the full set where it is at hand.

use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;
use wavetank::conformance::scheduler::check_case;

/// The files of scheduling cases; those of tables are checked elsewhere.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".jsonl.gz") && !name.starts_with("table-")
    });
    files.sort();
    files
}

fn cases(path: &Path) -> Vec<Value> {
    let packed = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("gzip");
    text.lines().map(|line| serde_json::from_str(line).expect("one case per line")).collect()
}

/// Checks all files of a folder and prints how many cases of each agree.
fn check(folder: &Path) {
    let only = std::env::var("WAVETANK_ONLY").unwrap_or_default();
    let mut n_bad = 0;
    for path in files(folder) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if !name.contains(&only) {
            continue;
        }
        let cases = cases(&path);
        let differences: Vec<_> = cases.par_iter().map(|case| (case, check_case(case))).collect();
        let bad: Vec<_> = differences.iter().filter(|(_, differences)| !differences.is_empty()).collect();
        println!("{name}: {} of {} agree", cases.len() - bad.len(), cases.len());
        for (case, differences) in bad.iter().take(6) {
            for difference in differences.iter().take(2) {
                println!("  {}: {difference}", case["id"]);
            }
        }
        n_bad += bad.len();
    }
    assert_eq!(n_bad, 0, "cases differ");
}

#[test]
fn the_committed_cases_agree() {
    check(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/scheduler")));
}

#[test]
fn all_cases_agree() {
    let shared = std::env::var("WAVETANK_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_owned());
    let folder = Path::new(&shared).join("oracle/scheduler/public");
    if !folder.exists() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    check(&folder);
}
