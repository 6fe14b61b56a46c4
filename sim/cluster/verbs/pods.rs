//! Creating pods and writing their status.

use smallvec::SmallVec;

use super::NewMeta;
use crate::cluster::causes::Note;
use crate::cluster::change::{ConditionChange, What};
use crate::cluster::condition::{Condition, ConditionStatus, Conditions};
use crate::cluster::ids::{NodeId, PodId, SpecId, Sym};
use crate::cluster::pod::{ContainerStatus, Pod, PodPhase};
use crate::cluster::store::Cluster;
use crate::engine::Time;

/// A pod to be created.
#[derive(Clone, Debug)]
pub struct NewPod {
    /// Its metadata.
    pub meta: NewMeta,
    /// Its spec without `nodeName`.
    pub spec: SpecId,
    /// `spec.nodeName`, empty if it is to be scheduled.
    pub node_name: Sym,
    /// Its place in the input, which names its random streams.
    pub ordinal: u64,
}

impl Cluster {
    /// Creates a pod. The caller has made sure that the name is free (or is generated).
    ///
    /// # Panics
    ///
    /// If a pod of that name exists.
    pub fn create_pod(&mut self, new: NewPod) -> PodId {
        let meta = self.make_meta(new.meta);
        let node = self.node_names.get(&new.node_name).copied();
        let missing_node = (node.is_none() && new.node_name != Sym::EMPTY).then_some(new.node_name);
        let (key, uid) = ((meta.namespace, meta.name), meta.uid);
        let id = self.pods.push(Pod {
            meta,
            spec: new.spec,
            node,
            missing_node,
            assumed: None,
            nominated: None,
            phase: PodPhase::Pending,
            reason: Sym::EMPTY,
            message: Sym::EMPTY,
            conditions: Conditions::default(),
            containers: SmallVec::new(),
            start_time: None,
            ip: 0,
            epoch: 0,
            ordinal: new.ordinal,
            resized: None,
        });
        let clash = self.pod_names.insert(key, id);
        assert!(clash.is_none(), "pod {} exists", self.interner.text(key.1));
        self.pods_by_namespace.entry(key.0).or_default().insert(id);
        self.uids.insert(uid, id.into());
        self.link_owners(id.into());
        self.occupy(id);
        self.wrote(id.into(), What::Created);
        id
    }

    /// Sets a condition of a pod, stamped with the present time.
    pub fn set_pod_condition(
        &mut self,
        pod: PodId,
        kind: Sym,
        status: ConditionStatus,
        reason: Sym,
        message: Sym,
    ) -> bool {
        let condition = Condition { kind, status, reason, message, transition: self.now, update: self.now };
        let changed = self.pods[pod].conditions.set(condition);
        if changed {
            self.wrote(pod.into(), What::Condition(ConditionChange { kind, status: Some(status), reason, message }));
        }
        changed
    }

    /// Sets a pod's phase, with reason and message. A terminal phase is never left, and gives the node's resources back.
    pub fn set_pod_phase(&mut self, pod: PodId, phase: PodPhase, reason: Sym, message: Sym) {
        let row = &self.pods[pod];
        if row.phase.is_terminal() || (row.phase, row.reason, row.message) == (phase, reason, message) {
            return;
        }
        if phase.is_terminal() {
            self.vacate(pod);
        }
        let row = &mut self.pods[pod];
        (row.phase, row.reason, row.message) = (phase, reason, message);
        self.wrote(pod.into(), What::Phase);
    }

    /// Sets the state of one container; init containers come first. The list grows to hold it.
    pub fn set_container(&mut self, pod: PodId, container: usize, status: ContainerStatus) {
        let containers = &mut self.pods[pod].containers;
        if containers.len() <= container {
            containers.resize(container + 1, ContainerStatus::default());
        } else if containers[container] == status {
            return;
        }
        containers[container] = status;
        self.wrote(pod.into(), What::Container(container as u16));
        self.note_last(Note::Container(status));
    }

    /// The kubelet acknowledges the pod: `startTime`.
    pub fn set_start_time(&mut self, pod: PodId, at: Time) {
        if self.pods[pod].start_time.is_none() {
            self.pods[pod].start_time = Some(at);
            self.wrote(pod.into(), What::Status);
            self.note_last(Note::Address(0, true));
        }
    }

    /// Sets the pod's address, or takes it away (0).
    pub fn set_pod_ip(&mut self, pod: PodId, ip: u32) {
        if self.pods[pod].ip != ip {
            self.pods[pod].ip = ip;
            self.wrote(pod.into(), What::Status);
            self.note_last(Note::Address(ip, false));
        }
    }

    /// Drops every event scheduled for the pod so far, and returns the new epoch.
    pub fn advance_epoch(&mut self, pod: PodId) -> u32 {
        self.pods[pod].epoch = self.pods[pod].epoch.wrapping_add(1);
        self.pods[pod].epoch
    }

    /// Replaces a pod's spec: an allowed update such as a new image, a removed scheduling gate, an added toleration.
    pub fn set_pod_spec(&mut self, pod: PodId, spec: SpecId) {
        if self.pods[pod].spec == spec {
            return;
        }
        self.vacate(pod);
        self.pods[pod].spec = spec;
        self.pods[pod].meta.generation += 1;
        let resize = self.pods[pod].resized.take();
        self.keep_resize(pod, resize.map(|resize| *resize));
        self.occupy(pod);
        self.wrote(pod.into(), What::Spec);
    }

    /// Counts the pod against the node it is placed on.
    pub(super) fn occupy(&mut self, pod: PodId) {
        if let Some(node) = self.pods[pod].occupies() {
            self.nodes[node].pods.push(pod);
            self.count(pod, node, 1);
        }
    }

    /// Takes the pod off the node it is placed on.
    pub(super) fn vacate(&mut self, pod: PodId) {
        if let Some(node) = self.pods[pod].occupies() {
            self.nodes[node].pods.retain(|&other| other != pod);
            self.count(pod, node, -1);
        }
    }

    fn count(&mut self, pod: PodId, node: NodeId, sign: i64) {
        let row = &self.pods[pod];
        let resources =
            row.resized.as_deref().map_or_else(|| &self.specs.get(row.spec).resources, |resize| &resize.resources);
        self.columns.count(node, resources, sign);
    }
}
