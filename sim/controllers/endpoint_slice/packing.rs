//! How endpoints are spread over slices: with few changes of slices, not with few slices (`reconcileByPortMapping`).

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::PodId;
use crate::cluster::objects::Endpoint;

/// Endpoints per slice (`--max-endpoints-per-slice`).
pub const MAX_ENDPOINTS: usize = 100;

/// What is to be done so that all slices together hold exactly what is desired.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Slices to write, by their place in the input, with their endpoints.
    pub update: Vec<(usize, Vec<Endpoint>)>,
    /// Slices to delete, by their place in the input.
    pub delete: Vec<usize>,
    /// Endpoints of slices to create.
    pub create: Vec<Vec<Endpoint>>,
}

/// Plans the slices of one list of ports. `desired` is in order of pod.
pub fn plan(slices: &[&[Endpoint]], mut desired: Vec<Endpoint>) -> Plan {
    let (mut plan, mut unchanged) = (Plan::default(), Vec::new());
    desired.sort_unstable_by_key(|endpoint| endpoint.pod);
    let mut placed = vec![false; desired.len()];
    for (idx, &slice) in slices.iter().enumerate() {
        let mut changed = false;
        let mut kept = Vec::with_capacity(slice.len());
        for old in slice {
            let found = desired.binary_search_by_key(&old.pod, |endpoint| endpoint.pod).ok();
            match found.filter(|&place| !placed[place] && desired[place].ip == old.ip) {
                Some(place) => {
                    placed[place] = true;
                    changed |= desired[place] != *old;
                    kept.push(desired[place]);
                }
                None => changed = true,
            }
        }
        if !changed {
            unchanged.push(idx);
        } else if kept.is_empty() {
            plan.delete.push(idx);
        } else {
            plan.update.push((idx, kept));
        }
    }
    let mut left =
        desired.into_iter().zip(placed).filter(|(_, placed)| !placed).map(|(endpoint, _)| endpoint).collect();
    fill_changed(&mut plan, &mut left);
    fill_unchanged(&mut plan, slices, unchanged, left);
    plan
}

/// As [`plan`], where only some pods have changed: their endpoints now, or none, and the places of the slices they were in.
pub fn plan_changes(
    slices: &[&[Endpoint]],
    changes: &BTreeMap<PodId, Option<Endpoint>>,
    touched: &BTreeSet<usize>,
) -> Plan {
    let mut plan = Plan::default();
    let mut unchanged: Vec<usize> = (0..slices.len()).filter(|place| !touched.contains(place)).collect();
    let mut placed = BTreeSet::new();
    for &place in touched {
        let mut changed = false;
        let mut kept = Vec::with_capacity(slices[place].len());
        for old in slices[place] {
            match changes.get(&old.pod) {
                None => kept.push(*old),
                Some(Some(new)) if new.ip == old.ip && placed.insert(new.pod) => {
                    changed |= new != old;
                    kept.push(*new);
                }
                Some(_) => changed = true,
            }
        }
        if !changed {
            unchanged.push(place);
        } else if kept.is_empty() {
            plan.delete.push(place);
        } else {
            plan.update.push((place, kept));
        }
    }
    unchanged.sort_unstable();
    let mut left =
        changes.iter().filter(|(pod, _)| !placed.contains(*pod)).filter_map(|(_, endpoint)| *endpoint).collect();
    fill_changed(&mut plan, &mut left);
    fill_unchanged(&mut plan, slices, unchanged, left);
    plan
}

/// Slices that are written anyway take what they can, the fullest first.
fn fill_changed(plan: &mut Plan, left: &mut Vec<Endpoint>) {
    let mut fullest: Vec<usize> = (0..plan.update.len()).collect();
    fullest.sort_by_key(|&place| std::cmp::Reverse(plan.update[place].1.len()));
    for place in fullest {
        let slice = &mut plan.update[place].1;
        let n = left.len().min(MAX_ENDPOINTS.saturating_sub(slice.len()));
        slice.extend(left.drain(..n));
    }
}

