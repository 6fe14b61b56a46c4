//! Hints that share out endpoints among zones by their CPU: Services with the annotation `service.kubernetes.io/topology-mode: Auto`
//! (kube-controller-manager, `endpointslice/topologycache`).

use crate::cluster::objects::Endpoint;
use crate::cluster::{Cluster, ConditionStatus, ResourceId, Sym};

/// How much more than its share an endpoint may have to bear (`OverloadThreshold`).
const OVERLOAD_THRESHOLD: f64 = 0.2;

/// Why no hints are given: the text of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHints {
    /// A ready node has no zone or no CPU.
    NodeInfo,
    /// All ready nodes are in one zone.
    OneZone,
    /// There are fewer endpoints than zones.
    FewEndpoints,
    /// The least that all zones need is more than there is.
    Overload,
    /// An endpoint has no zone.
    NoZone,
}

impl NoHints {
    /// What the event says.
    pub fn text(self) -> &'static str {
        match self {
            NoHints::NodeInfo => {
                "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
            }
            NoHints::OneZone => "Nodes only ready in one zone",
            NoHints::FewEndpoints => "Insufficient number of endpoints",
            NoHints::Overload => {
                "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
            }
            NoHints::NoZone => "One or more endpoints do not have a zone specified",
        }
    }
}

/// What a zone is to have of a Service's endpoints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allocation {
    /// The zone.
    pub zone: Sym,
    /// No fewer than this.
    pub minimum: usize,
    /// Its share by CPU, but not less than the minimum.
    pub desired: f64,
}

/// The CPU of the ready nodes of each zone, in thousandths of a core. Control planes do not count (`SetNodes`).
///
/// # Errors
///
/// If a ready node has no zone or no CPU.
pub fn cpu_by_zone(cluster: &Cluster) -> Result<Vec<(Sym, i64)>, NoHints> {
    const EXCLUDED: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];
    let zone_key = cluster.interner.find("topology.kubernetes.io/zone");
    let mut zones: Vec<(Sym, i64)> = Vec::new();
    for (id, node) in cluster.nodes() {
        let has = |label: &str| cluster.label(node.meta.labels, label).is_some();
        let ready = node.conditions.get(cluster.words.ready).is_some_and(|ready| ready.status == ConditionStatus::True);
        if !ready || EXCLUDED.into_iter().any(has) {
            continue;
        }
        let zone = zone_key.and_then(|key| cluster.interner.value(node.meta.labels, key)).unwrap_or(Sym::EMPTY);
        let cpu = cluster.columns().allocatable(id, ResourceId::CPU);
        if zone == Sym::EMPTY || cpu == 0 {
            return Err(NoHints::NodeInfo);
        }
        match zones.iter_mut().find(|(known, _)| *known == zone) {
            Some((_, sum)) => *sum = sum.saturating_add(cpu),
            None => zones.push((zone, cpu)),
        }
    }
    // By name: the original walks a map, so that any order is one of its own.
    zones.sort_by_key(|&(zone, _)| cluster.interner.text(zone));
    Ok(zones)
}

/// What each zone is to have of so many endpoints (`getAllocations`).
///
/// # Errors
///
/// If they cannot be shared out without bearing too much somewhere.
pub fn allocations(cpu_by_zone: &[(Sym, i64)], n_endpoints: usize) -> Result<Vec<Allocation>, NoHints> {
    if cpu_by_zone.len() < 2 {
        return Err(NoHints::OneZone);
    }
    if n_endpoints < cpu_by_zone.len() {
        return Err(NoHints::FewEndpoints);
    }
    let total: f64 = cpu_by_zone.iter().map(|&(_, cpu)| cpu as f64).sum();
    let mut left = n_endpoints;
    let mut allocations = Vec::with_capacity(cpu_by_zone.len());
    for &(zone, cpu) in cpu_by_zone {
        let share = cpu as f64 / total * n_endpoints as f64;
        let minimum = (share * (1.0 / (1.0 + OVERLOAD_THRESHOLD))).ceil() as usize;
        left = left.checked_sub(minimum).ok_or(NoHints::Overload)?;
        allocations.push(Allocation { zone, minimum, desired: share.max(minimum as f64) });
    }
    Ok(allocations)
}

/// Gives every ready endpoint a zone to serve: its own, unless another has too few (`AddHints`).
///
/// # Errors
///
/// If no endpoint may have a hint; then none has.
pub fn give_hints(endpoints: &mut [Endpoint], cpu_by_zone: &[(Sym, i64)]) -> Result<(), NoHints> {
    let n_ready = endpoints.iter().filter(|endpoint| endpoint.ready).count();
    let allocations = allocations(cpu_by_zone, n_ready)?;
    if endpoints.iter().any(|endpoint| endpoint.ready && endpoint.zone == Sym::EMPTY) {
        return Err(NoHints::NoZone);
    }
    let mut hints: Vec<usize> = vec![0; allocations.len()];
    let place = |zone: Sym| allocations.iter().position(|allocation| allocation.zone == zone);
    for endpoint in endpoints.iter_mut().filter(|endpoint| endpoint.ready) {
        endpoint.for_zone = endpoint.zone;
        if let Some(place) = place(endpoint.zone) {
            hints[place] += 1;
        }
    }
    let (mut giving, mut receiving) = moves(&allocations, &hints);
    for endpoint in endpoints.iter_mut().filter(|endpoint| endpoint.ready) {
        let from = place(endpoint.zone).filter(|&place| giving[place] > 0);
        let Some((from, to)) = from.zip(receiving.iter().position(|&count| count > 0)) else { continue };
        endpoint.for_zone = allocations[to].zone;
        giving[from] -= 1;
        receiving[to] -= 1;
    }
    Ok(())
}

