//! Namespace deletion: pods first, then everything else, then the namespace itself (kube-controller-manager, `namespace`).

use super::{Action, Context, Controller, Keys, Retries};
use crate::cluster::objects::Namespace;
use crate::cluster::{
    Change, Cluster, Condition, ConditionStatus, ControllerKind, ObjId, ObjectRef, PodId, Propagation, Sym, What,
};
use crate::engine::Span;

/// How long after the request the work begins, so that caches have seen the phase (`namespaceDeletionGracePeriod`).
const GRACE: Span = Span::from_secs(5);
/// What is waited for where finalizers alone hold objects (`finalizerEstimateSeconds`).
const FINALIZER_ESTIMATE_SECONDS: u64 = 15;

/// Empties namespaces that are being deleted.
#[derive(Default)]
pub struct NamespaceController;

impl Controller for NamespaceController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::Namespace
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        if change.what == What::Deleting
            && let ObjectRef::Object(id) = change.object
            && cluster.try_get::<Namespace>(id).is_some()
        {
            keys.add_after(id, GRACE);
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        let meta = cluster.meta(key);
        if meta.removed || !meta.is_deleting() {
            return Action::Done;
        }
        let namespace = meta.name;
        let left = empty(id, namespace, cluster);
        set_conditions(id, &left, cluster);
        cx.wrote();
        if let Some(failure) = left.failure {
            return Action::Failed(failure);
        }
        match left.estimate_seconds {
            // The estimate, halved and one more, so that the second look mostly is the last.
            Some(seconds) => Action::RequeueAfter(Span::from_secs(seconds / 2 + 1)),
            None => {
                cluster.finalize_namespace(id);
                Action::Done
            }
        }
    }

    fn retries(&self) -> Retries {
        RETRIES
    }
}

/// How long a namespace waits whose pass failed (`nsControllerRateLimiter`).
const RETRIES: Retries = Retries { base: Span::from_millis(5), max: Span::from_secs(60), is_bucketed: true };

/// What a pass over a namespace has left in it.
struct Left {
    /// How long what is left may take; none if nothing is left.
    estimate_seconds: Option<u64>,
    /// Resources left, with their numbers, in order of name.
    resources: Vec<(String, usize)>,
    /// Finalizers left, with the numbers of objects that have them.
    finalizers: Vec<(Sym, usize)>,
    /// What is wrong if pods are left that nothing holds.
    failure: Option<String>,
}

/// Deletes what is in a namespace: all pods, and only when none is left, all else (`OrderedNamespaceDeletion`).
fn empty(id: ObjId, namespace: Sym, cluster: &mut Cluster) -> Left {
    let pods: Vec<_> = cluster.pods_in(namespace).collect();
    let estimate = grace(&pods, cluster);
    // When the grace is over since the request, it explains nothing any more.
    let requested = cluster.meta(id.into()).deletion.map_or(cluster.now(), |deletion| deletion.requested);
    let is_over = cluster.now() >= requested.truncated_to_seconds() + Span::from_secs(estimate);
    let estimate = if is_over { 0 } else { estimate };
    for &pod in &pods {
        if !cluster.pod(pod).meta.is_deleting() {
            cluster.delete_pod(pod, None);
        }
    }
    let mut left = remaining(cluster.pods_in(namespace).map(ObjectRef::Pod).collect(), cluster);
    if left.resources.is_empty() {
        let objects: Vec<ObjId> =
            cluster.objects().filter(|(_, object)| object.meta.namespace == namespace).map(|(id, _)| id).collect();
        for &id in &objects {
            cluster.delete(id, Propagation::Background);
        }
        let kept = objects.into_iter().map(ObjectRef::Object).filter(|&object| !cluster.meta(object).removed);
        left = remaining(kept.collect(), cluster);
    }
    if estimate > 0 && !left.resources.is_empty() {
        left.estimate_seconds = Some(estimate);
    } else if !left.finalizers.is_empty() {
        left.estimate_seconds = Some(FINALIZER_ESTIMATE_SECONDS);
    } else if !left.resources.is_empty() {
        let namespace = cluster.interner.text(namespace);
        left.failure =
            Some(format!("unexpected items still remain in namespace: {namespace} for gvr: /v1, Resource=pods"));
    }
    left
}

