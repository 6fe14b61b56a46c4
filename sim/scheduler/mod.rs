//! kube-scheduler: queue, cycle, configuration; framework, plugins and preemption behind the [`policy::Policy`] they make up.

pub mod host_pick;
pub mod node_tree;
pub mod nodes_to_find;
pub mod plugin_id;
pub mod policy;
pub mod queue;
