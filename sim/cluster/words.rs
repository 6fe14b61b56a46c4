//! The words that the simulation itself writes into objects, interned once so that writing them costs nothing.

use super::ids::Sym;
use super::intern::Interner;

macro_rules! words {
    ($($field:ident = $text:literal,)+) => {
        /// Interned words: each field is the word (or words) of its name.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "each field is the word of its name")]
        pub struct Words { $(pub $field: Sym,)+ }

        impl Words {
            /// Interns them all.
            pub fn new(interner: &mut Interner) -> Words {
                Words { $($field: interner.sym($text),)+ }
            }
        }
    };
}

words! {
    // Condition types of pods.
    pod_scheduled = "PodScheduled",
    pod_ready_to_start_containers = "PodReadyToStartContainers",
    initialized = "Initialized",
    containers_ready = "ContainersReady",
    ready = "Ready",
    disruption_target = "DisruptionTarget",
    pod_resize_pending = "PodResizePending",
    pod_resize_in_progress = "PodResizeInProgress",
    // Condition types of nodes.
    memory_pressure = "MemoryPressure",
    disk_pressure = "DiskPressure",
    pid_pressure = "PIDPressure",
    network_unavailable = "NetworkUnavailable",
    // Condition types of workloads.
    available = "Available",
    progressing = "Progressing",
    replica_failure = "ReplicaFailure",
    // Reasons of pod conditions.
    unschedulable = "Unschedulable",
    scheduling_gated = "SchedulingGated",
    scheduler_error = "SchedulerError",
    containers_not_ready = "ContainersNotReady",
    containers_not_initialized = "ContainersNotInitialized",
    readiness_gates_not_ready = "ReadinessGatesNotReady",
    pod_completed = "PodCompleted",
    pod_failed = "PodFailed",
    preemption_by_scheduler = "PreemptionByScheduler",
    eviction_by_eviction_api = "EvictionByEvictionAPI",
    deletion_by_taint_manager = "DeletionByTaintManager",
    deletion_by_pod_gc = "DeletionByPodGC",
    termination_by_kubelet = "TerminationByKubelet",
    // Container reasons.
    container_creating = "ContainerCreating",
    pod_initializing = "PodInitializing",
    crash_loop_back_off = "CrashLoopBackOff",
    err_image_pull = "ErrImagePull",
    image_pull_back_off = "ImagePullBackOff",
    completed = "Completed",
    error = "Error",
    oom_killed = "OOMKilled",
    container_status_unknown = "ContainerStatusUnknown",
    deadline_exceeded = "DeadlineExceeded",
    // Node reasons.
    kubelet_ready = "KubeletReady",
    node_status_unknown = "NodeStatusUnknown",
    // Components that record events.
    default_scheduler = "default-scheduler",
    kubelet = "kubelet",
    node_controller = "node-controller",
    deployment_controller = "deployment-controller",
    replicaset_controller = "replicaset-controller",
    replication_controller = "replication-controller",
    job_controller = "job-controller",
    statefulset_controller = "statefulset-controller",
    daemonset_controller = "daemonset-controller",
    cronjob_controller = "cronjob-controller",
    // Finalizers.
    foreground_deletion = "foregroundDeletion",
    orphan = "orphan",
    node_status_never_updated = "NodeStatusNeverUpdated",
    taint_eviction_controller = "taint-eviction-controller",
    controller_manager = "controllermanager",
    garbage_collector_controller = "garbage-collector-controller",
    horizontal_pod_autoscaler = "horizontal-pod-autoscaler",
    endpoint_slice_controller = "endpoint-slice-controller",
    disruption_allowed = "DisruptionAllowed",
    sufficient_pods = "SufficientPods",
    insufficient_pods = "InsufficientPods",
    sync_failed = "SyncFailed",
}
