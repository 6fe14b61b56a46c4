//! Which change brings back which pod.

use serde_json::json;
use wavetank::cluster::{ControlPlane, NodeTaint};
use wavetank::engine::Span;
use wavetank::scheduler::queue::{Place, QueueSettings};

use super::lab::{Lab, first_fit_scheduler};

/// A lab with one full node, and a pod `waiter` that did not fit at 0 s. The clock stands at 5 s.
fn full_node() -> Lab {
    let mut lab = Lab::ideal();
    lab.node("n1", "1");
    lab.run_to(0.0).pod("filler", "1", json!({}));
    lab.run_to(0.1).pod("waiter", "500m", json!({}));
    lab.run_to(5.0);
    assert_eq!((lab.node_of("filler"), lab.node_of("waiter")), (Some("n1"), None));
    assert_eq!(lab.attempts("waiter"), 1);
    lab.take_log();
    lab
}

#[test]
fn the_end_of_an_assigned_pod_wakes_a_pod_that_fit_rejected() {
    let mut lab = full_node();
    lab.finish("filler");
    lab.run_to(5.0);
    assert_eq!(lab.node_of("waiter"), Some("n1"));
}

#[test]
fn a_pod_that_has_ended_is_gone_for_the_scheduler() {
    let mut lab = full_node();
    let filler = lab.find("filler");
    lab.write(|cluster| {
        let none = wavetank::cluster::Sym::EMPTY;
        cluster.set_pod_phase(filler, wavetank::cluster::PodPhase::Succeeded, none, none);
    });
    lab.run_to(5.0);
    assert_eq!(lab.node_of("waiter"), Some("n1"));
    // Its removal later is no second event.
    lab.pod("late", "1", json!({}));
    lab.run_to(5.5);
    lab.finish("filler");
    lab.run_to(6.0);
    assert_eq!(lab.attempts("late"), 1);
}

#[test]
fn a_label_of_a_node_wakes_nobody_whom_fit_rejected() {
    let mut lab = full_node();
    let node = lab.cluster.find_node("n1").unwrap();
    lab.write(|cluster| cluster.set_label(node, "disk", Some("ssd")));
    lab.run_to(20.0);
    assert_eq!(lab.attempts("waiter"), 1);
}

