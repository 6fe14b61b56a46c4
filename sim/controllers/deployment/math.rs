//! The arithmetic of a Deployment's sync, on plain numbers (kube-controller-manager v1.36, `deployment/{rolling,sync}.go`).

use crate::api::int_or_percent::IntOrPercent;
use crate::controllers::rollout_math::{self, new_rs_new_replicas};

/// A ReplicaSet as scaling down sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldSet {
    /// `spec.replicas`.
    pub replicas: i32,
    /// `status.availableReplicas`.
    pub available: i32,
}

/// The size that the new ReplicaSet, now of `new` pods of `total`, takes next (`reconcileNewReplicaSet`).
pub fn next_new_size(replicas: i32, max_surge: IntOrPercent, new: i32, total: i32) -> i32 {
    if new > replicas { replicas } else { new_rs_new_replicas(replicas, max_surge, new, total) }
}

/// The sizes that old ReplicaSets take in one step of a rolling update, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldSizes {
    /// After the pods that are not available were taken away.
    pub cleaned: Vec<i32>,
    /// After available ones were taken away too; the same if the step ended before.
    pub scaled: Vec<i32>,
    /// How many pods go in all.
    pub n_gone: i32,
}

/// One step down of the old ReplicaSets (`reconcileOldReplicaSets`), of which none is empty; `None` if nothing may go yet.
/// `max_unavailable` is resolved.
pub fn reconcile_olds(olds: &[OldSet], new: OldSet, replicas: i32, max_unavailable: i32) -> Option<OldSizes> {
    let total = olds.iter().fold(new.replicas, |sum, old| sum.saturating_add(old.replicas));
    let max_cleanup = max_scaled_down(total, replicas, max_unavailable, new);
    if olds.is_empty() || max_cleanup <= 0 {
        return None;
    }
    let sizes = |olds: &[OldSet]| olds.iter().map(|old| old.replicas).collect::<Vec<i32>>();
    let mut left = olds.to_vec();
    let cleaned_up = cleanup_unhealthy(&mut left, max_cleanup);
    let cleaned = sizes(&left);
    let Some(n_cleaned) = cleaned_up else { return Some(OldSizes { scaled: cleaned.clone(), cleaned, n_gone: 0 }) };
    let available = olds.iter().fold(new.available, |sum, old| sum.saturating_add(old.available));
    let n_scaled = scale_down_old(&mut left, available, replicas - max_unavailable);
    Some(OldSizes { cleaned, scaled: sizes(&left), n_gone: n_cleaned + n_scaled })
}

/// Whether a Deployment of `replicas` pods, of which `max_unavailable` may be missing, is available.
pub fn is_available(available: i32, replicas: i32, max_unavailable: i32) -> bool {
    available >= replicas - max_unavailable
}

/// `maxUnavailable` of a strategy as it is resolved for so many pods.
pub fn resolved_max_unavailable(max_surge: IntOrPercent, max_unavailable: IntOrPercent, replicas: i32) -> i32 {
    rollout_math::max_unavailable(max_surge, max_unavailable, replicas)
}

/// An old ReplicaSet as history sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its number.
    pub number: i64,
    /// `spec.replicas`.
    pub replicas: i32,
    /// `status.replicas`.
    pub status_replicas: i32,
    /// Whether its controller has seen its present spec.
    pub observed: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// The old ReplicaSets to delete, by their place in `olds`: the oldest revisions above the limit, those with pods left out
/// (`cleanupDeployment`).
pub fn history_to_delete(olds: &[Revision], limit: i32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..olds.len()).filter(|&idx| !olds[idx].deleting).collect();
    order.sort_by_key(|&idx| olds[idx].number);
    let excess = order.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    order.truncate(excess);
    order.retain(|&idx| olds[idx].status_replicas == 0 && olds[idx].replicas == 0 && olds[idx].observed);
    order
}

/// How many pods of all ReplicaSets may go now: what exceeds the fewest that must be available, when every new pod that is not yet
/// available may still fail.
pub fn max_scaled_down(total: i32, replicas: i32, max_unavailable: i32, new: OldSet) -> i32 {
    let min_available = replicas - max_unavailable;
    total - min_available - (new.replicas - new.available)
}

