//! Stand-ins for the kubelets, the scheduler and the garbage collector. Pods behave as their `wavetank.dev/*` annotations say, as
//! with the small kubelet of the recordings.

use crate::api::node_selector::RequiredNodeAffinity;
use crate::cluster::{
    Agenda, Change, Cluster, ConditionStatus, ContainerState, ContainerStatus, Event, KubeletEvent, NetworkEvent,
    NodeId, ObjectRef, PodId, PodPhase, PodStep, RestartPolicy, SchedulerEvent, Sym, Terminated, What,
};
use crate::engine::{Span, Time};

#[derive(Default)]
pub(in crate::controllers) struct StandIns {
    next_node: usize,
}

impl StandIns {
    pub(in crate::controllers) fn observe(&mut self, change: Change, cluster: &Cluster, agenda: &mut Agenda) {
        let ObjectRef::Pod(pod) = change.object else { return };
        let row = cluster.pod(pod);
        match change.what {
            What::Created if row.node.is_none() => {
                agenda.after(Span::from_millis(5), Event::Scheduler(SchedulerEvent::Bind { pod, epoch: row.epoch }));
            }
            What::Created | What::Bound(_) => step(pod, PodStep::Observed, Span::from_millis(10), cluster, agenda),
            What::Deleting if !row.meta.removed && row.node.is_some() => {
                let grace = row.meta.deletion.map_or(0, |deletion| deletion.grace_seconds);
                if grace > 0 {
                    let stop = seconds(cluster, pod, "stop").unwrap_or(Span::from_millis(500));
                    let stop = stop.min(Span::from_secs(u64::from(grace)));
                    step(pod, PodStep::ContainerStopped, stop, cluster, agenda);
                }
            }
            _ => {}
        }
    }

    pub(in crate::controllers) fn handle(&mut self, event: Event, cluster: &mut Cluster, agenda: &mut Agenda) {
        match event {
            Event::Scheduler(SchedulerEvent::Bind { pod, .. }) => self.bind(pod, cluster, agenda),
            Event::Kubelet(KubeletEvent::Pod { pod, step, .. }) if !cluster.pod(pod).meta.removed => {
                advance(pod, step, cluster, agenda);
            }
            _ => {}
        }
    }

    fn bind(&mut self, pod: PodId, cluster: &mut Cluster, agenda: &mut Agenda) {
        let row = cluster.pod(pod);
        if row.meta.removed || row.node.is_some() {
            return;
        }
        let nodes: Vec<NodeId> = cluster.nodes().map(|(id, _)| id).collect();
        let fitting = nodes.iter().cycle().skip(self.next_node).take(nodes.len()).copied();
        let affinity = RequiredNodeAffinity::of_pod(&cluster.spec_of(pod).typed);
        let found = fitting.enumerate().find(|&(_, node)| {
            let meta = &cluster.node(node).meta;
            let label = |key: &str| cluster.interner.value_text(meta.labels, key);
            affinity.matches(cluster.interner.text(meta.name), label).unwrap_or(false)
        });
        match found {
            Some((skipped, node)) => {
                self.next_node = (self.next_node + skipped + 1) % nodes.len();
                cluster.bind(pod, node);
            }
            None => agenda.after(Span::from_secs(1), Event::Scheduler(SchedulerEvent::Bind { pod, epoch: 0 })),
        }
    }
}

fn step(pod: PodId, step: PodStep, after: Span, cluster: &Cluster, agenda: &mut Agenda) {
    let epoch = cluster.pod(pod).epoch as u16;
    agenda.after(after, Event::Kubelet(KubeletEvent::Pod { pod, epoch, step, container: 0 }));
}

fn text<'a>(cluster: &'a Cluster, pod: PodId, key: &str) -> Option<&'a str> {
    cluster.interner.value_text(cluster.pod(pod).meta.annotations, &format!("wavetank.dev/{key}"))
}

fn seconds(cluster: &Cluster, pod: PodId, key: &str) -> Option<Span> {
    text(cluster, pod, key)?.parse().ok().map(Span::from_secs_f64)
}

fn advance(pod: PodId, event: PodStep, cluster: &mut Cluster, agenda: &mut Agenda) {
    let deleting = cluster.pod(pod).meta.is_deleting();
    match event {
        PodStep::Terminated => cluster.confirm_pod_stopped(pod),
        PodStep::ContainerStopped => {
            terminate(pod, cluster);
            step(pod, PodStep::Terminated, Span::from_millis(5), cluster, agenda);
        }
        _ if cluster.pod(pod).phase.is_terminal() || deleting => {}
        PodStep::Observed => {
            cluster.set_start_time(pod, agenda.now());
            let n = cluster.spec_of(pod).typed.containers.len();
            let reason = cluster.interner.sym(if text(cluster, pod, "image-error") == Some("true") {
                "ImagePullBackOff"
            } else {
                "ContainerCreating"
            });
            let waiting = ContainerState::Waiting { reason, message: Sym::EMPTY };
            set_all(pod, n, |old| ContainerStatus { state: waiting, ..old }, cluster);
            ready(pod, false, "ContainersNotReady", cluster);
            if text(cluster, pod, "image-error") != Some("true") {
                let startup = seconds(cluster, pod, "startup").unwrap_or(Span::from_secs(1));
                step(pod, PodStep::ContainerStarted, startup, cluster, agenda);
            }
        }
        PodStep::ContainerStarted | PodStep::Restart => start(pod, cluster, agenda),
        PodStep::Readiness => {
            let n = cluster.spec_of(pod).typed.containers.len();
            set_all(pod, n, |old| ContainerStatus { ready: true, ..old }, cluster);
            ready(pod, true, "", cluster);
        }
        PodStep::ContainerExits => exit(pod, cluster, agenda),
        _ => {}
    }
}

