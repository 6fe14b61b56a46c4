//! Pods as the API shows them.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1 as core;
use serde_json::{Map, Value, json};

use super::rfc3339;
use crate::cluster::condition::Condition;
use crate::cluster::ids::{PodId, Sym};
use crate::cluster::meta::uid_text;
use crate::cluster::pod::{ContainerState, ContainerStatus, Pod, Terminated};
use crate::cluster::store::Cluster;
use crate::engine::Time;

impl Cluster {
    /// The `Pod` object.
    pub fn export_pod(&self, id: PodId) -> Value {
        let pod = self.pod(id);
        let mut spec = match serde_json::to_value(&self.spec_of(id).typed) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        // Go leaves an empty name out.
        for secret in spec.get_mut("imagePullSecrets").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(fields) = secret.as_object_mut() {
                fields.retain(|_, name| name != "");
            }
        }
        if let Some(name) = pod.node.map(|node| self.node(node).meta.name).or(pod.missing_node) {
            spec.insert("nodeName".into(), self.interner.text(name).into());
        }
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": self.export_meta(id.into()),
            "spec": spec,
            "status": self.export_pod_status(id, pod),
        })
    }

    fn export_pod_status(&self, id: PodId, pod: &Pod) -> Value {
        let spec = self.spec_of(id);
        let mut out = Map::new();
        let mut put_text = |key: &str, sym: Sym| {
            if sym != Sym::EMPTY {
                out.insert(key.into(), self.interner.text(sym).into());
            }
        };
        put_text("reason", pod.reason);
        put_text("message", pod.message);
        out.insert("phase".into(), pod.phase.as_str().into());
        out.insert("qosClass".into(), spec.qos.as_str().into());
        out.insert("observedGeneration".into(), pod.meta.generation.into());
        if let Some(node) = pod.nominated {
            out.insert("nominatedNodeName".into(), self.name(node).into());
        }
        if !pod.conditions.is_empty() {
            let conditions = pod.conditions.iter().map(|condition| self.export_condition(condition));
            out.insert("conditions".into(), conditions.collect());
        }
        if let Some(start) = pod.start_time {
            out.insert("startTime".into(), self.export_time(start));
        }
        if let Some(node) = pod.node.filter(|_| pod.start_time.is_some()) {
            let host = Ipv4Addr::from(0x0a80_0000 + node.0).to_string();
            out.insert("hostIPs".into(), json!([{ "ip": host }]));
            out.insert("hostIP".into(), host.into());
        }
        if pod.ip != 0 {
            let ip = Ipv4Addr::from(pod.ip).to_string();
            out.insert("podIPs".into(), json!([{ "ip": ip }]));
            out.insert("podIP".into(), ip.into());
        }
        let (init, regular) = pod.containers.split_at(spec.n_init_containers.min(pod.containers.len()));
        let init_specs = spec.typed.init_containers.as_deref().unwrap_or_default();
        for (key, states, specs) in
            [("initContainerStatuses", init, init_specs), ("containerStatuses", regular, &spec.typed.containers)]
        {
            if !states.is_empty() {
                let statuses = specs.iter().zip(states).enumerate();
                let statuses = statuses.map(|(idx, (spec, state))| {
                    let mut status = self.export_container(pod, idx, spec, state);
                    self.add_resources(id, &spec.name, state, &mut status);
                    status
                });
                out.insert(key.into(), statuses.collect());
            }
        }
        Value::Object(out)
    }

    /// What a container has been granted, and what it has: of one that runs, the resources in effect (kubelet, `kubelet_pods.go`
    /// `convertToAPIContainerStatuses`).
    fn add_resources(&self, id: PodId, name: &str, state: &ContainerStatus, status: &mut Value) {
        let runs = matches!(state.state, ContainerState::Running { .. });
        let tells = match self.tells_resources {
            true => !state.never_ran(),
            false => runs && self.pod(id).resized.is_some(),
        };
        if !tells {
            return;
        }
        let of = |spec: &core::PodSpec| {
            let mut all = spec.init_containers.iter().flatten().chain(&spec.containers);
            all.find(|container| container.name == name).and_then(|container| container.resources.clone())
        };
        let allocated = of(&self.specs.get(self.allocated_spec(id)).typed);
        if let Some(requests) = allocated.and_then(|resources| resources.requests) {
            status["allocatedResources"] = json!(requests);
        }
        let in_effect = if runs { self.actual_spec(id) } else { self.allocated_spec(id) };
        if let Some(resources) = of(&self.specs.get(in_effect).typed) {
            status["resources"] = json!(resources);
        } else if self.tells_resources {
            status["resources"] = json!({});
        }
    }

    fn export_condition(&self, condition: &Condition) -> Value {
        let mut out = Map::new();
        out.insert("type".into(), self.interner.text(condition.kind).into());
        out.insert("status".into(), condition.status.as_str().into());
        out.insert("lastProbeTime".into(), Value::Null);
        out.insert("lastTransitionTime".into(), self.export_time(condition.transition));
        for (key, sym) in [("reason", condition.reason), ("message", condition.message)] {
            if sym != Sym::EMPTY {
                out.insert(key.into(), self.interner.text(sym).into());
            }
        }
        Value::Object(out)
    }

    fn export_container(&self, pod: &Pod, idx: usize, spec: &core::Container, status: &ContainerStatus) -> Value {
        let run_id =
            |run: u32| format!("containerd://{}", uid_text(pod.meta.uid << 20 | (idx as u64) << 16 | u64::from(run)));
        let image = spec.image.clone().unwrap_or_default();
        let never_ran = status.never_ran();
        let mut out = Map::new();
        out.insert("name".into(), spec.name.as_str().into());
        out.insert("image".into(), image.as_str().into());
        out.insert("imageID".into(), if never_ran { "".into() } else { Value::String(image) });
        out.insert("ready".into(), status.ready.into());
        out.insert("started".into(), status.started.into());
        out.insert("restartCount".into(), status.restarts.into());
        out.insert("state".into(), self.export_state(&status.state));
        let last = status.last.map_or_else(|| json!({}), |last| json!({ "terminated": self.export_terminated(&last) }));
        out.insert("lastState".into(), last);
        if !never_ran {
            out.insert("containerID".into(), run_id(status.restarts).into());
        }
        Value::Object(out)
    }

    fn export_state(&self, state: &ContainerState) -> Value {
        match state {
            ContainerState::Waiting { reason, message } => {
                let mut waiting = Map::new();
                for (key, sym) in [("reason", reason), ("message", message)] {
                    if *sym != Sym::EMPTY {
                        waiting.insert(key.into(), self.interner.text(*sym).into());
                    }
                }
                json!({ "waiting": waiting })
            }
            ContainerState::Running { started } => json!({ "running": { "startedAt": self.export_time(*started) } }),
            ContainerState::Terminated(terminated) => json!({ "terminated": self.export_terminated(terminated) }),
        }
    }

    fn export_terminated(&self, terminated: &Terminated) -> Value {
        let mut out = Map::new();
        out.insert("exitCode".into(), terminated.exit_code.into());
        out.insert("startedAt".into(), self.export_time(terminated.started));
        out.insert("finishedAt".into(), self.export_time(terminated.finished));
        for (key, sym) in [("reason", terminated.reason), ("message", terminated.message)] {
            if sym != Sym::EMPTY {
                out.insert(key.into(), self.interner.text(sym).into());
            }
        }
        Value::Object(out)
    }

    fn export_time(&self, at: Time) -> Value {
        Value::String(rfc3339(self.epoch_seconds, at))
    }
}
