//! The volume claims of a StatefulSet's pods: made before their pod, owned as the retention policy wants (`stateful_pod_control.go`).

use serde_json::Value;

use crate::api::kinds;
use crate::cluster::admission::Rejection;
use crate::cluster::objects::StatefulSet;
use crate::cluster::{Cluster, EventType, ObjId, ObjectRef, PodId};
use crate::controllers::Context;

const CLAIM: &str = "PersistentVolumeClaim";

/// Whether a claim of a pod that does not exist still belongs to an earlier pod of its name, with which it goes (`PodClaimIsStale`).
pub(super) fn is_stale(id: ObjId, pod: &str, cluster: &Cluster) -> bool {
    claims_of(id, pod, cluster).into_iter().any(|claim| {
        let mut owners = cluster.meta(claim.into()).owners.iter();
        owners.any(|own| cluster.interner.text(own.kind) == "Pod" && cluster.interner.text(own.name) == pod)
    })
}

/// Creates the claims that a pod lacks (`createPersistentVolumeClaims`).
///
/// # Errors
///
/// The API server's answer, or that a claim is just being deleted.
pub(super) fn create(
    id: ObjId,
    pod: &str,
    ordinal: i32,
    cluster: &mut Cluster,
    cx: &mut Context<'_>,
) -> Result<(), String> {
    if cluster.get::<StatefulSet>(id).claims.is_empty() {
        return Ok(());
    }
    let raw = cluster.object(id).raw.clone();
    let (namespace, set_name) = (cluster.namespace(id).to_owned(), cluster.name(id).to_owned());
    let source = cluster.words.statefulset_controller;
    let mut errors = Vec::new();
    for template in raw["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let name = format!("{}-{set_name}-{ordinal}", template["metadata"]["name"].as_str().unwrap_or_default());
        if let Some(claim) = cluster.find(CLAIM, &namespace, &name) {
            if cluster.meta(claim.into()).is_deleting() {
                errors.push(format!("pvc {name} is being deleted"));
            }
            continue;
        }
        cx.wrote();
        match create_one(id, template, &raw["spec"]["selector"]["matchLabels"], &name, cluster) {
            Ok(()) => {
                let message = format!("Create Claim {name} Pod {pod} in StatefulSet {set_name} success");
                cluster.record_event(id, EventType::Normal, "SuccessfulCreate", &message, source);
            }
            Err(error) => {
                let message =
                    format!("Create Claim {name} for Pod {pod} in StatefulSet {set_name} failed error: {error}");
                cluster.record_event(id, EventType::Warning, "FailedCreate", &message, source);
                errors.push(format!("failed to create PVC {name}: {error}"));
            }
        }
    }
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(format!("[{}]", errors.join(", "))),
    }
}

fn create_one(id: ObjId, template: &Value, labels: &Value, name: &str, cluster: &mut Cluster) -> Result<(), String> {
    let namespace = cluster.meta(id.into()).namespace;
    let mut manifest = template.clone();
    manifest["apiVersion"] = "v1".into();
    manifest["kind"] = CLAIM.into();
    manifest["metadata"]["name"] = name.into();
    manifest["metadata"]["namespace"] = cluster.namespace(id).into();
    for (key, value) in labels.as_object().into_iter().flatten() {
        manifest["metadata"]["labels"][key] = value.clone();
    }
    let info = kinds::by_kind(CLAIM).expect("the kind is in the table");
    let admitted = cluster
        .admit_into(namespace)
        .and_then(|()| cluster.charge_object(namespace, info, &manifest).map_err(Rejection::Forbidden));
    admitted.map_err(|rejection| rejection.text("persistentvolumeclaims", name))?;
    let created = cluster.create_from(&manifest)?;
    if cluster.get::<StatefulSet>(id).delete_claims_when_deleted {
        let owner = cluster.owner_reference(id);
        cluster.set_owners(created, [owner]);
    }
    Ok(())
}

/// Gives the claims of a pod the owners that the retention policy wants (`updateClaimOwnerRefForSetAndPod`), so that the garbage
/// collector takes them: those of a pod that is scaled away go with it, all of them with the set.
pub(super) fn own(id: ObjId, pod: PodId, condemned: bool, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let set: &StatefulSet = cluster.get(id);
    let by_pod = condemned && set.delete_claims_when_scaled;
    let by_set = set.delete_claims_when_deleted && !by_pod;
    for claim in claims_of(id, cluster.name(pod), cluster) {
        let wanted = [(ObjectRef::from(id), by_set), (ObjectRef::from(pod), by_pod)];
        let owners = &cluster.meta(claim.into()).owners;
        let has = |owner| owners.iter().any(|own| own.object == Some(owner));
        if wanted.iter().all(|&(owner, wanted)| has(owner) == wanted) {
            continue;
        }
        let mut owners = owners.clone();
        owners.retain(|own| wanted.iter().all(|&(owner, _)| own.object != Some(owner)));
        let add: Vec<ObjectRef> = wanted.into_iter().filter(|&(_, wanted)| wanted).map(|(owner, _)| owner).collect();
        owners.extend(add.into_iter().map(|owner| cluster.owner_reference(owner)));
        cluster.set_owners(claim, owners);
        cx.wrote();
    }
}

/// The claims there are of the pod of this name.
fn claims_of(id: ObjId, pod: &str, cluster: &Cluster) -> Vec<ObjId> {
    let (set, namespace): (&StatefulSet, _) = (cluster.get(id), cluster.namespace(id));
    let names = set.claims.iter().map(|&claim| format!("{}-{pod}", cluster.interner.text(claim)));
    names.filter_map(|claim| cluster.find(CLAIM, namespace, &claim)).collect()
}
