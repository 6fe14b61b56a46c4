//! Nodes that fall silent.

use serde_json::json;
use wavetank::cluster::{ControlPlane, PodPhase, Propagation, What};

use super::{World, near};

/// Leases are renewed at 0 and 10 s, the monitor looks at 2, 7, 12, ...: the renewal of 10 s is seen at 12 s, the grace of 50 s is
/// over at 62 s, the pod bears it for 10 s.
#[test]
fn a_lost_node_is_marked_tainted_and_emptied() {
    let mut world = World::new(ControlPlane::realistic());
    let (lost, kept) = (world.node("n1", "a"), world.node("n2", "a"));
    let pod = world.pod("p", "n1", 10, json!({}));
    world.run(12.0);
    world.fail(lost);
    world.run(61.9);
    assert!(world.cluster.node(lost).conditions.is_true(world.cluster.words.ready));
    world.run(62.04);
    assert_eq!(world.taints(lost), ["unreachable:NoSchedule"]);
    world.run(115.0);
    assert_eq!(world.taints(lost), ["unreachable:NoSchedule", "unreachable:NoExecute"]);
    assert!(world.taints(kept).is_empty());
    near(&world.times(lost, |what| what == What::Taints), &[62.0, 62.05]);
    near(&world.times(pod, |what| what == What::Deleting), &[72.05]);
    assert!(!world.cluster.pod(pod).conditions.is_true(world.cluster.words.ready));
    assert!(world.cluster.pod(pod).conditions.is_true(world.cluster.words.disruption_target));
    assert_eq!(
        world.events(),
        [
            "RegisteredNode: Node n1 event: Registered Node n1 in Controller (1)",
            "RegisteredNode: Node n2 event: Registered Node n2 in Controller (1)",
            "NodeNotReady: Node n1 status is now: NodeNotReady (1)",
            "NodeNotReady: Node is not ready (1)",
            "TaintManagerEviction: Marking for deletion Pod default/p (1)",
        ]
    );
    // Back again: one taint goes at once, the other with the next turn of the monitor.
    world.recover(lost);
    world.run(120.0);
    near(&world.times(lost, |what| what == What::Taints)[2..], &[115.0, 117.0]);
    assert!(world.taints(lost).is_empty());
}

#[test]
fn a_node_that_returns_in_time_is_not_noticed() {
    let mut world = World::new(ControlPlane::realistic());
    let node = world.node("n1", "a");
    world.node("n2", "a");
    let pod = world.pod("p", "n1", 10, json!({}));
    world.run(12.0);
    world.fail(node);
    world.run(50.0);
    world.recover(node);
    world.run(200.0);
    assert!(world.times(node, |what| what == What::Taints).is_empty());
    assert!(world.times(pod, |what| what == What::Deleting).is_empty());
}

/// Without latencies: renewed and seen at 100 s, first turn strictly after 150 s.
#[test]
fn the_grace_is_over_strictly_later_without_latencies() {
    let mut world = World::new(ControlPlane::ideal());
    let node = world.node("n1", "a");
    world.node("n2", "a");
    world.run(100.0);
    world.fail(node);
    world.run(154.0);
    assert!(world.cluster.node(node).conditions.is_true(world.cluster.words.ready));
    world.run(155.0);
    assert!(!world.cluster.node(node).conditions.is_true(world.cluster.words.ready));
}

/// Four of six nodes of a small zone: nobody is evicted. Two come back at 110 s, seen at 112 s: the empty bucket has its first token
/// 10 s later, and the second node follows after 10 s more.
#[test]
fn a_zone_that_is_mostly_lost_is_not_evicted() {
    let mut world = World::new(ControlPlane::realistic());
    let nodes: Vec<_> = (1..=6).map(|idx| world.node(&format!("n{idx}"), "a")).collect();
    world.node("other", "b");
    world.run(12.0);
    nodes[..4].iter().for_each(|&node| world.fail(node));
    world.run(110.0);
    for &node in &nodes[..4] {
        assert_eq!(world.taints(node), ["unreachable:NoSchedule"]);
    }
    nodes[..2].iter().for_each(|&node| world.recover(node));
    world.run(160.0);
    near(&world.times(nodes[2], |what| what == What::Taints), &[62.0, 122.05]);
    near(&world.times(nodes[3], |what| what == What::Taints), &[62.0, 132.05]);
}

