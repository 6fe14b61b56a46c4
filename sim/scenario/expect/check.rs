//! Checking expectations while a run goes on.

use serde_json::Value;

use super::parse::compare;
use super::{Demand, Expectation, Figure, Latency, Predicate, Target, When};
use crate::cluster::{Change, Cluster, ObjectRef, What};
use crate::engine::Time;
use crate::metrics::{LatencySummary, Outcome, Quantiles, Recorder, Summary, Timeline};

/// What became of one expectation.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Verdict {
    /// The sentence as written.
    pub expectation: String,
    /// Whether it held.
    pub holds: bool,
    /// When it was decided, in seconds of virtual time; the end of the run for most.
    pub at_seconds: f64,
    /// What was found where it broke, or what came true when it held.
    pub found: String,
}

/// Follows a run and decides its expectations.
#[derive(Clone, Debug, Default)]
pub struct ExpectationChecker {
    expectations: Vec<Expectation>,
    decided: Vec<Option<Verdict>>,
    /// Which of those about a span of time have been looked at when it began.
    begun: Vec<bool>,
    /// Which have met an object that they are about.
    met: Vec<bool>,
    now: Time,
}

impl ExpectationChecker {
    /// A checker of `expectations`.
    pub fn new(expectations: Vec<Expectation>) -> ExpectationChecker {
        let (decided, n) = (expectations.iter().map(|_| None).collect(), expectations.len());
        ExpectationChecker { expectations, decided, begun: vec![false; n], met: vec![false; n], now: Time::ZERO }
    }

    /// The clock is about to move to `to`: what must hold from a time before `to` on is looked at as it is, whether or not anything
    /// changes then.
    pub fn advance(&mut self, to: Time, cluster: &Cluster) {
        let now = std::mem::replace(&mut self.now, to);
        for (idx, expectation) in self.expectations.iter().enumerate() {
            let Demand::Objects { when, target, predicate } = &expectation.demand else { continue };
            let (from, until, wanted) = match *when {
                When::Always(from, until) => (from, until, true),
                When::Never(from, until) => (from, until, false),
                _ => continue,
            };
            if self.begun[idx] || to <= from || until < now {
                continue;
            }
            self.begun[idx] = true;
            let objects = target.objects(cluster);
            self.met[idx] |= !objects.is_empty();
            let broken = objects.into_iter().find(|&object| holds(predicate, object, cluster) != wanted);
            if let Some(object) = broken.filter(|_| self.decided[idx].is_none()) {
                self.decided[idx] = Some(Verdict {
                    expectation: expectation.text.clone(),
                    holds: false,
                    at_seconds: from.max(now).as_secs_f64(),
                    found: found(predicate, object, cluster),
                });
            }
        }
    }

    /// Looks at one change, after the event in which it was made.
    pub fn observe(&mut self, at: Time, change: Change, cluster: &Cluster) {
        if matches!(change.what, What::Event(_)) {
            return;
        }
        let followed = self.expectations.iter().zip(&mut self.decided).zip(&mut self.met);
        for ((expectation, decided), met) in followed {
            let Demand::Objects { when, target, predicate } = &expectation.demand else { continue };
            if decided.is_some() || !target.covers(change.object, cluster) {
                continue;
            }
            *met = true;
            let gone = change.what == What::Removed;
            let holds = !gone && holds(predicate, change.object, cluster);
            let verdict = |holds: bool| Verdict {
                expectation: expectation.text.clone(),
                holds,
                at_seconds: at.as_secs_f64(),
                found: found(predicate, change.object, cluster),
            };
            match *when {
                When::Always(from, until) if !holds && !gone && from <= at && at <= until => {
                    *decided = Some(verdict(false))
                }
                When::Never(from, until) if holds && from <= at && at <= until => *decided = Some(verdict(false)),
                When::By(by) if holds && at <= by => *decided = Some(verdict(true)),
                _ => {}
            }
        }
    }

    /// Whether every expectation so far undecided can only be decided at the end.
    pub fn is_idle(&self) -> bool {
        self.expectations.is_empty()
    }

    /// The verdicts at the end of the run, in the order of the scenario.
    pub fn finish(self, end: Time, recorder: &Recorder, summary: &Summary, cluster: &Cluster) -> Vec<Verdict> {
        let ExpectationChecker { expectations, decided, begun, met, .. } = self;
        let at_end = |expectation: &Expectation, holds: bool, found: String| Verdict {
            expectation: expectation.text.clone(),
            holds,
            at_seconds: end.as_secs_f64(),
            found,
        };
        let flags = begun.into_iter().zip(met);
        let verdicts = expectations.iter().zip(decided).zip(flags).map(|((expectation, decided), (begun, met))| {
            if let Some(verdict) = decided {
                return verdict;
            }
            match &expectation.demand {
                Demand::Objects { when: When::Always(..), .. } if begun && !met => {
                    at_end(expectation, false, "there is no such object".to_owned())
                }
                Demand::Objects { when: When::Always(..) | When::Never(..), .. } => {
                    at_end(expectation, true, "held throughout".to_owned())
                }
                Demand::Objects { when, target, predicate } => {
                    let objects = target.objects(cluster);
                    let broken = objects.iter().copied().find(|&object| !holds(predicate, object, cluster));
                    let ok = *when == When::AtEnd && broken.is_none() && !objects.is_empty();
                    let found = match (broken, objects.first()) {
                        (Some(object), _) | (None, Some(&object)) => found(predicate, object, cluster),
                        (None, None) => "there is no such object".to_owned(),
                    };
                    at_end(expectation, ok, found)
                }
                Demand::Run { figure, operator, value } => {
                    let (found, text) = self::figure(figure, recorder, summary);
                    at_end(expectation, found.is_some_and(|found| operator.holds(found, *value)), text)
                }
            }
        });
        verdicts.collect()
    }
}

