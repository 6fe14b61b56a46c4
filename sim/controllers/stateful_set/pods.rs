//! The pods of a StatefulSet: their names, revisions, claims, and how they are made (`stateful_set_utils.go`).

use serde_json::{Value, json};

use crate::cluster::objects::{ControllerRevision, StatefulSet};
use crate::cluster::{Cluster, ConditionStatus, EventType, ObjId, ObjectRef, PodId, PodPhase, Template};
use crate::controllers::Context;
use crate::controllers::history::REVISION_HASH;
use crate::controllers::pod_control::PodRequest;
use crate::engine::{Span, Time};

/// The number at the end of a pod's name, if the rest is the set's name.
pub fn ordinal_of(set: &str, pod: &str) -> Option<i32> {
    pod.strip_prefix(set)?.strip_prefix('-')?.parse().ok().filter(|&ordinal| ordinal >= 0)
}

pub(super) fn selects(cluster: &Cluster, set: &StatefulSet, pod: PodId) -> bool {
    let labels = cluster.pod(pod).meta.labels;
    set.selector.matches(|key| cluster.interner.value_text(labels, key))
}

/// Adopts matching orphans that bear a name of the set, and releases strays.
pub(super) fn claim(id: ObjId, cluster: &mut Cluster, cx: &mut Context<'_>) {
    if cluster.meta(id.into()).is_deleting() {
        return;
    }
    let set: StatefulSet = cluster.get::<StatefulSet>(id).clone();
    let name = cluster.name(id).to_owned();
    let claims: Vec<(PodId, bool)> = cluster
        .pods_in(cluster.meta(id.into()).namespace)
        .filter_map(|pod| {
            let matches = selects(cluster, &set, pod) && ordinal_of(&name, cluster.name(pod)).is_some();
            match cluster.pod(pod).meta.controller().map(|owner| owner.object) {
                None => (matches && cluster.pod(pod).is_active()).then_some((pod, true)),
                Some(owner) if owner == Some(id.into()) => (!matches).then_some((pod, false)),
                Some(_) => None,
            }
        })
        .collect();
    let reference = cluster.owner_reference(id);
    for (pod, adopt) in claims {
        let mut owners = cluster.pod(pod).meta.owners.clone();
        match adopt {
            true => owners.push(reference),
            false => owners.retain(|owner| owner.object != Some(id.into())),
        }
        cluster.set_owners(pod, owners);
        cx.wrote();
    }
}

/// The name of the revision a pod was made from.
pub(super) fn revision_of(cluster: &Cluster, pod: PodId) -> &str {
    cluster.label(cluster.pod(pod).meta.labels, REVISION_HASH).unwrap_or_default()
}

pub(super) fn is_ready(cluster: &Cluster, pod: PodId) -> bool {
    let row = cluster.pod(pod);
    row.phase == PodPhase::Running && row.conditions.is_true(cluster.words.ready)
}

/// How long until a ready pod counts as available; nothing if it does.
pub(super) fn until_available(cluster: &Cluster, pod: PodId, min_ready_seconds: i32, now: Time) -> Option<Span> {
    let ready = cluster.pod(pod).conditions.get(cluster.words.ready)?;
    if ready.status != ConditionStatus::True || min_ready_seconds <= 0 {
        return None;
    }
    let at = ready.transition.truncated_to_seconds() + Span::from_secs(min_ready_seconds as u64);
    (at > now).then(|| at.since(now))
}

/// Creates the claims of a pod and the pod of one ordinal.
pub(super) fn create(
    id: ObjId,
    ordinal: i32,
    revision: ObjId,
    cluster: &mut Cluster,
    cx: &mut Context<'_>,
) -> Result<(), String> {
    let set: StatefulSet = cluster.get::<StatefulSet>(id).clone();
    let set_name = cluster.name(id).to_owned();
    let name = format!("{set_name}-{ordinal}");
    create_claims(id, &set_name, &name, ordinal, cluster, cx);
    let mut template = cluster.get::<ControllerRevision>(revision).template.unwrap_or(set.template);
    let revision_name = cluster.name(revision).to_owned();
    for (key, value) in [
        (REVISION_HASH, revision_name.as_str()),
        ("statefulset.kubernetes.io/pod-name", &name),
        ("apps.kubernetes.io/pod-index", &ordinal.to_string()),
    ] {
        template.labels = cluster.interner.with(template.labels, key, Some(value));
    }
    template = with_identity(template, &set, &set_name, &name, ordinal, cluster);
    let mut request = PodRequest::of_template(template);
    request.name = cluster.interner.sym(&name);
    cx.wrote();
    let source = cluster.words.statefulset_controller;
    match cx.pods.create(cluster, id, request) {
        Ok(_) => {
            let message = format!("Create Pod {name} in StatefulSet {set_name} successful");
            cluster.record_event(id, EventType::Normal, "SuccessfulCreate", &message, source);
            Ok(())
        }
        Err(error) if error.terminating => Ok(()),
        Err(error) => {
            let message = format!("Create Pod {name} in StatefulSet {set_name} failed error: {}", error.text);
            cluster.record_event(id, EventType::Warning, "FailedCreate", &message, source);
            Err(error.text)
        }
    }
}

