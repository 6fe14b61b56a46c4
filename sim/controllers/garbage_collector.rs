//! The garbage collector: deletes what has lost its owners, and carries out foreground deletion and orphaning
//! (kube-controller-manager, `garbagecollector`).

use std::collections::BTreeSet;

use super::{Action, Context, Controller, Keys};
use crate::api::kinds::{self, KindInfo};
use crate::cluster::{Change, Cluster, ControllerKind, EventType, ObjectRef, Owner, Propagation, What};

/// The garbage collector.
#[derive(Default)]
pub struct GarbageCollector {
    /// Faulty references already reported.
    reported: BTreeSet<(ObjectRef, u64)>,
}

/// What an owner reference is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The owner is there.
    Solid,
    /// There is no such owner.
    Dangling,
    /// The owner is being deleted in the foreground and waits for its dependents.
    Waiting,
    /// Nobody can tell: the API server serves no such kind, or a cluster-scoped object names an owner of a namespaced kind.
    Unresolvable,
}

/// What to do with an object, by what its owner references are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays as it is.
    Keep,
    /// It stays, without the references that are not solid.
    DropReferences,
    /// It is deleted in the foreground, since it has dependents itself and its owner waits.
    DeleteForeground,
    /// It is deleted by the policy that its finalizers name, in the background if they name none.
    Delete,
}

/// The decision about an object with these references (`attemptToDeleteItem`).
pub fn verdict(references: &[Reference], has_dependents: bool) -> Verdict {
    let has = |kind| references.contains(&kind);
    if references.is_empty() || has(Reference::Unresolvable) {
        Verdict::Keep
    } else if has(Reference::Solid) {
        let all = references.iter().all(|reference| *reference == Reference::Solid);
        if all { Verdict::Keep } else { Verdict::DropReferences }
    } else if has(Reference::Waiting) && has_dependents {
        Verdict::DeleteForeground
    } else {
        Verdict::Delete
    }
}

/// What one owner reference of `object` is worth.
pub fn classify(cluster: &Cluster, object: ObjectRef, owner: &Owner) -> Reference {
    let Some(info) = served(cluster, owner) else { return Reference::Unresolvable };
    let namespaced = info.namespaced;
    let here = cluster.meta(object).namespace;
    if namespaced && cluster.interner.text(here).is_empty() {
        return Reference::Unresolvable;
    }
    let Some(target) = owner.object.filter(|&target| !cluster.meta(target).removed) else { return Reference::Dangling };
    if namespaced && cluster.meta(target).namespace != here {
        return Reference::Dangling;
    }
    if deletes_dependents(cluster, target) { Reference::Waiting } else { Reference::Solid }
}

/// The kind that an owner reference names, if it is served in that group.
fn served(cluster: &Cluster, owner: &Owner) -> Option<&'static KindInfo> {
    let (api_version, kind) = (cluster.interner.text(owner.api_version), cluster.interner.text(owner.kind));
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let custom = || cluster.custom_kinds().into_iter().find(|info| info.kind == kind && info.group == group);
    kinds::by_kind(kind).filter(|info| info.group == group).or_else(custom)
}

/// Whether the object is being deleted in the foreground.
fn deletes_dependents(cluster: &Cluster, object: ObjectRef) -> bool {
    let meta = cluster.meta(object);
    meta.is_deleting() && meta.finalizers.contains(&cluster.words.foreground_deletion)
}

