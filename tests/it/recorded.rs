//! Scenarios of the recordings' families that nobody recorded: what must happen in them follows from the sources of the controllers,
//! and stands beside each. A tool prints what happens in any other.

use serde_json::{Value, json};
use wavetank::conformance::cluster::{check, timeline};

/// A scenario with what must happen in it: sequences of the compact view, and what kubectl prints, step by step.
struct Variant {
    id: &'static str,
    n_nodes: usize,
    objects: Vec<Value>,
    steps: Vec<Value>,
    seconds: u32,
    sequences: Value,
    /// Standard output, or standard error after `!`; empty where it does not matter.
    printed: &'static [&'static str],
}

/// A pod that is Ready a second after its start, which takes another, and takes two to stop.
const USUAL: &[(&str, &str)] = &[("startup", "1"), ("ready-after", "1"), ("stop", "2")];

fn template(behaviour: &[(&str, &str)], image: &str) -> Value {
    let annotations: serde_json::Map<String, Value> =
        behaviour.iter().map(|(key, value)| (format!("wavetank.dev/{key}"), json!(value))).collect();
    json!({
        "metadata": { "labels": { "app": "a" }, "annotations": annotations },
        "spec": { "containers": [{ "name": "c", "image": image }] },
    })
}

/// An object of `apps/v1` named `a`, with more members of its spec.
fn workload(kind: &str, image: &str, more: Value) -> Value {
    let mut spec = json!({ "selector": { "matchLabels": { "app": "a" } }, "template": template(USUAL, image) });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({ "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": "a" }, "spec": spec })
}

fn quota(pods: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q" }, "spec": { "hard": { "pods": pods } } })
}

fn autoscaler(name: &str) -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": name },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "a" },
            "minReplicas": 1, "maxReplicas": 5,
            "metrics": [{ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } } }],
        },
    })
}

fn kubectl(at: u32, line: &str) -> Value {
    json!({ "at": at, "kubectl": line })
}

/// A change of a template after which no pod becomes Ready.
fn never_ready(at: u32, what: &str) -> Value {
    let patch = r#"{"spec":{"template":{"metadata":{"annotations":{"wavetank.dev/ready-after":"never"}}}}}"#;
    kubectl(at, &format!("patch {what} -p '{patch}'"))
}

fn case(variant: &Variant) -> Value {
    let nodes: Vec<Value> = (1..=variant.n_nodes)
        .map(|n| json!({ "name": format!("n{n}"), "cpu": "8", "memory": "32Gi", "pods": "110" }))
        .collect();
    let sequences: serde_json::Map<String, Value> = variant
        .sequences
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, sequence)| (name.clone(), json!({ "stable": true, "seq": sequence })))
        .collect();
    let result = |text: &&str| match (text.is_empty(), text.strip_prefix('!')) {
        (true, _) => Value::Null,
        (_, Some(error)) => json!({ "exit": 1, "stdout": "", "stderr": format!("{error}\n") }),
        _ => json!({ "exit": 0, "stdout": format!("{text}\n"), "stderr": "" }),
    };
    // What the objects of the beginning were answered comes first.
    let first = (!variant.objects.is_empty()).then_some(Value::Null);
    let results: Vec<Value> = first.into_iter().chain(variant.printed.iter().map(result)).collect();
    let results: Vec<Value> = results.into_iter().map(|result| json!({ "stable": true, "result": result })).collect();
    json!({
        "id": variant.id,
        "scenario": {
            "id": variant.id, "nodes": nodes, "objects": variant.objects, "steps": variant.steps, "duration": variant.seconds,
        },
        "expect": { "sequences": sequences, "stepResults": results },
    })
}

