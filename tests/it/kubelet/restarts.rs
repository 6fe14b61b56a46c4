//! Restarts, back-off and probes.

use serde_json::{Value, json};

use super::bench::{Bench, spec};

fn starts(models: Value, spec: Value, until: f64) -> Vec<f64> {
    let mut bench = Bench::ideal(models);
    bench.pod("p", spec);
    bench.run_to(until);
    bench.starts("p", 0)
}

fn crashing(run: &str) -> Value {
    json!([{"run": run, "exit": {"code": 1}}])
}

#[test]
fn crash_loops_follow_the_back_off() {
    assert_eq!(starts(crashing("1s"), spec(json!({})), 950.0), [0., 1., 12., 33., 74., 155., 316., 617., 918.]);
    assert_eq!(starts(crashing("601s"), spec(json!({})), 2000.0), [0., 601., 1202., 1803.]);
    assert_eq!(starts(crashing("600s"), spec(json!({})), 2000.0), [0., 600., 1210., 1830.]);
}

#[test]
fn the_first_restart_shows_no_back_off() {
    let mut bench = Bench::ideal(crashing("5s"));
    let pod = bench.pod("p", spec(json!({})));
    bench.run_to(12.0);
    let want = "5 Running ready running#1\n10 Running - CrashLoopBackOff#1\n";
    assert!(bench.timeline("p").ends_with(want), "{}", bench.timeline("p"));
    let back_off = bench.events(pod).into_iter().find(|event| event.starts_with("BackOff")).expect("an event");
    assert!(back_off.starts_with("BackOff: Back-off restarting failed container c in pod p_default("), "{back_off}");
}

#[test]
fn init_containers_back_off_too() {
    let models = json!([{"match": {"container": "i"}, "run": "2s", "exit": {"code": 1}}]);
    let pod = json!({
        "restartPolicy": "OnFailure",
        "initContainers": [{"name": "i", "image": "i"}],
        "containers": [{"name": "c", "image": "app"}],
    });
    assert_eq!(starts(models, pod, 80.0), [0., 2., 14., 36., 78.]);
}

#[test]
fn an_init_container_that_may_not_restart_fails_the_pod() {
    let mut bench = Bench::ideal(json!([{"match": {"container": "i"}, "run": "2s", "exit": {"code": 1}}]));
    let pod = json!({
        "restartPolicy": "Never",
        "initContainers": [{"name": "i", "image": "i"}],
        "containers": [{"name": "c", "image": "app"}],
    });
    bench.pod("p", pod);
    bench.run_to(10.0);
    assert!(bench.timeline("p").ends_with("2 Failed - Error(1),PodInitializing\n"), "{}", bench.timeline("p"));
}

#[test]
fn a_dead_container_is_killed_and_started_again_against_the_instance_before() {
    // A liveness probe that always fails: three failures at 10, 20, 30 s after each start.
    let models = json!([{"probes": {"liveness": {"passAfter": "never"}}}]);
    let probe = json!({"exec": {"command": ["x"]}, "periodSeconds": 10, "failureThreshold": 3});
    let pod = spec(json!({"containers": [{"name": "c", "image": "a", "livenessProbe": probe}]}));
    assert_eq!(starts(models, pod, 500.0), [0., 30., 60., 90., 120., 190., 300., 490.]);
}

#[test]
fn a_liveness_deadlock_ends_with_the_grace() {
    let models =
        json!([{"probes": {"liveness": {"failAt": [{"at": "65s", "for": "1m"}]}}, "stop": {"after": "never"}}]);
    let probe = json!({"exec": {"command": ["x"]}});
    let pod = spec(json!({"containers": [{"name": "c", "image": "a", "livenessProbe": probe}]}));
    // Failures at 70, 80, 90; kill at 120, restart at once.
    assert_eq!(starts(models, pod, 300.0), [0., 120.]);
}

