//! The EndpointSlice controller: keeps the endpoints of Services that select pods (kube-controller-manager, `endpointslice`).

mod members;
mod packing;
mod ports;
pub mod topology;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::json;

use members::{Changes, Members, NotAlone};
pub use packing::{MAX_ENDPOINTS, Plan, plan, plan_changes};
use ports::ports;

use super::{Action, Context, Controller, Keys, Retries};
use crate::api::kinds;
use crate::cluster::objects::{Endpoint, EndpointPort, EndpointSlice, Kind, Service};
use crate::cluster::{
    Change, Cluster, ControllerKind, EventType, LabelsId, NewMeta, NewObject, ObjId, ObjectRef, Pod, PodId, Sym, What,
};
use crate::engine::Span;

/// How long a change of one of its slices by somebody else waits (`endpointSliceChangeMinSyncDelay`).
const SLICE_CHANGE_DELAY: Span = Span::from_secs(1);
/// How long a Service waits whose sync failed (`defaultSyncBackOff`, `maxSyncBackOff`).
const RETRIES: Retries = Retries { base: Span::from_secs(1), max: Span::from_secs(1000), is_bucketed: true };
/// Who writes events.
const SOURCE: &str = "endpoint-slice-controller";
/// Who keeps the slices.
const MANAGED_BY: &str = "endpointslice-controller.k8s.io";

/// Keeps the endpoints of Services.
#[derive(Default)]
pub struct EndpointSliceController {
    /// The pods that each Service selects.
    members: FxHashMap<ObjId, Members>,
    /// The Services that select each pod.
    services: FxHashMap<PodId, Vec<ObjId>>,
    /// The Services whose endpoints have hints by topology.
    hinted: BTreeSet<ObjId>,
    /// The Services that ask for hints by topology.
    by_topology: BTreeSet<ObjId>,
}

/// What of a pod decides its conditions as an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// Whether it has an address.
    pub has_ip: bool,
    /// Whether its phase is `Succeeded` or `Failed`.
    pub ended: bool,
    /// Its condition `Ready`.
    pub ready: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// `ready`, `serving` and `terminating` of a pod's endpoint; `None` if it has none.
pub fn endpoint_conditions(pod: PodFacts, publish_not_ready: bool) -> Option<(bool, bool, bool)> {
    let serving = pod.ready;
    let ready = publish_not_ready || serving && !pod.deleting;
    (pod.has_ip && !pod.ended).then_some((ready, serving, pod.deleting))
}

impl Controller for EndpointSliceController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::EndpointSlice
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        match change.object {
            ObjectRef::Pod(pod) => self.pod_changed(pod, change.what, cluster, keys),
            ObjectRef::Object(id) if cluster.try_get::<Service>(id).is_some() => match change.what {
                What::Created | What::Spec => {
                    self.select(id, cluster);
                    keys.add(id);
                }
                What::Labels | What::Meta => {
                    self.members.entry(id).or_default().touch_all();
                    keys.add(id);
                }
                What::Removed => {
                    self.by_topology.remove(&id);
                    self.hinted.remove(&id);
                    for pod in self.members.remove(&id).unwrap_or_default().pods {
                        self.services.entry(pod).or_default().retain(|&service| service != id);
                    }
                }
                _ => {}
            },
            ObjectRef::Object(id) => {
                if change.what == What::Removed
                    && cluster.try_get::<EndpointSlice>(id).is_some()
                    && let Some(ObjectRef::Object(service)) = cluster.controller_of(id)
                {
                    keys.add_after(service, SLICE_CHANGE_DELAY);
                }
            }
            ObjectRef::Node(_) => match change.what {
                What::Condition(condition) if condition.kind != cluster.words.ready => {}
                What::Created | What::Removed | What::Labels | What::Allocatable | What::Condition(_) => {
                    // Endpoints name the zone of their node.
                    if !matches!(change.what, What::Allocatable | What::Condition(_)) {
                        self.members.values_mut().for_each(Members::touch_all);
                    }
                    self.by_topology.iter().for_each(|&service| keys.add(service));
                }
                _ => {}
            },
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        let Some(service) = cluster.try_get::<Service>(id) else { return Action::Done };
        let meta = cluster.meta(key);
        if meta.removed || meta.is_deleting() || service.external_name || service.selector.is_none() {
            return Action::Done;
        }
        let service = service.clone();
        if let Some(written) = self.write_changes(id, &service, cluster) {
            (0..written).for_each(|_| cx.wrote());
            return Action::Done;
        }
        let (mut desired, skipped) = self.desired(id, &service, cluster);
        if wants_topology(id, cluster) {
            self.by_topology.insert(id);
            self.give_hints(id, &mut desired, cluster);
        } else {
            self.by_topology.remove(&id);
            if self.hinted.remove(&id) {
                disabled(id, "", cluster);
            }
        }
        let written = write(id, &service, desired, cluster);
        (0..written).for_each(|_| cx.wrote());
        if skipped.is_empty() && !self.by_topology.contains(&id) {
            self.members.entry(id).or_default().note(slices_of(id, cluster), cluster);
        }
        let Some(error) = skipped_text(id, &skipped, cluster) else { return Action::Done };
        let (namespace, name) = (cluster.namespace(id), cluster.name(id));
        let text = format!("Error updating Endpoint Slices for Service {namespace}/{name}: {error}");
        let source = cluster.interner.sym(SOURCE);
        cluster.record_event(id, EventType::Warning, "FailedToUpdateEndpointSlices", &text, source);
        Action::Failed(error)
    }

    fn max_retries(&self) -> Option<u32> {
        Some(15)
    }

    fn retries(&self) -> Retries {
        RETRIES
    }
}