/// Deployments.
fn deployments() -> Vec<Variant> {
    vec![
        Variant {
            id: "a-stuck-rollout-is-scaled-from-the-largest",
            // 25 % of 10: surge 3, unavailable 2, so that the rollout sticks at 8 + 5 of at most 13. 5 replicas allow 5 + 2, 6 less than 13:
            // 8 * 7/13 = 4.3 is 4, which is 4 less, 5 * 7/13 = 2.7 is 3. 20 replicas allow 25, 18 more than 7: 4 * 25/7 = 14.3, 3 * 25/7 = 10.7.
            n_nodes: 2,
            objects: vec![workload("Deployment", "v1", json!({ "replicas": 10 }))],
            steps: vec![
                never_ready(6, "deployment/a"),
                kubectl(14, "scale deployment/a --replicas=5"),
                kubectl(22, "scale deployment/a --replicas=20"),
            ],
            seconds: 30,
            sequences: json!({ "rollout/a": [
                { "1": 10 }, { "1": 10, "2": 3 }, { "1": 8, "2": 3 }, { "1": 8, "2": 5 },
                { "1": 4, "2": 5 }, { "1": 4, "2": 3 }, { "1": 14, "2": 3 }, { "1": 14, "2": 11 },
            ] }),
            printed: &["", "deployment.apps/a scaled", "deployment.apps/a scaled"],
        },
        Variant {
            id: "a-paused-deployment-refuses",
            n_nodes: 1,
            objects: vec![workload("Deployment", "v1", json!({ "replicas": 2 }))],
            steps: vec![
                kubectl(6, "rollout pause deployment/a"),
                kubectl(7, "rollout pause deployment/a"),
                kubectl(8, "rollout restart deployment/a"),
                kubectl(9, "rollout undo deployment/a"),
                kubectl(10, "rollout resume deployment/a"),
                kubectl(11, "rollout resume deployment/a"),
                kubectl(12, "rollout undo deployment/a"),
            ],
            seconds: 20,
            sequences: json!({
                "condition/Deployment/a/Progressing": [
                    ["True", "NewReplicaSetCreated"], ["True", "ReplicaSetUpdated"], ["True", "NewReplicaSetAvailable"],
                    ["Unknown", "DeploymentPaused"], ["Unknown", "DeploymentResumed"], ["True", "NewReplicaSetAvailable"],
                ],
                "rollout/a": [{ "1": 2 }],
            }),
            printed: &[
                "deployment.apps/a paused",
                "!error: deployments.apps \"a\" is already paused",
                "!error: deployments.apps \"a\" can't restart paused deployment (run rollout resume first)",
                "!error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
                "deployment.apps/a resumed",
                "!error: deployments.apps \"a\" is not paused",
                "!error: no rollout history found for deployment \"a\"",
            ],
        },
    ]
}

/// Autoscalers.
fn autoscalers() -> Vec<Variant> {
    vec![Variant {
        id: "two-autoscalers-of-the-same-pods",
        // Each looks for the first time after 15 s; the second one finds the first one's selector, and then the first one the second's.
        n_nodes: 1,
        objects: vec![workload("Deployment", "v1", json!({ "replicas": 2 })), autoscaler("x"), autoscaler("y")],
        steps: vec![],
        seconds: 40,
        sequences: json!({
            "condition/HorizontalPodAutoscaler/x/ScalingActive": [["False", "FailedGetResourceMetric"], ["False", "AmbiguousSelector"]],
            "condition/HorizontalPodAutoscaler/y/ScalingActive": [["False", "AmbiguousSelector"]],
        }),
        printed: &[],
    }]
}

/// StatefulSets.
fn stateful_sets() -> Vec<Variant> {
    let order = json!([
        ["create", "StatefulSet/a"],
        ["create", "ControllerRevision/a/rev1"],
        ["delete", "StatefulSet/a"],
        ["create", "StatefulSet/a"],
    ]);
    vec![
        Variant {
            id: "a-stateful-set-adopts-its-history",
            n_nodes: 1,
            objects: vec![],
            steps: vec![
                json!({ "at": 1, "apply": [workload("StatefulSet", "v1", json!({ "replicas": 2 }))] }),
                kubectl(8, "delete sts a --cascade=orphan --wait=false"),
                json!({ "at": 12, "apply": [workload("StatefulSet", "v1", json!({ "replicas": 2 }))] }),
            ],
            seconds: 20,
            sequences: json!({ "objects/order": order, "pods/created": ["a-0", "a-1"], "pods/deletionMarked": [] }),
            printed: &[],
        },
        Variant {
            id: "the-first-unavailable-pod-may-be-condemned",
            // a-3 is updated and never Ready. Scaled to 2, it is the one unavailable pod and goes, a-2 after it; then the update takes a-1.
            n_nodes: 1,
            objects: vec![],
            steps: vec![
                json!({ "at": 1, "apply": [workload("StatefulSet", "v1", json!({ "replicas": 4 }))] }),
                never_ready(14, "sts/a"),
                kubectl(24, "scale sts/a --replicas=2"),
            ],
            seconds: 40,
            sequences: json!({ "pods/deletionMarked": ["a-3", "a-3", "a-2", "a-1"] }),
            printed: &[],
        },
        Variant {
            id: "a-parallel-set-under-a-quota",
            // Batches of 1 and 2: a-0, then a-1 and a-2, of which the latter is refused, so that a-3 and a-4 are not tried.
            n_nodes: 1,
            objects: vec![quota("2")],
            steps: vec![
                json!({ "at": 1, "apply": [workload("StatefulSet", "v1", json!({ "replicas": 5, "podManagementPolicy": "Parallel" }))] }),
            ],
            seconds: 8,
            sequences: json!({
                "pods/created": ["a-0", "a-1"],
                "settled/status/StatefulSet/a": [[5, 2, 2, 0, 0, 2], [5, 2, 2, 2, 2, 2]],
            }),
            printed: &[],
        },
    ]
}

