//! What the scheduler does after a policy has chosen victims.

use serde_json::json;
use wavetank::cluster::ControlPlane;
use wavetank::engine::Span;
use wavetank::scheduler::queue::{Place, QueueSettings};

use super::lab::{Lab, first_fit_scheduler};

fn with_low_pods(control_plane: ControlPlane, names: &[&str]) -> Lab {
    let mut lab = Lab::new(control_plane, first_fit_scheduler(), QueueSettings::default());
    lab.node("n1", &names.len().to_string());
    for name in names {
        lab.pod(name, "1", json!({}));
    }
    lab.run_to(10.0).take_log();
    lab
}

#[test]
fn victims_are_marked_then_deleted_and_the_last_one_last() {
    let control_plane = ControlPlane { write_latency: Span::from_millis(10), ..ControlPlane::ideal() };
    let mut lab = with_low_pods(control_plane, &["a", "b", "c"]);
    lab.pod("high", "3", json!({"priority": 10}));
    lab.run_to(20.0);
    let uid = wavetank::cluster::uid_text(lab.cluster.pod(lab.find("high")).meta.uid);
    let preempted = |name: &str| format!("{name} Preempted: Preempted by pod {uid} on node n1");
    assert_eq!(
        lab.take_log(),
        [
            "10.000 high FailedScheduling: rejected by NodeResourcesFit".to_owned(),
            "10.000 high nominated to n1".to_owned(),
            "10.010 a is disrupted".to_owned(),
            "10.010 b is disrupted".to_owned(),
            "10.020 a deleting".to_owned(),
            format!("10.020 {}", preempted("a")),
            "10.020 b deleting".to_owned(),
            format!("10.020 {}", preempted("b")),
            "10.030 c is disrupted".to_owned(),
            "10.040 c deleting".to_owned(),
            format!("10.040 {}", preempted("c")),
        ]
    );
    let condition = *lab.cluster.pod(lab.find("a")).conditions.get(lab.cluster.words.disruption_target).unwrap();
    assert_eq!(lab.cluster.interner.text(condition.reason), "PreemptionByScheduler");
    let message = "default-scheduler: preempting to accommodate a higher priority pod";
    assert_eq!(lab.cluster.interner.text(condition.message), message);
}

#[test]
fn the_preemptor_comes_back_with_the_end_of_each_victim() {
    let mut lab = with_low_pods(ControlPlane::ideal(), &["a", "b"]);
    lab.pod("high", "2", json!({"priority": 10}));
    lab.run_to(12.0).take_log();
    lab.finish("a");
    lab.run_to(12.0);
    assert_eq!(lab.attempts("high"), 2);
    assert_eq!(lab.cluster.pod(lab.find("high")).nominated, lab.cluster.find_node("n1"));
    lab.finish("b");
    lab.run_to(12.5);
    assert_eq!(lab.take_log().last().unwrap(), "12.000 high bound to n1");
    assert_eq!(lab.cluster.pod(lab.find("high")).nominated, None);
}

#[test]
fn the_preemptor_is_gated_until_only_the_last_victim_remains() {
    let control_plane = ControlPlane { write_latency: Span::from_millis(100), ..ControlPlane::ideal() };
    let mut lab = with_low_pods(control_plane, &["a", "b"]);
    lab.pod("high", "2", json!({"priority": 10}));
    lab.run_to(10.05).finish("a");
    lab.run_to(10.15);
    // Its attempt ended, a pod ended, yet it is not tried again: more victims are about to be evicted.
    let row = *lab.scheduler.queue().get(lab.find("high")).unwrap();
    assert_eq!(
        (row.attempts, row.place, row.gate.map(|gate| gate.as_str())),
        (1, Place::Unschedulable, Some("DefaultPreemption"))
    );
    lab.run_to(10.45).finish("b");
    lab.run_to(10.45);
    assert_eq!(lab.node_of("high"), Some("n1"));
}

#[test]
fn a_preemption_whose_last_victim_is_gone_activates_the_preemptor() {
    let control_plane = ControlPlane { write_latency: Span::from_millis(100), ..ControlPlane::ideal() };
    let mut lab = with_low_pods(control_plane, &["a", "b"]);
    lab.pod("high", "2", json!({"priority": 10}));
    lab.run_to(10.05).finish("b");
    lab.run_to(10.06).finish("a");
    lab.run_to(11.0);
    assert_eq!(lab.node_of("high"), Some("n1"));
}

#[test]
fn a_nomination_keeps_pods_of_lower_or_equal_priority_off_the_node() {
    let mut lab = with_low_pods(ControlPlane::ideal(), &["a", "b"]);
    lab.pod("high", "2", json!({"priority": 10}));
    lab.run_to(11.0);
    lab.finish("a");
    lab.pod("sneaky", "1", json!({"preemptionPolicy": "Never"}));
    lab.run_to(12.0);
    assert_eq!(lab.node_of("sneaky"), None);
}

#[test]
fn the_deletion_of_a_nominated_pod_wakes_those_it_kept_off() {
    let mut lab = with_low_pods(ControlPlane::ideal(), &["a", "b"]);
    lab.pod("high", "2", json!({"priority": 10}));
    lab.run_to(11.0);
    lab.finish("a");
    lab.pod("low", "1", json!({}));
    lab.run_to(12.0);
    assert_eq!(lab.node_of("low"), None);
    lab.finish("high");
    lab.run_to(12.0);
    assert_eq!(lab.node_of("low"), Some("n1"));
}

#[test]
fn lower_pods_nominated_to_the_node_lose_their_nomination() {
    let mut lab = with_low_pods(ControlPlane::ideal(), &["a"]);
    lab.pod("middle", "1", json!({"priority": 5}));
    lab.run_to(11.0);
    assert!(lab.cluster.pod(lab.find("middle")).nominated.is_some());
    lab.pod("high", "1", json!({"priority": 10}));
    lab.run_to(12.0);
    assert!(lab.cluster.pod(lab.find("high")).nominated.is_some());
    assert!(lab.cluster.pod(lab.find("middle")).nominated.is_none());
}
