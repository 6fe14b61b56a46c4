//! The checks of the Pod Security Standards with their versions, baseline before restricted, each in order of name
//! (`k8s.io/pod-security-admission/policy`).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Level, Violation, containers, texts};
use crate::api::view::{entries, get, has, int, list, text};

/// A check: it looks at a pod and names what is wrong.
type Check = fn(&Value) -> Option<Violation>;

/// A check with the versions (minor, inclusive) in which it holds, and whether a stricter one takes its place at `restricted`.
struct Row {
    from: u32,
    to: u32,
    /// The version from which a restricted check replaces this one at the level `restricted`.
    replaced_from: u32,
    check: Check,
}

const ALWAYS: u32 = u32::MAX;

const fn row(from: u32, to: u32, check: Check) -> Row {
    Row { from, to, replaced_from: ALWAYS, check }
}

const BASELINE: &[Row] = &[
    row(0, ALWAYS, app_armor),
    Row { replaced_from: 22, ..row(0, ALWAYS, capabilities_baseline) },
    row(0, ALWAYS, host_namespaces),
    Row { replaced_from: 0, ..row(0, ALWAYS, host_path_volumes) },
    row(0, ALWAYS, host_ports),
    row(34, ALWAYS, host_probes),
    row(0, ALWAYS, privileged),
    row(0, ALWAYS, proc_mount),
    row(0, 30, |pod| selinux(pod, &["", "container_t", "container_init_t", "container_kvm_t"])),
    row(31, ALWAYS, |pod| {
        selinux(pod, &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"])
    }),
    row(0, 18, seccomp_annotations),
    Row { replaced_from: 19, ..row(19, ALWAYS, seccomp_baseline) },
    row(0, 26, |pod| sysctls(pod, 5)),
    row(27, 28, |pod| sysctls(pod, 6)),
    row(29, 31, |pod| sysctls(pod, 10)),
    row(32, ALWAYS, |pod| sysctls(pod, SYSCTLS.len())),
    row(0, ALWAYS, host_process),
];

const RESTRICTED: &[Row] = &[
    row(8, 24, allow_privilege_escalation),
    row(25, ALWAYS, |pod| not_on_windows(pod, allow_privilege_escalation)),
    row(22, 24, capabilities_restricted),
    row(25, ALWAYS, |pod| not_on_windows(pod, capabilities_restricted)),
    row(0, ALWAYS, restricted_volumes),
    row(0, ALWAYS, run_as_non_root),
    row(23, ALWAYS, run_as_user),
    row(19, 24, seccomp_restricted),
    row(25, ALWAYS, |pod| not_on_windows(pod, seccomp_restricted)),
];

/// Runs the checks of a level in a minor version.
pub(super) fn run(level: Level, minor: u32, pod: &Value) -> Vec<Violation> {
    let holds = |row: &&Row| (row.from..=row.to).contains(&minor);
    let of_level = |row: &&Row| level == Level::Baseline || minor < row.replaced_from || row.replaced_from == ALWAYS;
    match level {
        Level::Privileged => Vec::new(),
        Level::Baseline => BASELINE.iter().filter(holds).filter_map(|row| (row.check)(pod)).collect(),
        Level::Restricted => {
            let baseline = BASELINE.iter().filter(holds).filter(of_level);
            baseline.chain(RESTRICTED.iter().filter(holds)).filter_map(|row| (row.check)(pod)).collect()
        }
    }
}

fn found(reason: &str, detail: String) -> Option<Violation> {
    Some(Violation { reason: reason.to_owned(), detail })
}

fn spec(pod: &Value) -> &Value {
    get(pod, "spec")
}

fn context(owner: &Value) -> &Value {
    get(owner, "securityContext")
}

fn plural<'a>(one: &'a str, many: &'a str, n: usize) -> &'a str {
    if n == 1 { one } else { many }
}

fn quoted<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| format!("\"{}\"", item.as_ref())).collect::<Vec<_>>().join(", ")
}

/// The names of the containers for which something holds.
fn named(pod: &Value, holds: impl Fn(&Value) -> bool) -> Vec<&str> {
    containers(spec(pod)).filter(|container| holds(container)).map(|container| text(container, "name")).collect()
}

