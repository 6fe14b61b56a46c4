//! The ReplicaSets of a Deployment and their revisions: which is the new one, what its annotations say, how it is made.

use serde_json::{Value, json};
use smallvec::SmallVec;

use super::{Failure, Sync};
use crate::api::kinds;
use crate::api::selector::Selector;
use crate::cluster::admission::Rejection;
use crate::cluster::objects::{Deployment, Kind, ReplicaSet, ReplicaSetStatus};
use crate::cluster::{
    Cluster, ConditionStatus, EventType, LabelsId, NAME_ALPHABET, NewMeta, NewObject, ObjId, Sym, Template,
};
use crate::controllers::Context;

/// The number of the revision that a ReplicaSet is, or that a Deployment has.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Earlier numbers of a ReplicaSet that was rolled back to.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The size of the Deployment when the ReplicaSet was last scaled.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// The most pods that the Deployment might have had then.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// The label that tells the ReplicaSets of a Deployment apart.
pub const TEMPLATE_HASH: &str = "pod-template-hash";
/// Length of [`REVISION_HISTORY`] at which old numbers are dropped (`maxRevHistoryLengthInChars`).
const MAX_HISTORY_CHARS: usize = 2000;

/// Annotations that are not copied from a Deployment to its ReplicaSets.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];

/// The ReplicaSets that a Deployment controls, oldest first.
pub fn replica_sets_of(cluster: &Cluster, deployment: ObjId) -> Vec<ObjId> {
    let mut sets: Vec<ObjId> = cluster
        .dependents(deployment)
        .filter_map(|dependent| match dependent {
            crate::cluster::ObjectRef::Object(id) => Some(id),
            _ => None,
        })
        .filter(|&id| cluster.try_get::<ReplicaSet>(id).is_some())
        .filter(|&id| cluster.controller_of(id) == Some(deployment.into()))
        .collect();
    sets.sort_by_cached_key(|&id| (cluster.meta(id.into()).created.as_secs(), cluster.name(id).to_owned()));
    sets
}

/// The ReplicaSet whose template is the Deployment's (`FindNewReplicaSet`), of `sets` ordered oldest first.
pub fn new_replica_set(cluster: &mut Cluster, deployment: ObjId, sets: &[ObjId]) -> Option<ObjId> {
    let wanted = cluster.get::<Deployment>(deployment).template;
    let wanted = without_hash(cluster, wanted);
    sets.iter().copied().find(|&id| {
        let own = cluster.get::<ReplicaSet>(id).template;
        without_hash(cluster, own) == wanted
    })
}

/// The revision that the annotation of a ReplicaSet or Deployment names; 0 if there is none.
pub fn revision_of(cluster: &Cluster, object: ObjId) -> i64 {
    annotation(cluster, object, REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The ReplicaSet of a revision; of the latest but one if `revision` is 0. What `kubectl rollout undo` goes back to.
pub fn replica_set_of_revision(cluster: &Cluster, deployment: ObjId, revision: i64) -> Option<ObjId> {
    let mut sets = replica_sets_of(cluster, deployment);
    sets.sort_by_key(|&id| revision_of(cluster, id));
    match revision {
        0 => sets.len().checked_sub(2).map(|idx| sets[idx]),
        _ => sets.into_iter().find(|&id| revision_of(cluster, id) == revision),
    }
}

pub(super) fn annotation<'a>(cluster: &'a Cluster, object: ObjId, key: &str) -> Option<&'a str> {
    cluster.interner.value_text(cluster.meta(object.into()).annotations, key)
}

fn without_hash(cluster: &mut Cluster, template: Template) -> Template {
    if cluster.interner.value_text(template.labels, TEMPLATE_HASH).is_none() {
        return template;
    }
    Template { labels: cluster.interner.with(template.labels, TEMPLATE_HASH, None), ..template }
}

