//! What users and their machines do: apply, scale, drain, roll back, delete, at virtual times; and pods that arrive from traces and
//! generators.
//!
//! A client writes to the store as kubectl does: it reads an object as the API shows it, changes that, and sends it back. Everything
//! it answers (`deployment.apps/web scaled`, `Error from server ...`) is kept with the step.

mod action;
mod arrivals;
mod drain;
mod edit;
mod execute;
mod generate;
mod ownership;
mod rollout;
mod select;
mod steps;
mod submit;
mod verbs;

pub use action::{Action, Eviction, ObjectName};
pub use arrivals::{ArrivalSource, ArrivingPod};
pub use edit::edit;
pub use steps::{Answer, Client, Step};
pub use submit::{Submission, SubmitVerb};
pub use verbs::EvictionAnswer;

#[cfg(test)]
mod tests;
