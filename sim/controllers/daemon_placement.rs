//! On which nodes a DaemonSet wants a pod (kube-controller-manager v1.36, `NodeShouldRunDaemonPod`).
//!
//! Resources, ports and the unschedulable mark of a node do not matter here: the scheduler sees to them.

use k8s_openapi::api::core::v1::PodSpec;

use crate::api::node_selector::RequiredNodeAffinity;
use crate::api::toleration::{Taint, TaintEffect, Toleration, find_untolerated_taint};

/// What a DaemonSet wants on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaemonVerdict {
    /// Whether a pod should be created there.
    pub should_run: bool,
    /// Whether a pod that is there may stay.
    pub should_continue_running: bool,
}

/// What matters about the pods of a DaemonSet, worked out once per template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonPlacement {
    /// The one node that the template names, if it does.
    node_name: Option<String>,
    affinity: RequiredNodeAffinity,
    tolerations: Vec<Toleration>,
}

impl DaemonPlacement {
    /// The placement of a template's pods.
    pub fn of_template(spec: &PodSpec) -> DaemonPlacement {
        DaemonPlacement {
            node_name: spec.node_name.clone().filter(|name| !name.is_empty()),
            affinity: RequiredNodeAffinity::of_pod(spec),
            tolerations: daemon_tolerations(spec),
        }
    }

    /// What is wanted on the node of this name, labels and taints. A pod that is there stays if it tolerates what evicts.
    pub fn on_node<'a>(&self, name: &str, label: impl Fn(&str) -> Option<&'a str>, taints: &[Taint]) -> DaemonVerdict {
        let named = self.node_name.as_deref().is_none_or(|wanted| wanted == name);
        // A faulty affinity matches nothing.
        if !named || !self.affinity.matches(name, label).unwrap_or(false) {
            return DaemonVerdict { should_run: false, should_continue_running: false };
        }
        let tolerated = |effects: &[TaintEffect]| find_untolerated_taint(taints, &self.tolerations, effects).is_none();
        DaemonVerdict {
            should_run: tolerated(&[TaintEffect::NoExecute, TaintEffect::NoSchedule]),
            should_continue_running: tolerated(&[TaintEffect::NoExecute]),
        }
    }

    /// The tolerations of the pods, those that every daemon pod gets included.
    pub fn tolerations(&self) -> &[Toleration] {
        &self.tolerations
    }
}

/// The tolerations of a template with those that every daemon pod gets (`AddOrUpdateDaemonPodTolerations`). One that differs in
/// its seconds alone is replaced where it stands.
pub fn daemon_tolerations(spec: &PodSpec) -> Vec<Toleration> {
    let mut tolerations: Vec<Toleration> = spec.tolerations.iter().flatten().filter_map(Toleration::from_api).collect();
    let always = [
        ("node.kubernetes.io/not-ready", TaintEffect::NoExecute),
        ("node.kubernetes.io/unreachable", TaintEffect::NoExecute),
        ("node.kubernetes.io/disk-pressure", TaintEffect::NoSchedule),
        ("node.kubernetes.io/memory-pressure", TaintEffect::NoSchedule),
        ("node.kubernetes.io/pid-pressure", TaintEffect::NoSchedule),
        ("node.kubernetes.io/unschedulable", TaintEffect::NoSchedule),
    ];
    // Pods on the host's network do not wait for the node's.
    let host_network = ("node.kubernetes.io/network-unavailable", TaintEffect::NoSchedule);
    let on_host_network = spec.host_network == Some(true);
    for (key, effect) in always.into_iter().chain(on_host_network.then_some(host_network)) {
        let toleration = Toleration::exists(key, effect);
        let mut replaced = false;
        for own in tolerations.iter_mut().filter(|own| own.is_same_but_for_seconds(&toleration)) {
            own.seconds = None;
            replaced = true;
        }
        if !replaced {
            tolerations.push(toleration);
        }
    }
    tolerations
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn daemon_pods_bear_much() {
        let spec = |members: serde_json::Value| -> PodSpec {
            let mut spec = json!({ "containers": [] });
            spec.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
            serde_json::from_value(spec).expect("a pod spec")
        };
        let taint = |key: &str, effect| Taint { key: key.to_owned(), value: String::new(), effect };
        use TaintEffect::{NoExecute, NoSchedule, PreferNoSchedule};
        for (template, taints, expected, why) in [
            (json!({}), vec![], (true, true), "any node"),
            (json!({ "nodeName": "other" }), vec![], (false, false), "another node is named"),
            (json!({ "nodeSelector": { "disk": "ssd" } }), vec![], (false, false), "the labels do not match"),
            (
                json!({}),
                vec![taint("node.kubernetes.io/not-ready", NoExecute)],
                (true, true),
                "daemons bear failing nodes",
            ),
            (json!({}), vec![taint("node.kubernetes.io/unschedulable", NoSchedule)], (true, true), "and cordoned ones"),
            (json!({}), vec![taint("gpu", NoSchedule)], (false, true), "what is there may stay"),
            (json!({}), vec![taint("gpu", NoExecute)], (false, false), "what is there is evicted"),
            (json!({}), vec![taint("gpu", PreferNoSchedule)], (true, true), "a wish is no ban"),
            (
                json!({}),
                vec![taint("node.kubernetes.io/network-unavailable", NoSchedule)],
                (false, true),
                "no network yet",
            ),
            (
                json!({ "hostNetwork": true }),
                vec![taint("node.kubernetes.io/network-unavailable", NoSchedule)],
                (true, true),
                "the host's network does not matter to it",
            ),
        ] {
            let verdict = DaemonPlacement::of_template(&spec(template)).on_node("n1", |_| None, &taints);
            assert_eq!((verdict.should_run, verdict.should_continue_running), expected, "{why}");
        }
    }

    #[test]
    fn limited_tolerations_lose_their_limit() {
        let spec: PodSpec = serde_json::from_value(json!({ "containers": [], "tolerations": [
            { "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30 },
        ] }))
        .expect("a pod spec");
        let tolerations = daemon_tolerations(&spec);
        assert_eq!(tolerations.len(), 6);
        assert_eq!(tolerations[0].seconds, None);
    }
}