impl Sync {
    /// Finds or, if `create`, makes the new ReplicaSet, and brings revision numbers and annotations up to date
    /// (`getAllReplicaSetsAndSyncRevision`).
    pub(super) fn sync_revision(
        &mut self,
        create: bool,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let max_old = self.olds().map(|id| revision_of(cluster, id)).max().unwrap_or(0);
        let revision = max_old + 1;
        match self.new {
            Some(new) => self.adopt_revision(new, revision, cluster, cx)?,
            None if create => self.create_new(revision, cluster, cx)?,
            None => {}
        }
        Ok(())
    }

    fn adopt_revision(
        &mut self,
        new: ObjId,
        revision: i64,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let annotations = new_annotations(cluster, self.id, cluster.meta(new.into()).annotations, revision);
        let min_ready = cluster.get::<Deployment>(self.id).min_ready_seconds;
        let annotated = annotations != cluster.meta(new.into()).annotations;
        let retimed = cluster.get::<ReplicaSet>(new).min_ready_seconds != min_ready;
        if annotated || retimed {
            cluster.set_annotations(new, annotations);
            if retimed {
                cluster.update_spec::<ReplicaSet>(new, |set| set.min_ready_seconds = min_ready);
            }
            cx.wrote();
            return Ok(());
        }
        let revision = annotation(cluster, new, REVISION).map(str::to_owned);
        let renumbered = revision.is_some() && annotation(cluster, self.id, REVISION) != revision.as_deref();
        let known = cluster.get::<Deployment>(self.id).status.conditions.get(cluster.words.progressing).is_some();
        let found = self.has_deadline(cluster) && !known;
        if !renumbered && !found {
            return Ok(());
        }
        self.write_self(cluster, cx)?;
        cluster.set_annotation(self.id, REVISION, revision.as_deref());
        if found {
            let message = format!("Found new replica set {:?}", cluster.name(new));
            self.write_progressing(ConditionStatus::True, "FoundNewReplicaSet", &message, cluster);
        }
        Ok(())
    }

