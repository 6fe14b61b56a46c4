//! A seed into a scenario: a small cluster, a few workloads, and a time of trouble that ends.
//!
//! Every scenario can converge: what runs in the end fits twice into the cluster, every fault ends, every node is uncordoned, every
//! bad image is replaced. What is drawn beyond that is meant to be nasty.

use serde_json::{Value, json};

use super::dice::Dice;
use super::trouble;
use super::workloads::{Workload, workload};

/// Virtual seconds after the end of the troubles within which everything must have come to rest.
///
/// The longest waits of Kubernetes that can follow one another: a container in back-off (300 s), a node's return and the tolerations of
/// its pods (50 s + 5 s + 300 s), a rollout that waits for both on every replica, and a Job's back-off (600 s).
pub const CONVERGENCE_SECONDS: u64 = 3600;

/// A scenario of the swarm.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its seed.
    pub seed: u64,
    /// Its documents, the Scenario first.
    pub documents: Vec<Value>,
    /// Whether nothing happens in it but rollouts that cannot fail: then no service may ever have too few pods.
    pub calm: bool,
    /// When the last trouble ends, in seconds.
    pub trouble_ends: u64,
    /// Names of workloads whose containers go on failing: they need not be ready in the end.
    pub flaky: Vec<String>,
}

/// The cluster of a case.
pub(super) struct Shape {
    pub(super) n_nodes: u64,
    pub(super) zones: Vec<&'static str>,
}

/// Milli-CPU of a node.
const NODE_MILLI_CPU: u64 = 4000;

/// The scenario of a seed.
pub fn generate(seed: u64) -> Case {
    let mut dice = Dice::new(seed);
    let calm = dice.chance(25);
    let n_nodes = dice.between(2, 6);
    let n_zones = dice.between(1, n_nodes.min(3)) as usize;
    let shape = Shape { n_nodes, zones: ["a", "b", "c"][..n_zones].to_vec() };
    let n_workloads = dice.between(1, 5);
    // Half of the cluster on average; the fuller ones make the scheduler preempt while a rollout surges.
    let budget = shape.n_nodes * NODE_MILLI_CPU * dice.between(2, 8) / 10 / n_workloads;
    let workloads: Vec<Workload> = (0..n_workloads).map(|index| workload(index, budget, calm, &mut dice)).collect();
    let trouble_ends = 60 * dice.between(8, 25);
    let steps = trouble::steps(&shape, &workloads, calm, trouble_ends, &mut dice);
    let scenario = json!({
        "apiVersion": "wavetank.dev/v1alpha1", "kind": "Scenario", "metadata": { "name": format!("swarm-{seed}") },
        "spec": {
            "seed": seed,
            "horizon": format!("{}s", trouble_ends + CONVERGENCE_SECONDS),
            "cluster": {
                "nodePools": [{
                    "name": "node", "count": shape.n_nodes, "zones": shape.zones,
                    "capacity": { "cpu": format!("{NODE_MILLI_CPU}m"), "memory": "16Gi", "pods": "110" },
                }],
                "controlPlane": { "profile": dice.pick(&["ideal", "realistic"]) },
            },
            "models": models(&workloads, calm, &mut dice),
            "steps": steps,
        },
    });
    let classes = json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": "important" }, "value": 1000 });
    let flaky = workloads.iter().filter(|workload| workload.flaky).map(|workload| workload.name.clone()).collect();
    let objects = workloads.into_iter().flat_map(|workload| workload.objects);
    Case { seed, documents: [scenario, classes].into_iter().chain(objects).collect(), calm, trouble_ends, flaky }
}

impl Case {
    /// The case as a file that `wavetank run` reads.
    pub fn to_yaml(&self) -> String {
        let mut text = format!("# wavetank swarm --seed {} --print\n", self.seed);
        for document in &self.documents {
            text.push_str("---\n");
            // A value made of maps, lists, texts and numbers is always written.
            text.push_str(&serde_yaml::to_string(document).unwrap_or_default());
        }
        text
    }
}

fn models(workloads: &[Workload], calm: bool, dice: &mut Dice) -> Vec<Value> {
    let mut models = vec![json!({ "match": { "image": "bad" }, "image": { "error": true } })];
    for workload in workloads {
        let startup = *dice.pick(&["0s", "500ms", "2s", "8s"]);
        let stop = *dice.pick(&["0s", "300ms", "1s", "5s", "40s"]);
        let mut model = json!({
            "match": { "labels": { "app": workload.name } },
            "image": { "size": "50Mi" }, "startup": startup, "stop": { "after": stop },
        });
        if dice.chance(30) {
            model["startup"] = json!({ "lognormal": { "median": "2s", "p99": "15s" } });
        }
        if let Some(run) = workload.run_seconds {
            model["run"] =
                json!({ "uniform": { "min": format!("{}s", run.div_ceil(2)), "max": format!("{}s", run * 2) } });
            if dice.chance(40) {
                model["exit"] = json!({ "code": 1, "after": "5s", "probability": 0.2 });
            }
        } else if workload.flaky {
            model["exit"] = json!({ "code": 1, "after": { "exponential": { "mean": "3m" } }, "probability": 0.5 });
        }
        if workload.run_seconds.is_none() && !calm && dice.chance(30) {
            let window =
                json!({ "at": format!("{}s", dice.between(30, 400)), "for": format!("{}s", dice.between(1, 60)) });
            model["probes"] = json!({ *dice.pick(&["readiness", "liveness"]): { "failAt": [window] } });
        }
        models.push(model);
    }
    models
}
