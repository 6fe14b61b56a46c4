//! The arithmetic of a Deployment's sync, on plain numbers (kube-controller-manager v1.36, `deployment/{rolling,sync}.go`).

/// A ReplicaSet as scaling down sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldSet {
    /// `spec.replicas`.
    pub replicas: i32,
    /// `status.availableReplicas`.
    pub available: i32,
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
    let allowed = if replicas > 0 { replicas + max_surge } else { 0 };
    let to_add = allowed - shares.iter().map(|share| share.size).sum::<i32>();
    let mut sizes: Vec<i32> = shares.iter().map(|share| share.size).collect();
    if to_add == 0 {
        return sizes;
    }
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|&idx| {
        let share = shares[idx];
        let newer_first = usize::MAX - share.age_order;
        (-share.size, if to_add > 0 { newer_first } else { share.age_order })
    });
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
}
