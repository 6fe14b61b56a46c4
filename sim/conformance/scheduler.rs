//! Golden cases of kube-scheduler against ours: every verdict, reason, score, the best nodes, messages and preemption.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::difference::Difference;
use super::scheduler_preemption::check_preemption;
use crate::cluster::{Cluster, NodeId, ObjectRef, PodId, Propagation};
use crate::scheduler::framework::names::{PluginName, PluginSet};
use crate::scheduler::framework::plugin::Cx;
use crate::scheduler::framework::profile::Profile;
use crate::scheduler::framework::state::CycleState;
use crate::scheduler::framework::status::{Rejection, Status};
use crate::scheduler::framework::view::NodeView;
use crate::scheduler::framework::{Diagnosis, Framework, PreFiltered};
use crate::scheduler::message::fit_error;

/// The virtual date at which golden clusters begin: before any date in them.
const EPOCH_SECONDS: i64 = 1_577_836_800;

/// A cluster and its scheduler, made from a golden case.
pub(super) struct Bench {
    /// The store.
    pub cluster: Cluster,
    /// The nodes in the order of the case.
    pub nodes: Vec<NodeId>,
    /// The scheduler.
    pub framework: Framework,
}

/// Checks one case; sequences are checked too.
pub fn check_case(case: &Value) -> Vec<Difference> {
    let checked =
        if case["podSequence"].is_array() { super::sequences::check_sequence(case) } else { check_single(case) };
    checked.unwrap_or_else(|error| vec![Difference::new("case", "a case that can be read", error)])
}

/// The kinds of the objects of a case, by the field that lists them, in the order in which they are created: pods before the
/// claims made for them.
const KINDS: &[(&str, &str)] = &[
    ("namespaces", "Namespace"),
    ("nodes", "Node"),
    ("services", "Service"),
    ("replicationcontrollers", "ReplicationController"),
    ("replicasets", "ReplicaSet"),
    ("statefulsets", "StatefulSet"),
    ("pods", "Pod"),
    ("nominatedPods", "Pod"),
    ("pdbs", "PodDisruptionBudget"),
    ("storageclasses", "StorageClass"),
    ("csidrivers", "CSIDriver"),
    ("csinodes", "CSINode"),
    ("csistoragecapacities", "CSIStorageCapacity"),
    ("pvs", "PersistentVolume"),
    ("volumeattachments", "VolumeAttachment"),
];

impl Bench {
    /// Makes the cluster of a case, with the pods to be scheduled.
    pub fn new(case: &Value, percentage: u32, pending: &[Value]) -> Result<(Bench, Vec<PodId>), String> {
        let mut cluster = Cluster::new(EPOCH_SECONDS);
        let mut nodes = Vec::new();
        for &(field, kind) in KINDS {
            for object in case[field].as_array().into_iter().flatten() {
                let made = create(&mut cluster, kind, object)?;
                nodes.extend(match made {
                    ObjectRef::Node(node) => Some(node),
                    _ => None,
                });
            }
        }
        let mut pods = Vec::new();
        for pod in pending {
            let mut pod = pod.clone();
            if let Some(spec) = pod["spec"].as_object_mut() {
                spec.remove("nodeName");
            }
            if let ObjectRef::Pod(id) = create(&mut cluster, "Pod", &pod)? {
                pods.push(id);
            }
        }
        for claim in case["pvcs"].as_array().into_iter().flatten() {
            create(&mut cluster, "PersistentVolumeClaim", claim)?;
        }
        let mut profile = Profile { percentage_of_nodes_to_score: percentage, ..Profile::default() };
        // The golden cases were answered with every candidate for preemption looked at.
        let all = json!({ "minCandidateNodesPercentage": 100, "minCandidateNodesAbsolute": 100_000 });
        profile.args.insert(PluginName::DefaultPreemption, all);
        profile.apply(&case["config"])?;
        cluster.take_changes(&mut Vec::new());
        let framework = Framework::new(profile, &cluster)?;
        Ok((Bench { cluster, nodes, framework }, pods))
    }

    /// The name of a node.
    pub fn name(&self, node: NodeId) -> &str {
        self.cluster.name(node)
    }

    /// Names of nodes as JSON.
    pub fn names(&self, nodes: &[NodeId]) -> Value {
        nodes.iter().map(|&node| self.name(node)).collect::<Vec<_>>().into()
    }

    /// A status as the cases write it.
    pub fn status(&self, status: &Status) -> Value {
        let reasons: Vec<_> = status.reasons.iter().map(|reason| reason.text(&self.cluster.interner)).collect();
        match status.plugin {
            Some(plugin) => json!({ "plugin": plugin.as_str(), "code": status.code.as_str(), "reasons": reasons }),
            None => json!({ "code": status.code.as_str(), "reasons": reasons }),
        }
    }

