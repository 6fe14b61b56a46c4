//! Autoscalers on modelled usage: the scenario of a spike to the second, declared metrics, and runs that end when all is said.

use std::io::Write;

use wavetank::cluster::objects::{Deployment, HorizontalPodAutoscaler};
use wavetank::cluster::{Change, Cluster, ObjectRef, Observer, What};
use wavetank::engine::Time;
use wavetank::scenario::{LoadOptions, Scenario, load};

use crate::scenarios::{folder, scenario};

/// `spec.replicas` of the one Deployment, whenever it changes.
#[derive(Default)]
struct Sizes(Vec<(u64, i32)>);

impl Observer for Sizes {
    fn change(&mut self, at: Time, _: u32, _: u32, change: Change, cluster: &Cluster) {
        if let (ObjectRef::Object(id), What::Spec) = (change.object, change.what)
            && let Some(deployment) = cluster.try_get::<Deployment>(id)
        {
            self.0.push((at.as_secs(), deployment.replicas));
        }
    }
}

fn parse(text: &str) -> Scenario {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scenario.yaml");
    std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
    let loaded = load(&[path], &LoadOptions::default());
    loaded.unwrap_or_else(|errors| panic!("{errors:?}")).scenario
}

fn run(scenario: &Scenario) -> (Vec<(u64, i32)>, wavetank::simulation::Simulation, &'static str) {
    let mut simulation = scenario.build().expect("a run").with_checks();
    let mut sizes = Sizes::default();
    let ended = simulation.run(scenario.horizon, scenario.until_settled, &mut [&mut sizes]).expect("an end");
    (sizes.0, simulation, ended.as_str())
}

#[test]
fn a_spike_is_followed_and_its_decay_waits_for_the_window() {
    let (sizes, simulation, _) = run(&scenario(&folder().join("autoscaling.yaml")));
    // The arithmetic stands in the scenario.
    assert_eq!(sizes, [(615, 4), (630, 8), (645, 10), (1500, 2)]);
    let cluster = &simulation.cluster;
    let id = cluster.of_kind("HorizontalPodAutoscaler").next().expect("an autoscaler");
    let reason = |kind: &str| {
        let kind = cluster.interner.find(kind)?;
        let condition = cluster.get::<HorizontalPodAutoscaler>(id).conditions.get(kind)?;
        Some(cluster.interner.text(condition.reason))
    };
    assert_eq!(reason("ScalingActive"), Some("ValidMetricFound"));
    assert_eq!(reason("AbleToScale"), Some("ReadyForNewScale"));
    let node_usage: i64 =
        cluster.nodes().filter_map(|(_, node)| cluster.metrics_api.node(node)).map(|used| used.0).sum();
    assert_eq!(node_usage, 200, "what metrics-server shows of all nodes is the load");
}

const TARGET: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: 1
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: c, image: 'worker:1'}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: worker}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: worker}
  minReplicas: 1
  maxReplicas: 10
  metrics:
";

#[test]
fn declared_metrics_are_served() {
    for (declared, metric, expected) in [
        // 40 messages at 10 each.
        (
            "- {external: queue, labels: {q: a}, value: {steps: [{at: 61s, value: 40}]}}",
            "- {type: External, external: {metric: {name: queue, selector: {matchLabels: {q: a}}}, target: {type: AverageValue, averageValue: 10}}}",
            vec![(75, 4)],
        ),
        // 90 requests per second by all pods, 30 each: 3.
        (
            "- {pods: hits, match: {labels: {app: worker}}, shared: {steps: [{at: 61s, value: 90}]}}",
            "- {type: Pods, pods: {metric: {name: hits}, target: {type: AverageValue, averageValue: 30}}}",
            vec![(75, 3)],
        ),
        // Twice the target: twice the ready pods, again and again, because the value does not fall.
        (
            "- {object: hits, of: deployment/worker, value: {steps: [{at: 61s, value: 20}, {at: 100s, value: 10}]}}",
            "- {type: Object, object: {metric: {name: hits}, describedObject: {kind: Deployment, name: worker}, target: {type: Value, value: 10}}}",
            vec![(75, 2), (90, 4)],
        ),
    ] {
        let head = format!(
            "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nspec:\n  horizon: 3m\n  metrics:\n    {declared}\n  cluster:\n    nodePools:\n      - {{name: node, count: 1, images: {{'worker:1': 1Mi}}}}\n---"
        );
        let (sizes, ..) = run(&parse(&format!("{head}{TARGET}    {metric}\n")));
        assert_eq!(sizes, expected, "{declared}");
    }
}

#[test]
fn without_metrics_server_nothing_is_scaled_and_the_condition_says_why() {
    let head =
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nspec: {horizon: 2m, cluster: {metricsServer: false}}\n---";
    let metric = "- {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1Gi}}}";
    let (sizes, simulation, _) = run(&parse(&format!("{head}{TARGET}    {metric}\n")));
    assert!(sizes.is_empty());
    let cluster = &simulation.cluster;
    let id = cluster.of_kind("HorizontalPodAutoscaler").next().expect("an autoscaler");
    let kind = cluster.interner.find("ScalingActive").expect("a condition");
    let condition = cluster.get::<HorizontalPodAutoscaler>(id).conditions.get(kind).expect("a condition");
    assert_eq!(cluster.interner.text(condition.reason), "FailedGetResourceMetric");
    let message = cluster.interner.text(condition.message);
    assert!(
        message.ends_with("the server could not find the requested resource (get pods.metrics.k8s.io)"),
        "{message}"
    );
}

#[test]
fn a_run_is_settled_when_only_timers_are_left_that_change_nothing() {
    let deployment = |cpu: &str| {
        format!(
            "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nspec: {{until: settled, horizon: 30m}}\n---\n\
             apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  \
             template:\n    metadata: {{labels: {{a: b}}}}\n    spec: {{containers: [{{name: c, image: i, resources: {{requests: {{cpu: {cpu}}}}}}}]}}\n"
        )
    };
    let (_, simulation, ended) = run(&parse(&deployment("100m")));
    assert_eq!(ended, "settled");
    assert!(
        simulation.now() < Time::from_secs(60),
        "a rollout that is over does not wait for its deadline: {}",
        simulation.now()
    );
    // A pod that fits nowhere keeps the rollout open until its deadline of 600 s; the retries of the scheduler keep nothing open.
    let (_, simulation, ended) = run(&parse(&deployment("\"64\"")));
    assert_eq!(ended, "settled");
    assert!((600..605).contains(&simulation.now().as_secs()), "{}", simulation.now());
}
