//! The proposal of one metric of an autoscaler: its value from the metrics APIs, what it asks for, what the status shows of it
//! (`computeReplicasForMetric`, `replica_calculator.go`).

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::{Value, json};

use super::Scale;
use super::replicas::{self, PodSample, PodState, Target, Tolerances};
use crate::api::kinds;
use crate::api::quantity::Quantity;
use crate::api::selector::Selector;
use crate::cluster::{Cluster, ConditionStatus, PodId, PodPhase};
use crate::engine::{Span, Time};

/// After its start a pod's CPU counts only with care for so long (`--horizontal-pod-autoscaler-cpu-initialization-period`).
const CPU_INITIALIZATION: Span = Span::from_secs(300);
/// A pod that turned unready so soon after its start has never been ready (`--horizontal-pod-autoscaler-initial-readiness-delay`).
const INITIAL_READINESS: Span = Span::from_secs(30);

/// What is said of a metric that no pod has a counting sample of.
const NO_METRICS: &str = "did not receive metrics for targeted pods (pods might be unready)";

/// A sample of what a pod uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageSample {
    /// In thousandths of a unit.
    pub milli: i64,
    /// When the sample was taken.
    pub at: Time,
    /// Over which time before.
    pub window: Span,
}

/// Why a metric has no value: reason of the condition, and text.
pub(super) struct MetricError {
    pub(super) reason: &'static str,
    pub(super) text: String,
    pub(super) prefix: String,
}

/// The replicas that a metric asks for, its name in events, its status.
pub(super) type Proposal = (i32, String, Value);

/// The proposal of one metric.
pub(super) fn proposal(
    metric: &Value,
    scale: &Scale,
    tolerances: Tolerances,
    cluster: &Cluster,
) -> Result<Proposal, MetricError> {
    match metric["type"].as_str().unwrap_or_default() {
        "Resource" => resource(metric, scale, tolerances, cluster),
        "ContainerResource" => resource(metric, scale, tolerances, cluster),
        "Pods" => pods(metric, scale, tolerances, cluster),
        "Object" => object(metric, scale, tolerances, cluster),
        "External" => external(metric, scale, tolerances, cluster),
        other => Err(MetricError {
            reason: "InvalidMetricSourceType",
            text: format!("unknown metric source type {other:?}"),
            prefix: String::new(),
        }),
    }
}

fn resource(metric: &Value, scale: &Scale, tolerances: Tolerances, cluster: &Cluster) -> Result<Proposal, MetricError> {
    let (key, words) = match metric["type"] == "Resource" {
        true => ("resource", "resource"),
        false => ("containerResource", "container resource"),
    };
    let source = &metric[key];
    let container = source["container"].as_str().filter(|_| key == "containerResource");
    let reason = if container.is_some() { "FailedGetContainerResourceMetric" } else { "FailedGetResourceMetric" };
    let name = source["name"].as_str().unwrap_or_default();
    let target = &source["target"];
    let (target, what) = match target["averageUtilization"].as_i64() {
        Some(percent) => (Target::Utilization(percent), "utilization"),
        None => (Target::AverageValue(milli(&target["averageValue"])), "usage"),
    };
    let fail = |text: String| MetricError {
        reason,
        text: format!("failed to get {name} {what}: {text}"),
        prefix: match container {
            Some(container) => format!("failed to get {container} container metric value: "),
            None => format!("failed to get {name} resource metric value: "),
        },
    };
    let samples = samples(scale, name, container, target, cluster).map_err(fail)?;
    let none = || fail(NO_METRICS.to_owned());
    let (replicas, shown) = replicas::per_pod(scale.wanted, &samples, target, tolerances).ok_or_else(none)?;
    let (text, mut current) = match target {
        Target::Utilization(_) => {
            let ready = samples.iter().filter(|pod| pod.state == PodState::Ready);
            let used: Vec<i64> = ready.filter_map(|pod| pod.usage_milli).collect();
            let sum = used.iter().fold(0, |sum: i64, milli| sum.saturating_add(*milli));
            let mean = sum.checked_div(used.len() as i64).unwrap_or(0);
            (
                format!("{name} {words} utilization (percentage of request)"),
                json!({ "averageUtilization": shown, "averageValue": Quantity::from_milli(mean).to_string() }),
            )
        }
        Target::AverageValue(_) => {
            (format!("{name} resource"), json!({ "averageValue": Quantity::from_milli(shown).to_string() }))
        }
    };
    current = json!({ "name": name, "current": current });
    if let Some(container) = container {
        current["container"] = json!(container);
    }
    Ok((replicas, text, json!({ "type": metric["type"], key: current })))
}

