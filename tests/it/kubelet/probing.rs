//! Probes in whole pods: services that they depend on, events that are counted when somebody looks, and what is told of containers
//! while a worker is busy.

use serde_json::{Value, json};
use wavetank::cluster::{EventRecord, ObjId, ObjectRef, PodId};
use wavetank::engine::{Span, Time};

use super::bench::{Bench, spec};

fn exec(fields: Value) -> Value {
    let mut probe = json!({"exec": {"command": ["sh", "-c", "check"]}});
    for (key, value) in fields.as_object().into_iter().flatten() {
        probe[key] = value.clone();
    }
    probe
}

fn one(container: Value) -> Value {
    let mut spec = spec(json!({}));
    for (key, value) in container.as_object().into_iter().flatten() {
        spec["containers"][0][key] = value.clone();
    }
    spec
}

/// The events of a pod at `seconds` with this reason: count, first and last occurrence.
fn counted(bench: &Bench, pod: PodId, reason: &str, seconds: u64) -> Vec<(u32, u64, u64)> {
    let now = Time::from_secs(seconds);
    let of_pod = bench.cluster.events.iter().filter(|(_, record)| record.object == pod.into());
    let named = of_pod.filter(|(_, record)| bench.cluster.interner.text(record.reason) == reason);
    let shown = named.map(|(id, _)| bench.cluster.events.stored_at(id, now));
    shown.map(|record: EventRecord| (record.count, record.first.as_secs(), record.last.as_secs())).collect()
}

/// A Service, and a slice of its endpoints that somebody wrote.
fn service(bench: &mut Bench, name: &str) -> ObjId {
    let metadata = json!({"name": name, "namespace": "default"});
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}});
    match bench.cluster.create_from(&service).expect("a service") {
        ObjectRef::Object(id) => id,
        other => panic!("{other:?}"),
    }
}

fn endpoint(bench: &mut Bench, service: &str, name: &str, ready: Option<bool>) -> ObjectRef {
    let labels = json!({"kubernetes.io/service-name": service});
    let metadata = json!({"name": name, "namespace": "default", "labels": labels});
    let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}});
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
        "addressType": "IPv4", "endpoints": [endpoint], "ports": []});
    let slice = bench.cluster.create_from(&slice).expect("a slice");
    bench.settle();
    slice
}

#[test]
fn a_probe_fails_while_a_service_it_depends_on_has_no_ready_endpoint() {
    let models = json!([{"probes": {"readiness": {"dependsOn": ["db", "default/cache"]}}}]);
    let mut bench = Bench::ideal(models);
    service(&mut bench, "db");
    service(&mut bench, "cache");
    endpoint(&mut bench, "db", "db-1", None);
    let readiness = exec(json!({"periodSeconds": 5, "failureThreshold": 2}));
    let pod = bench.pod("web", one(json!({"readinessProbe": readiness})));
    bench.run_to(33.0);
    assert!(!bench.ready(pod), "the cache has no endpoint");
    assert_eq!(counted(&bench, pod, "Unhealthy", 33), [(7, 0, 30)]);
    // One that is not ready is none.
    endpoint(&mut bench, "cache", "cache-1", Some(false));
    bench.run_to(42.0);
    let cache = endpoint(&mut bench, "cache", "cache-2", Some(true));
    bench.run_to(52.0);
    // Failing ticks: 0 to 40 are nine.
    assert_eq!(counted(&bench, pod, "Unhealthy", 52), [(9, 0, 40)]);
    bench.cluster.delete(cache, wavetank::cluster::Propagation::Background);
    bench.settle();
    bench.run_to(70.0);
    assert_eq!(counted(&bench, pod, "Unhealthy", 70), [(13, 0, 70)], "and 55 to 70 are four");
    bench.run_to(200.0);
    // It comes at 42: ready at the tick of 45. It goes at 52: failures at 55 and 60.
    let want = "0 Running - running\n45 Running ready running\n60 Running - running\n";
    assert!(bench.timeline("web").ends_with(want), "{}", bench.timeline("web"));
}

#[test]
fn a_liveness_probe_that_depends_on_a_service_restarts_its_container() {
    let models = json!([{"probes": {"liveness": {"dependsOn": "db"}}}]);
    let mut bench = Bench::ideal(models);
    service(&mut bench, "db");
    let slice = endpoint(&mut bench, "db", "db-1", Some(true));
    let pod = bench.pod("web", one(json!({"livenessProbe": exec(json!({"periodSeconds": 10}))})));
    bench.run_to(15.0);
    bench.cluster.delete(slice, wavetank::cluster::Propagation::Background);
    bench.settle();
    bench.run_to(45.0);
    assert_eq!(bench.starts("web", 0), [0.0, 40.0], "failures at 20, 30 and 40");
    endpoint(&mut bench, "db", "db-2", Some(true));
    bench.run_to(500.0);
    assert_eq!(bench.starts("web", 0), [0.0, 40.0]);
    assert_eq!(counted(&bench, pod, "Unhealthy", 500), [(3, 20, 40)]);
}

