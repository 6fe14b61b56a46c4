//! `job.*` but its policies: back-off, indexes, and what the real controller does with a Job.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lab::{Lab, template};
use super::{Answer, count, int, int0, ints, members, one_of, only, same, stated};
use crate::cluster::objects::Job;
use crate::cluster::{
    Cluster, ConditionStatus, ContainerState, ContainerStatus, ObjId, ObjectRef, PodId, Sym, Terminated, What,
};
use crate::controllers::job::backoff::{BackoffRecord, finish_time, remaining};
use crate::controllers::job::indexes::{first_pending, format_indexes, with_succeeded};
use crate::controllers::job::manage::generate_name;
use crate::controllers::job::{COMPLETION_INDEX, JobController, TRACKING_FINALIZER};
use crate::engine::{Span, Time};

/// The instant `t` of the table.
const T0: Time = Time::from_secs(100_000);

pub(super) fn case(rule: &str, case: &Value) -> Answer {
    let (input, out) = (&case["in"], &case["out"]);
    match rule {
        "backoff_record" => {
            let known = ["succeeded", "failed", "stored_n", "stored_last"];
            input.as_object()?.keys().all(|key| known.contains(&key.as_str())).then_some(())?;
            let times = |key: &str| -> Option<Vec<Time>> {
                ints(&input[key])?.into_iter().map(|ms| moved(ms as f64)).collect()
            };
            let stored = BackoffRecord {
                failures: u32::try_from(count(input, "stored_n", 1_000)?).ok()?,
                last: if input["stored_last"].is_null() { None } else { Some(moved(input["stored_last"].as_f64()?)?) },
            };
            let record = stored.after(&times("succeeded")?, &times("failed")?);
            let last = record.last.map(|last| (last.as_micros() as i64 - T0.as_micros() as i64) / 1_000);
            members(out, &json!({ "n": record.failures, "last": last }))
        }
        "backoff_remaining" => {
            let seconds = |key: &str| input[key].as_f64().map(Span::from_secs_f64);
            let failures = u32::try_from(input["failures"].as_u64()?).ok()?;
            let left = remaining(failures, seconds("elapsed_s")?, seconds("base_s")?, seconds("max_s")?);
            stated(out, out.as_f64() == Some(left.as_secs_f64()), left.as_secs_f64())
        }
        "pod_finish_time" => finished(input.as_str()?, out.as_str()?),
        "completed_indexes" => {
            let newly = ints(&input["newly_succeeded"])?;
            let newly = newly.into_iter().filter_map(|index| i32::try_from(index).ok());
            let text = input["status_completedIndexes"].as_str()?;
            same(out, format_indexes(&with_succeeded(text, newly, int(input, "completions")?)))
        }
        "first_pending_indexes" => {
            let mut taken: BTreeSet<i32> = BTreeSet::new();
            for key in ["active", "succeeded", "failed"] {
                taken.extend(index_set(&input[key])?);
            }
            let count = usize::try_from(input["count"].as_u64()?).ok()?;
            same(out, first_pending(count, int(input, "completions")?, |index| taken.contains(&index)))
        }
        "duplicate_index_removal" => duplicates(input, out),
        "generate_name" => {
            let name = input[0].as_str()?;
            let spelled = name.strip_suffix(" characters").map(|count| count.parse().ok());
            let name = match spelled {
                Some(count) => "a".repeat(count.filter(|&count: &usize| count <= 1_000)?),
                None => name.to_owned(),
            };
            let got = generate_name(&name, i32::try_from(input[1].as_i64()?).ok()?);
            stated(out, got == cut_name(out.as_str()?, &name)?, got)
        }
        "manage" => manage(input, out),
        _ => None,
    }
}

fn moved(ms: f64) -> Option<Time> {
    let us = T0.as_micros() as f64 + ms * 1_000.0;
    (us >= 0.0).then(|| Time::from_micros(us as u64))
}

/// Numbers, or ranges `[first, last]`.
pub(super) fn index_set(list: &Value) -> Option<BTreeSet<i32>> {
    let mut indexes = BTreeSet::new();
    let entries = if list.is_null() { &[][..] } else { list.as_array()? };
    for entry in entries {
        let of = |value: &Value| value.as_i64().and_then(|number| i32::try_from(number).ok());
        match entry.as_array().map(Vec::as_slice) {
            None => _ = indexes.insert(of(entry)?),
            Some([first, last]) => {
                let (first, last) = (of(first)?, of(last)?);
                indexes.extend(first..=last.min(first.saturating_add(100_000)));
            }
            Some(_) => return None,
        }
    }
    Some(indexes)
}

