//! `Shown`: objects as the timeline last showed them, and what has changed of them since, as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::difference::difference;
use crate::cluster::{Cluster, NodeId, Note, ObjId, ObjectRef, PodId, SpecId};

/// Images of a node that one line names; more are counted.
const MAX_IMAGES: usize = 4;

/// Which part of an object has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The desired state: all but `metadata` and `status`.
    Spec,
    /// `metadata.labels`.
    Labels,
    /// `metadata` without labels.
    Meta,
    /// `status`.
    Status,
}

/// Objects as they were shown last.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    objects: BTreeMap<ObjId, Value>,
    /// The specs of pods.
    pods: BTreeMap<PodId, SpecId>,
}

impl Shown {
    /// An object exists.
    pub(super) fn created(&mut self, object: ObjectRef, cluster: &Cluster) {
        match object {
            ObjectRef::Object(id) => _ = self.objects.insert(id, cluster.export(id)),
            ObjectRef::Pod(pod) => _ = self.pods.insert(pod, cluster.pod(pod).spec),
            ObjectRef::Node(_) => {}
        }
    }

    /// An object is gone.
    pub(super) fn removed(&mut self, object: ObjectRef) {
        match object {
            ObjectRef::Object(id) => _ = self.objects.remove(&id),
            ObjectRef::Pod(pod) => _ = self.pods.remove(&pod),
            ObjectRef::Node(_) => {}
        }
    }

    /// What has changed of a part of an object since it was shown last; `exported` is how it is now, if it is no pod and no node.
    pub(super) fn changed(&mut self, object: ObjectRef, part: Part, exported: &Value, cluster: &Cluster) -> String {
        match object {
            ObjectRef::Object(id) => self.object_changed(id, part, exported),
            ObjectRef::Pod(pod) => self.pod_changed(pod, part, cluster),
            ObjectRef::Node(node) => node_changed(node, part, cluster),
        }
    }

    fn object_changed(&mut self, id: ObjId, part: Part, exported: &Value) -> String {
        let old = self.objects.entry(id).or_insert(Value::Null);
        let text = difference(&of_part(old, part), &of_part(exported, part));
        // Parts are told one by one: what has changed of another is told with it.
        put_part(old, part, exported);
        text
    }

    fn pod_changed(&mut self, pod: PodId, part: Part, cluster: &Cluster) -> String {
        let row = cluster.pod(pod);
        match part {
            Part::Spec => {
                let before = self.pods.insert(pod, row.spec).unwrap_or(row.spec);
                let typed = |spec| serde_json::to_value(&cluster.specs.get(spec).typed).unwrap_or_default();
                difference(&typed(before), &typed(row.spec))
            }
            Part::Status => match (cluster.note(), &row.resized) {
                (Some(Note::Address(ip, starts)), _) => {
                    let start = row.start_time.filter(|_| starts).map(|at| format!("startTime={at} "));
                    let address = match ip {
                        0 if starts => String::new(),
                        0 => "podIP removed".to_owned(),
                        _ => format!("podIP={}", std::net::Ipv4Addr::from(ip)),
                    };
                    format!("{}{address}", start.unwrap_or_default()).trim_end().to_owned()
                }
                (_, Some(resize)) => {
                    let typed = |spec| resources(&cluster.specs.get(spec).typed);
                    let (allocated, actual) = (typed(resize.allocated), typed(resize.actual));
                    match difference(&actual, &allocated).as_str() {
                        "" => "resources as before: what is wanted is not granted".to_owned(),
                        text => format!("resources granted, not yet in effect: {text}"),
                    }
                }
                (_, None) => "resources are in effect as wanted".to_owned(),
            },
            Part::Labels | Part::Meta => metadata(&cluster.export(pod), part),
        }
    }
}

/// `resources` of every container, by name.
fn resources<T: serde::Serialize>(spec: &T) -> Value {
    let spec = serde_json::to_value(spec).unwrap_or_default();
    let all =
        ["initContainers", "containers"].into_iter().flat_map(|key| spec[key].as_array().cloned().unwrap_or_default());
    let named = all.map(|container| (text_of(&container["name"]), container["resources"].clone()));
    Value::Object(named.collect())
}

