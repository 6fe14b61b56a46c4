//! How many replicas a metric asks for (kube-controller-manager, `replica_calculator.go`).

/// How a pod counts for a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodState {
    /// Its sample counts.
    Ready,
    /// It is not ready, or not for long enough: its sample does not count.
    Unready,
    /// It leaves or has failed: it does not count at all.
    Ignored,
}

/// One pod with its sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodSample {
    /// How it counts.
    pub state: PodState,
    /// Its usage in thousandths, if there is a sample.
    pub usage_milli: Option<i64>,
    /// Its request in thousandths; 0 where the target is not a share of it.
    pub request_milli: i64,
}

/// What a metric is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Percent of the requests.
    Utilization(i64),
    /// Thousandths per pod.
    AverageValue(i64),
}

/// How far from its target a metric may be without effect, as ratios.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// Above the target.
    pub up: f64,
    /// Below the target.
    pub down: f64,
}

impl Default for Tolerances {
    /// `--horizontal-pod-autoscaler-tolerance`.
    fn default() -> Self {
        Tolerances { up: 0.1, down: 0.1 }
    }
}

impl Tolerances {
    /// Whether a ratio of usage to target has no effect.
    pub fn cover(self, ratio: f64) -> bool {
        (1.0 - self.down) <= ratio && ratio <= 1.0 + self.up
    }
}

/// Usage against target over these pods: the ratio, and what the status shows (percent, or thousandths per pod).
fn ratio(pods: &[(i64, i64)], target: Target) -> Option<(f64, i64)> {
    let sum = |of: fn(&(i64, i64)) -> i64| pods.iter().map(of).fold(0, i64::saturating_add);
    let usage = sum(|pod| pod.0);
    match target {
        Target::Utilization(percent) => {
            let requests = sum(|pod| pod.1);
            let utilization = usage.saturating_mul(100).checked_div(requests)?;
            Some((utilization as f64 / percent as f64, utilization))
        }
        Target::AverageValue(milli) => {
            let mean = usage.checked_div(pods.len() as i64)?;
            Some((mean as f64 / milli as f64, mean))
        }
    }
}

/// The replicas that a metric per pod asks for, with what the status shows; `None` if no pod has a sample.
pub fn per_pod(current: i32, pods: &[PodSample], target: Target, tolerances: Tolerances) -> Option<(i32, i64)> {
    let (mut ready, mut missing, mut unready) = (Vec::new(), Vec::new(), Vec::new());
    for pod in pods.iter().filter(|pod| pod.state != PodState::Ignored) {
        match (pod.state, pod.usage_milli) {
            (PodState::Unready, _) => unready.push(pod.request_milli),
            (_, None) => missing.push(pod.request_milli),
            (_, Some(usage)) => ready.push((usage, pod.request_milli)),
        }
    }
    let (usage_ratio, shown) = ratio(&ready, target)?;
    let scales_up_with_unready = !unready.is_empty() && usage_ratio > 1.0;
    if !scales_up_with_unready && missing.is_empty() {
        let keep = tolerances.cover(usage_ratio);
        return Some((if keep { current } else { up(usage_ratio * ready.len() as f64) }, shown));
    }
    let mut filled = ready;
    if usage_ratio < 1.0 {
        // Missing pods are taken to use all that they may, so that few are removed.
        let full = |request: i64| match target {
            Target::Utilization(percent) => request.saturating_mul(percent.max(100)) / 100,
            Target::AverageValue(milli) => milli,
        };
        filled.extend(missing.into_iter().map(|request| (full(request), request)));
    } else if usage_ratio > 1.0 {
        filled.extend(missing.into_iter().map(|request| (0, request)));
    }
    if scales_up_with_unready {
        filled.extend(unready.into_iter().map(|request| (0, request)));
    }
    let (new_ratio, _) = ratio(&filled, target)?;
    if tolerances.cover(new_ratio) || usage_ratio < 1.0 && new_ratio > 1.0 || usage_ratio > 1.0 && new_ratio < 1.0 {
        return Some((current, shown));
    }
    let wanted = up(new_ratio * filled.len() as f64);
    let turns = new_ratio < 1.0 && wanted > current || new_ratio > 1.0 && wanted < current;
    Some((if turns { current } else { wanted }, shown))
}

/// The replicas that one value for all pods asks for.
pub fn by_value(current: i32, ready_pods: i32, value: i64, target: i64, tolerances: Tolerances) -> i32 {
    let ratio = value as f64 / target as f64;
    match current {
        0 => up(ratio),
        _ if tolerances.cover(ratio) => current,
        _ => up(ratio * f64::from(ready_pods)),
    }
}

/// The replicas that one value shared by all pods asks for, with the value per pod in thousandths.
pub fn by_average(status_replicas: i32, value: i64, target: i64, tolerances: Tolerances) -> (i32, i64) {
    let ratio = value as f64 / (target as f64 * f64::from(status_replicas));
    let replicas = if tolerances.cover(ratio) { status_replicas } else { up(value as f64 / target as f64) };
    (replicas, up64(value as f64 / f64::from(status_replicas)))
}

fn up(x: f64) -> i32 {
    libm::ceil(x) as i32
}

fn up64(x: f64) -> i64 {
    libm::ceil(x) as i64
}