/// `containers "a", "b"`
fn containers_text(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

/// `pod and containers "a", "b"`: who sets a bad value.
fn setters(pod: bool, names: &[&str]) -> String {
    let mut setters = Vec::new();
    if pod {
        setters.push("pod".to_owned());
    }
    if !names.is_empty() {
        setters.push(containers_text(names));
    }
    setters.join(" and ")
}

fn not_on_windows(pod: &Value, check: Check) -> Option<Violation> {
    if text(get(spec(pod), "os"), "name") == "windows" { None } else { check(pod) }
}

const APP_ARMOR_PREFIX: &str = "container.apparmor.security.beta.kubernetes.io/";

fn app_armor(pod: &Value) -> Option<Violation> {
    let bad = |owner: &Value| {
        let profile = get(context(owner), "appArmorProfile");
        profile.is_object() && !["RuntimeDefault", "Localhost"].contains(&text(profile, "type"))
    };
    let kind = |owner: &Value| text(get(context(owner), "appArmorProfile"), "type").to_owned();
    let mut values = BTreeSet::new();
    let by_pod = bad(spec(pod));
    if by_pod {
        values.insert(kind(spec(pod)));
    }
    values.extend(containers(spec(pod)).filter(|container| bad(container)).map(kind));
    let names = named(pod, bad);
    let allowed = |value: &str| value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
    let mut annotations: Vec<String> = entries(get(pod, "metadata"), "annotations")
        .filter(|(key, value)| key.starts_with(APP_ARMOR_PREFIX) && !allowed(value.as_str().unwrap_or_default()))
        .map(|(key, value)| format!("{key}={:?}", value.as_str().unwrap_or_default()))
        .collect();
    annotations.sort();
    let mut who = setters(by_pod, &names);
    if !annotations.is_empty() {
        let annotation = plural("annotation", "annotations", annotations.len());
        who = if who.is_empty() { annotation.to_owned() } else { format!("{who} and {annotation}") };
    }
    if who.is_empty() {
        return None;
    }
    let values: Vec<String> = values.into_iter().chain(annotations).collect();
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.len());
    found(reason, format!("{who} must not set AppArmor profile type to {}", quoted(values)))
}

/// What the baseline lets containers add: the default set of Docker.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// The capabilities that containers add beyond `allowed`, and these containers.
fn added<'a>(pod: &'a Value, allowed: &[&str]) -> (Vec<&'a str>, BTreeSet<&'a str>) {
    let (mut names, mut forbidden) = (Vec::new(), BTreeSet::new());
    for container in containers(spec(pod)) {
        let more: Vec<&str> =
            texts(get(context(container), "capabilities"), "add").filter(|added| !allowed.contains(added)).collect();
        if !more.is_empty() {
            names.push(text(container, "name"));
            forbidden.extend(more);
        }
    }
    (names, forbidden)
}

fn added_text(names: &[&str], forbidden: BTreeSet<&str>) -> String {
    format!("{} must not include {} in securityContext.capabilities.add", containers_text(names), quoted(forbidden))
}

fn capabilities_baseline(pod: &Value) -> Option<Violation> {
    let (names, forbidden) = added(pod, &CAPABILITIES);
    if names.is_empty() { None } else { found("non-default capabilities", added_text(&names, forbidden)) }
}

fn capabilities_restricted(pod: &Value) -> Option<Violation> {
    let keeps =
        |container: &Value| !texts(get(context(container), "capabilities"), "drop").any(|dropped| dropped == "ALL");
    let (missing, (names, forbidden)) = (named(pod, keeps), added(pod, &["NET_BIND_SERVICE"]));
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers_text(&missing)));
    }
    if !names.is_empty() {
        parts.push(added_text(&names, forbidden));
    }
    if parts.is_empty() { None } else { found("unrestricted capabilities", parts.join("; ")) }
}

fn host_namespaces(pod: &Value) -> Option<Violation> {
    let set: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| *get(spec(pod), field) == true)
        .map(|field| format!("{field}=true"))
        .collect();
    if set.is_empty() { None } else { found("host namespaces", set.join(", ")) }
}

fn host_path_volumes(pod: &Value) -> Option<Violation> {
    let volumes = list(spec(pod), "volumes").iter().filter(|volume| has(volume, "hostPath"));
    let names: Vec<&str> = volumes.map(|volume| text(volume, "name")).collect();
    let what = plural("volume", "volumes", names.len());
    if names.is_empty() { None } else { found("hostPath volumes", format!("{what} {}", quoted(names))) }
}

fn host_ports(pod: &Value) -> Option<Violation> {
    let ports = |container: &Value| -> Vec<String> {
        let ports = list(container, "ports").iter().map(|port| int(port, "hostPort")).filter(|&port| port != 0);
        ports.map(|port| port.to_string()).collect()
    };
    let names = named(pod, |container| !ports(container).is_empty());
    if names.is_empty() {
        return None;
    }
    let ports: BTreeSet<String> = containers(spec(pod)).flat_map(ports).collect();
    let (n, list) = (ports.len(), ports.into_iter().collect::<Vec<_>>().join(", "));
    let (uses, what) = (plural("uses", "use", names.len()), plural("hostPort", "hostPorts", n));
    found("hostPort", format!("{} {uses} {what} {list}", containers_text(&names)))
}

