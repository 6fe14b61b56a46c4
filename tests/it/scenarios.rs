//! The scenarios of `scenarios/`: every expectation holds, and the store is consistent after every event.

use std::path::{Path, PathBuf};

use wavetank::cluster::{Change, Cluster, Observer};
use wavetank::engine::Time;
use wavetank::scenario::expect::ExpectationChecker;
use wavetank::scenario::{LoadOptions, Scenario, load};

/// Scenarios with thousands of pods: checking the whole store after every event would take minutes.
const LARGE: [&str; 2] = ["spot-burst", "trace-replay"];

struct Checking(ExpectationChecker);

impl Observer for Checking {
    fn change(&mut self, at: Time, _: u32, _: u32, change: Change, cluster: &Cluster) {
        self.0.observe(at, change, cluster);
    }

    fn advance(&mut self, to: Time, cluster: &Cluster) {
        self.0.advance(to, cluster);
    }
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn all() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

pub(crate) fn scenario(file: &Path) -> Scenario {
    let loaded = load(&[file.to_owned()], &LoadOptions::default());
    loaded.unwrap_or_else(|errors| panic!("{}: {errors:?}", file.display())).scenario
}

#[test]
fn every_expectation_holds_and_the_store_stays_consistent() {
    let files = all();
    assert!(files.len() >= 8, "{files:?}");
    let mut broken = Vec::new();
    for file in files {
        let scenario = scenario(&file);
        assert!(!scenario.expectations.is_empty(), "{} expects nothing", file.display());
        let mut simulation = scenario.build().expect("a scenario that was loaded can be built");
        if !LARGE.iter().any(|name| file.ends_with(format!("{name}.yaml"))) {
            simulation = simulation.with_checks();
        }
        let (mut recorder, mut checker) = (scenario.recorder(false), Checking(scenario.checker()));
        let ended = simulation.run(scenario.horizon, scenario.until_settled, &mut [&mut recorder, &mut checker]);
        let ended = ended.expect("an instant that ends").as_str();
        assert_eq!(simulation.cluster.check(), Ok(()), "{}", file.display());
        let cluster = &simulation.cluster;
        let summary = recorder.summary(&scenario.name, scenario.seed, ended, simulation.n_events(), cluster);
        let verdicts = checker.0.finish(cluster.now(), &recorder, &summary, cluster);
        broken.extend(verdicts.into_iter().filter(|verdict| !verdict.holds).map(|verdict| (file.clone(), verdict)));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
