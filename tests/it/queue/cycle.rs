//! Which pod is tried next, by whom.

use serde_json::json;
use wavetank::cluster::ControlPlane;
use wavetank::engine::Span;
use wavetank::scheduler::Profile;
use wavetank::scheduler::queue::QueueSettings;

use super::lab::{Faulty, FirstFit, Lab, first_fit_scheduler};

#[test]
fn priority_first_then_the_order_of_arrival() {
    let mut lab = Lab::ideal();
    lab.node("n1", "8");
    for (name, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)] {
        lab.pod(name, "1", json!({"priority": priority}));
    }
    lab.run_to(0.0);
    let order: Vec<String> = lab.take_log().iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(order, ["b", "d", "a", "c", "e"]);
}

#[test]
fn one_pod_per_cycle() {
    let control_plane = ControlPlane {
        scheduling_latency: Span::from_millis(10),
        bind_latency: Span::from_millis(5),
        watch_delay: Span::from_millis(2),
        ..ControlPlane::ideal()
    };
    let mut lab = Lab::new(control_plane, first_fit_scheduler(), QueueSettings::default());
    lab.node("n1", "8");
    lab.run_to(1.0);
    for name in ["a", "b", "c"] {
        lab.pod(name, "1", json!({}));
    }
    lab.run_to(2.0);
    assert_eq!(lab.take_log(), ["1.017 a bound to n1", "1.027 b bound to n1", "1.037 c bound to n1"]);
}

#[test]
fn a_failed_attempt_takes_the_time_of_its_patch() {
    let control_plane = ControlPlane {
        scheduling_latency: Span::from_millis(10),
        write_latency: Span::from_millis(3),
        ..ControlPlane::ideal()
    };
    let mut lab = Lab::new(control_plane, first_fit_scheduler(), QueueSettings::default());
    lab.node("n1", "1");
    lab.run_to(1.0).pod("big", "2", json!({}));
    lab.pod("small", "1", json!({}));
    lab.run_to(2.0);
    assert_eq!(
        lab.take_log(),
        ["1.010 big FailedScheduling: rejected by NodeResourcesFit", "1.023 small bound to n1",]
    );
}

#[test]
fn every_profile_schedules_its_own_pods_and_nobody_the_others() {
    let profiles = ["default-scheduler", "batch"];
    let profiles = profiles.map(|name| Profile { scheduler_name: name.to_owned(), policy: Box::new(FirstFit) });
    let mut lab = Lab::new(ControlPlane::ideal(), profiles.into(), QueueSettings::default());
    lab.node("n1", "8");
    lab.pod("a", "1", json!({}));
    lab.pod("b", "1", json!({"schedulerName": "batch"}));
    lab.pod("c", "1", json!({"schedulerName": "elsewhere"}));
    lab.pod("d", "100", json!({"schedulerName": "batch"}));
    lab.run_to(1000.0);
    assert_eq!((lab.node_of("a"), lab.node_of("b"), lab.node_of("c")), (Some("n1"), Some("n1"), None));
    assert_eq!(lab.scheduled_condition("c"), None);
    let cluster = &lab.cluster;
    let events = cluster.events.iter().map(|(_, record)| (cluster.name(record.object), record.source));
    let events: Vec<(&str, &str)> = events.map(|(name, source)| (name, cluster.interner.text(source))).collect();
    // Two about `d`: the first failure patches its condition, and an event about another version of a pod is another event.
    assert_eq!(events, [("a", "default-scheduler"), ("b", "batch"), ("d", "batch"), ("d", "batch")]);
}

#[test]
fn a_pod_with_a_node_is_not_scheduled() {
    let mut lab = Lab::ideal();
    lab.node("n1", "8");
    lab.pod("pinned", "1", json!({"nodeName": "n1"}));
    lab.pod("lost", "1", json!({"nodeName": "nowhere"}));
    lab.run_to(10.0);
    assert!(lab.take_log().is_empty());
    assert_eq!(lab.scheduler.queue().counts(), Default::default());
}

#[test]
fn a_pod_that_is_deleted_leaves_the_queue() {
    let mut lab = Lab::ideal();
    lab.node("n1", "1");
    lab.pod("big", "2", json!({}));
    lab.run_to(1.0);
    lab.finish("big");
    lab.run_to(1000.0);
    assert_eq!(lab.scheduler.queue().counts(), Default::default());
    assert_eq!(lab.take_log().len(), 3, "failed, deleting, removed");
}

#[test]
fn a_pod_held_by_a_finalizer_is_skipped_while_it_is_deleted() {
    let mut lab = Lab::ideal();
    lab.node("n1", "1");
    lab.pod("big", "2", json!({}));
    let pod = lab.find("big");
    lab.write(|cluster| {
        let finalizer = cluster.interner.sym("example.com/hold");
        cluster.add_finalizer(pod, finalizer);
        cluster.delete_pod(pod, None);
    });
    lab.run_to(400.0);
    assert_eq!(
        lab.take_log(),
        ["0.000 big deleting", "0.000 big FailedScheduling: skip schedule deleting pod: default/big"]
    );
}

#[test]
fn long_messages_are_cut_in_events_and_whole_in_conditions() {
    let message = "é".repeat(600);
    let policy = Box::new(Faulty { message: message.clone() });
    let profiles = vec![Profile { scheduler_name: "default-scheduler".to_owned(), policy }];
    let mut lab = Lab::new(ControlPlane::ideal(), profiles, QueueSettings::default());
    lab.node("n1", "1");
    lab.pod("p", "2", json!({}));
    lab.run_to(0.0);
    assert_eq!(lab.scheduled_condition("p").unwrap().1, message);
    let record = lab.cluster.events.iter().next().unwrap().1;
    assert_eq!(lab.cluster.event_message(record), format!("{} ...", "é".repeat(510)));
}