/// `first 55 chars + "-1-" (...)` of a name; any other text stands for itself.
fn cut_name(text: &str, name: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix("first ") else { return Some(text.to_owned()) };
    let (count, rest) = rest.split_once(" chars + ")?;
    let count: usize = count.parse().ok()?;
    Some(name.chars().take(count).collect::<String>() + rest.split('"').nth(1)?)
}

/// `t`, `t-2` or `t+1` as an instant.
fn instant(text: &str) -> Option<Time> {
    let at = text.trim().strip_prefix('t')?;
    let offset: i64 = if at.is_empty() { 0 } else { at.parse().ok()? };
    Some(Time::from_secs(u64::try_from(T0.as_secs() as i64 + offset).ok()?))
}

/// The words of which descriptions of ended pods are made.
const WORDS: &str = "container containers finished at t one two all still running deletiontimestamp deletion terminated without finishedat \
    ready true false since regular sidecar init creation creationtimestamp created no condition conditions and pod";

/// A pod put together from clauses such as `containers finished at t-1,t,t-2`, `Ready False since t`, `deletionTimestamp t`.
fn finished(text: &str, out: &str) -> Answer {
    only(text, WORDS)?;
    let mut cluster = Cluster::new(0);
    let instants: Vec<Time> = text.split([' ', ',', ';']).filter_map(instant).collect();
    let names: Vec<String> = (0..instants.len().max(1)).map(|idx| format!("c{idx}")).collect();
    let has_sidecar = text.contains("sidecar");
    let containers: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    let (inits, regular) = containers.split_at(usize::from(has_sidecar && containers.len() > 1));
    let inits: Vec<Value> =
        inits.iter().map(|init| json!({ "name": init["name"], "restartPolicy": "Always" })).collect();
    let manifest = json!({ "kind": "Pod", "metadata": { "name": "p" },
        "spec": { "containers": regular, "initContainers": inits } });
    cluster.set_now(Time::from_secs(T0.as_secs() - 1_000));
    let created = text.find("creat").and_then(|at| first_instant(&text[at..]));
    if let Some(created) = created.filter(|created| cluster.now() <= *created) {
        cluster.set_now(created);
    }
    let Ok(ObjectRef::Pod(pod)) = cluster.create_from(&manifest) else { return None };
    let mut row = cluster.pod(pod).clone();
    let terminated = |finished: Time| {
        let (reason, message) = (Sym::EMPTY, Sym::EMPTY);
        let end = Terminated { exit_code: 0, reason, message, started: Time::ZERO, finished };
        ContainerStatus { state: ContainerState::Terminated(end), ..ContainerStatus::default() }
    };
    row.containers.clear();
    for clause in clauses(text) {
        if let Some(at) = clause.find("Ready ") {
            let mut condition =
                *cluster.pod(pod).conditions.get(cluster.words.ready).unwrap_or(&crate::cluster::Condition {
                    kind: cluster.words.ready,
                    status: ConditionStatus::False,
                    reason: Sym::EMPTY,
                    message: Sym::EMPTY,
                    transition: T0,
                    update: T0,
                });
            condition.status = ConditionStatus::from(clause[at..].starts_with("Ready True"));
            condition.transition = first_instant(clause)?;
            row.conditions.set(condition);
        } else if clause.contains("deletionTimestamp") {
            let requested = first_instant(clause)?;
            row.meta.deletion = Some(crate::cluster::Deletion { requested, grace_seconds: 0 });
        } else if clause.contains("running") || clause.contains("without finishedAt") {
            row.containers.push(ContainerStatus::default());
        } else if clause.contains("finished") {
            let ends = clause.split([' ', ',']).filter_map(instant).map(terminated);
            let at = if clause.contains("sidecar") { 0 } else { row.containers.len() };
            ends.for_each(|end| row.containers.insert(at, end));
        } else if !clause.contains("creat") {
            return None;
        }
    }
    let got = finish_time(&cluster, &row);
    let want = instant(out.split(' ').next()?)?;
    let got_offset = got.as_secs() as i64 - T0.as_secs() as i64;
    stated(&out.into(), got == want, format_args!("t{got_offset:+}"))
}

