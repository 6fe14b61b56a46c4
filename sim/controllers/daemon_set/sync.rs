//! One sync of a DaemonSet: which node has which pods, what is missing or too much, the status (`daemon_controller.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{BACKOFF_BASE, BACKOFF_MAX, BURST_REPLICAS, Backoff, Failures};
use crate::api::toleration::Taint;
use crate::cluster::objects::{DaemonSet, DaemonSetStatus};
use crate::cluster::{Cluster, ConditionStatus, EventType, LabelsId, NodeId, ObjId, PodId, PodPhase, SpecId, Sym};
use crate::controllers::daemon_placement::{DaemonPlacement, DaemonVerdict};
use crate::controllers::history::{REVISION_HASH, claim_revisions, revisions_of, sync_revision, truncate_history};
use crate::controllers::pod_control::PodRequest;
use crate::controllers::{Action, Context};
use crate::engine::{Span, Time};

/// The annotation that counts the templates of a DaemonSet.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
/// The label by which a pod tells the count it was made at.
const GENERATION_LABEL: &str = "pod-template-generation";

/// One sync of one DaemonSet.
pub(super) struct Sync {
    pub(super) id: ObjId,
    pub(super) set: DaemonSet,
    revision: ObjId,
    pub(super) hash: String,
    /// What is wanted on each node, and the pods that are there or on their way, oldest first.
    pub(super) nodes: BTreeMap<NodeId, (DaemonVerdict, Vec<PodId>)>,
    /// Pods for nodes that do not exist, not scheduled.
    stray: Vec<PodId>,
    /// Pods on nodes that exist no more, by node.
    pub(super) gone: BTreeMap<(Option<NodeId>, Option<Sym>), Vec<PodId>>,
    /// `metadata.annotations` "deprecated.daemonset.template.generation".
    template_generation: Option<String>,
    pub(super) now: Time,
    requeue: Option<Span>,
}

pub(super) fn selects(cluster: &Cluster, set: &DaemonSet, pod: PodId) -> bool {
    selects_labels(cluster, set, cluster.pod(pod).meta.labels)
}

pub(super) fn selects_labels(cluster: &Cluster, set: &DaemonSet, labels: LabelsId) -> bool {
    set.selector.matches(|key| cluster.interner.value_text(labels, key))
}

