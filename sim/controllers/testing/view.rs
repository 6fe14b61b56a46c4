//! What the recordings keep of a run: status tuples that held for a while, conditions, orders of creation and deletion, events.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cluster::{Change, Cluster, ObjId, ObjectRef, PodId, What};
use crate::engine::{Span, Time};

const TUPLES: [(&str, &[&str]); 5] = [
    ("Deployment", &["spec.replicas", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]),
    ("ReplicaSet", &["spec.replicas", "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"]),
    (
        "StatefulSet",
        &["spec.replicas", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "currentReplicas"],
    ),
    (
        "DaemonSet",
        &[
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberReady",
            "numberAvailable",
            "numberMisscheduled",
        ],
    ),
    ("Job", &["spec.parallelism", "active", "ready", "succeeded", "failed", "terminating"]),
];

#[derive(Default)]
pub(in crate::controllers) struct View {
    series: BTreeMap<String, Vec<(Time, Value)>>,
    names: BTreeMap<ObjectRef, String>,
    n_children: BTreeMap<String, usize>,
    deleting: std::collections::BTreeSet<ObjectRef>,
}

impl View {
    pub(in crate::controllers) fn observe(&mut self, changes: &[Change], cluster: &Cluster) {
        for change in changes {
            if change.what == What::Created {
                self.name(change.object, cluster);
            }
        }
        for change in changes {
            match change.object {
                ObjectRef::Pod(pod) => self.observe_pod(pod, change.what, cluster),
                ObjectRef::Object(id) if !matches!(change.what, What::Event(_)) => {
                    self.observe_object(id, change.what, cluster)
                }
                _ => {}
            }
        }
    }

    fn push(&mut self, key: String, at: Time, value: Value) {
        self.series.entry(key).or_default().push((at, value));
    }

    fn observe_pod(&mut self, pod: PodId, what: What, cluster: &Cluster) {
        let (now, name) = (cluster.now(), self.names[&pod.into()].clone());
        let list = match what {
            What::Created => "created",
            What::Deleting if self.deleting.insert(pod.into()) => "deletionMarked",
            What::Removed => "removed",
            _ => "",
        };
        // A pod that ends without grace is not seen deleting.
        if !list.is_empty() && (list != "deletionMarked" || !cluster.pod(pod).meta.removed) {
            let owner = name.split('~').next().unwrap_or_default().to_owned();
            self.push(format!("podOwners/{list}"), now, owner.into());
            self.push(format!("pods/{list}"), now, name.clone().into());
        }
        let row = cluster.pod(pod);
        if !row.meta.removed {
            let restarts = row.containers.first().map_or(0, |container| container.restarts);
            let ready = row.conditions.is_true(cluster.words.ready);
            let value = json!([row.phase.as_str(), ready, row.meta.is_deleting(), restarts]);
            self.push(format!("phase/{name}"), now, value);
        }
    }

    fn observe_object(&mut self, id: ObjId, what: What, cluster: &Cluster) {
        let (now, kind) = (cluster.now(), cluster.kind(id.into()));
        let name = self.names[&id.into()].clone();
        let op = match what {
            What::Created => "create",
            What::Removed => "delete",
            _ => "",
        };
        if !op.is_empty()
            && !matches!(
                kind,
                "Namespace"
                    | "ResourceQuota"
                    | "ServiceAccount"
                    | "ConfigMap"
                    | "Service"
                    | "EndpointSlice"
                    | "Endpoints"
            )
        {
            self.push("objects/order".into(), now, json!([op, format!("{kind}/{name}")]));
        }
        if matches!(kind, "ReplicaSet" | "Deployment") {
            self.observe_rollouts(cluster);
        }
        if cluster.meta(id.into()).removed {
            return;
        }
        let Some((_, fields)) = TUPLES.iter().find(|(tuple_kind, _)| *tuple_kind == kind) else { return };
        let object = cluster.export(id);
        let value = |field: &&str| match field.strip_prefix("spec.") {
            Some(field) => object["spec"][field].clone(),
            None => object["status"][field].clone(),
        };
        let tuple: Vec<Value> =
            fields.iter().map(|field| Some(value(field)).filter(|v| !v.is_null()).unwrap_or(json!(0))).collect();
        self.push(format!("status/{kind}/{name}"), now, tuple.into());
        for condition in object["status"]["conditions"].as_array().into_iter().flatten() {
            let key = format!("condition/{kind}/{name}/{}", condition["type"].as_str().unwrap_or_default());
            self.push(key, now, json!([condition["status"], condition["reason"]]));
        }
    }

