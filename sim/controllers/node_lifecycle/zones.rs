//! How fast the nodes of a zone are tainted for eviction, by how many of them are lost (`handleDisruption`).

use std::collections::BTreeMap;

use super::taints::{self, not_ready, unreachable};
use crate::cluster::{Cluster, ConditionStatus, NodeId, Sym};
use crate::engine::{Span, Time};

/// A zone: the labels `topology.kubernetes.io/region` and `topology.kubernetes.io/zone`; nodes without either are one zone.
pub(super) type ZoneKey = (Sym, Sym);

/// One node per this time is tainted in a healthy zone (`--node-eviction-rate` 0.1).
const NORMAL_PERIOD: Span = Span::from_secs(10);
/// The same in a large zone that is partially disrupted (`--secondary-node-eviction-rate` 0.01).
const REDUCED_PERIOD: Span = Span::from_secs(100);
/// Zones with more nodes are large (`--large-cluster-size-threshold`).
const LARGE_ZONE: usize = 50;

/// How a zone fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneState {
    /// Not yet judged.
    Initial,
    /// Most nodes are ready.
    Normal,
    /// 55 % of the nodes or more, and at least three, are not ready.
    PartialDisruption,
    /// No node is ready.
    FullDisruption,
}

/// The state of a zone with so many nodes (`ComputeZoneState`).
pub fn zone_state(ready: usize, not_ready: usize) -> ZoneState {
    // 0.55 of the zone (`--unhealthy-zone-threshold`), in whole numbers.
    let unhealthy = not_ready > 2 && not_ready * 100 >= (ready + not_ready) * 55;
    match (ready, not_ready) {
        (0, 1..) => ZoneState::FullDisruption,
        _ if unhealthy => ZoneState::PartialDisruption,
        _ => ZoneState::Normal,
    }
}

/// The time from one `NoExecute` taint to the next in a zone of this state and size; `None` if there are none.
pub fn eviction_period(state: ZoneState, n_nodes: usize) -> Option<Span> {
    match state {
        ZoneState::PartialDisruption => (n_nodes > LARGE_ZONE).then_some(REDUCED_PERIOD),
        _ => Some(NORMAL_PERIOD),
    }
}

/// The zones with their queues of nodes to be tainted.
#[derive(Clone, Debug, Default)]
pub(super) struct Zones(BTreeMap<ZoneKey, Zone>);

#[derive(Clone, Debug)]
struct Zone {
    /// `None` if none of its nodes counted at the last turn: its queue is worked on until the next turn makes it anew.
    state: Option<ZoneState>,
    /// A token bucket of one: the time a token takes to come back; none ever comes if there is none.
    period: Option<Span>,
    /// When the token is there.
    token: Time,
    /// Nodes that wait for their taint, in the order in which the last turn of the monitor found them. One that has been deleted
    /// stays, and uses up its token.
    queue: Vec<NodeId>,
}

impl Zone {
    /// Replaces the limit; a bucket that is empty stays empty (`SwapLimiter`).
    fn set_period(&mut self, period: Option<Span>, now: Time) {
        if self.period == period {
            return;
        }
        let had_token = self.period.is_some() && self.token <= now;
        self.token = match period {
            Some(period) if !had_token => now + period,
            _ => now,
        };
        self.period = period;
    }
}

/// The zone of a node.
pub(super) fn key(node: NodeId, cluster: &Cluster) -> ZoneKey {
    let labels = cluster.node(node).meta.labels;
    let label = |key: &str| {
        let key = cluster.interner.find(key)?;
        cluster.interner.value(labels, key)
    };
    let value = |key: &str| label(key).unwrap_or(Sym::EMPTY);
    (value("topology.kubernetes.io/region"), value("topology.kubernetes.io/zone"))
}

impl Zones {
    /// A turn has found a node of this zone: a zone that is new gets a fresh queue (`addPodEvictorForNewZone`).
    pub(super) fn represent(&mut self, zone: ZoneKey, now: Time) {
        if self.0.get(&zone).is_none_or(|zone| zone.state.is_none()) {
            let state = Some(ZoneState::Initial);
            self.0.insert(zone, Zone { state, period: Some(NORMAL_PERIOD), token: now, queue: Vec::new() });
        }
    }

    /// Whether the next turn makes a queue anew in which a node waits.
    pub(super) fn renews_queue(&self) -> bool {
        self.0.values().any(|zone| zone.state.is_none() && !zone.queue.is_empty())
    }

