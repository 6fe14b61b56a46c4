//! Security contexts of pods and containers.

use crate::api::causes::{Causes, Path, Raw};
use crate::api::names;
use crate::api::view::{get, has, list, maybe_int, text};
use serde_json::Value;

const ID_MAX: i64 = i32::MAX as i64;

fn id(object: &Value, field: &str, path: &Path<'_>, causes: &mut Causes) {
    if let Some(number) = maybe_int(object, field) {
        causes.invalid_for(&path.child(field), number, names::in_range(number, 0, ID_MAX));
    }
}

/// Checks `spec.securityContext`.
pub(super) fn validate_pod(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let context = get(spec, "securityContext");
    let path = path.child("securityContext");
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(context, field, &path, causes);
    }
    for (index, group) in list(context, "supplementalGroups").iter().enumerate() {
        let group = group.as_i64().unwrap_or(0);
        causes.invalid_for(&path.child("supplementalGroups").index(index), group, names::in_range(group, 0, ID_MAX));
    }
    if crate::api::view::flag(spec, "shareProcessNamespace") && crate::api::view::flag(spec, "hostPID") {
        causes.invalid(
            &path.child("shareProcessNamespace"),
            get(spec, "shareProcessNamespace"),
            "ShareProcessNamespace and HostPID cannot both be enabled",
        );
    }
    sysctls(context, spec, &path.child("sysctls"), causes);
    one_of(context, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], &path, causes);
    seccomp(get(context, "seccompProfile"), &path.child("seccompProfile"), causes);
    app_armor(get(context, "appArmorProfile"), &path.child("appArmorProfile"), causes);
    super::windows::options(get(context, "windowsOptions"), &path.child("windowsOptions"), causes);
    one_of(context, "supplementalGroupsPolicy", &["Merge", "Strict"], &path, causes);
    one_of(context, "seLinuxChangePolicy", &["MountOption", "Recursive"], &path, causes);
}

fn one_of(object: &Value, field: &str, known: &[&str], path: &Path<'_>, causes: &mut Causes) {
    if has(object, field) && !known.contains(&text(object, field)) {
        causes.not_supported(&path.child(field), text(object, field), known);
    }
}

fn sysctls(context: &Value, spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, sysctl) in list(context, "sysctls").iter().enumerate() {
        let name = text(sysctl, "name");
        let path = path.index(index);
        let path = path.child("name");
        if name.is_empty() {
            causes.required(&path, "");
        } else if !is_sysctl(name) {
            let pattern = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
            causes.invalid(&path, name, format!("must have at most 253 characters and match regex {pattern}"));
        } else if seen.contains(&name) {
            causes.duplicate(&path, name);
        }
        host_sysctl(name, spec, &path, causes);
        seen.push(name);
    }
}

fn host_sysctl(name: &str, spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let dotted = name.replace('/', ".");
    let is_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|prefix| dotted.starts_with(prefix))
        || dotted == "kernel.sem";
    if dotted.starts_with("net.") && crate::api::view::flag(spec, "hostNetwork") {
        causes.invalid(path, name, "may not be specified when 'hostNetwork' is true");
    } else if is_ipc && crate::api::view::flag(spec, "hostIPC") {
        causes.invalid(path, name, "may not be specified when 'hostIPC' is true");
    }
}

fn is_sysctl(name: &str) -> bool {
    let alnum = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| {
        let bytes = part.as_bytes();
        !bytes.is_empty()
            && alnum(bytes[0])
            && alnum(bytes[bytes.len() - 1])
            && bytes.iter().all(|&byte| alnum(byte) || byte == b'-' || byte == b'_')
    };
    name.len() <= 253 && name.split(['.', '/']).all(part)
}

