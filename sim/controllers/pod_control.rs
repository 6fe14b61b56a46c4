//! Creating and deleting pods on behalf of a controller: admission, names, owner references, events.

use rustc_hash::FxHashMap;
use serde_json::json;
use smallvec::SmallVec;

use super::deletion_index::DeletionIndex;
use super::owned_pods::OwnedPods;
use crate::cluster::admission::{self, KINDS_READ, Rejection};
use crate::cluster::{
    Change, Cluster, EventType, LabelsId, NewMeta, NewPod, ObjId, ObjectRef, PodId, SpecId, Sym, Template, name_suffix,
};

/// What controllers remember of the pods they created, and of what admission made of their templates.
#[derive(Clone, Debug, Default)]
pub struct PodControl {
    /// How many pods an owner has created, refused ones included: what names their places in the input.
    n_created: FxHashMap<ObjId, u64>,
    /// The pods of ReplicaSets and ReplicationControllers, counted.
    pub owned: OwnedPods,
    /// The pods of large ReplicaSets in the order in which they would go.
    pub deletion: DeletionIndex,
    /// What admission makes of a template's spec in a namespace.
    admitted: FxHashMap<(SpecId, LabelsId, Sym), Admitted>,
}

/// A spec as admission leaves it, with what LimitRanger says of it, or why it is refused.
type Admitted = Result<(SpecId, Option<Sym>), Rejection>;

/// A pod that a controller wants.
#[derive(Clone, Debug)]
pub struct PodRequest {
    /// What it looks like.
    pub template: Template,
    /// `metadata.name`; [`Sym::EMPTY`] for a name generated from the owner's.
    pub name: Sym,
    /// `metadata.generateName`; [`Sym::EMPTY`] for the owner's name and a dash, if `name` is empty.
    pub generate_name: Sym,
    /// `metadata.finalizers`.
    pub finalizers: SmallVec<[Sym; 1]>,
    /// `spec.nodeName`, empty if it is to be scheduled.
    pub node_name: Sym,
}

impl PodRequest {
    /// A pod with a generated name.
    pub fn of_template(template: Template) -> PodRequest {
        PodRequest {
            template,
            name: Sym::EMPTY,
            generate_name: Sym::EMPTY,
            finalizers: SmallVec::new(),
            node_name: Sym::EMPTY,
        }
    }
}

/// A pod that could not be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateError {
    /// The API server's error.
    pub text: String,
    /// Whether the namespace is being deleted: no event is written and the error is swallowed.
    pub terminating: bool,
}

impl PodControl {
    /// Notes a change that may change what admission makes of templates.
    pub fn observe(&mut self, change: Change, cluster: &Cluster) {
        self.owned.observe(change, cluster);
        self.deletion.observe(change, cluster);
        if let ObjectRef::Object(id) = change.object
            && KINDS_READ.contains(&cluster.object(id).info.kind)
        {
            self.admitted.clear();
        }
    }

    /// Creates a pod owned by `owner`.
    ///
    /// # Errors
    ///
    /// What the API server would answer.
    pub fn create(&mut self, cluster: &mut Cluster, owner: ObjId, request: PodRequest) -> Result<PodId, CreateError> {
        let namespace = cluster.meta(owner.into()).namespace;
        let nth = self.n_created.entry(owner).or_insert(0);
        *nth += 1;
        let ordinal = place_in_input(cluster, owner, *nth);
        let name =
            if request.name == Sym::EMPTY { generated_name(cluster, owner, &request, *nth) } else { request.name };
        let refused = |cluster: &Cluster, rejection: &Rejection| CreateError {
            text: rejection.text("pods", cluster.interner.text(name)),
            terminating: matches!(rejection, Rejection::Terminating(_)),
        };
        let (spec, note) = match self.admit(cluster, namespace, &request.template) {
            Ok(admitted) => admitted,
            Err(rejection) => return Err(refused(cluster, &rejection)),
        };
        if cluster.find_pod(cluster.interner.text(namespace), cluster.interner.text(name)).is_some() {
            let text = format!("pods {:?} already exists", cluster.interner.text(name));
            return Err(CreateError { text, terminating: false });
        }
        let note = note.map(|note| cluster.interner.shared_text(note));
        let annotations =
            admission::with_limit_ranger(&mut cluster.interner, request.template.annotations, note.as_deref());
        if cluster.has_policies() {
            let metadata = (name, namespace, request.template.labels, annotations);
            ask_policies(cluster, owner, metadata, spec).map_err(|rejection| refused(cluster, &rejection))?;
        }
        if let Err(why) = cluster.charge_pod(namespace, spec) {
            let text = format!("pods {:?} is forbidden: {why}", cluster.interner.text(name));
            return Err(CreateError { text, terminating: false });
        }
        let meta = NewMeta {
            name,
            generate_name: if request.name == Sym::EMPTY { base_name(cluster, owner, &request) } else { Sym::EMPTY },
            namespace,
            labels: request.template.labels,
            annotations,
            owners: SmallVec::from_elem(cluster.owner_reference(owner), 1),
            finalizers: request.finalizers,
            uid: Sym::EMPTY,
        };
        Ok(cluster.create_pod(NewPod { meta, spec, node_name: request.node_name, ordinal }))
    }

