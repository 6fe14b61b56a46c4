//! A scenario into runs.

use serde_json::Value;

use super::Scenario;
use super::expect::ExpectationChecker;
use crate::client::Client;
use crate::cluster::{Agenda, Cluster};
use crate::controllers::Controllers;
use crate::engine::Draws;
use crate::error::{Error, Result};
use crate::faults::Faults;
use crate::kubelet::Kubelets;
use crate::metrics::{Recorder, RecorderOptions};
use crate::scheduler::{Scheduler, SchedulerConfig, SchedulerOptions};
use crate::simulation::{Parts, Simulation};

/// The namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

impl Scenario {
    /// A run of this scenario that has not begun.
    ///
    /// # Errors
    ///
    /// If the scheduler's configuration is wrong, a node's name is taken, or a trace can no longer be read.
    pub fn build(&self) -> Result<Simulation> {
        let mut cluster = Cluster::new(self.epoch_seconds);
        let draws = Draws::new(self.seed);
        let mut namespaces: Vec<&str> = NAMESPACES.to_vec();
        let used = self.objects.iter().filter_map(|object| object["metadata"]["namespace"].as_str());
        let declared = self.objects.iter().filter(|object| object["kind"] == "Namespace");
        let declared: Vec<&str> = declared.filter_map(|object| object["metadata"]["name"].as_str()).collect();
        namespaces.extend(used.filter(|name| !declared.contains(name)));
        namespaces.sort_unstable();
        namespaces.dedup();
        for name in namespaces {
            let manifest = serde_json::json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
            });
            cluster.create_from(&manifest).map_err(Error::new)?;
        }
        cluster.metrics_api.served = self.metrics_server;
        cluster.metrics_api.declared.clone_from(&self.metrics);
        for node in &self.nodes {
            cluster.create_from(node).map_err(Error::new)?;
        }
        let sources = self.workload.iter().zip(0..).map(|(source, index)| source.open(index, &draws));
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let scheduler = Scheduler::new(scheduler_options(self.scheduler.as_ref())?);
        let parts = Parts {
            controllers: Controllers::new(&self.control_plane),
            kubelets: Kubelets::new(self.kubelet.clone(), self.models.clone()),
            client: Client::new(self.steps.clone(), sources),
            agenda: Agenda::new(draws, self.control_plane.clone()),
            faults: Faults::new(self.faults.clone()),
            scheduler,
            cluster,
        };
        Ok(Simulation::new(parts).with_samples(self.sample_period))
    }

    /// A recorder with the options of this scenario.
    pub fn recorder(&self, keep_timeline: bool) -> Recorder {
        Recorder::new(RecorderOptions { keep_timeline, sample_period: self.sample_period, warmup: self.warmup })
    }

    /// A checker of this scenario's expectations.
    pub fn checker(&self) -> ExpectationChecker {
        ExpectationChecker::new(self.expectations.clone())
    }
}

/// The scheduler that `configuration` describes, or the default one.
fn scheduler_options(configuration: Option<&Value>) -> Result<SchedulerOptions> {
    let config = configuration.map_or_else(|| Ok(SchedulerConfig::default()), SchedulerConfig::from_json);
    config.and_then(|config| config.build()).map_err(|error| error.inside("spec.scheduler").placed(None))
}