#[test]
fn services_that_depend_on_each_other_come_to_rest() {
    let models =
        json!([{"probes": {"readiness": {"dependsOn": "missing"}, "liveness": {"dependsOn": "other/missing"}}}]);
    let mut bench = Bench::ideal(models);
    let probes = json!({"readinessProbe": exec(json!({"periodSeconds": 1})), "livenessProbe": exec(json!({"periodSeconds": 7}))});
    bench.pod("web", one(probes));
    bench.run_to(3600.0);
    assert!(bench.n_events < 600, "{} events", bench.n_events);
}

#[test]
fn every_failing_tick_counts_in_the_event_without_being_one_of_the_simulation() {
    let models = json!([{"probes": {"readiness": {"passAfter": "never"}}}]);
    let mut bench = Bench::ideal(models);
    let pod = bench.pod("p", one(json!({"readinessProbe": exec(json!({"periodSeconds": 10}))})));
    bench.run_to(86_400.0);
    assert!(bench.n_events < 10, "{} events", bench.n_events);
    // (looked at, count, last): 25 come through at once and what has been refilled meanwhile, then one in five minutes, which
    // says how many there have been.
    for (seconds, count, last) in
        [(0, 1, 0), (9, 1, 0), (95, 10, 90), (240, 25, 240), (290, 25, 240), (300, 31, 300), (600, 61, 600)]
    {
        assert_eq!(counted(&bench, pod, "Unhealthy", seconds), [(count, 0, last)], "at {seconds}");
    }
    assert_eq!(counted(&bench, pod, "Unhealthy", 86_400), [(8641, 0, 86_400)]);
}

#[test]
fn failures_below_the_threshold_are_told_of() {
    let models =
        json!([{"probes": {"liveness": {"failAt": [{"at": "55s", "for": "20s"}, {"at": "300s", "for": "10s"}]}}}]);
    let mut bench = Bench::ideal(models);
    let pod = bench.pod("p", one(json!({"livenessProbe": exec(json!({"periodSeconds": 10, "failureThreshold": 3}))})));
    for (seconds, shown) in [(69, (1, 60, 60)), (200, (2, 60, 70)), (1000, (3, 60, 300))] {
        bench.run_to(f64::from(seconds as u32));
        assert_eq!(counted(&bench, pod, "Unhealthy", seconds), [shown], "at {seconds}");
    }
    assert_eq!(bench.starts("p", 0), [0.0]);
}

#[test]
fn runs_of_outcomes_go_on_over_restarts() {
    // Failing from the start on; the container exits by itself after 25 s: two failures before it, the third after it.
    let models = json!([{"run": "25s", "exit": {"codes": [1, 0]}, "probes": {"liveness": {"passAfter": "never"}}}]);
    let mut bench = Bench::ideal(models);
    bench.pod("p", one(json!({"livenessProbe": exec(json!({"periodSeconds": 10, "failureThreshold": 3}))})));
    bench.run_to(31.0);
    // Ticks at 10 and 20, restart at 25, tick at 30: killed, and started again against the instance before it, which ended at 25.
    assert_eq!(bench.starts("p", 0), [0.0, 25.0]);
    let last = bench.timeline("p");
    assert!(last.ends_with("30 Running - CrashLoopBackOff#1\n"), "{last}");
}

#[test]
fn nothing_is_told_of_a_container_before_its_post_start_hook_is_over() {
    let models = json!([{"match": {"container": "c"}, "hooks": {"postStart": "10s"}}]);
    let mut bench = Bench::ideal(models);
    let hook = json!({"postStart": {"exec": {"command": ["x"]}}});
    let pod = json!({"containers": [{"name": "c", "image": "a", "lifecycle": hook}, {"name": "d", "image": "a"}]});
    bench.pod("p", pod);
    bench.run_to(60.0);
    let want = "0 Pending - ContainerCreating,ContainerCreating\n10 Running ready running,running\n";
    assert!(bench.timeline("p").ends_with(want), "{}", bench.timeline("p"));
}

#[test]
fn a_container_stays_ready_while_its_kubelet_kills_it() {
    let models = json!([{"probes": {"liveness": {"failAt": [{"after": "5s"}]}}, "stop": {"after": "never"}}]);
    let mut bench = Bench::ideal(models);
    let mut pod = one(json!({"livenessProbe": exec(json!({"periodSeconds": 10}))}));
    pod["terminationGracePeriodSeconds"] = 20.into();
    bench.pod("p", pod);
    bench.run_to(100.0);
    // Failures at 10, 20, 30; SIGKILL at 50, and the start after it in the same sync.
    let want = "0 Running ready running\n50 Running ready running#1\n";
    assert!(bench.timeline("p").contains(want), "{}", bench.timeline("p"));
}

