//! Disks, images, static pods and critical pods.

use serde_json::{Value, json};
use wavetank::cluster::{ControlPlane, PodId, Sym};
use wavetank::engine::Span;
use wavetank::kubelet::{KubeletOptions, StaticPod};

use super::bench::{Bench, spec};

fn reason(bench: &Bench, pod: PodId) -> String {
    let text = |sym: Sym| bench.cluster.interner.text(sym).to_owned();
    text(bench.cluster.pod(pod).reason)
}

fn static_bench() -> Bench {
    let manifest = json!({"metadata": {"name": "etcd", "namespace": "default"}, "spec": spec(json!({}))});
    let static_pods = vec![StaticPod { node: "n".to_owned(), manifest }];
    Bench::new(KubeletOptions { static_pods, ..KubeletOptions::ideal() }, ControlPlane::ideal(), json!([]))
}

#[test]
fn the_mirror_of_a_static_pod_comes_back_and_the_pod_runs_on() {
    let mut bench = static_bench();
    bench.run_to(10.0);
    let first = bench.cluster.find_pod("default", "etcd-n").expect("a mirror");
    let annotations = &bench.cluster.export_pod(first)["metadata"]["annotations"];
    assert_eq!(annotations["kubernetes.io/config.source"], "file");
    bench.cluster.delete_pod(first, None);
    bench.run_to(20.0);
    let second = bench.cluster.find_pod("default", "etcd-n").expect("a new mirror");
    assert_ne!(first, second);
    assert!(bench.line(second).ends_with("Running ready running"), "{}", bench.line(second));
    let started =
        bench.cluster.export_pod(second)["status"]["containerStatuses"][0]["state"]["running"]["startedAt"].clone();
    assert_eq!(started, "2023-11-14T22:13:20Z", "its container has been running from the beginning");
    // A forced deletion is no different, and events still find the pod.
    bench.cluster.delete_pod(second, Some(0));
    bench.run_to(30.0);
    let third = bench.cluster.find_pod("default", "etcd-n").expect("a new mirror");
    assert!(bench.cluster.crash_container(third, 0, 1, false));
    bench.run_to(40.0);
    assert!(bench.line(third).ends_with("running#1"), "{}", bench.line(third));
}

fn sized(cpu: &str, priority: i32) -> Value {
    let resources = json!({"requests": {"cpu": cpu}});
    spec(json!({"priority": priority, "containers": [{"name": "c", "image": "a", "resources": resources}]}))
}

#[test]
fn a_critical_pod_makes_room_for_itself() {
    let mut bench = Bench::ideal(json!([]));
    let small = bench.pod("small", sized("2", 0));
    let big = bench.pod("big", sized("5", 0));
    bench.run_to(10.0);
    let critical = bench.pod("critical", sized("3", 2_000_000_000));
    bench.run_to(20.0);
    assert_eq!(reason(&bench, small), "Preempting", "two cores are missing, and it has just that");
    assert!(bench.line(big).contains("Running"));
    assert!(bench.line(critical).ends_with("Running ready running"), "{}", bench.line(critical));
    assert!(bench.events(small).iter().any(|event| event == "Preempting: Preempted in order to admit critical pod x1"));
    let giant = bench.pod("giant", sized("9", 2_000_000_000));
    bench.run_to(30.0);
    assert_eq!(reason(&bench, giant), "UnexpectedAdmissionError");
    let plain = bench.pod("plain", sized("3", 0));
    bench.run_to(40.0);
    assert_eq!(reason(&bench, plain), "OutOfcpu");
}

#[test]
fn a_port_of_the_node_can_be_had_once() {
    let mut bench = Bench::ideal(json!([]));
    let port = json!([{"containerPort": 80, "hostPort": 8080}]);
    let with_port = spec(json!({"containers": [{"name": "c", "image": "a", "ports": port}]}));
    bench.pod("first", with_port.clone());
    bench.run_to(10.0);
    let second = bench.pod("second", with_port);
    bench.run_to(20.0);
    assert_eq!(reason(&bench, second), "NodePorts");
}

#[test]
fn images_that_are_not_used_for_long_go() {
    let mut options = KubeletOptions::ideal();
    options.image_gc.max_age = Span::from_secs(3600);
    let mut bench = Bench::new(options, ControlPlane::ideal(), json!([{"match": {"image": "job"}, "run": "10s"}]));
    let node = bench.cluster.find_node("n").expect("a node");
    bench.pod("job", spec(json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "job:v1"}]})));
    bench.pod("web", spec(json!({})));
    bench.run_to(3000.0);
    assert_eq!(bench.cluster.node(node).images.len(), 2);
    bench.run_to(4000.0);
    assert_eq!(bench.cluster.node(node).images.len(), 1, "the one in use stays");
    let before = bench.n_events;
    bench.run_to(86_400.0);
    assert_eq!(bench.n_events, before, "nothing is left to collect");
}

#[test]
fn processes_run_out_by_priority() {
    use wavetank::kubelet::thresholds::{Amount, Signal, SignalThreshold};
    let eviction = vec![SignalThreshold::hard(Signal::Pid, Amount::Share(0.1))];
    let options = KubeletOptions { eviction, max_pids: 1000, ..KubeletOptions::ideal() };
    let mut bench = Bench::new(options, ControlPlane::ideal(), json!([]));
    let uses = |pids: &str| json!({"wavetank.dev/usage-pids": pids});
    let many = bench.annotated("many", uses("700"), spec(json!({"priority": 1000})));
    let few = bench.annotated("few", uses("250"), spec(json!({"priority": 0})));
    bench.run_to(60.0);
    assert!(bench.line(many).contains("Running"), "{}", bench.line(many));
    assert_eq!(reason(&bench, few), "Evicted");
    let message = bench.cluster.interner.text(bench.cluster.pod(few).message);
    assert_eq!(message, "The node was low on resource: pids. Threshold quantity: 100, available: 50. ");
}
