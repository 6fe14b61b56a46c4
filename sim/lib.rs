//! Wavetank: a deterministic cluster simulator and scheduling lab for Kubernetes.
//!
//! A run goes one way. [`scenario`] reads manifests, traces and the scenario document ([`api`] checks each object as the API server would),
//! and [`Scenario::build`](scenario::Scenario::build) makes a [`Simulation`](simulation::Simulation) of them. Its loop pops the next
//! event from the queue of [`engine`], lets the component it belongs to handle it, and shows every change this made to all components and
//! observers. Components ([`scheduler`], [`controllers`], [`kubelet`], [`client`], ...) never call each other: they write to the
//! [`cluster`] through its verbs and see each other's changes, as the parts of Kubernetes do. [`metrics`] turns changes into numbers and a
//! digest, [`report`] turns those into files, and [`cli`] is the only part that prints.
//!
//! ```
//! use wavetank::scenario::{LoadOptions, load_scenario_text};
//!
//! let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: nginx}]}}";
//! let scenario = load_scenario_text("pod.yaml", pod, &LoadOptions::default()).expect("a valid manifest").scenario;
//! let mut simulation = scenario.build().expect("a valid scenario");
//! simulation.run(scenario.horizon, true, &mut []).expect("a run that ends");
//! let pod = simulation.cluster.find_pod("default", "p").expect("it was created");
//! assert!(simulation.cluster.pod(pod).node.is_some());
//! ```
//!
//! The same input, seed and version give the same bytes: there is no wall clock, no ambient randomness, and no hash map that is walked.

pub mod engine;
pub mod error;

pub mod api;
pub mod kubectl;

pub mod cluster;

pub mod client;
pub mod controllers;
pub mod faults;
pub mod kubelet;
pub mod scheduler;

pub mod simulation;

pub mod metrics;
pub mod modelled;
pub mod report;
pub mod scenario;
pub mod swarm;
pub mod workload;

pub mod cli;
pub mod conformance;
pub mod fuzzing;