impl Controller for GarbageCollector {
    fn kind(&self) -> ControllerKind {
        ControllerKind::GarbageCollector
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        let object = change.object;
        match change.what {
            What::Created | What::Meta => {
                let meta = cluster.meta(object);
                if meta.removed {
                    return;
                }
                let faulty = |owner: &Owner| classify(cluster, object, owner) != Reference::Solid;
                if meta.owners.iter().any(faulty) {
                    keys.add(object);
                }
                if change.what == What::Meta {
                    // A reference may have gone that an owner waits for.
                    if meta.is_deleting() && !meta.finalizers.is_empty() {
                        keys.add(object);
                    }
                    self.wake_owners(object, cluster, keys);
                }
            }
            What::Deleting => {
                let (finalizers, words) = (&cluster.meta(object).finalizers, &cluster.words);
                if finalizers.contains(&words.foreground_deletion) || finalizers.contains(&words.orphan) {
                    keys.add(object);
                }
            }
            What::Removed => {
                for dependent in cluster.dependents(object) {
                    keys.add(dependent);
                }
                self.wake_owners(object, cluster, keys);
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let meta = cluster.meta(key);
        if meta.removed {
            return Action::Done;
        }
        if meta.is_deleting() {
            if meta.finalizers.contains(&cluster.words.orphan) {
                return orphan_dependents(key, cluster, cx);
            }
            if deletes_dependents(cluster, key) {
                return delete_dependents(key, cluster, cx);
            }
            return Action::Done;
        }
        self.judge(key, cluster, cx)
    }
}

impl GarbageCollector {
    /// An owner that waits for its dependents looks again when one of them changes.
    fn wake_owners(&self, object: ObjectRef, cluster: &Cluster, keys: &mut Keys<'_>) {
        for owner in cluster.meta(object).owners.iter().filter_map(|owner| owner.object) {
            if !cluster.meta(owner).removed && deletes_dependents(cluster, owner) {
                keys.add(owner);
            }
        }
    }

    /// Decides about an object that nobody has asked to delete (`attemptToDeleteItem`).
    fn judge(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let owners = cluster.meta(key).owners.clone();
        let references: Vec<Reference> = owners.iter().map(|owner| classify(cluster, key, owner)).collect();
        for owner in &owners {
            self.report_foreign_namespace(key, owner, cluster);
        }
        let has_dependents = cluster.dependents(key).next().is_some();
        let decision = verdict(&references, has_dependents);
        if decision == Verdict::Keep {
            return Action::Done;
        }
        if !cx.may_write() {
            return Action::Done;
        }
        match decision {
            Verdict::Keep => {}
            Verdict::DropReferences => {
                let kept = owners.into_iter().zip(references).filter(|(_, worth)| *worth == Reference::Solid);
                cluster.set_owners(key, kept.map(|(owner, _)| owner));
            }
            Verdict::DeleteForeground => cluster.delete(key, Propagation::Foreground),
            Verdict::Delete => {
                let (finalizers, words) = (&cluster.meta(key).finalizers, &cluster.words);
                let policy = if finalizers.contains(&words.orphan) {
                    Propagation::Orphan
                } else if finalizers.contains(&words.foreground_deletion) {
                    Propagation::Foreground
                } else {
                    Propagation::Background
                };
                cluster.delete(key, policy);
            }
        }
        Action::Done
    }

    /// An owner of a namespaced kind must live in the namespace of its dependent (`reportInvalidNamespaceOwnerRef`).
    fn report_foreign_namespace(&mut self, key: ObjectRef, owner: &Owner, cluster: &mut Cluster) {
        let kind = cluster.interner.text(owner.kind).to_owned();
        let here = cluster.namespace(key).to_owned();
        let there = owner.object.map_or("", |target| cluster.namespace(target));
        if there.is_empty() || there == here || !self.reported.insert((key, owner.uid)) {
            return;
        }
        let (api_version, name) = (cluster.interner.text(owner.api_version), cluster.interner.text(owner.name));
        let uid = cluster.owner_uid(owner);
        let text = format!(
            "ownerRef [{api_version}/{kind}, namespace: {here}, name: {name}, uid: {uid}] does not exist in namespace {here:?}"
        );
        let source = cluster.words.garbage_collector_controller;
        cluster.record_event(key, EventType::Warning, "OwnerRefInvalidNamespace", &text, source);
    }
}

/// A foreground deletion: deletes the dependents, and lets the object go when none of them blocks it any more
/// (`processDeletingDependentsItem`).
fn delete_dependents(key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
    let dependents: Vec<ObjectRef> = cluster.dependents(key).collect();
    let blocks = |dependent: &ObjectRef| {
        let owners = &cluster.meta(*dependent).owners;
        owners.iter().any(|owner| owner.object == Some(key) && owner.block_owner_deletion)
    };
    if !dependents.iter().any(blocks) {
        if cx.may_write() {
            let finalizer = cluster.words.foreground_deletion;
            cluster.remove_finalizer(key, finalizer);
        }
        return Action::Done;
    }
    let in_circle = is_in_circle(key, cluster);
    for dependent in dependents {
        let meta = cluster.meta(dependent);
        if in_circle && deletes_dependents(cluster, dependent) {
            unblock(dependent, key, cluster);
        } else if !meta.is_deleting() {
            cx.enqueue(dependent);
        }
    }
    Action::Done
}

/// Whether the object waits for itself through foreground deletions of its dependents.
fn is_in_circle(key: ObjectRef, cluster: &Cluster) -> bool {
    let mut seen = BTreeSet::new();
    let mut stack: Vec<ObjectRef> = cluster.dependents(key).filter(|&d| deletes_dependents(cluster, d)).collect();
    while let Some(object) = stack.pop() {
        if object == key {
            return true;
        }
        if seen.insert(object) {
            stack.extend(cluster.dependents(object).filter(|&d| deletes_dependents(cluster, d)));
        }
    }
    false
}

/// Lets `dependent` no longer block the deletion of `owner`.
fn unblock(dependent: ObjectRef, owner: ObjectRef, cluster: &mut Cluster) {
    let mut owners = cluster.meta(dependent).owners.clone();
    for reference in owners.iter_mut().filter(|reference| reference.object == Some(owner)) {
        reference.block_owner_deletion = false;
    }
    cluster.set_owners(dependent, owners);
}

/// An orphaning deletion: takes the owner off its dependents, then lets it go (`attemptToOrphanWorker`).
fn orphan_dependents(key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
    let dependents: Vec<ObjectRef> = cluster.dependents(key).collect();
    for dependent in dependents {
        if !cx.may_write() {
            return Action::Done;
        }
        let owners = cluster.meta(dependent).owners.clone();
        cluster.set_owners(dependent, owners.into_iter().filter(|owner| owner.object != Some(key)));
    }
    if cx.may_write() {
        let finalizer = cluster.words.orphan;
        cluster.remove_finalizer(key, finalizer);
    }
    Action::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_decide() {
        use Reference::{Dangling, Solid, Unresolvable, Waiting};
        for (references, has_dependents, expected, why) in [
            (&[][..], false, Verdict::Keep, "no owners"),
            (&[Solid], false, Verdict::Keep, "the owner is there"),
            (&[Solid, Dangling], false, Verdict::DropReferences, "one owner is enough"),
            (&[Solid, Waiting], true, Verdict::DropReferences, "one owner is enough"),
            (&[Dangling], true, Verdict::Delete, "no owner left"),
            (&[Waiting], true, Verdict::DeleteForeground, "dependents go first"),
            (&[Waiting], false, Verdict::Delete, "nothing to wait for"),
            (&[Waiting, Dangling], true, Verdict::DeleteForeground, "dangling owners do not matter"),
            (&[Unresolvable], false, Verdict::Keep, "nobody can tell"),
        ] {
            assert_eq!(verdict(references, has_dependents), expected, "{why}");
        }
    }
}