impl EndpointSliceController {
    fn pod_changed(&mut self, pod: PodId, what: What, cluster: &Cluster, keys: &mut Keys<'_>) {
        match what {
            What::Created | What::Labels => {
                let before = self.services.get(&pod).cloned().unwrap_or_default();
                let now = services_of(pod, cluster);
                for &service in before.iter().chain(&now) {
                    keys.add(service);
                }
                for service in before.into_iter().filter(|service| !now.contains(service)) {
                    let members = self.members.entry(service).or_default();
                    members.pods.remove(&pod);
                    members.touch(pod);
                }
                for &service in &now {
                    let members = self.members.entry(service).or_default();
                    members.pods.insert(pod);
                    members.touch(pod);
                }
                if !now.is_empty() || self.services.contains_key(&pod) {
                    self.services.insert(pod, now);
                }
            }
            What::Removed => {
                for service in self.services.remove(&pod).unwrap_or_default() {
                    let members = self.members.entry(service).or_default();
                    members.pods.remove(&pod);
                    members.touch(pod);
                    keys.add(service);
                }
            }
            What::Condition(condition) if condition.kind != cluster.words.ready => {}
            What::Condition(_) | What::Deleting | What::Status | What::Phase => {
                self.touch(pod);
                self.services.get(&pod).into_iter().flatten().for_each(|&service| keys.add(service));
            }
            _ => self.touch(pod),
        }
    }

    /// The next sync of its Services looks at a pod.
    fn touch(&mut self, pod: PodId) {
        for service in self.services.get(&pod).into_iter().flatten() {
            self.members.entry(*service).or_default().touch(pod);
        }
    }

    /// Writes what pods that have changed since the last sync make necessary. Returns the number of writes; `None` if everything must be
    /// looked at.
    fn write_changes(&mut self, id: ObjId, service: &Service, cluster: &mut Cluster) -> Option<usize> {
        let members = self.members.get_mut(&id)?;
        let name = cluster.name(id);
        let changes = members.changes(cluster, |pod| {
            let row = cluster.pod(pod);
            if row.node.is_some_and(|node| cluster.node(node).meta.removed) {
                return Err(NotAlone);
            }
            let ports = || ports(service, cluster.spec_of(pod), cluster);
            Ok(endpoint(pod, row, service, name, cluster).map(|endpoint| (endpoint, ports())))
        })?;
        let Changes { ports, slices, plan } = &changes;
        let mut n_writes = plan.create.len();
        for (place, endpoints) in &plan.update {
            n_writes += usize::from(replace(slices[*place], ports.clone(), endpoints.clone(), cluster));
        }
        let mut create =
            |endpoints: &Vec<Endpoint>| create_slice(id, service, ports.clone(), endpoints.clone(), cluster);
        let created: Vec<ObjId> = plan.create.iter().filter_map(&mut create).collect();
        n_writes += relabel(id, service, cluster);
        members.carried_out(&changes, &created, cluster);
        debug_assert!(self.is_complete(id, service, cluster), "slices of {}", cluster.name(id));
        Some(n_writes)
    }

