//! `windowsOptions` of security contexts (core validation, `validateWindowsSecurityContextOptions`, `validateWindowsHostProcessPod`).

use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{flag, get, has, list, text};

/// The largest GMSA credential spec, in KiB.
const MAX_SPEC_KIB: usize = 64;
/// The domain of a user name is shorter, in bytes.
const MAX_DOMAIN: usize = 256;
/// The longest user name without its domain, in bytes.
const MAX_USER: usize = 104;

/// Checks `windowsOptions`.
pub(super) fn options(options: &Value, path: &Path<'_>, causes: &mut Causes) {
    if has(options, "gmsaCredentialSpecName") {
        let name = text(options, "gmsaCredentialSpecName");
        causes.invalid_for(&path.child("gmsaCredentialSpecName"), name, names::dns1123_subdomain(name));
    }
    if has(options, "gmsaCredentialSpec") {
        let (spec, path) = (text(options, "gmsaCredentialSpec"), path.child("gmsaCredentialSpec"));
        if spec.is_empty() {
            causes.invalid(&path, spec, "gmsaCredentialSpec cannot be an empty string");
        } else if spec.len() > MAX_SPEC_KIB * 1024 {
            causes.invalid(&path, spec, format!("gmsaCredentialSpec size must be under {MAX_SPEC_KIB} KiB"));
        }
    }
    if has(options, "runAsUserName") {
        let name = text(options, "runAsUserName");
        for what in user_name(name) {
            causes.invalid(&path.child("runAsUserName"), name, what);
        }
    }
}

/// What is wrong with `DOMAIN\\user`.
fn user_name(name: &str) -> Vec<String> {
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string".to_owned()];
    }
    if name.chars().any(|c| c.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters".to_owned()];
    }
    let parts: Vec<&str> = name.split('\\').collect();
    let (domain, user) = match parts.as_slice() {
        [user] => (None, *user),
        [domain, user] => (Some(*domain), *user),
        _ => return vec!["runAsUserName cannot contain more than one backslash".to_owned()],
    };
    let mut errors = Vec::new();
    if domain.is_some_and(|domain| domain.len() >= MAX_DOMAIN) {
        errors.push(format!("runAsUserName's Domain length must be under {MAX_DOMAIN} characters"));
    }
    if domain.is_some_and(|domain| !domain_patterns().iter().any(|pattern| pattern.is_match(domain))) {
        errors.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format".to_owned());
    }
    if user.is_empty() {
        errors.push("runAsUserName's User cannot be empty".to_owned());
    } else if user.len() > MAX_USER {
        errors.push(format!("runAsUserName's User length must not be longer than {MAX_USER} characters"));
    }
    if !user.is_empty() && user.chars().all(|c| c == '.' || c == ' ') {
        errors.push("runAsUserName's User cannot contain only periods or spaces".to_owned());
    }
    if user.contains(['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']']) {
        errors.push("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]".to_owned());
    }
    errors
}

/// A NetBIOS name, and a DNS name.
fn domain_patterns() -> &'static [Regex; 2] {
    static PATTERNS: OnceLock<[Regex; 2]> = OnceLock::new();
    PATTERNS.get_or_init(|| {
        let label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
        let netbios = r#"^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$"#.to_owned();
        [netbios, format!(r"^{label}(?:\.{label})*$")].map(|pattern| Regex::new(&pattern).expect("a constant pattern"))
    })
}

/// Checks that all containers of a pod are processes of the host, or none.
pub(super) fn host_process(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let of = |owner: &Value| get(get(get(owner, "securityContext"), "windowsOptions"), "hostProcess").as_bool();
    let of_pod = of(spec);
    let (mut n_containers, mut n_host) = (0, 0);
    for field in ["initContainers", "containers", "ephemeralContainers"] {
        let all = path.child(field);
        for (index, container) in list(spec, field).iter().enumerate() {
            n_containers += 1;
            let own = of(container);
            if let (Some(of_pod), Some(own)) = (of_pod, own)
                && of_pod != own
            {
                let what = format!("pod hostProcess value must be identical if both are specified, was {of_pod}");
                let at = all.index(index);
                let at = at.child("securityContext");
                let at = at.child("windowsOptions");
                causes.invalid(&at.child("hostProcess"), &Value::from(own), what);
            }
            n_host += usize::from(own.or(of_pod).unwrap_or(false));
        }
    }
    if n_host == 0 {
        return;
    }
    if n_host != n_containers {
        causes.invalid(
            path,
            "",
            "If pod contains any hostProcess containers then all containers must be HostProcess containers",
        );
    }
    if !flag(spec, "hostNetwork") {
        let what = "hostNetwork must be true if pod contains any hostProcess containers";
        causes.invalid(&path.child("hostNetwork"), &Value::from(false), what);
    }
}

#[cfg(test)]
mod tests {
    use super::user_name;

    #[test]
    fn user_names_of_windows() {
        for (name, said) in [
            ("ContainerUser", ""),
            ("NT AUTHORITY\\SYSTEM", ""),
            ("", "runAsUserName cannot be an empty string"),
            ("a\\b\\c", "runAsUserName cannot contain more than one backslash"),
            ("a\\", "runAsUserName's User cannot be empty"),
            (" . ", "runAsUserName's User cannot contain only periods or spaces"),
            ("a@b", "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"),
            (".x\\user", "runAsUserName's Domain doesn't match the NetBios nor the DNS format"),
        ] {
            assert_eq!(user_name(name).join("; "), said, "{name:?}");
        }
    }
}
