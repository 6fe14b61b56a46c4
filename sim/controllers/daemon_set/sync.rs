//! One sync of a DaemonSet: which node has which pods, what is missing or too much, the status (`daemon_controller.go`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{BACKOFF_BASE, BACKOFF_MAX, BURST_REPLICAS};
use crate::api::toleration::Taint;
use crate::cluster::objects::{DaemonSet, DaemonSetStatus};
use crate::cluster::{Cluster, ConditionStatus, EventType, NodeId, ObjId, PodId, PodPhase, SpecId};
use crate::controllers::daemon_placement::{DaemonPlacement, DaemonVerdict};
use crate::controllers::history::{REVISION_HASH, sync_revision, truncate_history};
use crate::controllers::pod_control::PodRequest;
use crate::controllers::{Action, Context};
use crate::engine::{Span, Time};

/// One sync of one DaemonSet.
pub(super) struct Sync {
    pub(super) id: ObjId,
    pub(super) set: DaemonSet,
    revision: ObjId,
    pub(super) hash: String,
    /// What is wanted on each node, and the pods that are there or on their way, oldest first.
    pub(super) nodes: BTreeMap<NodeId, (DaemonVerdict, Vec<PodId>)>,
    /// Pods for nodes that do not exist.
    stray: Vec<PodId>,
    pub(super) now: Time,
    requeue: Option<Span>,
}

type Backoff = BTreeMap<(ObjId, NodeId), (Time, Span)>;

pub(super) fn selects(cluster: &Cluster, set: &DaemonSet, pod: PodId) -> bool {
    let labels = cluster.pod(pod).meta.labels;
    set.selector.matches(|key| cluster.interner.value_text(labels, key))
}

/// Adopts matching orphans and releases strays.
pub(super) fn claim(id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let set: &DaemonSet = cluster.get(id);
    let pods = cluster.pods_in(cluster.meta(id.into()).namespace);
    let claims: Vec<(PodId, bool)> = pods
        .filter_map(|pod| match cluster.pod(pod).meta.controller().map(|owner| owner.object) {
            None => (selects(cluster, set, pod) && cluster.pod(pod).is_active()).then_some((pod, true)),
            Some(owner) if owner == Some(id.into()) => (!selects(cluster, set, pod)).then_some((pod, false)),
            Some(_) => None,
        })
        .collect();
    let reference = cluster.owner_reference(id);
    for (pod, adopt) in claims {
        let mut owners = cluster.pod(pod).meta.owners.clone();
        match adopt {
            true => owners.push(reference),
            false => owners.retain(|owner| owner.object != Some(id.into())),
        }
        cluster.set_owners(pod, owners);
        cx.wrote();
    }
}

impl Sync {
    pub(super) fn new(id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) -> Sync {
        let set: DaemonSet = cluster.get::<DaemonSet>(id).clone();
        let revision = sync_revision(cluster, id, set.template, REVISION_HASH, cx);
        let hash = cluster.label(cluster.meta(revision.into()).labels, REVISION_HASH).unwrap_or_default().to_owned();
        let mut spec = cluster.specs.get(set.template.spec).typed.clone();
        spec.node_name.clone_from(&set.node_name);
        let placement = DaemonPlacement::of_template(&spec);
        let mut nodes: BTreeMap<NodeId, (DaemonVerdict, Vec<PodId>)> =
            cluster.nodes().map(|(node, _)| (node, (verdict(cluster, &placement, node), Vec::new()))).collect();
        let mut stray = Vec::new();
        let mut targets: BTreeMap<SpecId, Option<NodeId>> = BTreeMap::new();
        for pod in cluster.pods_of(id) {
            let row = cluster.pod(pod);
            if row.phase.is_terminal() && row.meta.is_deleting() {
                continue;
            }
            let target =
                row.node.or_else(|| *targets.entry(row.spec).or_insert_with(|| target_node(cluster, row.spec)));
            match target.and_then(|node| nodes.get_mut(&node)) {
                Some((_, pods)) => pods.push(pod),
                None if row.node.is_none() => stray.push(pod),
                None => {}
            }
        }
        Sync { id, set, revision, hash, nodes, stray, now: cx.now(), requeue: None }
    }

    pub(super) fn run(mut self, backoff: &mut Backoff, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let status = self.status(cluster);
        let (create, delete) = self.manage(backoff, cluster);
        let mut outcome = Ok(());
        if create.is_empty() && delete.is_empty() {
            if !self.set.on_delete {
                let (create, delete) = self.roll(cluster);
                outcome = self.write_pods(create, delete, cluster, cx);
            }
        } else {
            outcome = self.write_pods(create, delete, cluster, cx);
        }
        self.truncate(cluster, cx);
        let wait = self.next_available(cluster);
        if cluster.get::<DaemonSet>(self.id).status != status {
            cluster.update_status::<DaemonSet>(self.id, |set| set.status = status);
            cx.wrote();
        }
        match (outcome, self.requeue.into_iter().chain(wait).min()) {
            (Err(error), _) => Action::Failed(error),
            (Ok(()), Some(wait)) => Action::RequeueAfter(wait),
            (Ok(()), None) => Action::Done,
        }
    }

