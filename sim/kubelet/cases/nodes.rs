//! Shutdown and pressure of whole nodes.

use serde_json::{Value, json};

use super::trial::{Trial, one};
use super::{amount, answer, at, numbers, said};
use crate::cluster::{KubeletHealth, PodId};
use crate::engine::{Span, Time};
use crate::kubelet::KubeletOptions;
use crate::kubelet::shutdown::ShutdownGroup;
use crate::kubelet::thresholds::{Amount, Monitor, Observation, Signal, SignalThreshold};

fn machine(memory: &str, disk: &str) -> Value {
    json!({"cpu": "8", "memory": memory, "pods": "110", "ephemeral-storage": disk})
}

fn pod_spec(priority: i64, grace: u32) -> Value {
    one(json!({}), json!({"priority": priority, "terminationGracePeriodSeconds": grace}))
}

fn shut_down(trial: &mut Trial) -> Option<()> {
    let (node, since) = (trial.node()?, trial.cluster.now());
    trial.cluster.set_kubelet_health(node, KubeletHealth::ShuttingDown { since });
    Some(())
}

pub(super) fn shutdown(row: &Value) -> Option<Value> {
    let stubborn = json!([{"stop": {"after": "never"}}]);
    if let Some(groups) = row["byPriority"].as_object() {
        if row["pods"] != "only prio 1000" {
            return None;
        }
        let groups = groups.iter().map(|(priority, seconds)| {
            let seconds = u32::try_from(seconds.as_u64()?).ok()?;
            Some(ShutdownGroup { priority: priority.parse().ok()?, seconds })
        });
        let mut shutdown_groups: Vec<ShutdownGroup> = groups.collect::<Option<_>>()?;
        shutdown_groups.sort_by_key(|group| group.priority);
        let options = KubeletOptions { shutdown_groups, ..KubeletOptions::ideal() };
        let mut trial = Trial::with(options, stubborn, machine("16Gi", "100Gi"))?;
        let pod = trial.pod("p", pod_spec(1000, 5))?;
        trial.run_to(100.0);
        shut_down(&mut trial)?;
        trial.run_to(1000.0);
        let ended = trial.exit(pod, 0)?.0;
        return said(ended == Time::from_secs(105), "group 0 skipped without waiting", &format!("ended at {ended}"));
    }
    if (row["S"].as_u64(), row["C"].as_u64()) == (Some(0), Some(0)) {
        let mut trial = Trial::with(KubeletOptions::ideal(), stubborn, machine("16Gi", "100Gi"))?;
        let pod = trial.pod("p", pod_spec(0, 30))?;
        trial.run_to(100.0);
        shut_down(&mut trial)?;
        trial.run_to(101.0);
        // The kubelet does nothing: the machine is down at once, and the pod's status is as it was.
        let node = trial.node()?;
        let silent = trial.cluster.node(node).kubelet.silent_since() == Some(Time::from_secs(100));
        let untouched = trial.exit(pod, 0).is_none() && trial.node_condition("Ready");
        let text = "feature inactive; pods killed by OS shutdown; node becomes Unknown later";
        return said(silent && untouched, text, "the kubelet acted");
    }
    if row["expect"]["new_pods"].is_string() {
        let options = KubeletOptions { shutdown_grace: Span::from_secs(30), ..KubeletOptions::ideal() };
        let mut trial = Trial::with(options, stubborn, machine("16Gi", "100Gi"))?;
        let pod = trial.pod("p", pod_spec(0, 10))?;
        trial.run_to(100.0);
        shut_down(&mut trial)?;
        trial.run_to(101.0);
        let ready = if trial.node_condition("Ready") { "True" } else { "False" };
        let late = trial.pod("late", pod_spec(0, 10))?;
        trial.run_to(102.0);
        let rejected = format!("rejected {}", trial.reason(late));
        trial.run_to(200.0);
        let (phase, reason) = (trial.phase(pod).as_str(), trial.reason(pod));
        return answer("expect", json!({"phase": phase, "reason": reason, "node_Ready": ready, "new_pods": rejected}));
    }
    let given = row["given"].as_str()?;
    if given.starts_with("group pods stop at ") && given.contains("volume unmount hangs, group period ") {
        let [stop, period] = numbers(given)[..] else { return None };
        let options = KubeletOptions {
            shutdown_groups: vec![
                ShutdownGroup { priority: 0, seconds: period as u32 },
                ShutdownGroup { priority: 1000, seconds: 10 },
            ],
            teardown: Span::from_secs(100_000),
            ..KubeletOptions::ideal()
        };
        let models = json!([{"stop": {"after": format!("{stop}s")}}]);
        let mut trial = Trial::with(options, models, machine("16Gi", "100Gi"))?;
        trial.pod("first", pod_spec(0, 60))?;
        let second = trial.pod("second", pod_spec(1000, 60))?;
        trial.run_to(100.0);
        shut_down(&mut trial)?;
        trial.run_to(1000.0);
        let begun = trial.exit(second, 0)?.0.since(Time::from_secs(100)).saturating_sub(Span::from_secs_f64(stop));
        return answer("expect", format!("next group starts at {}", begun.as_secs()));
    }
    None
}