    fn create_new(&mut self, revision: i64, cluster: &mut Cluster, cx: &mut Context<'_>) -> Result<(), Failure> {
        let hash = template_hash(cluster, self.id);
        let name = format!("{}-{hash}", cluster.name(self.id));
        let namespace = cluster.meta(self.id.into()).namespace;
        let replicas = self.new_replicas(0, cluster);
        let info = kinds::by_kind(ReplicaSet::KIND).expect("the kind is in the table");
        let admitted = cluster
            .admit_into(namespace)
            .and_then(|()| self.ask_policies(&name, &hash, replicas, cluster))
            .and_then(|()| cluster.charge_object(namespace, info, &Value::Null).map_err(Rejection::Forbidden));
        if let Err(rejection) = admitted {
            return Err(self.creation_refused(&name, &rejection, cluster, cx));
        }
        if cluster.find(ReplicaSet::KIND, cluster.interner.text(namespace), &name).is_some() {
            // Another template with the same hash, or the same one in other hands.
            let count = cluster.get::<Deployment>(self.id).status.collision_count.unwrap_or(0) + 1;
            self.write_self(cluster, cx)?;
            cluster.update_status::<Deployment>(self.id, |this| this.status.collision_count = Some(count));
            return Err(Failure(format!("replicasets.apps {name:?} already exists")));
        }
        let new = self.create_replica_set(&name, &hash, replicas, revision, cluster);
        cx.wrote();
        self.add_new(new, cluster);
        if replicas > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {replicas}");
            let source = cluster.words.deployment_controller;
            cluster.record_event(self.id, EventType::Normal, "ScalingReplicaSet", &message, source);
        }
        self.write_self(cluster, cx)?;
        cluster.set_annotation(self.id, REVISION, Some(&revision.to_string()));
        if self.has_deadline(cluster) {
            let message = format!("Created new replica set {name:?}");
            self.write_progressing(ConditionStatus::True, "NewReplicaSetCreated", &message, cluster);
        }
        Ok(())
    }

    /// Asks the users' policies about a ReplicaSet of the present template.
    fn ask_policies(&self, name: &str, hash: &str, replicas: i32, cluster: &Cluster) -> Result<(), Rejection> {
        if !cluster.has_policies() {
            return Ok(());
        }
        let info = kinds::by_kind(ReplicaSet::KIND).expect("the kind is in the table");
        let spec = &cluster.object(self.id).raw["spec"];
        let (mut template, mut selector) = (spec["template"].clone(), spec["selector"].clone());
        template["metadata"]["labels"]["pod-template-hash"] = hash.into();
        selector["matchLabels"]["pod-template-hash"] = hash.into();
        let manifest = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": { "name": name, "namespace": cluster.namespace(self.id), "labels": template["metadata"]["labels"] },
            "spec": { "replicas": replicas, "selector": selector, "template": template },
        });
        cluster.ask_policies(info, &manifest)
    }

    fn creation_refused(
        &mut self,
        name: &str,
        rejection: &Rejection,
        cluster: &mut Cluster,
        cx: &mut Context<'_>,
    ) -> Failure {
        let error = rejection.text("replicasets.apps", name);
        if !matches!(rejection, Rejection::Terminating(_)) {
            let message = format!("Failed to create new replica set {name:?}: {error}");
            if self.has_deadline(cluster) {
                self.write_progressing(ConditionStatus::False, "ReplicaSetCreateError", &message, cluster);
                self.has_written = true;
                cx.wrote();
            }
            let source = cluster.words.deployment_controller;
            cluster.record_event(self.id, EventType::Warning, "ReplicaSetCreateError", &message, source);
        }
        Failure(error)
    }

    fn create_replica_set(&self, name: &str, hash: &str, replicas: i32, revision: i64, cluster: &mut Cluster) -> ObjId {
        let deployment: Deployment = cluster.get::<Deployment>(self.id).clone();
        let raw = cluster.object(self.id).raw.clone();
        let mut selector = raw["spec"]["selector"].clone();
        selector["matchLabels"][TEMPLATE_HASH] = hash.into();
        let mut template = raw["spec"]["template"].clone();
        template["metadata"]["labels"][TEMPLATE_HASH] = hash.into();
        let labels = cluster.interner.with(deployment.template.labels, TEMPLATE_HASH, Some(hash));
        let annotations = new_annotations(cluster, self.id, LabelsId::EMPTY, revision);
        let annotations = self.with_sizes(annotations, cluster);
        let body = ReplicaSet {
            replicas,
            // A Deployment's selector has been validated, and one more label keeps it valid.
            selector: Selector::from_json(&selector).unwrap_or_else(|_| Selector::nothing()).into(),
            template: Template { labels, ..deployment.template },
            min_ready_seconds: deployment.min_ready_seconds,
            is_controller: false,
            status: ReplicaSetStatus::default(),
        };
        let meta = NewMeta {
            name: cluster.interner.sym(name),
            namespace: cluster.meta(self.id.into()).namespace,
            labels,
            annotations,
            owners: SmallVec::from_elem(cluster.owner_reference(self.id), 1),
            generate_name: Sym::EMPTY,
            finalizers: SmallVec::new(),
            uid: Sym::EMPTY,
        };
        let raw = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "spec": { "replicas": replicas, "selector": selector, "template": template },
        });
        let info = kinds::by_kind(ReplicaSet::KIND).expect("the kind is in the table");
        cluster.create_object(NewObject { info, meta, raw: raw.into(), body: body.into_body() })
    }

    /// Annotations with the Deployment's size and its greatest size with surge (`SetReplicasAnnotations`).
    pub(super) fn with_sizes(&self, annotations: LabelsId, cluster: &mut Cluster) -> LabelsId {
        let replicas = cluster.get::<Deployment>(self.id).replicas;
        let max = replicas + self.max_surge(cluster);
        let annotations = cluster.interner.with(annotations, DESIRED_REPLICAS, Some(&replicas.to_string()));
        cluster.interner.with(annotations, MAX_REPLICAS, Some(&max.to_string()))
    }
}

