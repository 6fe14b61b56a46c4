//! Golden cases of the real Kubernetes against ours.

pub mod api;
pub mod cases;
pub mod cases_admission;
pub mod cases_kubectl;
pub mod cases_mutations;
pub mod cases_rules;
pub mod cases_scheduler;
pub mod cluster;
pub mod difference;
mod facts;
pub mod kubectl;
pub mod runner;
pub mod scheduler;
mod scheduler_preemption;
mod sequences;
pub mod tables;
