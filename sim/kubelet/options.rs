//! How kubelets and machines behave where the manifests and models say nothing.

use crate::cluster::{ControlPlane, KubeletTiming};
use crate::engine::{Distribution, Span};

use super::backoff::{BackOffLimits, MAX_BACKOFF};
use super::image_gc::ImageGcPolicy;
use super::shutdown::ShutdownGroup;
use super::termination::EXIT_SIGTERM;
use super::thresholds::SignalThreshold;

/// Which kubelet runs on the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KubeletKind {
    /// The kubelet of Kubernetes 1.36.
    #[default]
    Real,
    /// The small program that stood in for the kubelet in recordings of a real control plane: no events, no admission, no probes,
    /// all containers of a pod alike.
    Fake,
}

/// How kubelets and machines behave where the manifests and models say nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct KubeletOptions {
    /// Which kubelet.
    pub kind: KubeletKind,
    /// How its loops are timed.
    pub timing: KubeletTiming,
    /// Whether it records Kubernetes `Event`s.
    pub events: bool,
    /// Making a sandbox with its network. The realistic 300 ms are our assumption (200 to 800 ms are usual).
    pub sandbox: Distribution,
    /// Creating and starting a container. The realistic 100 ms are our assumption.
    pub container_start: Distribution,
    /// Unmounting volumes and removing cgroups after the last container. The realistic 100 ms are our assumption.
    pub teardown: Span,
    /// From the stop signal to the exit. The realistic 500 ms are our assumption.
    pub stop: Distribution,
    /// Exit code of a container that the stop signal ended.
    pub stop_exit_code: i32,
    /// Size of an image that no model gives a size, in bytes. The realistic 100 MiB are our assumption.
    pub image_size_bytes: f64,
    /// Bytes per second of a pull, unpacking included; infinite for none. The realistic 50 MB/s are our assumption.
    pub pull_bandwidth: f64,
    /// Asking the registry about an image that is on the node. The realistic 200 ms are our assumption.
    pub registry_latency: Span,
    /// How long a pull takes that fails.
    pub pull_failure: Span,
    /// Pulls at once on a node (`maxParallelImagePulls`; 1 is `serializeImagePulls`).
    pub parallel_pulls: u32,
    /// Crash-loop back-off (`crashLoopBackOff.maxContainerRestartPeriod`).
    pub crash_loop: BackOffLimits,
    /// `shutdownGracePeriod`; zero leaves graceful shutdown off.
    pub shutdown_grace: Span,
    /// `shutdownGracePeriodCriticalPods`, a part of it.
    pub shutdown_grace_critical: Span,
    /// `shutdownGracePeriodByPodPriority`, by rising priority; instead of the two above if it is not empty.
    pub shutdown_groups: Vec<ShutdownGroup>,
    /// `evictionHard`, `evictionSoft`, `evictionSoftGracePeriod`, `evictionMinimumReclaim`.
    pub eviction: Vec<SignalThreshold>,
    /// `evictionMaxPodGracePeriod`, in seconds.
    pub eviction_max_pod_grace: u32,
    /// `evictionPressureTransitionPeriod`.
    pub eviction_transition: Span,
    /// Images and how they are collected.
    pub image_gc: ImageGcPolicy,
    /// Size of a filesystem of its own for images and writable layers; `None`: they share that of the node
    /// (`ephemeral-storage`).
    pub image_fs_bytes: Option<i64>,
    /// Inodes of the filesystem of the node; `None`: one for every 16 KiB.
    pub node_fs_inodes: Option<i64>,
    /// Inodes of the filesystem for images; `None`: one for every 16 KiB.
    pub image_fs_inodes: Option<i64>,
    /// Most processes of a node. The 32,768 are the kernel's `pid_max` on small machines.
    pub max_pids: i64,
    /// `cpuManagerPolicy: static`.
    pub static_cpus: bool,
    /// `memoryManagerPolicy: Static`.
    pub static_memory: bool,
    /// Pods that kubelets run by themselves.
    pub static_pods: Vec<StaticPod>,
}

/// A pod that the kubelet of a node runs from a file of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticPod {
    /// The node.
    pub node: String,
    /// The manifest.
    pub manifest: serde_json::Value,
}

impl KubeletOptions {
    /// The kubelet for a control plane: exact and without latencies, or as realistic as we know.
    pub fn of(control_plane: &ControlPlane) -> KubeletOptions {
        match control_plane.kubelet_timing {
            KubeletTiming::Ideal => KubeletOptions::ideal(),
            KubeletTiming::Realistic => KubeletOptions::realistic(),
        }
    }

    /// No latencies: what happens is the rules and the models alone.
    pub fn ideal() -> KubeletOptions {
        KubeletOptions {
            timing: KubeletTiming::Ideal,
            sandbox: Distribution::constant(Span::ZERO),
            container_start: Distribution::constant(Span::ZERO),
            teardown: Span::ZERO,
            stop: Distribution::constant(Span::ZERO),
            pull_bandwidth: f64::INFINITY,
            registry_latency: Span::ZERO,
            pull_failure: Span::ZERO,
            ..KubeletOptions::realistic()
        }
    }

    /// The defaults of the kubelet, and assumptions about machines.
    pub fn realistic() -> KubeletOptions {
        KubeletOptions {
            kind: KubeletKind::Real,
            timing: KubeletTiming::Realistic,
            events: true,
            sandbox: Distribution::constant(Span::from_millis(300)),
            container_start: Distribution::constant(Span::from_millis(100)),
            teardown: Span::from_millis(100),
            stop: Distribution::constant(Span::from_millis(500)),
            stop_exit_code: EXIT_SIGTERM,
            image_size_bytes: 104_857_600.0,
            pull_bandwidth: 50e6,
            registry_latency: Span::from_millis(200),
            pull_failure: Span::from_millis(500),
            parallel_pulls: 1,
            crash_loop: BackOffLimits::with_max(MAX_BACKOFF),
            shutdown_grace: Span::ZERO,
            shutdown_grace_critical: Span::ZERO,
            shutdown_groups: Vec::new(),
            eviction: SignalThreshold::defaults(),
            eviction_max_pod_grace: 0,
            eviction_transition: Span::from_secs(300),
            image_gc: ImageGcPolicy::default(),
            image_fs_bytes: None,
            node_fs_inodes: None,
            image_fs_inodes: None,
            max_pids: 32_768,
            static_cpus: false,
            static_memory: false,
            static_pods: Vec::new(),
        }
    }

    /// The kubelet of recordings (see [`KubeletKind::Fake`]): a start takes 1 s, a stop 0.5 s.
    pub fn fake() -> KubeletOptions {
        KubeletOptions {
            kind: KubeletKind::Fake,
            events: false,
            stop: Distribution::constant(Span::from_millis(500)),
            ..KubeletOptions::ideal()
        }
    }
}