    /// Creates a pod and records what ReplicaSet, DaemonSet and Job controllers record about it.
    ///
    /// # Errors
    ///
    /// What the API server would answer.
    pub fn create_with_event(
        &mut self,
        cluster: &mut Cluster,
        owner: ObjId,
        request: PodRequest,
        source: Sym,
    ) -> Result<PodId, CreateError> {
        let created = self.create(cluster, owner, request);
        match &created {
            Ok(pod) => {
                let message = format!("Created pod: {}", cluster.name(*pod));
                cluster.record_event(owner, EventType::Normal, "SuccessfulCreate", &message, source);
            }
            Err(error) if !error.terminating => {
                let message = format!("Error creating: {}", error.text);
                cluster.record_event(owner, EventType::Warning, "FailedCreate", &message, source);
            }
            Err(_) => {}
        }
        created
    }

    /// Deletes a pod with its own grace and records it.
    pub fn delete_with_event(&mut self, cluster: &mut Cluster, owner: ObjId, pod: PodId, source: Sym) {
        let message = format!("Deleted pod: {}", cluster.name(pod));
        cluster.delete_pod(pod, None);
        cluster.record_event(owner, EventType::Normal, "SuccessfulDelete", &message, source);
    }

    fn admit(
        &mut self,
        cluster: &mut Cluster,
        namespace: Sym,
        template: &Template,
    ) -> Result<(SpecId, Option<Sym>), Rejection> {
        let key = (template.spec, template.annotations, namespace);
        if let Some(known) = self.admitted.get(&key) {
            return known.clone();
        }
        let pod = json!({
            "metadata": { "annotations": cluster.export_map(template.annotations) },
            "spec": cluster.specs.get(template.spec).typed,
        });
        let admitted = cluster.admit_pod(namespace, pod).and_then(|admitted| {
            let spec = cluster.intern_spec(&admitted.spec).map_err(Rejection::Invalid)?;
            Ok((spec, admitted.limit_ranger.map(|text| cluster.interner.sym(&text))))
        });
        self.admitted.insert(key, admitted.clone());
        admitted
    }
}

/// Asks the users' policies about a pod as it would be stored: name, namespace, labels, annotations, and the spec.
fn ask_policies(
    cluster: &mut Cluster,
    owner: ObjId,
    (name, namespace, labels, annotations): (Sym, Sym, LabelsId, LabelsId),
    spec: SpecId,
) -> Result<(), Rejection> {
    let reference = cluster.owner_reference(owner);
    let text = |sym| cluster.interner.text(sym);
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": text(name),
            "namespace": text(namespace),
            "labels": cluster.export_map(labels),
            "annotations": cluster.export_map(annotations),
            "ownerReferences": [{
                "apiVersion": text(reference.api_version),
                "kind": text(reference.kind),
                "name": text(reference.name),
                "controller": reference.controller,
            }],
        },
        "spec": cluster.specs.get(spec).typed,
    });
    let info = crate::api::kinds::by_kind("Pod").expect("pods are a kind");
    cluster.ask_policies(info, &pod)
}

/// A slow start: `count` calls in batches of 1, 2, 4, ...; after a batch with a failure the rest is skipped
/// (kube-controller-manager, `slowStartBatch`). `call` says whether it succeeded. Returns the number of successes and of calls.
pub fn slow_start(count: usize, initial: usize, mut call: impl FnMut(usize) -> bool) -> (usize, usize) {
    let (mut successes, mut calls) = (0, 0);
    let mut batch = count.min(initial);
    while batch > 0 {
        let before = successes;
        for _ in 0..batch {
            successes += usize::from(call(calls));
            calls += 1;
        }
        if successes - before < batch {
            break;
        }
        batch = (2 * batch).min(count - calls);
    }
    (successes, calls)
}

/// The labels of `labels` with one more.
pub fn with_label(cluster: &mut Cluster, labels: LabelsId, key: &str, value: &str) -> LabelsId {
    cluster.interner.with(labels, key, Some(value))
}

/// A number for the `nth` pod of an owner that depends on the names in the input alone.
fn place_in_input(cluster: &Cluster, owner: ObjId, nth: u64) -> u64 {
    let texts = [cluster.kind(owner.into()), cluster.namespace(owner), cluster.name(owner)];
    let hash = texts
        .iter()
        .flat_map(|text| text.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The high bit keeps them apart from the pods of the input itself, which are counted from 0.
    (hash ^ nth.wrapping_mul(0x9e37_79b9_7f4a_7c15)) & ((1 << 56) - 1) | 1 << 55
}

fn base_name(cluster: &mut Cluster, owner: ObjId, request: &PodRequest) -> Sym {
    if request.generate_name != Sym::EMPTY {
        return request.generate_name;
    }
    let base = format!("{}-", cluster.name(owner));
    cluster.interner.sym(&base)
}

/// A free name of the base, cut to 58 characters, and five random characters (apiserver, `names/generate.go`).
fn generated_name(cluster: &mut Cluster, owner: ObjId, request: &PodRequest, nth: u64) -> Sym {
    let base = base_name(cluster, owner, request);
    let base = cluster.interner.shared_text(base);
    let cut = base.char_indices().nth(58).map_or(base.len(), |(idx, _)| idx);
    let namespace = cluster.interner.shared_text(cluster.meta(owner.into()).namespace);
    let seed = place_in_input(cluster, owner, nth);
    let mut attempt: u64 = 0;
    loop {
        let name = format!("{}{}", &base[..cut], name_suffix(seed.wrapping_add(attempt)));
        if cluster.find_pod(&namespace, &name).is_none() {
            return cluster.interner.sym(&name);
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_start_doubles_until_something_fails() {
        for (count, limit, expected) in [(10, 0, (0, 1)), (10, 10, (10, 10)), (10, 5, (5, 7)), (0, 5, (0, 0))] {
            assert_eq!(slow_start(count, 1, |nth| nth < limit), expected, "{count} calls, {limit} of them succeed");
        }
    }
}