    pub(super) fn is_new(&self, cluster: &Cluster, pod: PodId) -> bool {
        cluster.label(cluster.pod(pod).meta.labels, REVISION_HASH) == Some(&self.hash)
    }

    pub(super) fn is_available(&self, cluster: &Cluster, pod: PodId) -> bool {
        is_ready(cluster, pod) && self.until_available(cluster, pod).is_none()
    }

    fn until_available(&self, cluster: &Cluster, pod: PodId) -> Option<Span> {
        let ready = cluster.pod(pod).conditions.get(cluster.words.ready)?;
        if ready.status != ConditionStatus::True || self.set.min_ready_seconds <= 0 {
            return None;
        }
        let at = ready.transition.truncated_to_seconds() + Span::from_secs(self.set.min_ready_seconds as u64);
        (at > self.now).then(|| at.since(self.now))
    }

    fn next_available(&self, cluster: &Cluster) -> Option<Span> {
        let pods = self.nodes.values().flat_map(|(_, pods)| pods);
        pods.filter_map(|&pod| self.until_available(cluster, pod)).min()
    }

    /// Nodes that lack a pod, and pods that are too many (`podsShouldBeOnNode`).
    fn manage(&mut self, backoff: &mut Backoff, cluster: &mut Cluster) -> (Vec<NodeId>, Vec<PodId>) {
        let (mut create, mut delete) = (Vec::new(), self.stray.clone());
        for (node, (verdict, pods)) in self.nodes.clone() {
            if verdict.should_run && pods.is_empty() {
                create.push(node);
            } else if verdict.should_continue_running {
                let running = self.without_ended(node, &pods, backoff, &mut delete, cluster);
                self.prune(&running, &mut delete, cluster);
            } else {
                delete.extend(pods.iter().filter(|&&pod| !cluster.pod(pod).meta.is_deleting()));
            }
        }
        (create, delete)
    }

    /// The pods of a node that go on; those that have ended are to be deleted, failed ones after a back-off.
    fn without_ended(
        &mut self,
        node: NodeId,
        pods: &[PodId],
        backoff: &mut Backoff,
        delete: &mut Vec<PodId>,
        cluster: &mut Cluster,
    ) -> Vec<PodId> {
        let mut running = Vec::new();
        for &pod in pods.iter().filter(|&&pod| !cluster.pod(pod).meta.is_deleting()).collect::<Vec<_>>() {
            let phase = cluster.pod(pod).phase;
            let found = format!("{}/{} on node {}", cluster.namespace(pod), cluster.name(pod), cluster.name(node));
            let source = cluster.words.daemonset_controller;
            match phase {
                PodPhase::Failed => {
                    let entry = backoff.get(&(self.id, node)).copied();
                    if let Some((at, delay)) = entry
                        && at + delay > self.now
                    {
                        let wait = (at + delay).since(self.now);
                        self.requeue = Some(self.requeue.map_or(wait, |other| other.min(wait)));
                        continue;
                    }
                    // Like client-go's flow control, a back-off that has been idle for twice its maximum begins anew.
                    let stale = entry.is_none_or(|(at, _)| self.now.since(at) > BACKOFF_MAX * 2);
                    let delay =
                        entry.filter(|_| !stale).map_or(BACKOFF_BASE, |(_, delay)| (delay * 2).min(BACKOFF_MAX));
                    backoff.insert((self.id, node), (self.now, delay));
                    let message = format!("Found failed daemon pod {found}, will try to kill it");
                    cluster.record_event(self.id, EventType::Warning, "FailedDaemonPod", &message, source);
                    delete.push(pod);
                }
                PodPhase::Succeeded => {
                    let message = format!("Found succeeded daemon pod {found}, will try to delete it");
                    cluster.record_event(self.id, EventType::Normal, "SucceededDaemonPod", &message, source);
                    delete.push(pod);
                }
                _ => running.push(pod),
            }
        }
        running
    }

    /// Of several pods on a node the oldest stays; with surge the oldest of each revision, and the old one only until the new one
    /// is available.
    fn prune(&self, running: &[PodId], delete: &mut Vec<PodId>, cluster: &Cluster) {
        if running.len() <= 1 {
            return;
        }
        if !self.allows_surge() {
            delete.extend(&running[1..]);
            return;
        }
        let (mut oldest_new, mut oldest_old) = (None, None);
        for &pod in running {
            let slot = if self.is_new(cluster, pod) { &mut oldest_new } else { &mut oldest_old };
            match slot {
                None => *slot = Some(pod),
                Some(_) => delete.push(pod),
            }
        }
        if let (Some(new), Some(old)) = (oldest_new, oldest_old)
            && (!is_ready(cluster, old) || self.is_available(cluster, new))
        {
            delete.push(old);
        }
    }

