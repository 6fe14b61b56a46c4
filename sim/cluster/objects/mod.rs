//! Objects of every kind but pods and nodes: one row type, whose body says what the kind is.
//!
//! A row keeps the manifest as accepted (without metadata and status), what the simulation acts on in lowered form, and the typed
//! status. Kinds without behaviour are kept as written.

mod controller_revision;
mod cron_job;
mod daemon_set;
mod deployment;
mod endpoint_slice;
mod fields;
mod horizontal_pod_autoscaler;
mod job;
mod kept;
mod namespace;
mod pod_disruption_budget;
mod replica_set;
mod resource_quota;
mod service;
mod stateful_set;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use controller_revision::ControllerRevision;
pub use cron_job::{ActiveJob, ConcurrencyPolicy, CronJob, CronJobStatus};
pub use daemon_set::{DaemonSet, DaemonSetStatus};
pub use deployment::{Deployment, DeploymentStatus, DeploymentStrategy};
pub use endpoint_slice::{Endpoint, EndpointPort, EndpointSlice};
pub use horizontal_pod_autoscaler::{HorizontalPodAutoscaler, ScalingPolicy, ScalingRules, SelectPolicy};
pub use job::{Job, JobStatus};
pub use kept::Kept;
pub use namespace::{Namespace, NamespacePhase};
pub use pod_disruption_budget::{DisruptionBound, PodDisruptionBudget};
pub use replica_set::{ReplicaSet, ReplicaSetStatus};
pub use resource_quota::{QuotaScope, ResourceQuota};
pub use service::{Service, ServicePort, TargetPort};
pub use stateful_set::{StatefulSet, StatefulSetStatus};

use super::intern::Interner;
use super::meta::Meta;
use super::pod_spec::PodSpec;
use crate::api::kinds::KindInfo;
use crate::cluster::ids::SpecId;
use crate::cluster::intern::Interned;
use crate::engine::Time;

/// An object that is neither a pod nor a node.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its kind.
    pub info: &'static KindInfo,
    /// Its metadata.
    pub meta: Meta,
    /// The manifest as accepted, without `metadata` and `status`. Where a field is also lowered in the body, the body is right.
    pub raw: Arc<Value>,
    /// What it is.
    pub body: Body,
}

/// What an object is: its lowered spec and its status.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A kind without behaviour of its own.
    Kept(Kept),
    /// A namespace.
    Namespace(Namespace),
    /// A Service.
    Service(Box<Service>),
    /// An EndpointSlice.
    EndpointSlice(Box<EndpointSlice>),
    /// A ResourceQuota.
    ResourceQuota(Box<ResourceQuota>),
    /// A HorizontalPodAutoscaler.
    HorizontalPodAutoscaler(Box<HorizontalPodAutoscaler>),
    /// A PodDisruptionBudget.
    PodDisruptionBudget(Box<PodDisruptionBudget>),
    /// A Deployment.
    Deployment(Box<Deployment>),
    /// A ReplicaSet or a ReplicationController.
    ReplicaSet(Box<ReplicaSet>),
    /// A history entry of a StatefulSet or DaemonSet.
    ControllerRevision(Box<ControllerRevision>),
    /// A StatefulSet.
    StatefulSet(Box<StatefulSet>),
    /// A DaemonSet.
    DaemonSet(Box<DaemonSet>),
    /// A Job.
    Job(Box<Job>),
    /// A CronJob.
    CronJob(Box<CronJob>),
}

/// What lowering a manifest needs.
pub struct Lowering<'a> {
    /// Names and maps.
    pub interner: &'a mut Interner,
    /// Pod specs.
    pub specs: &'a mut Interned<SpecId, PodSpec>,
    /// The virtual date of the beginning of the run, in seconds since 1970: what absolute dates in manifests are relative to.
    pub epoch_seconds: i64,
}

/// What exporting a status needs.
#[derive(Clone, Copy)]
pub struct Exporting<'a> {
    /// Names and maps.
    pub interner: &'a Interner,
    /// The virtual date of the beginning of the run, in seconds since 1970.
    pub epoch_seconds: i64,
}

/// A kind with behaviour.
pub trait Kind: Sized {
    /// The name of the kind, as in manifests.
    const KIND: &'static str;

    /// Lowers an accepted manifest, its status included.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for manifests that validation does not cover.
    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<Self, String>;

    /// Writes the fields of the manifest that the simulation may have changed, and the status, into `object`.
    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>);

    /// Takes over the status of the object as it was before its desired state was replaced. Lowering has read it from the manifest,
    /// where instants have lost their fractions of a second.
    fn keep_status(&mut self, old: &Self) {
        let _ = old;
    }

    /// The body as this kind.
    fn of(body: &Body) -> Option<&Self>;

    /// The body as this kind, for changing.
    fn of_mut(body: &mut Body) -> Option<&mut Self>;

    /// Wraps it.
    fn into_body(self) -> Body;
}

