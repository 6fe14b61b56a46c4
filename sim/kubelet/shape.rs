//! Pod specs as the kubelet reads them: containers with their probes, hooks and restart rules. Lowered once per spec.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::quantity::Quantity;
use crate::cluster::{Interner, PodSpec, RestartPolicy, Sym};
use crate::engine::Span;

/// A pod spec as the kubelet reads it.
#[derive(Clone, Debug)]
pub struct PodShape {
    /// Init containers in order, then regular ones.
    pub containers: Vec<ContainerShape>,
    /// How many of them are init containers, sidecars included.
    pub n_init: usize,
    /// `restartPolicy`.
    pub restart_policy: RestartPolicy,
    /// `terminationGracePeriodSeconds`.
    pub grace_seconds: u32,
    /// `activeDeadlineSeconds`.
    pub active_deadline: Option<Span>,
    /// `readinessGates`: condition types.
    pub readiness_gates: Vec<Sym>,
    /// `hostNetwork`.
    pub host_network: bool,
    /// Volumes of type `emptyDir`.
    pub empty_dirs: Vec<EmptyDir>,
    /// Limit of ephemeral storage of the pod as a whole, in bytes.
    pub disk_limit: Option<i64>,
}

/// A volume of type `emptyDir`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyDir {
    /// `name`.
    pub name: Sym,
    /// `sizeLimit` in bytes.
    pub size_limit: Option<i64>,
    /// Whether it lies in memory (`medium: Memory`).
    pub in_memory: bool,
}

/// One container.
#[derive(Clone, Debug)]
pub struct ContainerShape {
    /// `name`.
    pub name: Sym,
    /// `image` as written.
    pub image: Sym,
    /// What it is among the containers of its pod.
    pub kind: ContainerKind,
    /// `imagePullPolicy`.
    pub pull_policy: PullPolicy,
    /// `restartPolicy` of the container.
    pub restart_policy: Option<RestartPolicy>,
    /// `restartPolicyRules`.
    pub restart_rules: Vec<RestartRule>,
    /// `startupProbe`.
    pub startup_probe: Option<ProbeShape>,
    /// `readinessProbe`.
    pub readiness_probe: Option<ProbeShape>,
    /// `livenessProbe`.
    pub liveness_probe: Option<ProbeShape>,
    /// `lifecycle.postStart`.
    pub post_start: Option<Hook>,
    /// `lifecycle.preStop`.
    pub pre_stop: Option<Hook>,
    /// Limit of cpu in thousandths of a core.
    pub cpu_limit: Option<i64>,
    /// Limit of memory in bytes.
    pub memory_limit: Option<i64>,
    /// Request of memory in bytes, 0 if there is none.
    pub memory_request: i64,
    /// Limit of ephemeral storage in bytes.
    pub disk_limit: Option<i64>,
    /// Request of ephemeral storage in bytes, 0 if there is none.
    pub disk_request: i64,
    /// Request of cpu in thousandths of a core, 0 if there is none.
    pub cpu_request: i64,
    /// Whether a change of its cpu restarts it (`resizePolicy`).
    pub restarts_for_cpu: bool,
    /// Whether a change of its memory restarts it (`resizePolicy`).
    pub restarts_for_memory: bool,
    /// Limits and requests as text: part of the key of the crash-loop back-off.
    pub resources: String,
}

/// What a container is among the containers of its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerKind {
    /// Runs to completion before the next one starts.
    Init,
    /// An init container with `restartPolicy: Always`: starts in order, then goes on running.
    Sidecar,
    /// A container of `containers`.
    Regular,
}

/// `imagePullPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// Ask the registry at every start.
    Always,
    /// Pull only what is not on the node.
    IfNotPresent,
    /// Never pull.
    Never,
}

/// One entry of `restartPolicyRules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartRule {
    /// `action: RestartAllContainers` rather than `Restart`.
    pub all_containers: bool,
    /// `exitCodes.operator: NotIn` rather than `In`.
    pub not_in: bool,
    /// `exitCodes.values`.
    pub values: Vec<i32>,
}

/// A probe with its defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeShape {
    /// `initialDelaySeconds`.
    pub initial_delay: Span,
    /// `periodSeconds`, at least a second.
    pub period: Span,
    /// `timeoutSeconds`, at least a second.
    pub timeout: Span,
    /// `successThreshold`, at least 1.
    pub success_threshold: u32,
    /// `failureThreshold`, at least 1.
    pub failure_threshold: u32,
    /// `terminationGracePeriodSeconds`.
    pub grace_seconds: Option<u32>,
    /// How it looks.
    pub handler: ProbeHandler,
    /// What it looks at: the command of `exec`, the URL of `httpGet`, in which `{ip}` stands for the address of the pod.
    pub target: Sym,
}

