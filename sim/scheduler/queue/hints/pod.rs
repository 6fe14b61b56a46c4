//! Hints about pods: those that have a node, and the waiting pod itself.

use super::Asked;
use super::compiled::{Compiled, Term, host_ports, ports_conflict};
use super::node::cordon_taint;
use crate::cluster::{LabelsId, PodId, Sym};
use crate::scheduler::framework::names::PluginName;
use crate::scheduler::queue::cluster_event::{Actions, ClusterEvent, Old};

impl Asked<'_> {
    /// The hint of `plugin` about a change of an assigned pod.
    pub(super) fn assigned_pod_helps(&self, plugin: PluginName, event: &ClusterEvent, other: PodId) -> bool {
        let gone = event.action == Actions::DELETE;
        match plugin {
            PluginName::NodeResourcesFit => gone || self.scaled_down(event, other),
            PluginName::NodePorts => {
                let freed = host_ports(&self.cluster.spec_of(other).typed);
                freed.iter().any(|port| self.compiled.host_ports.iter().any(|own| ports_conflict(own, port)))
            }
            PluginName::PodTopologySpread => self.changes_spread(event, other),
            PluginName::InterPodAffinity => self.changes_affinity(event, other),
            PluginName::VolumeRestrictions => self.frees_exclusive_volume(other),
            PluginName::NodeVolumeLimits => {
                let volumes = self.cluster.spec_of(other).typed.volumes.iter().flatten();
                volumes.into_iter().any(|volume| volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some())
            }
            _ => true,
        }
    }

    /// The hint of `plugin` about an update of the waiting pod itself.
    pub(super) fn own_update_helps(&self, plugin: PluginName, event: &ClusterEvent) -> bool {
        match plugin {
            PluginName::SchedulingGates => !self.cluster.spec_of(self.pod).gated,
            PluginName::NodeUnschedulable => {
                self.compiled.tolerations.iter().any(|toleration| toleration.tolerates(&cordon_taint()))
            }
            PluginName::PodTopologySpread => match &event.old {
                Some(Old::PodLabels(old)) => {
                    let now = self.cluster.pod(self.pod).meta.labels;
                    self.compiled.spread.is_empty() || self.is_spread_with(*old) != self.is_spread_with(now)
                }
                _ => true,
            },
            _ => true,
        }
    }

    /// NodeResourcesFit: a pod now requests less of something that the waiting pod requests.
    fn scaled_down(&self, event: &ClusterEvent, other: PodId) -> bool {
        let Some(Old::PodResources(old)) = &event.old else { return true };
        let now = self.cluster.resources_of(other);
        let requests = &self.cluster.resources_of(self.pod).requests;
        requests.iter().any(|&(resource, _)| now.request(resource) < old.request(resource))
    }

    /// PodTopologySpread: a counted pod came, went, or changed whether it is counted.
    fn changes_spread(&self, event: &ClusterEvent, other: PodId) -> bool {
        let meta = &self.cluster.pod(other).meta;
        if meta.namespace != self.namespace {
            return false;
        }
        match &event.old {
            _ if self.compiled.spread.is_empty() => true,
            Some(Old::PodLabels(old)) if event.action != Actions::DELETE => {
                self.is_spread_with(*old) != self.is_spread_with(meta.labels)
            }
            _ => self.is_spread_with(meta.labels),
        }
    }

    fn is_spread_with(&self, labels: LabelsId) -> bool {
        let label = |key: &str| self.cluster.label(labels, key);
        self.compiled.spread.iter().any(|constraint| constraint.selector.matches(label))
    }

    /// InterPodAffinity: a pod came that is wanted, one went that was shunned or that shunned this one.
    fn changes_affinity(&self, event: &ClusterEvent, other: PodId) -> bool {
        let (labels, namespace) = {
            let meta = &self.cluster.pod(other).meta;
            (meta.labels, meta.namespace)
        };
        let (wanted, shunned) = (&self.compiled.affinity, &self.compiled.anti_affinity);
        let matches = |terms: &[Term], labels| self.matches_all(terms, labels, namespace, self.namespace);
        match &event.old {
            Some(Old::PodLabels(old)) if event.action != Actions::DELETE => {
                (!matches(wanted, *old) && matches(wanted, labels))
                    || (matches(shunned, *old) && !matches(shunned, labels))
            }
            _ if event.action == Actions::DELETE => matches(shunned, labels) || self.was_shunned_by(other),
            _ => matches(wanted, labels),
        }
    }

    /// Whether a pod of these labels and this namespace matches all of the terms, of which there is at least one.
    fn matches_all(&self, terms: &[Term], labels: LabelsId, namespace: Sym, own: Sym) -> bool {
        let label = |key: &str| self.cluster.label(labels, key);
        let namespace_name = self.cluster.interner.text(namespace);
        let in_namespace = |term: &Term| {
            let selected = term.namespace_selector.as_ref().is_some_and(|selector| {
                let labels =
                    self.cluster.find("Namespace", "", namespace_name).map(|id| self.cluster.object(id).meta.labels);
                selector.matches(|key| self.cluster.label(labels?, key))
            });
            let own_only = term.namespaces.is_empty() && term.namespace_selector.is_none();
            selected || term.namespaces.iter().any(|name| name == namespace_name) || (own_only && namespace == own)
        };
        !terms.is_empty() && terms.iter().all(|term| in_namespace(term) && term.selector.matches(label))
    }

    fn was_shunned_by(&self, other: PodId) -> bool {
        let spec = &self.cluster.spec_of(other).typed;
        if spec.affinity.as_ref().is_none_or(|affinity| affinity.pod_anti_affinity.is_none()) {
            return false;
        }
        let (theirs, own) = (&self.cluster.pod(other).meta, &self.cluster.pod(self.pod).meta);
        let terms = Compiled::new(spec, |_| None).anti_affinity;
        terms
            .iter()
            .any(|term| self.matches_all(std::slice::from_ref(term), own.labels, own.namespace, theirs.namespace))
    }

    /// VolumeRestrictions: the pod that went had a claim of the waiting pod, or either uses disks with one writer.
    fn frees_exclusive_volume(&self, other: PodId) -> bool {
        let same_namespace = self.cluster.pod(other).meta.namespace == self.namespace;
        let mut volumes = self.cluster.spec_of(other).typed.volumes.iter().flatten();
        self.compiled.has_exclusive_disks
            || same_namespace
                && volumes.any(|volume| {
                    let claim = volume.persistent_volume_claim.as_ref();
                    claim.is_some_and(|claim| self.compiled.uses_claim(&claim.claim_name))
                })
    }
}
