//! One file per controller of kube-controller-manager.

pub mod daemon_placement;
pub mod deletion_rank;
pub mod rollout_math;