#[test]
fn a_cluster_that_is_lost_as_a_whole_is_not_evicted() {
    let mut world = World::new(ControlPlane::realistic());
    let nodes: Vec<_> =
        [("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "b")].map(|(name, zone)| world.node(name, zone)).into();
    world.run(12.0);
    nodes.iter().for_each(|&node| world.fail(node));
    world.run(100.0);
    nodes.iter().for_each(|&node| assert_eq!(world.taints(node), ["unreachable:NoSchedule"]));
    // Seen at 102 s; the buckets of both zones have their token 10 s later.
    world.recover(nodes[0]);
    world.run(140.0);
    near(&world.times(nodes[1], |what| what == What::Taints), &[62.0, 112.05]);
    near(&world.times(nodes[2], |what| what == What::Taints), &[62.0, 112.05]);
    near(&world.times(nodes[3], |what| what == What::Taints), &[62.0, 122.05]);
}

#[test]
fn nodes_of_a_healthy_zone_follow_one_another() {
    let mut world = World::new(ControlPlane::realistic());
    let nodes: Vec<_> = (1..=20).map(|idx| world.node(&format!("n{idx}"), "a")).collect();
    world.run(12.0);
    nodes[..5].iter().for_each(|&node| world.fail(node));
    world.run(200.0);
    for (idx, &node) in nodes[..5].iter().enumerate() {
        near(&world.times(node, |what| what == What::Taints), &[62.0, 62.05 + 10.0 * idx as f64]);
    }
}

/// The loop looks at 10, 30, 50 s: the name is missed at 30 s and its quarantine is over at 70 s.
#[test]
fn pods_of_a_deleted_node_are_collected_after_the_quarantine() {
    let mut world = World::new(ControlPlane::realistic());
    let node = world.node("n1", "a");
    let pod = world.pod("p", "n1", 300, json!({}));
    world.run(12.0);
    world.cluster.delete(node, Propagation::Background);
    world.run(100.0);
    near(&world.times(pod, |what| what == What::Removed), &[70.0]);
    assert_eq!(world.cluster.pod(pod).phase, PodPhase::Failed);
    assert!(world.cluster.pod(pod).conditions.is_true(world.cluster.words.disruption_target));
}

#[test]
fn a_pod_that_cannot_be_stopped_goes_when_its_node_is_out_of_service() {
    let mut world = World::new(ControlPlane::realistic());
    let node = world.node("n1", "a");
    world.node("n2", "a");
    let pod = world.pod("p", "n1", 5, json!({}));
    world.run(12.0);
    world.fail(node);
    world.run(100.0);
    assert!(world.cluster.pod(pod).meta.is_deleting() && !world.cluster.pod(pod).meta.removed);
    let mut taints = world.cluster.node(node).taints.to_vec();
    let mut out = taints[0].clone();
    out.taint.key = "node.kubernetes.io/out-of-service".to_owned();
    taints.push(out);
    world.cluster.set_taints(node, taints);
    world.run(140.0);
    near(&world.times(pod, |what| what == What::Removed), &[110.0]);
}

#[test]
fn quiet_clusters_cost_nothing() {
    let mut world = World::new(ControlPlane::realistic());
    (0..50).for_each(|idx| _ = world.node(&format!("n{idx}"), "a"));
    world.run(60.0);
    let before = world.n_events;
    world.run(86_400.0);
    assert_eq!(world.n_events, before);
}