    /// Whether the slices hold exactly what they should.
    fn is_complete(&self, id: ObjId, service: &Service, cluster: &Cluster) -> bool {
        let mut desired: Vec<Endpoint> = self.desired(id, service, cluster).0.into_values().flatten().collect();
        let slices = slices_of(id, cluster).into_iter();
        let mut held: Vec<Endpoint> =
            slices.flat_map(|slice| cluster.get::<EndpointSlice>(slice).endpoints.clone()).collect();
        desired.sort_unstable_by_key(|endpoint| endpoint.pod);
        held.sort_unstable_by_key(|endpoint| endpoint.pod);
        desired == held
    }

    /// Finds the pods of a new or changed Service.
    fn select(&mut self, id: ObjId, cluster: &Cluster) {
        for pod in self.members.remove(&id).unwrap_or_default().pods {
            self.services.entry(pod).or_default().retain(|&service| service != id);
        }
        let Some(selector) = &cluster.get::<Service>(id).selector else { return };
        let namespace = cluster.object(id).meta.namespace;
        for pod in cluster.pods_in(namespace) {
            let labels = cluster.pod(pod).meta.labels;
            if selector.matches(|key| cluster.label(labels, key)) {
                self.members.entry(id).or_default().pods.insert(pod);
                self.services.entry(pod).or_default().push(id);
            }
        }
    }

    /// Hints by topology go before those of `trafficDistribution`, and are all given or none (`AddHints`).
    fn give_hints(
        &mut self,
        id: ObjId,
        desired: &mut BTreeMap<Vec<EndpointPort>, Vec<Endpoint>>,
        cluster: &mut Cluster,
    ) {
        let mut all: Vec<Endpoint> = desired.values().flatten().copied().collect();
        for endpoint in &mut all {
            (endpoint.for_zone, endpoint.for_node) = (Sym::EMPTY, false);
        }
        let given = topology::cpu_by_zone(cluster).and_then(|zones| topology::give_hints(&mut all, &zones));
        let mut all = all.into_iter();
        desired.values_mut().flatten().for_each(|endpoint| _ = all.next().map(|hinted| *endpoint = hinted));
        match given {
            Ok(()) if self.hinted.insert(id) => {
                let (reason, source) = ("TopologyAwareHintsEnabled", cluster.interner.sym(SOURCE));
                let text = with_address_type("Topology Aware Hints has been enabled");
                cluster.record_event(id, EventType::Normal, reason, &text, source);
            }
            Ok(()) => {}
            Err(why) => {
                self.hinted.remove(&id);
                disabled(id, why.text(), cluster);
            }
        }
    }

    /// The endpoints that a Service should have, by their ports; and the pods that are left out because their node is gone: nobody can
    /// say where they are, unless the Service publishes every address.
    fn desired(&self, id: ObjId, service: &Service, cluster: &Cluster) -> (ByPorts, Vec<PodId>) {
        let (mut desired, name) = (ByPorts::new(), cluster.name(id));
        let mut skipped = Vec::new();
        let mut ports_of_spec = FxHashMap::default();
        for &pod in self.members.get(&id).into_iter().flat_map(|members| &members.pods) {
            let row = cluster.pod(pod);
            if let Some(endpoint) = endpoint(pod, row, service, name, cluster) {
                if !service.publish_not_ready && row.node.is_some_and(|node| cluster.node(node).meta.removed) {
                    skipped.push(pod);
                    continue;
                }
                let ports = ports_of_spec
                    .entry(row.spec)
                    .or_insert_with(|| Arc::<[EndpointPort]>::from(ports(service, cluster.spec_of(pod), cluster)));
                match desired.get_mut(&**ports) {
                    Some(endpoints) => endpoints.push(endpoint),
                    None => _ = desired.insert(ports.to_vec(), vec![endpoint]),
                }
            }
        }
        (desired, skipped)
    }
}

/// The endpoints of a Service by their ports.
type ByPorts = BTreeMap<Vec<EndpointPort>, Vec<Endpoint>>;

/// What the real controller says of pods that it left out.
fn skipped_text(id: ObjId, skipped: &[PodId], cluster: &Cluster) -> Option<String> {
    let (namespace, name) = (cluster.namespace(id), cluster.name(id));
    let texts = skipped.iter().map(|&pod| {
        let node = cluster.pod(pod).node.map_or("", |node| cluster.interner.text(cluster.node(node).meta.name));
        format!("skipping Pod {} for Service {namespace}/{name}: Node {node} Not Found", cluster.name(pod))
    });
    let texts: Vec<String> = texts.collect();
    match texts.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    }
}