fn start(pod: PodId, cluster: &mut Cluster, agenda: &mut Agenda) {
    let n = cluster.spec_of(pod).typed.containers.len();
    let state = ContainerState::Running { started: agenda.now() };
    set_all(
        pod,
        n,
        |old| ContainerStatus { state, started: true, restarts: old.restarts + u32::from(old.last.is_some()), ..old },
        cluster,
    );
    cluster.set_pod_phase(pod, PodPhase::Running, Sym::EMPTY, Sym::EMPTY);
    match text(cluster, pod, "ready-after") {
        Some("never") => {}
        _ => {
            let after = seconds(cluster, pod, "ready-after").unwrap_or(Span::ZERO);
            if after.is_zero() {
                advance(pod, PodStep::Readiness, cluster, agenda);
            } else {
                step(pod, PodStep::Readiness, after, cluster, agenda);
            }
        }
    }
    if let Some(run) = seconds(cluster, pod, "run") {
        step(pod, PodStep::ContainerExits, run, cluster, agenda);
    }
}

fn exit(pod: PodId, cluster: &mut Cluster, agenda: &mut Agenda) {
    let restarts = cluster.pod(pod).containers.first().map_or(0, |container| container.restarts);
    let codes = text(cluster, pod, "exit-code").unwrap_or("0").to_owned();
    let codes: Vec<i32> = codes.split(',').filter_map(|code| code.trim().parse().ok()).collect();
    let code = codes.get(restarts as usize).or(codes.last()).copied().unwrap_or(0);
    let policy = cluster.spec_of(pod).restart_policy;
    let n = cluster.spec_of(pod).typed.containers.len();
    let ended = terminated(cluster, code, agenda.now());
    if policy == RestartPolicy::Never || policy == RestartPolicy::OnFailure && code == 0 {
        finish(pod, code, cluster);
        return;
    }
    let back_off = match restarts {
        0 => Span::ZERO,
        _ => (Span::from_secs(10) * (1 << (restarts - 1).min(5))).min(Span::from_secs(300)),
    };
    let reason = cluster.interner.sym("CrashLoopBackOff");
    let waiting = ContainerState::Waiting { reason, message: Sym::EMPTY };
    let after = |old: ContainerStatus| ContainerStatus {
        state: waiting,
        last: Some(ended),
        ready: false,
        started: false,
        restarts: old.restarts,
    };
    set_all(pod, n, after, cluster);
    ready(pod, false, "ContainersNotReady", cluster);
    step(pod, PodStep::Restart, back_off, cluster, agenda);
}

fn terminate(pod: PodId, cluster: &mut Cluster) {
    if !cluster.pod(pod).phase.is_terminal() {
        let always = cluster.spec_of(pod).restart_policy == RestartPolicy::Always;
        let ran = cluster.pod(pod).phase == PodPhase::Running;
        let own = text(cluster, pod, "stop-exit-code").and_then(|code| code.parse().ok());
        finish(
            pod,
            own.unwrap_or(if !ran {
                137
            } else if always {
                0
            } else {
                143
            }),
            cluster,
        );
    }
}

fn finish(pod: PodId, code: i32, cluster: &mut Cluster) {
    let n = cluster.spec_of(pod).typed.containers.len();
    let ended = terminated(cluster, code, cluster.now());
    let after = |old: ContainerStatus| ContainerStatus {
        state: ContainerState::Terminated(ended),
        ready: false,
        started: false,
        ..old
    };
    set_all(pod, n, after, cluster);
    let (phase, reason) = match code {
        0 => (PodPhase::Succeeded, "PodCompleted"),
        _ => (PodPhase::Failed, "PodFailed"),
    };
    ready(pod, false, reason, cluster);
    cluster.set_pod_phase(pod, phase, Sym::EMPTY, Sym::EMPTY);
}

fn terminated(cluster: &mut Cluster, exit_code: i32, finished: Time) -> Terminated {
    let reason = cluster.interner.sym(if exit_code == 0 { "Completed" } else { "Error" });
    Terminated { exit_code, reason, message: Sym::EMPTY, started: finished, finished }
}

fn set_all(pod: PodId, n: usize, to: impl Fn(ContainerStatus) -> ContainerStatus, cluster: &mut Cluster) {
    for container in 0..n {
        let old = cluster.pod(pod).containers.get(container).copied().unwrap_or_default();
        cluster.set_container(pod, container, to(old));
    }
}

fn ready(pod: PodId, is_ready: bool, reason: &str, cluster: &mut Cluster) {
    let (kind, reason) = (cluster.words.ready, cluster.interner.sym(reason));
    cluster.set_pod_condition(pod, kind, ConditionStatus::from(is_ready), reason, Sym::EMPTY);
}
