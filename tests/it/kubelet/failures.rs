//! Nodes that fall silent and come back.

use serde_json::json;
use wavetank::cluster::{ControlPlane, KubeletHealth};
use wavetank::engine::Time;
use wavetank::kubelet::KubeletOptions;

use super::bench::{Bench, spec};

#[test]
fn a_partitioned_node_goes_on_and_tells_later() {
    let mut bench = Bench::ideal(json!([{"run": "50s"}]));
    let node = bench.cluster.find_node("n").expect("a node");
    let pod = bench.pod("p", spec(json!({"restartPolicy": "Never"})));
    let deleted = bench.pod("q", spec(json!({})));
    bench.run_to(10.0);
    bench.cluster.set_kubelet_health(node, KubeletHealth::Partitioned { since: Time::from_secs(10) });
    bench.cluster.delete_pod(deleted, None);
    bench.run_to(100.0);
    assert!(bench.line(pod).contains("Running ready"), "{}", bench.line(pod));
    bench.cluster.set_kubelet_health(node, KubeletHealth::Running);
    bench.run_to(200.0);
    assert!(bench.timeline("p").ends_with("100 Succeeded - Completed(0)\n"), "{}", bench.timeline("p"));
    assert!(bench.timeline("q").trim_end().ends_with("gone"), "{}", bench.timeline("q"));
    assert_eq!(bench.cluster.node(node).last_heartbeat(Time::from_secs(125)), Time::from_secs(120));
}

#[test]
fn a_machine_that_was_down_starts_everything_again() {
    let mut bench = Bench::ideal(json!([]));
    let node = bench.cluster.find_node("n").expect("a node");
    bench.pod("p", spec(json!({})));
    bench.run_to(10.0);
    bench.cluster.set_kubelet_health(node, KubeletHealth::Down { since: Time::from_secs(10) });
    bench.run_to(100.0);
    bench.cluster.set_kubelet_health(node, KubeletHealth::Running);
    bench.run_to(200.0);
    assert!(bench.timeline("p").ends_with("100 Running ready running#1\n"), "{}", bench.timeline("p"));
}

#[test]
fn the_kubelet_of_recordings_does_as_described() {
    let mut bench = Bench::new(KubeletOptions::fake(), ControlPlane::ideal(), json!([]));
    let job = spec(json!({"restartPolicy": "OnFailure"}));
    let annotations = json!({"wavetank.dev/run": "2", "wavetank.dev/exit-code": "1", "wavetank.dev/startup": "1"});
    let pod = bench.annotated("work", annotations, job);
    bench.run_to(16.0);
    bench.cluster.delete_pod(pod, None);
    bench.run_to(20.0);
    let want = "0 Pending - ContainerCreating\n1 Running ready running\n3 Running ready running#1\n5 Running - CrashLoopBackOff#1\n\
                15 Running ready running#2\n16.5 Failed - Error(143)#2\n16.5 Failed - Error(143)#2 gone\n";
    assert_eq!(bench.timeline("work").replace("0 Pending - \n", ""), want);

    let broken = bench.annotated("broken", json!({"wavetank.dev/image-error": "true"}), spec(json!({})));
    bench.run_to(30.0);
    bench.cluster.delete_pod(broken, None);
    bench.run_to(40.0);
    let want = "20 Pending - ImagePullBackOff\n30 Failed - ContainerStatusUnknown(137)\n30 Failed - ContainerStatusUnknown(137) gone\n";
    assert_eq!(bench.timeline("broken").replace("20 Pending - \n", ""), want);

    let node = bench.cluster.find_node("n").expect("a node");
    let annotations = json!({"wavetank.dev/ready-after": "2", "wavetank.dev/stop": "3"});
    let web = bench.annotated("web", annotations, spec(json!({})));
    bench.run_to(50.0);
    bench.cluster.set_kubelet_health(node, KubeletHealth::Down { since: Time::from_secs(50) });
    bench.cluster.delete_pod(web, None);
    bench.run_to(100.0);
    bench.cluster.set_kubelet_health(node, KubeletHealth::Running);
    bench.run_to(110.0);
    let want = "40 Pending - ContainerCreating\n41 Running - running\n43 Running ready running\n103 Succeeded - Completed(0)\n\
                103 Succeeded - Completed(0) gone\n";
    assert_eq!(bench.timeline("web").replace("40 Pending - \n", ""), want);
}