/// Deletes a pod of the set and says so.
pub(super) fn delete(id: ObjId, pod: PodId, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let message = format!("Delete Pod {} in StatefulSet {} successful", cluster.name(pod), cluster.name(id));
    cluster.delete_pod(pod, None);
    cx.wrote();
    let source = cluster.words.statefulset_controller;
    cluster.record_event(id, EventType::Normal, "SuccessfulDelete", &message, source);
}

/// Gives the claims of a pod the owners that the retention policy wants (`updateClaimOwnerRefForSetAndPod`), so that the garbage
/// collector takes them: those of a pod that is scaled away go with it, all of them with the set.
pub(super) fn own_claims(id: ObjId, pod: PodId, condemned: bool, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let set: &StatefulSet = cluster.get(id);
    let by_pod = condemned && set.delete_claims_when_scaled;
    let by_set = set.delete_claims_when_deleted && !by_pod;
    let (namespace, name) = (cluster.namespace(id), cluster.name(pod));
    let claims = set.claims.iter().map(|&claim| format!("{}-{name}", cluster.interner.text(claim)));
    let claims: Vec<ObjId> =
        claims.filter_map(|claim| cluster.find("PersistentVolumeClaim", namespace, &claim)).collect();
    for claim in claims {
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

fn create_claims(id: ObjId, set_name: &str, pod_name: &str, ordinal: i32, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let raw = cluster.object(id).raw.clone();
    let namespace = cluster.namespace(id).to_owned();
    for claim in raw["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let name = format!("{}-{set_name}-{ordinal}", claim["metadata"]["name"].as_str().unwrap_or_default());
        if cluster.find("PersistentVolumeClaim", &namespace, &name).is_some() {
            continue;
        }
        let mut manifest = claim.clone();
        manifest["apiVersion"] = "v1".into();
        manifest["kind"] = "PersistentVolumeClaim".into();
        manifest["metadata"]["name"] = name.as_str().into();
        manifest["metadata"]["namespace"] = namespace.as_str().into();
        for (key, value) in raw["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten() {
            manifest["metadata"]["labels"][key] = value.clone();
        }
        if let Ok(created) = cluster.create_from(&manifest) {
            if cluster.get::<StatefulSet>(id).delete_claims_when_deleted {
                let owner = cluster.owner_reference(id);
                cluster.set_owners(created, [owner]);
            }
            cx.wrote();
            let message = format!("Create Claim {name} Pod {pod_name} in StatefulSet {set_name} success");
            let source = cluster.words.statefulset_controller;
            cluster.record_event(id, EventType::Normal, "SuccessfulCreate", &message, source);
        }
    }
}

/// The spec of the pod of one ordinal: host name, subdomain, its own claims.
fn with_identity(
    template: Template,
    set: &StatefulSet,
    set_name: &str,
    name: &str,
    ordinal: i32,
    cluster: &mut Cluster,
) -> Template {
    let mut spec = serde_json::to_value(&cluster.specs.get(template.spec).typed).unwrap_or(Value::Null);
    spec["hostname"] = name.into();
    let service = cluster.interner.text(set.service_name);
    if !service.is_empty() {
        spec["subdomain"] = service.into();
    }
    let claims: Vec<&str> = set.claims.iter().map(|&claim| cluster.interner.text(claim)).collect();
    if !claims.is_empty() {
        let mut volumes = spec["volumes"].as_array().cloned().unwrap_or_default();
        volumes.retain(|volume| claims.iter().all(|claim| volume["name"] != *claim));
        let own = claims.iter().map(|claim| {
            let claim_name = format!("{claim}-{set_name}-{ordinal}");
            json!({ "name": claim, "persistentVolumeClaim": { "claimName": claim_name } })
        });
        spec["volumes"] = own.chain(volumes).collect();
    }
    match cluster.intern_spec(&spec) {
        Ok(spec) => Template { spec, ..template },
        Err(_) => template,
    }
}
