//! What equal pods share: their lowered spec and their behaviour, each made once.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::model::{AnnotationWarning, Behaviour, Models, Subject};
use super::shape::PodShape;
use crate::cluster::{Cluster, LabelsId, ObjectRef, PodId, SpecId, Sym};

/// Lowered specs and resolved behaviours.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalog {
    models: Models,
    looks_at_names: bool,
    looks_at_labels: bool,
    shapes: FxHashMap<SpecId, Arc<PodShape>>,
    behaviours: FxHashMap<Key, Arc<Behaviour>>,
    /// Annotations that could not be read, with the pod that first had them.
    pub warnings: Vec<(PodId, AnnotationWarning)>,
}

/// What a behaviour depends on.
type Key = (SpecId, LabelsId, LabelsId, Sym, Option<ObjectRef>);

impl Catalog {
    pub(super) fn new(models: Models) -> Catalog {
        let looks_at_labels = models.rules.iter().any(|rule| !rule.selects.labels.is_empty());
        let looks_at_names = models.look_at_names();
        Catalog { models, looks_at_names, looks_at_labels, ..Catalog::default() }
    }

    pub(super) fn shape(&mut self, spec: SpecId, cluster: &mut Cluster) -> Arc<PodShape> {
        if let Some(shape) = self.shapes.get(&spec) {
            return shape.clone();
        }
        let lowered = cluster.specs.shared(spec);
        let shape = Arc::new(PodShape::lower(&lowered, &mut cluster.interner));
        self.shapes.insert(spec, shape.clone());
        shape
    }

    pub(super) fn behaviour(&mut self, pod: PodId, shape: &PodShape, cluster: &Cluster) -> Arc<Behaviour> {
        let row = cluster.pod(pod);
        let owner = cluster.controller_of(pod).unwrap_or(ObjectRef::Pod(pod));
        let name = self.looks_at_names.then_some(owner);
        let labels = if self.looks_at_labels { row.meta.labels } else { LabelsId::EMPTY };
        let key = (row.spec, labels, row.meta.annotations, row.meta.namespace, name);
        if let Some(behaviour) = self.behaviours.get(&key) {
            return behaviour.clone();
        }
        let behaviour = Arc::new(self.models.resolve(Subject { cluster, pod }, shape));
        self.warnings.extend(behaviour.warnings.iter().map(|warning| (pod, warning.clone())));
        self.behaviours.insert(key, behaviour.clone());
        behaviour
    }
}
