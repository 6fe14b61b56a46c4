//! The reasons for which pods are rejected. Their texts, which users read in FailedScheduling events, stand here and nowhere else.

use std::borrow::Cow;
use std::sync::Arc;

use crate::cluster::{Interner, ResourceId};

/// Why a node, or every node, was rejected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is explained by its text in `text`")]
pub enum Reason {
    NodeUnschedulable,
    NodeName,
    UntoleratedTaints,
    NodeAffinity,
    EnforcedNodeAffinity,
    NodeAffinityConflict,
    Ports,
    TooManyPods,
    Insufficient(ResourceId),
    DiskConflict,
    ReadWriteOncePodConflict,
    MaxVolumeCount,
    VolumeBinding,
    VolumeNodeAffinity,
    VolumeSpace,
    VolumeMissing,
    UnboundImmediateClaims,
    VolumeZone,
    SpreadConstraints,
    SpreadMissingLabel,
    PodAffinity,
    PodAntiAffinity,
    ExistingAntiAffinity,
    DeclaredFeatures,
    NoVictims,
    PreemptionNotHelpful,
    /// Words that only this pod has.
    Text(Arc<str>),
}

impl Reason {
    /// The reason as kube-scheduler v1.36 words it.
    pub fn text<'a>(&'a self, interner: &Interner) -> Cow<'a, str> {
        Cow::Borrowed(match self {
            Reason::NodeUnschedulable => "node(s) were unschedulable",
            Reason::NodeName => "node(s) didn't match the requested node name",
            Reason::UntoleratedTaints => "node(s) had untolerated taint(s)",
            Reason::NodeAffinity => "node(s) didn't match Pod's node affinity/selector",
            Reason::EnforcedNodeAffinity => "node(s) didn't match scheduler-enforced node affinity",
            Reason::NodeAffinityConflict => "pod affinity terms conflict",
            Reason::Ports => "node(s) didn't have free ports for the requested pod ports",
            Reason::TooManyPods => "Too many pods",
            Reason::Insufficient(resource) => {
                return Cow::Owned(format!("Insufficient {}", interner.resource_name(*resource)));
            }
            Reason::DiskConflict => "node(s) had no available disk",
            Reason::ReadWriteOncePodConflict => {
                "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
            }
            Reason::MaxVolumeCount => "node(s) exceed max volume count",
            Reason::VolumeBinding => "node(s) didn't find available persistent volumes to bind",
            Reason::VolumeNodeAffinity => "node(s) didn't match PersistentVolume's node affinity",
            Reason::VolumeSpace => "node(s) did not have enough free storage",
            Reason::VolumeMissing => "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
            Reason::UnboundImmediateClaims => "pod has unbound immediate PersistentVolumeClaims",
            Reason::VolumeZone => "node(s) had no available volume zone",
            Reason::SpreadConstraints => "node(s) didn't match pod topology spread constraints",
            Reason::SpreadMissingLabel => {
                "node(s) didn't match pod topology spread constraints (missing required label)"
            }
            Reason::PodAffinity => "node(s) didn't match pod affinity rules",
            Reason::PodAntiAffinity => "node(s) didn't match pod anti-affinity rules",
            Reason::ExistingAntiAffinity => "node(s) didn't satisfy existing pods anti-affinity rules",
            Reason::DeclaredFeatures => "node(s) didn't match Pod's required features",
            Reason::NoVictims => "No preemption victims found for incoming pod",
            Reason::PreemptionNotHelpful => "Preemption is not helpful for scheduling",
            Reason::Text(text) => text,
        })
    }
}
