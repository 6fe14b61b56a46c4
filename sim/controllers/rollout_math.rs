//! The arithmetic of rolling updates (kube-controller-manager v1.36, `deployment/util`).

use crate::api::int_or_percent::{IntOrPercent, Round};
use crate::cluster::objects::DeploymentStrategy;

/// How far a rollout may go above and below the wanted number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fenceposts {
    /// Pods above the wanted number.
    pub surge: i32,
    /// Pods below the wanted number.
    pub unavailable: i32,
}

/// The fenceposts of a Deployment: `maxSurge` is rounded up, `maxUnavailable` down, and if both are 0 one pod may be
/// unavailable, so that the rollout can move at all.
pub fn resolve_fenceposts(max_surge: IntOrPercent, max_unavailable: IntOrPercent, replicas: i32) -> Fenceposts {
    let surge = max_surge.scaled(replicas, Round::Up);
    let unavailable = max_unavailable.scaled(replicas, Round::Down);
    Fenceposts { surge, unavailable: if surge == 0 && unavailable == 0 { 1 } else { unavailable } }
}

/// The most pods above `replicas` during a rolling update.
pub fn max_surge(max_surge: IntOrPercent, max_unavailable: IntOrPercent, replicas: i32) -> i32 {
    resolve_fenceposts(max_surge, max_unavailable, replicas).surge
}

/// The most unavailable pods during a rolling update: no more than there are.
pub fn max_unavailable(max_surge: IntOrPercent, max_unavailable: IntOrPercent, replicas: i32) -> i32 {
    if replicas == 0 {
        return 0;
    }
    resolve_fenceposts(max_surge, max_unavailable, replicas).unavailable.min(replicas)
}

/// The size to which the new ReplicaSet is scaled up next in a rolling update.
///
/// `new_replicas` is its size now, `total_replicas` that of all ReplicaSets of the Deployment, the new one included.
pub fn new_rs_new_replicas(replicas: i32, max_surge: IntOrPercent, new_replicas: i32, total_replicas: i32) -> i32 {
    let total_max = replicas.saturating_add(max_surge.scaled(replicas, Round::Up));
    if total_replicas >= total_max {
        return new_replicas;
    }
    let step = total_max.saturating_sub(total_replicas).min(replicas.saturating_sub(new_replicas));
    new_replicas.saturating_add(step)
}

/// The size that a new ReplicaSet may take next by the strategy of its Deployment (`NewRSNewReplicas`).
pub fn new_replicas(strategy: DeploymentStrategy, replicas: i32, new_replicas: i32, total_replicas: i32) -> i32 {
    match strategy {
        DeploymentStrategy::Recreate => replicas,
        DeploymentStrategy::RollingUpdate { max_surge, .. } => {
            new_rs_new_replicas(replicas, max_surge, new_replicas, total_replicas)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::IntOrPercent::{Int, Percent};
    use super::*;

    #[test]
    fn fenceposts_leave_room_to_move() {
        for (surge, unavailable, replicas, expected, why) in [
            (Percent(25), Percent(25), 10, (3, 2), "surge up, unavailable down"),
            (Percent(0), Percent(0), 10, (0, 1), "one must be able to go"),
            (Percent(25), Percent(25), 0, (0, 1), "of nothing"),
            (Int(0), Percent(1), 10, (0, 1), "rounded down to none"),
            (Int(0), Int(30), 10, (0, 30), "not capped here"),
        ] {
            let Fenceposts { surge, unavailable } = resolve_fenceposts(surge, unavailable, replicas);
            assert_eq!((surge, unavailable), expected, "{why}");
        }
        assert_eq!(max_unavailable(Int(0), Int(30), 10), 10, "capped at the replicas");
        assert_eq!(max_unavailable(Int(0), Int(30), 0), 0, "none of none");
    }

    #[test]
    fn the_new_replica_set_grows_within_the_surge() {
        for (replicas, surge, new, total, expected, why) in [
            (10, Int(3), 0, 10, 3, "as much as the surge allows"),
            (10, Int(3), 3, 13, 3, "full"),
            (10, Int(3), 8, 9, 10, "never above the wanted number"),
            (10, Int(3), 12, 12, 10, "above the wanted number, below the surge: down to it"),
            (1, Int(0), 5, 5, 5, "above the surge: it stays, here only growth is decided"),
        ] {
            assert_eq!(new_rs_new_replicas(replicas, surge, new, total), expected, "{why}");
        }
    }
}
