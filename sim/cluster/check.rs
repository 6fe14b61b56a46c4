//! `Cluster::check`: recomputes everything that is derived and compares. Run after every event in tests.

use super::ids::{NodeId, ObjectRef, ResourceId};
use super::store::Cluster;
use crate::engine::Id;

impl Cluster {
    /// Recomputes columns and indexes from the rows.
    ///
    /// # Errors
    ///
    /// The first thing that is not as it should be.
    pub fn check(&self) -> Result<(), String> {
        self.check_columns()?;
        self.check_names()?;
        self.check_owners()
    }

    fn check_columns(&self) -> Result<(), String> {
        let mut requested = vec![vec![0i64; self.nodes.len()]; self.interner.resources().count()];
        let mut n_pods = vec![0i64; self.nodes.len()];
        for (id, pod) in self.pods.iter() {
            let Some(node) = pod.occupies() else { continue };
            n_pods[node.index()] += 1;
            if self.nodes[node].pods.iter().filter(|&&other| other == id).count() != 1 {
                return Err(format!("{id:?} is not listed once on {node:?}"));
            }
            for &(ResourceId(resource), amount) in &self.resources_of(id).requests {
                requested[usize::from(resource)][node.index()] += amount;
            }
        }
        for node in self.nodes.ids() {
            self.check_node(node, n_pods[node.index()])?;
            for resource in self.interner.resources() {
                let (want, got) =
                    (requested[usize::from(resource.0)][node.index()], self.columns.requested(node, resource));
                if want != got {
                    let name = self.interner.resource_name(resource);
                    return Err(format!("{node:?} counts {got} of {name} requested, its pods request {want}"));
                }
            }
        }
        Ok(())
    }

    fn check_node(&self, node: NodeId, n_pods: i64) -> Result<(), String> {
        let (listed, counted) = (self.nodes[node].pods.len() as i64, self.columns.n_pods[node.index()]);
        if (listed, counted) != (n_pods, n_pods) {
            return Err(format!("{node:?} has {n_pods} pods, lists {listed}, counts {counted}"));
        }
        if self.nodes[node].meta.removed {
            return Ok(());
        }
        for &(resource, amount) in &self.nodes[node].allocatable {
            if self.columns.allocatable(node, resource) != amount {
                return Err(format!("{node:?}: the column of {resource:?} is not its allocatable"));
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), String> {
        let live = self.pods().count();
        if live != self.pod_names.len() {
            return Err(format!("{live} pods in the store, {} names", self.pod_names.len()));
        }
        let live = self.objects().count();
        if live != self.object_names.len() {
            return Err(format!("{live} objects in the store, {} names", self.object_names.len()));
        }
        for (&(namespace, name), &pod) in &self.pod_names {
            let meta = &self.pods[pod].meta;
            if (meta.namespace, meta.name, meta.removed) != (namespace, name, false) {
                return Err(format!("the name {} leads to the wrong pod", self.interner.text(name)));
            }
        }
        Ok(())
    }

    fn check_owners(&self) -> Result<(), String> {
        let rows = (self.pods().map(|(id, pod)| (ObjectRef::Pod(id), &pod.meta)))
            .chain(self.objects().map(|(id, object)| (ObjectRef::Object(id), &object.meta)));
        let mut n_links = 0;
        for (id, meta) in rows {
            for owner in meta.owners.iter().filter_map(|owner| owner.object) {
                n_links += 1;
                if !self.dependents.get(&owner).is_some_and(|dependents| dependents.contains(&id)) {
                    return Err(format!("{id:?} is not among the dependents of {owner:?}"));
                }
            }
        }
        let indexed: usize = self.dependents.values().map(|dependents| dependents.len()).sum();
        if indexed != n_links {
            return Err(format!("{n_links} owner references, {indexed} in the index"));
        }
        Ok(())
    }
}