/// The annotations of the new ReplicaSet: the Deployment's, the revision if it rises, and the history of a revision that comes back.
/// A revision that is no number leaves all as they are (`SetNewReplicaSetAnnotations`).
fn new_annotations(cluster: &mut Cluster, deployment: ObjId, own: LabelsId, revision: i64) -> LabelsId {
    let copied: Vec<(String, String)> = cluster
        .interner
        .entries(cluster.meta(deployment.into()).annotations)
        .filter(|(key, _)| !NOT_COPIED.contains(key))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut annotations = own;
    for (key, value) in copied {
        annotations = cluster.interner.with(annotations, &key, Some(&value));
    }
    let old_text = cluster.interner.value_text(own, REVISION).map(str::to_owned);
    let Ok(old) = old_text.as_deref().filter(|text| !text.is_empty()).map_or(Ok(0), str::parse::<i64>) else {
        return own;
    };
    if old >= revision {
        return annotations;
    }
    annotations = cluster.interner.with(annotations, REVISION, Some(&revision.to_string()));
    let Some(old_text) = old_text else { return annotations };
    let history = cluster.interner.value_text(own, REVISION_HISTORY).unwrap_or_default();
    let history = longer_history(history, &old_text);
    cluster.interner.with(annotations, REVISION_HISTORY, Some(&history))
}

/// The history with one more revision, without its oldest ones if it would grow too long.
fn longer_history(history: &str, revision: &str) -> String {
    if history.is_empty() {
        return revision.to_owned();
    }
    let mut kept = history;
    while kept.len() + revision.len() + 1 > MAX_HISTORY_CHARS {
        match kept.split_once(',') {
            Some((_, rest)) => kept = rest,
            None => return revision.to_owned(),
        }
    }
    format!("{kept},{revision}")
}

/// The hash of the Deployment's template: FNV-1a of its canonical JSON and the collision count, in the safe alphabet. Kubernetes
/// hashes the printed Go structure instead, so the digits differ from a real cluster's.
fn template_hash(cluster: &Cluster, deployment: ObjId) -> String {
    let this: &Deployment = cluster.get(deployment);
    let template = json!({
        "labels": cluster.export_map(this.template.labels),
        "annotations": cluster.export_map(this.template.annotations),
        "spec": serde_json::to_value(&cluster.specs.get(this.template.spec).typed).unwrap_or(Value::Null),
    });
    let collisions = this.status.collision_count.map(|count| count.to_string()).unwrap_or_default();
    safe_encode(fnv1a(template.to_string().bytes().chain(collisions.bytes())))
}

/// FNV-1a of 32 bits.
pub fn fnv1a(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A number in decimal, its digits replaced by safe letters (apimachinery, `rand.SafeEncodeString`).
pub fn safe_encode(number: u32) -> String {
    let digits = number.to_string().into_bytes();
    digits.into_iter().map(|digit| char::from(NAME_ALPHABET[usize::from(digit) % NAME_ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_use_the_safe_alphabet() {
        assert_eq!(fnv1a(b"hello".iter().copied()), 0x4f9f_2cab);
        // The ASCII code of `0` modulo 27 is 21.
        assert_eq!(safe_encode(10_234), "54678");
        assert!(safe_encode(90_210).bytes().all(|byte| NAME_ALPHABET.contains(&byte)));
    }

    #[test]
    fn the_history_of_a_revision_grows() {
        assert_eq!(longer_history("", "1"), "1");
        assert_eq!(longer_history("1,3", "5"), "1,3,5");
        let long = vec!["1000"; 399].join(",");
        assert!(longer_history(&long, "1001").len() <= MAX_HISTORY_CHARS);
        assert!(longer_history(&long, "1001").ends_with(",1001"));
    }
}