    fn rejection(&self, rejection: &Rejection) -> Value {
        let reasons: Vec<_> = rejection.reasons.iter().map(|reason| reason.text(&self.cluster.interner)).collect();
        json!({ "code": rejection.code.as_str(), "reasons": reasons })
    }
}

fn create(cluster: &mut Cluster, kind: &str, object: &Value) -> Result<ObjectRef, String> {
    let mut object = object.clone();
    object["kind"] = kind.into();
    let made = cluster.create_from(&object)?;
    if let ObjectRef::Object(_) = made
        && !object["metadata"]["deletionTimestamp"].is_null()
    {
        // Something must hold it, or it would not be there any more.
        let finalizer = cluster.interner.sym("wavetank/held");
        cluster.add_finalizer(made, finalizer);
        cluster.delete(made, Propagation::Background);
    }
    Ok(made)
}

/// What is found about one case.
pub(super) struct Findings(pub Vec<Difference>);

impl Findings {
    /// Notes a difference unless both are equal.
    pub fn expect(&mut self, subject: &str, plugin: Option<&str>, expected: &Value, got: &Value) {
        if expected != got {
            let difference = Difference::new(subject, expected.to_string(), got.to_string());
            self.0.push(match plugin {
                Some(plugin) => difference.in_plugin(plugin),
                None => difference,
            });
        }
    }
}

fn check_single(case: &Value) -> Result<Vec<Difference>, String> {
    let (mut bench, pods) = Bench::new(case, 100, std::slice::from_ref(&case["pod"]))?;
    let pod = *pods.first().ok_or("a case without a pod")?;
    let expect = &case["expect"];
    let mut findings = Findings(Vec::new());
    let gate = bench.framework.pre_enqueue(&bench.cluster, pod);
    let got = if gate.is_success() { Value::Null } else { bench.status(&gate) };
    findings.expect("preEnqueue", None, &expect["preEnqueue"], &got);
    if !expect["preEnqueue"].is_null() {
        return Ok(findings.0);
    }
    bench.framework.sync(&bench.cluster);
    let wanted = case["pod"]["spec"]["nodeName"].as_str().filter(|name| !name.is_empty());
    let cx = Cx { wanted_node: wanted, ..bench.framework.cx(&bench.cluster, pod) };
    let mut state = CycleState::default();
    let pre_filtered = bench.framework.run_pre_filter(cx, &mut state);
    check_pre_filter(&bench, expect, &pre_filtered, &mut findings);
    let mut diagnosis = Diagnosis::of(bench.nodes.len(), &pre_filtered, &state);
    let mut feasible = Vec::new();
    if !diagnosis.pre_filter {
        feasible = check_filter(&bench, cx, &state, expect, &mut diagnosis, &mut findings);
        check_filter_alone(&bench, cx, &state, &pre_filtered, expect, &mut findings);
    }
    findings.expect("feasible", None, &expect["feasible"], &bench.names(&feasible));
    if feasible.is_empty() {
        let message = fit_error(&diagnosis, &bench.cluster, "");
        findings.expect("fitError", None, &expect["fitError"], &message.into());
        check_preemption(&bench, cx, case, &diagnosis, &mut findings);
    } else {
        check_scores(&bench, cx, &mut state, &feasible, expect, &mut findings);
    }
    Ok(findings.0)
}

fn check_pre_filter(bench: &Bench, expect: &Value, pre_filtered: &PreFiltered, findings: &mut Findings) {
    let rejected = match pre_filtered {
        PreFiltered::Rejected(status) => bench.status(status),
        _ => Value::Null,
    };
    findings.expect("preFilter", None, &expect["preFilter"], &rejected);
    let error = match pre_filtered {
        PreFiltered::Error(error) => error.as_str().into(),
        _ => Value::Null,
    };
    findings.expect("error", None, &expect["error"], &error);
    let named = match pre_filtered {
        PreFiltered::Named(names, _) => names.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect(),
        _ => Value::Null,
    };
    findings.expect("preFilterNodes", None, &expect["preFilterNodes"], &named);
}

/// Filter with nominated pods, to the first rejection.
fn check_filter(
    bench: &Bench,
    cx: Cx<'_>,
    state: &CycleState,
    expect: &Value,
    diagnosis: &mut Diagnosis,
    findings: &mut Findings,
) -> Vec<NodeId> {
    let mut feasible = Vec::new();
    for &node in &bench.nodes {
        let inside =
            expect["preFilterNodes"].as_array().is_none_or(|names| names.iter().any(|n| n == bench.name(node)));
        let status = if inside {
            bench.framework.run_filter_with_nominated(cx, state, NodeView::plain(&bench.cluster, node))
        } else {
            diagnosis.others.clone().unwrap_or_else(Status::success)
        };
        let want = &expect["filter"][bench.name(node)];
        let got = if status.is_success() { Value::Null } else { bench.status(&status) };
        let plugin = want["plugin"].as_str().or(got["plugin"].as_str());
        findings.expect(&format!("filter of {}", bench.name(node)), plugin, want, &got);
        if status.is_success() {
            feasible.push(node);
        } else if inside {
            diagnosis.nodes.push((node, status));
        }
    }
    feasible
}

