//! A quiet pod costs nothing.

use serde_json::json;

use super::bench::{Bench, spec};

#[test]
fn healthy_pods_make_no_events() {
    let mut bench = Bench::ideal(json!([{"probes": {"readiness": {"passAfter": "3s"}}}]));
    let probe = json!({"httpGet": {"port": 80}, "periodSeconds": 5});
    let container = json!({"name": "c", "image": "a", "livenessProbe": probe, "readinessProbe": probe});
    for number in 0..100 {
        bench.pod(&format!("p{number}"), spec(json!({"containers": [container]})));
    }
    bench.run_to(60.0);
    let before = bench.n_events;
    bench.run_to(24.0 * 3600.0);
    assert_eq!(bench.n_events, before);
    assert_eq!(bench.kubelets.n_workers(), 100);
}