#[test]
fn readiness_follows_its_probe() {
    let models = json!([{"probes": {"readiness": {"passAfter": "4s", "failAt": [{"at": "95s", "for": "30s"}]}}}]);
    let probe = json!({"httpGet": {"port": 80}, "periodSeconds": 10, "failureThreshold": 3});
    let mut bench = Bench::ideal(models);
    let pod = bench.pod("p", spec(json!({"containers": [{"name": "c", "image": "a", "readinessProbe": probe}]})));
    bench.run_to(300.0);
    let want = "0 Running - running\n10 Running ready running\n120 Running - running\n130 Running ready running\n";
    assert!(bench.timeline("p").ends_with(want), "{}", bench.timeline("p"));
    let unhealthy = "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503 x2";
    assert!(bench.events(pod).contains(&unhealthy.to_owned()), "{:?}", bench.events(pod));
}

#[test]
fn startup_probes_hold_the_others_back() {
    let models = json!([
        {"match": {"container": "s"}, "probes": {"startup": {"passAfter": "8s"}}},
        {"match": {"container": "c"}, "probes": {"startup": {"passAfter": "never"}}},
    ]);
    let probe = json!({"exec": {"command": ["x"]}, "periodSeconds": 2, "failureThreshold": 30});
    let pod = json!({
        "initContainers": [{"name": "s", "image": "s", "restartPolicy": "Always", "startupProbe": probe}],
        "containers": [{"name": "c", "image": "app", "startupProbe": {"exec": {"command": ["x"]}, "failureThreshold": 30}}],
    });
    let mut bench = Bench::ideal(models);
    bench.pod("p", pod);
    bench.run_to(320.0);
    assert_eq!(bench.starts("p", 0), [0.0]);
    // Ticks are anchored at the worker's start: the container started at 8 is given up at the 30th failure after it, at 300.
    assert_eq!(bench.starts("p", 1), [8.0, 300.0]);
}

#[test]
fn pulls_that_fail_back_off_without_a_free_retry() {
    use wavetank::cluster::ControlPlane;
    use wavetank::engine::Span;
    use wavetank::kubelet::KubeletOptions;
    let options = KubeletOptions { pull_failure: Span::from_secs(2), ..KubeletOptions::ideal() };
    let mut bench = Bench::new(options, ControlPlane::ideal(), json!([{"image": {"error": true}}]));
    let pod = bench.pod("p", spec(json!({})));
    bench.run_to(330.0);
    let errors = bench.seen.iter().filter(|(_, line)| line.contains("ErrImagePull")).map(|&(at, _)| at - 2.0);
    // The second failure, of the attempt at 12, leaves the state as it is.
    assert_eq!(errors.collect::<Vec<f64>>(), [0., 34., 76., 158., 320.]);
    assert!(bench.timeline("p").contains("24 Pending - ImagePullBackOff\n"), "{}", bench.timeline("p"));
    assert!(bench.events(pod).iter().any(|event| event.starts_with("BackOff: Back-off pulling image \"app:v1\"")));
}

#[test]
fn memory_over_the_limit_is_fatal() {
    let models = json!([{"usage": {"memory": {"steps": [{"at": "30s", "value": "2Gi"}]}}}]);
    let pod = spec(json!({"restartPolicy": "Never", "containers": [
        {"name": "c", "image": "a", "resources": {"limits": {"memory": "1Gi"}}}]}));
    let mut bench = Bench::ideal(models);
    bench.pod("p", pod);
    bench.run_to(60.0);
    assert!(bench.timeline("p").ends_with("30 Failed - OOMKilled(137)\n"), "{}", bench.timeline("p"));
}

#[test]
fn a_rule_restarts_all_containers_in_place() {
    let models = json!([
        {"match": {"container": "i"}, "run": "1s"},
        {"match": {"container": "c"}, "run": "5s", "exit": {"codes": [88, 0]}},
    ]);
    let rule = json!({"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [88]}});
    let pod = json!({
        "restartPolicy": "Never",
        "initContainers": [{"name": "i", "image": "i"}],
        "containers": [{"name": "c", "image": "a", "restartPolicy": "Never", "restartPolicyRules": [rule]}],
    });
    let mut bench = Bench::ideal(models);
    bench.pod("p", pod);
    bench.run_to(60.0);
    assert_eq!(bench.starts("p", 1), [1.0, 7.0]);
    assert!(bench.timeline("p").ends_with("12 Succeeded - Completed(0)#1,Completed(0)#1\n"), "{}", bench.timeline("p"));
}