pub(super) fn pressure(row: &Value) -> Option<Value> {
    if row["soft"].is_object() {
        return soft(row);
    }
    let given = row["given"].as_str()?;
    if given.starts_with("hard threshold, pod grace ") {
        return hard_grace(*numbers(given).first()?);
    }
    if given.starts_with("soft threshold, evictionMaxPodGracePeriod ") {
        let [most, grace] = numbers(given)[..] else { return None };
        return soft_grace(most as u32, grace as u32);
    }
    match given {
        "top-ranked is static/critical" => critical_is_skipped(),
        "nodefs low, image GC frees enough" => images_first(),
        "memory and disk thresholds both met" => memory_first(),
        "container ephemeral-storage limit 1Gi, logs+rootfs 1.1Gi, no dedicated imagefs" => {
            let resources = json!({"limits": {"ephemeral-storage": "1Gi"}});
            let state = limits("1.1Gi", json!({"resources": resources}), json!({}))?;
            answer("expect", if state { "evicted" } else { "not evicted" })
        }
        "emptyDir usage == sizeLimit" => {
            let state = volume("100Mi", "100Mi")?;
            answer("expect", if state { "evicted" } else { "not evicted" })
        }
        _ if given.starts_with("three pods must go; each cleaned up in ") => one_by_one(*numbers(given).first()?),
        _ if given.starts_with("emptyDir sizeLimit ") => {
            // `emptyDir sizeLimit 100Mi, usage 101Mi`
            let (limit, usage) = given.strip_prefix("emptyDir sizeLimit ")?.split_once(", usage ")?;
            let evicted = volume(limit, usage)?;
            answer("expect", if evicted { "pod Evicted within 10 s" } else { "not evicted" })
        }
        _ => None,
    }
}

/// A soft threshold that is met since `first_observed`, some time later.
fn soft(row: &Value) -> Option<Value> {
    let threshold = SignalThreshold {
        grace: Some(Span::from_secs(row["soft"]["grace"].as_u64()?)),
        ..SignalThreshold::hard(Signal::Memory, Amount::parse(row["soft"]["threshold"].as_str()?)?)
    };
    let capacity = amount(&"64Gi".into())?;
    let seen = [Observation { signal: Signal::Memory, available: 0, capacity }];
    let mut monitor = Monitor::default();
    let transition = Span::from_secs(300);
    monitor.turn(&[threshold], &seen, Time::from_secs(row["first_observed"].as_u64()?), transition);
    let verdict = monitor.turn(&[threshold], &seen, Time::from_secs(row["now"].as_u64()?), transition);
    let condition = if verdict.pressures[0] { "MemoryPressure condition already True" } else { "no condition" };
    let action = if verdict.act.is_empty() { "not acted on" } else { "acted on" };
    answer("expect", format!("{action}; {condition}"))
}

/// A pod that uses more memory than its node can spare, of a container that ignores the stop signal.
fn hungry(trial: &mut Trial, name: &str, priority: i64, grace: u32, request: &str) -> Option<PodId> {
    let resources = json!({"requests": {"memory": request}});
    let spec = json!({"priority": priority, "terminationGracePeriodSeconds": grace});
    trial.pod(name, one(json!({"resources": resources}), spec))
}

fn hard_grace(grace: f64) -> Option<Value> {
    let models = json!([{"usage": {"memory": "2Gi"}, "stop": {"after": "never"}}]);
    let mut trial = Trial::with(KubeletOptions::ideal(), models, machine("1Gi", "9Gi"))?;
    let pod = hungry(&mut trial, "p", 0, grace as u32, "10Mi")?;
    trial.run_to(60.0);
    // The first look is at 0; a grace of one second is two between signal and kill.
    let took = trial.exit(pod, 0)?.0;
    let grace_override = crate::kubelet::eviction::eviction_grace(None, grace as u32);
    answer("expect", json!({"grace_override": grace_override, "SIGKILL_after": at(took)}))
}

fn soft_grace(most: u32, grace: u32) -> Option<Value> {
    let soft = SignalThreshold {
        grace: Some(Span::from_secs(20)),
        ..SignalThreshold::hard(Signal::Memory, Amount::Share(0.5))
    };
    let options = KubeletOptions { eviction: vec![soft], eviction_max_pod_grace: most, ..KubeletOptions::ideal() };
    let models = json!([{"usage": {"memory": "900Mi"}, "stop": {"after": "never"}}]);
    let mut trial = Trial::with(options, models, machine("1Gi", "9Gi"))?;
    let pod = hungry(&mut trial, "p", 0, grace, "10Mi")?;
    trial.run_to(1000.0);
    let took = trial.exit(pod, 0)?.0.since(Time::from_secs(20));
    answer("expect", json!({"grace": super::seconds(took)}))
}