fn pods(metric: &Value, scale: &Scale, tolerances: Tolerances, cluster: &Cluster) -> Result<Proposal, MetricError> {
    let source = &metric["pods"];
    let (name, labels) = metric_identifier(source);
    let fail = |text: String| MetricError {
        reason: "FailedGetPodsMetric",
        text: format!("unable to get metric {name}: {text}"),
        prefix: "failed to get pods metric value: ".to_owned(),
    };
    let selected: Vec<PodId> = selected(scale, cluster).collect();
    let values: Vec<Option<i64>> =
        selected.iter().map(|&pod| cluster.metric_of_pod(name, labels.as_ref(), pod)).collect();
    if values.iter().all(Option::is_none) {
        return Err(fail(custom_metric_error(cluster, name, "pods")));
    }
    let samples: Vec<PodSample> = selected
        .iter()
        .zip(values)
        .map(|(&pod, value)| PodSample {
            state: pod_state(pod, None, "", cluster),
            usage_milli: value,
            request_milli: 0,
        })
        .collect();
    let target = Target::AverageValue(milli(&source["target"]["averageValue"]));
    let none = || fail(NO_METRICS.to_owned());
    let (replicas, shown) = replicas::per_pod(scale.wanted, &samples, target, tolerances).ok_or_else(none)?;
    let current = json!({ "averageValue": Quantity::from_milli(shown).to_string() });
    let status = json!({ "type": "Pods", "pods": { "metric": source["metric"], "current": current } });
    Ok((replicas, format!("pods metric {name}"), status))
}

fn object(metric: &Value, scale: &Scale, tolerances: Tolerances, cluster: &Cluster) -> Result<Proposal, MetricError> {
    let source = &metric["object"];
    let (name, labels) = metric_identifier(source);
    let described = &source["describedObject"];
    let (kind, object_name) =
        (described["kind"].as_str().unwrap_or_default(), described["name"].as_str().unwrap_or_default());
    let shared = !source["target"]["averageValue"].is_null();
    let fail = |text: String| MetricError {
        reason: "FailedGetObjectMetric",
        text,
        prefix: match shared {
            true => format!("failed to get object metric value: failed to get {name} object metric: "),
            false => "failed to get object metric value: ".to_owned(),
        },
    };
    let namespace = cluster.namespace(scale.target);
    let found = kinds::by_kind(kind).and_then(|info| {
        let namespace = if info.namespaced { namespace } else { "" };
        cluster.find_any(info.kind, namespace, object_name)
    });
    let value = found.and_then(|object| cluster.metric_of_object(name, labels.as_ref(), object));
    let value = value.ok_or_else(|| {
        let of = custom_metric_error(cluster, name, &format!("{} {object_name}", kind.to_lowercase()));
        fail(format!("unable to get metric {name}: {kind} on {namespace} {object_name}/{of}"))
    })?;
    let (replicas, current) = of_one_value(&source["target"], value, scale, tolerances, cluster).map_err(fail)?;
    // Of a value that the pods share the controller forgets whose it is.
    let (described, text) = match shared {
        true => (
            json!({ "kind": "", "name": "" }),
            format!("external metric {name}({})", selector_text(&source["metric"]["selector"])),
        ),
        false => (described.clone(), format!("{kind} metric {name}")),
    };
    let status = json!({ "metric": source["metric"], "describedObject": described, "current": current });
    Ok((replicas, text, json!({ "type": "Object", "object": status })))
}

fn external(metric: &Value, scale: &Scale, tolerances: Tolerances, cluster: &Cluster) -> Result<Proposal, MetricError> {
    let source = &metric["external"];
    let (name, labels) = metric_identifier(source);
    let selector = selector_text(&source["metric"]["selector"]);
    let middle = match source["target"]["averageValue"].is_null() {
        true => format!("failed to get external metric {name}"),
        false => format!("failed to get {name} external metric"),
    };
    let fail = |text: String| MetricError {
        reason: "FailedGetExternalMetric",
        text,
        prefix: format!("failed to get {name} external metric value: {middle}: "),
    };
    let values = cluster.external_metric(name, labels.as_ref());
    if values.is_empty() {
        let why = match cluster.metrics_api.declared.is_empty() {
            true => "no external metrics API (external.metrics.k8s.io) registered",
            false => "no metrics returned from external metrics API",
        };
        let namespace = cluster.namespace(scale.target);
        return Err(fail(format!(
            "unable to get external metric {namespace}/{name}/{selector}: unable to fetch metrics from external metrics API: {why}"
        )));
    }
    let value = values.into_iter().fold(0, i64::saturating_add);
    let (replicas, current) = of_one_value(&source["target"], value, scale, tolerances, cluster).map_err(fail)?;
    let status = json!({ "metric": source["metric"], "current": current });
    Ok((replicas, format!("external metric {name}({selector})"), json!({ "type": "External", "external": status })))
}

