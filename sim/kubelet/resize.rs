//! In-place resize, the kubelet's part: grants, puts into effect, defers or refuses other resources for running containers
//! (kubelet, `allocation/allocation_manager.go`, `kuberuntime_manager.go` `doPodResizeAction`).

use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::{Value, json};

use super::kubelets::{Cx, Kubelets};
use super::shape::PodShape;
use super::thresholds::Signal;
use super::usage::{container_usage, memory_varies};
use super::worker::{Busy, Stage, Worker};
use crate::api::qos::QosClass;
use crate::cluster::{ConditionStatus, EventType, NodeId, PodId, PodStep, ResourceId, SpecId, Sym};
use crate::engine::{Id, Span, Time};

/// After a failed attempt the pod is looked at again after this, and up to half of it more (kubelet, `pod_workers.go`).
const RETRY: Span = Span::from_secs(10);

/// How far a resize is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resize {
    /// Not granted: it does not fit now, or never will.
    Pending { infeasible: bool, message: Sym, since: Time },
    /// Granted, and being put into effect; the message of the last error, if there was one.
    InProgress { error: Sym },
}

/// A resize that waits to be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting<T> {
    /// Of which pod.
    pub pod: T,
    /// Whether it asks for more than was granted.
    pub increases: bool,
    /// `priority` of the pod.
    pub priority: i32,
    /// The pod's class.
    pub qos: QosClass,
    /// Since when it waits.
    pub since: Time,
}

/// Puts waiting resizes in the order in which they are tried: those that ask for no more first, then by falling priority, by class
/// from `Guaranteed` down, and those that have waited longest first (kubelet, `sortPendingResizes`).
pub fn order<T: Copy>(waiting: &mut [Waiting<T>]) {
    waiting.sort_by_key(|one| (one.increases, Reverse(one.priority), Reverse(one.qos), one.since));
}

/// What the kubelet makes of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is granted.
    Granted,
    /// It does not fit now.
    Deferred(String),
    /// It can never be granted.
    Infeasible(String),
}

/// What a verdict depends on: thousandths of a core, and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What the pod wants.
    pub requested: (i64, i64),
    /// What the node has for pods.
    pub allocatable: (i64, i64),
    /// What its other pods have been granted.
    pub used: (i64, i64),
    /// The pod is static.
    pub is_static: bool,
    /// A `Guaranteed` pod under a static CPU manager wants other CPU.
    pub pins_cpus: bool,
    /// A `Guaranteed` pod under a static memory manager wants other memory.
    pub pins_memory: bool,
}

/// Decides about a wish (kubelet, `canResizePod`).
pub fn decide(wish: Wish) -> Verdict {
    let infeasible = |text: &str| Verdict::Infeasible(text.to_owned());
    if wish.is_static {
        return infeasible("In-place resize of static-pods is not supported");
    }
    if wish.pins_cpus {
        return infeasible("Resize is infeasible for Guaranteed Pods alongside CPU Manager static policy");
    }
    if wish.pins_memory {
        return infeasible("Resize is infeasible for Guaranteed Pods alongside Memory Manager static policy");
    }
    let rows = [
        ("memory", wish.requested.1, wish.allocatable.1, wish.used.1),
        ("cpu", wish.requested.0, wish.allocatable.0, wish.used.0),
    ];
    if let Some((name, requested, capacity, _)) = rows.into_iter().find(|row| row.1 > row.2) {
        return Verdict::Infeasible(format!(
            "Node didn't have enough capacity: {name}, requested: {requested}, capacity: {capacity}"
        ));
    }
    // The scheduler's filter looks at cpu first.
    match rows.into_iter().rev().find(|row| row.1.saturating_add(row.3) > row.2) {
        Some((name, requested, capacity, used)) => Verdict::Deferred(format!(
            "Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
        )),
        None => Verdict::Granted,
    }
}

impl Kubelets {
    /// The spec of a pod as its containers run it: what is wanted, with the resources that are in effect.
    pub(super) fn shape_in_effect(&mut self, pod: PodId, cx: &mut Cx<'_>) -> Arc<PodShape> {
        let wanted = self.catalog.shape(cx.cluster.pod(pod).spec, cx.cluster);
        let actual = cx.cluster.actual_spec(pod);
        if actual == cx.cluster.pod(pod).spec {
            return wanted;
        }
        let actual = self.catalog.shape(actual, cx.cluster);
        let mut shape = (*wanted).clone();
        for (container, actual) in shape.containers.iter_mut().zip(&actual.containers) {
            container.take_resources(actual);
        }
        Arc::new(shape)
    }

