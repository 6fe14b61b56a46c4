//! The swarm: a few hundred random cases in which every law must hold, and cases made to break one.

use wavetank::swarm::{Case, Outcome, generate, run, shrink, swarm};

/// Enough to meet every kind of workload with every kind of trouble several times.
const N_SEEDS: u64 = 240;

fn case(seed: u64, wanted: impl Fn(&Case) -> bool) -> Case {
    (seed..seed + 1000).map(generate).find(wanted).expect("one of a thousand cases")
}

fn laws(outcome: &Outcome) -> Vec<&'static str> {
    outcome.violations.iter().map(|violation| violation.law).collect()
}

#[test]
fn every_law_holds_in_every_case() {
    let outcomes = swarm(1, N_SEEDS, |_| ()).expect("every case is a valid scenario");
    let broken: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.holds()).collect();
    let repeat: Vec<String> = broken.iter().map(|o| format!("wavetank swarm --seed {} --seeds 1", o.seed)).collect();
    assert!(broken.is_empty(), "{repeat:#?}\n{broken:#?}");
    assert!(outcomes.iter().all(|outcome| outcome.n_events > 100), "nothing happened in some case");
}

#[test]
fn a_case_depends_on_its_seed_alone() {
    assert_eq!(generate(7).to_yaml(), generate(7).to_yaml());
    assert_ne!(generate(7).to_yaml(), generate(8).to_yaml());
    let (one, other) = (run(&generate(7)).expect("a run"), run(&generate(7)).expect("a run"));
    assert_eq!(one.digest, other.digest);
}

#[test]
fn a_cluster_that_is_still_in_trouble_is_told() {
    let mut broken = case(1, |case| !case.calm);
    let last = serde_json::json!({ "at": format!("{}s", broken.trouble_ends + 60), "fail": "node/node-0" });
    broken.documents[0]["spec"]["steps"].as_array_mut().expect("steps").push(last);
    let outcome = run(&broken).expect("a run");
    assert!(laws(&outcome).contains(&"everything comes to rest"), "{outcome:?}");
}

#[test]
fn lost_pods_are_told_where_nothing_may_be_lost_and_the_case_shrinks() {
    // Deleting all pods at once is no rollout: with a calm case's law it must be found.
    let rolling =
        |case: &Case| case.calm && case.documents.iter().any(|d| d["spec"]["strategy"]["type"] == "RollingUpdate");
    let mut broken = case(1, rolling);
    let names: Vec<String> = (broken.documents.iter())
        .filter(|document| document["kind"] == "Deployment" && document["spec"]["strategy"]["type"] == "RollingUpdate")
        .filter_map(|document| document["metadata"]["name"].as_str().map(str::to_owned))
        .collect();
    for document in &mut broken.documents {
        if document["spec"]["strategy"]["rollingUpdate"].is_object() {
            document["spec"]["strategy"]["rollingUpdate"] = serde_json::json!({ "maxSurge": 1, "maxUnavailable": 0 });
        }
    }
    let steps = broken.documents[0]["spec"]["steps"].as_array_mut().expect("steps");
    let at = format!("{}s", broken.trouble_ends + 120);
    for name in names {
        steps.insert(0, serde_json::json!({ "at": at, "kubectl": format!("delete pods -l app={name} --wait=false") }));
    }
    let law = "maxUnavailable bounds a rollout";
    assert!(laws(&run(&broken).expect("a run")).contains(&law));
    let smaller = shrink(&broken, law);
    assert!(smaller.documents.len() <= broken.documents.len());
    assert!(laws(&run(&smaller).expect("a run")).contains(&law));
}
