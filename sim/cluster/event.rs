//! `Event`: what will happen. One closed `Copy` enum for the whole simulation, so that the queue holds plain data.

use super::ids::{NodeId, ObjectRef, PodId};
use super::outage::Elected;
use crate::engine::{self, Phase};

/// What will happen at an instant of virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step of the fault plan.
    Fault(FaultEvent),
    /// An arrival or a step of the scenario.
    Workload(WorkloadEvent),
    /// Something on a node or in a pod.
    Kubelet(KubeletEvent),
    /// A controller takes a key from its work queue.
    Controller(ControllerEvent),
    /// A part of the scheduler runs.
    Scheduler(SchedulerEvent),
    /// metrics-server asks the kubelets.
    Scrape,
    /// Metrics take a sample.
    Sample,
}

/// A step of the fault plan, by its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultEvent {
    /// The fault of this index begins.
    Begin(u32),
    /// The fault of this index ends.
    End(u32),
    /// A replica of a process without a leader tries to become it.
    Candidate {
        /// Which process.
        process: Elected,
        /// Which of its replicas.
        replica: u8,
        /// The turn of the election: a stale try is dropped.
        turn: u32,
    },
    /// A leader that could not renew its lease gives up.
    GivesUp {
        /// Which process.
        process: Elected,
        /// The turn of the election.
        turn: u32,
    },
}

/// An arrival or a step of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadEvent {
    /// The next arrival of the workload source of this index.
    Arrival(u32),
    /// The step of this index.
    Step(u32),
    /// A step that goes on: a drain retries, an arrival's lifetime ends.
    Continue(u32),
    /// The lifetime of a pod that came from a workload source ends: its owner deletes it.
    Departure(PodId),
}

/// Something on a node or in a pod. Pod events carry the turn of the worker or container that they belong to: a stale one is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KubeletEvent {
    /// The pod's worker does `step`.
    Pod {
        /// The pod.
        pod: PodId,
        /// The turn of the pod's worker, or of its container, when this was scheduled.
        epoch: u16,
        /// What the worker does.
        step: PodStep,
        /// The container concerned; init containers come first.
        container: u8,
    },
    /// A loop of the node's kubelet runs.
    Node {
        /// The node.
        node: NodeId,
        /// The number of a step that comes in several.
        epoch: u16,
        /// Which loop.
        step: NodeStep,
    },
}

/// A step of a pod's worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodStep {
    /// The kubelet sees the pod for the first time.
    Observed,
    /// The sandbox with its network is there.
    SandboxReady,
    /// An image pull ends, or is found unnecessary.
    ImageReady,
    /// A container's process starts.
    ContainerStarted,
    /// A startup probe, or the absence of one, lets the container count as started.
    Started,
    /// A readiness outcome is first observed.
    Readiness,
    /// A liveness outcome is first observed.
    Liveness,
    /// A container's process ends by itself.
    ContainerExits,
    /// A container's process is ended from outside; the epoch holds its exit code.
    Crashes,
    /// A crash-loop or pull back-off is over: the worker looks what may start.
    Restart,
    /// The kubelet sees the deletion.
    DeletionObserved,
    /// The kubelet sees that the mirror of a static pod is gone.
    MirrorGone,
    /// The containers that the kubelet was stopping have stopped.
    ContainerStopped,
    /// Everything of the pod has stopped and been cleaned up: the object may go.
    Terminated,
    /// `activeDeadlineSeconds` is over.
    DeadlineExceeded,
    /// The resources of the pod's containers are changed in place.
    Resize,
    /// The worker looks again at a condition that only it evaluates.
    Resync,
    /// The preStop hook of a container that is being stopped has failed.
    PreStopFailed,
    /// Services that the probes of the pod depend on begin or cease to answer.
    ServicesChanged,
}

/// A loop of a node's kubelet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeStep {
    /// The node registers, or comes back after an outage.
    Register,
    /// An image pull has ended: the puller takes the next one.
    NextPull,
    /// The node's status is sent because images have come or gone.
    ReportImages,
    /// Node-pressure eviction takes its measures.
    PressureCheck,
    /// Images that nothing uses are collected.
    ImageGc,
    /// The next group of pods is stopped because the machine is being shut down; the epoch says which.
    Shutdown,
    /// The kubelet has been restarted.
    KubeletRestarted,
    /// The machine has become slower or faster.
    Slowdown,
}

/// A controller takes a key from its work queue, or runs one of its periodic loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerEvent {
    /// Which controller.
    pub controller: ControllerKind,
    /// Whether this is the periodic loop of the controller (`key` is then of no meaning) or a key.
    pub tick: bool,
    /// The object to reconcile.
    pub key: ObjectRef,
}

/// The controllers of kube-controller-manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is named as kube-controller-manager names it")]
pub enum ControllerKind {
    Deployment,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    TtlAfterFinished,
    Namespace,
    GarbageCollector,
    NodeLifecycle,
    TaintEviction,
    PodGc,
    Disruption,
    HorizontalPodAutoscaler,
    ResourceQuota,
    ServiceAccount,
    EndpointSlice,
    PersistentVolumeBinder,
    AttachDetach,
}

/// A part of the scheduler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchedulerEvent {
    /// The next scheduling cycle, if a pod is in the active queue.
    Cycle,
    /// A binding cycle ends for a pod assumed under this epoch.
    Bind {
        /// The pod.
        pod: PodId,
        /// The pod's epoch when it was assumed.
        epoch: u32,
    },
    /// Pods whose back-off is over move to the active queue.
    FlushBackoff,
    /// Pods that have waited too long in the unschedulable pool are tried again.
    FlushUnschedulable,
    /// The victims of a preemption are deleted.
    EvictVictims {
        /// The preempting pod.
        pod: PodId,
    },
    /// A change of the cluster reaches the scheduler's cache and queue; the index names it in the scheduler's own inbox.
    Deliver(u32),
}

const _: () = assert!(size_of::<Event>() <= 16, "events are copied through the queue: keep them small");

impl engine::Event for Queued {
    fn phase(&self) -> Phase {
        match self.event {
            Event::Fault(_) => Phase::Fault,
            Event::Workload(_) => Phase::Workload,
            Event::Kubelet(_) => Phase::Kubelet,
            Event::Controller(_) => Phase::Controller,
            Event::Scheduler(_) => Phase::Scheduler,
            Event::Scrape => Phase::Network,
            Event::Sample => Phase::Sample,
        }
    }
}

/// An event with the change that scheduled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// What will happen.
    pub event: Event,
    /// The number of the change in reaction to which it was scheduled; [`NO_CAUSE`] for the scenario itself.
    pub cause: u32,
}

/// The cause of what no change caused.
pub const NO_CAUSE: u32 = u32::MAX;
