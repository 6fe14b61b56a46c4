//! The steps of the recorded scenarios, as far as they concern workloads. Edits of specs stand for the kubectl commands.

use serde_json::{Value, json};

use super::World;
use crate::cluster::{ObjectRef, Propagation};
use crate::controllers::deployment;

impl World {
    /// Runs one step. Returns whether it is known.
    pub(super) fn step(&mut self, step: &Value, namespace: &str) -> bool {
        let done = if let Some(objects) = step["apply"].as_array() {
            objects.iter().for_each(|object| self.apply(object, namespace));
            true
        } else if let Some(command) = step["kubectl"].as_str() {
            self.kubectl(command, namespace)
        } else if let Some(node) = step["deleteNode"].as_str() {
            let node = self.cluster.find_node(node).expect("a node");
            self.cluster.delete(node, Propagation::Background);
            true
        } else if step["addNode"].is_object() {
            self.add_scenario_node(&step["addNode"]);
            true
        } else {
            false
        };
        self.settle();
        done
    }

    pub(super) fn add_scenario_node(&mut self, node: &Value) {
        self.create(&json!({
            "kind": "Node",
            "metadata": { "name": node["name"], "labels": node["labels"] },
            "spec": { "taints": node["taints"] },
            "status": { "allocatable": { "cpu": node["cpu"], "memory": node["memory"], "pods": node["pods"] } },
        }));
    }

    pub(super) fn apply(&mut self, object: &Value, namespace: &str) {
        let mut object = object.clone();
        object["metadata"]["namespace"] = namespace.into();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        match self.find(kind, namespace, name) {
            Some(existing) => self.edit(existing, |whole| merge(whole, &object)),
            None => {
                if kind == "Pod" {
                    self.cluster.admit_pod_manifest(&mut object).expect("an acceptable pod");
                }
                self.cluster.create_from(&object).expect("an acceptable object");
            }
        }
        self.settle();
    }

    fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<ObjectRef> {
        let kind = match kind {
            "deployment" | "deploy" => "Deployment",
            "rs" => "ReplicaSet",
            "rc" => "ReplicationController",
            "sts" => "StatefulSet",
            "ds" => "DaemonSet",
            "job" => "Job",
            "cronjob" => "CronJob",
            "pod" => "Pod",
            "node" => "Node",
            "quota" => "ResourceQuota",
            kind => crate::api::kinds::by_kind(kind)?.kind,
        };
        self.cluster.find_any(kind, if kind == "Node" { "" } else { namespace }, name)
    }

    fn edit(&mut self, object: ObjectRef, edit: impl FnOnce(&mut Value)) {
        let mut whole = self.cluster.export(object);
        edit(&mut whole);
        self.cluster.update_from(object, &whole).expect("an acceptable update");
    }

    fn kubectl(&mut self, command: &str, namespace: &str) -> bool {
        let (head, patch) = command.split_once(" -p '").unwrap_or((command, ""));
        let words: Vec<&str> = head.split_whitespace().collect();
        let named = |word: &str| {
            let (kind, name) = word.split_once('/')?;
            self.find(kind, namespace, name)
        };
        match words.as_slice() {
            ["set", "image", target, image] => {
                let Some(object) = named(target) else { return false };
                let (container, image) = image.split_once('=').expect("container=image");
                let patch = json!({ "spec": { "template": { "spec": { "containers": [{ "name": container, "image": image }] } } } });
                self.edit(object, |whole| merge(whole, &patch));
            }
            ["scale", target, replicas] => {
                let Some(object) = named(target) else { return false };
                let replicas: i32 = replicas.trim_start_matches("--replicas=").parse().expect("a number");
                self.edit(object, |whole| whole["spec"]["replicas"] = replicas.into());
            }
            ["patch", target] => {
                let Some(object) = named(target) else { return false };
                let patch: Value = serde_json::from_str(patch.trim_end_matches('\'')).expect("a patch");
                self.edit(object, |whole| merge(whole, &patch));
            }
            ["rollout", verb, target] => {
                let Some(object) = named(target) else { return false };
                self.rollout(verb, object);
            }
            ["label", "node" | "deployment" | "pod", name, label] | ["label", "pod", name, label, "--overwrite"] => {
                let Some(object) = self.find(words[1], namespace, name) else { return false };
                match label.split_once('=') {
                    Some((key, value)) => self.cluster.set_label(object, key, Some(value)),
                    None => self.cluster.set_label(object, label.trim_end_matches('-'), None),
                }
            }
            ["taint", "node", name, taint] => self.taint(name, taint),
            ["annotate", kind, name, annotation] => {
                let Some(object) = self.find(kind, namespace, name) else { return false };
                let (key, value) = annotation.split_once('=').expect("key=value");
                self.cluster.set_annotation(object, key, Some(value));
            }
            ["delete", kind, rest @ ..] => self.delete(kind, rest, namespace),
            _ => return false,
        }
        true
    }