/// How many endpoints each zone gives and receives (`getGivingAndReceivingZones`).
fn moves(allocations: &[Allocation], hints: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let excess = |sign: f64| -> Vec<f64> {
        let of = |(allocation, &count): (&Allocation, &usize)| sign * (count as f64 - allocation.desired);
        allocations.iter().zip(hints).map(of).map(|excess| excess.max(0.0)).collect()
    };
    let (mut give, mut receive) = (excess(1.0), excess(-1.0));
    let (mut giving, mut receiving) = (vec![0; hints.len()], vec![0; hints.len()]);
    while let (Some((from, to_give)), Some((to, to_receive))) = (most(&give), most(&receive)) {
        if to_give + to_receive < 1.0 || to_give < 0.5 || to_receive < 0.5 {
            break;
        }
        give[from] -= 1.0;
        receive[to] -= 1.0;
        giving[from] += 1;
        receiving[to] += 1;
    }
    (giving, receiving)
}

/// The first of the greatest amounts, if it is one.
fn most(amounts: &[f64]) -> Option<(usize, f64)> {
    let mut best: Option<(usize, f64)> = None;
    for (place, &amount) in amounts.iter().enumerate() {
        if amount > best.map_or(0.0, |(_, best)| best) {
            best = Some((place, amount));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::PodId;

    fn zone(nth: u32) -> Sym {
        let mut interner = crate::cluster::Interner::default();
        (0..=nth).map(|nth| interner.sym(&format!("z{nth}"))).last().unwrap_or(Sym::EMPTY)
    }

    fn shares(cpus: &[i64]) -> Vec<(Sym, i64)> {
        cpus.iter().enumerate().map(|(nth, &cpu)| (zone(nth as u32), cpu)).collect()
    }

    fn endpoints(per_zone: &[usize]) -> Vec<Endpoint> {
        let zones = per_zone.iter().enumerate().flat_map(|(nth, &count)| std::iter::repeat_n(zone(nth as u32), count));
        zones
            .enumerate()
            .map(|(nth, zone)| Endpoint {
                pod: PodId(nth as u32),
                pod_name: Sym::EMPTY,
                namespace: Sym::EMPTY,
                pod_uid: 0,
                ip: 1,
                ready: true,
                serving: true,
                terminating: false,
                node: Sym::EMPTY,
                zone,
                hostname: Sym::EMPTY,
                for_zone: Sym::EMPTY,
                for_node: false,
            })
            .collect()
    }

    /// Hints per zone.
    fn hints(per_zone: &[usize], cpus: &[i64]) -> Result<Vec<usize>, NoHints> {
        let mut endpoints = endpoints(per_zone);
        give_hints(&mut endpoints, &shares(cpus))?;
        let count = |nth: usize| endpoints.iter().filter(|endpoint| endpoint.for_zone == zone(nth as u32)).count();
        Ok((0..cpus.len()).map(count).collect())
    }

    #[test]
    fn endpoints_are_shared_out_by_cpu() {
        type Row<'a> = (&'a str, &'a [usize], &'a [i64], Result<Vec<usize>, NoHints>);
        let rows: [Row<'_>; 7] = [
            ("as they are", &[2, 2], &[4000, 4000], Ok(vec![2, 2])),
            ("one is lent", &[3, 1], &[4000, 4000], Ok(vec![2, 2])),
            ("half an endpoint is given where half is wanted", &[5, 4], &[4000, 4000], Ok(vec![4, 5])),
            ("a zone without endpoints gets some", &[4, 0, 0], &[8000, 4000, 4000], Ok(vec![2, 1, 1])),
            ("one zone", &[4], &[4000], Err(NoHints::OneZone)),
            ("too few", &[1, 0], &[4000, 4000], Err(NoHints::FewEndpoints)),
            ("too uneven", &[2, 1, 1], &[6000, 6000, 4000], Err(NoHints::Overload)),
        ];
        for (what, per_zone, cpus, want) in rows {
            assert_eq!(hints(per_zone, cpus), want, "{what}");
        }
        let mut some = endpoints(&[2, 2]);
        some[1].zone = Sym::EMPTY;
        assert_eq!(give_hints(&mut some, &shares(&[1, 1])), Err(NoHints::NoZone));
    }
}
