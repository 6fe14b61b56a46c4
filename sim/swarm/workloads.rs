//! The workloads of a case: one of every kind that the controllers know, with random strategies, and what guards them.

use serde_json::{Value, json};

use super::dice::Dice;

/// A drawn workload.
pub(super) struct Workload {
    /// Its name; all its pods have it as label `app`.
    pub(super) name: String,
    /// `deployment`, `statefulset`, `daemonset`, `job`, `cronjob`.
    pub(super) kind: &'static str,
    /// How many replicas it has when all is well.
    pub(super) replicas: u64,
    /// How long its containers run on average, if they end by themselves.
    pub(super) run_seconds: Option<u64>,
    /// Whether its containers fail now and then.
    pub(super) flaky: bool,
    /// Its manifests: itself, and Services, budgets and quotas that belong to it.
    pub(super) objects: Vec<Value>,
}

/// Draws a workload whose pods take at most `budget` milli-CPU together.
pub(super) fn workload(index: u64, budget: u64, calm: bool, dice: &mut Dice) -> Workload {
    let kinds: &[&'static str] = if calm {
        &["deployment"]
    } else {
        &["deployment", "deployment", "statefulset", "daemonset", "job", "cronjob"]
    };
    let kind = *dice.pick(kinds);
    let replicas = dice.between(1, 6);
    let mut workload = Workload {
        name: format!("{kind}-{index}"),
        kind,
        replicas,
        run_seconds: matches!(kind, "job" | "cronjob").then(|| dice.between(2, 60)),
        flaky: !calm && matches!(kind, "deployment" | "statefulset") && dice.chance(15),
        objects: Vec::new(),
    };
    let milli_cpu = (budget / (replicas * 2)).clamp(20, 400);
    let spec = match kind {
        "deployment" => deployment(&workload, milli_cpu, dice),
        "statefulset" => stateful_set(&workload, milli_cpu, dice),
        "daemonset" => daemon_set(&workload, milli_cpu.min(100), dice),
        "job" => job(&workload, milli_cpu, dice),
        _ => cron_job(&workload, milli_cpu.min(100), dice),
    };
    workload.objects.push(spec);
    if !matches!(kind, "job" | "cronjob") {
        guards(&mut workload, calm, dice);
    }
    workload
}

fn metadata(workload: &Workload) -> Value {
    json!({ "name": workload.name, "labels": { "app": workload.name } })
}

fn template(workload: &Workload, milli_cpu: u64, dice: &mut Dice) -> Value {
    let mut container = json!({
        "name": "main", "image": "app:1",
        "resources": { "requests": { "cpu": format!("{milli_cpu}m"), "memory": "64Mi" } },
    });
    let serves = workload.run_seconds.is_none();
    if serves && dice.chance(60) {
        container["readinessProbe"] = json!({
            "httpGet": { "port": 80, "path": "/ready" }, "periodSeconds": dice.between(1, 10),
            "initialDelaySeconds": dice.between(0, 5), "failureThreshold": dice.between(1, 3),
        });
    }
    let resources = container["resources"].clone();
    let mut spec = json!({ "containers": [container], "terminationGracePeriodSeconds": *dice.pick(&[0, 1, 10, 30]) });
    if serves && dice.chance(30) {
        spec["initContainers"] = json!([{ "name": "init", "image": "init:1", "resources": resources }]);
    }
    if serves && dice.chance(25) {
        spec["containers"][0]["livenessProbe"] = json!({
            "tcpSocket": { "port": 80 }, "periodSeconds": dice.between(1, 10), "failureThreshold": dice.between(1, 3),
        });
    }
    if serves && dice.chance(20) {
        spec["containers"][0]["lifecycle"] = json!({ "preStop": { "sleep": { "seconds": dice.between(1, 8) } } });
        spec["terminationGracePeriodSeconds"] = json!(10);
    }
    if dice.chance(20) {
        spec["priorityClassName"] = json!(*dice.pick(&["system-cluster-critical", "important"]));
    }
    if dice.chance(30) {
        spec["tolerations"] = json!(["unreachable", "not-ready"].map(|taint| json!({
            "key": format!("node.kubernetes.io/{taint}"), "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": dice.between(0, 60),
        })));
    }
    if dice.chance(30) {
        let key = *dice.pick(&["kubernetes.io/hostname", "topology.kubernetes.io/zone"]);
        spec["topologySpreadConstraints"] = json!([{
            "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": { "matchLabels": { "app": workload.name } },
        }]);
    }
    json!({ "metadata": { "labels": { "app": workload.name } }, "spec": spec })
}

fn int_or_percent(low: u64, dice: &mut Dice) -> Value {
    match dice.between(0, 2) {
        0 => json!(dice.between(low, 3)),
        1 => json!(*dice.pick(&["10%", "25%", "50%", "100%"])),
        _ => json!(low.max(1)),
    }
}

fn deployment(workload: &Workload, milli_cpu: u64, dice: &mut Dice) -> Value {
    let strategy = if dice.chance(15) {
        json!({ "type": "Recreate" })
    } else {
        let surge = int_or_percent(0, dice);
        let low = u64::from(surge == json!(0));
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": surge, "maxUnavailable": int_or_percent(low, dice) } })
    };
    let mut spec = json!({
        "replicas": workload.replicas, "selector": { "matchLabels": { "app": workload.name } },
        "strategy": strategy, "minReadySeconds": *dice.pick(&[0, 0, 3, 15]), "template": template(workload, milli_cpu, dice),
    });
    if dice.chance(40) {
        spec["progressDeadlineSeconds"] = json!(dice.between(20, 120));
    }
    if dice.chance(30) {
        spec["revisionHistoryLimit"] = json!(dice.between(0, 3));
    }
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(workload), "spec": spec })
}

