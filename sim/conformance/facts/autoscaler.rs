//! `hpa.*` that are about the whole controller: metrics that are missing, conditions, the log of changes, how pods are grouped.

use serde_json::{Value, json};

use super::lab::{Lab, template};
use super::{Answer, int, ints, members, numbers, one_of, only, stated};
use crate::api::selector::Selector;
use crate::cluster::objects::{HorizontalPodAutoscaler, ScalingPolicy, ScalingRules};
use crate::cluster::{
    ConditionStatus, ContainerUsage, DeclaredMetric, MetricSubject, ObjId, ObjectRef, PodId, PodMetrics, PodPhase,
};
use crate::controllers::horizontal_pod_autoscaler::behavior::{Record, changed, store_change};
use crate::controllers::horizontal_pod_autoscaler::replicas::PodState;
use crate::controllers::horizontal_pod_autoscaler::{HorizontalPodAutoscalerController, UsageSample, pod_state};
use crate::engine::{Curve, Span, Time};

/// An instant late enough for everything that lies before it.
const NOW: Time = Time::from_secs(100_000);

pub(super) fn case(rule: &str, case: &Value) -> Answer {
    let (input, out) = (&case["in"], &case["out"]);
    match rule {
        "resource_metric" if out.is_string() => missing(input, out),
        "reconcile" => reconcile(input, out),
        "store_scale_events" => store(input, out),
        "pod_grouping" => grouping(input, out),
        _ => None,
    }
}

/// What the controller is given.
#[derive(Default)]
struct Given {
    replicas: i32,
    /// Thousandths of a core of each pod that has a sample.
    cpu: Vec<i64>,
    /// Thousandths of a core that each pod requests.
    request: Option<i64>,
    metrics: Vec<Value>,
    bounds: (i32, i32),
    last_scale: bool,
    /// The target cannot be read.
    no_target: bool,
    /// The target cannot be written: a policy of admission forbids every change of it.
    unwritable: bool,
}

/// A Deployment and its autoscaler after one look.
struct Looked {
    lab: Lab,
    autoscaler: ObjId,
    target: ObjId,
}

impl Looked {
    fn autoscaler(&self) -> &HorizontalPodAutoscaler {
        self.lab.cluster.get(self.autoscaler)
    }

    /// Status, reason and message of a condition.
    fn condition(&self, kind: &str) -> Option<(&'static str, &str, &str)> {
        let cluster = &self.lab.cluster;
        let condition = self.autoscaler().conditions.get(cluster.interner.find(kind)?)?;
        let status = match condition.status {
            ConditionStatus::True => "True",
            ConditionStatus::False => "False",
            ConditionStatus::Unknown => "Unknown",
        };
        Some((status, cluster.interner.text(condition.reason), cluster.interner.text(condition.message)))
    }

    fn replicas(&self) -> i64 {
        self.lab.cluster.export(ObjectRef::Object(self.target))["spec"]["replicas"].as_i64().unwrap_or(-1)
    }
}

fn look(given: &Given, declared: Vec<DeclaredMetric>) -> Option<Looked> {
    let mut lab = Lab::new(vec![Box::new(HorizontalPodAutoscalerController::default())]);
    let node = lab.node("n1");
    lab.write(|cluster| {
        cluster.metrics_api.served = true;
        cluster.metrics_api.declared = declared;
    });
    let mut pods: Vec<PodId> = Vec::new();
    for nth in 0..given.replicas.max(i32::try_from(given.cpu.len()).ok()?) {
        let mut pod = template("web", "v1");
        pod["kind"] = "Pod".into();
        pod["metadata"]["name"] = format!("p{nth}").into();
        if let Some(request) = given.request {
            pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = format!("{request}m").into();
        }
        let ObjectRef::Pod(pod) = lab.create(&pod)? else { return None };
        lab.write(|cluster| cluster.bind(pod, node));
        lab.run(pod, true);
        pods.push(pod);
    }
    let target = lab.object(&json!({
        "kind": "Deployment", "metadata": { "name": "web" },
        "spec": { "replicas": given.replicas, "selector": { "matchLabels": { "app": "web" } }, "template": template("web", "v1") },
        "status": { "replicas": given.replicas },
    }))?;
    if given.unwritable {
        forbid_changes(&mut lab)?;
    }
    lab.run_to(NOW);
    let (min, max) = given.bounds;
    let autoscaler = lab.object(&json!({
        "kind": "HorizontalPodAutoscaler", "metadata": { "name": "web" },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": if given.no_target { "none" } else { "web" } },
            "minReplicas": min, "maxReplicas": max, "metrics": given.metrics,
        },
    }))?;
    lab.write(|cluster| {
        let container = cluster.interner.sym("c");
        let sample = |cpu_milli| {
            let containers = vec![ContainerUsage { container, cpu_milli, memory_bytes: 0 }];
            PodMetrics { at: NOW, window: Span::from_secs(15), containers }
        };
        let samples: Vec<(PodId, PodMetrics)> =
            pods.iter().zip(&given.cpu).map(|(&pod, &cpu)| (pod, sample(cpu))).collect();
        cluster.metrics_api.publish(samples);
        if given.last_scale {
            cluster.update_status::<HorizontalPodAutoscaler>(autoscaler, |hpa| hpa.last_scale = Some(NOW));
        }
    });
    lab.after(15);
    Some(Looked { lab, autoscaler, target })
}

