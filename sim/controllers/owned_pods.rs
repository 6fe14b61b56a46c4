//! How many pods each workload owns and in what state, kept current change by change, so that a sync costs nothing per pod.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::cluster::objects::ReplicaSet;
use crate::cluster::{Change, Cluster, ConditionChange, ObjId, ObjectRef, Pod, PodId, What};
use crate::engine::{Id, Span, Time};

/// The pods of one owner, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Neither ended nor being deleted.
    pub active: i32,
    /// Active ones with all labels of the template.
    pub fully_labeled: i32,
    /// Active ones that are Ready.
    pub ready: i32,
    /// Not ended, but being deleted.
    pub terminating: i32,
    /// Active Ready ones by the second since which they are, where the owner asks for some time.
    ready_since: BTreeMap<u64, i32>,
}

/// The pods of every ReplicaSet and ReplicationController, counted.
#[derive(Clone, Debug, Default)]
pub struct OwnedPods {
    /// By pod id: what it was last counted as.
    counted: Vec<Counted>,
    tallies: FxHashMap<ObjId, Tally>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    owner: Option<ObjId>,
    active: bool,
    fully_labeled: bool,
    terminating: bool,
    ready: bool,
    /// Since when it is Ready, in seconds; none if its owner has no `minReadySeconds`.
    ready_since: Option<u64>,
}

impl Tally {
    /// Pods that have been Ready for at least `min_ready_seconds`.
    pub fn available(&self, min_ready_seconds: i32, now: Time) -> i32 {
        let waiting: i32 = self.not_yet_available(min_ready_seconds, now).map(|(_, count)| count).sum();
        self.ready - waiting
    }

    /// How long until the next pod has been Ready for `min_ready_seconds`.
    pub fn next_available(&self, min_ready_seconds: i32, now: Time) -> Option<Span> {
        let (since, _) = self.not_yet_available(min_ready_seconds, now).next()?;
        Some(Time::from_secs(since + min_ready(min_ready_seconds)).since(now))
    }

    fn not_yet_available(&self, min_ready_seconds: i32, now: Time) -> impl Iterator<Item = (u64, i32)> + '_ {
        let required = min_ready(min_ready_seconds);
        // Instants read back from the API have whole seconds: the pod is available when that second plus the required time has come.
        let first = now.as_secs().checked_sub(required).map_or(0, |last| last + 1);
        let range = if required == 0 { u64::MAX.. } else { first.. };
        self.ready_since.range(range).map(|(&since, &count)| (since, count))
    }

    fn count(&mut self, counted: Counted, sign: i32) {
        self.active += sign * i32::from(counted.active);
        self.fully_labeled += sign * i32::from(counted.fully_labeled);
        self.terminating += sign * i32::from(counted.terminating);
        self.ready += sign * i32::from(counted.ready);
        if let Some(since) = counted.ready_since {
            let count = self.ready_since.entry(since).or_insert(0);
            *count += sign;
            if *count == 0 {
                self.ready_since.remove(&since);
            }
        }
    }

    /// Counts the pods of `owner` as the store shows them now.
    pub fn scan(cluster: &Cluster, owner: ObjId) -> Tally {
        let mut tally = Tally::default();
        for pod in cluster.pods_of(owner) {
            tally.count(classify(cluster, cluster.pod(pod)), 1);
        }
        tally
    }
}

fn min_ready(min_ready_seconds: i32) -> u64 {
    u64::try_from(min_ready_seconds).unwrap_or(0)
}

impl OwnedPods {
    /// The pods of `owner` as of the last change observed.
    pub fn tally(&self, owner: ObjId) -> Tally {
        self.tallies.get(&owner).cloned().unwrap_or_default()
    }

    /// Takes note of a change.
    pub fn observe(&mut self, change: Change, cluster: &Cluster) {
        match change.object {
            ObjectRef::Pod(pod) if matters(change.what, cluster) => self.recount(pod, cluster),
            ObjectRef::Object(owner) if change.what == What::Spec && is_counted(cluster, owner) => {
                for pod in cluster.pods_of(owner) {
                    self.recount(pod, cluster);
                }
            }
            _ => {}
        }
    }

    fn recount(&mut self, pod: PodId, cluster: &Cluster) {
        let new = classify(cluster, cluster.pod(pod));
        let idx = pod.index();
        if self.counted.len() <= idx {
            if new == Counted::default() {
                return;
            }
            self.counted.resize(idx + 1, Counted::default());
        }
        let old = std::mem::replace(&mut self.counted[idx], new);
        if old == new {
            return;
        }
        if let Some(owner) = old.owner {
            self.tallies.entry(owner).or_default().count(old, -1);
        }
        if let Some(owner) = new.owner {
            self.tallies.entry(owner).or_default().count(new, 1);
        }
    }
}

/// Whether a change of a pod may change how it counts.
pub fn matters(what: What, cluster: &Cluster) -> bool {
    match what {
        What::Created | What::Labels | What::Meta | What::Phase | What::Deleting | What::Removed => true,
        What::Condition(ConditionChange { kind, .. }) => kind == cluster.words.ready,
        _ => false,
    }
}

fn is_counted(cluster: &Cluster, owner: ObjId) -> bool {
    cluster.try_get::<ReplicaSet>(owner).is_some()
}

fn classify(cluster: &Cluster, pod: &Pod) -> Counted {
    let owner = pod.meta.controller().and_then(|owner| owner.object);
    let Some(ObjectRef::Object(owner)) = owner else { return Counted::default() };
    let Some(replica_set) = cluster.try_get::<ReplicaSet>(owner).filter(|_| !pod.meta.removed) else {
        return Counted::default();
    };
    let active = pod.is_active();
    let wanted = cluster.interner.pairs(replica_set.template.labels);
    let has_labels = wanted.iter().all(|&(key, value)| cluster.interner.value(pod.meta.labels, key) == Some(value));
    let ready_since = ready_since(cluster, pod).filter(|_| active);
    Counted {
        owner: Some(owner),
        active,
        fully_labeled: active && has_labels,
        terminating: pod.meta.is_deleting() && !pod.phase.is_terminal(),
        ready: ready_since.is_some(),
        ready_since: ready_since.filter(|_| replica_set.min_ready_seconds > 0).map(Time::as_secs),
    }
}

/// Since when a pod is Ready.
pub fn ready_since(cluster: &Cluster, pod: &Pod) -> Option<Time> {
    let ready = pod.conditions.get(cluster.words.ready)?;
    (ready.status == crate::cluster::ConditionStatus::True).then_some(ready.transition)
}