    fn observe_rollouts(&mut self, cluster: &Cluster) {
        let mut rollouts: BTreeMap<String, serde_json::Map<String, Value>> = BTreeMap::new();
        for id in cluster.of_kind("ReplicaSet") {
            let Some((deployment, revision)) = self.names.get(&id.into()).and_then(|name| name.split_once('#')) else {
                continue;
            };
            let size = cluster.export(id)["spec"]["replicas"].clone();
            rollouts.entry(deployment.to_owned()).or_default().insert(revision.to_owned(), size);
        }
        for deployment in self.series.keys().filter_map(|key| key.strip_prefix("rollout/")) {
            rollouts.entry(deployment.to_owned()).or_default();
        }
        for (deployment, sizes) in rollouts {
            self.push(format!("rollout/{deployment}"), cluster.now(), sizes.into());
        }
    }

    fn name(&mut self, object: ObjectRef, cluster: &Cluster) {
        let owner = cluster.meta(object).owners.iter().find_map(|owner| self.names.get(&owner.object?).cloned());
        let owner_kind = cluster.meta(object).owners.first().and_then(|owner| owner.object).map(|o| cluster.kind(o));
        let own = cluster.name(object).to_owned();
        let annotation =
            |key: &str| cluster.interner.value_text(cluster.meta(object).annotations, key).map(str::to_owned);
        let mut nth = |prefix: &str| {
            let count = self.n_children.entry(prefix.to_owned()).or_insert(0);
            *count += 1;
            *count - 1
        };
        let name = match (cluster.kind(object), owner, owner_kind) {
            ("ReplicaSet", Some(owner), _) => {
                format!("{owner}#{}", annotation("deployment.kubernetes.io/revision").unwrap_or_default())
            }
            ("ControllerRevision", Some(owner), _) => {
                let revision = match object {
                    ObjectRef::Object(id) => cluster.export(id)["revision"].to_string(),
                    _ => String::new(),
                };
                format!("{owner}/rev{revision}")
            }
            ("Pod", Some(_), Some("StatefulSet")) => own,
            ("Pod", Some(owner), Some("DaemonSet")) => {
                let spec = match object {
                    ObjectRef::Pod(pod) => serde_json::to_value(&cluster.spec_of(pod).typed).unwrap_or_default(),
                    _ => Value::Null,
                };
                let terms = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
                let node = &terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0];
                let prefix = format!("{owner}@{}", node.as_str().unwrap_or_default());
                format!("{prefix}~{}", nth(&prefix))
            }
            ("Pod", Some(owner), _) => {
                let prefix = match annotation("batch.kubernetes.io/job-completion-index") {
                    Some(index) => format!("{owner}[{index}]"),
                    None => owner,
                };
                format!("{prefix}~{}", nth(&prefix))
            }
            ("Job", Some(owner), _) => {
                let n = nth(&format!("{owner}-T"));
                format!("{owner}-T{n}")
            }
            _ => own,
        };
        self.names.insert(object, name);
    }

    /// The name in the recording.
    pub(in crate::controllers) fn name_of(&self, object: ObjectRef) -> &str {
        self.names.get(&object).map_or("", String::as_str)
    }

    /// A sequence of the compact view, by its key there.
    pub(in crate::controllers) fn sequence(&self, key: &str, end: Time) -> Option<Vec<Value>> {
        let (base, hold) = match key.split_once('/') {
            Some(("settled", rest)) => (rest, Span::from_millis(400)),
            Some(("calm", rest)) => (rest, Span::from_millis(900)),
            Some(("podSet", rest)) => {
                let mut set = self.sequence(&format!("pods/{rest}"), end)?;
                set.sort_by_key(Value::to_string);
                return Some(set);
            }
            _ => (key, Span::ZERO),
        };
        let series = self.series.get(base)?;
        let is_list = base.starts_with("pod") || base == "objects/order";
        let mut last_at: Vec<(Time, Value)> = Vec::new();
        for (at, value) in series {
            match last_at.last_mut() {
                Some((_, last)) if !is_list && last == value => {}
                // Several writes of one instant are one.
                Some((time, last)) if !is_list && time == at => *last = value.clone(),
                _ => last_at.push((*at, value.clone())),
            }
        }
        last_at.dedup_by(|b, a| !is_list && a.1 == b.1);
        let ends = last_at.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let mut out: Vec<Value> = last_at
            .iter()
            .zip(ends)
            .filter(|((at, _), until)| until.since(*at) >= hold)
            .map(|((_, value), _)| value.clone())
            .collect();
        if !is_list {
            out.dedup();
        }
        Some(out)
    }

    pub(in crate::controllers) fn print(&self, prefix: &str) {
        for (key, series) in self.series.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix)) {
            for (at, value) in series {
                println!("    {key} {:.3} {value}", at.as_secs_f64());
            }
        }
    }
}
