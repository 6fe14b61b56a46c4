//! The recorded scenarios of workloads, run with stand-ins for everything but the controllers.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use super::{EPOCH, World};
use crate::cluster::{ControlPlane, EventType};
use crate::engine::{Span, Time};

fn shared() -> Option<PathBuf> {
    let given = std::env::var_os("WAVETANK_SHARED").map(PathBuf::from);
    let path = given.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")));
    let path = path.join("oracle/cluster/public");
    path.is_dir().then_some(path)
}

fn read(path: &std::path::Path) -> Value {
    let file = std::fs::File::open(path).expect("a readable file");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).expect("json")
}

/// Runs a scenario and returns the agreement: number of stable entries, and those that differ.
fn run(recording: &Value, verbose: bool) -> (usize, Vec<String>) {
    let scenario = &recording["scenario"];
    let id = scenario["id"].as_str().expect("an id");
    let second = scenario["startSecond"].as_i64().unwrap_or(30);
    let mut control_plane = ControlPlane::realistic();
    (control_plane.controller_qps, control_plane.controller_burst) = (300.0, 450);
    let mut world = World::at(EPOCH + second, control_plane);
    let namespace = format!("s-{id}");
    world.create(&serde_json::json!({ "kind": "Namespace", "metadata": { "name": namespace } }));
    for node in scenario["nodes"].as_array().into_iter().flatten() {
        world.add_scenario_node(node);
    }
    // Whole seconds lie 50 ms before the scenario's.
    let offset = Span::from_millis(50);
    world.run_until(Time::ZERO + offset);
    for object in scenario["objects"].as_array().into_iter().flatten() {
        world.apply(object, &namespace);
    }
    for step in scenario["steps"].as_array().into_iter().flatten() {
        let at = Time::ZERO + offset + Span::from_secs_f64(step["at"].as_f64().expect("a time") + 0.05);
        world.run_until(at);
        if !world.step(step, &namespace) {
            return (1, vec![format!("step {step} is not known")]);
        }
    }
    let end = Time::ZERO + offset + Span::from_secs_f64(scenario["duration"].as_f64().expect("a duration"));
    world.run_until(end);
    if verbose {
        world.view.print("status/");
        world.view.print("rollout/");
        world.view.print("condition/");
        world.view.print("pods/");
        world.view.print("phase/");
    }
    compare(&recording["expect"], &world, end)
}

fn compare(expect: &Value, world: &World, end: Time) -> (usize, Vec<String>) {
    const OURS: [&str; 10] = [
        "settled/",
        "calm/",
        "condition/Deployment",
        "condition/ReplicaSet",
        "condition/Job",
        "podOwners/",
        "podSet/",
        "phase/",
        "objects/order",
        "rollout/",
    ];
    let mut n = 0;
    let mut differ = Vec::new();
    for (key, entry) in expect["sequences"].as_object().expect("sequences") {
        let unmodelled = key.contains("ResourceQuota") || key.contains("endpoints/");
        if entry["stable"] != true || !OURS.iter().any(|prefix| key.starts_with(prefix)) || unmodelled {
            continue;
        }
        let want: Vec<Value> = entry["seq"].as_array().cloned().unwrap_or_default();
        let want: Vec<Value> = want.into_iter().filter(|v| !v.to_string().contains("EndpointSlice/")).collect();
        n += 1;
        let got = world.view.sequence(key, end).unwrap_or_default();
        if got != want {
            differ.push(format!("{key}\n      want {}\n      got  {}", Value::from(want), Value::from(got)));
        }
    }
    compare_events(expect, world, &mut n, &mut differ);
    (n, differ)
}

/// Counts per kind of event, for those that are the same in all runs.
fn compare_events(expect: &Value, world: &World, n: &mut usize, differ: &mut Vec<String>) {
    let mut counts: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for (_, event) in world.cluster.events.iter() {
        let name = world.view.name_of(event.object);
        let name = name.split_once('~').map_or(name.to_owned(), |(owner, _)| format!("{owner}~*"));
        let event_type = if event.event_type == EventType::Normal { "Normal" } else { "Warning" };
        let reason = world.cluster.interner.text(event.reason);
        let key = [world.cluster.kind(event.object), &name, event_type, reason].map(str::to_owned).to_vec();
        *counts.entry(key).or_default() += u64::from(event.count);
    }
    let kinds = &expect["eventKinds"];
    let list = if kinds["stable"] == true { &kinds["list"] } else { &kinds["stableEntries"] };
    for entry in list.as_array().into_iter().flatten() {
        let parts: Vec<String> = (0..4).map(|idx| entry[idx].as_str().unwrap_or_default().to_owned()).collect();
        if matches!(parts[0].as_str(), "Pod" | "Node") {
            continue;
        }
        *n += 1;
        let got = counts.get(&parts).copied().unwrap_or(0);
        if Some(got) != entry[4].as_u64() {
            differ.push(format!("event {parts:?}: want {}, got {got}", entry[4]));
        }
    }
}

fn families(prefixes: &[&str]) -> (usize, usize) {
    let Some(folder) = shared() else {
        println!("skipped: no recordings");
        return (0, 0);
    };
    let only = std::env::var("RECORDING").ok();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let (mut agree, mut total) = (0, 0);
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().replace(".json.gz", "");
        if !prefixes.iter().any(|prefix| name.starts_with(prefix)) || only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let (n, differ) = run(&read(&path), only.is_some());
        println!("{name}: {} of {n}", n - differ.len());
        differ.iter().for_each(|line| println!("    {line}"));
        (agree, total) = (agree + n - differ.len(), total + n);
    }
    println!("{agree} of {total} agree");
    (agree, total)
}

#[test]
fn deployments_behave_as_recorded() {
    let (agree, total) = families(&["dep-", "ru-"]);
    assert!(agree * 100 >= total * 50, "{agree} of {total}");
}

#[test]
fn replica_sets_behave_as_recorded() {
    let (agree, total) = families(&["rs-", "rc-"]);
    assert!(agree * 100 >= total * 50, "{agree} of {total}");
}

#[test]
fn jobs_behave_as_recorded() {
    let (agree, total) = families(&["job-"]);
    assert!(agree * 100 >= total * 50, "{agree} of {total}");
}

#[test]
fn stateful_sets_behave_as_recorded() {
    let (agree, total) = families(&["sts-"]);
    assert!(agree * 100 >= total * 50, "{agree} of {total}");
}

#[test]
fn daemon_sets_behave_as_recorded() {
    let (agree, total) = families(&["ds-"]);
    assert!(agree * 100 >= total * 50, "{agree} of {total}");
}

#[test]
fn cron_jobs_behave_as_recorded() {
    let (agree, total) = families(&["cj-"]);
    assert!(agree * 100 >= total * 50, "{agree} of {total}");
}
