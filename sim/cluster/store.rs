//! `Cluster`: the one store. All facts, and read access to them; the verbs that write stand in [`super::verbs`].

use std::collections::{BTreeMap, BTreeSet};

use super::causes::Causes;
use super::change::Change;
use super::columns::NodeColumns;
use super::ids::{LabelsId, NodeId, ObjId, ObjectRef, PodId, SpecId, Sym};
use super::intern::{Interned, Interner};
use super::meta::Meta;
use super::metrics_api::MetricsApi;
use super::node::Node;
use super::objects::{Body, Kind, Object};
use super::outage::ControlPlaneState;
use super::pod::Pod;
use super::pod_spec::PodSpec;
use super::recorder::EventRecorder;
use super::words::Words;
use crate::engine::{IdVec, Time};

/// The state of a simulated cluster: what the API server and etcd hold, with derived columns and indexes.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Names, labels, resources.
    pub interner: Interner,
    /// The words that the simulation itself writes, interned once.
    pub words: Words,
    /// Pod specs.
    pub specs: Interned<SpecId, PodSpec>,
    /// Kubernetes `Event`s.
    pub events: EventRecorder,
    /// The virtual date of the beginning of the run, in seconds since 1970.
    pub epoch_seconds: i64,
    /// How many addresses have been given to Services, or passed over.
    pub(super) n_service_addresses: u32,
    /// Whether the image registry answers: a fact of the world that faults change.
    pub registry_up: bool,
    /// What the metrics APIs serve: a fact of the world, not an object.
    pub metrics_api: MetricsApi,
    /// Whether kubelets tell the resources of all containers, as the real one does, or only of those that are being resized.
    pub tells_resources: bool,
    /// The virtual time of the writes now being made.
    pub(super) now: Time,
    pub(super) revision: u64,
    pub(super) next_uid: u64,
    pub(super) pods: IdVec<PodId, Pod>,
    pub(super) nodes: IdVec<NodeId, Node>,
    pub(super) columns: NodeColumns,
    pub(super) objects: IdVec<ObjId, Object>,
    pub(super) pod_names: BTreeMap<(Sym, Sym), PodId>,
    pub(super) node_names: BTreeMap<Sym, NodeId>,
    /// Number of objects by kind: most look-ups are for kinds of which there are none.
    pub(super) kind_counts: Vec<(&'static str, usize)>,
    pub(super) object_names: BTreeMap<(&'static str, Sym, Sym), ObjId>,
    /// Objects by owner: what garbage collection and controllers look at.
    pub(super) dependents: BTreeMap<ObjectRef, BTreeSet<ObjectRef>>,
    pub(super) pods_by_namespace: BTreeMap<Sym, BTreeSet<PodId>>,
    pub(super) uids: BTreeMap<u64, ObjectRef>,
    pub(super) given_uids: BTreeMap<Sym, u64>,
    pub(super) n_live_nodes: usize,
    pub(super) changes: Vec<Change>,
    /// What of the control plane is down.
    pub(super) outage: ControlPlaneState,
    pub(super) causes: Causes,
    /// What the API server warned about since a client last asked.
    pub(super) warnings: Vec<String>,
}

impl Cluster {
    /// An empty cluster whose time zero is `epoch_seconds` after 1970.
    pub fn new(epoch_seconds: i64) -> Cluster {
        let mut interner = Interner::default();
        let words = Words::new(&mut interner);
        Cluster {
            interner,
            words,
            specs: Interned::default(),
            events: EventRecorder::default(),
            epoch_seconds,
            n_service_addresses: 0,
            registry_up: true,
            metrics_api: MetricsApi::default(),
            tells_resources: false,
            now: Time::ZERO,
            revision: 0,
            next_uid: 1,
            pods: IdVec::new(),
            nodes: IdVec::new(),
            columns: NodeColumns::default(),
            objects: IdVec::new(),
            pod_names: BTreeMap::new(),
            node_names: BTreeMap::new(),
            kind_counts: Vec::new(),
            object_names: BTreeMap::new(),
            dependents: BTreeMap::new(),
            pods_by_namespace: BTreeMap::new(),
            uids: BTreeMap::new(),
            given_uids: BTreeMap::new(),
            n_live_nodes: 0,
            changes: Vec::new(),
            outage: ControlPlaneState::default(),
            causes: Causes::default(),
            warnings: Vec::new(),
        }
    }

    /// The virtual time of the last write.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Moves the clock of the store. For the simulation's loop only.
    pub fn set_now(&mut self, now: Time) {
        debug_assert!(self.now <= now);
        self.now = now;
    }

    /// The store's revision: the number of writes so far.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// A pod, removed ones included.
    pub fn pod(&self, id: PodId) -> &Pod {
        &self.pods[id]
    }

    /// A node, removed ones included.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// Any other object, removed ones included.
    pub fn object(&self, id: ObjId) -> &Object {
        &self.objects[id]
    }

    /// The object as a kind with behaviour.
    ///
    /// # Panics
    ///
    /// If it is of another kind.
    pub fn get<K: Kind>(&self, id: ObjId) -> &K {
        K::of(&self.objects[id].body).unwrap_or_else(|| panic!("{:?} is not a {}", id, K::KIND))
    }

    /// The object as a kind with behaviour, if it is of that kind.
    pub fn try_get<K: Kind>(&self, id: ObjId) -> Option<&K> {
        K::of(&self.objects[id].body)
    }

    /// The body of an object.
    pub fn body(&self, id: ObjId) -> &Body {
        &self.objects[id].body
    }

    /// The metadata of any object.
    pub fn meta(&self, object: ObjectRef) -> &Meta {
        match object {
            ObjectRef::Pod(id) => &self.pods[id].meta,
            ObjectRef::Node(id) => &self.nodes[id].meta,
            ObjectRef::Object(id) => &self.objects[id].meta,
        }
    }

    /// The kind of any object, as in manifests; a custom kind with its group: `Widget.example.com`.
    pub fn kind(&self, object: ObjectRef) -> &'static str {
        match object {
            ObjectRef::Pod(_) => "Pod",
            ObjectRef::Node(_) => "Node",
            ObjectRef::Object(id) => self.objects[id].info.key,
        }
    }

    /// The name of any object.
    pub fn name(&self, object: impl Into<ObjectRef>) -> &str {
        self.interner.text(self.meta(object.into()).name)
    }

    /// The namespace of any object; empty for cluster-scoped kinds.
    pub fn namespace(&self, object: impl Into<ObjectRef>) -> &str {
        self.interner.text(self.meta(object.into()).namespace)
    }

    /// The spec of a pod.
    pub fn spec_of(&self, pod: PodId) -> &PodSpec {
        self.specs.get(self.pods[pod].spec)
    }

    /// The pods in the store, in order of creation.
    pub fn pods(&self) -> impl DoubleEndedIterator<Item = (PodId, &Pod)> {
        self.pods.iter().filter(|(_, pod)| !pod.meta.removed)
    }

    /// All pods that have ever been, in order of creation.
    pub fn pods_ever(&self) -> &IdVec<PodId, Pod> {
        &self.pods
    }

    /// The pods of one namespace in order of creation.
    pub fn pods_in(&self, namespace: Sym) -> impl DoubleEndedIterator<Item = PodId> + '_ {
        self.pods_by_namespace.get(&namespace).into_iter().flatten().copied()
    }

    /// The nodes in the store, in order of creation.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> {
        self.nodes.iter().filter(|(_, node)| !node.meta.removed)
    }

    /// All nodes that have ever been, in order of creation.
    pub fn nodes_ever(&self) -> &IdVec<NodeId, Node> {
        &self.nodes
    }

    /// Number of nodes in the store.
    pub fn n_nodes(&self) -> usize {
        self.n_live_nodes
    }

    /// What nodes offer and what their pods take.
    pub fn columns(&self) -> &NodeColumns {
        &self.columns
    }

    /// The other objects in the store, in order of creation.
    pub fn objects(&self) -> impl DoubleEndedIterator<Item = (ObjId, &Object)> {
        self.objects.iter().filter(|(_, object)| !object.meta.removed)
    }

    /// All other objects that have ever been, in order of creation.
    pub fn objects_ever(&self) -> &IdVec<ObjId, Object> {
        &self.objects
    }

    /// The objects of one kind in the store, ordered by namespace and name as interned.
    pub fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = ObjId> + '_ {
        let range = (kind, Sym(0), Sym(0))..=(kind, Sym(u32::MAX), Sym(u32::MAX));
        self.names_if_any(kind).into_iter().flat_map(move |names| names.range(range.clone())).map(|(_, &id)| id)
    }

    /// The objects of one kind in one namespace, ordered by name as interned.
    pub fn of_kind_in(&self, kind: &'static str, namespace: Sym) -> impl Iterator<Item = ObjId> + '_ {
        let range = (kind, namespace, Sym(0))..=(kind, namespace, Sym(u32::MAX));
        self.names_if_any(kind).into_iter().flat_map(move |names| names.range(range.clone())).map(|(_, &id)| id)
    }

    /// The index of names, if there is any object of that kind.
    fn names_if_any(&self, kind: &'static str) -> Option<&BTreeMap<(&'static str, Sym, Sym), ObjId>> {
        let same = |known: &'static str| std::ptr::eq(known, kind) || known == kind;
        let counted = self.kind_counts.iter().find(|&&(known, _)| same(known));
        counted.is_some_and(|&(_, n)| n > 0).then_some(&self.object_names)
    }

    /// Counts objects of a kind: `step` is 1 or -1.
    pub(super) fn count_kind(&mut self, kind: &'static str, step: isize) {
        match self.kind_counts.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, n)) => *n = n.saturating_add_signed(step),
            None => self.kind_counts.push((kind, usize::from(step > 0))),
        }
    }

    /// The pod of that name.
    pub fn find_pod(&self, namespace: &str, name: &str) -> Option<PodId> {
        let key = (self.interner.find(namespace)?, self.interner.find(name)?);
        self.pod_names.get(&key).copied()
    }

    /// The node of that name.
    pub fn find_node(&self, name: &str) -> Option<NodeId> {
        self.node_names.get(&self.interner.find(name)?).copied()
    }

    /// The object of that kind and name; the namespace is empty for cluster-scoped kinds.
    pub fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Option<ObjId> {
        let key = (kind, self.interner.find(namespace)?, self.interner.find(name)?);
        self.object_names.get(&key).copied()
    }

    /// Any object by the name of its kind.
    pub fn find_any(&self, kind: &'static str, namespace: &str, name: &str) -> Option<ObjectRef> {
        match kind {
            "Pod" => self.find_pod(namespace, name).map(ObjectRef::Pod),
            "Node" => self.find_node(name).map(ObjectRef::Node),
            _ => self.find(kind, namespace, name).map(ObjectRef::Object),
        }
    }

    /// The uid that the next object will have, as written: the API server gives it before the object is stored.
    pub fn next_uid_text(&self) -> String {
        super::meta::uid_text(self.next_uid)
    }

    /// The object with that uid, if it is still in the store.
    pub fn by_uid(&self, uid: u64) -> Option<ObjectRef> {
        self.uids.get(&uid).copied()
    }

    /// The objects that name `owner` in their owner references, in order of (kind of reference, creation).
    pub fn dependents(&self, owner: impl Into<ObjectRef>) -> impl DoubleEndedIterator<Item = ObjectRef> + '_ {
        self.dependents.get(&owner.into()).into_iter().flatten().copied()
    }

    /// The pods that `owner` controls, in order of creation.
    pub fn pods_of(&self, owner: impl Into<ObjectRef>) -> impl DoubleEndedIterator<Item = PodId> + '_ {
        let owner = owner.into();
        self.dependents(owner).filter_map(move |dependent| match dependent {
            ObjectRef::Pod(pod) if self.controller_of(pod) == Some(owner) => Some(pod),
            _ => None,
        })
    }

    /// The managing controller of an object.
    pub fn controller_of(&self, object: impl Into<ObjectRef>) -> Option<ObjectRef> {
        self.meta(object.into()).controller()?.object
    }

    /// The text of a label.
    pub fn label(&self, labels: LabelsId, key: &str) -> Option<&str> {
        self.interner.value_text(labels, key)
    }
}
