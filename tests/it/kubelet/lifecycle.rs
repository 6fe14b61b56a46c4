//! From the binding to the end.

use serde_json::json;
use wavetank::cluster::ControlPlane;
use wavetank::kubelet::KubeletOptions;

use super::bench::{Bench, spec};

#[test]
fn a_pod_starts_runs_and_completes() {
    let mut bench = Bench::ideal(json!([{"match": {"image": "app"}, "startup": "2s", "run": "10s"}]));
    let pod = bench.pod("p", spec(json!({"restartPolicy": "Never"})));
    bench.run_to(60.0);
    let want = "0 Pending - ContainerCreating\n2 Running ready running\n12 Succeeded - Completed(0)\n";
    assert_eq!(bench.timeline("p").replace("0 Pending - \n", ""), want);
    assert_eq!(
        bench.events(pod),
        [
            "Pulling: Pulling image \"app:v1\" x1",
            "Pulled: Successfully pulled image \"app:v1\" in 0s (0s including waiting). Image size: 104857600 bytes. x1",
            "Created: Container created x1",
            "Started: Container started x1",
        ]
    );
}

#[test]
fn a_deleted_pod_gets_its_grace_and_goes() {
    let mut bench = Bench::ideal(json!([{"stop": {"after": "3s"}}]));
    let pod = bench.pod("p", spec(json!({})));
    let stubborn = bench.annotated("q", json!({"wavetank.dev/stop": "never"}), spec(json!({})));
    bench.run_to(5.0);
    bench.cluster.delete_pod(pod, None);
    bench.cluster.delete_pod(stubborn, Some(10));
    bench.run_to(60.0);
    assert!(
        bench.timeline("p").ends_with("8 Failed - Error(143)\n8 Failed - Error(143) gone\n"),
        "{}",
        bench.timeline("p")
    );
    assert!(
        bench.timeline("q").ends_with("15 Failed - Error(137)\n15 Failed - Error(137) gone\n"),
        "{}",
        bench.timeline("q")
    );
    assert_eq!(bench.kubelets.n_workers(), 0);
}

#[test]
fn init_containers_and_sidecars_start_in_order() {
    let models = json!([
        {"match": {"container": "i1"}, "run": "3s"},
        {"match": {"container": "i2"}, "run": "4s"},
        {"match": {"container": "main"}, "run": "20s"},
        {"match": {"container": "s"}, "stop": {"after": "1s"}},
    ]);
    let mut bench = Bench::ideal(models);
    let spec = json!({
        "restartPolicy": "Never",
        "initContainers": [
            {"name": "i1", "image": "i"},
            {"name": "s", "image": "s", "restartPolicy": "Always"},
            {"name": "i2", "image": "i"},
        ],
        "containers": [{"name": "main", "image": "app:v1"}],
    });
    bench.pod("p", spec);
    bench.run_to(100.0);
    let starts: Vec<Vec<f64>> = (0..4).map(|idx| bench.starts("p", idx)).collect();
    assert_eq!(starts, [vec![0.0], vec![3.0], vec![3.0], vec![7.0]]);
    let end = "28 Succeeded - Completed(0),Error(143),Completed(0),Completed(0)\n";
    assert!(bench.timeline("p").ends_with(end), "{}", bench.timeline("p"));
}

#[test]
fn a_deadline_fails_the_pod_with_its_reason() {
    let mut bench = Bench::ideal(json!([]));
    let pod = bench.pod("p", spec(json!({"activeDeadlineSeconds": 60})));
    bench.run_to(100.0);
    assert!(bench.timeline("p").ends_with("60 Failed - Error(143)\n"), "{}", bench.timeline("p"));
    let reason = bench.cluster.pod(pod).reason;
    assert_eq!(bench.cluster.interner.text(reason), "DeadlineExceeded");
}

#[test]
fn a_serial_puller_pulls_one_image_after_the_other() {
    let options = KubeletOptions { pull_bandwidth: 1e6, ..KubeletOptions::ideal() };
    let models = json!([
        {"match": {"image": "a"}, "image": {"size": "30M"}},
        {"match": {"image": "b"}, "image": {"size": "10M"}},
    ]);
    for (parallel_pulls, want) in [(1, 40.0), (2, 10.0)] {
        let options = KubeletOptions { parallel_pulls, ..options.clone() };
        let mut bench = Bench::new(options, ControlPlane::ideal(), models.clone());
        bench.pod("a", json!({"containers": [{"name": "c", "image": "a:1"}]}));
        bench.pod("b", json!({"containers": [{"name": "c", "image": "b:1"}]}));
        bench.pod("again", json!({"containers": [{"name": "c", "image": "a:1"}]}));
        bench.run_to(100.0);
        assert_eq!(bench.starts("a", 0), [30.0]);
        assert_eq!(bench.starts("b", 0), [want]);
    }
}

#[test]
fn pods_that_do_not_fit_are_refused() {
    let mut bench = Bench::ideal(json!([]));
    let want =
        |cpu: &str| spec(json!({"containers": [{"name": "c", "image": "a", "resources": {"requests": {"cpu": cpu}}}]}));
    bench.pod("first", want("6"));
    bench.run_to(1.0);
    let second = bench.pod("second", want("6"));
    bench.run_to(2.0);
    assert!(bench.timeline("first").contains("Running"));
    let row = bench.cluster.pod(second);
    let text = |sym| bench.cluster.interner.text(sym).to_owned();
    if row.reason != wavetank::cluster::Sym::EMPTY {
        assert_eq!(text(row.reason), "OutOfcpu");
        assert!(
            text(row.message).ends_with("cpu, requested: 6000, used: 6000, capacity: 8000"),
            "{}",
            text(row.message)
        );
    }
}

#[test]
fn a_realistic_kubelet_takes_its_time() {
    let mut bench = Bench::new(KubeletOptions::realistic(), ControlPlane::realistic(), json!([]));
    bench.pod("p", spec(json!({})));
    bench.run_to(60.0);
    let start = bench.starts("p", 0)[0];
    assert!((2.4..2.7).contains(&start), "sandbox 0.3 s, 100 MiB at 50 MB/s, start 0.1 s: {start}");
}
