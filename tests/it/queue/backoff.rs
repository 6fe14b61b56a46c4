//! Back-off, windows, flushes.

use serde_json::json;
use wavetank::cluster::{ControlPlane, NO_CAUSE};
use wavetank::engine::{Span, Time};
use wavetank::scheduler::Profile;
use wavetank::scheduler::framework::names::{PluginName, PluginSet};
use wavetank::scheduler::queue::{
    Actions, Backoff, ClusterEvent, EventResource, Place, QueueContext, QueueSettings, SchedulingQueue,
};

use super::lab::{Faulty, Lab, first_fit_scheduler};

fn without_early_pop() -> QueueSettings {
    QueueSettings { backoff: Backoff { pop_early: false, ..Backoff::default() }, ..QueueSettings::default() }
}

#[test]
fn errors_wait_out_their_back_off_and_double_it() {
    let policy = Box::new(Faulty { message: "out of order".to_owned() });
    let profiles = vec![Profile { scheduler_name: "default-scheduler".to_owned(), policy }];
    let mut lab = Lab::new(ControlPlane::ideal(), profiles, QueueSettings::default());
    lab.node("n1", "1");
    lab.run_to(0.5).pod("p", "1", json!({}));
    lab.run_to(50.0);
    // Back-off ends are cut to whole seconds and last through their window; the flush runs at whole seconds.
    assert_eq!(lab.tries, ["0.500 p", "2.000 p", "5.000 p", "10.000 p", "19.000 p", "30.000 p", "41.000 p"]);
    // The first attempt's patch makes another version of the pod: the next event begins a series, the third counts it up to two,
    // the others are not written yet.
    let times: Vec<String> = lab.take_log().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(times, ["0.500", "2.000", "5.000"]);
    assert_eq!(lab.scheduled_condition("p"), Some(("SchedulerError", "out of order")));
    let row = *lab.scheduler.queue().get(lab.find("p")).unwrap();
    assert_eq!((row.error_count, row.unschedulable_count, row.place), (7, 0, Place::ErrorBackoff));
}

#[test]
fn an_idle_scheduler_takes_a_pod_out_of_back_off() {
    let mut lab = Lab::ideal();
    lab.node("n1", "1");
    lab.pod("filler", "1", json!({}));
    lab.run_to(3.0).pod("waiter", "1", json!({}));
    lab.run_to(3.1).finish("filler");
    lab.run_to(3.1);
    assert_eq!(lab.node_of("waiter"), Some("n1"));
}

#[test]
fn without_early_pop_a_woken_pod_waits_for_the_flush() {
    let mut lab = Lab::new(ControlPlane::ideal(), first_fit_scheduler(), without_early_pop());
    lab.node("n1", "1");
    lab.pod("filler", "1", json!({}));
    lab.run_to(3.25).pod("waiter", "1", json!({}));
    lab.run_to(3.5).finish("filler");
    lab.run_to(4.9);
    assert_eq!(lab.scheduler.queue().get(lab.find("waiter")).unwrap().place, Place::Backoff);
    lab.run_to(5.0);
    assert_eq!(lab.node_of("waiter"), Some("n1"));
}

#[test]
fn a_pod_whose_back_off_is_over_goes_straight_to_the_active_queue() {
    let mut lab = Lab::new(ControlPlane::ideal(), first_fit_scheduler(), without_early_pop());
    lab.node("n1", "1");
    lab.pod("filler", "1", json!({}));
    lab.run_to(3.0).pod("waiter", "1", json!({}));
    lab.run_to(9.3).finish("filler");
    lab.run_to(9.3);
    assert_eq!(lab.node_of("waiter"), Some("n1"));
}

#[test]
fn a_pod_in_back_off_is_passed_by_active_ones_whatever_its_priority() {
    let control_plane = ControlPlane { scheduling_latency: Span::from_millis(100), ..ControlPlane::ideal() };
    let mut lab = Lab::new(control_plane, first_fit_scheduler(), QueueSettings::default());
    lab.node("n1", "1");
    lab.pod("filler", "1", json!({}));
    lab.run_to(1.0).pod("high", "1", json!({"priority": 10, "preemptionPolicy": "Never", "nodeSelector": {"a": "b"}}));
    lab.run_to(1.5);
    let node = lab.cluster.find_node("n1").unwrap();
    lab.finish("filler");
    lab.pod("low", "1", json!({}));
    lab.write(|cluster| cluster.set_label(node, "a", Some("b")));
    lab.run_to(1.6);
    assert_eq!((lab.node_of("low"), lab.node_of("high")), (Some("n1"), None));
}

