//! kube-scheduler: queue, framework, plugins, preemption.

pub mod host_pick;
pub mod node_tree;
pub mod nodes_to_find;
