//! kube-scheduler: queue, framework, plugins, preemption.

pub mod framework;
pub mod host_pick;
pub mod message;
pub mod node_tree;
pub mod nodes_to_find;
pub mod plugins;
pub mod preemption;
pub mod spec;
