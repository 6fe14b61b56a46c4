//! Endpoints of Services.

use serde_json::{Value, json};
use wavetank::cluster::{ControlPlane, PodPhase};

use super::World;

fn slices(world: &World) -> Vec<Value> {
    world.cluster.of_kind("EndpointSlice").map(|id| world.cluster.export(id)).collect()
}

#[test]
fn endpoints_follow_their_pods() {
    let mut world = World::new(ControlPlane::realistic());
    world.node("n1", "a");
    let service = world.create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080, "protocol": "TCP" }] } }));
    world.run(1.0);
    assert_eq!(slices(&world).len(), 1);
    assert_eq!(slices(&world)[0]["endpoints"], Value::Null);
    let pod = world.pod("p", "n1", 5, json!({}));
    world.run(2.0);
    let slice = slices(&world).remove(0);
    assert_eq!(slice["ports"], json!([{ "name": "", "port": 8080, "protocol": "TCP" }]));
    assert_eq!(slice["endpoints"][0]["conditions"], json!({ "ready": true, "serving": true, "terminating": false }));
    assert_eq!(slice["endpoints"][0]["zone"], "a");
    assert_eq!(slice["metadata"]["labels"]["kubernetes.io/service-name"], "web");
    world.cluster.delete_pod(pod, None);
    world.run(3.0);
    assert_eq!(
        slices(&world)[0]["endpoints"][0]["conditions"],
        json!({ "ready": false, "serving": true, "terminating": true })
    );
    world.report(pod, PodPhase::Succeeded, false);
    world.run(4.0);
    assert_eq!(slices(&world)[0]["endpoints"], Value::Null);
    world.cluster.delete(service, wavetank::cluster::Propagation::Background);
    world.run(5.0);
    assert!(slices(&world).is_empty());
}

#[test]
fn named_ports_make_slices_of_their_own() {
    let mut world = World::new(ControlPlane::realistic());
    world.node("n1", "a");
    for (name, port) in [("a", 8080), ("b", 9090), ("c", 8080)] {
        world.create(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": "web" } },
            "spec": { "nodeName": "n1", "containers": [{ "name": "c", "image": "i", "ports": [{ "name": "http", "containerPort": port, "protocol": "TCP" }] }] } }));
        let pod = world.cluster.find_pod("default", name).expect("created");
        world.report(pod, PodPhase::Running, true);
    }
    world.create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": "http" }] } }));
    world.run(1.0);
    let mut found: Vec<_> = slices(&world)
        .iter()
        .map(|slice| (slice["ports"][0]["port"].as_u64(), slice["endpoints"].as_array().map(Vec::len)))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [(Some(8080), Some(2)), (Some(9090), Some(1))]);
}
