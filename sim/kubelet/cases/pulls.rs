//! Pulls of images: attempts that fail, the queue of a node, collection of unused images.

use serde_json::{Map, Value, json};

use super::trial::{Trial, one};
use super::{answer, numbers, said};
use crate::engine::{Span, Time};
use crate::kubelet::KubeletOptions;

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

pub(super) fn case(row: &Value) -> Option<Value> {
    if row["expect_done"].is_object() {
        return two_pods(row);
    }
    let given = row["given"].as_str()?;
    if row["expect_attempt_starts"].is_array() && given.starts_with("pull fails after ") {
        return attempts(row, *numbers(given).first()?);
    }
    if row["expect_done"].is_array() && given.contains(" pulls at 0") {
        return parallel(row);
    }
    match given {
        "between attempts of IM06 a sync happens" => failing_state(17.0),
        "right after failed attempt" => failing_state(2.0),
        _ if given.starts_with("imagefs ") => collection(given),
        _ => None,
    }
}

/// A pod whose pulls fail after 2 s each, at an instant.
fn failing_state(at: f64) -> Option<Value> {
    let options = KubeletOptions { pull_failure: Span::from_secs(2), ..KubeletOptions::ideal() };
    let mut trial = Trial::with(options, json!([{"image": {"error": true}}]), machine(1))?;
    let pod = trial.pod("p", one(json!({}), json!({})))?;
    // Attempts at 0, 12, 34: the first look after the second failure, at 14, is at 24.
    trial.run_to(if at > 2.0 { 25.0 } else { at });
    let states = trial.states(pod, 0);
    answer("expect", json!({"waiting": states.last()?}))
}

fn machine(disk_gib: u32) -> Value {
    json!({"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": format!("{disk_gib}Gi")})
}

/// When pulls that fail after so many seconds are tried.
fn attempts(row: &Value, takes: f64) -> Option<Value> {
    let options = KubeletOptions { pull_failure: Span::from_secs_f64(takes), ..KubeletOptions::ideal() };
    let mut trial = Trial::with(options, json!([{"image": {"error": true}}]), machine(1))?;
    let pod = trial.pod("p", one(json!({}), json!({})))?;
    let wanted = row["expect_attempt_starts"].as_array()?;
    let (mut starts, mut last, mut at) = (Vec::new(), None, 0.0);
    while starts.len() < wanted.len() && at < 10_000.0 {
        trial.run_to(at);
        let failed = trial.last_pull_failure(pod);
        if let Some(failed) = failed.filter(|_| failed != last) {
            starts.push(super::at(Time::ZERO + failed.since(Time::ZERO).saturating_sub(Span::from_secs_f64(takes))));
        }
        (last, at) = (failed, at + 1.0);
    }
    answer("expect_attempt_starts", starts)
}

/// `pods P1(image A 30 s) P2(image B 10 s) arrive at 0 in order`.
fn two_pods(row: &Value) -> Option<Value> {
    let serialize = row["serialize"].as_bool()?;
    let given = row["given"].as_str()?;
    let found = match given.contains("image A ") {
        true => numbers(&given.replace("P1", "").replace("P2", "")),
        // `same as IM09`
        false => vec![30.0, 10.0],
    };
    let [a, b, ..] = found[..] else { return None };
    let parallel_pulls = if serialize { 1 } else { u32::MAX };
    let done = done(&[a, b], parallel_pulls)?;
    let names = ["A", "B"].map(str::to_owned).into_iter().zip(done);
    answer("expect_done", Value::Object(names.collect::<Map<_, _>>()))
}

/// `three 10 s pulls at 0`.
fn parallel(row: &Value) -> Option<Value> {
    let given = row["given"].as_str()?;
    let words = ["one", "two", "three", "four", "five", "six"];
    let n = words.iter().position(|word| given.starts_with(word))? + 1;
    let takes = *numbers(given).first()?;
    let most = u32::try_from(row["maxParallelImagePulls"].as_u64()?).ok()?;
    answer("expect_done", done(&vec![takes; n], most)?)
}

/// When pulls that take so long, asked for at once and in this order, are done.
fn done(takes: &[f64], parallel_pulls: u32) -> Option<Vec<Value>> {
    let options = KubeletOptions { parallel_pulls, pull_bandwidth: 1e6, ..KubeletOptions::ideal() };
    let models = takes.iter().enumerate().map(|(idx, seconds)| {
        json!({"match": {"image": format!("image{idx}")}, "image": {"size": format!("{}", (seconds * 1e6) as i64)}})
    });
    let mut trial = Trial::with(options, models.collect(), machine(100))?;
    let pods = (0..takes.len())
        .map(|idx| trial.pod(&format!("p{idx}"), one(json!({"image": format!("image{idx}:v1")}), json!({}))));
    let pods: Vec<_> = pods.collect::<Option<_>>()?;
    trial.run_to(takes.iter().sum::<f64>() + 10.0);
    pods.into_iter().map(|pod| trial.starts(pod, 0).into_iter().next()).collect()
}

/// `imagefs 86 % used`, on a disk of 100 GiB of which an image that is used takes 1 GiB and unused ones the rest.
fn collection(given: &str) -> Option<Value> {
    let percent = *numbers(given).first()?;
    if !(1.0..=100.0).contains(&percent) {
        return None;
    }
    // All images go through one pod each that ends; only eviction must not come first.
    let options = KubeletOptions { eviction: Vec::new(), ..KubeletOptions::ideal() };
    let models = json!([
        {"match": {"image": "used"}, "image": {"size": "1Gi"}},
        {"match": {"image": "unused"}, "image": {"size": "1Gi"}, "run": "1s"}]);
    let mut trial = Trial::with(options, models, machine(100))?;
    trial.pod("user", one(json!({"image": "used:v1"}), json!({})))?;
    for n in 1..percent as u32 {
        trial
            .pod(&format!("p{n}"), one(json!({"image": format!("unused:v{n}")}), json!({"restartPolicy": "Never"})))?;
    }
    trial.run_to(900.0);
    let node = trial.node()?;
    let images = &trial.cluster.node(node).images;
    // At most fifty are shown in the node's status, so the kubelet is asked.
    let left = trial.image_bytes() as f64 / (100.0 * GIB) * 100.0;
    match left.round() {
        kept if kept == percent => answer("expect", "no GC"),
        kept => said(!images.is_empty(), &format!("GC down to {kept} %"), "nothing is left"),
    }
}
