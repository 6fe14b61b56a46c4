//! Objects made for another: the Service that exposes it, the autoscaler that scales it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Generated;
use super::flags::{int_or_text, labels, number, text};
use crate::api::kinds::KindInfo;
use crate::kubectl::command::Autoscale;

/// The longest name of a Service.
const MAX_NAME: usize = 63;

/// `kubectl expose`: the Service in front of an object.
///
/// # Errors
///
/// What kubectl prints, beginning with `error: `.
pub fn exposed(
    info: &'static KindInfo,
    target: &Value,
    flags: &BTreeMap<String, Vec<String>>,
) -> Result<Generated, String> {
    service(info, target, flags).map_err(|what| format!("error: {what}"))
}

fn service(info: &KindInfo, target: &Value, flags: &BTreeMap<String, Vec<String>>) -> Result<Generated, String> {
    if !matches!(info.kind, "Pod" | "Service" | "ReplicationController" | "Deployment" | "ReplicaSet") {
        return Err(format!("cannot expose a {}", info.resource()));
    }
    if flags.contains_key("overrides") {
        return Err("--overrides is not supported here; write the Service as a manifest and apply it".to_owned());
    }
    let selector = match text(flags, "selector") {
        "" => selector_of(info.kind, target)?,
        given => labels(given)?,
    };
    let is_headless = text(flags, "cluster-ip") == "None";
    let known = ports_of(info.kind, target);
    let numbers: Vec<String> = match text(flags, "port") {
        "" => known.iter().map(|(number, _)| number.to_string()).collect(),
        given => given.split(',').map(str::to_owned).collect(),
    };
    if numbers.is_empty() && !is_headless {
        return Err("couldn't find port via --port flag or introspection".to_owned());
    }
    let mut ports = Vec::new();
    for (index, given) in numbers.iter().enumerate() {
        let number: u16 = given.parse().map_err(|_| format!("strconv.Atoi: parsing {given:?}: invalid syntax"))?;
        let protocol =
            known.iter().find(|(other, _)| *other == i64::from(number)).map(|(_, protocol)| protocol.as_str());
        let protocol = match text(flags, "protocol") {
            "" => protocol.unwrap_or("TCP"),
            given => given,
        };
        let mut port = json!({ "port": number, "protocol": protocol, "targetPort": number });
        if numbers.len() > 1 {
            port["name"] = json!(format!("port-{}", index + 1));
        }
        if !text(flags, "target-port").is_empty() {
            port["targetPort"] = int_or_text(text(flags, "target-port"));
        }
        ports.push(port);
    }
    let mut spec = json!({ "selector": selector });
    if !ports.is_empty() {
        spec["ports"] = json!(ports);
    }
    for (flag, field) in [
        ("type", "type"),
        ("load-balancer-ip", "loadBalancerIP"),
        ("session-affinity", "sessionAffinity"),
        ("cluster-ip", "clusterIP"),
    ] {
        if !text(flags, flag).is_empty() {
            spec[field] = json!(text(flags, flag));
        }
    }
    if !text(flags, "external-ip").is_empty() {
        spec["externalIPs"] = json!([text(flags, "external-ip")]);
    }
    let own = target["metadata"]["name"].as_str().unwrap_or_default();
    let name = match text(flags, "name") {
        "" => own.get(..own.len().min(MAX_NAME)).unwrap_or(own),
        given => given,
    };
    let mut metadata = json!({ "name": name });
    let own_labels = match text(flags, "labels") {
        "" => target["metadata"]["labels"].clone(),
        given => labels(given)?,
    };
    if own_labels.is_object() {
        metadata["labels"] = own_labels;
    }
    let object = json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec });
    Ok(Generated { object, failure: String::new(), manager: "kubectl-expose" })
}

