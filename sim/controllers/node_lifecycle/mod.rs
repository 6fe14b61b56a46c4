//! The node lifecycle controller: marks nodes whose kubelet has fallen silent, taints them, and decides how fast pods are evicted
//! (kube-controller-manager, `nodelifecycle`).
//!
//! Its monitor looks every 5 s at every node. Leases are renewed without events, so a turn at which nothing can have changed is
//! left out: the instant at which a silent node's grace is over is computed.

mod labels;
mod taints;
mod zones;

use std::collections::BTreeMap;

pub use taints::{not_ready, unreachable};
pub use zones::{ZoneState, eviction_period, zone_state};

use super::anchored_tick::AnchoredTick;
use super::{Action, Context, Controller, Keys};
use crate::cluster::{
    Change, Cluster, ConditionStatus, ControlPlane, ControllerKind, EventType, NO_CAUSE, NodeId, ObjectRef, PodId, What,
};
use crate::engine::{Span, Time};
use zones::{ZoneKey, Zones};

/// The grace of a node whose kubelet has never posted a status (`--node-startup-grace-period`).
pub const STARTUP_GRACE: Span = Span::from_secs(60);
/// The period of the loop that adds `NoExecute` taints (`podUpdateWorker`, `nodeEvictionPeriod`).
const TAINT_PERIOD: Span = Span::from_millis(100);
/// Where in its period that loop stands when a turn of the monitor comes: an assumption, half way.
const TAINT_PHASE: Span = Span::from_millis(50);
/// Nodes with this label do not count for the state of their zone.
const EXCLUDE_DISRUPTION: &str = "node.kubernetes.io/exclude-disruption";

/// Watches over the nodes.
pub struct NodeLifecycleController {
    monitor: AnchoredTick,
    tainting: AnchoredTick,
    /// Nodes that a turn has seen, each with the instant before which its silence does not count.
    known: BTreeMap<NodeId, Time>,
    zones: Zones,
}

impl Default for NodeLifecycleController {
    fn default() -> Self {
        NodeLifecycleController {
            monitor: AnchoredTick::new(ControllerKind::NodeLifecycle),
            tainting: AnchoredTick::new(ControllerKind::NodeLifecycle),
            known: BTreeMap::new(),
            zones: Zones::default(),
        }
    }
}

/// When a kubelet that falls silent after renewing its lease at `renewed` is found out: the first turn of the monitor later than
/// the grace after the turn that saw the renewal.
///
/// In a real cluster every turn comes a little later in its period than the one before, because the period counts from the end of
/// a turn; so the grace is over at the turn that lies exactly the grace later. Without latencies it is not.
pub fn found_silent(renewed: Time, grace: Span, control_plane: &ControlPlane) -> Time {
    let (anchor, period) = grid(control_plane);
    let seen = (renewed + control_plane.watch_delay).next_tick(anchor, period);
    over(seen, grace, control_plane)
}

/// The first turn at which `grace` has passed since `probe`.
fn over(probe: Time, grace: Span, control_plane: &ControlPlane) -> Time {
    let (anchor, period) = grid(control_plane);
    let strictly = if control_plane.watch_delay.is_zero() { Span::from_micros(1) } else { Span::ZERO };
    (probe + grace + strictly).next_tick(anchor, period)
}

fn grid(control_plane: &ControlPlane) -> (Time, Span) {
    (Time::ZERO + control_plane.node_monitor_phase, control_plane.node_monitor_period)
}

