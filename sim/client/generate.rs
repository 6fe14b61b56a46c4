//! kubectl's commands that make an object of flags: create, run, expose, autoscale.

use serde_json::{Value, json};

use super::ObjectName;
use super::edit::{Problem, find, refused, try_create};
use super::execute::Kubectl;
use super::select::{all_of, kind, select};
use super::verbs::{line, name_of};
use crate::api::kinds::KindInfo;
use crate::cluster::Cluster;
use crate::kubectl::command::{Autoscale, DryRun, Expose, Generate, Selection};
use crate::kubectl::generate::{Generated, Surroundings, autoscaled, exposed, generate};
use crate::kubectl::messages;

/// What a command sees of the cluster.
struct Seen<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
}

impl Surroundings for Seen<'_> {
    fn kind(&self, word: &str) -> Option<&'static KindInfo> {
        kind(self.cluster, word).ok()
    }

    fn object(&self, info: &'static KindInfo, name: &str) -> Option<Value> {
        let mut all = all_of(self.cluster, info).into_iter();
        let found = all.find(|&id| self.cluster.name(id) == name && self.cluster.namespace(id) == self.namespace)?;
        Some(self.cluster.export(found))
    }
}

impl Kubectl<'_> {
    /// `kubectl create KIND NAME ...`, `kubectl run NAME ...`
    pub(super) fn generate(&mut self, command: &Generate) -> Result<Vec<String>, String> {
        let namespace = command.scope.namespace.as_deref().unwrap_or(self.namespace).to_owned();
        let made = generate(command, &Seen { cluster: &*self.cluster, namespace: &namespace })?;
        let mut lines = Vec::new();
        for made in made {
            lines.push(self.make(&made, &namespace, "created", command.dry_run)?);
        }
        // A Service that goes with a pod is told first.
        lines.reverse();
        Ok(lines)
    }

    /// `kubectl expose`
    pub(super) fn expose(&mut self, command: &Expose) -> Result<Vec<String>, String> {
        named(&command.selection)?;
        let mut lines = Vec::new();
        for name in select(self.cluster, &command.selection, self.namespace)? {
            let target = self.cluster.export(find(self.cluster, &name)?);
            let made = exposed(name.info, &target, &command.flags)?;
            lines.push(self.make(&made, &name.namespace, "exposed", command.dry_run)?);
        }
        Ok(lines)
    }

    /// `kubectl autoscale`
    pub(super) fn autoscale(&mut self, command: &Autoscale) -> Result<Vec<String>, String> {
        named(&command.selection)?;
        let mut lines = Vec::new();
        for name in select(self.cluster, &command.selection, self.namespace)? {
            let made = autoscaled(name.info, &name.name, command)?;
            lines.push(self.make(&made, &name.namespace, "autoscaled", command.dry_run)?);
        }
        Ok(lines)
    }

    /// Sends a new object. With `--dry-run=client` it is only told.
    fn make(&mut self, made: &Generated, namespace: &str, done: &str, dry_run: DryRun) -> Result<String, String> {
        let mut manifest = made.object.clone();
        let name = name_of(self.cluster, &manifest, namespace).ok_or("error: no matches for kind")?;
        if name.info.namespaced {
            manifest["metadata"]["namespace"] = json!(name.namespace);
        }
        if dry_run == DryRun::Client {
            return Ok(line(&messages::done(&manifest, done, DryRun::None)));
        }
        if find(self.cluster, &name).is_ok() {
            return Err(failed(&made.failure, &already_exists(&name)));
        }
        let object = try_create(self.cluster, &manifest).map_err(|problem| match problem {
            Problem::Refused(refusal) if !made.failure.is_empty() => failed(&made.failure, &refusal.message),
            Problem::Refused(refusal) => refused(&refusal),
            Problem::Other(what) => what,
        })?;
        self.ownership.updated(self.cluster, object, &Value::Null, made.manager, "");
        Ok(format!("{} {done}", name.text()))
    }
}

/// The object is named in the command: its file is not read.
fn named(selection: &Selection) -> Result<(), String> {
    match selection.args.is_empty() {
        true => Err("error: name the object, e.g. `deployment/web`: files are not read here".to_owned()),
        false => Ok(()),
    }
}

fn already_exists(name: &ObjectName) -> String {
    format!("{} {:?} already exists", name.info.resource(), name.name)
}

/// An error of the server as most of these commands tell it: in words of their own.
fn failed(failure: &str, message: &str) -> String {
    match failure {
        "" => format!("Error from server (AlreadyExists): {message}"),
        failure => format!("error: {failure}{message}"),
    }
}
