//! The kubelets of all nodes: pods from their binding to their end, and what nodes say of themselves.

pub mod backoff;
pub mod conditions;
pub mod images;
pub mod model;
pub mod options;
pub mod phase;
pub mod probe;
pub mod restart;
pub mod shape;
pub mod termination;