impl Controller for NodeLifecycleController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::NodeLifecycle
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        let ObjectRef::Node(node) = change.object else { return };
        let (now, control_plane) = (keys.now(), &keys.agenda.control_plane);
        let seen = now + control_plane.watch_delay;
        let look = match change.what {
            What::Created | What::Condition(_) | What::Taints | What::Unschedulable => {
                // The worker reads the node before it writes its taints: the scheduler sees what changed before it sees them.
                keys.add_after(node, control_plane.write_latency);
                Some(seen)
            }
            What::Labels => {
                keys.add(node);
                Some(seen)
            }
            What::Removed => Some(seen),
            What::Kubelet => Some(self.due(node, cluster, now, control_plane).unwrap_or(Time::NEVER)),
            _ => None,
        };
        if let Some(at) = look.filter(|&at| at < Time::NEVER) {
            let (anchor, period) = grid(&keys.agenda.control_plane);
            self.monitor.request(at, anchor, period, keys.agenda);
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Node(node) = key else { return Action::Done };
        if cluster.meta(key).removed {
            return Action::Done;
        }
        for wrote in [taints::mark_no_schedule(node, cluster), labels::reconcile(node, cluster)] {
            if wrote {
                cx.wrote();
            }
        }
        Action::Done
    }

    fn tick(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let now = cx.now();
        if self.monitor.take(now) {
            self.look(cluster, cx);
        }
        if self.tainting.take(now) {
            self.zones.taint(cluster, now);
        }
        if let Some(next) = self.zones.next_taint() {
            let (monitor, _) = grid(&cx.agenda.control_plane);
            let anchor = (monitor.as_micros() + TAINT_PHASE.as_micros()) % TAINT_PERIOD.as_micros();
            self.tainting.request(next, Time::from_micros(anchor), TAINT_PERIOD, cx.agenda);
        }
    }
}

impl NodeLifecycleController {
    /// When the silence of a node is to be written; `None` if its kubelet is heard of, or all is written.
    fn due(&self, node: NodeId, cluster: &Cluster, now: Time, control_plane: &ControlPlane) -> Option<Time> {
        let row = cluster.node(node);
        row.kubelet.silent_since()?;
        let ready = row.conditions.get(cluster.words.ready);
        if row.meta.removed || ready.is_some_and(|ready| ready.status == ConditionStatus::Unknown) {
            return None;
        }
        let (anchor, period) = grid(control_plane);
        let grace = if ready.is_some() { control_plane.node_monitor_grace_period } else { STARTUP_GRACE };
        let seen = (cluster.last_heartbeat(node, now) + control_plane.watch_delay).next_tick(anchor, period);
        // A kubelet that never was heard of has its grace from the creation of the node.
        let probe = if ready.is_none() && cluster.last_heartbeat(node, now) <= row.meta.created {
            row.meta.created
        } else {
            seen
        };
        let floor = self.known.get(&node).copied().unwrap_or(Time::ZERO);
        Some(over(probe.max(floor), grace, control_plane))
    }

    /// One turn of the monitor (`monitorNodeHealth`).
    fn look(&mut self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let (now, control_plane) = (cx.now(), cx.control_plane().clone());
        self.register(cluster);
        let mut ready_by_zone: BTreeMap<ZoneKey, Vec<bool>> = BTreeMap::new();
        let nodes: Vec<NodeId> = cluster.nodes().map(|(id, _)| id).collect();
        nodes.iter().for_each(|&node| self.zones.represent(zones::key(node, cluster), now));
        for &node in &nodes {
            let was_ready = is_ready(node, cluster);
            cx.agenda.because(cluster.cause_of_silence(node), cluster);
            if self.due(node, cluster, now, &control_plane).is_some_and(|due| due <= now) {
                mark_unknown(node, cluster);
                cx.wrote();
            }
            let zone = zones::key(node, cluster);
            if cluster.label(cluster.node(node).meta.labels, EXCLUDE_DISRUPTION).is_none() {
                ready_by_zone.entry(zone).or_default().push(is_ready(node, cluster));
            }
            self.zones.judge(node, zone, cluster);
            if was_ready && !is_ready(node, cluster) {
                let text = format!("Node {} status is now: NodeNotReady", cluster.name(node));
                let source = cluster.words.node_controller;
                cluster.record_event(node, EventType::Normal, "NodeNotReady", &text, source);
                mark_pods_not_ready(node, cluster);
            }
        }
        cx.agenda.because(NO_CAUSE, cluster);
        if self.zones.handle_disruption(&ready_by_zone, &nodes, cluster, now) {
            // Everyone gets a fresh grace.
            self.known.values_mut().for_each(|floor| *floor = now);
        }
        let (anchor, period) = grid(&control_plane);
        let next = nodes.iter().filter_map(|&node| self.due(node, cluster, now, &control_plane)).min();
        // Waiting nodes are asked for again at every turn, and so is a zone that has just changed.
        let renewal = self.zones.renews_queue().then_some(now + Span::from_micros(1));
        if let Some(next) = next.into_iter().chain(renewal).min() {
            self.monitor.request(next, anchor, period, cx.agenda);
        }
    }