    /// Queues a lost node, swaps the taint of one that is lost in another way, clears one that is back
    /// (`processTaintBaseEviction`).
    pub(super) fn judge(&mut self, node: NodeId, zone: ZoneKey, cluster: &mut Cluster) {
        let Some(zone) = self.0.get_mut(&zone) else { return };
        zone.queue.retain(|&other| other != node);
        let (wanted, opposite) = match status(node, cluster) {
            None => return,
            Some(ConditionStatus::True) => {
                taints::mark_reachable(node, cluster);
                return;
            }
            Some(ConditionStatus::False) => (not_ready(), unreachable()),
            Some(ConditionStatus::Unknown) => (unreachable(), not_ready()),
        };
        if taints::has(node, &opposite, cluster) {
            taints::swap(node, &[wanted], &[opposite], cluster);
        } else if !taints::has(node, &wanted, cluster) {
            zone.queue.push(node);
        }
    }

    /// Taints the nodes for which there is a token (`doNoExecuteTaintingPass`).
    pub(super) fn taint(&mut self, cluster: &mut Cluster, now: Time) {
        for zone in self.0.values_mut() {
            while let Some(period) = zone.period.filter(|_| zone.token <= now && !zone.queue.is_empty()) {
                zone.token = now + period;
                let node = zone.queue.remove(0);
                cluster.because(cluster.cause_of_silence(node));
                match status(node, cluster) {
                    Some(ConditionStatus::False) => taints::swap(node, &[not_ready()], &[unreachable()], cluster),
                    Some(ConditionStatus::Unknown) => taints::swap(node, &[unreachable()], &[not_ready()], cluster),
                    _ => false,
                };
            }
        }
    }

    /// When the next node can be tainted.
    pub(super) fn next_taint(&self) -> Option<Time> {
        self.0.values().filter(|zone| zone.period.is_some() && !zone.queue.is_empty()).map(|zone| zone.token).min()
    }

    /// Sets the limits by the states of the zones. Returns whether the cluster has just come back from being lost as a whole.
    pub(super) fn handle_disruption(
        &mut self,
        ready_by_zone: &BTreeMap<ZoneKey, Vec<bool>>,
        nodes: &[NodeId],
        cluster: &mut Cluster,
        now: Time,
    ) -> bool {
        self.0.retain(|key, zone| ready_by_zone.contains_key(key) || !zone.queue.is_empty());
        for (_, zone) in self.0.iter_mut().filter(|(key, _)| !ready_by_zone.contains_key(key)) {
            zone.state = None;
        }
        let states: BTreeMap<ZoneKey, (ZoneState, usize)> = ready_by_zone
            .iter()
            .map(|(&zone, ready)| {
                let n_ready = ready.iter().filter(|&&ready| ready).count();
                (zone, (zone_state(n_ready, ready.len() - n_ready), ready.len()))
            })
            .collect();
        let all_lost = states.values().all(|(state, _)| *state == ZoneState::FullDisruption);
        let mut counted = self.0.values().filter_map(|zone| zone.state).peekable();
        let any_counts = counted.peek().is_some();
        let all_were_lost = counted.all(|state| state == ZoneState::FullDisruption);
        if all_lost && !all_were_lost {
            // Every node is silent: it is rather the control plane that is cut off. Nothing is evicted.
            for &node in nodes {
                taints::mark_reachable(node, cluster);
            }
            for zone in self.0.values_mut().filter(|zone| zone.state.is_some()) {
                zone.set_period(None, now);
                zone.state = Some(ZoneState::FullDisruption);
            }
        }
        if all_lost {
            return false;
        }
        for (key, zone) in &mut self.0 {
            let Some(&(state, n_nodes)) = states.get(key) else { continue };
            if zone.state != Some(state) || all_were_lost {
                zone.set_period(eviction_period(state, n_nodes), now);
                zone.state = Some(state);
            }
        }
        all_were_lost && any_counts
    }
}

fn status(node: NodeId, cluster: &Cluster) -> Option<ConditionStatus> {
    let row = cluster.node(node);
    row.conditions.get(cluster.words.ready).filter(|_| !row.meta.removed).map(|ready| ready.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_judged_by_their_lost_nodes() {
        for (total, lost, state, period, why) in [
            (10, 5, ZoneState::Normal, Some(10), "half is less than 55 %"),
            (10, 6, ZoneState::PartialDisruption, None, "a small zone stops"),
            (3, 2, ZoneState::Normal, Some(10), "two are not many"),
            (4, 3, ZoneState::PartialDisruption, None, "three are"),
            (2, 2, ZoneState::FullDisruption, Some(10), "a zone that is lost as a whole is evicted"),
            (60, 33, ZoneState::PartialDisruption, Some(100), "a large zone goes on slowly"),
            (20, 11, ZoneState::PartialDisruption, None, "exactly 55 %"),
            (50, 28, ZoneState::PartialDisruption, None, "fifty is not large"),
            (1, 0, ZoneState::Normal, Some(10), "all is well"),
        ] {
            assert_eq!(zone_state(total - lost, lost), state, "{why}");
            assert_eq!(eviction_period(state, total).map(Span::as_secs), period, "{why}");
        }
    }
}
