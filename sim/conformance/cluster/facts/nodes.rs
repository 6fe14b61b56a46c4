//! Facts about nodes that fall silent: conditions, taints, zones.

use serde_json::{Value, json};

use super::{Outcome, Run, at, has_taint, hold, kubectl, node, pod, run, tolerates, zone};

const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const NO_EXECUTE: &str = "node.kubernetes.io/unreachable:NoExecute";

/// The facts by the identifiers of their rows.
pub(super) const FACTS: &[super::Fact] = &[
    ("NH03", || {
        let run = lost_node(vec![pod("p", "n1", json!({}))], vec![], 400)?;
        let tainted = run.tainted("n1", NO_EXECUTE).ok_or("no NoExecute taint")?;
        at(run.marked("p"), tainted + 300.0, "deleted")
    }),
    ("NH04", || {
        let run = lost_node(vec![pod("p", "n1", json!({})), pod("q", "n1", json!({}))], vec![], 90)?;
        let unknown = unknown(&run, "n1").ok_or("never Unknown")?;
        ["p", "q"].iter().try_for_each(|name| {
            at(run.when("Pod", name, 20.0, |value| value["ready"] == false), unknown, "Ready=False")
        })
    }),
    ("NH08", || {
        let back = json!({ "at": 100, "recoverNode": "n1" });
        let run = lost_node(vec![pod("p", "n1", json!({}))], vec![back], 150)?;
        let clear = run.when("Node", "n1", 100.0, |value| value["taints"] == json!([]));
        hold(clear.is_some_and(|t| t <= 105.3), "taints removed within a period of the monitor", clear)?;
        hold(run.has_event("p", "TaintManagerEviction", "Cancelling deletion"), "the timer is cancelled", &run.events)?;
        let ready = run.when("Pod", "p", 100.0, |value| value["ready"] == true);
        hold(ready.is_some() && run.marked("p").is_none(), "the pod is ready again and stays", ready)
    }),
    ("NH13", || {
        let run = run(vec![node("n1", "a")], vec![], vec![], 3700)?;
        let not_ready = run.when("Node", "n1", 0.0, |value| value["conditions"]["Ready"]["status"] != "True");
        hold(not_ready.is_none(), "it stays Ready", not_ready)
    }),
    ("NH15", || {
        let run = run(vec![node("n1", "a")], vec![], vec![kubectl(5, "cordon n1")], 20)?;
        let taints = run.last("Node", "n1").map(|value| value["taints"].clone());
        hold(taints == Some(json!(["node.kubernetes.io/unschedulable=:NoSchedule"])), "the taint of a cordon", taints)
    }),
    ("NH17", || {
        let back = json!({ "at": 45, "recoverNode": "n1" });
        let run = lost_node(vec![], vec![back], 120)?;
        let seen = unknown(&run, "n1");
        hold(seen.is_none(), "no change of a condition", seen)
    }),
    ("NH18", || {
        let back = json!({ "at": 80, "recoverNode": "n1" });
        let run = lost_node(vec![pod("p", "n1", json!({}))], vec![back], 500)?;
        let unknown = unknown(&run, "n1");
        hold(unknown.is_some(), "Unknown", unknown)?;
        let ready = run.when("Node", "n1", 80.0, |value| value["conditions"]["Ready"]["status"] == "True");
        hold(ready.is_some() && run.marked("p").is_none(), "Ready again, and the pod stays", (ready, run.marked("p")))
    }),
    ("ZE10", || {
        let nodes = [zone("a", 3, "a"), zone("b", 2, "b")].concat();
        let lost = fail(["a1", "a2", "a3", "b1", "b2"], 10);
        let run = run(nodes, vec![], lost, 300)?;
        let left: Vec<&str> = run.names("Node").into_iter().filter(|name| is_tainted_at_last(&run, name)).collect();
        hold(left.is_empty(), "no NoExecute taint stays", left)
    }),
    ("ZE11", || {
        let nodes = [zone("a", 3, "a"), zone("b", 2, "b")].concat();
        let mut steps = fail(["a1", "a2", "a3", "b1", "b2"], 10);
        steps.push(json!({ "at": 200, "recoverNode": "a1" }));
        let run = run(nodes, vec![], steps, 400)?;
        let tainted = |name: &str| run.when("Node", name, 200.0, |value| has_taint(value, NO_EXECUTE));
        let late: Vec<&str> = ["a2", "a3", "b1", "b2"].into_iter().filter(|name| tainted(name).is_none()).collect();
        hold(late.is_empty() && tainted("a1").is_none(), "nodes still lost are tainted", late)
    }),
    ("ZE12", || {
        let run = run(zone("a", 5, "a"), vec![pod("p", "a1", quick())], fail(["a1", "a2", "a3", "a4", "a5"], 10), 600)?;
        hold(run.marked("p").is_none(), "nothing is evicted", run.marked("p"))
    }),
    ("ZE13", || {
        let run = run(zone("a", 20, "a"), vec![], fail(["a1", "a2", "a3", "a4", "a5"], 10), 160)?;
        rhythm(&run, &[0.0, 10.0, 20.0, 30.0, 40.0])
    }),
    ("ZE14", || {
        let names: Vec<String> = (1..=34).map(|idx| format!("a{idx}")).collect();
        let run = run(zone("a", 60, "a"), vec![], fail(names.iter().map(String::as_str), 10), 300)?;
        rhythm(&run, &[0.0, 100.0, 200.0])
    }),
    ("ZE15", || {
        let mut steps = fail(["a1", "a2", "a3"], 10);
        steps.push(json!({ "at": 70, "recoverNode": "a3" }));
        let run = run(zone("a", 20, "a"), vec![], steps, 160)?;
        let times = times(&run);
        hold(run.tainted("a3", NO_EXECUTE).is_none() && times.len() == 2, "the one that is back is left out", times)
    }),
    ("ZE16", || {
        let mut nodes = zone("a", 4, "a");
        for node in &mut nodes[..2] {
            node["labels"]["node.kubernetes.io/exclude-disruption"] = json!("true");
        }
        // Three of four would be a partial disruption; without the two that do not count one of two is lost.
        let run = run(nodes, vec![], fail(["a1", "a2", "a3"], 10), 160)?;
        let times = times(&run);
        hold(times.len() == 3, "all three are tainted", times)
    }),
    ("ZE17", || {
        let run = run(zone("a", 4, ""), vec![], fail(["a1", "a2", "a3"], 10), 160)?;
        let times = times(&run);
        hold(times.is_empty(), "they are one zone, which is disrupted in part", times)
    }),
];

