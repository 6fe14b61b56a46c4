//! Arrivals and machines as Kubernetes objects.
//!
//! GPUs: every replica asks for its share in thousandths as the extended resource `alibabacloud.com/gpu-milli`, which nodes offer at 1000
//! per GPU, so GPUs are never promised twice in sum; whole GPUs are also asked for as `nvidia.com/gpu`. Models are a node affinity on
//! `alibabacloud.com/gpu-card-model`. The names are those of the open GPU-sharing scheduler plugin.

use serde_json::{Map, Value, json};

use super::arrival::{Arrival, GpuDemand, NodeRow, Outcome};

/// Whole GPUs, as the device plugin offers them.
pub const GPU: &str = "nvidia.com/gpu";
/// Thousandths of GPUs.
pub const GPU_MILLI: &str = "alibabacloud.com/gpu-milli";
/// Annotation: number of GPUs over which the thousandths are spread.
pub const GPU_COUNT: &str = "alibabacloud.com/gpu-count";
/// Node label and pod annotation: the GPU model.
pub const GPU_MODEL: &str = "alibabacloud.com/gpu-card-model";
/// Annotation: how long the containers run.
pub const RUN: &str = "wavetank.dev/run";
/// Annotation: the exit code of the containers.
pub const EXIT_CODE: &str = "wavetank.dev/exit-code";
/// Annotation: when the pod was submitted, from the start of the trace.
pub const ARRIVAL: &str = "wavetank.dev/arrival";

/// The Pod of replica `ordinal` (0 to `n` - 1) of an arrival.
pub fn pod(arrival: &Arrival, ordinal: u32) -> Value {
    let mut annotations = Map::new();
    annotations.insert(ARRIVAL.into(), arrival.at.since(crate::engine::Time::ZERO).to_string().into());
    if let Some(duration) = arrival.duration {
        annotations.insert(RUN.into(), duration.to_string().into());
    }
    if arrival.outcome == Some(Outcome::Failed) {
        annotations.insert(EXIT_CODE.into(), "1".into());
    }
    let mut resources = Map::new();
    resources.insert("requests".into(), requests(arrival));
    let mut spec = json!({
        "restartPolicy": if arrival.duration.is_some() { "Never" } else { "Always" },
    });
    if arrival.gpu.count > 0 {
        annotations.insert(GPU_COUNT.into(), arrival.gpu.count.to_string().into());
        annotations.insert(GPU_MILLI.into(), arrival.gpu.milli_per_gpu.to_string().into());
        resources.insert("limits".into(), Value::Object(gpu_resources(&arrival.gpu)));
        if !arrival.gpu.models.is_empty() {
            annotations.insert(GPU_MODEL.into(), arrival.gpu.models.join("|").into());
            spec["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": GPU_MODEL, "operator": "In", "values": arrival.gpu.models}]}]}}});
        }
    }
    spec["containers"] = json!([{"name": "main", "image": "registry.k8s.io/pause:3.10", "resources": resources}]);
    if let Some(priority) = arrival.priority {
        spec["priorityClassName"] = priority_class_name(priority).into();
    }
    let mut metadata = json!({"name": pod_name(arrival, ordinal), "namespace": "default", "annotations": annotations});
    if let Some(group) = &arrival.group {
        metadata["labels"] = json!({"wavetank.dev/group": label_value(group)});
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// The PriorityClass of a trace's priority.
pub fn priority_class(priority: i32) -> Value {
    // Kubernetes keeps values above one billion for its own classes.
    let value = priority.clamp(-2_147_483_648, 1_000_000_000);
    json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": value,
        "metadata": {"name": priority_class_name(priority)}, "description": "priority in the trace"})
}

/// The Node of a machine, which takes 110 pods (kubelet's default).
pub fn node(row: &NodeRow) -> Value {
    let mut capacity = Map::new();
    capacity.insert("cpu".into(), format!("{}m", row.cpu_milli).into());
    capacity.insert("memory".into(), row.memory_bytes.to_string().into());
    capacity.insert("pods".into(), "110".into());
    let name = dns_name(&row.name, "node");
    let mut labels = Map::new();
    labels.insert("kubernetes.io/hostname".into(), name.clone().into());
    if row.gpu_count > 0 {
        capacity.extend(gpu_resources(&GpuDemand::whole(row.gpu_count)));
        if let Some(model) = &row.gpu_model {
            labels.insert(GPU_MODEL.into(), label_value(model).into());
        }
    }
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "status": {"capacity": capacity.clone(), "allocatable": capacity}})
}

