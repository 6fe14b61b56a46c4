//! The unschedulable pool, by groups of pods that every event treats alike: the same spec, labels and namespace, rejected by the
//! same plugins. A queueing hint is asked once per group, and only groups whose rejecting plugins registered for the event.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::row::{ActiveKey, QueuedPod};
use crate::cluster::{Cluster, LabelsId, PodId, SpecId, Sym};
use crate::engine::Time;
use crate::scheduler::framework::names::{PluginName, PluginSet};

/// What pods of one group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey {
    /// Their spec; priority and scheduler name with it.
    pub spec: SpecId,
    /// Their labels.
    pub labels: LabelsId,
    /// Their namespace.
    pub namespace: Sym,
    /// The plugins that rejected them.
    pub rejected_by: PluginSet,
    /// Those of them that only want to wait.
    pub pending: PluginSet,
    /// The plugin that keeps them from being queued at all.
    pub gate: Option<PluginName>,
}

/// The unschedulable pool.
#[derive(Clone, Debug)]
pub struct Pool {
    groups: BTreeMap<GroupKey, BTreeSet<ActiveKey>>,
    /// The groups that each plugin rejected. `[plugin]`
    by_plugin: Vec<BTreeSet<GroupKey>>,
    /// Pods that are not gated, oldest first.
    ages: BTreeSet<(Time, u64, PodId)>,
    keys: FxHashMap<PodId, (GroupKey, ActiveKey)>,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool {
            groups: BTreeMap::new(),
            by_plugin: vec![BTreeSet::new(); PluginName::ALL.len()],
            ages: BTreeSet::new(),
            keys: FxHashMap::default(),
        }
    }
}

impl GroupKey {
    /// The group of a pod.
    pub fn of(row: &QueuedPod, cluster: &Cluster) -> GroupKey {
        let pod = cluster.pod(row.pod);
        GroupKey {
            spec: pod.spec,
            labels: pod.meta.labels,
            namespace: pod.meta.namespace,
            rejected_by: row.rejected_by,
            pending: row.pending,
            gate: row.gate,
        }
    }
}

impl Pool {
    /// Puts a pod in.
    pub fn insert(&mut self, row: &QueuedPod, cluster: &Cluster) {
        let (key, active_key) = (GroupKey::of(row, cluster), row.active_key());
        self.groups.entry(key).or_insert_with(|| {
            for plugin in key.rejected_by.union(key.pending).iter() {
                self.by_plugin[plugin as usize].insert(key);
            }
            BTreeSet::new()
        });
        if let Some(group) = self.groups.get_mut(&key) {
            group.insert(active_key);
        }
        if row.gate.is_none() {
            self.ages.insert((row.timestamp, row.turn, row.pod));
        }
        self.keys.insert(row.pod, (key, active_key));
    }

    /// Takes a pod out.
    pub fn remove(&mut self, pod: PodId) {
        let Some((key, active_key)) = self.keys.remove(&pod) else { return };
        self.ages.remove(&(active_key.1, active_key.2, pod));
        let Some(group) = self.groups.get_mut(&key) else { return };
        group.remove(&active_key);
        if group.is_empty() {
            self.groups.remove(&key);
            for plugin in key.rejected_by.union(key.pending).iter() {
                self.by_plugin[plugin as usize].remove(&key);
            }
        }
    }

    /// The groups that one of `plugins` rejected, each with one of its pods, in order of key.
    pub fn groups_of(&self, plugins: PluginSet) -> Vec<(GroupKey, PodId)> {
        let mut keys: Vec<GroupKey> =
            plugins.iter().flat_map(|plugin| self.by_plugin[plugin as usize].iter().copied()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().filter_map(|key| Some((key, self.groups.get(&key)?.first()?.3))).collect()
    }

    /// The pods of a group in order of priority and timestamp.
    pub fn pods_of(&self, key: &GroupKey) -> Vec<PodId> {
        self.groups.get(key).into_iter().flatten().map(|&(_, _, _, pod)| pod).collect()
    }

    /// When the oldest pod that is not gated came in.
    pub fn oldest(&self) -> Option<Time> {
        self.ages.first().map(|&(timestamp, ..)| timestamp)
    }

    /// The pods that are not gated and came in before `before`, oldest first.
    pub fn older_than(&self, before: Time) -> Vec<PodId> {
        self.ages.range(..(before, 0, PodId(0))).map(|&(.., pod)| pod).collect()
    }

    /// Number of pods, gated ones included.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