/// How a probe looks at its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeHandler {
    /// `exec`.
    Exec,
    /// `httpGet` on this port.
    Http(u16),
    /// `tcpSocket` on this port.
    Tcp(u16),
    /// `grpc` on this port.
    Grpc(u16),
}

/// A lifecycle handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `sleep`.
    Sleep(Span),
    /// `exec`, `httpGet` or `tcpSocket`: how long it takes says the model.
    Run,
}

impl PodShape {
    /// Lowers a spec.
    pub fn lower(spec: &PodSpec, interner: &mut Interner) -> PodShape {
        let typed = &spec.typed;
        let init = typed.init_containers.as_deref().unwrap_or_default();
        let mut containers = Vec::with_capacity(init.len() + typed.containers.len());
        for container in init {
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            let kind = if sidecar { ContainerKind::Sidecar } else { ContainerKind::Init };
            containers.push(ContainerShape::lower(container, kind, interner));
        }
        for container in &typed.containers {
            containers.push(ContainerShape::lower(container, ContainerKind::Regular, interner));
        }
        let gates = typed.readiness_gates.iter().flatten();
        PodShape {
            disk_limit: pod_disk_limit(&containers, typed),
            containers,
            n_init: init.len(),
            restart_policy: spec.restart_policy,
            grace_seconds: spec.grace_seconds,
            active_deadline: typed.active_deadline_seconds.map(|s| Span::from_secs(u64::try_from(s).unwrap_or(0))),
            readiness_gates: gates.map(|gate| interner.sym(&gate.condition_type)).collect(),
            host_network: typed.host_network.unwrap_or(false),
            empty_dirs: typed.volumes.iter().flatten().filter_map(|volume| EmptyDir::lower(volume, interner)).collect(),
        }
    }
}

/// The limit of a pod as a whole: that of all regular containers and sidecars together, or, if that is more, that of an init
/// container and the sidecars before it; containers without a limit add nothing to it; and the overhead (component-helpers,
/// `PodLimits`).
fn pod_disk_limit(containers: &[ContainerShape], spec: &core::PodSpec) -> Option<i64> {
    let (mut total, mut before, mut most) = (None, None, None);
    let add = |sum: &mut Option<i64>, limit: Option<i64>| {
        if let Some(limit) = limit {
            *sum = Some(sum.unwrap_or(0i64).saturating_add(limit));
        }
    };
    for container in containers {
        match container.kind {
            ContainerKind::Init => {
                let mut at_once = before;
                add(&mut at_once, container.disk_limit);
                most = most.max(at_once);
            }
            ContainerKind::Sidecar => {
                add(&mut total, container.disk_limit);
                add(&mut before, container.disk_limit);
                most = most.max(before);
            }
            ContainerKind::Regular => add(&mut total, container.disk_limit),
        }
    }
    let overhead = spec.overhead.as_ref().and_then(|overhead| overhead.get("ephemeral-storage"));
    let overhead = overhead.and_then(|text| text.0.parse::<Quantity>().ok()).map_or(0, |quantity| quantity.value());
    total.max(most).map(|limit| limit.saturating_add(overhead))
}

impl EmptyDir {
    fn lower(volume: &core::Volume, interner: &mut Interner) -> Option<EmptyDir> {
        let source = volume.empty_dir.as_ref()?;
        let limit = source.size_limit.as_ref().and_then(|text| text.0.parse::<Quantity>().ok());
        Some(EmptyDir {
            name: interner.sym(&volume.name),
            size_limit: limit.map(|quantity| quantity.value()).filter(|&bytes| bytes > 0),
            in_memory: source.medium.as_deref() == Some("Memory"),
        })
    }
}

impl ContainerShape {
    /// Takes the resources of another one.
    pub(super) fn take_resources(&mut self, other: &ContainerShape) {
        (self.cpu_limit, self.cpu_request) = (other.cpu_limit, other.cpu_request);
        (self.memory_limit, self.memory_request) = (other.memory_limit, other.memory_request);
        self.resources.clone_from(&other.resources);
    }