    /// The wish of a pod has changed, or room has been made: decides about it, and begins to put it into effect.
    pub(super) fn try_resize(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        let wanted = cx.cluster.pod(w.pod).spec;
        let pending = cx.cluster.pod(w.pod).resized.is_some();
        if w.stage != Stage::Active || !pending {
            w.resize = None;
            return;
        }
        if cx.cluster.allocated_spec(w.pod) == wanted {
            return self.put_into_effect(w, cx);
        }
        let verdict = decide(self.wish(w, wanted, cx));
        let (infeasible, text) = match verdict {
            Verdict::Granted => {
                cx.cluster.set_resize_infeasible(w.pod, false);
                cx.cluster.set_pod_allocated(w.pod, wanted);
                w.resize = Some(Resize::InProgress { error: Sym::EMPTY });
                self.note_resize(w, EventType::Normal, "ResizeStarted", "Pod resize started", "", cx);
                self.report(w, cx);
                return self.put_into_effect(w, cx);
            }
            Verdict::Deferred(text) => (false, text),
            Verdict::Infeasible(text) => (true, text),
        };
        let message = cx.cluster.interner.sym(&text);
        let since = match w.resize {
            Some(Resize::Pending { infeasible: before, since, .. }) if before == infeasible => since,
            _ => cx.now(),
        };
        let now = Some(Resize::Pending { infeasible, message, since });
        cx.cluster.set_resize_infeasible(w.pod, infeasible);
        if let Some(state) = self.nodes.get_mut(w.node.index()) {
            state.has_deferred |= !infeasible;
        }
        if std::mem::replace(&mut w.resize, now) != now {
            let (reason, prefix) = match infeasible {
                true => ("ResizeInfeasible", "Pod resize Infeasible"),
                false => ("ResizeDeferred", "Pod resize Deferred"),
            };
            self.note_resize(w, EventType::Warning, reason, prefix, &text, cx);
        }
        self.report(w, cx);
    }

    fn wish(&mut self, w: &Worker, wanted: SpecId, cx: &mut Cx<'_>) -> Wish {
        let amounts = |cluster: &crate::cluster::Cluster, spec: SpecId| {
            let resources = &cluster.specs.get(spec).resources;
            (resources.request(ResourceId::CPU), resources.request(ResourceId::MEMORY))
        };
        let requested = amounts(cx.cluster, wanted);
        let granted = amounts(cx.cluster, cx.cluster.allocated_spec(w.pod));
        let columns = cx.cluster.columns();
        let others = cx.cluster.node(w.node).pods.iter();
        let others = others.filter(|&&other| other != w.pod && self.worker(other).is_some());
        let used = others.fold((0, 0), |(cpu, memory): (i64, i64), &other| {
            let more = amounts(cx.cluster, cx.cluster.allocated_spec(other));
            (cpu.saturating_add(more.0), memory.saturating_add(more.1))
        });
        let guaranteed = cx.cluster.specs.get(wanted).qos == QosClass::Guaranteed;
        Wish {
            requested,
            allocatable: (
                columns.allocatable(w.node, ResourceId::CPU),
                columns.allocatable(w.node, ResourceId::MEMORY),
            ),
            used,
            is_static: w.is_static,
            pins_cpus: guaranteed && self.options.static_cpus && requested.0 != granted.0,
            pins_memory: guaranteed && self.options.static_memory && requested.1 != granted.1,
        }
    }

    /// Gives the containers what was granted; a look at the runtime later it is known to be in effect.
    fn put_into_effect(&mut self, w: &mut Worker, cx: &mut Cx<'_>) {
        if let Some(error) = self.shrinks_below_usage(w, cx) {
            let message = cx.cluster.interner.sym(&error);
            let before = w.resize.replace(Resize::InProgress { error: message });
            if before != w.resize {
                self.note_resize(w, EventType::Warning, "ResizeError", "Pod resize error", &error, cx);
            }
            self.report(w, cx);
            if memory_varies(w) {
                let late = self.jitter(w, RETRY, u32::from(w.turn) | 1 << 27, cx);
                cx.step(cx.now() + RETRY + late, w.pod, PodStep::Resize, 0, 0);
            }
            return;
        }
        w.resize = Some(Resize::InProgress { error: Sym::EMPTY });
        let at = self.noticed(w, cx.now());
        cx.step(at, w.pod, PodStep::Resize, 1, 0);
    }

