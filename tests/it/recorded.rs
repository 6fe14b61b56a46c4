//! Scenarios of the recordings' families that nobody recorded: a tool to read what ours does in one.

use wavetank::conformance::cluster::timeline;

/// Prints the timeline of the scenario (or of the recording) in the file that `WAVETANK_SCENARIO` names.
#[test]
#[ignore = "a tool: prints the timeline of the scenario in WAVETANK_SCENARIO"]
fn timeline_of_a_scenario() {
    let path = std::env::var("WAVETANK_SCENARIO").expect("WAVETANK_SCENARIO names a file");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let read: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let scenario = if read["scenario"].is_object() { &read["scenario"] } else { &read };
    println!("{}", timeline(scenario).unwrap_or_else(|error| panic!("{error}")));
}
