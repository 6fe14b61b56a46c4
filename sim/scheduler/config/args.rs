//! `pluginConfig` of a profile: arguments per plugin, with their defaults (kube-scheduler v1.36, `apis/config/v1/defaults.go` and
//! `apis/config/validation/validation_pluginargs.go`).

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::plugins::named;
use crate::error::FieldError;
use crate::scheduler::framework::names::PluginName;

/// The profile with the arguments of `pluginConfig` checked and completed.
pub fn complete(profile: &Fields<'_>) -> Result<Value, FieldError> {
    let mut configs = Vec::new();
    let mut seen = Vec::new();
    for entry in profile.objects("pluginConfig", &["name", "args"])? {
        let plugin = named(&entry)?;
        if seen.contains(&plugin) {
            return Err(FieldError::new(entry.path("name"), format!("`{plugin}` is configured twice")));
        }
        seen.push(plugin);
        let none = Value::Object(Map::new());
        let args = entry.get("args").unwrap_or(&none);
        configs.push(json!({"name": plugin.as_str(), "args": check(plugin, &entry.path("args"), args)?}));
    }
    let plugins = profile.get("plugins").cloned().unwrap_or_else(|| json!({}));
    Ok(json!({"plugins": plugins, "pluginConfig": configs}))
}

/// Checks the arguments of one plugin and fills in the defaults.
fn check(plugin: PluginName, path: &str, args: &Value) -> Result<Value, FieldError> {
    let known: &[&str] = match plugin {
        PluginName::DefaultPreemption => &["minCandidateNodesPercentage", "minCandidateNodesAbsolute"],
        PluginName::InterPodAffinity => &["hardPodAffinityWeight", "ignorePreferredTermsOfExistingPods"],
        PluginName::NodeAffinity => &["addedAffinity"],
        PluginName::NodeResourcesBalancedAllocation => &["resources"],
        PluginName::NodeResourcesFit => &["ignoredResources", "ignoredResourceGroups", "scoringStrategy"],
        PluginName::PodTopologySpread => &["defaultConstraints", "defaultingType"],
        PluginName::VolumeBinding => &["bindTimeoutSeconds", "shape"],
        PluginName::DynamicResources => &["filterTimeout", "bindingTimeout"],
        _ => {
            return Err(FieldError::new(path, format!("`{plugin}` has no arguments")));
        }
    };
    let known: Vec<&str> = ["apiVersion", "kind"].iter().chain(known).copied().collect();
    let fields = Fields::new(path, args, &known)?;
    let kind = format!("{plugin}Args");
    if let Some(other) = fields.string("kind")?.filter(|other| *other != kind) {
        return Err(
            FieldError::new(fields.path("kind"), format!("`{other}` are not the arguments of {plugin}")).help(kind)
        );
    }
    let mut args = args.clone();
    for key in ["apiVersion", "kind"] {
        args.as_object_mut().map(|args| args.remove(key));
    }
    match plugin {
        PluginName::DefaultPreemption => preemption(&fields, &mut args)?,
        PluginName::InterPodAffinity => {
            args["hardPodAffinityWeight"] = fields.integer("hardPodAffinityWeight", 1, 0..=100)?.into();
            fields.boolean("ignorePreferredTermsOfExistingPods")?;
        }
        PluginName::NodeResourcesFit => fit(&fields, &mut args)?,
        PluginName::NodeResourcesBalancedAllocation => {
            resources(&fields, 1)?;
            default_resources(&mut args);
        }
        PluginName::PodTopologySpread => spread(&fields, &mut args)?,
        PluginName::VolumeBinding => {
            args["bindTimeoutSeconds"] = fields.integer("bindTimeoutSeconds", 600, 0..=i64::MAX)?.into();
            shape(&fields)?;
        }
        PluginName::NodeAffinity => added_affinity(&fields)?,
        _ => {}
    }
    Ok(args)
}

fn preemption(fields: &Fields<'_>, args: &mut Value) -> Result<(), FieldError> {
    let percentage = fields.integer("minCandidateNodesPercentage", 10, 0..=100)?;
    let absolute = fields.integer("minCandidateNodesAbsolute", 100, 0..=i64::from(i32::MAX))?;
    if percentage == 0 && absolute == 0 {
        let what = "minCandidateNodesPercentage and minCandidateNodesAbsolute are both zero";
        return Err(FieldError::new(fields.at(), what).help("one of them must be above zero"));
    }
    args["minCandidateNodesPercentage"] = percentage.into();
    args["minCandidateNodesAbsolute"] = absolute.into();
    Ok(())
}

fn added_affinity(fields: &Fields<'_>) -> Result<(), FieldError> {
    let Some(affinity) = fields.get("addedAffinity") else { return Ok(()) };
    let path = fields.path("addedAffinity");
    let known = ["requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"];
    Fields::new(&path, affinity, &known)?;
    let typed = serde_json::from_value::<k8s_openapi::api::core::v1::NodeAffinity>(affinity.clone());
    typed.map(|_| ()).map_err(|error| FieldError::new(path, error.to_string()))
}