/// The labels of the pods behind an object (kubectl, `mapBasedSelectorForObject`).
fn selector_of(kind: &str, target: &Value) -> Result<Value, String> {
    let spec = &target["spec"];
    let is_empty = |labels: &Value| labels.as_object().is_none_or(serde_json::Map::is_empty);
    match kind {
        "Pod" if is_empty(&target["metadata"]["labels"]) => {
            Err("the pod has no labels and cannot be exposed".to_owned())
        }
        "Pod" => Ok(target["metadata"]["labels"].clone()),
        "Service" if is_empty(&spec["selector"]) => Err("the service has no pod selector set".to_owned()),
        "Service" | "ReplicationController" => Ok(spec["selector"].clone()),
        _ => match spec["selector"]["matchExpressions"].as_array() {
            Some(expressions) if !expressions.is_empty() => {
                let shown = Value::from(expressions.clone());
                Err(format!("couldn't convert expressions - \"{shown}\" to map-based selector format"))
            }
            _ => Ok(spec["selector"]["matchLabels"].clone()),
        },
    }
}

/// The ports of an object with their protocols.
fn ports_of(kind: &str, target: &Value) -> Vec<(i64, String)> {
    let of = |owner: &Value, field: &str| -> Vec<(i64, String)> {
        let ports = owner["ports"].as_array().into_iter().flatten();
        let protocol = |port: &Value| port["protocol"].as_str().unwrap_or("TCP").to_owned();
        ports.filter_map(|port| Some((port[field].as_i64()?, protocol(port)))).collect()
    };
    let spec = match kind {
        "Service" => return of(&target["spec"], "port"),
        "Pod" => &target["spec"],
        _ => &target["spec"]["template"]["spec"],
    };
    spec["containers"].as_array().into_iter().flatten().flat_map(|container| of(container, "containerPort")).collect()
}

/// `kubectl autoscale`: the autoscaler of a workload.
///
/// # Errors
///
/// What kubectl prints, beginning with `error: `.
pub fn autoscaled(info: &'static KindInfo, name: &str, command: &Autoscale) -> Result<Generated, String> {
    if !matches!(info.kind, "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet") {
        let resource = info.resource();
        return Err(format!(
            "error: cannot autoscale a {}: no kind {:?} can be scaled ({resource})",
            info.kind, info.kind
        ));
    }
    if let Some(min) = command.min.filter(|&min| min > command.max) {
        let max = command.max;
        return Err(format!("error: --max=MAXPODS must be larger or equal to --min=MINPODS, max: {max}, min: {min}"));
    }
    let mut spec = json!({
        "scaleTargetRef": { "apiVersion": info.api_version(), "kind": info.kind, "name": name },
        "maxReplicas": command.max,
    });
    if let Some(min) = command.min.filter(|&min| min > 0) {
        spec["minReplicas"] = json!(min);
    }
    let given = [("cpu", &command.cpu), ("memory", &command.memory)];
    let metrics = given.into_iter().filter_map(|(resource, given)| Some((resource, given.as_deref()?)));
    let metrics = metrics.map(|(resource, given)| metric(resource, given)).collect::<Result<Vec<_>, _>>()?;
    if !metrics.is_empty() {
        spec["metrics"] = json!(metrics);
    }
    let metadata = json!({ "name": command.name.as_deref().unwrap_or(name) });
    let object = json!({ "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec });
    Ok(Generated { object, failure: String::new(), manager: "kubectl-autoscale" })
}

fn metric(resource: &str, given: &str) -> Result<Value, String> {
    let target = match given.strip_suffix('%') {
        Some(share) => {
            let flags = BTreeMap::from([(resource.to_owned(), vec![share.to_owned()])]);
            let share = number(&flags, resource).map_err(|what| format!("error: {what}"))?;
            json!({ "type": "Utilization", "averageUtilization": share })
        }
        None => json!({ "type": "AverageValue", "averageValue": given }),
    };
    Ok(json!({ "type": "Resource", "resource": { "name": resource, "target": target } }))
}
