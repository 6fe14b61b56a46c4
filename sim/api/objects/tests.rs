//! One wrong field each, and what the API server says of it (Kubernetes 1.36 sources).

use serde_json::{Value, json};

use crate::api::accept::{AcceptContext, accept};

/// A valid object of a kind.
fn valid(kind: &str) -> Value {
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let workload = |kind: &str| {
        let spec = json!({"selector": {"matchLabels": {"a": "b"}}, "template": template});
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec})
    };
    match kind {
        "Pod" => json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "spec": template["spec"]}),
        "Deployment" | "DaemonSet" => workload(kind),
        "Service" => {
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}]}})
        }
        "Ingress" => {
            let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}});
            json!({"apiVersion": "networking.k8s.io/v1", "kind": kind, "metadata": {"name": "x"},
                "spec": {"rules": [{"http": {"paths": [path]}}]}})
        }
        "PersistentVolume" => json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/d"}}}),
        "EndpointSlice" => {
            json!({"apiVersion": "discovery.k8s.io/v1", "kind": kind, "metadata": {"name": "x"}, "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.1.2.3"]}], "ports": []})
        }
        "Endpoints" => json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "subsets": [
            {"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]}),
        "HorizontalPodAutoscaler" => {
            json!({"apiVersion": "autoscaling/v2", "kind": kind, "metadata": {"name": "x"}, "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}, "maxReplicas": 3}})
        }
        "Node" => json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "spec": {}}),
        "ControllerRevision" => {
            json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"}, "data": {}, "revision": 1})
        }
        kind => json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}}),
    }
}

/// Sets the value at a JSON pointer, whose last part may be new.
fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    for part in pointer.split('/').skip(1) {
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part],
        };
    }
    *at = value;
}

fn said(kind: &str, pointer: &str, value: Value) -> Vec<String> {
    let mut object = valid(kind);
    set(&mut object, pointer, value);
    match accept(&object, &AcceptContext::default()) {
        Ok(_) => Vec::new(),
        Err(refusal) => refusal.causes.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn one_wrong_field() {
    const LABEL_KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                             alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                             '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    let labels = format!("spec.template.labels: Invalid value: \"x y\": {LABEL_KEY}");
    for (kind, pointer, value, expected) in [
        ("Deployment", "/spec/template/metadata/labels", json!({"a": "b", "x y": "z"}), labels.as_str()),
        (
            "DaemonSet",
            "/spec/updateStrategy",
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "x"}}),
            "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string must be a numeric string followed by an \
          ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
        ),
        (
            "Pod",
            "/spec/containers/0/securityContext",
            json!({"windowsOptions": {"runAsUserName": ""}}),
            "spec.containers[0].securityContext.windowsOptions.runAsUserName: Invalid value: \"\": runAsUserName cannot be an empty string",
        ),
        (
            "Pod",
            "/spec/containers/0/securityContext",
            json!({"windowsOptions": {"hostProcess": true}}),
            "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
        ),
        (
            "Pod",
            "/spec/containers/0/securityContext",
            json!({"seccompProfile": {"type": "RuntimeDefault", "localhostProfile": "x"}}),
            "spec.containers[0].securityContext.seccompProfile.localhostProfile: Invalid value: \
          {\"Type\":\"RuntimeDefault\",\"LocalhostProfile\":\"x\"}: can only be set when seccomp type is Localhost",
        ),
        (
            "Pod",
            "/metadata/ownerReferences",
            json!([{"apiVersion": "v1", "kind": "Event", "name": "a", "uid": "b", "controller": true}]),
            "metadata.ownerReferences: Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"a\",\"uid\":\"b\",\"controller\":true}: \
          /v1, Kind=Event is disallowed from being an owner",
        ),
        (
            "Service",
            "/spec",
            json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}),
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
        ),
        (
            "Service",
            "/metadata/annotations",
            json!({"service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8"}),
            "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            "Service",
            "/metadata/annotations",
            json!({"service.kubernetes.io/topology-mode": "Auto", "service.kubernetes.io/topology-aware-hints": "Disabled"}),
            "metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: \"Auto\": must match \
          annotations[service.kubernetes.io/topology-aware-hints] when both are specified",
        ),
        (
            "Ingress",
            "/spec/rules/0/http/paths/0/pathType",
            json!(null),
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
        ),
        (
            "Ingress",
            "/spec/rules/0/http/paths/0/backend",
            json!({}),
            "spec.rules[0].http.paths[0].backend: Invalid value: \"\": resource or service backend is required",
        ),
        (
            "Ingress",
            "/spec/defaultBackend",
            json!({"resource": {"kind": "Bucket", "name": ""}}),
            "spec.defaultBackend.resource.name: Required value: name is required",
        ),
        (
            "Namespace",
            "/spec",
            json!({"finalizers": ["foo"]}),
            "spec.finalizers: Invalid value: \"foo\": name is neither a standard finalizer name nor is it fully qualified",
        ),
        (
            "Node",
            "/spec/podCIDRs",
            json!(["10.0.0.0/24", "fd00::/64", "10.0.0.0/24"]),
            "spec.podCIDRs: Invalid value: [\"10.0.0.0/24\",\"fd00::/64\",\"10.0.0.0/24\"]: may specify no more than one CIDR for each IP family\n\
          spec.podCIDRs[2]: Duplicate value: \"10.0.0.0/24\"",
        ),
        (
            "EndpointSlice",
            "/endpoints/0/hints",
            json!({"forZones": [{"name": "z"}, {"name": "z"}]}),
            "endpoints[0].hints.forZones[1].name: Duplicate value: \"z\"",
        ),
        (
            "Endpoints",
            "/subsets",
            json!([{"ports": [{"port": 80}]}]),
            "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`",
        ),
        (
            "Endpoints",
            "/subsets/0/addresses/0/ip",
            json!("127.0.0.1"),
            "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (
            "HorizontalPodAutoscaler",
            "/spec/behavior",
            json!({"scaleUp": {"tolerance": "-0.1"}}),
            "spec.behavior.scaleUp.tolerance: Invalid value: \"-100m\": must be greater than or equal to 0",
        ),
        (
            "ControllerRevision",
            "/revision",
            json!(-1),
            "revision: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "PersistentVolume",
            "/spec/capacity/storage",
            json!("-1"),
            "spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity\n\
          spec.capacity[storage]: Invalid value: \"-1\": must be greater than zero",
        ),
    ] {
        assert_eq!(said(kind, pointer, value.clone()).join("\n"), expected, "{kind} {pointer} {value}");
    }
}