/// DaemonSets. A revision is deleted as soon as there are too many old ones, the one that pods have among them.
fn daemon_sets() -> Vec<Variant> {
    let rolling = json!({ "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } } });
    vec![
        Variant {
            id: "pods-of-the-same-generation-are-not-updated",
            // The second DaemonSet begins at generation 1 too, which is what its adopted pods say of themselves.
            n_nodes: 2,
            objects: vec![workload("DaemonSet", "v1", json!({}))],
            steps: vec![
                kubectl(6, "delete ds a --cascade=orphan --wait=false"),
                json!({ "at": 10, "apply": [workload("DaemonSet", "v2", json!({}))] }),
            ],
            seconds: 20,
            sequences: json!({
                "objects/order": [
                    ["create", "DaemonSet/a"], ["create", "ControllerRevision/a/rev1"], ["delete", "DaemonSet/a"],
                    ["create", "DaemonSet/a"], ["create", "ControllerRevision/a/rev2"],
                ],
                "podSet/deletionMarked": [],
                "settled/status/DaemonSet/a": [[2, 2, 2, 0, 0, 0], [2, 2, 2, 2, 2, 0]],
            }),
            printed: &[],
        },
        Variant {
            id: "with-surge-a-deleted-pod-is-replaced-at-once",
            // The pod takes 2 s to stop; the new one is there before it is gone.
            n_nodes: 1,
            objects: vec![workload("DaemonSet", "v1", rolling)],
            steps: vec![kubectl(6, "delete pod -l app=a --wait=false")],
            seconds: 7,
            sequences: json!({ "podOwners/created": ["a@n1", "a@n1"], "podOwners/deletionMarked": ["a@n1"], "podOwners/removed": [] }),
            printed: &[],
        },
        Variant {
            id: "the-history-of-a-daemon-set-is-short",
            n_nodes: 1,
            objects: vec![workload("DaemonSet", "v1", json!({ "revisionHistoryLimit": 1 }))],
            steps: vec![kubectl(6, "set image ds/a c=v2"), kubectl(16, "set image ds/a c=v3")],
            seconds: 17,
            sequences: json!({ "objects/order": [
                ["create", "DaemonSet/a"], ["create", "ControllerRevision/a/rev1"], ["create", "ControllerRevision/a/rev2"],
                ["create", "ControllerRevision/a/rev3"], ["delete", "ControllerRevision/a/rev1"],
            ] }),
            printed: &[],
        },
    ]
}

#[test]
fn what_was_not_recorded_follows_from_the_sources() {
    let variants = deployments().into_iter().chain(autoscalers()).chain(stateful_sets()).chain(daemon_sets());
    let mut differing = Vec::new();
    for variant in variants {
        let report = check(&case(&variant));
        let n_asserted = variant.sequences.as_object().map_or(0, serde_json::Map::len);
        let n_counted: usize = report.stable.families.values().map(|(_, total)| total).sum();
        assert!(n_counted >= n_asserted, "{}: {n_counted} entries were compared", variant.id);
        differing.extend(report.stable.differences.iter().map(|difference| format!("{}: {difference}", variant.id)));
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// Prints the timeline of the scenario (or of the recording) in the file that `WAVETANK_SCENARIO` names.
#[test]
#[ignore = "a tool: prints the timeline of the scenario in WAVETANK_SCENARIO"]
fn timeline_of_a_scenario() {
    let path = std::env::var("WAVETANK_SCENARIO").expect("WAVETANK_SCENARIO names a file");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let read: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let scenario = if read["scenario"].is_object() { &read["scenario"] } else { &read };
    println!("{}", timeline(scenario).unwrap_or_else(|error| panic!("{error}")));
}
