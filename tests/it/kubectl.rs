//! Every recorded output of the real kubectl, printed again from the objects it was made from.

use std::path::PathBuf;

use wavetank::conformance::kubectl::check_folder;

#[test]
fn recorded_outputs_are_printed_again() {
    let shared = std::env::var_os("WAVETANK_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let folder = shared.join("oracle/kubectl");
    if !folder.is_dir() {
        println!("skipped: no recordings at {}", folder.display());
        return;
    }
    let report = check_folder(&folder).expect("the recordings are readable");
    for (family, agreement) in &report.families {
        println!("{family}: {}/{}", agreement.agree, agreement.total);
    }
    for (id, differences) in &report.differences {
        let mark = if report.inconsistent.contains(id) { " (recorded while objects changed)" } else { "" };
        for difference in differences {
            println!("{id}{mark}: {difference}");
        }
    }
    assert!(report.differences.is_empty(), "{} outputs differ", report.differences.len());
}
