//! Objects made of flags: `kubectl create deployment ...`, `run`, `expose`, `autoscale`. What is not given is the server's to fill in.
//!
//! Source: kubectl `pkg/cmd/create`, `run`, `expose`, `autoscale` and `pkg/generate/versioned`.

mod config;
mod flags;
mod network;
mod rbac;
mod target;
mod workloads;

use serde_json::Value;

use super::command::Generate;
use crate::api::kinds::KindInfo;
use flags::Flags;

pub use target::{autoscaled, exposed};

/// An object that a command makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The object as it is sent.
    pub object: Value,
    /// What kubectl puts before an error of the server, or empty.
    pub failure: String,
    /// The field manager.
    pub manager: &'static str,
}

/// What of the cluster a command looks at.
pub trait Surroundings {
    /// The kind that a word means.
    fn kind(&self, word: &str) -> Option<&'static KindInfo>;
    /// An object.
    fn object(&self, info: &'static KindInfo, name: &str) -> Option<Value>;
}

/// The kinds that `kubectl create` makes of flags.
const CREATED: [&str; 17] = [
    "clusterrole",
    "clusterrolebinding",
    "configmap",
    "cronjob",
    "deployment",
    "ingress",
    "job",
    "namespace",
    "poddisruptionbudget",
    "priorityclass",
    "quota",
    "role",
    "rolebinding",
    "secret",
    "service",
    "serviceaccount",
    "token",
];

/// The object, or objects, that a command makes, in the order in which kubectl sends them.
///
/// # Errors
///
/// What kubectl prints, beginning with `error: `.
pub fn generate(command: &Generate, around: &dyn Surroundings) -> Result<Vec<Generated>, String> {
    let flags = Flags { command, around };
    let words: Vec<&str> = command.kind.iter().map(String::as_str).collect();
    let made = match words.as_slice() {
        ["run"] => return workloads::run(&flags),
        _ if !command.args.is_empty() => Err(format!("exactly one NAME is required, got {}", 1 + command.args.len())),
        ["deployment" | "deploy"] => workloads::deployment(&flags),
        ["job"] => workloads::job(&flags),
        ["cronjob" | "cj"] => workloads::cron_job(&flags),
        ["configmap" | "cm"] => config::config_map(&flags),
        ["secret", kind] => config::secret(&flags, kind),
        ["namespace" | "ns"] => config::namespace(&flags),
        ["serviceaccount" | "sa"] => config::service_account(&flags),
        ["quota" | "resourcequota"] => config::quota(&flags),
        ["poddisruptionbudget" | "pdb"] => config::disruption_budget(&flags),
        ["priorityclass" | "pc"] => config::priority_class(&flags),
        ["service" | "svc", kind] => network::service(&flags, kind),
        ["ingress" | "ing"] => network::ingress(&flags),
        ["role"] => rbac::role(&flags, false),
        ["clusterrole"] => rbac::role(&flags, true),
        ["rolebinding"] => rbac::binding(&flags, false),
        ["clusterrolebinding"] => rbac::binding(&flags, true),
        ["token"] => Err("`kubectl create token` is not supported: nothing here checks tokens".to_owned()),
        [word, ..] => Err(format!(
            "unknown command {word:?}: kubectl create makes {} of flags, and others of files (-f)",
            CREATED.join(", ")
        )),
        [] => Err("must specify one of -f and -k".to_owned()),
    };
    made.map(|made| vec![made]).map_err(|what| format!("error: {what}"))
}

impl Generated {
    fn new(object: Value, failure: &str) -> Generated {
        Generated { object, failure: failure.to_owned(), manager: "kubectl-create" }
    }
}

#[cfg(test)]
mod tests;
