//! Admission: what the API server's built-in plugins add to an object or refuse. Pure functions on objects.

pub mod limit_ranger;
mod pods;

pub use pods::{Lookup, Nothing, admit_pod, admit_pod_update};