    /// Why the limit of memory cannot be lowered now: more than that is in use.
    fn shrinks_below_usage(&mut self, w: &Worker, cx: &mut Cx<'_>) -> Option<String> {
        let wanted = self.catalog.shape(cx.cluster.pod(w.pod).spec, cx.cluster);
        (0..w.rows.len()).find_map(|idx| {
            let (now, then) = (w.container(idx), wanted.containers.get(idx)?);
            let limit = then.memory_limit.filter(|&limit| now.memory_limit.is_none_or(|before| limit < before))?;
            let used = container_usage(w, idx, Signal::Memory, cx.now()).filter(|&used| limit < used)?;
            (!then.restarts_for_memory).then(|| {
                let name = cx.cluster.interner.text(then.name);
                format!(
                    "failed to resize container \"{name}\": attempting to set container memory limit ({limit}) below \
                     current usage ({used})"
                )
            })
        })
    }

    /// A step of a resize: the granted resources are in effect, or it is tried again.
    pub(super) fn resize_step(&mut self, w: &mut Worker, done: bool, cx: &mut Cx<'_>) {
        let wanted = cx.cluster.pod(w.pod).spec;
        if !done || w.stage != Stage::Active || cx.cluster.allocated_spec(w.pod) != wanted {
            return self.try_resize(w, cx);
        }
        if w.resize != Some(Resize::InProgress { error: Sym::EMPTY }) || w.busy != Busy::Idle {
            // Something else is being done to the pod: its worker comes to the resize after it.
            if w.busy != Busy::Idle && w.resize.is_some() {
                cx.step(cx.now() + Span::from_secs(1), w.pod, PodStep::Resize, 1, 0);
            }
            return;
        }
        let old = w.shape.clone();
        cx.cluster.set_pod_actual(w.pod, wanted);
        w.shape = self.catalog.shape(wanted, cx.cluster);
        w.resize = None;
        for idx in 0..w.rows.len() {
            self.container_resized(w, idx, &old, cx);
        }
        self.note_resize(w, EventType::Normal, "ResizeCompleted", "Pod resize completed", "", cx);
        self.report(w, cx);
        self.retry_resizes(w.node, Some(w.pod), cx);
    }

    /// A container has other resources now: it is started again if its policy says so, else its work goes on faster or slower.
    fn container_resized(&mut self, w: &mut Worker, idx: usize, old: &PodShape, cx: &mut Cx<'_>) {
        let (Some(before), after) = (old.containers.get(idx), &w.shape.containers[idx]) else { return };
        let cpu = (before.cpu_limit, before.cpu_request) != (after.cpu_limit, after.cpu_request);
        let memory = (before.memory_limit, before.memory_request) != (after.memory_limit, after.memory_request);
        if !cpu && !memory {
            return;
        }
        // Other resources are another key of the crash-loop back-off.
        w.rows[idx].crash = None;
        if w.rows[idx].running_since().is_none() {
            return;
        }
        if cpu && after.restarts_for_cpu || memory && after.restarts_for_memory {
            if w.busy == Busy::Idle {
                let name = cx.cluster.interner.shared_text(after.name);
                let text = format!("Container {name} resize requires restart");
                self.kill_container(w, idx, None, &text, cx);
            }
            return;
        }
        self.replan_exit(w, idx, before.cpu_limit, cx);
    }

    /// A pod has gone or been resized: the resizes that wait on its node are tried again.
    pub(super) fn retry_resizes(&mut self, node: NodeId, except: Option<PodId>, cx: &mut Cx<'_>) {
        let Some(state) = self.nodes.get(node.index()).filter(|state| state.has_deferred) else { return };
        let pods = state.pods.iter().filter(|&&pod| Some(pod) != except).filter_map(|&pod| self.worker(pod));
        let mut waiting: Vec<Waiting<PodId>> = pods
            .filter_map(|w| match w.resize {
                Some(Resize::Pending { infeasible: false, since, .. }) => Some((w, since)),
                _ => None,
            })
            .map(|(w, since)| {
                let spec = cx.cluster.spec_of(w.pod);
                let granted = &cx.cluster.specs.get(cx.cluster.allocated_spec(w.pod)).resources;
                let more = |resource| granted.request(resource) < spec.resources.request(resource);
                let increases = more(ResourceId::CPU) || more(ResourceId::MEMORY);
                Waiting { pod: w.pod, increases, priority: spec.priority, qos: spec.qos, since }
            })
            .collect();
        order(&mut waiting);
        for one in waiting {
            cx.step(cx.now(), one.pod, PodStep::Resize, 0, 0);
        }
    }