fn fit(fields: &Fields<'_>, args: &mut Value) -> Result<(), FieldError> {
    for key in ["ignoredResources", "ignoredResourceGroups"] {
        for (idx, name) in fields.array(key)?.into_iter().flatten().enumerate() {
            let path = format!("{}[{idx}]", fields.path(key));
            let Some(name) = name.as_str() else { return Err(FieldError::new(path, "is not a string")) };
            if key == "ignoredResourceGroups" && name.contains('/') {
                return Err(FieldError::new(path, "a group of resources has no `/`").help("the part before the `/`"));
            }
        }
    }
    let strategy = ["type", "resources", "requestedToCapacityRatio"];
    let Some(strategy) = fields.object("scoringStrategy", &strategy)? else { return Ok(()) };
    let kind = strategy.string("type")?.unwrap_or("LeastAllocated");
    resources(&strategy, 100)?;
    match kind {
        "LeastAllocated" | "MostAllocated" => {}
        "RequestedToCapacityRatio" => {
            let Some(ratio) = strategy.object("requestedToCapacityRatio", &["shape"])? else {
                return Err(FieldError::new(strategy.at(), "has no requestedToCapacityRatio"));
            };
            if shape(&ratio)? == 0 {
                return Err(FieldError::new(ratio.at(), "has no shape").help("at least one point"));
            }
        }
        other => {
            let what = format!("unknown scoring strategy `{other}`");
            return Err(FieldError::new(strategy.path("type"), what)
                .help("`LeastAllocated`, `MostAllocated` or `RequestedToCapacityRatio`"));
        }
    }
    args["scoringStrategy"]["type"] = kind.into();
    default_resources(&mut args["scoringStrategy"]);
    Ok(())
}

/// Checks `resources`: names, and weights from 1 to `max_weight`.
fn resources(fields: &Fields<'_>, max_weight: i64) -> Result<(), FieldError> {
    let mut names = Vec::new();
    for resource in fields.objects("resources", &["name", "weight"])? {
        let name = resource.string("name")?.unwrap_or_default();
        if name.is_empty() {
            return Err(FieldError::new(resource.at(), "has no name"));
        }
        if names.contains(&name) {
            return Err(FieldError::new(resource.path("name"), format!("`{name}` is listed twice")));
        }
        names.push(name);
        resource.integer("weight", 1, 1..=max_weight)?;
    }
    Ok(())
}

/// cpu and memory if nothing is listed; a weight of 1 where none is given.
fn default_resources(args: &mut Value) {
    if args["resources"].as_array().is_none_or(Vec::is_empty) {
        args["resources"] = json!([{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1}]);
    }
    for resource in args["resources"].as_array_mut().into_iter().flatten() {
        if resource["weight"].is_null() {
            resource["weight"] = 1.into();
        }
    }
}

/// Checks `shape`: utilisation rises strictly from 0 to 100, scores are 0 to 10. Returns how many points there are.
fn shape(fields: &Fields<'_>) -> Result<usize, FieldError> {
    let points = fields.objects("shape", &["utilization", "score"])?;
    let mut last = -1;
    for point in &points {
        let utilization = point.integer("utilization", 0, 0..=100)?;
        point.integer("score", 0, 0..=10)?;
        if utilization <= last {
            return Err(FieldError::new(point.path("utilization"), "does not rise from point to point"));
        }
        last = utilization;
    }
    Ok(points.len())
}

fn spread(fields: &Fields<'_>, args: &mut Value) -> Result<(), FieldError> {
    let defaulting = fields.string("defaultingType")?.unwrap_or("System");
    let known = [
        "maxSkew",
        "topologyKey",
        "whenUnsatisfiable",
        "labelSelector",
        "minDomains",
        "nodeAffinityPolicy",
        "nodeTaintsPolicy",
        "matchLabelKeys",
    ];
    let constraints = fields.objects("defaultConstraints", &known)?;
    match defaulting {
        "List" => {}
        "System" if constraints.is_empty() => {}
        "System" => {
            let what = "defaultConstraints need `defaultingType: List`";
            return Err(FieldError::new(fields.path("defaultConstraints"), what));
        }
        other => {
            let what = format!("unknown defaulting `{other}`");
            return Err(FieldError::new(fields.path("defaultingType"), what).help("`System` or `List`"));
        }
    }
    for constraint in &constraints {
        constraint.integer("maxSkew", 0, 1..=i64::from(i32::MAX))?;
        for key in ["maxSkew", "topologyKey", "whenUnsatisfiable"] {
            if constraint.get(key).is_none() {
                return Err(FieldError::new(constraint.at(), format!("has no {key}")));
            }
        }
        if constraint.get("labelSelector").is_some() {
            let what = "a default constraint has no selector: it is deduced from the pod's services and owners";
            return Err(FieldError::new(constraint.path("labelSelector"), what));
        }
        match constraint.string("whenUnsatisfiable")? {
            Some("DoNotSchedule" | "ScheduleAnyway") | None => {}
            Some(other) => {
                return Err(FieldError::new(constraint.path("whenUnsatisfiable"), format!("unknown value `{other}`"))
                    .help("`DoNotSchedule` or `ScheduleAnyway`"));
            }
        }
    }
    args["defaultingType"] = defaulting.into();
    Ok(())
}
