//! Wavetank: a deterministic cluster simulator and scheduling lab for Kubernetes.

pub mod api;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod conformance;
pub mod controllers;
pub mod engine;
pub mod error;
pub mod faults;
pub mod kubectl;
pub mod kubelet;
pub mod metrics;
pub mod modelled;
pub mod network;
pub mod report;
pub mod scenario;
pub mod scheduler;
pub mod simulation;
pub mod storage;
pub mod workload;