/// What is left goes into one unchanged slice that holds all of it and is left with least room, else into new slices.
fn fill_unchanged(plan: &mut Plan, slices: &[&[Endpoint]], mut unchanged: Vec<usize>, mut left: Vec<Endpoint>) {
    while !left.is_empty() {
        let fits = |place: &usize| left.len() < MAX_ENDPOINTS && slices[*place].len() + left.len() <= MAX_ENDPOINTS;
        // The first among equals.
        let best = unchanged.iter().copied().filter(fits).rev().max_by_key(|&place| slices[place].len());
        match best {
            Some(place) => {
                unchanged.retain(|&other| other != place);
                let endpoints = slices[place].iter().copied().chain(left.drain(..)).collect();
                plan.update.push((place, endpoints));
            }
            None => {
                let n = left.len().min(MAX_ENDPOINTS);
                plan.create.push(left.drain(..n).collect());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Sym;

    fn endpoint(pod: u32) -> Endpoint {
        Endpoint {
            pod: PodId(pod),
            pod_name: Sym(0),
            namespace: Sym(0),
            pod_uid: u64::from(pod),
            ip: pod + 1,
            ready: true,
            serving: true,
            terminating: false,
            node: Sym(0),
            zone: Sym(0),
            hostname: Sym(0),
            for_zone: Sym::EMPTY,
            for_node: false,
        }
    }

    /// Sizes after a plan: slices of `sizes` lose their first `removed` endpoints, and `added` come.
    fn sizes(sizes: &[usize], removed: &[usize], added: usize) -> Vec<usize> {
        let (mut slices, mut desired, mut next) = (Vec::new(), Vec::new(), 0u32);
        for (&size, &gone) in sizes.iter().zip(removed) {
            let slice: Vec<Endpoint> = (next..next + size as u32).map(endpoint).collect();
            next += size as u32;
            desired.extend(slice[gone..].iter().copied());
            slices.push(slice);
        }
        desired.extend((next..next + added as u32).map(endpoint));
        let views: Vec<&[Endpoint]> = slices.iter().map(Vec::as_slice).collect();
        let plan = plan(&views, desired);
        let mut out: Vec<usize> = sizes.to_vec();
        plan.update.iter().for_each(|(place, endpoints)| out[*place] = endpoints.len());
        plan.delete.iter().for_each(|&place| out[place] = 0);
        out.extend(plan.create.iter().map(Vec::len));
        out
    }

    #[test]
    fn few_slices_are_written() {
        for (before, removed, added, after, why) in [
            (&[][..], &[][..], 250, &[100, 100, 50][..], "new slices are filled"),
            (&[100, 100, 50], &[10, 0, 0], 20, &[100, 100, 60], "what is written anyway is filled first"),
            (&[60, 90], &[0, 0], 30, &[90, 90], "into the slice that holds all"),
            (&[80, 80], &[0, 0], 30, &[80, 80, 30], "never split over unchanged slices"),
            (&[95], &[0], 130, &[95, 100, 30], "a full new slice and one for the rest"),
            (&[60, 70], &[0, 0], 20, &[60, 90], "the slice with the least room"),
            (&[5], &[5], 0, &[0], "an empty slice goes"),
            (&[100, 100, 100], &[90, 90, 90], 0, &[10, 10, 10], "slices are not merged"),
        ] {
            assert_eq!(sizes(before, removed, added), after, "{why}");
        }
    }

    #[test]
    fn looking_at_changes_alone_comes_to_the_same() {
        let mut random = 7u64;
        let mut draw = |n: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % n
        };
        let (mut slices, mut desired, mut next) = (Vec::<Vec<Endpoint>>::new(), Vec::<Endpoint>::new(), 0u32);
        for _ in 0..300 {
            let mut changes = BTreeMap::new();
            for _ in 0..draw(60) {
                let some = draw(desired.len().max(1) as u64) as usize;
                match draw(5) {
                    0 if !desired.is_empty() => _ = changes.insert(desired.remove(some).pod, None),
                    1 if !desired.is_empty() => {
                        let changed = &mut desired[some];
                        (changed.ready, changed.ip) = (!changed.ready, changed.ip + draw(2) as u32 * 1_000_000);
                        changes.insert(changed.pod, Some(*changed));
                    }
                    2 if !desired.is_empty() => _ = changes.insert(desired[some].pod, Some(desired[some])),
                    _ => {
                        next += 1;
                        desired.push(endpoint(next));
                        changes.insert(PodId(next), Some(endpoint(next)));
                    }
                }
            }
            let views: Vec<&[Endpoint]> = slices.iter().map(Vec::as_slice).collect();
            let touched =
                views.iter().enumerate().filter(|(_, slice)| slice.iter().any(|old| changes.contains_key(&old.pod)));
            let touched = touched.map(|(place, _)| place).collect();
            let expected = plan(&views, desired.clone());
            assert_eq!(plan_changes(&views, &changes, &touched), expected);
            expected.update.into_iter().for_each(|(place, endpoints)| slices[place] = endpoints);
            expected.delete.iter().rev().for_each(|&place| _ = slices.remove(place));
            slices.extend(expected.create);
        }
        assert!(slices.len() > 3, "{} slices", slices.len());
    }
}
