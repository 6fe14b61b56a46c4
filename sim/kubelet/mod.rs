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
pub mod eviction;
mod fake;
pub mod images;
mod kubelets;
mod lifecycle;
pub mod model;
mod node;
mod notes;
pub mod options;
pub mod phase;
mod pressure;
pub mod probe;
mod pull;
mod report;
pub mod restart;
mod run;
mod scrape;
pub mod shape;
pub mod shutdown;
mod start;
mod stop;
mod sync;
pub mod termination;
mod worker;
mod world;

pub use kubelets::Kubelets;
pub use model::{ModelError, Models};
pub use options::{KubeletKind, KubeletOptions};
