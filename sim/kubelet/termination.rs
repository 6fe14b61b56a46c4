//! Stopping containers: hooks, stop signals and kills, in the order that sidecars ask for
//! (kubelet, `kuberuntime_container.go` `killContainer`, `kuberuntime_termination_order.go`).

use super::shape::ContainerKind;
use crate::engine::{Span, Time};

/// The least time between the stop signal and the kill (kubelet, `minimumGracePeriodInSeconds`).
pub const MIN_GRACE: Span = Span::from_secs(2);
/// Exit code of a process that SIGTERM ended.
pub const EXIT_SIGTERM: i32 = 143;
/// Exit code of a process that SIGKILL ended.
pub const EXIT_SIGKILL: i32 = 137;

/// A running container that is to stop.
#[derive(Clone, Copy, Debug)]
pub struct Stopping {
    /// What it is among the containers of its pod.
    pub kind: ContainerKind,
    /// How long its preStop hook takes; zero if it has none. [`Span::MAX`] hangs.
    pub pre_stop: Span,
    /// How long it takes to exit after the stop signal; [`Span::MAX`] if it ignores it.
    pub reaction: Span,
    /// Its exit code if the stop signal ends it.
    pub exit_code: i32,
    /// When and with which code it would have exited by itself.
    pub natural: Option<(Time, i32)>,
}

/// How a container stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// When it gets the stop signal.
    pub signal: Time,
    /// When it is gone.
    pub exit: Time,
    /// Its exit code.
    pub exit_code: i32,
    /// Whole seconds that it waited for others, which its grace is shortened by.
    pub waited: Span,
}

/// How one container stops that is told so at `now` with `grace`, not waiting for anyone.
pub fn stop(container: &Stopping, now: Time, grace: Span) -> Stopped {
    stop_after(container, now, grace, Time::ZERO)
}

/// How all containers of a pod stop that is told so at `now`, in the order of the spec: regular ones at once, a sidecar after all
/// regular containers and all later sidecars. `None` for containers that do not run; they hold no one up.
pub fn stop_all(containers: &[Option<Stopping>], now: Time, grace: Span) -> Vec<Option<Stopped>> {
    let mut out = vec![None; containers.len()];
    let mut last_exit = Time::ZERO;
    for (idx, container) in containers.iter().enumerate() {
        if let Some(container) = container.filter(|container| container.kind != ContainerKind::Sidecar) {
            let stopped = stop(&container, now, grace);
            if container.kind == ContainerKind::Regular {
                last_exit = last_exit.max(stopped.exit);
            }
            out[idx] = Some(stopped);
        }
    }
    for (idx, container) in containers.iter().enumerate().rev() {
        if let Some(container) = container.filter(|container| container.kind == ContainerKind::Sidecar) {
            let stopped = stop_after(&container, now, grace, last_exit);
            last_exit = last_exit.max(stopped.exit);
            out[idx] = Some(stopped);
        }
    }
    out
}

/// The hook runs at once, then the container waits until `turn` as long as its grace lasts, then it gets the stop signal. Time spent
/// is taken off the grace in whole seconds.
fn stop_after(container: &Stopping, now: Time, grace: Span, turn: Time) -> Stopped {
    let hook = if grace.is_zero() { Span::ZERO } else { container.pre_stop.min(grace) };
    let after_hook = now + hook;
    let grace = grace.saturating_sub(whole_seconds(hook));
    let wait = turn.since(after_hook).min(grace);
    let waited = whole_seconds(wait);
    let grace = grace.saturating_sub(waited).max(MIN_GRACE);
    let signal = after_hook + wait;
    let (exit, exit_code) = match container.reaction <= grace {
        true => (signal + container.reaction, container.exit_code),
        false => (signal + grace, EXIT_SIGKILL),
    };
    match container.natural {
        Some((at, code)) if at <= exit => Stopped { signal, exit: at.max(now), exit_code: code, waited },
        _ => Stopped { signal, exit, exit_code, waited },
    }
}

fn whole_seconds(span: Span) -> Span {
    Span::from_secs(span.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(kind: ContainerKind, pre_stop: f64, reaction: Option<f64>) -> Stopping {
        let reaction = reaction.map_or(Span::MAX, Span::from_secs_f64);
        let pre_stop = Span::from_secs_f64(pre_stop);
        Stopping { kind, pre_stop, reaction, exit_code: EXIT_SIGTERM, natural: None }
    }

    #[test]
    fn hooks_and_signals_share_the_grace() {
        // (grace, hook, reaction) -> (signal, exit, code)
        let rows = [
            (30, 0.0, Some(3.0), (0.0, 3.0, EXIT_SIGTERM)),
            (30, 0.0, None, (0.0, 30.0, EXIT_SIGKILL)),
            (30, 40.0, None, (30.0, 32.0, EXIT_SIGKILL)),
            (30, 10.9, None, (10.9, 30.9, EXIT_SIGKILL)),
            (1, 0.0, None, (0.0, 2.0, EXIT_SIGKILL)),
        ];
        for (grace, hook, reaction, (signal, exit, code)) in rows {
            let stopped = stop(&container(ContainerKind::Regular, hook, reaction), Time::ZERO, Span::from_secs(grace));
            let got = (stopped.signal.as_secs_f64(), stopped.exit.as_secs_f64(), stopped.exit_code);
            assert_eq!(got, (signal, exit, code), "grace {grace}, hook {hook}");
        }
    }

    #[test]
    fn sidecars_stop_last_and_in_reverse_order() {
        let (sidecar, main) = (ContainerKind::Sidecar, ContainerKind::Regular);
        for (grace, takes, want) in [(30, 1.25, [3, 2, 1, 0]), (2, 1.0, [2, 2, 1, 0])] {
            let containers = [sidecar, sidecar, sidecar, main].map(|kind| Some(container(kind, 0.0, Some(takes))));
            let stopped = stop_all(&containers, Time::ZERO, Span::from_secs(grace));
            let waited: Vec<u64> = stopped.iter().flatten().map(|stopped| stopped.waited.as_secs()).collect();
            assert_eq!(waited, want, "grace {grace}");
        }
    }
}
