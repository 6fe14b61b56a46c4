//! The plots of a run: what is requested of what is offered, pods over time, each pod's life, latencies.

use super::Run;
use super::plot::{
    Cdf, CdfChart, GanttChart, GanttPhase, GanttPod, Layering, LineChart, MAX_ROWS, Series, ValueUnit, cdf_chart,
    gantt_chart, line_chart,
};
use crate::engine::{Id, Span, Time};
use crate::error::Result;
use crate::metrics::{PodRecord, Sample, SeriesKey};

/// Pods that were never bound and are drawn, at most.
const MAX_UNBOUND: usize = 1_000;

/// `utilisation.svg`: requested of allocatable over time, one line per resource that any pod asks for.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn utilisation_svg(run: &Run<'_>) -> Result<Vec<u8>> {
    let samples = run.recorder.series.samples();
    let resources = run.cluster.interner.resources().filter_map(|resource| {
        let points: Vec<(Time, f64)> =
            samples.iter().filter_map(|sample| Some((sample.at, sample.utilisation(resource)?))).collect();
        let used = points.iter().any(|&(_, share)| share > 0.0);
        used.then(|| Series { name: run.cluster.interner.resource_name(resource).to_owned(), points })
    });
    let chart = LineChart {
        title: "Utilisation over time".into(),
        y_label: "requested of allocatable".into(),
        unit: ValueUnit::Percent,
        layering: Layering::Lines,
        from: Time::ZERO,
        to: run.cluster.now(),
        series: resources.collect(),
    };
    Ok(line_chart(&chart).into_bytes())
}

/// `pods.svg`: pending, starting and running pods over time, stacked.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn pods_svg(run: &Run<'_>) -> Result<Vec<u8>> {
    let series = |name: &str, select: fn(&SeriesKey) -> bool| {
        let point = |sample: &Sample| (sample.at, sample.sum(select) as f64);
        Series { name: name.into(), points: run.recorder.series.samples().iter().map(point).collect() }
    };
    let chart = LineChart {
        title: "Pods over time".into(),
        y_label: "pods".into(),
        unit: ValueUnit::Count,
        layering: Layering::Stacked,
        from: Time::ZERO,
        to: run.cluster.now(),
        series: vec![
            series("running", |key| matches!(key, SeriesKey::Running(_))),
            series("starting", |key| matches!(key, SeriesKey::Starting(_))),
            series("pending", |key| matches!(key, SeriesKey::Pending(_))),
        ],
    };
    Ok(line_chart(&chart).into_bytes())
}

/// `lifecycle.svg`: pods on the first nodes, from creation to their end.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn lifecycle_svg(run: &Run<'_>) -> Result<Vec<u8>> {
    let (cluster, end) = (run.cluster, run.cluster.now());
    let mut pods = Vec::new();
    let (mut n_more_pods, mut n_unbound) = (0, 0);
    for (id, record) in run.recorder.pods.iter() {
        let fits = match record.node {
            Some(node) => node.index() < MAX_ROWS,
            None => {
                n_unbound += 1;
                n_unbound <= MAX_UNBOUND
            }
        };
        if !fits {
            n_more_pods += 1;
            continue;
        }
        let node = record.node.map(|node| cluster.name(node).to_owned());
        pods.push(GanttPod { name: cluster.name(id).to_owned(), node, phases: phases(record, end) });
    }
    let nodes: Vec<String> = cluster.nodes().take(MAX_ROWS).map(|(node, _)| cluster.name(node).to_owned()).collect();
    let n_more_nodes = cluster.n_nodes().saturating_sub(nodes.len());
    let title = "Pods on their nodes".into();
    let chart = GanttChart { title, from: Time::ZERO, to: end, nodes, pods, n_more_nodes, n_more_pods };
    Ok(gantt_chart(&chart).into_bytes())
}

/// `scheduling-latency.svg`: from creation to binding, of the pods created after the warm-up.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn scheduling_latency_svg(run: &Run<'_>) -> Result<Vec<u8>> {
    Ok(latency("Scheduling latency", "from creation to binding", run.recorder.scheduling_latencies()))
}

/// `startup-latency.svg`: from binding to Ready, of the pods created after the warm-up.
///
/// # Errors
///
/// None in practice; the signature is that of all exporters.
pub fn startup_latency_svg(run: &Run<'_>) -> Result<Vec<u8>> {
    Ok(latency("Startup latency", "from binding to Ready", run.recorder.startup_latencies()))
}

fn latency(title: &str, x_label: &str, values: Vec<Span>) -> Vec<u8> {
    let curves = vec![Cdf { name: "pods".into(), values }];
    cdf_chart(&CdfChart { title: title.into(), x_label: x_label.into(), curves }).into_bytes()
}

/// What a pod did from when to when, until the run ended at `end`.
fn phases(record: &PodRecord, end: Time) -> Vec<(Time, Time, GanttPhase)> {
    let ended = record.ended.unwrap_or(end);
    let stops = record.deleting.unwrap_or(ended).min(ended);
    let starts = [
        (Some(record.created), GanttPhase::Pending),
        (record.bound, GanttPhase::Starting),
        (record.running, GanttPhase::Running),
        (record.deleting.filter(|&deleting| deleting < ended), GanttPhase::Terminating),
    ];
    let known: Vec<(Time, GanttPhase)> = starts
        .into_iter()
        .filter_map(|(from, phase)| Some((from?, phase)))
        .filter(|&(from, phase)| from <= stops || phase == GanttPhase::Terminating)
        .collect();
    let until = known.iter().skip(1).map(|&(from, _)| from).chain([ended]);
    known.iter().zip(until).map(|(&(from, phase), to)| (from, to.max(from), phase)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_cut_into_phases() {
        let at = Time::from_secs;
        let record = PodRecord { created: at(1), bound: Some(at(2)), running: Some(at(5)), ..PodRecord::default() };
        let shown = |record: &PodRecord| -> String {
            phases(record, at(60)).iter().map(|(from, to, phase)| format!("{phase:?} {from}-{to} ")).collect()
        };
        assert_eq!(shown(&record), "Pending 00:01-00:02 Starting 00:02-00:05 Running 00:05-01:00 ");
        let stopped = PodRecord { deleting: Some(at(9)), ended: Some(at(12)), ..record };
        assert_eq!(
            shown(&stopped),
            "Pending 00:01-00:02 Starting 00:02-00:05 Running 00:05-00:09 Terminating 00:09-00:12 "
        );
        let collected = PodRecord { ended: Some(at(12)), deleting: Some(at(20)), ..record };
        assert_eq!(shown(&collected), "Pending 00:01-00:02 Starting 00:02-00:05 Running 00:05-00:12 ");
        let waiting = PodRecord { created: at(1), deleting: Some(at(9)), ended: Some(at(9)), ..PodRecord::default() };
        assert_eq!(shown(&waiting), "Pending 00:01-00:09 ");
    }
}
