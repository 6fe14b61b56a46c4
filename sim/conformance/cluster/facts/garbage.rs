//! Facts about owners: what goes with them, what stays.

use serde_json::{Value, json};

use super::pods::deployment;
use super::{Outcome, Run, hold, kubectl, node, run};

/// The facts by the identifiers of their rows.
pub(super) const FACTS: &[super::Fact] = &[
    ("gc.owner_refs-01", || {
        let run = deleted("delete deployment web --cascade=background --wait=false")?;
        let (owner, dependent) = (run.gone("Deployment", "web"), run.gone("ReplicaSet", "web#1"));
        hold(
            owner.zip(dependent).is_some_and(|(a, b)| a <= b),
            "first the owner, then the dependent",
            (owner, dependent),
        )
    }),
    ("gc.owner_refs-02", || {
        let run = deleted("delete deployment web --cascade=foreground --wait=false")?;
        let waits = run.when("Deployment", "web", 10.0, |value| value["finalizers"] == json!(["foregroundDeletion"]));
        let (owner, dependent) = (run.gone("Deployment", "web"), run.gone("ReplicaSet", "web#1"));
        hold(waits.is_some(), "the finalizer", waits)?;
        hold(owner.zip(dependent).is_some_and(|(a, b)| a >= b), "the owner goes last", (owner, dependent))
    }),
    ("gc.owner_refs-04", || survives("ReplicaSet", "web#1", &deleted("delete deployment web --cascade=orphan")?)),
    ("gc.owner_refs-10", || {
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "work" },
            "spec": { "template": { "spec": {
                "restartPolicy": "Never", "containers": [{ "name": "c", "image": "app:v1" }],
            } } },
        });
        let run = run(vec![node("n1", "a")], vec![job], vec![kubectl(10, "delete job work")], 40)?;
        hold(run.gone("Pod", "work~0").is_some(), "its pod is deleted", run.names("Pod"))
    }),
    ("gc.owner_refs-11", || {
        let again = json!({ "at": 20, "apply": [deployment("web", 2, json!({}))] });
        let steps = vec![kubectl(10, "delete deployment web --cascade=orphan"), again];
        let run = run(vec![node("n1", "a")], vec![deployment("web", 2, json!({}))], steps, 40)?;
        let sets = run.names("ReplicaSet").len();
        let marked = run.names("Pod").into_iter().filter(|name| run.marked(name).is_some()).count();
        hold(sets == 1 && marked == 0, "the ReplicaSet and its pods stay", (sets, marked))?;
        let adopted = run.last("ReplicaSet", "web#1").map(|value| value["owners"].clone());
        hold(adopted == Some(json!([["Deployment", "web", true]])), "and are adopted", adopted)
    }),
];

/// A Deployment of two, with a command at 10 s.
fn deleted(line: &str) -> Result<Run, String> {
    run(vec![node("n1", "a")], vec![deployment("web", 2, json!({}))], vec![kubectl(10, line)], 40)
}

/// An object that has lost its owner reference and is still there.
fn survives(kind: &str, name: &str, run: &Run) -> Outcome {
    hold(run.gone(kind, name).is_none(), "it survives", run.gone(kind, name))?;
    let owners = run.last(kind, name).map(|value| value["owners"].clone());
    hold(owners == Some(Value::Null), "without an owner", owners)
}
