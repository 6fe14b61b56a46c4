//! Pod specs as the scheduler reads them: lowered once per interned spec.

use k8s_openapi::api::core::v1 as core;

use super::framework::selectors::{SelectorId, Selectors};
use super::plugins::node_resources::Amounts;
use crate::api::node_selector::{NodeSelector, RequiredNodeAffinity};
use crate::api::quantity::{Format, Quantity};
use crate::api::resources::{DEFAULT_MEMORY_REQUEST, DEFAULT_MILLI_CPU_REQUEST};
use crate::api::resources::{PodLevel, PodResourcesOptions, pod_requests, scheduler_units};
use crate::api::selector::Selector;
use crate::api::toleration::{TaintEffect, Toleration};

mod affinity;
mod spread;
mod volumes;

pub use affinity::{AffinityTerm, AffinityTerms, WeightedTerm};
pub use spread::SpreadConstraint;
pub use volumes::{ClaimUse, Disk, VolumeUse};

/// What the scheduler reads of a pod spec.
#[derive(Clone, Debug)]
pub struct SchedSpec {
    /// `schedulingGates`, by name.
    pub gates: Vec<String>,
    /// `tolerations` with a known effect or none.
    pub tolerations: Vec<Toleration>,
    /// `nodeSelector` and required node affinity.
    pub required_nodes: RequiredNodeAffinity,
    /// Whether `nodeSelector` is given.
    pub has_node_selector: bool,
    /// Required node affinity as written, for narrowing the search to named nodes.
    pub node_names: NodeNames,
    /// Preferred node affinity with weights, if any is given.
    pub preferred_nodes: Option<Vec<PreferredNodes>>,
    /// Host ports of containers and sidecars.
    pub host_ports: Vec<HostPort>,
    /// `topologySpreadConstraints`.
    pub spread: Vec<SpreadConstraint>,
    /// Pod affinity and anti-affinity.
    pub affinity: AffinityTerms,
    /// Images of init containers, containers and image volumes, with their tag.
    pub images: Vec<String>,
    /// Number of init containers, containers and image volumes.
    pub n_images: i64,
    /// What the volumes concern.
    pub volumes: VolumeUse,
    /// Features that the node must declare.
    pub features: Vec<&'static str>,
    /// Requests for NodeResourcesFit's score: without pod-level resources, with the fallbacks.
    pub fit_score_requests: Amounts,
    /// Real requests, pod-level resources included.
    pub requests: Amounts,
    /// `preemptionPolicy: Never`.
    pub never_preempts: bool,
}

/// To which named nodes required node affinity confines a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeNames {
    /// Not by name.
    Any,
    /// To these.
    Only(Vec<String>),
    /// To none: every term contradicts itself.
    Conflict,
}

/// A preferred node term.
#[derive(Clone, Debug)]
pub struct PreferredNodes {
    /// The weight.
    pub weight: i64,
    /// The nodes.
    pub nodes: NodeSelector,
}

/// A host port that a pod takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The address; `0.0.0.0` for all.
    pub ip: String,
    /// `TCP`, `UDP`, `SCTP`.
    pub protocol: String,
    /// The port.
    pub port: i32,
}

impl HostPort {
    /// Whether both cannot be taken on one node (`HostPortInfo.CheckConflict`).
    pub fn conflicts(&self, other: &HostPort) -> bool {
        const ANY: &str = "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == ANY || other.ip == ANY || self.ip == other.ip)
    }
}

impl SchedSpec {
    /// Lowers a spec.
    pub fn lower(spec: &core::PodSpec, selectors: &mut Selectors) -> SchedSpec {
        let affinity = spec.affinity.as_ref();
        let node_affinity = affinity.and_then(|affinity| affinity.node_affinity.as_ref());
        let required =
            node_affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
        let preferred =
            node_affinity.and_then(|affinity| affinity.preferred_during_scheduling_ignored_during_execution.as_ref());
        let gates = spec.scheduling_gates.iter().flatten().map(|gate| gate.name.clone()).collect();
        let (images, n_images) = images(spec);
        let (requests, fit_score_requests) = requests(spec);
        SchedSpec {
            gates,
            tolerations: spec.tolerations.iter().flatten().filter_map(Toleration::from_api).collect(),
            required_nodes: RequiredNodeAffinity::of_pod(spec),
            has_node_selector: spec.node_selector.is_some(),
            node_names: required.map_or(NodeNames::Any, NodeNames::of),
            preferred_nodes: preferred.map(|terms| preferred_nodes(terms)),
            host_ports: host_ports(spec),
            spread: spec
                .topology_spread_constraints
                .iter()
                .flatten()
                .map(|constraint| SpreadConstraint::lower(constraint, selectors))
                .collect(),
            affinity: AffinityTerms::lower(affinity, selectors),
            images,
            n_images,
            volumes: VolumeUse::lower(spec),
            features: features(spec),
            fit_score_requests,
            requests,
            never_preempts: spec.preemption_policy.as_deref() == Some("Never"),
        }
    }