fn stateful_set(workload: &Workload, milli_cpu: u64, dice: &mut Dice) -> Value {
    let mut spec = json!({
        "replicas": workload.replicas, "selector": { "matchLabels": { "app": workload.name } },
        "serviceName": workload.name, "template": template(workload, milli_cpu, dice),
        "podManagementPolicy": *dice.pick(&["OrderedReady", "OrderedReady", "Parallel"]),
        "minReadySeconds": *dice.pick(&[0, 0, 5]),
    });
    if dice.chance(20) {
        spec["ordinals"] = json!({ "start": dice.between(1, 3) });
    }
    json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata(workload), "spec": spec })
}

fn daemon_set(workload: &Workload, milli_cpu: u64, dice: &mut Dice) -> Value {
    let update = if dice.chance(30) {
        json!({ "maxSurge": 1, "maxUnavailable": 0 })
    } else {
        json!({ "maxUnavailable": int_or_percent(1, dice) })
    };
    let spec = json!({
        "selector": { "matchLabels": { "app": workload.name } }, "template": template(workload, milli_cpu, dice),
        "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": update },
    });
    json!({ "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata(workload), "spec": spec })
}

fn job_spec(workload: &Workload, milli_cpu: u64, dice: &mut Dice) -> Value {
    let mut template = template(workload, milli_cpu, dice);
    template["spec"]["restartPolicy"] = json!(*dice.pick(&["Never", "OnFailure"]));
    let completions = dice.between(1, 10);
    let mut spec = json!({
        "parallelism": dice.between(1, workload.replicas), "completions": completions,
        "backoffLimit": dice.between(0, 6), "template": template,
    });
    if dice.chance(40) {
        spec["completionMode"] = json!("Indexed");
        if dice.chance(50) && spec["template"]["spec"]["restartPolicy"] == "Never" {
            spec["backoffLimitPerIndex"] = json!(dice.between(0, 2));
            spec["backoffLimit"] = json!(i32::MAX);
        }
    }
    if dice.chance(25) && spec["template"]["spec"]["restartPolicy"] == "Never" {
        let on = if dice.chance(50) {
            json!({ "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] })
        } else {
            json!({ "onExitCodes": { "operator": "In", "values": [1] } })
        };
        let mut rule = on;
        rule["action"] = json!(*dice.pick(&["Ignore", "FailJob", "Count"]));
        spec["podFailurePolicy"] = json!({ "rules": [rule] });
        spec["podReplacementPolicy"] = json!("Failed");
    }
    if spec["completionMode"] == "Indexed" && dice.chance(25) {
        let needed = dice.between(1, completions);
        spec["successPolicy"] = json!({ "rules": [{ "succeededCount": needed }] });
    }
    if dice.chance(20) {
        spec["activeDeadlineSeconds"] = json!(dice.between(60, 600));
    }
    if dice.chance(20) {
        spec["ttlSecondsAfterFinished"] = json!(dice.between(0, 120));
    }
    if dice.chance(20) {
        spec["podReplacementPolicy"] = json!("Failed");
    }
    spec
}

fn job(workload: &Workload, milli_cpu: u64, dice: &mut Dice) -> Value {
    let spec = job_spec(workload, milli_cpu, dice);
    json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata(workload), "spec": spec })
}

fn cron_job(workload: &Workload, milli_cpu: u64, dice: &mut Dice) -> Value {
    let spec = json!({
        "schedule": *dice.pick(&["* * * * *", "*/3 * * * *", "@every 90s"]),
        "concurrencyPolicy": *dice.pick(&["Allow", "Forbid", "Replace"]),
        "successfulJobsHistoryLimit": dice.between(0, 3),
        "jobTemplate": { "metadata": { "labels": { "app": workload.name } }, "spec": job_spec(workload, milli_cpu, dice) },
    });
    json!({ "apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata(workload), "spec": spec })
}

/// A Service, a budget and a quota, now and then.
fn guards(workload: &mut Workload, calm: bool, dice: &mut Dice) {
    let name = &workload.name;
    if workload.kind == "statefulset" || dice.chance(50) {
        let spec = json!({ "selector": { "app": name }, "ports": [{ "port": 80 }] });
        workload
            .objects
            .push(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": spec }));
    }
    if workload.kind != "daemonset" && dice.chance(60) {
        let which = *dice.pick(&["minAvailable", "maxUnavailable"]);
        let bound = if dice.chance(50) { json!(dice.between(1, workload.replicas)) } else { json!("50%") };
        let mut spec = json!({ which: bound, "selector": { "matchLabels": { "app": name } } });
        if dice.chance(30) {
            spec["unhealthyPodEvictionPolicy"] = json!("AlwaysAllow");
        }
        let manifest = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": name }, "spec": spec });
        workload.objects.push(manifest);
    }
    if !calm && dice.chance(10) {
        let hard = json!({ "hard": { "pods": dice.between(30, 60), "requests.cpu": "30" } });
        let manifest =
            json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": name }, "spec": hard });
        workload.objects.push(manifest);
    }
}
