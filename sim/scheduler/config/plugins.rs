//! `plugins` of a profile: sets of plugins per extension point.

use super::fields::Fields;
use crate::error::{FieldError, nearest};
use crate::scheduler::framework::names::{ExtensionPoint, PluginName};

/// The highest weight of a plugin's scores: totals must not overflow (kube-scheduler, `MaxTotalScore`).
const MAX_WEIGHT: i64 = i64::MAX / 100 / 64;

/// Checks `plugins`: extension points and names are known, no plugin is enabled twice, one sorts the queue.
pub fn check(profile: &Fields<'_>) -> Result<(), FieldError> {
    let mut points: Vec<&str> = ExtensionPoint::ALL.iter().map(|point| point.key()).collect();
    points.push("multiPoint");
    let Some(plugins) = profile.object("plugins", &points)? else { return Ok(()) };
    for key in points {
        let Some(set) = plugins.object(key, &["enabled", "disabled"])? else { continue };
        let point = ExtensionPoint::ALL.iter().copied().find(|point| point.key() == key);
        let mut enabled = Vec::new();
        for entry in set.objects("enabled", &["name", "weight"])? {
            let plugin = named(&entry)?;
            entry.integer("weight", 0, 0..=MAX_WEIGHT)?;
            if enabled.contains(&plugin) {
                return Err(FieldError::new(entry.path("name"), format!("`{plugin}` is enabled twice")));
            }
            if let Some(point) = point.filter(|&point| !plugin.implements(point)) {
                let what = format!("`{plugin}` does not act at {}", point.key());
                return Err(FieldError::new(entry.path("name"), what).help(acts_at(plugin)));
            }
            enabled.push(plugin);
        }
        for entry in set.objects("disabled", &["name", "weight"])? {
            if entry.string("name")? != Some("*") {
                named(&entry)?;
            }
        }
    }
    check_queue_sort(&plugins)
}

/// The plugin that an entry names.
pub fn named(entry: &Fields<'_>) -> Result<PluginName, FieldError> {
    let Some(name) = entry.string("name")?.filter(|name| !name.is_empty()) else {
        return Err(FieldError::new(entry.at(), "has no name"));
    };
    PluginName::parse(name).ok_or_else(|| unknown(entry.path("name"), name))
}

fn unknown(path: String, name: &str) -> FieldError {
    let known = PluginName::ALL.iter().map(|plugin| plugin.as_str());
    let help = match nearest(name, known.clone()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("the plugins are {}", known.collect::<Vec<_>>().join(", ")),
    };
    FieldError::new(path, format!("unknown scheduler plugin `{name}`")).help(help)
}

fn acts_at(plugin: PluginName) -> String {
    let points = ExtensionPoint::ALL.iter().filter(|&&point| plugin.implements(point));
    format!("it acts at {}", points.map(|point| point.key()).collect::<Vec<_>>().join(", "))
}

/// The queue must be sorted by exactly one plugin, and there is only one that can.
fn check_queue_sort(plugins: &Fields<'_>) -> Result<(), FieldError> {
    let names = |fields: Option<Fields<'_>>, list: &str| -> Result<Vec<String>, FieldError> {
        let Some(fields) = fields else { return Ok(Vec::new()) };
        let entries = fields.objects(list, &["name", "weight"])?;
        Ok(entries.iter().filter_map(|entry| entry.string("name").ok().flatten().map(str::to_owned)).collect())
    };
    let set = |key: &str| plugins.object(key, &["enabled", "disabled"]);
    let sorts = |names: &[String]| names.iter().any(|name| name == PluginName::PrioritySort.as_str());
    let mut is_sorted = true;
    for key in ["multiPoint", "queueSort"] {
        let disabled = names(set(key)?, "disabled")?;
        is_sorted &= !sorts(&disabled) && !disabled.iter().any(|name| name == "*");
        is_sorted |= sorts(&names(set(key)?, "enabled")?);
    }
    match is_sorted {
        true => Ok(()),
        false => Err(FieldError::new(plugins.at(), "no plugin sorts the queue").help("leave `PrioritySort` enabled")),
    }
}