fn node_changed(node: NodeId, part: Part, cluster: &Cluster) -> String {
    if part != Part::Status {
        return metadata(&cluster.export(node), part);
    }
    let images = &cluster.node(node).images;
    let name = |image: &crate::cluster::NodeImage| {
        image.names.first().map_or("?", |&name| cluster.interner.text(name)).to_owned()
    };
    let mut names: Vec<String> = images.iter().map(name).collect();
    let more = names.len().saturating_sub(MAX_IMAGES);
    names.drain(..more);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("images=[{}]{more}", names.join(", "))
}

/// Labels, or all else that a person reads of metadata, as they are now.
fn metadata(exported: &Value, part: Part) -> String {
    let metadata = &exported["metadata"];
    let map = |key: &str| {
        let entries = metadata[key].as_object().into_iter().flatten();
        let texts: Vec<String> = entries.map(|(key, value)| format!("{key}={}", text_of(value))).collect();
        texts.join(", ")
    };
    if part == Part::Labels {
        return format!("{{{}}}", map("labels"));
    }
    let finalizers = metadata["finalizers"].as_array().into_iter().flatten().map(text_of);
    let mut out = format!("finalizers=[{}]", finalizers.collect::<Vec<_>>().join(", "));
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    for owner in owners {
        let _ = write!(out, " owner={}/{}", text_of(&owner["kind"]), text_of(&owner["name"]));
    }
    match map("annotations").as_str() {
        "" => out,
        annotations => format!("{out} annotations={{{annotations}}}"),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn of_part(object: &Value, part: Part) -> Value {
    match part {
        Part::Labels => object["metadata"]["labels"].clone(),
        Part::Status => object["status"].clone(),
        Part::Meta => {
            let metadata = &object["metadata"];
            json!({
                "annotations": metadata["annotations"],
                "finalizers": metadata["finalizers"],
                "ownerReferences": metadata["ownerReferences"],
            })
        }
        Part::Spec => {
            let mut rest = object.clone();
            let fields = rest.as_object_mut();
            if let Some(fields) = fields {
                for key in ["metadata", "status", "apiVersion", "kind"] {
                    fields.remove(key);
                }
                // What most kinds call their desired state needs no name.
                if fields.len() == 1
                    && let Some(spec) = fields.remove("spec")
                {
                    return spec;
                }
            }
            rest
        }
    }
}

fn put_part(object: &mut Value, part: Part, exported: &Value) {
    if !object.is_object() {
        *object = exported.clone();
        return;
    }
    match part {
        Part::Status => object["status"] = exported["status"].clone(),
        Part::Labels => object["metadata"]["labels"] = exported["metadata"]["labels"].clone(),
        Part::Meta => {
            let labels = object["metadata"]["labels"].take();
            object["metadata"] = exported["metadata"].clone();
            object["metadata"]["labels"] = labels;
        }
        Part::Spec => {
            let (metadata, status) = (object["metadata"].take(), object["status"].take());
            *object = exported.clone();
            (object["metadata"], object["status"]) = (metadata, status);
        }
    }
}

/// The numbers of a status: `replicas=3 readyReplicas=2`, and its conditions. What the digest is made of.
pub(super) fn status_text(exported: &Value) -> String {
    let (mut out, status) = (String::new(), &exported["status"]);
    for (key, value) in status.as_object().into_iter().flatten() {
        if (value.is_number() || value.is_string()) && key != "observedGeneration" {
            let _ = write!(out, "{key}={} ", text_of(value));
        }
    }
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let text = |key: &str| condition[key].as_str().unwrap_or("");
        let _ = write!(out, "{}={}", text("type"), text("status"));
        if !text("reason").is_empty() {
            let _ = write!(out, "({})", text("reason"));
        }
        out.push(' ');
    }
    out.trim_end().to_owned()
}

/// What most often changes in a desired state. What the digest is made of.
pub(super) fn spec_text(exported: &Value) -> String {
    let (mut out, spec) = (String::new(), &exported["spec"]);
    for key in ["replicas", "paused", "suspend", "parallelism", "completions"] {
        if let Some(value) = spec.get(key) {
            let _ = write!(out, "{key}={value} ");
        }
    }
    out.trim_end().to_owned()
}
