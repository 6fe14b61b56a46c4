//! What happens from outside: kubelets restart, processes die, machines become slow.

use serde_json::json;
use wavetank::cluster::KubeletHealth;
use wavetank::engine::Time;

use super::bench::{Bench, spec};

#[test]
fn a_kubelet_that_restarts_forgets_its_back_off() {
    let mut bench = Bench::ideal(json!([{"run": "1s", "exit": {"code": 1}}]));
    let node = bench.cluster.find_node("n").expect("a node");
    bench.pod("p", spec(json!({})));
    bench.run_to(80.0);
    assert_eq!(bench.starts("p", 0), [0., 1., 12., 33., 74.], "in a back-off of 80 s from 75 on");
    bench.cluster.restart_kubelet(node);
    bench.run_to(120.0);
    assert_eq!(bench.starts("p", 0)[5..], [80., 91., 112.], "at once, then delays from 10 s on");
}

#[test]
fn containers_outlive_their_kubelet() {
    let models = json!([{"match": {"container": "c"}, "run": "50s", "exit": {"code": 3}}]);
    let mut bench = Bench::ideal(models);
    let node = bench.cluster.find_node("n").expect("a node");
    let pod = bench.pod("p", spec(json!({"restartPolicy": "Never"})));
    bench.run_to(20.0);
    bench.cluster.set_kubelet_health(node, KubeletHealth::Stopped { since: Time::from_secs(20) });
    bench.run_to(70.0);
    assert!(bench.line(pod).contains("Running ready"), "no one has noticed: {}", bench.line(pod));
    bench.cluster.set_kubelet_health(node, KubeletHealth::Running);
    bench.run_to(80.0);
    assert!(bench.timeline("p").ends_with("70 Failed - Error(3)\n"), "{}", bench.timeline("p"));
    let ended = match bench.cluster.pod(pod).containers[0].state {
        wavetank::cluster::ContainerState::Terminated(ended) => ended.finished,
        state => panic!("{state:?}"),
    };
    assert_eq!(ended, Time::from_secs(50), "it ended when it ended");
}

#[test]
fn readiness_outlives_its_kubelet_until_a_probe_fails() {
    let probe = json!({"httpGet": {"port": 80}, "periodSeconds": 10, "failureThreshold": 2});
    let models = json!([{"probes": {"readiness": {"passAfter": "4s", "failAt": [{"at": "95s"}]}}}]);
    let mut bench = Bench::ideal(models);
    let node = bench.cluster.find_node("n").expect("a node");
    bench.pod("p", spec(json!({"containers": [{"name": "c", "image": "a", "readinessProbe": probe}]})));
    bench.run_to(91.0);
    bench.cluster.restart_kubelet(node);
    bench.run_to(200.0);
    let want = "10 Running ready running\n111 Running - running\n";
    assert!(bench.timeline("p").ends_with(want), "probes tick from 91 on: {}", bench.timeline("p"));
}

#[test]
fn processes_die_from_outside() {
    let mut bench = Bench::ideal(json!([]));
    let pod = bench.pod("p", spec(json!({})));
    bench.run_to(10.0);
    assert!(bench.cluster.crash_container(pod, 0, 139, false));
    bench.run_to(20.0);
    assert!(bench.cluster.crash_container(pod, 0, 137, true));
    bench.run_to(60.0);
    let line = bench.timeline("p");
    assert!(
        line.ends_with("10 Running ready running#1\n20 Running - CrashLoopBackOff#1\n30 Running ready running#2\n")
    );
    let last = bench.cluster.pod(pod).containers[0].last.expect("an instance before");
    assert_eq!((last.exit_code, bench.cluster.interner.text(last.reason)), (137, "OOMKilled"));
    assert!(!bench.cluster.crash_container(pod, 7, 1, false), "there is no such container");
}

#[test]
fn work_takes_longer_on_a_slow_machine() {
    let mut bench = Bench::ideal(json!([{"run": "100s", "exit": {"code": 0}}]));
    let node = bench.cluster.find_node("n").expect("a node");
    bench.pod("p", spec(json!({"restartPolicy": "Never"})));
    bench.run_to(40.0);
    bench.cluster.set_slowdown(node, 3.0);
    bench.run_to(100.0);
    bench.cluster.set_slowdown(node, 1.0);
    bench.run_to(200.0);
    // 40 s of work, 60 s at a third of the speed, 40 s.
    assert!(bench.timeline("p").ends_with("140 Succeeded - Completed(0)\n"), "{}", bench.timeline("p"));
}