/// A node that fails at 10 s, and another that does not.
fn lost_node(objects: Vec<Value>, more: Vec<Value>, seconds: u64) -> Result<Run, String> {
    let steps = fail(["n1"], 10).into_iter().chain(more).collect();
    run(vec![node("n1", "a"), node("n2", "a")], objects, steps, seconds)
}

fn fail<'a>(nodes: impl IntoIterator<Item = &'a str>, at: u64) -> Vec<Value> {
    nodes.into_iter().map(|node| json!({ "at": at, "failNode": node })).collect()
}

/// Tolerations that last a second.
fn quick() -> Value {
    json!({ "tolerations": [tolerates(UNREACHABLE, 1), tolerates("node.kubernetes.io/not-ready", 1)] })
}

fn unknown(run: &Run, node: &str) -> Option<f64> {
    run.when("Node", node, 0.0, |value| value["conditions"]["Ready"]["status"] == "Unknown")
}

fn is_tainted_at_last(run: &Run, node: &str) -> bool {
    run.last("Node", node).is_some_and(|value| has_taint(value, NO_EXECUTE))
}

/// When nodes were tainted NoExecute, in order.
fn times(run: &Run) -> Vec<f64> {
    let mut times: Vec<f64> = run.names("Node").into_iter().filter_map(|name| run.tainted(name, NO_EXECUTE)).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Whether the taints come in this rhythm, counted from the first.
fn rhythm(run: &Run, wanted: &[f64]) -> Outcome {
    let times = times(run);
    let first = times.first().copied().ok_or("no node was tainted")?;
    let seen: Vec<f64> = times.iter().map(|t| t - first).collect();
    let near = seen.iter().zip(wanted).all(|(seen, wanted)| (seen - wanted).abs() < 0.3);
    hold(near && seen.len() == wanted.len(), "taints in their rhythm", seen)
}
