//! The kubelets of all nodes: pods from their binding to their end, and what nodes say of themselves.
//!
//! [`Kubelets`] is the component. A pod has a worker that does one thing at a time: sandbox, image, container, hook, kill; each step
//! that takes time is an event, and what does not change anything (a probe that passes, a lease renewed) is none. The rules stand
//! apart from the machinery as functions of plain values: [`phase`], [`conditions`], [`restart`], [`backoff`], [`probe`],
//! [`termination`].

mod admission;
pub mod backoff;
pub mod cases;
mod catalog;
pub mod conditions;
pub mod configuration;
pub mod eviction;
mod fake;
pub mod image_gc;
pub mod images;
mod kubelets;
mod lifecycle;
mod local_storage;
pub mod model;
mod node;
mod notes;
pub mod options;
mod outage;
pub mod phase;
pub mod preemption;
mod pressure;
pub mod probe;
mod probing;
mod pull;
mod report;
pub mod resize;
pub mod restart;
mod run;
mod scrape;
mod services;
pub mod shape;
pub mod shutdown;
mod start;
pub mod statics;
mod stop;
mod sync;
pub mod termination;
pub mod thresholds;
mod usage;
mod worker;
mod world;

pub use kubelets::Kubelets;
pub use model::{ModelError, Models};
pub use options::{KubeletKind, KubeletOptions, StaticPod};
