//! The facts: what the API server and etcd of the simulated cluster hold.
//!
//! Nodes are rows with resource columns, pods are interned specs with a little state, every other kind is a row with a body.
//! All writes are verbs on [`Cluster`]; each keeps derived columns and indexes right and appends [`Change`]s, which every component
//! sees after the event in which they were made. Components meet here and nowhere else.

mod addresses;
pub mod admission;
mod agenda;
mod causes;
mod change;
mod check;
pub mod columns;
mod component;
mod condition;
mod control_plane;
mod correlator;
mod event;
mod event_repeats;
mod event_series;
mod eviction;
pub mod export;
mod ids;
mod ingest;
mod intern;
mod meta;
mod metrics_api;
mod node;
pub mod objects;
mod observer;
mod outage;
mod pod;
mod pod_resources;
mod pod_spec;
pub mod quota;
mod recorder;
mod store;
mod update;
mod verbs;
mod words;

pub use agenda::Agenda;
pub use causes::{Note, REMARK};
pub use change::{Change, ConditionChange, What, WorldChange};
pub use component::Component;
pub use condition::{Condition, ConditionStatus, Conditions};
pub use control_plane::{ControlPlane, DrawnLatencies, KubeletTiming, Latency};
pub use event::{
    ControllerEvent, ControllerKind, Event, FaultEvent, KubeletEvent, NO_CAUSE, NodeStep, PodStep, Queued,
    SchedulerEvent, WorkloadEvent,
};
pub use event_repeats::EventRepeat;
pub use eviction::{BudgetState, Eviction, EvictionRefused, ask_budget, ignores_budget};
pub use ids::{EventId, LabelsId, NodeId, ObjId, ObjectRef, PodId, ResourceId, SpecId, Sym};
pub use intern::{Interned, Interner};
pub use meta::{Deletion, Meta, NAME_ALPHABET, Owner, name_suffix, uid_order, uid_text};
pub use metrics_api::{
    ContainerUsage, DeclaredMetric, FRESH_CONTAINER, METRIC_RESOLUTION, MetricSubject, MetricsApi, PodMetrics,
};
pub use node::{KubeletHealth, LEASE_RENEW_INTERVAL, Node, NodeImage, NodeTaint};
pub use observer::Observer;
pub use outage::{Elected, News, Outage};
pub use pod::{ContainerState, ContainerStatus, Pod, PodPhase, Terminated};
pub use pod_resources::quantity_text;
pub use pod_spec::{PodSpec, RestartPolicy, Template};
pub use recorder::{EVENT_TTL, EventMessage, EventRecord, EventRecorder, EventType};
pub use store::Cluster;

pub use verbs::{MAX_SLOWDOWN, NewMeta, NewNode, NewObject, NewPod, PodReport, PodResize, Propagation};
pub use words::Words;