/// The longest grace of the pods that have not ended (`estimateGracefulTerminationForPods`).
fn grace(pods: &[PodId], cluster: &Cluster) -> u64 {
    let living = pods.iter().filter(|&&pod| !cluster.pod(pod).phase.is_terminal());
    living.map(|&pod| u64::from(cluster.spec_of(pod).grace_seconds)).max().unwrap_or(0)
}

fn remaining(objects: Vec<ObjectRef>, cluster: &Cluster) -> Left {
    let (mut resources, mut finalizers) = (Vec::<(String, usize)>::new(), Vec::<(Sym, usize)>::new());
    for object in objects {
        let info = match object {
            ObjectRef::Object(id) => Some(cluster.object(id).info),
            _ => crate::api::kinds::by_kind(cluster.kind(object)),
        };
        count(&mut resources, info.map_or_else(String::new, |info| format!("{}.{}", info.plural, info.group)));
        for &finalizer in &cluster.meta(object).finalizers {
            count(&mut finalizers, finalizer);
        }
    }
    resources.sort();
    finalizers.sort_by(|a, b| cluster.interner.text(a.0).cmp(cluster.interner.text(b.0)));
    Left { estimate_seconds: None, resources, finalizers, failure: None }
}

fn count<T: PartialEq>(counts: &mut Vec<(T, usize)>, of: T) {
    match counts.iter_mut().find(|(name, _)| *name == of) {
        Some((_, n)) => *n += 1,
        None => counts.push((of, 1)),
    }
}

/// Writes the five conditions of a terminating namespace (`conditionUpdater`).
fn set_conditions(id: ObjId, left: &Left, cluster: &mut Cluster) {
    let resources: Vec<String> =
        left.resources.iter().map(|(name, n)| format!("{name} has {n} resource instances")).collect();
    let finalizers: Vec<String> = left
        .finalizers
        .iter()
        .map(|&(name, n)| format!("{} in {n} resource instances", cluster.interner.text(name)))
        .collect();
    let remains = format!("Some resources are remaining: {}", resources.join(", "));
    let held = format!("Some content in the namespace has finalizers remaining: {}", finalizers.join(", "));
    let failed = left.failure.as_deref().unwrap_or_default();
    let failed = format!("Failed to delete all resource types, 1 remaining: {failed}");
    let conditions = [
        ("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            false,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        match &left.failure {
            None => (
                "NamespaceDeletionContentFailure",
                false,
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
            Some(_) => ("NamespaceDeletionContentFailure", true, "ContentDeletionFailed", &failed),
        },
        match left.resources.is_empty() {
            true => ("NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed"),
            false => ("NamespaceContentRemaining", true, "SomeResourcesRemain", &remains),
        },
        match left.finalizers.is_empty() {
            true => (
                "NamespaceFinalizersRemaining",
                false,
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            ),
            false => ("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain", &held),
        },
    ];
    let now = cluster.now();
    let conditions = conditions.map(|(kind, holds, reason, message)| Condition {
        kind: cluster.interner.sym(kind),
        status: ConditionStatus::from(holds),
        reason: cluster.interner.sym(reason),
        message: cluster.interner.sym(message),
        transition: now,
        update: now,
    });
    cluster.update_status::<Namespace>(id, |namespace| {
        for condition in conditions {
            // An equal condition keeps its times.
            if namespace.conditions.get(condition.kind).is_none_or(|old| {
                (old.status, old.reason, old.message) != (condition.status, condition.reason, condition.message)
            }) {
                namespace.conditions.set(condition);
            }
        }
    });
}