    /// Greets new nodes and takes leave of those that are gone.
    fn register(&mut self, cluster: &mut Cluster) {
        let source = cluster.words.node_controller;
        let new: Vec<NodeId> =
            cluster.nodes().map(|(id, _)| id).filter(|node| !self.known.contains_key(node)).collect();
        let mut gone: Vec<NodeId> =
            self.known.keys().copied().filter(|&node| cluster.node(node).meta.removed).collect();
        for node in new {
            // Nodes are known by their names: one that was made anew since the last turn is the same.
            let same = |&old: &NodeId| cluster.node(old).meta.name == cluster.node(node).meta.name;
            if let Some(idx) = gone.iter().position(same) {
                self.known.remove(&gone.swap_remove(idx));
                self.known.insert(node, cluster.now());
                continue;
            }
            let name = cluster.name(node).to_owned();
            let text = format!("Node {name} event: Registered Node {name} in Controller");
            cluster.record_event(node, EventType::Normal, "RegisteredNode", &text, source);
            // A controller that has just started gives a node that has reported a fresh grace: it counts from its own first look.
            let reported = cluster.node(node).conditions.get(cluster.words.ready).is_some();
            self.known.insert(node, if reported { cluster.now() } else { Time::ZERO });
            taints::mark_reachable(node, cluster);
        }
        for node in gone {
            let name = cluster.name(node).to_owned();
            let text = format!("Node {name} event: Removing Node {name} from Controller");
            cluster.record_event(node, EventType::Normal, "RemovingNode", &text, source);
            self.known.remove(&node);
        }
    }
}

fn is_ready(node: NodeId, cluster: &Cluster) -> bool {
    cluster.node(node).conditions.is_true(cluster.words.ready)
}

/// The kubelet is silent: what it reported is not known any more (`tryUpdateNodeHealth`).
fn mark_unknown(node: NodeId, cluster: &mut Cluster) {
    let words = cluster.words;
    let (stopped, never) = (
        cluster.interner.sym("Kubelet stopped posting node status."),
        cluster.interner.sym("Kubelet never posted node status."),
    );
    for kind in [words.ready, words.memory_pressure, words.disk_pressure, words.pid_pressure] {
        let (reason, message) = match cluster.node(node).conditions.get(kind) {
            Some(condition) if condition.status == ConditionStatus::Unknown => continue,
            Some(_) => (words.node_status_unknown, stopped),
            None => (words.node_status_never_updated, never),
        };
        cluster.set_node_condition(node, kind, ConditionStatus::Unknown, reason, message);
    }
}

