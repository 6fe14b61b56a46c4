//! kube-scheduler: queue, cycle, configuration; framework, plugins and preemption behind the [`policy::Policy`] they make up.
//!
//! [`Scheduler`] is the component. A change of the cluster reaches it through `watch` and `delivery`, which wake pods of the
//! [`queue`]; [`cycle`] tries one pod after the other with the [`policy`] of its profile; `outcome` binds it, or says why not and
//! lets `eviction` make room. [`framework_policy`] is the framework with its plugins as a policy, [`config`] makes a scheduler from a
//! `KubeSchedulerConfiguration`.

mod client;
pub mod config;
pub mod cycle;
mod delivery;
mod eviction;
pub mod explain;
pub mod framework;
pub mod framework_policy;
pub mod host_pick;
pub mod message;
pub mod node_tree;
pub mod nodes_to_find;
pub mod nominator;
mod outage;
mod outcome;
pub mod plugins;
pub mod policy;
pub mod preemption;
pub mod queue;
pub mod spec;
mod watch;

pub use config::SchedulerConfig;
pub use cycle::{Profile, Scheduler, SchedulerOptions};
pub use framework_policy::{FrameworkPolicy, TieBreak};