    fn write_pods(
        &self,
        create: Vec<NodeId>,
        delete: Vec<PodId>,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Result<(), String> {
        let source = cluster.words.daemonset_controller;
        let mut failure = Ok(());
        for node in create.into_iter().take(BURST_REPLICAS) {
            if failure.is_err() || !cx.may_write() {
                break;
            }
            let request = self.request(node, cluster);
            match cx.pods.create_with_event(cluster, self.id, request, source) {
                Err(error) if !error.terminating => failure = Err(error.text),
                _ => {}
            }
        }
        for pod in delete.into_iter().take(BURST_REPLICAS) {
            if cx.may_write() {
                cx.pods.delete_with_event(cluster, self.id, pod, source);
            }
        }
        failure
    }

    /// A pod for one node: bound by its required affinity, with the tolerations of a daemon.
    fn request(&self, node: NodeId, cluster: &mut Cluster) -> PodRequest {
        let mut template = self.set.template;
        template.labels = cluster.interner.with(template.labels, REVISION_HASH, Some(&self.hash));
        let generation = cluster
            .interner
            .value_text(cluster.meta(self.id.into()).annotations, "deprecated.daemonset.template.generation")
            .map(str::to_owned);
        if let Some(generation) = generation {
            template.labels = cluster.interner.with(template.labels, "pod-template-generation", Some(&generation));
        }
        let typed = &cluster.specs.get(template.spec).typed;
        let tolerations = crate::controllers::daemon_placement::daemon_tolerations(typed);
        let mut spec = serde_json::to_value(typed).unwrap_or(Value::Null);
        spec["tolerations"] = tolerations.iter().map(toleration_json).collect();
        let term =
            json!({ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": [cluster.name(node)] }] });
        spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!({ "nodeSelectorTerms": [term] });
        if let Ok(spec) = cluster.intern_spec(&spec) {
            template.spec = spec;
        }
        PodRequest::of_template(template)
    }

    fn status(&self, cluster: &Cluster) -> DaemonSetStatus {
        let mut status = DaemonSetStatus {
            observed_generation: cluster.meta(self.id.into()).generation,
            collision_count: self.set.status.collision_count,
            conditions: self.set.status.conditions.clone(),
            ..DaemonSetStatus::default()
        };
        for (verdict, pods) in self.nodes.values() {
            if !verdict.should_run {
                status.misscheduled += i32::from(!pods.is_empty());
                continue;
            }
            status.desired += 1;
            // Pods are listed in order of creation: the oldest speaks for the node.
            let Some(&pod) = pods.first() else { continue };
            status.current += 1;
            status.ready += i32::from(is_ready(cluster, pod));
            status.available += i32::from(self.is_available(cluster, pod));
            status.updated += i32::from(self.is_new(cluster, pod));
        }
        status.unavailable = status.desired - status.available;
        status
    }

    fn truncate(&self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let pods = self.nodes.values().flat_map(|(_, pods)| pods).copied();
        let used: Vec<String> = pods
            .filter_map(|pod| cluster.label(cluster.pod(pod).meta.labels, REVISION_HASH).map(str::to_owned))
            .collect();
        let is_live = |cluster: &Cluster, revision: ObjId| {
            let hash = cluster.label(cluster.meta(revision.into()).labels, REVISION_HASH);
            revision == self.revision || hash.is_some_and(|hash| used.iter().any(|own| own == hash))
        };
        truncate_history(cluster, self.id, self.set.revision_history_limit, is_live, cx);
    }
}

pub(super) fn is_ready(cluster: &Cluster, pod: PodId) -> bool {
    cluster.pod(pod).conditions.is_true(cluster.words.ready)
}

fn verdict(cluster: &Cluster, placement: &DaemonPlacement, node: NodeId) -> DaemonVerdict {
    let row = cluster.node(node);
    let taints: Vec<Taint> = row.taints.iter().map(|taint| taint.taint.clone()).collect();
    let label = |key: &str| cluster.interner.value_text(row.meta.labels, key);
    placement.on_node(cluster.name(node), label, &taints)
}

/// The node that a pod's affinity names.
fn target_node(cluster: &Cluster, spec: SpecId) -> Option<NodeId> {
    let affinity = cluster.specs.get(spec).typed.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let fields = required.node_selector_terms.iter().flat_map(|term| term.match_fields.iter().flatten());
    let name = fields.filter(|field| field.key == "metadata.name").find_map(|field| field.values.as_ref()?.first())?;
    cluster.find_node(name)
}

fn toleration_json(toleration: &crate::api::toleration::Toleration) -> Value {
    let mut out = serde_json::Map::new();
    let mut put = |key: &str, text: &str| {
        if !text.is_empty() {
            out.insert(key.into(), text.into());
        }
    };
    put("key", &toleration.key);
    put("operator", toleration.operator.as_str());
    put("value", &toleration.value);
    put("effect", toleration.effect.map_or("", crate::api::toleration::TaintEffect::as_str));
    if let Some(seconds) = toleration.seconds {
        out.insert("tolerationSeconds".into(), seconds.into());
    }
    Value::Object(out)
}
