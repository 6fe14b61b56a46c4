//! How the containers of one pod behave: rules and annotations resolved, shared by all pods alike.

use std::collections::BTreeMap;

use super::annotations::{Annotated, AnnotationWarning};
use super::{ExitModel, HookModel, Match, ModelRule, Models, ProbeModel, StopModel, Usage, UsageModel};
use crate::cluster::{Cluster, ObjectRef, PodId};
use crate::engine::{Distribution, Span};
use crate::kubelet::images::normalized;
use crate::kubelet::shape::{ContainerKind, PodShape};

/// How the containers of a pod behave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// By container: init containers first.
    pub containers: Vec<ContainerModel>,
    /// What is written to each `emptyDir` volume, in the order of [`PodShape::empty_dirs`].
    pub volumes: Vec<Option<Usage>>,
    /// The inodes that it takes there, in the same order.
    pub volume_inodes: Vec<Option<Usage>>,
    /// Annotations that could not be read.
    pub warnings: Vec<AnnotationWarning>,
}

/// How one container behaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerModel {
    /// Size of its image in bytes.
    pub image_size: Option<Distribution>,
    /// Pulls of its image fail.
    pub image_error: bool,
    /// From the first step of the sandbox until it runs.
    pub startup: Option<Distribution>,
    /// When it exits by itself.
    pub exits: Exits,
    /// How startup probes are answered.
    pub startup_probe: ProbeModel,
    /// How readiness probes are answered.
    pub readiness: ProbeModel,
    /// How liveness probes are answered.
    pub liveness: ProbeModel,
    /// How it reacts to the stop signal.
    pub stop: StopModel,
    /// How long its hooks take.
    pub hooks: HookModel,
    /// What it uses.
    pub usage: UsageModel,
}

/// When a container exits by itself, and with which code.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exits {
    /// How long it runs; `None` is forever.
    pub run: Option<Distribution>,
    /// Codes of the first, second, ... run; the last one stays; 0 if there is none.
    pub codes: Vec<i32>,
    /// A failure after this time in this share of the runs.
    pub failure: Option<(Distribution, f64)>,
}

impl Exits {
    /// The exit code of the `n`-th run, counted from 0.
    pub fn code(&self, n: u32) -> i32 {
        let idx = (n as usize).min(self.codes.len().saturating_sub(1));
        self.codes.get(idx).copied().unwrap_or(0)
    }
}

/// The pod that rules are matched with.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The store.
    pub cluster: &'a Cluster,
    /// The pod.
    pub pod: PodId,
}

impl Models {
    /// Whether rules look at names or kinds, so that pods with equal specs and labels may behave differently.
    pub fn look_at_names(&self) -> bool {
        self.rules.iter().any(|rule| rule.selects.kind.is_some() || rule.selects.name.is_some())
    }

    /// How the containers of a pod behave.
    pub fn resolve(&self, subject: Subject<'_>, shape: &PodShape) -> Behaviour {
        let cluster = subject.cluster;
        let mut warnings = Vec::new();
        let entries = cluster.interner.entries(cluster.pod(subject.pod).meta.annotations);
        let annotated = Annotated::read(entries, &mut warnings);
        let rules: Vec<&ModelRule> = self.rules.iter().filter(|rule| rule.selects.pod(subject)).collect();
        let containers = shape.containers.iter().map(|container| {
            let (name, image) = (cluster.interner.text(container.name), cluster.interner.text(container.image));
            // A rule about the pod as a whole says nothing of its init containers: those run to completion.
            let named = |rule: &&&ModelRule| rule.selects.image.is_some() || rule.selects.container.is_some();
            let mut rules = rules.iter().filter(|rule| container.kind == ContainerKind::Regular || named(rule));
            let mut model = match rules.find(|rule| rule.selects.container(name, image)) {
                Some(rule) => ContainerModel::of(rule),
                None => ContainerModel::default(),
            };
            match container.kind {
                ContainerKind::Init if model.exits.run.is_none() => {
                    model.exits.run = Some(Distribution::constant(Span::ZERO));
                }
                ContainerKind::Init | ContainerKind::Sidecar => {}
                ContainerKind::Regular => annotated.apply(&mut model),
            }
            model
        });
        let containers: Vec<ContainerModel> = containers.collect();
        // What any of its containers is said to write.
        let of_volumes = |usage: fn(&UsageModel) -> &BTreeMap<String, Usage>| {
            let volumes = shape.empty_dirs.iter().map(|volume| {
                let name = cluster.interner.text(volume.name);
                containers.iter().find_map(|model| usage(&model.usage).get(name).cloned())
            });
            volumes.collect()
        };
        let (volumes, volume_inodes) = (of_volumes(|usage| &usage.volumes), of_volumes(|usage| &usage.volume_inodes));
        Behaviour { volumes, volume_inodes, containers, warnings }
    }
}

impl ContainerModel {
    fn of(rule: &ModelRule) -> ContainerModel {
        let ExitModel { codes, after, probability } = rule.exit.clone();
        let failure = match (after, probability) {
            (Some(after), Some(share)) => Some((after, share)),
            (Some(after), None) => Some((after, 1.0)),
            (None, _) => None,
        };
        // A model that says how it fails and nothing else fails with code 1.
        let codes = if codes.is_empty() && failure.is_some() { vec![1] } else { codes };
        ContainerModel {
            image_size: rule.image_size.clone(),
            image_error: rule.image_error,
            startup: rule.startup.clone(),
            exits: Exits { run: rule.run.clone(), codes, failure },
            startup_probe: rule.probes.startup.clone(),
            readiness: rule.probes.readiness.clone(),
            liveness: rule.probes.liveness.clone(),
            stop: rule.stop.clone(),
            hooks: rule.hooks.clone(),
            usage: rule.usage.clone(),
        }
    }
}

impl Match {
    fn pod(&self, subject: Subject<'_>) -> bool {
        let Subject { cluster, pod } = subject;
        let labels = cluster.pod(pod).meta.labels;
        let namespace = self.namespace.as_deref().is_none_or(|namespace| namespace == cluster.namespace(pod));
        let has = |(key, value): (&String, &String)| cluster.label(labels, key) == Some(value.as_str());
        namespace && self.labels.iter().all(has) && self.owners(subject)
    }

    /// Whether the pod or one of its owners has the kind and name asked for.
    fn owners(&self, Subject { cluster, pod }: Subject<'_>) -> bool {
        if self.kind.is_none() && self.name.is_none() {
            return true;
        }
        let is = |object: ObjectRef| {
            let kind = self.kind.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case(cluster.kind(object)));
            kind && self.name.as_deref().is_none_or(|name| name == cluster.name(object))
        };
        // Pod, ReplicaSet, Deployment; or Pod, Job, CronJob. Owners of the input may form a circle: a few steps suffice.
        let owners = std::iter::successors(Some(ObjectRef::Pod(pod)), |&object| cluster.controller_of(object));
        owners.take(8).any(is)
    }

    fn container(&self, name: &str, image: &str) -> bool {
        let by_image = self.image.as_deref().is_none_or(|wanted| {
            let (wanted_full, image) = (normalized(wanted), normalized(image));
            let untagged = wanted_full.strip_suffix(":latest").filter(|_| !wanted.ends_with(":latest"));
            match untagged {
                Some(repository) => {
                    let rest = image.strip_prefix(repository);
                    rest.is_some_and(|rest| rest.starts_with(':') || rest.starts_with('@'))
                }
                None => wanted_full == image,
            }
        });
        by_image && self.container.as_deref().is_none_or(|wanted| wanted == name)
    }
}
