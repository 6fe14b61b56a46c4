//! The containers of a pod or of a pod template.

use serde_json::Value;

use super::fields::{container_resource, pod_field};
use super::writer::Writer;
use crate::kubectl::age;
use crate::kubectl::look::{at, flag, go_value, has, int, list, or_none, scalar, text, texts};
use crate::kubectl::printers::join_host_port;

/// What is around a list of containers.
pub(super) struct Frame<'a> {
    /// The title of the list.
    pub(super) title: &'a str,
    /// Two spaces in a template, none in a pod.
    pub(super) indent: &'a str,
    /// The status of each container that has one.
    pub(super) statuses: &'a [Value],
    /// The pod that environment variables refer to; none in a template.
    pub(super) pod: Option<&'a Value>,
}

pub(super) fn containers(w: &mut Writer, containers: &[Value], frame: &Frame<'_>) {
    let none = if containers.is_empty() { " <none>" } else { "" };
    w.line(0, &format!("{}{}:{none}", frame.indent, frame.title));
    for container in containers {
        let status = frame.statuses.iter().rfind(|status| text(status, "name") == text(container, "name"));
        basics(w, container, status, frame);
        command(w, "Command", &texts(container, "command"));
        command(w, "Args", &texts(container, "args"));
        if let Some(status) = status {
            state(w, "State", at(status, "state"));
            if has(status, "lastState.terminated") {
                state(w, "Last State", at(status, "lastState"));
            }
            w.field(2, "Ready", if flag(status, "ready") { "True" } else { "False" });
            w.field(2, "Restart Count", int(status, "restartCount"));
        }
        resources(w, 2, at(container, "resources"));
        for (title, path) in
            [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")]
        {
            if has(container, path) {
                w.field(2, title, probe(at(container, path)));
            }
        }
        environment_from(w, list(container, "envFrom"));
        environment(w, container, frame.pod);
        mounts(w, container);
    }
}

fn basics(w: &mut Writer, container: &Value, status: Option<&Value>, frame: &Frame<'_>) {
    let space = if frame.indent.is_empty() { "" } else { " " };
    w.line(1, &format!("{space}{}:", text(container, "name")));
    if let Some(status) = status {
        w.field(2, "Container ID", text(status, "containerID"));
    }
    w.field(2, "Image", text(container, "image"));
    if let Some(status) = status {
        w.field(2, "Image ID", text(status, "imageID"));
    }
    for (title, field) in [("Port", "containerPort"), ("Host Port", "hostPort")] {
        let ports = ports(list(container, "ports"), field);
        let plural = if ports.contains(',') { "s" } else { "" };
        w.line(2, &format!("{title}{plural}:\t{}", or_none(&ports)));
    }
    let seccomp = at(container, "securityContext.seccompProfile");
    if !seccomp.is_null() {
        w.field(2, "SeccompProfile", text(seccomp, "type"));
        if text(seccomp, "type") == "Localhost" {
            w.field(3, "LocalhostProfile", text(seccomp, "localhostProfile"));
        }
    }
}

fn ports(ports: &[Value], field: &str) -> String {
    let shown = ports.iter().map(|port| {
        let number = format!("{}/{}", int(port, field), text(port, "protocol"));
        match text(port, "name") {
            "" => number,
            name => format!("{number} ({name})"),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn command(w: &mut Writer, title: &str, words: &[&str]) {
    if words.is_empty() {
        return;
    }
    w.line(2, &format!("{title}:"));
    for line in words.iter().flat_map(|word| word.split('\n')) {
        w.line(3, line);
    }
}

fn state(w: &mut Writer, title: &str, state: &Value) {
    let optional = |w: &mut Writer, key: &str, value: &str| {
        if !value.is_empty() {
            w.field(3, key, value);
        }
    };
    if has(state, "running") {
        w.field(2, title, "Running");
        w.field(3, "Started", age::date(at(state, "running.startedAt")));
    } else if has(state, "terminated") && !has(state, "waiting") {
        let end = at(state, "terminated");
        w.field(2, title, "Terminated");
        optional(w, "Reason", text(end, "reason"));
        optional(w, "Message", text(end, "message"));
        w.field(3, "Exit Code", int(end, "exitCode"));
        if int(end, "signal") > 0 {
            w.field(3, "Signal", int(end, "signal"));
        }
        w.field(3, "Started", age::date(at(end, "startedAt")));
        w.field(3, "Finished", age::date(at(end, "finishedAt")));
    } else {
        w.field(2, title, "Waiting");
        optional(w, "Reason", text(state, "waiting.reason"));
    }
}

/// Limits and requests.
pub(super) fn resources(w: &mut Writer, level: usize, resources: &Value) {
    for (title, side) in [("Limits", "limits"), ("Requests", "requests")] {
        if at(resources, side).as_object().is_some_and(|map| !map.is_empty()) {
            w.line(level, &format!("{title}:"));
            super::common::quantities(w, level + 1, resources, side);
        }
    }
}

fn probe(probe: &Value) -> String {
    let attributes = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        int(probe, "initialDelaySeconds"),
        int(probe, "timeoutSeconds"),
        int(probe, "periodSeconds"),
        int(probe, "successThreshold"),
        int(probe, "failureThreshold")
    );
    let http = at(probe, "httpGet");
    if has(probe, "exec") {
        format!("exec {} {attributes}", go_value(&Value::from(texts(probe, "exec.command"))))
    } else if !http.is_null() {
        let host = join_host_port(text(http, "host"), &scalar(at(http, "port")));
        let path = escape_path(text(http, "path"));
        let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        let scheme = text(http, "scheme").to_lowercase();
        let colon = if scheme.is_empty() { "" } else { ":" };
        format!("http-get {scheme}{colon}//{host}{slash}{path} {attributes}")
    } else if has(probe, "tcpSocket") {
        let socket = at(probe, "tcpSocket");
        format!("tcp-socket {}:{} {attributes}", text(socket, "host"), scalar(at(socket, "port")))
    } else if has(probe, "grpc") {
        format!("grpc <pod>:{} {} {attributes}", int(probe, "grpc.port"), text(probe, "grpc.service"))
    } else {
        format!("unknown {attributes}")
    }
}

/// A path as Go's `url.URL` writes it: bytes that may not be in a path become `%XX`.
fn escape_path(path: &str) -> String {
    if path == "*" {
        return path.to_owned();
    }
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn environment_from(w: &mut Writer, sources: &[Value]) {
    if sources.is_empty() {
        return;
    }
    w.line(2, "Environment Variables from:");
    for source in sources {
        let (kind, reference) = if has(source, "configMapRef") {
            ("ConfigMap", at(source, "configMapRef"))
        } else if has(source, "secretRef") {
            ("Secret", at(source, "secretRef"))
        } else {
            ("", &Value::Null)
        };
        let prefix = match text(source, "prefix") {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        let optional = flag(reference, "optional");
        w.line(3, &format!("{}\t{kind}{prefix}\tOptional: {optional}", text(reference, "name")));
    }
}

fn environment(w: &mut Writer, container: &Value, pod: Option<&Value>) {
    let variables = list(container, "env");
    w.line(2, if variables.is_empty() { "Environment:\t<none>" } else { "Environment:" });
    for variable in variables {
        let name = text(variable, "name");
        let from = at(variable, "valueFrom");
        if from.is_null() {
            for (index, line) in text(variable, "value").split('\n').enumerate() {
                let name = if index == 0 { format!("{name}:") } else { String::new() };
                w.line(3, &format!("{name}\t{line}"));
            }
        } else if has(from, "fieldRef") {
            let path = text(from, "fieldRef.fieldPath");
            let value = pod.map(|pod| pod_field(pod, path)).unwrap_or_default();
            w.line(3, &format!("{name}:\t{value} ({}:{path})", text(from, "fieldRef.apiVersion")));
        } else if has(from, "resourceFieldRef") {
            let resource = text(from, "resourceFieldRef.resource");
            let value = container_resource(container, at(from, "resourceFieldRef"));
            let is_open = value == "0" && (resource == "limits.cpu" || resource == "limits.memory");
            let value = if is_open { "node allocatable".to_owned() } else { value };
            w.line(3, &format!("{name}:\t{value} ({resource})"));
        } else {
            for (field, what) in [("secretKeyRef", "in secret"), ("configMapKeyRef", "of config map")] {
                let reference = at(from, field);
                if !reference.is_null() {
                    let (key, of) = (text(reference, "key"), text(reference, "name"));
                    let optional = flag(reference, "optional");
                    w.line(3, &format!("{name}:\t<set to the key '{key}' {what} '{of}'>\tOptional: {optional}"));
                    break;
                }
            }
        }
    }
}

fn mounts(w: &mut Writer, container: &Value) {
    let sorted = |path: &str, key: &'static str| {
        let mut items: Vec<&Value> = list(container, path).iter().collect();
        crate::kubectl::gosort::sort(&mut items, |a, b| text(a, key) < text(b, key));
        items
    };
    let mounts = sorted("volumeMounts", "mountPath");
    let none = if mounts.is_empty() { "\t<none>" } else { "" };
    w.line(2, &format!("Mounts:{none}"));
    for mount in mounts {
        let mut flags = if flag(mount, "readOnly") { "ro".to_owned() } else { "rw".to_owned() };
        if !text(mount, "subPath").is_empty() {
            flags += &format!(",path={}", super::fields::quote(text(mount, "subPath")));
        }
        w.line(3, &format!("{} from {} ({flags})", text(mount, "mountPath"), text(mount, "name")));
    }
    let devices = sorted("volumeDevices", "devicePath");
    if !devices.is_empty() {
        w.line(2, &format!("Devices:{none}"));
        for device in devices {
            w.line(3, &format!("{} from {}", text(device, "devicePath"), text(device, "name")));
        }
    }
}