/// Every Filter plugin alone on every node, without nominated pods.
fn check_filter_alone(
    bench: &Bench,
    cx: Cx<'_>,
    state: &CycleState,
    pre_filtered: &PreFiltered,
    expect: &Value,
    findings: &mut Findings,
) {
    let inside = |node: NodeId| match pre_filtered {
        PreFiltered::Named(names, _) => names.iter().any(|name| name == bench.name(node)),
        _ => true,
    };
    let nodes: Vec<NodeId> = bench.nodes.iter().copied().filter(|&node| inside(node)).collect();
    for plugin in bench.framework.filter_plugins() {
        let name = plugin.name().as_str();
        let mut got = BTreeMap::new();
        let mut fits = vec![true; nodes.len()];
        if !state.skip_filter.contains(plugin.name()) {
            plugin.filter_block(cx, state, &nodes, &mut fits);
            for (&node, &fits) in nodes.iter().zip(&fits) {
                let verdict = plugin.filter(cx, state, NodeView::plain(&bench.cluster, node));
                findings.expect(
                    &format!("block filter of {}", bench.name(node)),
                    Some(name),
                    &verdict.is_ok().into(),
                    &fits.into(),
                );
                if let Err(rejection) = verdict {
                    got.insert(bench.name(node).to_owned(), bench.rejection(&rejection));
                }
            }
        }
        let want = &expect["filterAll"][name];
        for &node in &nodes {
            let got = got.get(bench.name(node)).unwrap_or(&Value::Null);
            findings.expect(&format!("{name} alone on {}", bench.name(node)), Some(name), &want[bench.name(node)], got);
        }
    }
}

fn check_scores(
    bench: &Bench,
    cx: Cx<'_>,
    state: &mut CycleState,
    feasible: &[NodeId],
    expect: &Value,
    findings: &mut Findings,
) {
    let scores = bench.framework.run_score(cx, state, feasible);
    let want = &expect["scores"];
    let plugins: Vec<&str> = scores.plugins.iter().map(|(plugin, _)| plugin.as_str()).collect();
    findings.expect("plugins that score", None, &want["plugins"], &plugins.clone().into());
    let weights: Vec<i64> = scores.plugins.iter().map(|&(_, weight)| weight).collect();
    findings.expect("weights", None, &want["weights"], &weights.into());
    let mut skipped: Vec<&str> = scores.skipped.iter().map(PluginName::as_str).collect();
    skipped.sort_unstable();
    findings.expect("plugins that do not score", None, &want["skipped"], &skipped.into());
    for (place, &node) in feasible.iter().enumerate() {
        let want = &want["nodes"][bench.name(node)];
        for (idx, plugin) in plugins.iter().enumerate() {
            let subject = |what: &str| format!("{what} score of {}", bench.name(node));
            findings.expect(&subject("raw"), Some(plugin), &want["raw"][idx], &scores.raw[idx][place].into());
            let normalized = scores.normalized[idx][place].into();
            findings.expect(&subject("normalised"), Some(plugin), &want["norm"][idx], &normalized);
        }
        let subject = format!("total of {}", bench.name(node));
        findings.expect(&subject, None, &want["total"], &scores.total[place].into());
    }
    let best = scores.total.iter().copied().max().unwrap_or(0);
    let nodes: Vec<NodeId> =
        feasible.iter().zip(&scores.total).filter(|&(_, &total)| total == best).map(|(&node, _)| node).collect();
    findings.expect("best", None, &expect["best"], &json!({ "total": best, "nodes": bench.names(&nodes) }));
}

impl Diagnosis {
    /// What PreFilter leaves of a diagnosis.
    fn of(n_nodes: usize, pre_filtered: &PreFiltered, state: &CycleState) -> Diagnosis {
        let (others, plugins) = match pre_filtered {
            PreFiltered::Named(_, narrowing) => (Some(Framework::outside_status(*narrowing)), *narrowing),
            PreFiltered::Rejected(status) => (Some(status.clone()), PluginSet::from_iter(status.plugin)),
            _ => (None, PluginSet::EMPTY),
        };
        Diagnosis {
            n_nodes,
            others,
            plugins,
            pre_filter: matches!(pre_filtered, PreFiltered::Rejected(_)),
            saw_dynamic_resources: state.saw_dynamic_resources,
            nodes: Vec::new(),
        }
    }
}