/// Clauses are separated by `, `; instants in a list by `,` alone.
fn clauses(text: &str) -> impl Iterator<Item = &str> {
    text.split(", ")
}

fn first_instant(text: &str) -> Option<Time> {
    text.split([' ', ',']).find_map(instant)
}

/// A Job with status, and pods of it that carry its finalizer.
struct Bench {
    lab: Lab,
    job: ObjId,
    pods: Vec<PodId>,
}

impl Bench {
    /// The pods get their annotations as `index` says.
    fn new(spec: Value, status: Value, indexes: &[Option<String>]) -> Option<Bench> {
        let mut lab = Lab::new(vec![Box::new(JobController::default())]);
        let node = lab.node("n1");
        lab.run_to(T0);
        let mut pods = Vec::new();
        for (nth, index) in indexes.iter().enumerate() {
            let mut pod = template("job", "v1");
            pod["kind"] = "Pod".into();
            pod["metadata"]["name"] = format!("p{nth}").into();
            pod["metadata"]["finalizers"] = json!([TRACKING_FINALIZER]);
            pod["spec"]["restartPolicy"] = spec["template"]["spec"]["restartPolicy"].clone();
            if let Some(index) = index {
                pod["metadata"]["annotations"][COMPLETION_INDEX] = index.as_str().into();
            }
            let ObjectRef::Pod(id) = lab.create(&pod)? else { return None };
            lab.write(|cluster| cluster.bind(id, node));
            pods.push(id);
        }
        let manifest = json!({ "kind": "Job", "metadata": { "name": "job" }, "spec": spec, "status": status });
        let job = lab.write(|cluster| {
            let ObjectRef::Object(job) = cluster.create_from(&manifest).ok()? else { return None };
            let reference = cluster.owner_reference(job);
            pods.iter().for_each(|&pod| cluster.set_owners(pod, [reference]));
            Some(job)
        })?;
        Some(Bench { lab, job, pods })
    }
}

fn job_spec(more: &Value) -> Value {
    let mut spec = json!({ "template": template("job", "v1") });
    spec["template"]["spec"]["restartPolicy"] = "Never".into();
    for (key, value) in more.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        spec[key] = value.clone();
    }
    spec
}