    fn taint(&mut self, node: &str, taint: &str) {
        let node = self.cluster.find_node(node).expect("a node");
        let (taint, remove) = (taint.trim_end_matches('-'), taint.ends_with('-'));
        let (pair, effect) = taint.split_once(':').expect("an effect");
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        self.edit(node.into(), |whole| {
            let mut taints = whole["spec"]["taints"].as_array().cloned().unwrap_or_default();
            taints.retain(|old| old["key"] != key || old["effect"] != effect);
            if !remove {
                taints.push(json!({ "key": key, "value": value, "effect": effect }));
            }
            whole["spec"]["taints"] = taints.into();
        });
    }

    fn rollout(&mut self, verb: &str, object: ObjectRef) {
        let ObjectRef::Object(id) = object else { return };
        match verb {
            "pause" => self.edit(object, |whole| whole["spec"]["paused"] = true.into()),
            "resume" => self.edit(object, |whole| whole["spec"]["paused"] = false.into()),
            "restart" => self.edit(object, |whole| {
                whole["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
                    "now".into();
            }),
            _ => {
                let set = deployment::replica_set_of_revision(&self.cluster, id, 0).expect("an earlier revision");
                let mut template = self.cluster.export(set)["spec"]["template"].clone();
                if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
                    labels.remove(deployment::TEMPLATE_HASH);
                }
                self.edit(object, |whole| whole["spec"]["template"] = template);
            }
        }
    }

    fn delete(&mut self, kind: &str, rest: &[&str], namespace: &str) {
        let propagation = match rest.iter().find_map(|word| word.strip_prefix("--cascade=")) {
            Some("orphan") => Propagation::Orphan,
            Some("foreground") => Propagation::Foreground,
            _ => Propagation::Background,
        };
        let selector = rest.iter().position(|&word| word == "-l").map(|idx| rest[idx + 1]);
        let node = rest.iter().find_map(|word| word.strip_prefix("spec.nodeName="));
        let objects: Vec<ObjectRef> = match selector {
            Some(selector) => {
                let (key, value) = selector.split_once('=').expect("key=value");
                let pods = self.cluster.pods().filter(|(_, pod)| {
                    self.cluster.interner.value_text(pod.meta.labels, key) == Some(value)
                        && node.is_none_or(|node| pod.node.is_some_and(|id| self.cluster.name(id) == node))
                });
                pods.map(|(id, _)| id.into()).collect()
            }
            None => {
                let names = rest.iter().filter(|word| !word.starts_with("--"));
                names.filter_map(|name| self.find(kind, namespace, name)).collect()
            }
        };
        for object in objects {
            self.cluster.delete(object, propagation);
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A strategic merge as far as the scenarios need it: lists of named things by name.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                match value {
                    Value::Null => _ = into.remove(key),
                    _ => merge(into.entry(key.clone()).or_insert(Value::Null), value),
                }
            }
        }
        (Value::Array(into), Value::Array(patch)) if patch.iter().all(|item| item["name"].is_string()) => {
            for item in patch {
                match into.iter_mut().find(|old| old["name"] == item["name"]) {
                    Some(old) => merge(old, item),
                    None => into.push(item.clone()),
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}
