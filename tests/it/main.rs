//! The one integration test binary. Each module is one boundary of the product.

mod kubelet;
mod queue;
mod workload;
mod workload_plots;

mod kubectl;
mod nodes;
mod scheduler_conformance;
mod scheduler_twins;
mod scheduler_cases;
