//! kube-scheduler: queue, framework, plugins, preemption.
