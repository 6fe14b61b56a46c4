//! Names that do not depend on chance: `web#1~0` instead of `web-6d4f9c-x7kzp`.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use crate::cluster::{Cluster, ObjectRef};

const REVISION: &str = "deployment.kubernetes.io/revision";

/// The names of the objects of a run.
#[derive(Default)]
pub(super) struct Names {
    of: BTreeMap<ObjectRef, String>,
    /// What a text may hold, with what stands for it.
    texts: BTreeMap<String, String>,
    /// Names of owners whose pods get a random suffix.
    owners: BTreeSet<(String, String)>,
    counts: BTreeMap<String, u32>,
}

impl Names {
    /// The name of an object; given when it is first seen.
    pub(super) fn of(&mut self, object: ObjectRef, exported: &Value, cluster: &Cluster) -> String {
        if let Some(name) = self.of.get(&object) {
            return name.clone();
        }
        let own = cluster.name(object).to_owned();
        let controller = cluster.controller_of(object);
        let owner = controller.and_then(|owner| self.of.get(&owner).cloned().map(|name| (cluster.kind(owner), name)));
        let name = match (cluster.kind(object), &owner) {
            ("ReplicaSet", Some(("Deployment", deployment))) => {
                let revision = exported["metadata"]["annotations"][REVISION].as_str().unwrap_or("?");
                format!("{deployment}#{revision}")
            }
            ("Pod", Some(("DaemonSet", set))) => self.count(format!("{set}@{}~", daemon_node(exported)), 0),
            ("Pod", Some(("StatefulSet", _)) | None) => own.clone(),
            ("Pod", Some((_, owner))) => {
                match exported["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"].as_str() {
                    Some(index) => self.count(format!("{owner}[{index}]~"), 0),
                    None => self.count(format!("{owner}~"), 0),
                }
            }
            ("Job", Some(("CronJob", cron))) => self.count(format!("{cron}-T"), 0),
            ("ControllerRevision", Some((_, owner))) => self.revision(owner, exported),
            ("EndpointSlice", _) => {
                let service = exported["metadata"]["labels"]["kubernetes.io/service-name"].as_str().unwrap_or("?");
                self.count(format!("{service}/slice"), 0)
            }
            _ => own.clone(),
        };
        if name != own {
            self.texts.insert(own.clone(), name.clone());
        }
        if matches!(cluster.kind(object), "ReplicaSet" | "ReplicationController" | "Job" | "DaemonSet") {
            self.owners.insert((own, name.clone()));
        }
        self.of.insert(object, name.clone());
        name
    }

    fn revision(&mut self, owner: &str, exported: &Value) -> String {
        let name = self.count(format!("{owner}/rev"), 1);
        let short = name.rsplit('/').next().unwrap_or_default().to_owned();
        let labels = &exported["metadata"]["labels"];
        let hash = ["controller-revision-hash", "controller.kubernetes.io/hash"]
            .into_iter()
            .find_map(|key| labels[key].as_str());
        if let Some(hash) = hash {
            self.texts.insert(hash.to_owned(), short);
        }
        name
    }

    fn count(&mut self, prefix: String, first: u32) -> String {
        let next = self.counts.entry(prefix.clone()).or_insert(first);
        let name = format!("{prefix}{next}");
        *next += 1;
        name
    }

    /// What stands for a `pod-template-hash`: `#REVISION` of the ReplicaSet that has it.
    pub(super) fn hash(&self, hash: &str) -> Value {
        let set = self
            .texts
            .iter()
            .find(|(own, name)| own.ends_with(&format!("-{hash}")) && name.contains('#') && !name.contains('~'));
        let revision = set.and_then(|(_, name)| name.split_once('#')).map(|(_, revision)| format!("#{revision}"));
        Value::String(revision.unwrap_or_else(|| hash.to_owned()))
    }

    /// A text with the names put in.
    pub(super) fn translate(&self, text: &str) -> String {
        let mut out = text.to_owned();
        let mut longest: Vec<(&String, &String)> = self.texts.iter().collect();
        longest.sort_by_key(|(own, _)| std::cmp::Reverse(own.len()));
        for (own, name) in longest {
            if out.contains(own.as_str()) {
                out = out.replace(own.as_str(), name);
            }
        }
        for (_, name) in &self.owners {
            if out.contains(&format!("{name}-")) {
                let pattern = format!("{}-[bcdfghjklmnpqrstvwxz2456789]{{5}}\\b", regex::escape(name));
                if let Ok(refused) = Regex::new(&pattern) {
                    out = refused.replace_all(&out, format!("{name}~?").replace('$', "$$").as_str()).into_owned();
                }
            }
        }
        out
    }
}

/// The node for which a DaemonSet made a pod.
fn daemon_node(pod: &Value) -> &str {
    let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";
    pod.pointer(terms).or_else(|| pod.pointer("/spec/nodeName")).and_then(Value::as_str).unwrap_or("?")
}
