//! Objects whose owners go, namespaces that go, budgets that are asked.

use serde_json::json;
use wavetank::cluster::objects::{Namespace, PodDisruptionBudget};
use wavetank::cluster::{ControlPlane, ObjectRef, PodPhase, Propagation, What};

use super::{World, near};

fn config_map(name: &str, owners: serde_json::Value) -> serde_json::Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "uid": format!("uid-{name}"), "ownerReferences": owners } })
}

fn owner(name: &str, blocks: bool) -> serde_json::Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": format!("uid-{name}"), "blockOwnerDeletion": blocks })
}

#[test]
fn dependents_follow_their_owner() {
    let mut world = World::new(ControlPlane::realistic());
    let parent = world.create(config_map("parent", json!([])));
    let other = world.create(config_map("other", json!([])));
    let child = world.create(config_map("child", json!([owner("parent", true)])));
    let grandchild = world.create(config_map("grandchild", json!([owner("child", true)])));
    let shared = world.create(config_map("shared", json!([owner("parent", true), owner("other", true)])));
    let dangling = world.create(config_map("dangling", json!([owner("nobody", true)])));
    world.run(1.0);
    assert!(world.cluster.meta(dangling).removed, "its owner never was");
    assert!(!world.cluster.meta(child).removed);
    world.cluster.delete(parent, Propagation::Background);
    world.run(2.0);
    assert!(world.cluster.meta(child).removed && world.cluster.meta(grandchild).removed);
    assert_eq!(world.cluster.meta(shared).owners.iter().map(|owner| owner.object).collect::<Vec<_>>(), [Some(other)]);
}

#[test]
fn a_foreground_deletion_waits_for_what_blocks_it() {
    let mut world = World::new(ControlPlane::realistic());
    world.node("n1", "a");
    let parent = world.create(config_map("parent", json!([])));
    let pod = world.pod("p", "n1", 5, json!({ "ownerReferences": [owner("parent", true)] }));
    let loose = world.create(config_map("loose", json!([owner("parent", false)])));
    world.run(1.0);
    world.cluster.delete(parent, Propagation::Foreground);
    world.run(2.0);
    assert!(!world.cluster.meta(parent).removed && world.cluster.pod(pod).meta.is_deleting());
    assert!(world.cluster.meta(loose).removed);
    world.cluster.confirm_pod_stopped(pod);
    world.run(3.0);
    assert!(world.cluster.meta(parent).removed);
}

#[test]
fn orphans_stay() {
    let mut world = World::new(ControlPlane::realistic());
    let parent = world.create(config_map("parent", json!([])));
    let child = world.create(config_map("child", json!([owner("parent", true)])));
    world.run(1.0);
    world.cluster.delete(parent, Propagation::Orphan);
    world.run(2.0);
    assert!(world.cluster.meta(parent).removed && !world.cluster.meta(child).removed);
    assert!(world.cluster.meta(child).owners.is_empty());
}

/// Pods first; the second look comes half their grace and a second later.
#[test]
fn a_namespace_is_emptied_in_order() {
    let mut world = World::new(ControlPlane::realistic());
    world.node("n1", "a");
    let namespace = world.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "team" } }));
    let map = world
        .create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "m", "namespace": "team" } }));
    world.create(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p", "namespace": "team" },
        "spec": { "nodeName": "n1", "terminationGracePeriodSeconds": 30, "containers": [{ "name": "c", "image": "i" }] } }));
    let pod = world.cluster.find_pod("team", "p").expect("created");
    world.run(1.0);
    assert!(world.cluster.find("ServiceAccount", "team", "default").is_some());
    assert!(world.cluster.find("ConfigMap", "team", "kube-root-ca.crt").is_some());
    world.cluster.delete(namespace, Propagation::Background);
    world.run(10.0);
    let ObjectRef::Object(id) = namespace else { unreachable!("a namespace") };
    assert_eq!(world.cluster.export(id)["status"]["phase"], "Terminating");
    near(&world.times(pod, |what| what == What::Deleting), &[6.0]);
    assert!(!world.cluster.meta(map).removed);
    world.cluster.confirm_pod_stopped(pod);
    world.run(30.0);
    assert!(world.cluster.try_get::<Namespace>(id).is_some() && world.cluster.meta(namespace).removed);
    near(&world.times(namespace, |what| what == What::Removed), &[22.0]);
    assert!(world.cluster.meta(map).removed);
}

#[test]
fn budgets_are_spent_and_refilled() {
    let mut world = World::new(ControlPlane::realistic());
    world.node("n1", "a");
    let budget = world
        .create(json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "b" },
        "spec": { "minAvailable": 2, "selector": { "matchLabels": { "app": "web" } } } }));
    let ObjectRef::Object(budget) = budget else { unreachable!("a budget") };
    let pods: Vec<_> = ["p0", "p1", "p2"].map(|name| world.pod(name, "n1", 5, json!({}))).into();
    world.run(1.0);
    let numbers = |world: &World| {
        let status = world.cluster.get::<PodDisruptionBudget>(budget);
        [status.expected_pods, status.desired_healthy, status.current_healthy, status.disruptions_allowed]
    };
    assert_eq!(numbers(&world), [3, 2, 3, 1]);
    assert_eq!(world.cluster.evict(pods[0], None), Ok(()));
    let refused = world.cluster.evict(pods[1], None).expect_err("nothing is left to spend");
    assert_eq!(
        (refused.code, refused.text.as_str()),
        (429, "Cannot evict pod as it would violate the pod's disruption budget.")
    );
    assert_eq!(refused.cause, "The disruption budget b needs 2 healthy pods and has 3 currently");
    world.run(2.0);
    assert_eq!(numbers(&world), [3, 2, 2, 0]);
    let refused = world.cluster.evict(pods[1], None).expect_err("still nothing");
    assert_eq!(refused.cause, "The disruption budget b needs 2 healthy pods and has 2 currently");
    world.report(pods[1], PodPhase::Running, false);
    world.run(3.0);
    assert!(world.cluster.evict(pods[1], None).is_err(), "one healthy pod is too few already");
}