/// Takes unavailable pods away from old ReplicaSets, the oldest first, at most `max_cleanup` in total. Returns how many; `None` if a
/// ReplicaSet has more available pods than it is to have, because it was just scaled down: then nothing more happens in this sync.
pub fn cleanup_unhealthy(olds: &mut [OldSet], max_cleanup: i32) -> Option<i32> {
    let mut total = 0;
    for old in olds.iter_mut() {
        if total >= max_cleanup {
            break;
        }
        if old.replicas == 0 || old.replicas == old.available {
            continue;
        }
        let count = (max_cleanup - total).min(old.replicas - old.available);
        if count < 0 {
            return None;
        }
        old.replicas -= count;
        total += count;
    }
    Some(total)
}

/// Takes available pods away from old ReplicaSets, the oldest first, as long as enough stay available. Returns how many.
pub fn scale_down_old(olds: &mut [OldSet], available: i32, min_available: i32) -> i32 {
    let budget = available - min_available;
    let mut total = 0;
    for old in olds.iter_mut() {
        if total >= budget {
            break;
        }
        let count = old.replicas.min(budget - total);
        old.replicas -= count;
        total += count;
    }
    total
}

/// A ReplicaSet as scaling outside a rollout step sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaledSet {
    /// `spec.replicas`.
    pub size: i32,
    /// `status.availableReplicas`.
    pub available: i32,
    /// Whether it is the new one.
    pub is_new: bool,
    /// Annotation `deployment.kubernetes.io/desired-replicas`.
    pub desired: Option<i32>,
    /// Annotation `deployment.kubernetes.io/max-replicas`.
    pub max_replicas: Option<i32>,
}

/// What scaling comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scaled {
    /// Only these take a size, by their place; the others are not touched.
    Some(Vec<(usize, i32)>),
    /// In proportion: these are written even where the size stays, because their annotations change.
    Proportional(Vec<(usize, i32)>),
}

/// The sizes of the ReplicaSets, oldest first, of a Deployment that was scaled or is paused (`scale`).
pub fn scale(sets: &[ScaledSet], replicas: i32, max_surge: i32, status_replicas: i32, rolling: bool) -> Scaled {
    let active: Vec<usize> = (0..sets.len()).filter(|&idx| sets[idx].size > 0).collect();
    let new = sets.iter().position(|set| set.is_new);
    let only = match active.as_slice() {
        [] => new.or(sets.len().checked_sub(1)),
        [only] => Some(*only),
        _ => None,
    };
    let saturated = new
        .map(|idx| sets[idx])
        .is_some_and(|new| new.size == replicas && new.desired == Some(replicas) && new.available == replicas);
    if let Some(only) = only {
        let sizes = (sets[only].size != replicas).then_some((only, replicas));
        Scaled::Some(sizes.into_iter().collect())
    } else if sets.is_empty() {
        Scaled::Some(Vec::new())
    } else if saturated {
        // The search for the newest active one has left them in that order.
        Scaled::Some(active.into_iter().rev().filter(|&idx| !sets[idx].is_new).map(|idx| (idx, 0)).collect())
    } else if rolling {
        let share = |(age_order, &idx): (usize, &usize)| Share {
            size: sets[idx].size,
            age_order,
            max_replicas_before: sets[idx].max_replicas,
        };
        let shares: Vec<Share> = active.iter().enumerate().map(share).collect();
        let sizes = proportional_sizes(&shares, replicas, max_surge, status_replicas);
        let to_add = to_add(&shares, replicas, max_surge);
        let order = scaling_order(&shares, to_add);
        Scaled::Proportional(order.into_iter().map(|share| (active[share], sizes[share])).collect())
    } else {
        Scaled::Some(Vec::new())
    }
}

/// A ReplicaSet as proportional scaling sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// `spec.replicas`, not zero.
    pub size: i32,
    /// Order of creation: greater is newer.
    pub age_order: usize,
    /// Annotation `deployment.kubernetes.io/max-replicas`, from before the scaling.
    pub max_replicas_before: Option<i32>,
}