/// Adopts matching orphans and releases strays.
pub(super) fn claim(id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let set: &DaemonSet = cluster.get(id);
    let pods = cluster.pods_in(cluster.meta(id.into()).namespace);
    let claims: Vec<(PodId, bool)> = pods
        .filter_map(|pod| match cluster.pod(pod).meta.controller().map(|owner| owner.object) {
            None => (selects(cluster, set, pod) && !cluster.pod(pod).meta.is_deleting()).then_some((pod, true)),
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
    let selector = cluster.get::<DaemonSet>(id).selector.clone();
    claim_revisions(cluster, id, &selector, true, cx);
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
        let (mut stray, mut gone) = (Vec::new(), BTreeMap::<_, Vec<PodId>>::new());
        let mut targets: BTreeMap<SpecId, Option<NodeId>> = BTreeMap::new();
        for pod in cluster.pods_of(id) {
            let row = cluster.pod(pod);
            if row.phase.is_terminal() && row.meta.is_deleting() {
                continue;
            }
            let is_placed = row.node.is_some() || row.missing_node.is_some();
            let target = match is_placed {
                true => row.node,
                false => *targets.entry(row.spec).or_insert_with(|| target_node(cluster, row.spec)),
            };
            match target.and_then(|node| nodes.get_mut(&node)) {
                Some((_, pods)) => pods.push(pod),
                None if !is_placed => stray.push(pod),
                None => gone.entry((row.node, row.missing_node)).or_default().push(pod),
            }
        }
        for (_, pods) in nodes.values_mut().filter(|(_, pods)| pods.len() > 1) {
            pods.sort_by_cached_key(|&pod| age_key(cluster, pod));
        }
        let generation = cluster.interner.value_text(cluster.meta(id.into()).annotations, TEMPLATE_GENERATION);
        let template_generation = generation.map(str::to_owned);
        Sync { id, set, revision, hash, nodes, stray, gone, template_generation, now: cx.now(), requeue: None }
    }

    pub(super) fn run(mut self, backoff: &mut Backoff, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let status = self.status(cluster);
        let (create, delete) = self.manage(backoff, cluster);
        let mut outcome = Ok(());
        if create.is_empty() && delete.is_empty() {
            if !self.set.on_delete {
                outcome = self.roll(cluster).and_then(|(create, delete)| self.write_pods(create, delete, cluster, cx));
            }
        } else {
            outcome = self.write_pods(create, delete, cluster, cx);
        }
        if outcome.is_ok() {
            self.truncate(cluster, cx);
        }
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

    /// Whether a pod is of the present template, by its hash or by the older generation number (`IsPodUpdated`).
    pub(super) fn is_new(&self, cluster: &Cluster, pod: PodId) -> bool {
        let labels = cluster.pod(pod).meta.labels;
        let generation = self.template_generation.as_deref();
        self.has_hash(cluster, pod) || generation.is_some() && cluster.label(labels, GENERATION_LABEL) == generation
    }

    fn has_hash(&self, cluster: &Cluster, pod: PodId) -> bool {
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
                // With surge a node has one pod that stays at any time.
                if running.is_empty() && verdict.should_run && self.allows_surge() {
                    create.push(node);
                }
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
                    if let Some(delay) = self.back_off(node, backoff) {
                        self.requeue = Some(self.requeue.map_or(delay, |other| other.min(delay)));
                        continue;
                    }
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

    /// Whether a failed pod of a node has to wait, and if so for how long the controller looks away: the whole delay, whatever part of
    /// it is left. Otherwise its deletion is noted, and the next one waits longer (`failedPodsBackoff`).
    fn back_off(&self, node: NodeId, backoff: &mut Backoff) -> Option<Span> {
        let generation = self.set.status.observed_generation;
        let known = backoff.get(&(self.id, node)).filter(|known| known.generation == generation);
        // Like client-go's flow control, a back-off that has been idle for twice its maximum begins anew.
        let known = known.filter(|known| self.now.since(known.at) <= BACKOFF_MAX * 2);
        if let Some(known) = known
            && self.now < known.at + known.delay
        {
            return Some(known.delay);
        }
        let delay = known.map_or(BACKOFF_BASE, |known| (known.delay * 2).min(BACKOFF_MAX));
        backoff.insert((self.id, node), Failures { generation, at: self.now, delay });
        None
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
            let slot = if self.has_hash(cluster, pod) { &mut oldest_new } else { &mut oldest_old };
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

    /// Creates pods in batches that double until one fails, and deletes pods whatever became of that (`syncNodes`).
    fn write_pods(
        &self,
        create: Vec<NodeId>,
        delete: Vec<PodId>,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Result<(), String> {
        let source = cluster.words.daemonset_controller;
        let (mut batch, mut left_in_batch, mut errors) = (1, 1, Vec::new());
        for node in create.into_iter().take(BURST_REPLICAS) {
            if left_in_batch == 0 {
                batch *= 2;
                left_in_batch = batch;
                if !errors.is_empty() {
                    break;
                }
            }
            if !cx.may_write() {
                break;
            }
            left_in_batch -= 1;
            let request = self.request(node, cluster);
            match cx.pods.create_with_event(cluster, self.id, request, source) {
                Err(error) if !error.terminating => errors.push(error.text),
                _ => {}
            }
        }
        for pod in delete.into_iter().take(BURST_REPLICAS) {
            if cx.may_write() {
                cx.pods.delete_with_event(cluster, self.id, pod, source);
            }
        }
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(format!("[{}]", errors.join(", "))),
        }
    }

    /// A pod for one node: bound by its required affinity, with the tolerations of a daemon.
    fn request(&self, node: NodeId, cluster: &mut Cluster) -> PodRequest {
        let mut template = self.set.template;
        template.labels = cluster.interner.with(template.labels, REVISION_HASH, Some(&self.hash));
        if let Some(generation) = &self.template_generation {
            template.labels = cluster.interner.with(template.labels, GENERATION_LABEL, Some(generation));
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
            // The first of a node's pods speaks for it.
            let Some(&pod) = pods.first() else { continue };
            status.current += 1;
            status.ready += i32::from(is_ready(cluster, pod));
            status.available += i32::from(self.is_available(cluster, pod));
            status.updated += i32::from(self.is_new(cluster, pod));
        }
        status.unavailable = status.desired - status.available;
        status
    }

    /// Deletes what revisions there are above the limit, of those that are not the present one; a revision that pods have stays, but
    /// counts (`cleanupHistory`).
    fn truncate(&self, cluster: &mut Cluster, cx: &mut Context<'_>) {
        let n_old = revisions_of(cluster, self.id).len().saturating_sub(1);
        let n_over = n_old.saturating_sub(usize::try_from(self.set.revision_history_limit).unwrap_or(0));
        if n_over == 0 {
            return;
        }
        let pods = cluster.pods_of(self.id);
        let used: BTreeSet<String> = pods
            .filter_map(|pod| cluster.label(cluster.pod(pod).meta.labels, REVISION_HASH).map(str::to_owned))
            .collect();
        let is_live = |cluster: &Cluster, revision: ObjId| {
            let hash = cluster.label(cluster.meta(revision.into()).labels, REVISION_HASH);
            revision == self.revision || hash.is_some_and(|hash| used.contains(hash))
        };
        truncate_history(cluster, self.id, n_over, is_live, cx);
    }
}

/// The order of the pods of a node: scheduled ones first, then the oldest (`podByCreationTimestampAndPhase`).
fn age_key(cluster: &Cluster, pod: PodId) -> (bool, u64, String) {
    let row = cluster.pod(pod);
    let unscheduled = row.node.is_none() && row.missing_node.is_none();
    (unscheduled, row.meta.created.as_secs(), cluster.name(pod).to_owned())
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