/// A name for replica `ordinal` that Kubernetes accepts: the trace's own if it is one already, else made unique by the row.
pub fn pod_name(arrival: &Arrival, ordinal: u32) -> String {
    let name = dns_name(&arrival.name, "pod");
    let own = name == arrival.name;
    match (own, arrival.n) {
        (true, 1) => name,
        (true, _) => format!("{name}-{ordinal}"),
        (false, 1) => format!("{name}-{}", arrival.row),
        (false, _) => format!("{name}-{}-{ordinal}", arrival.row),
    }
}

fn requests(arrival: &Arrival) -> Value {
    let mut requests = gpu_resources(&arrival.gpu);
    for (name, amount, suffix) in [("cpu", arrival.cpu_milli, "m"), ("memory", arrival.memory_bytes, "")] {
        if amount > 0 {
            requests.insert(name.into(), format!("{amount}{suffix}").into());
        }
    }
    Value::Object(requests)
}

fn gpu_resources(gpu: &GpuDemand) -> Map<String, Value> {
    let mut resources = Map::new();
    if gpu.count > 0 {
        resources.insert(GPU_MILLI.into(), gpu.total_milli().to_string().into());
        if gpu.milli_per_gpu == 1000 {
            resources.insert(GPU.into(), gpu.count.to_string().into());
        }
    }
    resources
}

fn priority_class_name(priority: i32) -> String {
    let sign = if priority < 0 { "minus-" } else { "" };
    format!("trace-{sign}{}", priority.unsigned_abs())
}

/// `name` as a DNS-1123 label of at most 50 characters.
fn dns_name(name: &str, otherwise: &str) -> String {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let text: String =
        name.chars().take(50).map(|c| c.to_ascii_lowercase()).map(|c| if valid(c) { c } else { '-' }).collect();
    let text = text.trim_matches('-');
    if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
}

/// `value` as a label value: at most 63 characters of `[A-Za-z0-9_.-]`, beginning and ending with a letter or digit.
pub fn label_value(value: &str) -> String {
    let valid = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let text: String = value.chars().take(63).map(|c| if valid(c) { c } else { '-' }).collect();
    text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Span;

    #[test]
    fn an_arrival_becomes_pods_that_kubernetes_accepts() {
        let mut arrival = Arrival::new(7, "a/B_c==");
        arrival.n = 2;
        arrival.cpu_milli = 1500;
        arrival.memory_bytes = 1 << 30;
        arrival.duration = Some(Span::from_secs(90));
        arrival.outcome = Some(Outcome::Failed);
        arrival.group = Some("team/1".into());
        arrival.priority = Some(-5);
        arrival.gpu = GpuDemand { count: 1, milli_per_gpu: 460, models: vec!["T4".into(), "A10".into()] };
        let pod = pod(&arrival, 1);
        assert_eq!(pod["metadata"]["name"], "a-b-c-7-1");
        assert_eq!(pod["metadata"]["labels"]["wavetank.dev/group"], "team-1");
        assert_eq!(pod["metadata"]["annotations"][RUN], "1m30s");
        assert_eq!(pod["metadata"]["annotations"][EXIT_CODE], "1");
        assert_eq!(pod["spec"]["priorityClassName"], "trace-minus-5");
        let resources = &pod["spec"]["containers"][0]["resources"];
        assert_eq!(resources["requests"], json!({"cpu": "1500m", "memory": "1073741824", GPU_MILLI: "460"}));
        assert_eq!(resources["limits"], json!({GPU_MILLI: "460"}));
        arrival.gpu = GpuDemand::whole(2);
        assert_eq!(requests(&arrival)[GPU], "2");
        arrival.name = "openb-pod-0001".into();
        arrival.n = 1;
        assert_eq!(pod_name(&arrival, 0), "openb-pod-0001");
    }
}