fn seccomp(profile: &Value, path: &Path<'_>, causes: &mut Causes) {
    if profile.is_null() {
        return;
    }
    match text(profile, "type") {
        "" => causes.required(&path.child("type"), "type is required when seccompProfile is set"),
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        other => causes.not_supported(&path.child("type"), other, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
    let path = path.child("localhostProfile");
    if text(profile, "type") == "Localhost" {
        match get(profile, "localhostProfile") {
            Value::Null => causes.required(&path, "must be set when seccomp type is Localhost"),
            local => local_path(local.as_str().unwrap_or(""), &path, causes),
        }
    } else if has(profile, "localhostProfile") {
        let (kind, local) = (get(profile, "type"), get(profile, "localhostProfile"));
        let shown = format!("{{\"Type\":{kind},\"LocalhostProfile\":{local}}}");
        causes.invalid(&path, Raw(&shown), "can only be set when seccomp type is Localhost");
    }
}

fn app_armor(profile: &Value, path: &Path<'_>, causes: &mut Causes) {
    if profile.is_null() {
        return;
    }
    let local = get(profile, "localhostProfile");
    let local_path = path.child("localhostProfile");
    match text(profile, "type") {
        "Localhost" => {
            let name = local.as_str().unwrap_or("");
            if !local.is_null() && name.trim() != name {
                causes.invalid(&local_path, name, "must not be padded with whitespace");
            } else if name.is_empty() {
                causes.required(&local_path, "must be set when AppArmor type is Localhost");
            }
        }
        "RuntimeDefault" | "Unconfined" => {
            if !local.is_null() {
                causes.invalid(&local_path, local, "can only be set when AppArmor type is Localhost");
            }
        }
        "" => causes.required(&path.child("type"), "type is required when appArmorProfile is set"),
        other => causes.not_supported(&path.child("type"), other, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
}

/// Checks a path that stays below where it is used.
pub(super) fn local_path(local: &str, path: &Path<'_>, causes: &mut Causes) {
    if local.starts_with('/') {
        causes.invalid(path, local, "must be a relative path");
    }
    no_back_steps(local, path, causes);
}

/// Checks that a path has no `..`.
pub(super) fn no_back_steps(local: &str, path: &Path<'_>, causes: &mut Causes) {
    if local.split('/').any(|part| part == "..") {
        causes.invalid(path, local, "must not contain '..'");
    }
}

/// Checks `securityContext` of a container.
pub(super) fn validate_container(context: &Value, has_user_namespace: bool, path: &Path<'_>, causes: &mut Causes) {
    if context.is_null() {
        return;
    }
    id(context, "runAsUser", path, causes);
    id(context, "runAsGroup", path, causes);
    if has(context, "procMount") {
        let mount = text(context, "procMount");
        if !["Default", "Unmasked"].contains(&mount) {
            causes.not_supported(&path.child("procMount"), mount, &["Default", "Unmasked"]);
        } else if mount == "Unmasked" && !has_user_namespace {
            let what = "`hostUsers` must be false to use `Unmasked`";
            causes.invalid(&path.child("procMount"), mount, what);
        }
    }
    seccomp(get(context, "seccompProfile"), &path.child("seccompProfile"), causes);
    if get(context, "allowPrivilegeEscalation") == false {
        let shown = super::internal::security_context(context);
        if get(context, "privileged") == true {
            causes.invalid(
                path,
                Raw(&shown),
                "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
            );
        }
        for capability in list(get(context, "capabilities"), "add") {
            if capability == "CAP_SYS_ADMIN" {
                let what = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
                causes.invalid(path, Raw(&shown), what);
            }
        }
    }
    super::windows::options(get(context, "windowsOptions"), &path.child("windowsOptions"), causes);
    app_armor(get(context, "appArmorProfile"), &path.child("appArmorProfile"), causes);
}

/// Checks that a pod for Windows sets nothing that only Linux has, and the other way round.
pub(super) fn validate_os(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let os = get(spec, "os");
    if os.is_null() {
        return;
    }
    match text(os, "name") {
        "" => causes.required(&path.child("os").child("name"), "cannot be empty"),
        "windows" => windows_pod(spec, path, causes),
        "linux" => {
            let context = path.child("securityContext");
            if has(get(spec, "securityContext"), "windowsOptions") {
                causes.forbidden(&context.child("windowsOptions"), "windows options cannot be set for a linux pod");
            }
            for list_name in ["initContainers", "containers"] {
                for (index, container) in list(spec, list_name).iter().enumerate() {
                    if has(get(container, "securityContext"), "windowsOptions") {
                        let (list_path, what) =
                            (path.child(list_name), "windows options cannot be set for a linux pod");
                        let item = list_path.index(index);
                        causes.forbidden(&item.child("securityContext").child("windowsOptions"), what);
                    }
                }
            }
        }
        other => causes.not_supported(&path.child("os"), other, &["linux", "windows"]),
    }
}

fn windows_pod(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    const WHAT: &str = "cannot be set for a windows pod";
    let context = get(spec, "securityContext");
    let context_path = path.child("securityContext");
    for field in ["appArmorProfile", "seLinuxOptions"] {
        if has(context, field) {
            causes.forbidden(&context_path.child(field), WHAT);
        }
    }
    if has(spec, "hostUsers") {
        causes.forbidden(&path.child("hostUsers"), WHAT);
    }
    for field in ["hostPID", "hostIPC"] {
        if crate::api::view::flag(spec, field) {
            causes.forbidden(&path.child(field), WHAT);
        }
    }
    for field in ["seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls"] {
        if has(context, field) {
            causes.forbidden(&context_path.child(field), WHAT);
        }
    }
    if has(spec, "shareProcessNamespace") {
        causes.forbidden(&path.child("shareProcessNamespace"), WHAT);
    }
    for field in ["runAsUser", "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy"] {
        if has(context, field) {
            causes.forbidden(&context_path.child(field), WHAT);
        }
    }
    for list_name in ["initContainers", "containers"] {
        for (index, container) in list(spec, list_name).iter().enumerate() {
            let list_path = path.child(list_name);
            let item = list_path.index(index);
            let path = item.child("securityContext");
            for field in [
                "appArmorProfile",
                "seLinuxOptions",
                "seccompProfile",
                "capabilities",
                "readOnlyRootFilesystem",
                "privileged",
                "allowPrivilegeEscalation",
                "procMount",
                "runAsUser",
                "runAsGroup",
            ] {
                if has(get(container, "securityContext"), field) {
                    causes.forbidden(&path.child(field), WHAT);
                }
            }
        }
    }
}
