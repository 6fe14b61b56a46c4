//! One row per check, version and mode of PodSecurity.

use serde_json::{Value, json};

use super::*;
use crate::api::admission::{NamespaceState, validate};
use crate::api::kinds;

/// A pod that meets the restricted standard, changed by a merge patch.
fn pod(patch: Value) -> Value {
    let mut pod = json!({ "metadata": { "name": "p" }, "spec": {
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{ "name": "a", "image": "i", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } } }],
    } });
    crate::api::patch::json_merge(&mut pod, &patch);
    pod
}

/// The same with two containers that have these fields besides.
fn two(fields: Value) -> Value {
    let container = |name: &str| {
        let mut container = json!({ "name": name, "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } } });
        crate::api::patch::json_merge(&mut container, &fields);
        container
    };
    pod(json!({ "spec": { "containers": [container("b"), container("c")] } }))
}

fn texts_of(level: Level, version: Version, pod: &Value) -> Vec<String> {
    let found = violations(Standard { level, version }, pod);
    found.iter().map(|violation| details(std::slice::from_ref(violation))).collect()
}

#[test]
fn baseline_checks() {
    let secure = |context: Value| two(json!({ "securityContext": context }));
    let of_pod = |context: Value| pod(json!({ "spec": { "securityContext": context } }));
    for (pod, expected) in [
        (
            of_pod(json!({ "appArmorProfile": { "type": "Unconfined" } })),
            "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\")",
        ),
        (
            pod(
                json!({ "metadata": { "annotations": { "container.apparmor.security.beta.kubernetes.io/a": "unconfined" } } }),
            ),
            "forbidden AppArmor profile (annotation must not set AppArmor profile type to \
             \"container.apparmor.security.beta.kubernetes.io/a=\"unconfined\"\")",
        ),
        (
            secure(json!({ "capabilities": { "add": ["SYS_ADMIN", "CHOWN", "NET_ADMIN"] } })),
            "non-default capabilities (containers \"b\", \"c\" must not include \"NET_ADMIN\", \"SYS_ADMIN\" in \
             securityContext.capabilities.add)",
        ),
        (
            pod(json!({ "spec": { "hostPID": true, "hostNetwork": true } })),
            "host namespaces (hostNetwork=true, hostPID=true)",
        ),
        (
            pod(json!({ "spec": { "volumes": [{ "name": "v", "hostPath": { "path": "/" } }] } })),
            "hostPath volumes (volume \"v\")",
        ),
        (
            two(
                json!({ "ports": [{ "containerPort": 80, "hostPort": 80 }, { "containerPort": 1, "hostPort": 8080 }] }),
            ),
            "hostPort (containers \"b\", \"c\" use hostPorts 80, 8080)",
        ),
        (
            two(json!({ "livenessProbe": { "httpGet": { "host": "10.0.0.1", "port": 1 } } })),
            "probe or lifecycle host (containers \"b\", \"c\" use probe or lifecycle host \"10.0.0.1\")",
        ),
        (
            secure(json!({ "privileged": true })),
            "privileged (containers \"b\", \"c\" must not set securityContext.privileged=true)",
        ),
        (
            secure(json!({ "procMount": "Unmasked" })),
            "procMount (containers \"b\", \"c\" must not set securityContext.procMount to \"Unmasked\")",
        ),
        (
            of_pod(json!({ "seLinuxOptions": { "type": "spc_t", "user": "u", "role": "r" } })),
            "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not be set; role may not be set)",
        ),
        (
            secure(json!({ "seccompProfile": { "type": "Unconfined" } })),
            "seccompProfile (containers \"b\", \"c\" must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
        (
            of_pod(
                json!({ "sysctls": [{ "name": "kernel.msgmax", "value": "1" }, { "name": "net.ipv4.tcp_rmem", "value": "1" }] }),
            ),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            of_pod(json!({ "windowsOptions": { "hostProcess": true } })),
            "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        ),
    ] {
        assert_eq!(texts_of(Level::Baseline, Version::Latest, &pod), [expected]);
        assert!(texts_of(Level::Privileged, Version::Latest, &pod).is_empty());
    }
    assert!(texts_of(Level::Restricted, Version::Latest, &pod(json!({}))).is_empty(), "nothing is wrong with the base");
}

#[test]
fn restricted_checks() {
    let one = |context: Value| {
        let container = json!({ "name": "a", "securityContext": context });
        pod(json!({ "spec": { "containers": [container] } }))
    };
    let good = json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
    let with = |more: Value| {
        let mut context = good.clone();
        crate::api::patch::json_merge(&mut context, &more);
        one(context)
    };
    for (pod, expected) in [
        (
            with(json!({ "allowPrivilegeEscalation": null })),
            "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false)",
        ),
        (
            with(json!({ "capabilities": { "drop": ["KILL"], "add": ["CHOWN"] } })),
            "unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"]; container \"a\" must not \
             include \"CHOWN\" in securityContext.capabilities.add)",
        ),
        (
            pod(
                json!({ "spec": { "volumes": [{ "name": "v", "hostPath": { "path": "/" } }, { "name": "w", "nfs": {} }] } }),
            ),
            "restricted volume types (volumes \"v\", \"w\" use restricted volume types \"hostPath\", \"nfs\")",
        ),
        (
            with(json!({ "runAsNonRoot": false })),
            "runAsNonRoot != true (container \"a\" must not set securityContext.runAsNonRoot=false)",
        ),
        (
            pod(json!({ "spec": { "securityContext": { "runAsNonRoot": null } } })),
            "runAsNonRoot != true (pod or container \"a\" must set securityContext.runAsNonRoot=true)",
        ),
        (with(json!({ "runAsUser": 0 })), "runAsUser=0 (container \"a\" must not set runAsUser=0)"),
        (
            pod(json!({ "spec": { "securityContext": { "seccompProfile": null } } })),
            "seccompProfile (pod or container \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
        ),
        (
            with(json!({ "seccompProfile": { "type": "Unconfined" } })),
            "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
    ] {
        assert_eq!(texts_of(Level::Restricted, Version::Latest, &pod), [expected]);
    }
}

#[test]
fn rules_belong_to_versions() {
    let sysctl = |name: &str| pod(json!({ "spec": { "securityContext": { "sysctls": [{ "name": name }] } } }));
    let host =
        pod(json!({ "spec": { "containers": [{ "name": "a", "livenessProbe": { "tcpSocket": { "host": "h" } } }] } }));
    let bare = json!({ "spec": { "containers": [{ "name": "a" }] } });
    let annotated = json!({ "metadata": { "annotations": { "seccomp.security.alpha.kubernetes.io/pod": "unconfined" } },
        "spec": { "containers": [] } });
    for (level, minor, pod, n) in [
        (Level::Baseline, 26, sysctl("net.ipv4.ip_local_reserved_ports"), 1),
        (Level::Baseline, 27, sysctl("net.ipv4.ip_local_reserved_ports"), 0),
        (Level::Baseline, 28, sysctl("net.ipv4.tcp_keepalive_time"), 1),
        (Level::Baseline, 29, sysctl("net.ipv4.tcp_keepalive_time"), 0),
        (Level::Baseline, 31, sysctl("net.ipv4.tcp_wmem"), 1),
        (Level::Baseline, 99, sysctl("net.ipv4.tcp_wmem"), 0),
        (Level::Baseline, 33, host.clone(), 0),
        (Level::Baseline, 34, host, 1),
        (Level::Restricted, 7, bare.clone(), 1),
        (Level::Restricted, 8, bare.clone(), 2),
        (Level::Restricted, 19, bare.clone(), 3),
        (Level::Restricted, 22, bare.clone(), 4),
        (Level::Restricted, 24, json!({ "spec": { "os": { "name": "windows" }, "containers": [{ "name": "a" }] } }), 4),
        (Level::Restricted, 25, json!({ "spec": { "os": { "name": "windows" }, "containers": [{ "name": "a" }] } }), 1),
        (Level::Baseline, 18, annotated.clone(), 1),
        (Level::Baseline, 19, annotated, 0),
    ] {
        let found = texts_of(level, Version::Minor(minor), &pod);
        assert_eq!(found.len(), n, "{level:?} v1.{minor}: {found:?}");
    }
}

struct Labelled(Value);

impl Lookup for Labelled {
    fn namespace(&self, _: &str) -> NamespaceState {
        NamespaceState::Active
    }
    fn namespace_object(&self, _: &str) -> Option<Value> {
        Some(json!({ "metadata": { "labels": self.0 } }))
    }
    fn service_account(&self, _: &str, _: &str) -> Option<Value> {
        None
    }
    fn priority_class(&self, _: &str) -> Option<Value> {
        None
    }
    fn default_priority_class(&self) -> Option<Value> {
        None
    }
    fn runtime_class(&self, _: &str) -> Option<Value> {
        None
    }
    fn pods(&self, _: &str) -> Vec<Value> {
        let bad = |name: &str| json!({ "metadata": { "name": name }, "spec": { "hostPID": true, "containers": [] } });
        vec![bad("z"), bad("y"), pod(json!({}))]
    }
}

#[test]
fn modes_refuse_and_warn() {
    let bare = json!({ "metadata": { "name": "x" }, "spec": { "containers": [{ "name": "c" }] } });
    let deployment = json!({ "metadata": { "name": "x" }, "spec": { "template": bare } });
    let info = |kind: &str| kinds::by_kind(kind).expect("a kind");
    let ask = |kind: &str, object: &Value, labels: Value| {
        let at = Attributes::of(Operation::Create, info(kind), "ns", "x");
        validate(object, None, &at, &Labelled(labels)).map_err(|rejection| rejection.text(&info(kind).resource(), "x"))
    };
    let words = "\"restricted:latest\": allowPrivilegeEscalation != false (container \"c\" must set \
                 securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"c\" must set \
                 securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"c\" must set \
                 securityContext.runAsNonRoot=true), seccompProfile (pod or container \"c\" must set \
                 securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";
    let enforce = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
    let warn = json!({ "pod-security.kubernetes.io/warn": "restricted" });
    assert_eq!(
        ask("Pod", &bare, enforce.clone()),
        Err(format!("pods \"x\" is forbidden: violates PodSecurity {words}"))
    );
    assert_eq!(ask("Deployment", &deployment, enforce), Ok(vec![]), "templates are never refused");
    let warning = format!("would violate PodSecurity {words}");
    assert_eq!(ask("Pod", &bare, warn.clone()), Ok(vec![warning.clone()]));
    assert_eq!(ask("Deployment", &deployment, warn), Ok(vec![warning]));
    assert_eq!(ask("Pod", &bare, json!({ "pod-security.kubernetes.io/audit": "restricted" })), Ok(vec![]));
}

#[test]
fn labels_of_namespaces_are_checked() {
    let namespace = |level: &str, version: &str| {
        json!({ "metadata": { "name": "n", "labels": {
            "pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/enforce-version": version } } })
    };
    let info = kinds::by_kind("Namespace").expect("a kind");
    let ask = |new: &Value, old: Option<&Value>| {
        let operation = if old.is_some() { Operation::Update } else { Operation::Create };
        let at = Attributes::of(operation, info, "", "n");
        validate(new, old, &at, &Labelled(json!({}))).map_err(|rejection| rejection.text("namespaces", "n"))
    };
    assert_eq!(
        ask(&namespace("strict", "1.2"), None),
        Err("Namespace \"n\" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"strict\": must be one \
             of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/enforce-version]: Invalid value: \"1.2\": \
             must be \"latest\" or \"v1.x\"]"
            .to_owned())
    );
    let (strict, loose) = (namespace("baseline", "v1.30"), namespace("privileged", "v1.30"));
    assert_eq!(ask(&strict, None), Ok(vec![]));
    assert_eq!(ask(&loose, Some(&strict)), Ok(vec![]), "a namespace may become looser");
    assert_eq!(
        ask(&strict, Some(&loose)),
        Ok(vec![
            "existing pods in namespace \"n\" violate the new PodSecurity enforce level \"baseline:v1.30\"".to_owned(),
            "y (and 1 other pod): host namespaces".to_owned(),
        ])
    );
    let odd = namespace("strict", "latest");
    assert_eq!(ask(&odd, Some(&odd)), Ok(vec![]), "what was wrong before may stay");
}