fn host_probes(pod: &Value) -> Option<Violation> {
    let hosts = |container: &Value| -> Vec<String> {
        let lifecycle = get(container, "lifecycle");
        let probes = ["livenessProbe", "readinessProbe", "startupProbe"].map(|probe| get(container, probe));
        let hooks = ["postStart", "preStop"].map(|hook| get(lifecycle, hook));
        let handlers = probes.into_iter().chain(hooks);
        let hosts = handlers.flat_map(|handler| ["httpGet", "tcpSocket"].map(|kind| text(get(handler, kind), "host")));
        hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect()
    };
    let names: BTreeSet<&str> = named(pod, |container| !hosts(container).is_empty()).into_iter().collect();
    if names.is_empty() {
        return None;
    }
    let hosts: BTreeSet<String> = containers(spec(pod)).flat_map(hosts).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let uses = plural("uses", "use", names.len());
    let what = plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len());
    found("probe or lifecycle host", format!("{} {uses} {what} {}", containers_text(&names), quoted(hosts)))
}

fn privileged(pod: &Value) -> Option<Violation> {
    let names = named(pod, |container| *get(context(container), "privileged") == true);
    let detail = || format!("{} must not set securityContext.privileged=true", containers_text(&names));
    if names.is_empty() { None } else { found("privileged", detail()) }
}

fn proc_mount(pod: &Value) -> Option<Violation> {
    let bad = |container: &Value| !["", "Default"].contains(&text(context(container), "procMount"));
    let names = named(pod, bad);
    if names.is_empty() {
        return None;
    }
    let bad = containers(spec(pod)).filter(|container| bad(container));
    let kinds: BTreeSet<&str> = bad.map(|container| text(context(container), "procMount")).collect();
    found(
        "procMount",
        format!("{} must not set securityContext.procMount to {}", containers_text(&names), quoted(kinds)),
    )
}

fn selinux(pod: &Value, types: &[&str]) -> Option<Violation> {
    let options = |owner: &'_ Value| get(context(owner), "seLinuxOptions").clone();
    let bad = |owner: &Value| {
        let options = options(owner);
        !types.contains(&text(&options, "type"))
            || !text(&options, "user").is_empty()
            || !text(&options, "role").is_empty()
    };
    let (by_pod, names) = (bad(spec(pod)), named(pod, bad));
    if !by_pod && names.is_empty() {
        return None;
    }
    let owners = || std::iter::once(spec(pod)).chain(containers(spec(pod)));
    let bad_types: BTreeSet<String> = owners()
        .map(|owner| text(&options(owner), "type").to_owned())
        .filter(|name| !types.contains(&name.as_str()))
        .collect();
    let mut parts = Vec::new();
    if !bad_types.is_empty() {
        parts.push(format!("{} {}", plural("type", "types", bad_types.len()), quoted(bad_types)));
    }
    for field in ["user", "role"] {
        if owners().any(|owner| !text(&options(owner), field).is_empty()) {
            parts.push(format!("{field} may not be set"));
        }
    }
    let who = setters(by_pod, &names);
    found("seLinuxOptions", format!("{who} set forbidden securityContext.seLinuxOptions: {}", parts.join("; ")))
}

fn seccomp_annotations(pod: &Value) -> Option<Violation> {
    let annotations = get(get(pod, "metadata"), "annotations");
    let allowed =
        |value: &str| ["runtime/default", "docker/default"].contains(&value) || value.starts_with("localhost/");
    let keys =
        std::iter::once("seccomp.security.alpha.kubernetes.io/pod".to_owned())
            .chain(containers(spec(pod)).map(|container| {
                format!("container.seccomp.security.alpha.kubernetes.io/{}", text(container, "name"))
            }));
    let forbidden: BTreeSet<String> = keys
        .filter_map(|key| get(annotations, &key).as_str().map(|value| (key.clone(), value)))
        .filter(|(_, value)| !allowed(value))
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    let what = plural("annotation", "annotations", forbidden.len());
    let all = forbidden.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if forbidden.is_empty() { None } else { found("seccompProfile", format!("forbidden {what} {all}")) }
}

fn seccomp(owner: &Value) -> Option<&str> {
    let profile = get(context(owner), "seccompProfile");
    profile.is_object().then(|| text(profile, "type"))
}

fn seccomp_is_bad(owner: &Value) -> bool {
    seccomp(owner).is_some_and(|kind| !["RuntimeDefault", "Localhost"].contains(&kind))
}

