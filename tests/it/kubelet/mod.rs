//! Pods on nodes: what the kubelets make of manifests, models and failures.

mod bench;
mod failures;
mod lifecycle;
mod machines;
mod pressure;
mod probing;
mod restarts;
mod scale;
mod world;