/// From now on admission denies every update of a Deployment.
fn forbid_changes(lab: &mut Lab) -> Option<()> {
    let rule = json!({ "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments", "deployments/scale"] });
    lab.object(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": { "name": "frozen" },
        "spec": { "failurePolicy": "Fail", "matchConstraints": { "resourceRules": [rule] },
            "validations": [{ "expression": "false", "message": "frozen" }] },
    }))?;
    lab.object(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": "frozen" },
        "spec": { "policyName": "frozen", "validationActions": ["Deny"] },
    }))?;
    Some(())
}

fn cpu_metric(percent: &Value) -> Value {
    json!({ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": percent } } })
}

/// `error: ...`, `error contains: ...`.
fn missing(input: &Value, out: &Value) -> Answer {
    let text = out.as_str()?;
    let wanted = text.strip_prefix("error contains: ").or(text.strip_prefix("error: "))?;
    let replicas = int(input, "currentReplicas").filter(|count| (0..=1_000).contains(count))?;
    let said = |key: &str| !input[key].is_null();
    let (usage, requests) = (ints(&input["usage_m"])?, ints(&input["request_m"])?);
    let target = if said("targetUtilization") { input["targetUtilization"].as_i64()? } else { 50 };
    let given = Given {
        replicas,
        cpu: if said("usage_m") { usage } else { vec![100; usize::try_from(replicas).ok()?] },
        request: if said("request_m") { requests.first().copied() } else { Some(1_000) },
        metrics: vec![cpu_metric(&json!(target))],
        bounds: (1, 100),
        ..Given::default()
    };
    let looked = look(&given, Vec::new())?;
    let (_, _, message) = looked.condition("ScalingActive")?;
    stated(out, message.contains(wanted), message)
}

/// One look at a Deployment. Fields: `min`, `max`, `cur`; CPU as `cpu_m` (or `usage_m`) with `cpuTarget` (or `target_pct`) and a request;
/// `pods_qps` with `target` or `qps_target`; another metric that fails; a scale that cannot be read or written.
fn reconcile(input: &Value, out: &Value) -> Answer {
    let replicas = int(input, "cur").filter(|count| (0..=1_000).contains(count))?;
    let whole =
        ["min", "max", "cpuTarget", "target_pct", "target", "qps_target", "usage_m", "req_m", "request_m", "req"];
    if !whole.iter().all(|key| input[*key].is_null() || input[*key].is_i64()) {
        return None;
    }
    let listed = if input["cpu_m"].is_null() { None } else { Some(ints(&input["cpu_m"])?) };
    let one = input["usage_m"].as_i64().map(|usage| vec![usage; usize::try_from(replicas).unwrap_or(0)]);
    let cpu = listed.or(one).unwrap_or_default();
    let request = ["req_m", "request_m", "req"].iter().find_map(|key| input[*key].as_i64()).unwrap_or(1_000);
    let mut metrics = Vec::new();
    if let Some(target) = ["cpuTarget", "target_pct"].iter().map(|key| &input[*key]).find(|value| value.is_i64()) {
        metrics.push(cpu_metric(target));
    }
    let qps = ints(&input["pods_qps"])?;
    let mut declared = Vec::new();
    let qps_target = [&input["target"], &input["qps_target"]].into_iter().find(|value| value.is_number());
    if let Some(target) = qps_target {
        metrics.push(json!({ "type": "Pods", "pods": { "metric": { "name": "qps" },
            "target": { "type": "AverageValue", "averageValue": target.to_string() } } }));
        // The values are shared out by their mean: a Pods metric looks at nothing else.
        let values = if qps.is_empty() { &cpu } else { &qps };
        let factor = if qps.is_empty() { 1.0 } else { 1_000.0 };
        let mean = values.iter().sum::<i64>() as f64 * factor / values.len().max(1) as f64;
        let selector = Selector::from_json(&json!({ "matchLabels": { "app": "web" } })).ok()?;
        let subject = MetricSubject::Pods { namespace: "default".to_owned(), selector, shared: false };
        let (name, labels) = ("qps".to_owned(), Default::default());
        declared.push(DeclaredMetric { name, labels, subject, value: Curve::Constant(mean) });
    }
    if !input["other_metric"].is_null() {
        let other = input["other_metric"].as_str()?.strip_suffix(" failing")?;
        let target = json!({ "type": "Value", "value": "1" });
        metrics.push(match other {
            "external" => {
                json!({ "type": "External", "external": { "metric": { "name": "queue" }, "target": target } })
            }
            "object" => json!({ "type": "Object", "object": { "metric": { "name": "hits" }, "target": target,
                "describedObject": { "kind": "Service", "name": "web" } } }),
            "pods" => json!({ "type": "Pods", "pods": { "metric": { "name": "none" },
                "target": { "type": "AverageValue", "averageValue": "1" } } }),
            _ => return None,
        });
    }
    if metrics.is_empty() {
        metrics.push(cpu_metric(&json!(80)));
    }
    let fails =
        |key: &str| if input[key].is_null() { Some(false) } else { Some(!one_of(&input[key], &["fails"])?.is_empty()) };
    if !input["lastScale"].is_null() {
        one_of(&input["lastScale"], &["now"])?;
    }
    let given = Given {
        replicas,
        cpu,
        request: Some(request),
        metrics,
        bounds: (int(input, "min").unwrap_or(1), int(input, "max").unwrap_or(replicas.saturating_mul(10).max(10))),
        last_scale: !input["lastScale"].is_null(),
        no_target: fails("scale_get")?,
        unwritable: fails("scale_update")?,
    };
    let looked = look(&given, declared)?;
    agrees(&looked, out)
}

/// `desired`, conditions by type as `Status Reason`, or all of it in one text.
fn agrees(looked: &Looked, out: &Value) -> Answer {
    let shows = |kind: &str, text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        looked
            .condition(kind)
            .is_some_and(|(status, reason, _)| words.iter().all(|word| *word == status || *word == reason))
    };
    let got = format!(
        "{} replicas, desired {}, {:?} {:?} {:?}",
        looked.replicas(),
        looked.autoscaler().desired_replicas,
        looked.condition("AbleToScale"),
        looked.condition("ScalingActive"),
        looked.condition("ScalingLimited")
    );
    let all = match out {
        Value::Number(_) => out.as_i64() == Some(looked.replicas()),
        Value::String(text) => text.split([',', ';']).map(str::trim).all(|part| match part.split_once(' ') {
            Some(("stays", count)) => count.parse::<i64>().ok() == Some(looked.replicas()),
            Some((kind, rest)) => shows(kind, rest),
            None => false,
        }),
        Value::Object(fields) => fields.iter().all(|(key, want)| match key.as_str() {
            "desired" => want.as_i64() == Some(looked.replicas()),
            "conditions" => want.as_str().is_some_and(|text| {
                text.split(';')
                    .map(str::trim)
                    .all(|part| part.split_once(' ').is_some_and(|(kind, rest)| shows(kind, rest)))
            }),
            "note" => true,
            kind => want.as_str().is_some_and(|text| shows(kind, text)),
        }),
        _ => return None,
    };
    stated(out, all, got)
}

/// Policies as `[pods, period, percent, period]`; changes as `[size, seconds ago]`. `7 outdated` is one that is kept but too old.
fn store(input: &Value, out: &Value) -> Answer {
    let policies = match (&input["policies"], ints(&input["policies"])?.as_slice()) {
        (Value::Null, _) => None,
        (_, &[pods, period, percent, other_period]) => {
            let policy = |percent, value: i64, period: i64| {
                let (value, period) = (i32::try_from(value).ok()?, Span::from_secs(u64::try_from(period).ok()?));
                Some(ScalingPolicy { percent, value, period })
            };
            Some(vec![policy(false, pods, period)?, policy(true, percent, other_period)?])
        }
        _ => return None,
    };
    let mut records: Vec<Record> = Vec::new();
    for entry in input["prev"].as_array()? {
        let replicas = i32::try_from(entry[0].as_i64()?).ok()?;
        records.push(Record { replicas, at: NOW - Span::from_secs(entry[1].as_u64()?) });
    }
    let sum = changed(&records, Span::from_secs(60), NOW);
    let change = if input["change"].is_null() { 5 } else { int(input, "change")? };
    let mut longest = Span::MAX;
    // Without `behavior` nothing is stored: the controller does not ask.
    if let Some(policies) = policies {
        longest = policies.iter().map(|policy| policy.period).max().unwrap_or(Span::ZERO);
        let rules = ScalingRules { policies, ..ScalingRules::lower(&Value::Null, true) };
        store_change(&mut records, change, &rules, NOW);
    }
    let texts = records.iter().map(|record| match NOW.since(record.at) < longest {
        true => json!(record.replicas),
        false => json!(format!("{} outdated", record.replicas)),
    });
    let got = json!({ "stored": texts.collect::<Vec<_>>(), "sum60": sum });
    members(out, &got)
}

/// A pod by `started_ago`, `ready` (`True since 30s`, `False`), `transition_ago`, `sample_age`, `window`; or in words by `pod`.
fn grouping(input: &Value, out: &Value) -> Answer {
    let words = if input["pod"].is_null() { "" } else { input["pod"].as_str()? };
    only(
        words,
        "succeeded failed pending running deleting or metric metrics sample present missing no ready condition",
    )?;
    let times = ["started_ago", "transition_ago", "sample_age", "window"];
    if !times.iter().all(|key| input[*key].is_null() || input[*key].is_u64()) {
        return None;
    }
    if !input["ready"].is_null() {
        only(input["ready"].as_str()?, "true false since s")?;
    }
    let seconds = |key: &str| input[key].as_u64().map(Span::from_secs);
    let resource = match one_of(&input["metric"], &["any", "cpu", "memory"])? {
        "any" => "cpu",
        metric => metric,
    };
    let mut wanted = out.as_str()?.split(' ');
    let wanted = wanted.next()?;
    // `deleting or Failed` are two pods.
    let mut got = Vec::new();
    for variant in words.split(" or ") {
        let mut lab = Lab::new(Vec::new());
        let node = lab.node("n1");
        let mut manifest = template("web", "v1");
        manifest["kind"] = "Pod".into();
        manifest["metadata"]["name"] = "p".into();
        let ObjectRef::Pod(pod) = lab.create(&manifest)? else { return None };
        lab.write(|cluster| cluster.bind(pod, node));
        let started = NOW - seconds("started_ago").unwrap_or(Span::from_secs(3_600));
        lab.run_to(started);
        lab.write(|cluster| {
            cluster.set_start_time(pod, started);
            let phase = ["Pending", "Succeeded", "Failed"].into_iter().find(|phase| variant.contains(phase));
            let phase = phase.and_then(PodPhase::parse).unwrap_or(PodPhase::Running);
            cluster.set_pod_phase(pod, phase, crate::cluster::Sym::EMPTY, crate::cluster::Sym::EMPTY);
        });
        let ready = input["ready"].as_str();
        let since =
            ready.and_then(|text| numbers(text).first().copied()).map(|ago| Span::from_secs(ago.unsigned_abs()));
        let since = since.or(seconds("transition_ago")).unwrap_or(Span::ZERO);
        if let (Some(text), false) = (ready, words.contains("no Ready")) {
            let status = ConditionStatus::from(text.starts_with("True"));
            // Before that it was the other way round.
            let other = ConditionStatus::from(!text.starts_with("True"));
            let kind = lab.cluster.words.ready;
            let none = crate::cluster::Sym::EMPTY;
            lab.write(|cluster| cluster.set_pod_condition(pod, kind, other, none, none));
            lab.run_to((NOW - since).max(started));
            lab.write(|cluster| cluster.set_pod_condition(pod, kind, status, none, none));
        }
        lab.run_to(NOW);
        if variant.contains("deleting") {
            lab.write(|cluster| cluster.delete_pod(pod, Some(30)));
        }
        let age = seconds("sample_age").unwrap_or(Span::ZERO);
        let window = seconds("window").unwrap_or(Span::from_secs(60));
        let has_sample = !words.contains("no metric") && !words.contains("missing");
        let sample = has_sample.then_some(UsageSample { milli: 100, at: NOW - age, window });
        got.push(match pod_state(pod, sample, resource, &lab.cluster) {
            PodState::Ready if has_sample => "ready",
            PodState::Ready => "missing",
            PodState::Unready => "unready",
            PodState::Ignored => "ignored",
        });
    }
    stated(out, got.iter().all(|state| *state == wanted.trim_end_matches(',')), got)
}
