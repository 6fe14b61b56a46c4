//! Probes and lifecycle handlers of a container.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{fill, fill_int, fill_text, get, get_mut, has, int, list, maybe_int, text};
use serde_json::Value;

use super::metadata::NON_NEGATIVE;

/// Fills in a probe.
pub(super) fn default(probe: &mut Value) {
    fill_int(probe, "timeoutSeconds", 1);
    fill_int(probe, "periodSeconds", 10);
    fill_int(probe, "successThreshold", 1);
    fill_int(probe, "failureThreshold", 3);
    default_handler(probe);
    if let Some(grpc) = get_mut(probe, "grpc") {
        fill(grpc, "service", "");
    }
}

/// Fills in `lifecycle`.
pub(super) fn default_lifecycle(lifecycle: &mut Value) {
    for hook in ["postStart", "preStop"] {
        if let Some(handler) = get_mut(lifecycle, hook) {
            default_handler(handler);
        }
    }
}

fn default_handler(handler: &mut Value) {
    if let Some(http) = get_mut(handler, "httpGet") {
        fill_text(http, "path", "/");
        fill_text(http, "scheme", "HTTP");
    }
}

/// Checks the three probes of a container.
pub(super) fn validate_all(container: &Value, grace_period: Option<i64>, path: &Path<'_>, causes: &mut Causes) {
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = get(container, name);
        if probe.is_null() {
            continue;
        }
        let path = path.child(name);
        validate(probe, grace_period, &path, causes);
        if name == "readinessProbe" {
            if let Some(seconds) = maybe_int(probe, "terminationGracePeriodSeconds") {
                causes.invalid(
                    &path.child("terminationGracePeriodSeconds"),
                    seconds,
                    "must not be set for readinessProbes",
                );
            }
        } else if int(probe, "successThreshold") != 1 {
            causes.invalid(&path.child("successThreshold"), int(probe, "successThreshold"), "must be 1");
        }
    }
}

fn validate(probe: &Value, grace_period: Option<i64>, path: &Path<'_>, causes: &mut Causes) {
    handler(probe, grace_period, path, false, causes);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        if int(probe, field) < 0 {
            causes.invalid(&path.child(field), int(probe, field), NON_NEGATIVE);
        }
    }
    if let Some(seconds) = maybe_int(probe, "terminationGracePeriodSeconds")
        && seconds <= 0
    {
        causes.invalid(&path.child("terminationGracePeriodSeconds"), seconds, "must be greater than 0");
    }
}

/// Checks `lifecycle` of a container.
pub(super) fn validate_lifecycle(
    lifecycle: &Value,
    grace_period: Option<i64>,
    os: &str,
    path: &Path<'_>,
    causes: &mut Causes,
) {
    for hook in ["postStart", "preStop"] {
        if has(lifecycle, hook) {
            handler(get(lifecycle, hook), grace_period, &path.child(hook), true, causes);
        }
    }
    stop_signal(lifecycle, os, path, causes);
}

fn stop_signal(lifecycle: &Value, os: &str, path: &Path<'_>, causes: &mut Causes) {
    if !has(lifecycle, "stopSignal") {
        return;
    }
    let path = path.child("stopSignal");
    let signal = text(lifecycle, "stopSignal");
    if os.is_empty() {
        causes.forbidden(&path, "may not be set for containers with empty `spec.os.name`");
    } else if os == "windows" && !WINDOWS_SIGNALS.contains(&signal) {
        causes.not_supported(&path, signal, WINDOWS_SIGNALS);
    } else if os == "linux" && !is_linux_signal(signal) {
        causes.not_supported(&path, signal, LINUX_SIGNALS);
    }
}

const WINDOWS_SIGNALS: &[&str] = &["SIGKILL", "SIGTERM"];

const LINUX_SIGNALS: &[&str] = &[
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
];

fn is_linux_signal(signal: &str) -> bool {
    LINUX_SIGNALS.contains(&signal) || ["SIGRTMIN", "SIGRTMAX"].iter().any(|known| signal.starts_with(known))
}

fn handler(handler: &Value, grace_period: Option<i64>, path: &Path<'_>, is_hook: bool, causes: &mut Causes) {
    let kinds: &[&str] =
        if is_hook { &["exec", "httpGet", "tcpSocket", "sleep"] } else { &["exec", "httpGet", "tcpSocket", "grpc"] };
    let mut n = 0;
    for &kind in kinds {
        let action = get(handler, kind);
        if action.is_null() {
            continue;
        }
        n += 1;
        let path = path.child(kind);
        if n > 1 {
            causes.forbidden(&path, "may not specify more than 1 handler type");
            continue;
        }
        match kind {
            "exec" => {
                if list(action, "command").is_empty() {
                    causes.required(&path.child("command"), "");
                }
            }
            "httpGet" => http(action, &path, causes),
            "tcpSocket" => port(get(action, "port"), &path.child("port"), causes),
            "grpc" => {
                causes.invalid_for(&path.child("port"), int(action, "port"), names::port_number(int(action, "port")))
            }
            _ => sleep(int(action, "seconds"), grace_period, &path, causes),
        }
    }
    if n == 0 {
        causes.required(path, "must specify a handler type");
    }
}

fn http(action: &Value, path: &Path<'_>, causes: &mut Causes) {
    if text(action, "path").is_empty() {
        causes.required(&path.child("path"), "");
    }
    port(get(action, "port"), &path.child("port"), causes);
    let scheme = text(action, "scheme");
    if !["HTTP", "HTTPS"].contains(&scheme) {
        causes.not_supported(&path.child("scheme"), scheme, &["HTTP", "HTTPS"]);
    }
    for header in list(action, "httpHeaders") {
        let name = text(header, "name");
        causes.invalid_for(&path.child("httpHeaders"), name, names::http_header_name(name));
    }
}

/// Checks a port that is a number or a name.
pub(super) fn port(port: &Value, path: &Path<'_>, causes: &mut Causes) {
    match port {
        Value::String(name) => causes.invalid_for(path, name.as_str(), names::port_name(name)),
        other => {
            let number = other.as_i64().unwrap_or(0);
            causes.invalid_for(path, number, names::port_number(number));
        }
    }
}

fn sleep(seconds: i64, grace_period: Option<i64>, path: &Path<'_>, causes: &mut Causes) {
    let grace = grace_period.unwrap_or(30);
    if seconds < 0 || seconds > grace {
        let what = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        causes.invalid(path, seconds, what);
    }
}