/// The replicas that one value asks for, against a target for all pods or for each.
fn of_one_value(
    target: &Value,
    value: i64,
    scale: &Scale,
    tolerances: Tolerances,
    cluster: &Cluster,
) -> Result<(i32, Value), String> {
    if target["averageValue"].is_null() {
        let replicas = match scale.wanted {
            0 => replicas::by_value(0, 0, value, milli(&target["value"]), tolerances),
            wanted => {
                let ready = ready_pods(scale, cluster)?;
                replicas::by_value(wanted, ready, value, milli(&target["value"]), tolerances)
            }
        };
        return Ok((replicas, json!({ "value": Quantity::from_milli(value).to_string() })));
    }
    let (replicas, per_pod) = replicas::by_average(scale.current, value, milli(&target["averageValue"]), tolerances);
    Ok((replicas, json!({ "averageValue": Quantity::from_milli(per_pod).to_string() })))
}

/// Running pods that are ready (`getReadyPodsCount`).
fn ready_pods(scale: &Scale, cluster: &Cluster) -> Result<i32, String> {
    let mut pods = selected(scale, cluster).peekable();
    if pods.peek().is_none() {
        return Err(
            "unable to calculate ready pods: no pods returned by selector while calculating replica count".to_owned()
        );
    }
    let is_ready = |&pod: &PodId| {
        let row = cluster.pod(pod);
        row.phase == PodPhase::Running && row.conditions.is_true(cluster.words.ready)
    };
    Ok(i32::try_from(pods.filter(is_ready).count()).unwrap_or(i32::MAX))
}

/// Name and selector of a metric.
fn metric_identifier(source: &Value) -> (&str, Option<Selector>) {
    let metric = &source["metric"];
    let selector = metric["selector"].is_object().then(|| Selector::from_json(&metric["selector"]).ok()).flatten();
    (metric["name"].as_str().unwrap_or_default(), selector)
}

fn custom_metric_error(cluster: &Cluster, name: &str, of: &str) -> String {
    let why = match cluster.metrics_api.declared.is_empty() {
        true => "no custom metrics API (custom.metrics.k8s.io) registered".to_owned(),
        false => format!("the server could not find the metric {name} for {of}"),
    };
    format!("unable to fetch metrics from custom metrics API: {why}")
}

/// A label selector as Go prints it with `%+v`.
fn selector_text(selector: &Value) -> String {
    let Some(fields) = selector.as_object() else { return "nil".to_owned() };
    let labels = fields.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let labels: String = labels.map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or_default())).collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let expressions = fields.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let expressions: String = expressions
        .map(|one| {
            let values: Vec<String> = one["values"].as_array().into_iter().flatten().map(text).collect();
            let (key, operator, values) = (text(&one["key"]), text(&one["operator"]), values.join(" "));
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{values}],}},")
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

/// The pods of a target.
fn selected<'a>(scale: &'a Scale, cluster: &'a Cluster) -> impl Iterator<Item = PodId> + 'a {
    cluster.pods_in(cluster.meta(scale.target).namespace).filter(|&pod| {
        let labels = cluster.pod(pod).meta.labels;
        scale.selector.matches(|key| cluster.label(labels, key))
    })
}

/// What a pod or one of its containers uses of a resource, in thousandths, as metrics-server shows it.
fn usage(pod: PodId, container: Option<&str>, resource: &str, cluster: &Cluster) -> Option<UsageSample> {
    let sample = cluster.metrics_api.pod(pod)?;
    let counted = sample
        .containers
        .iter()
        .filter(|usage| container.is_none_or(|container| cluster.interner.text(usage.container) == container));
    let amounts = counted.map(|usage| match resource {
        "cpu" => Some(usage.cpu_milli),
        "memory" => Some(usage.memory_bytes.saturating_mul(1_000)),
        _ => None,
    });
    let milli = amounts.reduce(|a, b| Some(a?.saturating_add(b?)))??;
    Some(UsageSample { milli, at: sample.at, window: sample.window })
}

/// Whether a pod has been measured, and this container not.
fn lacks_container(pod: PodId, container: &str, cluster: &Cluster) -> bool {
    let measured = cluster.metrics_api.pod(pod);
    measured
        .is_some_and(|sample| sample.containers.iter().all(|usage| cluster.interner.text(usage.container) != container))
}