#[test]
fn an_unrelated_object_wakes_nobody() {
    let mut lab = full_node();
    lab.create(json!({"kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}));
    lab.run_to(20.0);
    assert_eq!(lab.attempts("waiter"), 1);
}

#[test]
fn a_new_node_wakes_if_it_is_large_enough() {
    let mut lab = full_node();
    lab.node("tiny", "100m");
    lab.run_to(6.0);
    assert_eq!(lab.attempts("waiter"), 1);
    lab.node("large", "4");
    lab.run_to(6.0);
    assert_eq!(lab.node_of("waiter"), Some("large"));
}

#[test]
fn more_allocatable_wakes_if_it_is_of_something_requested() {
    let mut lab = full_node();
    let node = lab.cluster.find_node("n1").unwrap();
    let allocatable = |cpu, memory| vec![(res(0), cpu), (res(1), memory), (res(3), 110)];
    lab.write(|cluster| cluster.set_allocatable(node, allocatable(1_000, 1 << 40)));
    lab.run_to(6.0);
    assert_eq!(lab.attempts("waiter"), 1);
    lab.write(|cluster| cluster.set_allocatable(node, allocatable(2_000, 1 << 40)));
    lab.run_to(6.0);
    assert_eq!(lab.node_of("waiter"), Some("n1"));
}

fn res(id: u16) -> wavetank::cluster::ResourceId {
    wavetank::cluster::ResourceId(id)
}

#[test]
fn an_assigned_pod_scaled_down_wakes() {
    let mut lab = full_node();
    let smaller = json!([{"name": "c", "image": "i", "resources": {"requests": {"cpu": "500m"}}}]);
    lab.patch("filler", "containers", smaller);
    lab.run_to(5.0);
    assert_eq!(lab.node_of("waiter"), Some("n1"));
}

#[test]
fn the_waiting_pod_scaled_down_wakes() {
    let mut lab = Lab::ideal();
    lab.node("n1", "1");
    lab.pod("big", "2", json!({}));
    lab.run_to(5.0);
    assert_eq!(lab.attempts("big"), 1);
    let smaller = json!([{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]);
    lab.patch("big", "containers", smaller);
    lab.run_to(5.0);
    assert_eq!(lab.node_of("big"), Some("n1"));
}

#[test]
fn a_matching_label_wakes_a_pod_that_node_affinity_rejected() {
    let mut lab = Lab::ideal();
    let node = lab.node("n1", "1");
    lab.pod("picky", "1", json!({"nodeSelector": {"disk": "ssd"}}));
    lab.run_to(5.0);
    lab.write(|cluster| cluster.set_label(node, "disk", Some("hdd")));
    lab.run_to(6.0);
    assert_eq!(lab.attempts("picky"), 1);
    lab.write(|cluster| cluster.set_label(node, "disk", Some("ssd")));
    lab.run_to(6.0);
    assert_eq!(lab.node_of("picky"), Some("n1"));
}

fn taint(key: &str) -> NodeTaint {
    use wavetank::api::toleration::{Taint, TaintEffect};
    let taint = Taint { key: key.to_owned(), value: String::new(), effect: TaintEffect::NoSchedule };
    NodeTaint { taint, added: None }
}

#[test]
fn taints_wake_when_the_last_untolerated_one_goes() {
    let mut lab = Lab::ideal();
    let node = lab.node("n1", "1");
    lab.write(|cluster| cluster.set_taints(node, vec![taint("a"), taint("b")]));
    lab.pod("p", "1", json!({}));
    lab.run_to(5.0);
    lab.write(|cluster| cluster.set_taints(node, vec![taint("a")]));
    lab.run_to(6.0);
    assert_eq!(lab.attempts("p"), 1);
    lab.write(|cluster| cluster.set_taints(node, vec![]));
    lab.run_to(6.0);
    assert_eq!(lab.node_of("p"), Some("n1"));
}

#[test]
fn a_toleration_added_to_the_pod_wakes_it() {
    let mut lab = Lab::ideal();
    let node = lab.node("n1", "1");
    lab.write(|cluster| cluster.set_taints(node, vec![taint("a")]));
    lab.pod("p", "1", json!({}));
    lab.run_to(5.0);
    lab.patch("p", "tolerations", json!([{"key": "a", "operator": "Exists"}]));
    lab.run_to(5.0);
    assert_eq!(lab.node_of("p"), Some("n1"));
}

#[test]
fn uncordoning_wakes_and_cordoning_does_not() {
    let mut lab = Lab::ideal();
    let (a, b) = (lab.node("a", "1"), lab.node("b", "1"));
    lab.write(|cluster| cluster.set_unschedulable(a, true));
    lab.write(|cluster| cluster.set_unschedulable(b, true));
    lab.pod("p", "1", json!({}));
    lab.run_to(5.0);
    assert_eq!(lab.scheduled_condition("p"), Some(("Unschedulable", "rejected by NodeUnschedulable")));
    let c = lab.node("c", "0");
    lab.run_to(6.0);
    let before = lab.attempts("p");
    lab.write(|cluster| cluster.set_unschedulable(c, true));
    lab.run_to(7.0);
    assert_eq!(lab.attempts("p"), before);
    lab.write(|cluster| cluster.set_unschedulable(a, false));
    lab.run_to(7.0);
    assert_eq!(lab.node_of("p"), Some("a"));
}

#[test]
fn several_differences_of_a_node_in_one_write_are_several_events() {
    let mut lab = Lab::ideal();
    let node = lab.node("n1", "1");
    lab.write(|cluster| cluster.set_taints(node, vec![taint("a")]));
    lab.pod("p", "1", json!({}));
    lab.run_to(5.0);
    lab.write(|cluster| {
        cluster.set_label(node, "x", Some("y"));
        cluster.set_taints(node, vec![]);
    });
    lab.run_to(5.0);
    assert_eq!(lab.node_of("p"), Some("n1"));
}

#[test]
fn a_gated_pod_waits_without_attempts_until_its_last_gate_goes() {
    let mut lab = Lab::ideal();
    lab.node("n1", "1");
    lab.pod("p", "1", json!({"schedulingGates": [{"name": "a"}, {"name": "b"}]}));
    lab.run_to(400.0);
    let blocked = "Scheduling is blocked due to non-empty scheduling gates";
    assert_eq!(lab.scheduled_condition("p"), Some(("SchedulingGated", blocked)));
    assert_eq!((lab.attempts("p"), lab.take_log()), (0, vec![]));
    lab.patch("p", "schedulingGates", json!([{"name": "b"}]));
    lab.run_to(401.0);
    assert_eq!(lab.attempts("p"), 0);
    lab.patch("p", "schedulingGates", json!([]));
    lab.run_to(401.0);
    assert_eq!(lab.node_of("p"), Some("n1"));
}

#[test]
fn a_status_of_its_own_wakes_no_pod() {
    let mut lab = full_node();
    let (pod, ready) = (lab.find("waiter"), lab.cluster.words.ready);
    lab.write(|cluster| {
        let none = wavetank::cluster::Sym::EMPTY;
        cluster.set_pod_condition(pod, ready, wavetank::cluster::ConditionStatus::False, none, none)
    });
    lab.run_to(20.0);
    assert_eq!(lab.attempts("waiter"), 1);
}

#[test]
fn a_change_during_the_attempt_is_not_lost() {
    let control_plane = ControlPlane { scheduling_latency: Span::from_millis(100), ..ControlPlane::ideal() };
    let mut lab = Lab::new(control_plane, first_fit_scheduler(), QueueSettings::default());
    lab.node("n1", "1");
    lab.pod("filler", "1", json!({}));
    lab.run_to(1.0).pod("waiter", "1", json!({}));
    lab.run_to(1.05);
    assert_eq!(lab.scheduler.queue().get(lab.find("waiter")).unwrap().place, Place::InFlight);
    lab.finish("filler");
    lab.run_to(1.09);
    assert_eq!(lab.node_of("waiter"), None);
    // Fails at 1.1 on what it saw at 1.0, goes to back-off for the change, and is taken from there at once.
    lab.run_to(1.2);
    assert_eq!(lab.node_of("waiter"), Some("n1"));
    let log = lab.take_log();
    assert_eq!(
        log[log.len() - 2..],
        ["1.100 waiter FailedScheduling: rejected by NodeResourcesFit", "1.200 waiter bound to n1",]
    );
}

#[test]
fn equal_pods_are_woken_together_in_the_order_of_the_queue() {
    let mut lab = Lab::ideal();
    let node = lab.node("n1", "2");
    lab.write(|cluster| cluster.set_unschedulable(node, true));
    for name in ["c", "a", "b"] {
        lab.pod(name, "1", json!({}));
        lab.run_to(lab.agenda.now().as_secs_f64() + 2.0);
    }
    lab.take_log();
    lab.write(|cluster| cluster.set_unschedulable(node, false));
    lab.run_to(10.0);
    assert_eq!(
        lab.take_log(),
        ["6.000 c bound to n1", "6.000 a bound to n1", "6.000 b FailedScheduling: rejected by NodeResourcesFit",]
    );
}
