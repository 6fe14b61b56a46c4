//! Who manages which fields of an object: server-side apply and the owners that other writes leave behind (apimachinery,
//! `managedfields`; structured-merge-diff, `merge.Updater`).

mod set;
mod walk;

pub use set::FieldSet;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::custom::Definitions;
use super::schema::{Schema, Shape};

/// How a manager wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Everything else.
    Update,
}

/// A manager of fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// Its name: `kubectl`, `kubectl-client-side-apply`.
    pub name: String,
    /// How it wrote.
    pub operation: Operation,
    /// The version it wrote in.
    pub api_version: String,
    /// The part of the object that it wrote, or empty.
    pub subresource: String,
}

impl Manager {
    /// A manager that applies.
    pub fn applier(name: &str, api_version: &str) -> Manager {
        Manager {
            name: name.to_owned(),
            operation: Operation::Apply,
            api_version: api_version.to_owned(),
            subresource: String::new(),
        }
    }

    /// A manager that writes otherwise.
    pub fn updater(name: &str, api_version: &str, subresource: &str) -> Manager {
        Manager {
            name: name.to_owned(),
            operation: Operation::Update,
            api_version: api_version.to_owned(),
            subresource: subresource.to_owned(),
        }
    }

    /// As conflicts name it: `"kubectl-edit" using apps/v1`.
    fn shown(&self) -> String {
        let part = match self.subresource.as_str() {
            "" => String::new(),
            part => format!(" with subresource {part:?}"),
        };
        match self.operation {
            Operation::Apply => format!("{:?}{part}", self.name),
            Operation::Update => format!("{:?}{part} using {}", self.name, self.api_version),
        }
    }
}

/// What a manager has.
#[derive(Clone, Debug)]
struct Holding {
    fields: Fields,
    /// When it wrote last, as RFC 3339.
    time: String,
}

/// A set of fields, or the configuration from which it follows: most are never asked for.
#[derive(Clone, Debug)]
enum Fields {
    Named(FieldSet),
    Of(Arc<Value>),
}

impl Fields {
    fn set(&self) -> FieldSet {
        match self {
            Fields::Named(set) => set.clone(),
            Fields::Of(config) => configured(config, &Definitions::default()),
        }
    }
}

/// The managers of one object.
#[derive(Clone, Debug, Default)]
pub struct Managers {
    all: BTreeMap<Manager, Holding>,
}

/// Why an apply was refused: fields of others have other values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts {
    /// Each manager, as conflicts name it, with the paths.
    pub list: Vec<(String, Vec<String>)>,
}

impl Conflicts {
    /// `Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas`
    pub fn message(&self) -> String {
        let n: usize = self.list.iter().map(|(_, paths)| paths.len()).sum();
        if let (1, [(manager, paths)]) = (n, self.list.as_slice()) {
            return format!("Apply failed with 1 conflict: conflict with {manager}: {}", paths.join(""));
        }
        let mut lines = Vec::new();
        for (manager, paths) in &self.list {
            lines.push(format!("conflicts with {manager}:"));
            lines.extend(paths.iter().map(|path| format!("- {path}")));
        }
        format!("Apply failed with {n} conflicts: {}", lines.join("\n"))
    }
}

/// What an apply makes of an object.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object to send on.
    pub object: Value,
    /// Its managers, once it is stored.
    pub managers: Managers,
}

/// How an object is merged: as its Go types say, or its definition among `known`.
fn shape_of<'s>(object: &Value, known: &'s Definitions) -> Shape<'s> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let custom = || {
        let (group, version) = text("apiVersion").split_once('/')?;
        let version = known.find(group, text("kind"))?.served(version)?;
        Some(Shape::Custom(&version.schema, true))
    };
    custom().unwrap_or_else(|| Schema::builtin().shape(text("apiVersion"), text("kind")))
}

/// Refuses a configuration that cannot be merged: by keys that are missing, or there twice. What is stored may have such items.
///
/// # Errors
///
/// What the API server says.
pub fn check_configuration(config: &Value, known: &Definitions) -> Result<(), String> {
    let mut faults = Vec::new();
    walk::faults(Schema::builtin(), shape_of(config, known), config, "", &mut faults);
    let what = match faults.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, metadata) = (text(&config["apiVersion"]), &config["metadata"]);
    let version = if version.contains('/') { version } else { format!("/{version}") };
    let (namespace, name, kind) = (text(&metadata["namespace"]), text(&metadata["name"]), text(&config["kind"]));
    Err(format!("failed to create typed patch object ({namespace}/{name}; {version}, Kind={kind}): {what}"))
}

/// Fields that have no manager: they say which object it is, or are the server's.
fn without_identity(mut set: FieldSet) -> FieldSet {
    const OWN: [&str; 10] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    set.children.remove("f:apiVersion");
    set.children.remove("f:kind");
    if let Some(metadata) = set.children.get_mut("f:metadata") {
        metadata.is_member = false;
        for field in OWN {
            metadata.children.remove(&format!("f:{field}"));
        }
    }
    set.children.retain(|_, below| !below.is_empty());
    set
}

fn configured(config: &Value, known: &Definitions) -> FieldSet {
    without_identity(walk::fields_of(Schema::builtin(), shape_of(config, known), config))
}

/// The fields of a configuration: of a built-in kind they are found when they are asked for.
fn fields(config: &Arc<Value>, known: &Definitions) -> Fields {
    match shape_of(config, known) {
        Shape::Custom(..) => Fields::Named(configured(config, known)),
        _ => Fields::Of(config.clone()),
    }
}

