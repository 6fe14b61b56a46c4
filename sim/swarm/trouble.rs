//! What users do and what breaks during a case, and how it all ends: after the last step everything can come to rest.

use serde_json::{Value, json};

use super::dice::Dice;
use super::generate::Shape;
use super::workloads::Workload;

/// The steps of a case. The last of them, at `ends` seconds, undo what would keep the cluster from coming to rest.
pub(super) fn steps(shape: &Shape, workloads: &[Workload], calm: bool, ends: u64, dice: &mut Dice) -> Vec<Value> {
    let mut steps = Vec::new();
    for _ in 0..dice.between(1, 8) {
        let at = dice.between(20, ends - 1);
        let workload = dice.pick(workloads);
        let typed = if calm { rollout(workload, dice) } else { change(workload, dice) };
        steps.extend(typed.map(|typed| typed_at(at, &typed)));
    }
    if !calm {
        for _ in 0..dice.between(0, 3) {
            steps.extend(node_work(shape, ends, dice));
        }
        for _ in 0..dice.between(0, 3) {
            steps.push(failure(shape, workloads, ends, dice));
        }
    }
    steps.extend((0..shape.n_nodes).map(|node| typed_at(ends, &format!("uncordon node-{node}"))));
    steps.extend(workloads.iter().flat_map(repair).map(|typed| typed_at(ends, &typed)));
    steps
}

fn typed_at(second: u64, typed: &str) -> Value {
    json!({ "at": format!("{second}s"), "kubectl": typed })
}

/// A rollout that works.
fn rollout(workload: &Workload, dice: &mut Dice) -> Option<String> {
    let name = &workload.name;
    Some(match dice.between(0, 2) {
        0 => format!("rollout restart deployment/{name}"),
        1 => format!("set image deployment/{name} main=app:{}", dice.between(2, 4)),
        _ => format!("rollout undo deployment/{name}"),
    })
}

/// Something a user does to a workload.
fn change(workload: &Workload, dice: &mut Dice) -> Option<String> {
    let (kind, name) = (workload.kind, &workload.name);
    let typed = match (kind, dice.between(0, 6)) {
        ("job", 0) => format!("patch job {name} -p '{{\"spec\":{{\"suspend\":true}}}}'"),
        ("job", 1) => format!("patch job {name} -p '{{\"spec\":{{\"parallelism\":{}}}}}'", dice.between(0, 6)),
        ("cronjob", 0) => format!("patch cronjob {name} -p '{{\"spec\":{{\"suspend\":true}}}}'"),
        ("job" | "cronjob", _) => format!("delete pods -l app={name} --wait=false"),
        (_, 0) if kind != "daemonset" => format!("scale {kind}/{name} --replicas={}", dice.between(0, 8)),
        (_, 0 | 1) => format!("set image {kind}/{name} main=app:{}", dice.between(2, 4)),
        (_, 2) => format!("set image {kind}/{name} main=bad:1"),
        (_, 3) => format!("rollout restart {kind}/{name}"),
        ("deployment", 4) => format!("rollout pause deployment/{name}"),
        ("deployment", 5) => format!("rollout resume deployment/{name}"),
        (_, 6) => format!("delete pods -l app={name} --wait=false"),
        _ => format!("rollout undo {kind}/{name}"),
    };
    Some(typed)
}

/// What puts a workload right again.
fn repair(workload: &Workload) -> Vec<String> {
    let (kind, name, replicas) = (workload.kind, &workload.name, workload.replicas);
    match kind {
        "deployment" | "statefulset" | "daemonset" => {
            let mut typed = Vec::new();
            if kind == "deployment" {
                typed.push(format!("rollout resume deployment/{name}"));
            }
            if kind != "daemonset" {
                typed.push(format!("scale {kind}/{name} --replicas={replicas}"));
            }
            typed.push(format!("set image {kind}/{name} main=app:9"));
            if kind == "statefulset" {
                // An ordered StatefulSet waits for ever for a pod whose image cannot be pulled: the known forced rollback.
                typed.push(format!("delete pods -l app={name} --wait=false"));
            }
            typed
        }
        "job" => vec![format!("patch job {name} -p '{{\"spec\":{{\"suspend\":false,\"parallelism\":{replicas}}}}}'")],
        _ => vec![format!("patch cronjob {name} -p '{{\"spec\":{{\"suspend\":true}}}}'")],
    }
}

/// Work on a node: a drain or a cordon, and the end of it.
fn node_work(shape: &Shape, ends: u64, dice: &mut Dice) -> Vec<Value> {
    let node = format!("node-{}", dice.between(0, shape.n_nodes - 1));
    let at = dice.between(30, ends - 1);
    if dice.chance(20) {
        let effect = *dice.pick(&["NoSchedule", "NoExecute", "PreferNoSchedule"]);
        return vec![
            typed_at(at, &format!("taint node {node} trouble=yes:{effect}")),
            typed_at(dice.between(at, ends), &format!("taint node {node} trouble:{effect}-")),
        ];
    }
    let begin = if dice.chance(70) {
        format!("drain {node} --ignore-daemonsets --delete-emptydir-data --force --timeout={}s", dice.between(30, 300))
    } else {
        format!("cordon {node}")
    };
    vec![typed_at(at, &begin), typed_at(dice.between(at, ends), &format!("uncordon {node}"))]
}

/// A failure that ends before the troubles do.
fn failure(shape: &Shape, workloads: &[Workload], ends: u64, dice: &mut Dice) -> Value {
    let at = dice.between(20, ends - 2);
    let lasts = dice.between(1, (ends - at - 1).min(900));
    let mut step = json!({ "at": format!("{at}s"), "for": format!("{lasts}s") });
    let node = format!("node-{}", dice.between(0, shape.n_nodes - 1));
    match dice.between(0, 9) {
        0..=3 => {
            step["fail"] = json!(format!("node/{node}"));
            step["how"] = json!(*dice.pick(&["crash", "crash", "partition", "kubelet"]));
        }
        4 => {
            step["fail"] = json!(format!("zone/{}", dice.pick(&shape.zones)));
            step["how"] = json!(*dice.pick(&["crash", "partition"]));
        }
        5 => step["fail"] = json!(*dice.pick(&["api-server", "etcd"])),
        6 => step["fail"] = json!(*dice.pick(&["scheduler", "controller-manager"])),
        7 => step["fail"] = json!("image-registry"),
        8 => {
            step["fail"] = json!(format!("slow-node/{node}"));
            step["factor"] = json!(dice.between(2, 5));
        }
        _ => step = json!({ "at": step["at"], "fail": format!("container/app={}", dice.pick(workloads).name) }),
    }
    step
}