#[test]
fn old_pods_leave_the_unschedulable_pool_at_a_tick_of_thirty_seconds() {
    let mut lab = Lab::ideal();
    lab.node("n1", "1");
    lab.run_to(10.0).pod("big", "2", json!({}));
    lab.run_to(1000.0);
    // Older than five minutes: at 310 s it is exactly that old, the next tick is at 330 s.
    assert_eq!(lab.tries, ["10.000 big", "330.000 big", "660.000 big", "990.000 big"]);
    // The last attempt only counts up a series that is written later.
    assert_eq!(
        lab.take_log(),
        [
            "10.000 big FailedScheduling: rejected by NodeResourcesFit",
            "330.000 big FailedScheduling: rejected by NodeResourcesFit",
            "660.000 big FailedScheduling: rejected by NodeResourcesFit",
        ]
    );
}

#[test]
fn verdicts_and_errors_are_counted_apart() {
    let mut lab = Lab::ideal();
    lab.node("n1", "1");
    lab.pod("big", "2", json!({}));
    lab.run_to(700.0);
    let row = *lab.scheduler.queue().get(lab.find("big")).unwrap();
    assert_eq!((row.attempts, row.unschedulable_count, row.error_count), (3, 3, 0));
}

#[test]
fn a_cluster_without_nodes_is_an_error_to_the_queue_and_a_verdict_to_the_user() {
    let mut lab = Lab::ideal();
    lab.pod("p", "1", json!({}));
    lab.run_to(2.5);
    let message = "no nodes available to schedule pods";
    assert_eq!(lab.scheduled_condition("p"), Some(("Unschedulable", message)));
    // One second of back-off, in whole windows.
    assert_eq!(
        lab.take_log(),
        [format!("0.000 p FailedScheduling: {message}"), format!("2.000 p FailedScheduling: {message}")]
    );
    lab.node("n1", "1");
    lab.run_to(4.9);
    assert_eq!(lab.node_of("p"), None);
    lab.run_to(5.0);
    assert_eq!(lab.node_of("p"), Some("n1"));
}

#[test]
fn pods_of_one_window_are_ordered_by_priority_then_by_age() {
    let mut lab = Lab::new(ControlPlane::ideal(), Vec::new(), QueueSettings::default());
    let node = lab.node("n1", "1");
    let mut queue = SchedulingQueue::default();
    let ages =
        [("pod0", 1, 0.0), ("pod1", 1, 1.0), ("pod2", 2, 1.999), ("pod3", 1, 2.0), ("pod4", 2, 2.0), ("pod5", 1, 3.0)];
    let at = |age: f64| Time::ZERO + Span::from_secs_f64(10.0 - age);
    for (name, priority, age) in ages {
        let pod = lab.pod(name, "1", json!({"priority": priority}));
        let cx = QueueContext { cluster: &lab.cluster, now: at(age), cause: NO_CAUSE, gate: &|_| None };
        queue.add(pod, &cx);
    }
    // All are in flight while a node appears: their failures lead to back-off, not to the pool.
    while queue.pop().is_some() {}
    let cx = QueueContext { cluster: &lab.cluster, now: at(3.0), cause: NO_CAUSE, gate: &|_| None };
    queue.move_all(&ClusterEvent::new(EventResource::Node, Actions::ADD, node), None, &cx);
    for (name, _, age) in ages {
        let cx = QueueContext { cluster: &lab.cluster, now: at(age), cause: NO_CAUSE, gate: &|_| None };
        let rejected_by = PluginSet::from_iter([PluginName::NodeName]);
        assert_eq!(queue.add_unschedulable(lab.find(name), rejected_by, PluginSet::EMPTY, &cx), Place::Backoff);
    }
    let mut early = queue.clone();
    let order: Vec<&str> = std::iter::from_fn(|| early.pop()).map(|pod| lab.cluster.name(pod)).collect();
    assert_eq!(order, ["pod5", "pod4", "pod2", "pod3", "pod1", "pod0"]);
    // At this whole second the back-off of pod1 ends, which lasts through its window.
    queue.flush_backoff(&QueueContext { cluster: &lab.cluster, now: at(0.0), cause: NO_CAUSE, gate: &|_| None });
    assert_eq!((queue.counts().active, queue.counts().backoff), (4, 2));
}