/// `[index, phase]` each: which pods the first sync removes.
fn duplicates(input: &Value, out: &Value) -> Answer {
    let rows = input.as_array()?;
    let known = |index: &Value| index.is_i64() || one_of(index, &["-", "invalid"]).is_some();
    if !rows.iter().all(|row| known(&row[0])) {
        return None;
    }
    let indexes: Vec<Option<String>> = rows
        .iter()
        .map(|row| Some(row[0].as_str().map_or_else(|| row[0].to_string(), str::to_owned)).filter(|text| text != "-"))
        .collect();
    let spec = job_spec(&json!({ "completionMode": "Indexed", "completions": 6, "parallelism": 6 }));
    let mut bench = Bench::new(spec, Value::Null, &indexes)?;
    for (row, &pod) in rows.iter().zip(&bench.pods) {
        let phase = crate::cluster::PodPhase::parse(row[1].as_str()?)?;
        bench.lab.phase(pod, phase);
    }
    bench.lab.drain();
    let is_gone = |pod: PodId| bench.lab.cluster.pod(pod).meta.is_deleting();
    let (mut kept, mut removed) = (Vec::new(), Vec::new());
    for (row, &pod) in rows.iter().zip(&bench.pods) {
        if is_gone(pod) { &mut removed } else { &mut kept }.push(row.to_string());
    }
    let wanted = |list: &Value| {
        let mut texts: Vec<String> = list.as_array().into_iter().flatten().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    kept.sort();
    removed.sort();
    let agrees = kept == wanted(&out["keep"]) && (out["remove"] == "others" || removed == wanted(&out["remove"]));
    stated(out, agrees, (kept, removed))
}

fn manage(input: &Value, out: &Value) -> Answer {
    let count = |key: &str| usize::try_from(count(input, key, 2_000)?).ok();
    let known = |key: &str, words: &[&str]| input[key].is_null() || one_of(&input[key], words).is_some();
    let all_known = known("restartPolicy", &["Never", "OnFailure"])
        && known("podReplacementPolicy", &["Failed", "TerminatingOrFailed"])
        && known("completionMode", &["Indexed", "NonIndexed"]);
    let numbers = ["parallelism", "completions", "backoffLimit", "backoffLimitPerIndex", "maxFailedIndexes"];
    if !all_known || !numbers.iter().all(|key| input[*key].is_null() || input[*key].is_u64()) {
        return None;
    }
    let (n_active, n_terminating) = (count("active")?, count("terminating")?);
    count("restarts_sum").and(count("failed")).and(count("succeeded"))?;
    let n_restarting = usize::from(input["restarts_sum"].is_u64() && n_active == 0);
    let indexed = input["completionMode"] == "Indexed";
    let n_pods = n_active + n_terminating + n_restarting;
    let mut more = json!({});
    for key in [
        "parallelism",
        "completions",
        "backoffLimit",
        "podReplacementPolicy",
        "completionMode",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
        "activeDeadlineSeconds",
        "suspend",
    ] {
        more[key] = input[key].clone();
    }
    if indexed && more["completions"].is_null() {
        more["completions"] = (count("failedIndexes")? + n_pods + 5).into();
    }
    let mut spec = job_spec(&more);
    if let Some(policy) = input["restartPolicy"].as_str() {
        spec["template"]["spec"]["restartPolicy"] = policy.into();
    }
    let n_failed = int0(input, "failedIndexes")?.min(100_000);
    let failed_indexes: BTreeSet<i32> = (0..n_failed).collect();
    let elapsed = ["elapsed", "elapsed_s", "active_for", "running_for"].iter().find_map(|key| input[*key].as_i64());
    let start = super::lab::EPOCH + T0.as_secs() as i64 - elapsed.unwrap_or(0);

    let succeeded: BTreeSet<i32> =
        (n_failed..n_failed.saturating_add(int0(input, "succeeded")?.min(100_000))).collect();
    let completed = input["completedIndexes"].as_str().map(str::to_owned);
    let status = json!({
        "startTime": jiff::Timestamp::from_second(start).ok()?.to_string(), "succeeded": input["succeeded"], "failed": input["failed"],
        "failedIndexes": input["failedIndexes"].is_u64().then(|| format_indexes(&failed_indexes)),
        "completedIndexes": completed.or(indexed.then(|| format_indexes(&succeeded))),
    });
    let first = count("failedIndexes")? + count("succeeded")?;
    let indexes: Vec<Option<String>> = (0..n_pods).map(|nth| indexed.then(|| (first + nth).to_string())).collect();
    let mut bench = Bench::new(spec, status, &indexes)?;
    let restarts = u32::try_from(input["restarts_sum"].as_u64().unwrap_or(0)).ok()?;
    for (nth, &pod) in bench.pods.clone().iter().enumerate() {
        bench.lab.run(pod, true);
        bench.lab.write(|cluster| {
            if nth == 0 && restarts > 0 {
                cluster.set_container(pod, 0, ContainerStatus { restarts, ..ContainerStatus::default() });
            }
            if (n_active..n_active + n_terminating).contains(&nth) {
                cluster.delete_pod(pod, Some(30));
            }
        });
    }
    let begin = bench.lab.log.len();
    bench.lab.after(30);
    verdict(&bench, begin, int0(input, "failed")?, out)
}

/// What became of the Job, in the words of the table.
fn verdict(bench: &Bench, begin: usize, failed_before: i32, out: &Value) -> Answer {
    let (cluster, job) = (&bench.lab.cluster, bench.lab.cluster.get::<Job>(bench.job));
    let reason = |kind: &str| {
        let condition = job.status.conditions.get(cluster.interner.find(kind)?)?;
        (condition.status == ConditionStatus::True).then(|| cluster.interner.text(condition.reason).to_owned())
    };
    if let Some(text) = out.as_str() {
        let got =
            match (reason("Complete").or(reason("SuccessCriteriaMet")), reason("Failed").or(reason("FailureTarget"))) {
                (Some(_), _) => "Complete".to_owned(),
                (None, Some(reason)) => format!("Failed {reason}"),
                (None, None) => "continues".to_owned(),
            };
        return stated(out, text == got || text.starts_with(&format!("{got} (")), got);
    }
    members(
        out,
        &json!({
            "create": bench.lab.pods_with(What::Created, begin).len(),
            "delete": bench.lab.pods_with(What::Deleting, begin).len(),
            "failed_count_plus": job.status.failed - failed_before,
        }),
    )
}