impl Managers {
    /// Whether nobody is known to manage anything.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A new object that was made by applying `config`.
    pub fn applied(config: &Arc<Value>, manager: Manager, time: &str, known: &Definitions) -> Managers {
        let holding = Holding { fields: fields(config, known), time: time.to_owned() };
        Managers { all: BTreeMap::from([(manager, holding)]) }
    }

    /// Notes a write that was no apply: what it changed is the writer's, and nobody else's.
    pub fn updated(&mut self, before: &Value, after: &Value, manager: Manager, time: &str, known: &Definitions) {
        let changed = walk::compare(Schema::builtin(), shape_of(after, known), before, after);
        let (written, removed) = (without_identity(changed.written), without_identity(changed.removed));
        if written.is_empty() && removed.is_empty() {
            return;
        }
        self.give_up(&written, &removed, None);
        if written.is_empty() {
            return;
        }
        let entry = self
            .all
            .entry(manager)
            .or_insert_with(|| Holding { fields: Fields::Named(FieldSet::default()), time: String::new() });
        let mut own = entry.fields.set();
        own.add(&written);
        (entry.fields, entry.time) = (Fields::Named(own), time.to_owned());
    }

    /// Says that a manager has a field, and nobody else has it.
    pub fn claim(&mut self, path: &[&str], manager: Manager, time: &str) {
        let set = FieldSet::of_path(path);
        self.give_up(&set, &FieldSet::default(), None);
        let holding = Holding { fields: Fields::Named(set), time: time.to_owned() };
        self.all.insert(manager, holding);
    }

    /// Everyone but `except` loses what was written or removed by another.
    fn give_up(&mut self, written: &FieldSet, removed: &FieldSet, except: Option<&Manager>) {
        self.all.retain(|manager, holding| {
            if except == Some(manager) {
                return true;
            }
            let before = holding.fields.set();
            let mut after = before.clone();
            after.subtract(written);
            after.subtract_below(removed);
            if after != before {
                holding.fields = Fields::Named(after.clone());
            }
            !after.is_empty()
        });
    }

    /// Applies a configuration to the live object, at `time`; `known` are the definitions of custom resources.
    ///
    /// # Errors
    ///
    /// The conflicts, unless `force` takes the fields over.
    pub fn apply(
        &self,
        live: &Value,
        config: &Arc<Value>,
        manager: &Manager,
        force: bool,
        (time, known): (&str, &Definitions),
    ) -> Result<Applied, Conflicts> {
        let (schema, shape) = (Schema::builtin(), shape_of(config, known));
        let mut managers = self.clone();
        let now = configured(config, known);
        let last = managers.all.get(manager).map(|holding| holding.fields.set()).unwrap_or_default();
        let mut object = live.clone();
        walk::merge(schema, shape, &mut object, config);
        let mut gone = last;
        gone.subtract(&now);
        let mut kept = now.clone();
        for (_, holding) in managers.all.iter().filter(|(other, _)| *other != manager) {
            kept.add(&holding.fields.set());
        }
        walk::prune(schema, shape, &mut object, &gone, &kept);
        let changed = walk::compare(schema, shape, live, &object);
        let (written, removed) = (without_identity(changed.written), without_identity(changed.removed));
        if !force {
            let mut list = Vec::new();
            for (other, holding) in managers.all.iter().filter(|(other, _)| *other != manager) {
                let paths = holding.fields.set().intersection(&written).paths();
                if !paths.is_empty() {
                    list.push((other.shown(), paths));
                }
            }
            list.sort();
            if !list.is_empty() {
                return Err(Conflicts { list });
            }
        }
        managers.give_up(&written, &removed, Some(manager));
        let is_same = managers.all.get(manager).is_some_and(|holding| holding.fields.set() == now);
        if !is_same || object != *live {
            let holding = Holding { fields: fields(config, known), time: time.to_owned() };
            managers.all.insert(manager.clone(), holding);
        }
        Ok(Applied { object, managers })
    }

    /// Gives what one manager has to another: how kubectl moves from client-side to server-side apply. Says whether there was
    /// anything to give.
    pub fn migrate(&mut self, from: &Manager, to: &Manager) -> bool {
        let Some(holding) = self.all.remove(from) else { return false };
        let mut set = holding.fields.set();
        if let Some(own) = self.all.get(to) {
            set.add(&own.fields.set());
        }
        self.all.insert(to.clone(), Holding { fields: Fields::Named(set), time: holding.time });
        true
    }

    /// `metadata.managedFields`, in the order of the real one: by operation, time, manager.
    pub fn to_json(&self) -> Value {
        let mut entries: Vec<(&Manager, &Holding)> = self.all.iter().collect();
        entries.sort_by(|(a, x), (b, y)| (a.operation, &x.time, &a.name).cmp(&(b.operation, &y.time, &b.name)));
        let entry = |(manager, holding): (&Manager, &Holding)| {
            let mut entry = json!({
                "manager": manager.name,
                "operation": if manager.operation == Operation::Apply { "Apply" } else { "Update" },
                "apiVersion": manager.api_version,
                "time": holding.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": holding.fields.set().to_json(),
            });
            if !manager.subresource.is_empty() {
                entry["subresource"] = Value::from(manager.subresource.as_str());
            }
            entry
        };
        entries.into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests;
