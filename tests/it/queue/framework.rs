//! The default profile behind the queue: what a real control plane of v1.36.2 was seen to do.

use serde_json::json;
use wavetank::cluster::ControlPlane;
use wavetank::scheduler::SchedulerConfig;
use wavetank::scheduler::queue::QueueSettings;

use super::lab::Lab;

fn kube() -> Lab {
    let options = SchedulerConfig::default().build().expect("the default configuration is right");
    Lab::new(ControlPlane::ideal(), options.profiles, QueueSettings::default())
}

#[test]
fn a_high_priority_pod_preempts_two_of_four() {
    let mut lab = kube();
    lab.node("n1", "4");
    for name in ["a", "b", "c", "d"] {
        lab.pod(name, "1", json!({}));
    }
    lab.run_to(8.0).take_log();
    lab.pod("high", "2", json!({"priority": 1000}));
    lab.run_to(9.0);
    let log = lab.take_log();
    // The first failure says nothing of preemption: it went well.
    assert_eq!(
        log[..2],
        ["8.000 high FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.", "8.000 high nominated to n1",]
    );
    let deleting = |line: &String| Some(line.strip_prefix("8.000 ")?.strip_suffix(" deleting")?.to_owned());
    let victims: Vec<String> = log.iter().filter_map(deleting).collect();
    assert_eq!(victims.len(), 2, "{log:?}");
    lab.run_to(11.0).finish(&victims[0]);
    lab.run_to(11.0);
    let waits = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to a \
                 terminating pod on the nominated node.";
    assert_eq!(lab.scheduled_condition("high"), Some(("Unschedulable", waits)));
    lab.finish(&victims[1]);
    lab.run_to(11.0);
    assert_eq!(lab.node_of("high"), Some("n1"));
}

#[test]
fn a_pod_that_cannot_preempt_waits_until_room_is_made() {
    let mut lab = kube();
    lab.node("n1", "1");
    lab.pod("big", "1", json!({}));
    lab.run_to(5.0).pod("waiter", "1", json!({}));
    lab.run_to(14.0);
    let message = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No \
                   preemption victims found for incoming pod.";
    assert_eq!(lab.scheduled_condition("waiter"), Some(("Unschedulable", message)));
    lab.finish("big");
    lab.run_to(14.0);
    assert_eq!((lab.node_of("waiter"), lab.attempts("waiter")), (Some("n1"), 0));
}

#[test]
fn anti_affinity_waits_for_a_node_that_is_uncordoned() {
    let mut lab = kube();
    for name in ["n1", "n2", "n3"] {
        let node = lab.node(name, "4");
        lab.write(|cluster| cluster.set_label(node, "kubernetes.io/hostname", Some(name)));
    }
    let n3 = lab.cluster.find_node("n3").unwrap();
    lab.write(|cluster| cluster.set_unschedulable(n3, true));
    let apart = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"},
    ]}});
    for name in ["a", "b", "c"] {
        lab.pod(name, "1", json!({"labels": {"app": "web"}, "affinity": apart}));
    }
    lab.run_to(3.0);
    let message = "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match pod anti-affinity rules. no new claims to \
                   deallocate, preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims \
                   found for incoming pod.";
    assert_eq!(lab.scheduled_condition("c"), Some(("Unschedulable", message)));
    lab.write(|cluster| cluster.set_unschedulable(n3, false));
    lab.run_to(3.0);
    assert_eq!(lab.node_of("c"), Some("n3"));
}

#[test]
fn spread_constraints_wait_for_a_pod_that_levels_them() {
    let mut lab = kube();
    for (name, zone) in [("n1", "a"), ("n2", "b")] {
        let node = lab.node(name, "1");
        lab.write(|cluster| cluster.set_label(node, "zone", Some(zone)));
    }
    let spread = json!([{
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }]);
    lab.pod("other", "1", json!({"nodeSelector": {"zone": "b"}}));
    lab.run_to(1.0);
    for name in ["x", "y"] {
        lab.pod(name, "500m", json!({"labels": {"app": "web"}, "topologySpreadConstraints": spread}));
    }
    lab.run_to(2.0);
    // Zone b is full, a second one in zone a would be one too many.
    assert_eq!((lab.node_of("x"), lab.node_of("y")), (Some("n1"), None));
    let attempts = lab.attempts("y");
    lab.pod("unrelated", "0", json!({}));
    lab.run_to(3.0);
    assert_eq!(lab.attempts("y"), attempts);
    lab.finish("x");
    lab.run_to(3.0);
    assert_eq!(lab.node_of("y"), Some("n1"));
}
