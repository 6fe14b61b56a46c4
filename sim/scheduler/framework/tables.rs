//! `Tables`: what the scheduler keeps beside the store, lowered once and kept current by [`Tables::observe`]: specs, selectors, the
//! order of nodes, pods with affinity, nominations, images, storage, the selectors of services and controllers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::crowds::Crowds;
use super::owners::{DefaultSelectors, Owners};
use super::selectors::{SelectorId, Selectors};
use super::spread_totals::SpreadTotals;
use super::storage::Storage;
use crate::cluster::{Change, Cluster, NodeId, ObjId, ObjectRef, PodId, SpecId, Sym, What};
use crate::engine::{Id, IdVec};
use crate::scheduler::node_tree::{NodeTree, ZoneKey};
use crate::scheduler::spec::SchedSpec;

/// What the scheduler keeps beside the store.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    specs: IdVec<SpecId, Arc<SchedSpec>>,
    /// Label selectors of all specs.
    pub selectors: Selectors,
    tree: NodeTree<NodeId>,
    zones: Vec<Option<ZoneKey>>,
    order: Vec<NodeId>,
    order_is_stale: bool,
    /// Placed pods with any affinity term.
    pub with_affinity: BTreeSet<PodId>,
    /// Placed pods with required anti-affinity.
    pub with_anti_affinity: BTreeSet<PodId>,
    /// Placed pods that use claims.
    pub with_claims: BTreeSet<PodId>,
    /// Number of placed pods by priority.
    priorities: BTreeMap<i32, usize>,
    priority_of: FxHashMap<PodId, i32>,
    nominated: BTreeMap<NodeId, BTreeSet<PodId>>,
    nomination_of: FxHashMap<PodId, NodeId>,
    node_images: Vec<Vec<Sym>>,
    images: FxHashMap<Sym, ImageState>,
    /// Claims, volumes, classes, limits.
    pub storage: Storage,
    /// Services and controllers, whose selectors are spread by default.
    pub owners: Owners,
    defaults: DefaultSelectors,
    /// Pods that count on each node, by namespace and labels.
    pub crowds: Crowds,
    /// Pods by domain, counted before.
    pub spread_totals: SpreadTotals,
    /// Rises whenever nodes come, go, or change their labels or taints.
    pub nodes_version: u64,
    stale_objects: BTreeSet<ObjId>,
    /// By node: rises when its row changes, so that what was judged of it is judged again.
    row_versions: Vec<u32>,
    /// Pods whose requests differ from their spec's while a resize is in progress.
    resized: BTreeSet<PodId>,
}

/// An image as the scheduler's cache knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageState {
    /// The size that the first node reported which had it.
    pub size_bytes: i64,
    /// Number of nodes that have it.
    pub n_nodes: i64,
}

impl Tables {
    /// Tables of a store as it is.
    pub fn of(cluster: &Cluster) -> Tables {
        let mut tables = Tables::default();
        for (node, _) in cluster.nodes() {
            tables.refresh_node(cluster, node);
        }
        for (id, _) in cluster.objects() {
            tables.mark_object(cluster, id);
        }
        tables.sync(cluster);
        for (pod, _) in cluster.pods() {
            tables.refresh_pod(cluster, pod);
            tables.note_resize(cluster, pod);
        }
        tables.sync(cluster);
        tables
    }

    /// Notes a change.
    pub fn observe(&mut self, change: Change, cluster: &Cluster) {
        match change.object {
            ObjectRef::Pod(pod) => match change.what {
                What::Assumed(node) | What::Forgotten(node) | What::Bound(node) => {
                    self.touch(node);
                    self.refresh_pod(cluster, pod);
                }
                What::Created | What::Spec | What::Phase | What::Removed => {
                    cluster.pod(pod).placed().into_iter().for_each(|node| self.touch(node));
                    self.refresh_pod(cluster, pod);
                    self.note_resize(cluster, pod);
                }
                What::Nominated(_) => self.refresh_pod(cluster, pod),
                What::Status => self.note_resize(cluster, pod),
                What::Deleting | What::Labels => self.crowds.refresh(cluster, pod),
                _ => {}
            },
            ObjectRef::Node(node) => match change.what {
                What::Condition(_) | What::Event(_) | What::Meta => {}
                What::Status => self.refresh_images(cluster, node),
                _ => self.refresh_node(cluster, node),
            },
            ObjectRef::Object(id) => match change.what {
                What::Event(_) => {}
                What::Created | What::Spec | What::Removed => self.mark_object(cluster, id),
                _ if Storage::concerns(cluster.object(id).info.kind) => self.mark_object(cluster, id),
                _ => {}
            },
        }
    }

