//! Nodes that run short of memory, and nodes that are shut down in order.

use serde_json::{Value, json};
use wavetank::cluster::{ConditionStatus, ControlPlane, KubeletHealth, Sym};
use wavetank::engine::{Span, Time};
use wavetank::kubelet::KubeletOptions;

use super::bench::{Bench, spec};

fn hungry(priority: i32, request: &str) -> Value {
    let resources = json!({"requests": {"memory": request}});
    spec(json!({"priority": priority, "containers": [{"name": "c", "image": "a", "resources": resources}]}))
}

#[test]
fn the_pod_that_exceeds_its_request_most_is_evicted_first() {
    let mut bench = Bench::ideal(json!([]));
    let uses = |memory: &str| json!({"wavetank.dev/usage-memory": memory});
    let late = json!([{"match": {"name": "late"}, "usage": {"memory": {"steps": [{"at": "63s", "value": "10Gi"}]}}}]);
    let mut steps = Bench::ideal(late);
    // 16 GiB: what is left falls below 100 MiB at 63 s, which the loop sees at 70 s.
    steps.annotated("frugal", uses("4Gi"), hungry(0, "5Gi"));
    steps.annotated("greedy", uses("2Gi"), hungry(0, "1Gi"));
    let late = steps.pod("late", hungry(1000, "1Gi"));
    steps.run_to(600.0);
    assert!(steps.timeline("late").contains("Running ready"), "{}", steps.timeline("late"));
    let used = steps.kubelets.usage(late, Time::from_secs(100));
    assert_eq!(used, Some((0, 10 << 30)), "still within the node");

    bench.annotated("frugal", uses("4Gi"), hungry(0, "5Gi"));
    bench.annotated("greedy", uses("6Gi"), hungry(0, "1Gi"));
    bench.annotated("important", uses("7Gi"), hungry(1000, "1Gi"));
    bench.run_to(600.0);
    let greedy = bench.cluster.find_pod("default", "greedy").expect("it failed but is there");
    let text = |sym: Sym| bench.cluster.interner.text(sym).to_owned();
    let row = bench.cluster.pod(greedy);
    assert_eq!(text(row.reason), "Evicted");
    assert_eq!(
        text(row.message),
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. Container c was using 6Gi, \
         request is 1Gi, has larger consumption of memory. "
    );
    let target = row.conditions.get(bench.cluster.words.disruption_target).expect("set with the end");
    assert_eq!(text(target.reason), "TerminationByKubelet");
    assert!(bench.timeline("important").contains("Running ready"));
    assert!(!bench.timeline("important").contains("Failed"));
    // The condition is true from the first look on, and for five minutes.
    let node = bench.cluster.find_node("n").expect("a node");
    let pressure = bench.cluster.node(node).conditions.get(bench.cluster.words.memory_pressure).expect("reported");
    assert_eq!((pressure.status, pressure.transition), (ConditionStatus::False, Time::from_secs(300)));
}

#[test]
fn a_shutdown_stops_pods_by_priority() {
    let options = KubeletOptions {
        shutdown_grace: Span::from_secs(30),
        shutdown_grace_critical: Span::from_secs(10),
        ..KubeletOptions::ideal()
    };
    let mut bench = Bench::new(options, ControlPlane::ideal(), json!([{"stop": {"after": "never"}}]));
    let grace =
        |priority: i32, seconds: u32| spec(json!({"priority": priority, "terminationGracePeriodSeconds": seconds}));
    bench.pod("normal", grace(0, 60));
    bench.pod("quick", grace(0, 5));
    bench.pod("critical", grace(2_000_000_000, 60));
    bench.run_to(100.0);
    let node = bench.cluster.find_node("n").expect("a node");
    bench.cluster.set_kubelet_health(node, KubeletHealth::ShuttingDown { since: Time::from_secs(100) });
    bench.run_to(101.0);
    let late = bench.pod("late", spec(json!({})));
    bench.run_to(200.0);
    assert_eq!(bench.cluster.interner.text(bench.cluster.pod(late).reason), "NodeShutdown");
    assert!(bench.timeline("quick").ends_with("105 Failed - Error(137)\n"), "{}", bench.timeline("quick"));
    assert!(bench.timeline("normal").ends_with("120 Failed - Error(137)\n"), "{}", bench.timeline("normal"));
    assert!(bench.timeline("critical").ends_with("130 Failed - Error(137)\n"), "{}", bench.timeline("critical"));
    let down = KubeletHealth::Down { since: Time::from_secs(130) };
    assert_eq!(bench.cluster.node(node).kubelet, down);
}