fn samples(
    scale: &Scale,
    resource: &str,
    container: Option<&str>,
    target: Target,
    cluster: &Cluster,
) -> Result<Vec<PodSample>, String> {
    let prefix = format!("unable to get metrics for resource {resource}: ");
    if !cluster.metrics_api.served {
        return Err(format!(
            "{prefix}unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
        ));
    }
    let (mut samples, mut any) = (Vec::new(), false);
    for pod in selected(scale, cluster) {
        if let Some(missing) = container.filter(|name| lacks_container(pod, name, cluster)) {
            let (namespace, name) = (cluster.namespace(pod), cluster.name(pod));
            return Err(format!(
                "{prefix}failed to get container metrics: container {missing} not present in metrics for pod {namespace}/{name}"
            ));
        }
        let usage = usage(pod, container, resource, cluster);
        any |= usage.is_some();
        let state = pod_state(pod, usage, resource, cluster);
        let needs = matches!(target, Target::Utilization(_));
        let request_milli = if needs { request(pod, container, resource, cluster) } else { Ok(0) };
        samples.push((state, usage, request_milli));
    }
    if !any {
        return Err(format!("{prefix}no metrics returned from resource metrics API"));
    }
    if !samples.iter().any(|(state, usage, _)| *state == PodState::Ready && usage.is_some()) {
        return Err(NO_METRICS.to_owned());
    }
    let sample = |(state, usage, request_milli): (PodState, Option<UsageSample>, Result<i64, String>)| {
        Ok(PodSample { state, usage_milli: usage.map(|sample| sample.milli), request_milli: request_milli? })
    };
    samples.into_iter().map(sample).collect()
}

/// How a pod counts (`groupPods`).
pub fn pod_state(pod: PodId, usage: Option<UsageSample>, resource: &str, cluster: &Cluster) -> PodState {
    let (row, now) = (cluster.pod(pod), cluster.now());
    if row.meta.is_deleting() || row.phase == PodPhase::Failed {
        return PodState::Ignored;
    }
    if row.phase == PodPhase::Pending {
        return PodState::Unready;
    }
    let Some(sample) = usage.filter(|_| resource == "cpu") else { return PodState::Ready };
    let (Some(ready), Some(start)) = (row.conditions.get(cluster.words.ready), row.start_time) else {
        return PodState::Unready;
    };
    let unready = if now < start + CPU_INITIALIZATION {
        ready.status == ConditionStatus::False || sample.at < ready.transition + sample.window
    } else {
        ready.status == ConditionStatus::False && ready.transition < start + INITIAL_READINESS
    };
    if unready { PodState::Unready } else { PodState::Ready }
}

/// The request of a pod or one of its containers in thousandths (`calculateRequests`): that of the pod as a whole if it has one,
/// else the sum over its containers and sidecars.
fn request(pod: PodId, container: Option<&str>, resource: &str, cluster: &Cluster) -> Result<i64, String> {
    let (spec, name) = (&cluster.spec_of(pod).typed, cluster.name(pod));
    let amount_of = |resources: Option<&ResourceRequirements>| {
        let requests = resources.and_then(|resources| resources.requests.as_ref())?;
        Some(requests.get(resource)?.0.parse::<Quantity>().ok()?.milli_value())
    };
    let sidecars =
        spec.init_containers.iter().flatten().filter(|init| init.restart_policy.as_deref() == Some("Always"));
    let mut containers =
        spec.containers.iter().chain(sidecars).filter(|one| container.is_none_or(|name| one.name == name));
    let whole = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    if container.is_none() && whole.is_some_and(|requests| !requests.is_empty()) {
        let own = amount_of(spec.resources.as_ref());
        let amounts = || containers.filter_map(|one| amount_of(one.resources.as_ref())).reduce(i64::saturating_add);
        return own.or_else(amounts).ok_or_else(|| format!("missing pod-level request for {resource} in Pod {name}"));
    }
    if let Some(wanted) = container {
        let one = containers.next().ok_or_else(|| format!("container {wanted} not found in Pod {name}"))?;
        return amount_of(one.resources.as_ref()).ok_or_else(|| missing_request(resource, &one.name, name));
    }
    containers.try_fold(0i64, |sum, one| {
        let amount = amount_of(one.resources.as_ref()).ok_or_else(|| missing_request(resource, &one.name, name))?;
        Ok(sum.saturating_add(amount))
    })
}

fn missing_request(resource: &str, container: &str, pod: &str) -> String {
    format!("missing request for {resource} in container {container} of Pod {pod}")
}

fn milli(value: &Value) -> i64 {
    serde_json::from_value::<Quantity>(value.clone()).map_or(0, |quantity| quantity.milli_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_told_as_go_prints_them() {
        for (selector, expected) in [
            (Value::Null, "nil"),
            (
                json!({ "matchLabels": { "a": "b", "c": "d" } }),
                "&LabelSelector{MatchLabels:map[string]string{a: b,c: d,},MatchExpressions:[]LabelSelectorRequirement{},}",
            ),
            (
                json!({ "matchExpressions": [{ "key": "k", "operator": "In", "values": ["x", "y"] }] }),
                "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}",
            ),
        ] {
            assert_eq!(selector_text(&selector), expected);
        }
    }
}