    fn lower(container: &core::Container, kind: ContainerKind, interner: &mut Interner) -> ContainerShape {
        let image = container.image.as_deref().unwrap_or_default();
        let hooks = container.lifecycle.as_ref();
        let resources = container.resources.as_ref();
        let limits = resources.and_then(|resources| resources.limits.as_ref());
        let requests = resources.and_then(|resources| resources.requests.as_ref());
        let amount = |list: Option<&std::collections::BTreeMap<_, _>>, name: &str| {
            let text: &k8s_openapi::apimachinery::pkg::api::resource::Quantity = list?.get(name)?;
            text.0.parse::<Quantity>().ok()
        };
        let policies = container.resize_policy.as_deref().unwrap_or_default();
        let restarts = |name: &str| {
            policies.iter().any(|policy| policy.resource_name == name && policy.restart_policy == "RestartContainer")
        };
        let disk_limit =
            amount(limits, "ephemeral-storage").map(|quantity| quantity.value()).filter(|&bytes| bytes > 0);
        let cpu_limit = amount(limits, "cpu").map(|quantity| quantity.milli_value()).filter(|&milli| milli > 0);
        let memory_limit = amount(limits, "memory").map(|quantity| quantity.value()).filter(|&bytes| bytes > 0);
        ContainerShape {
            name: interner.sym(&container.name),
            image: interner.sym(image),
            kind,
            pull_policy: PullPolicy::of(container.image_pull_policy.as_deref(), image),
            restart_policy: container.restart_policy.as_deref().and_then(read_restart_policy),
            restart_rules: container.restart_policy_rules.iter().flatten().map(RestartRule::lower).collect(),
            startup_probe: container.startup_probe.as_ref().map(|p| ProbeShape::lower(p, container, interner)),
            readiness_probe: container.readiness_probe.as_ref().map(|p| ProbeShape::lower(p, container, interner)),
            liveness_probe: container.liveness_probe.as_ref().map(|p| ProbeShape::lower(p, container, interner)),
            post_start: hooks.and_then(|hooks| hooks.post_start.as_ref()).map(Hook::lower),
            pre_stop: hooks.and_then(|hooks| hooks.pre_stop.as_ref()).map(Hook::lower),
            cpu_limit,
            memory_limit,
            memory_request: amount(requests, "memory").map_or(memory_limit.unwrap_or(0), |quantity| quantity.value()),
            disk_limit,
            disk_request: amount(requests, "ephemeral-storage").map_or(disk_limit.unwrap_or(0), |q| q.value()),
            cpu_request: amount(requests, "cpu").map_or(cpu_limit.unwrap_or(0), |quantity| quantity.milli_value()),
            restarts_for_cpu: restarts("cpu"),
            restarts_for_memory: restarts("memory"),
            resources: serde_json::to_string(&resources).unwrap_or_default(),
        }
    }
}

impl PullPolicy {
    /// The policy as written, or its default: `Always` for the tag `latest` and for no tag, else `IfNotPresent`
    /// (apis/core/v1/defaults.go, `SetDefaults_Container`).
    pub fn of(written: Option<&str>, image: &str) -> PullPolicy {
        match written {
            Some("Always") => PullPolicy::Always,
            Some("IfNotPresent") => PullPolicy::IfNotPresent,
            Some("Never") => PullPolicy::Never,
            _ if super::images::normalized(image).ends_with(":latest") => PullPolicy::Always,
            _ => PullPolicy::IfNotPresent,
        }
    }

    /// The word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            PullPolicy::Always => "Always",
            PullPolicy::IfNotPresent => "IfNotPresent",
            PullPolicy::Never => "Never",
        }
    }
}

/// Reads a `restartPolicy`.
pub fn read_restart_policy(text: &str) -> Option<RestartPolicy> {
    match text {
        "Always" => Some(RestartPolicy::Always),
        "OnFailure" => Some(RestartPolicy::OnFailure),
        "Never" => Some(RestartPolicy::Never),
        _ => None,
    }
}

impl RestartRule {
    fn lower(rule: &core::ContainerRestartRule) -> RestartRule {
        let codes = rule.exit_codes.as_ref();
        RestartRule {
            all_containers: rule.action == "RestartAllContainers",
            not_in: codes.is_some_and(|codes| codes.operator == "NotIn"),
            values: codes.and_then(|codes| codes.values.clone()).unwrap_or_default(),
        }
    }
}

impl ProbeShape {
    /// The defaults of a probe (apis/core/v1/defaults.go, `SetDefaults_Probe`): every 10 s, a timeout of 1 s, one success, three
    /// failures.
    pub const DEFAULT: ProbeShape = ProbeShape {
        initial_delay: Span::ZERO,
        period: Span::from_secs(10),
        timeout: Span::from_secs(1),
        success_threshold: 1,
        failure_threshold: 3,
        grace_seconds: None,
        handler: ProbeHandler::Exec,
        target: Sym::EMPTY,
    };

