//! kube-scheduler's framework: the plugins of a profile at their extension points, and one scheduling cycle over them.
//!
//! A cycle is [`Framework::schedule`]; where it fails, [`Framework::post_filter`] looks for pods to preempt. Both read the store
//! and write nothing: the component around the framework assumes, binds, nominates and deletes.

pub mod crowds;
mod evaluate;
pub mod events;
pub mod names;
pub mod owners;
pub mod plugin;
pub mod prelude;
pub mod profile;
pub mod reason;
mod rows;
mod search;
pub mod selectors;
pub mod spread_totals;
pub mod state;
pub mod status;
pub mod storage;
pub mod tables;
pub mod view;

use std::sync::Arc;

use serde_json::Value;

pub use evaluate::{PreFiltered, Scores};
pub use search::{Decision, Diagnosis, SearchState, TieBreak};

use self::events::ClusterEvent;
use self::names::{ExtensionPoint, PluginName};
use self::plugin::{Cx, Plugin};
use self::profile::Profile;
use self::rows::RowCache;
use self::state::CycleState;
use self::status::Status;
use self::tables::Tables;
use super::plugins;
use super::plugins::volume_binding::{VolumeBinding, VolumePlan};
use crate::cluster::{Change, Cluster, NodeId, PodId};

/// Plugins with their weights.
type Weighted = Vec<(Arc<dyn Plugin>, i64)>;

/// The plugins of a profile, and what they keep beside the store.
#[derive(Clone, Debug)]
pub struct Framework {
    profile: Profile,
    pre_enqueue: Vec<Arc<dyn Plugin>>,
    pre_filter: Vec<Arc<dyn Plugin>>,
    filter: Vec<Arc<dyn Plugin>>,
    post_filter: Vec<PluginName>,
    pre_score: Vec<Arc<dyn Plugin>>,
    score: Weighted,
    tables: Tables,
    state: CycleState,
    rows: RowCache,
}

impl Framework {
    /// The framework of a profile over a store as it is.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments of a plugin.
    pub fn new(profile: Profile, cluster: &Cluster) -> Result<Framework, String> {
        let mut made: Vec<(PluginName, Arc<dyn Plugin>)> = Vec::new();
        let mut at = |point: ExtensionPoint| -> Result<Weighted, String> {
            let mut list = Vec::new();
            for (name, weight) in profile.plugins(point) {
                let known = made.iter().find(|(other, _)| *other == name).map(|(_, plugin)| plugin.clone());
                let plugin = match known {
                    Some(plugin) => plugin,
                    None => {
                        let args = profile.args.get(&name).unwrap_or(&Value::Null);
                        let plugin: Arc<dyn Plugin> =
                            plugins::make(name, args).map_err(|error| format!("{name}: {error}"))?.into();
                        made.push((name, plugin.clone()));
                        plugin
                    }
                };
                list.push((plugin, weight));
            }
            Ok(list)
        };
        let unweighted = |list: Weighted| list.into_iter().map(|(plugin, _)| plugin).collect();
        let pre_enqueue = unweighted(at(ExtensionPoint::PreEnqueue)?);
        let pre_filter = unweighted(at(ExtensionPoint::PreFilter)?);
        let filter = unweighted(at(ExtensionPoint::Filter)?);
        let pre_score = unweighted(at(ExtensionPoint::PreScore)?);
        let score = at(ExtensionPoint::Score)?;
        let post_filter = profile.plugins(ExtensionPoint::PostFilter).into_iter().map(|(name, _)| name).collect();
        let (tables, state, rows) = (Tables::of(cluster), CycleState::default(), RowCache::default());
        Ok(Framework { profile, pre_enqueue, pre_filter, filter, post_filter, pre_score, score, tables, state, rows })
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What the scheduler keeps beside the store.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Notes a change of the store. To be called for every change, in order.
    pub fn observe(&mut self, change: Change, cluster: &Cluster) {
        self.tables.observe(change, cluster);
    }

    /// Brings what is kept beside the store up to date. Called by everything that needs it.
    pub fn sync(&mut self, cluster: &Cluster) {
        self.tables.sync(cluster);
    }

    /// Whether a pod may enter the active queue (PreEnqueue).
    pub fn pre_enqueue(&mut self, cluster: &Cluster, pod: PodId) -> Status {
        self.tables.sync(cluster);
        let cx = self.cx(cluster, pod);
        for plugin in &self.pre_enqueue {
            if let Err(rejection) = plugin.pre_enqueue(cx) {
                return Status::rejected(plugin.name(), rejection);
            }
        }
        Status::success()
    }

    /// Which events may make a pod schedulable that a plugin has rejected.
    pub fn events_to_register(&self, plugin: PluginName) -> &'static [ClusterEvent] {
        let all = self.pre_enqueue.iter().chain(&self.pre_filter).chain(&self.filter);
        all.into_iter().find(|other| other.name() == plugin).map_or(&[], |plugin| plugin.events_to_register())
    }

    /// What is to be bound or made of volumes before the pod can be bound to a node that the search has chosen (Reserve, PreBind).
    pub fn plan_volumes(&mut self, cluster: &Cluster, pod: PodId, node: NodeId) -> VolumePlan {
        self.tables.sync(cluster);
        VolumeBinding::plan(self.cx(cluster, pod), node)
    }

    /// What plugins are given about a pod.
    pub fn cx<'a>(&'a self, cluster: &'a Cluster, pod: PodId) -> Cx<'a> {
        let spec = self.tables.spec_of(cluster, pod);
        Cx { cluster, tables: &self.tables, pod, spec, wanted_node: None }
    }

    /// The plugins with a Filter, in order.
    pub fn filter_plugins(&self) -> &[Arc<dyn Plugin>] {
        &self.filter
    }

    /// The plugins with a Score, in order, with weights.
    pub fn score_plugins(&self) -> &[(Arc<dyn Plugin>, i64)] {
        &self.score
    }

    /// The plugins with a PostFilter, in order.
    pub fn post_filter_plugins(&self) -> &[PluginName] {
        &self.post_filter
    }
}