    /// The conditions of a resize, and those that no longer hold.
    pub(super) fn resize_conditions(
        &self,
        w: &Worker,
        cx: &mut Cx<'_>,
    ) -> (Option<super::conditions::Computed>, Vec<Sym>) {
        let (pending, in_progress) = (cx.cluster.words.pod_resize_pending, cx.cluster.words.pod_resize_in_progress);
        let mut sym = |text: &str| cx.cluster.interner.sym(text);
        let holds = match w.resize {
            None => None,
            Some(Resize::Pending { infeasible: true, message, .. }) => Some((pending, sym("Infeasible"), message)),
            Some(Resize::Pending { infeasible: false, message, .. }) => Some((pending, sym("Deferred"), message)),
            Some(Resize::InProgress { error: Sym::EMPTY }) => Some((in_progress, Sym::EMPTY, Sym::EMPTY)),
            Some(Resize::InProgress { error }) => Some((in_progress, sym("Error"), error)),
        };
        let present = &cx.cluster.pod(w.pod).conditions;
        let gone = [pending, in_progress].into_iter();
        let gone = gone.filter(|&kind| holds.is_none_or(|(held, ..)| held != kind) && present.get(kind).is_some());
        let gone = gone.collect();
        (holds.map(|(kind, reason, message)| (kind, ConditionStatus::True, reason, message)), gone)
    }

    /// `Pod resize completed: {"containers":[{"name":"c","resources":{...}}],"generation":2}` (kubelet, `events/utils.go`).
    fn note_resize(&self, w: &Worker, kind: EventType, reason: &str, prefix: &str, error: &str, cx: &mut Cx<'_>) {
        if !self.options.events {
            return;
        }
        let typed = &cx.cluster.spec_of(w.pod).typed;
        let list = |containers: &[k8s_openapi::api::core::v1::Container]| -> Vec<Value> {
            let one = |container: &k8s_openapi::api::core::v1::Container| json!({ "name": container.name, "resources": container.resources.clone().unwrap_or_default() });
            containers.iter().map(one).collect()
        };
        let mut summary = serde_json::Map::new();
        if let Some(init) = typed.init_containers.as_deref().filter(|init| !init.is_empty()) {
            summary.insert("initContainers".to_owned(), list(init).into());
        }
        summary.insert("containers".to_owned(), list(&typed.containers).into());
        summary.insert("generation".to_owned(), cx.cluster.pod(w.pod).meta.generation.into());
        if !error.is_empty() {
            summary.insert("error".to_owned(), error.into());
        }
        let text = format!("{prefix}: {}", Value::Object(summary));
        self.note_pod(w.pod, kind, reason, &text, cx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_granted_deferred_or_refused() {
        let wish = |requested: i64, allocatable: i64, used: i64| {
            decide(Wish {
                requested: (requested, 0),
                allocatable: (allocatable, 0),
                used: (used, 0),
                ..Wish::default()
            })
        };
        assert_eq!(wish(700, 1000, 0), Verdict::Granted);
        assert!(
            matches!(wish(4000, 2000, 0), Verdict::Infeasible(text) if text.ends_with("cpu, requested: 4000, capacity: 2000"))
        );
        assert!(matches!(wish(1500, 2000, 1000), Verdict::Deferred(text) if text.contains("used: 1000")));
        let pinned = Wish { pins_cpus: true, ..Wish::default() };
        assert!(matches!(decide(pinned), Verdict::Infeasible(_)));
    }

    #[test]
    fn those_who_ask_for_less_come_first() {
        let one = |pod, increases, priority, since| {
            let since = Time::from_secs(since);
            Waiting { pod, increases, priority, qos: QosClass::Burstable, since }
        };
        let mut waiting = [one("P1", true, 0, 0), one("P2", false, 0, 600), one("P3", true, 100, 600)];
        order(&mut waiting);
        assert_eq!(waiting.map(|one| one.pod), ["P2", "P3", "P1"]);
    }
}