    /// Brings everything up to date before a cycle.
    pub fn sync(&mut self, cluster: &Cluster) {
        while self.specs.len() < cluster.specs.len() {
            let spec = cluster.specs.get(self.specs.next_id());
            self.specs.push(Arc::new(SchedSpec::lower(&spec.typed, &mut self.selectors)));
        }
        self.selectors.sync(cluster);
        if self.order_is_stale {
            self.order = self.tree.order();
            self.order_is_stale = false;
        }
        while let Some(id) = self.stale_objects.pop_first() {
            self.storage.refresh(cluster, id);
            if self.owners.refresh(cluster, id) {
                self.defaults.clear();
            }
        }
    }

    /// Brings up to date what a cycle for this pod will ask for.
    pub fn prepare(&mut self, cluster: &Cluster, pod: PodId) {
        self.sync(cluster);
        if self.specs[cluster.pod(pod).spec].spread.is_empty() && !self.owners.is_empty() {
            self.defaults.prepare(cluster, pod, &self.owners, &mut self.selectors);
        }
    }

    /// [`Owners::default_selector`] of a pod for which [`Tables::prepare`] was called; else none.
    pub fn prepared_default(&self, cluster: &Cluster, pod: PodId) -> Option<SelectorId> {
        self.defaults.get(cluster, pod)
    }

    /// The lowered spec.
    pub fn spec(&self, id: SpecId) -> &SchedSpec {
        &self.specs[id]
    }

    /// The lowered spec, shared.
    pub fn shared_spec(&self, id: SpecId) -> Arc<SchedSpec> {
        self.specs[id].clone()
    }

    /// The lowered spec of a pod.
    pub fn spec_of(&self, cluster: &Cluster, pod: PodId) -> &SchedSpec {
        &self.specs[cluster.pod(pod).spec]
    }

