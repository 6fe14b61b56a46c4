//! The `Scenario` document: as typed, as resolved, and its expectations.
//!
//! Loading does everything that can fail: files are read, manifests accepted, traces read through. A [`Scenario`] then builds any
//! number of runs.

mod arrivals;
mod build;
pub mod expect;
mod faults;
mod file;
mod load;
mod metrics;
mod nodes;
mod objects;
mod overrides;
mod services;
mod steps;
mod typed;
mod workload;

pub use arrivals::WorkloadSource;
pub use file::{
    ClusterSpec, Metadata, NodePool, ScenarioFile, ScenarioSpec, TaintSpec, TraceSpec, Until, WorkloadSpec,
};
pub use load::{LoadOptions, Loaded, Scenario, load, load_scenario_text};
pub use objects::{AcceptedObjects, accept_all};
pub use overrides::set;