    /// Whether a taint with an effect that keeps pods out is not tolerated.
    pub fn has_untolerated<'a>(&self, mut taints: impl Iterator<Item = &'a crate::api::toleration::Taint>) -> bool {
        taints.any(|taint| {
            taint.effect != TaintEffect::PreferNoSchedule
                && !self.tolerations.iter().any(|toleration| toleration.tolerates(taint))
        })
    }
}

impl NodeNames {
    /// `NodeAffinity.PreFilter`: the names to which every term confines itself by `metadata.name In`.
    fn of(selector: &core::NodeSelector) -> NodeNames {
        let mut names: Vec<String> = Vec::new();
        if selector.node_selector_terms.is_empty() {
            return NodeNames::Any;
        }
        for term in &selector.node_selector_terms {
            let mut own: Option<Vec<String>> = None;
            for field in term.match_fields.iter().flatten() {
                if field.key == "metadata.name" && field.operator == "In" {
                    let values = field.values.clone().unwrap_or_default();
                    own = Some(match own {
                        None => values,
                        Some(before) => before.into_iter().filter(|name| values.contains(name)).collect(),
                    });
                }
            }
            let Some(own) = own else { return NodeNames::Any };
            names.extend(own);
        }
        names.sort();
        names.dedup();
        if names.is_empty() { NodeNames::Conflict } else { NodeNames::Only(names) }
    }
}

/// Terms without weight or conditions prefer nothing (`NewPreferredSchedulingTerms`).
pub fn preferred_nodes(terms: &[core::PreferredSchedulingTerm]) -> Vec<PreferredNodes> {
    let lower = |term: &core::PreferredSchedulingTerm| PreferredNodes {
        weight: i64::from(term.weight),
        nodes: NodeSelector::from_api(&core::NodeSelector { node_selector_terms: vec![term.preference.clone()] }),
    };
    terms.iter().filter(|term| term.weight != 0).map(lower).collect()
}

/// The ports of containers and sidecars on their node (`schedutil.GetHostPorts`).
fn host_ports(spec: &core::PodSpec) -> Vec<HostPort> {
    let sidecars = spec.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let ports = spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
    let or = |text: &Option<String>, default: &str| match text.as_deref() {
        None | Some("") => default.to_owned(),
        Some(text) => text.to_owned(),
    };
    ports
        .filter(|port| port.host_port.unwrap_or(0) > 0)
        .map(|port| HostPort {
            ip: or(&port.host_ip, "0.0.0.0"),
            protocol: or(&port.protocol, "TCP"),
            port: port.host_port.unwrap_or(0),
        })
        .collect()
}

fn images(spec: &core::PodSpec) -> (Vec<String>, i64) {
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let volumes = spec.volumes.iter().flatten().filter_map(|volume| volume.image.as_ref());
    let images: Vec<&str> = containers
        .map(|container| container.image.as_deref().unwrap_or_default())
        .chain(volumes.map(|image| image.reference.as_deref().unwrap_or_default()))
        .collect();
    (images.iter().map(|image| normalized_image(image)).collect(), images.len() as i64)
}

/// The name with the tag that the kubelet reports (`normalizedImageName`).
pub fn normalized_image(name: &str) -> String {
    let has_tag = match (name.rfind(':'), name.rfind('/')) {
        (Some(colon), Some(slash)) => colon > slash,
        (colon, None) => colon.is_some(),
        (None, Some(_)) => false,
    };
    if has_tag { name.to_owned() } else { format!("{name}:latest") }
}

/// Real requests, and those that NodeResourcesFit scores.
fn requests(spec: &core::PodSpec) -> (Amounts, Amounts) {
    let pod = core::Pod { spec: Some(spec.clone()), ..core::Pod::default() };
    let real = pod_requests(&pod, &PodResourcesOptions::default());
    let mut options = PodResourcesOptions { pod_level: PodLevel::Skipped, ..PodResourcesOptions::default() };
    options.missing_requests.insert("cpu".to_owned(), Quantity::from_milli(DEFAULT_MILLI_CPU_REQUEST));
    options
        .missing_requests
        .insert("memory".to_owned(), Quantity::from_value(DEFAULT_MEMORY_REQUEST, Format::DecimalSI));
    let scored = pod_requests(&pod, &options);
    let amounts = |list| Amounts::new(scheduler_units(list).into_iter().collect());
    (amounts(&real), amounts(&scored))
}

/// The features of component-helpers/nodedeclaredfeatures v1.36 that a new pod can need.
fn features(spec: &core::PodSpec) -> Vec<&'static str> {
    let mut features = Vec::new();
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let restarts_all = |container: &core::Container| {
        container.restart_policy_rules.iter().flatten().any(|rule| rule.action == "RestartAllContainers")
    };
    if containers.into_iter().any(restarts_all) {
        features.push("RestartAllContainersOnContainerExits");
    }
    if spec.host_network == Some(true) && spec.host_users == Some(false) {
        features.push("UserNamespacesHostNetworkSupport");
    }
    features
}

/// The interned selector of the API; one that cannot be read selects nothing.
fn intern_selector(
    selector: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>,
    selectors: &mut Selectors,
) -> SelectorId {
    selectors.intern(Selector::from_label_selector(selector).unwrap_or_else(|_| Selector::nothing()))
}