/// Whether a Service asks for hints by topology: the annotation, or the one that it has replaced.
fn wants_topology(id: ObjId, cluster: &Cluster) -> bool {
    const ANNOTATIONS: [&str; 2] =
        ["service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"];
    let annotations = cluster.object(id).meta.annotations;
    ANNOTATIONS.into_iter().any(|key| matches!(cluster.label(annotations, key), Some("auto" | "Auto")))
}

/// The event of hints that are given no more.
fn disabled(id: ObjId, why: &str, cluster: &mut Cluster) {
    let text = if why.is_empty() { "Topology Aware Hints has been disabled" } else { why };
    let source = cluster.interner.sym(SOURCE);
    cluster.record_event(id, EventType::Warning, "TopologyAwareHintsDisabled", &with_address_type(text), source);
}

fn with_address_type(text: &str) -> String {
    format!("{text}, addressType: IPv4")
}

/// The Services that select a pod.
fn services_of(pod: PodId, cluster: &Cluster) -> Vec<ObjId> {
    let meta = &cluster.pod(pod).meta;
    let selects = |&id: &ObjId| {
        let selector = &cluster.get::<Service>(id).selector;
        selector.as_ref().is_some_and(|selector| selector.matches(|key| cluster.label(meta.labels, key)))
    };
    cluster.of_kind_in(Service::KIND, meta.namespace).filter(selects).collect()
}

fn endpoint(pod: PodId, row: &Pod, service: &Service, service_name: &str, cluster: &Cluster) -> Option<Endpoint> {
    let facts = PodFacts {
        has_ip: row.ip != 0,
        ended: row.phase.is_terminal(),
        ready: row.conditions.is_true(cluster.words.ready),
        deleting: row.meta.is_deleting(),
    };
    let (ready, serving, terminating) = endpoint_conditions(facts, service.publish_not_ready)?;
    let node = row.node.map(|node| cluster.node(node));
    let zone_key = cluster.interner.find("topology.kubernetes.io/zone");
    let living = node.filter(|node| !node.meta.removed);
    let zone = living.zip(zone_key).and_then(|(node, key)| cluster.interner.value(node.meta.labels, key));
    let typed = &cluster.spec_of(pod).typed;
    let hostname = typed.hostname.as_deref().filter(|_| typed.subdomain.as_deref() == Some(service_name));
    let zone = zone.unwrap_or(Sym::EMPTY);
    Some(Endpoint {
        pod,
        pod_name: row.meta.name,
        namespace: row.meta.namespace,
        pod_uid: row.meta.uid,
        ip: row.ip,
        ready,
        serving,
        terminating,
        node: node.map_or(Sym::EMPTY, |node| node.meta.name),
        zone,
        hostname: hostname.and_then(|name| cluster.interner.find(name)).unwrap_or(Sym::EMPTY),
        for_zone: if service.prefer_zone && ready { zone } else { Sym::EMPTY },
        for_node: service.prefer_node && ready && node.is_some(),
    })
}

/// Writes the slices of a Service. Returns the number of writes.
fn write(
    id: ObjId,
    service: &Service,
    mut desired: BTreeMap<Vec<EndpointPort>, Vec<Endpoint>>,
    cluster: &mut Cluster,
) -> usize {
    let slices = slices_of(id, cluster);
    let mut by_ports: BTreeMap<Vec<EndpointPort>, Vec<ObjId>> = BTreeMap::new();
    for &slice in &slices {
        by_ports.entry(cluster.get::<EndpointSlice>(slice).ports.clone()).or_default().push(slice);
    }
    let (mut delete, mut create, mut n_writes) = (Vec::new(), Vec::new(), 0);
    for (ports, group) in &by_ports {
        let Some(endpoints) = desired.remove(ports) else {
            delete.extend(group.iter().copied());
            continue;
        };
        let views: Vec<&[Endpoint]> =
            group.iter().map(|&slice| cluster.get::<EndpointSlice>(slice).endpoints.as_slice()).collect();
        let plan = plan(&views, endpoints);
        delete.extend(plan.delete.iter().map(|&place| group[place]));
        create.extend(plan.create.into_iter().map(|endpoints| (ports.clone(), endpoints)));
        for (place, endpoints) in plan.update {
            n_writes += usize::from(replace(group[place], ports.clone(), endpoints, cluster));
        }
    }
    for (ports, endpoints) in desired {
        create.extend(plan(&[], endpoints).create.into_iter().map(|endpoints| (ports.clone(), endpoints)));
    }
    keep_placeholder(&slices, &mut delete, &mut create, cluster);
    // A slice that is to go is written again rather than deleted while another is created.
    while let (Some(&old), true) = (delete.first(), !create.is_empty()) {
        delete.remove(0);
        let (ports, endpoints) = create.remove(0);
        n_writes += usize::from(replace(old, ports, endpoints, cluster));
    }
    n_writes += delete.len() + create.len();
    delete.into_iter().for_each(|slice| cluster.delete(slice, crate::cluster::Propagation::Background));
    for (ports, endpoints) in create {
        create_slice(id, service, ports, endpoints, cluster);
    }
    n_writes + relabel(id, service, cluster)
}

