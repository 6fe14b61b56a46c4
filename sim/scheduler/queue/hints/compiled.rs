//! What the hints read of a pod's spec, compiled once per spec and labels.

use k8s_openapi::api::core::v1 as core;

use crate::api::node_selector::RequiredNodeAffinity;
use crate::api::selector::{Operator, Requirement, Selector};
use crate::api::toleration::Toleration;

/// What the hints read of a pod.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// `nodeSelector` and required node affinity.
    pub node_affinity: RequiredNodeAffinity,
    /// `tolerations`.
    pub tolerations: Vec<Toleration>,
    /// Required pod affinity.
    pub affinity: Vec<Term>,
    /// Required pod anti-affinity.
    pub anti_affinity: Vec<Term>,
    /// Topology spread constraints that must hold.
    pub spread: Vec<Spread>,
    /// Ports of the host: address, protocol, number.
    pub host_ports: Vec<(String, String, i32)>,
    /// Names of the claims its volumes name.
    pub claims: Vec<String>,
    /// Names of its ephemeral volumes: their claims are named after pod and volume.
    pub ephemeral: Vec<String>,
    /// Whether it uses disks that only one pod may write to.
    pub has_exclusive_disks: bool,
}

/// A required term of pod affinity or anti-affinity.
#[derive(Clone, Debug)]
pub struct Term {
    /// Which pods.
    pub selector: Selector,
    /// In these namespaces; with no namespace selector either: in the pod's own.
    pub namespaces: Vec<String>,
    /// And in the namespaces with these labels.
    pub namespace_selector: Option<Selector>,
    /// On nodes alike in this label.
    pub topology_key: String,
}

/// A topology spread constraint.
#[derive(Clone, Debug)]
pub struct Spread {
    /// Which pods are counted.
    pub selector: Selector,
    /// Over which label of nodes.
    pub topology_key: String,
}

impl Compiled {
    /// Compiles a spec; `label` gives the pod's own labels.
    pub fn new(spec: &core::PodSpec, label: impl Fn(&str) -> Option<String>) -> Compiled {
        let affinity = spec.affinity.as_ref();
        let terms = |terms: Option<&Vec<core::PodAffinityTerm>>| terms.into_iter().flatten().map(Term::new).collect();
        let required = affinity.and_then(|affinity| affinity.pod_affinity.as_ref());
        let anti = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
        let constraints = spec.topology_spread_constraints.iter().flatten();
        let volumes = || spec.volumes.iter().flatten();
        Compiled {
            node_affinity: RequiredNodeAffinity::of_pod(spec),
            tolerations: spec.tolerations.iter().flatten().filter_map(Toleration::from_api).collect(),
            affinity: terms(required.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref())),
            anti_affinity: terms(anti.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref())),
            spread: constraints
                .filter(|constraint| constraint.when_unsatisfiable == "DoNotSchedule")
                .map(|constraint| Spread::new(constraint, &label))
                .collect(),
            host_ports: host_ports(spec),
            claims: volumes()
                .filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone()))
                .collect(),
            ephemeral: volumes()
                .filter(|volume| volume.ephemeral.is_some())
                .map(|volume| volume.name.clone())
                .collect(),
            has_exclusive_disks: volumes().any(|volume| {
                volume.gce_persistent_disk.is_some()
                    || volume.aws_elastic_block_store.is_some()
                    || volume.rbd.is_some()
                    || volume.iscsi.is_some()
            }),
        }
    }

    /// Whether one of its volumes uses the claim of this name.
    pub fn uses_claim(&self, name: &str) -> bool {
        let is_ephemeral = |volume: &String| name.strip_suffix(volume.as_str()).is_some_and(|pod| pod.ends_with('-'));
        self.claims.iter().any(|claim| claim == name) || self.ephemeral.iter().any(is_ephemeral)
    }
}

impl Term {
    fn new(term: &core::PodAffinityTerm) -> Term {
        let compile = |selector| Selector::from_label_selector(Some(selector)).unwrap_or_else(|_| Selector::nothing());
        Term {
            selector: term.label_selector.as_ref().map_or_else(Selector::nothing, compile),
            namespaces: term.namespaces.clone().unwrap_or_default(),
            namespace_selector: term.namespace_selector.as_ref().map(compile),
            topology_key: term.topology_key.clone(),
        }
    }
}

impl Spread {
    fn new(constraint: &core::TopologySpreadConstraint, label: impl Fn(&str) -> Option<String>) -> Spread {
        let selector = Selector::from_label_selector(constraint.label_selector.as_ref());
        let own = constraint
            .match_label_keys
            .iter()
            .flatten()
            .filter_map(|key| Requirement::new(key, Operator::In, vec![label(key)?]).ok());
        Spread {
            selector: selector.unwrap_or_else(|_| Selector::nothing()).with(own),
            topology_key: constraint.topology_key.clone(),
        }
    }
}

/// The ports of the host that a pod's containers take.
pub fn host_ports(spec: &core::PodSpec) -> Vec<(String, String, i32)> {
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let ports = sidecars.chain(&spec.containers).flat_map(|container| container.ports.iter().flatten());
    ports
        .filter_map(|port| {
            let number = port.host_port.filter(|&number| number > 0)?;
            let address = port.host_ip.clone().filter(|ip| !ip.is_empty()).unwrap_or_else(|| "0.0.0.0".to_owned());
            Some((address, port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()), number))
        })
        .collect()
}

/// Whether two ports of the host cannot be had together: `0.0.0.0` stands for every address.
pub fn ports_conflict(a: &(String, String, i32), b: &(String, String, i32)) -> bool {
    (&a.1, a.2) == (&b.1, b.2) && (a.0 == b.0 || a.0 == "0.0.0.0" || b.0 == "0.0.0.0")
}