#[test]
fn a_worker_finishes_its_pull_before_it_kills() {
    use wavetank::cluster::ControlPlane;
    use wavetank::kubelet::KubeletOptions;
    let registry_latency = Span::from_secs(15);
    let options = KubeletOptions { pull_bandwidth: 1e6, registry_latency, ..KubeletOptions::ideal() };
    let models = json!([
        {"match": {"container": "c"}, "image": {"size": "1M"}, "probes": {"liveness": {"failAt": [{"at": "58s"}]}}},
        {"match": {"container": "d"}, "image": {"size": "30M"}, "run": "20s", "exit": {"code": 1}},
    ]);
    let mut bench = Bench::new(options, ControlPlane::ideal(), models);
    let liveness = exec(json!({"periodSeconds": 5, "failureThreshold": 1}));
    let pod = json!({"containers": [
        {"name": "c", "image": "c:1", "livenessProbe": liveness},
        {"name": "d", "image": "d:1", "imagePullPolicy": "Always"},
    ]});
    bench.pod("p", pod);
    bench.run_to(65.0);
    // `c` is pulled for 1 s and `d` for 30; `d` runs from 31 to 51, and the registry is asked until 66. Nothing is told before both have
    // been started; `c` fails its probe at 60, and is killed by the sync after the pull.
    let want = "0 Pending - ContainerCreating,ContainerCreating\n31 Running ready running,running\n51 Running - running,Error(1)\n";
    assert!(bench.timeline("p").ends_with(want), "{}", bench.timeline("p"));
    bench.run_to(67.0);
    assert_eq!(bench.starts("p", 0), [31.0, 66.0], "{}", bench.timeline("p"));
}

#[test]
fn inodes_run_short_and_the_pod_that_has_most_is_evicted() {
    use wavetank::cluster::ControlPlane;
    use wavetank::kubelet::KubeletOptions;
    let options = KubeletOptions { node_fs_inodes: Some(10_000), ..KubeletOptions::ideal() };
    let models = json!([
        {"match": {"name": "few"}, "usage": {"inodes": 100}},
        {"match": {"name": "many"}, "usage": {"volumeInodes": {"v": {"steps": [{"at": "33s", "value": 9500}]}}}},
    ]);
    let mut bench = Bench::new(options, ControlPlane::ideal(), models);
    let few = bench.pod("few", spec(json!({})));
    let many = bench.pod("many", spec(json!({"volumes": [{"name": "v", "emptyDir": {}}]})));
    bench.run_to(100.0);
    let reason = |pod: PodId| bench.cluster.interner.text(bench.cluster.pod(pod).reason).to_owned();
    assert_eq!((reason(few), reason(many)), (String::new(), "Evicted".to_owned()));
    // 5% of 10,000 must be left; 10,000 - 9,600 are. Percentages are shown in powers of two, observations in powers of ten.
    let message = bench.cluster.interner.text(bench.cluster.pod(many).message);
    assert_eq!(message, "The node was low on resource: inodes. Threshold quantity: 500, available: 400. ");
}

#[test]
fn statuses_tell_the_resources_of_all_containers_that_have_run() {
    let mut bench = Bench::ideal(json!([{"match": {"container": "d"}, "image": {"error": true}}]));
    let resources = json!({"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}});
    let pod = json!({"containers": [
        {"name": "c", "image": "a", "resources": resources},
        {"name": "d", "image": "b"},
        {"name": "e", "image": "a"},
    ]});
    let pod = bench.pod("p", pod);
    bench.run_to(5.0);
    let status = bench.cluster.export_pod(pod)["status"]["containerStatuses"].clone();
    assert_eq!(status[0]["allocatedResources"], json!({"cpu": "100m", "memory": "64Mi"}));
    assert_eq!(status[0]["resources"], resources);
    assert_eq!(
        (&status[1]["resources"], &status[1]["allocatedResources"]),
        (&Value::Null, &Value::Null),
        "never started"
    );
    assert_eq!((&status[2]["resources"], &status[2]["allocatedResources"]), (&json!({}), &Value::Null));
}

#[test]
fn hooks_that_fail_are_told_of() {
    let models = json!([
        {"match": {"container": "c"}, "hooks": {"preStop": "4s", "preStopFails": true}, "stop": {"after": "1s"}},
        {"match": {"container": "d"}, "hooks": {"postStart": "3s", "postStartFails": true}},
    ]);
    let mut bench = Bench::ideal(models);
    let run = json!({"exec": {"command": ["x"]}});
    let stopping = bench.pod("p", one(json!({"lifecycle": {"preStop": run}})));
    let mut starting = one(json!({"lifecycle": {"postStart": run}}));
    starting["containers"][0]["name"] = "d".into();
    let starting = bench.pod("q", starting);
    bench.run_to(10.0);
    bench.cluster.delete_pod(stopping, None);
    bench.settle();
    bench.run_to(30.0);
    assert_eq!(counted(&bench, stopping, "FailedPreStopHook", 30), [(1, 14, 14)]);
    assert!(bench.timeline("p").contains("15 Failed"), "the stop goes on: {}", bench.timeline("p"));
    let events = bench.events(starting);
    for text in ["FailedPostStartHook: PostStartHook failed", "Killing: FailedPostStartHook"] {
        assert!(events.iter().any(|event| event.starts_with(text)), "{text}: {events:?}");
    }
}
