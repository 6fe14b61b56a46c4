//! Golden cases of the real Kubernetes against ours.

pub mod difference;
pub mod scheduler;
mod scheduler_preemption;
mod sequences;
pub mod tables;