    fn lower(probe: &core::Probe, container: &core::Container, interner: &mut Interner) -> ProbeShape {
        let default = ProbeShape::DEFAULT;
        let seconds = |given: Option<i32>, default: Span| match given {
            Some(seconds) if seconds > 0 => Span::from_secs(seconds as u64),
            _ => default,
        };
        let threshold = |given: Option<i32>, default: u32| given.and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
        let port = |port: &IntOrString| resolve_port(port, container);
        let mut target = Sym::EMPTY;
        let handler = if let Some(http) = &probe.http_get {
            let (scheme, host) = (http.scheme.as_deref().unwrap_or("HTTP"), http.host.as_deref().unwrap_or_default());
            let host = if host.is_empty() { "{ip}" } else { host };
            let path = http.path.as_deref().unwrap_or("/");
            target = interner.sym(&format!("{}://{host}:{}{path}", scheme.to_ascii_lowercase(), port(&http.port)));
            ProbeHandler::Http(port(&http.port))
        } else if let Some(tcp) = &probe.tcp_socket {
            ProbeHandler::Tcp(port(&tcp.port))
        } else if let Some(grpc) = &probe.grpc {
            ProbeHandler::Grpc(u16::try_from(grpc.port).unwrap_or(0))
        } else {
            let command = probe.exec.as_ref().and_then(|exec| exec.command.as_deref()).unwrap_or_default();
            target = interner.sym(&command.join(" "));
            ProbeHandler::Exec
        };
        ProbeShape {
            initial_delay: seconds(probe.initial_delay_seconds, default.initial_delay),
            period: seconds(probe.period_seconds, default.period),
            timeout: seconds(probe.timeout_seconds, default.timeout),
            success_threshold: threshold(probe.success_threshold, default.success_threshold).max(1),
            failure_threshold: threshold(probe.failure_threshold, default.failure_threshold).max(1),
            grace_seconds: probe.termination_grace_period_seconds.map(|s| u32::try_from(s).unwrap_or(0)),
            handler,
            target,
        }
    }
}

/// A port by number or by the name of a container port; 0 if no port has that name.
fn resolve_port(port: &IntOrString, container: &core::Container) -> u16 {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            ports.find(|port| port.name.as_deref() == Some(name)).map_or(0, |port| port.container_port)
        }
    };
    u16::try_from(number).unwrap_or(0)
}

impl Hook {
    fn lower(handler: &core::LifecycleHandler) -> Hook {
        match &handler.sleep {
            Some(sleep) => Hook::Sleep(Span::from_secs(u64::try_from(sleep.seconds).unwrap_or(0))),
            None => Hook::Run,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::{Cluster, ObjectRef};

    /// The limit of a pod with containers of these kinds and limits in MiB.
    fn limit(containers: &[(char, Option<i64>)], overhead: Option<i64>) -> Option<i64> {
        let (mut init, mut regular) = (Vec::new(), Vec::new());
        for (idx, (kind, limit)) in containers.iter().enumerate() {
            let mut container = json!({"name": format!("c{idx}"), "image": "a"});
            if let Some(limit) = limit {
                container["resources"] = json!({"limits": {"ephemeral-storage": format!("{limit}Mi")}});
            }
            if *kind == 's' {
                container["restartPolicy"] = "Always".into();
            }
            if *kind == 'r' { regular.push(container) } else { init.push(container) }
        }
        let mut spec = json!({"initContainers": init, "containers": regular});
        if let Some(overhead) = overhead {
            spec["overhead"] = json!({"ephemeral-storage": format!("{overhead}Mi")});
        }
        let mut cluster = Cluster::new(0);
        let pod = json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": spec});
        let Ok(ObjectRef::Pod(pod)) = cluster.create_from(&pod) else { panic!("a pod") };
        let spec = cluster.specs.shared(cluster.pod(pod).spec);
        PodShape::lower(&spec, &mut cluster.interner).disk_limit.map(|bytes| bytes >> 20)
    }

    #[test]
    fn init_containers_count_one_by_one_and_sidecars_for_all_that_come_after_them() {
        let some = |mebibytes: i64| Some(mebibytes);
        assert_eq!(limit(&[('r', some(10)), ('r', some(20))], None), some(30));
        assert_eq!(limit(&[('i', some(25)), ('i', some(5)), ('r', some(10))], None), some(25), "not 40");
        assert_eq!(limit(&[('s', some(8)), ('i', some(25)), ('r', some(10))], None), some(33), "25 beside the sidecar");
        assert_eq!(limit(&[('i', some(25)), ('s', some(8)), ('r', some(20))], None), some(28));
        assert_eq!(limit(&[('r', some(10)), ('r', None)], None), some(10), "one without a limit adds nothing");
        assert_eq!(limit(&[('r', None)], some(5)), None);
        assert_eq!(limit(&[('r', some(10))], some(5)), some(15));
    }
}
