//! The `Scenario` document: as typed, as resolved, and its expectations.

pub mod expect;
mod file;

pub use file::{
    ClusterSpec, Metadata, NodePool, ScenarioFile, ScenarioSpec, TaintSpec, TraceSpec, Until, WorkloadSpec,
};