impl Target {
    fn covers(&self, object: ObjectRef, cluster: &Cluster) -> bool {
        cluster.kind(object) == self.info.kind
            && self
                .name
                .as_ref()
                .is_none_or(|(namespace, name)| cluster.name(object) == name && cluster.namespace(object) == namespace)
    }

    fn objects(&self, cluster: &Cluster) -> Vec<ObjectRef> {
        match &self.name {
            Some((namespace, name)) => cluster.find_any(self.info.kind, namespace, name).into_iter().collect(),
            None => match self.info.kind {
                "Pod" => cluster.pods().map(|(id, _)| id.into()).collect(),
                "Node" => cluster.nodes().map(|(id, _)| id.into()).collect(),
                kind => cluster.of_kind(kind).map(ObjectRef::Object).collect(),
            },
        }
    }
}

fn holds(predicate: &Predicate, object: ObjectRef, cluster: &Cluster) -> bool {
    let exported = cluster.export(object);
    match predicate {
        Predicate::Exists => true,
        Predicate::Complete => is_complete(&exported),
        Predicate::Condition(kind) => condition(&exported, kind) == Some("True"),
        Predicate::Field { path, operator, value } => {
            compare(lookup(&exported, path).unwrap_or(&Value::Null), *operator, value)
        }
    }
}

fn found(predicate: &Predicate, object: ObjectRef, cluster: &Cluster) -> String {
    let exported = cluster.export(object);
    let name = Timeline::object_text(object, cluster);
    match predicate {
        Predicate::Field { path, .. } => match lookup(&exported, path) {
            Some(value) => format!("{name} has {path} = {value}"),
            None => format!("{name} has no {path}"),
        },
        Predicate::Condition(kind) => format!("{name} has {kind} = {}", condition(&exported, kind).unwrap_or("<none>")),
        Predicate::Complete if is_complete(&exported) => format!("{name} is complete"),
        Predicate::Complete => format!("{name} is not complete: status {}", exported["status"]),
        Predicate::Exists => format!("{name} exists"),
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)?["status"].as_str()
}

/// A rollout as `kubectl rollout status` counts it, a job with condition Complete, a pod that is Ready or Succeeded, a node that
/// is Ready.
fn is_complete(object: &Value) -> bool {
    let (spec, status) = (&object["spec"], &object["status"]);
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let observed = count("observedGeneration") >= object["metadata"]["generation"].as_i64().unwrap_or(0);
    let replicas = spec["replicas"].as_i64().unwrap_or(1);
    match object["kind"].as_str().unwrap_or_default() {
        "Deployment" => {
            observed
                && [count("updatedReplicas"), count("replicas"), count("availableReplicas")]
                    == [replicas, replicas, replicas]
        }
        "ReplicaSet" | "ReplicationController" => observed && count("availableReplicas") == replicas,
        "StatefulSet" => {
            observed && count("readyReplicas") == replicas && status["currentRevision"] == status["updateRevision"]
        }
        "DaemonSet" => {
            let desired = count("desiredNumberScheduled");
            observed && count("updatedNumberScheduled") == desired && count("numberAvailable") == desired
        }
        "Job" => condition(object, "Complete") == Some("True"),
        "Pod" => condition(object, "Ready") == Some("True") || status["phase"] == "Succeeded",
        _ => condition(object, "Ready") == Some("True"),
    }
}

fn lookup<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let from = |root: &'a Value| path.split('.').try_fold(root, step);
    from(&object["status"]).or_else(|| from(&object["spec"])).or_else(|| from(object))
}

/// One step of a path: `containers`, or `containers[0]` for an entry of a list.
fn step<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let Some((name, index)) = key.strip_suffix(']').and_then(|key| key.split_once('[')) else { return value.get(key) };
    value.get(name)?.get(index.parse::<usize>().ok()?)
}

fn figure(figure: &Figure, recorder: &Recorder, summary: &Summary) -> (Option<f64>, String) {
    let latency = |latency: Latency| -> (Vec<_>, &LatencySummary) {
        match latency {
            Latency::Pending => (recorder.scheduling_latencies(), &summary.scheduling_latency),
            Latency::Startup => (recorder.startup_latencies(), &summary.startup_latency),
        }
    };
    let seconds = |value: Option<f64>, n: usize| match value {
        Some(value) => (Some(value), format!("{value} s over {n} pods")),
        None => (None, "no pod was measured".to_owned()),
    };
    match figure {
        Figure::Quantile(q, which) => {
            let (spans, summary) = latency(*which);
            seconds(Quantiles::new(spans).at(*q).map(|span| span.as_secs_f64()), summary.n)
        }
        Figure::Mean(which) => {
            let (_, summary) = latency(*which);
            seconds(summary.mean, summary.n)
        }
        Figure::Count(outcome) => {
            let known = Outcome::ALL.iter().any(|known| known.as_str() == outcome);
            let count = summary.pods.by_outcome.get(outcome.as_str()).copied().unwrap_or(0);
            (known.then_some(count as f64), format!("{count} pods {outcome}"))
        }
        Figure::Utilisation(resource) => match summary.mean_utilisation.get(resource) {
            Some(share) => (Some(*share), format!("{:.1} % of {resource}", share * 100.0)),
            None => (None, format!("no node offers {resource}")),
        },
    }
}