/// Every pod of the node counts as not ready; the kubelet takes that back when it returns (`MarkPodsNotReady`).
fn mark_pods_not_ready(node: NodeId, cluster: &mut Cluster) {
    let (ready, source) = (cluster.words.ready, cluster.words.node_controller);
    let pods: Vec<PodId> = cluster.node(node).pods.clone();
    for pod in pods.into_iter().filter(|&pod| cluster.pod(pod).node == Some(node)).collect::<Vec<_>>() {
        let Some(&condition) = cluster.pod(pod).conditions.get(ready) else { continue };
        if cluster.set_pod_condition(pod, ready, ConditionStatus::False, condition.reason, condition.message) {
            cluster.record_event(pod, EventType::Warning, "NodeNotReady", "Node is not ready", source);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::{KubeletHealth, Propagation, Sym};
    use crate::controllers::testing::{EPOCH, World};

    fn node(world: &mut World, name: &str, labels: &Value) -> NodeId {
        let manifest = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": labels } });
        world.create(&manifest);
        let node = world.cluster.find_node(name).expect("just made");
        let ready = world.cluster.words.ready;
        world.cluster.set_node_condition(node, ready, ConditionStatus::True, Sym::EMPTY, Sym::EMPTY);
        world.settle();
        node
    }

    fn silence(world: &mut World, node: NodeId, at: u64) {
        world.run_until(Time::from_secs(at));
        world.cluster.set_kubelet_health(node, KubeletHealth::Down { since: Time::from_secs(at) });
        world.settle();
    }

    /// The second in which each node was first tainted `NoExecute`, if it was before `until`.
    fn tainted(world: &mut World, nodes: &[NodeId], until: u64) -> Vec<Option<u64>> {
        let mut seen = vec![None; nodes.len()];
        while world.agenda.now() < Time::from_secs(until) {
            world.run_until(world.agenda.now() + Span::from_millis(500));
            for (seen, &node) in seen.iter_mut().zip(nodes) {
                if seen.is_none() && taints::has(node, &unreachable(), &world.cluster) {
                    *seen = Some(world.agenda.now().as_secs());
                }
            }
        }
        seen
    }

    #[test]
    fn nodes_that_do_not_count_for_their_zone_are_tainted_at_every_turn() {
        let zone = |zone: &str, excluded: bool| match excluded {
            true => json!({ "topology.kubernetes.io/zone": zone, EXCLUDE_DISRUPTION: "" }),
            false => json!({ "topology.kubernetes.io/zone": zone }),
        };
        for (excluded, wanted, why) in [
            (true, [55, 60, 65], "the queue of a zone without state is made anew, full of tokens, at every turn"),
            (false, [55, 65, 75], "a zone is evicted at its rate"),
        ] {
            let mut world = World::at(EPOCH, ControlPlane::ideal());
            node(&mut world, "other", &zone("b", false));
            let lost = ["n1", "n2", "n3"].map(|name| node(&mut world, name, &zone("a", excluded)));
            lost.iter().for_each(|&node| silence(&mut world, node, 1));
            assert_eq!(tainted(&mut world, &lost, 120), wanted.map(Some), "{why}");
        }
    }

    #[test]
    fn a_deleted_node_uses_up_its_token() {
        let mut world = World::at(EPOCH, ControlPlane::ideal());
        (0..3).for_each(|idx| _ = node(&mut world, &format!("well{idx}"), &json!({})));
        let lost = ["n1", "n2", "n3"].map(|name| node(&mut world, name, &json!({})));
        lost.iter().for_each(|&node| silence(&mut world, node, 1));
        world.run_until(Time::from_secs(58));
        world.cluster.delete(lost[1], Propagation::Background);
        world.settle();
        // n1 at 55; n2, which would have been the next, at 65; n3 after it.
        assert_eq!(tainted(&mut world, &[lost[0], lost[2]], 120), [Some(58), Some(75)]);
    }

    #[test]
    fn a_node_made_anew_between_two_turns_is_the_same() {
        let mut world = World::at(EPOCH, ControlPlane::ideal());
        let old = node(&mut world, "n1", &json!({}));
        world.run_until(Time::from_secs(11));
        world.cluster.delete(old, Propagation::Background);
        world.settle();
        node(&mut world, "n1", &json!({}));
        world.run_until(Time::from_secs(30));
        let reasons: Vec<&str> =
            world.cluster.events.iter().map(|(_, event)| world.cluster.interner.text(event.reason)).collect();
        assert_eq!(reasons, ["RegisteredNode"]);
    }
}