fn critical_is_skipped() -> Option<Value> {
    let models = json!([
        {"match": {"name": "top"}, "usage": {"memory": "900Mi"}},
        {"match": {"name": "next"}, "usage": {"memory": "200Mi"}}]);
    let mut trial = Trial::with(KubeletOptions::ideal(), models, machine("1Gi", "9Gi"))?;
    let top = hungry(&mut trial, "top", 2_000_000_000, 1, "1Mi")?;
    let next = hungry(&mut trial, "next", 0, 1, "1Mi")?;
    trial.run_to(60.0);
    let shown = !trial.phase(top).is_terminal() && trial.reason(next) == "Evicted";
    said(shown, "skipped, next evicted", trial.reason(next))
}

fn one_by_one(cleaned_up: f64) -> Option<Value> {
    let models = json!([{"usage": {"memory": "400Mi"}, "stop": {"after": "never"}}]);
    // A kill follows its signal by 2 s; the rest is unmounting.
    let teardown = Span::from_secs_f64(cleaned_up - 2.0);
    let options = KubeletOptions { teardown, ..KubeletOptions::ideal() };
    let mut trial = Trial::with(options, models, machine("520Mi", "9Gi"))?;
    let pods: Vec<PodId> = (0..4).map(|n| hungry(&mut trial, &format!("p{n}"), n, 1, "1Mi")).collect::<Option<_>>()?;
    trial.run_to(60.0);
    let ends: Vec<f64> = pods.iter().take(3).filter_map(|&pod| Some(trial.exit(pod, 0)?.0.as_secs_f64())).collect();
    let shown = ends == [2.0, 2.0 + cleaned_up, 2.0 + 2.0 * cleaned_up];
    let text = format!("evictions about every {cleaned_up} s (wait for cleanup, no 10 s pause), one at a time");
    said(shown, &text, &format!("ends at {ends:?}"))
}

/// Whether a pod is evicted within ten seconds that uses so much of a volume with this limit.
fn volume(limit: &str, usage: &str) -> Option<bool> {
    let models = json!([{"usage": {"volumes": {"v": usage}}}]);
    let mut trial = Trial::with(KubeletOptions::ideal(), models, machine("16Gi", "100Gi"))?;
    let volumes = json!([{"name": "v", "emptyDir": {"sizeLimit": limit}}]);
    let pod = trial.pod("p", one(json!({}), json!({"volumes": volumes})))?;
    trial.run_to(10.0);
    Some(
        trial.reason(pod) == "Evicted" && trial.phase(pod).is_terminal() || {
            trial.run_to(13.0);
            trial.reason(pod) == "Evicted"
        },
    )
}

fn limits(usage: &str, container: Value, spec: Value) -> Option<bool> {
    let mut trial =
        Trial::with(KubeletOptions::ideal(), json!([{"usage": {"disk": usage}}]), machine("16Gi", "100Gi"))?;
    let pod = trial.pod("p", one(container, spec))?;
    trial.run_to(13.0);
    Some(trial.reason(pod) == "Evicted")
}

fn images_first() -> Option<Value> {
    let models = json!([
        {"match": {"image": "old"}, "image": {"size": "5Gi"}, "run": "1s"},
        {"match": {"image": "app"}, "image": {"size": "1Gi"}, "usage": {"disk": {"steps": [{"at": "60s", "value": "4Gi"}]}}}]);
    let mut trial = Trial::with(KubeletOptions::ideal(), models, machine("16Gi", "10Gi"))?;
    trial.pod("old", one(json!({"image": "old:v1"}), json!({"restartPolicy": "Never"})))?;
    let pod = trial.pod("p", one(json!({}), json!({})))?;
    trial.run_to(100.0);
    let pressed = trial.node_condition("DiskPressure");
    let shown = pressed && trial.image_bytes() == 1 << 30 && !trial.phase(pod).is_terminal();
    said(shown, "no pod evicted", trial.phase(pod).as_str())
}

fn memory_first() -> Option<Value> {
    let models = json!([
        {"match": {"name": "memory"}, "usage": {"memory": "2Gi"}},
        {"match": {"name": "disk"}, "usage": {"disk": "20Gi"}}]);
    let mut trial = Trial::with(KubeletOptions::ideal(), models, machine("1Gi", "10Gi"))?;
    let disk = hungry(&mut trial, "disk", 0, 1, "1Mi")?;
    let memory = hungry(&mut trial, "memory", 1000, 1, "1Mi")?;
    trial.run_to(60.0);
    let text = |pod: PodId| trial.cluster.interner.text(trial.cluster.pod(pod).message).to_owned();
    let (first, second) = (trial.exit(memory, 0)?.0, trial.exit(disk, 0)?.0);
    let shown = first <= second && text(memory).contains("low on resource: memory");
    said(shown, "memory handled first", &format!("{first}, {second}"))
}