/// The slices of a Service that are the controller's.
fn slices_of(id: ObjId, cluster: &Cluster) -> Vec<ObjId> {
    let own = |dependent| match dependent {
        ObjectRef::Object(slice) => {
            cluster.try_get::<EndpointSlice>(slice).filter(|body| body.written.is_none()).map(|_| slice)
        }
        _ => None,
    };
    cluster.dependents(id).filter_map(own).collect()
}

/// A Service without endpoints has one empty slice.
fn keep_placeholder(
    slices: &[ObjId],
    delete: &mut Vec<ObjId>,
    create: &mut Vec<(Vec<EndpointPort>, Vec<Endpoint>)>,
    cluster: &Cluster,
) {
    if slices.len() != delete.len() || !create.is_empty() {
        return;
    }
    let is_placeholder = |&slice: &ObjId| {
        let body = cluster.get::<EndpointSlice>(slice);
        body.endpoints.is_empty() && body.ports.is_empty()
    };
    match delete.as_slice() {
        [only] if is_placeholder(only) => delete.clear(),
        _ => create.push((Vec::new(), Vec::new())),
    }
}

fn replace(slice: ObjId, ports: Vec<EndpointPort>, endpoints: Vec<Endpoint>, cluster: &mut Cluster) -> bool {
    cluster.update_spec::<EndpointSlice>(slice, |body| {
        body.ports = ports;
        body.endpoints = endpoints;
    })
}

/// The labels of the slices: those of the Service and the controller's own.
fn labels(id: ObjId, service: &Service, cluster: &mut Cluster) -> LabelsId {
    let name = cluster.name(id).to_owned();
    let mut labels = cluster.object(id).meta.labels;
    labels = cluster.interner.with(labels, "kubernetes.io/service-name", Some(&name));
    labels = cluster.interner.with(labels, "endpointslice.kubernetes.io/managed-by", Some(MANAGED_BY));
    let headless = service.headless.then_some("");
    cluster.interner.with(labels, "service.kubernetes.io/headless", headless)
}

/// Brings the labels of all slices up to date. Returns the number of writes.
fn relabel(id: ObjId, service: &Service, cluster: &mut Cluster) -> usize {
    let wanted = labels(id, service, cluster);
    let stale: Vec<ObjectRef> = cluster
        .dependents(id)
        .filter(|&slice| cluster.kind(slice) == EndpointSlice::KIND && cluster.meta(slice).labels != wanted)
        .collect();
    let n_writes = stale.len();
    stale.into_iter().for_each(|slice| cluster.set_labels(slice, wanted));
    n_writes
}

fn create_slice(
    id: ObjId,
    service: &Service,
    ports: Vec<EndpointPort>,
    endpoints: Vec<Endpoint>,
    cluster: &mut Cluster,
) -> Option<ObjId> {
    let info = kinds::by_kind(EndpointSlice::KIND)?;
    let generate_name = format!("{}-", cluster.name(id));
    let meta = NewMeta {
        generate_name: cluster.interner.sym(&generate_name),
        namespace: cluster.object(id).meta.namespace,
        labels: labels(id, service, cluster),
        owners: [cluster.owner_reference(id)].into_iter().collect(),
        ..NewMeta::default()
    };
    let body = EndpointSlice { endpoints, ports, written: None }.into_body();
    let raw = Arc::new(json!({ "apiVersion": "discovery.k8s.io/v1", "kind": EndpointSlice::KIND }));
    Some(cluster.create_object(NewObject { info, meta, raw, body }))
}
