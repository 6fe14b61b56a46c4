//! `Profile`: which plugins act where, with which weights and arguments (a profile of `KubeSchedulerConfiguration`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::names::{ExtensionPoint, PluginName};

/// A scheduling profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// `schedulerName`: the pods that name it are scheduled by it.
    pub scheduler_name: String,
    /// `plugins.multiPoint`: enabled wherever they act, with the weight of their scores.
    pub multi_point: Vec<(PluginName, i64)>,
    /// `plugins.<extensionPoint>`: what differs from `multi_point` there.
    pub points: BTreeMap<ExtensionPoint, PointConfig>,
    /// `pluginConfig`: arguments by plugin, as written.
    pub args: BTreeMap<PluginName, Value>,
    /// `percentageOfNodesToScore`; 0 is adaptive.
    pub percentage_of_nodes_to_score: u32,
}

/// What a profile says of one extension point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointConfig {
    /// In order, with the weight of their scores (0 stands for 1).
    pub enabled: Vec<(PluginName, i64)>,
    /// Not to act here.
    pub disabled: Vec<PluginName>,
    /// `disabled: [{name: "*"}]`.
    pub all_disabled: bool,
}

/// kube-scheduler v1.36, `getDefaultPlugins`: the default profile in order, with weights.
impl Default for Profile {
    fn default() -> Profile {
        use PluginName as P;
        Profile {
            scheduler_name: "default-scheduler".to_owned(),
            multi_point: vec![
                (P::SchedulingGates, 0),
                (P::PrioritySort, 0),
                (P::NodeUnschedulable, 0),
                (P::NodeName, 0),
                (P::TaintToleration, 3),
                (P::NodeAffinity, 2),
                (P::NodePorts, 0),
                (P::NodeResourcesFit, 1),
                (P::VolumeRestrictions, 0),
                (P::NodeVolumeLimits, 0),
                (P::VolumeBinding, 0),
                (P::VolumeZone, 0),
                (P::PodTopologySpread, 2),
                (P::InterPodAffinity, 2),
                (P::DynamicResources, 2),
                (P::DefaultPreemption, 0),
                (P::NodeResourcesBalancedAllocation, 1),
                (P::ImageLocality, 1),
                (P::DefaultBinder, 0),
                (P::NodeDeclaredFeatures, 0),
            ],
            points: BTreeMap::new(),
            args: BTreeMap::new(),
            percentage_of_nodes_to_score: 0,
        }
    }
}

impl Profile {
    /// Merges `plugins`, `pluginConfig`, `schedulerName` and `percentageOfNodesToScore` of a profile over this one.
    ///
    /// # Errors
    ///
    /// If a plugin or an extension point is unknown.
    pub fn apply(&mut self, profile: &Value) -> Result<(), String> {
        if let Some(name) = profile["schedulerName"].as_str() {
            self.scheduler_name = name.to_owned();
        }
        if let Some(percentage) = profile["percentageOfNodesToScore"].as_u64() {
            self.percentage_of_nodes_to_score = u32::try_from(percentage.min(100)).unwrap_or(100);
        }
        for config in profile["pluginConfig"].as_array().into_iter().flatten() {
            self.args.insert(plugin_named(&config["name"])?, config["args"].clone());
        }
        for (key, set) in profile["plugins"].as_object().into_iter().flatten() {
            let set = PointConfig::parse(set)?;
            if key == "multiPoint" {
                self.merge_multi_point(set);
                continue;
            }
            let point = ExtensionPoint::ALL.iter().copied().find(|point| point.key() == key);
            let point = point.ok_or_else(|| format!("unknown extension point `{key}`"))?;
            self.points.insert(point, set);
        }
        Ok(())
    }

    /// `mergePluginSet`: a plugin enabled anew takes the place and loses the weight of the default one.
    fn merge_multi_point(&mut self, custom: PointConfig) {
        let mut merged = Vec::new();
        let mut placed = Vec::new();
        for &(plugin, weight) in &self.multi_point {
            if custom.all_disabled || custom.disabled.contains(&plugin) {
                continue;
            }
            match custom.enabled.iter().find(|(other, _)| *other == plugin) {
                Some(&own) => {
                    placed.push(plugin);
                    merged.push(own);
                }
                None => merged.push((plugin, weight)),
            }
        }
        merged.extend(custom.enabled.iter().copied().filter(|(plugin, _)| !placed.contains(plugin)));
        self.multi_point = merged;
    }

    /// The plugins of one extension point in order, with weights (`expandMultiPointPlugins`): first those that the point itself
    /// names and `multiPoint` has too, then the rest of `multiPoint`, then the rest of the point.
    pub fn plugins(&self, point: ExtensionPoint) -> Vec<(PluginName, i64)> {
        let default = PointConfig::default();
        let config = self.points.get(&point).unwrap_or(&default);
        let mut multi_point = Vec::new();
        let mut overriding = Vec::new();
        if !config.all_disabled {
            for &(plugin, weight) in self.multi_point.iter().filter(|(plugin, _)| plugin.implements(point)) {
                if config.disabled.contains(&plugin) {
                    continue;
                }
                if config.enabled.iter().any(|(other, _)| *other == plugin) {
                    overriding.push(plugin);
                } else {
                    multi_point.push((plugin, weight));
                }
            }
        }
        let named = |overrides: bool| {
            let overriding = &overriding;
            config.enabled.iter().copied().filter(move |(plugin, _)| overriding.contains(plugin) == overrides)
        };
        let all = named(true).chain(multi_point.iter().copied()).chain(named(false));
        all.map(|(plugin, weight)| (plugin, weight.max(1))).collect()
    }
}

impl PointConfig {
    fn parse(set: &Value) -> Result<PointConfig, String> {
        let mut config = PointConfig::default();
        for plugin in set["disabled"].as_array().into_iter().flatten() {
            if plugin["name"] == "*" {
                config.all_disabled = true;
            } else {
                config.disabled.push(plugin_named(&plugin["name"])?);
            }
        }
        for plugin in set["enabled"].as_array().into_iter().flatten() {
            config.enabled.push((plugin_named(&plugin["name"])?, plugin["weight"].as_i64().unwrap_or(0)));
        }
        Ok(config)
    }
}

fn plugin_named(name: &Value) -> Result<PluginName, String> {
    let name = name.as_str().unwrap_or_default();
    PluginName::parse(name).ok_or_else(|| format!("unknown scheduler plugin `{name}`"))
}
