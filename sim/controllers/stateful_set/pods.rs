//! The pods of a StatefulSet: their names, revisions, claims, and how they are made (`stateful_set_utils.go`).

use serde_json::{Value, json};

use super::claims;
use crate::cluster::objects::{ControllerRevision, StatefulSet};
use crate::cluster::{Cluster, ConditionStatus, EventType, LabelsId, ObjId, PodId, PodPhase, Template};
use crate::controllers::Context;
use crate::controllers::history::REVISION_HASH;
use crate::controllers::pod_control::PodRequest;
use crate::engine::{Span, Time};

/// The label by which a pod of a set tells its name.
const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";

/// The number at the end of a pod's name, if the rest is the set's name.
pub fn ordinal_of(set: &str, pod: &str) -> Option<i32> {
    let digits = pod.strip_prefix(set)?.strip_prefix('-')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
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
                None => (matches && !cluster.pod(pod).meta.is_deleting()).then_some((pod, true)),
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

/// Creates the claims of a pod and the pod of one ordinal. Nothing happens while a claim still belongs to an earlier pod of the name.
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
    if set.delete_claims_when_scaled && claims::is_stale(id, &name, cluster) {
        return Ok(());
    }
    let outcome = claims::create(id, &name, ordinal, cluster, cx).and_then(|()| {
        let mut template = cluster.get::<ControllerRevision>(revision).template.unwrap_or(set.template);
        let revision_name = cluster.name(revision).to_owned();
        template.labels = cluster.interner.with(template.labels, REVISION_HASH, Some(&revision_name));
        template.labels = with_identity_labels(template.labels, &name, ordinal, cluster);
        template = with_identity(template, &set, &set_name, &name, ordinal, cluster);
        let mut request = PodRequest::of_template(template);
        request.name = cluster.interner.sym(&name);
        cx.wrote();
        match cx.pods.create(cluster, id, request) {
            Err(error) if !error.terminating => Err(error.text),
            _ => Ok(()),
        }
    });
    record("Create", &name, id, &outcome, cluster);
    outcome
}

/// Says what became of a pod of the set (`recordPodEvent`).
fn record(verb: &str, pod: &str, id: ObjId, outcome: &Result<(), String>, cluster: &mut Cluster) {
    let source = cluster.words.statefulset_controller;
    let what = format!("{verb} Pod {pod} in StatefulSet {}", cluster.name(id));
    match outcome {
        Ok(()) => {
            let message = format!("{what} successful");
            cluster.record_event(id, EventType::Normal, &format!("Successful{verb}"), &message, source);
        }
        Err(error) => {
            let message = format!("{what} failed error: {error}");
            cluster.record_event(id, EventType::Warning, &format!("Failed{verb}"), &message, source);
        }
    }
}

/// The labels by which a pod of a set is known.
fn with_identity_labels(labels: LabelsId, name: &str, ordinal: i32, cluster: &mut Cluster) -> LabelsId {
    let labels = cluster.interner.with(labels, POD_NAME_LABEL, Some(name));
    cluster.interner.with(labels, "apps.kubernetes.io/pod-index", Some(&ordinal.to_string()))
}

/// Gives a pod that the set did not make the labels of its identity (`UpdateStatefulPod`).
pub(super) fn identify(id: ObjId, pod: PodId, ordinal: i32, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let labels = cluster.pod(pod).meta.labels;
    if cluster.label(labels, POD_NAME_LABEL) == Some(cluster.name(pod)) {
        return;
    }
    let name = cluster.name(pod).to_owned();
    let labels = with_identity_labels(labels, &name, ordinal, cluster);
    cluster.set_labels(pod, labels);
    cx.wrote();
    record("Update", &name, id, &Ok(()), cluster);
}

/// Deletes a pod of the set and says so.
pub(super) fn delete(id: ObjId, pod: PodId, cluster: &mut Cluster, cx: &mut Context<'_>) {
    let name = cluster.name(pod).to_owned();
    cluster.delete_pod(pod, None);
    cx.wrote();
    record("Delete", &name, id, &Ok(()), cluster);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_plain_digits() {
        for (pod, expected) in
            [("db-0", Some(0)), ("db-12", Some(12)), ("db-+1", None), ("db--1", None), ("db-", None), ("other-0", None)]
        {
            assert_eq!(ordinal_of("db", pod), expected, "{pod}");
        }
    }
}
