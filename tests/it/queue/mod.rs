//! The scheduling queue and the cycle, as kube-scheduler v1.36 has them: one test per rule, through the real component.

mod backoff;
mod binding;
mod cycle;
mod framework;
mod lab;
mod preemption;
mod wake;
