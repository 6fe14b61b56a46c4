//! The laws of a cluster, looked at after every change of a run: whatever users do and whatever breaks, they hold.

mod guards;
mod nodes;
mod pods;
mod workloads;

use std::collections::BTreeMap;

use super::Case;
use crate::cluster::{Change, Cluster, ObjectRef, Observer, PodId, What};
use crate::engine::{Span, Time};

/// How long a component may act on what was true before: watch delays and the queues behind them.
const LAG: Span = Span::from_secs(2);

/// A law that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Time,
    /// The law.
    pub law: &'static str,
    /// What was seen.
    pub seen: String,
}

/// Follows a run and notes every law that does not hold.
pub(super) struct Laws {
    calm: bool,
    event_begun: bool,
    nodes: nodes::Nodes,
    pods: pods::Pods,
    guards: guards::Guards,
    workloads: workloads::Workloads,
    pub(super) violations: Vec<Violation>,
}

/// Violations kept of one run: the first says it, the rest mostly follow from it.
const MAX_VIOLATIONS: usize = 20;

impl Laws {
    pub(super) fn new(case: &Case) -> Laws {
        Laws {
            calm: case.calm,
            event_begun: true,
            nodes: nodes::Nodes::default(),
            pods: pods::Pods::default(),
            guards: guards::Guards::default(),
            workloads: workloads::Workloads::default(),
            violations: Vec::new(),
        }
    }

    fn note(&mut self, at: Time, found: Vec<(&'static str, String)>) {
        let room = MAX_VIOLATIONS.saturating_sub(self.violations.len());
        self.violations.extend(found.into_iter().take(room).map(|(law, seen)| Violation { at, law, seen }));
    }
}

impl Observer for Laws {
    fn handled(&mut self, _: u64) {
        self.event_begun = true;
    }

    fn change(&mut self, at: Time, _: u32, _: u32, change: Change, cluster: &Cluster) {
        let mut found = Vec::new();
        if std::mem::take(&mut self.event_begun)
            && let Err(broken) = cluster.check()
        {
            found.push(("the store is consistent", broken));
        }
        if let What::Event(_) = change.what {
            return self.note(at, found);
        }
        if let ObjectRef::Pod(pod) = change.object {
            self.pods.change(pod, change.what, cluster, &mut found);
        }
        self.guards.change(at, change, cluster, self.nodes.is_blind(at), &mut found);
        self.workloads.change(at, change, cluster, self.calm, &mut found);
        self.note(at, found);
    }

    fn advance(&mut self, to: Time, cluster: &Cluster) {
        let mut found = Vec::new();
        self.nodes.advance(to, cluster, &mut found);
        self.note(to, found);
    }

    fn go_on(&mut self, _: Time, _: u64, _: &Cluster) -> bool {
        self.violations.len() < MAX_VIOLATIONS
    }
}

/// A number that may be looked at with a delay: its largest value of the last [`LAG`].
#[derive(Clone, Debug, Default)]
struct Recent(Vec<(Time, i32)>);

impl Recent {
    fn set(&mut self, at: Time, value: i32) {
        self.0.push((at, value));
    }

    /// The largest value that was true at some time of the last [`LAG`].
    fn most(&mut self, now: Time) -> i32 {
        let from = now.since(Time::ZERO).saturating_sub(LAG);
        let n_old = self.0.iter().take_while(|(at, _)| at.since(Time::ZERO) <= from).count();
        self.0.drain(..n_old.saturating_sub(1));
        self.0.iter().map(|&(_, value)| value).max().unwrap_or(0)
    }
}

/// Instants by pod.
type Instants = BTreeMap<PodId, Time>;

/// `namespace/name` of a pod.
fn called(cluster: &Cluster, object: impl Into<ObjectRef>) -> String {
    let object = object.into();
    format!("{} {}/{}", cluster.kind(object), cluster.namespace(object), cluster.name(object))
}

/// Whether the pod serves: Ready, neither ended nor asked to end.
fn serves(cluster: &Cluster, pod: PodId) -> bool {
    let row = cluster.pod(pod);
    row.is_active() && row.conditions.is_true(cluster.words.ready)
}
