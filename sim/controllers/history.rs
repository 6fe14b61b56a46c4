//! The history of StatefulSets and DaemonSets: ControllerRevisions (kube-controller-manager v1.36, `controller/history`).

use serde_json::json;
use smallvec::SmallVec;

use super::Context;
use super::deployment::{fnv1a, safe_encode};
use crate::api::kinds;
use crate::api::selector::Selector;
use crate::cluster::objects::{ControllerRevision, Kind};
use crate::cluster::{Cluster, NewMeta, NewObject, ObjId, ObjectRef, Propagation, Sym, Template};

/// The label by which pods and revisions of a DaemonSet, and pods of a StatefulSet, name their revision.
pub const REVISION_HASH: &str = "controller-revision-hash";

/// The revisions that an object controls, oldest first.
pub fn revisions_of(cluster: &Cluster, owner: ObjId) -> Vec<ObjId> {
    let objects = cluster.dependents(owner).filter_map(|dependent| match dependent {
        ObjectRef::Object(id) => Some(id),
        _ => None,
    });
    let mut revisions: Vec<ObjId> = objects.filter(|&id| cluster.try_get::<ControllerRevision>(id).is_some()).collect();
    revisions.sort_by_key(|&id| (cluster.get::<ControllerRevision>(id).revision, id));
    revisions
}

/// The revision of the present template: the newest one, an older one that comes back with a new number, or one made for it.
pub fn sync_revision(
    cluster: &mut Cluster,
    owner: ObjId,
    template: Template,
    label: &str,
    cx: &mut Context<'_>,
) -> ObjId {
    let revisions = revisions_of(cluster, owner);
    let next = revisions.last().map_or(0, |&id| cluster.get::<ControllerRevision>(id).revision) + 1;
    let same = revisions.iter().rposition(|&id| cluster.get::<ControllerRevision>(id).template == Some(template));
    match same {
        Some(idx) if idx + 1 == revisions.len() => revisions[idx],
        Some(idx) => {
            cluster.update_spec::<ControllerRevision>(revisions[idx], |revision| revision.revision = next);
            cx.wrote();
            revisions[idx]
        }
        None => {
            cx.wrote();
            create_revision(cluster, owner, template, label, next)
        }
    }
}

fn create_revision(cluster: &mut Cluster, owner: ObjId, template: Template, label: &str, revision: i32) -> ObjId {
    let mut data = cluster.object(owner).raw["spec"]["template"].clone();
    data["$patch"] = "replace".into();
    let data = json!({ "spec": { "template": data } });
    let namespace = cluster.meta(owner.into()).namespace;
    let base = cluster.name(owner).to_owned();
    let mut hash = safe_encode(fnv1a(data.to_string().bytes()));
    let mut collisions = 0;
    while cluster.find(ControllerRevision::KIND, cluster.interner.text(namespace), &format!("{base}-{hash}")).is_some()
    {
        collisions += 1;
        hash = safe_encode(fnv1a(format!("{data}{collisions}").bytes()));
    }
    let labels = cluster.interner.with(template.labels, label, Some(&hash));
    let meta = NewMeta {
        name: cluster.interner.sym(&format!("{base}-{hash}")),
        namespace,
        labels,
        annotations: cluster.meta(owner.into()).annotations,
        owners: SmallVec::from_elem(cluster.owner_reference(owner), 1),
        generate_name: Sym::EMPTY,
        finalizers: SmallVec::new(),
        uid: Sym::EMPTY,
    };
    let raw = json!({ "apiVersion": "apps/v1", "kind": "ControllerRevision", "data": data, "revision": revision });
    let body = ControllerRevision { revision, template: Some(template) };
    let info = kinds::by_kind(ControllerRevision::KIND).expect("the kind is in the table");
    cluster.create_object(NewObject { info, meta, raw: raw.into(), body: body.into_body() })
}

/// Adopts the revisions that match and that nobody controls, such as those that an orphaning deletion left behind, and lets go of
/// those that match no more if `releases` (`adoptOrphanRevisions` of StatefulSets, `controlledHistories` of DaemonSets).
pub fn claim_revisions(cluster: &mut Cluster, owner: ObjId, selector: &Selector, releases: bool, cx: &mut Context<'_>) {
    let namespace = cluster.meta(owner.into()).namespace;
    let claims: Vec<(ObjId, bool)> = cluster
        .of_kind_in(ControllerRevision::KIND, namespace)
        .filter_map(|revision| {
            let meta = cluster.meta(revision.into());
            let matches = selector.matches(|key| cluster.interner.value_text(meta.labels, key));
            match meta.controller().map(|controller| controller.object) {
                None => (matches && !meta.is_deleting()).then_some((revision, true)),
                Some(controller) if controller == Some(owner.into()) => {
                    (releases && !matches).then_some((revision, false))
                }
                Some(_) => None,
            }
        })
        .collect();
    let reference = cluster.owner_reference(owner);
    for (revision, adopt) in claims {
        let mut owners = cluster.meta(revision.into()).owners.clone();
        match adopt {
            true => owners.push(reference),
            false => owners.retain(|own| own.object != Some(owner.into())),
        }
        cluster.set_owners(revision, owners);
        cx.wrote();
    }
}

/// Deletes the `count` oldest revisions that nothing uses.
pub fn truncate_history(
    cluster: &mut Cluster,
    owner: ObjId,
    count: usize,
    is_live: impl Fn(&Cluster, ObjId) -> bool,
    cx: &mut Context<'_>,
) {
    let old: Vec<ObjId> = revisions_of(cluster, owner).into_iter().filter(|&id| !is_live(cluster, id)).collect();
    for id in old.into_iter().take(count) {
        cluster.delete(id, Propagation::Background);
        cx.wrote();
    }
}