fn seccomp_baseline(pod: &Value) -> Option<Violation> {
    let (by_pod, names) = (seccomp_is_bad(spec(pod)), named(pod, seccomp_is_bad));
    if !by_pod && names.is_empty() {
        return None;
    }
    let owners = std::iter::once(spec(pod)).chain(containers(spec(pod)));
    let values: BTreeSet<&str> = owners.filter(|owner| seccomp_is_bad(owner)).filter_map(seccomp).collect();
    let who = setters(by_pod, &names);
    found("seccompProfile", format!("{who} must not set securityContext.seccompProfile.type to {}", quoted(values)))
}

fn seccomp_restricted(pod: &Value) -> Option<Violation> {
    if let Some(explicit) = seccomp_baseline(pod) {
        return Some(explicit);
    }
    if seccomp(spec(pod)).is_some() {
        return None;
    }
    let names = named(pod, |container| seccomp(container).is_none());
    let what = "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"";
    let detail = || format!("pod or {} {what}", containers_text(&names));
    if names.is_empty() { None } else { found("seccompProfile", detail()) }
}

/// The safe sysctls in the order in which versions let them in: five from 1.0, one in 1.27, four in 1.29, two in 1.32.
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

fn sysctls(pod: &Value, n_allowed: usize) -> Option<Violation> {
    let names = list(context(spec(pod)), "sysctls").iter().map(|sysctl| text(sysctl, "name"));
    let forbidden: Vec<&str> = names.filter(|name| !SYSCTLS[..n_allowed].contains(name)).collect();
    if forbidden.is_empty() { None } else { found("forbidden sysctls", forbidden.join(", ")) }
}

fn host_process(pod: &Value) -> Option<Violation> {
    let bad = |owner: &Value| *get(get(context(owner), "windowsOptions"), "hostProcess") == true;
    let (by_pod, names) = (bad(spec(pod)), named(pod, bad));
    let what = "must not set securityContext.windowsOptions.hostProcess=true";
    let who = setters(by_pod, &names);
    if who.is_empty() { None } else { found("hostProcess", format!("{who} {what}")) }
}

fn allow_privilege_escalation(pod: &Value) -> Option<Violation> {
    let names = named(pod, |container| *get(context(container), "allowPrivilegeEscalation") != false);
    let detail = || format!("{} must set securityContext.allowPrivilegeEscalation=false", containers_text(&names));
    if names.is_empty() { None } else { found("allowPrivilegeEscalation != false", detail()) }
}

/// What the restricted level lets pods mount.
const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

fn restricted_volumes(pod: &Value) -> Option<Violation> {
    let bad = |volume: &&Value| !VOLUMES.iter().any(|kind| has(volume, kind));
    let volumes: Vec<&Value> = list(spec(pod), "volumes").iter().filter(bad).collect();
    if volumes.is_empty() {
        return None;
    }
    let kind = |volume: &&Value| {
        let fields = volume.as_object().into_iter().flatten();
        let mut kinds = fields.filter(|(field, value)| field.as_str() != "name" && !value.is_null());
        kinds.next().map_or_else(|| "unknown".to_owned(), |(kind, _)| kind.clone())
    };
    let kinds: BTreeSet<String> = volumes.iter().map(kind).collect();
    let (what, uses) = (plural("volume", "volumes", volumes.len()), plural("uses", "use", volumes.len()));
    let types = plural("restricted volume type", "restricted volume types", kinds.len());
    let names = quoted(volumes.iter().map(|volume| text(volume, "name")));
    found("restricted volume types", format!("{what} {names} {uses} {types} {}", quoted(kinds)))
}

fn run_as_non_root(pod: &Value) -> Option<Violation> {
    let own = |owner: &Value| get(context(owner), "runAsNonRoot").as_bool();
    let (by_pod, names) = (own(spec(pod)) == Some(false), named(pod, |container| own(container) == Some(false)));
    let who = setters(by_pod, &names);
    if !who.is_empty() {
        return found("runAsNonRoot != true", format!("{who} must not set securityContext.runAsNonRoot=false"));
    }
    if own(spec(pod)) == Some(true) {
        return None;
    }
    let names = named(pod, |container| own(container).is_none());
    let detail = || format!("pod or {} must set securityContext.runAsNonRoot=true", containers_text(&names));
    if names.is_empty() { None } else { found("runAsNonRoot != true", detail()) }
}

fn run_as_user(pod: &Value) -> Option<Violation> {
    let root = |owner: &Value| get(context(owner), "runAsUser").as_i64() == Some(0);
    let who = setters(root(spec(pod)), &named(pod, root));
    if who.is_empty() { None } else { found("runAsUser=0", format!("{who} must not set runAsUser=0")) }
}