    /// The nodes in the order of the scheduler's snapshot: zones in turn.
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// The pods nominated to a node.
    pub fn nominated_to(&self, node: NodeId) -> impl Iterator<Item = PodId> + '_ {
        self.nominated.get(&node).into_iter().flatten().copied()
    }

    /// Whether any pod is nominated to any node.
    pub fn any_nominated(&self) -> bool {
        !self.nominated.is_empty()
    }

    /// An image that some node has.
    pub fn image(&self, image: Sym) -> Option<ImageState> {
        self.images.get(&image).copied()
    }

    /// By node: the version of its row.
    pub fn row_versions(&self) -> &[u32] {
        &self.row_versions
    }

    fn touch(&mut self, node: NodeId) {
        if self.row_versions.len() <= node.index() {
            self.row_versions.resize(node.index() + 1, 0);
        }
        self.row_versions[node.index()] += 1;
    }

    /// A status may begin or end a resize, which changes what the pod takes from its node.
    fn note_resize(&mut self, cluster: &Cluster, pod: PodId) {
        let is_resized = cluster.pod(pod).resized.is_some();
        let was_resized = if is_resized { !self.resized.insert(pod) } else { self.resized.remove(&pod) };
        if is_resized || was_resized {
            cluster.pod(pod).placed().into_iter().for_each(|node| self.touch(node));
        }
    }

    fn mark_object(&mut self, cluster: &Cluster, id: ObjId) {
        let kind = cluster.object(id).info.kind;
        if Storage::concerns(kind) || Owners::concerns(kind) {
            self.stale_objects.insert(id);
        }
    }

    fn refresh_pod(&mut self, cluster: &Cluster, pod: PodId) {
        while self.specs.len() < cluster.specs.len() {
            let spec = cluster.specs.get(self.specs.next_id());
            self.specs.push(Arc::new(SchedSpec::lower(&spec.typed, &mut self.selectors)));
        }
        let row = cluster.pod(pod);
        let spec = &self.specs[row.spec];
        let placed = row.occupies().is_some();
        for (set, member) in [
            (&mut self.with_affinity, spec.affinity.any()),
            (&mut self.with_anti_affinity, !spec.affinity.anti_required.is_empty()),
            (&mut self.with_claims, !spec.volumes.claims.is_empty()),
        ] {
            if member && placed {
                set.insert(pod);
            } else if !set.is_empty() {
                set.remove(&pod);
            }
        }
        self.note_priority(pod, placed.then(|| cluster.spec_of(pod).priority));
        self.crowds.refresh(cluster, pod);
        let row = cluster.pod(pod);
        let waits = row.placed().is_none() && row.missing_node.is_none() && !row.phase.is_terminal();
        let nominated = row.nominated.filter(|_| waits && !row.meta.removed);
        if nominated.is_some() || !self.nomination_of.is_empty() {
            self.nominate(pod, nominated);
        }
    }

    fn note_priority(&mut self, pod: PodId, priority: Option<i32>) {
        let before = match priority {
            Some(priority) => self.priority_of.insert(pod, priority),
            None => self.priority_of.remove(&pod),
        };
        if before == priority {
            return;
        }
        if let Some(before) = before
            && let Some(count) = self.priorities.get_mut(&before)
        {
            *count -= 1;
            if *count == 0 {
                self.priorities.remove(&before);
            }
        }
        if let Some(priority) = priority {
            *self.priorities.entry(priority).or_default() += 1;
        }
    }

    /// The lowest priority of all pods on nodes.
    pub fn lowest_priority(&self) -> Option<i32> {
        self.priorities.keys().next().copied()
    }

    fn nominate(&mut self, pod: PodId, node: Option<NodeId>) {
        if let Some(before) = self.nomination_of.remove(&pod)
            && let Some(pods) = self.nominated.get_mut(&before)
        {
            pods.remove(&pod);
            if pods.is_empty() {
                self.nominated.remove(&before);
            }
        }
        if let Some(node) = node {
            self.nomination_of.insert(pod, node);
            self.nominated.entry(node).or_default().insert(pod);
        }
    }

    fn refresh_node(&mut self, cluster: &Cluster, node: NodeId) {
        self.nodes_version += 1;
        let row = cluster.node(node);
        if self.zones.len() <= node.index() {
            self.zones.resize(node.index() + 1, None);
            self.node_images.resize(node.index() + 1, Vec::new());
        }
        let before = self.zones[node.index()].take();
        let zone = (!row.meta.removed).then(|| ZoneKey::of_labels(|key| cluster.label(row.meta.labels, key)));
        if before != zone {
            match (&before, &zone) {
                (None, Some(new)) => self.tree.add(new.clone(), node),
                (Some(old), None) => self.tree.remove(old, &node),
                (Some(old), Some(new)) => self.tree.update(old, new.clone(), node),
                (None, None) => {}
            }
            self.order_is_stale = true;
        }
        self.zones[node.index()] = zone;
        self.refresh_images(cluster, node);
    }

    fn refresh_images(&mut self, cluster: &Cluster, node: NodeId) {
        self.touch(node);
        let row = cluster.node(node);
        let images = if row.meta.removed { &[][..] } else { &row.images[..] };
        let before = std::mem::take(&mut self.node_images[node.index()]);
        for name in before {
            if let Some(state) = self.images.get_mut(&name) {
                state.n_nodes -= 1;
                if state.n_nodes == 0 {
                    self.images.remove(&name);
                }
            }
        }
        let mut names: Vec<Sym> = Vec::new();
        for image in images {
            for &name in image.names.iter().filter(|name| !names.contains(name)).collect::<Vec<_>>() {
                self.images.entry(name).or_insert(ImageState { size_bytes: image.size_bytes, n_nodes: 0 }).n_nodes += 1;
                names.push(name);
            }
        }
        self.node_images[node.index()] = names;
    }
}
