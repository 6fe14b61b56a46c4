//! Binding cycles: latency, client limits, refusals.

use serde_json::json;
use wavetank::cluster::ControlPlane;
use wavetank::engine::Span;
use wavetank::scheduler::queue::QueueSettings;

use super::lab::{Lab, first_fit_scheduler};

fn slow_binding() -> Lab {
    let control_plane = ControlPlane { bind_latency: Span::from_secs(1), ..ControlPlane::ideal() };
    let mut lab = Lab::new(control_plane, first_fit_scheduler(), QueueSettings::default());
    lab.node("n1", "1");
    lab
}

#[test]
fn an_assumed_pod_holds_its_resources_until_it_is_bound() {
    let mut lab = slow_binding();
    lab.pod("a", "1", json!({}));
    lab.run_to(0.1).pod("b", "1", json!({}));
    lab.run_to(0.5);
    assert_eq!(
        (lab.node_of("a"), lab.scheduled_condition("b").map(|(reason, _)| reason)),
        (None, Some("Unschedulable"))
    );
    lab.run_to(1.0);
    assert_eq!(lab.node_of("a"), Some("n1"));
}

#[test]
fn a_pod_that_goes_while_it_is_bound_frees_its_place_at_once() {
    let mut lab = slow_binding();
    lab.pod("a", "1", json!({}));
    lab.run_to(0.1).pod("b", "1", json!({}));
    lab.run_to(0.5).take_log();
    lab.finish("a");
    lab.run_to(2.0);
    assert_eq!(
        lab.take_log(),
        [
            "0.500 a deleting",
            "0.500 a removed",
            "1.000 a FailedScheduling: running Bind plugin \"DefaultBinder\": pods \"a\" not found",
            "1.500 b bound to n1",
        ]
    );
}

#[test]
fn a_binding_refused_is_tried_again_after_the_back_off_for_errors() {
    let mut lab = slow_binding();
    lab.pod("a", "1", json!({}));
    lab.run_to(0.25);
    let pod = lab.find("a");
    lab.write(|cluster| {
        let finalizer = cluster.interner.sym("example.com/hold");
        cluster.add_finalizer(pod, finalizer);
        cluster.delete_pod(pod, None);
    });
    lab.run_to(5.0);
    let refusal =
        "Operation cannot be fulfilled on pods/binding \"a\": pod a is being deleted, cannot be assigned to a host";
    assert_eq!(
        lab.take_log(),
        [
            "0.250 a deleting".to_owned(),
            format!("1.000 a FailedScheduling: running Bind plugin \"DefaultBinder\": {refusal}"),
            "3.000 a FailedScheduling: skip schedule deleting pod: default/a".to_owned(),
        ]
    );
    assert_eq!(lab.scheduled_condition("a").unwrap().0, "SchedulerError");
}

#[test]
fn the_client_limits_the_rate_of_bindings() {
    let control_plane = ControlPlane { scheduler_qps: 50.0, scheduler_burst: 100, ..ControlPlane::ideal() };
    let mut lab = Lab::new(control_plane, first_fit_scheduler(), QueueSettings::default());
    lab.node("n1", "1k");
    for i in 0..150 {
        lab.pod(&format!("p{i}"), "1", json!({}));
    }
    lab.run_to(10.0);
    let log = lab.take_log();
    assert_eq!((log[99].as_str(), log[100].as_str()), ("0.000 p99 bound to n1", "0.020 p100 bound to n1"));
    assert_eq!(log[149], "1.000 p149 bound to n1");
}

#[test]
fn a_pod_bound_by_somebody_else_leaves_the_queue() {
    let mut lab = Lab::ideal();
    lab.node("n1", "1");
    lab.pod("big", "2", json!({}));
    lab.run_to(1.0);
    let (pod, node) = (lab.find("big"), lab.cluster.find_node("n1").unwrap());
    lab.write(|cluster| cluster.bind(pod, node));
    lab.run_to(1000.0);
    assert_eq!(lab.scheduler.queue().counts(), Default::default());
    assert_eq!(lab.take_log().len(), 2);
}

#[test]
fn the_scheduler_sees_changes_late() {
    let control_plane = ControlPlane { watch_delay: Span::from_millis(50), ..ControlPlane::ideal() };
    let mut lab = Lab::new(control_plane, first_fit_scheduler(), QueueSettings::default());
    lab.node("n1", "1");
    lab.run_to(1.0).pod("a", "1", json!({}));
    lab.run_to(2.0).pod("b", "1", json!({}));
    lab.run_to(3.0).finish("a");
    lab.run_to(4.0);
    let log = lab.take_log();
    assert_eq!(log[0], "1.050 a bound to n1");
    assert_eq!(log.last().unwrap(), "3.050 b bound to n1");
}