/// The sizes of the active ReplicaSets of a Deployment after it was scaled during a rollout: each gets its proportion, what is left
/// over goes to the largest.
pub fn proportional_sizes(shares: &[Share], replicas: i32, max_surge: i32, status_replicas: i32) -> Vec<i32> {
    let to_add = to_add(shares, replicas, max_surge);
    let mut sizes: Vec<i32> = shares.iter().map(|share| share.size).collect();
    if to_add == 0 {
        return sizes;
    }
    let order = scaling_order(shares, to_add);
    let mut added = 0;
    for &idx in &order {
        if added == to_add {
            break;
        }
        let fraction = fraction(shares[idx], replicas, max_surge, status_replicas);
        let rest = to_add - added;
        let proportion = if to_add > 0 { fraction.min(rest) } else { fraction.max(rest) };
        sizes[idx] += proportion;
        added += proportion;
    }
    if let Some(&largest) = order.first() {
        sizes[largest] = (sizes[largest] + to_add - added).max(0);
    }
    sizes
}

/// How many pods the ReplicaSets may have more than they have, or have to have less.
fn to_add(shares: &[Share], replicas: i32, max_surge: i32) -> i32 {
    let allowed = if replicas > 0 { replicas + max_surge } else { 0 };
    allowed - shares.iter().map(|share| share.size).sum::<i32>()
}

/// The order in which ReplicaSets are scaled: the largest first, of equal ones the newest on the way up and the oldest on the way
/// down (`ReplicaSetsBySizeNewer`, `ReplicaSetsBySizeOlder`).
fn scaling_order(shares: &[Share], to_add: i32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|&idx| {
        let share = shares[idx];
        let newer_first = usize::MAX - share.age_order;
        match to_add.signum() {
            0 => (0, share.age_order),
            sign => (-share.size, if sign > 0 { newer_first } else { share.age_order }),
        }
    });
    order
}

/// How much a ReplicaSet would grow or shrink in proportion, rounded half away from zero (`getReplicaSetFraction`).
fn fraction(share: Share, replicas: i32, max_surge: i32, status_replicas: i32) -> i32 {
    if replicas == 0 {
        return -share.size;
    }
    let before = match share.max_replicas_before {
        Some(before) if before != 0 => before,
        _ => status_replicas,
    };
    if before == 0 {
        return 0;
    }
    let scaled = f64::from(share.size.wrapping_mul(replicas + max_surge)) / f64::from(before);
    scaled.round() as i32 - share.size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unhealthy_pods_go_first() {
        let mut olds = [OldSet { replicas: 10, available: 8 }];
        assert_eq!((cleanup_unhealthy(&mut olds, 3), olds[0].replicas), (Some(2), 8));
        assert_eq!((scale_down_old(&mut olds, 8, 6), olds[0].replicas), (2, 6));
    }

    #[test]
    fn a_stuck_rollout_scales_in_proportion() {
        let share = |size, age_order| Share { size, age_order, max_replicas_before: Some(13) };
        // 10 replicas at 25 %/25 % stuck at 8 old and 5 new: 15 replicas allow 19 pods.
        assert_eq!(proportional_sizes(&[share(8, 0), share(5, 1)], 15, 4, 13), [12, 7]);
        assert_eq!(proportional_sizes(&[share(8, 0), share(5, 1)], 6, 2, 13), [5, 3]);
    }

    #[test]
    fn replica_sets_are_scaled_from_the_largest() {
        let set = |size, is_new| ScaledSet { size, available: size, is_new, desired: Some(10), max_replicas: Some(13) };
        let order = |sets: &[ScaledSet], replicas| match scale(sets, replicas, 3, 13, true) {
            Scaled::Some(sizes) | Scaled::Proportional(sizes) => {
                sizes.into_iter().map(|(idx, _)| idx).collect::<Vec<usize>>()
            }
        };
        for (sizes, replicas, expected, why) in [
            ([4, 6, 3], 20, vec![1, 0, 2], "up: the largest first"),
            ([4, 5, 4], 20, vec![1, 2, 0], "up: of equal ones the newest"),
            ([4, 5, 4], 5, vec![1, 0, 2], "down: of equal ones the oldest"),
            ([4, 5, 4], 10, vec![0, 1, 2], "nothing to add: as they are listed"),
            ([4, 5, 0], 20, vec![1, 0], "an empty one takes no part"),
        ] {
            let sets = [set(sizes[0], false), set(sizes[1], false), set(sizes[2], true)];
            assert_eq!(order(&sets, replicas), expected, "{why}");
        }
        let saturated = [set(4, false), set(5, false), set(10, true)];
        assert_eq!(order(&saturated, 10), [1, 0], "a full new one: the newest of the old ones is emptied first");
    }
}
