//! Same scenario, seed and version: same bytes. With any number of threads, with progress on or off, in `run` and in `get`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::scenarios::{folder, scenario};
use wavetank::scenario::Scenario;

const SMALL: [&str; 4] = ["quickstart", "rolling-update", "node-loss", "priorities"];

fn digest(scenario: &Scenario) -> String {
    let mut simulation = scenario.build().expect("a scenario");
    let mut recorder = scenario.recorder(true);
    let ended = simulation.run(scenario.horizon, scenario.until_settled, &mut [&mut recorder]).expect("a run");
    let n_events = simulation.n_events();
    recorder.summary(&scenario.name, scenario.seed, ended.as_str(), n_events, &simulation.cluster).digest
}

fn wavetank(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetank"));
    let output = command.current_dir(folder()).args(arguments).output().expect("the program starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a report").map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    entries.map(|path| (name(&path), std::fs::read(&path).expect("a file"))).collect()
}

#[test]
fn a_run_twice_is_the_same_run() {
    for name in SMALL {
        let scenario = scenario(&folder().join(format!("{name}.yaml")));
        assert_eq!(digest(&scenario), digest(&scenario), "{name}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let scenario = scenario(&folder().join("spot-burst.yaml"));
    let with_threads = |n: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("a pool");
        pool.install(|| digest(&scenario))
    };
    let digests = [1, 2, 8].map(with_threads);
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn the_seed_changes_what_is_drawn() {
    let mut scenario = scenario(&folder().join("quickstart.yaml"));
    let first = digest(&scenario);
    scenario.seed += 1;
    assert_ne!(first, digest(&scenario));
}

#[test]
fn reports_are_the_same_to_the_byte() {
    let scratch = tempfile::tempdir().expect("a folder");
    let (first, second) = (scratch.path().join("first"), scratch.path().join("second"));
    for (folder, threads) in [(&first, "1"), (&second, "8")] {
        let folder = folder.to_str().expect("UTF-8");
        // The first shows progress where standard error is a terminal, the second never.
        wavetank(&[
            "run",
            "drain.yaml",
            "--out",
            folder,
            "--threads",
            threads,
            if threads == "8" { "-q" } else { "--color=never" },
        ]);
    }
    let (first, second) = (files(&first), files(&second));
    assert!(first.len() >= 10, "{:?}", first.keys());
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (name, bytes) in &first {
        assert_eq!(bytes, &second[name], "{name} differs");
    }
}

#[test]
fn get_sees_the_past_of_run() {
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = scratch.path().to_str().expect("UTF-8");
    wavetank(&["run", "quickstart.yaml", "--out", folder, "-q"]);
    let timeline = std::fs::read_to_string(scratch.path().join("timeline.txt")).expect("a timeline");
    let pods = wavetank(&["get", "pods", "quickstart.yaml", "--at", "2m", "-o", "name"]);
    assert_eq!(pods.lines().count(), 5);
    for pod in pods.lines().map(|line| line.trim_start_matches("pod/")) {
        assert!(timeline.contains(pod), "{pod} is not in the timeline of the run");
    }
    let at_the_end = wavetank(&["get", "pods", "quickstart.yaml", "-o", "json"]);
    assert_eq!(at_the_end, wavetank(&["get", "pods", "quickstart.yaml", "--at", "5m", "-o", "json"]));
}