/// Implements the projections of [`Kind`] for a variant of [`Body`] of the same name.
macro_rules! body_variant {
    ($name:ident) => {
        fn of(body: &$crate::cluster::objects::Body) -> Option<&Self> {
            match body {
                $crate::cluster::objects::Body::$name(this) => Some(this),
                #[allow(unreachable_patterns, reason = "the enum may have one variant only")]
                _ => None,
            }
        }

        fn of_mut(body: &mut $crate::cluster::objects::Body) -> Option<&mut Self> {
            match body {
                $crate::cluster::objects::Body::$name(this) => Some(this),
                #[allow(unreachable_patterns, reason = "the enum may have one variant only")]
                _ => None,
            }
        }

        fn into_body(self) -> $crate::cluster::objects::Body {
            $crate::cluster::objects::Body::$name(self.into())
        }
    };
}
pub(crate) use body_variant;

/// Lowers a manifest of any kind.
///
/// # Errors
///
/// What is wrong with it, for manifests that validation does not cover.
pub fn lower(info: &KindInfo, object: &Value, cx: &mut Lowering<'_>) -> Result<Body, String> {
    Ok(match info.key {
        Namespace::KIND => Namespace::lower(object, cx)?.into_body(),
        Service::KIND => Service::lower(object, cx)?.into_body(),
        EndpointSlice::KIND => EndpointSlice::lower(object, cx)?.into_body(),
        ResourceQuota::KIND => ResourceQuota::lower(object, cx)?.into_body(),
        HorizontalPodAutoscaler::KIND => HorizontalPodAutoscaler::lower(object, cx)?.into_body(),
        PodDisruptionBudget::KIND => PodDisruptionBudget::lower(object, cx)?.into_body(),
        Deployment::KIND => Deployment::lower(object, cx)?.into_body(),
        ReplicaSet::KIND | "ReplicationController" => ReplicaSet::lower(object, cx)?.into_body(),
        ControllerRevision::KIND => ControllerRevision::lower(object, cx)?.into_body(),
        StatefulSet::KIND => StatefulSet::lower(object, cx)?.into_body(),
        DaemonSet::KIND => DaemonSet::lower(object, cx)?.into_body(),
        Job::KIND => Job::lower(object, cx)?.into_body(),
        CronJob::KIND => CronJob::lower(object, cx)?.into_body(),
        _ => Kept::lower(object, cx)?.into_body(),
    })
}

/// Takes over the status of `old` into a body lowered from an updated manifest.
pub fn keep_status(body: &mut Body, old: &Body) {
    match (body, old) {
        (Body::Kept(new), Body::Kept(old)) => new.keep_status(old),
        (Body::Namespace(new), Body::Namespace(old)) => new.keep_status(old),
        (Body::Service(new), Body::Service(old)) => new.keep_status(old),
        (Body::Deployment(new), Body::Deployment(old)) => new.keep_status(old),
        (Body::ReplicaSet(new), Body::ReplicaSet(old)) => new.keep_status(old),
        (Body::ResourceQuota(new), Body::ResourceQuota(old)) => new.keep_status(old),
        (Body::HorizontalPodAutoscaler(new), Body::HorizontalPodAutoscaler(old)) => new.keep_status(old),
        (Body::PodDisruptionBudget(new), Body::PodDisruptionBudget(old)) => new.keep_status(old),
        (Body::StatefulSet(new), Body::StatefulSet(old)) => new.keep_status(old),
        (Body::DaemonSet(new), Body::DaemonSet(old)) => new.keep_status(old),
        (Body::Job(new), Body::Job(old)) => new.keep_status(old),
        (Body::CronJob(new), Body::CronJob(old)) => new.keep_status(old),
        _ => {}
    }
}

/// Writes changed fields and the status of any body into `object`.
pub fn export(body: &Body, cx: Exporting<'_>, object: &mut Map<String, Value>) {
    match body {
        Body::Kept(kept) => kept.export(cx, object),
        Body::Namespace(namespace) => namespace.export(cx, object),
        Body::Service(service) => service.export(cx, object),
        Body::EndpointSlice(slice) => slice.export(cx, object),
        Body::ResourceQuota(quota) => quota.export(cx, object),
        Body::HorizontalPodAutoscaler(hpa) => hpa.export(cx, object),
        Body::PodDisruptionBudget(budget) => budget.export(cx, object),
        Body::Deployment(deployment) => deployment.export(cx, object),
        Body::ReplicaSet(replica_set) => replica_set.export(cx, object),
        Body::ControllerRevision(this) => this.export(cx, object),
        Body::StatefulSet(this) => this.export(cx, object),
        Body::DaemonSet(this) => this.export(cx, object),
        Body::Job(this) => this.export(cx, object),
        Body::CronJob(this) => this.export(cx, object),
    }
}

impl Exporting<'_> {
    /// `metav1.Time` of an instant: RFC 3339 in UTC with whole seconds.
    pub fn time(&self, at: Time) -> Value {
        Value::String(super::export::rfc3339(self.epoch_seconds, at))
    }

    /// `metav1.MicroTime` of an instant: RFC 3339 in UTC with microseconds.
    pub fn micro_time(&self, at: Time) -> Value {
        Value::String(super::export::rfc3339_micro(self.epoch_seconds, at))
    }
}

impl Lowering<'_> {
    /// The instant of an RFC 3339 date; [`Time::ZERO`] for one before the beginning of the run, `None` if it is no date.
    pub fn time(&self, value: &Value) -> Option<Time> {
        let timestamp: jiff::Timestamp = value.as_str()?.parse().ok()?;
        let micros = timestamp.as_microsecond() - self.epoch_seconds * 1_000_000;
        Some(Time::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}
