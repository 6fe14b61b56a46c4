//! The one integration test binary. Each module is one boundary of the product.

mod admission;
mod architecture;
mod autoscaling;
mod cases;
mod check;
mod cli;
mod cluster;
mod determinism;
mod faults;
mod fuzz;
mod golden;
mod kubectl;
mod kubelet;
mod nodes;
mod queue;
mod recorded;
mod scenarios;
mod scheduler_conformance;
mod scheduler_twins;
mod swarm;
mod timelines;
mod workload;
mod workload_plots;
